"""`EventLog`: a history as other tools of process mining read it, in XES, CSV, Parquet or as a table."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wfsim.arguments import as_path
from wfsim.errors import HistoryError, OptionError
from wfsim.semantics.codes import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_STARTED,
    R_STATE_ENTERED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
)

from .failures import reading
from .importing.values import ORIGINAL_TIME
from .log_view import CAUSES
from .questions import MAX_ROWS, too_many
from .schema import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pandas as pd
    import pyarrow as pa

    from .asked import Asked

Of = Literal["events", "states", "activities"]

# Root states only: those of inner regions happen beside one another, in no order that a trace could have.
# Other tools know no time 0: moments are those of the calendar.
_STATES = f"""
SELECT r.run, r."case", r.seq, r.time + z.begins AS time, s.name AS activity, NULL AS lifecycle, NULL AS resource,
    NULL AS event_id, NULL AS "values"
FROM records r JOIN run_begins z ON z.run = r.run
JOIN region_names g ON g.code = r.region AND g.name = ''
JOIN state_names s ON s.code = if(r.kind = {R_TRANSITION}, r.to_state, r.state)
WHERE r.kind = {R_STATE_ENTERED} OR (r.kind = {R_TRANSITION} AND r.to_state IS NOT NULL)
"""
# Of attempts as `attempt_rows` counts them; who never began has no event unless he was done all the same.
_ACTIVITIES = f"""
SELECT r.run, r."case", r.seq, r.time + z.begins AS time, a.name AS activity,
    CASE r.kind WHEN {R_ACTIVITY_STARTED} THEN 'start' WHEN {R_ACTIVITY_SUCCEEDED} THEN 'complete'
        ELSE 'ate_abort' END AS lifecycle,
    y.worker AS resource, r.activity_id || '/' || r.attempt AS event_id, NULL AS "values"
FROM records r JOIN run_begins z ON z.run = r.run
JOIN activity_names a ON a.code = r.activity
JOIN attempt_rows y ON y.run = r.run AND y."case" = r."case" AND y.activity_id = r.activity_id
    AND y.attempt = r.attempt
ANTI JOIN (SELECT run, "case", cause_seq, activity_id FROM records WHERE kind = {R_STIMULUS_IGNORED}) i
ON i.run = r.run AND i."case" = r."case" AND i.cause_seq = r.seq AND i.activity_id = r.activity_id
WHERE (r.kind = {R_ACTIVITY_STARTED} AND r.time = y.scheduled + y.wait) OR (r.seq = y.ended_seq
    AND (y.wait IS NOT NULL OR r.kind IN ({R_ACTIVITY_SUCCEEDED}, {R_ACTIVITY_FAILED})))
"""
_EVENTS = f"""
SELECT r.run, r."case", r.seq,
    coalesce(epoch_us(list_filter(r."values", lambda v: v.slot = o.slot)[1]."text"::TIMESTAMPTZ), r.time) AS time,
    a.name AS activity, if(r.kind = {R_ACTIVITY_STARTED}, 'start', if(r.kind = {R_ACTIVITY_SUCCEEDED},
    'complete', NULL))
        AS lifecycle,
    r.source AS resource, r.event_id, r."values"
