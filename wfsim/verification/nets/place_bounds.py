"""Bounds of places, proved from the structure of a net by place invariants.

A place invariant weighs places so that no firing changes the weighted sum of tokens [1]_. Where all weights are at
least 0, a place of weight y can never hold more than the initial sum divided by y.

References
----------
.. [1] Murata (1989), Petri nets: properties, analysis and applications, Proceedings of the IEEE 77(4), 541-580.
.. [2] Colom & Silva (1991), Convex geometry and semiflows in P/T nets, Advances in Petri Nets 1990, 79-112.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

from wfsim.verification.nets.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

EFFORT = 200_000
"""Entries of rows that may be touched: about a tenth of a second."""


class _Row(NamedTuple):
    """A weighted sum of places, and by how much each net transition still changes it."""

    weights: dict[int, int]
    changes: dict[int, int]


def proved_bounds(net: PetriNet, effort: int = EFFORT, limits: Limits = UNLIMITED) -> dict[int, int]:
    """The most tokens that places can ever hold, by index, where an invariant says so.

    Parameters
    ----------
    effort
        Entries of rows to touch at most. There can be exponentially many invariants; when the effort is spent, or
        the time of the `limits` is over, those found so far serve, and other places have no proved bound.

    Notes
    -----
    Farkas' elimination of one net transition after the other [2]_, with exact integers. Arcs of every kind are
    treated: read and inhibitor arcs move nothing; of a place that is reset only what is produced is counted, and
    what it loses can only lessen the sum.
    """
    rows = [_Row({place: 1}, {}) for place in range(len(net.places))]
    for transition, rule in enumerate(net.rules):
        for place, difference in rule.changes:
            rows[place].changes[transition] = difference
    start = net.initial_marking.tokens
    return _bounds(_invariants(rows, len(net.transitions), effort, limits), start)


def _bounds(invariants: list[dict[int, int]], start: tuple[int, ...]) -> dict[int, int]:
    bounds: dict[int, int] = {}
    for weights in invariants:
        total = sum(weight * start[place] for place, weight in weights.items())
        for place, weight in weights.items():
            bounds[place] = min(total // weight, bounds.get(place, total // weight))
    return bounds


def _invariants(rows: list[_Row], n_transitions: int, effort: int, limits: Limits) -> list[dict[int, int]]:
    """Weights of the rows that no net transition changes, of those there are when all is eliminated."""
    table = _Rows(n_transitions)
    for row in rows:
        table.add(row)
    while effort > 0 and not limits.late and (transition := table.cheapest()) is not None:
        up, down = table.take(transition)
        fresh: list[_Row] = []
        for more in up:
            for less in down:
                row = _combined(more, less, transition)
                effort -= 1 + len(row.weights) + len(row.changes)
                fresh.append(row)
                if effort <= 0:
                    return [row.weights for row in (*table.alive.values(), *fresh) if not row.changes]
        for row in _smallest(fresh):
            table.add(row)
        effort -= 1 + len(up) + len(down) + len(fresh)
    return [row.weights for row in table.alive.values() if not row.changes]


class _Rows:
    """Rows by number, and for each net transition those that it raises and those that it lowers."""

    def __init__(self, n_transitions: int) -> None:
        self.alive: dict[int, _Row] = {}
        self._next = 0
        self._up: list[set[int]] = [set() for _ in range(n_transitions)]
        self._down: list[set[int]] = [set() for _ in range(n_transitions)]
        self._left = set(range(n_transitions))
        # Entries whose number of pairs is no longer right are passed over.
        self._queue = [(0, transition) for transition in range(n_transitions)]

    def _pairs(self, transition: int) -> int:
        return len(self._up[transition]) * len(self._down[transition])

    def add(self, row: _Row) -> None:
        for transition, change in row.changes.items():
            (self._up if change > 0 else self._down)[transition].add(self._next)
            heappush(self._queue, (self._pairs(transition), transition))
        self.alive[self._next] = row
        self._next += 1

    def cheapest(self) -> int | None:
        """The net transition left whose elimination makes fewest rows."""
        while self._queue:
            pairs, transition = heappop(self._queue)
            if transition in self._left and pairs == self._pairs(transition):
                self._left.remove(transition)
                return transition
        return None

    def take(self, transition: int) -> tuple[list[_Row], list[_Row]]:
        """Remove and return the rows that a net transition raises, and those that it lowers."""
        taken = [sorted(self._up[transition]), sorted(self._down[transition])]
        rows = [[self.alive[number] for number in numbers] for numbers in taken]
        for number in (*taken[0], *taken[1]):
            for other, change in self.alive.pop(number).changes.items():
                (self._up if change > 0 else self._down)[other].discard(number)
                if other in self._left:
                    heappush(self._queue, (self._pairs(other), other))
        return rows[0], rows[1]


def _combined(more: _Row, less: _Row, transition: int) -> _Row:
    """The smallest sum of multiples of two rows that a net transition does not change."""
    gain, loss = more.changes[transition], -less.changes[transition]
    shared = gcd(gain, loss)
    a, b = loss // shared, gain // shared
    weights = {place: a * weight for place, weight in more.weights.items()}
    for place, weight in less.weights.items():
        weights[place] = weights.get(place, 0) + b * weight
    changes = {t: a * change for t, change in more.changes.items()}
    for t, change in less.changes.items():
        changes[t] = changes.get(t, 0) + b * change
    divisor = gcd(*weights.values(), *changes.values())
    return _Row(
        {place: weight // divisor for place, weight in weights.items()},
        {t: change // divisor for t, change in changes.items() if change},
    )


def _smallest(rows: list[_Row]) -> list[_Row]:
    """Those whose places do not include all of another's: the others are sums of these in the end."""
    kept: list[_Row] = []
    for row in sorted(rows, key=lambda row: len(row.weights)):
        if len(kept) > 200 or not any(other.weights.keys() <= row.weights.keys() for other in kept):
            kept.append(row)
    return kept
