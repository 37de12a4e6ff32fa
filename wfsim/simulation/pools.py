"""Pools of workers: who is served, and who waits in which order."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TypeAlias

Request: TypeAlias = tuple[int, int, int]
"""An attempt: case, activity serial, attempt number."""


@dataclass
class WorkerPool:
    """Workers of one kind; attempts wait first come first served, or by priority (high first), then arrival.

    Attributes
    ----------
    busy
        Attempts that have a worker.
    waiting
        How many attempts wait.
    """

    capacity: int
    by_priority: bool = False
    busy: set[Request] = field(default_factory=set)
    waiting: int = 0
    _queue: list[tuple[int, int, Request]] = field(default_factory=list)
    _waits: set[Request] = field(default_factory=set)
    _serial: int = 0

    def ask(self, request: Request, priority: int) -> bool:
        """True if a worker takes it at once; otherwise it waits."""
        if len(self.busy) < self.capacity:
            self.busy.add(request)
            return True
        self._serial += 1
        heapq.heappush(self._queue, (-priority if self.by_priority else 0, self._serial, request))
        self._waits.add(request)
        self.waiting += 1
        return False

    def give_back(self, request: Request) -> Request | None:
        """The attempt is over or cancelled; returns the attempt that gets the worker now, if any."""
        if request in self._waits:
            self._waits.remove(request)
            self.waiting -= 1
            return None
        if request not in self.busy:
            return None
        self.busy.remove(request)
        while self._queue:
            _, _, heir = heapq.heappop(self._queue)
            if heir in self._waits:
                self._waits.remove(heir)
                self.waiting -= 1
                self.busy.add(heir)
                return heir
        return None
