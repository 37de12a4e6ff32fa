"""The net and the explorer that runs `step`: equal control states without conditions, and the net misses none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import wfsim as wf
from tests.differential.net_and_step import names, reached_by_net, reached_by_step, small_enough
from tests.strategies import workflows
from wfsim.model.workflow import Workflow
from wfsim.net.petri import PetriNet
from wfsim.net.translate import FAILED, to_net

MODELS = sorted(Path("models").rglob("*.yaml"))
relaxed = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def is_exact(net: PetriNet) -> bool:
    """Whether nothing in the net is declared to allow more than `step` does (docs/nets.md)."""
    waits = any("^" in place for place in net.places)
    return not waits


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


@relaxed
@given(workflows(regions=True, undo=False, children=False))
def test_with_regions_the_net_misses_nothing(workflow: Workflow) -> None:
    by_net, by_step = small_enough(to_net(workflow), workflow, erase_conditions=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)


@relaxed
@given(workflows(regions=True, undo=False, children=False))
def test_with_regions_and_without_conditions_both_reach_the_same_control_states(workflow: Workflow) -> None:
    net = to_net(workflow)
    by_net, by_step = small_enough(net, workflow, erase_conditions=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)
    if any("the chain from" in transition for transition in net.transitions):
        by_net.discard(frozenset([FAILED]))
    if is_exact(net):
        assert names(by_net - by_step) == [], "invented by the net\n" + wf.dumps(workflow)


@relaxed
@given(workflows(regions=True))
def test_with_every_construct_the_net_misses_nothing(workflow: Workflow) -> None:
    by_net, by_step = small_enough(to_net(workflow), workflow, erase_conditions=True)
    assert names(by_step - by_net) == [], "missed by the net\n" + wf.dumps(workflow)
