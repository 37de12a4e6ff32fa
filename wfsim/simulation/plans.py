"""The plans of a scenario, ready to draw from: values, the events of a state, activities, and whole workflows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from wfsim.errors import ScenarioError
from wfsim.model.catalogue import Catalogue
from wfsim.model.elements import Activity
from wfsim.model.evaluate import evaluate_template
from wfsim.model.expression_tree import Template
from wfsim.model.expressions import parse_template
from wfsim.model.functions import Given
from wfsim.model.owned import placed
from wfsim.model.values import EvaluationFault
from wfsim.semantics import draws
from wfsim.semantics.compile import compile_family
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.texts import Texts

from . import quick, sampling
from .distributions import Draw, as_draw, made_unique
from .pools import BROKEN, FAIR_STEP, FULL, NEVER_DUE, RENEGED, Wanted, WorkerPool
from .scenario import ActivityPlan, EventPlan, Race, Scenario, WorkflowPlan, own_pool
from .spots import Names


class Place(NamedTuple):
    """Where a draw is made: whose random key, what for, and which of many."""

    key: int
    stream: int
    number: int
    attempt: int


class Seen(Protocol):
    """What expressions of a scenario see of an instance."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """Values of all variables."""

    @property
    def state(self) -> str:
        """Name of the root region's state."""

    @property
    def functions(self) -> Given:
        """Functions in Python that it may call."""


class ValuePlan:
    """A scenario's value: a constant, an expression over the instance's variables, or a function of one draw.

    Values that are drawn at one place are told apart by their names, not by their positions: the order of keys in a
    scenario means nothing.
    """

    def __init__(self, value: Any, name: str) -> None:
        self.value = value
        self.name_key = sampling.name_key(name)
        self.sample: Callable[[float], Any] | None = None
        self.template: Template | None = None
        self.unique = False
        draw = as_draw(value)
        if draw is not None and draw.unique is not None:
            self.unique, self.value = True, draw.unique
        elif draw is not None:
            self.sample = _draw_plan(draw)
        elif _has_expression(value):
            self.template = placed(parse_template(value))

    def get(self, instance: Seen, place: Place, number: int = 0) -> Any:
        """The value for this instance; only random ones make the draw at their place, unique ones take the number."""
        if self.unique:
            return made_unique(self.value, number)
        if self.sample is not None:
            return self.sample(quick.draw(place.key ^ self.name_key, place.stream, place.number, place.attempt))
        if self.template is None:
            return self.value
        try:
            return evaluate_template(
                self.template, instance.variables, None, instance.state, functions=instance.functions
            )
        except EvaluationFault as fault:
            raise ScenarioError(f"the scenario's value {self.value!r} cannot be computed: {fault}") from None


