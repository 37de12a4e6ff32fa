"""Searches of one net that share what they have found, so that many questions cost little more than one."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wfsim.errors import NetError
from wfsim.net.firing import Tokens, successor
from wfsim.verification.nets.diagrams.turns import WORK_PER_MARKING, Tried, fit_for_diagrams, try_diagrams
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import Linear, Plain
from wfsim.verification.nets.limits import DEFAULT_MEMORY, SearchLimits, check_limits
from wfsim.verification.nets.listed_space import MEMORY_OF_MARKING, MEMORY_OF_PLACE
from wfsim.verification.nets.many_markings import where
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.reduced import direct_markings
from wfsim.verification.nets.state_space import StateSpace, Stop, Wake

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

SEARCH = "explicit breadth-first search"
WALK = "random walk, as the search had reached its limits; the trace is perhaps not shortest"
WALK_TRIES = 2_000_000
"""Tries of a net transition in random walks: about a second."""
TRIES_OF_FIRING = 20
"""Tries that take as long as to fire and to look whether the marking was passed."""
LONGEST_WALK = 5_000
"""Firings after which a random walk begins anew."""
Firing = tuple[int, Tokens]
"""Index of a net transition, and the marking after it."""
NOW_AND_THEN = Wake(now_and_then=True)
UNITS_ASSUMED = "the net is unit-safe, as its file says of the nested units (trust_units); ask unit_safe to check it"


class NetSearch:
    """A net, the limits of each search of it, and the space that is known so far.

    Attributes
    ----------
    net
        The net.
    assumed
        Inequalities that hold in every reachable marking because the net's units are trusted to be safe.
    """

    def __init__(
        self,
        net: PetriNet,
        *,
        max_markings: int = 1_000_000,
        max_seconds: float | None = None,
        max_memory: int = DEFAULT_MEMORY,
        progress: bool = False,
        trust_units: bool = False,
    ) -> None:
        check_limits(max_markings, max_memory)
        self.net = net
        self.max_markings = max_markings
        self.max_seconds = max_seconds
        self.max_memory = max_memory
        self.progress = progress
        self.assumed: tuple[Linear, ...] = ()
        if trust_units and net.units is not None and net.units.safe:
            self.assumed = tuple(Linear(tuple((p, 1) for p in places), 1) for places in net.units.exclusive())
        self._space: StateSpace | None = None
        """A search that went to its end or to the limits: there is no more to be found."""
        self._small: StateSpace | None = None
        self._symbolic: Tried | None = None

    def limits(self, deadline: float | None) -> SearchLimits:
        """Parameters for a search that ends at the deadline."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        return SearchLimits(
            max_markings=self.max_markings, max_seconds=left, max_memory=self.max_memory, progress=self.progress
        )

    def deadline(self) -> float | None:
        """When a search that begins now has to end."""
        return None if self.max_seconds is None else time.monotonic() + self.max_seconds

    @property
    def small(self) -> StateSpace:
        """The nearest markings: as many as take some hundredths of a second, or all known if they are more."""
        if self._space is not None:
            return self._space
        if self._small is None:
            few = min(direct_markings(self.net), self.max_markings)
            self._small = explore(self.net, max_markings=few, max_seconds=self.max_seconds, max_memory=self.max_memory)
            if self._small.complete or few == self.max_markings:
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

    def whole(self, stop: Stop | None = None, wake: Wake = NOW_AND_THEN) -> StateSpace:
        """The space as far as the limits allow, unless `stop` ends the search before.

        `stop` need not have seen all its markings: a space that is known already is returned as it is.
        """
        if not self.exhausted:
            stopped = False

            def watched(space: StateSpace, number: int) -> str | None:
                nonlocal stopped
                reason = None if stop is None else stop(space, number)
                stopped = bool(reason)
                return reason

            space = explore(
                self.net, **self.limits(self.deadline()), stop=watched if stop is not None else None, wake=wake
            )
            if stopped:
                return space
            self._space = space
        return self.small

    @property
    def symbolic(self) -> Tried:
        """All reachable markings as a decision diagram, if the net is 1-safe and the limits allow it; or why not.

        For questions that searches of single markings have left open. Nothing is tried where the user has ended one,
        or allows no more markings than are searched in any case.
        """
        if self._symbolic is None:
            ended = self.max_markings <= direct_markings(self.net) or (
                self._space is not None and self._space.interrupted
            )
            if ended or not fit_for_diagrams(self.net):
                return Tried()
            self._symbolic = try_diagrams(
                self.net,
                max_work=WORK_PER_MARKING * self.max_markings,
                max_memory=self.max_memory,
                deadline=self.deadline(),
                progress=self.progress,
            )
        return self._symbolic

    def first(self, wanted: Plain) -> tuple[StateSpace, int | None]:
        """Search the net as it is for the nearest marking of which the formula is true."""
        scan = Scan(self.net, wanted)
        space = self.whole(scan)
        return space, scan.look(space)


