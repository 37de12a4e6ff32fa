"""M3 in the net: taking transitions, with the waits of their actions before and after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from wfsim.model.elements import ActivityAction, State

from .actions import outcomes
from .activities import Activities
from .draft import NetDraft
from .flat import FlatWorkflow, NumberedTransition
from .place_names import Tokens, When, total
from .state_tokens import StateTokens


@dataclass(frozen=True)
class Departure:
    """The tokens with which an instance sets out on a transition.

    Attributes
    ----------
    control
        Where the token of the instance itself lies.
    ended
        Where that of its activity lies, if it is taken along: the activity has ended.
    workers
        Workers that this sets free.
    """

    control: str
    ended: str | None = None
    workers: Tokens = field(default_factory=dict)

    @property
    def inputs(self) -> Tokens:
        """All that it takes."""
        return {self.control: 1} | ({} if self.ended is None else {self.ended: 1})

    def stays(self, state: str) -> Tokens:
        """What lies beside the token of the instance itself where the state is not left."""
        return ({} if self.ended is None else {f"{state}.ended": 1}) | self.workers


@dataclass(frozen=True)
class Flights:
    """Adds transitions of the workflow to a draft."""

    flat: FlatWorkflow
    draft: NetDraft
    activities: Activities
    tokens: StateTokens

    def take(self, transition: NumberedTransition, departure: Departure, first: int = 0) -> None:
        """Run the pre-actions from `first` on, up to a wait, an error, or the commit."""
        state = self.flat.states[transition.transition.from_]
        stays = departure.stays(state.name)
        for outcome in outcomes(self.flat, transition, "pre", first):
            if outcome.kind == "wait":
                self._fire(transition, " begins", departure.inputs, {outcome.place: 1} | stays)
            elif outcome.kind == "error":
                place = self.tokens.error_place(state, outcome.source)
                self._fire(transition, " is aborted", departure.inputs, {place: 1} | stays)
            else:
                self._commit(transition, departure)

    def condition_raises(self, state: State, triggers: set[str], departure: Departure) -> None:
        """M2.5: a condition that raises gives its state an error."""
        if any(each.condition_raises for each in self.flat.candidates(state, triggers)):
            place = self.tokens.error_place(state, state.name)
            label = f"a condition on {' or '.join(sorted(triggers))} raises in {state.name}"
            outputs = {place: 1} | departure.stays(state.name)
            self.draft.fire(label, f"state {state.name}", departure.inputs, outputs)

    def add_waits(self, transition: NumberedTransition) -> None:
        """M3.2: the waits of a transition, before the commit in the source and after it in the target."""
        ends, target = transition.transition, self.flat.states[transition.target]
        for k, prefix, action in self._activities(transition, "pre"):
            succeeded, failed = Departure(f"{prefix}.succeeded"), Departure(f"{prefix}.failed")
            self.activities.add(prefix, action.name, transition.source)
            self.take(transition, succeeded, k + 1)
            if action.on_failure == "ignore":
                self.take(transition, failed, k + 1)
            else:
                place = self.tokens.error_place(self.flat.states[ends.from_], action.name)
                self._fire(transition, " is aborted", failed.inputs, {place: 1})
        for k, prefix, action in self._activities(transition, "post"):
            self.activities.add(prefix, action.name, transition.source)
            going_on = [f"{prefix}.succeeded"]
            if action.on_failure == "ignore":
                going_on.append(f"{prefix}.failed")
            else:
                place = self.tokens.error_place(target, action.name)
                label = f"{action.name} fails after {ends}"
                self.draft.fire(label, transition.source, {f"{prefix}.failed": 1}, {place: 1})
            for end in going_on:
                label = f"{action.name} is over, {ends} goes on"
                for control in self._after_commit(transition, target.name, k + 1):
                    self.draft.fire(label, transition.source, {end: 1}, {control: 1})

    def waiting_in(self, state: State) -> Iterator[Departure]:
        """Instances that are in this state and wait in a transition, with the workers they hold."""
        for each in self.flat.leaving[state.name]:
            yield from self._waiting(each, "pre")
        for each in self.flat.transitions:
            if each.target == state.name:
                yield from self._waiting(each, "post")

    def _waiting(self, transition: NumberedTransition, when: When) -> Iterator[Departure]:
        for _, prefix, action in self._activities(transition, when):
            for place in self.activities.open_places(prefix, action.name):
                yield Departure(place, workers=self.activities.worker(place, action.name))

    def _activities(self, transition: NumberedTransition, when: When) -> Iterator[tuple[int, str, ActivityAction]]:
        """Actions that wait for an activity: number, what their places begin with, and the action."""
        ends = transition.transition
        for k, action in enumerate(ends.pre_actions if when == "pre" else ends.post_actions):
            if isinstance(action, ActivityAction):
                yield k, transition.prefix(when, k), action

    def _commit(self, transition: NumberedTransition, departure: Departure) -> None:
        """M3.8: leave, enter, and post-actions up to a wait, an error or the end."""
        ends = transition.transition
        if ends.to is None:
            for control in self._after_commit(transition, ends.from_):
                self._fire(transition, "", departure.inputs, {control: 1} | departure.stays(ends.from_))
            return
        ways = [(departure.inputs, Tokens())]
        if departure.ended is None:
            ways = list(self.tokens.leave(self.flat.states[ends.from_], departure.control))
        for inputs, workers in ways:
            for arrived, work in self.tokens.arrivals(self.flat.states[ends.to]):
                for control in self._after_commit(transition, arrived):
                    outputs = total({control: 1}, work, workers, departure.workers)
                    self._fire(transition, "", inputs, outputs)

    def _after_commit(self, transition: NumberedTransition, arrived: str, first: int = 0) -> list[str]:
        """Where the token comes to lie once the post-actions from `first` on have run: at their end, in `arrived`."""
        target = self.flat.states[transition.target]
        found = []
        for outcome in outcomes(self.flat, transition, "post", first):
            if outcome.kind == "wait":
                found.append(outcome.place)
            elif outcome.kind == "error":
                found.append(self.tokens.error_place(target, outcome.source))
            else:
                found.append(arrived)
        return list(dict.fromkeys(found))

    def _fire(self, transition: NumberedTransition, what: str, inputs: Tokens, outputs: Tokens) -> None:
        self.draft.fire(f"{transition.label}{what}", transition.source, inputs, outputs)
