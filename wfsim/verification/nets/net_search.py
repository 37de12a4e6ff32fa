"""Which engine answers a question about a net, and what the engines have found so far.

Every question goes the same way: the nearest markings, which are enough for small nets; what the structure of the net
proves, which each question asks for itself; then `settle`, where a search that lists markings and decision diagrams
take turns; at the limits, random walks. All of it within the limits of the question, and what is found for one question
serves the next.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.firing import Tokens, successor
from wfsim.verification.nets.diagrams.answers import Answers
from wfsim.verification.nets.diagrams.tries import Tried, fit_for_diagrams, try_diagrams
from wfsim.verification.nets.explore import searched
from wfsim.verification.nets.formulas import Linear
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.listed_space import MEMORY_OF_MARKING, MEMORY_OF_PLACE
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.reduced import direct_markings
from wfsim.verification.nets.state_space import StateSpace, Stop, Wake

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.search import NotOneSafe

WALK = "random walk, as the search had reached its limits; the trace is perhaps not shortest"
WALK_TRIES = 2_000_000
"""Tries of a net transition in random walks: about a second."""
TRIES_OF_FIRING = 20
"""Tries that take as long as to fire and to look whether the marking was passed."""
LONGEST_WALK = 5_000
"""Firings after which a random walk begins anew."""
SHORTEST_WALK = 50
"""Firings that memory has to allow for."""
Firing = tuple[int, Tokens]
"""Index of a net transition, and the marking after it."""
NOW_AND_THEN = Wake(now_and_then=True)
UNITS_ASSUMED = "the net is unit-safe, as its file says of the nested units (trust_units); ask unit_safe to check it"

EARLY_MARKINGS = 100_000
"""Markings listed before diagrams are tried: some tenths of a second."""

EARLY_WORK, EARLY_MEMORY = 20_000_000, 2**25
"""Nodes looked at, and bytes, when diagrams are tried first: below a second."""

WORK_PER_MARKING = 400
"""Nodes that may be looked at for each marking that might be listed: with a million markings, about ten seconds."""

Found = TypeVar("Found")
Answered = TypeVar("Answered")


class Settled(NamedTuple, Generic[Found, Answered]):
    """What the two engines have come to."""

    found: Found
    """Of the last search that lists markings."""
    answered: Answered | None = None
    """By diagrams, if the search has not settled the question but they have."""
    unsafe: NotOneSafe | None = None
    """Why diagrams do not apply, if they have found that out."""
    told: str = ""
    """Why diagrams have come to no end, if so, as a sentence that starts with a blank."""
    interrupted: bool = False
    """Whether the user has ended them."""


class NetSearch:
    """A net, the limits of the question that is being answered, and what is known of the net so far.

    Attributes
    ----------
    net
        The net.
    limits
        Of the question being answered.
    assumed
        Inequalities that hold in every reachable marking because the net's units are trusted to be safe.
    """

    def __init__(self, net: PetriNet, limits: Limits = UNLIMITED, *, trust_units: bool = False) -> None:
        self.net = net
        self.limits = limits
        self.assumed: tuple[Linear, ...] = ()
        if trust_units and net.units is not None and net.units.safe:
            self.assumed = tuple(Linear(tuple((p, 1) for p in places), 1) for places in net.units.exclusive())
        self._space: StateSpace | None = None
        """A search that went to its end or to the limits: there is no more to be found."""
        self._small: StateSpace | None = None
        self._tried: dict[tuple[int, int], Tried] = {}

    def begin(self) -> None:
        """Begin with another question: its time starts now."""
        self.limits = self.limits.begun_anew()

    @property
    def small(self) -> StateSpace:
        """The nearest markings: as many as take some hundredths of a second, or all known if they are more."""
        if self._space is not None:
            return self._space
        if self._small is None:
            few = self.limits.fewer(direct_markings(self.net))
            self._small = searched(self.net, replace(few, progress=False))
            if self._small.complete or few.max_markings == self.limits.max_markings:
                self._space = self._small
        return self._small

    def check_assumed(self) -> None:
        """Refuse to trust units that are seen to be unsafe.

        Raises
        ------
        NetError
            If one of the nearest markings holds two tokens where the units allow one; the text says which.
        """
        if not self.assumed:
            return
        tests = [(each, marking_test(each, self.net)) for each in self.assumed]
        for number, tokens in enumerate(self.small.tokens):
            for each, test in tests:
                if not test(tokens):
                    marking, n = self.net.marking(tokens), len(self.small.path_to(number))
                    held = ", ".join(f"{place}: {marking[place]}" for place, _ in each.weights if marking[place])
                    raise NetError(
                        f"net {self.net.name!r} is not unit-safe, though its file says so: after {n} firings one unit, "
                        f"with those inside it, holds {{{held}}}. Leave trust_units out; ask 'unit_safe' for the trace."
                    )

    @property
    def exhausted(self) -> bool:
        """Whether the net as it is has been searched as far as the limits allow."""
        return self.small is self._space

    def whole(self, stop: Stop | None = None, wake: Wake = NOW_AND_THEN, limits: Limits | None = None) -> StateSpace:
        """The space as far as the limits allow, unless `stop` ends the search before.

        `stop` need not have seen all its markings: a space that is known already is returned as it is. With `limits`
        that are narrower than those of the question nothing is kept, unless the space is complete.
        """
        if self.exhausted:
            return self.small
        stopped = False

        def watched(space: StateSpace, number: int) -> str | None:
            nonlocal stopped
            reason = None if stop is None else stop(space, number)
            stopped = bool(reason)
            return reason

        space = searched(self.net, limits or self.limits, stop=watched if stop is not None else None, wake=wake)
        if space.complete or not (stopped or limits):
            self._space = space
        return space

    def settle(
        self,
        search: Callable[[Limits], Found],
        settled: Callable[[Found], bool],
        answer: Callable[[Answers], Answered],
    ) -> Settled[Found, Answered]:
        """Let a search list markings, and where it comes to no end, let diagrams find them all.

        Parameters
        ----------
        search
            Given its limits, which leave it a part of the markings and of the time; called again with more if need be.
        settled
            Whether what it has found answers the question, or the user has ended it.
        answer
            Answers the question from all reachable markings; `SearchIncomplete` if time or nodes do not suffice.

        Raises
        ------
        OutOfTime
            If the time is over already.

        Notes
        -----
        Whether diagrams stay small cannot be told from the net, nor can the number of markings; each can be exponential
        where the other is not. But both can be tried cheaply: first a tenth of a million markings, then diagrams with
        few nodes, which is below a second and enough for 2**200 markings of parallel branches; then the search as far
        as it may go; then diagrams with the rest. A search takes at most half of the time left, if that is limited.
        Only nets that start with at most one token in each place, and have not too many of these, come to diagrams,
        which find out whether it stays so; and only where more markings are allowed than are searched in any case.
        """
        limits, net = self.limits, self.net
        limits.check("the nearest markings were looked at")
        if limits.max_markings <= direct_markings(net) or not fit_for_diagrams(net):
            return Settled(search(limits))
        early = limits.fewer(EARLY_MARKINGS)
        found = search(early.half())
        if settled(found):
            return Settled(found)
        told = ""
        most = WORK_PER_MARKING * limits.max_markings
        first = min(EARLY_WORK, most), min(EARLY_MEMORY, limits.max_memory)
        for effort in dict.fromkeys((first, (most, limits.max_memory))):
            if limits.late:
                break
            if early.max_markings < limits.max_markings and effort != first:
                early = limits
                found = search(limits.half())
                if settled(found):
                    return Settled(found, told=told)
            tried = self._by_diagrams(*effort)
            if tried.unsafe is not None:
                if early.max_markings < limits.max_markings:
                    found = search(limits)
                return Settled(found, unsafe=tried.unsafe)
            told = tried.told or told
            if tried.space is not None:
                try:
                    return Settled(found, answer(Answers(tried.space, limits)))
                except SearchIncomplete as problem:
                    told = f" Decision diagrams: {problem}"
            if tried.interrupted:
                return Settled(found, told=told, interrupted=True)
        return Settled(found, told=told)

    def _by_diagrams(self, work: int, memory: int) -> Tried:
        known = self._tried.get((work, memory))
        if known is None or (known.late and not self.limits.late):
            known = try_diagrams(self.net, replace(self.limits, max_memory=memory), work)
            self._tried[work, memory] = known
        return known

    def walk(self, ended: Callable[[Tokens, Sequence[Firing]], bool]) -> tuple[str, ...] | None:
        """Fire at random from the start, anew again and again, until a marking ends it; the way without detours.

        Parameters
        ----------
        ended
            Given a marking and the firings that it enables, whether it is the one looked for.

        Notes
        -----
        For what lies deep where a breadth-first search reaches its limits. Always the same numbers are drawn. Ends
        without a result after `WALK_TRIES` tries of a net transition, or at the time limit. A walk that would pass more
        markings than the memory limit of a search allows begins anew before; where that would be at once there is
        none.
        """
        net, limits = self.net, self.limits
        draw, tries = random.Random(0), WALK_TRIES
        room = limits.max_memory // (MEMORY_OF_MARKING + MEMORY_OF_PLACE * len(net.places))
        if room < SHORTEST_WALK:
            return None
        while tries > 0:
            here = net.initial_marking.tokens
            path: list[int] = []
            passed = {here: 0}
            for _ in range(min(LONGEST_WALK, room)):
                if limits.late:
                    return None
                tries -= len(net.rules) + TRIES_OF_FIRING
                firings = [
                    (t, after) for t, rule in enumerate(net.rules) if (after := successor(here, rule)) is not None
                ]
                if ended(here, firings):
                    return tuple(net.transitions[t] for t in path)
                if not firings or tries <= 0:
                    break
                transition, here = draw.choice(firings)
                path.append(transition)
                if here in passed:
                    del path[passed[here] :]
                    passed = {marking: at for marking, at in passed.items() if at <= len(path)}
                passed[here] = len(path)
        return None
