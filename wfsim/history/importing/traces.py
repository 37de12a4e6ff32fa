"""The events of an XES file, staged: which keys are what, and how traces are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import HistoryError
from wfsim.semantics.codes import STRING

from .cases import EVENTS
from .staging import ZONED, moment_of
from .values import MEMBER_COLUMNS
from .xes import XesLog, events_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from .making import Making
    from .staging import Staging

KEYS = {
    "case": "concept:name",
    "activity": "concept:name",
    "time": "time:timestamp",
    "resource": "org:resource",
    "lifecycle": "lifecycle:transition",
    "instance": "concept:instance",
}
"""Of XES' own extensions; that of `case` is one of traces."""


def xes_keys(told: Mapping[str, str | None]) -> dict[str, str]:
    """Which key is what: as told, else as XES has it."""
    return KEYS | {what: key for what, key in told.items() if key is not None}


def stage_xes(
    staging: Staging,
    path: Path,
    keys: Mapping[str, str],
    time_zone: str | None,
    time_format: str | None,
    made: Making,
) -> XesLog:
    """Put the events of a file into `staged`, and the attributes of its traces into `trace_values`."""
    con = staging.con
    log = XesLog()
    lifted: dict[str, str] = {}
    for what, key in keys.items():
        if what != "case":
            if key in lifted:
                raise HistoryError(f"{path}: the key {key!r} cannot be {lifted[key]} and {what} at once.")
            lifted[key] = what
    zoned = "true" if time_format is not None else ZONED.format('"time"')

    def column(what: str) -> str:
        return f'"{what}"' if what in keys else "NULL"

    def moment(what: str) -> str:
        return moment_of(f'"{what}"', time_zone, time_format) if what in keys else "NULL"

    insert = f"""
INSERT INTO memory.main.staged
SELECT "row", trace, NULL, activity, "time", {moment("time")}, {zoned}, {column("start")}, {moment("start")},
    {column("resource")}, {column("lifecycle")}, {column("instance")}, {column("event_id")}, "values"
FROM log_batch
"""
    for table in _in_large_parts(events_of(path, lifted, log)):
        con.register("log_batch", table)
        con.execute(insert)
        con.unregister("log_batch")
    made.slots.extend(log.keys)
    staging.note("outside_traces", log.outside)
    _name_traces(staging, log, keys["case"])
    return log


def _in_large_parts(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in fewer tables: to insert one takes 10 ms, however small it is."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= EVENTS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _name_traces(staging: Staging, log: XesLog, key: str) -> None:
    import pyarrow as pa

    con = staging.con
    if log.traces:
        con.register("log_traces", pa.concat_tables(log.traces))
        con.execute("CREATE TABLE memory.main.trace_values AS FROM log_traces")
        con.unregister("log_traces")
        slot = log.keys.index(key) if key in log.keys else -1
        con.execute(f"""
CREATE TABLE memory.main.trace_names AS
SELECT trace, arg_min(coalesce("text", whole::VARCHAR, "real"::VARCHAR), place) AS name
FROM memory.main.trace_values WHERE slot = {slot} GROUP BY trace
""")
        con.execute(f"DELETE FROM memory.main.trace_values WHERE slot = {slot} AND tag = {STRING}")
    else:
        con.execute("CREATE TABLE memory.main.trace_names (trace INTEGER, name VARCHAR)")
        con.execute(f"CREATE TABLE memory.main.trace_values (trace INTEGER, place BIGINT, {MEMBER_COLUMNS})")
    ((there,),) = con.execute("SELECT count(DISTINCT trace) FROM memory.main.staged").fetchall()
    staging.note("empty_traces", log.n_traces - there)
    con.execute("""
CREATE TABLE memory.main.called AS
SELECT t.trace, n.name IS NULL AS unnamed, count(*) OVER w > 1 AS again,
    coalesce(n.name, 'trace ' || t.trace) || if(count(*) OVER w > 1, ' (' || count(*) OVER w || ')', '') AS name
FROM (SELECT DISTINCT trace FROM memory.main.staged) t LEFT JOIN memory.main.trace_names n ON n.trace = t.trace
WINDOW w AS (PARTITION BY coalesce(n.name, 'trace ' || t.trace) ORDER BY t.trace ROWS UNBOUNDED PRECEDING)
""")
    for name, where in (("unnamed_traces", "unnamed"), ("repeated_names", "again")):
        ((count,),) = con.execute(f"SELECT count(*) FROM memory.main.called WHERE {where}").fetchall()
        staging.note(name, count)
