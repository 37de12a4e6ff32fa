"""Circles of transitions, and what bounds how often they are gone round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.expression_tree import Name, names
from wfsim.model.lint.graph import RegionGraph, reach
from wfsim.model.lint.variables import proved, unprovided

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfsim.model.elements import Transition
    from wfsim.model.expression_tree import Expression


def unbounded_ways(graph: RegionGraph, goes: Callable[[Transition], bool] = lambda _: True) -> dict[str, list[str]]:
    """Steps along circles, without the transitions that bound them or can never be taken.

    A transition bounds its circles if its condition reads what they change. It can never be taken if its
    condition needs a variable that nothing provides.

    Parameters
    ----------
    graph
        The region.
    goes
        Which transitions to look at.
    """
    null = unprovided(graph.workflow)
    home = {name: number for number, component in enumerate(graph.components) for name in component}
    inner: dict[int, list[int]] = {}
    for index in graph.usable_indices:
        transition = graph.region.transitions[index]
        if not goes(transition) or (transition.condition_tree and proved(transition.condition_tree, True) & null):
            continue
        if home[transition.from_] == home[transition.to or transition.from_]:
            inner.setdefault(home[transition.from_], []).append(index)
    ways: dict[str, list[str]] = {}
    for number, indices in inner.items():
        changed = _written(graph, indices, graph.components[number])
        for index in indices:
            transition = graph.region.transitions[index]
            if transition.to is not None and not _bounds(transition.condition_tree, changed):
                ways.setdefault(transition.from_, []).append(transition.to)
    return ways


def shortest_circle(ways: dict[str, list[str]], name: str, first: list[str] | None = None) -> list[str] | None:
    """The states of the shortest circle from a state to itself, the state at both ends; it may have to begin so."""
    way = shortest_way(ways, ways.get(name, []) if first is None else first, name)
    return None if way is None else [name, *way]


def shortest_way(ways: dict[str, list[str]], first: list[str], name: str) -> list[str] | None:
    """The states of a shortest way from one of some states to another, with both ends."""
    found = reach(first, lambda node: ways.get(node, []))
    if name not in found:
        return None
    way = [name]
    node = found[name]
    while node is not None:
        way.append(node)
        node = found[node]
    return way[::-1]


def _written(graph: RegionGraph, indices: list[int], states: frozenset[str]) -> set[str]:
    inside = [state for state in graph.region.states if state.name in states]
    works = [*(state.work for state in inside if state.work is not None), *(a for s in inside for a in s.actions)]
    actions = [action for index in indices for action in graph.region.transitions[index].actions]
    return {each.written.variable for each in (*works, *actions) if each.written is not None}


def _bounds(condition: Expression | None, changed: set[str]) -> bool:
    """Whether a condition reads something that the circle changes, so that it can stop it."""
    if condition is None:
        return False
    return any(
        name.scope == "context" and (not isinstance(name, Name) or name.field in changed) for name in names(condition)
    )
