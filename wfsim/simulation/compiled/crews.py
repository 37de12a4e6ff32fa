"""Workers who are told apart, as `wfsim.simulation.crews` says it."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.codes import NONE
from wfsim.semantics.draws import BREAKDOWN, REPAIR
from wfsim.semantics.later import njit
from wfsim.simulation.compiled.draws import sample, whole

_njit = njit(nogil=True, error_model="numpy")

draw: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

NEVER = 2**63 - 1


@_njit
def works_for(k: Any, given: Any, number: int, spell: int) -> Any:
    """How long a spell of work of a worker takes."""
    return whole(sample(k, given.every, draw(given.key, BREAKDOWN, spell, number)))


@_njit
def repaired_in(k: Any, given: Any, number: int, spell: int) -> Any:
    """How long the repair takes that follows a spell of work."""
    return whole(sample(k, given.repair, draw(given.key, REPAIR, spell, number)))


@_njit
def begin_workers(k: Any, r: Any) -> None:
    """All begin with a spell of work."""
    for pool in range(k.settings[0].n_pools):
        given = k.pools[pool]
        if given.first_worker >= 0:
            for number in range(given.capacity):
                worker = r.workers[given.first_worker + number]
                worker.works, worker.spell = 1, 1
                worker.turns = works_for(k, given, number, 1) if given.every >= 0 else NEVER


@_njit
def as_of(k: Any, r: Any, given: Any, number: int, time: int) -> Any:
    """What a worker will be at a time: whether it works, until when, in which spell, and since when."""
    worker = r.workers[given.first_worker + number]
    works, turns, spell, since = worker.works, worker.turns, worker.spell, worker.since
    while turns <= time and (given.always or worker.busy or not works):
        if works:
            turns += repaired_in(k, given, number, spell)
        else:
            spell += 1
            since = turns
            turns += works_for(k, given, number, spell)
        works = 1 - works
    return works, turns, spell, since


@_njit
def look_at(k: Any, r: Any, given: Any, number: int) -> Any:
    """A worker as it is now."""
    works, turns, spell, since = as_of(k, r, given, number, r.state[0].now)
    worker = r.workers[given.first_worker + number]
    worker.works, worker.turns, worker.spell, worker.since = works, turns, spell, since
    return worker


@_njit
def is_able(k: Any, r: Any, given: Any, number: int, needs: int) -> Any:
    """Whether a worker is not at work, and has these skills."""
    which = given.first_worker + number
    return not r.workers[which].busy and needs & ~k.skills[which] == 0


@_njit
def first_free(k: Any, r: Any, given: Any, n: int, needs: int) -> Any:
    """The first of so many workers who can take work now that needs these skills, or -1."""
    for number in range(n):
        if is_able(k, r, given, number, needs) and look_at(k, r, given, number).works:
            return number
    return NONE


@_njit
def ready(k: Any, r: Any, given: Any, time: int, n: int, needs: int) -> Any:
    """From when on, at that time or later, one of so many can take work of these needs; `NEVER` if all are at work."""
    first = NEVER
    for number in range(n):
        if is_able(k, r, given, number, needs):
            works, turns, _, _ = as_of(k, r, given, number, time)
            first = min(first, time if works else turns)
    return first


@_njit
def begin_work(r: Any, given: Any, number: int) -> None:
    """A worker who is free takes work."""
    worker = r.workers[given.first_worker + number]
    worker.busy = 1
    if given.every >= 0 and not given.always:
        worker.turns += r.state[0].now - worker.since


@_njit
def end_work(k: Any, r: Any, given: Any, number: int) -> None:
    """A worker's work is over."""
    worker = look_at(k, r, given, number)
    worker.busy, worker.since = 0, r.state[0].now


@_njit
def done(k: Any, r: Any, given: Any, number: int, work: int) -> Any:
    """When a worker who has just taken it has done so much work, and whether it breaks off then."""
    worker, now = r.workers[given.first_worker + number], r.state[0].now
    turns, spell = worker.turns, worker.spell
    while now + work > turns:
        if given.fails:
            return turns, True
        work -= turns - now
        now = turns + repaired_in(k, given, number, spell)
        spell += 1
        turns = now + works_for(k, given, number, spell)
    return now + work, False
