"""Scenarios: what the surroundings of a workflow do, in a file of their own.

A scenario never changes what a workflow means. It says when instances arrive and with which inputs, which
events reach them, how long activities take and how they fail, and how many workers there are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from wfsim.errors import DefinitionError, ScenarioError, did_you_mean
from wfsim.model import yaml_reader
from wfsim.model.duration import UNITS, Duration
from wfsim.model.elements import State, Variable
from wfsim.model.expressions import parse_template
from wfsim.model.problems import definition_error, from_validation, refuse_unknown_keys
from wfsim.model.uses import declared_activities, declared_events, declared_variables
from wfsim.model.values import ValueType
from wfsim.model.workflow import Workflow

from . import sampling

LARGEST_SEED = 2**62 - 1
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(us|ms|s|m|h|d|w)\s*")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).split()
        refuse_unknown_keys(cls, data, f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}")
        return data


def _rate(value: object) -> object:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{value!r} is not a rate. Write a positive number per unit of time: 120/h, 0.5/s.")
    return f"{match[1]}/{match[2]}"


Rate = Annotated[str, BeforeValidator(_rate)]


def _template(value: Any) -> Any:
    try:
        parse_template(value)
    except DefinitionError as error:
        raise ValueError(str(error)) from None
    return value


Template = Annotated[Any, AfterValidator(_template)]
"""A JSON value with `${expression}` in it, or a mapping with one key of `Draw`."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Exponential(_Model):
    """Memoryless."""

    mean: Duration


class Uniform(_Model):
    """Between two durations."""

    low: Duration
    high: Duration


class Triangular(_Model):
    """Between two durations, most often at `mode`."""

    low: Duration
    mode: Duration
    high: Duration


class Normal(_Model):
    """Around a mean, cut off at 0."""

    mean: Duration
    deviation: Duration


class Lognormal(_Model):
    """Half are shorter than `median`; `sigma` is the deviation of the logarithm."""

    median: Duration
    sigma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.5


class Weibull(_Model):
    """Wearing out for shape above 1, early for shape below 1."""

    scale: Duration
    shape: Annotated[float, Field(gt=0.05, le=50.0)]


class Empirical(_Model):
    """Durations seen, with weights if they are not alike."""

    values: tuple[Duration, ...] = Field(min_length=1)
    weights: tuple[Annotated[float, Field(ge=0.0)], ...] | None = None


class Distribution(_Model):
    """One of the distributions of a duration; a plain duration is constant."""

    constant: Duration | None = None
    exponential: Exponential | None = None
    uniform: Uniform | None = None
    triangular: Triangular | None = None
    normal: Normal | None = None
    lognormal: Lognormal | None = None
    weibull: Weibull | None = None
    empirical: Empirical | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a distribution is one of {', '.join(type(self).model_fields)}.")
        return self

    def sampler(self) -> sampling.Sampler:
        """The inverse distribution function, from a uniform number to microseconds."""
        if self.exponential is not None:
            return sampling.exponential(float(self.exponential.mean))
        if self.uniform is not None:
            return sampling.uniform(float(self.uniform.low), float(self.uniform.high))
        if self.triangular is not None:
            t = self.triangular
            return sampling.triangular(float(t.low), float(t.mode), float(t.high))
        if self.normal is not None:
            return sampling.normal(float(self.normal.mean), float(self.normal.deviation))
        if self.lognormal is not None:
            return sampling.lognormal(float(self.lognormal.median), self.lognormal.sigma)
        if self.weibull is not None:
            return sampling.weibull(float(self.weibull.scale), self.weibull.shape)
        if self.empirical is not None:
            return sampling.empirical([float(v) for v in self.empirical.values], self.empirical.weights)
        return sampling.constant(float(self.constant or 0))


def _distribution(value: object) -> object:
    if isinstance(value, (Distribution, Mapping)):
        return value
    return {"constant": value}


def _plain(distribution: Distribution) -> Any:
    dumped = distribution.model_dump(exclude_unset=True)
    return dumped.get("constant", dumped)


Delay = Annotated[Distribution, BeforeValidator(_distribution), PlainSerializer(_plain)]


