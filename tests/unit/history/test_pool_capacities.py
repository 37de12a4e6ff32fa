"""Pools whose capacity changes: how many workers there are, and how busy they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wfsim as wf
from wfsim.history.history import History
from wfsim.history.samples import Load, Shifts
from wfsim.simulation.statistics import ratios

HOUR = 3_600_000_000
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def served(engine: Any, arrivals: Any, duration: Any, pool: dict[str, Any], **more: Any) -> History:
    w = wf.Builder("desk").activity("serve", pool="desk")
    w.state("served", initial=True, activity="serve").state("end", terminal=True)
    w.transition("served", "end", on="done")
    scenario = {"arrivals": arrivals, "activities": {"serve": {"duration": duration}}, "pools": {"desk": pool}, **more}
    return wf.simulate(w.build(), wf.Scenario.model_validate(scenario), engine=engine, progress=False)


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_who_is_on_shift_or_still_at_work_after_it_is_there(engine: Any) -> None:
    shifts = [{"from": "Thu 08:00", "until": "Thu 16:00", "capacity": 2}]
    history = served(engine, {"at": ["15h30m"]}, "1h", {"shifts": shifts})
    row = history.sql(
        "SELECT capacity, span, busy_time, mean_capacity * span, utilisation FROM pool_utilisation"
    ).fetchall()
    # Two for eight hours, and one until half past.
    assert row == [(None, 16.5 * HOUR, HOUR, pytest.approx(16.5 * HOUR), pytest.approx(1 / 16.5))]
    changes = history.sql("SELECT pool, time, capacity FROM shift_changes ORDER BY time").fetchall()
    assert changes == [("desk", 0, 0), ("desk", 8 * HOUR, 2), ("desk", 16 * HOUR, 0)]


def test_without_shifts_the_mean_capacity_is_the_capacity() -> None:
    history = served(
        "python", {"at": ["0s", "3h"]}, "1h", {"capacity": 2, "breakdowns": {"every": "30m", "repair": "1h"}}
    )
    # From 0 to 2h, an hour of repair included; and at 3h the worker has been repaired at 3h.
    assert history.sql("SELECT capacity, mean_capacity, busy_time, utilisation FROM pool_utilisation").fetchall() == [
        (2, 2.0, 4 * HOUR, pytest.approx(4 * HOUR / (2 * 5 * HOUR)))
    ]


@pytest.mark.parametrize("replications", [1, 6])
def test_the_summary_knows_how_busy_those_are_who_are_there(replications: int) -> None:
    """As much is asked for as 0.4 workers can do, and half of the time one is there."""
    shifts = [{"from": f"{day} 00:00", "until": f"{day} 12:00", "capacity": 1} for day in DAYS]
    history = served(
        "compiled",
        {"poisson": "6/h"},
        {"exponential": {"mean": "4m"}},
        {"shifts": shifts},
        horizon="60d",
        replications=replications,
        warm_up="0s",
        seed=3,
    )
    summary = history.summary(level=0.999)
    found = summary["pools.desk.utilisation"]
    views = history.sql("SELECT sum(busy_time) / sum(mean_capacity * span) FROM pool_utilisation").fetchall()
    assert found.value == pytest.approx(views[0][0], rel=1e-3)
    assert found.low is not None
    assert found.high is not None
    # Somebody finishes a service after the shift on most days: four minutes more of 720 at most.
    assert found.low <= 0.8 / (1 + 4 / 720)
    assert found.high >= 0.8 / (1 + 4 / 720)
    assert found.half_width < 0.08
    assert "Pool desk: capacity by shifts" in str(summary)


def test_those_who_are_there_are_counted_as_by_hand() -> None:
    random = np.random.default_rng(7)
    for _ in range(30):
        times = np.concatenate([[0], np.sort(random.integers(1, 100, 6))]).astype(np.int64)
        shifts = Shifts(times, random.integers(0, 3, 7).astype(np.int64))
        started = np.sort(random.integers(0, 90, 5)).astype(np.int64)
        load = Load(started, started, started, started + random.integers(0, 30, 5))
        edges = np.array([0, 10, 10, 55, 100], np.int64)
        there = []
        for moment in range(100):
            last = np.flatnonzero(times <= moment)[-1]
            busy = int(np.sum((load.started <= moment) & (moment < load.ended)))
            there.append(max(int(shifts.capacities[last]), busy))
        expected = [np.mean(there[begin:end]) for begin, end in ((0, 10), (10, 55), (55, 100))]
        assert load.there(shifts, edges).tolist() == pytest.approx(expected)


def test_a_ratio_is_that_of_the_sums_and_of_equal_wholes_the_mean_of_ratios() -> None:
    values, whole = np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.5])
    assert np.mean(ratios(values, whole)) == pytest.approx(3 / 4.5)
    assert ratios(values, np.full(3, 2.0)) == pytest.approx(values / 2.0)


def test_a_report_counts_though_what_follows_from_it_is_ignored() -> None:
    """Each try to handle the failure fails itself, until the instance has had enough and ignores the last."""
    workflow = wf.loads("""\
name: desk
version: 1.0.0
initial_state: served
max_automatic: 3
activities: {serve: {pool: desk, retry_policy: {max_attempts: 1}}}
variables: {n: {type: integer, optional: true}}
states: [{name: served, activity: serve}, {name: end, is_terminal: true}]
transitions:
  - {from: served, event: done, to: end}
  - from: served
    event: error
    to: end
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
""")
    fails = {"duration": "1m", "failures": [{"error_type": "Other", "probability": 1.0}]}
    plan = {"arrivals": {"at": ["0s"]}, "activities": {"serve": fails}, "pools": {"desk": {"capacity": 1}}}
    history = wf.simulate(workflow, wf.Scenario.model_validate(plan), engine="python", progress=False)
    assert history.sql("SELECT count(*) FROM history WHERE kind = 'stimulus_ignored'").fetchall() == [(1,)]
    assert history.sql("SELECT scheduled, started, ended FROM pool_attempts").fetchall() == [(0, 0, HOUR // 60)]
    assert history.sql("SELECT attempts, failures FROM activity_stats").fetchall() == [(1, 1)]
