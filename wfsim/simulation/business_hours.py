"""Business hours: the times of the week in which somebody works, by the clock of a time zone, without holidays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from wfsim.model.fields import TimeZone
from wfsim.model.problems import shown

from .distributions import Part
from .shifts import WorkTime, moment_at

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


def _day(value: object) -> object:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, date) or isinstance(found, datetime):
        raise ValueError(f"{shown(value)} is not a day. Write year, month and day: 2026-12-25.")
    return found


class BusinessHours(Part):
    """When work is done: in the shifts of each week, but on no holiday, which lasts from midnight to midnight."""

    shifts: Annotated[tuple[WorkTime, ...], Field(min_length=1, max_length=1_000)]
    time_zone: TimeZone
    holidays: tuple[Annotated[date, BeforeValidator(_day)], ...] = ()

    def openings(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        """From when until when work is done, in order and apart from each other: what reaches into a stretch of time.

        Shifts at the same time, or one after the other, are one opening.
        """
        found: list[tuple[datetime, datetime]] = []
        for opens, closes in sorted(self._pieces(since, until)):
            if found and opens <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], closes))
            else:
                found.append((opens, closes))
        return found

    def _pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What holidays leave of each shift."""
        zone = ZoneInfo(self.time_zone)
        free = sorted({datetime(day.year, day.month, day.day) for day in self.holidays})
        first, last = (moment.astimezone(zone).date() for moment in (since, until))
        # A shift may have begun in the week before.
        monday = datetime(first.year, first.month, first.day) - timedelta(days=first.weekday()) - _WEEK
        while monday.date() <= last:
            for shift in self.shifts:
                begin, end = (monday + timedelta(minutes=minutes) for minutes in shift.span)
                within = [day for day in free if day < end and day + _DAY > begin]
                edges = [begin, *(edge for day in within for edge in (day, day + _DAY)), end]
                for opens, closes in zip(edges[::2], edges[1::2]):
                    piece = moment_at(opens, zone), moment_at(closes, zone)
                    if opens < closes and piece[0] < piece[1] and since < piece[1] and piece[0] < until:
                        yield piece
            monday += _WEEK
