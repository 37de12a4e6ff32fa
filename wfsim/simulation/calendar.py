"""The calendar of a simulation: what is due, in the order of time, class (M6.3) and scheduling."""

from __future__ import annotations

from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wfsim.semantics.post import Letter


SPARE_ENTRIES = 4_096
"""So many entries that nobody waits for any more do no harm."""

NEVER = 2**62
"""A time after all others."""


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
    """A message has waited long enough, unless somebody has come for it."""

    letter: Letter


Happening = Arrives | ChildEnded | Stops | LetterComes | LetterReturns | Overdue
"""What comes from others, or from outside."""

Does: TypeAlias = "Callable[[Any, Any], None]"
"""What a simulation does with something."""
Awaited: TypeAlias = "Callable[[Does, Any], bool]"
Entry: TypeAlias = "tuple[int, Order, int, Does, Any]"
"""Time, class and serial number; then what is done, and with what."""


class Calendar:
    """What is due, earliest first; at one time by class, then as it was put in."""

    def __init__(self) -> None:
        # Tuples, which the heap compares in C; no two serials are equal, so what is done is never compared.
        self._heap: list[Entry] = []
        self._serial = 0
        self._most = SPARE_ENTRIES

    def put(self, time: int, order: Order, does: Does, what: Any) -> None:
        """Let something be done with something at a time, in microseconds."""
        self._serial = serial = self._serial + 1
        heappush(self._heap, (time, order, serial, does, what))

    def due(self, until: int, is_awaited: Awaited) -> Iterator[Entry]:
        """Take what is due until a time, one after the other, while more is put in.

        `is_awaited` says whether somebody waits for what is done with something, now or later. For most timers nobody
        does when they are due.
        """
        heap = self._heap
        while heap and heap[0][0] <= until:
            yield heappop(heap)
            if len(heap) > self._most:
                # The size follows what is open.
                heap[:] = [entry for entry in heap if is_awaited(entry[3], entry[4])]
                heapify(heap)
                self._most = 2 * len(heap) + SPARE_ENTRIES

    def left(self) -> list[Entry]:
        """All that is in it, in no order."""
        return list(self._heap)
