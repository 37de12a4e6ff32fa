"""The explorer, which runs the step, against coloured nets that SNAKES fires: the same states with the same values."""

from __future__ import annotations

import json
from typing import Any

import pytest
import snakes.nets as sn

import wfsim as wf
from tests.data_workflows import varied
from wfsim.model.statuses import STATUSES
from wfsim.model.workflow import Workflow
from wfsim.semantics.snapshot import region_states, variable_cells
from wfsim.verification.workflows.space import explore_workflow

CLOSED = ("completed", "failed", "timed_out")
MOST = 1_500
Found = set[tuple[str, str, str]]
"""Status, state, values."""


def explored(workflow: Workflow) -> Found | None:
    """What the explorer finds; nothing where there is too much for SNAKES."""
    space = explore_workflow(workflow, max_states=MOST, engine="python")
    if not space.complete:
        return None
    program, found = space.program, set()
    for snapshot in space.snapshots:
        state = program.name(region_states(program, snapshot)[0]) or ""
        values = [space.texts.decode(*cell) for cell in variable_cells(program, snapshot)]
        found.add((STATUSES[snapshot[0]], state, repr(dict(zip(program.variables, values)))))
    return found


def fired(workflow: Workflow) -> Found:
    """What SNAKES finds, by its own firing rule."""
    graph = sn.StateGraph(wf.to_snakes(workflow, data=True))
    graph.build()
    running = [f"state {state.name}" for state in workflow.states if not state.is_terminal]
    found = set()
    for number in graph:
        marking: dict[str, Any] = graph[number]
        values = repr(dict(next(iter(marking["variables"]))))
        for place in marking:
            if place in running:
                found.add(("running", place.removeprefix("state "), values))
            elif place in CLOSED:
                found.add((place, next(iter(marking[place])), values))
    return found


@pytest.mark.parametrize("number", range(60))
def test_step_and_a_coloured_net_reach_the_same_states_with_the_same_values(number: int) -> None:
    workflow = varied(number)
    expected = explored(workflow)
    if expected is not None:
        assert fired(workflow) == expected


FUNCTIONS = {"up": {"input": {"n": "integer"}, "result": {"type": "integer", "maximum": 3}}}


def up(n: int) -> int:
    """Fails in both ways: 3 / 0 raises, and 4 is no result."""
    return n + 3 // (n + 1) - 2 if n < 3 else 4


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_a_coloured_net_calls_functions_as_step_does(number: int) -> None:
    text = varied(number).model_dump_json(by_alias=True, exclude_unset=True)
    calling = text.replace("context.n + 1", "functions.up(context.n)").replace(
        "context.total ==", "functions.up(context.total) =="
    )
    workflow = Workflow.model_validate(json.loads(calling) | {"functions": FUNCTIONS}).with_functions(up=up)
    expected = explored(workflow)
    if expected is not None:
        assert fired(workflow) == expected


def test_what_lives_for_one_step_is_forgotten_at_its_end() -> None:
    workflow = wf.loads(
        """
name: hurried
initial_state: a
variables:
  hurry: {type: boolean, initial: false, transient: true}
  n: {type: integer, initial: 0, minimum: 0, maximum: 2}
events: {go: {payload: {soon: boolean}}}
states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
transitions:
  - from: a
    event: go
    to: b
    pre_actions: [{action_type: set_variable, parameters: {name: hurry, value: "${event.soon}"}}]
  - {from: b, condition: context.hurry, to: c}
  - {from: b, event: go, to: a}
"""
    )
    expected = explored(workflow)
    assert expected is not None
    assert {values for *_, values in expected} == {"{'hurry': False, 'n': 0}"}
    assert fired(workflow) == expected
