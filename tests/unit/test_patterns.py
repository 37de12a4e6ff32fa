"""Workflow patterns: a test for each that the notebook claims, and what is particular about some of them."""

from __future__ import annotations

import pytest

import wfsim as wf
from tests.patterns import known, patterns, replayed, traces
from wfsim.verification.workflows.properties import Property, verify

PATTERNS = patterns()
each = pytest.mark.parametrize("number", PATTERNS, ids=[f"{n}-{w.name}" for n, w in PATTERNS.items()])


def test_thirty_patterns_and_more_have_a_trace() -> None:
    assert len(PATTERNS) >= 30
    assert set(traces()) == set(PATTERNS)
    assert all("\n    " in trace for trace in traces().values())


@each
def test_the_pattern_behaves_as_its_trace_tells(number: int) -> None:
    """If not, and it is meant: `python -m tests.patterns` writes the traces anew."""
    assert replayed(number) == traces()[number]


@each
def test_the_pattern_is_proved(number: int) -> None:
    report = verify(
        PATTERNS[number], [Property(name) for name in ("states_reachable", "transitions_live", "can_complete")]
    )
    assert report.ok, str(report)


@each
def test_the_pattern_loads_with_those_it_runs_and_has_no_error(number: int) -> None:
    findings = wf.lint(PATTERNS[number], catalogue=known())
    allowed = {"workflow-recursion"} if number == 22 else set()
    assert {finding.code for finding in findings if finding.severity == "error"} <= allowed


def together(number: int, *places: tuple[str, str]) -> bool:
    """Whether regions are ever in these states at the same time."""
    space = wf.explore_workflow(PATTERNS[number])
    assert space.complete
    seen = (space.instance(k).configuration for k in range(space.n_states))
    return any(all(here.get(region) == state for region, state in places) for here in seen)


def test_a_critical_section_is_never_entered_by_two() -> None:
    a, b = ("both/a", "both/a/work"), ("both/b", "both/b/work")
    assert together(39, a)
    assert together(39, b)
    assert not together(39, a, b)


def test_parallel_branches_are_side_by_side() -> None:
    assert together(3, ("both/goods", "both/goods/x"), ("both/money", "both/money/x"))


def test_a_milestone_passed_is_passed() -> None:
    space = wf.explore_workflow(PATTERNS[18])
    for number in range(space.n_states):
        instance = space.instance(number)
        if not instance.variables["packing"]:
            assert not any(edge.stimulus.event == "change_address" for edge in space.edges[number])
