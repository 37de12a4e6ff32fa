"""Times by the clock of a zone, and trends by its days and weeks, against Python's own zones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

import wfsim as wf
from tests.unit.history.test_history_views import quantile
from wfsim.errors import HistoryError

DOOR = """\
name: door
version: 1.0.0
initial_state: shut
states: [{name: shut}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: push, to: open}]
"""
BEGINS = datetime(2026, 3, 1, 15, tzinfo=UTC)
SCENARIO = {
    "begins": BEGINS.isoformat(),
    "cases": 480,
    "arrivals": {"every": "3h"},
    "events": {"shut": [{"event": "push", "delay": {"exponential": {"mean": "20h"}}}]},
}
# Summer begins at 2, at 3, by half an hour at 2, at midnight, and never.
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"]


@pytest.fixture(scope="module")
def spring() -> Iterator[wf.History]:
    with wf.simulate(wf.loads(DOOR), wf.Scenario.model_validate(SCENARIO), seed=2, progress=False) as made:
        yield made


def first_day(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_a_trend_by_the_clock_has_the_days_weeks_and_months_of_the_zone(
    spring: wf.History, zone: str, unit: str
) -> None:
    place = ZoneInfo(zone)

    def bucket(time: int) -> date:
        return first_day((BEGINS + timedelta(microseconds=time)).astimezone(place).date(), unit)

    cases = spring.sql("SELECT started, closed, duration FROM durations").fetchall()
    started = Counter(bucket(began) for began, _, _ in cases)
    closed = Counter(bucket(ended) for _, ended, _ in cases if ended is not None)
    rows = spring.sql(
        "SELECT local_start, bucket_start, started, closed, open_at_end, p50_duration FROM trend($unit, $zone)",
        {"unit": unit, "zone": zone},
    ).fetchall()
    assert rows[0][0] == min(started)
    assert rows[-1][0] == max(closed)
    still = 0
    for day, begin, n_started, n_closed, n_open, median in rows:
        midnight = datetime(day.year, day.month, day.day, tzinfo=place).astimezone(UTC)
        assert BEGINS + timedelta(microseconds=begin) == midnight
        still += started[day] - closed[day]
        assert (n_started, n_closed, n_open) == (started[day], closed[day], still)
        durations = [each for _, ended, each in cases if ended is not None and bucket(ended) == day]
        assert median == (pytest.approx(quantile(durations, 0.5), abs=1) if durations else None)
    assert sum(row[2] for row in rows) == len(cases)
    days = [row[0] for row in rows]
    assert days == sorted(days)
    if unit == "day":
        assert days == [days[0] + timedelta(days=k) for k in range(len(days))]
        lengths = {(later[1] - row[1]) // 60_000_000 for row, later in pairwise(rows)}
        assert lengths == ({1440} if zone == "Asia/Kolkata" else {1440, 1470 if "Lord" in zone else 1380})


@pytest.mark.parametrize("zone", [*ZONES, "UTC"])
def test_local_time_is_what_the_clock_shows(spring: wf.History, zone: str) -> None:
    rows = spring.sql(
        "SELECT started, local_time(d.run, started, $zone), local_time(run, closed, $zone) IS NULL, closed "
        "FROM durations d",
        {"zone": zone},
    ).fetchall()
    assert len(rows) == 480
    for time, local, unknown, closed in rows:
        assert local == (BEGINS + timedelta(microseconds=time)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert unknown is (closed is None)


def test_real_runs_have_the_time_of_the_day() -> None:
    with wf.start(wf.loads(DOOR)) as run:
        before = datetime.now(UTC)
        run.send("push")
        ((time, local, begins),) = run.history.sql(
            "SELECT closed, local_time(d.run, closed, 'UTC'), z.begins FROM durations d JOIN run_begins z USING (run)"
        ).fetchall()
        assert begins == 0
        assert local == datetime(1970, 1, 1) + timedelta(microseconds=time)
        assert abs(local.replace(tzinfo=UTC) - before) < timedelta(hours=1)


def test_a_unit_or_a_zone_that_there_is_not_is_told(spring: wf.History) -> None:
    with pytest.raises(HistoryError, match="trend by hour: with a time zone give one of day, week, month"):
        spring.sql("FROM trend('hour', 'Europe/Berlin')").fetchall()
    with pytest.raises(HistoryError, match=r"Unknown TimeZone 'Europe/Berln'"):
        spring.sql("FROM trend('day', 'Europe/Berln')").fetchall()
