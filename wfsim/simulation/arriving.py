"""Arrivals: when instances of a workflow come from outside, and with what."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import ScenarioError
from wfsim.model.schedule import times
from wfsim.model.values import ValueType
from wfsim.semantics import draws

from . import quick, sampling
from .plans import Member, Place, ValuePlan
from .scenario import Scenario, WorkflowPlan
from .traces import AskHistory, read_trace

if TYPE_CHECKING:
    from datetime import datetime

    from wfsim.semantics.program import Program

    from .instances import Case

_MICROSECOND = timedelta(microseconds=1)


class Arrival(NamedTuple):
    """One instance that is to start.

    Attributes
    ----------
    number
        From 1, in order of time; from a closed population (k - 1) n + i of the k-th of the i-th of n members.
    time
        Microseconds.
    inputs
        What comes with it, beside the scenario's inputs.
    schedule
        Which schedule starts it; empty if none does.
    """

    number: int
    time: int
    inputs: Mapping[str, Any]
    schedule: str = ""


@dataclass
class Scheduled:
    """What overlapping starts of one schedule need to know."""

    last: Case | None = None
    waiting: deque[Arrival] = field(default_factory=deque)
    n_skipped: int = 0
    n_queued: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the instance started last has not closed."""
        return self.last is not None and self.last.is_open


class ArrivalStream:
    """The arrivals of one workflow of a run, in order of time.

    Parameters
    ----------
    plan
        What surrounds the workflow: its arrivals, how many at most, and their inputs.
    key
        Selects the random times between them.
    called
        What the names of its instances begin with; empty for the root's, which are their numbers.
    begins
        The moment that is time 0, for schedules.
    ask_history
        Asks for a trace that is a question to a history.

    Attributes
    ----------
    population
        Size of a closed one, or 0.
    present
        Of a closed one: the numbers of its open instances, by name.
    think
        How long its members think.
    """

    def __init__(
        self,
        member: Member,
        plan: Scenario | WorkflowPlan,
        *,
        key: int,
        called: str,
        begins: datetime,
        ask_history: AskHistory,
    ) -> None:
        self.member = member
        assert plan.arrivals is not None
        arrivals = plan.arrivals
        self.limit = plan.cases
        self.key = key
        self.called = called
        self.inputs = {name: ValuePlan(value, name) for name, value in plan.inputs.items()}
        self.pending: dict[int, Arrival] = {}
        self.schedules = {name: Scheduled() for name in arrivals.schedules or ()}
        self.population = 0 if arrivals.closed is None else arrivals.closed.population
        self.present: dict[str, int] = {}
        self.arrivals = arrivals
        self._begins = begins
        self._ask_history = ask_history
        self.think = sampling.constant(0.0)
        if arrivals.closed is not None:
            self.think = arrivals.closed.think.sampler() or self.think
        self._n = 0
        self._coming = self._all()

    def skip(self, n: int) -> None:
        """Go on where another stream of the same arrivals has taken so many; takes as long as that took."""
        self._n = n
        deque(islice(self._coming, n), maxlen=0)

    @property
    def is_complete(self) -> bool:
        """Whether as many have been taken as may come."""
        return self.limit is not None and self._n >= self.limit

    def take(self) -> Arrival | None:
        """The next one, kept among those `pending`; `None` when there are no more."""
        following = None if self.is_complete else next(self._coming, None)
        return None if following is None else self._taken(Arrival(self._n + 1, *following))

    def again(self, number: int, now: int) -> Arrival | None:
        """The next one of a member of a closed population, who begins to think now; `None` when there are no more."""
        following = number + self.population
        return None if self.is_complete else self._taken(Arrival(following, now + self._thinks(following), {}))

    def _taken(self, arrival: Arrival) -> Arrival:
        self._n += 1
        self.pending[arrival.number] = arrival
        return arrival

    def given(self, number: int, key: int) -> dict[str, Any]:
        """The scenario's inputs of an arrival, whose instance has this key."""
        place = Place(key, draws.INPUT, 0, 0)
        return {name: plan.get(self.member.fresh, place, number) for name, plan in self.inputs.items()}

    def may_start(self, arrival: Arrival) -> bool:
        """Whether its schedule lets it start now; if not, it is counted, and waits if it is to."""
        if not arrival.schedule:
            return True
        known = self.schedules[arrival.schedule]
        overlap = self.member.program.workflow.schedules[arrival.schedule].overlap
        if overlap == "allow" or not known.is_open:
            return True
        if overlap == "skip":
            known.n_skipped += 1
        else:
            known.n_queued += 1
            known.waiting.append(arrival)
        return False

    def name(self, number: int) -> str:
        """What the instance of an arrival is called."""
        return f"{self.called}-{number}" if self.called else str(number)

    def too_often(self, number: int) -> ScenarioError:
        """The error of a member of a closed population whose next arrival has no number."""
        return ScenarioError(
            f"A member of the closed population of {self.population:,} has come "
            f"{number // self.population:,} times, and no more can be numbered. Let it think longer, or "
            "give a smaller population or a horizon."
        )

    def stands_still(self, n_came: int) -> ScenarioError:
        """The error of a closed population that comes ever again at one moment."""
        return ScenarioError(
            f"the closed population of {self.population:,} has come {n_came:,} times at one moment: its "
            "members neither think nor work, so time does not pass. Let them think, or the work take some time."
        )

    def started(self, arrival: Arrival, case: Case) -> None:
        """An arrival has become an instance."""
        if arrival.schedule:
            self.schedules[arrival.schedule].last = case
        if self.population:
            self.present[case.name] = arrival.number

    def released(self, case: Case) -> Arrival | None:
        """The arrival that waited for this instance to close, if one did."""
        for known in self.schedules.values():
            if known.last is case and known.waiting:
                arrival = known.waiting.popleft()
                self.pending[arrival.number] = arrival
                return arrival
        return None

    def told(self) -> Iterator[str]:
        """What overlapping starts came to, for the notes."""
        for name, known in self.schedules.items():
            if known.n_skipped or known.n_queued:
                what = f"{known.n_skipped:,} skipped" if known.n_skipped else f"{known.n_queued:,} queued"
                yield f"Starts of schedule {name!r} while the one before was open: {what}."

    # --- times -----------------------------------------------------------------------------------

    def _all(self) -> Iterator[tuple[int, Mapping[str, Any], str]]:
        arrivals = self.arrivals
        if arrivals.schedules is not None:
            yield from heapq.merge(
                *(self._by_the_clock(name) for name in arrivals.schedules), key=lambda coming: coming[0]
            )
        elif arrivals.at is not None:
            yield from ((int(time), {}, "") for time in sorted(arrivals.at))
        elif arrivals.trace is not None:
            program = self.member.program
            for time, values in read_trace(arrivals.trace, self._ask_history):
                yield time, {name: _typed(program, name, value) for name, value in values.items()}, ""
        elif arrivals.closed is not None:
            yield from ((self._thinks(number), {}, "") for number in range(1, self.population + 1))
        else:
            yield from ((time, {}, "") for time in self._by_chance())

    def _thinks(self, number: int) -> int:
        return sampling.whole(self.think.sample(quick.draw(self.key, draws.ARRIVAL, number, 0)))

    def _by_chance(self) -> Iterator[int]:
        arrivals = self.arrivals
        law, pace, sizes = arrivals.interval(), arrivals.pace(), arrivals.sizes()
        assert law is not None, "all other ways are told apart before"
        moment, time, number = 0.0, 0, 0
        while True:
            number += 1
            moment += law.sample(quick.draw(self.key, draws.ARRIVAL, number, 0))
            when = moment if pace is None else pace.time_of(moment)
            if when == math.inf:
                return
            # At the end of a period a rounding may go back.
            time = max(time, sampling.whole(when))
            n_together = 1 if sizes is None else int(sizes.sample(quick.draw(self.key, draws.BATCH_SIZE, number, 0)))
            yield from (time for _ in range(n_together))

    def _by_the_clock(self, name: str) -> Iterator[tuple[int, Mapping[str, Any], str]]:
        schedule = self.member.program.workflow.schedules[name]
        for time in times(schedule, self._begins - _MICROSECOND):
            yield (time - self._begins) // _MICROSECOND, schedule.input, name


