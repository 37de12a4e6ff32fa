"""The calendar: determinism, pools, ties, horizons, and what is told about open cases."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import wfsim as wf
from wfsim.model.workflow import Workflow
from wfsim.simulation.pools import SPARE_REQUESTS, Asked, Discipline, Wanted, WorkerPool

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
    # This process has a hash seed that was drawn at its start.
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == wf.simulate(ORDER, SCENARIO, cases=100, seed=3).digest


def test_more_cases_do_not_change_what_earlier_ones_draw() -> None:
    few, many = (wf.simulate(ORDER, SCENARIO, cases=n, seed=5) for n in (20, 60))
    first = 'SELECT started FROM durations WHERE "case" <= 20 ORDER BY "case"'
    assert few.sql(first).fetchall() == many.sql(first).fetchall()


def test_with_other_workers_what_can_stay_the_same_stays_the_same() -> None:
    def drawn(capacity: int) -> dict[tuple[object, ...], object]:
        pools = {name: {"capacity": capacity} for name in SCENARIO.pools}
        # How many-th time it is that an activity is run, in one state after another.
        query = (
            'SELECT "case", activity, attempt, row_number() OVER (PARTITION BY "case", activity, attempt ORDER BY seq),'
            "service FROM history WHERE service IS NOT NULL"
        )
        rows = wf.simulate(ORDER, SCENARIO.changed(pools=pools), cases=100).sql(query).fetchall()
        return {row[:-1]: row[-1] for row in rows}

    few, many = drawn(2), drawn(50)
    # Who waits longer may be overtaken by a timeout; the time that the same attempt takes is the same.
    both = few.keys() & many.keys()
    assert len(both) > 0.9 * len(few)
    assert all(few[each] == many[each] for each in both)


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_who_waits_beyond_the_horizon_is_not_said_to_wait_for_ever(engine: Any) -> None:
    w = wf.Builder("slow").state("a", initial=True, timeout="10d").state("b", terminal=True)
    workflow = w.transition("a", "b", on="timeout").build()
    scenario = wf.Scenario.model_validate({"arrivals": {"at": ["1s"]}, "horizon": "1d"})
    assert wf.simulate(workflow, scenario, engine=engine).notes == []


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


@pytest.mark.parametrize(
    ("discipline", "order"),
    [("FIFO", [2, 3, 4]), ("LIFO", [4, 3, 2]), ("PRIORITY", [3, 2, 4]), ("DEADLINE", [4, 2, 3])],
)
def test_a_pool_serves_in_the_order_of_its_discipline(discipline: str, order: list[int]) -> None:
    pool = WorkerPool(1, Discipline[discipline])
    assert pool.ask(0, (1, 1, 1), Wanted()) is Asked.TAKEN
    assert pool.ask(0, (2, 1, 1), Wanted(due=50)) is Asked.WAITS
    assert pool.ask(0, (3, 1, 1), Wanted(priority=5)) is Asked.WAITS
    assert pool.ask(0, (4, 1, 1), Wanted(priority=-5, due=10)) is Asked.WAITS
    served = [(1, 1, 1)]
    while (heir := pool.give_back(0, served[-1])) is not None:
        served.append(heir)
    assert [case for case, _, _ in served] == [1, *order]


def test_whoever_leaves_the_queue_is_not_served() -> None:
    pool = WorkerPool(1)
    pool.ask(0, (1, 1, 1), Wanted())
    pool.ask(0, (2, 1, 1), Wanted())
    pool.ask(0, (3, 1, 1), Wanted())
    assert pool.give_back(0, (2, 1, 1)) is None
    assert list(pool.waiting) == [(3, 1, 1)]
    assert pool.give_back(0, (1, 1, 1)) == (3, 1, 1)


def test_those_who_have_left_a_queue_take_no_room_in_it() -> None:
    pool = WorkerPool(1, Discipline.LIFO)
    pool.ask(0, (0, 1, 1), Wanted())
    for case in range(1, 1_000):
        assert pool.ask(0, (case, 1, 1), Wanted()) is Asked.WAITS
        pool.give_back(0, (case, 1, 1))
    assert len(pool._lines[0]) < 2 * SPARE_REQUESTS


def test_who_finds_the_queue_full_is_turned_away() -> None:
    pool = WorkerPool(1, queue_limit=1)
    assert [pool.ask(0, (case, 1, 1), Wanted()) for case in (1, 2, 3)] == [Asked.TAKEN, Asked.WAITS, Asked.REFUSED]
    assert pool.give_back(0, (3, 1, 1)) is None
    assert pool.give_back(0, (1, 1, 1)) == (2, 1, 1)


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


@pytest.mark.parametrize("engine", ["warp"])
def test_an_engine_that_does_not_exist_is_refused(engine: Any) -> None:
    with pytest.raises(wf.errors.NotCovered, match="no engine"):
        wf.simulate(ORDER, SCENARIO, cases=1, engine=engine)


def test_a_bad_seed_is_refused() -> None:
    with pytest.raises(wf.errors.ScenarioError, match="seed"):
        wf.simulate(ORDER, SCENARIO, cases=1, seed=-5)


def fork(**changes: Any) -> Workflow:
    """Waits for `left` or `right`, each to an end of its own."""
    return Workflow.model_validate(
        {
            "name": "fork",
            "initial_state": "waits",
            "variables": {"word": {"type": "string", "input": True, "initial": "none"}},
            "events": {"left": {}, "right": {}},
            "states": [{"name": "waits"}, {"name": "l", "is_terminal": True}, {"name": "r", "is_terminal": True}],
            "transitions": [
                {"from": "waits", "to": "l", "event": "left"},
                {"from": "waits", "to": "r", "event": "right", **changes},
            ],
        }
    )


def surroundings(**changes: Any) -> wf.Scenario:
    events = [{"event": "left", "weight": 0}, {"event": "right", "weight": 1}]
    return wf.Scenario.model_validate(
        {"arrivals": {"at": ["0s", "2s", "5s"]}, "events": {"waits": events}} | changes,
    )


def ends(history: wf.History) -> list[str]:
    return [history.case(k).replay().state for k in (1, 2, 3)]


def test_an_event_of_weight_0_never_comes() -> None:
    assert ends(wf.simulate(fork(), surroundings())) == ["r", "r", "r"]
    turned = {"waits": [{"event": "left", "weight": 2}, {"event": "right", "weight": 0}]}
    assert ends(wf.simulate(fork(), surroundings(events=turned))) == ["l", "l", "l"]


def test_weights_are_shares() -> None:
    # 1,000 draws with probability 0.8: a fixed seed, within four standard deviations (12.6 each).
    events = {"waits": [{"event": "left", "weight": 4}, {"event": "right", "weight": 1}]}
    history = wf.simulate(fork(), surroundings(events=events, arrivals={"every": "1s"}), cases=1_000, seed=2)
    paths = dict(history.sql("SELECT path, cases FROM hot_paths").fetchall())
    left = paths["waits → l"]
    assert abs(left - 800) < 51


def test_cases_arrive_exactly_at_the_times_given() -> None:
    history = wf.simulate(fork(), surroundings())
    assert [history.case(k).records()[0].time for k in (1, 2, 3)] == [0, 2_000_000, 5_000_000]


def test_a_choice_of_weight_0_is_never_made() -> None:
    for weights, word in (({"a": 0, "b": 1}, "b"), ({"a": 3, "b": 0}, "a")):
        history = wf.simulate(fork(), surroundings(inputs={"word": {"choice": weights}}))
        assert [history.case(k).variables["word"] for k in (1, 2, 3)] == [word] * 3


def test_patience_is_the_number_of_events_one_stay_receives() -> None:
    never = fork(condition="context.word == 'never'")
    history = wf.simulate(never, surroundings(patience=4))
    for k in (1, 2, 3):
        assert [record.kind for record in history.case(k).records()].count("event_received") == 4


def test_many_rejected_events_are_told_with_event_and_reason() -> None:
    never = fork(condition="context.word == 'never'")
    history = wf.simulate(never, surroundings(patience=4))
    assert history.notes[0] == (
        "12 of 12 events sent (100.0%) were rejected: 'right' (condition) 12 times. "
        "The surroundings then try the next one of their plan."
    )


def test_few_rejected_events_are_not_told() -> None:
    never = fork(condition="context.word == 'never'")
    assert not any("rejected" in note for note in wf.simulate(never, surroundings(patience=3)).notes)
    # Ten of more than a thousand are less than one in a hundred.
    rare = {"waits": [{"event": "left", "weight": 499}, {"event": "right", "weight": 1}]}
    history = wf.simulate(never, surroundings(events=rare, arrivals={"every": "1s"}), cases=8_000)
    ((n,),) = history.sql("SELECT count(*) FROM history WHERE kind = 'event_rejected'").fetchall()
    assert 10 <= n <= 40
    assert history.notes == []


# --- what is handed in ----------------------------------------------------------------------------


def test_a_scenario_may_be_given_by_its_path() -> None:
    path = "models/order_processing.scenario.yaml"
    assert wf.simulate(ORDER, path, cases=20).digest == wf.simulate(ORDER, SCENARIO, cases=20).digest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"workflow": "x"}, r"takes a workflow first, not the text 'x'. Load it first: wf.simulate\(wf.load\('x'\)\)"),
        ({"workflow": 3}, "takes a workflow first, not the number 3"),
        ({"scenario": 3}, "takes a scenario, or the path of one, second; found the number 3"),
        ({"scenario": "none.yaml"}, "none.yaml: cannot be read"),
        ({"cases": "x"}, "cases: expected a whole number, found the text 'x'"),
        ({"cases": 2.5}, "cases: expected a whole number, found the number 2.5"),
        ({"cases": -5}, "cases: expected 0 or more, found the number -5"),
        ({"replications": 0}, "replications: expected 1 or more, found the number 0"),
        ({"horizon": "soon"}, "horizon: 'soon' is not a duration"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: dict[str, Any], said: str) -> None:
    given = {"workflow": ORDER, "scenario": SCENARIO} | arguments
    with pytest.raises(wf.WfsimError, match=said):
        wf.simulate(given.pop("workflow"), given.pop("scenario"), **given)
