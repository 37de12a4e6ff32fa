"""Pools of workers: who is served, who waits in which order, and who is turned away."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from . import sampling

Request: TypeAlias = tuple[int, int, int]
"""An attempt: case, activity serial, attempt number."""

FULL, RENEGED = "Pool.full", "Pool.reneged"
"""As what an attempt fails that finds the queue full, or that has waited for too long."""

NEVER_DUE = 2**62
"""By when attempts without a deadline are to be served: after all others."""

SPARE_REQUESTS = 64
"""So many entries of attempts that have left a queue do no harm."""


class Discipline(IntEnum):
    """Who is served first; the numbers are those that compiled code reads."""

    FIFO = 0
    LIFO = 1
    PRIORITY = 2
    DEADLINE = 3


class Asked(IntEnum):
    """What an attempt is told that asks for a worker."""

    TAKEN = 0
    WAITS = 1
    REFUSED = 2


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
    busy
        Attempts that have a worker.
    waiting
        Attempts that wait.
    """

    capacity: int
    discipline: Discipline = Discipline.FIFO
    queue_limit: int | None = None
    patience: sampling.Law | None = None
    changes: Iterator[tuple[int, int]] | None = None
    busy: set[Request] = field(default_factory=set)
    waiting: set[Request] = field(default_factory=set)
    _queue: list[tuple[int, int, Request]] = field(default_factory=list)
    _serial: int = 0
    _coming: deque[tuple[int, int]] = field(default_factory=deque)
    _opens: int | None = None

    def __post_init__(self) -> None:
        self.most = self.capacity

    def ask(self, now: int, request: Request, priority: int = 0, due: int = NEVER_DUE) -> Asked:
        """Let a worker take it at once, or let it wait, if there is room."""
        self._look(now)
        if len(self.busy) < self.capacity and not self.waiting:
            self.busy.add(request)
            return Asked.TAKEN
        if self.queue_limit is not None and len(self.waiting) >= self.queue_limit:
            return Asked.REFUSED
        if len(self._queue) > 2 * len(self.waiting) + SPARE_REQUESTS:
            self._queue = [entry for entry in self._queue if entry[2] in self.waiting]
            heapq.heapify(self._queue)
        self._serial += 1
        rank = (0, -self._serial, -priority, due)[self.discipline]
        heapq.heappush(self._queue, (rank, self._serial, request))
        self.waiting.add(request)
        return Asked.WAITS

    def give_back(self, now: int, request: Request) -> Request | None:
        """The attempt is over or cancelled; returns the attempt that gets the worker now, if any."""
        if request in self.waiting:
            self.waiting.remove(request)
            return None
        if request not in self.busy:
            return None
        self.busy.remove(request)
        return self._serve(now)

    def open(self, now: int) -> Request | None:
        """More workers may have come, as `opening` said; returns the attempt that gets one, if any."""
        if self._opens is not None and self._opens <= now:
            self._opens = None
        return self._serve(now)

    def opening(self, now: int) -> int | None:
        """When to `open` next for those who wait, unless that is known already or never comes by the clock."""
        if self.changes is None or not self.waiting or len(self.busy) >= self.most:
            return None
        time, capacity, k = now, self.capacity, 0
        while capacity <= len(self.busy):
            if k == len(self._coming):
                self._coming.append(next(self.changes))
            time, capacity = self._coming[k]
            k += 1
        if self._opens is not None and self._opens <= time:
            return None
        self._opens = time
        return time

    def _look(self, now: int) -> None:
        """Know how many workers there are now."""
        while self.changes is not None:
            if not self._coming:
                self._coming.append(next(self.changes))
            if self._coming[0][0] > now:
                return
            self.capacity = self._coming.popleft()[1]

    def _serve(self, now: int) -> Request | None:
        self._look(now)
        while self._queue and len(self.busy) < self.capacity:
            _, _, heir = heapq.heappop(self._queue)
            if heir in self.waiting:
                self.waiting.remove(heir)
                self.busy.add(heir)
                return heir
        return None
