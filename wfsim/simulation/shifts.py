"""Shifts: how many workers there are, by the clock of a time zone, week after week but on holidays."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from wfsim.model.fields import TimeZone
from wfsim.model.problems import shown

from .distributions import Part, Whole

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * 24 * 60
"""Minutes."""
_MICROSECOND = timedelta(microseconds=1)
_ONE_DAY = timedelta(days=1)
_TIME = re.compile(rf"\s*({'|'.join(DAYS)})\s+([01]?\d|2[0-4]):([0-5]\d)\s*")


def _time_of_week(value: object) -> object:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[2] == "24" and match[3] != "00"):
        raise ValueError(f"{value!r} is not a time of the week. Write day, hour and minute: Mon 08:00, Fri 24:00.")
    return f"{match[1]} {int(match[2]):02}:{match[3]}"


TimeOfWeek = Annotated[str, BeforeValidator(_time_of_week)]


def _day(value: object) -> object:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise ValueError(f"{shown(value)} is not a day. Write year, month and day: 2026-12-25.")
    return found


Day = Annotated[date, BeforeValidator(_day)]


def _minute(time: str) -> int:
    """Minutes since the week began."""
    day, hour, minute = time[:3], time[4:6], time[7:]
    return (DAYS.index(day) * 24 * 60 + int(hour) * 60 + int(minute)) % WEEK


class WorkTime(Part):
    """From one time of the week until another, which may lie in the next week."""

    model_config = ConfigDict(populate_by_name=True)

    from_: TimeOfWeek = Field(alias="from")
    until: TimeOfWeek

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if _minute(self.from_) == _minute(self.until):
            raise ValueError(f"a shift from {self.from_} until {self.until} never opens. Let it end at another time.")
        return self

    @property
    def span(self) -> tuple[int, int]:
        """Minutes of the week in which it begins, at which it begins and ends."""
        begin, end = _minute(self.from_), _minute(self.until)
        return begin, end if end > begin else end + WEEK


class Shift(WorkTime):
    """So many workers in that time."""

    capacity: Annotated[Whole, Field(ge=1, le=1_000_000)]


def most_at_once(shifts: Sequence[Shift]) -> int:
    """The most workers that there are at any time; those of shifts at the same time add up."""
    spans = [(shift.span, shift.capacity) for shift in shifts]
    return max(
        sum(capacity for (begin, end), capacity in spans if (minute - begin) % WEEK < end - begin)
        for (minute, _), _ in spans
    )


def capacities(
    shifts: Sequence[Shift], zone: TimeZone, holidays: Sequence[date], begins: datetime, time: int
) -> Iterator[tuple[int, int]]:
    """How many workers there are at a time, then when there are how many others, in order; without end.

    Times are microseconds after `begins`.
    """
    total, last, free = 0, time, free_days(holidays)
    changes = [_moments(shift, zone, free, begins, time, opens) for shift in shifts for opens in (True, False)]
    for moment, change in heapq.merge(*changes):
        if moment > last:
            yield last, total
            last = moment
        total += change


def moment_at(shown: datetime, zone: ZoneInfo) -> datetime:
    """When a clock of the zone shows that.

    A time that the clock skips when summer begins is as much later; of one that it shows twice it is the first.
    """
    return shown.replace(tzinfo=zone).astimezone(UTC)


def free_days(holidays: Iterable[date]) -> list[datetime]:
    """The midnights with which holidays begin, in order."""
    return sorted({datetime(day.year, day.month, day.day) for day in holidays})


def worked(span: tuple[int, int], monday: datetime, free: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """What holidays leave of a shift of the week that begins so, by its clock; they last from midnight to midnight."""
    begin, end = (monday + timedelta(minutes=minutes) for minutes in span)
    within = [day for day in free if day < end and day + _ONE_DAY > begin]
    edges = [begin, *(edge for day in within for edge in (day, day + _ONE_DAY)), end]
    yield from ((opens, closes) for opens, closes in zip(edges[::2], edges[1::2]) if opens < closes)


def _moments(
    shift: Shift, zone: TimeZone, free: Sequence[datetime], begins: datetime, time: int, opens: bool
) -> Iterator[tuple[int, int]]:
    """When a shift opens, or closes, and by how many workers there are more then; from the week before a time on."""
    place = ZoneInfo(zone)
    day = (begins + time * _MICROSECOND).astimezone(place).date()
    monday = datetime(day.year, day.month, day.day) - timedelta(days=day.weekday() + 7)
    while True:
        for piece in worked(shift.span, monday, free):
            moment = moment_at(piece[0 if opens else 1], place)
            yield (moment - begins) // _MICROSECOND, shift.capacity if opens else -shift.capacity
        monday += timedelta(days=7)
