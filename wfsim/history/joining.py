"""Histories of one run each, joined to one that has them all."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError

from . import opening, schema
from .codes import Codes, names_in
from .failures import cannot_write
from .history import History

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

_VALUES = 'list_transform("values", lambda v: struct_update(v, slot := if(v.slot < 0, v.slot, {codes}[v.slot + 1])))'
"""The values of a record with other codes of their slots; what is no code (null, the key's slot) stays."""
_OF_RUNS = """
SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()
WHERE database_name = 'part' AND table_name <> 'record_rows'
GROUP BY table_name HAVING list_contains(list(column_name), 'run') ORDER BY table_name
"""


def join_histories(parts: Sequence[Path], into: Path | None) -> History:
    """One history with the runs of simulated ones, numbered in that order.

    Parameters
    ----------
    parts
        Histories of one run each; they stay as they are.
    into
        The file to make, in the place of what is there; without it a temporary one that goes with the `History`.

    Raises
    ------
    HistoryError
        If it cannot be written; then nothing is left of it. Also if two paths of states share their hash.

    Notes
    -----
    Rows are copied as they lie, a million records in about two seconds; only codes of names are given anew.
    """
    import duckdb

    target = Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}.duckdb"
    if into is not None:
        target = into.with_name(into.name + ".partial")
    opening.remove(target)
    con = opening.connect()
    try:
        con.execute(f"ATTACH '{schema.quoted(target)}' AS target {opening.NEW}")
        con.execute(f"USE target; {schema.TABLES} {schema.SIDE_TABLES} {schema.FIRST_ROWS}")
        codes = Codes()
        for run, part in enumerate(parts, start=1):
            con.execute(f"ATTACH '{schema.quoted(part)}' AS part (READ_ONLY)")
            con.execute("BEGIN")
            _take(con, run, codes)
            con.execute("COMMIT; USE target; DETACH part")
        con.execute("CHECKPOINT target; USE memory; DETACH target")
    except duckdb.Error as error:
        con.close()
        opening.remove(target)
        raise cannot_write(error, into or target, None) from None
    except BaseException:
        con.close()
        opening.remove(target)
        raise
    if into is not None:
        os.replace(target, into)
    written = into or target
    return History(written, temporary=into is None, con=opening.open_within(con, written))


def _take(con: duckdb.DuckDBPyConnection, run: int, codes: Codes) -> None:
    """Copy the run of the database `part`."""
    con.execute("USE part")
    new = {name: [codes.code(name, each) for each in known] for name, known in names_in(con).items() if _grows(name)}
    con.execute("USE target")
    codes.store(con)
    codes.written()
    for table, columns in con.execute(_OF_RUNS).fetchall():
        changes = _recoded({name: schema.CODED[name] for name in columns if name in schema.CODED}, new)
        if "values" in columns and new["slot_names"] != list(range(len(new["slot_names"]))):
            changes += f', {_VALUES.format(codes=new["slot_names"])} AS "values"'
        rows = f"SELECT * REPLACE ({run} AS run{changes}) FROM part.{table}"
        con.execute(schema.insert_records(rows) if table == "records" else f"INSERT INTO {table} {rows}")
    _take_variants(con)


def _grows(dimension: str) -> bool:
    return dimension in schema.DIMENSIONS


def _recoded(columns: Mapping[str, str], new: Mapping[str, list[int]]) -> str:
    """Columns with the codes of the new file in place of the old ones; what is no code (null) stays."""
    changed = {name: new[of] for name, of in columns.items() if _grows(of) and new[of] != list(range(len(new[of])))}
    return "".join(f', if({name} < 0, {name}, {codes}[{name} + 1]) AS "{name}"' for name, codes in changed.items())


def _take_variants(con: duckdb.DuckDBPyConnection) -> None:
    clash = con.execute(
        "SELECT path_hash FROM part.variants_seen p JOIN target.variants_seen t USING (path_hash) "
        "WHERE p.states <> t.states"
    ).fetchall()
    if clash:
        raise HistoryError(f"two paths share the hash {clash[0][0]}. Rename one of their states.")
    con.execute(
        "INSERT INTO variants_seen FROM part.variants_seen p "
        "WHERE p.path_hash NOT IN (SELECT path_hash FROM target.variants_seen) ORDER BY path_hash"
    )
