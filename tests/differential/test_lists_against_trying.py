"""Built-in questions about lists of any length, against the explorer with every short list."""

from __future__ import annotations

import itertools

import pytest

import wfsim as wf
from tests.data_workflows import listed
from wfsim.semantics.codes import COMPLETED, FAILED
from wfsim.verification.workflows.space import explore_workflow
from wfsim.verification.workflows.symbolic import induction

LISTS = [list(xs) for n in range(4) for xs in itertools.product([0, 1], repeat=n)]
QUESTIONS = ("states_reachable", "transitions_live", "can_complete", "no_failure")


@pytest.mark.parametrize("number", range(16))
def test_no_answer_about_all_lists_is_contradicted_by_a_short_one(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(induction, "WORK", 1_500_000)
    workflow = listed(number)
    entered: set[str] = set()
    taken: set[str] = set()
    failed, lost = False, []
    for xs in LISTS:
        space = explore_workflow(listed(number, xs), engine="python")
        assert space.complete
        program = space.program
        entered |= {name for name, row in program.state_rows.items() if row in space.reached}
        taken |= {f"transition {program.transition_numbers[row]} " for row in space.taken}
        failed |= any(space.status(k) == FAILED for k in range(space.n_states))
        ends = [k for k in range(space.n_states) if space.status(k) == COMPLETED]
        able = space.can_reach(ends)
        lost += [xs for k in range(space.n_states) if space.status(k) < COMPLETED and k not in able]
    for verdict in wf.verify(workflow, [wf.Property(name) for name in QUESTIONS], max_states=2_000):
        for each in (verdict, *verdict.further):
            if each.witness is not None:
                each.witness.replay()
        said, name = verdict.status.value, verdict.property
        if said == "holds":
            assert name != "no_failure" or not failed
            assert name != "can_complete" or not lost, lost[0]
        elif said == "violated":
            if name == "states_reachable":
                assert entered.isdisjoint(verdict.statistics["unreachable"])
            elif name == "transitions_live":
                assert not [each for each in taken for dead in verdict.statistics["dead"] if dead.startswith(each)]
