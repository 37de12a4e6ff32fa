"""Two histories case by case: what is paired, by how much that is more exact, and what cannot be paired."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history.history import History

QUEUE = wf.Workflow.model_validate(
    {
        "name": "queue",
        "initial_state": "served",
        "activities": {"serve": {"pool": "clerks"}},
        "states": [
            {"name": "served", "activity": "serve", "timeout": "2m"},
            {"name": "gone", "is_terminal": True},
            {"name": "lost", "is_terminal": True, "outcome": "failure"},
        ],
        "transitions": [
            {"from": "served", "to": "gone", "event": "done"},
            {"from": "served", "to": "lost", "event": "timeout"},
        ],
    }
)
PLAN: dict[str, Any] = {
    "arrivals": {"poisson": "90/h"},
    "activities": {"serve": {"duration": {"exponential": {"mean": "1m"}}}},
    "pools": {"clerks": {"capacity": 2}},
    "warm_up": "0s",
    "cases": 300,
    "seed": 5,
}
THREE = {"pools": {"clerks": {"capacity": 3}}}


def queue(**changes: Any) -> History:
    return wf.simulate(QUEUE, wf.Scenario.model_validate(PLAN | changes))


def durations(history: History) -> dict[tuple[int, int], float]:
    rows = history.sql('SELECT run, "case", duration / 1e6 FROM durations WHERE duration IS NOT NULL').fetchall()
    return {(run, case): duration for run, case, duration in rows}


def test_the_difference_of_replications_is_students_of_the_paired_means() -> None:
    a, b = queue(replications=5, cases=60), queue(replications=5, cases=60, **THREE)
    found = wf.compare(a, b, level=0.9)["sojourn.mean"]
    one, other = durations(a), durations(b)
    means = np.array(
        [[np.mean([side[run, case] for case in range(1, 61)]) for run in range(1, 6)] for side in (one, other)]
    )
    expected = stats.ttest_rel(means[1], means[0]).confidence_interval(0.9)
    assert (found.first, found.second) == pytest.approx(tuple(means.mean(axis=1)))
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))
    assert found.correlation == pytest.approx(np.corrcoef(means)[0, 1])
    apart = stats.ttest_ind(means[1], means[0]).confidence_interval(0.9)
    assert found.shorter == pytest.approx(1 - (expected.high - expected.low) / (apart.high - apart.low))
    assert found.difference.n == 300


def test_one_run_is_paired_in_batches_and_is_more_exact_than_two_seeds() -> None:
    a, b = queue(), queue(**THREE)
    comparison = wf.compare(a, b)
    found = comparison["sojourn.mean"]
    one, other = durations(a), durations(b)
    assert found.difference.value == pytest.approx(np.mean([other[each] - one[each] for each in one]))
    assert found.difference.value < 0
    assert found.shorter > 0.2
    assert found.correlation > 0.5
    assert str(found.difference.method) == "batch means"
    assert "pools.clerks.capacity: 2 → 3" in repr(comparison)
    assert comparison.pairs == 300


def test_shares_of_outcomes_are_compared() -> None:
    a, b = queue(), queue(**THREE)
    comparison = wf.compare(a, b)
    lost = comparison["outcomes.completed/failure"]
    counts = [history.counts["completed/failure"] / 300 for history in (a, b)]
    assert (lost.first, lost.second) == pytest.approx(tuple(counts))
    assert lost.difference.value == pytest.approx(counts[1] - counts[0])
    assert lost.difference.value == pytest.approx(-comparison["outcomes.completed/success"].difference.value)


def test_a_history_does_not_differ_from_itself() -> None:
    a = queue()
    for found in wf.compare(a, a).values():
        assert (found.difference.value, found.difference.half_width) == (0.0, 0.0)
        assert found.correlation == pytest.approx(1.0)
        assert found.difference.note == "no pair differs"


def test_what_has_no_partner_is_counted_and_told() -> None:
    a, b = queue(cases=None, horizon="2h", warm_up="10m"), queue(cases=50)
    comparison = wf.compare(a, b)
    started = {row[0]: row[1:] for row in a.sql('SELECT "case", started, closed FROM durations').fetchall()}
    early = sum(start < 600_000_000 for case, (start, _) in started.items() if case <= 50)
    assert early > 0
    assert comparison.pairs == 50 - early
    assert f"{len(started) - 50} cases only in A, 0 only in B, {early} that started in the warm-up" in repr(comparison)


def test_cases_that_are_open_in_one_are_no_pairs() -> None:
    a, b = queue(cases=40), queue(cases=40, horizon="10m")
    n_open = b.counts["open"]
    assert n_open > 0
    closed = b.sql("SELECT count(*) FROM durations WHERE status <> 'open'").fetchall()[0][0]
    comparison = wf.compare(a, b)
    assert comparison.pairs == closed
    assert f"{n_open} not closed in both" in repr(comparison)


def test_replications_that_only_one_has_are_told() -> None:
    comparison = wf.compare(queue(cases=20, replications=3), queue(cases=20, replications=2))
    assert comparison.pairs == 40
    assert "Replications that only one has: 1 of A, 0 of B." in comparison.remarks


def test_few_pairs_have_a_reason_in_place_of_an_interval() -> None:
    found = wf.compare(queue(cases=5), queue(cases=5, **THREE))["sojourn.mean"]
    assert (found.difference.low, found.difference.note) in (
        (None, "5 of the 10 observations needed"),
        (None, "no pair differs"),
    )
    assert math.isnan(found.shorter)


def test_other_seeds_have_nothing_in_common() -> None:
    with pytest.raises(HistoryError, match=r"no random numbers in common: seed 5 and 6\. Simulate both with the same"):
        wf.compare(queue(cases=3), queue(cases=3, seed=6))


def test_other_workflows_are_refused() -> None:
    other = wf.simulate(wf.new("order"), cases=3, seed=5)
    with pytest.raises(HistoryError, match=r"different workflows: queue and order"):
        wf.compare(queue(cases=3), other)


def test_a_real_history_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "real.duckdb"
    with wf.start(QUEUE, activities={"serve": lambda: None}, store=store, id="c") as run:
        run.wait("gone", timeout=30)
    with (
        wf.open_history(store) as real,
        pytest.raises(HistoryError, match=r"run 1 of queue is not simulated with a seed.*summary of each"),
    ):
        wf.compare(queue(cases=3), real)


@pytest.mark.parametrize("given", [None, "a.duckdb", QUEUE])
def test_what_is_no_history_is_refused(given: Any) -> None:
    with pytest.raises(HistoryError, match="compare takes two histories"):
        wf.compare(queue(cases=1), given)


def test_a_comparison_is_read_by_name_as_a_table_and_in_a_notebook() -> None:
    comparison = wf.compare(queue(cases=20), queue(cases=20, **THREE))
    frame = comparison.df()
    assert frame["key"].tolist() == list(comparison)
    assert frame["difference"].tolist() == [each.difference.value for each in comparison.values()]
    with pytest.raises(KeyError, match=r"sojourn\.p95.*Did you mean 'sojourn\.mean'"):
        comparison["sojourn.p95"]
    shown = comparison._repr_html_()
    assert "B − A" in shown
    assert "style" not in shown
