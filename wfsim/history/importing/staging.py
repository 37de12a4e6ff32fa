"""The events of a log in a table of DuckDB, before they are a history: what is missing, doubtful or told twice.

Table `staged`: one row an event. Columns: `place` (its number in the log, from 1), `trace` (null, or the number of its
trace), `case_name`, `activity`, `said` and `start_said` (times as they are written), `moment` and `start_moment`
(microseconds), `zoned`, `resource`, `lifecycle`, `instance`, `id`, and `"values"`; of a table that tells of cases
also `of_case`, what a row says of its case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from wfsim.errors import HistoryError

from .report import REPAIRS, Repair
from .values import VALUES

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

STAGED = f"""
CREATE TABLE memory.main.staged (
    place BIGINT, trace INTEGER, case_name VARCHAR, activity VARCHAR, said VARCHAR, moment BIGINT, zoned BOOLEAN,
    start_said VARCHAR, start_moment BIGINT, resource VARCHAR, lifecycle VARCHAR, instance VARCHAR, id VARCHAR,
    "values" {VALUES}
)
"""
_FIRST = 5


class Staging:
    """Looks at `staged`, mends what it may, and keeps count.

    Parameters
    ----------
    con
        Where the table is.
    source
        What the log is called in messages.
    unit
        What its rows are: `event` of an XES file, `row` of a table.
    repair
        Names of repairs that are allowed.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, source: str, unit: str, repair: Collection[str]) -> None:
        self.con = con
        self.source = source
        self.unit = unit
        self.allowed = repair
        self.repairs: list[Repair] = []

    def found(self, where: str) -> tuple[int, tuple[int, ...]]:
        """How many staged events fulfil a condition, and the first of their rows."""
        query = f"SELECT count(*), min(place, {_FIRST}) FROM memory.main.staged WHERE {where}"
        ((count, first),) = self.con.execute(query).fetchall()
        return count, tuple(first or ())

    def note(self, name: str, count: int, first: tuple[int, ...] = ()) -> None:
        """Count what was done; nothing if nothing was."""
        if count:
            self.repairs.append(Repair(name, count, first))

    def refuse(self, what: str, first: tuple[int, ...], repairs: tuple[str, ...], advice: str) -> NoReturn:
        """Refuse a log, with its rows and what to do."""
        rows = ", ".join(f"{row:,}" for row in first)
        ways = "".join(f"\n  repair={name!r}: {REPAIRS[name]}" for name in repairs)
        raise HistoryError(
            f"{self.source}: {what} ({self.unit} {rows}{', …' if len(first) == _FIRST else ''}). {advice}"
            + (f" Or allow a repair, which is counted in `history.imported`:{ways}" if ways else "")
        )

    # --- what may be wrong -----------------------------------------------------------------------

    def check(self, *, has_ids: bool, has_starts: bool, time_zone: str | None) -> None:
        """Find and mend what is wrong with single events."""
        self._names()
        self._times("said", "moment", time_zone)
        if has_starts:
            self._times("start_said", "start_moment", time_zone)
            self._backward_starts()
        self._missing_times()
        self._zones()
        if has_ids:
            self._ids()

    def _drop(self, name: str, where: str, found: tuple[int, tuple[int, ...]]) -> None:
        # An event that is left out keeps its row, so that the numbers of the others stay.
        self.con.execute(f"UPDATE memory.main.staged SET activity = NULL, case_name = NULL, trace = NULL WHERE {where}")
        self.note(name, *found)

    def _names(self) -> None:
        where = "coalesce(activity, '') = '' OR (trace IS NULL AND coalesce(case_name, '') = '')"
        found = self.found(where)
        if not found[0]:
            return
        if "drop_unnamed" not in self.allowed:
            self.refuse(
                f"{found[0]:,} events have no activity, or no case",
                found[1],
                ("drop_unnamed",),
                "Fill them in.",
            )
        self._drop("drop_unnamed", where, found)

    def _times(self, said: str, moment: str, time_zone: str | None) -> None:
        count, first = self.found(f"{KEPT} AND {moment} IS NULL AND nullif(trim({said}), '') IS NOT NULL")
        if count:
            ((text,),) = self.con.execute(f"SELECT {said} FROM memory.main.staged WHERE place = {first[0]}").fetchall()
            self.refuse(
                f"{count:,} times cannot be read, the first is {text!r}",
                first,
                (),
                "Say how they are written: time_format='%d.%m.%Y %H:%M:%S' (or 's', 'ms', 'us' for numbers "
                "since 1970); "
                "without it they are like 2026-11-30T09:00:00+01:00.",
            )
        if time_zone is None:
            found = self.found(f"{KEPT} AND {moment} IS NOT NULL AND NOT zoned")
            if found[0] and "utc" not in self.allowed:
                self.refuse(
                    f"{found[0]:,} times have no zone", found[1], ("utc",), "Say it: time_zone='Europe/Berlin'."
                )
            if said == "said":
                self.note("utc", *found)

    def _backward_starts(self) -> None:
        count, first = self.found(f"{KEPT} AND start_moment > moment")
        if count:
            self.refuse(
                f"{count:,} events start after they are completed",
                first,
                (),
                "Are the columns `start` and `time` swapped?",
            )

    def _missing_times(self) -> None:
        where = f"{KEPT} AND moment IS NULL"
        found = self.found(where)
        if not found[0]:
            return
        if "drop_untimed" in self.allowed:
            self._drop("drop_untimed", where, found)
        elif "previous_time" in self.allowed:
            self.note("previous_time", *found)
        else:
            self.refuse(
                f"{found[0]:,} events have no time", found[1], ("drop_untimed", "previous_time"), "Fill them in."
            )

    def _zones(self) -> None:
        """How many times have another offset than most; the offset is the text's end."""
        offsets = self.con.execute(
            f"SELECT {_OFFSET} AS behind, count(*), min(place, {_FIRST}) FROM memory.main.staged "
            f"WHERE {KEPT} AND zoned AND said IS NOT NULL GROUP BY behind ORDER BY count(*) DESC, behind"
        ).fetchall()
        others = offsets[1:]
        first = sorted(row for _, _, rows in others for row in rows)[:_FIRST]
        self.note("zones", sum(count for _, count, _ in others), tuple(first))

    def _ids(self) -> None:
        again = (
            "place IN (SELECT place FROM (SELECT place, row_number() OVER (PARTITION BY id ORDER BY place) AS nth "
            f"FROM memory.main.staged WHERE {KEPT} AND id IS NOT NULL) WHERE nth > 1)"
        )
        found = self.found(again)
        if not found[0]:
            return
        if "drop_repeated" not in self.allowed:
            self.refuse(
                f"{found[0]:,} events have an id that another one has",
                found[1],
                ("drop_repeated",),
                "Give the column that tells events apart, or none.",
            )
        self._drop("drop_repeated", again, found)


