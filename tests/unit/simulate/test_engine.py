"""The calendar: determinism, pools, ties, horizons, and what is told about open cases."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import wfsim as wf
from wfsim.model.workflow import Workflow
from wfsim.simulate.pools import WorkerPool

ORDER = wf.load("models/order_processing.yaml")
SCENARIO = wf.load_scenario("models/order_processing.scenario.yaml")


def queue(**activity: Any) -> Workflow:
    """Arrive, be served by one pool, leave."""
    return Workflow.model_validate(
        {
            "name": "queue",
            "initial_state": "served",
            "states": [{"name": "served", "activity": "serve"}, {"name": "gone", "is_terminal": True}],
            "transitions": [
                {"from": "served", "to": "gone", "event": "done"},
                {"from": "served", "to": "gone", "event": "error"},
            ],
            "activities": {"serve": {"pool": "clerks", **activity}},
        }
    )


def test_equal_seeds_give_equal_digests_and_other_seeds_others() -> None:
    digests = [wf.simulate(ORDER, SCENARIO, cases=200, seed=seed).digest for seed in (7, 7, 8)]
    assert digests[0] == digests[1] != digests[2]


def test_another_process_with_another_hash_seed_gives_the_same_digest() -> None:
    code = (
        "import wfsim as wf; print(wf.simulate(wf.load('models/order_processing.yaml'), "
        "wf.load_scenario('models/order_processing.scenario.yaml'), cases=100, seed=3).digest)"
    )
    found = set()
    for hash_seed in ("0", "12345"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        found.add(done.stdout.strip())
    assert found == {wf.simulate(ORDER, SCENARIO, cases=100, seed=3).digest}


def test_more_cases_do_not_change_what_earlier_ones_draw() -> None:
    few, many = (wf.simulate(ORDER, SCENARIO, cases=n, seed=5) for n in (20, 60))
    first = 'SELECT started FROM durations WHERE "case" <= 20 ORDER BY "case"'
    assert few.sql(first).fetchall() == many.sql(first).fetchall()


def test_replications_are_runs_of_their_own() -> None:
    history = wf.simulate(ORDER, SCENARIO, cases=50, replications=3)
    assert [run.replication for run in history.runs] == [0, 1, 2]
    ends = history.sql("SELECT run, max(closed) FROM durations GROUP BY run ORDER BY run").fetchall()
    assert len({end for _, end in ends}) == 3


def test_one_worker_serves_one_at_a_time_in_order_of_arrival() -> None:
    scenario = wf.Scenario.model_validate(
        {
            "arrivals": {"at": ["0s", "1s", "2s"]},
            "activities": {"serve": {"duration": "10s"}},
            "pools": {"clerks": {"capacity": 1}},
        }
    )
    history = wf.simulate(queue(), scenario)
    closed = history.sql('SELECT closed FROM durations ORDER BY "case"').fetchall()
    assert [end for (end,) in closed] == [10_000_000, 20_000_000, 30_000_000]


def test_a_priority_pool_serves_the_important_first() -> None:
    pool = WorkerPool(1, by_priority=True)
    assert pool.ask((1, 1, 1), 0)
    assert not pool.ask((2, 1, 1), 0)
    assert not pool.ask((3, 1, 1), 5)
    assert pool.give_back((1, 1, 1)) == (3, 1, 1)
    assert pool.give_back((3, 1, 1)) == (2, 1, 1)


def test_whoever_leaves_the_queue_is_not_served() -> None:
    pool = WorkerPool(1)
    pool.ask((1, 1, 1), 0)
    pool.ask((2, 1, 1), 0)
    pool.ask((3, 1, 1), 0)
    assert pool.give_back((2, 1, 1)) is None
    assert pool.waiting == 1
    assert pool.give_back((1, 1, 1)) == (3, 1, 1)


def test_work_that_ends_at_its_deadline_counts() -> None:
    scenario = wf.Scenario.model_validate({"arrivals": {"at": ["0s"]}, "activities": {"serve": {"duration": "10s"}}})
    history = wf.simulate(queue(timeout="10s"), scenario)
    kinds = [record.kind for record in history.case(1).records()]
    assert "activity_succeeded" in kinds
    assert "attempt_timed_out" not in kinds


def test_an_attempt_that_never_ends_is_what_the_timeout_is_for() -> None:
    scenario = wf.Scenario.model_validate({"arrivals": {"at": ["0s"]}, "activities": {"serve": {"never_ends": 1.0}}})
    history = wf.simulate(queue(timeout="10s"), scenario)
    assert history.case(1).records()[-1].time == 10_000_000
    assert [record.error_type for record in history.case(1).records() if record.kind == "attempt_timed_out"] == [
        "Timeout.start_to_close"
    ]


def test_at_the_horizon_cases_stay_open_and_count_as_open() -> None:
    scenario = wf.Scenario.model_validate(
        {"arrivals": {"every": "1s"}, "horizon": "10s", "activities": {"serve": {"duration": "1h"}}}
    )
    history = wf.simulate(queue(), scenario)
    assert history.counts == {"open": 10}


def test_cases_that_nothing_can_move_are_told() -> None:
    workflow = Workflow.model_validate(
        {
            "name": "waits",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
            "transitions": [{"from": "a", "to": "b", "event": "go"}],
        }
    )
    history = wf.simulate(workflow, wf.Scenario.model_validate({"cases": 3}))
    assert "3 cases are open" in history.notes[0]
    assert "'a' (3)" in history.notes[0]


def test_a_single_server_queue_waits_as_long_as_the_formula_says() -> None:
    # M/M/1 with utilisation 0.7: mean wait = rho / (mu - lambda). Fixed seed; five standard errors of 30 batches.
    scenario = wf.Scenario.model_validate(
        {
            "arrivals": {"poisson": "0.7/s"},
            "activities": {"serve": {"duration": {"exponential": {"mean": "1s"}}}},
            "pools": {"clerks": {"capacity": 1}},
        }
    )
    history = wf.simulate(queue(), scenario, cases=12_000, seed=11)
    waits = [
        row[0] / 1e6
        for row in history.sql('SELECT wait FROM records WHERE wait IS NOT NULL ORDER BY "case", seq').fetchall()
    ]
    assert len(waits) == 12_000
    batches = [sum(waits[k : k + 400]) / 400 for k in range(0, 12_000, 400)]
    mean = sum(batches) / len(batches)
    error = (sum((b - mean) ** 2 for b in batches) / (len(batches) - 1) / len(batches)) ** 0.5
    assert abs(mean - 0.7 / 0.3) < 5 * error


@pytest.mark.parametrize("engine", ["compiled", "warp"])
def test_an_engine_that_does_not_exist_is_refused(engine: Any) -> None:
    with pytest.raises(wf.errors.NotCovered, match="no engine"):
        wf.simulate(ORDER, SCENARIO, cases=1, engine=engine)


def test_a_bad_seed_is_refused() -> None:
    with pytest.raises(wf.errors.ScenarioError, match="seed"):
        wf.simulate(ORDER, SCENARIO, cases=1, seed=-5)
