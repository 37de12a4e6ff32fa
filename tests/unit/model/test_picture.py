"""Workflows as pictures: what is drawn, how it is named, and that nothing breaks it."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from hypothesis import given

from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.model.picture import edge_ids, picture
from wfsim.model.template import new
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, loads
from wfsim.semantics.compile import compile_workflow

SHIPPING = """
name: shipping
version: 2.1.0
initial_state: new
variables: {n: {type: integer, initial: 0}}
activities: {check: {}, mail: {}, undo: {}}
states:
  - {name: new, timeout: 1h}
  - name: fulfil
    timeout: 3d
    parallel:
      join: any
      regions:
        - name: pick
          initial_state: picking
          states:
            - {name: picking, activity: check}
            - {name: picked, is_terminal: true}
            - {name: short, is_terminal: true, outcome: failure}
          transitions:
            - {from: picking, to: picked, event: done}
            - {from: picking, to: short, event: error.check}
        - name: invoice
          initial_state: drafting
          states: [{name: drafting}, {name: sent, is_terminal: true}]
          transitions:
            - {from: drafting, to: sent, event: send, pre_actions: [{action_type: activity, name: mail}]}
  - {name: shipped, is_terminal: true}
  - {name: lost, is_terminal: true, outcome: failure}
transitions:
  - {from: new, to: fulfil, event: go, condition: context.n < 2}
  - {from: new, to: fulfil, event: force}
  - {from: new, to: fulfil, condition: context.n > 5}
  - {from: new, event: note, pre_actions: [{action_type: set_variable, parameters: {name: n, value: 1}}]}
  - {from: new, to: new, event: again}
  - {from: new, after: 10m}
  - {from: new, to: lost, event: timeout}
  - {from: fulfil, to: shipped, event: done}
  - {from: fulfil, to: lost, event: error}
timeouts: {workflow: 30d}
"""


def test_states_show_their_kind_work_and_timeout() -> None:
    nodes = {node.id: node for node in picture(loads(SHIPPING)).nodes}
    shown = {name: (node.shape, node.role, node.label, node.lines) for name, node in nodes.items()}
    assert shown["state:new"] == ("rounded", "initial", "new", ("timeout 1h",))
    assert shown["state:shipped"] == ("double", "terminal_success", "shipped", ())
    assert shown["state:lost"] == ("double", "terminal_failure", "lost", ())
    assert shown["state:fulfil/pick/picking"] == ("rounded", "initial", "picking", ("do check",))
    assert [node.shape for node in nodes.values() if node.id.startswith("initial:")] == ["dot"] * 3


CHILDREN = """\
name: children
initial_state: each
variables: {legs: {type: list, input: true}}
activities: {print: {timeout: 1m}}
states:
  - {name: each, for_each: {items: "${context.legs}", as: leg, activity: print, max_parallel: 3, on_failure: collect}}
  - {name: all, for_each: {items: [1], as: leg, workflow: trip}}
  - {name: one, invoke: {workflow: trip, version: ^2.0.0}}
  - {name: end, is_terminal: true}
transitions:
  - {from: each, event: done, to: all, post_actions: [{action_type: send, event: a, to: parent}]}
  - {from: all, event: done, to: one, post_actions: [{action_type: send, event: b, to: {workflow: desk, key: k}}]}
  - {from: one, event: done, to: end, pre_actions: [{action_type: compensate, scope: one}, {action_type: compensate}]}
  - {from: one, event: error, to: end, pre_actions: [{action_type: send, event: c, to: "${context.legs}"}]}
