"""Pools whose workers begin at a rate at most: exact runs at both speeds, and a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import MINUTE, assert_agrees, desk, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.replay import replay_all


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def begun(engine: Any, at: list[str], duration: str = "0s", **pool: Any) -> list[float]:
    """The seconds at which those who come at these times begin to be served."""
    w = wf.Builder("desk").activity("serve", pool="desk")
    w.state("served", initial=True, activity="serve").state("end", terminal=True)
    w.transition("served", "end", on="done")
    pools = {"desk": pool if "shifts" in pool else {"capacity": 9, **pool}}
    scenario = {"arrivals": {"at": at}, "activities": {"serve": {"duration": duration}}, "pools": pools}
    history = wf.simulate(w.build(), wf.Scenario.model_validate(scenario), engine=engine)
    rows = history.sql("SELECT time FROM history WHERE kind = 'activity_started' ORDER BY time").fetchall()
    return [time / 1e6 for (time,) in rows]


def test_one_begins_after_the_other_at_the_rate(engine: Any) -> None:
    assert begun(engine, ["0s"] * 4, rate="6/m") == [0, 10, 20, 30]
    assert begun(engine, ["0s", "1s", "25s", "26s"], rate="6/m") == [0, 10, 25, 35]


def test_after_a_pause_as_many_begin_at_once_as_the_bucket_holds(engine: Any) -> None:
    assert begun(engine, ["0s"] * 5, rate="1/m", burst=3) == [0, 0, 0, 60, 120]
    # Two tokens have come by 120, and a third by 180.
    assert begun(engine, ["0s"] * 3 + ["2m"] * 4, rate="1/m", burst=3) == [0, 0, 0, 120, 120, 180, 240]


def test_thirds_of_a_microsecond_do_not_add_up_to_an_error(engine: Any) -> None:
    times = begun(engine, ["0s"] * 31, rate="3/s")
    assert times[30] == 10.0
    assert times[1] == pytest.approx(1 / 3, abs=1e-6)


def test_who_has_a_token_needs_a_worker_and_a_shift_too(engine: Any) -> None:
    assert begun(engine, ["0s"] * 3, duration="25s", capacity=1, rate="6/m") == [0, 25, 50]
    shift = [{"from": "Thu 01:00", "until": "Thu 02:00", "capacity": 2}]
    assert begun(engine, ["0s"] * 3, duration="25s", shifts=shift, rate="6/m") == [3600, 3610, 3625]


def test_an_activity_without_a_pool_has_a_rate_of_its_own(engine: Any) -> None:
    w = wf.Builder("calls").activity("charge").activity("note")
    for name, following in (("charge", "note"), ("note", "end")):
        w.state(name, initial=name == "charge", activity=name).transition(name, following, on="done")
    scenario = {
        "arrivals": {"at": ["0s"] * 5},
        "activities": {
            "charge": {"duration": "1h", "rate": "6/m", "burst": 2},
            "note": {"duration": "1s", "rate": "1/m"},
        },
    }
    workflow = w.state("end", terminal=True).build()
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)
    assert replay_all(history)
    query = "SELECT activity, time / 1e6, wait / 1e6 FROM history WHERE kind = 'activity_started' ORDER BY time"
    assert history.sql(query).fetchall() == [
        *(("charge", time, time) for time in (0, 0, 10, 20, 30)),
        *(("note", 3600 + 60 * n, 60 * n - late) for n, late in enumerate((0, 0, 10, 20, 30))),
    ]
    # Who waits for a rate waits for no worker.
    assert history.sql("FROM pool_utilisation").fetchall() == []


@pytest.mark.parametrize(
    ("activity", "told"),
    [
        ("{rate: 1/s, pool: desk}", r"rate is for an activity without a pool: .* Give the rate to pool 'desk'"),
        ("{burst: 2}", "burst goes with rate"),
        ("{rate: 0/s}", "'0/s' is not a rate at which anything comes"),
        ("{rate: 1.0000000000000001/d}", "is too much to count exactly"),
    ],
)
def test_a_rate_of_an_activity_that_makes_no_sense_is_refused_where_it_stands(
    tmp_path: Path, activity: str, told: str
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\nactivities:\n  serve: {activity}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)


def test_a_rate_beside_the_pool_of_the_definition_is_refused() -> None:
    w = wf.Builder("desk").activity("serve", pool="desk")
    w.state("served", initial=True, activity="serve").state("end", terminal=True).transition("served", "end", on="done")
    scenario = wf.Scenario.model_validate(
        {"activities": {"serve": {"rate": "1/s"}}, "pools": {"desk": {"capacity": 1}}}
    )
    with pytest.raises(ScenarioError, match="The definition names pool 'desk': give the rate to it"):
        wf.simulate(w.build(), scenario)
    alone = wf.Scenario.model_validate({"activities": {"serve": {"rate": "1/s"}}, "cases": 2})
    assert wf.simulate(w.build(), alone).sql("SELECT count(*) FROM cases").fetchall() == [(2,)]


def test_at_a_rate_they_wait_as_in_front_of_a_server_of_constant_time() -> None:
    # M/D/1: a token a minute, 0.7 asked for in it.
    history = desk({"poisson": "42/h"}, {}, {"capacity": 1_000, "rate": "1/m"}, cases=3_000)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * 0.7 / (2 * 0.3))


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ("{capacity: 1, rate: 0/s}", "'0/s' is not a rate at which anything comes"),
        ("{capacity: 1, rate: 5}", "is not a rate"),
        ("{capacity: 1, burst: 2}", "burst goes with rate"),
        ("{capacity: 1, rate: 5/s, burst: 0}", "burst: expected 1 or more"),
        ("{capacity: 1, rate: 0.12345678901234567/s}", "too much to count exactly"),
        ("{capacity: 1, rate: 1/w, burst: 1000000}", "a burst of 1,000,000 at the rate 1/w is too much to count"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, pool: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\npools:\n  desk: {pool}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)
