"""The database of an engine: SQLite for one machine, PostgreSQL for many processes and machines."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from wfsim.errors import EngineError

from .sql_rows import SqlRows
from .upgrading import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = "sqlite://"
BUSY = 30_000
"""Milliseconds that another process may hold an SQLite file."""

PATIENCE = 10
"""Seconds in which a PostgreSQL server must answer, unless the address has a `connect_timeout`."""


class DatabaseError(EngineError):
    """The database is full, locked, or cannot be reached; it may be in a while."""


class Database:
    """Connections to the tables of an engine; from any thread.

    Parameters
    ----------
    url
        `sqlite:///file.db`, `sqlite://` (in memory, for this process) or `postgresql://user@host/name`.

    Attributes
    ----------
    shown
        Its address, without a password.

    Raises
    ------
    EngineError
        If it cannot be opened, or is neither of these.
    """

    def __init__(self, url: str, *, pool: int = 20) -> None:
        self.url = url
        try:
            parsed = sa.engine.make_url(url)
        except sa.exc.ArgumentError:
            raise EngineError(
                f"{url!r} is not the address of a database. Give sqlite:///runs.db or postgresql://user@host/name."
            ) from None
        kind = parsed.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise EngineError(f"{kind} is not supported. Give sqlite:///runs.db or postgresql://user@host/name.")
        self.is_sqlite = kind == "sqlite"
        self.shown = parsed.render_as_string(hide_password=True)
        self.in_memory = self.is_sqlite and parsed.database in (None, "", ":memory:")
        # Of SQLite one process writes at a time anyway: its threads queue here, and not in its sleeping busy handler.
        self._turn = threading.RLock()
        if self.in_memory:
            self.engine = sa.create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        elif self.is_sqlite:
            self.engine = sa.create_engine(url, pool_size=pool, max_overflow=10)
        else:
            driver = parsed if parsed.drivername != "postgresql" else parsed.set(drivername="postgresql+psycopg")
            self.engine = sa.create_engine(
                driver,
                pool_size=pool,
                max_overflow=10,
                pool_pre_ping=True,
                connect_args={"connect_timeout": parsed.query.get("connect_timeout", PATIENCE)},
            )
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare)
        self._refuse_others(parsed.database)
        try:
            with self._begun() as rows:
                bring_up_to_date(rows.connection, self.shown)
        except sa.exc.DBAPIError as error:
            raise EngineError(f"{self.shown}: it cannot be opened: {_told(error)}") from error

    def _refuse_others(self, path: str | None) -> None:
        if not self.is_sqlite or self.in_memory or path is None:
            return
        folder = Path(path).absolute().parent
        if not folder.is_dir():
            raise EngineError(f"{path}: the folder {folder} does not exist. Make it first.")
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if file.read(12)[8:] == b"DUCK":
                raise EngineError(
                    f"{path} is a DuckDB history, and runs are stored in an SQLite file. Give another path, such as "
                    "'runs.db'; what the history holds is asked with wf.open_history."
                )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[SqlRows]:
        """All or nothing of what is written in it is stored, and on disk at the end.

        Raises
        ------
        DatabaseError
            If the database cannot be used; nothing has happened then.
        """
        with self._told(), self._begun() as rows:
            yield rows

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sa.exc.DBAPIError) as error:
            told = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            raise DatabaseError(
                f"{self.shown} cannot be used: {str(told).strip()} Nothing of this was stored. "
                "Mend the cause and try again."
            ) from error

    @contextlib.contextmanager
    def _begun(self) -> Iterator[SqlRows]:
        if self.is_sqlite:
            with self._turn, self.engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield SqlRows(connection)
                connection.commit()
        else:
            with self.engine.begin() as connection:
                yield SqlRows(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[SqlRows]:
        """What is stored now; nothing can be written.

        Raises
        ------
        DatabaseError
            If the database cannot be used.
        """
        alone = self._turn if self.in_memory else contextlib.nullcontext()
        with self._told(), alone, self.engine.connect() as connection:
            yield SqlRows(connection)

    def close(self) -> None:
        """Close all connections; whoever looks again opens one. What is in memory stays until nobody holds this."""
        if not self.in_memory:
            self.engine.dispose()


def existing(url: str) -> str:
    """The address of a database that is there: others would be made by whoever opens them.

    Raises
    ------
    EngineError
        If it is a file that does not exist, or is in memory.
    """
    with contextlib.suppress(sa.exc.ArgumentError):
        parsed = sa.engine.make_url(url)
        path = parsed.database
        if parsed.get_backend_name() == "sqlite" and (path in (None, "", ":memory:") or not Path(path).is_file()):
            raise EngineError(f"there is no database {url!r}. Give that of an engine: sqlite:///runs.db.")
    return url


def _prepare(connection: object, _: object) -> None:
    # What DBOS sets on engines of its own, too: a transaction that will write says so at once.
    connection.isolation_level = "IMMEDIATE"  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute(f"PRAGMA busy_timeout={BUSY}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _told(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig is not None else str(error)
