"""Whether a marking can be reached, or one that holds at least so much in some places."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wfsim.verify.explore import explore
from wfsim.verify.findings import NO_FAIRNESS, after
from wfsim.verify.reduced import direct_markings
from wfsim.verify.state_space import StateSpace
from wfsim.verify.structure.equation import METHOD as EQUATION
from wfsim.verify.structure.equation import unreachable
from wfsim.verify.structure.reduction import Keep, reduce
from wfsim.verify.verdict import NetWitness, Status, Verdict

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

SEARCH = "explicit breadth-first search"


def reachable(
    net: PetriNet,
    tokens: Mapping[str, int],
    *,
    exactly: bool = False,
    max_markings: int = 1_000_000,
    max_seconds: float | None = None,
    progress: bool = False,
) -> Verdict:
    """Whether some reachable marking holds at least so many tokens in each of the places named.

    Parameters
    ----------
    tokens
        Places and how many tokens they have to hold together; nothing is asked of places left out.
    exactly
        Ask for exactly so many, in these places.
    max_markings, max_seconds, progress
        As in `wfsim.verify.explore.explore`.

    Returns
    -------
    Verdict
        `holds` with a firing sequence as its witness; `violated` if there is none, by a complete search or by a
        certificate of the marking equation; `unknown` if a limit was reached.

    Notes
    -----
    A search of the net as it is up to some hundred markings, then the marking equation, then a search of the net
    reduced by rules that keep what these places can hold; its trace is mapped back, cut where the places first hold
    what was asked, and need not be shortest.

    Raises
    ------
    UnknownNode
        If a place does not exist.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> net = PetriNet("mail", ["draft", "sent"], ["send"], [("draft", "send"), ("send", "sent")], {"draft": 2})
    >>> reachable(net, {"sent": 2}).witness.firing_sequence
    ('send', 'send')
    """
    net.marking(tokens)
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    name = f"{dict(tokens)} can be reached in {net.name!r}, {'exactly' if exactly else 'or more'}"
    first = direct_markings(net)
    space, found = _search(net, tokens, exactly, min(first, max_markings), max_seconds, progress)
    method, statistics = SEARCH, {}
    sequence = None if found is None else space.path_to(found)
    if sequence is None and not space.complete and space.n_markings == first < max_markings:
        if not exactly:
            proof = unreachable(net, tokens, at_least=True)
            if proof.status is Status.HOLDS:
                reason = proof.reason
                return Verdict(Status.VIOLATED, name, reason, method=EQUATION, statistics=proof.statistics)
        for parts in (True, False):
            reduction = reduce(net, keep=Keep.REACHABILITY, places=tokens, parts=parts)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            space, found = _search(reduction.net, tokens, exactly, max_markings, left, progress)
            bounds = space.bounds
            if all(bounds[place] <= 1 for place in reduction.capped):
                break
        if reduction.rules:
            method = f"structural reduction ({reduction}), then explicit search of the reduced net"
            statistics = {"reduced": reduction.to_dict()}
        if found is not None:
            sequence = _cut(net, reduction.lift(space.path_to(found)), tokens, exactly)
    bound: dict[str, Any] = {"markings": space.n_markings, "edges": space.n_edges, "complete": space.complete}
    witness = None
    if sequence is not None:
        witness = NetWitness.of(net, sequence)
        told = after(witness)
        status, reason = Status.HOLDS, f"{told[0].upper()}{told[1:]} the places hold what was asked."
    elif space.complete:
        status, reason = Status.VIOLATED, f"None of {space.n_markings:,} reachable markings holds that."
    else:
        status, reason = Status.UNKNOWN, f"{space.reason} Raise max_markings or max_seconds."
        bound["stopped"] = space.reason
    return Verdict(status, name, reason, witness, bound, (NO_FAIRNESS,), method, statistics)


def _search(
    net: PetriNet,
    tokens: Mapping[str, int],
    exactly: bool,
    max_markings: int,
    max_seconds: float | None,
    progress: bool,
) -> tuple[StateSpace, int | None]:
    wanted = [(net.place_index(place), count) for place, count in tokens.items()]
    checked = 0
    found: int | None = None

    def stop(space: StateSpace, number: int) -> str | None:
        nonlocal checked, found
        while checked < space.n_markings and found is None:
            here = space.tokens[checked]
            if all(here[p] == n if exactly else here[p] >= n for p, n in wanted):
                found = checked
            checked += 1
        return None if found is None else "It was found."

    space = explore(net, max_markings=max_markings, max_seconds=max_seconds, progress=progress, stop=stop)
    # A search that ends at a limit has not shown the last markings.
    stop(space, 0)
    return space, found


def _cut(net: PetriNet, sequence: tuple[str, ...], tokens: Mapping[str, int], exactly: bool) -> tuple[str, ...]:
    """The sequence up to the first marking that holds what was asked."""
    wanted = [(net.place_index(place), n) for place, n in tokens.items()]
    start = net.initial_marking.tokens
    if all(start[p] == n if exactly else start[p] >= n for p, n in wanted):
        return ()
    for i, (_, here) in enumerate(net.walk(sequence), start=1):
        if all(here[p] == n if exactly else here[p] >= n for p, n in wanted):
            return sequence[:i]
    raise AssertionError("the trace of the reduced net does not lead where it should")
