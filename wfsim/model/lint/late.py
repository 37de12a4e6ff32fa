"""A hint: an event that brings what could be undone may come when the instance is over, and then nobody undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import Name, names
from wfsim.model.lint.words import gives_back
from wfsim.model.uses import activity_uses, is_reserved, located, settling

if TYPE_CHECKING:
    from wfsim.model.elements import Transition
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow


def late(workflow: Workflow, graph: RegionGraph, report: Report) -> None:
    """`event-too-late`, for the root region: ways from where an event is awaited to a failing end that tell nobody."""
    undone_with = _handed_to_undoing(workflow)
    for name, indices in graph.leaving.items():
        brought = {
            way.event: kept
            for index in indices
            if graph.usable(index)
            for way in (graph.region.transitions[index],)
            if way.event is not None and not is_reserved(way.event)
            for kept in sorted(_kept(way) & undone_with.keys())
        }
        for index, way in graph.usable_from(name):
            if way.to is None or graph.states[way.to].outcome is not Outcome.FAILURE or way.event in brought:
                continue
            if any(action.waits or action.sends for action in way.actions) or way.event == "error":
                continue
            for event, kept in brought.items():
                report(
                    "event-too-late",
                    graph.part.transition_path(index),
                    graph.part.transition_label(index),
                    f"if {event!r} comes after it, that is rejected: the instance is over (M3.7). What it brings, "
                    f"{kept!r}, is what {undone_with[kept]!r} undoes, which then never runs.",
                    "Call the other side off on this way, or wait a while for the event before the end.",
                )


def _handed_to_undoing(workflow: Workflow) -> dict[str, str]:
    """Variables that are handed to activities that undo something, each with the first of these."""
    undoing = {name for path, _, name in activity_uses(workflow) if "compensate_with" in path}
    undoing |= {name for _, _, name in settling(workflow)}
    found: dict[str, str] = {}
    for _, _, operation in located(workflow):
        runs = operation.runs
        if runs is None or not (runs in undoing or gives_back(runs)):
            continue
        for tree in operation.inputs.values():
            for each in names(tree):
                if isinstance(each, Name) and each.scope == "context":
                    found.setdefault(each.field, runs)
    return found


def _kept(way: Transition) -> set[str]:
    """Variables that a transition sets from what its event brings."""
    return {
        written.variable
        for action in way.actions
        if (written := action.written) is not None and written.tree is not None
        if any(isinstance(each, Name) and each.scope == "event" for each in names(written.tree))
    }
