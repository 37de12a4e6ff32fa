"""Scenarios: what the surroundings of a workflow do, in a file of their own.

A scenario never changes what a workflow means. It says when instances arrive and with which inputs, which
events reach them, how long activities take and how they fail, and how many workers there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PrivateAttr,
    Tag,
    ValidationError,
    model_validator,
)

from wfsim.arguments import as_path
from wfsim.errors import DefinitionError, ScenarioError
from wfsim.files import is_below, read_file
from wfsim.model import yaml_reader
from wfsim.model.duration import Duration
from wfsim.model.expressions import parse_template
from wfsim.model.fields import TimeZone
from wfsim.model.problems import LineOf, Problem, definition_error, from_validation, shown
from wfsim.model.workflow import Workflow
from wfsim.semantics import draws

from . import sampling
from .arrivals import Arrivals, PositiveRate, tokens
from .breakdowns import BreakdownPlan, Crew
from .distributions import Delay, Distribution, Part, Share, Weight, Whole, as_draw, need_weight
from .pools import Bucket, Discipline, WorkerPool
from .shifts import Shift, capacities, most_at_once
from .slas import Sla
from .windows import Outage, SlowTime

LARGEST_SEED = 2**62 - 1
MOST_BREAKABLE = 10_000
"""Workers of a pool in which they break down: whoever asks for one looks at all of them."""


def _template(value: Any) -> Any:
    try:
        parse_template(value)
        as_draw(value)
    except DefinitionError as error:
        raise ValueError(str(error)) from None
    except ValidationError as error:
        found = from_validation([dict(each) for each in error.errors()], value)
        raise ValueError(" ".join(each.message for each in found)) from None
    return value


Template = Annotated[Any, AfterValidator(_template)]
"""A JSON value with `${expression}` in it, or a mapping with one key of `Draw`."""


class EventPlan(Part):
    """An event that reaches an instance in a state: how likely among its siblings, and how long after entry."""

    event: str
    delay: Delay = Distribution(constant=Duration(0))
    weight: Weight = 1.0
    payload: Mapping[str, Template] = Field(default_factory=dict)


Cases = Annotated[Whole, Field(ge=0, le=100_000_000)]


def _moment(value: object) -> object:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(f"{shown(value)} is not a moment. Write date, time and zone: 2026-03-01T00:00:00+01:00.")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(datetime.isoformat)]


def _weighed(plans: tuple[EventPlan, ...]) -> tuple[EventPlan, ...]:
    if plans:
        need_weight((plan.weight for plan in plans), "the events")
    return plans


class Race(Part):
    """Events of which the one with the shortest delay comes; among equals the first in the list."""

    race: tuple[EventPlan, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _run_by_name(self) -> Self:
        names = [plan.event for plan in self.race]
        for name, plan in zip(names, self.race):
            if names.count(name) > 1:
                raise ValueError(f"event {name!r} runs twice in one race. Give it one delay, of a mixture if need be.")
            if plan.weight != 1.0:
                raise ValueError(f"the weight of event {name!r} means nothing in a race, which delays decide.")
        return self


def _way(value: object) -> str:
    return "race" if isinstance(value, Race) or (isinstance(value, Mapping) and "race" in value) else "list"


EventPlans = Annotated[
    Annotated[tuple[EventPlan, ...], AfterValidator(_weighed), Tag("list")] | Annotated[Race, Tag("race")],
    Discriminator(_way),
]
"""Events of which one comes, drawn by weight or by race."""


class FailurePlan(Part):
    """A way an attempt fails."""

    error_type: str
    probability: Share


class ActivityPlan(Part):
    """How long attempts take, how they fail, what they return, who does them.

    `never_ends` is the share of attempts that report nothing: what start_to_close is for; `twice` the share of those
    that succeed which are carried out once more. `outages` and `slow` are windows of time in which that is otherwise.
    """

    duration: Delay = Distribution(constant=Duration(0))
    failures: tuple[FailurePlan, ...] = ()
    never_ends: Share = 0.0
    twice: Share = 0.0
    outages: tuple[Outage, ...] = ()
    slow: tuple[SlowTime, ...] = ()
    result: Template = None
    pool: str | None = None
    priority: Whole = 0
    weight: Annotated[float, Field(ge=0.001, le=1_000.0)] = 1.0

    @property
    def never_succeeds(self) -> bool:
        """Whether every attempt fails or never ends."""
        return sum(failure.probability for failure in self.failures) + self.never_ends >= 1.0

    @model_validator(mode="after")
    def _shares(self) -> Self:
        total = sum(failure.probability for failure in self.failures) + self.never_ends
        if total > 1.0:
            raise ValueError(f"the probabilities of failure add up to {total:g}, more than 1.")
        return self


class Pool(Part):
    """Workers that serve activities: always as many (`capacity`), or by the clock of a `time_zone` (`shifts`).

    `discipline` says who is served first: who came first or last, the activities' `priority` (high first), the
    earliest deadline, or whose activity has had least for its `weight`. `queue_limit` is how many may wait, `renege`
    how long an attempt waits before it gives up. `breakdowns` say how workers break down and are repaired, `rate` and
    `burst` how often they begin at most.
    """

    capacity: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    shifts: Annotated[tuple[Shift, ...], Field(min_length=1)] | None = None
    time_zone: TimeZone | None = None
    discipline: Literal["fifo", "lifo", "priority", "deadline", "fair"] = "fifo"
    queue_limit: Annotated[Whole, Field(ge=0, le=1_000_000_000)] | None = None
    renege: Delay | None = None
    breakdowns: BreakdownPlan | None = None
    rate: PositiveRate | None = None
    burst: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _has_workers(self) -> Self:
        if (self.capacity is None) == (self.shifts is None):
            raise ValueError("a pool has either capacity, how many workers there always are, or shifts.")
        if self.shifts is None and self.time_zone is not None:
            raise ValueError("time_zone goes with shifts: workers who are always there have no clock.")
        if self.rate is None and self.burst is not None:
            raise ValueError("burst goes with rate: it is how many may begin at once after a pause.")
        if self.rate is not None and max(tokens(self.rate)) * (self.burst or 1) > sampling.LONGEST:
            raise ValueError(
                f"a burst of {self.burst or 1:,} at the rate {self.rate} is too much to count exactly. "
                "Give fewer, or a rate with fewer digits."
            )
        if self.breakdowns is not None and self.most > MOST_BREAKABLE:
            raise ValueError(f"of {self.most:,} workers none can break down; of {MOST_BREAKABLE:,} at most.")
        return self

    @property
    def most(self) -> int:
        """How many workers there are at most at any time."""
        return self.capacity or most_at_once(self.shifts or ())

    def capacities(self, begins: datetime, time: int) -> Iterator[tuple[int, int]] | None:
        """How many workers there are at a time in microseconds after `begins`, and when that changes, if it does."""
        return None if self.shifts is None else capacities(self.shifts, self.time_zone or "UTC", begins, time)

    def workers(self, begins: datetime, key: int) -> WorkerPool:
        """The pool, with nobody in it; `key` selects its random numbers."""
        patience = None if self.renege is None else self.renege.sampler()
        changes = self.capacities(begins, 0)
        crew = None if self.breakdowns is None else Crew(self.breakdowns, self.most, key)
        bucket = None if self.rate is None else Bucket(*tokens(self.rate), self.burst or 1)
        discipline = Discipline[self.discipline.upper()]
        return WorkerPool(self.most, discipline, self.queue_limit, patience, changes, crew, bucket)


@dataclass(frozen=True, slots=True)
class Source:
    """The file a scenario was read from, and the lines of its keys."""

    file: str
    line_of: LineOf


class Surroundings(Part):
    """What surrounds the instances of one workflow: which events reach them, and how its activities go."""

    events: Mapping[str, EventPlans] = Field(default_factory=dict)
    activities: Mapping[str, ActivityPlan] = Field(default_factory=dict)
    patience: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1_000
    """How many events of its plan one stay in a state may receive before the surroundings give up on it."""


class WorkflowPlan(Surroundings):
    """What surrounds another workflow of the run; with `arrivals`, instances of it come from outside as well."""

    arrivals: Arrivals | None = None
    cases: Cases | None = None
    inputs: Mapping[str, Template] = Field(default_factory=dict)


class Scenario(Surroundings):
    """What the surroundings do; see `docs/scenarios.md` for every key."""

    workflow: str | None = None
    description: str | None = None
    arrivals: Arrivals = Arrivals(poisson="60/h")
    cases: Cases | None = None
    begins: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    horizon: Duration | None = None
    warm_up: Duration = Duration(0)
    seed: Annotated[Whole, Field(ge=0, le=LARGEST_SEED)] = 1
    replications: Annotated[Whole, Field(ge=1, le=1_000_000)] = 1
    inputs: Mapping[str, Template] = Field(default_factory=dict)
    timer_poll: Annotated[Duration, Field(gt=0)] | None = None
    pools: Mapping[str, Pool] = Field(default_factory=dict)
    slas: tuple[Sla, ...] = ()
    workflows: Mapping[str, WorkflowPlan] = Field(default_factory=dict)
    """What surrounds the other workflows of a run: those that the root starts or writes to, directly or not.

    By name, or `<name> <version>`.
    """
    _source: Source | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _slas_have_names(self) -> Self:
        names = [sla.name for sla in self.slas]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two slas are called {name!r}. Give each a name of its own.")
        return self

    def __eq__(self, other: object) -> bool:
        """Equal when the same was written; where it was read from does not matter."""
        return isinstance(other, Scenario) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        from .shown import scenario_line

        return scenario_line(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from .shown import scenario_html

        return scenario_html(self)

    def key_of(self, workflow: Workflow, root: Workflow) -> str | None:
        """Under which key of `workflows` a workflow's surroundings stand in a run of `root`; `None`: at the top."""
        version = f"{workflow.name} {workflow.version}"
        if workflow == root or (workflow.name == root.name and version not in self.workflows):
            return None
        return version if version in self.workflows else workflow.name

    def of(self, workflow: Workflow, root: Workflow) -> Scenario | WorkflowPlan:
        """What surrounds the instances of a workflow in a run of `root`; nothing if the scenario does not say."""
        key = self.key_of(workflow, root)
        return self if key is None else self.workflows.get(key, WorkflowPlan())

    def workers(self, replication: int) -> dict[str, WorkerPool]:
        """The pools of a replication, with nobody in them."""
        run_key = draws.mix_key(self.seed, replication, 0)
        return {
            name: pool.workers(self.begins, run_key ^ sampling.name_key(f"pool {name}"))
            for name, pool in self.pools.items()
        }

    def shift_changes(self, end: int) -> Iterator[tuple[str, int, int]]:
        """From when on which pool with shifts has how many workers, in microseconds until a time."""
        for name, pool in self.pools.items():
            for time, capacity in takewhile(lambda change: change[0] <= end, pool.capacities(self.begins, 0) or ()):
                yield name, time, capacity

    def noticed(self, due: int) -> int:
        """When a timer that is due then is noticed, in microseconds."""
        return due if self.timer_poll is None else -(-due // self.timer_poll) * self.timer_poll

    def located(self, problems: Sequence[Problem]) -> str:
        """Problems with file and line if it was read from a file, else with their path."""
        source = self._source
        if source is None:
            return str(definition_error(problems))
        return str(definition_error(problems, source.file, source.line_of))

    def changed(self, **changes: Any) -> Scenario:
        """The same scenario with other values of some keys.

        Raises
        ------
        ScenarioError
            With key, value and what is allowed.
        """
        data = self.model_dump(exclude_unset=True) | changes
        try:
            scenario = Scenario.model_validate(data)
        except ValidationError as error:
            problems = from_validation([dict(each) for each in error.errors()], data)
            raise ScenarioError(" ".join(each.message for each in problems)) from None
        scenario._source = self._source
        return scenario


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file; strict like a definition.

    Raises
    ------
    ScenarioError
        With file, line, value and what is allowed.
    """
    file = as_path(path, "load_scenario")
    try:
        document = yaml_reader.read(yaml_reader.decode(read_file(file, yaml_reader.LARGEST_FILE), str(path)), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}.") from None
    except DefinitionError as error:
        raise ScenarioError(str(error)) from None
    data = document.data
    if isinstance(data, dict):
        data = _with_trace(data, file, document.line_of)
        others = data.get("workflows")
        if isinstance(others, dict):
            found = {
                name: _with_trace(plan, file, document.line_of, "workflows", name) if isinstance(plan, dict) else plan
                for name, plan in others.items()
            }
            data = {**data, "workflows": found}
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        problems = from_validation([dict(each) for each in error.errors()], data)
        raise ScenarioError(str(definition_error(problems, str(path), document.line_of))) from None
    scenario._source = Source(str(path), document.line_of)
    return scenario


def _with_trace(part: dict[str, Any], file: Path, line_of: LineOf, *where: str) -> dict[str, Any]:
    """A part of a scenario file whose arrivals may come from a trace: one that lies in the folder of the file."""
    arrivals = part.get("arrivals")
    if not (isinstance(arrivals, dict) and "trace" in arrivals):
        return part
    trace = file.parent / str(arrivals["trace"])
    if not is_below(trace, file.parent):
        line = line_of((*where, "arrivals", "trace"))
        raise ScenarioError(
            f"{file}:{line}: the trace {str(arrivals['trace'])!r} lies outside the folder of this file. "
            "Put it there, or below, or read the scenario and give it: scenario.changed(arrivals={'trace': path})."
        )
    return {**part, "arrivals": {**arrivals, "trace": str(trace)}}
