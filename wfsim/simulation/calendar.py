"""The calendar of a simulation: what is due, in the order of time, class (M6.3) and scheduling."""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum
from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wfsim.semantics.post import Letter


SPARE_ENTRIES = 4_096
"""So many entries that nobody waits for any more do no harm."""

LEAST_BROUGHT, PART_BROUGHT = 64, 8
"""How many entries are brought near at once: one of so many that are due later, and no fewer than so many."""

_time = itemgetter(0)

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
    """Somewhere a message may have waited long enough."""


Happening = Arrives | ChildEnded | Stops | LetterComes | LetterReturns | Overdue
"""What comes from others, or from outside."""

Does: TypeAlias = "Callable[[Any, Any], None]"
"""What a simulation does with something."""
Awaited: TypeAlias = "Callable[[Does, Any], bool]"
Entry: TypeAlias = "tuple[int, Order, int, Does, Any]"
"""Time, class and serial number; then what is done, and with what."""


class Calendar:
    """What is due, earliest first; at one time by class, then as it was put in.

    Notes
    -----
    What is due soon lies in a heap, the rest in a list that is sorted when the heap is empty; only then some of it is
    brought near, without what nobody waits for: the heap stays small, and half of all entries never come into it [1]_.

    References
    ----------
    .. [1] Rönngren, Riboe and Ayani (1991), Lazy queue: an efficient implementation of the pending-event set,
       Proceedings of the 24th Annual Simulation Symposium, 194–204.
    """

    def __init__(self) -> None:
        # Tuples, which are compared in C; no two serials are equal, so what is done is never compared.
        self._soon: list[Entry] = []
        self._later: list[Entry] = []
        self._border = 0
        self._serial = 0
        self._most_later = SPARE_ENTRIES

    def put(self, time: int, order: Order, does: Does, what: Any) -> None:
        """Let something be done with something at a time, in microseconds."""
        self._serial = serial = self._serial + 1
        if time < self._border:
            heappush(self._soon, (time, order, serial, does, what))
        else:
            self._later.append((time, order, serial, does, what))

    def due(self, until: int, is_awaited: Awaited) -> Iterator[Entry]:
        """Take what is due until a time, one after the other, while more is put in.

        `is_awaited` says whether somebody waits for what is done with something, now or later. For most timers nobody
        does when they are due.
        """
        soon = self._soon
        while soon or self._later:
            if not soon:
                soon += self._brought(is_awaited)
            elif soon[0][0] > until:
                return
            else:
                yield heappop(soon)
            if len(self._later) > self._most_later:
                # The size follows what is open.
                self._later = [entry for entry in self._later if is_awaited(entry[3], entry[4])]
                self._most_later = 2 * len(self._later) + SPARE_ENTRIES

    def _brought(self, is_awaited: Awaited) -> list[Entry]:
        """What is due first of the rest; as it is sorted, it is a heap."""
        later = self._later
        # Most of it is sorted already.
        later.sort()
        n = min(len(later), max(LEAST_BROUGHT, len(later) // PART_BROUGHT))
        self._border = later[n - 1][0] + 1
        n = bisect_left(later, self._border, key=_time)
        brought = [entry for entry in later[:n] if is_awaited(entry[3], entry[4])]
        del later[:n]
        return brought

    def left(self) -> list[Entry]:
        """All that is in it, in no order."""
        return self._soon + self._later
