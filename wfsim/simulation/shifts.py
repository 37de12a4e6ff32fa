"""Shifts: how many workers there are, by the clock of a time zone, week after week."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from wfsim.model.fields import TimeZone

from .distributions import Part, Whole

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * 24 * 60
"""Minutes."""
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(rf"\s*({'|'.join(DAYS)})\s+([01]?\d|2[0-4]):([0-5]\d)\s*")


def _time_of_week(value: object) -> object:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[2] == "24" and match[3] != "00"):
        raise ValueError(f"{value!r} is not a time of the week. Write day, hour and minute: Mon 08:00, Fri 24:00.")
    return f"{match[1]} {int(match[2]):02}:{match[3]}"


TimeOfWeek = Annotated[str, BeforeValidator(_time_of_week)]


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


def capacities(shifts: Sequence[Shift], zone: TimeZone, begins: datetime, time: int) -> Iterator[tuple[int, int]]:
    """How many workers there are at a time, then when there are how many others, in order; without end.

    Times are microseconds after `begins`.
    """
    total, last = 0, time
    changes = [_moments(shift, zone, begins, time, opens) for shift in shifts for opens in (True, False)]
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


def _moments(shift: Shift, zone: TimeZone, begins: datetime, time: int, opens: bool) -> Iterator[tuple[int, int]]:
    """When a shift opens, or closes, and by how many workers there are more then; from the week before a time on."""
    place = ZoneInfo(zone)
    day = (begins + time * _MICROSECOND).astimezone(place).date()
    monday = datetime(day.year, day.month, day.day) - timedelta(days=day.weekday() + 7)
    minutes = shift.span[0] if opens else shift.span[1]
    while True:
        moment = moment_at(monday + timedelta(minutes=minutes), place)
        yield (moment - begins) // _MICROSECOND, shift.capacity if opens else -shift.capacity
        monday += timedelta(days=7)
