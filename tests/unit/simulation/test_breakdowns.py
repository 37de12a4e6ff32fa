"""Workers who break down: exact runs at both speeds, and what queueing theory says of them.

References
----------
.. [1] White and Christie (1958), Queuing with preemptive priorities or with breakdown, Operations Research 6(1), 79–95.
.. [2] Gaver (1962), A waiting line with interrupted service, including priorities, Journal of the Royal Statistical
   Society B 24(1), 73–90.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import EXPONENTIAL, MINUTE, assert_agrees, desk, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all

DESK = """\
name: desk
version: 1.0.0
initial_state: served
activities: {serve: {pool: desk, timeout: 1h, retry_policy: {max_attempts: ATTEMPTS, initial_interval: 1s, jitter: 0}}}
variables: {told: {type: string, initial: none}}
states: [{name: served, activity: serve}, {name: end, is_terminal: true}, {name: left, is_terminal: true}]
transitions:
  - {from: served, event: done, to: end}
  - {from: served, event: leave, to: left}
  - from: served
    event: error
    to: left
    pre_actions: [{action_type: set_variable, parameters: {name: told, value: "${event.type}"}}]
"""
OFTEN = {"every": "10m", "repair": "5m"}
"""All is well until the 10th minute, from the 15th until the 25th, and so on."""


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def served(
    engine: Any,
    at: list[str],
    breakdowns: dict[str, Any],
    duration: str = "12m",
    attempts: int = 1,
    **pool: Any,
) -> History:
    """Everybody who comes at these times is served for so long."""
    scenario = {
        "arrivals": {"at": at},
        "activities": {"serve": {"duration": duration}},
        "pools": {"desk": {"breakdowns": breakdowns, **(pool or {"capacity": 1})}},
    }
    workflow = wf.loads(DESK.replace("ATTEMPTS", str(attempts)))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)
    assert replay_all(history)
    return history


def ends(history: History) -> list[tuple[Any, ...]]:
    """Of each case the state and the minute in which it ended."""
    rows = history.sql('SELECT final_state, closed FROM durations ORDER BY "case"').fetchall()
    return [(state, closed / MINUTE) for state, closed in rows]


def test_what_a_broken_worker_worked_on_goes_on_after_the_repair(engine: Any) -> None:
    # Ten minutes until the breakdown, two after the repair; the next has 8 until 25, the rest after 30.
    assert ends(served(engine, ["0s", "1m"], OFTEN)) == [("end", 17), ("end", 34)]


def test_a_broken_worker_takes_no_work(engine: Any) -> None:
    history = served(engine, ["11m", "26m", "44m"], OFTEN, duration="1m")
    assert ends(history) == [("end", 16), ("end", 31), ("end", 46)]


def test_work_that_ends_in_the_moment_of_the_breakdown_is_done(engine: Any) -> None:
    assert ends(served(engine, ["0s", "10m"], OFTEN, duration="10m")) == [("end", 10), ("end", 25)]


def test_who_breaks_down_only_at_work_lasts_longer(engine: Any) -> None:
    # Five minutes each: the second is broken off by nobody but ends as the worker breaks down, until 105.
    often = {**OFTEN, "while": "busy"}
    assert ends(served(engine, ["0s", "95m", "101m"], often, duration="5m")) == [("end", 5), ("end", 100), ("end", 110)]
    assert ends(served(engine, ["0s", "20m", "40m"], often)) == [("end", 17), ("end", 37), ("end", 57)]


def test_work_may_fail_with_its_worker_and_be_tried_again(engine: Any) -> None:
    fails = {**OFTEN, "work": "fails"}
    history = served(engine, ["0s", "30s"], fails, attempts=1)
    assert ends(history) == [("left", 10), ("left", 25)]
    assert history.case(1).variables["told"] == "Pool.broken"
    # The second attempt has to wait for the repair, and is over before the next breakdown.
    assert ends(served(engine, ["5m"], fails, duration="7m", attempts=2)) == [("end", 22)]


def test_whose_attempt_times_out_meanwhile_stays_broken(engine: Any) -> None:
    # The attempt begins at 0, breaks off at 50, and is given up at 60. Whoever waits is served from 100 on.
    rarely = {"every": "50m", "repair": "50m"}
    assert ends(served(engine, ["0s", "1m"], rarely, duration="55m")) == [("left", 60), ("left", 160)]
    assert ends(served(engine, ["0s", "61m"], rarely, duration="50m")) == [("end", 50), ("end", 150)]


def test_of_several_workers_each_breaks_down_by_itself(engine: Any) -> None:
    # Where all are alike they break down together, so that everybody waits for the fifteenth minute.
    assert ends(served(engine, ["11m"] * 3, OFTEN, duration="1m", capacity=2)) == [
        ("end", 16),
        ("end", 16),
        ("end", 17),
    ]
    apart = {"every": {"uniform": {"low": "1m", "high": "1h"}}, "repair": "5m"}
    history = served(engine, [f"{minute}m" for minute in range(0, 600, 2)], apart, duration="2m", capacity=3)
    # Three have more than enough time for one at a time.
    assert max(minute - 2 * case for case, (_, minute) in enumerate(ends(history))) <= 12


def test_shifts_and_breakdowns_go_together(engine: Any) -> None:
    # The shift begins at 8 in the middle of a repair, as hours of 15 minutes pass off shift, too.
    shift = [{"from": "Thu 08:10", "until": "Thu 08:30", "capacity": 1}]
    history = served(engine, ["0s", "1h", "2h"], OFTEN, duration="9m", shifts=shift)
    week = 7 * 24 * 60
    # 8:10 lies in a repair until 8:15, 8:30 opens no more; a week later it is the same minute of a quarter.
    assert ends(history) == [("end", 8 * 60 + 24), ("end", 8 * 60 + 24 + 14), ("end", week + 8 * 60 + 24)]


def test_breakdowns_alone_keep_no_run_going(engine: Any) -> None:
    history = served(engine, ["0s"], OFTEN, duration="1m")
    assert history.sql("SELECT max(time) FROM records").fetchall() == [(MINUTE,)]
    assert history.complete


def test_another_pool_or_order_of_pools_changes_no_breakdown() -> None:
    w = wf.Builder("two").activity("one", pool="one").activity("two", pool="two")
    w.state("first", initial=True, activity="one").state("second", activity="two").state("end", terminal=True)
    w.transition("first", "second", on="done").transition("second", "end", on="done")
    breaks = {"every": {"exponential": {"mean": "1h"}}, "repair": {"exponential": {"mean": "9m"}}}
    pools = {"one": {"capacity": 2, "breakdowns": breaks}, "two": {"capacity": 2, "breakdowns": breaks}}
    plan = {
        "arrivals": {"poisson": "20/h"},
        "cases": 300,
        "activities": {name: {"duration": {"exponential": {"mean": "4m"}}} for name in pools},
    }

    def first(pools: dict[str, Any]) -> list[Any]:
        history = wf.simulate(w.build(), wf.Scenario.model_validate(plan | {"pools": pools}), engine="compiled")
        query = "SELECT \"case\", time FROM history WHERE activity = 'one' ORDER BY ALL"
        return list(history.sql(query, max_rows=None).fetchall())

    both = first(pools)
    assert first({"two": pools["two"], "one": pools["one"]}) == both
    assert first({"one": pools["one"]}) == both
    assert first({"one": {"capacity": 2}}) != both


# --- formulas -----------------------------------------------------------------------------------------


def test_an_mm1_whose_server_breaks_down_at_any_time_is_the_one_of_white_and_christie() -> None:
    """The chain of (customers, works or not) [1]_, solved; customers come one in two minutes, served in one."""
    rate, up, down = 0.5, 1 / 10, 1 / 2
    n = 200
    chain = np.zeros((2 * n, 2 * n))
    for k in range(n):
        works, broken = 2 * k, 2 * k + 1
        chain[works, broken], chain[broken, works] = up, down
        if k + 1 < n:
            chain[works, works + 2] = chain[broken, broken + 2] = rate
            chain[works + 2, works] = 1.0
    chain -= np.diag(chain.sum(axis=1))
    share = np.linalg.lstsq(np.vstack([chain.T, np.ones(2 * n)]), np.append(np.zeros(2 * n), 1.0), rcond=None)[0]
    present = float(share @ np.repeat(np.arange(n), 2))
    breaks = {"every": {"exponential": {"mean": "10m"}}, "repair": {"exponential": {"mean": "2m"}}}
    history = desk({"poisson": "30/h"}, EXPONENTIAL, {"capacity": 1, "breakdowns": breaks}, cases=4_000)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * present / rate)


def test_a_server_who_breaks_down_at_work_serves_as_long_as_gaver_says() -> None:
    """Completion times [2]_ in Pollaczek and Khinchine's formula: C = s (1 + r/m), C² = 2s² (1 + r/m)² + 2s r²/m."""
    rate, service, every, repair = 0.5, 1.0, 10.0, 2.0
    mean = service * (1 + repair / every)
    square = 2 * service**2 * (1 + repair / every) ** 2 + service * 2 * repair**2 / every
    breaks = {
        "every": {"exponential": {"mean": "10m"}},
        "repair": {"exponential": {"mean": "2m"}},
        "while": "busy",
    }
    history = desk({"poisson": "30/h"}, EXPONENTIAL, {"capacity": 1, "breakdowns": breaks}, cases=4_000)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * (mean + rate * square / (2 * (1 - rate * mean))))


