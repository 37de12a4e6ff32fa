"""Random drawing: whatever is done is undone again, and says in YAML what is drawn."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.errors import WfsimError
from wfsim.model.check import check
from wfsim.model.yaml_writer import to_data
from wfsim.widgets.editing import Editing

NAMES = st.sampled_from(["", "one", "two", "a b", "'\"<b>", "-", "x/y", " ", "state", "null", "ünï"])
OPERATIONS = (
    *("add", "rename", "timeout", "initial", "delete", "connect", "event"),
    *("trigger", "work", "declare", "properties", "nest"),
)
COMMENTED = """\
name: commented
version: 1.0.0
initial_state: alpha
events:
  # about event:go
  go: {}
  # about event:stop
  stop: {}
states:
  # about state:alpha
  - name: alpha
    timeout: 5m
  # about state:beta
  - {name: beta}
  # about state:gamma
  - {name: gamma, is_terminal: true}
transitions:
  # about state:alpha state:beta event:go
  - {from: alpha, event: go, to: beta}
  # about state:beta state:gamma event:stop
  - from: beta
    event: stop
    to: gamma
  # about state:alpha state:gamma
  - {from: alpha, event: timeout, to: gamma}
# about all
unhandled: reject
"""


class Quiet(Editing):
    """Nothing is judged: only what is drawn is looked at."""

    def _go(self, to: int) -> None:
        self._at = to


def draw_something(editing: Editing, data: st.DataObject) -> None:
    states = [each for each in editing.elements if each.startswith("state:")]
    transitions = [each for each in editing.elements if each.startswith("transition:")]
    regions = ["workflow", *(each for each in editing.elements if each.startswith("region:"))]
    state, other = data.draw(st.sampled_from(states)), data.draw(st.sampled_from(states))
    name = data.draw(NAMES)
    does: dict[str, Any] = {
        "add_state": {"name": name, "after": state},
        "add_region": {"state": state, "name": name},
        "connect": {"source": state, "target": other, "event": name},
        "rename": {"element": data.draw(st.sampled_from(editing.elements)), "name": name},
        "declare": {"kind": data.draw(st.sampled_from(["variable", "event", "activity"])), "name": name},
        "make_initial": {"state": state},
        "set_terminal": {"state": state, "outcome": data.draw(st.sampled_from(["", "success", "failure"]))},
        "set_timeout": {"state": state, "timeout": data.draw(st.sampled_from(["", "5m"]))},
        "set_work": {"state": state, "activity": data.draw(st.sampled_from(["", "f"]))},
        "delete": {"element": data.draw(st.sampled_from(editing.elements))},
        "move": {"state": state, "into": data.draw(st.sampled_from(regions))},
        "nest": {"states": [state, other], "name": name},
    }
    if transitions:
        does["set_trigger"] = {"transition": data.draw(st.sampled_from(transitions)), "event": name}
        does["reconnect"] = {"transition": data.draw(st.sampled_from(transitions)), "source": state, "target": other}
    operation = data.draw(st.sampled_from(sorted(does)))
    before = editing.definition
    try:
        selected = editing.do(operation, **does[operation])
    except WfsimError:
        assert editing.definition is before
    else:
        assert selected in editing.elements
        assert editing.said


@given(workflows(), st.data())
@cases(15)
def test_any_sequence_of_edits_is_undone_and_redone_and_read_back_from_its_text(
    workflow: wf.Workflow, data: st.DataObject
) -> None:
    editing = Quiet(workflow)
    first = editing.text
    for _ in range(data.draw(st.integers(1, 6))):
        draw_something(editing, data)
    last, text = editing.definition, editing.text
    assert to_data(editing._now.source.workflow) == to_data(last)
    assert wf.picture(last).title
    if not check(last):
        assert wf.loads(text) == editing.workflow
    steps = 0
    while editing._at:
        editing.undo()
        steps += 1
    assert (editing.definition, editing.text) == (workflow, first)
    for _ in range(steps):
        editing.redo()
    assert (editing.definition, editing.text) == (last, text)


@given(st.data())
@cases(15)
def test_no_edit_of_one_element_takes_the_comments_of_others(data: st.DataObject) -> None:
    editing = Quiet(wf.loads(COMMENTED))
    touched: set[str] = set()
    for _ in range(data.draw(st.integers(1, 4))):
        operation = data.draw(st.sampled_from(OPERATIONS))
        elements = [each for each in editing.elements if each.startswith(("state:", "event:"))]
        element = data.draw(st.sampled_from([each for each in elements if each.startswith("state:")]))
        try:
            match operation:
                case "add":
                    editing.add_state(after=element)
                case "rename":
                    new = editing.rename(element, data.draw(st.sampled_from(["one", "two", "three"])))
                    touched |= {f"{element}→{new}"}
                case "timeout":
                    editing.set_timeout(element, "7m")
                case "initial":
                    editing.make_initial(element)
                case "delete":
                    editing.delete(element)
                    touched |= {element, *_called(touched, element)}
                case "trigger":
                    number = data.draw(st.integers(1, 4))
                    editing.set_trigger(f"transition:{number}", event=data.draw(NAMES))
                case "work":
                    editing.set_work(element, "f")
                case "declare":
                    editing.declare(data.draw(st.sampled_from(["variable", "event", "activity"])), "new")
                case "properties":
                    editing.set_properties(element, editing.properties(element) + "description: told\n")
                case "nest":
                    editing.nest([element])
                    touched |= {element, *_called(touched, element)}
                case "connect":
                    editing.connect(element, element, "again")
                case "event":
                    editing.delete(event := data.draw(st.sampled_from(["event:go", "event:stop"])))
                    touched |= {event}
        except WfsimError:
            continue
    for line in COMMENTED.splitlines():
        about = line.partition("# about ")[2]
        if about and not touched.intersection(about.split()):
            assert f"# about {about}" in editing.text


def _called(touched: set[str], element: str) -> set[str]:
    """What an element was called before it was renamed, in all steps."""
    before = {each.partition("→")[0] for each in touched if each.partition("→")[2] == element}
    return before.union(*(_called(touched - {f"{each}→{element}"}, each) for each in before))
