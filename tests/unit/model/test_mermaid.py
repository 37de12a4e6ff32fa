"""Workflows as state diagrams of Mermaid."""

from __future__ import annotations

import wfsim as wf
from wfsim.model.mermaid import to_mermaid


def test_regions_conditions_and_ends_are_in_the_diagram() -> None:
    text = """\
name: both
initial_state: work
states:
  - name: work
    parallel:
      regions:
        - {name: left, initial_state: a, states: [{name: a, is_terminal: true}]}
        - {name: right, initial_state: b, states: [{name: b, is_terminal: true}]}
  - {name: end, is_terminal: true}
transitions:
  - {from: work, event: done, to: end, condition: "1 < 2"}
"""
    assert to_mermaid(wf.loads(text)).splitlines() == [
        "stateDiagram-v2",
        '    state "work" as s1',
        "    state s1 {",
        '        state "a" as s3',
        "        [*] --> s3",
        "        s3 --> [*]",
        "        --",
        '        state "b" as s4',
        "        [*] --> s4",
        "        s4 --> [*]",
        "    }",
        '    state "end" as s2',
        "    [*] --> s1",
        "    s1 --> s2: done #91;1 #60; 2#93;",
        "    s2 --> [*]",
    ]


def test_no_name_is_read_as_anything_but_a_name() -> None:
    hostile = 'x" as s9; <b>#quot; --> %%{init}%%: y'
    workflow = wf.loads(
        "initial_state: s\nname: n\nstates: [{name: s}, {name: e, is_terminal: true}]\n"
        "transitions: [{from: s, event: go, to: e}]"
    )
    states = (workflow.states[0].model_copy(update={"name": hostile}), workflow.states[1])
    transition = workflow.transitions[0].model_copy(update={"from_": hostile, "event": hostile})
    text = to_mermaid(
        workflow.model_copy(update={"states": states, "transitions": (transition,), "initial_state": hostile})
    )
    escaped = "x#34; as s9#59; #60;b#62;#35;quot#59; --#62; #37;#37;#123;init#125;#37;#37;#58; y"
    assert f'state "{escaped}" as s1' in text
    assert f"s1 --> s2: {escaped}" in text
    assert hostile not in text
