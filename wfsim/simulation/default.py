"""The default scenario: a documented guess, so that a workflow can be simulated in the first minute."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from wfsim.arguments import expect
from wfsim.exploration.shaped import examples
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.duration import Duration
from wfsim.model.elements import Event, Outcome, Region, State, Transition, Variable
from wfsim.model.expression_tree import Name
from wfsim.model.operations import ForEach
from wfsim.model.retrying import most_attempts, policies
from wfsim.model.shapes import Shape, misfit
from wfsim.model.uses import declared_activities, declared_events, declared_variables
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow

from .check import family_of, result_takers
from .scenario import Scenario

LIKELY = 20
"""How much more likely events towards success are than others, and how much later others come where nobody waits."""

ITEMS = 3
"""How many items a list has that a `for_each` goes through."""

_DEFAULTS: dict[ValueType, Any] = {
    ValueType.STRING: "text",
    ValueType.INTEGER: 1,
    ValueType.TIMESTAMP: 86_400_000_000,
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
    if variable.shape.values:
        return {"choice": list(variable.shape.values)}
    value = plain_value(variable.shape)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = variable.shape.minimum if variable.shape.minimum is not None else value
        high = variable.shape.maximum if variable.shape.maximum is not None else max(low, value)
        return type(value)(min(max(value, low), high))
    return value


def plain_value(shape: Shape) -> Any:
    """A plain value of a declared type; a list of one has some items."""
    if shape.kind is ValueType.LIST and shape.items is not None:
        return [plain_value(shape.items)] * ITEMS
    plain = _DEFAULTS[shape.kind]
    found = examples(shape)
    return plain if not found or misfit(shape, plain) is None else found[0]


def default_scenario(
    workflow: Workflow, catalogue: Catalogue | str | PathLike[str] | Iterable[Workflow] | None = None
) -> Scenario:
    """A guess at what the surroundings do; its `description` says what it assumes, `docs/scenarios.md` every rule.

    One instance a minute (Poisson), 1,000 cases. Events that lead towards a successful end by the shortest way are
    `LIKELY` times as likely as others, and come after an exponential delay whose mean is a quarter of the state's
    timeout, or ten minutes. Activities take a lognormal time (median a tenth of their timeout, at most one minute)
    and, where they retry, one attempt in twenty fails with `Error`. Payloads, inputs and results have plain values
    of their types; lists that a `for_each` goes through have `ITEMS` items.

    With a catalogue (a folder, or workflows), the workflows that this one starts get plans of their own, by the same
    rules; without one, they are left out.

    Raises
    ------
    CatalogueError
        If a catalogue is given, and lacks one of them.
    """
    expect(workflow, Workflow, "default_scenario takes a Workflow", "Load one: wf.load(path).")
    variables = declared_variables(workflow)
    family = [workflow] if catalogue is None else family_of(workflow, as_catalogue(catalogue))
    values = _values(workflow, family)
    # A key must be unique among open instances (M7.2).
    keyed = any(each.correlation is not None for each in family)
    wanted = {item_list(each) for _, each in for_eaches(workflow)}
    inputs = {
        name: unique(each, values[name]) if keyed else values[name]
        for name, each in variables.items()
        if each.input and (not each.optional or name in wanted)
    }
    goals = _goals(workflow)
    towards = " or ".join(repr(goal) for goal in goals)
    weights = (
        f"events on the shortest way to {towards} {LIKELY} times as likely as others" if goals else "equal weights"
    )
    coming = "cases start by schedule" if workflow.schedules else "one case a minute"
    return Scenario.model_validate(
        {
            "workflow": workflow.name,
            "description": f"Default scenario, every rate and time a guess: {coming}, {weights}, delays a "
            "quarter of a state's timeout, activities at most a minute (docs/scenarios.md).",
            "arrivals": {"schedules": list(workflow.schedules)} if workflow.schedules else {"poisson": "1/m"},
            "cases": 1_000,
            "inputs": inputs,
            **_surroundings(workflow, values),
            "workflows": {
                _key(each, family): _surroundings(each, _values(each, family)) for each in family if each != workflow
            },
        }
    )


def _key(workflow: Workflow, family: list[Workflow]) -> str:
    several = sum(each.name == workflow.name for each in family) > 1
    return f"{workflow.name} {workflow.version}" if several else workflow.name


def unique(variable: Variable, value: Any) -> Any:
    """The value, made unique where it is text or a whole number and nothing restricts it."""
    shape = variable.shape
    unlimited = shape.minimum is None and shape.maximum is None and not shape.deep
    free = variable.initial is None and not shape.values and unlimited
    plain = isinstance(value, (str, list)) or (isinstance(value, int) and not isinstance(value, bool))
    return {"unique": value} if free and plain and value != [] else value


def _surroundings(workflow: Workflow, values: Mapping[str, Any]) -> dict[str, Any]:
    """Events and activities of one workflow."""
    plans: dict[str, list[dict[str, Any]]] = {}
    for path, region in workflow.regions():
        distances = _distances(region, _goals(region))
        for state in region.states:
            plan = [] if state.is_terminal else _plan(workflow, region, state, distances)
            if plan:
                plans["/".join((*path, state.name))] = plan
    return {"events": plans, "activities": _activities(workflow, values)}


def for_eaches(workflow: Workflow) -> list[tuple[State, ForEach]]:
    """The states that go through a list."""
    return [
        (state, state.for_each)
        for _, region in workflow.regions()
        for state in region.states
        if state.for_each is not None
    ]


def item_list(work: ForEach) -> str | None:
    """The variable whose items a `for_each` takes, where it is one."""
    tree = work.items_tree
    return tree.field if isinstance(tree, Name) and tree.scope == "context" else None


def _values(workflow: Workflow, family: list[Workflow]) -> dict[str, Any]:
    """A value for each variable; a list that a `for_each` goes through has items that fit what they are given to."""
    values = {name: default_value(each) for name, each in declared_variables(workflow).items()}
    for _, work in for_eaches(workflow):
        name = item_list(work)
        # Initial values are kept; an empty list would show nothing, and a text (of type any) is no list.
        if name is not None and (not values[name] or not isinstance(values[name], (list, dict))):
            item = _item(work, family)
            texts = [f"{item} {k}" for k in range(1, ITEMS + 1)]
            values[name] = texts if isinstance(item, str) else [item] * ITEMS
    return values


def _item(work: ForEach, family: list[Workflow]) -> Any:
    for child in family:
        for name, tree in work.inputs.items():
            if child.name == work.workflow and tree == Name("item", work.as_):
                variable = declared_variables(child).get(name)
                if variable is not None:
                    return variable.shape.values[0] if variable.shape.values else default_value(variable)
    return _DEFAULTS[ValueType.ANY]


def _activities(workflow: Workflow, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    results = {activity: values[taker] for activity, taker in reversed(result_takers(workflow))}
    plans = {}
    for name, activity in declared_activities(workflow).items():
        timeout = activity.timeout or workflow.timeouts.activity
        median = Duration(min(60_000_000, int(timeout) // 10 if timeout else 60_000_000))
        fails = most_attempts(policies(workflow, name)) > 1
        plans[name] = {
            "duration": {"lognormal": {"median": median}},
            "failures": [{"error_type": "Error", "probability": 0.05}] if fails else [],
            "result": results.get(name) if activity.result is None else plain_value(activity.result.shape),
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
    return {key: plain_value(each.shape) for key, each in event.payload.items()}


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
