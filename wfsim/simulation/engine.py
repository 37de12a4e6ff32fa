"""The calendar around `step`: arrivals, events, workers and timers of many instances, in simulated time.

Every random number is a draw at its own place (M11.3): arrivals at (run, number), inputs at (case, name of the input),
events at (case, state, how many-th entry, count), durations, failures and patience at (case, state or activity, how
many-th time, attempt; `spots`), breakdowns and repairs at (pool, worker, number of the spell). So neither the order of
execution nor the number of cases changes what one case draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from wfsim.semantics import draws
from wfsim.semantics.codes import (
    ACTIVE,
    CANCEL_ATTEMPT,
    CLOSED,
    COMPLETED,
    DROP_TIMER,
    GROUNDED,
    R_ACTIVITY_SCHEDULED,
    R_CHILD_STARTED,
    R_EVENT_REJECTED,
    R_MESSAGE_SENT,
    R_STATE_ENTERED,
    R_TRANSITION,
    RECORD_KINDS,
    RUNNING_STATUS,
    SEND_MESSAGE,
    SET_TIMER,
    START_ATTEMPT,
    START_CHILD,
    STOP_CHILD,
    T_SELF,
)
from wfsim.semantics.collecting import rarely_collected
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import RecordRow, RegionCell
from wfsim.semantics.program import Program
from wfsim.semantics.records import Effect, effects_of

from . import quick, sampling
from .calendar import NEVER, Arrives, Calendar, Does, Happening, Order, Overdue
from .instances import Case, Crowd, RunSummary, crowded_told, kept_told, open_told, rejections_told
from .mail import Mail, uses_mail
from .plans import NEVER_ENDS, SUCCEEDS, Member, Place, Work, members_of
from .pools import BROKEN, FULL, RENEGED, Asked, Request, WorkerPool
from .relations import FIRST_CHILD, Birth, Entered, Relations
from .scenario import Scenario
from .spots import Course, Spot
from .traces import AskHistory, ask_nobody

Sink: TypeAlias = Callable[[int, Instance, Output], None]
"""Takes the output of each step: case number, the instance after the step, what the step put out."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many cases have arrived plus how many of these have closed, and the simulated time."""

INTERRUPTED = "The run was interrupted; the history holds what happened until then."

MOST_STEPS = 100_000

MANY_CASES = 1_000
"""From so many cases on it pays to have compiled what is `quick`."""

MOST_OPEN = 300_000
"""Instances that may be open at a time."""
OPEN_BYTES = 16_000
"""What an order takes, with what surrounds it."""

_CONTROL, _RESULT, _EVENT, _TIMER, _WORKFLOW_TIMER = Order
_ENTERS, _DRAWS, _COUNTS = range(1, 4)
_MATTERS = {
    R_TRANSITION: _ENTERS,
    R_STATE_ENTERED: _ENTERS,
    R_ACTIVITY_SCHEDULED: _DRAWS,
    R_CHILD_STARTED: _DRAWS,
    R_EVENT_REJECTED: _COUNTS,
    R_MESSAGE_SENT: _COUNTS,
}
_MEANS = [_MATTERS.get(kind, 0) for kind in range(len(RECORD_KINDS))]
"""What a record means for the surroundings, by its kind: a state may be entered, something is drawn, it is counted."""
_TOLD_OTHERS = frozenset({START_CHILD, STOP_CHILD, SEND_MESSAGE, CLOSED})


def given_up(case: str, state: str) -> str:
    """What the notes say of a case that has taken too many steps."""
    return (
        f"Case {case} took {MOST_STEPS:,} steps and was given up in state {state!r}: "
        "it may never end. Look for a loop, or give a horizon."
    )


class _Crowded(Exception):
    """More instances are open than there can be."""


_Job: TypeAlias = tuple[Work, int, int]
"""What an attempt does, and where is drawn for it: with which key, and how many-th it is."""


