"""Scenarios: what the surroundings of a workflow do, in a file of their own.

A scenario never changes what a workflow means. It says when instances arrive and with which inputs, which
events reach them, how long activities take and how they fail, and how many workers there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PrivateAttr,
    Tag,
    ValidationError,
    model_validator,
)

from wfsim.arguments import as_path
from wfsim.errors import DefinitionError, ScenarioError, did_you_mean, listed
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
from .breakdowns import BreakdownPlan
from .crews import Breakdowns, Crew
from .distributions import Delay, Distribution, Part, Share, Weight, Whole, as_draw, need_weight
from .dotted import put
from .pools import UNLIMITED, Bucket, Discipline, WorkerPool
from .shifts import Day, Shift, capacities, most_at_once
from .shown import scenario_html, scenario_line
from .skills import MOST_SKILLS, Skill, WorkerGroup, bits_of, in_order, somebody_has
from .slas import Sla
from .windows import Outage, SlowTime

LARGEST_SEED = 2**62 - 1
MOST_TOLD_APART = 10_000
"""Workers of a pool who break down or have skills: whoever asks for one looks at all of them."""


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
    """A way an attempt fails; `retry_after` is the wait before the next one that its error asks for (M5.1)."""

    error_type: str
    probability: Share
    retry_after: Duration | None = None


Burst = Annotated[Whole, Field(ge=1, le=1_000_000)]
"""How many may begin at once after a pause."""

POOL_OR_RATE = "rate is for an activity without a pool: a pool has a rate of its own."


def _need_bucket(rate: str | None, burst: int | None) -> None:
    """Refuse a burst without a rate, and what cannot be counted exactly."""
    if rate is None and burst is not None:
        raise ValueError("burst goes with rate: it is how many may begin at once after a pause.")
    if rate is not None and max(tokens(rate)) * (burst or 1) > sampling.LONGEST:
        raise ValueError(
            f"a burst of {burst or 1:,} at the rate {rate} is too much to count exactly. "
            "Give fewer, or a rate with fewer digits."
        )


class ActivityPlan(Part):
    """How long attempts take, how they fail, what they return, who does them, with which skills.

    `never_ends` is the share of attempts that report nothing: what start_to_close is for; `twice` the share of those
    that succeed which are carried out once more. `outages` and `slow` are windows of time in which that is otherwise.
    `rate` and `burst` say how often attempts begin at most, where no pool does.
    """

    duration: Delay = Distribution(constant=Duration(0))
    failures: tuple[FailurePlan, ...] = ()
    never_ends: Share = 0.0
    twice: Share = 0.0
    outages: tuple[Outage, ...] = ()
    slow: tuple[SlowTime, ...] = ()
    result: Template = None
    pool: str | None = None
    skills: tuple[Skill, ...] = ()
    priority: Whole = 0
    weight: Annotated[float, Field(ge=0.001, le=1_000.0)] = 1.0
    rate: PositiveRate | None = None
    burst: Burst | None = None

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

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.rate is not None and self.pool is not None:
            raise ValueError(f"{POOL_OR_RATE} Give the rate to pool {self.pool!r}.")
        _need_bucket(self.rate, self.burst)
        return self


_VARIABLE = re.compile(r"\s*(?:\$\{\s*context\.(\w+)\s*\}|context\.(\w+))\s*")


def _variable(value: object) -> object:
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{shown(value)} names no variable. Write context.<variable>.")
    return f"context.{match[1] or match[2]}"


class Keeping(Part):
    """Workers stay with a case while it is in one of these states."""

    model_config = ConfigDict(populate_by_name=True)

    while_: tuple[str, ...] = Field(min_length=1, alias="while")


def _keeps(value: object) -> str:
    return "while" if isinstance(value, (Keeping, Mapping)) else "case"


Kept = Annotated[
    Annotated[Literal["case"], Tag("case")] | Annotated[Keeping, Tag("while")],
    Discriminator(_keeps),
]
"""For how long a worker stays with a case: until it closes, or while it is in some states."""


class Pool(Part):
    """Workers that serve activities: always as many (`capacity`), also with skills (`workers`), or by `shifts`.

    On `holidays` nobody is there, from midnight to midnight by the clock of the `time_zone`.
    `discipline` says who is served first: who came first or last, the activities' `priority` (high first), the
    earliest deadline, or whose activity has had least for its `weight`, or whose value of the variable `by`.
    `queue_limit` is how many may wait, `renege`
    how long an attempt waits before it gives up. `breakdowns` say how workers break down and are repaired, `rate` and
    `burst` how often they begin at most. `kept` workers stay with the case that they have begun to work for.
    """

    capacity: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None
    workers: Annotated[tuple[WorkerGroup, ...], Field(min_length=1)] | None = None
    shifts: Annotated[tuple[Shift, ...], Field(min_length=1)] | None = None
    time_zone: TimeZone | None = None
    holidays: Annotated[tuple[Day, ...], Field(max_length=1_000)] = ()
    discipline: Literal["fifo", "lifo", "priority", "deadline", "fair"] = "fifo"
    queue_limit: Annotated[Whole, Field(ge=0, le=1_000_000_000)] | None = None
    renege: Delay | None = None
    breakdowns: BreakdownPlan | None = None
    rate: PositiveRate | None = None
    burst: Burst | None = None
    kept: Kept | None = None
    by: Annotated[str, BeforeValidator(_variable)] | None = None

    @model_validator(mode="after")
    def _has_workers(self) -> Self:
        if sum(each is not None for each in (self.capacity, self.workers, self.shifts)) != 1:
            raise ValueError(
                "a pool has either capacity, how many workers there always are, or workers, who they are and what they "
                "can do, or shifts."
            )
        if self.shifts is None and self.time_zone is not None:
            raise ValueError("time_zone goes with shifts: workers who are always there have no clock.")
        if self.shifts is None and self.holidays:
            raise ValueError("holidays go with shifts: workers who are always there have no days off.")
        if self.by is not None and self.discipline != "fair":
            raise ValueError(f"by goes with discipline fair, not with {self.discipline}: it says who takes turns.")
        if self.kept is not None and self.breakdowns is not None:
            raise ValueError("kept and breakdowns do not go together: a case would keep a worker who cannot work.")
        if self.kept is not None and self.rate is not None:
            raise ValueError("kept and rate do not go together: with a worker who is kept, work begins at once.")
        _need_bucket(self.rate, self.burst)
        if self.breakdowns is not None and self.most > MOST_TOLD_APART:
            raise ValueError(f"of {self.most:,} workers none can break down; of {MOST_TOLD_APART:,} at most.")
        if self.workers is not None and self.most > MOST_TOLD_APART:
            raise ValueError(f"{self.most:,} workers cannot have skills; {MOST_TOLD_APART:,} can at most.")
        if len(self.skills) > MOST_SKILLS:
            raise ValueError(f"there are {len(self.skills)} skills; a pool has {MOST_SKILLS} at most.")
        return self

    @property
    def skills(self) -> dict[str, int]:
        """The bit of each skill that somebody has."""
        return bits_of(self.workers or ())

    @property
    def most(self) -> int:
        """How many workers there are at most at any time."""
        if self.workers is not None:
            return sum(group.count for group in self.workers)
        return self.capacity or most_at_once(self.shifts or ())

    def can_do(self, skills: Iterable[str]) -> bool:
        """Whether one of the workers has all of these skills."""
        return somebody_has(skills, self.workers or (WorkerGroup(),))

    def capacities(self, begins: datetime, time: int) -> Iterator[tuple[int, int]] | None:
        """How many workers there are at a time in microseconds after `begins`, and when that changes, if it does."""
        if self.shifts is None:
            return None
        return capacities(self.shifts, self.time_zone or "UTC", self.holidays, begins, time)

    def staffed(self, begins: datetime, key: int) -> WorkerPool:
        """The pool, with nobody in it; `key` selects its random numbers."""
        patience = None if self.renege is None else self.renege.sampler()
        changes = self.capacities(begins, 0)
        breakdowns = None if self.breakdowns is None else Breakdowns(self.breakdowns, key)
        crew = None
        if breakdowns is not None or self.workers is not None:
            crew = Crew([0] * self.most if self.workers is None else in_order(self.workers), breakdowns)
        bucket = None if self.rate is None else Bucket(*tokens(self.rate), self.burst or 1)
        discipline = Discipline[self.discipline.upper()]
        return WorkerPool(
            self.most,
            discipline,
            self.queue_limit,
            patience,
            changes,
            crew,
            bucket,
            kept=None if self.kept is None else self.kept_while,
            by=self.shared_by,
            skills=self.skills,
        )

    @property
    def shared_by(self) -> str | None:
        """The variable whose values take turns."""
        return None if self.by is None else self.by.removeprefix("context.")

    @property
    def kept_while(self) -> tuple[str, ...]:
        """In which states of a case its workers stay with it; none if in all, or if they do not stay."""
        return self.kept.while_ if isinstance(self.kept, Keeping) else ()


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


def own_pool(key: str | None, activity: str) -> str:
    """Under which name attempts of an activity wait for its own rate: where that stands, `key` under `workflows`."""
    return f"activities.{activity}.rate" if key is None else f"workflows.{key}.activities.{activity}.rate"


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
    def _somebody_has_the_skills(self) -> Self:
        known = sorted({skill for pool in self.pools.values() for skill in pool.skills})
        parts: tuple[Surroundings, ...] = (self, *self.workflows.values())
        for part in parts:
            for name, activity in part.activities.items():
                for skill in activity.skills:
                    if skill not in known:
                        raise ValueError(
                            f"activity {name!r} needs the skill {skill!r}, which no worker of any pool has. "
                            f"Skills: {listed(known) or 'none'}.{did_you_mean(skill, known)}"
                        )
        return self

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
        return scenario_line(self._written())

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return scenario_html(self._written())

    def _written(self) -> dict[str, Any]:
        """As a file would say it, without what it need not say."""
        found: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        return found

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
        """The pools of a replication, with nobody in them, and one for each activity that has a rate of its own."""
        run_key = draws.mix_key(self.seed, replication, 0)
        found = {
            name: pool.staffed(self.begins, run_key ^ sampling.name_key(f"pool {name}"))
            for name, pool in self.pools.items()
        }
        parts: list[tuple[str | None, Surroundings]] = [(None, self), *self.workflows.items()]
        for key, part in parts:
            for name, activity in part.activities.items():
                if activity.rate is not None:
                    bucket = Bucket(*tokens(activity.rate), activity.burst or 1)
                    found[own_pool(key, name)] = WorkerPool(UNLIMITED, bucket=bucket)
        return found

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

        A key may be dotted, as in a sweep: `changed(**{"pools.packers.capacity": 3})`; a number in it counts in a list,
        from 0.

        Raises
        ------
        ScenarioError
            With key, value and what is allowed.
        """
        data = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for key, value in changes.items():
            put(data, key, value)
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
    """A part of a scenario file whose arrivals may come from a trace: what it names lies in the folder of the file."""
    arrivals = part.get("arrivals")
    if not (isinstance(arrivals, dict) and "trace" in arrivals):
        return part
    given = arrivals["trace"]
    asks = isinstance(given, dict)
    path = given.get("history") if asks else given
    if not isinstance(path, str) or (asks and not path):
        return part
    trace = file.parent / path
    if not is_below(trace, file.parent):
        line = line_of((*where, "arrivals", "trace", *(["history"] if asks else [])))
        what, example = ("history", "{'history': path, 'query': sql}") if asks else ("trace", "path")
        raise ScenarioError(
            f"{file}:{line}: the {what} {path!r} lies outside the folder of this file. Put it there, or below, "
            f"or read the scenario and give it: scenario.changed(arrivals={{'trace': {example}}})."
        )
    found = {**given, "history": str(trace)} if asks else str(trace)
    return {**part, "arrivals": {**arrivals, "trace": found}}
