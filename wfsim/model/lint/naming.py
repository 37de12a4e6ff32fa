"""Hints where names and structure contradict each other: ends, outcomes, parameters, compensators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import Arithmetic, Name
from wfsim.model.lint.graph import RegionGraph, reach
from wfsim.model.lint.words import GENERIC, says_failed, words
from wfsim.model.uses import declared_variables, located, writes
from wfsim.model.values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.elements import State
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow


def naming(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`outcome-forgotten`, `done-error-crossed`, `parameter-crossed`, `compensators-crossed`."""
    for graph in graphs:
        _outcomes(graph, report)
        succeeding = graph.leading_to(state.name for state in graph.region.states if succeeds(state))
        for index, state in enumerate(graph.region.states):
            if state.work is not None and state.name in graph.reachable:
                _ends(graph, index, state, succeeding, report)
    _parameters(workflow, report)
    _compensators(workflow, report)


def succeeds(state: State) -> bool:
    """Whether a state ends its region with success."""
    return state.is_terminal and state.outcome is not Outcome.FAILURE


def _looks_failed(graph: RegionGraph, state: State) -> str | None:
    """Why an end that counts as success looks like a failure; `None` if it does not."""
    if says_failed(state.name):
        return "its name says that something went wrong"
    entering = graph.entering[state.name]
    if entering and all(any(action.undoes is not None for action in way.actions) for way in entering):
        return "whatever leads here undoes what was done"
    return None


def _outcomes(graph: RegionGraph, report: Report) -> None:
    ends = {state.name: _looks_failed(graph, state) for state in graph.region.states if succeeds(state)}
    if all(ends.values()):
        # Where cancelling is what the workflow is for, that is its success.
        return
    for index, state in enumerate(graph.region.states):
        why = ends.get(state.name)
        if why is not None and state.outcome is None and state.name in graph.reachable:
            report(
                "outcome-forgotten",
                (*graph.part.state_path(index), "name"),
                f"state {state.name!r}",
                f"it counts as a success (M1.4), but {why}.",
                "Write outcome: failure, or outcome: success if that is meant.",
            )


def _ends(graph: RegionGraph, index: int, state: State, succeeding: frozenset[str], report: Report) -> None:
    """Whether `done` leads to what looks like the target of `error`, and the other way round."""
    done = _targets(graph, state.name, "done")
    error = _targets(graph, state.name, "error")
    if not done or succeeding.isdisjoint(error) or set(done) & set(error):
        return
    if _can_succeed(graph, done, state.name) or not _can_succeed(graph, error, state.name):
        return
    report(
        "done-error-crossed",
        (*graph.part.state_path(index), "name"),
        f"state {state.name!r}",
        f"after `done` ({', '.join(done)}) no success can be reached without coming back here, and after `error` "
        f"({', '.join(error)}) one can: the two look as if they had been mixed up.",
        "Exchange the targets of `done` and `error`, if so.",
    )


def _targets(graph: RegionGraph, name: str, event: str) -> list[str]:
    return [
        way.to
        for _, way in graph.usable_from(name)
        if (way.event or "").split(".")[0] == event and way.to not in (None, name)
    ]


def _can_succeed(graph: RegionGraph, start: Iterable[str], without: str) -> bool:
    """Whether a way leads to success that does not come through a state."""
    found = reach(start, lambda name: [to for to in graph.successors[name] if to != without])
    return any(succeeds(graph.states[name]) for name in found)


def _parameters(workflow: Workflow, report: Report) -> None:
    """Parameters that get one variable although their name speaks of another one of the same type."""
    declared = declared_variables(workflow)
    counters = {each.variable for each in writes(workflow) if isinstance(each.value, Arithmetic)}
    for path, label, operation in located(workflow):
        for name, tree in operation.inputs.items():
            if not isinstance(tree, Name) or tree.scope != "context" or tree.field == name:
                continue
            given, wanted = declared[tree.field], set(words(name))
            numeric = given.type in (ValueType.INTEGER, ValueType.NUMBER)
            if given.type is not ValueType.STRING and not (numeric and tree.field in counters):
                # A sum may go under many names, what is counted up may not.
                continue
            if wanted & set(words(tree.field)) - GENERIC or wanted == set(words(tree.field)):
                continue
            meant = [
                other
                for other, variable in declared.items()
                if other != tree.field
                and wanted <= set(words(other))
                and (other == name or not numeric or other not in counters)
                and (variable.kind is given.kind or (numeric and variable.kind is ValueType.NUMBER))
            ]
            if meant:
                report(
                    "parameter-crossed",
                    (*path, operation.inputs_field, name),
                    label,
                    f"its parameter {name!r} is given the variable {tree.field!r}, and there is a variable "
                    f"{meant[0]!r} of type {declared[meant[0]].type} that has the name of the parameter.",
                    f"Write ${{context.{meant[0]}}}, if that is meant.",
                )


def _compensators(workflow: Workflow, report: Report) -> None:
    """Two activities of which each is undone by what by its name undoes the other."""
    pairs = {
        name: activity.compensate_with.activity
        for name, activity in workflow.activities.items()
        if activity.compensate_with is not None
    }
    told: set[str] = set()
    for name, undo in pairs.items():
        for other, other_undo in pairs.items():
            own = _common(name, undo) or _common(other, other_undo)
            if name in told or other == name or own or not (_common(name, other_undo) and _common(other, undo)):
                continue
            told |= {name, other}
            report(
                "compensators-crossed",
                ("activities", name, "compensate_with"),
                f"activity {name!r}",
                f"it is undone by {undo!r}, and {other!r} by {other_undo!r}: by their names it is the other way round.",
                f"Write compensate_with: {other_undo} here, and {undo} there, if so.",
            )


def _common(first: str, second: str) -> bool:
    """Whether two names speak of the same thing, verbs aside."""
    return bool(set(words(first)[1:]) & set(words(second)[1:]) - GENERIC)
