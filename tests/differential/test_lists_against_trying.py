"""Built-in questions about lists of any length, against the explorer with every short list."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest

import wfsim as wf
from tests.data_workflows import counted_lists, listed
from wfsim.semantics.codes import COMPLETED, FAILED
from wfsim.semantics.possible import UNSEEN
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow
from wfsim.verification.workflows.successors import Successors
from wfsim.verification.workflows.symbolic import induction

QUESTIONS = ("states_reachable", "transitions_live", "can_complete", "no_failure")


def short_lists(longest: int) -> list[list[int]]:
    return [list(xs) for n in range(longest + 1) for xs in itertools.product([0, 1], repeat=n)]


@dataclass
class Tried:
    """What runs with some lists come to: states entered, transitions taken, and lists with which a state is lost."""

    entered: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    failed: bool = False
    lost: list[list[int]] = field(default_factory=list)

    def add(self, xs: list[int], space: WorkflowSpace) -> None:
        assert space.complete
        program = space.program
        self.entered |= {name for name, row in program.state_rows.items() if row in space.reached}
        self.taken |= {f"transition {program.transition_numbers[row]} " for row in space.taken}
        self.failed |= any(space.status(k) == FAILED for k in range(space.n_states))
        ends = [k for k in range(space.n_states) if space.status(k) == COMPLETED]
        able = space.can_reach(ends)
        if any(space.status(k) < COMPLETED and k not in able for k in range(space.n_states)):
            self.lost.append(xs)


def every_run(workflow: wf.Workflow) -> WorkflowSpace:
    """All runs of a workflow whose inputs are known, with all that its activity is declared to give for an item."""
    before = Successors._results
    result = workflow.activities["f"].result

    def results(self: Successors, variable: int) -> list[Any]:
        if variable != UNSEEN or result is None:
            return before(self, variable)
        assert isinstance(result.shape.maximum, int)
        return [*range(result.shape.maximum + 1)]

    with mock.patch.object(Successors, "_results", results):
        return explore_workflow(workflow, engine="python")


def check(make: Callable[..., wf.Workflow], number: int, longest: int) -> int:
    """Compare the answers about all lists with short ones; how many are open."""
    tried = Tried()
    for xs in short_lists(longest):
        tried.add(xs, every_run(make(number, xs)))
    verdicts = wf.verify(make(number), [wf.Property(name) for name in QUESTIONS], max_states=2_000)
    for verdict in verdicts:
        for each in (verdict, *verdict.further):
            if each.witness is not None:
                each.witness.replay()
        said, name = verdict.status.value, verdict.property
        if said == "holds":
            assert name != "no_failure" or not tried.failed
            assert name != "can_complete" or not tried.lost, tried.lost[0]
        elif said == "violated":
            if name == "states_reachable":
                assert tried.entered.isdisjoint(verdict.statistics["unreachable"])
            elif name == "transitions_live":
                dead = verdict.statistics["dead"]
                assert not [each for each in tried.taken for told in dead if told.startswith(each)]
            elif name == "can_complete":
                assert verdict.witness is not None
                given: list[Any] = verdict.witness.steps[0].detail["payload"]["xs"]
                again = Tried()
                again.add(given, every_run(make(number, given)))
                assert again.lost, given
    return sum(verdict.status == "unknown" for verdict in verdicts)


@pytest.mark.parametrize("number", range(16))
def test_no_answer_about_all_lists_is_contradicted_by_a_short_one(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(induction, "WORK", 1_500_000)
    check(listed, number, 3)


@pytest.mark.parametrize("number", range(16))
def test_no_answer_about_what_is_in_lists_is_contradicted_by_a_short_one(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(induction, "WORK", 1_500_000)
    check(counted_lists, number, 2)
