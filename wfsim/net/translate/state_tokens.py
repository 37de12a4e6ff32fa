"""The tokens of an instance in a state: how they get in and out, and where an error waits to be offered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from wfsim.model.elements import State
from wfsim.model.expressions import is_template, parse_template
from wfsim.semantics.expression_code import can_raise

from .actions import inputs_raise
from .activities import Activities
from .draft import NetDraft
from .flat import FlatWorkflow
from .place_names import Tokens, attempt_place


@dataclass(frozen=True)
class StateTokens:
    """Knows the places of states.

    Attributes
    ----------
    erring
        Places where errors wait, with the state that is to be offered them.
    """

    flat: FlatWorkflow
    draft: NetDraft
    activities: Activities
    erring: dict[str, State] = field(default_factory=dict)

    def work_places(self, state: State) -> list[str]:
        """Places of the token that follows the state's activity; empty if it has none."""
        if state.activity is None:
            return []
        ends = [f"{state.name}.{end}" for end in ("succeeded", "failed", "ended")]
        return [*self.activities.open_places(state.name, state.activity.name), *ends]

    def add_work(self, state: State) -> None:
        """The state's activity runs."""
        if state.activity is not None:
            source = f"state {state.name}"
            self.activities.add(state.name, state.activity.name, source)
            self.draft.place(f"{state.name}.ended", source)

    def leave(self, state: State, control: str) -> Iterator[tuple[Tokens, Tokens]]:
        """Ways to take an instance out of a state, with its worker: one for each place of its activity's token.

        `control` is where the token of the instance itself lies.
        """
        if state.activity is None:
            yield {control: 1}, {}
            return
        for place in self.work_places(state):
            yield {control: 1, place: 1}, self.activities.worker(place, state.activity.name)

    def arrivals(self, state: State) -> Iterator[tuple[str, Tokens]]:
        """Ways to enter a state: its durations or its activity's input may raise (M10.3).

        Each is where the token of the instance itself comes to lie, and the token of its activity.
        """
        name = state.name
        controls = [name]
        deadlines = [state.timeout, *(each.transition.after for each in self.flat.leaving[name])]
        if any(isinstance(d, str) and is_template(d) and can_raise(parse_template(d)) for d in deadlines):
            controls.append(self.error_place(state, name))
        works: list[Tokens] = [{}]
        if state.activity is not None:
            works = [{attempt_place(name, "scheduled", 1): 1}]
            if inputs_raise(state.activity):
                works.append({f"{name}.failed": 1})
        for control in controls:
            for work in works:
                yield control, work

    def error_place(self, state: State, source: str) -> str:
        """Where an error of this source waits to be offered; sources that no transition names share a place."""
        named = any(each.trigger == f"error.{source}" for each in self.flat.leaving[state.name])
        which = source if named or source == "timeout" else "error"
        place = self.draft.place(f"{state.name}!{which}", f"state {state.name}")
        self.erring[place] = state
        return place
