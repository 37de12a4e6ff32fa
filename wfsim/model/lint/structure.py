"""Defects of the graph: states, transitions, events, activities and policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wfsim.errors import did_you_mean, listed
from wfsim.model.expression_tree import Compare, Literal, Whole, called, walk
from wfsim.model.lint.deciding import values_left_over
from wfsim.model.lint.graph import RegionGraph
from wfsim.model.uses import RESERVED_EVENTS, activity_uses, is_reserved, listened_events, uses

if TYPE_CHECKING:
    from wfsim.model.elements import State
    from wfsim.model.lint.report import Report
    from wfsim.model.workflow import Workflow


def states(graph: RegionGraph, report: Report) -> None:
    """`state-unreachable`, `no-way-to-terminal`, `state-waits-forever`."""
    has_terminal = any(state.is_terminal for state in graph.region.states)
    if not has_terminal and not graph.part.path:
        report(
            "no-way-to-terminal",
            ("states",),
            graph.part.label,
            "no state is terminal, so an instance can never complete.",
            "Mark the states in which the work is over with is_terminal: true.",
        )
    for index, state in enumerate(graph.region.states):
        path = (*graph.part.state_path(index), "name")
        place = f"state {state.name!r}"
        if state.name not in graph.reachable:
            report(
                "state-unreachable",
                path,
                place,
                f"no path leads here from {graph.region.initial_state!r}.",
                "Add a transition into it, or remove it.",
            )
            continue
        if has_terminal and state.name not in graph.reaching_terminal:
            report(
                "no-way-to-terminal",
                path,
                place,
                "no terminal state can be reached from here.",
                "Add a transition that leads on, or mark the state is_terminal: true.",
            )
        left_over = _waits_forever(graph, state)
        if left_over is not None:
            report(
                "state-waits-forever",
                path,
                place,
                _what_it_waits_for(graph, state, left_over),
                "Give it a timeout or an `after` transition, or bound the workflow (timeouts.workflow).",
            )


def _waits_forever(graph: RegionGraph, state: State) -> dict[str, Any] | None:
    """Values of variables with which nothing bounds the time in a state; `None` if there are none."""
    if state.is_terminal or graph.workflow.timeouts.workflow is not None:
        return None
    if any(_bounded_by_time(outer, around) for outer, around in graph.around):
        return None
    if _bounded_by_time(graph, state):
        return None
    ways = [transition for _, transition in graph.usable_from(state.name)]
    if state.work is not None and any(way.event == "done" for way in ways):
        return None
    return values_left_over(graph, state)


def _bounded_by_time(graph: RegionGraph, state: State) -> bool:
    if graph.timeout_of(state) is not None:
        return True
    return any(way.timed for _, way in graph.usable_from(state.name))


def _what_it_waits_for(graph: RegionGraph, state: State, values: dict[str, Any]) -> str:
    ways = [way.event for _, way in graph.usable_from(state.name) if way.event is not None]
    case = ""
    if any(way.event is None and not way.timed for _, way in graph.usable_from(state.name)):
        told = ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
        case = f"no condition-only transition leads on{f' with {told}' if told else ''}, nor can that change here: "
    if not ways:
        out = "nothing leads out of it" if not case else "nothing else leads out of it"
        return f"{case}{out}, and nothing bounds the time spent here."
    names = ", ".join(dict.fromkeys(ways))
    return f"{case}it waits for {names}, and nothing bounds the time until then."


def transitions(graph: RegionGraph, report: Report) -> None:
    """`terminal-left`, `transition-shadowed`, `trigger-impossible`."""
    for index, transition in enumerate(graph.region.transitions):
        path, place = graph.part.transition_path(index), graph.part.transition_label(index)
        if graph.states[transition.from_].is_terminal:
            report(
                "terminal-left",
                path,
                place,
                f"it leaves {transition.from_!r}, which is terminal: the instance is over there (M3.7), so "
                "the transition is never taken.",
                f"Remove it, or let {transition.from_!r} not be terminal.",
            )
            continue
        reason = graph.impossible(index)
        if reason is not None:
            report(
                "trigger-impossible",
                path,
                place,
                f"it can never be taken: {reason}.",
                "Remove it, or add what should trigger it.",
            )
        elif index in graph.shadowed:
            earlier = graph.shadowed[index]
            first = graph.region.transitions[earlier]
            why = "has no condition" if first.condition is None else "has the same condition"
            if first.condition is not None and first.condition != transition.condition:
                why = "always holds" if transition.condition is None or first.condition == "true" else why
            if transition.timed:
                report(
                    "transition-shadowed",
                    path,
                    place,
                    f"{graph.part.transition_label(earlier)} is due first and {why}, so the state has been left by "
                    "then and this one is never taken (M6.2).",
                    "Give the other one a condition that leaves cases over, or let it leave the state later.",
                )
                continue
            report(
                "transition-shadowed",
                path,
                place,
                f"{graph.part.transition_label(earlier)} comes first and {why}, so this one is never taken (M2.3).",
                "Put it before the other one, or give the other one a condition that leaves cases over.",
            )


def events(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`event-unused`, `event-undeclared`, `event-without-policy`."""
    listened = listened_events(workflow)
    for name, event in workflow.events.items():
        if name not in listened and not event.starts:
            report(
                "event-unused",
                ("events", name),
                f"event {name!r}",
                "it is declared, but no transition waits for it.",
                "Add the transition that takes it, or remove the event.",
            )
    _undeclared(workflow, graphs, report)
    _without_policy(workflow, graphs, listened, report)


