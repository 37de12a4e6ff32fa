"""Which workers are there: each gives a sign of life, and the attempts of those that give none any more are freed."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from typing import TYPE_CHECKING, Any

from .database import DatabaseError
from .rows import WorkerRow
from .taking import DEATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .core import Core
    from .rows import Rows

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
    serves
        What it tells of itself, besides host and process: the groups and activities that it serves.
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
        self.serves: Callable[[], dict[str, Any]] = dict
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"wfsim {name} is here", daemon=True)

    def start(self) -> None:
        """Be there from now on, and free what others have left."""
        with self._core.database.transaction() as rows:
            self._beat(rows)
        self.look_after()
        self._thread.start()

    def close(self) -> None:
        """Be gone; attempts that are left are free at once."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._core.database.transaction() as rows:
            rows.drop_workers([self.id])

    def _serve(self) -> None:
        while not self._over.wait(self._lease / 3):
            try:
                with self._core.database.transaction() as rows:
                    self._beat(rows)
                self.look_after()
            except DatabaseError:
                # It is tried again; whoever cannot reach the database for a lease counts as gone.
                continue

    def _beat(self, rows: Rows) -> None:
        """Be there, also if it was taken for gone."""
        now = rows.server_time()
        told = {"host": socket.gethostname(), "process": os.getpid(), **self.serves()}
        rows.put_worker(WorkerRow(self.id, now, now, told))

    def look_after(self) -> None:
        """Let go of workers that are gone, and free the attempts that nobody is at, or give them up."""
        with self._core.turn() as turn:
            rows, now = turn.rows, turn.rows.server_time()
            workers = rows.workers()
            gone = [each.id for each in workers if each.id != self.id and _is_gone(each, now, self._lease)]
            if gone:
                rows.drop_workers(gone)
            given_up = []
            for row in rows.orphans():
                if row.lost + 1 >= DEATHS:
                    given_up.append(row.key)
                    continue
                row.phase, row.worker, row.beat_by = "queued", None, None
                row.tries, row.lost = row.tries + 1, row.lost + 1
                rows.put_attempt(row)
                turn.attempts.launched.append(row)
            here = [each.id for each in workers if each.id not in gone]
        self._core.give_up(given_up)
        self.free(here)


def _is_gone(row: WorkerRow, now: int, lease: float) -> bool:
    """A worker is gone without a sign of life for a lease; a process of this machine that is dead is gone at once."""
    if row.beat < now - lease * 1e6:
        return True
    if row.told.get("host") != socket.gethostname() or "process" not in row.told:
        return False
    try:
        os.kill(row.told["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