class _Open(Course):
    """An open instance, and what the surroundings plan for it.

    Attributes
    ----------
    timers
        The ids of those that run.
    unfinished
        By region: the activation of a stay whose planned event has been delivered, and may have left it open, and how
        many planned events have come to it so far.
    """

    __slots__ = ("case", "instance", "luck", "member", "number", "slots", "steps", "timers", "unfinished")

    def __init__(self, number: int, case: Case, instance: Instance) -> None:
        self.number = number
        self.case = case
        self.instance = instance
        self.member: Member = case.member
        self.slots = case.member.slots
        self.luck = case.luck
        super().__init__(case.member.names)
        self.steps = 0
        self.timers: set[int] = set()
        self.unfinished: dict[int, tuple[int, int]] = {}

    def cell(self, region: int) -> RegionCell:
        """What the instance remembers of a region, a row of its program."""
        cell: RegionCell = self.instance.m[self.slots[region]]
        return cell

    def state_of(self, region: int, activation: int) -> int | None:
        """The state, a row of the program, in which a stay in a region goes on; `None` when it is over."""
        cell = self.instance.m[self.slots[region]]
        return cell.state if cell.phase == ACTIVE and cell.activation == activation else None

    def spot_in(self, state: int) -> tuple[int, int]:
        """With which key is drawn for what comes to a stay in a state with a name, and how many-th it is."""
        name = self.named[state]
        return self.luck ^ self.keys[name], self.counts[name]


