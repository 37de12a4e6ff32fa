"""The marking equation as a quick proof that a marking cannot be reached.

If a firing sequence with counts x leads from m0 to m, then m = m0 + C x. Where no x >= 0 solves this, m is out of
reach, whatever the order. A solver in floating point finds the reason; what is handed out is checked with integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.net.arcs import ArcKind
from wfsim.verification.nets.formulas import Linear
from wfsim.verification.nets.structure.farkas import growth_of, refuted
from wfsim.verification.nets.structure.invariants import place_flows
from wfsim.verification.verdict import Status, Verdict

if TYPE_CHECKING:
    from wfsim.net.marked_net import MarkingLike
    from wfsim.net.petri import PetriNet

METHOD = "marking equation (integer linear programme, certificate checked with integers)"

MAX_ENTRIES = 4_000_000
"""Places times transitions up to which the equation is solved; the matrix is held densely."""


@dataclass(frozen=True)
class Certificate:
    """Weights of places that show why a marking is out of reach.

    No firing raises the weighted sum of tokens (`growth` of each transition is at most 0), and the marking has a
    greater sum than the initial one. If `exact`, no firing changes the sum, and it differs. Negative weights stand
    for an upper bound on the sum.
    """

    weights: Mapping[str, int]
    start: int
    target: int
    exact: bool

    def holds_for(self, net: PetriNet) -> bool:
        """Check it again, with integers: every transition, and both sums."""
        growth = growth_of(net, self.weights)
        if growth is None:
            return False
        started = sum(weight * net.initial_marking[place] for place, weight in self.weights.items())
        if started != self.start:
            return False
        if self.exact:
            return self.start != self.target and not any(growth.values())
        return self.target > self.start and max(growth.values(), default=0) <= 0

    def __str__(self) -> str:
        terms = " + ".join(place if weight == 1 else f"{weight} {place}" for place, weight in self.weights.items())
        never = f"no firing {'changes' if self.exact else 'raises'} {terms}"
        return f"{never}, which is {self.start} at the start and would have to be {self.target}"


def unreachable(net: PetriNet, target: MarkingLike, *, at_least: bool = False) -> Verdict:
    """Whether a marking cannot be reached: a quick `holds` with a certificate, or else `unknown`.

    Parameters
    ----------
    target
        The marking; places left out of a dict hold no token.
    at_least
        Ask for any marking with at least so many tokens in each place instead.

    Returns
    -------
    Verdict
        `holds` if it is out of reach; `statistics["certificate"]` holds the weights of places that prove it.
        `unknown` if the equation can be solved, with counts of a solution in `statistics["firing_counts"]` where there
        is one; then the marking may or may not be reachable, and a search has to tell.

    Notes
    -----
    First the place invariants with weights of any sign, then Farkas' lemma by a linear programme, then the integer
    one, solved by HiGHS [1]_. That no integers solve it is not reported as `holds`, as the solver computes in
    floating point and gives no certificate for it. Reset places take part with weight 0 only; read and inhibitor
    arcs are left out, which is sound.

    References
    ----------
    .. [1] Huangfu, Hall (2018), Mathematical Programming Computation 10, 119-142.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("free", "take"), ("take", "used"), ("used", "give"), ("give", "free")]
    >>> net = PetriNet("tool", ["free", "used"], ["take", "give"], arcs, {"free": 1})
    >>> unreachable(net, {"free": 1, "used": 1}).reason
    'Out of reach: no firing changes free + used, which is 1 at the start and would have to be 2.'
    """
    wanted = net.marking(target)
    more = " or more" if at_least else ""
    name = f"{wanted.to_dict()}{more} is out of reach in {net.name!r}"
    size = len(net.places) * len(net.transitions)
    if size > MAX_ENTRIES:
        reason = f"The net is too large for this: its matrix has {size:,} entries, of {MAX_ENTRIES:,} at most."
        return Verdict(Status.UNKNOWN, name, reason, method=METHOD)
    certificate = None if at_least else _from_flows(net, wanted.tokens)
    counts: dict[str, int] | None = None
    told = "The marking equation has a solution, so the marking may be reachable"
    if certificate is None:
        certificate = _from_programme(net, wanted.tokens, at_least=at_least)
    if certificate is not None:
        assert certificate.holds_for(net)
        statistics: dict[str, Any] = {"certificate": dict(certificate.weights)}
        return Verdict(Status.HOLDS, name, f"Out of reach: {certificate}.", method=METHOD, statistics=statistics)
    counts = _solution(net, wanted.tokens, at_least=at_least)
    if counts is None:
        told = "The solver finds no integer solution, but no certificate that could be checked"
    statistics = {} if counts is None else {"firing_counts": counts}
    reason = f"{told}. Search for it with explore(net)."
    return Verdict(Status.UNKNOWN, name, reason, method=METHOD, statistics=statistics)


def _certificate(net: PetriNet, weights: Mapping[str, int], tokens: tuple[int, ...], exact: bool) -> Certificate:
    held = dict(zip(net.places, tokens))
    start = sum(weight * net.initial_marking[place] for place, weight in weights.items())
    return Certificate(weights, start, sum(weight * held[place] for place, weight in weights.items()), exact)


def _from_flows(net: PetriNet, tokens: tuple[int, ...]) -> Certificate | None:
    for weights in place_flows(net):
        certificate = _certificate(net, weights, tokens, exact=True)
        if certificate.start != certificate.target:
            return certificate
    return None


def _from_programme(net: PetriNet, tokens: tuple[int, ...], *, at_least: bool) -> Certificate | None:
    limits = [Linear(((place, -1),), -count) for place, count in zip(net.places, tokens) if count or not at_least]
    if not at_least:
        limits += [Linear(((place, 1),), count) for place, count in zip(net.places, tokens)]
    found = refuted(net, limits)
    if found is None:
        return None
    return _certificate(net, {place: -weight for place, weight in found.weights.items()}, tokens, exact=False)


def _solution(net: PetriNet, tokens: tuple[int, ...], *, at_least: bool) -> dict[str, int] | None:
    import numpy as np
    from scipy.optimize import LinearConstraint, milp

    matrix, resets = _matrix(net)
    rows = [p for p in range(len(net.places)) if p not in resets]
    difference = np.array([t - s for t, s in zip(tokens, net.initial_marking.tokens)], dtype=float)[rows]
    n = len(net.transitions)
    if not n:
        return None
    upper = np.full(len(rows), np.inf) if at_least else difference
    constraints = LinearConstraint(matrix[rows], difference, upper) if rows else ()
    result = milp(np.ones(n), constraints=constraints, integrality=np.ones(n))
    if result.status != 0 or result.x is None:
        return None
    return {name: round(count) for name, count in zip(net.transitions, result.x) if round(count)}


def _matrix(net: PetriNet) -> tuple[Any, set[int]]:
    """The incidence matrix of normal arcs, and the places that are reset, of which the rows say nothing."""
    from wfsim.net.incidence import post, pre

    resets = {net.place_index(arc.source) for arc in net.arcs if arc.kind is ArcKind.RESET}
    return (post(net) - pre(net)).astype(float), resets
