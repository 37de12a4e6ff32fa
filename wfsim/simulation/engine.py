"""The calendar around `step`: arrivals, events, workers and timers of many instances, in simulated time.

Every random number is a draw at its own place (M11.3): arrivals at (run, number), inputs at (case, name of the input),
events at (case, activation, count), durations, failures and patience at (case, activity serial, attempt), breakdowns
and repairs at (pool, worker, number of the spell). So neither the order of execution nor the number of cases changes
what one case draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wfsim.semantics import draws
from wfsim.semantics.codes import (
    ACTIVE,
    CANCEL_ATTEMPT,
    CLOSED,
    COMPLETED,
    GROUNDED,
    R_EVENT_REJECTED,
    R_MESSAGE_SENT,
    R_STATE_ENTERED,
    R_TRANSITION,
    SEND_MESSAGE,
    SET_TIMER,
    START_ATTEMPT,
    START_CHILD,
    STOP_CHILD,
    T_SELF,
)
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import RegionCell
from wfsim.semantics.program import Program
from wfsim.semantics.records import effects_of

from . import quick, sampling
from .calendar import (
    Arrives,
    AttemptEnds,
    AttemptStarts,
    Calendar,
    EventComes,
    Happening,
    Order,
    Overdue,
    PoolOpens,
    Stay,
    SucceedsAgain,
    TimerDue,
)
from .crews import Done
from .instances import Case, RunSummary, kept_told, open_told, rejections_told
from .mail import Mail, uses_mail
from .plans import NEVER_ENDS, Member, Place, Work, members_of
from .pools import BROKEN, FULL, RENEGED, Asked, Request, WorkerPool
from .relations import FIRST_CHILD, Birth, Entered, Relations
from .scenario import Scenario

Sink: TypeAlias = Callable[[int, Instance, Output], None]
"""Takes the output of each step: case number, the instance after the step, what the step put out."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many cases have arrived plus how many of these have closed, and the simulated time."""

INTERRUPTED = "The run was interrupted; the history holds what happened until then."

MOST_STEPS = 100_000

MANY_CASES = 1_000
"""From so many cases on it pays to have compiled what is `quick`."""


def given_up(case: str, state: str) -> str:
    """What the notes say of a case that has taken too many steps."""
    return (
        f"Case {case} took {MOST_STEPS:,} steps and was given up in state {state!r}: "
        "it may never end. Look for a loop, or give a horizon."
    )


