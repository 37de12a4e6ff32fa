"""Two histories case by case: what is paired, by how much that is more exact, and what cannot be paired."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats

import wfsim as wf
from tests.stored import open_history
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


def test_durations_that_differ_are_told_as_people_write_them() -> None:
    outage = {"from": "19h", "until": "1170m", "error_type": "Down"}
    serve = {"duration": "90s", "outages": [outage]}
    told = repr(wf.compare(queue(cases=3), queue(cases=3, activities={"serve": serve})))
    assert '"1m30s"' in told
    assert '"until": "19h30m"' in told


# --- unpaired -----------------------------------------------------------------------------------------


def as_real(folder: Path, **changes: Any) -> History:
    """A simulated history that does not know that it is one."""
    file = folder / "real.duckdb"
    wf.simulate(QUEUE, wf.Scenario.model_validate(PLAN | changes), into=file).close()
    with duckdb.connect(file) as con:
        con.execute("UPDATE runs SET source = 'runtime', seed = NULL, scenario = NULL")
    return wf.open_history(file)


def test_a_real_history_is_compared_by_welch(tmp_path: Path) -> None:
    simulated = queue(replications=5, cases=60, seed=9, **THREE)
    with as_real(tmp_path) as real:
        comparison = wf.compare(real, simulated, level=0.9)
        one, other = durations(real), durations(simulated)
    found = comparison["sojourn.mean"]
    # 20 batches of 15 cases on one side, five replications on the other.
    batches = np.array([one[1, case] for case in range(1, 301)]).reshape(20, 15).mean(axis=1)
    means = [np.mean([other[run, case] for case in range(1, 61)]) for run in range(1, 6)]
    expected = stats.ttest_ind(means, batches, equal_var=False).confidence_interval(0.9)
    assert (found.first, found.second) == pytest.approx((np.mean(batches), np.mean(means)))
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low, expected.high))
    assert (str(found.difference.method), found.difference.n) == ("Welch", 600)
    assert comparison.pairs is None
    assert math.isnan(found.correlation)
    told = repr(comparison)
    assert "unpaired: no case of one is a case of the other" in told
    assert "A: runtime, 300 cases in 1 run, 0 open" in told
    assert "shorter by" not in told


def test_unpaired_all_is_compared_that_both_have(tmp_path: Path) -> None:
    with as_real(tmp_path) as real:
        comparison = wf.compare(real, queue(seed=9))
    assert "pools.clerks.busy" in comparison
    assert "pools.clerks.queue" in comparison
    assert "states.served.time" in comparison
    assert "activities.serve.service" in comparison
    # Of a real history nobody knows how many clerks there were.
    assert "pools.clerks.utilisation" not in comparison
    assert "Only B has: clerks utilisation." in repr(comparison)
    median = comparison["sojourn.p50"].difference
    assert str(median.method) == "intervals of either side"
    assert median.low is not None
    assert median.high is not None
    assert median.low < median.value < median.high


def test_unpaired_the_same_scenario_differs_in_nothing_that_chance_does_not_explain(tmp_path: Path) -> None:
    with as_real(tmp_path, cases=2_000) as real:
        comparison = wf.compare(real, queue(seed=9, cases=2_000), level=0.999)
    for key, one in comparison.items():
        assert one.difference.low is not None, key
        if key.startswith("distances."):
            # A distance is never less than nothing; what chance gives stands beside it.
            assert "chance gives up to" in str(one.difference.note), key
        else:
            assert one.difference.low <= 0 <= one.difference.high, key


def test_unpaired_what_one_side_never_saw_is_a_share_of_nothing(tmp_path: Path) -> None:
    quick = {"activities": {"serve": {"duration": "1s"}}}
    with as_real(tmp_path) as real:
        comparison = wf.compare(real, queue(seed=9, **quick))
    lost = comparison["outcomes.completed/failure"]
    assert lost.first > 0.05
    assert lost.second == 0.0
    assert lost.difference.high is not None
    assert lost.difference.high < 0
    assert str(lost.difference.method) == "intervals of either side"


def test_unpaired_it_is_told_in_how_many_cases_an_event_came(tmp_path: Path) -> None:
    w = wf.Builder("queue").state("asked", initial=True).state("yes", terminal=True).state("no", terminal=True)
    workflow = w.transition("asked", "yes", on="accept").transition("asked", "no", on="refuse").build()

    def asked(weight: float, **more: Any) -> History:
        events = [{"event": "accept", "weight": weight}, {"event": "refuse", "weight": 1 - weight}]
        plan = {"arrivals": {"every": "1m"}, "events": {"asked": events}, "cases": 400, "warm_up": "0s"}
        return wf.simulate(workflow, wf.Scenario.model_validate(plan), **more)

    file = tmp_path / "real.duckdb"
    asked(0.8, into=file).close()
    with duckdb.connect(file) as con:
        con.execute("UPDATE runs SET source = 'runtime', seed = NULL")
    with wf.open_history(file) as real:
        comparison = wf.compare(real, asked(0.5, seed=9))
    accepted = comparison["events.accept"]
    assert accepted.first == pytest.approx(0.8, abs=0.06)
    assert accepted.second == pytest.approx(0.5, abs=0.08)
    assert accepted.difference.high is not None
    assert accepted.difference.high < 0
    assert "Share of cases with the event" in repr(comparison)


def test_what_really_ran_is_compared_too(tmp_path: Path) -> None:
    store = tmp_path / "real.db"
    with wf.start(QUEUE, activities={"serve": lambda: None}, store=store, id="c") as run:
        run.wait("gone", timeout=30)
    with open_history(store) as real:
        found = wf.compare(queue(cases=30), real)["sojourn.mean"]
    # One case is not enough for an interval.
    assert found.difference.low is None
    assert found.difference.note == "B: 1 of the 10 observations needed"
    assert found.second < found.first


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


def test_the_sql_of_what_is_compared_gives_the_numbers_again(tmp_path: Path) -> None:
    a, b = queue(cases=60), queue(cases=60, **THREE)
    with as_real(tmp_path) as real:
        for first, second in ((a, b), (real, b)):
            comparison = wf.compare(first, second)
            rows = {}
            for name, query in comparison.query.items():
                side, _, what = name.partition(".")
                rows[side, what] = (first if side == "A" else second).sql(query).df()
            one, other = (rows[side, "cases"]["duration"].mean() / 1e6 for side in "AB")
            found = comparison["sojourn.mean"]
            assert (found.first, found.second) == pytest.approx((one, other))
            groups = {key.split(".")[0] for key in comparison} - {"sojourn", "outcomes"}
            told = {what.split(".")[0] for _, what in rows}
            assert groups - {"distances"} <= told
            assert ("distances" in groups) == ({"edges", "waiting", "hours"} <= told) == (first is real)
