"""The calendar of a simulation: what is due, in the order of time, class (M6.3) and scheduling."""

from __future__ import annotations

import heapq
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wfsim.semantics.post import Letter

    from .plans import Work
    from .pools import Request, WorkerPool


SPARE_ENTRIES = 4_096
"""So many entries that nobody waits for any more do no harm."""


class Order(IntEnum):
    """What comes first at equal times (M6.3)."""

    CONTROL = 0
    RESULT = 1
    EVENT = 2
    TIMER = 3
    WORKFLOW_TIMER = 4


class Arrives(NamedTuple):
    """An instance comes from outside: which stream's, its number there, and whether it had to wait for another."""

    stream: int
    number: int
    waited: bool = False


class AttemptStarts(NamedTuple):
    """A worker takes an attempt."""

    case: int
    request: Request


class AttemptEnds(NamedTuple):
    """A worker reports, or a pool does; `failure` is the number of the way of failing, -1 for success.

    `if_waits`: it has waited for too long, if it still waits.
    """

    case: int
    request: Request
    failure: int = -1
    if_waits: bool = False


class SucceedsAgain(NamedTuple):
    """An attempt that has succeeded, and was carried out twice, reports a second time."""

    case: int
    request: Request
    work: Work


class PoolOpens(NamedTuple):
    """More workers of a pool may have come, for whom somebody waits."""

    pool: WorkerPool


class Stay(NamedTuple):
    """A stay in a state, by its region and activation, and how many planned events have come to it so far."""

    region: int
    activation: int
    n_events: int = 0


class EventComes(NamedTuple):
    """The event that the surroundings have planned for a stay; `which` is the number of the plan."""

    case: int
    stay: Stay
    which: int


class TimerDue(NamedTuple):
    """A timer; `id` tells it from those that were set at the same place before."""

    case: int
    timer: int
    id: int


class ChildEnded(NamedTuple):
    """A child of `case` has ended."""

    case: int
    activation: int
    status: str
    outcome: str | None
    result: Mapping[str, Any]


class Stops(NamedTuple):
    """A child is told to stop by its parent."""

    case: int
    terminate: bool


class LetterComes(NamedTuple):
    """A message reaches its receiver."""

    case: int
    letter: Letter


class LetterReturns(NamedTuple):
    """A message comes back to its sender."""

    case: int
    letter: Letter
    reason: str


class Overdue(NamedTuple):
    """Somewhere a message may have waited long enough."""


Happening = (
    Arrives
    | AttemptStarts
    | AttemptEnds
    | SucceedsAgain
    | PoolOpens
    | EventComes
    | TimerDue
    | ChildEnded
    | Stops
    | LetterComes
    | LetterReturns
    | Overdue
)


class Calendar:
    """What is due, earliest first; at one time by class, then as it was put in."""

    def __init__(self) -> None:
        # Tuples, which the heap compares in C; no two serials are equal, so a happening is never compared.
        self._heap: list[tuple[int, Order, int, Happening]] = []
        self._serial = 0
        self._n_awaited = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def put(self, time: int, order: Order, happening: Happening) -> None:
        """Let it happen at a time, in microseconds."""
        self._serial += 1
        heapq.heappush(self._heap, (time, order, self._serial, happening))

    def tidy(self, is_awaited: Callable[[Happening], bool]) -> None:
        """Drop what nobody waits for any more, once it may be most of what is there: the size follows what is open."""
        if len(self._heap) > 2 * self._n_awaited + SPARE_ENTRIES:
            self._heap = [entry for entry in self._heap if is_awaited(entry[3])]
            heapq.heapify(self._heap)
            self._n_awaited = len(self._heap)

    def is_awaited(self, is_awaited: Callable[[Happening], bool]) -> bool:
        """Whether anything is left that somebody waits for."""
        return any(is_awaited(entry[3]) for entry in self._heap)

    @property
    def next_time(self) -> int:
        """When the next happening is due; at least one must be left."""
        return self._heap[0][0]

    def take(self) -> tuple[int, Happening]:
        """The next happening and its time; at least one must be left."""
        time, _, _, happening = heapq.heappop(self._heap)
        return time, happening
