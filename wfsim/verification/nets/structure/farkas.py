"""Proofs from the marking equation that no reachable marking satisfies some linear inequalities.

If a firing sequence with counts x leads from m0 to m, then m = m0 + C x. Where no m, x >= 0 satisfy this and the
inequalities, Farkas' lemma gives weights of places that show why. A linear programme in floating point finds them;
what is handed out is checked with integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf, lcm
from typing import TYPE_CHECKING, Any

from wfsim.net.arcs import ArcKind
from wfsim.verification.nets.formulas import Linear
from wfsim.verification.nets.limits import UNLIMITED, Limits

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

MAX_NODES = 20_000
"""Places and transitions up to which a programme is solved."""

MAX_ITERATIONS = 50_000
"""Steps of the simplex method, so that the same question always gets the same answer."""

NODE_BYTES = 1_000
"""What a programme takes in memory for each place and transition, by estimate."""


@dataclass(frozen=True)
class Refutation:
    """Weights of places that show why some inequalities hold in no reachable marking.

    No firing lowers the weighted sum of tokens, and the inequalities, each taken `factors` times and added up, say that
    it is less than at the start.
    """

    weights: Mapping[str, int]
    factors: tuple[int, ...]
    start: int
    most: int

    def holds_for(self, net: PetriNet, inequalities: Sequence[Linear]) -> bool:
        """Check it again, with integers: every transition, the sum of the inequalities, and the start."""
        if min(self.factors, default=0) < 0:
            return False
        growth = growth_of(net, self.weights)
        if growth is None:
            return False
        added: dict[str, int] = {}
        for factor, inequality in zip(self.factors, inequalities, strict=True):
            for place, weight in inequality.weights:
                added[place] = added.get(place, 0) + factor * weight
        # No place holds less than nothing, so a sum with smaller weights is no larger.
        smaller = all(self.weights.get(p, 0) <= added.get(p, 0) for p in {*added, *self.weights})
        start = sum(weight * net.initial_marking[place] for place, weight in self.weights.items())
        most = sum(factor * inequality.bound for factor, inequality in zip(self.factors, inequalities))
        sums = (start, most) == (self.start, self.most)
        return smaller and sums and start > most and min(growth.values(), default=0) >= 0

    def __str__(self) -> str:
        if not self.weights:
            return f"a sum of tokens, which is never below 0, would have to be at most {self.most}"
        sign, verb, limit = (1, "lowers", "at most") if max(self.weights.values()) > 0 else (-1, "raises", "at least")
        terms = [(place, sign * weight) for place, weight in self.weights.items()]
        text = " + ".join(place if weight == 1 else f"{weight} {place}" for place, weight in terms[:12])
        text += f" + … ({len(terms)} places)" if len(terms) > 12 else ""
        start, most = sign * self.start, sign * self.most
        return f"no firing {verb} {text}, which is {start} at the start and would have to be {limit} {most}"


def growth_of(net: PetriNet, weights: Mapping[str, int]) -> dict[str, int] | None:
    """By how much each firing changes the weighted sum of tokens; None where a reset arc empties a weighted place."""
    growth = dict.fromkeys(net.transitions, 0)
    for arc in net.arcs:
        leaves = net.is_place(arc.source)
        place, transition = (arc.source, arc.target) if leaves else (arc.target, arc.source)
        weight = weights.get(place, 0)
        if arc.kind is ArcKind.NORMAL:
            growth[transition] += -weight * arc.weight if leaves else weight * arc.weight
        elif arc.kind is ArcKind.RESET and weight:
            return None
    return growth


def refuted(net: PetriNet, inequalities: Sequence[Linear], limits: Limits = UNLIMITED) -> Refutation | None:
    """Why no reachable marking satisfies all the inequalities; None if that cannot be shown so.

    Notes
    -----
    Read and inhibitor arcs are left out, and places that are reset take part with weight 0, which is sound. Solved by
    HiGHS [1]_, with sparse matrices; `MAX_NODES` and `MAX_ITERATIONS` limit it, and the time and memory of `limits`.

    References
    ----------
    .. [1] Huangfu, Hall (2018), Mathematical Programming Computation 10, 119-142.
    """
    if not inequalities or not _affordable(net, limits):
        return None
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, vstack

    n, k = len(net.places), len(inequalities)
    change, resets = _change(net)
    start = np.array(net.initial_marking.tokens, dtype=float)
    sides = csr_matrix(
        (
            [float(weight) for each in inequalities for _, weight in each.weights],
            (
                [net.place_index(place) for each in inequalities for place, _ in each.weights],
                [i for i, each in enumerate(inequalities) for _ in each.weights],
            ),
        ),
        shape=(n, k),
    )
    same = csr_matrix((np.ones(n), (range(n), range(n))), shape=(n, n))
    bound = np.array([float(each.bound) for each in inequalities])
    # The weights are up - down, both at least 0; their sum and that of the factors is kept small.
    above = vstack(
        [
            hstack([same, -same, -sides]),
            hstack([-change.T, change.T, csr_matrix((change.shape[1], k))]),
            csr_matrix(np.concatenate([-start, start, bound])),
        ],
        format="csr",
    )
    right = np.concatenate([np.zeros(n + change.shape[1]), [-1.0]])
    weight = [(0.0, 0.0 if p in resets else None) for p in range(n)]
    result = linprog(
        np.ones(2 * n + k),
        A_ub=above,
        b_ub=right,
        bounds=[*weight, *weight, *[(0.0, None)] * k],
        method="highs",
        options=_options(limits),
    )
    if result.status != 0:
        return None
    return _rounded(net, inequalities, result.x[:n] - result.x[n : 2 * n], result.x[2 * n :])


def _rounded(net: PetriNet, inequalities: Sequence[Linear], weights: Any, factors: Any) -> Refutation | None:
    """The proof with integers, if some multiple of what the solver found is near enough to one."""
    n = len(net.places)
    for whole in _multiples((*weights, *factors)):
        named = {place: weight for place, weight in zip(net.places, whole) if weight}
        most = sum(factor * each.bound for factor, each in zip(whole[n:], inequalities))
        start = sum(weight * net.initial_marking[place] for place, weight in named.items())
        found = Refutation(named, tuple(whole[n:]), start, most)
        if found.holds_for(net, inequalities):
            return found
    return None


def greatest_sum(
    net: PetriNet, places: Sequence[str], others: Sequence[Linear] = (), limits: Limits = UNLIMITED
) -> int | None:
    """A number that the tokens of these places together never exceed, proved; None if none is known.

    The solution of the marking equation with the most tokens there, in rational numbers, rounded down: it need not be
    reached. `others` are inequalities that hold in every reachable marking.
    """
    if not places or not _affordable(net, limits):
        return None if places else 0
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack

    n = len(net.places)
    change, resets = _change(net)
    kept = [p for p in range(n) if p not in resets]
    same = csr_matrix((np.ones(n), (range(n), range(n))), shape=(n, n))
    value = np.zeros(n + change.shape[1])
    for place in places:
        value[net.place_index(place)] -= 1
    above = None
    if others:
        entries = [(i, net.place_index(p), float(w)) for i, each in enumerate(others) for p, w in each.weights]
        rows, columns, weights = zip(*entries)
        above = csr_matrix((weights, (rows, columns)), shape=(len(others), len(value)))
    result = linprog(
        value,
        A_ub=above,
        b_ub=[float(each.bound) for each in others] if others else None,
        A_eq=hstack([same, -change], format="csr")[kept],
        b_eq=np.array(net.initial_marking.tokens, dtype=float)[kept],
        method="highs",
        options=_options(limits),
    )
    if result.status != 0 or result.fun == -inf:
        return None
    # What the solver says is only a hint of what to prove.
    most = floor(-result.fun + 1e-6)
    beyond = Linear(tuple((place, -1) for place in places), -most - 1)
    return None if refuted(net, [beyond, *others], limits) is None else most


def bounding_weights(net: PetriNet, limits: Limits = UNLIMITED) -> dict[str, int] | None:
    """Weights of all places, at least 1 each, of which no firing raises the weighted sum of tokens; None if not found.

    Then the net is bounded, from whatever marking it starts: place p by the sum at the start divided by its weight.
    """
    if not net.places or not _affordable(net, limits):
        return None
    import numpy as np
    from scipy.optimize import linprog

    change, resets = _change(net)
    n = len(net.places)
    if resets:
        return None
    result = linprog(
        np.ones(n),
        A_ub=change.T,
        b_ub=np.zeros(change.shape[1]),
        bounds=[(1.0, None)] * n,
        method="highs",
        options=_options(limits),
    )
    if result.status != 0:
        return None
    for whole in _multiples(result.x):
        weights = dict(zip(net.places, whole))
        growth = growth_of(net, weights)
        if growth is not None and min(whole) >= 1 and max(growth.values(), default=0) <= 0:
            return weights
    return None


def _affordable(net: PetriNet, limits: Limits) -> bool:
    """Whether a programme about the net is small enough, and its time not over."""
    nodes = len(net.places) + len(net.transitions)
    return nodes <= MAX_NODES and limits.allow(memory=nodes * NODE_BYTES)


def _options(limits: Limits) -> dict[str, float]:
    left = limits.seconds_left
    return {"maxiter": MAX_ITERATIONS} if left is None else {"maxiter": MAX_ITERATIONS, "time_limit": left}


def _multiples(values: Iterable[float]) -> Iterator[list[int]]:
    """Whole numbers in about the same proportion, the smaller ones first."""
    numbers = [float(value) for value in values]
    for largest in (1, 12, 1_000, 1_000_000):
        parts = [Fraction(value).limit_denominator(largest) for value in numbers]
        common = lcm(*(part.denominator for part in parts))
        yield [int(part * common) for part in parts]


def _change(net: PetriNet) -> tuple[Any, set[int]]:
    """The incidence matrix of normal arcs, sparse, and the places that are reset, of which the rows say nothing."""
    from scipy.sparse import csr_matrix

    rows, columns, values = [], [], []
    for arc in net.arcs:
        if arc.kind is ArcKind.NORMAL:
            leaves = net.is_place(arc.source)
            place, transition = (arc.source, arc.target) if leaves else (arc.target, arc.source)
            rows.append(net.place_index(place))
            columns.append(net.transition_index(transition))
            values.append(float(-arc.weight if leaves else arc.weight))
    resets = {net.place_index(arc.source) for arc in net.arcs if arc.kind is ArcKind.RESET}
    return csr_matrix((values, (rows, columns)), shape=(len(net.places), len(net.transitions))), resets
