"""Outages and slow times in whole runs, at both speeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import assert_agrees, desk, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all

MINUTE = 60_000_000
DESK = """\
name: desk
version: 1.0.0
initial_state: served
activities:
  serve:
    pool: desk
    timeout: 3h
    retry_policy: {max_attempts: ATTEMPTS, initial_interval: 30m, max_interval: 30m, jitter: 0}
variables: {told: {type: string, initial: none}}
states: [{name: served, activity: serve}, {name: end, is_terminal: true}, {name: left, is_terminal: true}]
transitions:
  - {from: served, event: done, to: end}
  - from: served
    event: error
    to: left
    pre_actions: [{action_type: set_variable, parameters: {name: told, value: "${event.type}"}}]
"""


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def served(engine: Any, at: list[str], plan: dict[str, Any], attempts: int = 1, workers: int = 9) -> History:
    """Everybody who comes at these times is served for ten minutes."""
    scenario = {
        "arrivals": {"at": at},
        "activities": {"serve": {"duration": "10m", **plan}},
        "pools": {"desk": {"capacity": workers}},
    }
    workflow = wf.loads(DESK.replace("ATTEMPTS", str(attempts)))
    history = wf.simulate(workflow, wf.Scenario.model_validate(scenario), engine=engine)
    assert replay_all(history)
    return history


def ends(history: History) -> list[tuple[Any, ...]]:
    """Of each case the state and the minute in which it ended, and what it was told."""
    rows = history.sql('SELECT "case", final_state, closed FROM durations ORDER BY "case"').fetchall()
    return [(state, closed / MINUTE, history.case(case).variables["told"]) for case, state, closed in rows]


def test_attempts_that_begin_in_an_outage_fail_as_it_says(engine: Any) -> None:
    outage = {"from": "1h", "until": "2h", "error_type": "Provider.down", "fails_after": "5s"}
    history = served(engine, ["59m", "1h", "119m59s", "2h"], {"outages": [outage]})
    assert ends(history) == [
        ("end", 69, "none"),
        ("left", 60 + 5 / 60, "Provider.down"),
        ("left", 120 + 4 / 60, "Provider.down"),
        ("end", 130, "none"),
    ]


def test_what_hangs_reports_nothing_until_its_timeout(engine: Any) -> None:
    history = served(engine, ["59m", "1h"], {"outages": [{"from": "1h", "until": "2h", "hangs": True}]})
    assert ends(history) == [("end", 69, "none"), ("left", 240, "Timeout.start_to_close")]


def test_a_retry_after_the_outage_succeeds(engine: Any) -> None:
    outages = [{"from": "1h", "until": "2h", "error_type": "Provider.down"}]
    assert ends(served(engine, ["1h"], {"outages": outages}, attempts=2)) == [("left", 90, "Provider.down")]
    assert ends(served(engine, ["95m"], {"outages": outages}, attempts=2)) == [("end", 135, "none")]


def test_it_counts_when_the_work_begins_not_when_it_is_asked_for(engine: Any) -> None:
    outages = [{"from": "5m", "until": "15m", "error_type": "Provider.down"}]
    history = served(engine, ["0s", "1m", "4m"], {"outages": outages}, workers=1)
    # The second begins at 10, fails at once, and so does the third.
    assert ends(history) == [("end", 10, "none"), ("left", 10, "Provider.down"), ("left", 10, "Provider.down")]


def test_a_slow_time_stretches_what_begins_in_it_again_and_again(engine: Any) -> None:
    slow = [{"from": "1h", "until": "2h", "repeat": "24h", "factor": 5}, {"from": "90m", "until": "4h", "factor": 2}]
    history = served(engine, ["0s", "1h", "95m", "3h", "25h", "26h"], {"slow": slow})
    assert [minute for _, minute, _ in ends(history)] == [10, 110, 145, 200, 25 * 60 + 50, 26 * 60 + 10]


def test_of_outages_at_one_time_the_first_counts_and_outages_before_slow_times(engine: Any) -> None:
    plan = {
        "outages": [
            {"from": "1h", "until": "2h", "error_type": "First", "fails_after": "1m"},
            {"from": "1h", "until": "3h", "error_type": "Second", "fails_after": "1m"},
        ],
        "slow": [{"from": "0s", "until": "9h", "factor": 3}],
    }
    history = served(engine, ["0s", "1h", "2h"], plan)
    assert ends(history) == [("end", 30, "none"), ("left", 61, "First"), ("left", 121, "Second")]


def test_an_outage_changes_no_draw_of_those_it_does_not_hit() -> None:
    """Cases that begin outside of it take as long as without it."""

    def times(**more: Any) -> dict[int, int]:
        plan = {
            "arrivals": {"poisson": "10/h"},
            "cases": 200,
            "activities": {"serve": {"duration": {"exponential": {"mean": "10m"}}, **more}},
        }
        history = wf.simulate(wf.loads(DESK.replace("ATTEMPTS", "1")), wf.Scenario.model_validate(plan))
        return dict(history.sql("""SELECT "case", duration FROM durations WHERE final_state = 'end'""").fetchall())

    usual = times()
    hit = times(outages=[{"from": "1h", "until": "2h", "error_type": "Provider.down"}])
    assert 0 < len(usual) - len(hit) < 40
    assert all(usual[case] == time for case, time in hit.items())


def test_the_share_that_fails_is_the_share_of_time_that_is_out() -> None:
    # Poisson arrivals see time averages: a quarter of each two hours is out.
    outages = [{"from": "1h", "until": "90m", "repeat": "2h", "error_type": "Provider.down"}]
    plan = {"duration": {"exponential": {"mean": "1m"}}, "outages": outages}
    history = desk({"poisson": "2/m"}, plan, cases=2_000)
    assert_agrees(of_runs(history, "avg((final_state = 'left')::INTEGER)"), 0.25)


def test_half_of_the_time_slow_the_mean_is_that_of_both_times() -> None:
    slow = [{"from": "0s", "until": "1s", "repeat": "2s", "factor": 10}]
    history = desk({"poisson": "1/m"}, {"duration": "6s", "slow": slow}, cases=2_000)
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * (0.1 + 1.0) / 2)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("outages: [{from: 2h, until: 2h, error_type: E}]", "a window from 2h until 2h holds no time"),
        ("outages: [{from: 1h, until: 2h, repeat: 90m, error_type: E}]", "until 2h cannot repeat after 1h30m"),
        ("outages: [{from: 1h, until: 2h}]", "attempts fail with an error_type, or hangs: true"),
        ("outages: [{from: 1h, until: 2h, error_type: E, hangs: true}]", "Give one of them"),
        ("outages: [{from: 1h, until: 2h, hangs: true, fails_after: 2s}]", "what hangs never reports"),
        ("outages: [{until: 2h, hangs: true}]", "from"),
        ("outages: [{from: 1h, untl: 2h, hangs: true}]", "'untl' is not a key of an outage.*Did you mean 'until'"),
        ("slow: [{from: 1h, until: 2h, factor: 0}]", "factor: expected more than 0"),
        ("slow: [{from: 1h, until: 2h, factor: 1.0e+7}]", "factor: expected 1000000.0 or less"),
        ("slow: [{from: -1h, until: 2h, factor: 2}]", "'-1h' is not a duration"),
    ],
)
def test_windows_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, plan: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\nactivities:\n  serve: {{{plan}}}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:3: .*{told}"):
        wf.load_scenario(file)
