"""Records of all instances as they come: what a subscriber of an engine is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from .tables import INSTANCES

if TYPE_CHECKING:
    from wfsim.semantics.records import Record

    from .core import Core

SLACK = 10_000_000
"""Microseconds by which a record may become visible after one that is younger: clocks differ, transactions last."""

TOGETHER = 500
"""Records that are read at a time, and a few more where one instance has them."""


class Feed:
    """Records of all instances from a time on, those of one instance in order and none twice.

    A subscriber that comes back gives the time of the last record that it saw, and gets what may have become visible
    since: some records around that time again, which it knows by instance and `seq`.

    Parameters
    ----------
    since
        Microseconds; records that were written before are left out.
    """

    def __init__(self, core: Core, since: int) -> None:
        self._core = core
        self._since = since
        self._upto = since
        self._seen: dict[str, tuple[int, int]] = {}

    def next(self) -> list[tuple[str, Record]]:
        """What has come, by instance; empty if nothing has."""
        found: list[tuple[str, Record]] = []
        columns = INSTANCES.c
        with self._core.database.reading() as rows:
            changed = rows.connection.execute(
                sa.select(columns.id, columns.version, columns.time)
                .where(columns.time >= max(self._since, self._upto - SLACK))
                .order_by(columns.time, columns.id)
            ).all()
            for name, version, time in changed:
                seen = self._seen.get(name, (0, 0))[0]
                if version <= seen:
                    continue
                records = rows.records(name, seen)
                # Of an instance that is met first, only what is wanted.
                found += [(name, record) for record in records if seen or record.time >= self._since]
                self._seen[name] = (records[-1].seq, time)
                self._upto = max(self._upto, time)
                if len(found) >= TOGETHER:
                    break
        self._forget()
        return found

    def _forget(self) -> None:
        """Instances that have not changed for long are not looked at; one that changes again is met anew."""
        floor = self._upto - SLACK
        old = [name for name, (_, time) in self._seen.items() if time < floor]
        for name in old:
            del self._seen[name]
        if old:
            self._since = max(self._since, floor)
