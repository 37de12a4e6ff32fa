"""Attempts as workers see them: taken, kept alive, and reported on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .implementations import Use
from .texts import written
from .turn import was_ignored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wfsim.model.elements import Activity
    from wfsim.model.values import Value

    from .executor import Report
    from .rows import Key
    from .turn import Turn


DEATHS = 5
"""Workers that may die at one attempt; then it has failed (M5.5)."""


class Unknown(Exception):
    """A worker was handed an attempt whose function it does not know."""


@dataclass(frozen=True, slots=True)
class Order:
    """An attempt to be carried out.

    Attributes
    ----------
    declared
        What the definition of its instance says of the activity.
    idempotency_key
        Equal for all attempts of an activity; of a compensator for all that undo one entry (M9.1).
    heartbeat
        Microseconds within which a sign of life is due; `None` if none is.
    deadline
        When the attempt times out.
    trace
        The span that it is below.
    """

    instance: str
    serial: int
    attempt: int
    workflow: str
    activity: str
    declared: Activity
    input: Mapping[str, Value]
    idempotency_key: str
    heartbeat: int | None
    deadline: int | None
    index: int | None
    trace: str | None

    @property
    def key(self) -> Key:
        """Which attempt it is."""
        return self.instance, self.serial, self.attempt


def take(
    turn: Turn,
    key: Key,
    worker: str,
    tries: int | None = None,
    admits: Callable[[Use, Activity, str], None] | None = None,
    *,
    again: bool = False,
) -> Order | None:
    """A worker is about to carry out an attempt; `None` if nobody waits for it, or not now (M8.1).

    With `tries`, `None` also if it was handed out anew since. `admits` may raise `Unknown`, if the worker cannot
    carry it out, or `OnHold`; nothing is written then. With `again` it may have taken it without having heard so.

    The start is recorded once, whoever else takes the attempt again after a crash (M5.5).
    """
    name, serial, attempt = key
    held = turn.hold(name)
    row = None if held is None else turn.attempts.find(key)
    if held is None or row is None or tries not in (None, row.tries):
        return None
    if row.phase != "queued" and not (again and row.phase == "running" and row.worker == worker):
        return None
    instance = held.instance
    declared = instance.program.activities[row.activity]
    if admits is not None:
        admits(Use(row.workflow, row.activity, row.activity_version), declared, name)
    if instance.status not in ("running", "cancelling"):
        row.phase = "held"
        turn.rows.put_attempt(row)
        return None
    work = next(work for work in instance.activities() if work.activity_id == serial)
    if work.phase == "backoff":
        return None
    if work.phase == "scheduled":
        shown = worker.partition("#")[0]
        turn.step(held, lambda one, time: one.activity_started(time, serial, attempt, shown))
    heartbeat = None if declared.heartbeat is None else int(declared.heartbeat)
    row.phase, row.worker, row.started = "running", worker, turn.now
    row.beat_by = None if heartbeat is None else turn.now + heartbeat
    turn.rows.put_attempt(row)
    ends = [
        timer.due
        for timer in instance.timers()
        if timer.activity_id == serial and timer.name in ("start_to_close", "schedule_to_close")
    ]
    # M9.1: a compensator is keyed by the entry that it undoes, whoever runs it and however often.
    entry = serial if work.compensates is None else f"undo:{work.compensates}"
    return Order(
        name,
        serial,
        attempt,
        row.workflow,
        row.activity,
        declared,
        json.loads(row.input),
        f"{name}:{entry}",
        heartbeat,
        min(ends, default=None),
        work.index,
        row.trace,
    )


def report(turn: Turn, told: Report) -> str | None:
    """What came of an attempt: `accepted`, or `ignored` if nobody waited for it; `None` if there is no instance."""
    name, serial, attempt = told.key
    held = turn.hold(name)
    if held is None:
        return None
    if told.is_later:
        _leave_open(turn, told.key)
        return "accepted"
    if told.error_type is None:
        output = turn.step(held, lambda one, time: one.activity_succeeded(time, serial, attempt, told.result))
    else:
        output = turn.step(
            held,
            lambda one, time: one.activity_failed(
                time, serial, attempt, told.error_type or "", told.message, told.retry_after
            ),
        )
    return "ignored" if was_ignored(output) else "accepted"


def _leave_open(turn: Turn, key: Key) -> None:
    """An attempt's function has returned, and its result comes from outside: no worker is at it any more."""
    row = turn.attempts.find(key)
    if row is not None and row.phase == "running":
        row.worker = None
        turn.rows.put_attempt(row)


def beat(turn: Turn, key: Key, detail: Value) -> bool | None:
    """A sign of life of an attempt, from outside; whether anybody waits for it, `None` if there is no instance."""
    held = turn.hold(key[0])
    if held is None:
        return None
    row = turn.rows.lock_attempt(*key[:2])
    if row is None or row.key != key or row.phase != "running":
        return False
    heartbeat = held.instance.program.activities[row.activity].heartbeat
    row.beat_by = None if heartbeat is None else turn.now + int(heartbeat)
    row.detail = written(detail)
    turn.rows.put_attempt(row)
    return True


def miss(turn: Turn, key: Key) -> None:
    """A heartbeat is missing: the attempt has failed, unless it has given a sign since (M5.3)."""
    name, serial, attempt = key
    held = turn.hold(name)
    row = None if held is None else turn.rows.lock_attempt(name, serial)
    if held is None or row is None or row.key != key:
        return
    if row.beat_by is not None and row.beat_by <= turn.now:
        # Not watched any more; a pause may keep the attempt open for long.
        row.beat_by = None
        turn.rows.put_attempt(row)
        turn.attempts.taken_back.append(key)
        turn.step(
            held,
            lambda one, time: one.activity_failed(time, serial, attempt, "Timeout.heartbeat", "no heartbeat in time"),
        )


def give_up(turn: Turn, key: Key) -> None:
    """Too many workers have died at an attempt: it has failed, unless somebody has reported on it (M5.5)."""
    name, serial, attempt = key
    held = turn.hold(name)
    row = None if held is None else turn.rows.lock_attempt(name, serial)
    if held is None or row is None or row.key != key or row.phase != "running":
        return
    if row.worker is None or any(each.id == row.worker for each in turn.rows.workers()):
        return
    told = f"{DEATHS} workers died while they carried it out, the last one was {row.worker.partition('#')[0]}"
    turn.step(held, lambda one, time: one.activity_failed(time, serial, attempt, "Worker.lost", told))
