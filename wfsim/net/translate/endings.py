"""M4 in the net: `done` and `error` are offered to the state."""

from __future__ import annotations

from wfsim.model.elements import State

from .actions import comes_back
from .flights import Departure, Flights
from .place_names import FAILED, TIMED_OUT


def add_done(flights: Flights, state: State) -> None:
    """M4.1: the `done` of the state's activity is taken, or discarded and the state stays."""
    if state.activity is None:
        return
    name, flat = state.name, flights.flat
    departure = Departure(name, ended=f"{name}.succeeded")
    for each in flat.candidates(state, {"done"}):
        flights.take(each, departure)
    flights.condition_raises(state, {"done"}, departure)
    if not flat.always_taken(state, {"done"}):
        outputs = {name: 1} | departure.stays(name)
        flights.draft.fire(f"done is discarded in {name}", f"state {name}", departure.inputs, outputs)


def add_work_error(flights: Flights, state: State) -> None:
    """M4.2: the error of the state's activity is handled, or the instance fails."""
    if state.activity is None:
        return
    name, activity, flat = state.name, state.activity.name, flights.flat
    departure, triggers = Departure(name, ended=f"{name}.failed"), {"error", f"error.{activity}"}
    for each in flat.candidates(state, triggers):
        flights.take(each, departure)
    flights.condition_raises(state, triggers, departure)
    if not flat.always_taken(state, triggers):
        flights.draft.fire(f"{activity} fails {name}", f"state {name}", departure.inputs, {FAILED: 1})


def add_waiting_errors(flights: Flights) -> None:
    """Errors that wait, over all states: what raises one may stand elsewhere, and handling one may raise the next."""
    erring = flights.tokens.erring
    offered: set[str] = set()
    while waiting := [place for place in erring if place not in offered]:
        for place in waiting:
            offered.add(place)
            _add_waiting_error(flights, erring[place], place)


def _add_waiting_error(flights: Flights, state: State, place: str) -> None:
    """M4.2: an error that waits in the state is handled, or the instance fails."""
    name, flat = state.name, flights.flat
    source = place.removeprefix(f"{name}!")
    handled = False
    if not state.is_terminal:
        triggers = {"error", f"error.{name if source == 'timeout' else source}"}
        for each in (*flat.candidates(state, triggers), *flat.candidates(state, {"automatic"})):
            flights.take(each, Departure(place))
        flights.condition_raises(state, triggers, Departure(place))
        handled = flat.always_taken(state, triggers)
        _add_work_ends_first(flights, state, place)
    if not handled:
        closing = TIMED_OUT if source == "timeout" else FAILED
        for inputs, workers in flights.tokens.leave(state, place):
            flights.draft.fire(f"{name} is {closing}", f"state {name}", inputs, {closing: 1} | workers)


def _add_work_ends_first(flights: Flights, state: State, place: str) -> None:
    """M2.1: a `done` or `error` of the state's activity may have been raised before the error in `place`.

    Its transition then goes first, while the other waits: forgotten where the state is left, and offered
    after all where the transition comes back to it.
    """
    if state.activity is None:
        return
    name, flat = state.name, flights.flat
    for end, triggers in (("succeeded", {"done"}), ("failed", {"error", f"error.{state.activity.name}"})):
        departure = Departure(place, ended=f"{name}.{end}")
        first = flat.candidates(state, triggers)
        for each in first:
            flights.take(each, departure)
        discarded = end == "succeeded" and not flat.always_taken(state, triggers)
        if discarded or any(comes_back(flat, each) for each in first):
            outputs = {place: 1} | departure.stays(name)
            flights.draft.fire(f"{name} {end} before an error", f"state {name}", departure.inputs, outputs)
