"""M3 in the net: taking transitions, with the waits of their actions before and after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wfsim.model.operations import Action

from .actions import Outcome, outcomes
from .activities import Activities
from .changes import NOTHING, Change, Move, read, take
from .compensating import Undoing
from .draft import NetDraft
from .log import Log
from .place_names import Tokens, When, total, undoing_place
from .tokens import ANYWHERE, Admit, Configurations, ErrorClass, Pin
from .views import NumberedTransition, RegionView, StateView, WorkflowView

Post = Callable[[tuple[tuple[str, str], ...]], list[Change]]
"""What becomes of the messages sent: each way that may go."""


@dataclass(frozen=True)
class Departure:
    """The tokens with which a region sets out on a transition.

    Attributes
    ----------
    at
        The active state.
    control
        Where the token of the region lies; what is given is set free, workers for instance.
    ended
        Where the token of the state's work lies, if it is taken along: the work has ended.
    below, restored
        Where the tokens lie of the inner regions from which an error has climbed, and what lies there if they stay.
    admit
        Which configurations inside the state allow this.
    busy
        Whether it breaks off another transition in flight.
    keeps
        An error that is still to be offered where the state is not left (M2.1); the control is its place.
    """

    at: StateView
    control: Change
    ended: str | None = None
    below: dict[RegionView, Pin] = field(default_factory=dict)
    restored: Tokens = field(default_factory=dict)
    admit: Admit = ANYWHERE
    busy: bool = False
    keeps: ErrorClass | None = None

    @property
    def pin(self) -> Pin:
        """The same seen from outside the region."""
        return Pin(self.at, self.control, self.ended)

    def stays(self) -> Change:
        """What changes beside the token of the region itself where the state is not left."""
        taken = total(*(total(pin.change.takes, _one(pin.ended)) for pin in self.below.values()))
        change = self.control & Change(taken, self.restored)
        if self.ended is None:
            return change
        # The others go on inside a parallel state that cannot be joined any more.
        unjoined = bool(self.at.inner) and self.ended.endswith(".failed")
        return change & Change({self.ended: 1}, {f"{self.at.name}.{'unjoined' if unjoined else 'ended'}": 1})


def _one(place: str | None) -> Tokens:
    return {} if place is None else {place: 1}


@dataclass(frozen=True)
class Flights:
    """Adds transitions of one instance to a draft."""

    view: WorkflowView
    draft: NetDraft
    activities: Activities
    log: Log
    tokens: Configurations
    undoing: Undoing
    post: Post

    def outcomes(self, transition: NumberedTransition, when: When, first: int = 0) -> Iterator[tuple[Outcome, Change]]:
        """What actions come to, with what becomes of the messages they send."""
        for outcome in outcomes(self.view, self.log, transition, when, first):
            for posted in self.post(outcome.sent) if outcome.sent else [NOTHING]:
                yield outcome, posted

    def take(self, transition: NumberedTransition, departure: Departure, first: int = 0) -> None:
        """Run the pre-actions from `first` on, up to a wait, an error, or the commit."""
        for move in self.moves(transition, departure, first):
            self.draft.make(move)

    def moves(self, transition: NumberedTransition, departure: Departure, first: int = 0) -> Iterator[Move]:
        """The net transitions for that."""
        from_outside = departure.admit.settled and not departure.busy
        for move in self._moves(transition, departure, first):
            if move.leaves or not from_outside:
                yield move
            else:
                yield from (move.under(noticed) for noticed in self.tokens.noticed(departure.at))

    def _moves(self, transition: NumberedTransition, departure: Departure, first: int) -> Iterator[Move]:
        at, stays, kept = departure.at, departure.stays(), departure.keeps
        for outcome, posted in self.outcomes(transition, "pre", first):
            if outcome.kind == "wait":
                for waits in self._waits(at, kept):
                    yield self._move(transition, " begins", stays.giving({outcome.place: 1}) & posted & waits)
            elif outcome.kind == "error":
                error = ErrorClass(outcome.source)
                # What was raised first is offered first.
                place = self.tokens.error_place(at, kept or error)
                for waits in self._waits(at, error if kept else None):
                    yield self._move(transition, " is aborted", stays.giving({place: 1}) & posted & waits)
            else:
                for move in self._commit(transition, departure):
                    yield move.under(posted)

    def condition_raises(self, triggers: set[str], departure: Departure) -> Iterator[Move]:
        """M2.5: a condition that raises gives its state an error."""
        at = departure.at
        if any(each.condition_raises for each in at.candidates(triggers)):
            place = self.tokens.own_error(at, at.state.name)
            label = f"a condition on {' or '.join(sorted(triggers))} raises in {at.name}"
            yield Move(departure.stays().giving({place: 1}), label, at.source)

    def answer(self, triggers: set[str], departure: Departure) -> None:
        """M2.3: whichever transition on these triggers is taken, or a condition that raises."""
        for each in departure.at.candidates(triggers):
            self.take(each, departure)
        for move in self.condition_raises(triggers, departure):
            self.draft.make(move)

    def add_waits(self, transition: NumberedTransition) -> None:
        """M3.2: the waits of a transition, before the commit in the source and after it in the target."""
        for k, action in enumerate(transition.transition.pre_actions):
            for name, ends in self._ends(transition, "pre", k, action):
                self._goes_on(transition, k, name, action.on_failure == "ignore", ends)
        for k, action in enumerate(transition.transition.post_actions):
            for name, ends in self._ends(transition, "post", k, action):
                self._goes_on_after(transition, k, name, action.on_failure == "ignore", ends)

    def _ends(
        self, transition: NumberedTransition, when: When, k: int, action: Action
    ) -> Iterator[tuple[str, tuple[list[Change], list[Change]]]]:
        """What an action waits for, if it does: the name of its errors, and how it ends, well or badly."""
        prefix = transition.prefix(when, k)
        if action.runs is not None:
            at = transition.origin if when == "pre" else transition.target
            self.activities.add(prefix, action.runs, transition.source, self.log.of(action.runs, at))
            yield action.runs, ([take(f"{prefix}.succeeded")], [take(f"{prefix}.failed")])
        elif action.undoes is not None and self.log.within(action.undoes.scope):
            place = undoing_place(prefix)
            flight = self.log.flight(transition, when, k)
            yield "compensate", self.undoing.add(prefix, place, action.undoes.scope, transition.source, flight)

    def _goes_on(
        self, transition: NumberedTransition, k: int, name: str, ignored: bool, ends: tuple[list[Change], list[Change]]
    ) -> None:
        """What follows an action before the commit, well or badly ended."""
        well, badly = ends
        for end in [*well, *(badly if ignored else [])]:
            self.take(transition, Departure(transition.origin, end), k + 1)
        for end in badly if not ignored else []:
            place = self.tokens.own_error(transition.origin, name)
            self.draft.make(self._move(transition, " is aborted", end.giving({place: 1})))

    def _goes_on_after(
        self, transition: NumberedTransition, k: int, name: str, ignored: bool, ends: tuple[list[Change], list[Change]]
    ) -> None:
        """What follows an action after the commit."""
        well, badly = ends
        named, whole = f"{self.view.prefix}{name}", transition.transition
        for end in [*well, *(badly if ignored else [])]:
            for after in self._after_commit(transition, transition.target.name, k + 1):
                self.draft.make(Move(end & after, f"{named} is over, {whole} goes on", transition.source))
        for end in badly if not ignored else []:
            place = self.tokens.own_error(transition.target, name)
            self.draft.make(Move(end.giving({place: 1}), f"{named} fails after {whole}", transition.source))

    def _commit(self, transition: NumberedTransition, departure: Departure) -> Iterator[Move]:
        """M3.8: leave, enter, and post-actions up to a wait, an error or the end."""
        at, kept = departure.at, departure.keeps
        if transition.transition.to is None:
            arrived = at.name if kept is None else self.tokens.error_place(at, kept)
            for after in self._after_commit(transition, arrived, kept=kept):
                yield self._move(transition, "", departure.stays() & after)
            return
        ways = self.tokens.leave(departure.at, departure.ended, departure.below, departure.admit, departure.busy)
        for way in ways:
            for arrived, inside in self.tokens.arrivals(transition.target):
                for after in self._after_commit(transition, arrived, inside=inside):
                    yield self._move(transition, "", departure.control & way & after, leaves=True)

    def _after_commit(
        self,
        transition: NumberedTransition,
        arrived: str,
        first: int = 0,
        inside: Tokens | None = None,
        kept: ErrorClass | None = None,
    ) -> Iterator[Change]:
        """The region's token once the post-actions from `first` on have run: at their end it lies in `arrived`.

        `inside` are the tokens that entering the target has put there, `kept` is an error that a state which is not
        left still has to be offered.
        """
        target, tokens = transition.target, inside or {}
        for outcome, posted in self.outcomes(transition, "post", first):
            if outcome.kind == "wait":
                # What was raised on entry waits.
                entering = kept is None and arrived != target.name
                waiting = self._error_waits(target, arrived, tokens) if entering else tokens
                for waits in self._waits(target, kept):
                    yield posted.giving({outcome.place: 1}, waiting) & waits
            elif outcome.kind == "error":
                error = ErrorClass(outcome.source)
                place = self.tokens.error_place(target, kept or error)
                for waits in self._waits(target, error if kept else None):
                    yield posted.giving({place: 1}, tokens) & waits
            else:
                yield posted.giving({arrived: 1}, tokens)

    def _waits(self, at: StateView, error: ErrorClass | None) -> list[Change]:
        """An error begins to wait at a busy region; several in one place are one."""
        if error is None:
            return [NOTHING]
        place = self.tokens.pending_place(at, error)
        if self.tokens.known is None:
            return [Change({}, {place: 1})]
        ways = [Change({self.tokens.no_pending(place): 1}, {place: 1}), read(place)]
        return [way for way in ways if self.tokens.is_known(way)]

    def _error_waits(self, target: StateView, arrived: str, inside: Tokens) -> Tokens:
        """The error that was raised on entry, and is about to be offered, waits for the post-actions."""
        place = self.tokens.pending_place(target, self.tokens.erring[arrived][1])
        none = self.tokens.no_pending(place)
        return {name: n for name, n in inside.items() if name != none} | {place: 1}

    def _move(self, transition: NumberedTransition, what: str, change: Change, *, leaves: bool = False) -> Move:
        return Move(change, f"{transition.label}{what}", transition.source, leaves)
