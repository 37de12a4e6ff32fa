"""Defects of time: timeouts nobody handles, that contradict each other, or that a loop starts afresh."""

from __future__ import annotations

import heapq
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from wfsim.model.duration import Duration
from wfsim.model.elements import Outcome
from wfsim.model.lint.circles import shortest_circle, unbounded_ways
from wfsim.model.lint.graph import RegionGraph, reach
from wfsim.model.lint.regions import inner, needed
from wfsim.model.retrying import most_attempts, policies

if TYPE_CHECKING:
    from wfsim.model.elements import RetryPolicy, State, Transition
    from wfsim.model.lint.report import Report
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow


def timeouts(graphs: list[RegionGraph], graph: RegionGraph, report: Report) -> None:
    """`timeout-unhandled`, `timeout-contradiction`, `timeout-restarts`, for every state that has one."""
    ways = unbounded_ways(graph)
    for index, state in enumerate(graph.region.states):
        if state.is_terminal:
            continue
        _late_transitions(graph, state, report)
        _postponed(graph, state, ways, report)
        timeout = graph.timeout_of(state)
        if timeout is None:
            continue
        path = (*graph.part.state_path(index), "timeout")
        if state.timeout is None:
            path = ("timeouts", "states", state.name)
        _unhandled(graph, state, timeout, path, report)
        if isinstance(timeout, Duration):
            _against_workflow(graph, state, timeout, path, report)
            _against_enclosing(graph, state, timeout, path, report)
            _against_work(graphs, graph, state, timeout, path, report)
            _against_flights(graph, state, timeout, path, report)
        _restarts(graph, state, timeout, path, ways, report)


def _handled(graph: RegionGraph, state: State) -> bool:
    """Whether a timeout is taken here, or its error on the way up (M4.2, M6.2)."""
    mine = [graph.region.transitions[index].event or "" for index in graph.leaving[state.name]]
    errors = ("error", f"error.{state.name}")
    if any(event == "timeout" or event in errors for event in mine):
        return True
    above = (
        outer.region.transitions[index].event or ""
        for outer, around in graph.around
        for index in outer.leaving[around.name]
    )
    return any(event in errors for event in above)


def _unhandled(graph: RegionGraph, state: State, timeout: Duration | str, path: Path, report: Report) -> None:
    if not _handled(graph, state):
        report(
            "timeout-unhandled",
            path,
            f"state {state.name!r}",
            f"it has the timeout {timeout}, but no transition on `timeout` or `error`: when the time is up "
            "the instance ends as timed_out.",
            f"Add {{from: {state.name}, event: timeout, to: …}}.",
        )


def _against_workflow(graph: RegionGraph, state: State, timeout: Duration, path: Path, report: Report) -> None:
    whole = graph.workflow.timeouts.workflow
    if whole is None or timeout < whole:
        return
    if timeout == whole and state.name == graph.region.initial_state:
        # Entered at the start and due at the same time, the state's timer comes first (M6.3).
        return
    report(
        "timeout-contradiction",
        path,
        f"state {state.name!r}",
        f"its timeout {timeout} never comes: the workflow ends after {whole}.",
        "Shorten it, or lengthen timeouts.workflow.",
    )


def _against_enclosing(graph: RegionGraph, state: State, timeout: Duration, path: Path, report: Report) -> None:
    """A timeout that never comes, because the time of a state around this one is up before."""
    for outer, around in graph.around:
        whole = outer.timeout_of(around)
        if isinstance(whole, Duration) and (timeout, state.name == graph.region.initial_state) > (whole, True):
            report(
                "timeout-contradiction",
                path,
                f"state {state.name!r}",
                f"its timeout {timeout} never comes: state {around.name!r} around it ends after {whole}.",
                f"Shorten it, or lengthen the timeout of {around.name!r}.",
            )
            return


