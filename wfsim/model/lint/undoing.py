"""Defects of compensation: ways that end badly and leave done what could be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.lint.forward import Going, forward
from wfsim.model.uses import activity_uses, parts

if TYPE_CHECKING:
    from wfsim.model.elements import Transition
    from wfsim.model.lint.graph import RegionGraph
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow

_Log = frozenset[tuple[str, bool]]
"""What may be in the compensation log, each with whether cancellation was asked for since."""


def undoing(workflow: Workflow, graph: RegionGraph, report: Report) -> None:
    """`compensation-missing`, for the root region."""
    analysis = _Undoing(workflow, graph)
    if not analysis.uses:
        return
    for index, end, log in forward(graph, analysis.after):
        if not end.is_terminal:
            continue
        failed = end.outcome is Outcome.FAILURE
        left = sorted({name for name, cancelled in log if failed or cancelled})
        if left:
            report(
                "compensation-missing",
                graph.part.transition_path(index),
                graph.part.transition_label(index),
                f"it ends {'with failure' if failed else 'after cancel_requested'}, but {', '.join(map(repr, left))} "
                "may have been done by then and no `compensate` on the way undoes it (M9.1).",
                "Add {action_type: compensate} to its pre_actions.",
                way=analysis.way(index, left[0], cancelled=not failed),
            )


class _Undoing:
    def __init__(self, workflow: Workflow, graph: RegionGraph) -> None:
        self.graph = graph
        self._going: dict[str, Going[tuple[str, bool]]] = {}
        self.kinds = {
            name: activity.compensate_with.when
            for name, activity in workflow.activities.items()
            if activity.compensate_with is not None
        }
        self.uses = [(path, name, self.kinds[name]) for path, _, name in activity_uses(workflow) if name in self.kinds]
        for part in parts(workflow):
            for index, state in enumerate(part.region.states):
                work = state.work
                if work is not None and work.undone_by is not None and work.invokes is not None:
                    self.uses.append((part.state_path(index), work.invokes[0], work.undone_by.when))

    def way(self, index: int, name: str, *, cancelled: bool) -> list[int] | None:
        """A shortest way that ends with a transition and leaves that done (if so, after cancellation was asked for)."""
        if name not in self._going:
            self._going[name] = Going(self.graph, self.after, lambda entry: entry[0] == name)
        return self._going[name].by(index, lambda entry: entry[1] or not cancelled)

    def after(self, transition: Transition, log: _Log) -> _Log:
        """What the log may hold after a transition."""
        held = {*log, *((name, False) for name in self.done(transition))}
        if transition.event == "cancel_requested":
            held = {(name, True) for name, _ in held}
        for action in transition.actions:
            if action.undoes is not None:
                held.clear()
            elif action.runs in self.kinds:
                held.add((action.runs, transition.event == "cancel_requested"))
        return frozenset(held)

    def done(self, transition: Transition) -> set[str]:
        """What the source state, or a transition that failed there, may have done."""
        state = self.graph.states[transition.from_]
        path = self.graph.part.state_path(self.graph.state_index[state.name])
        ends = (state.activity is None and state.invoke is None) or transition.event == "done"
        found = {
            name for place, name, when in self.uses if place[: len(path)] == path and (ends or when == "attempted")
        }
        if (transition.event or "").split(".")[0] == "error":
            for _, other in self.graph.usable_from(state.name):
                for number, action in enumerate(other.pre_actions):
                    later = any(after.on_failure == "abort" for after in other.pre_actions[number + 1 :])
                    if action.runs in self.kinds and (later or self.kinds[action.runs] == "attempted"):
                        found.add(action.runs)
        return found
