"""What an engine does that is not perfect: attempts carried out twice, timers noticed late; at both speeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.simulation.test_scenario_formulas import assert_agrees
from wfsim.errors import ScenarioError
from wfsim.history.history import History
from wfsim.history.replay import replay_all

MINUTE = 60_000_000
ORDER = """\
name: order
version: 1.0.0
initial_state: charging
activities:
  charge: {compensate_with: refund, timeout: 5m, retry_policy: {max_attempts: 2, initial_interval: 50s, jitter: 0}}
  refund: {}
variables: {paid: {type: integer, optional: true}}
states:
  - {name: charging, activity: {name: charge, result_variable: paid}}
  - {name: packing, timeout: 100s}
  - {name: returned, is_terminal: true, outcome: failure}
  - {name: refused, is_terminal: true, outcome: failure}
transitions:
  - {from: charging, event: done, to: packing}
  - {from: charging, event: error, to: refused}
  - {from: packing, event: timeout, to: returned, pre_actions: [{action_type: compensate}]}
"""


@pytest.fixture(params=["python", "compiled"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def ordered(engine: Any, charge: dict[str, Any], cases: int = 1, **more: Any) -> History:
    scenario = {"arrivals": {"every": "10m"}, "cases": cases, "activities": {"charge": charge}, **more}
    history = wf.simulate(wf.loads(ORDER), wf.Scenario.model_validate(scenario), engine=engine, progress=False)
    assert cases > 1 or replay_all(history)
    return history


def told(history: History, *wanted: str) -> list[tuple[Any, ...]]:
    """Records of some kinds: what, whose, and the seconds after the first case began."""
    kinds = ", ".join(f"'{kind}'" for kind in wanted)
    rows = history.sql(
        f"SELECT kind, activity, time FROM history WHERE kind IN ({kinds}) ORDER BY time, seq"
    ).fetchall()
    return [(kind, activity, time / 1e6 - 600) for kind, activity, time in rows]


# --- twice --------------------------------------------------------------------------------------------


def test_a_second_report_is_recorded_as_late_and_moves_nothing(engine: Any) -> None:
    history = ordered(engine, {"duration": "40s", "result": 7, "twice": 1.0})
    assert told(history, "activity_started", "activity_succeeded", "stimulus_ignored", "transition")[:5] == [
        ("activity_started", "charge", 0),
        ("activity_succeeded", "charge", 40),
        ("transition", None, 40),
        ("activity_succeeded", None, 80),
        ("stimulus_ignored", None, 80),
    ]
    assert history.sql(
        "SELECT DISTINCT payload->>'reason' FROM history WHERE kind = 'stimulus_ignored'"
    ).fetchall() == [("late",)]
    assert history.case(1).variables["paid"] == 7


def test_what_was_done_twice_is_undone_once(engine: Any) -> None:
    # Its key is that of the first time, so there is one effect.
    history = ordered(engine, {"duration": "40s", "twice": 1.0})
    assert [row for row in told(history, "activity_scheduled") if row[1] == "refund"] == [
        ("activity_scheduled", "refund", 140)
    ]


def test_after_the_instance_has_closed_nobody_records_it(engine: Any) -> None:
    history = ordered(engine, {"duration": "2m", "twice": 1.0})
    assert told(history, "stimulus_ignored") == []
    assert history.sql("SELECT max(time) FROM records").fetchall() == [((600 + 120 + 100) * 10**6,)]


def test_who_fails_is_not_carried_out_twice(engine: Any) -> None:
    history = ordered(engine, {"twice": 1.0, "failures": [{"error_type": "E", "probability": 1.0}]})
    assert told(history, "stimulus_ignored", "activity_succeeded") == []


def test_the_share_is_kept_and_nothing_else_changes() -> None:
    plan = {"duration": {"exponential": {"mean": "5s"}}}
    usual, twice = (ordered("compiled", {**plan, "twice": share}, cases=1_500, replications=8) for share in (0.0, 0.1))
    shares = twice.sql(
        """SELECT count(*) FILTER (kind = 'stimulus_ignored') / count(DISTINCT "case") FROM history
        GROUP BY run ORDER BY run"""
    ).fetchall()
    assert_agrees([share for (share,) in shares], 0.1)
    query = 'SELECT run, "case", started, closed, final_state FROM durations ORDER BY ALL'
    assert twice.sql(query, max_rows=None).fetchall() == usual.sql(query, max_rows=None).fetchall()


# --- late timers --------------------------------------------------------------------------------------


def test_timers_are_noticed_at_the_next_look(engine: Any) -> None:
    history = ordered(engine, {"duration": "40s"}, timer_poll="30s")
    # Due at 140 s; compensation takes no time.
    assert told(history, "timer_fired", "instance_closed") == [
        ("timer_fired", None, 150),
        ("instance_closed", None, 150),
    ]
    on_time = ordered(engine, {"duration": "40s"}, timer_poll="20s")
    assert told(on_time, "timer_fired") == [("timer_fired", None, 140)]


def test_clocks_and_retries_are_noticed_late_too_and_what_comes_before_counts(engine: Any) -> None:
    # The first attempt would time out at 300 s, and is noticed at 420; it reports at 400.
    history = ordered(engine, {"duration": "400s"}, timer_poll="7m")
    charged = [row for row in told(history, "activity_succeeded", "attempt_timed_out") if row[1] == "charge"]
    assert charged == [("activity_succeeded", "charge", 400)]
    failing = [{"error_type": "E", "probability": 1.0}]
    retried = ordered(engine, {"failures": failing}, timer_poll="3m")
    assert told(retried, "activity_failed") == [("activity_failed", "charge", 0), ("activity_failed", "charge", 120)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timer_poll: 0s", r"s\.yaml:1: timer_poll: expected more than 0"),
        ("timer_poll: often", r"s\.yaml:1: .*'often'"),
        ("activities: {charge: {twice: 1.5}}", r"s\.yaml:1: twice: expected 1\.0 or less"),
    ],
)
def test_faults_that_make_no_sense_are_refused_where_they_stand(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=said):
        wf.load_scenario(file)