class Simulation:
    """One replication of a scenario.

    Parameters
    ----------
    program, scenario
        What runs, and what its surroundings do.
        Its `cases` and `horizon` say how many instances arrive at most, and when to stop; at least one is given.
    replication
        Selects all random numbers, with the scenario's seed.
    sink
        Called with the output of every step, in order.
    birth
        Called for each instance that others start, before its first step.
    ask_history
        Asks a history for arrivals, where a trace is a question to one.

    Attributes
    ----------
    progress
        Called now and then with how many cases have arrived plus how many of these have closed, and with the time.
    """

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        *,
        replication: int = 0,
        sink: Sink,
        birth: Birth | None = None,
        ask_history: AskHistory = ask_nobody,
    ) -> None:
        if scenario.cases is None or scenario.cases >= MANY_CASES:
            quick.make_ready()
        self.horizon = NEVER if scenario.horizon is None else int(scenario.horizon)
        self._noticed = None if scenario.timer_poll is None else scenario.noticed
        self.sink = sink
        self.progress: Progress | None = None
        self._birth = birth
        self.summary = RunSummary()
        self.cases: dict[int, _Open] = {}
        self.now = 0
        self._calendar = Calendar()
        self._put = self._calendar.put
        self._pools = scenario.workers(replication)
        self._with_workers = frozenset(scenario.pools)
        self._keeping = {name: pool for name, pool in self._pools.items() if pool.kept is not None}
        members = members_of(program, scenario, self._pools)
        self.root = members[0]
        mail = Mail(members) if any(uses_mail(member.program) for member in members) else None
        self._relations = Relations(self, members, scenario, replication, self.summary, mail, ask_history)
        self._has_mail = mail is not None
        self._entering: tuple[Instance, Output] | None = None
        self._named: tuple[Output, list[Effect]] | None = None
        self._running: dict[Request, _Job] = {}
        self._sent = 0
        self._rejected: dict[tuple[Member, int, int], int] = {}

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so."""
        summary, relations, calendar = self.summary, self._relations, self._calendar
        try:
            with rarely_collected():
                self._run()
        except KeyboardInterrupt:
            summary.complete, summary.interrupted = False, True
            summary.notes.append(INTERRUPTED)
        except _Crowded:
            summary.complete = False
            crowds = [
                Crowd(
                    name,
                    pool.most if name in self._with_workers else None,
                    len(pool.busy),
                    len(pool.waiting),
                    pool.n_held,
                )
                for name, pool in self._pools.items()
            ]
            what = f"more than {MOST_OPEN:,} instances take some {MOST_OPEN * OPEN_BYTES / 1e9:.1f} GB in this engine"
            summary.notes.append(crowded_told(self.now, what, len(self.cases), crowds))
        summary.notes += rejections_told(self._rejected, self._sent + relations.n_sent, self.root)
        summary.notes += relations.told()
        stuck = not any(self._is_awaited(does, what) for _, _, _, does, what in calendar.left())
        if stuck:
            summary.notes += open_told(((case.instance.state, case.member) for case in self.cases.values()), self.root)
        for name, pool in self._keeping.items():
            held_time, end = pool.held_until(summary.end_time), summary.end_time
            summary.notes += kept_told(name, pool.most, pool.n_held, len(pool.waiting), held_time, end, stuck)
        return summary

    def _run(self) -> None:
        relations, cases, fires = self._relations, self.cases, Simulation._fire
        relations.begin()
        afterwards = relations.afterwards
        for now, _, _, does, what in self._calendar.due(self.horizon, self._may_come):
            if does is fires:
                # Most timers have been dropped, or set anew, and left their entries behind.
                case = cases.get(what[0])
                if case is None or what[2] not in case.timers:
                    continue
            self.now = now
            does(self, what)
            while afterwards:
                self._let_in(relations.follow())

    # --- what `Relations` asks of it -------------------------------------------------------------

    def new_number(self) -> int:
        """Of an instance that others start."""
        self.summary.n_children += 1
        return FIRST_CHILD - 1 + self.summary.n_children

    def put(self, time: int, order: Order, happening: Happening) -> None:
        """Let it happen at a time."""
        self._put(time, order, Simulation._happen, happening)

    def enter(self, case: Case, inputs: Mapping[str, Any], parent: str | None) -> Instance:
        """Let an instance take its first step; what comes of that follows."""
        instance = Instance(case.member.program, key=case.key, texts=case.member.texts)
        self._entering = instance, instance.start(self.now, inputs, parent)
        return instance

    def announce(self, number: int, name: str, parent: int | None, activation: int | None) -> None:
        """Tell who asked for it of what others start."""
        if self._birth is not None:
            self._birth(number, name, parent, activation)

    def _let_in(self, entered: Entered | None) -> None:
        if entered is not None and self._entering is not None:
            instance, output = self._entering
            case = self.cases[entered.number] = _Open(entered.number, entered.case, instance)
            self._after(case, output)
            if len(self.cases) > MOST_OPEN:
                raise _Crowded

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.summary.n_started + self.summary.n_closed, self.now)

    # --- the calendar ----------------------------------------------------------------------------

    def _happen(self, what: Happening) -> None:
        """Something comes from others, or from outside."""
        if isinstance(what, Arrives):
            self._let_in(self._relations.arrive(what))
            self._tell()
        elif isinstance(what, Overdue):
            self._relations.overdue(what.letter)
        elif (case := self.cases.get(what.case)) is not None:
            self._after(case, self._relations.deliver(case.case, case.instance, what))
        else:
            self._relations.too_late(what)

    def _fire(self, what: tuple[int, int, int]) -> None:
        """A timer that is still running is due."""
        number, timer, timer_id = what
        case = self.cases[number]
        case.timers.remove(timer_id)
        self._after(case, case.instance.timer_fired(self.now, timer, timer_id))

    def _may_come(self, does: Does, what: Any) -> bool:
        """Whether something may come of it, now or later: somebody may yet wait for a pool to open."""
        return does is Simulation._open_pool or self._is_awaited(does, what)

    def _is_awaited(self, does: Does, what: Any) -> bool:
        """Whether something would come of it; timers that were dropped are most of what would not."""
        if does is Simulation._fire:
            return what[0] in self.cases and what[2] in self.cases[what[0]].timers
        if does is Simulation._deliver:
            number, region, activation, _, _ = what
            return number in self.cases and self.cases[number].state_of(region, activation) is not None
        if does is Simulation._start_attempt:
            return what in self._running
        if does is Simulation._end_attempt:
            return what[0] in self._running
        if does is Simulation._give_up_waiting:
            return self._waits(what)
        if does is Simulation._succeed_again:
            return what[0][0] in self.cases
        if does is Simulation._open_pool:
            return bool(what.waiting)
        return not isinstance(what, Overdue) or self._relations.is_kept(what.letter)

    def _after(self, case: _Open, output: Output) -> None:
        """Hand the step's output on, then carry out its effects."""
        case.steps += 1
        self.summary.end_time = self.now
        entered: tuple[RecordRow, ...] = ()
        drawn: tuple[Spot, ...] = ()
        instance = case.instance
        for record in output.records:
            means = _MEANS[record.kind]
            if not means:
                continue
            if means == _ENTERS:
                name = case.named.get(record.to_state if record.kind == R_TRANSITION else record.state)
                if name is not None:
                    entered = (*entered, record)
                    case.counts[name] += 1
            elif means == _DRAWS:
                drawn = (*drawn, case.spot(instance, record))
            else:
                self._count(case, record)
        self.sink(case.number, instance, output)
        if self._keeping:
            self._settle(case)
        if output.effects:
            self._carry_out(case, output, iter(drawn))
        if self._has_mail:
            self._relations.turn_back(case.case, output)
        if instance.m[0].status >= COMPLETED:
            self._close(case)
        elif case.steps > MOST_STEPS:
            self._give_up(case)
        else:
            for record in entered:
                self._plan_event(case, record.region, record.activation, 0)
            if case.unfinished:
                self._resume_plans(case)

    def _count(self, case: _Open, record: RecordRow) -> None:
        """What was turned away, and what an instance has sent to itself."""
        if record.kind == R_EVENT_REJECTED:
            what = case.member, record.event, record.reason
            self._rejected[what] = self._rejected.get(what, 0) + 1
        elif record.source == T_SELF:
            self._sent += 1

    def _carry_out(self, case: _Open, output: Output, drawn: Iterator[Spot]) -> None:
        """What starts has its spot in `drawn`, in order."""
        number, member, put = case.number, case.member, self._put
        for k, effect in enumerate(output.effects):
            kind = effect.kind
            if kind == SET_TIMER:
                order = _WORKFLOW_TIMER if effect.timer == member.whole_timer else _TIMER
                due = effect.due if self._noticed is None else self._noticed(effect.due)
                case.timers.add(effect.id)
                put(due, order, Simulation._fire, (number, effect.timer, effect.id))
            elif kind == DROP_TIMER:
                # Its entry is of no use once it is due.
                case.timers.discard(effect.id)
            elif kind == START_ATTEMPT:
                name, nth = next(drawn)
                job = member.works[effect.activity], case.luck ^ case.keys[name], nth
                self._request(case, job, (number, effect.activity_id, effect.attempt))
            elif kind == CANCEL_ATTEMPT:
                self._let_go((number, effect.activity_id, effect.attempt), case)
            elif kind in _TOLD_OTHERS and (kind != CLOSED or case.case.parent):
                if self._named is None or self._named[0] is not output:
                    self._named = output, effects_of(case.instance, output)
                named = self._named[1][k]
                if kind == START_CHILD:
                    self._relations.start_child(number, case.case, effect, named, next(drawn))
                elif kind == SEND_MESSAGE:
                    self._relations.send(case.case, named, case.sent(effect.event))
                else:
                    self._relations.carry_out(case.case, effect, named)

    def _close(self, case: _Open) -> None:
        del self.cases[case.number]
        self._relations.closed(case.case)
        if case.number < FIRST_CHILD:
            self.summary.n_closed += 1
            self._tell()

    def _give_up(self, case: _Open) -> None:
        number = case.number
        del self.cases[number]
        self._relations.given_up(case.case)
        for pool in self._keeping.values():
            self._release(pool, number)
        for request in [each for each in self._running if each[0] == number]:
            self._let_go(request)
        self.summary.complete = False
        self.summary.notes.append(given_up(case.case.name, case.instance.state))

    # --- events ----------------------------------------------------------------------------------

    def _plan_event(self, case: _Open, region: int, activation: int, n_events: int) -> None:
        """Draw which event comes next to a stay in a state, after so many, and when."""
        state = case.state_of(region, activation)
        plans = None if state is None else case.member.events.get(state)
        if state is None or plans is None or n_events >= case.member.patience:
            return
        key, nth = case.spot_in(state)
        which, delay = plans.draw(key, nth, n_events)
        when = self.now + sampling.whole(delay)
        self._put(when, _EVENT, Simulation._deliver, (case.number, region, activation, n_events, which))

    def _deliver(self, what: tuple[int, int, int, int, int]) -> None:
        """The event comes that was planned for a stay."""
        number, region, activation, n_events, which = what
        case = self.cases.get(number)
        state = None if case is None else case.state_of(region, activation)
        if case is None or state is None:
            return
        plans, instance = case.member.events[state], case.instance
        payload = {}
        if plans.payloads[which]:
            key, nth = case.spot_in(state)
            place = Place(key, draws.PAYLOAD, nth, n_events)
            payload = {name: plan.get(instance, place) for name, plan in plans.payloads[which].items()}
        case.unfinished[region] = activation, n_events + 1
        self._sent += 1
        self._after(case, instance.event(self.now, plans.names[which], payload))

    def _resume_plans(self, case: _Open) -> None:
        """Where a delivered event left its state open, the surroundings try the next one."""
        unfinished = case.unfinished
        for region in sorted(unfinished):
            activation, n_events = unfinished[region]
            cell = case.instance.m[case.slots[region]]
            if cell.phase != ACTIVE or cell.activation != activation:
                del unfinished[region]
            elif cell.flight_phase == GROUNDED and case.instance.m[0].status == RUNNING_STATUS:
                del unfinished[region]
                self._plan_event(case, region, activation, n_events)

    # --- workers ---------------------------------------------------------------------------------

    def _request(self, case: _Open, job: _Job, request: Request) -> None:
        self._running[request] = job
        work, key, nth = job
        pool = work.pool
        asked = Asked.TAKEN if pool is None else pool.ask(self.now, request, work.wanted(self.now, case.instance))
        if asked is Asked.TAKEN:
            self._put(self.now, _RESULT, Simulation._start_attempt, request)
        elif asked is Asked.REFUSED:
            self._put(self.now, _RESULT, Simulation._end_attempt, (request, work.error_types.index(FULL)))
        elif pool is not None:
            if pool.patience is not None:
                patience = pool.patience.sample(quick.draw(key, draws.PATIENCE, nth, request[2]))
                when = self.now + sampling.whole(patience)
                self._put(when, _RESULT, Simulation._give_up_waiting, request)
            self._serve(pool, None)

    def _waits(self, request: Request) -> bool:
        job = self._running.get(request)
        pool = None if job is None else job[0].pool
        return pool is not None and request in pool.waiting

    def _let_go(self, request: Request, case: _Open | None = None) -> None:
        """An attempt is over: its worker, if any, takes the next, unless its case is one that keeps him."""
        job = self._running.pop(request, None)
        pool = None if job is None else job[0].pool
        if job is None or pool is None:
            return
        keep = case is not None and self._stays_with(job[0].pool_name, pool, case)
        self._serve(pool, pool.give_back(self.now, request, keep))
        if keep:
            self._hand_over(pool, request[0])

    # --- workers who are kept --------------------------------------------------------------------

    def _stays_with(self, name: str, pool: WorkerPool, case: _Open) -> bool:
        """Whether workers of a pool stay with a case as it is now."""
        if pool.kept is None or case.instance.me.status >= COMPLETED:
            return False
        cells = ((case.cell(region), state) for region, state in case.member.keeps.get(name, ()))
        return not pool.kept or any(cell.phase == ACTIVE and cell.state == state for cell, state in cells)

    def _settle(self, case: _Open) -> None:
        """After a step the workers whom a case keeps stay, and take what it waits for, or go."""
        for name, pool in self._keeping.items():
            if case.number in pool.held:
                if self._stays_with(name, pool, case):
                    self._hand_over(pool, case.number)
                else:
                    self._release(pool, case.number)

    def _hand_over(self, pool: WorkerPool, number: int) -> None:
        while number in pool.held and (heir := pool.hand_over(self.now, number)) is not None:
            self._put(self.now, _RESULT, Simulation._start_attempt, heir)

    def _release(self, pool: WorkerPool, number: int) -> None:
        while number in pool.held:
            self._serve(pool, pool.release(self.now, number))

    def _serve(self, pool: WorkerPool, heir: Request | None) -> None:
        """An attempt gets a worker, if it does; the others learn when to ask again."""
        if heir is not None:
            self._put(self.now, _RESULT, Simulation._start_attempt, heir)
        opens = pool.opening(self.now)
        if opens is not None:
            self._put(opens, _CONTROL, Simulation._open_pool, pool)

    # --- what becomes of attempts ----------------------------------------------------------------

    def _open_pool(self, pool: WorkerPool) -> None:
        """More workers of a pool may have come, for whom somebody waits."""
        self._serve(pool, pool.open(self.now))

    def _start_attempt(self, request: Request) -> None:
        """A worker takes an attempt."""
        job = self._running.get(request)
        if job is None:
            return
        number, serial, attempt = request
        case = self.cases[number]
        self._after(case, case.instance.activity_started(self.now, serial, attempt))
        if request not in self._running:
            return
        work, key, nth = job
        way, after = work.fate(self.now, key, nth, attempt)
        if way != NEVER_ENDS:
            pool, work_time = work.pool, sampling.whole(after)
            time = self.now + work_time
            if pool is not None and pool.crew is not None:
                time, breaks = pool.done(self.now, request, work_time)
                way = work.error_types.index(BROKEN) if breaks else way
            self._put(time, _RESULT, Simulation._end_attempt, (request, way))

    def _give_up_waiting(self, request: Request) -> None:
        """An attempt has waited for too long, if it still waits."""
        if self._waits(request):
            self._end_attempt((request, self._running[request][0].error_types.index(RENEGED)))

    def _end_attempt(self, what: tuple[Request, int]) -> None:
        """A worker reports, or a pool does: success, or which way of failing it was."""
        request, way = what
        job = self._running.pop(request, None)
        if job is None:
            return
        work, key, nth = job
        number, serial, attempt = request
        case = self.cases[number]
        if work.pool is not None:
            # Whether a worker stays with his case shows after its step.
            keep = work.pool.kept is not None
            self._serve(work.pool, work.pool.give_back(self.now, request, keep))
        if way != SUCCEEDS:
            error = work.error_types[way]
            asked = work.retry_after[way] if way < len(work.retry_after) else None
            self._after(case, case.instance.activity_failed(self.now, serial, attempt, error, retry_after=asked))
            return
        again = work.again_after(key, nth, attempt)
        if again is not None:
            self._put(self.now + sampling.whole(again), _RESULT, Simulation._succeed_again, (request, job))
        self._succeed(case, request, job)

    def _succeed_again(self, what: tuple[Request, _Job]) -> None:
        """An attempt that has succeeded, and was carried out twice, reports a second time."""
        request, job = what
        case = self.cases.get(request[0])
        if case is not None:
            self._succeed(case, request, job)

    def _succeed(self, case: _Open, request: Request, job: _Job) -> None:
        (_, serial, attempt), (work, key, nth) = request, job
        result = None
        if work.result is not None:
            result = work.result.get(case.instance, Place(key, draws.RESULT, nth, attempt))
        self._after(case, case.instance.activity_succeeded(self.now, serial, attempt, result))
