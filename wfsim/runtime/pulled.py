"""The history of an engine, as DuckDB sees it: pulled from its database, as far as that was not done yet.

Records are put through `step` again on their way: its output is what a history is made of, here as in a simulation, so
that both have one schema and one meaning, and what did not go as the definition says shows at once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.history.replay_case import steps_of, stimulus_of
from wfsim.history.store import Steps, Store, StoredCase
from wfsim.semantics.instance import Instance

from .tables import INSTANCES

if TYPE_CHECKING:
    import os

    from wfsim.history.history import History

    from .core import Core
    from .rows import InstanceRow
    from .sql_rows import SqlRows

TOGETHER = 500
"""Instances that are pulled in one transaction."""

SLACK = 600_000_000
"""Microseconds by which the clocks of two processes may differ, or a transaction may last."""

KEPT = 5_000
"""Open instances that are kept in memory, to go on from."""


class Pulled:
    """A DuckDB history that follows the database of an engine; from any thread.

    Parameters
    ----------
    path
        A file that goes on where it was, or `:memory:`.

    Attributes
    ----------
    lag
        How many records were missing when it was last brought up to date.
    """

    def __init__(self, core: Core, path: str | os.PathLike[str] = ":memory:") -> None:
        self.lag = 0
        self._core = core
        self._store = Store(path)
        self._history: History | None = None
        self._turn = threading.Lock()
        self._upto = 0
        self._versions: dict[str, int] = {}
        self._places: dict[str, StoredCase] = {}
        self._kept: OrderedDict[str, Instance] = OrderedDict()

    def history(self) -> History:
        """The history, brought up to date."""
        with self._turn:
            self._pull()
            if self._history is None:
                self._history = self._store.history()
            return self._history

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if self._history is not None:
                self._history.close()
            self._store.close()

    def _pull(self) -> None:
        self.lag = 0
        with self._core.database.reading() as rows:
            # Parents before children: those start later, and have longer names.
            changed = rows.connection.execute(
                sa.select(INSTANCES.c.id, INSTANCES.c.version, INSTANCES.c.time)
                .where(INSTANCES.c.time >= self._upto - SLACK)
                .order_by(INSTANCES.c.started, sa.func.length(INSTANCES.c.id), INSTANCES.c.id)
            ).all()
            missing = [(name, time) for name, version, time in changed if version > self._version(name)]
            for first in range(0, len(missing), TOGETHER):
                steps = []
                for name, _ in missing[first : first + TOGETHER]:
                    row = rows.read(name)
                    found = None if row is None else self._steps(rows, row)
                    if found is not None:
                        steps.append(found)
                        self.lag += found.instance.version - found.before
                if steps:
                    self._store.append_all(steps)
                    for each in steps:
                        self._keep(each)
        self._upto = max([self._upto, *(time for _, time in missing)])

    def _version(self, name: str) -> int:
        if name not in self._versions:
            place = self._store.find(name)
            self._versions[name] = 0 if place is None else place.version
        return self._versions[name]

    def _place(self, name: str) -> StoredCase | None:
        found = self._places.get(name) or self._store.find(name)
        if found is not None:
            self._places[name] = found
        return found

    def _steps(self, rows: SqlRows, row: InstanceRow) -> Steps | None:
        family = self._core.families.get(row.family, rows.family)
        program = family.programs[row.member]
        before = self._version(row.id)
        records = rows.records(row.id, before)
        if not records:
            return None
        place = self._place(row.id)
        if place is None:
            parent = None if row.parent is None else self._place(row.parent)
            place = self._store.new_case(program, row.id, parent=parent, activation=row.activation if parent else None)
            self._places[row.id] = place
        instance = self._kept.pop(row.id, None)
        if instance is None or instance.version != before:
            instance = Instance(program, key=records[0].payload["seed"]) if before == 0 else self._rebuilt(place)
        outputs = [instance.apply(stimulus_of(program, step)) for step in steps_of(records)]
        return Steps(place, instance, outputs, before)

    def _rebuilt(self, place: StoredCase) -> Instance:
        assert place.external_id is not None
        return self._store.case(place.external_id).replay()

    def _keep(self, each: Steps) -> None:
        name = each.place.external_id or ""
        self._versions[name] = each.instance.version
        if not each.instance.is_closed:
            self._kept[name] = each.instance
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