class _Open:
    """An open instance, and what the surroundings plan for it.

    Attributes
    ----------
    unfinished
        By region: stays whose planned event has been delivered, and may have left them open.
    """

    __slots__ = ("case", "instance", "key", "member", "steps", "unfinished")

    def __init__(self, case: Case, instance: Instance) -> None:
        self.case = case
        self.instance = instance
        self.member: Member = case.member
        self.key = case.key
        self.steps = 0
        self.unfinished: dict[int, Stay] = {}

    def cell(self, region: int) -> RegionCell:
        """What the instance remembers of a region, a row of its program."""
        cell: RegionCell = self.instance.m[self.member.program.rows[region].slot]
        return cell

    def state_of(self, stay: Stay) -> int | None:
        """The state, a row of the program, in which a stay goes on; `None` when it is over."""
        cell = self.cell(stay.region)
        return cell.state if cell.phase == ACTIVE and cell.activation == stay.activation else None


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
        progress: Progress | None = None,
    ) -> None:
        if scenario.cases is None or scenario.cases >= MANY_CASES:
            quick.make_ready()
        self.horizon = None if scenario.horizon is None else int(scenario.horizon)
        self._noticed = scenario.noticed
        self.sink = sink
        self.progress = progress
        self._birth = birth
        self.summary = RunSummary()
        self.cases: dict[int, _Open] = {}
        self.now = 0
        self._calendar = Calendar()
        self._pools = scenario.workers(replication)
        self._keeping = {name: pool for name, pool in self._pools.items() if pool.kept is not None}
        members = members_of(program, scenario, self._pools)
        self.root = members[0]
        mail = Mail(members) if any(uses_mail(member.program) for member in members) else None
        self._relations = Relations(self, members, scenario, replication, self.summary, mail)
        self._entering: tuple[Instance, Output] | None = None
        self._running: dict[Request, Work] = {}
        self._sent = 0
        self._rejected: dict[tuple[Member, int, int], int] = {}

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so."""
        summary, relations = self.summary, self._relations
        try:
            relations.begin()
            while self._calendar and (self.horizon is None or self._calendar.next_time <= self.horizon):
                self.now, happening = self._calendar.take()
                self._happen(happening)
                while relations.afterwards:
                    self._let_in(relations.follow())
                self._calendar.tidy(self._may_come)
        except KeyboardInterrupt:
            summary.complete, summary.interrupted = False, True
            summary.notes.append(INTERRUPTED)
        summary.notes += rejections_told(self._rejected, self._sent + relations.n_sent, self.root)
        summary.notes += relations.told()
        stuck = not self._calendar.is_awaited(self._is_awaited)
        if stuck:
            summary.notes += open_told(((case.instance.state, case.member) for case in self.cases.values()), self.root)
        for name, pool in self._keeping.items():
            held_time, end = pool.held_until(summary.end_time), summary.end_time
            summary.notes += kept_told(name, pool.most, pool.n_held, len(pool.waiting), held_time, end, stuck)
        return summary

    # --- what `Relations` asks of it -------------------------------------------------------------

    def new_number(self) -> int:
        """Of an instance that others start."""
        self.summary.n_children += 1
        return FIRST_CHILD - 1 + self.summary.n_children

    def taken(self, program: Program, inputs: Mapping[str, Any]) -> str | None:
        """Nobody has a key here whom the mail does not know."""
        return None

    def put(self, time: int, order: Order, happening: Happening) -> None:
        """Let it happen at a time."""
        self._calendar.put(time, order, happening)

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
            case = self.cases[entered.number] = _Open(entered.case, instance)
            self._after(entered.number, case, output)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.summary.n_started + self.summary.n_closed, self.now)

    # --- the calendar ----------------------------------------------------------------------------

    def _happen(self, what: Happening) -> None:
        relations = self._relations
        if isinstance(what, Arrives):
            self._let_in(relations.arrive(what))
            self._tell()
            return
        if isinstance(what, Overdue):
            relations.overdue()
            return
        if isinstance(what, PoolOpens):
            self._serve(what.pool, what.pool.open(self.now))
            return
        number = what.case
        case = self.cases.get(number)
        if case is None:
            relations.too_late(what)
            return
        instance = case.instance
        match what:
            case TimerDue():
                # A timer that was dropped or set anew since then leaves its entry behind.
                if instance.runs_timer(what.timer, what.id):
                    self._after(number, case, instance.timer_fired(self.now, what.timer, what.id))
            case EventComes():
                self._deliver(case, what)
            case AttemptStarts():
                self._start_attempt(case, what.request)
            case AttemptEnds():
                self._end_attempt(case, what)
            case SucceedsAgain():
                self._succeed(case, what.work, what.request)
            case _:
                self._after(number, case, relations.deliver(case.case, instance, what))

    def _may_come(self, what: Happening) -> bool:
        """Whether something may come of it, now or later: somebody may yet wait for a pool to open."""
        return isinstance(what, PoolOpens) or self._is_awaited(what)

    def _is_awaited(self, what: Happening) -> bool:
        """Whether something would come of it; timers that were dropped are most of what would not."""
        if isinstance(what, PoolOpens):
            return bool(what.pool.waiting)
        if not isinstance(what, (TimerDue, EventComes, AttemptStarts, AttemptEnds, SucceedsAgain)):
            return True
        case = self.cases.get(what.case)
        if case is None or isinstance(what, SucceedsAgain):
            return case is not None
        if isinstance(what, TimerDue):
            return case.instance.runs_timer(what.timer, what.id)
        if isinstance(what, EventComes):
            return case.state_of(what.stay) is not None
        return self._is_under_way(what.request, isinstance(what, AttemptEnds) and what.if_waits)

    def _after(self, number: int, case: _Open, output: Output) -> None:
        """Hand the step's output on, then carry out its effects."""
        case.steps += 1
        summary, relations = self.summary, self._relations
        summary.end_time = self.now
        summary.n_steps += 1
        summary.n_records += len(output.records)
        for record in output.records:
            if record.kind == R_EVENT_REJECTED:
                what = (case.member, record.event, record.reason)
                self._rejected[what] = self._rejected.get(what, 0) + 1
            elif record.kind == R_MESSAGE_SENT and record.source == T_SELF:
                self._sent += 1
        instance, kin = case.instance, case.case
        self.sink(number, instance, output)
        self._settle(number, case)
        named = None
        for k, effect in enumerate(output.effects):
            if effect.kind == SET_TIMER:
                whole = effect.timer == case.member.program.head.first_timer
                due = TimerDue(number, effect.timer, effect.id)
                self._calendar.put(self._noticed(effect.due), Order.WORKFLOW_TIMER if whole else Order.TIMER, due)
            elif effect.kind == START_ATTEMPT:
                self._request(case, case.member.works[effect.activity], (number, effect.activity_id, effect.attempt))
            elif effect.kind == CANCEL_ATTEMPT:
                self._let_go((number, effect.activity_id, effect.attempt), case)
            elif effect.kind in (START_CHILD, STOP_CHILD, SEND_MESSAGE) or (effect.kind == CLOSED and kin.parent):
                named = named or effects_of(instance, output)
                relations.carry_out(number, kin, effect, named[k])
        relations.turn_back(kin, output)
        if instance.me.status >= COMPLETED:
            del self.cases[number]
            relations.closed(kin)
            if number < FIRST_CHILD:
                summary.n_closed += 1
                self._tell()
            return
        if case.steps > MOST_STEPS:
            del self.cases[number]
            for pool in self._keeping.values():
                self._release(pool, number)
            for request in [each for each in self._running if each[0] == number]:
                self._let_go(request)
            summary.complete = False
            summary.notes.append(given_up(kin.name, instance.state))
            return
        for record in output.records:
            if record.kind == R_STATE_ENTERED or (record.kind == R_TRANSITION and record.to_state >= 0):
                self._plan_event(number, case, Stay(record.region, record.activation))
        if case.unfinished:
            self._resume_plans(number, case)

    # --- events ----------------------------------------------------------------------------------

    def _plan_event(self, number: int, case: _Open, stay: Stay) -> None:
        """Draw which event comes next to this stay in a state, and when."""
        state = case.state_of(stay)
        plans = None if state is None else case.member.events.get(state)
        if plans is None or stay.n_events >= case.member.plan.patience:
            return
        which, delay = plans.draw(case.key, stay.activation, stay.n_events)
        self._calendar.put(self.now + sampling.whole(delay), Order.EVENT, EventComes(number, stay, which))

    def _deliver(self, case: _Open, coming: EventComes) -> None:
        stay, instance = coming.stay, case.instance
        state = case.state_of(stay)
        if state is None:
            return
        plans = case.member.events[state]
        place = Place(case.key, draws.PAYLOAD, stay.activation, stay.n_events)
        payload = {name: plan.get(instance, place) for name, plan in plans.payloads[coming.which].items()}
        case.unfinished[stay.region] = stay._replace(n_events=stay.n_events + 1)
        self._sent += 1
        self._after(coming.case, case, instance.event(self.now, plans.plans[coming.which].event, payload))

    def _resume_plans(self, number: int, case: _Open) -> None:
        """Where a delivered event left its state open, the surroundings try the next one."""
        for region, stay in sorted(case.unfinished.items()):
            if case.state_of(stay) is None:
                del case.unfinished[region]
            elif case.cell(region).flight_phase == GROUNDED and case.instance.status == "running":
                del case.unfinished[region]
                self._plan_event(number, case, stay)

    # --- workers ---------------------------------------------------------------------------------

    def _request(self, case: _Open, work: Work, request: Request) -> None:
        self._running[request] = work
        number, serial, attempt = request
        pool = work.pool
        asked = Asked.TAKEN if pool is None else pool.ask(self.now, request, work.wanted(self.now, case.instance))
        if asked is Asked.TAKEN:
            self._calendar.put(self.now, Order.RESULT, AttemptStarts(number, request))
        elif asked is Asked.REFUSED:
            self._calendar.put(self.now, Order.RESULT, AttemptEnds(number, request, work.error_types.index(FULL)))
        elif pool is not None:
            if pool.patience is not None:
                patience = pool.patience(quick.draw(case.key, draws.PATIENCE, serial, attempt))
                gives_up = AttemptEnds(number, request, work.error_types.index(RENEGED), if_waits=True)
                self._calendar.put(self.now + sampling.whole(patience), Order.RESULT, gives_up)
            self._serve(pool, None)

    def _is_under_way(self, request: Request, if_waits: bool) -> bool:
        """Whether an attempt has not ended, or even waits."""
        work = self._running.get(request)
        return work is not None and not (if_waits and work.pool is not None and request not in work.pool.waiting)

    def _let_go(self, request: Request, case: _Open | None = None) -> None:
        """An attempt is over: its worker, if any, takes the next, unless its case is one that keeps him."""
        work = self._running.pop(request, None)
        if work is None or work.pool is None:
            return
        keep = case is not None and self._stays_with(work.pool_name, work.pool, case)
        self._serve(work.pool, work.pool.give_back(self.now, request, keep))
        if keep:
            self._hand_over(work.pool, request[0])

    # --- workers who are kept --------------------------------------------------------------------

    def _stays_with(self, name: str, pool: WorkerPool, case: _Open) -> bool:
        """Whether workers of a pool stay with a case as it is now."""
        if pool.kept is None or case.instance.me.status >= COMPLETED:
            return False
        cells = ((case.cell(region), state) for region, state in case.member.keeps.get(name, ()))
        return not pool.kept or any(cell.phase == ACTIVE and cell.state == state for cell, state in cells)

    def _settle(self, number: int, case: _Open) -> None:
        """After a step the workers whom a case keeps stay, and take what it waits for, or go."""
        for name, pool in self._keeping.items():
            if number in pool.held:
                if self._stays_with(name, pool, case):
                    self._hand_over(pool, number)
                else:
                    self._release(pool, number)

    def _hand_over(self, pool: WorkerPool, number: int) -> None:
        while number in pool.held and (heir := pool.hand_over(self.now, number)) is not None:
            self._calendar.put(self.now, Order.RESULT, AttemptStarts(number, heir))

    def _release(self, pool: WorkerPool, number: int) -> None:
        while number in pool.held:
            self._serve(pool, pool.release(self.now, number))

    def _serve(self, pool: WorkerPool, heir: Request | None) -> None:
        """An attempt gets a worker, if it does; the others learn when to ask again."""
        if heir is not None:
            self._calendar.put(self.now, Order.RESULT, AttemptStarts(heir[0], heir))
        opens = pool.opening(self.now)
        if opens is not None:
            self._calendar.put(opens, Order.CONTROL, PoolOpens(pool))

    def _start_attempt(self, case: _Open, request: Request) -> None:
        work = self._running.get(request)
        if work is None:
            return
        number, serial, attempt = request
        self._after(number, case, case.instance.activity_started(self.now, serial, attempt))
        if request not in self._running:
            return
        fate = work.fate(self.now, case.key, serial, attempt)
        if fate.way != NEVER_ENDS:
            work_time, pool = sampling.whole(fate.after), work.pool
            done = Done(self.now + work_time) if pool is None else pool.done(self.now, request, work_time)
            way = work.error_types.index(BROKEN) if done.breaks else fate.way
            self._calendar.put(done.time, Order.RESULT, AttemptEnds(number, request, way))

    def _end_attempt(self, case: _Open, end: AttemptEnds) -> None:
        if not self._is_under_way(end.request, end.if_waits):
            return
        work = self._running.pop(end.request)
        if work.pool is not None:
            # Whether a worker stays with his case shows after its step.
            keep = work.pool.kept is not None
            self._serve(work.pool, work.pool.give_back(self.now, end.request, keep))
        number, serial, attempt = end.request
        if end.failure >= 0:
            error = work.error_types[end.failure]
            asked = work.retry_after[end.failure] if end.failure < len(work.retry_after) else None
            failed = case.instance.activity_failed(self.now, serial, attempt, error, retry_after=asked)
            self._after(number, case, failed)
            return
        again = work.again_after(case.key, serial, attempt)
        if again is not None:
            when = self.now + sampling.whole(again)
            self._calendar.put(when, Order.RESULT, SucceedsAgain(number, end.request, work))
        self._succeed(case, work, end.request)

    def _succeed(self, case: _Open, work: Work, request: Request) -> None:
        number, serial, attempt = request
        place = Place(case.key, draws.RESULT, serial, attempt)
        result = work.result.get(case.instance, place) if work.result else None
        self._after(number, case, case.instance.activity_succeeded(self.now, serial, attempt, result))
