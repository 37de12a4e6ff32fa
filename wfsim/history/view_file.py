"""The views as a small file in the cache, made once a machine, that every opening of a history attaches.

Making them costs DuckDB 29 ms, as each binds all that it reads, down to the tables; attaching them costs 2 ms.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from wfsim.files import cache_root

from .schema import SIDE_TABLES, TABLES, quoted
from .views import KEPT_VIEWS, VIEWS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def attach_views(con: duckdb.DuckDBPyConnection) -> None:
    """Attach all views and macros as the database `views`, read-only.

    Where nothing can be kept, they are made in memory, from the tables of `history` in this connection.
    """
    import duckdb

    file = _file()
    try:
        if not file.is_file():
            _make(file)
        con.execute(f"ATTACH '{quoted(file)}' AS views (READ_ONLY)")
    except (OSError, duckdb.Error):
        # A damaged file is made anew the next time.
        with suppress(OSError):
            file.unlink()
        con.execute("ATTACH ':memory:' AS views")
        _create(con)


def _file() -> Path:
    """Where the views of this version are: they depend on the tables, and the file on DuckDB."""
    import duckdb

    digest = hashlib.sha256("".join((duckdb.__version__, TABLES, SIDE_TABLES, *VIEWS)).encode()).hexdigest()
    return cache_root() / f"views-{digest[:16]}.duckdb"


def _make(file: Path) -> None:
    """Make it under another name first: others may open it meanwhile, or make it too."""
    import duckdb

    file.parent.mkdir(parents=True, exist_ok=True)
    passing = file.with_name(f"{file.stem}-{uuid.uuid4().hex}.partial")
    try:
        with duckdb.connect(":memory:") as con:
            con.execute(f"ATTACH ':memory:' AS history; USE history; {TABLES} {SIDE_TABLES}")
            con.execute(f"ATTACH '{quoted(passing)}' AS views")
            _create(con)
        os.replace(passing, file)
    finally:
        passing.unlink(missing_ok=True)


def _create(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE SCHEMA views.clock; CREATE SCHEMA views.ranged; CREATE SCHEMA views.kept")
    con.execute("SET search_path = 'views.kept,history.main'")
    con.execute(";".join(KEPT_VIEWS.values()))
    con.execute("SET search_path = 'views.main,history.main,views.clock,views.kept'")
    con.execute(";".join(text for text in VIEWS if text not in KEPT_VIEWS.values()))
