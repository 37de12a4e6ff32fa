"""Semiflows: weighted sums that no column of a matrix changes, by Farkas' elimination with exact integers [1]_.

One column after the other is eliminated, the one that makes the fewest rows first: each row that it raises is added to
each that it lowers, so that they cancel. What is left at the end, no column changes.

References
----------
.. [1] Colom, Silva (1991), Convex geometry and semiflows in P/T nets, Advances in Petri Nets 1990, LNCS 483, 79-112.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from math import gcd, inf
from typing import NamedTuple

from wfsim.verification.nets.limits import UNLIMITED, Limits

MOST_COMPARED = 200
"""Rows that new ones are compared with, where not all are wanted."""


class WeightedSum(NamedTuple):
    """A sum with weights, and by how much each column still changes it; both without zeros."""

    weights: dict[int, int]
    changes: dict[int, int]


def some_semiflows(
    rows: Iterable[WeightedSum], n_columns: int, effort: int, limits: Limits = UNLIMITED
) -> list[dict[int, int]]:
    """Weights of the sums found until so many entries of rows were touched, or the time was over."""
    table = _Rows(rows, n_columns)
    while effort > 0 and not limits.late and (column := table.cheapest()) is not None:
        up, down = table.take(column)
        fresh: list[WeightedSum] = []
        for more in up:
            for less in down:
                row = _combined(more, less, column)
                effort -= 1 + len(row.weights) + len(row.changes)
                fresh.append(row)
                if effort <= 0:
                    return [row.weights for row in (*table.alive.values(), *fresh) if not row.changes]
        for row in _smallest(fresh, MOST_COMPARED):
            table.add(row)
        effort -= 1 + len(up) + len(down) + len(fresh)
    return [row.weights for row in table.alive.values() if not row.changes]


def all_semiflows(rows: Iterable[WeightedSum], n_columns: int, max_rows: int) -> list[dict[int, int]] | None:
    """Weights of all sums of minimal support, in order of it; `None` beyond `max_rows` rows at a time."""
    table = _Rows(rows, n_columns)
    while (column := table.cheapest()) is not None:
        up, down = table.take(column)
        if len(table.alive) + len(up) * len(down) > 20 * max_rows:
            return None
        old = list(table.alive.items())
        fresh = _smallest([_combined(more, less, column) for more in up for less in down])
        for row in fresh:
            if not any(one.weights.keys() <= row.weights.keys() for _, one in old):
                table.add(row)
        for number, one in old:
            if any(row.weights.keys() < one.weights.keys() for row in fresh):
                table.drop(number)
        if len(table.alive) > max_rows:
            return None
    return [row.weights for row in sorted(table.alive.values(), key=lambda row: sorted(row.weights))]


class _Rows:
    """Rows by number, and for each column those that it raises and those that it lowers."""

    def __init__(self, rows: Iterable[WeightedSum], n_columns: int) -> None:
        self.alive: dict[int, WeightedSum] = {}
        self._next = 0
        self._up: list[set[int]] = [set() for _ in range(n_columns)]
        self._down: list[set[int]] = [set() for _ in range(n_columns)]
        self._left = set(range(n_columns))
        # Entries whose number of pairs is no longer right are passed over.
        self._queue = [(0, column) for column in range(n_columns)]
        for row in rows:
            self.add(row)

    def _pairs(self, column: int) -> int:
        return len(self._up[column]) * len(self._down[column])

    def add(self, row: WeightedSum) -> None:
        for column, change in row.changes.items():
            (self._up if change > 0 else self._down)[column].add(self._next)
            heappush(self._queue, (self._pairs(column), column))
        self.alive[self._next] = row
        self._next += 1

    def drop(self, number: int) -> WeightedSum:
        row = self.alive.pop(number)
        for column, change in row.changes.items():
            (self._up if change > 0 else self._down)[column].discard(number)
            if column in self._left:
                heappush(self._queue, (self._pairs(column), column))
        return row

    def cheapest(self) -> int | None:
        """The column left whose elimination makes fewest rows."""
        while self._queue:
            pairs, column = heappop(self._queue)
            if column in self._left and pairs == self._pairs(column):
                self._left.remove(column)
                return column
        return None

    def take(self, column: int) -> tuple[list[WeightedSum], list[WeightedSum]]:
        """Remove and return the rows that a column raises, and those that it lowers."""
        up, down = sorted(self._up[column]), sorted(self._down[column])
        return [self.drop(number) for number in up], [self.drop(number) for number in down]


def _combined(more: WeightedSum, less: WeightedSum, column: int) -> WeightedSum:
    """The smallest sum of multiples of two rows that a column does not change."""
    gain, loss = more.changes[column], -less.changes[column]
    shared = gcd(gain, loss)
    a, b = loss // shared, gain // shared
    weights = {place: a * weight for place, weight in more.weights.items()}
    for place, weight in less.weights.items():
        weights[place] = weights.get(place, 0) + b * weight
    changes = {t: a * change for t, change in more.changes.items()}
    for t, change in less.changes.items():
        changes[t] = changes.get(t, 0) + b * change
    divisor = gcd(*weights.values(), *changes.values())
    return WeightedSum(
        {place: weight // divisor for place, weight in weights.items()},
        {t: change // divisor for t, change in changes.items() if change},
    )


def _smallest(rows: list[WeightedSum], most_compared: float = inf) -> list[WeightedSum]:
    """Those whose places do not include all of another's: the others are sums of these in the end."""
    kept: list[WeightedSum] = []
    for row in sorted(rows, key=lambda row: len(row.weights)):
        if len(kept) > most_compared or not any(other.weights.keys() <= row.weights.keys() for other in kept):
            kept.append(row)
    return kept
