"""Histories of older formats, files or folders, and those in Parquet, made anew as a DuckDB file of this format.

Since format 2 a table has kept its columns' meaning, and names say what a code stands for. So a table is copied by the
columns that both formats have, codes of the language's own words are given anew by name, and what follows from other
columns is worked out:

- 2 and 3 had values as rows of a table `record_values`, and names of timers by their place in a table `timers`;
- 2 to 4 had neither stays nor attempts, and cases did not tell how they ended;
- 2 to 5 had nothing of what senders gave beside stimuli;
- 2 to 6 did not number the edges by which stays ended;
- 2 to 7 had a column for each field of a record, and in 8 fewer fields shared one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError

from . import opening, schema
from .failures import cannot_open, cannot_write, other_format
from .history import History
from .parquet import attach_older, attach_parquet, contents_of
from .side_tables import CASE_ENDS, attempt_rows, case_ends, numbered, stay_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

OLDEST = 2
"""The first format that is converted."""

_COLUMNS = """
SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() WHERE database_name = 'old'
GROUP BY table_name
"""
# One list for each record, of what stood in rows of their own.
_VALUES = """
CREATE TEMP TABLE old_values AS
SELECT run, "case", seq,
    list({slot: slot, tag: tag, whole: whole, "real": "real", "text": "text"} ORDER BY position) AS "values"
FROM old.record_values GROUP BY run, "case", seq
"""
_TIMERS = """
INSERT INTO timer_names
SELECT row_number() OVER (ORDER BY name) - 1, name FROM (SELECT DISTINCT name FROM old.timers)
"""


_MADE_ANEW = ("about", "cases", "record_rows", "stay_rows", "attempt_rows", *schema.FIXED)


def convert_history(path: str | os.PathLike[str], into: str | os.PathLike[str]) -> History:
    """Make a history of an older format, or a folder of Parquet files, anew as a DuckDB file that this version reads.

    The old one stays as it is.

    Parameters
    ----------
    path
        The old file, or the folder that `History.to_parquet` wrote, in this format or an older one.
    into
        The file to make; nothing may be there.

    Returns
    -------
    History
        The new one, opened.

    Raises
    ------
    HistoryError
        If `path` is no history, or of a format that is not older, or held by a writer; if something is at `into`, or it
        cannot be written.

    Notes
    -----
    Records, cases and values are the same, and so is what is replayed. DuckDB copies about a million records a second,
    and puts into a temporary folder what does not fit into 2 GiB of memory.
    """
    import duckdb

    source, target = Path(path), Path(into)
    if not source.exists():
        raise HistoryError(f"{source}: there is no such history.")
    if target.exists():
        raise HistoryError(f"{target}: exists already. Give a path at which nothing is.")
    partial = target.with_name(target.name + ".partial")
    con = opening.connect()
    try:
        try:
            same = False
            if source.is_dir():
                found, _ = contents_of(source)
                same = found == schema.FORMAT
                if not same:
                    _check(found, source)
                (attach_parquet if same else attach_older)(con, source)
            else:
                con.execute(f"ATTACH '{schema.quoted(source)}' AS old (READ_ONLY)")
                _check(_format_of(con, source), source)
        except duckdb.Error as error:
            raise cannot_open(error, source) from None
        opening.remove(partial)
        try:
            con.execute(f"ATTACH '{schema.quoted(partial)}' AS target {opening.NEW}; USE target")
            (_copy_all if same else _convert)(con)
        except (duckdb.Error, OSError) as error:
            raise cannot_write(error, target, None) from None
    except BaseException:
        con.close()
        opening.remove(partial)
        raise
    con.close()
    os.replace(partial, target)
    return History(target)


def _format_of(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    tables = {name for name, _ in con.execute(_COLUMNS).fetchall()}
    if not {"about", "records", "cases", "runs"} <= tables:
        raise HistoryError(f"{path}: this DuckDB file is not a history.")
    (found,) = con.execute("SELECT format FROM old.about").fetchall()[0]
    return int(found)


def _check(found: int, path: Path) -> None:
    if found > schema.FORMAT:
        raise other_format(path, found, schema.FORMAT)
    if not OLDEST <= found < schema.FORMAT:
        raise HistoryError(
            f"{path}: written in format {found}. Formats {OLDEST} to {schema.FORMAT - 1} can be converted to "
            f"{schema.FORMAT}, which this version reads."
        )


def _copy_all(con: duckdb.DuckDBPyConnection) -> None:
    """All tables of the database `history`, which is of this format; what is a view where more is added follows."""
    grows = schema.grows(con, "history")
    con.execute("BEGIN")
    con.execute(schema.TABLES + (schema.SIDE_VIEWS if grows else schema.SIDE_TABLES))
    for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'target'").fetchall():
        if name == "record_rows":
            con.execute(schema.insert_records("FROM history.records"))
        else:
            con.execute(f"INSERT INTO {name} FROM history.{name}")
    if grows:
        con.execute(schema.INDEXES)
    con.execute("COMMIT; CHECKPOINT target; USE memory; DETACH target")


def _convert(con: duckdb.DuckDBPyConnection) -> None:
    grows = schema.grows(con, "old")
    con.execute("BEGIN")
    con.execute(schema.TABLES + (schema.SIDE_VIEWS if grows else schema.SIDE_TABLES) + schema.FIRST_ROWS)
    old = dict(con.execute(_COLUMNS).fetchall())
    if "record_values" in old:
        con.execute(_VALUES)
        con.execute(_TIMERS)
    recoded = _recoded(con)
    new = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'target'").fetchall()
    for (name,) in new:
        if name in old and name not in _MADE_ANEW:
            _copy(con, name, old[name])
    _copy_records(con, old, recoded)
    ends = f'({case_ends("records")}) e(run, "case", {", ".join(CASE_ENDS)})'
    told = ", ".join(f"e.{name}" for name in CASE_ENDS[1:])
    kept = [name for name in old["cases"] if name not in CASE_ENDS]
    con.execute(
        f"INSERT INTO cases ({_listed(kept)}, {', '.join(CASE_ENDS)}) "
        f"SELECT {_listed(kept, 'c.')}, coalesce(e.last_time, c.started), {told} "
        f'FROM old.cases c LEFT JOIN {ends} ON e.run = c.run AND e."case" = c."case" ORDER BY c.run, c."case"'
    )
    if grows:
        con.execute(schema.INDEXES)
    else:
        con.execute(f"INSERT INTO stay_rows {numbered(stay_rows('records'))}")
        con.execute(f"INSERT INTO attempt_rows {attempt_rows('records')}")
    con.execute("COMMIT; CHECKPOINT target; USE memory; DETACH target")


def _recoded(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """For each table of the language's own words: in SQL, the codes that these have now, by the codes that they had."""
    found = {}
    for name in schema.FIXED:
        rows = con.execute(
            f"SELECT o.code, n.code, o.name FROM old.{name} o LEFT JOIN target.{name} n ON n.name = o.name ORDER BY 1"
        ).fetchall()
        lost = [word for _, code, word in rows if code is None]
        if lost:
            raise HistoryError(f"the old file has words in {name} that no version wrote: {', '.join(map(repr, lost))}.")
        if any(old != new for old, new, _ in rows):
            found[name] = str([new for _, new, _ in rows])
    return found


