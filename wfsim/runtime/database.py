"""The database of an engine: SQLite for one machine, PostgreSQL for many processes and machines."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from wfsim.errors import EngineError

from .sql_rows import SqlRows
from .upgrading import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine.interfaces import DBAPIConnection

MEMORY = "sqlite://"
BUSY = 30_000
"""Milliseconds that another process may hold an SQLite file."""

RESTED = 1.0
"""Seconds without a question after which a connection to PostgreSQL is asked whether it is still there."""

PATIENCE = 10
"""Seconds in which a PostgreSQL server must answer, unless the address has a `connect_timeout`."""


class DatabaseError(EngineError):
    """The database is full, locked, or cannot be reached; it may be in a while.

    What was to be stored was not, unless the text says that this is not known.
    """


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
        if self.is_sqlite and parsed.host:
            raise EngineError(f"{url!r} lacks a slash: a file is sqlite:///{parsed.host}, a whole path sqlite:////….")
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
                connect_args={"connect_timeout": parsed.query.get("connect_timeout", PATIENCE)},
            )
        # Its questions see what is stored when they are asked, in a transaction or not: that spares two messages.
        self._reader = self.engine
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare)
        else:
            self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            _ask_those_that_rested(self.engine)
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
        head = b""
        with contextlib.suppress(OSError), open(path, "rb") as file:
            head = file.read(12)
        if head[8:] == b"DUCK":
            raise EngineError(
                f"{path} is a DuckDB history, and runs are stored in an SQLite file. Give another path, such as "
                "'runs.db'; what the history holds is asked with wf.open_history, after wf.convert_history(old, new) "
                "or `wfsim convert` if an older version has written it."
            )
        if not head and path.lower().endswith(".duckdb"):
            raise EngineError(
                f"{path} would be an SQLite file with the name of a DuckDB history. Give another path, such as "
                "'runs.db'; engine.follow_history(path) keeps the history of an engine in a DuckDB file."
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[SqlRows]:
        """All or nothing of what is written in it is stored, and on disk at the end.

        Raises
        ------
        EngineError
            If it refuses a value; nothing has happened then.
        DatabaseError
            If the database cannot be used. Nothing has happened then, unless the connection broke at the very end:
            whether the server has stored it is not known then, as the text says.
        """
        with self._told(), self._begun() as rows:
            yield rows

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DataError as error:
            raise EngineError(f"{self.shown} refuses a value: {str(error.orig).strip()} Nothing was stored.") from error
        except (OSError, sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            # A timeout: no connection has become free.
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
            with self.engine.connect() as connection:
                yield SqlRows(connection)
                try:
                    connection.commit()
                except sa.exc.DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                    raise DatabaseError(
                        f"{self.shown} cannot be used: {str(error.orig).strip()} It is not known whether this was "
                        "stored. Look, or try again under the same id: what was stored is not done twice."
                    ) from error

    @contextlib.contextmanager
    def reading(self) -> Iterator[SqlRows]:
        """What is stored now; nothing can be written.

        Raises
        ------
        DatabaseError
            If the database cannot be used.
        """
        alone = self._turn if self.in_memory else contextlib.nullcontext()
        with self._told(), alone, self._reader.connect() as connection:
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


def _ask_those_that_rested(engine: sa.Engine) -> None:
    """A connection that has rested for a while is asked whether it is still there, before anybody relies on it.

    To ask every time, as SQLAlchemy can, would be a message more for each transaction.
    """

    def rests(connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    def is_wanted(connection: DBAPIConnection, record: sa.pool.ConnectionPoolEntry, _: object) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) < RESTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error

    sa.event.listen(engine, "checkin", rests)
    sa.event.listen(engine, "checkout", is_wanted)


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
