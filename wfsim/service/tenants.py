"""Namespaces: each has an engine of its own, on a database of its own, so no query can reach another's."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from wfsim.errors import EngineError
from wfsim.runtime.courier import Courier
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine

from .keys import DEFAULT, Keys, checked_namespace
from .ledger import Ledger
from .measuring import Measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.clock import Clock
    from wfsim.runtime.implementations import Function
    from wfsim.runtime.permissions import Permissions


class Tenant:
    """What belongs to one namespace.

    Attributes
    ----------
    streams
        How many subscribers read just now.
    """

    def __init__(self, namespace: str, engine: Engine) -> None:
        self.namespace = namespace
        self.engine = engine
        self.ledger = Ledger(engine.core.database)
        self.measures = Measures(engine)
        self.streams = 0
        self._courier = Courier(engine.core, lambda: engine.permissions)
        self._courier.start()

    def close(self, timeout: float) -> None:
        """End what goes on; nothing stored is lost."""
        self._courier.close()
        self.engine.close(timeout)


class Tenants:
    """The namespaces of a service; from any thread.

    Parameters
    ----------
    url
        The database of the default namespace. Others lie beside it; see `address_of`.
    workflows, activities
        Of the default namespace: one process works for one database. Without functions, time passes and messages are
        delivered, and activities are left to workers.
    permissions
        What may be reached from here, by webhooks of all namespaces and by activities; by default what the environment
        says.
    history
        A DuckDB file in which the history of the default namespace lies, and files beside it for the others: statistics
        go on where they were. Without, it lies in memory, and is fetched anew by each process.
    """

    def __init__(
        self,
        url: str,
        workflows: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
        activities: Mapping[str, Function] | None = None,
        *,
        permissions: Permissions | None = None,
        clock: Clock | None = None,
        polling: float = 0.1,
        history: str | os.PathLike[str] | None = None,
    ) -> None:
        self._url = url
        self._history = None if history is None else os.fspath(history)
        self._open: dict[str, Any] = {"clock": clock, "polling": polling, "permissions": permissions}
        self._door = threading.Lock()
        self._known: dict[str, Tenant] = {}
        self._closed = False
        groups = None if activities else ()
        engine = open_engine(url, workflows, activities or {}, groups=groups, **self._open)
        try:
            self._known[DEFAULT] = self._tenant(DEFAULT, engine)
            self.keys = Keys(engine.core.database)
            # Time must pass in all of them, whether somebody calls or not.
            for namespace in sorted({key.namespace for key in self.keys.list()}):
                self.of(namespace)
        except BaseException:
            self.close()
            raise

    @property
    def default(self) -> Tenant:
        """The default namespace."""
        return self._known[DEFAULT]

    def of(self, namespace: str) -> Tenant:
        """A namespace; made when it is first asked for.

        Raises
        ------
        EngineError
            If its database cannot be opened or made.
        """
        found = self._known.get(namespace)
        if found is not None:
            return found
        with self._door:
            found = self._known.get(namespace)
            if found is None:
                if self._closed:
                    raise EngineError("the service is about to stop. Ask again when it is back.")
                url = address_of(self._url, namespace)
                _make(self._url, url)
                found = self._tenant(namespace, open_engine(url, activities={}, groups=(), **self._open))
                self._known[namespace] = found
            return found

    def _tenant(self, namespace: str, engine: Engine) -> Tenant:
        try:
            if self._history is not None:
                engine.keep_history(_beside(self._history, namespace))
            return Tenant(namespace, engine)
        except BaseException:
            engine.close(0.0)
            raise

    def all(self) -> list[Tenant]:
        """Those that are open."""
        return list(self._known.values())

    def close(self, timeout: float = 10.0) -> None:
        """End what goes on; nothing stored is lost."""
        with self._door:
            self._closed = True
            known = list(self._known.values())
        for each in known:
            each.close(timeout)


def address_of(url: str, namespace: str) -> str:
    """The database of a namespace: that of the default one, or one of its own beside it, named after it.

    Examples
    --------
    >>> address_of("sqlite:///runs.db", "acme")
    'sqlite:///runs.acme.db'
    >>> address_of("postgresql://user@host/runs", "acme")
    'postgresql://user@host/runs_acme'
    """
    checked_namespace(namespace)
    parsed = sa.engine.make_url(url)
    database = parsed.database
    if namespace == DEFAULT or database in (None, "", ":memory:"):
        return url
    assert database is not None
    is_file = parsed.get_backend_name() == "sqlite"
    beside = _beside(database, namespace) if is_file else f"{database}_{namespace}"
    return parsed.set(database=beside).render_as_string(hide_password=False)


def _beside(file: str, namespace: str) -> str:
    """A file of a namespace beside that of the default one."""
    if namespace == DEFAULT:
        return file
    stem, dot, ending = file.rpartition(".")
    return f"{stem}.{namespace}.{ending}" if dot and "/" not in ending else f"{file}.{namespace}"


def _make(default: str, url: str) -> None:
    """Make a database of PostgreSQL, if it is not there; files make themselves."""
    parsed = sa.engine.make_url(default)
    name = sa.engine.make_url(url).database or ""
    if parsed.get_backend_name() != "postgresql":
        return
    driver = parsed if parsed.drivername != "postgresql" else parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(driver, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            there = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
            if connection.execute(there, {"name": name}).first() is None:
                connection.exec_driver_sql(f"CREATE DATABASE {engine.dialect.identifier_preparer.quote(name)}")
    except sa.exc.DBAPIError as error:
        raise EngineError(
            f"the database {name} of a namespace cannot be made: {str(error.orig).strip()} Make it by hand, or let the "
            "service's user create databases: ALTER ROLE … CREATEDB."
        ) from error
    finally:
        engine.dispose()
