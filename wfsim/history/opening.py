"""How a history file is opened, for writing and for reading; whoever opens it gets the views of this version.

The file is attached to a database in memory, which holds the views. So views are never out of date, several readers of
one path, one of them from before the file was replaced, do not meet, and a file need not be writable to be asked.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, listed

from . import schema
from .failures import cannot_open
from .views import create_views

if TYPE_CHECKING:
    import os

    import duckdb

MAX_MEMORY = 2 * 2**30
"""Bytes that DuckDB uses for one file unless told otherwise."""
_MAX_SPILLED = "16GiB"
_SEARCH_PATH = "SET search_path = 'memory.main,history.main'"


def open_for_writing(path: str | os.PathLike[str], max_memory: int = MAX_MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a history for writing, or make one; `:memory:` for one that ends with its connection.

    Raises
    ------
    HistoryError
        If it cannot be opened: held by somebody else, no history, or of another format.
    """
    return _open(path, "", max_memory)


def open_for_reading(path: str | os.PathLike[str], max_memory: int = MAX_MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a history so that nothing asked of it can change it, or reach another file.

    Raises
    ------
    HistoryError
        If the file is missing, held by a writer, no history, or of another format.
    """
    if not Path(path).is_file():
        raise HistoryError(f"{path}: there is no such history. Give the path that a run was stored `into`.")
    return _open(path, "(READ_ONLY)", max_memory)


def cursor(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A further connection to the same tables and views."""
    found = con.cursor()
    found.execute(_SEARCH_PATH)
    return found


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as it stands between the quotes of an SQL text."""
    return str(path).replace("'", "''")


def _open(path: str | os.PathLike[str], how: str, max_memory: int) -> duckdb.DuckDBPyConnection:
    import duckdb

    if isinstance(max_memory, bool) or not isinstance(max_memory, int) or max_memory < 2**20:
        raise HistoryError(f"max_memory={max_memory!r}: give a whole number of bytes, at least 1 MiB (2**20).")
    con = duckdb.connect(":memory:")
    try:
        con.execute(f"ATTACH '{quoted(path)}' AS history {how}")
        con.execute("USE history")
        tables = _tables_of(con)
        if tables or how:
            _check_format(con, path, tables)
        else:
            # One transaction: a process killed here leaves an empty file, not half a schema.
            con.execute("BEGIN")
            schema.create(con)
            schema.create_facts(con)
            con.execute(schema.INDEXES)
            con.execute("COMMIT")
        con.execute(_SEARCH_PATH)
        create_views(con)
        _lock(con, max_memory)
    except duckdb.Error as error:
        con.close()
        raise cannot_open(error, path) from None
    except BaseException:
        con.close()
        raise
    return con


def _lock(con: duckdb.DuckDBPyConnection, max_memory: int) -> None:
    """Take away what SQL could use to reach other files, Python variables, or its own limits."""
    # A folder of this connection's own: DuckDB makes it when something does not fit into memory, and removes it.
    folder = Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}"
    con.execute(f"SET temp_directory = '{quoted(folder)}'")
    con.execute(f"SET max_temp_directory_size = '{_MAX_SPILLED}'")
    con.execute(f"SET memory_limit = '{max_memory}B'")
    con.execute("SET python_enable_replacements = false")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _check_format(con: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], tables: list[str]) -> None:
    if "about" not in tables or "records" not in tables:
        raise HistoryError(f"{path}: this DuckDB file is not a history. It has the tables: {listed(tables) or 'none'}.")
    (found,) = con.execute("SELECT format FROM about").fetchall()[0]
    if found != schema.FORMAT:
        raise HistoryError(
            f"{path}: written in format {found}, this version reads {schema.FORMAT}. "
            "Read it with the version of wfsim that wrote it."
        )


def _tables_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'history' ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in found]
