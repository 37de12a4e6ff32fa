"""The net and the explorer that runs `step`: equal control states without conditions, and the net misses none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

import wfsim as wf
from tests.differential.net_and_step import TooLarge, names, reached_by_net, reached_by_step, small_enough
from tests.differential.rich_workflows import rich_workflow
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.model.workflow import Workflow
from wfsim.net.translate import FAILED, to_net

MODELS = sorted(Path("models").rglob("*.yaml"))
relaxed = cases(12)


@pytest.mark.parametrize("path", MODELS, ids=lambda p: str(p).replace("/", "-"))
def test_on_every_model_net_and_explorer_reach_the_same_control_states(path: Path) -> None:
    if path.name.endswith(".scenario.yaml"):
        assert wf.load_scenario(path).workflow
        return
    workflow = wf.load(path)
    by_net, by_step = reached_by_net(to_net(workflow)), reached_by_step(workflow, erase_conditions=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)
    assert names(by_net - by_step) == []


@relaxed
@given(workflows())
def test_without_conditions_net_and_explorer_reach_the_same_control_states(workflow: Workflow) -> None:
    net = to_net(workflow)
    by_net, by_step = small_enough(net, workflow, erase_conditions=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)
    if any(transition.startswith("the chain from") for transition in net.transitions):
        # Whether a chain of automatic transitions really gets too long (M2.6) the net does not know.
        by_net.discard(frozenset([FAILED]))
    assert names(by_net - by_step) == [], "invented by the net\n" + wf.dumps(workflow)


@relaxed
@given(workflows())
def test_with_conditions_the_net_misses_nothing(workflow: Workflow) -> None:
    by_net, by_step = small_enough(to_net(workflow), workflow, erase_conditions=False)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)


def test_an_error_transition_whose_own_action_fails_may_go_on_for_ever() -> None:
    """M2.6: it is offered its own error again and again; the instance then fails, and the net says so."""
    workflow = wf.loads("""
name: again
initial_state: a
variables: {n: {type: integer, initial: 3, maximum: 3}}
states: [{name: a}, {name: b, is_terminal: true}]
transitions:
  - {from: a, to: a, event: go, condition: context.n < 2}
  - from: a
    to: b
    event: error
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
""")
    assert frozenset([FAILED]) in reached_by_step(workflow, erase_conditions=True)
    assert frozenset([FAILED]) in reached_by_net(to_net(workflow))


def test_a_plain_value_that_may_not_fit_its_variable_fails_in_both() -> None:
    """M10.4: also without conditions, where nothing is computed that could raise."""
    workflow = wf.loads("""
name: narrow
initial_state: a
variables: {n: {type: integer, initial: 0, maximum: 3}, m: {type: integer, optional: true}}
states: [{name: a}]
transitions:
  - {from: a, event: go, pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.m}"}}]}
""")
    assert frozenset([FAILED]) in reached_by_step(workflow, erase_conditions=True)
    assert frozenset([FAILED]) in reached_by_net(to_net(workflow))


TWICE = """
name: twice
initial_state: s0
activities: {f: {compensate_with: g}, g: {}, h: {compensate_with: g}}
states: [{name: s0, activity: f}, {name: s1}, {name: s2}, {name: s3}]
transitions:
  - {from: s0, event: done, to: s1}
  - {from: s1, event: go, to: s2, pre_actions: [PRE], post_actions: [POST]}
  - {from: s2, event: error, to: s3}
  - {from: s2, event: go, to: s3, post_actions: [{action_type: compensate}]}
