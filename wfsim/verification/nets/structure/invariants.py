"""Place and transition invariants of nets, with exact integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

from wfsim.net.arcs import ArcKind
from wfsim.verification.nets.structure.semiflows import WeightedSum, all_semiflows

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

Row = dict[int, int]
"""A sparse vector of integers without zeros."""


@dataclass(frozen=True)
class Invariants:
    """Minimal semiflows: non-negative integer vectors that every other one is a sum of, up to a factor.

    Attributes
    ----------
    vectors
        Weight of each node that takes part, per semiflow.
    complete
        Whether these are all; if not, each of them is an invariant all the same.
    reason
        Which limit was reached; empty if complete.
    """

    vectors: tuple[Mapping[str, int], ...]
    complete: bool = True
    reason: str = ""


def place_invariants(net: PetriNet, *, max_rows: int = 5_000) -> Invariants:
    """Weights of places whose weighted sum of tokens no firing changes: y >= 0 with y C = 0, of minimal support.

    Parameters
    ----------
    max_rows
        Intermediate vectors; there can be exponentially many. Beyond, the result is incomplete, and holds what
        elimination finds of non-negative vectors.

    Notes
    -----
    Farkas' algorithm (see `semiflows`). Read and inhibitor arcs move no tokens; places that a reset arc empties take
    part in no invariant.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("free", "take"), ("take", "used"), ("used", "give"), ("give", "free")]
    >>> net = PetriNet("tool", ["free", "used"], ["take", "give"], arcs, {"free": 1})
    >>> place_invariants(net).vectors
    ({'free': 1, 'used': 1},)
    """
    rows = _incidence(net)
    excluded = {net.place_index(arc.source) for arc in net.arcs if arc.kind is ArcKind.RESET}
    kept = [place for place in range(len(net.places)) if place not in excluded]
    return _invariants([rows[place] for place in kept], [net.places[place] for place in kept], max_rows)


def transition_invariants(net: PetriNet, *, max_rows: int = 5_000) -> Invariants:
    """How often transitions may fire so that the marking is as before: x >= 0 with C x = 0, of minimal support.

    Transitions with reset arcs take part in none, as what they remove depends on the marking. That there is an
    invariant does not mean that it can be fired. Limits and method as in `place_invariants`.
    """
    rows: list[Row] = [{} for _ in net.transitions]
    for place, row in enumerate(_incidence(net)):
        for transition, change in row.items():
            rows[transition][place] = change
    excluded = {net.transition_index(arc.target) for arc in net.arcs if arc.kind is ArcKind.RESET}
    kept = [t for t in range(len(net.transitions)) if t not in excluded]
    return _invariants([rows[t] for t in kept], [net.transitions[t] for t in kept], max_rows)


def _incidence(net: PetriNet) -> list[Row]:
    """Rows of the incidence matrix, one per place; of normal arcs."""
    rows: list[Row] = [{} for _ in net.places]
    for arc in net.arcs:
        if arc.kind is not ArcKind.NORMAL:
            continue
        leaves = net.is_place(arc.source)
        place, transition = (arc.source, arc.target) if leaves else (arc.target, arc.source)
        row, t = rows[net.place_index(place)], net.transition_index(transition)
        row[t] = row.get(t, 0) + (-arc.weight if leaves else arc.weight)
        if not row[t]:
            del row[t]
    return rows


def _invariants(rows: Sequence[Row], names: Sequence[str], max_rows: int) -> Invariants:
    n_columns = 1 + max((column for row in rows for column in row), default=-1)
    sums = [WeightedSum({i: 1}, dict(row)) for i, row in enumerate(rows)]
    found = all_semiflows(sums, n_columns, max_rows)
    if found is not None:
        return Invariants(tuple(_named(vector, names) for vector in found))
    some = [vector for vector in _kernel(rows) if min(vector.values()) >= 0]
    reason = f"More than {max_rows:,} intermediate vectors. Raise max_rows."
    return Invariants(tuple(_named(vector, names) for vector in some), complete=False, reason=reason)


def _named(vector: Row, names: Sequence[str]) -> dict[str, int]:
    return {names[i]: vector[i] for i in sorted(vector)}


def _combined(a: Row, b: Row, factor_a: int, factor_b: int) -> Row:
    result = {key: factor_a * value for key, value in a.items()}
    for key, value in b.items():
        total = result.get(key, 0) + factor_b * value
        if total:
            result[key] = total
        else:
            result.pop(key, None)
    return result


def _reduced(left: Row, right: Row) -> tuple[Row, Row]:
    divisor = gcd(*left.values(), *right.values())
    if divisor > 1:
        left = {key: value // divisor for key, value in left.items()}
        right = {key: value // divisor for key, value in right.items()}
    return left, right


def _kernel(matrix: Sequence[Row]) -> list[Row]:
    """A basis of y · matrix = 0 over the integers up to factors, by elimination without fractions."""
    pivots: dict[int, tuple[Row, Row]] = {}
    kernel = []
    for i, row in enumerate(matrix):
        left, right = dict(row), {i: 1}
        while left:
            column = min(left)
            if column not in pivots:
                pivots[column] = (left, right)
                break
            other, also = pivots[column]
            divisor = gcd(left[column], other[column])
            a, b = other[column] // divisor, -left[column] // divisor
            left, right = _reduced(_combined(left, other, a, b), _combined(right, also, a, b))
        else:
            if all(value < 0 for value in right.values()):
                right = {key: -value for key, value in right.items()}
            kernel.append(right)
    return kernel