KEPT = "activity IS NOT NULL"
"""Of staged events: those that are not left out."""

_UTC = " OR ".join(f"ends_with({{0}}, '{each}')" for each in ("Z", "z", "UTC", "GMT"))
ZONED = (
    f"(length({{0}}) > 10 AND ({_UTC} OR left(right({{0}}, 6), 1) IN ('+', '-') OR {{0}}[-5] IN ('+', '-') "
    "OR {0}[-3] IN ('+', '-')))"
)
"""Whether a text of a time ends with a zone, in SQL."""

_OFFSET = (
    f"CASE WHEN {_UTC.format('said')} THEN '+00:00' WHEN left(right(said, 6), 1) IN ('+', '-') THEN right(said, 6) "
    "WHEN said[-5] IN ('+', '-') THEN said[-5:-3] || ':' || said[-2:] ELSE said[-3:] || ':00' END"
)


def moment_of(said: str, time_zone: str | None, time_format: str | None) -> str:
    """Microseconds since 1970 of a text, in SQL; null if it cannot be read."""
    if time_format in ("s", "ms", "us"):
        factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[time_format]
        return f"round(try_cast({said} AS DECIMAL(38, 9)) * {factor})::BIGINT"
    zone = time_zone or "UTC"
    if time_format is not None:
        local = f"try_strptime({said}, '{time_format.replace(chr(39), chr(39) * 2)}')"
        return f"epoch_us({local} AT TIME ZONE '{zone}')" if "%z" not in time_format else f"epoch_us({local})"
    read = f"epoch_us(try_cast({said} AS TIMESTAMPTZ))"
    if zone == "UTC":
        return read
    naive = f"epoch_us(try_cast({said} AS TIMESTAMP) AT TIME ZONE '{zone}')"
    return f"if({ZONED.format(said)}, {read}, {naive})"
