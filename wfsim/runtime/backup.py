"""A copy of an engine's database at one moment, while it is used, and a database made of it again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from wfsim.errors import EngineError
from wfsim.files import sync

from .database import Database
from .queue import make_queue_tables
from .tables import INSTANCES
from .upgrading import NEWEST, stored_version, upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

CONTENTS = "contents.json"
FORMAT = 1

_OF_ITS_OWN = ("wfsim_schema_version", "dbos.dbos_migrations")
"""Tables that say in which version the others are; those of the copy are in its contents."""

_TABLES = """
SELECT c.oid::regclass::text,
       (SELECT array_agg(quote_ident(attname) ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
       (SELECT coalesce(array_agg(DISTINCT confrelid::regclass::text), '{}') FROM pg_constraint
        WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> conrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND (n.nspname = 'dbos' OR n.nspname = current_schema() AND c.relname LIKE 'wfsim\\_%')
ORDER BY 1
"""
_SEQUENCES = """
SELECT c.oid::regclass::text, a.attname, pg_get_serial_sequence(c.oid::regclass::text, a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND (n.nspname = 'dbos' OR n.nspname = current_schema() AND c.relname LIKE 'wfsim\\_%')
  AND pg_get_serial_sequence(c.oid::regclass::text, a.attname) IS NOT NULL
"""


@dataclass(frozen=True)
class Backup:
    """A copy of a database.

    Attributes
    ----------
    path
        The file.
    how
        What made it: `sqlite`, `pg_dump` or `copy`.
    instances
        How many instances are in it.
    bytes
        Its size.
    """

    path: Path
    how: str
    instances: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.path}: {self.instances:,} instances, {self.bytes:,} bytes ({self.how})"


# --- backup --------------------------------------------------------------------------------------


def back_up(url: str, path: str | os.PathLike[str]) -> Backup:
    """Copy the database of an engine, as it is at one moment; workers go on meanwhile.

    SQLite is copied into an SQLite file; PostgreSQL by `pg_dump`, if that is there and not older than the server, else
    into an archive of its tables, read in one transaction.

    Raises
    ------
    EngineError
        If the database cannot be read or has no engine, or something is at the path.
    """
    target = Path(path)
    if target.exists():
        raise EngineError(f"{target}: exists already. Give a path at which nothing is.")
    if not target.absolute().parent.is_dir():
        raise EngineError(f"{target}: the folder {target.parent} does not exist. Make it first.")
    partial = target.with_name(f".{target.name}.partial")
    with opened(url) as (engine, shown):
        n = _count(engine, shown)
        try:
            if engine.dialect.name == "sqlite":
                how = "sqlite"
                _copy_sqlite(Path(engine.url.database or ""), partial)
            elif (program := _program(engine, "pg_dump")) is not None:
                how = "pg_dump"
                _run([program, "--format=custom", "--no-owner", "--no-privileges", f"--file={partial}"], engine)
            else:
                how = "copy"
                _copy_out(engine, partial)
            sync(partial)
            os.replace(partial, target)
            sync(target.absolute().parent)
        finally:
            partial.unlink(missing_ok=True)
    return Backup(target, how, n, target.stat().st_size)


@contextlib.contextmanager
def opened(url: str) -> Iterator[tuple[sa.Engine, str]]:
    """Connections to a database as it is: nothing is made or changed."""
    try:
        parsed = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        raise EngineError(f"{url!r} is not the address of a database.") from None
    shown = parsed.render_as_string(hide_password=True)
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql") or (kind == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise EngineError(f"{shown} cannot be copied. Give sqlite:///runs.db or postgresql://user@host/name.")
    engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg") if kind == "postgresql" else parsed)
    try:
        yield engine, shown
    except sa.exc.DBAPIError as error:
        raise EngineError(f"{shown} cannot be used: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()


def _count(engine: sa.Engine, shown: str) -> int:
    """How many instances there are."""
    database = engine.url.database or ""
    if engine.dialect.name == "sqlite" and not Path(database).is_file():
        raise EngineError(f"there is no database {shown!r}. Give that of an engine: sqlite:///runs.db.")
    with engine.connect() as connection:
        if stored_version(connection) is None:
            raise EngineError(f"{shown} has no tables of an engine. Give the address that workers are given.")
        return connection.execute(sa.select(sa.func.count()).select_from(INSTANCES)).scalar_one()


def _copy_sqlite(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(source)) as read, contextlib.closing(sqlite3.connect(target)) as write:
        # In one go: in parts it would begin anew whenever somebody writes.
        read.backup(write, pages=-1)
        write.execute("PRAGMA journal_mode=DELETE")


def _program(engine: sa.Engine, name: str) -> str | None:
    """A program of PostgreSQL, unless it is older than the server, which it could not read then."""
    found = shutil.which(name)
    if found is None:
        return None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    with engine.connect() as connection:
        server = int(connection.execute(sa.text("SHOW server_version_num")).scalar_one()) // 10_000
    version = next((part for part in told.split() if part[:1].isdigit()), "0")
    return found if int(version.partition(".")[0]) >= server else None


def _run(command: list[str], engine: sa.Engine) -> None:
    url = engine.url
    # Other users of the machine see what a command is given, and not what stands in its environment.
    address = url.set(drivername="postgresql", password=None).render_as_string()
    password = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run([*command, f"--dbname={address}"], capture_output=True, text=True, env=os.environ | password)
    if done.returncode:
        raise EngineError(f"{Path(command[0]).name} has failed: {done.stderr.strip() or done.stdout.strip()}")


def _copy_out(engine: sa.Engine, target: Path) -> None:
    """All tables in a ZIP file, each as `COPY` writes it, as they are in one snapshot."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        raw = _raw(connection)
        tables = {name: columns for name, columns in _tables(raw).items() if name not in _OF_ITS_OWN}
        told = {
            "format": FORMAT,
            "version": stored_version(connection),
            "queue_version": _queue_version(raw),
            "tables": tables,
        }
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(CONTENTS, json.dumps(told, indent=1))
            for name, columns in tables.items():
                with (
                    archive.open(name, "w", force_zip64=True) as file,
                    raw.cursor() as cursor,
                    cursor.copy(f"COPY {name} ({', '.join(columns)}) TO STDOUT") as rows,
                ):
                    for part in rows:
                        file.write(part)


def _raw(connection: sa.Connection) -> psycopg.Connection[Any]:
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def _tables(raw: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """The columns of each table of the engine and its queue; a table comes after those that it refers to."""
    left = {name: (columns, set(needed)) for name, columns, needed in raw.execute(_TABLES).fetchall()}
    found: dict[str, list[str]] = {}
    while left:
        ready = [name for name, (_, needed) in left.items() if not needed & left.keys()]
        for name in ready:
            found[name] = left.pop(name)[0]
    return found


def _queue_version(raw: psycopg.Connection[Any]) -> int:
    (there,) = raw.execute("SELECT to_regclass('dbos.dbos_migrations')").fetchone() or (None,)
    if there is None:
        return 0
    (version,) = raw.execute("SELECT max(version) FROM dbos.dbos_migrations").fetchone() or (0,)
    return int(version or 0)


# --- restore -------------------------------------------------------------------------------------


def restore(path: str | os.PathLike[str], url: str) -> int:
    """Make a database of a copy; how many instances it has. All of it is there, or nothing.

    Parameters
    ----------
    path
        What `back_up` wrote.
    url
        An SQLite file that is not there, or an empty PostgreSQL database.

    Raises
    ------
    EngineError
        If the file is no copy, of another kind of database or of a newer wfsim, or the database has an engine already.
    """
    source = Path(path)
    if not source.is_file():
        raise EngineError(f"there is no backup {str(source)!r}. Give the file that wfsim backup wrote.")
    kind = _kind(source)
    with opened(url) as (engine, shown):
        if (kind == "sqlite") != (engine.dialect.name == "sqlite"):
            what = "an SQLite file" if kind == "sqlite" else "a PostgreSQL database"
            raise EngineError(f"{source} is a copy of {what}, and {shown} is none. Restore it to one of its own kind.")
        if kind == "sqlite":
            _restore_sqlite(source, Path(engine.url.database or ""), shown)
        else:
            with engine.connect() as connection:
                if stored_version(connection) is not None:
                    raise EngineError(f"{shown} has an engine already. Make an empty database: createdb.")
            if kind == "copy":
                _copy_in(source, engine, shown)
            else:
                program = shutil.which("pg_restore")
                if program is None:
                    raise EngineError(f"{source} was written by pg_dump, and there is no pg_restore here. Install it.")
                _run([program, "--single-transaction", "--exit-on-error", "--no-owner", str(source)], engine)
        n = _count(engine, shown)
    # Of an older version, it is brought up to date.
    Database(url).close()
    return n


def _kind(source: Path) -> str:
    with open(source, "rb") as file:
        first = file.read(16)
    for start, kind in ((b"SQLite format 3", "sqlite"), (b"PGDMP", "pg_dump"), (b"PK", "copy")):
        if first.startswith(start):
            return kind
    raise EngineError(f"{source} is no backup. Give the file that wfsim backup wrote.")


def _restore_sqlite(source: Path, target: Path, shown: str) -> None:
    if target.exists():
        raise EngineError(f"{shown} exists already. Give a path at which nothing is.")
    partial = target.with_name(f".{target.name}.partial")
    try:
        _copy_sqlite(source, partial)
        with contextlib.closing(sqlite3.connect(partial)) as copied:
            found = copied.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise EngineError(f"{source} is damaged: {found}. Restore an older one.")
        sync(partial)
        os.replace(partial, target)
    except sqlite3.DatabaseError as error:
        raise EngineError(f"{source} is damaged: {error}. Restore an older one.") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy_in(source: Path, engine: sa.Engine, shown: str) -> None:
    try:
        archive = zipfile.ZipFile(source)
        told = json.loads(archive.read(CONTENTS))
        damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError) as error:
        raise EngineError(f"{source} is no backup, or is damaged: {error}") from error
    if damaged is not None:
        raise EngineError(f"{source} is damaged: {damaged} cannot be read. Restore an older one.")
    if told["format"] != FORMAT or not told["version"].isdigit() or int(told["version"]) > int(NEWEST):
        raise EngineError(f"{source} was written by a newer wfsim. Install that one.")
    make_queue_tables(engine)
    with engine.begin() as connection:
        raw = _raw(connection)
        if told["queue_version"] not in (0, _queue_version(raw)):
            raise EngineError(
                f"{source}: the tables of the queue have version {told['queue_version']}, and this installation makes "
                f"{_queue_version(raw)}. Install the wfsim that wrote it, and bring the database up to date afterwards."
            )
        # Tables from before versions were counted are those of the first.
        upgrade(connection, max(told["version"], "1", key=int))
        known = _tables(raw)
        raw.execute(f"TRUNCATE {', '.join(name for name in known if name not in _OF_ITS_OWN)} CASCADE".encode())
        for name, columns in told["tables"].items():
            with (
                archive.open(name) as file,
                raw.cursor() as cursor,
                cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN".encode()) as rows,
            ):
                while part := file.read(1 << 20):
                    rows.write(part)
        for name, column, sequence in raw.execute(_SEQUENCES).fetchall():
            raw.execute(f"SELECT setval('{sequence}', coalesce(max({column}), 0) + 1, false) FROM {name}".encode())