def _undeclared(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """Events that the section does not list; without the section, those that look like one of the engine's."""
    seen: set[str] = set()
    for graph in graphs:
        for index, transition in enumerate(graph.region.transitions):
            name = transition.event or ""
            if not name or is_reserved(name) or name in workflow.events or name in seen:
                continue
            seen.add(name)
            near = did_you_mean(name, workflow.events) or did_you_mean(name.lower(), RESERVED_EVENTS, cutoff=0.8)
            if not workflow.events and not near:
                continue
            report(
                "event-undeclared",
                (*graph.part.transition_path(index), "event"),
                graph.part.transition_label(index),
                f"the event {name!r} is not declared under `events`, so its payload is unchecked.{near}",
                f"Add `{name}: {{}}` to `events`, or correct the name.",
            )


def _without_policy(workflow: Workflow, graphs: list[RegionGraph], listened: tuple[str, ...], report: Report) -> None:
    if "unhandled" in workflow.model_fields_set:
        return
    decided = {name for name, event in workflow.events.items() if event.unhandled is not None}
    root = graphs[0]
    rows: list[tuple[str, str]] = []
    for state in root.region.states:
        if state.is_terminal or state.name not in root.reachable:
            continue
        taken = {
            transition.event
            for graph in graphs
            if graph is root or any(outer is root and around is state for outer, around in graph.around)
            for transition in graph.region.transitions
            if graph is not root or transition.from_ == state.name
        }
        missing = [name for name in listened if name not in taken and name not in decided]
        if missing:
            rows.append((state.name, ", ".join(missing)))
    if rows:
        pairs = sum(len(row[1].split(", ")) for row in rows)
        shown = "; ".join(f"{state} × ({events})" for state, events in rows[:2])
        shown += f"; … {len(rows) - 2} more in the table" if len(rows) > 2 else ""
        report(
            "event-without-policy",
            (),
            root.part.label,
            f"{pairs} {'pair' if pairs == 1 else 'pairs'} of state and event without a transition, and "
            f"nothing says what then happens: {shown}.",
            "Write `unhandled: reject`, `defer` or `discard` for the workflow or for single events.",
            table=(("state", "events"), *rows),
        )


def compared_states(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`state-unknown`: `state` is compared with a text that is the name of no state."""
    known = [name for graph in graphs for name in graph.states]
    for use in uses(workflow):
        for node in walk(use.tree):
            if not isinstance(node, Compare) or Whole("state") not in (node.left, node.right):
                continue
            other = node.right if node.left == Whole("state") else node.left
            texts = [each.value for each in walk(other) if isinstance(each, Literal) and isinstance(each.value, str)]
            for text in texts:
                if text not in known:
                    report(
                        "state-unknown",
                        use.path,
                        f"{text!r}",
                        f"{use.what} compares `state` with it, and no state has that name.{did_you_mean(text, known)}",
                        f"Write one of {listed(known)}.",
                    )


def activities(workflow: Workflow, graphs: list[RegionGraph], report: Report) -> None:
    """`activity-unused`, `function-unused`, `policy-unused`."""
    calls = {call.function for use in uses(workflow) for call in called(use.tree)}
    for name in workflow.functions:
        if name not in calls:
            report(
                "function-unused",
                ("functions", name),
                f"function {name!r}",
                "it is declared, but no expression calls it.",
                f"Call functions.{name}(…), or remove it.",
            )
    used = list(dict.fromkeys(name for _, _, name in activity_uses(workflow)))
    for name in workflow.activities:
        if name not in used:
            report(
                "activity-unused",
                ("activities", name),
                f"activity {name!r}",
                "it is declared, but nothing runs it.",
                "Run it in a state or an action, or remove it.",
            )
    reasons = {
        "retry_policy": [name for name in used if _own(workflow, name, "retry_policy")],
        "timeout": [name for name in used if _own(workflow, name, "timeout")],
    }
    for path, key, set_ in (
        (("retry_policy",), "retry_policy", workflow.retry_policy is not None),
        (("timeouts", "activity"), "timeout", workflow.timeouts.activity is not None),
    ):
        if set_ and len(reasons[key]) == len(used):
            why = f"every activity has a {key} of its own" if used else "the workflow runs no activity"
            report("policy-unused", path, ".".join(path), f"it is never applied: {why}.", "Remove it.")
    terminal = {state.name for graph in graphs for state in graph.region.states if state.is_terminal}
    for name in workflow.timeouts.states:
        if name in terminal:
            report(
                "policy-unused",
                ("timeouts", "states", name),
                f"timeouts.states.{name}",
                f"it is never applied: {name!r} is terminal, and nothing happens there.",
                "Remove it.",
            )


def _own(workflow: Workflow, name: str, key: str) -> bool:
    activity = workflow.activities.get(name)
    return activity is not None and getattr(activity, key) is not None