def _late_transitions(graph: RegionGraph, state: State, report: Report) -> None:
    """`after` transitions that the state's own timeout, or the workflow's, always forestalls."""
    timeout, whole = graph.timeout_of(state), graph.workflow.timeouts.workflow
    leaves = all(
        transition.to is not None and transition.condition is None
        for _, transition in graph.usable_from(state.name)
        if transition.event == "timeout"
    )
    for index in graph.leaving[state.name]:
        after = graph.region.transitions[index].after
        if not isinstance(after, Duration):
            continue
        if isinstance(timeout, Duration) and after >= timeout and leaves:
            why = f"the timeout of state {state.name!r}, {timeout}, comes first"
        elif whole is not None and after >= whole and state.name != graph.region.initial_state:
            why = f"the workflow ends after {whole}"
        else:
            continue
        report(
            "timeout-contradiction",
            (*graph.part.transition_path(index), "after"),
            graph.part.transition_label(index),
            f"it never fires: {why}.",
            "Shorten the time, or lengthen the timeout.",
        )


class _Slow(NamedTuple):
    """What may take longer than a state has: its last part, where that runs, how long all takes, told in words."""

    what: str
    where: str
    total: int
    told: str


def _against_work(
    graphs: list[RegionGraph], graph: RegionGraph, state: State, timeout: Duration, path: Path, report: Report
) -> None:
    """A timeout that can end the state's work, or too many of its regions for the join, before its time."""
    slow = _slow_work(graphs, graph, state, timeout)
    if slow is None:
        return
    report(
        "timeout-contradiction",
        path,
        f"state {state.name!r}",
        f"its timeout {timeout} can end {slow.what}{slow.where} before its last attempt has had its "
        f"time: {slow.told} take up to {Duration(slow.total)}.",
        "Lengthen the timeout of the state, or allow fewer or shorter attempts.",
    )


def _slow_work(graphs: list[RegionGraph], graph: RegionGraph, state: State, timeout: Duration) -> _Slow | None:
    """What the state's work needs, and may take longer than this; of regions, one where too few others are quick.

    In a region that is one activity, or all that lies on the quickest way to its end.
    """
    name = None if state.work is None else state.work.runs
    schedule = None if name is None else longest_schedule(graph.workflow, name)
    if name is not None and schedule is not None and schedule[0] > timeout:
        return _Slow(f"activity {name!r}", "", *schedule)
    if state.parallel is None:
        return None
    own = inner(graphs, graph, state)
    slow = []
    for other in own:
        found = (_slow_work(graphs, other, one, timeout) for one in other.region.states if one.name in other.reachable)
        first = next((each for each in found if each is not None), None)
        first = first if first is not None else _slow_way(other, timeout)
        if first is not None:
            slow.append(first._replace(where=first.where or f" in {other.part.label}"))
    return slow[0] if len(own) - len(slow) < needed(state) else None


def _slow_way(graph: RegionGraph, timeout: Duration) -> _Slow | None:
    """What lies on the quickest way of a region to its success, if all of it together may take longer than this."""
    start = graph.region.initial_state
    best: dict[str, tuple[int, tuple[str, ...]]] = {start: (0, ())}
    waiting = [(0, start)]
    while waiting:
        total, name = heapq.heappop(waiting)
        state = graph.states[name]
        if state.is_terminal and state.outcome is not Outcome.FAILURE:
            done = best[name][1]
            return (
                _Slow(done[-1], "", total, f"{' and '.join(done)}, one after the other,") if total > timeout else None
            )
        if total > best[name][0]:
            continue
        for _, way in graph.usable_from(name):
            if way.to is None:
                continue
            parts = _parts(graph, state, way)
            reached = total + sum(each for _, each in parts)
            if way.to not in best or reached < best[way.to][0]:
                best[way.to] = (reached, (*best[name][1], *(one for one, _ in parts)))
                heapq.heappush(waiting, (reached, way.to))
    return None


def _parts(graph: RegionGraph, state: State, way: Transition) -> list[tuple[str, int]]:
    """What must be waited for before a transition is over, each with how long that may take."""
    names = [state.work.runs] if way.event == "done" and state.work is not None else []
    schedules = [(name, longest_schedule(graph.workflow, name)) for name in names if name is not None]
    found = [(f"activity {name!r}", each[0]) for name, each in schedules if each is not None]
    if isinstance(way.after, Duration):
        found.append((f"`after {way.after}`", int(way.after)))
    for action in way.actions:
        schedule = None if action.runs is None else longest_schedule(graph.workflow, action.runs)
        if schedule is not None:
            found.append((f"activity {action.runs!r}", schedule[0]))
    return found


