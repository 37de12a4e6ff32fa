"""Decision diagrams tried for a question, where nobody knows beforehand whether they stay small."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wfsim.errors import SearchIncomplete
from wfsim.verification.nets.diagrams.coded import NODE_BYTES
from wfsim.verification.nets.diagrams.search import FIRST_NODES, MOST_PLACES, NotOneSafe, search_symbolically
from wfsim.verification.nets.limits import Ended, Limits, amount

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.space import SymbolicSpace


class Tried(NamedTuple):
    """What a search by diagrams has come to."""

    space: SymbolicSpace | None = None
    """All reachable markings, with all that can be counted."""
    unsafe: NotOneSafe | None = None
    """Why diagrams do not apply, if they have found that out."""
    told: str = ""
    """Why they have come to no end, if so, as a sentence that starts with a blank."""
    interrupted: bool = False
    """Whether the user has ended them."""
    late: bool = False
    """Whether it was the time that ended them."""


def fit_for_diagrams(net: PetriNet) -> bool:
    """Whether a net starts with at most one token in each place, and has not too many of these."""
    return len(net.places) <= MOST_PLACES and max(net.initial_marking.tokens, default=0) <= 1


def try_diagrams(net: PetriNet, limits: Limits, max_work: int) -> Tried:
    """Find all reachable markings of a net that is fit for it; limits as of `search_symbolically`.

    Nothing is tried with less memory than diagrams take at least.
    """
    least = FIRST_NODES * NODE_BYTES
    if limits.max_memory < least:
        return Tried(told=f" Decision diagrams need a max_memory of at least {amount(least)}.")
    try:
        space = search_symbolically(net, limits, max_work)
        if space.complete:
            space.count_all(limits)
            return Tried(space)
    except NotOneSafe as unsafe:
        return Tried(unsafe=unsafe)
    except SearchIncomplete as problem:
        return Tried(told=f" Decision diagrams: {problem}", late=limits.late)
    return Tried(
        told=f" Decision diagrams: {space.reason}", interrupted=space.interrupted, late=space.ended is Ended.SECONDS
    )
