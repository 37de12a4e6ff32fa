"""The calendar around `step`: arrivals, events, workers and timers of many instances, in simulated time.

Every random number is a draw at its own place (M11.3): arrivals at (run, number), inputs at (case, name of the input),
events at (case, activation, count), durations and failures at (case, activity serial, attempt). So neither the order of
execution nor the number of cases changes what one case draws. Children are instances of their own, whose random key is
a function of their parent's and of the activation that started them (M4.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wfsim.errors import ScenarioError, StartRefused
from wfsim.semantics import draws
from wfsim.semantics.codes import (
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
from wfsim.semantics.post import Handling, Letter
from wfsim.semantics.program import Program
from wfsim.semantics.records import Effect, effects_of

from . import sampling
from .arriving import Arrival, ArrivalStream, streams_of
from .calendar import (
    Arrives,
    AttemptEnds,
    AttemptStarts,
    Calendar,
    ChildEnded,
    EventComes,
    Happening,
    LetterComes,
    LetterReturns,
    Order,
    Overdue,
    Stay,
    Stops,
    TimerDue,
)
from .instances import RunSummary, SimulatedCase, open_told, rejections_told
from .mail import Mail, uses_mail
from .plans import Member, Place, Work, members_of
from .pools import Request, WorkerPool
from .scenario import Scenario

Sink: TypeAlias = Callable[[int, Instance, Output], None]
"""Takes the output of each step: case number, the instance after the step, what the step put out."""

Birth: TypeAlias = Callable[[int, str, int | None, int | None], None]
"""Told of each instance that another one starts, before its first step: number, name, and of a child its parent's
number and the activation that started it."""

FIRST_CHILD = 2**30
"""What others start gets passing numbers from here on, in order of the starts; who keeps them gives lasting ones."""

INTERRUPTED = "The run was interrupted; the history holds what happened until then."

MOST_STEPS = 100_000
MOST_DEPTH, MOST_RELATIVES = 100, 100_000
"""How deep instances start each other, and how many one arrival sets going, before no more are started."""


def given_up(case: str, state: str) -> str:
    """What the notes say of a case that has taken too many steps."""
    return (
        f"Case {case} took {MOST_STEPS:,} steps and was given up in state {state!r}: "
        "it may never end. Look for a loop, or give a horizon."
    )


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
        Called now and then with the number of cases closed.
    """

    def __init__(
        self,
        program: Program,
        scenario: Scenario,
        *,
        replication: int = 0,
        sink: Sink,
        birth: Birth | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.replication = replication
        self.horizon = None if scenario.horizon is None else int(scenario.horizon)
        self.sink = sink
        self.birth = birth
        self.progress = progress
        self.summary = RunSummary()
        self.cases: dict[int, SimulatedCase] = {}
        self.now = 0
        self._calendar = Calendar()
        self._run_key = draws.mix_key(scenario.seed, replication, 0)
        self._root_has_come = False
        pools = {
            name: WorkerPool(pool.capacity, pool.discipline == "priority") for name, pool in scenario.pools.items()
        }
        self.pools = pools
        members = members_of(program, scenario, pools)
        self.root = members[0]
        self._mail = Mail(members) if any(uses_mail(member.program) for member in members) else None
        self._running: dict[Request, Work] = {}
        self._births: deque[Callable[[], None]] = deque()
        self._refused = ""
        self._most_relatives = False
        self._sent = 0
        self._rejected: dict[tuple[Member, int, int], int] = {}
        self._streams = streams_of(scenario, members, self._run_key)

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so."""
        summary = self.summary
        try:
            for which in range(len(self._streams)):
                self._next_arrival(which)
            while self._calendar:
                time, happening = self._calendar.take()
                if self.horizon is not None and time > self.horizon:
                    break
                self.now = time
                self._happen(happening)
                while self._births:
                    self._births.popleft()()
                self._calendar.tidy(self._is_awaited)
        except KeyboardInterrupt:
            summary.complete = False
            summary.notes.append(INTERRUPTED)
        summary.notes += rejections_told(self._rejected, self._sent, self.root)
        if summary.n_refused:
            summary.notes.append(f"{summary.n_refused:,} arrivals were refused; the first: {self._refused}")
        for stream in self._streams:
            summary.notes += stream.told()
        if not self._calendar:
            summary.notes += open_told(((case.instance.state, case.member) for case in self.cases.values()), self.root)
        return summary

    # --- the calendar ----------------------------------------------------------------------------

    def _put(self, order: Order, happening: Happening) -> None:
        """Let it happen in a later step, at the same time."""
        self._calendar.put(self.now, order, happening)

    def _happen(self, what: Happening) -> None:
        if isinstance(what, Arrives):
            self._arrive(what)
            return
        if isinstance(what, Overdue):
            for letter in self._post.overdue(self.now):
                self._send_back(letter, "expired")
            return
        number = what.case
        case = self.cases.get(number)
        if case is None:
            if isinstance(what, LetterComes):
                self._send_back(what.letter, "closed")
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
            case ChildEnded():
                ending = (what.status, what.outcome, what.result)
                self._after(number, case, instance.child_closed(self.now, what.activation, *ending))
            case LetterComes(_, letter):
                self._post.hand_over(case.name, letter)
                self._sent += 1
                output = instance.event(self.now, letter.event, letter.payload, letter.id, letter.sender)
                self._after(number, case, output)
            case LetterReturns(_, letter, reason):
                self._after(number, case, instance.message_returned(self.now, letter.number, reason))
            case Stops():
                command = "terminate" if what.terminate else "cancel"
                self._after(number, case, instance.control(self.now, command, None, "parent"))

    def _is_awaited(self, what: Happening) -> bool:
        """Whether something would come of it; timers that were dropped are most of what would not."""
        if not isinstance(what, (TimerDue, EventComes, AttemptStarts, AttemptEnds)):
            return True
        case = self.cases.get(what.case)
        if case is None:
            return False
        if isinstance(what, TimerDue):
            return case.instance.runs_timer(what.timer, what.id)
        return case.state_of(what.stay) is not None if isinstance(what, EventComes) else what.request in self._running

    def _after(self, number: int, case: SimulatedCase, output: Output) -> None:
        """Hand the step's output on, then carry out its effects."""
        case.steps += 1
        self.summary.end_time = self.now
        self.summary.n_steps += 1
        self.summary.n_records += len(output.records)
        for record in output.records:
            if record.kind == R_EVENT_REJECTED:
                what = (case.member, record.event, record.reason)
                self._rejected[what] = self._rejected.get(what, 0) + 1
            elif record.kind == R_MESSAGE_SENT and record.source == T_SELF:
                self._sent += 1
        instance = case.instance
        self.sink(number, instance, output)
        named: list[Effect] = []
        for k, effect in enumerate(output.effects):
            if effect.kind == SET_TIMER:
                whole = effect.timer == case.member.program.head.first_timer
                due = TimerDue(number, effect.timer, effect.id)
                self._calendar.put(effect.due, Order.WORKFLOW_TIMER if whole else Order.TIMER, due)
            elif effect.kind == START_ATTEMPT:
                self._request(case.member.works[effect.activity], (number, effect.activity_id, effect.attempt))
            elif effect.kind == CANCEL_ATTEMPT:
                self._let_go((number, effect.activity_id, effect.attempt))
            elif effect.kind in (START_CHILD, STOP_CHILD, SEND_MESSAGE) or (effect.kind == CLOSED and case.parent):
                named = named or effects_of(instance, output)
                if effect.kind == START_CHILD:
                    self._conceive(number, case, case.member.children[effect.activity], named[k])
                elif effect.kind == STOP_CHILD:
                    self._stop(case.children.get(named[k].activity_id), named[k].reason)
                elif effect.kind == SEND_MESSAGE:
                    self._carry_out(case, self._post.send(case.name, named[k], self.now, case.member.program))
                else:
                    self._tell_parent(case, named[k].status or "", named[k].outcome, named[k].output)
        if self._mail is not None:
            for letter, reason in self._mail.returned(case.name, instance, output):
                self._send_back(letter, reason)
        if instance.me.status >= COMPLETED:
            self._closed(number, case)
            return
        if case.steps > MOST_STEPS:
            del self.cases[number]
            for request in [each for each in self._running if each[0] == number]:
                self._let_go(request)
            self.summary.complete = False
            self.summary.notes.append(given_up(case.name, instance.state))
            return
        for record in output.records:
            if record.kind == R_STATE_ENTERED or (record.kind == R_TRANSITION and record.to_state >= 0):
                self._plan_event(number, case, Stay(record.region, record.activation))
        if case.unfinished:
            self._resume_plans(number, case)

    # --- arrivals --------------------------------------------------------------------------------

    def _next_arrival(self, which: int) -> None:
        arrival = self._streams[which].take()
        if arrival is None:
            self._root_has_come = self._root_has_come or which == 0
        elif self.horizon is None or arrival.time <= self.horizon:
            self._calendar.put(arrival.time, Order.EVENT, Arrives(which, arrival.number))

    def _arrive(self, arrives: Arrives) -> None:
        which = arrives.stream
        stream = self._streams[which]
        if which and self._root_has_come and stream.limit is None and self.horizon is None:
            # Otherwise the run would never end.
            return
        arrival = stream.pending.pop(arrives.number)
        if stream.may_start(arrival):
            self._begin(which, stream, arrival)
        if not arrives.waited:
            self._next_arrival(which)

    def _begin(self, which: int, stream: ArrivalStream, arrival: Arrival) -> None:
        number = arrival.number
        key = draws.mix_key(*((self.scenario.seed, self.replication) if which == 0 else (stream.key, 0)), number)
        workflow = stream.member.program.workflow.name
        case = SimulatedCase(stream.member, str(number) if which == 0 else f"{workflow}-{number}", key)
        inputs = {
            name: plan.get(case.instance, Place(key, draws.INPUT, 0, 0), number) for name, plan in stream.inputs.items()
        }
        inputs.update(arrival.inputs)
        try:
            taken = self._taken(case, inputs)
            output = None if taken else case.instance.start(self.now, inputs)
        except StartRefused as refusal:
            raise ScenarioError(
                f"{refusal} The scenario's inputs: {', '.join(inputs) or 'none'}; add the missing ones under 'inputs'."
            ) from None
        if output is None:
            # M7.2: the number remains a gap.
            self.summary.n_refused += 1
            self._refused = self._refused or str(taken)
            return
        stream.started(arrival, case)
        if which == 0:
            self.summary.n_started += 1
        else:
            number = self._new_number(case)
            if self.birth is not None:
                self.birth(number, case.name, None, None)
        self._opened(number, case, output)

    def _taken(self, case: SimulatedCase, inputs: Mapping[str, Any]) -> str | None:
        return None if self._mail is None else self._mail.taken(case.member.program, inputs)

    def _opened(self, number: int, case: SimulatedCase, output: Output, parent: str | None = None) -> None:
        """An instance has started: what has been kept for it follows."""
        self.cases[number] = case
        if self._mail is not None:
            for letter in self._mail.opened(case.name, number, case.instance, parent):
                self._put(Order.EVENT, LetterComes(number, letter))
        self._after(number, case, output)

    # --- what instances start ---------------------------------------------------------------------

    def _conceive(self, parent: int, case: SimulatedCase, member: Member, effect: Effect) -> None:
        """M4.4: a child gets its number at once; it starts when the step's effects have been carried out."""
        activation = effect.activity_id
        name, key = f"{case.name}/{activation}", draws.mix_key(case.key, 0, activation)
        child = SimulatedCase(member, name, key, case, parent, activation)
        number = case.children[activation] = self._new_number(case)
        if self._too_many(child):
            self._tell_parent(child, "failed", None, {})
        else:
            self._births.append(lambda: self._begin_child(number, child, case.name, effect.input))

    def _begin_child(self, number: int, child: SimulatedCase, parent: str, inputs: Mapping[str, Any]) -> None:
        try:
            taken = self._taken(child, inputs)
            output = None if taken else child.instance.start(self.now, inputs, parent)
        except StartRefused:
            output = None
        if output is None:
            # M7.2: nothing has started; its parent takes that for a failure.
            self._tell_parent(child, "failed", None, {})
            return
        if self.birth is not None:
            self.birth(number, child.name, child.parent, child.activation)
        self._opened(number, child, output, parent)

    def _stop(self, child: int | None, policy: str | None) -> None:
        if child is not None:
            self._put(Order.CONTROL, Stops(child, policy == "terminate"))

    def _closed(self, number: int, case: SimulatedCase) -> None:
        del self.cases[number]
        if self._mail is not None:
            self._mail.closed(case.name)
        for which, stream in enumerate(self._streams):
            waited = stream.released(case) if stream.schedules else None
            if waited is not None:
                self._put(Order.EVENT, Arrives(which, waited.number, waited=True))
        if number < FIRST_CHILD:
            self.summary.n_closed += 1
            if self.progress is not None:
                self.progress(self.summary.n_closed)

    def _tell_parent(self, child: SimulatedCase, status: str, outcome: str | None, result: Mapping[str, Any]) -> None:
        """M6.3: how a child ended comes with the results, in a later step."""
        self._put(Order.RESULT, ChildEnded(child.parent, child.activation, status, outcome, result))

    def _new_number(self, case: SimulatedCase) -> int:
        self.summary.n_children += 1
        case.relatives[0] += 1
        return FIRST_CHILD - 1 + self.summary.n_children

    def _too_many(self, case: SimulatedCase) -> bool:
        """Whether instances start each other without end; the notes then say so, once."""
        if case.depth <= MOST_DEPTH and case.relatives[0] <= MOST_RELATIVES:
            return False
        if not self._most_relatives:
            self._most_relatives = True
            self.summary.complete = False
            self.summary.notes.append(
                f"What case {case.name.split('/')[0].split(':')[0]} starts goes on without end: {case.relatives[0]:,} "
                f"instances, {case.depth} deep. No more are started there, which counts as a failure. "
                "Look for workflows that run each other, or give the recursion an end."
            )
        return True

    # --- messages --------------------------------------------------------------------------------

    @property
    def _post(self) -> Mail:
        assert self._mail is not None, "a workflow that sends has mail"
        return self._mail

    def _carry_out(self, sender: SimulatedCase, handling: Handling) -> None:
        """M7.3: what the post office says is done in a later step, at the same time."""
        letter = handling.letter
        if handling.what == "deliver":
            self._put(Order.EVENT, LetterComes(self._post.number(handling.receiver), letter))
        elif handling.what == "keep":
            self._calendar.put(handling.until, Order.TIMER, Overdue())
        elif handling.what == "start":
            self._births.append(lambda: self._begin_by(sender, letter))
        else:
            self._send_back(letter, handling.reason)

    def _begin_by(self, sender: SimulatedCase, letter: Letter) -> None:
        """An instance that a message starts, and then gets; another one may have taken the key meanwhile."""
        handling = self._post.send_again(letter, self.now, sender.member.program)
        if handling.what != "start":
            self._carry_out(sender, handling)
            return
        key = draws.mix_key(sender.key, 1, letter.number)
        case = SimulatedCase(self._post.members[handling.workflow], letter.id, key, sender)
        number = self._new_number(case)
        if self._too_many(case):
            self._send_back(letter, "no more instances are started here")
            return
        output = case.instance.start(self.now, handling.inputs)
        if self.birth is not None:
            self.birth(number, case.name, None, None)
        self._put(Order.EVENT, LetterComes(number, letter))
        self._opened(number, case, output)

    def _send_back(self, letter: Letter, reason: str) -> None:
        """Returned messages are recorded at their senders, as long as these are open."""
        number = self._post.number(letter.sender)
        if number:
            self._put(Order.EVENT, LetterReturns(number, letter, reason))

    # --- events ----------------------------------------------------------------------------------

    def _plan_event(self, number: int, case: SimulatedCase, stay: Stay) -> None:
        """Draw which event comes next to this stay in a state, and when."""
        state = case.state_of(stay)
        plans = None if state is None else case.member.events.get(state)
        if plans is None or stay.n_events >= case.member.plan.patience:
            return
        which = 0
        if len(plans.plans) > 1:
            which = sampling.pick(plans.edges, draws.draw(case.key, draws.EVENT_CHOICE, stay.activation, stay.n_events))
        delay = plans.delays[which](draws.draw(case.key, draws.EVENT_DELAY, stay.activation, stay.n_events))
        self._calendar.put(self.now + sampling.whole(delay), Order.EVENT, EventComes(number, stay, which))

    def _deliver(self, case: SimulatedCase, coming: EventComes) -> None:
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

    def _resume_plans(self, number: int, case: SimulatedCase) -> None:
        """Where a delivered event left its state open, the surroundings try the next one."""
        for region, stay in sorted(case.unfinished.items()):
            if case.state_of(stay) is None:
                del case.unfinished[region]
            elif case.cell(region).flight_phase == GROUNDED and case.instance.status == "running":
                del case.unfinished[region]
                self._plan_event(number, case, stay)

    # --- workers ---------------------------------------------------------------------------------

    def _request(self, work: Work, request: Request) -> None:
        self._running[request] = work
        if work.pool is None or work.pool.ask(request, work.plan.priority):
            self._put(Order.RESULT, AttemptStarts(request[0], request))

    def _let_go(self, request: Request) -> None:
        """An attempt is over: its worker, if any, takes the next."""
        work = self._running.pop(request, None)
        if work is not None and work.pool is not None:
            heir = work.pool.give_back(request)
            if heir is not None:
                self._put(Order.RESULT, AttemptStarts(heir[0], heir))

    def _start_attempt(self, case: SimulatedCase, request: Request) -> None:
        work = self._running.get(request)
        if work is None:
            return
        number, serial, attempt = request
        self._after(number, case, case.instance.activity_started(self.now, serial, attempt))
        if request not in self._running:
            return
        end = self.now + sampling.whole(work.duration(draws.draw(case.key, draws.DURATION, serial, attempt)))
        failure = -1
        if work.edges[-1] > 0.0:
            u = draws.draw(case.key, draws.ATTEMPT_FAILURE, serial, attempt)
            failure = next((k for k, edge in enumerate(work.edges) if u < edge), -1)
        if failure < len(work.edges) - 1:
            # The last way is never to report at all.
            self._calendar.put(end, Order.RESULT, AttemptEnds(number, request, failure))

    def _end_attempt(self, case: SimulatedCase, end: AttemptEnds) -> None:
        work = self._running.get(end.request)
        if work is None:
            return
        self._let_go(end.request)
        number, serial, attempt = end.request
        if end.failure >= 0:
            error = work.plan.failures[end.failure].error_type
            output = case.instance.activity_failed(self.now, serial, attempt, error)
        else:
            place = Place(case.key, draws.RESULT, serial, attempt)
            result = work.result.get(case.instance, place) if work.result else None
            output = case.instance.activity_succeeded(self.now, serial, attempt, result)
        self._after(number, case, output)