def _against_flights(graph: RegionGraph, state: State, timeout: Duration, path: Path, report: Report) -> None:
    """A timeout that is held while a longer pre-action runs, so that it does not bound the stay (M2.2, M3.2)."""
    for index, way in graph.usable_from(state.name):
        if way.event == "timeout":
            continue
        for action in way.pre_actions:
            schedule = None if action.runs is None else longest_schedule(graph.workflow, action.runs)
            if schedule is None or schedule[0] <= timeout:
                continue
            total, told = schedule
            report(
                "timeout-contradiction",
                path,
                f"state {state.name!r}",
                f"its timeout {timeout} is shorter than pre-action {action.runs!r} of "
                f"{graph.part.transition_label(index)} ({told} take up to {Duration(total)}), and does not end it: "
                "while the transition is under way the timeout is held, and void once that has left the state (M2.2).",
                "Lengthen the timeout, allow shorter attempts, or run the activity in a state of its own.",
            )
            return


def longest_schedule(workflow: Workflow, name: str) -> tuple[int, str] | None:
    """The longest an activity can take by its own clocks, in microseconds, told in words.

    Attempts times timeout plus all waits between them (M5.1), cut by schedule_to_close. `None` if nothing
    bounds an attempt.
    """
    activity = workflow.activities.get(name)
    attempt = activity.timeout if activity is not None else None
    attempt = attempt if attempt is not None else workflow.timeouts.activity
    tried = policies(workflow, name)
    whole = activity.schedule_to_close if activity is not None else None
    if attempt is None:
        return None if whole is None else (int(whole), f"schedule_to_close {whole}")
    attempts = most_attempts(tried)
    total = attempts * attempt + max(map(waits, tried), default=0)
    if whole is not None and whole < total:
        return int(whole), f"schedule_to_close {whole}"
    return total, "1 attempt" if attempts == 1 else f"{attempts} attempts of {attempt} and the waits between"


def waits(policy: RetryPolicy) -> int:
    """The sum of all waits of a policy without jitter, in microseconds (M5.1)."""
    total, wait, left = 0, int(policy.initial_interval), policy.max_attempts - 1
    while left > 0:
        longer = min(int(policy.max_interval), int(Decimal(wait) * policy.backoff_coefficient))
        if longer == wait:
            return total + left * wait
        total, wait, left = total + wait, longer, left - 1
    return total


def _restarts(
    graph: RegionGraph,
    state: State,
    timeout: Duration | str,
    path: Path,
    ways: dict[str, list[str]],
    report: Report,
) -> None:
    """A circle through the state that nothing on it bounds: each round starts the clock afresh."""
    circle = _unbounded(graph, state, ways)
    if circle:
        report(
            "timeout-restarts",
            path,
            f"state {state.name!r}",
            f"the circle {circle} can be gone round without end, and each round starts the timeout {timeout} afresh: "
            "it bounds one visit, not the total.",
            _BOUND_IT,
        )


def _postponed(graph: RegionGraph, state: State, ways: dict[str, list[str]], report: Report) -> None:
    """An `after` that gives up is as little a limit to such a circle; one that leads on may well mean each visit."""
    circle = _unbounded(graph, state, ways)
    for index, way in graph.usable_from(state.name) if circle else ():
        if way.after is not None and way.to is not None and _gives_up(graph, way.to):
            report(
                "timeout-restarts",
                (*graph.part.transition_path(index), "after"),
                graph.part.transition_label(index),
                f"the circle {circle} can be gone round without end, and each round starts the time of `after "
                f"{way.after}` afresh: it bounds one visit, not the total.",
                _BOUND_IT,
            )


def _gives_up(graph: RegionGraph, name: str) -> bool:
    """Whether no success can be reached from a state."""
    ends = [graph.states[each] for each in reach([name], lambda node: graph.successors[node])]
    return not any(end.is_terminal and end.outcome is not Outcome.FAILURE for end in ends)


_BOUND_IT = "Bound the circle by a condition on a variable that it changes, such as a counter of attempts."


def _unbounded(graph: RegionGraph, state: State, ways: dict[str, list[str]]) -> str:
    """The shortest circle through a state that can be gone round without end, in words; empty if there is none."""
    circle = shortest_circle(ways, state.name) if state.name in graph.reachable else None
    return "" if circle is None else " → ".join(circle)
