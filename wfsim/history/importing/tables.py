"""Logs as tables: CSV, Parquet, DataFrames, Arrow, and whatever yields Arrow tables."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError, did_you_mean, listed
from wfsim.history.schema import quoted

from .staging import ZONED, moment_of
from .values import KEPT_TOO, VALUES, iso, value_of
from .values import listed as values_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

KNOWN: dict[str, tuple[str, ...]] = {
    "case": ("case:concept:name", "case_id", "caseid", "case", "trace"),
    "activity": ("concept:name", "activity", "event", "step"),
    "time": ("time:timestamp", "timestamp", "time", "end_time", "complete_time", "completed"),
    "start": ("start_timestamp",),
    "resource": ("org:resource", "resource", "user", "worker"),
    "lifecycle": ("lifecycle:transition", "lifecycle"),
    "instance": ("concept:instance",),
}
"""Names of columns that are known without being told, in any case of letters; `start` only where it is exactly that."""

NEEDED = ("case", "activity", "time")
ALL = ("case", "activity", "time", "start", "resource", "lifecycle", "instance", "event_id")
CASE_PREFIX = "case:"
_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
_TESTS = {
    "BIGINT": "CASE WHEN {0} IS NOT NULL THEN try_cast({0} AS BIGINT)::VARCHAR IS NOT DISTINCT FROM {0} END",
    "DOUBLE": "CASE WHEN {0} IS NOT NULL THEN coalesce(isfinite(try_cast({0} AS DOUBLE)), false) "
    "AND NOT regexp_matches({0}, '^[+-]?0[0-9]') END",
    "BOOLEAN": "lower({0}) IN ('true', 'false')",
}
"""Whether a text is a value of that type, in SQL; null where there is none."""
_FIRST_ROWS = 1000
_MOST_NAMES = 2**20
_CSV = "header = true, auto_detect = false, quote = '\"', escape = '\"', strict_mode = true"


def form_of(path: Path) -> str | None:
    """`csv` or `parquet` by the file's ending, that of a packed file before it; null for another one."""
    ends = [end.lower() for end in path.suffixes]
    if ends and ends[-1] == ".gz" and len(ends) > 1 and _FORMATS.get(ends[-2]) == "csv":
        return "csv"
    return _FORMATS.get(ends[-1]) if ends else None


