"""Comments of a file stay with what they introduce, whatever happens to its neighbours."""

from __future__ import annotations

from typing import Any

import wfsim as wf

COMMENTED = """\
# The whole.
name: commented
version: 1.0.0
initial_state: first
# Variables of it.
variables:
  # How many.
  count: {type: integer, initial: 0}
  # Who.
  who: {type: string, optional: true}   # never empty
# Events of it.
events:
  # Begins.
  go: {}
  # Ends.
  stop: {}
states:
  # Waits to begin.
  - name: first
    timeout: 5m   # not long
  # Works.
  - name: second
  # Over.
  - {name: third, is_terminal: true}
transitions:
  # The way in.
  - {from: first, event: go, to: second}
  # The way out.
  - from: second
    event: stop
    to: third
  # Too late.
  - {from: first, event: timeout, to: third}
# Settled.
unhandled: reject
"""


def commented_without(*gone: str) -> set[str]:
    said = {line.partition("#")[2].strip() for line in COMMENTED.splitlines() if "#" in line}
    assert said >= set(gone)
    return said - set(gone)


def changed(**sections: Any) -> str:
    workflow = wf.loads(COMMENTED)
    return wf.dumps(workflow.model_copy(update=sections))


def test_what_is_taken_away_takes_its_own_comment_and_no_other() -> None:
    workflow = wf.loads(COMMENTED)
    first, *rest = workflow.transitions
    assert all(f"# {said}" in changed(transitions=tuple(rest)) for said in commented_without("The way in."))
    text = changed(transitions=(rest[1],))
    assert "# Too late.\n  - {from: first, event: timeout, to: third}\n# Settled." in text
    text = changed(transitions=(first, rest[1]))
    assert all(f"# {said}" in text for said in commented_without("The way out."))
    assert "# Too late.\n  - {from: first, event: timeout, to: third}" in text
    text = changed(variables={"who": workflow.variables["who"]})
    assert all(f"# {said}" in text for said in commented_without("How many."))
    assert text.index("# Who.") < text.index("who:") < text.index("# Events of it.") < text.index("events:")


def test_what_is_renamed_keeps_the_comments_of_all() -> None:
    workflow = wf.loads(COMMENTED)
    states = tuple(
        each.model_copy(update={"name": "begun"}) if each.name == "first" else each for each in workflow.states
    )
    transitions = tuple(
        each.model_copy(update={"from_": "begun"}) if each.from_ == "first" else each for each in workflow.transitions
    )
    text = changed(states=states, transitions=transitions, initial_state="begun")
    assert text == COMMENTED.replace("first", "begun")
    declared = {{"stop": "finish"}.get(name, name): event for name, event in workflow.events.items()}
    ended = tuple(
        each.model_copy(update={"event": "finish"}) if each.event == "stop" else each for each in workflow.transitions
    )
    assert changed(events=declared, transitions=ended) == COMMENTED.replace("stop", "finish")


def test_what_moves_takes_its_comment_along_and_the_one_at_the_head_of_a_list_stays_there() -> None:
    workflow = wf.loads(COMMENTED)
    first, second, third = workflow.states
    text = changed(states=(second, first, third))
    assert text.index("# Waits to begin.") < text.index("# Works.") < text.index("name: second")
    assert text.index("name: second") < text.index("name: first") < text.index("# Over.") < text.index("name: third")
    assert all(f"# {said}" in text for said in commented_without())


def test_what_stands_below_a_list_of_one_stays_when_the_list_goes() -> None:
    text = """\
name: short
version: 1.0.0
initial_state: open
states:
  - {name: open}
transitions:
  # The only one.
  - {from: open, event: go, to: open}
# Settled.
unhandled: reject
"""
    found = wf.dumps(wf.loads(text).model_copy(update={"transitions": ()}))
    assert found.endswith("  - {name: open}\n# Settled.\nunhandled: reject\n")
