"""A history as a folder of Parquet files: a file for each table, and one that says what they are.

Other programs read them as they are, records with a column for each field; `open_history` asks them like a DuckDB
file. Tables of a few rows are read then, the others where they lie.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, listed

from . import schema
from .failures import cannot_write, other_format
from .schema import quoted
from .side_tables import numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

_NAME = re.compile(r"[a-z_]+")
CONTENTS = "history.json"
"""What a folder says of itself; written last."""
LARGE = ("records", "stay_rows", "attempt_rows", "cases", "snapshots", "metadata_rows")
"""Tables that stay in their files."""
_ROWS = 122_880
"""In a group of rows: as many as DuckDB has in one, and skips by what is least and most in it."""
_TABLES = """
SELECT table_name FROM duckdb_tables() WHERE database_name = 'history' AND table_name <> 'record_rows'
UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'history' AND NOT internal ORDER BY 1
"""
_COLUMNS = """
SELECT table_name, list((column_name, if(data_type = 'JSON', 'VARCHAR', data_type)) ORDER BY column_index)
FROM duckdb_columns() WHERE database_name = 'history' AND table_name <> 'record_rows'
GROUP BY table_name ORDER BY table_name
"""


def write_parquet(con: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write all tables of the history in a connection into a folder that is not there yet.

    Raises
    ------
    HistoryError
        If something is there, or the disk does not take it; then nothing is left.
    """
    if target.exists():
        raise HistoryError(f"{target}: exists already. Give a path at which nothing is.")
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        names = [name for (name,) in con.execute(_TABLES).fetchall()]
        told = {"format": schema.FORMAT, "tables": {name: _write(con, name, partial) for name in names}}
        (partial / CONTENTS).write_text(json.dumps(told, indent=1), encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        raise cannot_write(error, target, None) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(con: duckdb.DuckDBPyConnection, name: str, folder: Path) -> int:
    """Write one table; how many rows it has."""
    import pyarrow.parquet as pq

    order = "" if name not in ("records", "cases") else f' ORDER BY run, "case"{", seq" if name == "records" else ""}'
    # What a simulation wrote lies so; to sort it again would take the most of the time.
    grown = schema.grows(con, "history.main")
    # Parquet's own JSON would be another type to some readers.
    columns = "* REPLACE (params::VARCHAR AS params)" if name == "runs" else "*"
    rows = f"SELECT {columns} FROM history.main.{name}{order if grown else ''}"
    if grown and name == "stay_rows":
        # There it is a view, in which edges are no numbers.
        rows = numbered("SELECT * EXCLUDE (edge) FROM history.main.stay_rows")
    reader = con.sql(rows).to_arrow_reader(_ROWS)
    n = 0
    with pq.ParquetWriter(_file(folder, name), reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch, row_group_size=_ROWS)
            n += len(batch)
    return n


def attach_parquet(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Attach such a folder as the database `history`; from then on only the files of its large tables can be read.

    Raises
    ------
    HistoryError
        If it is none, of another format, or files are missing or not those that were written.
    duckdb.Error
        If a file is no Parquet.
    """
    # What a collector calls the latest snapshot is another folder soon.
    folder = folder.resolve()
    found, rows = contents_of(folder)
    if found != schema.FORMAT:
        raise other_format(folder, found, schema.FORMAT)
    con.execute(f"ATTACH ':memory:' AS history; USE history; {schema.TABLES} {schema.SIDE_TABLES}")
    columns = {name: [tuple(each) for each in told] for name, told in con.execute(_COLUMNS).fetchall()}
    _expect_files(folder, columns, rows)
    for name, expected in columns.items():
        source = _checked(con, folder, name, rows[name])
        has = con.execute(f"DESCRIBE FROM {source}").fetchall()
        if [tuple(each[:2]) for each in has] != expected:
            raise HistoryError(
                f"{_file(folder, name)}: has not the columns of that table in format {schema.FORMAT}: "
                f"{listed(f'{column} {kind}' for column, kind, *_ in has)}."
            )
        if name == "records":
            con.execute(f"DROP VIEW records; DROP TABLE record_rows; CREATE VIEW records AS FROM {source}")
        elif name in LARGE:
            con.execute(f"DROP TABLE {name}; CREATE VIEW {name} AS FROM {source}")
        else:
            con.execute(f"INSERT INTO {name} FROM {source}")
    files = ", ".join(f"'{quoted(_file(folder, name))}'" for name in LARGE)
    con.execute(f"SET allowed_paths = [{files}]")


def attach_older(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Attach a folder of an older format as the database `old`, whose tables are its files.

    Raises
    ------
    HistoryError
        If files are missing or not those that were written.
    duckdb.Error
        If a file is no Parquet.
    """
    _, rows = contents_of(folder)
    _expect_files(folder, {"records", "cases", "runs", "workflows", *rows}, rows)
    con.execute("ATTACH ':memory:' AS old")
    for name, n in rows.items():
        con.execute(f'CREATE VIEW old."{name}" AS FROM {_checked(con, folder, name, n)}')


def contents_of(folder: Path) -> tuple[int, dict[str, int]]:
    """The format of a folder, and how many rows each of its tables has, as it says itself.

    Raises
    ------
    HistoryError
        If it does not say so.
    """
    file = folder / CONTENTS
    if not file.is_file():
        raise HistoryError(
            f"{folder}: this folder is no history: there is no {CONTENTS} in it. history.to_parquet(folder) writes one."
        )
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HistoryError(f"{file}: cannot be read: {error}.") from None
    found, tables = (told.get("format"), told.get("tables")) if isinstance(told, dict) else (None, None)
    if not (isinstance(tables, dict) and all(_NAME.fullmatch(name) and type(n) is int for name, n in tables.items())):
        raise HistoryError(f"{file}: does not say which tables there are. Write the folder anew: history.to_parquet.")
    if not isinstance(found, int):
        raise HistoryError(f"{file}: does not say in which format they are. Write the folder anew: history.to_parquet.")
    return found, tables


def _expect_files(folder: Path, names: Iterable[str], rows: Mapping[str, int]) -> None:
    lost = sorted(set(names) - rows.keys()) or [name for name in names if not _file(folder, name).is_file()]
    if lost:
        raise HistoryError(f"{folder}: the files of these tables are missing: {listed(lost)}. Copy the whole folder.")


def _checked(con: duckdb.DuckDBPyConnection, folder: Path, name: str, rows: int) -> str:
    """The rows of a file, in SQL, if they are as many as were written."""
    source = f"read_parquet('{quoted(_file(folder, name))}')"
    (n,) = con.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
    if n != rows:
        raise HistoryError(
            f"{_file(folder, name)}: has {n:,} rows, and {CONTENTS} says {rows:,}. "
            "It is not the file that was written with it."
        )
    return source


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.parquet"
