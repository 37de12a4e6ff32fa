"""Which of two answers a question about a net: a search that lists markings, or decision diagrams."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from wfsim.errors import SearchIncomplete
from wfsim.verification.nets.diagrams.answers import Answers
from wfsim.verification.nets.diagrams.coded import NODE_BYTES
from wfsim.verification.nets.diagrams.search import FIRST_NODES, MOST_PLACES, NotOneSafe, search_symbolically
from wfsim.verification.nets.limits import SearchLimits
from wfsim.verification.nets.state_space import amount

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.space import SymbolicSpace

Found = TypeVar("Found")
Answered = TypeVar("Answered")

EARLY_MARKINGS = 100_000
"""Markings listed before diagrams are tried: some tenths of a second."""

EARLY_WORK, EARLY_MEMORY = 20_000_000, 2**25
"""Nodes looked at, and bytes, when diagrams are tried first: below a second."""

WORK_PER_MARKING = 400
"""Nodes that may be looked at for each marking that might be listed: with a million markings, about ten seconds."""


class Turns(NamedTuple, Generic[Found, Answered]):
    """What each of the two has come to."""

    found: Found
    """Of the last search that lists markings."""
    answered: Answered | None
    """By diagrams, if the search has not settled the question but they have."""
    unsafe: NotOneSafe | None
    """Why diagrams do not apply, if they have found that out."""
    told: str
    """Why diagrams have come to no end, if so, as a sentence that starts with a blank."""


def in_turn(
    net: PetriNet,
    search: Callable[[SearchLimits], Found],
    settled: Callable[[Found], bool],
    answer: Callable[[Answers], Answered],
    limits: SearchLimits,
    deadline: float | None,
) -> Turns[Found, Answered]:
    """Let a search list markings, and where it comes to no end, let diagrams find them all.

    Parameters
    ----------
    search
        Given its limits, which leave it a part of the markings and of the time; called again with more if need be.
    settled
        Whether what it has found answers the question, or the user has ended it.
    answer
        Answers the question from all reachable markings; `SearchIncomplete` if time or nodes do not suffice.
    limits
        Of each search; the time is that until the deadline, though, for all of them.
    deadline
        By `time.monotonic`.

    Notes
    -----
    Whether diagrams stay small cannot be told from the net, nor can the number of markings; each can be exponential
    where the other is not. But both can be tried cheaply: first a tenth of a million markings, then diagrams with few
    nodes, which is below a second and enough for 2**200 markings of parallel branches; then the search as far as it
    may go; then diagrams with the rest. A search takes at most half of the time left, if that is limited. Only nets
    that start with at most one token in each place, and have not too many of these, come to diagrams, which find out
    whether it stays so.
    """
    max_markings, max_memory = limits["max_markings"], limits["max_memory"]

    def listed(markings: int, seconds: float | None) -> Found:
        return search({**limits, "max_markings": markings, "max_seconds": seconds})

    if not fit_for_diagrams(net):
        return Turns(listed(max_markings, seconds_left(deadline)), None, None, "")
    first = min(EARLY_MARKINGS, max_markings)
    found = listed(first, _half(deadline))
    told = ""
    if settled(found):
        return Turns(found, None, None, told)
    most = WORK_PER_MARKING * max_markings
    for work, memory in ((min(EARLY_WORK, most), min(EARLY_MEMORY, max_memory)), (most, max_memory)):
        tried = try_diagrams(net, max_work=work, max_memory=memory, deadline=deadline, progress=limits["progress"])
        if tried.unsafe is not None:
            if first < max_markings:
                found = listed(max_markings, seconds_left(deadline))
            return Turns(found, None, tried.unsafe, "")
        told = tried.told
        if tried.space is not None:
            try:
                return Turns(found, answer(Answers(tried.space, deadline)), None, "")
            except SearchIncomplete as problem:
                told = f" Decision diagrams: {problem}"
        if tried.interrupted:
            break
        if first < max_markings:
            first = max_markings
            found = listed(max_markings, _half(deadline))
            if settled(found):
                break
        if seconds_left(deadline) == 0:
            break
    return Turns(found, None, None, told)


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


def fit_for_diagrams(net: PetriNet) -> bool:
    """Whether a net starts with at most one token in each place, and has not too many of these."""
    return len(net.places) <= MOST_PLACES and max(net.initial_marking.tokens, default=0) <= 1


def try_diagrams(net: PetriNet, *, max_work: int, max_memory: int, deadline: float | None, progress: bool) -> Tried:
    """Find all reachable markings of a net that is fit for it; limits as of `search_symbolically`.

    Nothing is tried with less memory than diagrams take at least.
    """
    least = FIRST_NODES * NODE_BYTES
    if max_memory < least:
        return Tried(told=f" Decision diagrams need a max_memory of at least {amount(least)}.")
    seconds = seconds_left(deadline)
    try:
        space = search_symbolically(
            net, max_seconds=seconds, max_work=max_work, max_memory=max_memory, progress=progress
        )
        if space.complete:
            space.count_all(deadline)
            return Tried(space)
    except NotOneSafe as unsafe:
        return Tried(unsafe=unsafe)
    except SearchIncomplete as problem:
        return Tried(told=f" Decision diagrams: {problem}")
    return Tried(told=f" Decision diagrams: {space.reason}", interrupted=space.interrupted)


def seconds_left(deadline: float | None) -> float | None:
    """Seconds until a deadline by `time.monotonic`, if there is one."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _half(deadline: float | None) -> float | None:
    seconds = seconds_left(deadline)
    return None if seconds is None else seconds / 2
