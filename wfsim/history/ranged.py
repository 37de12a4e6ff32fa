"""A part of a history's time, as views that stand before its tables and have their names.

Whoever asks on a connection with the variables `since` and `until` sees what happened from the one on and before the
other: records by their time, stays, attempts and cases by when they ended, and what had not ended then as what lasts.
Only such connections look there (`opening.cursor`); others read the tables, as binding a view takes DuckDB 1 ms.
"""

from __future__ import annotations

from .side_tables import FOREVER

FIRST = -FOREVER
_DURATIONS = ", ".join(f"business_part({name}, time) AS {name}" for name in ("dwell", "wait", "service"))
_OF_STAYS = ("to_state", "event", "transition", "left_seq", "edge")
_OF_ATTEMPTS = ("ended_kind", "error_type", "ended_seq")
_OF_CASES = ("status", "outcome", "final_state")


def _before(moment: str, name: str, later: str = "NULL") -> str:
    """What is known of a moment before the end; without an end DuckDB sees that this is all there is."""
    return f"if(range_until() = {FOREVER} OR {moment} < range_until(), {name}, {later}) AS {name}"


def _if_before(moment: str, names: tuple[str, ...]) -> str:
    return ", ".join(_before(moment, name) for name in names)


RANGE_VIEWS = (
    f"CREATE MACRO range_since() AS coalesce(getvariable('since'), {FIRST})",
    f"CREATE MACRO range_until() AS coalesce(getvariable('until'), {FOREVER})",
    "CREATE MACRO bucket_width(width) AS if(width > 0, width, "
    "error('a bucket of time is more than 0 microseconds, not ' || width))",
    "CREATE MACRO in_range(moment) AS moment >= range_since() AND moment < range_until()",
    f"""
CREATE VIEW views.ranged.records AS
SELECT * REPLACE ({_DURATIONS}) FROM history.main.records WHERE time >= range_since() AND time < range_until()
""",
    f"""
CREATE VIEW views.ranged.stay_rows AS
SELECT * REPLACE ({_if_before("left_at", _OF_STAYS)}, {_before("left_at", "left_at", str(FOREVER))})
FROM history.main.stay_rows WHERE entered < range_until() AND left_at >= range_since()
""",
    # Who was only announced has no time: it counts where nothing is left out behind.
    f"""
CREATE VIEW views.ranged.attempt_rows AS
SELECT * REPLACE (
    {_if_before("ended", (*_OF_ATTEMPTS, "ended"))},
    {_if_before("scheduled + wait", ("wait", "worker"))}
)
FROM history.main.attempt_rows
WHERE coalesce(scheduled < range_until(), range_until() = {FOREVER}) AND coalesce(ended, {FOREVER}) >= range_since()
""",
    f"""
CREATE VIEW views.ranged.cases AS
SELECT * REPLACE (
    {_if_before("closed", (*_OF_CASES, "closed"))},
    least(last_time, range_until()) AS last_time
)
FROM history.main.cases WHERE started < range_until() AND coalesce(closed, {FOREVER}) >= range_since()
""",
    "CREATE VIEW horizons AS "
    "SELECT run, least(max(last_time), range_until()) AS horizon FROM history.main.cases GROUP BY run",
)
