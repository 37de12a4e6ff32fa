"""What runs can come to do, for all values, against the search where candidate values stand for all."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, reject

from tests.differential.rich_workflows import rich_workflow
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.errors import NotCovered
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import FAILED, TIMED_OUT
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.nets.limits import UNLIMITED, OutOfTime
from wfsim.verification.workflows.space import WorkflowSpace
from wfsim.verification.workflows.symbolic.induction import symbolic_space
from wfsim.verification.workflows.symbolic.reaching import Reaching
from wfsim.verification.workflows.together import Shared


def compared(workflow: Workflow, work: int = 20_000_000) -> int:
    """How many questions stay open; all others are answered alike."""
    space = WorkflowSpace(compile_workflow(workflow))
    space.search(3_000)
    if not (space.exact and space.complete):
        return 0
    reaching = Reaching(symbolic_space(workflow, UNLIMITED.at_most(work)), 3_000, UNLIMITED.at_most(work))
    rows = [*space.program.transitions]
    taken = reaching.taken(rows, UNLIMITED.at_most(work))
    assert {row for row in rows if row not in space.taken} - {*taken.open} == {*taken.never}
    states = [*space.program.state_rows.values()]
    entered = reaching.entered(states, UNLIMITED.at_most(work))
    assert {row for row in states if row not in space.reached} - {*entered.open} == {*entered.never}
    n_open = len(taken.open) + len(entered.open)
    for status in (FAILED, TIMED_OUT):
        decided = reaching.closed(status, UNLIMITED.at_most(work))
        some = any(space.status(k) == status for k in range(space.n_states))
        assert decided.status in ("violated" if some else "holds", "unknown")
        n_open += decided.status == "unknown"
    lost = Shared(space, {}).lost
    decided = reaching.completes([], UNLIMITED.at_most(work))
    assert decided.status in ("violated" if lost else "holds", "unknown"), decided
    return n_open + (decided.status == "unknown")


@cases(6, unchecked=list(HealthCheck))
@given(workflows())
def test_what_is_reached_for_all_values_is_what_the_search_reaches(workflow: Workflow) -> None:
    try:
        compared(workflow, 1_000_000)
    except (NotCovered, OutOfTime):
        # It reads the clock, or has children, or more control states than are worth their while here.
        reject()


def test_what_an_activity_declares_moves_no_state() -> None:
    """Rows for results are made where they are looked at only: with values, not for all of them."""
    told = {
        "name": "typed",
        "initial_state": "a",
        "activities": {"f": {"result": {"type": "string", "values": ["x", "y"]}}},
        "states": [{"name": "a", "activity": "f"}, {"name": "b", "is_terminal": True}, {"name": "c"}],
        "transitions": [{"from": "a", "event": "done", "to": "b"}, {"from": "a", "event": "error", "to": "b"}],
    }
    compared(Workflow.model_validate(told))


@pytest.mark.parametrize("number", range(10))
def test_of_rich_workflows_nothing_stays_open(number: int) -> None:
    assert compared(rich_workflow(number)) == 0