def walk(search: NetSearch, ended: Callable[[Tokens, Sequence[Firing]], bool]) -> tuple[str, ...] | None:
    """Fire at random from the start, anew again and again, until a marking ends it; the way there without detours.

    Parameters
    ----------
    ended
        Given a marking and the firings that it enables, whether it is the one looked for.

    Notes
    -----
    For what lies deep where a breadth-first search reaches its limits. Always the same numbers are drawn. Ends without
    a result after `WALK_TRIES` tries of a net transition, or at the time limit of a search. A walk that would pass more
    markings than the memory limit of a search allows begins anew before.
    """
    net, deadline = search.net, search.deadline()
    draw, tries = random.Random(0), WALK_TRIES
    room = search.max_memory // (MEMORY_OF_MARKING + MEMORY_OF_PLACE * len(net.places))
    while tries > 0 and (deadline is None or time.monotonic() < deadline):
        here = net.initial_marking.tokens
        path: list[int] = []
        passed = {here: 0}
        for _ in range(max(1, min(LONGEST_WALK, room))):
            tries -= len(net.rules) + TRIES_OF_FIRING
            firings = [(t, after) for t, rule in enumerate(net.rules) if (after := successor(here, rule)) is not None]
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


class Look(ABC):
    """Looks at the markings of a search as they are found; passed to `explore` as `stop`, it ends the search.

    Attributes
    ----------
    found
        Number of the marking that ends the search, once there is one.
    """

    def __init__(self) -> None:
        self._next = 0
        self.found: int | None = None

    def __call__(self, space: StateSpace, number: int) -> str | None:
        """What `explore` asks."""
        return None if self.look(space) is None else "It was found."

    def look(self, space: StateSpace) -> int | None:
        """Look at the markings that are new; the number of the one looked for."""
        if self._next < space.n_markings and self.found is None:
            begin, self._next = self._next, space.n_markings
            self._look(space, begin)
        return self.found

    @abstractmethod
    def _look(self, space: StateSpace, begin: int) -> None:
        """Look at the markings from this number on."""


class Scan(Look):
    """Looks for the nearest marking of which a formula is true."""

    def __init__(self, net: PetriNet, wanted: Plain) -> None:
        super().__init__()
        self._wanted = wanted
        self._test = marking_test(wanted, net)

    def _look(self, space: StateSpace, begin: int) -> None:
        if space.engine == "python":
            numbers = range(begin, space.n_markings)
            self.found = next((k for k in numbers if self._test(space.tokens[k])), None)
        else:
            true = where(self._wanted, space, begin)
            self.found = begin + int(true.argmax()) if true.any() else None


class Most(Look):
    """Looks for the marking with most tokens in some places together, up to a number that ends the search."""

    def __init__(self, net: PetriNet, places: Sequence[str], enough: int | None) -> None:
        super().__init__()
        self._places = [net.place_index(place) for place in places]
        self._enough = enough
        self.most = -1
        self.number = 0
        """The nearest marking with `most` tokens there."""

    def _look(self, space: StateSpace, begin: int) -> None:
        if space.engine == "python":
            totals: Any = [sum(space.tokens[k][p] for p in self._places) for k in range(begin, space.n_markings)]
            best = max(range(len(totals)), key=totals.__getitem__)
        else:
            totals = sum(
                (space.column(place, begin) for place in self._places[1:]), space.column(self._places[0], begin)
            )
            best = int(totals.argmax())
        if totals[best] > self.most:
            self.most, self.number = int(totals[best]), begin + best
        if self._enough is not None and self.most >= self._enough:
            self.found = self.number


class Moved(Look):
    """Looks for places whose tokens change; ends the search once each of some places has changed."""

    def __init__(self, net: PetriNet, still: Iterable[int]) -> None:
        super().__init__()
        self._start = net.initial_marking.tokens
        self.still = list(still)
        """Places whose tokens have not changed so far, by index."""

    def _look(self, space: StateSpace, begin: int) -> None:
        if space.engine == "python":
            for number in range(begin, space.n_markings):
                here = space.tokens[number]
                self.still = [p for p in self.still if here[p] == self._start[p]]
        else:
            self.still = [p for p in self.still if (space.column(p, begin) == self._start[p]).all()]
        if not self.still:
            self.found = space.n_markings - 1