class Draw(_Model):
    """A random value: `choice` among values (a list, or values with weights), or a number in a range."""

    choice: tuple[Any, ...] | Mapping[str, float] | None = None
    integer: tuple[int, int] | None = None
    number: tuple[float, float] | None = None
    lognormal: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"a random value is one of {', '.join(type(self).model_fields)}.")
        for span in (self.integer, self.number):
            if span is not None and span[0] > span[1]:
                raise ValueError(f"the range {list(span)} is empty. Write the smaller bound first.")
        if self.choice is not None and not self.choice:
            raise ValueError("choice needs at least one value.")
        return self


class Arrivals(_Model):
    """When instances start: `poisson` at a rate, `every` so often, `at` given times, or from a `trace` file.

    A trace is a CSV file with a column `time` (seconds) and, if wanted, one column per input.
    """

    poisson: Rate | None = None
    every: Duration | None = None
    at: tuple[Duration, ...] | None = None
    trace: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"arrivals are one of {', '.join(type(self).model_fields)}.")
        if self.every is not None and self.every == 0:
            raise ValueError("every: 0s would start everything at once. Give a positive duration, or use at.")
        return self

    def interval(self) -> sampling.Sampler | None:
        """Sampler of the time between arrivals in microseconds, where they follow a process."""
        if self.poisson is not None:
            number, unit = self.poisson.split("/")
            return sampling.exponential(UNITS[unit] / float(number))
        return None if self.every is None else sampling.constant(float(self.every))


class EventPlan(_Model):
    """An event that reaches an instance in a state: how likely among its siblings, and how long after entry."""

    event: str
    delay: Delay = Distribution(constant=Duration(0))
    weight: Annotated[float, Field(ge=0.0)] = 1.0
    payload: Mapping[str, Template] = Field(default_factory=dict)


class FailurePlan(_Model):
    """A way an attempt fails."""

    error_type: str
    probability: Share


class ActivityPlan(_Model):
    """How long attempts take, how they fail, what they return, who does them.

    `never_ends` is the share of attempts that report nothing: what start_to_close is for.
    """

    duration: Delay = Distribution(constant=Duration(0))
    failures: tuple[FailurePlan, ...] = ()
    never_ends: Share = 0.0
    result: Template = None
    pool: str | None = None
    priority: int = 0

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = sum(failure.probability for failure in self.failures) + self.never_ends
        if total > 1.0:
            raise ValueError(f"the probabilities of failure add up to {total:g}, more than 1.")
        return self


class Pool(_Model):
    """Workers that serve activities: first come first served, or by the activities' `priority` (high first)."""

    capacity: Annotated[int, Field(ge=1, le=1_000_000)]
    discipline: Literal["fifo", "priority"] = "fifo"


