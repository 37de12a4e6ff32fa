"""Business hours: the times of the week in which somebody works, by the clock of a time zone, without holidays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from wfsim.model.fields import TimeZone

from .distributions import Part
from .shifts import Day, WorkTime, free_days, moment_at, worked

_WEEK = timedelta(days=7)


class BusinessHours(Part):
    """When work is done: in the shifts of each week, but on no holiday, which lasts from midnight to midnight."""

    shifts: Annotated[tuple[WorkTime, ...], Field(min_length=1, max_length=1_000)]
    time_zone: TimeZone
    holidays: tuple[Day, ...] = ()

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
        free = free_days(self.holidays)
        first, last = (moment.astimezone(zone).date() for moment in (since, until))
        # A shift may have begun in the week before.
        monday = datetime(first.year, first.month, first.day) - timedelta(days=first.weekday()) - _WEEK
        while monday.date() <= last:
            for shift in self.shifts:
                for opens, closes in worked(shift.span, monday, free):
                    piece = moment_at(opens, zone), moment_at(closes, zone)
                    if piece[0] < piece[1] and since < piece[1] and piece[0] < until:
                        yield piece
            monday += _WEEK
