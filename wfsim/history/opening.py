"""How a history file is opened, for writing and for reading; whoever opens it gets the views of this version.

The file is attached to a database in memory, and so are the views. So views are never out of date, several readers of
one path, one of them from before the file was replaced, do not meet, and a file need not be writable to be asked.

The view `history` is made once somebody asks (`views.name_records`): it has the names in it, and of a file that is
being written these grow. To make it takes as long as all the rest of opening.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, listed

from . import schema
from .failures import cannot_open, other_format, refuse_engine
from .moments import Variables, set_variables
from .parquet import attach_parquet
from .schema import quoted
from .view_file import attach_views

if TYPE_CHECKING:
    import os

    import duckdb

    from .working_time import WorkingClock

MAX_MEMORY = 2 * 2**30
"""Bytes that DuckDB uses for one file unless told otherwise."""
_MAX_SPILLED = "16GiB"
NEW = "(BLOCK_SIZE 65536)"
"""How a new file is attached: a column takes whole blocks, and there are a hundred of them.

A small history takes a quarter of the room that it has with DuckDB's own 256 KiB, a large one 15 % less.
"""
_READ_ONLY = "(READ_ONLY)"
TABLES_FIRST = "SET search_path = 'history.main,memory.main,views.main,views.clock,views.kept'"
"""For who writes: views of the tables' names stand before them otherwise."""
_SEARCH_PATH = "SET search_path = 'memory.main,views.main,history.main,views.clock,views.kept'"
_RANGED_PATH = "SET search_path = 'memory.main,views.main,views.ranged,history.main,views.clock,views.kept'"
_LOCK = f"""
SET max_temp_directory_size = '{_MAX_SPILLED}'; SET enable_external_access = false; SET lock_configuration = true
"""
"""Takes away what SQL could use to reach other files, or its own limits."""


def open_for_writing(path: str | os.PathLike[str], max_memory: int = MAX_MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a history for writing, or make one; `:memory:` for one that ends with its connection.

    Raises
    ------
    HistoryError
        If it cannot be opened: held by somebody else, no history, or of another format.
    """
    return _open(path, "" if str(path) == ":memory:" or Path(path).exists() else NEW, max_memory)


def open_for_reading(path: str | os.PathLike[str], max_memory: int = MAX_MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a history so that nothing asked of it can change it, or reach another file.

    Raises
    ------
    HistoryError
        If the file is missing, held by a writer, no history, or of another format; a folder may also be damaged.
    """
    if not Path(path).exists():
        raise HistoryError(f"{path}: there is no such history. Give the path that a run was stored `into`.")
    if Path(path).suffix == ".parquet" and Path(path).is_file():
        raise HistoryError(f"{path}: one Parquet file is no history. Give the folder that history.to_parquet wrote.")
    return _open(path, _READ_ONLY, max_memory)


def open_within(con: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """Open a history for reading, with a connection from `connect` that has been used for something else.

    Raises
    ------
    HistoryError
        If it cannot be opened; the connection is closed then.
    """
    return _open(path, _READ_ONLY, MAX_MEMORY, con)


def remove(path: Path) -> None:
    """Remove a history's file, if there is one, and what DuckDB may have left beside it."""
    for end in ("", ".wal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def cursor(
    con: duckdb.DuckDBPyConnection, bounds: Variables | None = None, clock: WorkingClock | None = None
) -> duckdb.DuckDBPyConnection:
    """A further connection to the same tables and views.

    It sees what happened within some bounds, and measures durations with a clock.
    """
    found = con.cursor()
    found.execute(_RANGED_PATH if bounds or clock is not None else _SEARCH_PATH)
    set_variables(found, bounds or {})
    if clock is not None:
        clock.set(found)
    return found


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory, with nothing in it.

    What does not fit there goes to a folder of its own: DuckDB makes it when needed, and removes it.
    """
    import duckdb

    folder = Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}"
    settings: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(folder),
        "memory_limit": f"{MAX_MEMORY}B",
        "python_enable_replacements": False,
    }
    return duckdb.connect(":memory:", config=settings)


def _open(
    path: str | os.PathLike[str], how: str, max_memory: int, con: duckdb.DuckDBPyConnection | None = None
) -> duckdb.DuckDBPyConnection:
    import duckdb

    if isinstance(max_memory, bool) or not isinstance(max_memory, int) or max_memory < 2**20:
        raise HistoryError(f"max_memory={max_memory!r}: give a whole number of bytes, at least 1 MiB (2**20).")
    refuse_engine(path)
    con = con or connect()
    try:
        if Path(path).is_dir():
            attach_parquet(con, Path(path))
        else:
            _attach(con, path, how)
        attach_views(con)
        con.execute(_SEARCH_PATH)
        if max_memory != MAX_MEMORY:
            # To say it once more takes 25 ms after much has been written.
            con.execute(f"SET memory_limit = '{max_memory}B'")
        con.execute(_LOCK)
    except duckdb.Error as error:
        con.close()
        raise cannot_open(error, path) from None
    except BaseException:
        con.close()
        raise
    return con


def _attach(con: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], how: str) -> None:
    """Attach a DuckDB file as the database `history`; a new one gets its tables."""
    con.execute(f"ATTACH '{quoted(path)}' AS history {how}")
    con.execute("USE history")
    tables = _tables_of(con)
    if tables or how == _READ_ONLY:
        _check_format(con, path, tables)
    else:
        # One transaction: a process killed here leaves an empty file, not half a schema.
        con.execute(f"BEGIN; {schema.TABLES} {schema.SIDE_VIEWS} {schema.FIRST_ROWS} {schema.INDEXES} COMMIT")


def _check_format(con: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], tables: list[str]) -> None:
    # Before format 8 the records were a table of that name.
    if "about" not in tables or not {"records", "record_rows"} & set(tables):
        raise HistoryError(f"{path}: this DuckDB file is not a history. It has the tables: {listed(tables) or 'none'}.")
    (found,) = con.execute("SELECT format FROM about").fetchall()[0]
    if found != schema.FORMAT:
        raise other_format(path, found, schema.FORMAT)


def _tables_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'history' ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in found]
