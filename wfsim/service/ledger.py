"""What a namespace keeps beside its instances: who did what, and the answers to requests with an idempotency key."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wfsim.runtime.tables import AUDIT, REQUESTS
from wfsim.runtime.texts import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.runtime.database import Database

    from .keys import Key


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what; `time` is microseconds since 1970 UTC, `status` that of the answer."""

    number: int
    time: int
    key: str
    name: str
    role: str
    method: str
    path: str
    status: int
    request: str


class Ledger:
    """The ledger of a namespace, in its database; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, key: Key, method: str, path: str, status: int, request: str) -> None:
        """Somebody has done something, or tried to."""
        values = {
            "time": _now(),
            "key": key.id,
            "name": key.name,
            "role": key.role.word,
            "method": method,
            "path": path,
            "status": status,
            "request": request,
        }
        with self._database.transaction() as rows:
            rows.connection.execute(sa.insert(AUDIT), values)

    def entries(self, after: int | None, limit: int) -> list[Entry]:
        """What was done, the newest first; after an entry means before it in time."""
        asked = sa.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        if after is not None:
            asked = asked.where(AUDIT.c.number < after)
        with self._database.reading() as rows:
            return [Entry(*row) for row in rows.connection.execute(asked)]

    def begin(self, key: str, digest: str) -> tuple[str, Kept | None]:
        """A request with an idempotency key has come: the digest of the first with it, and its answer if there is one.

        An answer is missing if the first is still at it, or its process has died. Then it is done again: instances,
        events and commands are known by their ids, so it comes to the same.
        """
        with self._database.transaction() as rows:
            insert: Any = (sqlite if rows.is_sqlite else postgresql).insert(REQUESTS)
            new = insert.on_conflict_do_nothing(index_elements=["key"])
            rows.connection.execute(new, {"key": key, "digest": digest, "time": _now()})
            first = rows.connection.execute(sa.select(REQUESTS).where(REQUESTS.c.key == key)).one()
        return first.digest, None if first.answer is None else Kept(**json.loads(first.answer))

    def end(self, key: str, answer: Kept) -> None:
        """The answer to the first request with a key; later ones get the same."""
        told = written({"status": answer.status, "headers": dict(answer.headers), "body": answer.body})
        with self._database.transaction() as rows:
            rows.connection.execute(
                sa.update(REQUESTS).where(REQUESTS.c.key == key, REQUESTS.c.answer.is_(None)).values(answer=told)
            )


def _now() -> int:
    return time.time_ns() // 1_000