class Table:
    """A log as a table that DuckDB reads; `relation` is how its queries name it.

    Parameters
    ----------
    con
        Where it is read.
    source
        A path, a DataFrame, an Arrow table, or an iterable of Arrow tables or batches, all of one schema.

    Raises
    ------
    HistoryError
        If it is no table, or cannot be read as one.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, source: Any) -> None:
        import duckdb

        self.con = con
        self.form: str | None = None
        if isinstance(source, Path):
            self.name = str(source)
            self.form = form_of(source)
            self.relation = f"read_parquet('{quoted(source)}')"
            if self.form == "csv":
                self._read_csv(source)
        else:
            self.name = f"a {type(source).__name__}"
            self.relation = "log_given"
            con.register("log_given", _as_arrow(source))
        try:
            told = con.execute(f"DESCRIBE FROM {self.relation}").fetchall()
        except duckdb.Error as error:
            raise self._unreadable(error) from None
        self.types: dict[str, str] = {name: kind for name, kind, *_ in told}
        if self.form == "csv":
            self.types = self._guess_types()

    def _read_csv(self, path: Path) -> None:
        """Read all fields as texts, strictly: whoever guesses passes over lines that do not fit those below."""
        import duckdb

        line, delimiter = _first_line(path)
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        if len(set(names)) < len(names) or not all(names):
            raise HistoryError(f"{path}: the first line should have a name for each column, no two alike: {names}.")
        columns = ", ".join(f"'{quoted(name)}': 'VARCHAR'" for name in names)
        self.relation = "memory.main.csv"
        try:
            self.con.execute(
                f"CREATE TABLE memory.main.csv AS FROM read_csv('{quoted(path)}', delim = '{delimiter}', {_CSV}, "
                f"columns = {{{columns}}})"
            )
        except duckdb.Error as error:
            raise self._unreadable(error) from None

    def _guess_types(self) -> dict[str, str]:
        """Of each column of texts, which type all of them have; what would not look the same again stays text."""
        kinds = {name: list(_TESTS) for name in self.types}
        # Most columns are of no other type, as their first rows show.
        for rows in (f"(FROM {self.relation} LIMIT {_FIRST_ROWS})", self.relation):
            tests = [(name, kind) for name, some in kinds.items() for kind in some]
            if not tests:
                break
            said = ", ".join(f"bool_and({_TESTS[kind].format(_named(name))})" for name, kind in tests)
            (held,) = self.con.execute(f"SELECT {said} FROM {rows}").fetchall()
            # Null where no row has a value: then it is a text.
            kinds = {name: [] for name in kinds}
            for (name, kind), all_are in zip(tests, held):
                if all_are or (all_are is None and rows != self.relation):
                    kinds[name].append(kind)
        return {name: some[0] if some else "VARCHAR" for name, some in kinds.items()}

    def _unreadable(self, error: Exception) -> HistoryError:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        advice = "Nothing was imported."
        if self.form == "csv":
            advice = (
                "Each row needs as many fields as the first line has names; fields with commas, quotes or line ends "
                "stand in double quotes. " + advice
            )
        return HistoryError(f"{self.name}: cannot be read as a table: {' '.join(lines[:3])}\n{advice}")

    # --- columns ---------------------------------------------------------------------------------

    def columns(self, told: Mapping[str, str | None]) -> dict[str, str]:
        """Which column is what: as told, else by its name.

        Raises
        ------
        HistoryError
            If a column is not there, or a needed one is not known.
        """
        found: dict[str, str] = {}
        for what, name in told.items():
            if name is not None:
                if name not in self.types:
                    raise HistoryError(
                        f"{self.name}: there is no column {name!r} ({what}=). Columns: {listed(self.types, 30)}."
                        f"{did_you_mean(name, self.types)}"
                    )
                found[what] = name
        lower = {name.lower().replace(" ", "_"): name for name in reversed(self.types)}
        taken = set(found.values())
        for what, names in KNOWN.items():
            given = [lower[name] for name in names if name in lower and lower[name] not in taken]
            if what not in found and given:
                found[what] = given[0]
                taken.add(given[0])
        missing = [what for what in NEEDED if what not in found]
        if missing:
            raise HistoryError(
                f"{self.name}: which column is {' and which is '.join(missing)}? Say so: "
                f"read_log(…, {', '.join(f'{what}=…' for what in missing)}). Columns: {listed(self.types, 30)}."
            )
        twice = [name for name in found.values() if list(found.values()).count(name) > 1]
        if twice:
            raise HistoryError(f"{self.name}: the column {twice[0]!r} cannot be two things at once: {found}.")
        return found

    # --- rows ------------------------------------------------------------------------------------

    def stage(
        self,
        columns: Mapping[str, str],
        case_columns: Iterable[str],
        slots: Mapping[str, int],
        time_zone: str | None,
        time_format: str | None,
    ) -> None:
        """Put its rows into `staged`."""
        import duckdb

        def column(what: str) -> str:
            return _named(columns[what]) if what in columns else "NULL"

        def text(what: str) -> str:
            return f"{column(what)}::VARCHAR"

        said, moment, zoned = self._time(columns["time"], time_zone, time_format)
        start_said, start, _ = (
            self._time(columns["start"], time_zone, time_format) if "start" in columns else ("NULL", "NULL", "")
        )
        of_case = set(case_columns)
        mine = {name for what, name in columns.items() if what not in KEPT_TOO}
        values = {name: value_of(self._cell(name), kind, slots[name]) for name, kind in self.types.items()}
        own = [value for name, value in values.items() if name not in mine and name not in of_case]
        of_cases = [value for name, value in values.items() if name in of_case]
        extra = ""
        if of_cases:
            self.con.execute(f"ALTER TABLE memory.main.staged ADD COLUMN of_case {VALUES}")
            extra = f", {values_in(of_cases)} AS of_case"
        query = f"""
            SELECT row_number() OVER () AS place, NULL::INTEGER AS trace, {text("case")} AS case_name,
                {text("activity")} AS activity, {said} AS said,
                {moment} AS moment, {zoned} AS zoned, {start_said} AS start_said, {start} AS start_moment,
                {text("resource")} AS resource, {text("lifecycle")} AS lifecycle, {text("instance")} AS instance,
                {text("event_id")} AS id, {values_in(own)} AS "values"{extra}
            FROM {self.relation}
        """
        try:
            self.con.execute(f"INSERT INTO memory.main.staged {query}")
        except duckdb.Error as error:
            raise self._unreadable(error) from None

    def _cell(self, name: str) -> str:
        """A column, in its type."""
        return f"({_named(name)}::{self.types[name]})" if self.form == "csv" else _named(name)

    def _time(self, name: str, time_zone: str | None, time_format: str | None) -> tuple[str, str, str]:
        """Of a column of times, in SQL: its text, its microseconds, and whether it has a zone."""
        kind, column = self.types[name], _named(name)
        if self.form != "csv":
            if kind == "TIMESTAMP WITH TIME ZONE":
                return iso(column), f"epoch_us({column})", "true"
            if kind.startswith("TIMESTAMP"):
                return (
                    f"{column}::VARCHAR",
                    f"epoch_us({column}::TIMESTAMP AT TIME ZONE '{time_zone or 'UTC'}')",
                    "false",
                )
            if kind != "VARCHAR" and kind != "DATE" and time_format not in ("s", "ms", "us"):
                raise HistoryError(
                    f"{self.name}: the column {name!r} is of type {kind}, which says no time. Numbers since 1970: "
                    "time_format='s', 'ms' or 'us'; else give another column."
                )
        text = f"({column}::VARCHAR)"
        zoned = "true" if time_format in ("s", "ms", "us") else ZONED.format(text)
        if time_format is not None and "%z" in time_format.lower():
            zoned = "true"
        return text, moment_of(text, time_zone, time_format), zoned


def _first_line(path: Path) -> tuple[str, str]:
    """The line of names, and what stands between them most often."""
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            line = file.readline(_MOST_NAMES).decode("utf-8-sig").rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise HistoryError(f"{path}: cannot be read: {error}. A log in CSV is written in UTF-8.") from None
    outside = "".join(line.split('"')[::2])
    return line, max(",;\t|", key=outside.count)


def _named(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _as_arrow(source: Any) -> Any:
    """What DuckDB reads as a table: a DataFrame, an Arrow table or reader, tables one after another."""
    import pyarrow as pa

    if isinstance(source, pa.Table | pa.RecordBatchReader):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if hasattr(source, "columns") and hasattr(source, "iloc"):
        # An index may hold the cases, but nobody has said so.
        return source.reset_index(drop=True)
    if hasattr(source, "__arrow_c_stream__"):
        return pa.table(source)
    if isinstance(source, Iterable) and not isinstance(source, str | bytes | dict):
        return _reader(iter(source))
    raise TypeError(
        "read_log takes the path of a file, a DataFrame, an Arrow table, or what yields Arrow tables, not "
        f"{source!r:.60}."
    )


def _reader(tables: Iterator[Any]) -> Any:
    import pyarrow as pa

    first = next(tables, None)
    if not isinstance(first, pa.Table | pa.RecordBatch):
        raise TypeError(f"read_log takes what yields Arrow tables or batches, not {first!r:.60}.")
    schema = first.schema

    def batches() -> Iterator[pa.RecordBatch]:
        table: Any = first
        while table is not None:
            if not isinstance(table, pa.Table | pa.RecordBatch) or table.schema != schema:
                raise HistoryError(
                    f"read_log: all tables need the schema of the first one: {listed(schema.names, 30)}. "
                    f"Then came {table!r:.60}."
                )
            yield from table.to_batches() if isinstance(table, pa.Table) else [table]
            table = next(tables, None)

    return pa.RecordBatchReader.from_batches(schema, batches())
