"""What instances have to do with each other and with the world: arrivals, children, letters.

The calendar in Python asks it; the compiled one is a twin of this (`compiled.arrivals`, `families`, `letters`). It
decides who starts and who is told; the calendar, its
`Stage`, has the time and the instances, and lets things happen. Children are instances of their own, whose random key
is a function of their parent's and of the activation that started them (M4.4). What their surroundings draw follows
from what they draw for the parent, from the state that runs the child and from how often it was entered (`spots`).
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from wfsim.errors import ScenarioError, StartRefused
from wfsim.semantics.codes import STOP_CHILD

from . import quick
from .arriving import Arrival, ArrivalStream, streams_of
from .calendar import (
    Arrives,
    ChildEnded,
    Happening,
    LetterComes,
    LetterReturns,
    Order,
    Overdue,
    Stops,
)
from .instances import Case, RunSummary
from .mail import Mail, letter_of
from .plans import Member
from .spots import Spot

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.layout import EffectRow
    from wfsim.semantics.post import Handling, Letter
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Effect

    from .scenario import Scenario
    from .traces import AskHistory

Birth: TypeAlias = Callable[[int, str, int | None, int | None], None]
"""Told of each instance that another one starts, before its first step: number, name, and of a child its parent's
number and the activation that started it."""

FIRST_CHILD = 2**30
"""What others start gets passing numbers from here on, in order of the starts; who keeps them gives lasting ones."""

MOST_AT_ONCE = 100_000
"""A closed population comes at most that many times more often at one moment than it has members, if time passes."""

ENDLESS_FAMILY = "no more instances are started here"
"""Why a letter comes back that would start one more of those."""

MOST_DEPTH, MOST_RELATIVES = 100, 100_000
"""How deep instances start each other, and how many one arrival sets going, before no more are started."""


class Entered(NamedTuple):
    """An instance has been let in; its first step, and what that brings about, follows."""

    number: int
    case: Case


class Stage(Protocol):
    """What a calendar lets `Relations` do."""

    @property
    def now(self) -> int:
        """Microseconds."""

    def new_number(self) -> int:
        """Of an instance that others start, from `FIRST_CHILD` on in order of the starts."""

    def put(self, time: int, order: Order, happening: Happening) -> None:
        """Let it happen at a time, in microseconds."""

    def enter(self, case: Case, inputs: Mapping[str, Any], parent: str | None) -> Instance:
        """Let an instance in with these inputs, whose first step follows; only its key is read of what is returned.

        Raises
        ------
        StartRefused
            For bad input (M7.2); nothing has happened then.
        """

    def announce(self, number: int, name: str, parent: int | None, activation: int | None) -> None:
        """Tell who wants to know it of what others start."""


class _Comes(NamedTuple):
    """The next arrival of a stream is to be put into the calendar."""

    stream: int


class _Child(NamedTuple):
    number: int
    case: Case
    parent: str
    inputs: Mapping[str, Any]


class _Sent(NamedTuple):
    sender: Case
    letter: Letter
    spot: Spot


def refused_inputs(refusal: StartRefused, inputs: Mapping[str, Any]) -> ScenarioError:
    """The error of an arrival that cannot start with what it comes with."""
    return ScenarioError(f"{refusal} The scenario's inputs: {', '.join(inputs) or 'none'}. Set it under 'inputs'.")


def refused_told(n: int, first: str) -> str:
    """What the notes say of arrivals that could not start."""
    return f"{n:,} arrivals were refused; the first: {first}"


def endless_told(case: str, n_relatives: int, depth: int) -> str:
    """What the notes say where instances start each other without end."""
    return (
        f"What case {case.split('/')[0].split(':')[0]} starts goes on without end: {n_relatives:,} "
        f"instances, {depth} deep. No more are started there, which counts as a failure. "
        "Look for workflows that run each other, or give the recursion an end."
    )


class Relations:
    """Arrivals, families and mail of one replication.

    Parameters
    ----------
    stage
        The calendar, which has them and not they it: nobody else would let go of a run's memory in time.
    members
        The workflows of the run, the root's first.
    summary
        Where it counts and notes.
    mail
        Letters, and who is found by which key, unless the stage knows.
    ask_history
        Asks histories for traces.

    Attributes
    ----------
    afterwards
        What follows once the effects of the step under way are carried out, in this order; see `follow`.
    n_sent
        Letters that reached somebody.
    """

    def __init__(
        self,
        stage: Stage,
        members: list[Member],
        scenario: Scenario,
        replication: int,
        summary: RunSummary,
        mail: Mail | None,
        ask_history: AskHistory,
    ) -> None:
        self._stage: Stage = weakref.proxy(stage)
        self._scenario = scenario
        self._replication = replication
        self._summary = summary
        self._root = members[0]
        self._mail = mail
        self._root_has_come = False
        self._most_relatives = False
        self._refused = ""
        # How many of closed populations have come at one moment.
        self._last_came, self._n_came = 0, 0
        self.afterwards: deque[_Comes | _Child | _Sent] = deque()
        self.n_sent = 0
        run_key = quick.mix_key(scenario.seed, replication, 0)
        self.streams: list[ArrivalStream] = streams_of(scenario, members, run_key, ask_history)

    def told(self) -> list[str]:
        """What to note at the end."""
        told = []
        if self._summary.n_refused:
            told.append(refused_told(self._summary.n_refused, self._refused))
        for stream in self.streams:
            told += stream.told()
        return told

    # --- arrivals --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Put the first arrival of each stream into the calendar."""
        for which, stream in enumerate(self.streams):
            for _ in range(stream.population or 1):
                self._expect(which, stream.take())

    def _expect(self, which: int, arrival: Arrival | None) -> None:
        horizon, stream = self._scenario.horizon, self.streams[which]
        if arrival is None:
            has_come = not (stream.population and stream.pending)
            self._root_has_come = self._root_has_come or (which == 0 and has_come)
        elif arrival.number >= FIRST_CHILD:
            raise stream.too_often(arrival.number)
        elif horizon is None or arrival.time <= horizon:
            self._stage.put(arrival.time, Order.EVENT, Arrives(which, arrival.number))

    def arrive(self, arrives: Arrives) -> Entered | None:
        """An arrival is due."""
        which = arrives.stream
        stream = self.streams[which]
        if stream.population:
            self._expect_time_to_pass(stream)
        if which and self._root_has_come and stream.limit is None and self._scenario.horizon is None:
            # Otherwise the run would never end.
            return None
        arrival = stream.pending.pop(arrives.number)
        if not arrives.waited and (stream.is_complete or not stream.population):
            self.afterwards.append(_Comes(which))
        return self._begin(which, stream, arrival) if stream.may_start(arrival) else None

    def _expect_time_to_pass(self, stream: ArrivalStream) -> None:
        now = self._stage.now
        self._last_came, self._n_came = now, self._n_came + 1 if now == self._last_came else 1
        if self._n_came > stream.population + MOST_AT_ONCE:
            raise stream.stands_still(self._n_came)

    def _begin(self, which: int, stream: ArrivalStream, arrival: Arrival) -> Entered | None:
        number, member = arrival.number, stream.member
        key = quick.mix_key(*((self._scenario.seed, self._replication) if which == 0 else (stream.key, 0)), number)
        case = Case(member, stream.name(number), key, key)
        inputs = {**stream.given(number, key), **arrival.inputs}
        try:
            taken = self._taken(member.program, inputs)
            instance = None if taken else self._stage.enter(case, inputs, None)
        except StartRefused as refusal:
            raise refused_inputs(refusal, inputs) from None
        if instance is None:
            self.count_refused(str(taken))
            if stream.population:
                self._expect(which, stream.again(number, self._stage.now))
            return None
        stream.started(arrival, case)
        if which == 0:
            self._summary.n_started += 1
        else:
            number = self._new_number(case)
            self._tell_birth(number, case)
        return self._opened(number, case, instance)

    def _taken(self, program: Program, inputs: Mapping[str, Any]) -> str | None:
        return None if self._mail is None else self._mail.taken(program, inputs)

    def count_refused(self, why: str) -> None:
        """M7.2: an arrival cannot start, and its number remains a gap."""
        self._summary.n_refused += 1
        self._refused = self._refused or why

    def _opened(self, number: int, case: Case, instance: Instance) -> Entered:
        """An instance is in: what has been kept for it follows."""
        if self._mail is not None:
            for letter in self._mail.opened(case.name, number, instance):
                self._soon(Order.EVENT, LetterComes(number, letter))
        return Entered(number, case)

    def _tell_birth(self, number: int, case: Case) -> None:
        born = (case.parent, case.activation) if case.parent else (None, None)
        self._stage.announce(number, case.name, *born)

    def _soon(self, order: Order, happening: Happening) -> None:
        """Let it happen in a later step, at the same time."""
        self._stage.put(self._stage.now, order, happening)

    # --- what follows a step ----------------------------------------------------------------------

    def start_child(self, parent: int, case: Case, row: EffectRow, effect: Effect, spot: Spot) -> None:
        """M4.4: a child gets its number at once; it starts when the step's effects have been carried out.

        `parent` is the number of the instance, `spot` where is drawn for the child.
        """
        activation, (which, nth) = effect.activity_id, spot
        name, key = f"{case.name}/{activation}", quick.mix_key(case.key, 0, activation)
        luck = quick.mix_key(case.luck ^ case.member.names.keys[which], 0, nth)
        child = Case(case.member.children[row.activity], name, key, luck, case, parent, activation)
        number = case.children[activation] = self._new_number(child)
        if self._too_many(child):
            self._tell_parent(child, "failed", None, {})
        else:
            self.afterwards.append(_Child(number, child, case.name, effect.input))

    def send(self, case: Case, effect: Effect, spot: Spot) -> None:
        """A message of an instance; `spot` is where is drawn for what it may start."""
        self.afterwards.append(_Sent(case, letter_of(case, effect), spot))

    def carry_out(self, case: Case, row: EffectRow, effect: Effect) -> None:
        """What else concerns others of a step of this instance: a child is to stop, or it is one and has closed."""
        if row.kind == STOP_CHILD:
            child = case.children.get(effect.activity_id)
            if child is not None:
                self._soon(Order.CONTROL, Stops(child, effect.reason == "terminate"))
        else:
            self._tell_parent(case, effect.status or "", effect.outcome, effect.output)

    def turn_back(self, case: Case, output: Output) -> None:
        """Letters that a step of this instance has turned away go back."""
        if self._mail is not None:
            for letter, reason in self._mail.returned(case.name, case.member, output):
                self._send_back(letter, reason)

    def closed(self, case: Case) -> None:
        """An instance has closed."""
        case.is_open = False
        if self._mail is not None:
            self._mail.closed(case.name)
        for which, stream in enumerate(self.streams):
            waited = stream.released(case) if stream.schedules else None
            if waited is not None:
                self._soon(Order.EVENT, Arrives(which, waited.number, waited=True))
            number = stream.present.pop(case.name, None)
            if number is not None:
                self._expect(which, stream.again(number, self._stage.now))

    def given_up(self, case: Case) -> None:
        """An instance has taken too many steps: it is gone, but has not closed."""
        if self._mail is not None:
            self._mail.lost(case.name)

    def follow(self) -> Entered | None:
        """Do what comes first `afterwards`."""
        what = self.afterwards.popleft()
        if isinstance(what, _Comes):
            self._expect(what.stream, self.streams[what.stream].take())
            return None
        return self._begin_child(what) if isinstance(what, _Child) else self._post_letter(what)

    # --- what comes from others ------------------------------------------------------------------

    def deliver(self, case: Case, instance: Instance, what: Happening) -> Output:
        """Let what others did reach an open instance."""
        now = self._stage.now
        match what:
            case ChildEnded():
                return instance.child_closed(now, what.activation, what.status, what.outcome, what.result)
            case LetterComes(_, letter):
                self._post.hand_over(case.name, letter)
                self.n_sent += 1
                return instance.event(now, letter.event, letter.payload, letter.id, letter.sender)
            case LetterReturns(_, letter, reason):
                return instance.message_returned(now, letter.number, reason)
            case Stops():
                return instance.control(now, "terminate" if what.terminate else "cancel", None, "parent")
        raise AssertionError(f"{what} comes from no other instance")

    def too_late(self, what: Happening) -> None:
        """What it was for is not open any more."""
        if isinstance(what, LetterComes):
            self._send_back(what.letter, "closed")

    def overdue(self, letter: Letter) -> None:
        """A letter that nobody has come for in time goes back."""
        if self._post.expires(letter):
            self._send_back(letter, "expired")

    def is_kept(self, letter: Letter) -> bool:
        """Whether nobody has come for a letter yet."""
        return self._post.keeps(letter)

    # --- families --------------------------------------------------------------------------------

    def _begin_child(self, born: _Child) -> Entered | None:
        child = born.case
        try:
            taken = self._taken(child.member.program, born.inputs)
            instance = None if taken else self._stage.enter(child, born.inputs, born.parent)
        except StartRefused:
            instance = None
        if instance is None:
            # M7.2: nothing has started; its parent takes that for a failure.
            self._tell_parent(child, "failed", None, {})
            return None
        self._tell_birth(born.number, child)
        return self._opened(born.number, child, instance)

    def _tell_parent(self, child: Case, status: str, outcome: str | None, result: Mapping[str, Any]) -> None:
        """M6.3: how a child ended comes with the results, in a later step."""
        self._soon(Order.RESULT, ChildEnded(child.parent, child.activation, status, outcome, result))

    def _new_number(self, case: Case) -> int:
        case.relatives[0] += 1
        return self._stage.new_number()

    def _too_many(self, case: Case) -> bool:
        """Whether instances start each other without end; the notes then say so, once."""
        if case.depth <= MOST_DEPTH and case.relatives[0] <= MOST_RELATIVES:
            return False
        if not self._most_relatives:
            self._most_relatives = True
            self._summary.complete = False
            self._summary.notes.append(endless_told(case.name, case.relatives[0], case.depth))
        return True

    # --- messages --------------------------------------------------------------------------------

    @property
    def _post(self) -> Mail:
        assert self._mail is not None, "a workflow that sends has mail"
        return self._mail

    def _post_letter(self, sent: _Sent) -> Entered | None:
        """M7.3: what the post office says is done in a later step, at the same time."""
        letter = sent.letter
        handling = self._post.send(letter, self._stage.now, sent.sender.member.program)
        if handling.what == "start":
            return self._begin_by(sent, handling)
        if handling.what == "deliver":
            self._soon(Order.EVENT, LetterComes(self._post.number(handling.receiver), letter))
        elif handling.what == "keep":
            self._stage.put(handling.until, Order.TIMER, Overdue(letter))
        else:
            self._send_back(letter, handling.reason)
        return None

    def _begin_by(self, sent: _Sent, handling: Handling) -> Entered | None:
        """An instance that a message starts, and gets after what has been kept for it."""
        letter, sender, (which, nth) = sent.letter, sent.sender, sent.spot
        luck = quick.mix_key(sender.luck ^ sender.member.names.keys[which], 1, nth)
        key = quick.mix_key(sender.key, 1, letter.number)
        case = Case(self._post.members[handling.workflow], letter.id, key, luck, sender)
        number = self._new_number(case)
        if self._too_many(case):
            self._send_back(letter, ENDLESS_FAMILY)
            return None
        instance = self._stage.enter(case, handling.inputs, None)
        self._tell_birth(number, case)
        entered = self._opened(number, case, instance)
        self._soon(Order.EVENT, LetterComes(number, letter))
        return entered

    def _send_back(self, letter: Letter, reason: str) -> None:
        """Returned messages are recorded at their senders, as long as these are open."""
        number = self._post.number(letter.sender)
        if number:
            self._soon(Order.EVENT, LetterReturns(number, letter, reason))
