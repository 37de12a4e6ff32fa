"""Matrices of a net, for linear algebra: invariants, state equation.

They represent **normal arcs only**, which alone move a fixed number of tokens. Read and inhibitor arcs
move none; so with them `marking >= pre(net)[:, t]` is necessary for `t` to be enabled, not sufficient. What
a reset arc removes depends on the marking; so with one there is no incidence matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import NetError
from wfsim.net.arcs import ArcKind
from wfsim.net.petri import PetriNet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wfsim.net.marking import Marking


def pre(net: PetriNet) -> NDArray[np.int64]:
    """Tokens consumed by normal arcs.

    Returns
    -------
    ndarray of int64, shape (n_places, n_transitions)
        In the order of `net.places` and `net.transitions`. Weights are at most 2**53, so they always fit.
    """
    return _matrix(net, from_place=True)


def post(net: PetriNet) -> NDArray[np.int64]:
    """Tokens produced by normal arcs; shape and order as in `pre`."""
    return _matrix(net, from_place=False)


def incidence(net: PetriNet) -> NDArray[np.int64]:
    """Change of each place when a transition fires: `post - pre`; shape and order as in `pre`.

    Raises
    ------
    NetError
        If the net has reset arcs: no matrix describes them. `post(net) - pre(net)` gives the part without.

    Notes
    -----
    Every firing sequence with counts x leads from m to `m + incidence @ x` (state equation [1]_). The product
    may overflow int64 for counts beyond 2**10 on nets with the largest weights; use Python integers there.

    References
    ----------
    .. [1] Murata (1989), Proceedings of the IEEE 77(4), 541-580.
    """
    resets = [arc for arc in net.arcs if arc.kind is ArcKind.RESET]
    if resets:
        raise NetError(
            f"net {net.name!r} has no incidence matrix: the reset arc {resets[0].source!r} -> "
            f"{resets[0].target!r} removes as many tokens as there are. "
            "post(net) - pre(net) leaves the reset arcs out."
        )
    return post(net) - pre(net)


def marking_vector(marking: Marking) -> NDArray[np.int64]:
    """A marking as an int64 vector, shape (n_places,); `NetError` if a place holds 2**63 tokens or more."""
    import numpy as np

    for place, count in marking.items():
        if count >= 2**63:
            raise NetError(f"place {place!r} holds {count} tokens, which 64 bits cannot hold.")
    return np.array(marking.tokens, dtype=np.int64)


def _matrix(net: PetriNet, *, from_place: bool) -> NDArray[np.int64]:
    import numpy as np

    matrix = np.zeros((len(net.places), len(net.transitions)), dtype=np.int64)
    for arc in net.arcs:
        if arc.kind is ArcKind.NORMAL and net.is_place(arc.source) is from_place:
            place, transition = (arc.source, arc.target) if from_place else (arc.target, arc.source)
            matrix[net.place_index(place), net.transition_index(transition)] = arc.weight
    return matrix
