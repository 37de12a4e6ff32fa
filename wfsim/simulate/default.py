"""The default scenario: a documented guess, so that a workflow can be simulated in the first minute."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from wfsim.model.duration import Duration
from wfsim.model.elements import Event, Outcome, Region, State, Transition, Variable
from wfsim.model.uses import declared_activities, declared_events, declared_variables
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow

from .check import result_takers
from .scenario import Scenario

LIKELY = 20
"""How much more likely events towards success are than others, and how much later others come where nobody waits."""

_DEFAULTS: dict[ValueType, Any] = {
    ValueType.STRING: "text",
    ValueType.INTEGER: 1,
    ValueType.NUMBER: 1.0,
    ValueType.BOOLEAN: True,
    ValueType.LIST: [],
    ValueType.OBJECT: {},
    ValueType.ANY: "text",
}


def default_value(variable: Variable) -> Any:
    """A value that fits a variable: its initial one, an allowed one, or a plain one within its bounds."""
    if variable.initial is not None:
        return variable.initial
    if variable.values:
        return {"choice": list(variable.values)}
    value = _DEFAULTS[variable.type]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = variable.minimum if variable.minimum is not None else value
        high = variable.maximum if variable.maximum is not None else max(low, value)
        return type(value)(min(max(value, low), high))
    return value


def default_scenario(workflow: Workflow) -> Scenario:
    """A guess at what the surroundings do; its `description` says what it assumes, `docs/scenarios.md` every rule.

    One instance a minute (Poisson), 1,000 cases. Events that lead towards a successful end by the shortest way are
    `LIKELY` times as likely as others, and come after an exponential delay whose mean is a quarter of the state's
    timeout, or ten minutes. Activities take a lognormal time (median a tenth of their timeout, at most one minute)
    and, where they retry, one attempt in twenty fails with `Error`. Payloads, inputs and results have plain values
    of their types.
    """
    variables = declared_variables(workflow)
    plans: dict[str, list[dict[str, Any]]] = {}
    goals: list[str] = []
    for path, region in workflow.regions():
        ends = _goals(region)
        goals += [] if path else ends
        distances = _distances(region, ends)
        for state in region.states:
            plan = [] if state.is_terminal else _plan(workflow, region, state, distances)
            if plan:
                plans["/".join((*path, state.name))] = plan
    inputs = {name: default_value(each) for name, each in variables.items() if each.input and not each.optional}
    towards = " or ".join(repr(goal) for goal in goals)
    weights = (
        f"events on the shortest way to {towards} {LIKELY} times as likely as others" if goals else "equal weights"
    )
    return Scenario.model_validate(
        {
            "workflow": workflow.name,
            "description": f"Default scenario, every rate and time a guess: one case a minute, {weights}, delays a "
            "quarter of a state's timeout, activities at most a minute (docs/scenarios.md).",
            "arrivals": {"poisson": "1/m"},
            "cases": 1_000,
            "inputs": inputs,
            "events": plans,
            "activities": _activities(workflow, variables),
        }
    )


def _activities(workflow: Workflow, variables: Mapping[str, Variable]) -> dict[str, dict[str, Any]]:
    results = {activity: default_value(variables[taker]) for activity, taker in reversed(result_takers(workflow))}
    plans = {}
    for name, activity in declared_activities(workflow).items():
        timeout = activity.timeout or workflow.timeouts.activity
        median = Duration(min(60_000_000, int(timeout) // 10 if timeout else 60_000_000))
        policy = activity.retry_policy or workflow.retry_policy
        fails = policy is not None and policy.max_attempts > 1
        plans[name] = {
            "duration": {"lognormal": {"median": median}},
            "failures": [{"error_type": "Error", "probability": 0.05}] if fails else [],
            "result": results.get(name),
        }
    return plans


def _plan(
    workflow: Workflow, region: Workflow | Region, state: State, distances: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """The events of one state: weights by where they lead, delays by how long it lasts."""
    events = declared_events(workflow)
    leaving = [each for each in region.transitions if each.from_ == state.name]
    onward = [each for each in leaving if state.name in distances and _leads_on(each, distances)]
    likely = {each.event for each in onward if each.event in events}
    # Where the state goes on by itself, other events must not overtake it: they come late, not instead.
    late = bool(onward) and not likely
    mean = Duration(int(_quarter_of_timeout(workflow, state)) * (LIKELY if late else 1))
    return [
        {
            "event": name,
            "delay": {"exponential": {"mean": mean}},
            "weight": LIKELY if name in likely else 1,
            "payload": _payload(events[name]),
        }
        for name in dict.fromkeys(each.event for each in leaving)
        if name is not None and name in events
    ]


def _payload(event: Event) -> dict[str, Any]:
    return {key: _DEFAULTS[kind.type] for key, kind in event.payload.items()}


def _quarter_of_timeout(workflow: Workflow, state: State) -> Duration:
    timeout = state.timeout if isinstance(state.timeout, Duration) else workflow.timeouts.states.get(state.name)
    return Duration(int(timeout) // 4) if timeout else Duration.of("10m")


# --- the way to success ---------------------------------------------------------------------------


def _exceptional(transition: Transition) -> bool:
    """Whether it is taken when something went wrong."""
    event = transition.event or ""
    return event.split(".")[0] in ("error", "timeout", "cancel_requested", "workflow_timeout")


def _goals(region: Workflow | Region) -> list[str]:
    """Terminal states that declare success; if none does, the first that can be reached and is no failure."""
    ends = [state for state in region.states if state.is_terminal]
    declared = [state.name for state in ends if state.outcome is Outcome.SUCCESS]
    if declared:
        return declared
    silent = [state.name for state in ends if state.outcome is None]
    return [name for name in silent if region.initial_state in _distances(region, [name])][:1]


def _distances(region: Workflow | Region, goals: list[str]) -> dict[str, tuple[int, int]]:
    """By state: exceptional transitions, then all, on the way to a goal with the fewest.

    Dijkstra's algorithm backwards from the goals; terminal states are never left. Without a way, a state is missing.
    """
    terminal = {state.name for state in region.states if state.is_terminal}
    into: dict[str, list[Transition]] = {}
    for transition in region.transitions:
        if transition.to is not None and transition.from_ not in terminal:
            into.setdefault(transition.to, []).append(transition)
    found: dict[str, tuple[int, int]] = {}
    waiting = [((0, 0), goal) for goal in goals]
    while waiting:
        distance, name = heapq.heappop(waiting)
        if name in found:
            continue
        found[name] = distance
        for transition in into.get(name, ()):
            further = (distance[0] + _exceptional(transition), distance[1] + 1)
            heapq.heappush(waiting, (further, transition.from_))
    return found


def _leads_on(transition: Transition, distances: Mapping[str, tuple[int, int]]) -> bool:
    """Whether it lies on a way to a goal with the fewest transitions."""
    there = None if transition.to is None else distances.get(transition.to)
    if there is None:
        return False
    return distances[transition.from_] == (there[0] + _exceptional(transition), there[1] + 1)
