"""Which workers are there: each gives a sign of life, and the attempts of those that give none any more are freed."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from .core import DatabaseError
from .tables import ATTEMPTS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .core import Core
    from .rows import AttemptRow
    from .sql_rows import SqlRows

LEASE = 10.0
"""Seconds without a sign of life after which a worker counts as gone."""


class Presence:
    """A worker's place among the workers of a database.

    A process that stands still for longer than its lease, and comes back, finds that others carry its attempts out.
    What it says of them then is late, or comes first; the other is late in that case. Functions are called with one
    idempotency key both times.

    Parameters
    ----------
    name
        What the worker is called.
    lease
        Seconds; a sign of life is given three times in it.

    Attributes
    ----------
    id
        Of this start of the worker: `<name>#<letters>`.
    free
        Called with the workers that are there, to free what others hold elsewhere than in the table of attempts.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        *,
        lease: float = LEASE,
    ) -> None:
        self.id = f"{name}#{secrets.token_hex(4)}"
        self._core = core
        self._lease = lease
        self.free: Callable[[Collection[str]], None] = lambda workers: None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"wfsim {name} is here", daemon=True)

    def start(self) -> None:
        """Be there from now on, and free what others have left."""
        told = json.dumps({"host": socket.gethostname(), "process": os.getpid()})
        with self._core.database.transaction() as rows:
            now = server_time(rows)
            rows.connection.execute(sa.insert(WORKERS), {"id": self.id, "started": now, "beat": now, "told": told})
        self.look_after()
        self._thread.start()

    def close(self) -> None:
        """Be gone; attempts that are left are free at once."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._core.database.transaction() as rows:
            rows.connection.execute(sa.delete(WORKERS).where(WORKERS.c.id == self.id))

    def _serve(self) -> None:
        while not self._over.wait(self._lease / 3):
            try:
                with self._core.database.transaction() as rows:
                    self._beat(rows)
                self.look_after()
            except (DatabaseError, sa.exc.DBAPIError):
                # It is tried again; whoever cannot reach the database for a lease counts as gone.
                continue

    def _beat(self, rows: SqlRows) -> None:
        now = server_time(rows)
        found = rows.connection.execute(sa.update(WORKERS).where(WORKERS.c.id == self.id).values(beat=now))
        if found.rowcount == 0:
            # It was taken for gone.
            rows.connection.execute(sa.insert(WORKERS), {"id": self.id, "started": now, "beat": now})

    def look_after(self) -> None:
        """Let go of workers that are gone, and free the attempts that nobody is at."""
        with self._core.turn() as turn:
            rows = turn.sql
            gone = [
                each.id
                for each in rows.connection.execute(sa.select(WORKERS))
                if each.id != self.id and _is_gone(each, server_time(rows), self._lease)
            ]
            if gone:
                rows.connection.execute(sa.delete(WORKERS).where(WORKERS.c.id.in_(gone)))
            for row in orphans(rows):
                row.phase, row.worker, row.beat_by = "queued", None, None
                row.tries += 1
                rows.put_attempt(row)
                turn.launched.append(row)
            here = list(rows.connection.execute(sa.select(WORKERS.c.id)).scalars())
        self.free(here)


def orphans(rows: SqlRows) -> list[AttemptRow]:
    """Attempts that were begun by workers that are gone, locked."""
    places = rows.connection.execute(
        sa.select(ATTEMPTS.c.instance, ATTEMPTS.c.serial)
        .where(
            ATTEMPTS.c.phase == "running",
            ATTEMPTS.c.worker.is_not(None),
            ~sa.exists().where(WORKERS.c.id == ATTEMPTS.c.worker),
        )
        .order_by(ATTEMPTS.c.started, ATTEMPTS.c.instance, ATTEMPTS.c.serial)
        .with_for_update(skip_locked=True)
    ).all()
    return [row for name, serial in places for row in rows.attempts(name) if row.serial == serial]


def server_time(rows: SqlRows) -> int:
    """Microseconds by the clock of the database, as those of its clients may differ."""
    if rows.is_sqlite:
        return time.time_ns() // 1_000
    return int(
        rows.connection.execute(
            sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        ).scalar_one()
    )


def _is_gone(row: sa.Row[tuple[str, int, int, str | None]], now: int, lease: float) -> bool:
    """A worker is gone without a sign of life for a lease; a process of this machine that is dead is gone at once."""
    if row.beat < now - lease * 1e6:
        return True
    told = json.loads(row.told) if row.told else {}
    if told.get("host") != socket.gethostname() or "process" not in told:
        return False
    try:
        os.kill(told["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
