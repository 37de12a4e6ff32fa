"""The summary of a history: its numbers against SQL, what it leaves out, and what it says instead of a bare mean."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import wfsim as wf
from tests.stored import open_history
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.history.samples import Load

QUEUE = wf.Workflow.model_validate(
    {
        "name": "queue",
        "initial_state": "served",
        "activities": {"serve": {"pool": "clerks"}},
        "states": [{"name": "served", "activity": "serve"}, {"name": "gone", "is_terminal": True}],
        "transitions": [{"from": "served", "to": "gone", "event": "done"}],
    }
)
BUSY: dict[str, Any] = {
    "arrivals": {"poisson": "48/m"},
    "activities": {"serve": {"duration": {"exponential": {"mean": "1s"}}}},
    "pools": {"clerks": {"capacity": 1}},
    "warm_up": "0s",
    "seed": 11,
}


def queue(**changes: Any) -> History:
    """A counter with one clerk who is busy four fifths of the time."""
    return wf.simulate(QUEUE, wf.Scenario.model_validate(BUSY | changes))


@pytest.fixture(scope="module")
def one() -> History:
    return queue(cases=250)


@pytest.fixture(scope="module")
def four() -> History:
    return queue(cases=120, replications=4)


def test_one_run_is_judged_by_the_batches_of_its_cases(one: History) -> None:
    summary = one.summary()
    durations = (
        np.array([each for (each,) in one.sql('SELECT duration FROM durations ORDER BY "case"').fetchall()]) / 1e6
    )
    edges = np.arange(21) * 250 // 20
    batches = [durations[low:high].mean() for low, high in pairwise(edges)]
    interval = stats.ttest_1samp(batches, 0.0).confidence_interval(0.95)
    mean = summary["sojourn.mean"]
    assert (mean.value, mean.n, str(mean.method)) == (pytest.approx(durations.mean()), 250, "batch means")
    assert mean.half_width == pytest.approx((interval.high - interval.low) / 2)
    assert summary["sojourn.p90"].value == pytest.approx(np.quantile(durations, 0.9))
    assert summary["states.served.time"].value == pytest.approx(mean.value)
    (row,) = one.sql("SELECT mean_wait, mean_service FROM activity_stats").fetchall()
    assert [summary[f"activities.serve.{what}"].value * 1e6 for what in ("wait", "service")] == pytest.approx(row)
    assert dict(summary.counts) == {
        "started": 250,
        "closed": 250,
        "open": 0,
        "completed/success": 250,
        "in gone": 250,
    }


def test_several_replications_are_judged_by_their_means(four: History) -> None:
    summary = four.summary(level=0.9)
    query = "SELECT avg(duration) / 1e6, quantile_cont(duration, 0.95) / 1e6 FROM durations GROUP BY run ORDER BY run"
    for column, key in enumerate(("sojourn.mean", "sojourn.p95")):
        values = [row[column] for row in four.sql(query).fetchall()]
        expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
        found = summary[key]
        assert found.value == pytest.approx(np.mean(values))
        assert found.half_width == pytest.approx((expected.high - expected.low) / 2)
        assert (found.n, str(found.method)) == (480, "replications")
    assert "Intervals of 90 %, by Student's t over 4 replications." in repr(summary)


def test_pools_are_averaged_until_the_last_case_started(four: History) -> None:
    summary = four.summary()
    busy, queues = [], []
    for run in range(1, 5):
        rows = four.sql("SELECT scheduled, started, ended FROM pool_attempts WHERE run = ?", [run]).fetchall()
        end = max(scheduled for scheduled, _, _ in rows)
        busy.append(sum(min(ended, end) - min(started, end) for _, started, ended in rows) / end)
        queues.append(sum(min(started, end) - scheduled for scheduled, started, _ in rows) / end)
    assert summary["pools.clerks.utilisation"].value == pytest.approx(np.mean(busy))
    assert summary["pools.clerks.busy"].value == pytest.approx(np.mean(busy))
    assert summary["pools.clerks.queue"].value == pytest.approx(np.mean(queues))
    assert summary["pools.clerks.wait"].value == pytest.approx(summary["activities.serve.wait"].value)
    longest = max(each for (each,) in four.sql("SELECT max_queue FROM pool_utilisation").fetchall())
    assert f"Pool clerks: capacity 1, longest queue {longest}." in summary.remarks


def test_attempts_outside_the_time_of_averages_are_told() -> None:
    summary = queue(cases=100, warm_up="30s").summary()
    n = summary["pools.clerks.queue"].n
    assert 0 < n < 100
    assert f"{100 - n} of 100 attempts came before or after that time." in repr(summary)


def test_pools_of_cases_that_start_at_once_are_averaged_to_the_end() -> None:
    plan = {"arrivals": {"at": [0] * 30}, "activities": {"serve": {"duration": "2s"}}, "cases": None}
    summary = queue(**plan).summary()
    assert summary["pools.clerks.utilisation"].value == 1.0
    assert summary["pools.clerks.queue"].value == pytest.approx(sum(range(30)) / 30)
    assert "until the last record, as all cases started at once" in repr(summary)


def test_one_run_of_a_pool_is_cut_into_equal_times(one: History) -> None:
    whole = one.sql("SELECT mean_queue * span, busy_time FROM pool_utilisation").fetchall()[0]
    end = one.sql("SELECT max(started) FROM durations").fetchall()[0][0]
    summary = one.summary()
    assert summary["pools.clerks.queue"].value * end <= whole[0]
    assert summary["pools.clerks.queue"].value * end >= 0.9 * whole[0]
    assert summary["pools.clerks.busy"].value * end == pytest.approx(whole[1], rel=0.05)
    assert str(summary["pools.clerks.busy"].method) == "batch means"


def test_loads_are_counted_as_by_hand() -> None:
    came, left = np.array([0, 5, 5, 20]), np.array([5, 5, 12, 30])
    load = Load(came, left, np.array([5, 12]), np.array([12, 30]))
    edges = np.array([0, 6, 6, 10, 40])
    assert load.waiting(edges).tolist() == pytest.approx([1.0, 1.0, 12 / 30])
    assert load.busy(edges).tolist() == pytest.approx([1 / 6, 1.0, 20 / 30])
    assert (load.longest(0, 40), load.longest(13, 19), load.n_between(5, 19)) == (1, 0, 2)


def test_loads_far_from_the_epoch_are_exact() -> None:
    start = 1_750_000_000_000_000
    came = start + np.arange(20_000) * 1_000
    load = Load(came, came + 500, came, came + 250)
    edges = np.array([start, start + 20_000_000])
    assert (load.waiting(edges).tolist(), load.busy(edges).tolist()) == ([0.5], [0.25])


def test_the_warm_up_of_the_scenario_is_left_out_and_told() -> None:
    summary = queue(cases=250, warm_up="1m").summary()
    history = queue(cases=250)
    query = "SELECT avg(duration) / 1e6, count(*) FROM durations WHERE started >= 60_000_000"
    ((mean, n),) = history.sql(query).fetchall()
    assert (summary["sojourn.mean"].value, summary["sojourn.mean"].n) == (pytest.approx(mean), n)
    assert f"Warm-up: the scenario's 1m; {250 - n} cases that started earlier are left out." in summary.remarks
    assert summary.counts["closed"] == 250
    assert summary["activities.serve.wait"].n == n


def test_a_warm_up_of_nothing_keeps_everything(one: History) -> None:
    assert "Warm-up: none, as the scenario says." in one.summary().remarks
    assert one.summary()["sojourn.mean"].n == 250


def test_without_a_word_mser5_cuts_the_beginning_and_is_told() -> None:
    plan = {key: value for key, value in BUSY.items() if key != "warm_up"}
    # Forty stand there when the counter opens.
    plan["arrivals"] = {"at": [0.0] * 40 + [100.0 + 3.0 * k for k in range(210)]}
    summary = wf.simulate(QUEUE, wf.Scenario.model_validate(plan)).summary()
    (told,) = [each for each in summary.remarks if each.startswith("Warm-up: MSER-5")]
    left = 250 - summary["sojourn.mean"].n
    assert 35 <= left <= 50
    assert f"MSER-5 leaves out {left} cases, the latest cut at" in told


def test_a_load_that_is_too_high_has_not_settled() -> None:
    plan = {key: value for key, value in BUSY.items() if key != "warm_up"}
    overloaded = plan | {"arrivals": {"poisson": "120/m"}, "cases": 400}
    summary = wf.simulate(QUEUE, wf.Scenario.model_validate(overloaded)).summary()
    assert any("have not settled" in each for each in summary.remarks)


def test_few_cases_have_reasons_in_place_of_intervals() -> None:
    summary = queue(cases=9).summary()
    assert all(each.low is None and each.note for each in summary.values())
    assert "9 of the 10 observations needed" in repr(summary)
    assert "no interval" in repr(summary)


def test_no_number_is_without_an_interval_or_a_reason(one: History, four: History) -> None:
    for history in (one, four, queue(cases=0), queue(cases=3, replications=2)):
        for estimate in history.summary().values():
            assert (estimate.low is None) == (estimate.high is None) == bool(math.isnan(estimate.half_width))
            assert estimate.low is not None or estimate.note
            assert estimate.low is None or 0.0 <= estimate.low <= estimate.value <= (estimate.high or 0.0)


def test_open_cases_are_counted_and_told() -> None:
    history = queue(horizon="30s")
    summary = history.summary()
    assert summary.counts["open"] > 0
    assert summary.counts["open"] == history.counts["open"]
    assert f"{summary.counts['open']} are still open" in repr(summary)


def test_runs_that_are_no_replications_are_taken_together(make: Any) -> None:
    first, other = BUSY | {"cases": 30}, BUSY | {"cases": 40, "arrivals": {"poisson": "30/m"}}
    history = appended(first, other)
    summary = history.summary()
    assert "no replications of one another" in repr(summary)
    assert summary["sojourn.mean"].n == 70
    assert "pools.clerks.queue" not in summary
    assert history.summary(run=2)["sojourn.mean"].n == 40
    assert "pools.clerks.queue" in history.summary(run=2)


def appended(*plans: dict[str, Any]) -> History:
    """One history with a run for each scenario."""
    from wfsim.history.runs import Origin
    from wfsim.history.writer import HistoryWriter
    from wfsim.semantics.compile import compile_workflow
    from wfsim.simulation.engine import Simulation

    program = compile_workflow(QUEUE)
    with HistoryWriter(None, program, origin=Origin(scenario=json.dumps(plans[0]))) as writer:
        for number, plan in enumerate(plans):
            if number:
                writer.new_run(Origin(scenario=json.dumps(plan)))
            Simulation(program, wf.Scenario.model_validate(plan), sink=writer.append).run()
        return writer.finish()


def test_a_real_history_has_no_warm_up_and_no_capacities(tmp_path: Path) -> None:
    store = tmp_path / "real.db"
    for number in range(3):
        with wf.start(QUEUE, activities={"serve": lambda: None}, store=store, id=f"c{number}") as run:
            run.wait("gone", timeout=30)
    with open_history(store) as history:
        summary = history.summary()
    assert summary.counts["closed"] == 3
    assert "Nothing is left out as warm-up: real cases did not start in an empty system." in summary.remarks
    assert "Pool clerks: capacity not known, so no utilisation, longest queue" in repr(summary)
    assert "from the first record until the last case started." in repr(summary)
    assert "pools.clerks.utilisation" not in summary
    assert summary["pools.clerks.busy"].value < 3.0


@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_what_a_log_level_leaves_out_is_not_told_as_nothing(log: Any) -> None:
    summary = wf.simulate(QUEUE, wf.Scenario.model_validate(BUSY | {"cases": 20}), log=log).summary()
    assert summary["sojourn.mean"].n == 20
    assert not [key for key in summary if key.startswith(("activities", "pools"))]


def test_children_are_no_cases_but_their_states_count() -> None:
    order = wf.load("models/order_fulfilment.yaml")
    history = wf.simulate(order, "models/order_fulfilment.scenario.yaml", cases=12, catalogue="models")
    summary = history.summary()
    assert summary.counts["started"] == 12
    query = "SELECT count(*) FROM stays WHERE workflow = 'shipping' AND state = 'labelling' AND left_at IS NOT NULL"
    assert [(summary["shipping.states.labelling.time"].n,)] == history.sql(query).fetchall()
    assert "shipping: labelling" in repr(summary)
    assert "states.fulfilling/goods/packing.time" in summary


def test_names_and_notes_are_escaped_and_no_style_or_script_is_needed() -> None:
    name = "<script>alert(1)</script>"
    plan = {"arrivals": {"at": ["0s"]}, "events": {name: [{"event": "go"}]}}
    workflow = wf.Workflow.model_validate(
        {
            "name": name,
            "initial_state": name,
            "states": [{"name": name}, {"name": "z", "is_terminal": True}],
            "transitions": [{"from": name, "to": "z", "event": "go"}],
        }
    )
    history = wf.simulate(workflow, wf.Scenario.model_validate(plan), cases=3)
    shown = history._repr_html_()
    assert shown == history.summary()._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "style" not in shown


def test_programs_read_a_summary_by_name_or_as_a_table(one: History) -> None:
    summary = one.summary()
    frame = summary.df()
    assert frame["key"].tolist() == list(summary)
    assert frame.set_index("key").loc["sojourn.mean", "value"] == summary["sojourn.mean"].value
    with pytest.raises(KeyError, match=r"sojourn\.p96.*Did you mean 'sojourn\.p9"):
        summary["sojourn.p96"]
    for query in summary.query.values():
        assert one.sql(query).fetchall()


@pytest.mark.parametrize("level", [95, 0.0, 1.0, True, "0.95"])
def test_a_level_that_is_none_is_refused(one: History, level: Any) -> None:
    with pytest.raises(HistoryError, match=r"level=.*between 0 and 1"):
        one.summary(level=level)


def test_a_run_that_is_not_there_is_refused(one: History) -> None:
    with pytest.raises(HistoryError, match=r"no run 2. Runs: 1\."):
        one.summary(run=2)
