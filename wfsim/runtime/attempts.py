"""What is stored of the open activities of instances: after each step it is what the instance says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.uses import declared_activities
from wfsim.semantics.codes import RECORD_KINDS

from .rows import AttemptRow, Key
from .texts import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.values import Value

    from .held import Held
    from .rows import Rows

OF_ACTIVITIES = frozenset(
    (
        *(each for each in RECORD_KINDS if "activity" in each or "attempt" in each or "retry" in each),
        "control_received",
        "compensation_started",
        "compensation_finished",
        "instance_closed",
        "status_changed",
    )
)
"""Kinds of records after which other attempts may be open, or may start."""


class Attempts:
    """The attempts of a transaction.

    Attributes
    ----------
    launched
        Those that may be carried out from now on; hand them out once the transaction is over, or within it.
    taken_back
        Those that nobody waits for any more.
    """

    def __init__(self, rows: Rows) -> None:
        self.launched: list[AttemptRow] = []
        self.taken_back: list[Key] = []
        self._rows = rows
        # As they were read, until a step of their instance.
        self._read: dict[str, list[AttemptRow]] = {}

    def find(self, key: Key) -> AttemptRow | None:
        """What is stored of an attempt; `None` if it is not open."""
        self._read[key[0]] = self._rows.attempts(key[0])
        return next((row for row in self._read[key[0]] if row.key == key), None)

    def follow(
        self, held: Held, inputs: Mapping[int, Mapping[str, Value]], trace: str | None, *, was_idle: bool
    ) -> None:
        """Store what the instance says now, and launch what is new.

        Parameters
        ----------
        inputs
            Those of attempts that the last step scheduled, by serial.
        trace
            The span that new attempts are below.
        was_idle
            No activity was open before the step: nothing is stored of any then, and need not be asked for.
        """
        instance, name = held.instance, held.name
        works = {work.activity_id: work for work in instance.activities()} if not instance.is_closed else {}
        read = self._read.pop(name, [])
        stored = [] if was_idle else read or self._rows.attempts(name)
        known = {row.serial: row for row in stored}
        if not works and not known:
            return
        gone = [serial for serial in known if serial not in works]
        self.taken_back += [known[serial].key for serial in gone]
        if gone:
            self._rows.drop_attempts(name, gone)
        may_start = instance.status in ("running", "cancelling")
        for serial, work in works.items():
            row = known.get(serial)
            if row is None:
                row = _new(held, serial, work.activity, work.attempt, inputs.get(serial, {}))
            elif row.attempt != work.attempt:
                self._renew(row, work.attempt)
            if row.phase == "new":
                row.trace = trace
            wanted = _wanted(row.phase, work.phase, may_start)
            if wanted != row.phase:
                self._enter(row, wanted)

    def _renew(self, row: AttemptRow, attempt: int) -> None:
        """The next attempt; its input is that of the first."""
        self.taken_back.append(row.key)
        row.attempt, row.phase, row.tries, row.lost = attempt, "new", 0, 0
        row.worker = row.beat_by = row.detail = None

    def _enter(self, row: AttemptRow, phase: str) -> None:
        was, row.phase = row.phase, phase
        if was == "running" and phase == "backoff":
            self.taken_back.append(row.key)
            row.worker = row.beat_by = None
        if phase == "queued":
            row.tries += 1
            self.launched.append(row)
        self._rows.put_attempt(row)


def _new(held: Held, serial: int, activity: str, attempt: int, given: Mapping[str, Value]) -> AttemptRow:
    workflow = held.instance.program.workflow
    declared = declared_activities(workflow)[activity]
    return AttemptRow(
        held.name,
        serial,
        attempt,
        workflow.name,
        activity,
        declared.version,
        written(given),
        "new",
        pool=declared.pool,
        priority=held.row.priority,
    )


def _wanted(phase: str, of_work: str, may_start: bool) -> str:
    """The phase of what is stored, by its phase until now, and that which the instance says."""
    if of_work == "backoff":
        return "backoff"
    if of_work == "running":
        # One that was to be taken again after a crash, and was held by a pause.
        if phase == "held" and may_start:
            return "queued"
        return "running" if phase == "new" else phase
    if not may_start:
        return "held"
    return "running" if phase == "running" else "queued"