"""
IGNORED, STRICT = "{action_type: compensate, on_failure: ignore}", "{action_type: compensate}"
IN_S0 = "{action_type: compensate, scope: /s0, on_failure: ignore}"
RUN = "{action_type: activity, name: h, on_failure: ignore}"


@pytest.mark.parametrize(
    ("pre", "post"),
    [
        ("", (IGNORED, STRICT)),
        ("", (IGNORED, IGNORED)),
        ("", (IGNORED, IGNORED, STRICT)),
        ("", (STRICT, IGNORED)),
        ("", (IGNORED, RUN, STRICT)),
        ("", (IGNORED, RUN, IGNORED)),
        (IGNORED, (STRICT,)),
        (IGNORED, (RUN, STRICT)),
        ("", (IN_S0, STRICT)),
        ("", (IGNORED, RUN, IN_S0, STRICT)),
        ("", (IN_S0, IGNORED, RUN, STRICT)),
    ],
)
def test_a_flight_tries_to_undo_nothing_twice(pre: str, post: tuple[str, ...]) -> None:
    """M9.2: what a compensation has tried in vain is due in none after it in this transition, but makes that fail."""
    one = TWICE.replace("PRE", pre).replace("POST", ", ".join(post))
    assert compared(wf.loads(one), log=True, least=8) == ([], [])
    # Of two entries the net lets either be undone first.
    missed, _ = compared(wf.loads(one.replace("{name: s1}", "{name: s1, activity: h}")), log=True)
    assert missed == []


# Numbers of rich workflows that the explorer can finish, with a dozen control states or more.
REGIONS = (11, 12, 13, 16, 17, 22, 32, 39, 41, 43, 50, 60, 63, 66, 70, 77)
CHILDREN = (4, 8, 13, 21, 47, 60, 61, 97, 104, 119, 126, 127)
COMPENSATION = (12, 17, 21, 22, 23, 38, 66, 71)
RECALLS = (21, 70, 76, 81, 111, 124)
PASSING = (6, 13, 21, 38, 43, 45, 46, 53, 66, 70)
EVERYTHING = (28, 62, 66, 86, 88, 89)


def compared(workflow: Workflow, *, log: bool = False, least: int = 12) -> tuple[list[list[str]], list[list[str]]]:
    """Control states that the net misses, and that it invents, when every condition may come out either way."""
    net = to_net(workflow)
    by_net = reached_by_net(net, log=log)
    by_step = reached_by_step(workflow, erase_conditions=True, log=log)
    assert len(by_step) >= least
    missed = names(by_step - by_net)
    if any("the chain from" in transition for transition in net.transitions):
        by_net.discard(frozenset([FAILED]))
    return missed, names(by_net - by_step)


@pytest.mark.parametrize("number", REGIONS)
def test_with_regions_both_reach_the_same_control_states(number: int) -> None:
    workflow = rich_workflow(number)
    assert compared(workflow) == ([], []), wf.dumps(workflow)


@pytest.mark.parametrize("number", CHILDREN)
def test_with_children_and_lists_both_reach_the_same_control_states(number: int) -> None:
    workflow = rich_workflow(number, children=True)
    assert compared(workflow) == ([], []), wf.dumps(workflow)


@pytest.mark.parametrize("number", COMPENSATION)
def test_with_compensation_the_net_misses_nothing_not_even_in_the_log(number: int) -> None:
    workflow = rich_workflow(number, undo=True)
    missed, _ = compared(workflow, log=True)
    assert missed == [], wf.dumps(workflow)


@pytest.mark.parametrize("number", EVERYTHING)
def test_with_every_construct_the_net_misses_nothing(number: int) -> None:
    workflow = rich_workflow(number, undo=True, children=True, waits=True)
    missed, _ = compared(workflow, log=True)
    assert missed == [], wf.dumps(workflow)


@pytest.mark.parametrize("number", RECALLS)
def test_with_children_that_are_undone_the_net_misses_nothing_not_even_in_the_log(number: int) -> None:
    workflow = rich_workflow(number, undo=True, children=True, recalls=True)
    missed, _ = compared(workflow, log=True)
    assert missed == [], wf.dumps(workflow)


@pytest.mark.parametrize("number", PASSING)
def test_with_what_entering_and_leaving_does_the_net_misses_nothing(number: int) -> None:
    workflow = rich_workflow(number, undo=number % 6 == 0, children=number % 4 == 0, passes=True)
    missed, _ = compared(workflow)
    assert missed == [], wf.dumps(workflow)


@relaxed
@given(workflows(undo=True))
def test_compensation_without_regions_reaches_the_same_control_states(workflow: Workflow) -> None:
    net = to_net(workflow)
    by_net, by_step = small_enough(net, workflow, erase_conditions=True, log=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)
    if any(transition.startswith("the chain from") for transition in net.transitions):
        by_net.discard(frozenset([FAILED]))
    if any(transition.event == "workflow_timeout" for transition in workflow.transitions):
        # The net may let the workflow timer fire once more (docs/nets.md).
        return
    assert names(by_net - by_step) == [], "invented by the net\n" + wf.dumps(workflow)


@relaxed
@given(workflows(regions=True))
def test_random_definitions_are_not_missed_with_any_construct(workflow: Workflow) -> None:
    by_net, by_step = small_enough(to_net(workflow), workflow, erase_conditions=False)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)


def test_nets_with_reset_arcs_reach_the_same() -> None:
    """Every way to end what is inside a state, or reset arcs: the same markings."""
    seen = 0
    for number in range(12):
        workflow = rich_workflow(number, children=True)
        plain, resetting = to_net(workflow, max_variants=100_000), to_net(workflow, max_variants=1)
        seen += "reset" in resetting.arc_kinds
        try:
            assert names(reached_by_net(plain) ^ reached_by_net(resetting)) == [], wf.dumps(workflow)
        except TooLarge:
            continue
    assert seen > 5
