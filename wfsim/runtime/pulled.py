"""The history of an engine, as DuckDB sees it: pulled from its database, as far as that was not done yet.

Records are put through `step` again on their way: its output is what a history is made of, here as in a simulation, so
that both have one schema and one meaning, and what did not go as the definition says shows at once.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.errors import ReplayError
from wfsim.history.replay_case import replayed
from wfsim.history.store import Steps, Store, StoredCase

from .programs import code_of
from .segments import checked, family_of, outputs_of, segments_of
from .tables import INSTANCES, MOVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wfsim.history.history import History
    from wfsim.semantics.instance import Instance

    from .core import Core
    from .rows import InstanceRow
    from .sql_rows import SqlRows

TOGETHER = 500
"""Instances that are pulled in one transaction."""

SLACK = 600_000_000
"""Microseconds by which the clocks of two processes may differ, or a transaction may last."""

OFTEN = 0.05
"""Seconds between two looks for what other processes have written."""

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
    path
        Where it lies.
    differences
        Instances that did not go as their definitions say, with the first record that differs.
    """

    def __init__(self, core: Core, path: str | os.PathLike[str] = ":memory:") -> None:
        self.differences: dict[str, ReplayError] = {}
        self._core = core
        self.path = os.path.realpath(path)
        self._store = Store(path)
        self._store.supply(core.families.functions)
        self._history: History | None = None
        self._turn = threading.Lock()
        self._upto = 0
        self._moves = 0
        self._untold: list[tuple[str, int, int]] = []
        self._changes = -1
        self._looked = 0.0
        self._versions: dict[str, int] = {}
        self._places: dict[str, StoredCase] = {}
        self._kept: OrderedDict[str, Instance] = OrderedDict()

    def history(self) -> History:
        """The history; it is brought up to date before each question."""
        if self._history is None:
            # Before there is a question, as names that are new make the views anew.
            self.refresh()
            with self._turn:
                self._history = self._history or self._store.history(self)
        return self._history

    def refresh(self, seconds: float | None = None) -> bool:
        """Pull what is missing, unless it was looked for a moment ago and nothing has happened here since.

        With `seconds` it ends after about so long; whether nothing is missing then. What has been pulled stays.
        """
        end = None if seconds is None else monotonic() + seconds
        if not self._turn.acquire(timeout=-1.0 if seconds is None else seconds):
            return False
        try:
            changes = self._core.changes
            if changes == self._changes and (self._core.database.in_memory or monotonic() < self._looked + OFTEN):
                return True
            if not self._pull(end):
                return False
            self._changes, self._looked = changes, monotonic()
            return True
        finally:
            self._turn.release()

    def missing(self) -> int:
        """How many records are stored and not pulled yet."""
        with self._turn, self._core.database.reading() as rows:
            known = {
                name: version
                for name, version, _ in [*self._untold, *self._changed(rows)]
                if name not in self.differences
            }
            return sum(max(version - self._version(name), 0) for name, version in known.items())

    def steps(self, rows: SqlRows, relatives: Iterable[InstanceRow]) -> list[Steps] | None:
        """All that a family of instances has done, parents first; `None` if one did not go as its definition says."""
        found = []
        for row in relatives:
            each = self._steps(rows, row)
            if each is None:
                return None
            found.append(each)
        return found

    def append(self, steps: Sequence[Steps]) -> History:
        """Add what instances have done; the history with it."""
        if steps:
            self._store.append_all(steps)
        return self._store.history()

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if self._history is not None:
                self._history.close()
            self._store.close()

    def _pull(self, end: float | None) -> bool:
        """Pull what is missing, until some time at most; whether that was all."""
        n, is_over = 0, False
        with self._core.database.reading() as rows:
            changed = self._changed(rows)
            # Nobody would tell of them again, should this be cut short.
            self._untold = moved = [*self._untold, *self._forget_moved(rows)]
            missing = [
                (name, time)
                for name, version, time in dict.fromkeys([*moved, *changed])
                if name not in self.differences and version > self._version(name)
            ]
            for first in range(0, len(missing), TOGETHER):
                steps: list[Steps] = []
                for name, _ in missing[first : first + TOGETHER]:
                    is_over = end is not None and n > 0 and monotonic() > end
                    if is_over:
                        break
                    row = rows.read(name)
                    found = None if row is None else self._steps(rows, row)
                    if found is not None:
                        steps.append(found)
                        n += 1
                if steps:
                    self._store.append_all(steps)
                    for each in steps:
                        self._keep(each)
                if is_over:
                    return False
        self._upto = max([self._upto, *(time for _, time in missing)])
        self._untold = []
        return True

    def _changed(self, rows: SqlRows) -> list[tuple[str, int, int]]:
        """Instances that may have gone on; parents before children: those start later, and have longer names."""
        asked = (
            sa.select(INSTANCES.c.id, INSTANCES.c.version, INSTANCES.c.time)
            .where(INSTANCES.c.time >= self._upto - SLACK)
            .order_by(INSTANCES.c.started, sa.func.length(INSTANCES.c.id), INSTANCES.c.id)
        )
        return [(name, version, time) for name, version, time in rows.connection.execute(asked)]

    def _forget_moved(self, rows: SqlRows) -> list[tuple[str, int, int]]:
        """Forget instances that have moved to another version, with their families; they are told anew (M15.1)."""
        found = rows.connection.execute(
            sa.select(MOVES.c.instance, sa.func.max(MOVES.c.number))
            .where(MOVES.c.number > self._moves)
            .group_by(MOVES.c.instance)
        ).all()
        gone: dict[str, StoredCase] = {}
        for name, number in found:
            self._moves = max(self._moves, number)
            row, place = rows.read(name), self._place(name)
            if row is None or place is None or code_of(self._store.hashes_of(place)) == row.family:
                continue
            for each in rows.relatives(row):
                if (there := self._place(each.id)) is not None:
                    gone[each.id] = there
        self._store.drop(gone.values())
        for name in gone:
            self._versions[name] = 0
            self._places.pop(name, None)
            self._kept.pop(name, None)
        asked = (
            sa.select(INSTANCES.c.id, INSTANCES.c.version, INSTANCES.c.time)
            .where(INSTANCES.c.id.in_(gone))
            .order_by(INSTANCES.c.started, sa.func.length(INSTANCES.c.id), INSTANCES.c.id)
        )
        return [(name, version, time) for name, version, time in rows.connection.execute(asked)] if gone else []

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
        before = self._version(row.id)
        if row.version == before:
            return None
        try:
            return self._told(rows, row, before)
        except ReplayError as error:
            # Its instance is past that step, so there is nothing to show: what is shown is what was.
            self.differences[row.id] = error
            warnings.warn(
                f"{row.id!r} did not go as its definition says, and is left out of the history from record "
                f"{before + 1} on: {error} See engine.check().",
                stacklevel=2,
            )
            return None

    def _told(self, rows: SqlRows, row: InstanceRow, before: int) -> Steps:
        family = family_of(row.family, rows, self._core.families)
        program = family.programs[row.member]
        # Looked for already, by `_version`, if nothing of it is there.
        place = self._place(row.id) if before else self._places.get(row.id)
        if place is None:
            parent = None if row.parent is None else self._place(row.parent)
            if parent is not None and family.members[row.member].model_hash not in self._store.hashes_of(parent):
                # Its parent has moved to a version that runs another one.
                parent = None
            place = self._store.new_case(program, row.id, parent=parent, activation=row.activation if parent else None)
            self._places[row.id] = place
        instance = self._kept.pop(row.id, None)
        if before == 0:
            told = outputs_of(segments_of(rows, row, self._core.families))
            instance, outputs = told.instance, told.outputs
        else:
            if instance is None or instance.version != before:
                instance = self._rebuilt(place)
            outputs = [output for _, output in replayed(instance, rows.records(row.id, before))]
        return Steps(place, instance, outputs, before, rows.metadata(row.id, before))

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


@dataclass(frozen=True)
class Check:
    """Whether instances went as their definitions say; true if all did.

    Attributes
    ----------
    differences
        By instance, the first record that differs.
    """

    n_instances: int
    n_records: int
    differences: Mapping[str, ReplayError]

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        found = f"{self.n_instances:,} instances with {self.n_records:,} records went as their definitions say."
        if not self.differences:
            return found
        name, error = next(iter(self.differences.items()))
        return (
            f"{len(self.differences):,} of {self.n_instances:,} instances did not go as their definitions say; first "
            f"{name!r}: {error}"
        )


def check(core: Core, ids: Iterable[str] | None) -> Check:
    """Put the records of instances, or of all, through `step` again and compare each."""
    n_records, differences = 0, {}
    with core.database.reading() as rows:
        names = list(rows.connection.execute(sa.select(INSTANCES.c.id)).scalars()) if ids is None else list(ids)
        for name in names:
            row = rows.read(name)
            if row is None:
                raise core.no_instance(rows, name)
            n_records += row.version
            try:
                checked(segments_of(rows, row, core.families))
            except ReplayError as error:
                differences[name] = error
    return Check(len(names), n_records, differences)