def _copy_records(con: duckdb.DuckDBPyConnection, old: dict[str, list[str]], recoded: dict[str, str]) -> None:
    """Records, with values, names of timers and keys that stood elsewhere."""
    columns = {
        name: f"{recoded[of]}[r.{name} + 1]" if (of := schema.NAMES.get(name, "")) in recoded else f'r."{name}"'
        for name in old["records"]
    }
    joined = ""
    if "record_values" in old:
        columns |= {"values": 'v."values"', "clock": "m.code", "key": "if(r.seq = 1, c.key, NULL)"}
        joined = """
LEFT JOIN old_values v ON v.run = r.run AND v."case" = r."case" AND v.seq = r.seq
LEFT JOIN old.timers t ON t.run = r.run AND t.workflow = r.workflow AND t.place = r.timer
LEFT JOIN timer_names m ON m.name = t.name
LEFT JOIN old.cases c ON c.run = r.run AND c."case" = r."case"
"""
    told = (columns.get(name.strip('"'), f"NULL::{kind}") + f" AS {name}" for name, kind in schema.RECORD_COLUMNS)
    rows = f'SELECT {", ".join(told)} FROM old.records r {joined} ORDER BY r.run, r."case", r.seq'
    con.execute(schema.insert_records(rows))


def _copy(con: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> None:
    """A table by the columns that both have; a run that says nothing of it is complete."""
    new = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'target' AND table_name = ?", [table]
    ).fetchall()
    both = [name for (name,) in new if name in columns]
    told = "" if table != "runs" or "complete" in columns else ", true"
    into = _listed(both) + (", complete" if told else "")
    con.execute(f"INSERT INTO {table} ({into}) SELECT {_listed(both)}{told} FROM old.{table}")


def _listed(names: Iterable[str], before: str = "") -> str:
    return ", ".join(f'{before}"{name}"' for name in names)
