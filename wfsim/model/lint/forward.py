"""Forward analysis of a region: what may be so in each state, found by going along transitions until nothing is new."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wfsim.model.elements import State, Transition
    from wfsim.model.lint.graph import RegionGraph

Fact = TypeVar("Fact")


def forward(
    graph: RegionGraph, after: Callable[[Transition, frozenset[Fact]], frozenset[Fact]]
) -> Iterator[tuple[int, State, frozenset[Fact]]]:
    """Each transition that can be taken and leads somewhere: its place, where it leads, what may be so after it.

    Parameters
    ----------
    after
        What may be so after a transition, by what may be before. In the initial state nothing is.
    """
    known: dict[str, frozenset[Fact]] = {graph.region.initial_state: frozenset()}
    waiting = [graph.region.initial_state]
    while waiting:
        name = waiting.pop()
        for _, way in graph.usable_from(name):
            target = way.to if way.to is not None else name
            found = after(way, known[name]) | known.get(target, frozenset())
            if found != known.get(target):
                known[target] = found
                waiting.append(target)
    for index in graph.usable_indices:
        way = graph.region.transitions[index]
        if way.from_ in known and way.to is not None:
            yield index, graph.states[way.to], after(way, known[way.from_])


_At: TypeAlias = "tuple[str, frozenset[Fact]]"


class Going(Generic[Fact]):
    """The same along single ways, of facts about one thing: on which shortest way something comes to be so.

    Parameters
    ----------
    after
        As for `forward`; what it says of one fact must not depend on others.
    about
        Which facts are looked at.
    """

    def __init__(
        self,
        graph: RegionGraph,
        after: Callable[[Transition, frozenset[Fact]], frozenset[Fact]],
        about: Callable[[Fact], bool],
    ) -> None:
        self.graph = graph
        start: _At[Fact] = (graph.region.initial_state, frozenset())
        self._before: dict[_At[Fact], tuple[_At[Fact], int] | None] = {start: None}
        self._taking: dict[int, list[tuple[_At[Fact], frozenset[Fact]]]] = {}
        waiting = deque([start])
        while waiting:
            at = waiting.popleft()
            for index, way in graph.usable_from(at[0]):
                facts = frozenset(filter(about, after(way, at[1])))
                self._taking.setdefault(index, []).append((at, facts))
                target = (way.to if way.to is not None else at[0], facts)
                if target not in self._before:
                    self._before[target] = at, index
                    waiting.append(target)

    def by(self, index: int, wanted: Callable[[Fact], bool]) -> list[int] | None:
        """The transitions of a shortest way that ends with one after which such a fact may be so."""
        for at, facts in self._taking.get(index, ()):
            if any(map(wanted, facts)):
                indices = [index]
                while (step := self._before[at]) is not None:
                    at = step[0]
                    indices.append(step[1])
                return indices[::-1]
        return None
