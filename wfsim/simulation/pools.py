"""Pools of workers: who is served, who waits in which order, and who is turned away."""

from __future__ import annotations

import heapq
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
    queue_limit
        How many may wait.
    patience
        Law of how long an attempt waits before it gives up.
    busy
        Attempts that have a worker.
    waiting
        Attempts that wait.
    """

    capacity: int
    discipline: Discipline = Discipline.FIFO
    queue_limit: int | None = None
    patience: sampling.Law | None = None
    busy: set[Request] = field(default_factory=set)
    waiting: set[Request] = field(default_factory=set)
    _queue: list[tuple[int, int, Request]] = field(default_factory=list)
    _serial: int = 0

    def ask(self, request: Request, priority: int = 0, due: int = NEVER_DUE) -> Asked:
        """Let a worker take it at once, or let it wait, if there is room."""
        if len(self.busy) < self.capacity:
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

    def give_back(self, request: Request) -> Request | None:
        """The attempt is over or cancelled; returns the attempt that gets the worker now, if any."""
        if request in self.waiting:
            self.waiting.remove(request)
            return None
        if request not in self.busy:
            return None
        self.busy.remove(request)
        while self._queue:
            _, _, heir = heapq.heappop(self._queue)
            if heir in self.waiting:
                self.waiting.remove(heir)
                self.busy.add(heir)
                return heir
        return None
