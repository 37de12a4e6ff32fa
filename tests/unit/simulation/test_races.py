"""Events by race: exact runs at both speeds, and minima of exponential times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import MINUTE, assert_agrees, of_runs
from wfsim.errors import ScenarioError
from wfsim.history.history import History

WAIT = """\
name: wait
version: 1.0.0
initial_state: waiting
variables: {n: {type: integer, initial: 0}}
states: [{name: waiting}, {name: paid, is_terminal: true}, {name: gone, is_terminal: true}]
transitions:
  - {from: waiting, event: pay, to: paid, condition: "context.n >= 2"}
  - {from: waiting, event: leave, to: gone}
  - from: waiting
    event: ask
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
"""


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def waited(engine: Any, events: Any, **more: Any) -> History:
    scenario = {"arrivals": {"every": "1m"}, "cases": 1, "events": {"waiting": events}, **more}
    return wf.simulate(wf.loads(WAIT), wf.Scenario.model_validate(scenario), engine=engine, progress=False)


def exponential(mean: str) -> dict[str, Any]:
    return {"exponential": {"mean": mean}}


def test_the_earliest_comes_and_among_equals_the_first(engine: Any) -> None:
    race = [{"event": "leave", "delay": "3m"}, {"event": "pay", "delay": "2m"}]
    # What is paid too early is rejected, and both run anew, until the patience is used up.
    history = waited(engine, {"race": race}, patience=3)
    assert history.sql("SELECT event, time FROM history WHERE kind = 'event_received' ORDER BY time").fetchall() == [
        ("pay", minute * MINUTE) for minute in (3, 5, 7)
    ]
    equal = [{"event": "leave", "delay": "3m"}, {"event": "pay", "delay": "3m"}]
    assert waited(engine, {"race": equal}).sql("SELECT final_state FROM durations").fetchall() == [("gone",)]
    assert waited(engine, {"race": equal[::-1]}, patience=1).sql("SELECT status FROM durations").fetchall() == [
        ("open",)
    ]


def test_after_an_internal_transition_all_run_anew(engine: Any) -> None:
    race = [{"event": "pay", "delay": exponential("2m")}, {"event": "ask", "delay": exponential("1m")}]
    history = waited(engine, {"race": race}, cases=200)
    assert history.sql("SELECT DISTINCT final_state FROM durations").fetchall() == [("paid",)]
    asked = history.sql("SELECT count(*) FROM history WHERE event = 'ask' AND kind = 'event_received'").fetchall()[0][0]
    # Two are needed, and further ones come before a payment in two of three cases.
    assert 700 < asked < 900


def test_the_first_of_exponential_times_is_exponential_and_who_wins_is_by_rate() -> None:
    race = [{"event": "leave", "delay": exponential("2m")}, {"event": "ask", "delay": exponential("6m")}]
    history = waited("compiled", {"race": race}, cases=2_000, replications=8)
    # Asking is internal, so that each case leaves after a geometric number of races of 1.5 minutes each.
    assert_agrees(of_runs(history, "avg(duration)"), MINUTE * 2)
    asked = history.sql(
        """SELECT count(*) FILTER (event = 'ask') / count(*) FROM history
        WHERE kind = 'event_received' GROUP BY run ORDER BY run"""
    ).fetchall()
    assert_agrees([share for (share,) in asked], (1 / 6) / (1 / 6 + 1 / 2))


def test_delays_go_by_the_names_of_events_not_by_their_places() -> None:
    race = [{"event": "leave", "delay": exponential("2m")}, {"event": "ask", "delay": exponential("6m")}]
    one, other = (waited("python", {"race": order}, cases=50) for order in (race, race[::-1]))
    assert one.digest == other.digest
    assert waited("compiled", {"race": race[::-1]}, cases=50).digest == one.digest


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ("{race: []}", r"s\.yaml:3: .*race: expected at least 1 entry"),
        ("{race: [{event: pay}, {event: pay}]}", r"s\.yaml:3: .*event 'pay' runs twice in one race"),
        ("{race: [{event: pay, weight: 2}]}", r"s\.yaml:3: .*the weight of event 'pay' means nothing in a race"),
        ("{race: [{event: pay, dely: 2s}]}", r"s\.yaml:3: .*'dely' is not a key.*Did you mean 'delay'"),
        ("{race: [{event: pay}], weight: 1}", r"s\.yaml:3: .*'weight' is not a key of a race"),
        ("{event: pay}", r"s\.yaml:3: .*expected a list, found a mapping"),
        ("soon", r"s\.yaml:3: .*expected a list, found the text 'soon'"),
    ],
)
def test_a_race_that_makes_no_sense_is_refused_where_it_stands(tmp_path: Path, events: str, told: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"seed: 1\nevents:\n  waiting: {events}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=told):
        wf.load_scenario(file)


def test_what_does_not_fit_the_workflow_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("events:\n  waiting:\n    race:\n      - {event: pay}\n      - {event: payed}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"s\.yaml:5: event 'payed' does not exist.*Did you mean 'pay'"):
        wf.simulate(wf.loads(WAIT), file)