def _has_expression(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith("${")
    if isinstance(value, Mapping):
        return any(_has_expression(each) for each in value.values())
    return isinstance(value, (list, tuple)) and any(_has_expression(each) for each in value)


def choices(
    choice: Sequence[Any] | Mapping[Any, float], weights: Sequence[float] | None
) -> tuple[list[Any], list[float]]:
    """The values of a choice, and the running sums of their weights."""
    if isinstance(choice, Mapping):
        # A mapping has no order of its own.
        pairs = sorted(choice.items(), key=lambda pair: (type(pair[0]).__name__, str(pair[0])))
        return [value for value, _ in pairs], sampling.cumulative([weight for _, weight in pairs])
    values = list(choice)
    return values, sampling.cumulative(list(weights or [1.0] * len(values)))


def _draw_plan(draw: Draw) -> Callable[[float], Any]:
    if draw.choice is not None:
        values, edges = choices(draw.choice, draw.weights)
        return lambda u: values[sampling.pick(edges, u)]
    if draw.integer is not None:
        low, high = draw.integer
        return lambda u: low + int(u * (high - low + 1))
    if draw.lognormal is not None:
        median, sigma = draw.lognormal
        return sampling.lognormal(median, sigma).sample
    floor, ceiling = draw.number or (0.0, 1.0)
    return lambda u: floor + (ceiling - floor) * u


class EventDraws:
    """The event plan of one state, ready to draw from.

    Attributes
    ----------
    name_keys
        Of a race: tell the delays of its events apart.
    """

    def __init__(self, given: tuple[EventPlan, ...] | Race) -> None:
        self.plans = given.race if isinstance(given, Race) else given
        self.name_keys = [sampling.name_key(plan.event) for plan in self.plans] if isinstance(given, Race) else []
        self.names = [plan.event for plan in self.plans]
        self.edges = sampling.cumulative([plan.weight for plan in self.plans])
        self.delays = [plan.delay.sampler() for plan in self.plans]
        self.payloads = [{name: ValuePlan(v, name) for name, v in plan.payload.items()} for plan in self.plans]

    def draw(self, key: int, nth: int, n_events: int) -> tuple[int, float]:
        """Which event comes next to the `nth` stay, and after how many microseconds."""
        if self.name_keys:
            delays = [
                delay.sample(quick.draw(key ^ name_key, draws.EVENT_DELAY, nth, n_events))
                for delay, name_key in zip(self.delays, self.name_keys)
            ]
            which = min(range(len(delays)), key=delays.__getitem__)
            return which, delays[which]
        which = 0
        if len(self.plans) > 1:
            which = sampling.pick(self.edges, quick.draw(key, draws.EVENT_CHOICE, nth, n_events))
        return which, self.delays[which].sample(quick.draw(key, draws.EVENT_DELAY, nth, n_events))


SUCCEEDS, NEVER_ENDS = -1, -2
"""How an attempt ends, where it does not fail."""


class Work:
    """The plan of one activity, ready to draw from.

    Attributes
    ----------
    pool_name, pool
        Whom its attempts ask, as the scenario says or else the definition, if there is such a pool; or where they wait
        for a rate of its own.
    needs
        The skills of a worker, as the pool counts them.
    error_types
        As what attempts fail: first the ways of the plan, then those that the pool has, then those of outages.
    retry_after
        By way of the plan, the wait that the error asks for.
    fails_after
        By outage the law of when attempts fail in it.
    first_outage
        Which way of failing the first outage is.
    """

    def __init__(self, plan: ActivityPlan, activity: Activity, pools: Mapping[str, WorkerPool], own_pool: str) -> None:
        self.plan = plan
        self.pool_name = own_pool if plan.rate is not None else plan.pool or activity.pool or ""
        self.pool = pools.get(self.pool_name)
        self.needs = 0 if self.pool is None else self.pool.needs(plan.skills)
        self.step = round(FAIR_STEP / plan.weight)
        self.duration = plan.duration.sampler()
        self.result = None if plan.result is None else ValuePlan(plan.result, "result")
        shares = [failure.probability for failure in plan.failures]
        self.edges = sampling.cumulative([*shares, plan.never_ends])
        self.n_ways = len(shares)
        self.error_types = [*(failure.error_type for failure in plan.failures), FULL, RENEGED, BROKEN]
        self.retry_after = [None if each.retry_after is None else int(each.retry_after) for each in plan.failures]
        self.first_outage = len(self.error_types)
        self.error_types += [outage.error_type or "" for outage in plan.outages]
        self.fails_after = [outage.fails_after.sampler() for outage in plan.outages]
        self.outages, self.slow, self.twice = plan.outages, plan.slow, plan.twice
        limits = (activity.schedule_to_start, activity.schedule_to_close)
        self.limit = next((int(limit) for limit in limits if limit is not None), None)

    def wanted(self, now: int, instance: Instance) -> Wanted:
        """What an attempt of an instance asks its pool for now."""
        due = NEVER_DUE if self.limit is None else now + self.limit
        by = None if self.pool is None else self.pool.by
        # Equal values of different workflows are different.
        sharer: Hashable = self if by is None else (id(instance.program), instance.variables[by])
        return Wanted(self.needs, self.plan.priority, due, sharer, self.step)

    def again_after(self, key: int, number: int, attempt: int) -> float | None:
        """How long after its success an attempt that is carried out twice succeeds again; `None` if it is not."""
        if self.twice > 0.0 and quick.draw(key, draws.TWICE, number, attempt) < self.twice:
            return self.duration.sample(quick.draw(key, draws.SECOND_DURATION, number, attempt))
        return None

    def fate(self, now: int, key: int, number: int, attempt: int) -> tuple[int, float]:
        """How an attempt ends that begins its work now, and after how many microseconds.

        That is which way of failing, `SUCCEEDS` or `NEVER_ENDS`.
        """
        if self.outages and (fate := self._in_outage(now, key, number, attempt)) is not None:
            return fate
        after = self.duration.sample(quick.draw(key, draws.DURATION, number, attempt))
        for slow in self.slow:
            if slow.holds(now):
                after *= slow.factor
                break
        way = SUCCEEDS
        if self.edges[-1] > 0.0:
            way = bisect_right(self.edges, quick.draw(key, draws.ATTEMPT_FAILURE, number, attempt))
            # The last edge is that of those that never report, and beyond it are those that succeed.
            way = (NEVER_ENDS, SUCCEEDS)[way - self.n_ways] if way >= self.n_ways else way
        return way, after

    def _in_outage(self, now: int, key: int, number: int, attempt: int) -> tuple[int, float] | None:
        for which, outage in enumerate(self.outages):
            if outage.holds(now):
                if outage.hangs:
                    return NEVER_ENDS, 0.0
                drawn = quick.draw(key, draws.FAULT_TIME, number, attempt)
                return self.first_outage + which, self.fails_after[which].sample(drawn)
        return None


def kept_in(program: Program, pool: WorkerPool) -> list[tuple[int, int]]:
    """The states of a workflow in which workers of a pool stay with a case: their regions and themselves, as rows."""
    rows = (program.state_rows[path] for path in pool.kept or () if path in program.state_rows)
    return [(program.rows[row].region, row) for row in rows]


class Member:
    """One workflow of the family that is simulated: its program, and what its surroundings do.

    Attributes
    ----------
    program, texts
        What its instances run, and the table of texts that those of all members share.
    plan
        The part of the scenario that is about it.
    patience
        How many planned events come to a stay at most.
    whole_timer
        The place of the timer of the whole workflow.
    slots
        By region: which row of an instance remembers it.
    events, works
        By row of the state and of the activity.
    names
        Under which is drawn for what its instances do.
    keeps
        By pool whose workers stay with a case in some states: where they do, as pairs of region and state.
    children
        By row: the members that its states start.
    """

    def __init__(
        self,
        program: Program,
        texts: Texts,
        plan: Scenario | WorkflowPlan,
        pools: Mapping[str, WorkerPool],
        key: str | None,
    ) -> None:
        self.program = program
        self.texts = texts
        self.plan = plan
        self.patience = plan.patience
        self.whole_timer = program.head.first_timer
        self.slots = {row: program.rows[row].slot for row in program.region_rows.values()}
        self.events = {program.state_rows[state]: EventDraws(plans) for state, plans in plan.events.items() if plans}
        self.names = Names(program, self.events)
        self.works: dict[int, Work] = {}
        for name, row in program.activity_rows.items():
            activity = plan.activities.get(name, ActivityPlan())
            self.works[row] = Work(activity, program.activities[name], pools, own_pool(key, name))
        self.keeps = {name: kept_in(program, pool) for name, pool in pools.items() if pool.kept}
        self.children: dict[int, Member] = {}

    @cached_property
    def fresh(self) -> Instance:
        """An instance that never starts: what expressions over one that is about to start can see."""
        return Instance(self.program, texts=self.texts)


def members_of(program: Program, scenario: Scenario, pools: Mapping[str, WorkerPool]) -> list[Member]:
    """A member for the root workflow, then one for each that it starts or writes to, by name and version.

    Raises
    ------
    CatalogueError
        If the program was made without a catalogue, and its states run other workflows.
    """
    known, programs = compile_family(program)
    texts, members = known.copy(), dict[tuple[str, str], Member]()
    for each in programs:
        workflow = each.workflow
        plan, key = scenario.of(workflow, program.workflow), scenario.key_of(workflow, program.workflow)
        members[workflow.name, workflow.version] = Member(each, texts, plan, pools, key)
    for member in members.values():
        for row, child in member.program.children.items():
            # Without a catalogue the child is unknown; the family tells which is missing.
            found = child or Catalogue(program.family).get(member.program.name(row) or "")
            member.children[row] = members[found.name, found.version]
    return list(members.values())