FROM records r JOIN activity_names a ON a.code = coalesce(r.event, r.activity)
SEMI JOIN (SELECT run FROM runs WHERE source = 'log') u ON u.run = r.run
CROSS JOIN (SELECT max(code) AS slot FROM slot_names WHERE name = '{ORIGINAL_TIME}') o
WHERE r.kind IN {CAUSES}
"""
_OF: dict[str, str] = {"events": _EVENTS, "states": _STATES, "activities": _ACTIVITIES}
_CASE_VALUES = f'SELECT run, "case", "values" AS of_case FROM records WHERE kind = {R_STARTED}'


class EventLog:
    """A history as a log of events, one row each, in the order (run, case, seq).

    Made by `History.log`. The columns have the names of XES: `case:concept:name`, `concept:name` (the activity),
    `time:timestamp` (UTC), `lifecycle:transition`, `org:resource`, then attributes of events, and those of
    cases as `case:…`.
    """

    def __init__(self, history: Asked, of: Of | None) -> None:
        sources = {run.source for run in history.runs}
        if of is None:
            of = "events" if "log" in sources else "states"
        if of not in _OF:
            raise OptionError(f"log(of={of!r}) is not known. Give 'events', 'states' or 'activities'.")
        if of == "events" and "log" not in sources:
            raise HistoryError(
                f"{history.path}: was not imported, so it has no events as they came. Give log(of='states') or "
                "log(of='activities')."
            )
        if any(run.log == "aggregates" for run in history.runs) or (
            of == "activities" and any(run.log != "full" for run in history.runs)
        ):
            raise HistoryError(
                f"{history.path}: its log level does not keep what a log of {of} is made of. Simulate with log='full'."
            )
        self._history = history
        self.of: Of = of

    # --- out -------------------------------------------------------------------------------------

    def arrow(self, *, max_rows: int | None = MAX_ROWS) -> pa.Table:
        """The log as an Arrow table.

        Raises
        ------
        HistoryError
            If it has more than `max_rows` events.
        """
        if max_rows is not None and len(self) > max_rows:
            raise too_many(self._history.path, max_rows)
        with reading(self._history.path), closing(self._history.cursor()) as con:
            return _in_utc(con.sql(self._wide(con)).to_arrow_reader(100_000)).read_all()

    def df(self, *, max_rows: int | None = MAX_ROWS) -> pd.DataFrame:
        """The log as a pandas table, as pm4py takes it."""
        table: pd.DataFrame = self.arrow(max_rows=max_rows).to_pandas()
        return table

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write it as CSV, UTF-8, with a line of names; packed if the name ends with `.gz`. An older file is replaced.

        Raises
        ------
        HistoryError
            If it cannot be written.
        """
        return self._copied(path, "(FORMAT csv, HEADER true)")

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Write it as one Parquet file, packed by zstd; what it says else is as of `to_csv`."""
        return self._copied(path, "(FORMAT parquet, COMPRESSION zstd)")

    def to_xes(self, path: str | os.PathLike[str]) -> Path:
        """Write it as XES (IEEE 1849-2016), packed if the name ends with `.gz`; what it says else is as of `to_csv`."""
        from .xes_writer import write_xes

        target = as_path(path, "to_xes")
        imported = self._history.imported
        types = {} if imported is None else imported.types
        with reading(self._history.path), closing(self._history.cursor()) as con:
            names = [name for (name,) in con.execute("SELECT name FROM slot_names ORDER BY code").fetchall()]
            cases = con.sql(self._cases()).to_arrow_table()
            events = con.sql(self._rows()).to_arrow_reader(50_000)
            write_xes(target, cases, events, names, types, {} if imported is None else imported.about)
        return target

    # --- queries ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of events."""
        with reading(self._history.path), closing(self._history.cursor()) as con:
            ((n,),) = con.execute(f"SELECT count(*) FROM ({_OF[self.of]})").fetchall()
        return int(n)

    def _rows(self) -> str:
        return f'{_OF[self.of]} ORDER BY r.run, r."case", r.seq'

    def _cases(self) -> str:
        return f"""
SELECT c.run, c."case", coalesce(c.external_id, c."case"::VARCHAR) AS name, k.of_case
FROM cases c LEFT JOIN ({_CASE_VALUES}) k ON k.run = c.run AND k."case" = c."case" ORDER BY c.run, c."case"
"""

    def _wide(self, con: duckdb.DuckDBPyConnection) -> str:
        """The query with a column for each attribute."""
        events, cases = (
            self._attributes(con, f"SELECT unnest({column}) AS v FROM ({query})", column, prefix)
            for column, query, prefix in (
                ('"values"', _OF[self.of], ""),
                ("of_case", self._cases(), "case:"),
            )
        )
        several = len(self._history.runs) > 1
        return f"""
SELECT {"e.run, " if several else ""}c.name AS "case:concept:name", e.activity AS "concept:name",
    make_timestamp(e.time) AS "time:timestamp"{self._lifecycle(con)}, e.resource AS "org:resource"
    {self._ids()}{events}{cases}
FROM ({_OF[self.of]}) e JOIN ({self._cases()}) c ON c.run = e.run AND c."case" = e."case"
ORDER BY e.run, e."case", e.seq
"""

    def _lifecycle(self, con: duckdb.DuckDBPyConnection) -> str:
        if self.of != "events":
            return ', e.lifecycle AS "lifecycle:transition"'
        ((slot,),) = con.execute("SELECT max(code) FROM slot_names WHERE name = 'lifecycle:transition'").fetchall()
        said = "NULL" if slot is None else f'list_filter(e."values", lambda v: v.slot = {slot})[1]."text"'
        return f', coalesce({said}, e.lifecycle) AS "lifecycle:transition"'

    def _ids(self) -> str:
        imported = self._history.imported
        if self.of == "states" or (self.of == "events" and (imported is None or "event_id" not in imported.columns)):
            return ""
        name = "concept:instance" if imported is None else imported.columns["event_id"]
        return f', e.event_id AS "{name}"'

    def _attributes(self, con: duckdb.DuckDBPyConnection, values: str, column: str, prefix: str) -> str:
        found = con.execute(f"""
SELECT v.slot, s.name, list(DISTINCT v.tag) FROM ({values}) JOIN slot_names s ON s.code = v.slot
WHERE s.name NOT IN ('{ORIGINAL_TIME}', 'lifecycle:transition') GROUP BY ALL ORDER BY v.slot
""").fetchall()
        of = "c" if prefix else "e"
        said = ""
        for slot, name, tags in found:
            label = quoted(name.removeprefix(prefix)).replace('"', '""')
            one = f"list_filter({of}.{column}, lambda v: v.slot = {slot})[1]"
            said += f', {_as_column(one, tags)} AS "{prefix}{label}"'
        return said

    def _copied(self, path: str | os.PathLike[str], how: str) -> Path:
        """Write by DuckDB, in a connection of its own: that of the history reaches no files."""
        import duckdb

        target = as_path(path, "EventLog")
        gz = ", COMPRESSION gzip)" if "csv" in how and target.name.endswith(".gz") else ")"
        partial = target.with_name(target.name + ".partial")
        with closing(self._history.cursor()) as con, duckdb.connect() as out:
            with reading(self._history.path):
                rows = _in_utc(con.sql(self._wide(con)).to_arrow_reader(100_000))
            out.execute("SET TimeZone = 'UTC'")
            out.register("log_rows", rows)
            try:
                out.execute(f"COPY (FROM log_rows) TO '{quoted(partial)}' {how[:-1]}{gz}")
                os.replace(partial, target)
            except (duckdb.Error, OSError) as error:
                partial.unlink(missing_ok=True)
                raise HistoryError(
                    f"{target}: cannot be written: {str(error).splitlines()[0]} Is there room, and a folder?"
                ) from None
        return target

    def __repr__(self) -> str:
        return f"<EventLog of {self._history.path}: {len(self):,} {self.of}>"


def _in_utc(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows, whose times say that they are in UTC; a history's own connection may have another zone."""
    import pyarrow as pa

    at = rows.schema.get_field_index("time:timestamp")
    schema = rows.schema.set(at, pa.field("time:timestamp", pa.timestamp("us", tz="UTC")))
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in rows))


def _as_column(value: str, tags: Sequence[int]) -> str:
    """A value as a column of one type; as text where its cases have several."""
    if tags == [INTEGER]:
        return f"{value}.whole"
    if tags == [BOOLEAN]:
        return f"{value}.whole::BOOLEAN"
    if set(tags) <= {INTEGER, NUMBER}:
        return f'coalesce({value}."real", {value}.whole::DOUBLE)'
    if set(tags) & {INTEGER, NUMBER, BOOLEAN}:
        return f"""
CASE {value}.tag WHEN {INTEGER} THEN {value}.whole::VARCHAR WHEN {NUMBER} THEN {value}."real"::VARCHAR
    WHEN {BOOLEAN} THEN {value}.whole::BOOLEAN::VARCHAR ELSE {value}."text" END"""
    return f'{value}."text"'
