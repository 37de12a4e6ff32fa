"""What the plain Python search has found: tuples and a dict, the readable twin of the packed space."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wfsim.net.firing import Tokens, successor
from wfsim.net.marking import covers
from wfsim.verification.nets.state_space import EdgeArrays, StateSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.stubborn import StubbornSets


class ListedSpace(StateSpace):
    """A space of tuples, with all edges."""

    engine = "python"

    def __init__(self, net: PetriNet, stubborn: StubbornSets | None = None) -> None:
        super().__init__(net, stubborn)
        self._tokens: list[Tokens] = [net.initial_marking.tokens]
        self._number: dict[Tokens, int] = {self._tokens[0]: 0}
        self._parent = array("q", [-1])
        self._parent_transition = array("q", [-1])
        # Edges lie in order of their source: those of marking i are numbers start[i] to start[i + 1].
        self._start = array("q", [0])
        self._edge_transition = array("q")
        self._edge_target = array("q")
        # Net transitions with an edge.
        self._fired: set[int] = set()

    # --- growing; called by the search only ---------------------------------------------------------------

    def _expand(self, source: int, max_markings: int) -> bool:
        """Add the edges of marking `source`; False if a marking would be one too many."""
        tokens, number, here = self._tokens, self._number, self.tokens[source]
        rules = self.net.rules
        for transition in range(len(rules)) if self.stubborn is None else self.stubborn.chosen(here):
            after = successor(here, rules[transition])
            if after is None:
                continue
            target = number.get(after)
            if target is None:
                target = len(tokens)
                if target >= max_markings:
                    return False
                self._enter(source, transition, after)
            self._edge_transition.append(transition)
            self._edge_target.append(target)
        self._fired.update(self._edge_transition[self._start[-1] :])
        self._start.append(len(self._edge_target))
        return True

    def _enter(self, source: int, transition: int, after: Tokens) -> None:
        """Number a marking that is new."""
        self._parent.append(source)
        self._parent_transition.append(transition)
        self._tokens.append(after)
        # Last: an interrupt before this leaves only entries that _repair removes.
        self._number[after] = len(self._tokens) - 1

    def _repair(self) -> None:
        """Drop what an expansion that did not finish has left: edges, and markings half entered."""
        n = len(self._number)
        del self._tokens[n:], self._parent[n:], self._parent_transition[n:]
        del self._edge_transition[self._start[-1] :], self._edge_target[self._start[-1] :]

    # --- what was found -----------------------------------------------------------------------------------

    @property
    def tokens(self) -> Sequence[Tokens]:
        return self._tokens

    @property
    def n_expanded(self) -> int:
        return len(self._start) - 1

    @property
    def n_edges(self) -> int:
        return self._start[-1]

    @property
    def memory(self) -> int:
        return self.n_markings * (MEMORY_OF_MARKING + MEMORY_OF_PLACE * len(self.net.places)) + 16 * self.n_edges

    @property
    def bounds(self) -> dict[str, int]:
        highest = [max(column) for column in zip(*self._tokens)]
        return dict(zip(self.net.places, highest))

    @property
    def fullest(self) -> tuple[str, int]:
        # In C, as it is asked for when the time is over.
        most = max(max(tokens, default=0) for tokens in self._tokens)
        first = min((tokens.index(most) for tokens in self._tokens if most in tokens), default=None)
        return ("", 0) if first is None else (self.net.places[first], most)

    @property
    def most_tokens(self) -> int:
        return max(map(sum, self._tokens))

    def _find(self, tokens: Tokens) -> int | None:
        return self._number.get(tokens)

    def _link(self, number: int) -> tuple[int, int]:
        return self._parent[number], self._parent_transition[number]

    def is_deadlock(self, number: int) -> bool:
        if number >= self.n_expanded or self._start[number] < self._start[number + 1]:
            return False
        return self.stubborn is None or self.stubborn.stuck(self._tokens[number])

    def deadlock_numbers(self) -> list[int]:
        return [number for number in range(self.n_expanded) if self.is_deadlock(number)]

    @property
    def never_fired(self) -> tuple[str, ...]:
        # What an expansion that did not finish has fired counts if it led to a new marking.
        fired, number = set(self._fired), self.n_markings - 1
        while number > 0 and self._parent[number] == self.n_expanded:
            fired.add(self._parent_transition[number])
            number -= 1
        return tuple(name for i, name in enumerate(self.net.transitions) if i not in fired)

    def edges_from(self, number: int) -> Iterator[tuple[int, int]]:
        for edge in range(self._start[number], self._start[number + 1]):
            yield self._edge_transition[edge], self._edge_target[edge]

    def edge_arrays(self) -> EdgeArrays:
        import numpy as np

        parts = (self._start, self._edge_transition, self._edge_target)
        return EdgeArrays(*(np.array(part, np.int64) for part in parts))

    def column(self, place: int, begin: int = 0, end: int | None = None) -> NDArray[Any]:
        import numpy as np

        tokens = [each[place] for each in self._tokens[begin:end]]
        return np.array(tokens, np.int64 if max(tokens, default=0) < 2**63 else object)

    def first_covering(self, tokens: Tokens) -> int | None:
        return next((i for i, other in enumerate(self._tokens) if other != tokens and covers(other, tokens)), None)

    def first_above(self, k: int, since: int = 0) -> int | None:
        numbers = range(since, self.n_markings)
        return next((i for i in numbers if max(self._tokens[i], default=0) > k), None)

    def records(self, since: int, record: int) -> list[int]:
        numbers = []
        for number in range(since, self.n_markings):
            total = sum(self._tokens[number])
            if total > record:
                record = total
                numbers.append(number)
        return numbers

    def able_to_reach(self, targets: Iterable[int]) -> bytearray:
        counts = array("q", [0]) * (self.n_markings + 1)
        for target in self._edge_target:
            counts[target + 1] += 1
        for i in range(self.n_markings):
            counts[i + 1] += counts[i]
        sources, free = array("q", [0]) * self.n_edges, array("q", counts)
        for source in range(self.n_expanded):
            for edge in range(self._start[source], self._start[source + 1]):
                target = self._edge_target[edge]
                sources[free[target]] = source
                free[target] += 1
        reached = bytearray(self.n_markings)
        todo = list(targets)
        for number in todo:
            reached[number] = 1
        while todo:
            number = todo.pop()
            for source in sources[counts[number] : counts[number + 1]]:
                if not reached[source]:
                    reached[source] = 1
                    todo.append(source)
        return reached


# Measured on 64-bit CPython 3.11: tuple, its entry in the dict, number, and arrays.
MEMORY_OF_MARKING, MEMORY_OF_PLACE = 250, 8
