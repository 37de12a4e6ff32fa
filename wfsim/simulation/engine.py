"""The calendar around `step`: arrivals, events, workers and timers of many instances, in simulated time.

Calendar entries are ordered by (time, class, serial); the classes are those of M6.3. Every random number is a
draw at its own place (M11.3): arrivals at (run, number), inputs at (case, input), events at (case, activation,
count), durations and failures at (case, activity serial, attempt). So neither the order of execution nor the
number of cases changes what one case draws. Children are instances of their own, whose random key is a function of
their parent's and of the activation that started them (M4.4).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from wfsim.errors import ScenarioError, StartRefused
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
from wfsim.semantics.post import Handling, Letter
from wfsim.semantics.program import Program
from wfsim.semantics.records import Effect, effects_of

from . import sampling
from .arriving import Arrival, ArrivalStream, streams_of
from .instances import RunSummary, SimulatedCase, open_told, rejections_told
from .mail import Mail, uses_mail
from .plans import Member, Work, members_of
from .pools import Request, WorkerPool
from .scenario import Scenario

Sink: TypeAlias = Callable[[int, Instance, Output], None]
"""Takes the output of each step: case number, the instance after the step, what the step put out."""

Birth: TypeAlias = Callable[[int, str, int | None, int | None], None]
"""Told of each instance that another one starts, before its first step: number, name, and of a child its parent's
number and the activation that started it."""

FIRST_CHILD = 2**30
"""What others start gets passing numbers from here on, in order of the starts; who keeps them gives lasting ones."""

# Classes of calendar entries at equal times (M6.3).
CONTROLS, RESULTS, EVENTS, TIMERS, WORKFLOW_TIMER = range(5)
# Entries.
ARRIVES, STARTS, ENDS, EVENT, TIMER, CHILD_ENDS, STOPS, LETTER, RETURNED, OVERDUE = range(10)

MOST_STEPS = 100_000
MOST_DEPTH, MOST_RELATIVES = 100, 100_000
"""How deep instances start each other, and how many one arrival sets going, before no more are started."""


class Simulation:
    """One replication of a scenario.

    Parameters
    ----------
    program, scenario
        What runs, and what its surroundings do.
    seed, replication
        Select all random numbers.
    cases, horizon
        How many instances arrive at most, and when to stop (microseconds); at least one is finite.
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
        seed: int,
        replication: int,
        cases: int | None,
        horizon: int | None,
        sink: Sink,
        birth: Birth | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.replication = replication
        self.limit = cases
        self.horizon = horizon
        self.sink = sink
        self.birth = birth
        self.progress = progress
        self.summary = RunSummary()
        self.cases: dict[int, SimulatedCase] = {}
        self.now = 0
        self._calendar: list[tuple[int, int, int, int, int, tuple[int, ...]]] = []
        self._serial = 0
        self._run_key = draws.mix_key(seed, replication, 0)
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
        self._endings: dict[int, tuple[str, str | None, Mapping[str, Any]]] = {}
        self._most_relatives = False
        self._sent = 0
        self._rejected: dict[tuple[Member, int, int], int] = {}
        self._streams = streams_of(scenario, members, self.limit, self._run_key)

    def run(self) -> RunSummary:
        """Run to the end; an interruption (Ctrl-C) ends it early, and the summary says so."""
        summary = self.summary
        try:
            for which in range(len(self._streams)):
                self._next_arrival(which)
            while self._calendar:
                time, _, _, what, case, details = heapq.heappop(self._calendar)
                if self.horizon is not None and time > self.horizon:
                    break
                self.now = time
                self._happen(what, case, details)
                while self._births:
                    self._births.popleft()()
        except KeyboardInterrupt:
            summary.complete = False
            summary.notes.append("The run was interrupted; the history holds what happened until then.")
        summary.end_time = self.now
        summary.notes += rejections_told(self._rejected, self._sent, self.root)
        if summary.n_refused:
            summary.notes.append(f"{summary.n_refused:,} arrivals were refused; the first: {self._refused}")
        for stream in self._streams:
            summary.notes += stream.told()
        if not self._calendar:
            summary.notes += open_told(list(self.cases.values()), self.root)
        return summary

    # --- the calendar ----------------------------------------------------------------------------

    def _put(self, time: int, order: int, what: int, case: int, *which: int) -> None:
        """Something of kind `what` will happen to a case; the numbers behind say which, as `_happen` reads them."""
        self._serial += 1
        heapq.heappush(self._calendar, (time, order, self._serial, what, case, which))

    def _happen(self, what: int, number: int, which: tuple[int, ...]) -> None:
        if what == ARRIVES:
            stream, arrival, waited = which
            self._arrive(stream, arrival, waited)
            return
        if what == OVERDUE:
            for letter in self._post.overdue(self.now):
                self._send_back(letter, "expired")
            return
        case = self.cases.get(number)
        if case is None:
            if what == CHILD_ENDS:
                _, child = which
                del self._endings[child]
            elif what == LETTER:
                (kept,) = which
                self._send_back(self._post.letters.pop(kept)[0], "closed")
            return
        instance = case.instance
        if what == TIMER:
            # A timer that was dropped or set anew since then leaves its entry behind.
            place, timer_id = which
            if instance.runs_timer(place, timer_id):
                self._after(number, case, instance.timer_fired(self.now, place, timer_id))
        elif what == EVENT:
            region, activation, count, plan = which
            self._deliver(number, case, region, activation, count, plan)
        elif what == STARTS:
            serial, attempt = which
            self._start_attempt(number, case, serial, attempt)
        elif what == CHILD_ENDS:
            activation, child = which
            self._after(number, case, instance.child_closed(self.now, activation, *self._endings.pop(child)))
        elif what == LETTER:
            (kept,) = which
            letter = self._post.hand_over(case.name, kept)
            self._sent += 1
            self._after(number, case, instance.event(self.now, letter.event, letter.payload, letter.id, letter.sender))
        elif what == RETURNED:
            (kept,) = which
            letter, reason = self._post.letters.pop(kept)
            self._after(number, case, instance.message_returned(self.now, letter.number, reason))
        elif what == STOPS:
            (terminates,) = which
            command = "terminate" if terminates else "cancel"
            self._after(number, case, instance.control(self.now, command, None, "parent"))
        else:
            serial, attempt, way = which
            self._end_attempt(number, case, serial, attempt, way)

    def _after(self, number: int, case: SimulatedCase, output: Output) -> None:
        """Hand the step's output on, then carry out its effects."""
        case.steps += 1
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
                order = WORKFLOW_TIMER if effect.timer == case.member.program.head.first_timer else TIMERS
                self._put(effect.due, order, TIMER, number, effect.timer, effect.id)
            elif effect.kind == START_ATTEMPT:
                self._request(case.member, number, effect.activity, effect.activity_id, effect.attempt)
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
                    self._tell_parent(number, case, named[k].status or "", named[k].outcome, named[k].output)
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
            self.summary.notes.append(
                f"Case {case.name} took {MOST_STEPS:,} steps and was given up in state {instance.state!r}: "
                "it may never end. Look for a loop, or give a horizon."
            )
            return
        for record in output.records:
            if record.kind == R_STATE_ENTERED or (record.kind == R_TRANSITION and record.to_state >= 0):
                self._plan_event(number, case, record.region, record.activation, 0)
        if case.unfinished:
            self._resume_plans(number, case)

    # --- arrivals --------------------------------------------------------------------------------

    def _next_arrival(self, which: int) -> None:
        arrival = self._streams[which].take()
        if arrival is None:
            self._root_has_come = self._root_has_come or which == 0
        elif self.horizon is None or arrival.time <= self.horizon:
            self._put(arrival.time, EVENTS, ARRIVES, 0, which, arrival.number, 0)

    def _arrive(self, which: int, number: int, waited: int) -> None:
        stream = self._streams[which]
        if which and self._root_has_come and stream.limit is None and self.horizon is None:
            # Otherwise the run would never end.
            return
        arrival = stream.pending.pop(number)
        if stream.may_start(arrival):
            self._begin(which, stream, arrival)
        if not waited:
            self._next_arrival(which)

    def _begin(self, which: int, stream: ArrivalStream, arrival: Arrival) -> None:
        number = arrival.number
        key = draws.mix_key(self.seed, self.replication, number) if which == 0 else draws.mix_key(stream.key, 0, number)
        workflow = stream.member.program.workflow.name
        case = SimulatedCase(stream.member, str(number) if which == 0 else f"{workflow}-{number}", key)
        inputs = {
            name: plan.get(case.instance, key, draws.INPUT, k, 0, number)
            for k, (name, plan) in enumerate(stream.inputs)
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
                self._put(self.now, EVENTS, LETTER, number, self._mail.keep(letter))
        self._after(number, case, output)

    # --- what instances start ---------------------------------------------------------------------

    def _conceive(self, parent: int, case: SimulatedCase, member: Member, effect: Effect) -> None:
        """M4.4: a child gets its number at once; it starts when the step's effects have been carried out."""
        activation = effect.activity_id
        name, key = f"{case.name}/{activation}", draws.mix_key(case.key, 0, activation)
        child = SimulatedCase(member, name, key, case, parent, activation)
        number = case.children[activation] = self._new_number(case)
        if self._too_many(child):
            self._tell_parent(number, child, "failed", None, {})
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
            self._tell_parent(number, child, "failed", None, {})
            return
        if self.birth is not None:
            self.birth(number, child.name, child.parent, child.activation)
        self._opened(number, child, output, parent)

    def _stop(self, child: int | None, policy: str | None) -> None:
        if child is not None:
            self._put(self.now, CONTROLS, STOPS, child, policy == "terminate")

    def _closed(self, number: int, case: SimulatedCase) -> None:
        del self.cases[number]
        if self._mail is not None:
            self._mail.closed(case.name)
        for which, stream in enumerate(self._streams):
            waited = stream.released(case) if stream.schedules else None
            if waited is not None:
                self._put(self.now, EVENTS, ARRIVES, 0, which, waited.number, 1)
        if number < FIRST_CHILD:
            self.summary.n_closed += 1
            if self.progress is not None:
                self.progress(self.summary.n_closed)

    def _tell_parent(
        self, number: int, child: SimulatedCase, status: str, outcome: str | None, result: Mapping[str, Any]
    ) -> None:
        """M6.3: how a child ended comes with the results, in a later step."""
        self._endings[number] = (status, outcome, result)
        self._put(self.now, RESULTS, CHILD_ENDS, child.parent, child.activation, number)

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
            self._put(self.now, EVENTS, LETTER, self._post.number(handling.receiver), self._post.keep(letter))
        elif handling.what == "keep":
            self._put(handling.until, TIMERS, OVERDUE, 0)
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
        self._put(self.now, EVENTS, LETTER, number, self._post.keep(letter))
        self._opened(number, case, output)

    def _send_back(self, letter: Letter, reason: str) -> None:
        """Returned messages are recorded at their senders, as long as these are open."""
        number = self._post.number(letter.sender)
        if number:
            self._put(self.now, EVENTS, RETURNED, number, self._post.keep(letter, reason))

    # --- events ----------------------------------------------------------------------------------

    def _plan_event(self, number: int, case: SimulatedCase, region: int, activation: int, count: int) -> None:
        """Draw which event comes next to this stay in a state, and when."""
        cell = case.instance.m[case.member.program.rows[region].slot]
        if cell.phase != ACTIVE or cell.activation != activation:
            return
        plans = case.member.events.get(cell.state)
        if plans is None or count >= case.member.plan.patience:
            return
        which = 0
        if len(plans.plans) > 1:
            which = sampling.pick(plans.edges, draws.draw(case.key, draws.EVENT_CHOICE, activation, count))
        delay = plans.delays[which](draws.draw(case.key, draws.EVENT_DELAY, activation, count))
        self._put(self.now + int(delay), EVENTS, EVENT, number, region, activation, count, which)

    def _deliver(self, number: int, case: SimulatedCase, region: int, activation: int, count: int, which: int) -> None:
        """The event chosen by `_plan_event`, the `count`-th of this stay in the state, if that lasts."""
        instance = case.instance
        cell = instance.m[case.member.program.rows[region].slot]
        if cell.phase != ACTIVE or cell.activation != activation:
            return
        plans = case.member.events[cell.state]
        payload = {
            name: plan.get(instance, case.key, draws.PAYLOAD, activation << 8 | k, count)
            for k, (name, plan) in enumerate(plans.payloads[which])
        }
        case.unfinished[region] = (activation, count + 1)
        self._sent += 1
        self._after(number, case, instance.event(self.now, plans.plans[which].event, payload))

    def _resume_plans(self, number: int, case: SimulatedCase) -> None:
        """Where a delivered event left its state open, the surroundings try the next one."""
        for region, (activation, count) in list(case.unfinished.items()):
            cell = case.instance.m[case.member.program.rows[region].slot]
            if cell.phase != ACTIVE or cell.activation != activation:
                del case.unfinished[region]
            elif cell.flight_phase == GROUNDED and case.instance.status == "running":
                del case.unfinished[region]
                self._plan_event(number, case, region, activation, count)

    # --- workers ---------------------------------------------------------------------------------

    def _request(self, member: Member, number: int, activity: int, serial: int, attempt: int) -> None:
        work = member.works[activity]
        request = (number, serial, attempt)
        self._running[request] = work
        if work.pool is None or work.pool.ask(request, work.plan.priority):
            self._put(self.now, RESULTS, STARTS, number, serial, attempt)

    def _let_go(self, request: Request) -> None:
        """An attempt is over: its worker, if any, takes the next."""
        work = self._running.pop(request, None)
        if work is not None and work.pool is not None:
            heir = work.pool.give_back(request)
            if heir is not None:
                self._put(self.now, RESULTS, STARTS, heir[0], heir[1], heir[2])

    def _start_attempt(self, number: int, case: SimulatedCase, serial: int, attempt: int) -> None:
        work = self._running.get((number, serial, attempt))
        if work is None:
            return
        self._after(number, case, case.instance.activity_started(self.now, serial, attempt))
        if (number, serial, attempt) not in self._running:
            return
        end = self.now + int(work.duration(draws.draw(case.key, draws.DURATION, serial, attempt)))
        way = -1
        if work.edges[-1] > 0.0:
            u = draws.draw(case.key, draws.ATTEMPT_FAILURE, serial, attempt)
            way = next((k for k, edge in enumerate(work.edges) if u < edge), -1)
        if way == len(work.edges) - 1:
            return
        self._put(end, RESULTS, ENDS, number, serial, attempt, way)

    def _end_attempt(self, number: int, case: SimulatedCase, serial: int, attempt: int, way: int) -> None:
        work = self._running.get((number, serial, attempt))
        if work is None:
            return
        self._let_go((number, serial, attempt))
        instance = case.instance
        if way >= 0:
            output = instance.activity_failed(self.now, serial, attempt, work.plan.failures[way].error_type)
        else:
            plan = work.result
            result = plan.get(instance, case.key, draws.PAYLOAD, serial << 8 | 0xFF, attempt) if plan else None
            output = instance.activity_succeeded(self.now, serial, attempt, result)
        self._after(number, case, output)
