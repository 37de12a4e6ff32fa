"""Proof, during a search, that a net is unbounded.

If a marking strictly covers one on its own path, the part between can be fired again and again, and adds
tokens each time [1]_. This holds for normal and read arcs, which more tokens never disable; inhibitor and
reset arcs break it.

References
----------
.. [1] Karp & Miller (1969), Journal of Computer and System Sciences 3(2), 147-195.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.net.arcs import ArcKind
from wfsim.net.marking import covers
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.nets.state_space import StateSpace, Wake
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet


def growth_is_provable(net: PetriNet) -> bool:
    """Whether covering an earlier marking proves unboundedness: the net has normal and read arcs only."""
    return net.arc_kinds <= {ArcKind.NORMAL, ArcKind.READ}


class GrowthWatch:
    """Pass it to `explore` as `stop`: it ends the search once the net is proved unbounded.

    Only paths to markings with more tokens in total than any before are examined, each marking on them once.
    This is enough: an unbounded net has infinitely many of them, so by König's lemma an infinite path of
    which every marking lies before some of them; by Dickson's lemma a marking on it strictly covers an
    earlier one; and the pair is found with the first of them that lies behind. For conservative nets it costs
    next to nothing.

    Attributes
    ----------
    wake
        What the search shall wake it for.
    found
        Numbers of the covered and the covering marking, once there is such a pair.
    """

    def __init__(self, net: PetriNet, limits: Limits = UNLIMITED) -> None:
        self._applies = growth_is_provable(net)
        self.wake = Wake(record=self._applies)
        self._limits = limits
        self._next = 1
        self._record = net.initial_marking.total
        self._examined: set[int] = set()
        self.found: tuple[int, int] | None = None

    def __call__(self, space: StateSpace, source: int) -> str | None:
        """Examine the markings found since the last call."""
        if not self._applies:
            return None
        for number in space.records(self._next, self._record):
            self._record = sum(space.tokens[number])
            if self._examine(space, number):
                return "The net is unbounded."
        self._next = space.n_markings
        return None

    def _examine(self, space: StateSpace, number: int) -> bool:
        path = [number, *space.ancestors(number)]
        markings = [space.tokens[i] for i in path]
        totals = [sum(tokens) for tokens in markings]
        for later, node in enumerate(path):
            if node in self._examined:
                # With it everything before it has been examined.
                return False
            if self._limits.late:
                # The search ends at its next look at the clock.
                return False
            self._examined.add(node)
            for earlier in range(later + 1, len(path)):
                if totals[earlier] < totals[later] and covers(markings[later], markings[earlier]):
                    self.found = (path[earlier], node)
                    return True
        return False

    def witness(self, space: StateSpace) -> NetWitness:
        """The firing sequence to the covering marking, of which the last part can be repeated."""
        assert self.found is not None
        covered, covering = self.found
        sequence = space.path_to(covering)
        return NetWitness.of(space.net, sequence, sequence[len(space.path_to(covered)) :])

    def growing(self, space: StateSpace) -> tuple[str, ...]:
        """The places that hold more tokens after each repetition."""
        assert self.found is not None
        before, after = (space.tokens[number] for number in self.found)
        return tuple(place for place, a, b in zip(space.net.places, before, after) if b > a)
