"""When a workflow starts by itself: every so often, or by a cron expression in a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from wfsim.model.elements import Schedule

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The times of a schedule later than `after`, in order, as UTC; without end.

    Parameters
    ----------
    after
        With a time zone.

    Notes
    -----
    `every` counts from 1970-01-01T00:00:00Z plus `offset`, so it does not depend on when anybody looks. `cron` is read
    by cronsim in the schedule's time zone as Debian's cron reads it: a time that the clock skips when summer begins
    comes right after the gap, one that it shows twice comes once, and jobs of every hour or minute run through.
    """
    if schedule.every is not None:
        period, offset = int(schedule.every), int(schedule.offset)
        passed = (after - _EPOCH) // _MICROSECOND - offset
        number = passed // period + 1
        while True:
            yield _EPOCH + (number * period + offset) * _MICROSECOND
            number += 1
    from cronsim import CronSim

    zone = ZoneInfo(schedule.time_zone)
    for time in CronSim(schedule.cron or "", after.astimezone(zone)):
        yield time.astimezone(UTC)


def told(schedule: Schedule) -> str:
    """The schedule in a few words: `every 15m`, `At 02:00 every day (Europe/Berlin)`."""
    if schedule.every is not None:
        return f"every {schedule.every}" + (f", {schedule.offset} later" if schedule.offset else "")
    from cronsim import CronSim

    return f"{CronSim(schedule.cron or '', datetime(2026, 1, 1, tzinfo=UTC)).explain()} ({schedule.time_zone})"
