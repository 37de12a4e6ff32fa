"""What is seen of a running instance from other threads: a picture taken after every append."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.semantics.codes import COMPLETED, TIMER, WAITING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.pending import OpenActivity, OpenChild, Timer


@dataclass(frozen=True, slots=True)
class View:
    """An instance as it stood after an append; what is in no append is seen by nobody (M11.1).

    Attributes
    ----------
    children
        Children whose end is awaited.
    due
        Timers that have yet to fire, the next first; `timers` also lists those that have fired and wait.
    flights
        Busy regions with their transition (M2.2).
    waiting
        Events that wait or are deferred.
    """

    version: int
    time: int
    status: str
    outcome: str | None
    is_closed: bool
    state: str
    configuration: Mapping[str, str]
    variables: Mapping[str, Value]
    activities: tuple[OpenActivity, ...]
    children: tuple[OpenChild, ...]
    timers: tuple[Timer, ...]
    due: tuple[Timer, ...]
    flights: Mapping[str, str]
    waiting: tuple[str, ...]


def view_of(instance: Instance) -> View:
    """Take the picture; linear in the size of the instance."""
    timers = instance.timers()
    is_closed = instance.me.status >= COMPLETED
    fired = _fired(instance)
    due = [timer for timer in timers if not is_closed and (timer.place, timer.id) not in fired]
    return View(
        version=instance.version,
        time=instance.time,
        status=instance.status,
        outcome=instance.outcome,
        is_closed=is_closed,
        state=instance.state,
        configuration=instance.configuration,
        variables=instance.variables,
        activities=tuple(instance.activities()),
        children=tuple(instance.children()),
        timers=tuple(timers),
        # M6.3: at equal times the workflow timer is the last.
        due=tuple(sorted(due, key=lambda timer: (timer.due, timer.name == "workflow", timer.id))),
        flights=instance.in_flight,
        waiting=tuple(instance.waiting()),
    )


def _fired(instance: Instance) -> set[tuple[int, int]]:
    """Timers that have fired but are held: they keep their `due` until they are dispatched (M2.2, M8.1)."""
    found = set()
    k = instance.m[WAITING].first
    while k >= 0:
        row = instance.m[k]
        if row.kind == TIMER:
            found.add((row.timer, row.serial))
        k = row.next
    return found