def streams_of(scenario: Scenario, members: list[Member], run_key: int, ask_history: AskHistory) -> list[ArrivalStream]:
    """Arrivals of the root, the first of the members, then of every other workflow that has its own."""
    found = []
    root = members[0].program.workflow
    named = Counter(member.program.workflow.name for member in members)
    for number, member in enumerate(members):
        workflow = member.program.workflow
        plan = scenario.of(workflow, root)
        if plan.arrivals is not None:
            first = number == 0
            # Of several versions of one workflow each has a first arrival.
            called = f"{workflow.name}-{workflow.version}" if named[workflow.name] > 1 else workflow.name
            found.append(
                ArrivalStream(
                    member,
                    plan,
                    key=run_key if first else run_key ^ sampling.name_key(f"{workflow.name} {workflow.version}"),
                    called="" if first else called,
                    begins=scenario.begins,
                    ask_history=ask_history,
                )
            )
    return found


def _typed(program: Program, name: str, text: Any) -> Any:
    """A value of a trace, of a text the type of its input."""
    if not isinstance(text, str):
        return text
    variable = program.variables.get(name)
    kind = variable.kind if variable is not None else ValueType.ANY
    try:
        if kind is ValueType.INTEGER:
            return int(text)
        if kind is ValueType.NUMBER:
            return float(text)
    except ValueError:
        raise ScenarioError(f"the trace gives {text!r} for input {name!r}, which is {kind}.") from None
    return text.lower() == "true" if kind is ValueType.BOOLEAN else text