class Scenario(_Model):
    """What the surroundings do; see `docs/scenarios.md` for every key."""

    workflow: str | None = None
    description: str | None = None
    arrivals: Arrivals = Arrivals(poisson="60/h")
    cases: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    horizon: Duration | None = None
    warm_up: Duration = Duration(0)
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 1
    replications: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    inputs: Mapping[str, Template] = Field(default_factory=dict)
    events: Mapping[str, tuple[EventPlan, ...]] = Field(default_factory=dict)
    activities: Mapping[str, ActivityPlan] = Field(default_factory=dict)
    pools: Mapping[str, Pool] = Field(default_factory=dict)
    patience: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """How many events of its plan one stay in a state may receive before the surroundings give up on it."""


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file; strict like a definition.

    Raises
    ------
    ScenarioError
        With file, line, value and what is allowed.
    """
    file = Path(path)
    try:
        document = yaml_reader.read(yaml_reader.decode(file.read_bytes(), str(path)), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}.") from None
    except DefinitionError as error:
        raise ScenarioError(str(error)) from None
    data = document.data
    if isinstance(data, dict) and isinstance(data.get("arrivals"), dict) and "trace" in data["arrivals"]:
        trace = file.parent / str(data["arrivals"]["trace"])
        data = {**data, "arrivals": {"trace": str(trace)}}
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        problems = from_validation([dict(each) for each in error.errors()], data)
        raise ScenarioError(str(definition_error(problems, str(path), document.line_of))) from None


def read_trace(path: str) -> list[tuple[int, dict[str, str]]]:
    """Arrival times (microseconds, ascending) and input texts of a trace file."""
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if "time" not in row:
                    raise ScenarioError(f"{path}: a trace needs a column 'time' (seconds). Found: {', '.join(row)}.")
                rest = {name: text for name, text in row.items() if name != "time" and text != ""}
                rows.append((int(Duration.of(float(row["time"] or 0))), rest))
    except OSError as error:
        raise ScenarioError(f"{path}: the trace cannot be read: {error.strerror}.") from None
    except (ValueError, DefinitionError) as error:
        raise ScenarioError(f"{path}: row {len(rows) + 2}: {error}") from None
    if any(later[0] < earlier[0] for earlier, later in pairwise(rows)):
        raise ScenarioError(f"{path}: arrival times must not go back. Sort the file by time.")
    return rows


def check_scenario(scenario: Scenario, workflow: Workflow) -> None:
    """Every name in the scenario must exist in the workflow.

    Raises
    ------
    ScenarioError
        Listing all that do not, with suggestions.
    """
    problems: list[str] = []
    states = {"/".join((*path, s.name)): s for path, region in workflow.regions() for s in region.states}
    events = declared_events(workflow)
    activities = declared_activities(workflow)
    inputs = [name for name, variable in declared_variables(workflow).items() if variable.input]

    def need(name: str, known: Sequence[str], what: str) -> None:
        if name not in known:
            listed = ", ".join(known) or "none"
            problems.append(f"{what} {name!r} does not exist. There are: {listed}.{did_you_mean(name, known)}")

    if scenario.workflow is not None and scenario.workflow != workflow.name:
        problems.append(f"the scenario is for workflow {scenario.workflow!r}, not for {workflow.name!r}.")
    for state, plans in scenario.events.items():
        need(state, list(states), "state")
        for plan in plans:
            need(plan.event, list(events), "event")
    for name, activity in scenario.activities.items():
        need(name, list(activities), "activity")
        if activity.pool is not None:
            need(activity.pool, list(scenario.pools), "pool")
    for name in scenario.inputs:
        need(name, inputs, "input")
    if problems:
        raise ScenarioError("The scenario does not fit the workflow:\n" + "\n".join(problems))


# --- the default scenario -------------------------------------------------------------------------

_DEFAULTS: dict[ValueType, Any] = {
    ValueType.STRING: "text",
    ValueType.INTEGER: 1,
    ValueType.NUMBER: 1.0,
    ValueType.BOOLEAN: True,
    ValueType.LIST: [],
    ValueType.OBJECT: {},
    ValueType.ANY: None,
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
    """A documented guess, so that a workflow can be simulated in the first minute.

    One instance a minute (Poisson), 1,000 cases. In each state the events it listens to come with equal weight
    after an exponential delay whose mean is a quarter of the state's timeout, or ten minutes. Activities take a
    lognormal time (median a tenth of their timeout, at most one minute) and, where they retry, one attempt in
    twenty fails with `Error`. Payloads and inputs have plain values of their types.
    """
    events = declared_events(workflow)
    plans: dict[str, list[dict[str, Any]]] = {}
    for path, region in workflow.regions():
        for state in region.states:
            leaving = [t.event for t in region.transitions if t.from_ == state.name and t.event is not None]
            listened = [event for event in dict.fromkeys(leaving) if event in events]
            if listened:
                mean = _quarter_of_timeout(workflow, state)
                plans["/".join((*path, state.name))] = [
                    {
                        "event": name,
                        "delay": {"exponential": {"mean": mean}},
                        "payload": {key: _DEFAULTS[kind.type] for key, kind in events[name].payload.items()},
                    }
                    for name in listened
                ]
    activities = {}
    for name, activity in declared_activities(workflow).items():
        timeout = activity.timeout or workflow.timeouts.activity
        median = Duration(min(60_000_000, int(timeout) // 10 if timeout else 60_000_000))
        policy = activity.retry_policy or workflow.retry_policy
        fails = policy is not None and policy.max_attempts > 1
        activities[name] = {
            "duration": {"lognormal": {"median": median}},
            "failures": [{"error_type": "Error", "probability": 0.05}] if fails else [],
        }
    inputs = {
        name: default_value(variable)
        for name, variable in declared_variables(workflow).items()
        if variable.input and not variable.optional
    }
    return Scenario.model_validate(
        {
            "workflow": workflow.name,
            "description": "Default scenario: rates and times are guesses.",
            "arrivals": {"poisson": "1/m"},
            "cases": 1_000,
            "inputs": inputs,
            "events": plans,
            "activities": activities,
        }
    )


def _quarter_of_timeout(workflow: Workflow, state: State) -> Duration:
    timeout = state.timeout if isinstance(state.timeout, Duration) else workflow.timeouts.states.get(state.name)
    return Duration(int(timeout) // 4) if timeout else Duration.of("10m")
