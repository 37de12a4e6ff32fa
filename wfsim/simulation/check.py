"""Whether a scenario fits a workflow: a mistake that nobody tells gives plausible wrong numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from wfsim.errors import CatalogueError, ScenarioError, did_you_mean, listed
from wfsim.model.catalogue import Catalogue
from wfsim.model.elements import Activity, Event, Unhandled, Variable
from wfsim.model.evaluate import fit
from wfsim.model.expression_tree import (
    Name,
    Template,
    TemplateList,
    TemplateLiteral,
    TemplateObject,
    called,
    expression_parts,
    names,
)
from wfsim.model.expressions import parse_template
from wfsim.model.functions import wrong_call
from wfsim.model.owned import placed
from wfsim.model.problems import Path, Problem
from wfsim.model.shapes import ANYTHING, Shape, misfit
from wfsim.model.static import static_type
from wfsim.model.uses import (
    addressed,
    declared_activities,
    declared_events,
    declared_variables,
    invoked,
    is_reserved,
    payload_fields,
    variable_shapes,
)
from wfsim.model.values import EvaluationFault, ValueType, check_value
from wfsim.model.workflow import Workflow

from .distributions import as_draw
from .scenario import POOL_OR_RATE, ActivityPlan, EventPlan, Pool, Race, Scenario, WorkflowPlan

Fits: TypeAlias = Callable[[Any], str | None]
"""Why a plain value does not fit; `None` if it does."""


def check_scenario(scenario: Scenario, workflow: Workflow, catalogue: Catalogue | None = None) -> None:
    """Everything a scenario names must exist in its workflow, can happen there, and has the right type.

    Parameters
    ----------
    catalogue
        Where the workflows that `workflow` starts are found, directly or not; each is checked against its part.

    Raises
    ------
    ScenarioError
        Listing what does not fit, with file and line if the scenario was read from a file.
    CatalogueError
        If a workflow that is started is not in the catalogue.
    """
    family = family_of(workflow, catalogue)
    checks = []
    for each in family:
        key = scenario.key_of(each, workflow)
        path: Path = () if key is None else ("workflows", key)
        checks.append(_Check(scenario.of(each, workflow), each, scenario.pools, path))
    problems = [*_head(scenario, family)]
    for check in checks:
        problems += [each for each in check.problems() if each not in problems]
    problems += _unasked(scenario, checks)
    problems += _keeping(scenario, checks)
    problems += _sharing(scenario, checks)
    problems += _promised(scenario, checks[0])
    if problems:
        raise ScenarioError("The scenario does not fit the workflow:\n" + scenario.located(problems))


def family_of(workflow: Workflow, catalogue: Catalogue | None = None) -> list[Workflow]:
    """The workflow, then every other one that it starts or writes to, directly or not, by name and version.

    Raises
    ------
    CatalogueError
        If one is not in the catalogue.
    """
    if not any(True for _ in invoked(workflow)) and (catalogue is None or not addressed(workflow)):
        return [workflow]
    try:
        known = Catalogue([workflow, *(() if catalogue is None else catalogue.all_versions())])
        return [workflow, *(one for one in known.family(workflow).all_versions() if one != workflow)]
    except CatalogueError as error:
        raise CatalogueError(
            f"{error} Say where the workflows are that {workflow.name!r} starts: catalogue='models', or a list of them."
        ) from None


def _head(scenario: Scenario, family: list[Workflow]) -> Iterator[Problem]:
    """The keys that only the root has."""
    workflow = family[0]
    if scenario.workflow is not None and scenario.workflow != workflow.name:
        text = f"the scenario is for workflow {scenario.workflow!r}, not for {workflow.name!r}."
        yield Problem(("workflow",), text)
    if scenario.horizon == 0:
        yield Problem(
            ("horizon",),
            "the horizon is 0, so that the run would end as it begins. Give it time, as 7d, or leave it out.",
        )
    children = list(dict.fromkeys(each.name for each in family if each.name != workflow.name))
    versions = [f"{each.name} {each.version}" for each in family[1:]]
    for name in scenario.workflows:
        if name == workflow.name:
            text = f"{name!r} is the workflow that is simulated: what surrounds it stands at the top of the scenario."
            yield Problem(("workflows", name), text)
        elif name not in children and name not in versions:
            text = f"{workflow.name!r} neither starts nor writes to a workflow"
            yield _missing(("workflows", name), text, name, children, "Those that it does")


def _unasked(scenario: Scenario, checks: list[_Check]) -> Iterator[Problem]:
    """Workers whom nothing asks for would only look like a limit."""
    asked = [name for check in checks for name in check.pools_asked()]
    known = dict.fromkeys(asked)
    for name in scenario.pools:
        if name not in known:
            yield _missing(("pools", name), "no activity uses the pool", name, known, "Pools that activities name")


def _keeping(scenario: Scenario, checks: list[_Check]) -> Iterator[Problem]:
    """States in which workers stay with a case are states of a workflow that asks for these workers."""
    for name, pool in scenario.pools.items():
        known = dict.fromkeys(state for check in checks if name in check.pools_asked() for state in check.listening)
        for number, state in enumerate(pool.kept_while):
            if state not in known:
                yield _missing(("pools", name, "kept", "while", number), "state", state, known)


_SHARERS = (ValueType.STRING, ValueType.INTEGER, ValueType.BOOLEAN)
"""Types of variables whose values may take turns: equal ones are easily told."""


def _sharing(scenario: Scenario, checks: list[_Check]) -> Iterator[Problem]:
    """Whose values take turns is a variable of every workflow that asks, of a type whose equal values are told."""
    for name, pool in scenario.pools.items():
        for check in checks:
            if pool.shared_by is None or name not in check.pools_asked():
                continue
            path, whose = ("pools", name, "by"), f"workflow {check.workflow.name!r} asks the pool, and its variable"
            shape = check.shapes.get(pool.shared_by)
            if shape is None:
                yield _missing(path, whose, pool.shared_by, check.variables)
            elif shape.kind not in _SHARERS:
                text = f"{whose} {pool.shared_by!r} is of type {shape}. Turns are between values of type"
                yield Problem(path, f"{text} {listed(_SHARERS)}.")


def _promised(scenario: Scenario, root: _Check) -> Iterator[Problem]:
    """States between which an SLA counts are there."""
    for number, sla in enumerate(scenario.slas):
        for key, state in (("from", sla.from_), ("until", sla.until)):
            if state is not None and state not in root.listening:
                yield _missing(("slas", number, key), "state", state, root.listening)


class _Check:
    """What a scenario says of one workflow; `prefix` is where that stands in the scenario."""

    def __init__(
        self, plan: Scenario | WorkflowPlan, workflow: Workflow, pools: Mapping[str, Pool], prefix: Path
    ) -> None:
        self.plan = plan
        self.workflow = workflow
        self.known_pools = pools
        self.prefix = prefix
        self.variables: Mapping[str, Variable] = declared_variables(workflow)
        self.events: Mapping[str, Event] = declared_events(workflow)
        self.activities: Mapping[str, Activity] = declared_activities(workflow)
        self.shapes = variable_shapes(workflow)
        self.listening = _listening(workflow)

    def problems(self) -> Iterator[Problem]:
        for state, plans in self.plan.events.items():
            if state not in self.listening:
                yield _missing((*self.prefix, "events", state), "state", state, self.listening)
                continue
            path: Path = (*self.prefix, "events", state, *(("race",) if isinstance(plans, Race) else ()))
            for number, plan in enumerate(plans.race if isinstance(plans, Race) else plans):
                yield from self.event((*path, number), state, plan)
        for name, activity in self.plan.activities.items():
            path = (*self.prefix, "activities", name)
            if name not in self.activities:
                yield _missing(path, "activity", name, self.activities)
            if activity.pool is not None and activity.pool not in self.known_pools:
                yield _missing((*path, "pool"), "pool", activity.pool, self.known_pools)
            yield from self.skills((*path, "skills"), name, activity)
            declared = self.activities[name].pool if name in self.activities else None
            if activity.rate is not None and declared in self.known_pools:
                text = f"activity {name!r}: {POOL_OR_RATE} The definition names pool {declared!r}: give the rate to it."
                yield Problem((*path, "rate"), text)
        yield from self.results()
        for name, value in self.plan.inputs.items():
            yield from self.input(name, value)
        yield from self.arrivals()

    # --- parts of a scenario ---------------------------------------------------------------------

    def input(self, name: str, value: Any) -> Iterator[Problem]:
        path: Path = (*self.prefix, "inputs", name)
        inputs = [each for each, variable in self.variables.items() if variable.input]
        if name not in inputs:
            yield _missing(path, "input", name, inputs)
            return
        if names(parse_template(value)):
            yield Problem(path, f"input {name!r}: {value!r} reads the instance, which has no values before it starts.")
            return
        what = f"input {name!r}"
        yield from self.value(path, what, value, _fitting(self.variables[name]), self.shapes[name].kind, arrives=True)

    def arrivals(self) -> Iterator[Problem]:
        """Schedules exist; inputs without arrivals would never be used."""
        plan, known = self.plan, self.workflow.schedules
        for number, name in enumerate((plan.arrivals.schedules if plan.arrivals else None) or ()):
            if name not in known:
                yield _missing((*self.prefix, "arrivals", "schedules", number), "schedule", name, known)
        for key in ("inputs", "cases"):
            if plan.arrivals is None and key in plan.model_fields_set:
                text = f"{self.workflow.name!r} has {key} here, but no arrivals: others start it, and give its inputs."
                yield Problem((*self.prefix, key), text)

    def event(self, path: Path, state: str, plan: EventPlan) -> Iterator[Problem]:
        name = plan.event
        if name not in self.events:
            yield _missing((*path, "event"), "event", name, self.events)
            return
        policy = self.events[name].unhandled or self.workflow.unhandled
        if name not in self.listening[state] and policy is not Unhandled.DEFER:
            takers = [each for each, heard in self.listening.items() if name in heard]
            yield Problem(
                (*path, "event"),
                f"no transition leaves state {state!r} on event {name!r}. It listens to: "
                f"{listed(self.listening[state]) or 'no event'}.{did_you_mean(name, self.listening[state])} "
                f"Event {name!r} is taken in: {listed(takers) or 'no state'}.",
            )
        fields = payload_fields(self.workflow, name)
        for key, value in plan.payload.items():
            what = f"field {key!r} of event {name!r}"
            if fields is not None and key not in fields:
                yield _missing((*path, "payload", key), f"event {name!r} has no field", key, fields, "Fields")
                continue
            shape = ANYTHING if fields is None else fields[key]
            fits = _typed(shape) if value is not None else _anything
            yield from self.value((*path, "payload", key), what, value, fits, shape.kind)
        for key, field in self.events[name].payload.items():
            if not field.optional and plan.payload.get(key) is None:
                text = f"event {name!r} needs the field {key!r} ({field.shape}). Give it under 'payload'."
                yield Problem((*path, "payload"), text)

    def skills(self, path: Path, name: str, plan: ActivityPlan) -> Iterator[Problem]:
        """Some worker of the pool has all that are needed."""
        asked = plan.pool or (self.activities[name].pool if name in self.activities else None)
        pool = self.known_pools.get(asked or "")
        if not plan.skills:
            return
        what = f"activity {name!r} needs {listed(plan.skills)}"
        if pool is None:
            text = f"{what}, but no pool of this scenario, so nobody who could have these skills. Give it a pool."
            yield Problem(path, text)
        elif not pool.can_do(plan.skills):
            known = listed(pool.skills) or "none"
            text = f"{what}, and no worker of pool {asked!r} has all of these skills. Its workers have: {known}."
            yield Problem(path, text)

    def results(self) -> Iterator[Problem]:
        """Each result fits the variables it is written to."""
        for activity, taker in result_takers(self.workflow):
            variable = self.variables[taker]
            plan = self.plan.activities.get(activity, ActivityPlan())
            path: Path = (*self.prefix, "activities", activity, "result")
            what = f"the result of activity {activity!r}, written to variable {taker!r}"
            if plan.result is not None:
                yield from self.value(path, what, plan.result, _of_kind(variable.shape), variable.kind)
            elif not (variable.optional or variable.kind is ValueType.ANY or plan.never_succeeds):
                yield Problem(path, f"{what} ({variable.shape}), is missing. Give it under 'result'.")
        taken = {activity for activity, _ in result_takers(self.workflow)}
        for name, plan in self.plan.activities.items():
            if name not in taken and name in self.activities:
                path, what = (*self.prefix, "activities", name, "result"), f"the result of activity {name!r}"
                if self.activities[name].result is None:
                    yield from self.value(path, what, plan.result, _anything, ValueType.ANY)
        for name, one in self.activities.items():
            if one.result is None:
                continue
            path, what = (*self.prefix, "activities", name, "result"), f"the result of activity {name!r}"
            plan, shape = self.plan.activities.get(name, ActivityPlan()), one.result.shape
            if plan.result is not None:
                yield from self.value(path, what, plan.result, _typed(shape), shape.kind)
            elif not (shape.optional or plan.never_succeeds or name in taken):
                yield Problem(path, f"{what} ({shape}) is missing. Give it under 'result'.")

    def pools_asked(self) -> Iterator[str]:
        """Pools that activities name, in the definition or here."""
        yield from (each.pool for each in self.activities.values() if each.pool is not None)
        yield from (each.pool for each in self.plan.activities.values() if each.pool is not None)

    # --- values ----------------------------------------------------------------------------------

    def value(
        self, path: Path, what: str, value: Any, fits: Fits, wanted: ValueType, *, arrives: bool = False
    ) -> Iterator[Problem]:
        """A plain value, a random one, or one with expressions."""
        draw = as_draw(value)
        if draw is not None and draw.unique is not None and not arrives:
            yield Problem(path, f"{what}: 'unique' numbers arrivals, so it is for inputs only. Use choice or integer.")
            return
        tree = placed(parse_template(value))
        if draw is None and any(True for _ in expression_parts(tree)):
            yield from self.expressions(path, what, tree, wanted)
            return
        for each in draw.extremes if draw is not None else [value]:
            reason = fits(each)
            if reason is not None:
                yield Problem(path, f"{what}: {reason.rstrip('.')}.")
                return

    def expressions(self, path: Path, what: str, tree: Template, wanted: ValueType) -> Iterator[Problem]:
        found = False
        for name in names(tree):
            if isinstance(name, Name) and name.scope == "context":
                if name.field not in self.variables:
                    found = True
                    yield _missing(path, f"{what}: there is no variable", name.field, self.variables, "Variables")
            elif isinstance(name, Name) or name.scope == "event":
                found = True
                said = f"{name.scope}.{name.field}" if isinstance(name, Name) else name.scope
                text = (
                    f"{what}: {said!r} cannot be read here. A scenario reads context.<variable>, "
                    "state.<state>.<field> and state."
                )
                yield Problem(path, text)
        for call in called(tree):
            wrong = wrong_call(call, self.workflow.functions)
            if wrong is not None:
                found = True
                yield Problem(path, f"{what} {wrong}")
        if found or wanted is ValueType.ANY:
            return
        kind = _kind(tree, self.shapes)
        if kind is None or kind is wanted or (kind is ValueType.INTEGER and wanted is ValueType.NUMBER):
            return
        yield Problem(path, f"{what}: the expression gives {_a(kind)}, not {_a(wanted)}.")


def _a(kind: ValueType) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _kind(tree: Template, types: Mapping[str, Shape]) -> ValueType | None:
    match tree:
        case TemplateList():
            return ValueType.LIST
        case TemplateObject():
            return ValueType.OBJECT
        case TemplateLiteral():
            return None
        case _:
            return static_type(tree, types)


def _missing(path: Path, what: str, name: str, known: Iterable[str], kinds: str | None = None) -> Problem:
    """A name that is not there, with those that are."""
    known = list(known)
    said = f"{what} {name!r} does not exist. There are" if kinds is None else f"{what} {name!r}. {kinds}"
    return Problem(path, f"{said}: {listed(known) or 'none'}.{did_you_mean(name, known)}")


def _typed(shape: Shape) -> Fits:
    return lambda value: misfit(shape, value)


def _of_kind(shape: Shape) -> Fits:
    """Of a result only the kind is asked where nothing deeper is declared: what is out of range is part of a study."""
    return _typed(shape) if shape.deep else lambda value: check_value(shape.kind, value)


def _anything(value: Any) -> str | None:
    return check_value(ValueType.ANY, value)


def _fitting(variable: Variable) -> Fits:
    def fits(value: Any) -> str | None:
        try:
            fit(variable, value)
        except EvaluationFault as fault:
            return fault.message
        return None

    return fits


def _listening(workflow: Workflow) -> dict[str, list[str]]:
    """By state (path): the events that some transition leaving it, or a state around it, waits for."""
    heard: dict[str, list[str]] = {}
    for path, region in workflow.regions():
        # The path of a region ends in its own name; before that is the state it lies in.
        around = heard["/".join(path[:-1])] if path else []
        for state in region.states:
            own = [each.event for each in region.transitions if each.from_ == state.name]
            outside = [event for event in own if event is not None and not is_reserved(event)]
            heard["/".join((*path, state.name))] = list(dict.fromkeys([*outside, *around]))
    return heard


def result_takers(workflow: Workflow) -> list[tuple[str, str]]:
    """Activity and variable wherever a result is written; the lists that `for_each` makes are none."""
    found = [
        (each.runs, each.written.variable)
        for each in workflow.operations()
        if each.runs is not None and each.written is not None and not each.repeats
    ]
    return list(dict.fromkeys(found))
