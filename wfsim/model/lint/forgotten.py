"""A hint: what gives back what an activity took runs on some ways, and not on this one to a failing end.

What that is the activity says itself (`settled_by`), or names do.

Activities with `compensate_with` are left to `compensation-missing`, which knows what undoes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import Name, names
from wfsim.model.lint.forward import Going, forward
from wfsim.model.lint.words import DENYING, says, undoes
from wfsim.model.uses import is_reserved, located

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wfsim.model.elements import State, Transition
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.operations import Operation
    from wfsim.model.workflow import Workflow


def forgotten(workflow: Workflow, graph: RegionGraph, report: Report) -> None:
    """`undo-forgotten`, for the root region."""
    analysis = _Held(workflow, graph)
    if not analysis.undone_by:
        return
    for index, end, held in forward(graph, analysis.after):
        left = sorted(held) if end.outcome is Outcome.FAILURE else []
        if left:
            undo = _either(analysis.undone_by[left[0]])
            report(
                "undo-forgotten",
                graph.part.transition_path(index),
                graph.part.transition_label(index),
                f"it ends with failure, {left[0]!r} may have been done by then, and {undo}, which undoes that or "
                "uses it on other ways, does not run on this one.",
                f"Run {undo} on the way, or declare compensate_with and compensate.",
                way=analysis.way(index, left[0]),
            )


def _either(found: list[str]) -> str:
    return " or ".join(map(repr, found))


def _undoing(workflow: Workflow, taker: str, run: Iterable[str]) -> list[str]:
    """What undoes an activity, of those that run: what that says itself (M9.3), else what names say."""
    activity = workflow.activities.get(taker)
    said = () if activity is None else activity.settled_by
    return [other for other in run if (other in said if said else undoes(other, taker))]


class _Held:
    """What takes something, what gives it back, and what uses it up."""

    def __init__(self, workflow: Workflow, graph: RegionGraph) -> None:
        self.graph = graph
        operations = [(path, operation) for path, _, operation in located(workflow)]
        run = dict.fromkeys(operation.runs for _, operation in operations if operation.runs is not None)
        logged = {name for name, activity in workflow.activities.items() if activity.compensate_with is not None}
        found = {taker: _undoing(workflow, taker, run) for taker in run if taker not in logged}
        self.undone_by = {taker: undoing for taker, undoing in found.items() if undoing}
        self.results = {
            operation.written.variable: operation.runs
            for _, operation in operations
            if operation.runs in self.undone_by and operation.written is not None
        }
        self.inside = operations
        self._going: dict[str, Going[str]] = {}

    def way(self, index: int, taker: str) -> list[int] | None:
        """A shortest way that ends with a transition and on which what an activity took is still held."""
        if taker not in self._going:
            self._going[taker] = Going(self.graph, self.after, lambda held: held == taker)
        return self._going[taker].by(index, lambda held: True)

    def after(self, way: Transition, held: frozenset[str]) -> frozenset[str]:
        """What may be held after a transition."""
        state = self.graph.states[way.from_]
        now = set(held)
        if way.event is not None and not is_reserved(way.event) and says(way.event, DENYING):
            # It says that what was asked for has not come about.
            now.clear()
        failing = (way.event or "").split(".")[0] == "error"
        for operation in self._of(state):
            self._pass(operation, now, took=not failing and (way.event == "done" or state.parallel is not None))
        if failing:
            for _, other in self.graph.usable_from(state.name):
                for action in other.pre_actions:
                    # What failed had perhaps used it up before.
                    self._pass(action, now, took=False)
        for action in way.actions:
            self._pass(action, now, took=True)
        return frozenset(now)

    def _of(self, state: State) -> Iterator[Operation]:
        path = self.graph.part.state_path(self.graph.state_index[state.name])
        return (operation for place, operation in self.inside if place[: len(path)] == path)

    def _pass(self, operation: Operation, now: set[str], *, took: bool) -> None:
        """Change what is held by what one operation does, or has perhaps done."""
        name = operation.runs
        for taker, undoing in self.undone_by.items():
            if name in undoing:
                now.discard(taker)
        if name is not None or operation.invokes is not None:
            for read in operation.reads:
                for each in names(read.tree):
                    if isinstance(each, Name) and each.field in self.results and self.results[each.field] != name:
                        now.discard(self.results[each.field] or "")
        if took and name in self.undone_by:
            now.add(name)
