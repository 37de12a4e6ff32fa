"""Durations in business hours, in every view that has any, against plain Python over the records that went in."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.history.test_executions import attempts_of as executions_of
from tests.unit.history.test_history_views import attempts_of, ending, path_of, quantile, stays_of
from wfsim.errors import HistoryError

MINUTE = 60_000_000
# Time 0 of a simulation is the first of January 2026, a Thursday.
SHIFTS = [
    {"from": f"Thu {begin}", "until": f"Thu {end}"}
    for begin, end in (
        ("00:01", "00:03"),
        ("00:04", "00:05"),
        ("00:05", "00:09"),
        ("00:12", "01:30"),
        ("03:00", "04:00"),
    )
]
WORKED = ((1, 3), (4, 9), (12, 90), (180, 240))
WEEK = [{"from": f"{day} 09:00", "until": f"{day} 17:00"} for day in ("Mon", "Tue", "Wed", "Thu", "Fri")]


def clock(time: int) -> int:
    return sum(max(0, min(time, end * MINUTE) - begin * MINUTE) for begin, end in WORKED)


def worked(since: int | None, until: int | None) -> int | None:
    return None if since is None or until is None else clock(until) - clock(since)


@pytest.fixture(scope="module")
def office(made: Any) -> wf.History:
    found: wf.History = made.history.business_hours(SHIFTS, time_zone="UTC")
    return found


def test_cases_last_as_long_as_is_worked_meanwhile(made: Any, office: wf.History) -> None:
    expected = {case: worked(rows[0].time, ending(rows)[2]) for case, rows in made.records.items()}
    rows = office.sql('SELECT "case", duration FROM durations').fetchall()
    assert dict(rows) == expected
    whole = dict(made.history.sql('SELECT "case", duration FROM durations').fetchall())
    assert any(whole[case] != expected[case] for case in whole)
    by_path = defaultdict(list)
    for case, records in made.records.items():
        if (duration := expected[case]) is not None:
            by_path[path_of(records)].append(duration)
    for view, total, median in (
        ("variants", "total_duration", "p50_duration"),
        ("hot_paths", "total_time", "p50_time"),
    ):
        got = office.sql(f"SELECT states, {total}, {median} FROM {view}").fetchall()
        assert {tuple(states): (n, middle) for states, n, middle in got} == {
            path: (sum(each), pytest.approx(quantile(each, 0.5), abs=1)) for path, each in by_path.items()
        }
    assert wf.hot_paths(office).df()["total_time"].sum() == sum(sum(each) for each in by_path.values())


def test_stays_edges_and_bottlenecks_are_measured_by_what_is_worked(made: Any, office: wf.History) -> None:
    horizon = max(row.time for rows in made.records.values() for row in rows)
    stays = stays_of(made.records)
    got = office.sql('SELECT "case", region, state, entered, dwell FROM stays').fetchall()
    assert sorted(got, key=str) == sorted(
        ((stay.case, stay.region, stay.state, stay.entered, worked(stay.entered, stay.left)) for stay in stays), key=str
    )
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for stay in stays:
        totals[stay.region, stay.state] += worked(stay.entered, horizon if stay.left is None else stay.left) or 0
    rows = office.sql("SELECT region, name, total_wait FROM bottlenecks WHERE what = 'state'").fetchall()
    assert {row[:2]: row[2] for row in rows} == dict(totals)
    edges: dict[tuple[Any, ...], int] = defaultdict(int)
    for records in made.records.values():
        entered: dict[str, int] = {}
        for row in records:
            if row.kind == "state_entered" or (row.kind == "transition" and row.to_state is not None):
                region = row.region or ""
                if row.kind == "transition":
                    edges[region, row.state, row.to_state, row.event] += worked(entered[region], row.time) or 0
                entered[region] = row.time
    rows = office.sql("SELECT region, from_state, to_state, event, total_dwell FROM dfg").fetchall()
    assert {row[:4]: row[4] for row in rows} == dict(edges)


def test_activities_wait_and_are_served_in_business_hours(made: Any, office: wf.History) -> None:
    attempts = attempts_of(made.records)
    waits = [worked(each.scheduled, each.started) or 0 for each in attempts if each.started is not None]
    services = [worked(each.started, each.ended) or 0 for each in attempts if each.service is not None]
    (row,) = office.sql("SELECT total_wait, p95_wait, total_service, p95_service FROM activity_stats").fetchall()
    assert row[::2] == (sum(waits), sum(services))
    assert row[1::2] == pytest.approx((quantile(waits, 0.95), quantile(services, 0.95)), abs=1)
    measured = office.sql("SELECT total_wait, total_service FROM bottlenecks WHERE what = 'activity'").fetchall()
    assert measured == [(sum(waits), sum(services))]
    by_case: dict[int, int] = defaultdict(int)
    for attempt in attempts:
        by_case[attempt.case] += worked(attempt.scheduled, attempt.started) or 0
    closed = sum(by_case[case] for case, rows in made.records.items() if ending(rows)[0] != "open")
    assert office.sql("SELECT sum(total_wait) FROM hot_paths").fetchall() == [(closed,)]
    expected = {}
    for case, rows in made.records.items():
        for (_, serial, attempt), each in executions_of(case, rows).items():
            expected[case, serial, attempt] = (worked(each[7], each[8]), worked(each[8], each[9]))
    rows = office.sql('SELECT "case", activity_id, attempt, wait, service FROM executions').fetchall()
    assert {row[:3]: row[3:] for row in rows} == expected


def test_records_tell_durations_in_business_hours_too(made: Any, office: wf.History) -> None:
    whole = made.history.sql("SELECT time, dwell, wait, service FROM history ORDER BY ALL").fetchall()
    got = office.sql("SELECT time, dwell, wait, service FROM history ORDER BY ALL").fetchall()
    assert sorted(got, key=str) == sorted(
        ((time, *(each and worked(time - each, time) for each in rest)) for time, *rest in whole), key=str
    )


def test_in_a_part_of_the_time_business_hours_count_as_well(made: Any, office: wf.History) -> None:
    since, until = 5 * MINUTE, 30 * MINUTE
    one = office.between(since, until)
    other = made.history.between(since, until).business_hours(SHIFTS, time_zone="UTC")
    for view in ("durations", "dfg", "stays", "activity_stats"):
        rows = one.sql(f"FROM {view}").fetchall()
        assert rows
        assert rows == other.sql(f"FROM {view}").fetchall()
        assert rows != office.sql(f"FROM {view}").fetchall()


def test_a_trend_has_them_and_the_summary_says_so(made: Any, office: wf.History) -> None:
    durations = [worked(rows[0].time, ending(rows)[2]) for rows in made.records.values()]
    closed = [each for each in durations if each is not None]
    (mean,) = office.sql("SELECT sum(mean_duration * closed) / sum(closed) FROM trend(3600000000)").fetchall()[0]
    assert mean == pytest.approx(sum(closed) / len(closed))
    assert office.summary()["sojourn.mean"].value == pytest.approx(sum(closed) / len(closed) / 1e6)
    assert "Durations count business hours only." in str(office.summary())
    assert "business hours" in repr(office)
    assert "business hours" not in repr(made.history)


SLAS = {
    "begins": "2026-03-27T14:00:00+01:00",
    "cases": 60,
    "arrivals": {"every": "20m"},
    "events": {"shut": [{"event": "push", "delay": {"exponential": {"mean": "6h"}}}]},
    "slas": [{"name": "soon", "within": "4h"}, {"name": "sooner", "within": "30m", "from": "shut"}],
}
DOOR = """\
name: door
version: 1.0.0
initial_state: shut
states: [{name: shut}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: push, to: open}]
"""


def test_an_sla_allows_so_much_time_in_business_hours(tmp_path: Path) -> None:
    scenario = wf.Scenario.model_validate(SLAS)
    with wf.simulate(wf.loads(DOOR), scenario, seed=3, progress=False) as history:
        office = history.business_hours(WEEK, time_zone="Europe/Berlin", holidays=["2026-03-30"])
        rows = office.sql(
            "SELECT met, business_time(begun, ended) <= within, business_time(begun, due) - within, "
            "business_time(begun, due - 1) - within, due FROM sla_cases JOIN slas USING (run, sla)"
        ).fetchall()
        assert len(rows) == 120
        for met, in_time, over, before, _ in rows:
            assert met is in_time
            assert (over, before) == (0, -1)
        # Whoever is due on a Saturday by the clock is so on the Tuesday after the holiday.
        assert {met for met, *_ in rows} == {True, False}
        by_clock = dict(history.sql("SELECT sla, met FROM sla").fetchall())
        assert all(n > by_clock[name] for name, n in office.sql("SELECT sla, met FROM sla").fetchall())


def test_hours_of_a_pool_are_business_hours(made: Any, office: wf.History) -> None:
    pool = wf.Scenario.model_validate(
        {"pools": {"clerks": {"shifts": [{**shift, "capacity": 2} for shift in SHIFTS]}}}
    ).pools["clerks"]
    other = made.history.business_hours(pool.shifts, time_zone="UTC")
    assert other.sql("FROM durations").fetchall() == office.sql("FROM durations").fetchall()


def test_a_store_counts_what_came_since() -> None:
    with wf.open_engine(activities={}) as store:
        office = store.history.business_hours(WEEK, time_zone="Europe/Berlin")
        assert office.sql("SELECT count(*) FROM durations").fetchall() == [(0,)]
        with wf.start(wf.loads(DOOR), store=store, id="one") as run:
            run.send("push")
            assert run.status == "completed"
            office = store.history.business_hours(WEEK, time_zone="Europe/Berlin")
            ((duration, worked_then),) = office.sql(
                "SELECT duration, business_time(started, closed) FROM durations"
            ).fetchall()
            assert duration == worked_then
            assert 0 <= duration < MINUTE


@pytest.mark.parametrize(
    ("shifts", "zone", "holidays", "said"),
    [
        ([{"from": "Mon 9", "until": "Mon 17:00"}], "UTC", (), r"shifts\[0\]\.from: 'Mon 9' is not a time of the week"),
        ([{"from": "Mon 09:00"}], "UTC", (), "the key 'until' is missing"),
        (WEEK, "Europe/Berln", (), "not a time zone.*Did you mean 'Europe/Berlin'"),
        (WEEK, "UTC", ["2026-02-30"], r"holidays\[0\].*is not a day\. Write year, month and day"),
        (WEEK, "UTC", [20260101], "is not a day"),
        ([], "UTC", (), "shifts: expected at least 1 entry"),
        (7, "UTC", (), "shifts: expected a list"),
        ("Mon 09:00", "UTC", (), "shifts: expected a list"),
    ],
)
def test_what_are_no_business_hours_is_told(made: Any, shifts: Any, zone: str, holidays: Any, said: str) -> None:
    with pytest.raises(HistoryError, match=said):
        made.history.business_hours(shifts, time_zone=zone, holidays=holidays)


def test_a_time_for_which_they_are_not_known_is_an_error_and_no_number(office: wf.History) -> None:
    with pytest.raises(HistoryError, match="known from a year before the first case to a year after the last record"):
        office.sql("SELECT business_time(0, 400 * 86400000000)").fetchall()
    assert office.sql("SELECT business_time(0, NULL), business_time(NULL, 1)").fetchall() == [(None, None)]


def test_hours_that_begin_too_often_are_told(made: Any) -> None:
    shifts = [{"from": f"Mon 09:{minute:02}", "until": f"Mon 09:{minute + 1:02}"} for minute in range(0, 59, 2)]
    with pytest.raises(HistoryError, match="begin too often"):
        made.history.business_hours(shifts, time_zone="UTC")


def test_runs_that_begin_at_different_moments_are_told(make: Any, tmp_path: Path) -> None:
    into = tmp_path / "two.duckdb"
    for scenario in (None, json.dumps({"begins": "2026-02-01T01:00:00+01:00"})):
        make(cases=2, into=into, scenario=scenario, existing="append").history.close()
    with wf.open_history(into) as history:
        assert [row[1] for row in history.sql("FROM run_begins").fetchall()] == [1767225600000000, 1769904000000000]
        with pytest.raises(HistoryError, match=r"differs between the runs.*run 1: 2026-01-01.*run 2: 2026-02-01"):
            history.business_hours(WEEK, time_zone="UTC")


def test_sums_over_all_time_have_no_business_hours() -> None:
    history = wf.simulate(wf.loads(DOOR), cases=2, log="aggregates", progress=False)
    with history, pytest.raises(HistoryError, match="aggregates"):
        history.business_hours(WEEK, time_zone="UTC")


def test_a_case_is_the_same(made: Any, office: wf.History) -> None:
    assert office.case(1).records() == made.history.case(1).records()
    assert office.digest == made.history.digest
    assert json.loads(json.dumps(office.counts)) == made.history.counts
