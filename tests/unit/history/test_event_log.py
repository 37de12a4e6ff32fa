"""Histories of workflows as logs for other tools, read again as such."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.history.test_history_views import attempts_of, path_of
from wfsim.errors import HistoryError, OptionError
from wfsim.semantics.records import Record


def test_a_log_of_states_has_the_paths_of_the_cases(made: Any) -> None:
    query = "SELECT external_id, states, closed - started FROM durations JOIN variants USING (run, path_hash)"
    with wf.read_log(made.history.log("states").arrow()) as again:
        found = {name: (tuple(states), took) for name, states, took in again.sql(query).fetchall()}
    assert found == {f"claim-{case}": (path_of(rows), spent(rows)) for case, rows in made.records.items()}


def spent(rows: list[Record]) -> int:
    """From the first entry into a root state to the last one."""
    moments = [
        row.time
        for row in rows
        if row.region == "" and (row.kind == "state_entered" or (row.kind == "transition" and row.to_state is not None))
    ]
    return moments[-1] - moments[0]


def test_a_log_of_activities_has_the_attempts_that_began(made: Any) -> None:
    """Reports that were ignored are none; what was given up is told, and is no completion."""
    table = made.history.log("activities").arrow()
    told = Counter(zip(table["case:concept:name"].to_pylist(), table["lifecycle:transition"].to_pylist()))
    expected: Counter[tuple[str, str]] = Counter()
    services: Counter[tuple[str, int]] = Counter()
    for attempt in attempts_of(made.records):
        name = f"claim-{attempt.case}"
        expected[name, "start"] += attempt.started is not None
        expected[name, "complete"] += attempt.how == "activity_succeeded"
        given_up = attempt.how is not None and attempt.how != "activity_succeeded"
        expected[name, "ate_abort"] += given_up and (attempt.started is not None or attempt.how == "activity_failed")
        if attempt.how == "activity_succeeded" and attempt.service is not None:
            services[name, attempt.service] += 1
    assert told == +expected
    assert all(
        sum(n for (_, kind), n in told.items() if kind == each) > 5 for each in ("start", "complete", "ate_abort")
    )
    with wf.read_log(table) as again:
        rows = again.sql(
            "SELECT external_id, service FROM executions WHERE outcome = 'succeeded' AND service IS NOT NULL"
        )
        assert Counter(rows.fetchall()) == services


def test_a_simulation_is_told_by_the_calendar(tmp_path: Path) -> None:
    """Its time 0 is where its scenario begins, and real runs have the time of the day."""
    begins = datetime(2026, 3, 7, 8, 30, tzinfo=UTC)
    flow = wf.loads("""\
name: door
version: 1.0.0
initial_state: shut
activities: {push: {}}
states: [{name: shut, activity: push}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: done, to: open}]
""")
    plan = wf.Scenario.model_validate(
        {"begins": begins.isoformat(), "arrivals": {"at": ["1h"]}, "activities": {"push": {"duration": "5m"}}}
    )
    came, went = begins + timedelta(hours=1), begins + timedelta(hours=1, minutes=5)
    with wf.simulate(flow, plan, progress=False) as history:
        for of in ("states", "activities"):
            log = history.log(of)
            assert log.arrow()["time:timestamp"].to_pylist() == [came, went]
            for path in (
                log.to_xes(tmp_path / "a.xes"),
                log.to_csv(tmp_path / "a.csv"),
                log.to_parquet(tmp_path / "a.parquet"),
            ):
                with wf.read_log(path) as again:
                    ((first, last),) = again.sql("SELECT min(time), max(time) FROM history").fetchall()
                    assert [datetime.fromtimestamp(each / 1e6, UTC) for each in (first, last)] == [came, went]
    with wf.start(flow, activities={"push": lambda: None}, clock=wf.ManualClock(datetime_us(begins))) as run:
        run.wait()
        assert run.history.log("states").arrow()["time:timestamp"].to_pylist() == [begins, begins]


def datetime_us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_logs_that_there_are_not_are_told(made: Any, make: Any) -> None:
    with pytest.raises(OptionError, match="Give 'events', 'states' or 'activities'"):
        made.history.log("sates")
    with pytest.raises(HistoryError, match=r"was not imported, so it has no events as they came"):
        made.history.log("events")
    with pytest.raises(HistoryError, match="does not keep what a log of activities is made of"):
        make(cases=3, log="transitions").history.log("activities")


def test_a_part_of_the_time_is_a_log_of_that_part(made: Any) -> None:
    times = sorted(row.time for rows in made.records.values() for row in rows)
    since, until = times[len(times) // 3], times[2 * len(times) // 3]
    ((begins,),) = made.history.sql("SELECT begins FROM run_begins").fetchall()
    moments = [
        datetime_us(each) - begins
        for each in made.history.between(since, until).log("states").arrow()["time:timestamp"].to_pylist()
    ]
    assert since <= min(moments) < max(moments) < until
    whole = [
        row.time
        for rows in made.records.values()
        for row in rows
        if row.region == "" and (row.kind == "state_entered" or row.to_state is not None) and since <= row.time < until
    ]
    assert sorted(moments) == sorted(whole)
