"""Drawing a workflow: every operation, what follows it, what it leaves alone, and what takes it back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import wfsim as wf
from wfsim.errors import DefinitionError, WfsimError
from wfsim.model.operations import SetVariableAction
from wfsim.verification.workflows.properties import BUILT_IN
from wfsim.widgets.asked import Asked, answered
from wfsim.widgets.editing import Editing
from wfsim.widgets.edits import OPERATIONS
from wfsim.widgets.judging import Judge, Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wfsim.widgets.versions import Version

FULL = """\
name: full
version: 1.0.0
initial_state: start
variables:
  count: {type: integer, input: true, initial: 0}
  log: {optional: true}
events:
  go: {}
  stop: {}
activities:
  charge: {timeout: 5m, compensate_with: refund}
  refund: {timeout: 5m}
states:
  - {name: start, timeout: 1d}
  - name: work
    parallel:
      regions:
        - name: left
          initial_state: one
          states:
            - {name: one, activity: charge}
            - {name: over, is_terminal: true}
          transitions:
            - {from: one, event: done, to: over, condition: "state == 'one' and context.count < 3"}
            - {from: one, event: error.charge, to: over}
        - name: right
          initial_state: one
          states:
            - {name: one}
            - {name: over, is_terminal: true}
          transitions:
            - {from: one, event: go, to: over, condition: "state in ['one', 'over']"}
  - {name: end, is_terminal: true}
  - {name: failed, is_terminal: true, outcome: failure}
transitions:
  - from: start
    event: go
    to: work
    condition: state != 'work' and state != 'start' or context.count == 1
    pre_actions:
      - {action_type: set_variable, parameters: {name: log, value: "${[state == 'start', context.count]}"}}
      - {action_type: send, event: stop, to: self}
  - {from: start, event: timeout, to: failed}
  - {from: work, event: done, to: end}
  - from: work
    event: stop
    to: failed
    post_actions:
      - {action_type: compensate, scope: work/left/one}
timeouts: {workflow: 30d, states: {work: 2d}}
schedules:
  nightly: {every: 1d, input: {count: 3}}