"""


def test_children_lists_messages_and_compensation_are_told() -> None:
    drawn = picture(loads(CHILDREN))
    lines = {node.id.removeprefix("state:"): node.lines for node in drawn.nodes}
    assert lines["each"] == ("for each leg: print", "at most 3 at once", "failures collected")
    assert lines["all"] == ("for each leg: workflow trip",)
    assert lines["one"] == ("do workflow trip ^2.0.0",)
    told = {edge.id: edge.lines for edge in drawn.edges}
    assert told["transition:1"] == ("/ send a to parent",)
    assert told["transition:2"] == ("/ send b to desk",)
    assert told["transition:3"] == ("/ compensate one, compensate",)
    assert told["transition:4"] == ("/ send c",)


def test_transitions_read_event_condition_and_actions() -> None:
    edges = {edge.id: edge for edge in picture(loads(SHIPPING)).edges}
    assert (edges["transition:1"].label, edges["transition:1"].lines) == ("go", ("[context.n < 2]", "or force"))
    assert (edges["transition:3"].label, edges["transition:3"].role) == ("[context.n > 5]", "automatic")
    assert edges["transition:12"].lines == ("/ mail",)
    assert (edges["transition:6"].label, edges["transition:6"].role) == ("after 10m", "timer")
    assert (edges["transition:7"].label, edges["transition:7"].role) == ("timeout", "timer")
    assert edges["transition:9"].role == edges["transition:11"].role == "error"
    assert edges["transition:8"].role == "event"


def test_an_internal_transition_is_a_dashed_loop_and_a_self_transition_a_plain_one() -> None:
    edges = {edge.id: edge for edge in picture(loads(SHIPPING)).edges}
    internal, own = edges["transition:4"], edges["transition:5"]
    assert internal.source == internal.target == own.source == own.target == "state:new"
    assert (internal.style, internal.head, internal.lines) == ("dashed", "open", ("/ set n",))
    assert (own.style, own.head) == ("solid", "arrow")


def test_regions_are_frames_within_their_state() -> None:
    drawn = picture(loads(SHIPPING))
    assert {group.id: (group.label, group.parent) for group in drawn.groups} == {
        "state:fulfil": ("fulfil, join any, timeout 3d", None),
        "region:fulfil/pick": ("pick", "state:fulfil"),
        "region:fulfil/invoice": ("invoice", "state:fulfil"),
    }
    inside = {node.id: node.group for node in drawn.nodes}
    assert inside["state:fulfil/invoice/sent"] == "region:fulfil/invoice"
    assert inside["state:new"] is None
    assert "state:fulfil" not in inside


def test_a_timeout_given_for_all_states_at_once_is_shown_too() -> None:
    text = "name: w\ninitial_state: a\nstates: [{name: a}]\ntransitions: []\ntimeouts: {states: {a: 2h}}\n"
    assert picture(loads(text)).nodes[1].lines == ("timeout 2h",)


def test_equal_ends_and_looks_share_an_edge_and_others_do_not() -> None:
    workflow = loads(SHIPPING)
    shown = edge_ids(workflow)
    assert shown[1] == shown[2] == "transition:1"
    assert shown[3] == "transition:3"
    assert len(shown) == 12
    assert set(shown.values()) == {edge.id for edge in picture(workflow).edges if edge.id.startswith("transition:")}


@cases(40)
@given(workflows(regions=True, children=False))
def test_numbers_and_paths_are_those_of_records(workflow: Workflow) -> None:
    program = compile_workflow(workflow)
    drawn = picture(workflow)
    edges = {edge.id: edge for edge in drawn.edges}
    shown = edge_ids(workflow)
    for at, number in program.transition_numbers.items():
        row = program.rows[at]
        edge = edges[shown[number]]
        assert edge.source == f"state:{program.name(row.source)}"
        assert edge.target == f"state:{program.name(row.target if row.target >= 0 else row.source)}"
    names = {item.id for item in drawn.items()}
    assert {f"state:{name}" for name in program.state_rows} <= names
    assert {f"region:{name}" for name in program.region_rows if name} <= names


@cases(25)
@given(workflows(regions=True, children=False))
def test_any_workflow_can_be_drawn_the_same_twice(workflow: Workflow) -> None:
    svg = picture(workflow).to_svg()
    assert svg == picture(workflow).to_svg()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    json.dumps(picture(workflow).to_dict(), allow_nan=False)


def test_direction_is_that_asked_for() -> None:
    tall, wide = (picture(new("minimal"), direction=direction).layout() for direction in ("TB", "LR"))
    assert tall.height > wide.height
    assert wide.width > tall.width


def test_the_order_workflows_are_drawn_whole() -> None:
    for file, states in (("models/order_processing.yaml", 13), ("models/published/order_processing.yaml", 10)):
        workflow = load(file)
        drawn = picture(workflow)
        assert len([node for node in drawn.nodes if node.id.startswith("state:")]) == states
        assert len(edge_ids(workflow)) == len(workflow.transitions)
        assert drawn.layout().width < 2_200


def test_text_of_a_workflow_is_never_markup() -> None:
    name = "<script>alert('&')</script>"
    workflow = Workflow(name=name, initial_state='a"<b>', states=[{"name": 'a"<b>'}])
    assert "<script" not in workflow._repr_mimebundle_()["text/html"]
    svg = picture(workflow).to_svg()
    assert "<script" not in svg
    assert name in "".join(ElementTree.fromstring(svg).itertext())


def test_a_notebook_shows_a_workflow_as_picture_and_as_one_line() -> None:
    workflow = new("approval")
    bundle = workflow._repr_mimebundle_()
    assert bundle["text/plain"] == repr(workflow)
    assert bundle["text/html"].startswith('<img alt="approval 1.0.0. 3 states: requested, approved, rejected;')


def test_a_workflow_too_large_to_be_read_is_shown_as_text_with_the_reason() -> None:
    large = Workflow(name="large", initial_state="s0", states=[{"name": f"s{k}"} for k in range(650)])
    bundle = large._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].startswith(repr(large))
    assert "cannot be read" in bundle["text/plain"]
