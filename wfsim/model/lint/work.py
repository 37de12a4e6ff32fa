"""Defects of work: results and failures that nobody takes, attempts without a clock, lists without a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.elements import Outcome
from wfsim.model.expression_tree import (
    Bool,
    Call,
    Compare,
    ListOf,
    Literal,
    Template,
    TemplateList,
    TemplateLiteral,
    names,
)
from wfsim.model.lint.circles import shortest_circle, unbounded_ways
from wfsim.model.lint.graph import RegionGraph
from wfsim.model.lint.regions import ends, inner, needed
from wfsim.model.operations import Failure
from wfsim.model.retrying import policies
from wfsim.model.uses import activity_uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.model.elements import State, Transition
    from wfsim.model.lint.report import Report
    from wfsim.model.operations import Action
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow

_CONTROLS = ("cancel_requested", "workflow_timeout")


def work(graphs: list[RegionGraph], report: Report) -> None:
    """`done-unhandled`, `error-unhandled`, `ending-can-fail`, `automatic-cycle`, `for-each-unbounded`."""
    for graph in graphs:
        for index, state in enumerate(graph.region.states):
            if state.name not in graph.reachable or state.is_terminal:
                continue
            path = graph.part.state_path(index)
            _done(graphs, graph, state, path, report)
            _errors(graphs, graph, state, path, report)
            _items(graph, state, path, report)
        _endings(graph, report)
        _cycles(graph, report)


def _done(graphs: list[RegionGraph], graph: RegionGraph, state: State, path: Path, report: Report) -> None:
    if state.work is None:
        return
    if state.parallel is not None:
        able = sum(ends(other, Outcome.SUCCESS) for other in inner(graphs, graph, state))
        if able < needed(state):
            return
    places = [(graph, state), *graph.around]
    if any(_leads_on(way) for owner, around in places for _, way in owner.usable_from(around.name)):
        return
    report(
        "done-unhandled",
        (*path, "name"),
        f"state {state.name!r}",
        "when its work is done, no transition on `done` takes that, and nothing else leads on: the instance stays "
        "here (M4.1).",
        f"Add {{from: {state.name}, event: done, to: …}}.",
    )


def _leads_on(way: Transition) -> bool:
    event = way.event or ""
    return way.to is not None and event.split(".")[0] != "error" and event not in _CONTROLS


def _errors(graphs: list[RegionGraph], graph: RegionGraph, state: State, path: Path, report: Report) -> None:
    places = [(graph, state), *graph.around]
    failing = [told for sources, told in _failing(graphs, graph, state) if not _handled(places, sources)]
    if failing:
        shown = ", ".join(dict.fromkeys(failing))
        report(
            "error-unhandled",
            (*path, "name"),
            f"state {state.name!r}",
            f"{shown} can fail here, and no transition on `error` leaves this state or one around it: the instance "
            "ends as failed (M4.2), compensating nothing (M8.4).",
            f"Add {{from: {state.name}, event: error, to: …}}, or on_failure: ignore.",
        )


def _failing(graphs: list[RegionGraph], graph: RegionGraph, state: State) -> Iterator[tuple[tuple[str, ...], str]]:
    """Sources of `error` while a state is active, each with what to call it."""
    work = state.work
    if state.parallel is not None:
        own = inner(graphs, graph, state)
        sure = sum(not ends(other, Outcome.FAILURE) for other in own)
        if sure < needed(state) and any(ends(other, Outcome.FAILURE) for other in own):
            yield (state.name,), "its join (a region may end with failure)"
    elif work is not None and Failure.WORK in work.fails_of:
        yield work.sources or (state.name,), work.told
    for label, action in graph.actions_in[state.name]:
        if _can_fail(action):
            yield action.sources, f"{action.name or action.action_type!r} in {label}"


def _can_fail(action: Action) -> bool:
    return Failure.WORK in action.fails_of and action.on_failure == "abort"


def _handled(places: list[tuple[RegionGraph, State]], sources: tuple[str, ...]) -> bool:
    wanted = ("error", *(f"error.{source}" for source in sources))
    return any(way.event in wanted for owner, around in places for _, way in owner.usable_from(around.name))


def _endings(graph: RegionGraph, report: Report) -> None:
    for index in graph.usable_indices:
        transition = graph.region.transitions[index]
        if transition.to is None or not graph.states[transition.to].is_terminal:
            continue
        for number, action in enumerate(transition.post_actions):
            if _can_fail(action) and not _handled(list(graph.around), action.sources):
                report(
                    "ending-can-fail",
                    (*graph.part.transition_path(index), "post_actions", number),
                    graph.part.transition_label(index),
                    f"if its post-action {action.name or action.action_type!r} fails, the instance ends as failed, "
                    f"although {transition.to!r} had been reached (M3.4): nothing leaves a terminal state.",
                    "Make it a pre-action, give it a state of its own before the end, or on_failure: ignore.",
                )
                break


def _items(graph: RegionGraph, state: State, path: Path, report: Report) -> None:
    if state.for_each is None or state.for_each.max_parallel is not None:
        return
    items = state.for_each.items_tree
    if isinstance(items, TemplateList | ListOf | TemplateLiteral):
        return
    if state.name != graph.region.initial_state and all(_limits(way, items) for way in graph.entering[state.name]):
        return
    report(
        "for-each-unbounded",
        (*path, "for_each"),
        f"state {state.name!r}",
        "all items start at once, and nothing bounds how many there are.",
        "Give max_parallel, or enter the state only if len(…) of the list is small enough.",
    )


def _limits(way: Transition, items: Template) -> bool:
    """Whether the condition of a transition bounds the length of the list."""
    condition = way.condition_tree
    if condition is None:
        return False
    parts = condition.operands if isinstance(condition, Bool) and condition.operator == "and" else (condition,)
    length = Call("len", (items,))  # type: ignore[arg-type]
    for part in parts:
        match part:
            case Compare("<" | "<=" | "==", left, Literal()) if left == length:
                return True
            case Compare(">" | ">=" | "==", Literal(), right) if right == length:
                return True
    return False


def _cycles(graph: RegionGraph, report: Report) -> None:
    """Circles that need nothing from outside: conditions only, or work that is over as soon as it can be."""
    seen: set[str] = set()
    for goes in (_automatic, _by_itself):
        ways = unbounded_ways(graph, goes)
        for index, state in enumerate(graph.region.states):
            if state.name in seen or state.name not in graph.reachable:
                continue
            circle = shortest_circle(ways, state.name)
            if circle is None:
                continue
            seen.update(circle)
            how = (
                "by conditions alone, which nothing on it changes. "
                f"After {graph.workflow.max_automatic} transitions in one step the instance is failed (M2.6)."
                if goes is _automatic
                else "by its own work alone, without an event or a time between, and nothing counts the rounds."
            )
            report(
                "automatic-cycle",
                (*graph.part.state_path(index), "name"),
                f"state {state.name!r}",
                f"the circle {' → '.join(circle)} is gone round {how}",
                "Bound it by a condition on a variable that it changes, or wait on it: an event, or `after`.",
            )


def _automatic(transition: Transition) -> bool:
    return transition.event is None and not transition.timed


def _by_itself(transition: Transition) -> bool:
    if _automatic(transition):
        return True
    if transition.event is None or transition.event.split(".")[0] not in ("done", "error"):
        return False
    # What the work brings may differ from round to round.
    read = () if transition.condition_tree is None else names(transition.condition_tree)
    return not any(name.scope == "event" for name in read)


def clocks_of_activities(workflow: Workflow, report: Report) -> None:
    """`activity-unclocked`: nothing bounds an attempt."""
    if workflow.timeouts.activity is not None:
        return
    seen: set[str] = set()
    for path, _, name in activity_uses(workflow):
        activity = workflow.activities.get(name)
        clocks = () if activity is None else (activity.timeout, activity.schedule_to_close, activity.heartbeat)
        if name in seen or any(clock is not None for clock in clocks):
            continue
        seen.add(name)
        report(
            "activity-unclocked",
            path if activity is None else ("activities", name),
            f"activity {name!r}",
            "no clock bounds an attempt: if its worker is lost, the activity is never tried again and never fails.",
            "Give it a timeout (per attempt), schedule_to_close (in all) or heartbeat, or all: timeouts.activity.",
        )


ENDLESS = 1_000
"""From so many attempts on, nobody counts them any more."""


def retries(workflow: Workflow, report: Report) -> None:
    """`retries-endless`, `compensator-unretried`."""
    undoing = {operation.undone_by.activity for operation in workflow.operations() if operation.undone_by is not None}
    undoing |= {
        each.compensate_with.activity for each in workflow.activities.values() if each.compensate_with is not None
    }
    for name in dict.fromkeys(name for _, _, name in activity_uses(workflow)):
        activity = workflow.activities.get(name)
        own = None if activity is None else activity.retry_policy
        path: Path = ("retry_policy",) if own is None else ("activities", name, "retry_policy")
        listed = policies(workflow, name)
        most = max(range(len(listed)), key=lambda place: listed[place].max_attempts, default=0)
        bounded = activity is not None and activity.schedule_to_close is not None
        if listed and listed[most].max_attempts >= ENDLESS and not bounded:
            several = isinstance(workflow.retry_policy if own is None else own, tuple)
            report(
                "retries-endless",
                (*path, *((most,) if several else ()), "max_attempts"),
                f"activity {name!r}",
                f"it is tried {listed[most].max_attempts:,} times, and no schedule_to_close bounds how long that "
                "takes: what always fails never becomes an error (M5.2).",
                "Give it schedule_to_close, or fewer attempts.",
            )
        if not listed and name in undoing:
            report(
                "compensator-unretried",
                ("activities", name) if activity is not None else (),
                f"activity {name!r}",
                "it undoes something and is tried once: if that fails, what should be undone stays done (M9.2).",
                "Give it a retry_policy; max_attempts: 1 says that one try is meant.",
            )