"""


@pytest.fixture
def full() -> Editing:
    return Editing(wf.loads(FULL))


def test_a_workflow_is_drawn_from_nothing_and_all_of_it_is_undone() -> None:
    editing = Editing()
    first = editing.text
    paid = editing.rename(editing.add_state(after="state:start"), "paid")
    editing.set_terminal(paid)
    editing.set_timeout("state:start", "2d")
    late = editing.connect("state:start", paid, "timeout")
    editing.rename("state:start", "open")
    assert (paid, late) == ("state:paid", "transition:2")
    workflow = editing.workflow
    assert [state.name for state in workflow.states] == ["open", "paid"]
    assert [str(each) for each in workflow.transitions] == ["open → paid on next", "open → paid on timeout"]
    assert workflow.initial_state == "open"
    assert {answer.status for answer in editing.wait().answers} == {"holds"}
    last = editing.text
    assert [editing.undo() for _ in range(6)] == [
        "renamed start to open",
        "connected start to paid",
        "set the timeout of start to 2d",
        "made paid terminal (success)",
        "renamed state to paid",
        "added state state",
    ]
    assert editing.text == first
    with pytest.raises(WfsimError, match="nothing to undo"):
        editing.undo()
    while editing.redoable:
        editing.redo()
    assert editing.text == last
    with pytest.raises(WfsimError, match="nothing to redo"):
        editing.redo()


def test_a_renamed_state_is_followed_by_all_that_refers_to_it(full: Editing) -> None:
    full.rename("state:work", "labour")
    full.rename("state:start", "begin")
    full.rename("state:labour/left/one", "uno")
    full.rename("region:labour/left", "links")
    workflow = full.workflow
    assert workflow.initial_state == "begin"
    assert list(workflow.timeouts.states) == ["labour"]
    go = workflow.transitions[0]
    assert go.condition == "state != 'labour' and state != 'begin' or context.count == 1"
    written = go.pre_actions[0]
    assert isinstance(written, SetVariableAction)
    assert written.parameters.value == "${[state == 'begin', context.count]}"
    assert "scope: labour/links/uno" in full.text
    inner = [str(each.condition) for _, region in workflow.regions() for each in region.transitions if each.condition]
    assert "state == 'uno' and context.count < 3" in inner
    # The state of the same name in another region is another one.
    assert "state in ['one', 'over']" in inner


def test_renamed_events_variables_and_activities_are_followed(full: Editing) -> None:
    full.rename("event:stop", "halt")
    full.rename("variable:count", "number")
    full.rename("activity:charge", "pay")
    full.rename("activity:refund", "pay_back")
    workflow = full.workflow
    assert list(workflow.events) == ["go", "halt"]
    assert [each.event for each in workflow.transitions] == ["go", "timeout", "done", "halt"]
    assert "{action_type: send, event: halt, to: self}" in full.text
    assert "context.count" not in full.text
    assert "nightly: {every: 1d, input: {number: 3}}" in full.text
    assert "pay: {timeout: 5m, compensate_with: pay_back}" in full.text
    assert "activity: pay}" in full.text
    assert "event: error.pay" in full.text


def test_an_event_sent_to_another_workflow_is_not_renamed_with_ours(full: Editing) -> None:
    text = FULL.replace("event: stop, to: self", "event: stop, to: parent")
    full = Editing(wf.loads(text))
    full.rename("event:stop", "halt")
    assert "event: stop, to: parent" in full.text


def test_what_cannot_be_is_refused_with_its_reason_and_nothing_changes(full: Editing) -> None:
    before, number = full.text, full.number
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("rename", {"element": "state:start", "name": "work"}, "two states 'work'"),
        ("rename", {"element": "state:start", "name": " \n"}, "is not a name"),
        ("rename", {"element": "state:strat", "name": "x"}, "Did you mean 'state:start'"),
        ("rename", {"element": "event:go", "name": "stop"}, "already"),
        ("rename", {"element": "variable:count", "name": "a b"}, "identifier"),
        ("connect", {"source": "state:start", "target": "state:work/left/one"}, "different regions"),
        ("connect", {"source": "event:go", "target": "state:end"}, "is no state"),
        ("reconnect", {"transition": "transition:1", "source": "state:work/left/one"}, "another region"),
        ("reconnect", {"transition": "transition:1", "source": "state:gone"}, "no state 'gone'"),
        ("set_trigger", {"transition": "transition:1", "event": "a", "after": "5m"}, "not both"),
        ("set_trigger", {"transition": "transition:2"}, "needs an event"),
        ("set_timeout", {"state": "state:start", "timeout": "soon"}, "soon"),
        ("set_terminal", {"state": "state:start", "outcome": "success"}, "terminal"),
        ("set_terminal", {"state": "state:end", "outcome": "maybe"}, "expected success or failure"),
        ("move", {"state": "state:work", "into": "region:work/left"}, "into itself"),
        ("move", {"state": "state:start", "into": "workflow"}, "there already"),
        ("declare", {"kind": "colour", "name": "red"}, "nothing to declare"),
        ("declare", {"kind": "event", "name": "go"}, "already"),
        ("nest", {"states": ["state:start", "state:work/left/one"]}, "of one region"),
        ("paint", {}, "There are: add_state"),
    ]
    for operation, values, told in refused:
        with pytest.raises(WfsimError, match=told):
            full.do(operation, **values)
    assert (full.text, full.number) == (before, number)
    only = Editing()
    with pytest.raises(WfsimError, match="at least one state"):
        only.delete("state:start")


def test_a_transition_is_led_elsewhere_and_keeps_all_else() -> None:
    editing = Editing("order")
    before = list(editing.definition.transitions)
    number, refund = next((n, each) for n, each in enumerate(before, 1) if each.pre_actions)
    assert editing.reconnect(f"transition:{number}", "state:shipped", "state:created") == f"transition:{number}"
    led = editing.definition.transitions[number - 1]
    assert (led.from_, led.to) == ("shipped", "created")
    assert (led.event, led.pre_actions) == (refund.event, refund.pre_actions)
    assert editing.said.endswith("from shipped to created")
    editing.reconnect(f"transition:{number}", "state:created")
    assert (editing.definition.transitions[number - 1].from_, editing.definition.transitions[number - 1].to) == (
        "created",
        None,
    )
    editing.undo()
    editing.undo()
    assert list(editing.definition.transitions) == before


def test_a_deleted_state_takes_its_transitions_and_default_timeout_along(full: Editing) -> None:
    assert full.delete("state:work") == "state:start"
    workflow = full.workflow
    assert [str(each) for each in workflow.transitions] == ["start → failed on timeout"]
    assert workflow.timeouts.states == {}
    assert full.said == "deleted work and 3 transitions"


def test_another_state_begins_where_the_initial_one_is_deleted(full: Editing) -> None:
    full.delete("state:start")
    assert full.workflow.initial_state == "work"


def test_a_region_goes_with_its_last_state_and_the_frame_with_its_last_region(full: Editing) -> None:
    full.delete("state:work/left/one")
    full.delete("state:work/left/over")
    assert [region for region in full.elements if region.startswith("region:")] == ["region:work/right"]
    full.delete("region:work/right")
    assert full.definition.state("work").parallel is None


def test_states_are_put_into_regions_side_by_side_and_out_again() -> None:
    editing = Editing()
    pick = editing.rename(editing.add_state(after="state:start"), "pick")
    bill = editing.rename(editing.add_state(), "bill")
    end = editing.rename(editing.add_state(after=pick), "end")
    editing.set_terminal(end)
    editing.connect(bill, end, "billed")
    assert editing.nest([pick, bill], "fulfil") == "state:fulfil"
    workflow = editing.workflow
    parallel = workflow.state("fulfil").parallel
    assert parallel is not None
    assert [region.name for region in parallel.regions] == ["pick", "bill"]
    assert [[str(each) for each in region.transitions] for region in parallel.regions] == [
        ["pick → finished on next"],
        ["bill → finished on billed"],
    ]
    assert [str(each) for each in workflow.transitions] == ["start → fulfil on next", "fulfil → end on done"]
    assert {answer.status for answer in editing.wait().answers} == {"holds"}
    assert editing.move("state:fulfil/bill/bill", "workflow") == "state:bill"
    assert "1 transition across deleted" in editing.said
    assert editing.move("state:bill", "region:fulfil/pick") == "state:fulfil/pick/bill"
    assert editing.workflow.state("fulfil").parallel is not None


def test_states_that_are_connected_come_into_one_region_together() -> None:
    editing = Editing()
    one = editing.add_state("one", after="state:start")
    two = editing.add_state("two", after=one)
    assert editing.nest([two, one]) == "state:parallel"
    parallel = editing.definition.state("parallel").parallel
    assert parallel is not None
    (region,) = parallel.regions
    assert (region.initial_state, [state.name for state in region.states]) == ("one", ["one", "two"])


def test_a_state_that_works_is_connected_by_done_then_error_then_events() -> None:
    editing = Editing()
    editing.set_work("state:start", "charge")
    for _ in range(4):
        editing.connect("state:start", "state:start")
    assert [each.event for each in editing.definition.transitions] == ["done", "error", "next", "next_2"]
    assert list(editing.definition.events) == ["next", "next_2"]


def test_an_element_says_everything_as_yaml_and_wrong_yaml_is_told_with_its_line(full: Editing) -> None:
    assert full.properties("state:end") == "name: end\nis_terminal: true\n"
    assert full.properties("variable:count") == "type: integer\ninput: true\ninitial: 0\n"
    assert "timeouts:" in full.properties("workflow")
    assert "states:" not in full.properties("region:work/left")
    for element, text, told in [
        ("state:end", "name: end\nis_terminal: perhaps\n", "state end:2: .*expected true or false"),
        ("state:end", "name: end\ncolour: red\n", "state end:2: .*colour"),
        ("state:end", "name: end\n- x", "state end:2"),
        ("state:end", "is_terminal: true\n", "the key 'name' is missing"),
        (
            "transition:2",
            "from: start\nevent: timeout\nto: fialed",
            "there is no state 'fialed'.*Did you mean 'failed'",
        ),
        ("variable:count", "type: 3", "variable count:1"),
        ("workflow", "name: full\ninitial_state: start\nstates: []", "workflow:3: .*select what it holds"),
    ]:
        with pytest.raises(DefinitionError, match=told):
            full.set_properties(element, text)
    full.set_properties("state:start", "name: begin\ntimeout: 3d\nmetadata: {owner: us}\n")
    assert full.workflow.initial_state == "begin"
    assert full.workflow.state("begin").metadata == {"owner": "us"}
    full.set_properties("event:go", "payload: {amount: number}")
    full.set_properties("transition:2", "from: begin\nevent: timeout\nto: end\ncondition: context.count > 0")
    full.set_properties("region:work/left", "name: links\ninitial_state: over")
    full.set_properties("workflow", "name: fuller\ninitial_state: begin\nunhandled: defer")
    assert full.workflow.transitions[1].condition == "context.count > 0"
    assert "event:go" in full.elements
    assert "region:work/links" in full.elements
    assert (full.workflow.name, full.workflow.unhandled.value) == ("fuller", "defer")


def test_types_are_kept_while_other_things_are_edited_and_a_type_that_is_not_there_is_said(full: Editing) -> None:
    full.declare("type", "driver")
    full.set_properties("type:driver", "type: object\nfields: {name: string, rating: {type: number, maximum: 5}}\n")
    full.declare("variable", "drivers")
    full.set_properties("variable:drivers", "type: list\nitems: driver\noptional: true\n")
    full.rename("state:end", "over")
    assert full.properties("variable:drivers") == "type: list\nitems: driver\noptional: true\n"
    assert full.missing == []
    assert str(full.workflow.variables["drivers"].shape) == "list of driver"
    full.set_properties("variable:drivers", "type: drvier")
    assert [element for element, _ in full.missing] == ["variable:drivers"]
    assert "Did you mean 'driver'" in full.missing[0][1]


def test_what_is_missing_is_said_and_the_workflow_is_refused_until_it_is_there(full: Editing) -> None:
    full.delete("variable:count")
    assert {element for element, _ in full.missing} == {"transition:1", "transition:5", "workflow"}
    with pytest.raises(DefinitionError, match=r"<text>:\d+: .*count"):
        _ = full.workflow
    assert full.wait() == Judged()
    full.undo()
    assert full.missing == []
    assert full.workflow == wf.loads(FULL)


def test_a_text_is_drawn_as_one_step_and_a_wrong_one_leaves_the_drawing(full: Editing) -> None:
    before = full.text
    assert not full.set_text(before.replace("to: end", "to: nowhere"))
    assert "transition" in full.problem
    assert "nowhere" in full.problem
    line = next(k for k, each in enumerate(before.splitlines(), 1) if "to: end" in each)
    assert f":{line}: " in full.problem
    assert full.definition == wf.loads(FULL)
    assert "nowhere" in full.text
    commented = before.replace("  - {name: end,", "  # The end.\n  - {name: end,")
    assert full.set_text(commented)
    assert full.problem == ""
    full.rename("state:end", "closed")
    assert "  # The end.\n  - {name: closed, is_terminal: true}" in full.text
    assert (full.undo(), full.undo()) == ("renamed end to closed", "changed the text")
    assert full.text == before
    assert full.set_text(before)
    assert full.redoable


def test_saving_keeps_the_comments_and_puts_the_pins_beside(tmp_path: Path) -> None:
    file = tmp_path / "order.yaml"
    wf.save(wf.new("order"), file)
    editing = Editing(wf.load(file))
    editing.pin("state:paid", 40, 50.04)
    editing.pin("state:shipped", 10, 20)
    editing.rename("state:paid", "settled")
    editing.delete("state:shipped")
    editing.save()
    beside = tmp_path / "order.yaml.layout.json"
    assert json.loads(beside.read_text()) == {"version": 1, "pins": {"state:settled": [40.0, 50.0]}}
    assert "# Whatever goes wrong once the money is there: it goes back." in file.read_text()
    assert "# runs its activity while it is active" in file.read_text()
    again = Editing(wf.load(file))
    assert again.pins == {"state:settled": (40.0, 50.0)}
    again.unpin()
    again.save()
    assert not beside.exists()
    again.undo()
    again.save(tmp_path / "other.yaml")
    assert (tmp_path / "other.yaml.layout.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2, "pins": {}}', '{"version": 1, "pins": {"state:paid": 3}}'])
def test_a_layout_file_that_says_no_positions_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "order.yaml"
    wf.save(wf.new("order"), file)
    (tmp_path / "order.yaml.layout.json").write_text(text)
    with pytest.raises(WfsimError, match=r"order\.yaml\.layout\.json.*Delete the file"):
        Editing(wf.load(file))


def test_nothing_is_pinned_beyond_all_bounds_and_nothing_unsaved_has_a_file() -> None:
    editing = Editing("order")
    for x in (float("nan"), float("inf"), 1e9):
        with pytest.raises(WfsimError, match="no place in a drawing"):
            editing.pin("state:paid", x, 0)
    with pytest.raises(DefinitionError, match="Say where to write it"):
        editing.save()


def test_findings_and_violations_are_told_at_their_elements() -> None:
    editing = Editing("minimal")
    editing.add_state("lost")
    judged = editing.wait()
    assert ("state:lost", "state-unreachable") in {(each.element, each.code) for each in judged.findings}
    reached = next(each for each in judged.answers if each.name == "states_reachable")
    assert (reached.status, reached.elements) == ("violated", ("state:lost",))
    editing.undo()
    assert {each.name: each.status for each in editing.wait().answers}["states_reachable"] == "holds"
    assert not editing.stale


def test_children_are_known_to_findings_and_verdicts_of_an_editor_with_a_catalogue() -> None:
    editing = Editing("minimal", catalogue=[wf.new("approval")])
    editing.set_properties("state:waiting", "name: waiting\ninvoke: {workflow: aproval}")
    told = [each.text for each in editing.wait().findings if each.element == "state:waiting"]
    assert any("aproval" in text for text in told)
    editing.set_properties("state:waiting", "name: waiting\ninvoke: {workflow: approval}")
    told = [each.text for each in editing.wait().findings if each.element == "state:waiting"]
    assert any("requester" in text for text in told)
    editing.set_properties(
        "state:waiting", 'name: waiting\ninvoke: {workflow: approval, input: {requester: "Ada", amount: 3}}'
    )
    known = {each.name: each.reason for each in editing.wait().answers}
    alone = Editing(editing.workflow).wait()
    assert known != {each.name: each.reason for each in alone.answers}
    # What is drawn is not held against what the catalogue has by its name.
    again = Editing("minimal", catalogue=[wf.new("minimal")])
    again.add_state("more", after="state:waiting")
    assert {each.status for each in again.wait().answers} != {"error"}


def test_an_edit_never_waits_for_a_verdict_and_only_the_newest_is_judged() -> None:
    begun, go = threading.Event(), threading.Event()
    judged: list[int] = []

    def slow(version: Version, outdated: Callable[[], bool]) -> Iterator[Judged]:
        begun.set()
        assert go.wait(60)
        judged.append(version.number)
        assert outdated() == (version.number == 1)
        yield Judged()

    editing = Editing("minimal")
    editing.wait()
    judge = editing._judge = Judge(slow)
    editing.add_state("one")
    assert begun.wait(60)
    for name in ("two", "three", "four"):
        editing.add_state(name)
    assert editing.stale
    assert editing.judging
    go.set()
    judge.wait()
    assert judged == [1, 4]
    assert not editing.stale
    # What was judged once is known.
    editing.undo()
    assert editing.stale
    judge.wait()
    editing.redo()
    assert not editing.stale
    assert judged == [1, 4, 3]


def test_questions_are_asked_until_somebody_says_stop_and_again_after_the_process_has_ended() -> None:
    asked = Asked()
    text = wf.dumps(wf.new("minimal"))
    try:
        names = [each["name"] for each in asked.ask(text, lambda: False)]
        assert names[0] == "states_reachable"
        assert len(names) == len(BUILT_IN)
        answers = asked.ask(text, lambda: False)
        next(answers)
        process = asked._process
        assert process is not None
        process.kill()
        process.wait()
        with pytest.raises(WfsimError, match="has ended"):
            list(answers)
        assert [each["name"] for each in asked.ask(text, lambda: False)] == names
    finally:
        asked.end()


def test_where_no_process_can_be_begun_that_is_told_as_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WfsimError, match="no process that verifies could be begun"):
        list(Asked().ask(wf.dumps(wf.new("minimal")), lambda: False))


def test_a_stop_leaves_out_the_questions_to_come() -> None:
    stopped: list[bool] = [False, False, True]
    found = answered([wf.dumps(wf.new("minimal"))], lambda: stopped.pop(0))
    assert [each["name"] for each in found] == list(BUILT_IN[:2])


def test_a_process_that_ends_while_something_is_judged_ends_well() -> None:
    program = "import wfsim as wf; wf.Editor(wf.load('models/order_processing.yaml')); print('over')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("over\n", "")


def test_every_operation_is_named_once() -> None:
    assert {name for name in OPERATIONS if not hasattr(Editing, name)} == set()


def test_an_editor_opens_workflows_templates_and_nothing_else() -> None:
    with pytest.raises(DefinitionError, match="Templates: "):
        Editing("no such template")
    with pytest.raises(TypeError, match="takes a workflow, a template or nothing"):
        Editing(3)  # type: ignore[arg-type]


def test_an_event_that_the_editor_has_named_goes_once_something_else_is_waited_for() -> None:
    editing = Editing("minimal")
    editing.add_state("packed", after=f"state:{editing.workflow.initial_state}")
    editing.add_state("shipped", after="state:packed")
    assert [each.event for each in editing.workflow.transitions] == ["finish", "next", "next"]
    editing.set_trigger("transition:2", event="pack")
    assert set(editing.workflow.events) == {"finish", "next", "pack"}
    editing.set_trigger("transition:3", after="1h")
    assert set(editing.workflow.events) == {"finish", "pack"}
    # What somebody has named, or says something of, stays.
    editing.set_trigger("transition:1", event="end")
    assert set(editing.workflow.events) == {"finish", "pack", "end"}
    editing.undo()
    editing.undo()
    assert set(editing.workflow.events) == {"finish", "next", "pack"}


TYPED = """
name: typed
version: 1.0.0
initial_state: a
types:
  driver: {name: string, home: place}
  place: {street: string}
