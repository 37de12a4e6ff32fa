"""Time in business hours, asked in SQL, against a clock that is read minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.simulation.shifts import DAYS

MINUTE = timedelta(minutes=1)
MICROSECONDS = 60_000_000
# Both changes of a year, each in the middle of its three weeks.
PERIODS = {"Europe/Berlin": (datetime(2026, 3, 19), datetime(2026, 10, 15))}
PERIODS["America/New_York"] = (datetime(2026, 2, 26), datetime(2026, 10, 22))
# By half an hour.
PERIODS["Australia/Lord_Howe"] = (datetime(2026, 3, 26), datetime(2026, 9, 24))
# At midnight.
PERIODS["Africa/Cairo"] = (datetime(2026, 4, 14), datetime(2026, 10, 20))
PERIODS["Asia/Kolkata"] = (datetime(2026, 1, 1), datetime(2026, 7, 1))
PERIODS["UTC"] = (datetime(2026, 1, 1), datetime(2026, 12, 24))
LENGTH = timedelta(days=21)
ZERO = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def shown(zone: str, begin: datetime) -> tuple[list[datetime], dict[datetime, int]]:
    """What a clock shows at each minute, and at which it first shows that."""
    place = ZoneInfo(zone)
    minutes = int(LENGTH / MINUTE)
    walls = [(begin.replace(tzinfo=UTC) + k * MINUTE).astimezone(place).replace(tzinfo=None) for k in range(minutes)]
    first: dict[datetime, int] = {}
    for k, wall in enumerate(walls):
        first.setdefault(wall.replace(fold=0), k)
    return walls, first


def worked(zone: str, begin: datetime, shifts: list[dict[str, str]], holidays: set[date]) -> bytearray:
    """For each minute from then on whether somebody works."""
    _, first = shown(zone, begin)
    found = bytearray(int(LENGTH / MINUTE))

    last = max(first)

    def at(wall: datetime) -> int:
        skipped = 0
        while wall not in first:
            if wall > last:
                return len(found)
            wall, skipped = wall - MINUTE, skipped + 1
        return first[wall] + skipped

    for day in range(-9, 23):
        monday = begin + timedelta(days=day)
        for shift in shifts:
            if DAYS[monday.weekday()] != shift["from"][:3]:
                continue
            start = monday + _clock(shift["from"])
            length = (_of_week(shift["until"]) - _of_week(shift["from"])) % timedelta(days=7)
            moment, end = start, start + length
            while moment < end:
                midnight = datetime(moment.year, moment.month, moment.day) + timedelta(days=1)
                stop = min(midnight, end)
                if moment.date() not in holidays:
                    opens = at(moment) if moment >= min(first) else 0
                    closes = at(stop) if stop >= min(first) else 0
                    found[opens:closes] = bytes([1]) * max(0, min(closes, len(found)) - opens)
                moment = stop
    return found


def _clock(time: str) -> timedelta:
    return timedelta(hours=int(time[4:6]), minutes=int(time[7:]))


def _of_week(time: str) -> timedelta:
    return timedelta(days=DAYS.index(time[:3])) + _clock(time)


def between(minutes: bytearray, since: int, until: int) -> int:
    """Microseconds worked between two times after the begin."""
    if until < since:
        return -between(minutes, until, since)
    first, last = since // MICROSECONDS, until // MICROSECONDS
    if first == last:
        return minutes[first] * (until - since)
    whole = sum(minutes[first + 1 : last]) * MICROSECONDS
    return whole + minutes[first] * ((first + 1) * MICROSECONDS - since) + minutes[last] * (until - last * MICROSECONDS)


@st.composite
def hours(draw: st.DrawFn) -> tuple[str, datetime, list[dict[str, str]], set[date]]:
    zone = draw(st.sampled_from(sorted(PERIODS)))
    begin = draw(st.sampled_from(PERIODS[zone]))
    minute = st.sampled_from([0, 15, 30, 45]) if draw(st.booleans()) else st.integers(0, 59)
    time = st.builds(
        lambda day, hour, minute: f"{day} {hour:02}:{minute:02}", st.sampled_from(DAYS), st.integers(0, 23), minute
    )
    pairs = draw(st.lists(st.tuples(time, time).filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=5))
    days = draw(st.sets(st.integers(0, 21), max_size=3))
    return (
        zone,
        begin,
        [{"from": since, "until": until} for since, until in pairs],
        {(begin + timedelta(days=day)).date() for day in days},
    )


@pytest.fixture(scope="module")
def history() -> Iterator[wf.History]:
    door = wf.loads("""\
name: door
version: 1.0.0
initial_state: shut
states: [{name: shut}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: push, to: open}]
""")
    with wf.simulate(door, wf.Scenario.model_validate({"begins": ZERO.isoformat()}), cases=3, progress=False) as made:
        yield made


moments = st.integers(3 * 1440 * MICROSECONDS, 20 * 1440 * MICROSECONDS)
WEEK = [{"from": f"{day} 09:00", "until": f"{day} 17:00"} for day in DAYS[:5]]
NIGHTS = [{"from": "Sat 20:00", "until": "Sun 02:30"}]


@cases(10)
@given(of=hours(), pairs=st.lists(st.tuples(moments, moments), min_size=5, max_size=30))
@example(
    of=("Europe/Berlin", PERIODS["Europe/Berlin"][0], WEEK, {date(2026, 3, 30)}), pairs=[(0, 21 * 1439 * MICROSECONDS)]
)
@example(
    of=("Europe/Berlin", PERIODS["Europe/Berlin"][1], NIGHTS, set()),
    pairs=[(3 * 1440 * MICROSECONDS, 20 * 1440 * MICROSECONDS)],
)
def test_business_time_is_what_a_clock_read_minute_by_minute_counts(
    history: wf.History, of: Any, pairs: list[tuple[int, int]]
) -> None:
    zone, begin, shifts, holidays = of
    minutes = worked(zone, begin, shifts, holidays)
    office = history.business_hours(shifts, time_zone=zone, holidays=sorted(holidays))
    offset = (begin.replace(tzinfo=UTC) - ZERO) // timedelta(microseconds=1)
    got = office.sql(
        "SELECT business_time(since + $offset, until + $offset) "
        "FROM (SELECT unnest($since) AS since, unnest($until) AS until)",
        {"offset": offset, "since": [a for a, _ in pairs], "until": [b for _, b in pairs]},
    ).fetchall()
    assert [value for (value,) in got] == [between(minutes, since, until) for since, until in pairs]
    office.close()