@pytest.mark.parametrize("when", ["always", "busy"])
def test_as_much_is_done_as_workers_are_available(when: str) -> None:
    # Four workers always have work. Of the families only the means matter: 30 of 36 minutes.
    breaks = {"every": {"gamma": {"shape": 2, "mean": "30m"}}, "repair": "6m", "while": when}
    history = desk(
        {"closed": {"population": 9, "think": "0s"}},
        {"duration": "1m"},
        {"capacity": 4, "breakdowns": breaks},
        cases=2_000,
    )
    last = of_runs(history, 'max(closed) / (max("case") - 300)')
    begin = of_runs(history, 'min(closed) / (max("case") - 300)')
    assert_agrees([one - other for one, other in zip(last, begin)], MINUTE / (4 * 30 / 36))


def test_the_share_of_work_that_fails_is_that_of_a_memoryless_end() -> None:
    breaks = {"every": {"exponential": {"mean": "10m"}}, "repair": {"exponential": {"mean": "1m"}}, "work": "fails"}
    history = desk({"poisson": "15/h"}, {"duration": "2m"}, {"capacity": 2, "breakdowns": breaks}, cases=2_000)
    assert_agrees(of_runs(history, "avg((final_state = 'left')::INTEGER)"), 1 - math.exp(-2 / 10))


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 1, breakdowns: {every: 1h}}", "repair"),
        (
            "{capacity: 1, breakdowns: {every: 0s, repair: 1h}}",
            "half of the times that every gives are shorter than 1ms",
        ),
        ("{capacity: 1, breakdowns: {every: -1h, repair: 1h}}", "'-1h' is not a duration"),
        ("{capacity: 1, breakdowns: {every: 1h, repair: 1h, while: sometimes}}", "expected always or busy"),
        ("{capacity: 1, breakdowns: {every: 1h, repair: 1h, work: restarts}}", "expected resumes or fails"),
        ("{capacity: 1, breakdowns: {each: 1h, repair: 1h}}", "'each' is not a key of a breakdown plan"),
        ("{capacity: 20000, breakdowns: {every: 1h, repair: 1h}}", "of 20,000 workers none can break down; of 10,000"),
    ],
)
def test_breakdowns_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)