variables: {first: {type: driver, optional: true}, all: {type: list, items: driver, optional: true}}
events: {found: {payload: {who: driver, where: {type: list, items: {at: place}}}}}
activities: {call: {input: {driver: driver}, result: place}}
states: [{name: a, activity: {name: call, parameters: {driver: "${context.first}"}}}, {name: b, is_terminal: true}]
transitions:
  - {from: a, event: done, to: b}
  - {from: a, event: found, to: b}
  - {from: a, at: "2030-01-01T00:00:00Z", to: b}
unhandled: reject
"""


def test_a_renamed_type_is_followed_by_all_that_is_of_it() -> None:
    editing = Editing(wf.loads(TYPED))
    assert editing.rename("type:driver", "courier") == "type:courier"
    assert editing.rename("type:place", "address") == "type:address"
    expected = TYPED.replace("  driver: {name", "  courier: {name").replace("  place: {street", "  address: {street")
    for before, after in (
        ("home: place", "home: address"),
        ("type: driver", "type: courier"),
        ("items: driver", "items: courier"),
        ("who: driver", "who: courier"),
        ("at: place", "at: address"),
        ("driver: driver", "driver: courier"),
        ("result: place", "result: address"),
    ):
        expected = expected.replace(before, after)
    assert editing.workflow == wf.loads(expected)
    assert (
        editing.set_properties("type:address", "type: object\nfields: {street: string, town: string}") == "type:address"
    )
    assert "town" in editing.text
    with pytest.raises(WfsimError, match="there is a type 'address' already"):
        editing.rename("type:courier", "address")
    assert editing.declare("type", "size") == "type:size"
    editing.delete("type:size")
    assert "size" not in editing.text


def test_a_transition_is_set_off_at_a_time_and_keeps_that_until_told_otherwise() -> None:
    editing = Editing(wf.loads(TYPED))
    editing.set_trigger("transition:2", at="2031-01-01T00:00:00Z")
    assert str(editing.workflow.transitions[1]) == "a → b at 2031-01-01T00:00:00Z"
    assert editing.said == "set the trigger of a → b to at 2031-01-01T00:00:00Z"
    editing.set_trigger("transition:3", after="2h")
    assert str(editing.workflow.transitions[2]) == "a → b after 2h"


def test_who_wants_to_know_nothing_any_more_keeps_nobody_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither who waits until another is answered, nor an editor that has ended."""
    asked = Asked()
    assert list(asked.ask(wf.dumps(wf.new("minimal")), lambda: True)) == []
    assert asked._process is None
    editing = Editing()
    editing.wait()
    editing.end()
    questions: list[object] = []
    monkeypatch.setattr(Asked, "ask", lambda *given: questions.append(given) or iter(()))
    editing.add_state("another")
    editing.wait()
    assert editing.stale
    assert questions == []
