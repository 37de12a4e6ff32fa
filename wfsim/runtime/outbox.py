"""What webhooks are to be told: a row for each message, written in the transaction in which that happens.

Whichever process writes records writes these too, so what an engine has stored is told, also when everybody is killed.
`courier` sends them.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from .tables import DELIVERIES, ENDPOINTS
from .texts import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wfsim.semantics.records import Record

    from .rows import InstanceRow
    from .sql_rows import SqlRows

FRESH = 1.0
"""Seconds after which a process looks whether another one has registered a webhook."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody who is told what happens; without the secret.

    Attributes
    ----------
    url
        Where to.
    workflows, kinds, events
        Only of these workflows, of records of these kinds, with these events; `None`: of all.
    retry_for
        Microseconds for which a message is tried again.
    created
        Microseconds since 1970 UTC.
    off
        Why it is told nothing any more, until something is repeated; `None` as a rule.
    """

    id: str
    url: str
    workflows: tuple[str, ...] | None
    kinds: tuple[str, ...] | None
    events: tuple[str, ...] | None
    retry_for: int
    created: int
    off: str | None

    def wants(self, workflow: str, record: Record) -> bool:
        """Whether it is told of a record."""
        return (
            (self.workflows is None or workflow in self.workflows)
            and (self.kinds is None or record.kind in self.kinds)
            and (self.events is None or record.event in self.events)
        )


class Outbox:
    """Writes what endpoints are told into the transaction in which it happens."""

    def __init__(self) -> None:
        self._known: list[Endpoint] = []
        self._until = 0.0

    @property
    def is_needed(self) -> bool:
        """Whether anybody is told anything, as far as this process knows."""
        return bool(self._known)

    def look_again(self) -> None:
        """Somebody was registered, or is not any more."""
        self._until = 0.0

    def put(self, rows: SqlRows, recorded: Iterable[tuple[InstanceRow, Sequence[Record]]], now: int) -> None:
        """A message to each endpoint that wants it, in order of the records."""
        if time.monotonic() >= self._until:
            self._known = [each for each in endpoints(rows) if each.off is None]
            self._until = time.monotonic() + FRESH
        if not self._known:
            return
        found = [
            {
                "endpoint": endpoint.id,
                "instance": row.id,
                "seq": record.seq,
                "kind": record.kind,
                "body": _body(row, record),
                "status": "waiting",
                "tries": 0,
                "created": now,
                "due": now,
                "changed": now,
            }
            for row, records in recorded
            for record in records
            for endpoint in self._known
            if endpoint.wants(row.workflow, record)
        ]
        if found:
            rows.connection.execute(sa.insert(DELIVERIES), found)


def endpoints(rows: SqlRows) -> list[Endpoint]:
    """Who is told, in order of their registration."""
    c = ENDPOINTS.c
    asked = sa.select(*(c[name] for name in Endpoint.__slots__)).order_by(c.created, c.id)
    return [
        Endpoint(id, url, _read(workflows), _read(kinds), _read(events), retry_for, created, off)
        for id, url, workflows, kinds, events, retry_for, created, off in rows.connection.execute(asked)
    ]


def _read(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))


def _body(row: InstanceRow, record: Record) -> str:
    about: dict[str, Any] = {
        "instance": row.id,
        "workflow": row.workflow,
        "definition_version": row.definition_version,
        **asdict(record),
    }
    then = datetime.fromtimestamp(record.time / 1e6, UTC).isoformat().replace("+00:00", "Z")
    return written({"type": f"wfsim.{record.kind}", "timestamp": then, "data": about})
