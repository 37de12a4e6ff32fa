"""Hints about what is left out: a result that no guard reads, an event that one state does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Unhandled
from wfsim.model.expression_tree import Name, names
from wfsim.model.uses import declared_variables, is_reserved, uses
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.elements import State, Transition, Variable
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow

_NUMERIC = (ValueType.INTEGER, ValueType.NUMBER)
FEWEST = 3
"""How many states must take an event before one that does not is told."""


def overlooked(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`guard-overlooks-result`, `event-left-out`."""
    read = {
        name.field
        for use in uses(workflow)
        for name in names(use.tree)
        if isinstance(name, Name) and name.scope == "context"
    }
    declared = declared_variables(workflow)
    for graph in graphs:
        for index, state in enumerate(graph.region.states):
            if state.name in graph.reachable:
                _guards(graph, index, state, declared, read, report)
        _events(workflow, graph, report)


def _guards(
    graph: RegionGraph, index: int, state: State, declared: Mapping[str, Variable], read: set[str], report: Report
) -> None:
    """What a state has just found out is read nowhere, and what is decided there reads another of its type."""
    ways = [way for _, way in graph.usable_from(state.name) if way.event in (None, "done") and way.condition_tree]
    asked = dict.fromkeys(name for way in ways if way.condition_tree is not None for name in names(way.condition_tree))
    if not asked or not all(isinstance(name, Name) and name.scope == "context" for name in asked):
        return
    fields = [name.field for name in asked if isinstance(name, Name)]
    for found in sorted(_just_found(graph, state) - read):
        kind = declared[found]
        others = [field for field in fields if field != found and _alike(declared[field], kind)]
        if others:
            report(
                "guard-overlooks-result",
                graph.part.state_path(index),
                f"state {state.name!r}",
                f"{found!r} has just been set there and is read nowhere, and what is decided there reads "
                f"{others[0]!r}, of the same type ({kind.type}).",
                f"Write context.{found} in the condition, if that is meant.",
            )
            return


def _just_found(graph: RegionGraph, state: State) -> set[str]:
    """Variables that the work of a state gives, or that every way into it sets from an event."""
    work = None if state.work is None else state.work.written
    if work is not None:
        return {work.variable}
    entering = graph.entering[state.name]
    if not entering or state.name == graph.region.initial_state:
        return set()
    return set.intersection(*(_set_from_event(way) for way in entering))


def _set_from_event(way: Transition) -> set[str]:
    written = [action.written for action in way.actions]
    return {
        each.variable
        for each in written
        if each is not None and each.tree is not None and any(name.scope == "event" for name in names(each.tree))
    }


def _alike(one: Variable, other: Variable) -> bool:
    """Whether one may have been taken for the other: texts only where both have listed values."""
    if one.kind is ValueType.STRING:
        return other.kind is ValueType.STRING and one.values is not None and other.values is not None
    if one.type in _NUMERIC:
        return other.type in _NUMERIC
    return one.kind is ValueType.BOOLEAN and other.kind is ValueType.BOOLEAN


def _events(workflow: Workflow, graph: RegionGraph, report: Report) -> None:
    """Events taken in a row of states with one that waits between them and does not take it."""
    heard: dict[str, dict[str, set[str]]] = {}
    for index in graph.usable_indices:
        way = graph.region.transitions[index]
        if way.event is not None and not is_reserved(way.event) and way.to is not None:
            heard.setdefault(way.event, {}).setdefault(way.from_, set()).add(way.to)
    above = {way.event for outer, around in graph.around for _, way in outer.usable_from(around.name)}
    for event, by_state in heard.items():
        declared = workflow.events.get(event)
        policy = workflow.unhandled if declared is None or declared.unhandled is None else declared.unhandled
        if len(by_state) < FEWEST or event in above or policy is not Unhandled.REJECT:
            continue
        between = [
            (state, target) for state in graph.region.states for target in _between(graph, state, event, by_state)
        ]
        if len(between) == 1:
            state, target = between[0]
            report(
                "event-left-out",
                (*graph.part.state_path(graph.state_index[state.name]), "name"),
                f"state {state.name!r}",
                f"{event!r} leads to {target!r} in the states before and after this one, and is rejected here; "
                f"it is taken in {', '.join(by_state)}.",
                f"Add {{from: {state.name}, event: {event}, to: {target}}}, or say that it changes nothing: "
                f"{{from: {state.name}, event: {event}}}.",
            )


def _between(graph: RegionGraph, state: State, event: str, taken: dict[str, set[str]]) -> list[str]:
    """Where an event leads both before and after a state that only waits, and does not take it."""
    if state.work is not None or state.is_terminal or state.name not in graph.reachable:
        return []
    if any(way.event == event for _, way in graph.usable_from(state.name)):
        return []
    before = [taken[way.from_] for way in graph.entering[state.name] if way.from_ in taken]
    after = [taken[name] for name in graph.successors[state.name] if name in taken]
    if not before or not after:
        return []
    return sorted(set.union(*before) & set.union(*after) - {state.name})
