"""Points in time: ISO 8601 text in files and at the door, integer microseconds since 1970 inside (M6.5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")
LATEST = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""


def moment(text: str) -> int:
    """Microseconds since 1970 in UTC of a text such as `2026-11-30T09:00:00Z` or `…+01:00`.

    Raises
    ------
    ValueError
        If it is none; without an offset nobody could know when it is.
    """
    if not _WRITTEN.fullmatch(text):
        raise ValueError("a time is written 2026-11-30T09:00:00Z, or with an offset such as +01:00")
    try:
        found = (datetime.fromisoformat(text) - _START) // _MICROSECOND
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None
    if not 0 <= found <= LATEST:
        raise ValueError("a time lies between 1970 and 9999")
    return found


def written(time: int) -> str:
    """The text of a point in time, in UTC."""
    return (_START + time * _MICROSECOND).isoformat().replace("+00:00", "Z")
