"""Bounds of places, proved from the structure of a net by place invariants.

A place invariant weighs places so that no firing changes the weighted sum of tokens [1]_. Where all weights are at
least 0, a place of weight y can never hold more than the initial sum divided by y.

References
----------
.. [1] Murata (1989), Petri nets: properties, analysis and applications, Proceedings of the IEEE 77(4), 541-580.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.structure.semiflows import WeightedSum, some_semiflows

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

EFFORT = 200_000
"""Entries of rows that may be touched: about a tenth of a second."""


def proved_bounds(net: PetriNet, effort: int = EFFORT, limits: Limits = UNLIMITED) -> dict[int, int]:
    """The most tokens that places can ever hold, by index, where an invariant says so.

    Parameters
    ----------
    effort
        Entries of rows to touch at most. There can be exponentially many invariants; when the effort is spent, or
        the time of the `limits` is over, those found so far serve, and other places have no proved bound.

    Notes
    -----
    Arcs of every kind are treated: read and inhibitor arcs move nothing; of a place that is reset only what is
    produced is counted, and what it loses can only lessen the sum.
    """
    rows = [WeightedSum({place: 1}, {}) for place in range(len(net.places))]
    for transition, rule in enumerate(net.rules):
        for place, difference in rule.changes:
            rows[place].changes[transition] = difference
    start = net.initial_marking.tokens
    bounds: dict[int, int] = {}
    for weights in some_semiflows(rows, len(net.transitions), effort, limits):
        total = sum(weight * start[place] for place, weight in weights.items())
        for place, weight in weights.items():
            bounds[place] = min(total // weight, bounds.get(place, total // weight))
    return bounds
