"""Pools of workers: who is served, who waits in which order, and who is turned away."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from . import sampling
from .crews import Crew, Done
from .skills import set_of

Request: TypeAlias = tuple[int, int, int]
"""An attempt: case, activity serial, attempt number."""

_Line: TypeAlias = list[tuple[int, int, Request]]
"""Who waits, a heap: rank, number, attempt."""

FULL, RENEGED, BROKEN = "Pool.full", "Pool.reneged", "Pool.broken"
"""As what an attempt fails that finds the queue full, that has waited for too long, or whose worker has broken down."""

NEVER_DUE = 2**62
"""By when attempts without a deadline are to be served: after all others."""

UNLIMITED = 2**31 - 1
"""How many workers there are where only a rate limits who begins."""

SPARE_REQUESTS = 64
"""So many entries of attempts that have left a queue do no harm."""


class Discipline(IntEnum):
    """Who is served first; the numbers are those that compiled code reads."""

    FIFO = 0
    LIFO = 1
    PRIORITY = 2
    DEADLINE = 3
    FAIR = 4


class Asked(IntEnum):
    """What an attempt is told that asks for a worker."""

    TAKEN = 0
    WAITS = 1
    REFUSED = 2


FAIR_STEP = 2**30
"""By how much virtual time goes on for an attempt of weight 1."""


class Wanted(NamedTuple):
    """What an attempt asks a pool for.

    Attributes
    ----------
    needs
        The skills of a worker.
    priority, due
        What decides when it is served, by the discipline of the pool: its priority, and its deadline.
    sharer, step
        With whose other attempts it takes turns, and by how much virtual time goes on for it.
    """

    needs: int = 0
    priority: int = 0
    due: int = NEVER_DUE
    sharer: Hashable = None
    step: int = FAIR_STEP


class Turns:
    """When the next attempt of each who shares a fair pool has its turn, in virtual time [1]_.

    References
    ----------
    .. [1] Goyal, Vin and Cheng (1996), Start-time fair queueing, Proceedings of ACM SIGCOMM, 157–168.
    """

    def __init__(self) -> None:
        self.virtual = 0
        self._next: dict[Hashable, int] = {}
        self._last = 0
        self._n_left = 0

    def take(self, wanted: Wanted, idle: bool) -> int:
        """The turn of an attempt that asks now, perhaps while nobody works or waits: then nobody is owed anything."""
        if idle:
            self.virtual = self._last
        if len(self._next) > 2 * self._n_left + SPARE_REQUESTS:
            # Who did not ask for long has saved nothing, so nothing need be known of him.
            self._next = {sharer: turn for sharer, turn in self._next.items() if turn > self.virtual}
            self._n_left = len(self._next)
        turn = max(self.virtual, self._next.get(wanted.sharer, 0))
        self._next[wanted.sharer] = turn + wanted.step
        self._last = max(self._last, turn + wanted.step)
        return turn


class Bucket:
    """Tokens that come at a rate, `burst` at most at a time; it begins full. Who begins work takes one.

    It keeps when the bucket will be full again: in microseconds, and what is beyond them in parts of `number`.

    Parameters
    ----------
    number, unit
        So many tokens come in so many microseconds.
    """

    def __init__(self, number: int, unit: int, burst: int) -> None:
        self.number = number
        self.unit = unit
        self.ahead = (burst - 1) * unit // number
        self._full = 0
        self._part = 0

    def ready(self) -> int:
        """From when on there is a token."""
        return self._full + (self._part > 0) - self.ahead

    def take(self, now: int) -> None:
        """Take a token that is there; what time is rounded up to whole microseconds is not lost."""
        if self._full + (self._part > 0) < now:
            self._full, self._part = now, 0
        more, self._part = divmod(self._part + self.unit, self.number)
        self._full += more


@dataclass
class WorkerPool:
    """Workers of one kind; among equals who came first is served first.

    Attributes
    ----------
    capacity, most
        How many workers there are now, and at any time.
    queue_limit
        How many may wait.
    patience
        Law of how long an attempt waits before it gives up.
    changes
        When there are how many workers, if that changes.
    crew
        The workers, if they break down or differ in what they can do.
    bucket
        Tokens without which nobody begins, where there is a rate.
    kept
        In which states of a case its workers stay with it, none for all; `None` if they never do.
    busy
        Attempts that have a worker, and which.
    waiting
        Attempts that wait, and what they need.
    held
        By case the workers who are kept, and have no work.
    n_held
        How many these are.
    skills
        The bit of each.
    by, turns
        The variable whose values take turns in a fair pool, or `None`: the activities do; and when they do.

    Notes
    -----
    Attempts that need the same skills wait in one line. Who is served next is the first of those at the head of a line
    for whom a worker with these skills is free, so that nobody waits behind one whose worker is missing.
    """

    capacity: int
    discipline: Discipline = Discipline.FIFO
    queue_limit: int | None = None
    patience: sampling.Law | None = None
    changes: Iterator[tuple[int, int]] | None = None
    crew: Crew | None = None
    bucket: Bucket | None = None
    busy: dict[Request, int] = field(default_factory=dict)
    waiting: dict[Request, int] = field(default_factory=dict)
    kept: tuple[str, ...] | None = None
    held: dict[int, list[int]] = field(default_factory=dict)
    n_held: int = 0
    by: str | None = None
    turns: Turns = field(default_factory=Turns)
    skills: Mapping[str, int] = field(default_factory=dict)
    _lines: dict[int, _Line] = field(default_factory=dict)
    _serial: int = 0
    _coming: deque[tuple[int, int]] = field(default_factory=deque)
    _opens: int | None = None
    _held_since: int = 0
    _held_time: int = 0

    def __post_init__(self) -> None:
        self.most = self.capacity

    def needs(self, skills: Iterable[str]) -> int:
        """What an attempt asks with that needs these skills."""
        return set_of(skills, self.skills)

    def ask(self, now: int, request: Request, wanted: Wanted) -> Asked:
        """Let a worker take it at once, or let it wait, if there is room."""
        self._look(now)
        needs = wanted.needs
        own = self._own(request[0], needs) if self.held else None
        if own is not None:
            self._take_own(now, request, own)
            return Asked.TAKEN
        worker = self._free(now, needs)
        if worker is not None and self._next(now) is None:
            if self.discipline is Discipline.FAIR:
                self.turns.virtual = self.turns.take(wanted, self._idle)
            self._begin(now, request, worker)
            return Asked.TAKEN
        if self.queue_limit is not None and len(self.waiting) >= self.queue_limit:
            return Asked.REFUSED
        line = self._lines.setdefault(needs, [])
        if len(line) > 2 * len(self.waiting) + SPARE_REQUESTS:
            line[:] = [entry for entry in line if entry[2] in self.waiting]
            heapq.heapify(line)
        self._serial += 1
        if self.discipline is Discipline.FAIR:
            rank = self.turns.take(wanted, self._idle)
        else:
            rank = (0, -self._serial, -wanted.priority, wanted.due)[self.discipline]
        heapq.heappush(line, (rank, self._serial, request))
        self.waiting[request] = needs
        return Asked.WAITS

    def give_back(self, now: int, request: Request, keep: bool = False) -> Request | None:
        """The attempt is over or cancelled; returns the attempt that gets the worker now, if any.

        `keep`: its case keeps the worker, if it had one.
        """
        if request in self.waiting:
            del self.waiting[request]
            return None
        worker = self.busy.pop(request, None)
        if worker is None:
            return None
        if keep:
            self.held.setdefault(request[0], []).append(worker)
            self._count_held(now, 1)
            return None
        if self.crew is not None:
            self.crew.end(now, worker)
        return self._serve(now)

    def release(self, now: int, case: int) -> Request | None:
        """A case lets the first of the workers go whom it keeps; returns the attempt that gets him, if any."""
        worker = self._leave(now, case, min(self.held[case]))
        if self.crew is not None:
            self.crew.end(now, worker)
        return self._serve(now)

    def hand_over(self, now: int, case: int) -> Request | None:
        """The attempt of a case that begins with a worker whom the case keeps: the first that waits for such a one."""
        for request, needs in self.waiting.items():
            own = self._own(case, needs) if request[0] == case else None
            if own is not None:
                del self.waiting[request]
                self._take_own(now, request, own)
                return request
        return None

    def done(self, now: int, request: Request, work: int) -> Done:
        """When an attempt that has just got a worker of the crew is done with so much work."""
        assert self.crew is not None, "others are done when their work is"
        return self.crew.done(now, self.busy[request], work)

    def open(self, now: int) -> Request | None:
        """A worker may have come, as `opening` said; returns the attempt that gets one, if any."""
        if self._opens is not None and self._opens <= now:
            self._opens = None
        return self._serve(now)

    def opening(self, now: int) -> int | None:
        """When to `open` next for those who wait, unless that is known already or never comes by the clock."""
        never = self.changes is None and self.crew is None and self.bucket is None
        if never or not self.waiting or self.n_taken >= self.most:
            return None
        self._look(now)
        time, capacity, k = now, self.capacity, 0
        while capacity <= self.n_taken:
            time, capacity = self._change(k)
            k += 1
        if self.bucket is not None:
            time = max(time, self.bucket.ready())
        if self.crew is not None:
            ready = self.crew.ready(time, capacity, [needs for needs, _ in self._heads()])
            if ready is None:
                return None
            time = ready
        if self.changes is not None and (self.crew is not None or self.bucket is not None):
            time = min(time, self._change(k)[0])
        if self._opens is not None and self._opens <= time:
            return None
        self._opens = time
        return time

    @property
    def n_taken(self) -> int:
        """How many workers work, or are kept."""
        return len(self.busy) + self.n_held

    @property
    def _idle(self) -> bool:
        return not self.n_taken and not self.waiting

    def _own(self, case: int, needs: int) -> int | None:
        """The first worker whom a case keeps, and who has these skills."""
        skills = None if self.crew is None else self.crew.skills
        able = (each for each in self.held.get(case, ()) if skills is None or not needs & ~skills[each])
        return min(able, default=None)

    def _take_own(self, now: int, request: Request, worker: int) -> None:
        self.busy[request] = self._leave(now, request[0], worker)

    def _leave(self, now: int, case: int, worker: int) -> int:
        """A worker is not without work for a case any more."""
        self.held[case].remove(worker)
        if not self.held[case]:
            del self.held[case]
        self._count_held(now, -1)
        return worker

    def _count_held(self, now: int, more: int) -> None:
        self._held_time += self.n_held * (now - self._held_since)
        self._held_since = now
        self.n_held += more

    def held_until(self, now: int) -> int:
        """For how long workers have been kept without work until a time, in microseconds."""
        self._count_held(now, 0)
        return self._held_time

    def _change(self, k: int) -> tuple[int, int]:
        """The k-th change that comes: when, and to how many workers."""
        while self.changes is not None and k >= len(self._coming):
            self._coming.append(next(self.changes))
        return self._coming[k]

    def _look(self, now: int) -> None:
        """Know how many workers there are now."""
        while self.changes is not None and self._change(0)[0] <= now:
            self.capacity = self._coming.popleft()[1]

    def _free(self, now: int, needs: int) -> int | None:
        """A worker who can take work now; where all are alike nobody asks which."""
        if self.n_taken >= self.capacity or (self.bucket is not None and self.bucket.ready() > now):
            return None
        return 0 if self.crew is None else self.crew.free(now, self.capacity, needs)

    def _begin(self, now: int, request: Request, worker: int) -> None:
        self.busy[request] = worker
        if self.bucket is not None:
            self.bucket.take(now)
        if self.crew is not None:
            self.crew.begin(now, worker)

    def _heads(self) -> Iterator[tuple[int, _Line]]:
        """The lines in which somebody waits, with the skills that are needed; their first entries wait."""
        for needs, line in self._lines.items():
            while line and line[0][2] not in self.waiting:
                heapq.heappop(line)
            if line:
                yield needs, line

    def _next(self, now: int) -> tuple[_Line, int] | None:
        """The line whose first is served next, and the worker who is free for it."""
        best: tuple[_Line, int] | None = None
        if not self.waiting:
            return best
        for needs, line in self._heads():
            if best is None or line[0] < best[0][0]:
                worker = self._free(now, needs)
                if worker is not None:
                    best = line, worker
        return best

    def _serve(self, now: int) -> Request | None:
        self._look(now)
        found = self._next(now)
        if found is None:
            return None
        line, worker = found
        rank, _, heir = heapq.heappop(line)
        if self.discipline is Discipline.FAIR:
            self.turns.virtual = rank
        del self.waiting[heir]
        self._begin(now, heir, worker)
        return heir
