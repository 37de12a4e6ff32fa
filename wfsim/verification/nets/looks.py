"""What a search of a net looks for among the markings that it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wfsim.verification.nets.formulas import Plain
from wfsim.verification.nets.many_markings import where
from wfsim.verification.nets.marking_tests import marking_test

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.state_space import StateSpace


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
