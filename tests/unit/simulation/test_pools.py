"""Pools in whole runs: who is turned away, who gives up, who is served first; at both speeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all

MINUTE = 60_000_000
DESK = """\
name: desk
version: 1.0.0
initial_state: served
activities: {serve: {pool: desk, RETRY}}
variables: {told: {type: string, initial: none}}
states: [{name: served, activity: serve}, {name: end, is_terminal: true}, {name: left, is_terminal: true}]
transitions:
  - {from: served, event: done, to: end}
  - from: served
    event: error
    to: left
    pre_actions: [{action_type: set_variable, parameters: {name: told, value: "${event.type}"}}]
"""
ONCE, TWICE = "schedule_to_start: 1d", "retry_policy: {max_attempts: 2, initial_interval: 30s, jitter: 0}"


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def served(engine: Any, pool: dict[str, Any], at: list[str], retry: str = ONCE, duration: Any = "10m") -> History:
    """Everybody who comes at these times is served for ten minutes."""
    scenario = {"arrivals": {"at": at}, "activities": {"serve": {"duration": duration}}, "pools": {"desk": pool}}
    workflow = wf.loads(DESK.replace("RETRY", retry))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)  # type: ignore[arg-type]
    assert replay_all(history)
    return history


def ends(history: History) -> list[tuple[Any, ...]]:
    """Of each case the state and the minute in which it ended."""
    rows = history.sql('SELECT final_state, closed FROM durations ORDER BY "case"').fetchall()
    return [(state, closed / MINUTE) for state, closed in rows]


def test_who_finds_the_queue_full_fails_at_once(engine: Any) -> None:
    history = served(engine, {"capacity": 1, "queue_limit": 1}, ["0s", "1m", "2m", "3m", "11m"])
    assert ends(history) == [("end", 10), ("end", 20), ("left", 2), ("left", 3), ("end", 30)]
    assert history.case(3).variables["told"] == "Pool.full"


def test_without_places_to_wait_nobody_waits(engine: Any) -> None:
    history = served(engine, {"capacity": 2, "queue_limit": 0}, ["0s", "0s", "0s", "10m"])
    assert ends(history) == [("end", 10), ("end", 10), ("left", 0), ("end", 20)]


def test_who_is_turned_away_asks_again_as_the_retry_policy_says(engine: Any) -> None:
    history = served(engine, {"capacity": 1, "queue_limit": 0}, ["0s", "9m45s", "9m"], TWICE)
    # The retry of the second comes at 9:30, too early, that of the third at 10:15.
    assert ends(history) == [("end", 10), ("left", 9.5), ("end", 20.25)]


def test_who_waits_for_too_long_gives_up(engine: Any) -> None:
    pool = {"capacity": 1, "renege": "5m"}
    history = served(engine, pool, ["0s", "1m", "5m", "6m"])
    assert ends(history) == [("end", 10), ("left", 6), ("end", 20), ("left", 11)]
    assert history.case(2).variables["told"] == "Pool.reneged"


def test_whose_worker_comes_in_the_moment_of_giving_up_is_served(engine: Any) -> None:
    assert ends(served(engine, {"capacity": 1, "renege": "9m"}, ["0s", "1m"])) == [("end", 10), ("end", 20)]


def test_the_earliest_deadline_is_served_first(engine: Any) -> None:
    w = wf.Builder("late").variable("kind", "string", input=True)
    for name, limits in (
        ("relaxed", {}),
        ("in_an_hour", {"schedule_to_start": "1h"}),
        ("in_half_an_hour", {"schedule_to_close": "30m"}),
    ):
        w.activity(name, pool="desk", **limits).state(f"at_{name}", activity=name)
        w.transition(f"at_{name}", "end", on="done").transition(
            "begin", f"at_{name}", condition=f"context.kind == '{name}'"
        )
    w.state("begin", initial=True).state("end", terminal=True)
    plan = {
        "arrivals": {"every": "1m"},
        "cases": 40,
        "inputs": {"kind": {"choice": ["relaxed", "in_an_hour", "in_half_an_hour"]}},
        "activities": {name: {"duration": "2m"} for name in ("relaxed", "in_an_hour", "in_half_an_hour")},
        "pools": {"desk": {"capacity": 1, "discipline": "deadline"}},
    }
    history = wf.simulate(w.build(), wf.Scenario.model_validate(plan), engine=engine)
    rows = history.sql("SELECT activity, time - wait, time FROM history WHERE kind = 'activity_started'").fetchall()
    due = {"relaxed": 10**9 * MINUTE, "in_an_hour": 60 * MINUTE, "in_half_an_hour": 30 * MINUTE}
    waited = 0
    for activity, asked, started in rows:
        for other, asked_too, later in rows:
            if asked_too < started < later:
                waited += 1
                assert (due[activity] + asked, asked) <= (due[other] + asked_too, asked_too)
    assert waited > 100


def test_both_engines_tell_the_same_of_those_who_were_not_served() -> None:
    pool = {"capacity": 1, "discipline": "lifo", "queue_limit": 3, "renege": {"exponential": {"mean": "8m"}}}
    at = [f"{minute}m" for minute in range(0, 200, 3)]
    one, other = (served(engine, pool, at, TWICE) for engine in ("python", "compiled"))
    assert one.digest == other.digest
    told = {history.case(k).variables["told"] for history in (one,) for k in range(1, len(at) + 1)}
    assert told == {"none", "Pool.full", "Pool.reneged"}
    for view in ("activity_stats", "bottlenecks", "durations"):
        assert one.sql(f"FROM {view} ORDER BY ALL").fetchall() == other.sql(f"FROM {view} ORDER BY ALL").fetchall()


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 0}", r"capacity: expected 1 or more, found the number 0"),
        ("{capacity: 1, queue_limit: -1}", r"queue_limit: expected 0 or more, found the number -1"),
        ("{capacity: 1, queue_limit: 1.5}", r"expected a whole number, found the number 1.5"),
        (
            "{capacity: 1, discipline: random}",
            r"expected fifo or lifo or priority or deadline, found the text 'random'",
        ),
        ("{capacity: 1, renege: {exponential: {mean: -1m}}}", r"'-1m' is not a duration"),
        ("{capacity: 1, reneg: 1m}", r"'reneg' is not a key of a pool.*Did you mean 'renege'"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)
