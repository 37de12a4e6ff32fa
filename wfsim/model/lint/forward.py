"""Forward analysis of a region: what may be so in each state, found by going along transitions until nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

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
