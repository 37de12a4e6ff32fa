"""What can happen in a state: its end, events, timers and automatic transitions; and the controls of M8."""

from __future__ import annotations

from wfsim.model.elements import State

from .actions import states_on_circles
from .endings import add_done, add_work_error
from .flat import FlatWorkflow
from .flights import Departure, Flights
from .place_names import CANCELLED, FAILED, TIMED_OUT, total

_CONTROLS = {"cancel_requested": CANCELLED, "workflow_timeout": TIMED_OUT}


def add_states(flights: Flights) -> None:
    """Everything that can happen in the states, but for errors that wait."""
    flat, draft = flights.flat, flights.draft
    circling = states_on_circles(flat)
    for state in flat.states.values():
        if state.is_terminal:
            draft.fire(f"complete in {state.name}", f"state {state.name}", {state.name: 1}, {draft.final: 1})
            continue
        for trigger in dict.fromkeys(each.trigger for each in flat.leaving[state.name]):
            if _can_occur(flat, state, trigger):
                _add_trigger(flights, state, trigger)
        _add_timeout(flights, state)
        if state.name in circling:
            _add_too_long_chain(flights, state)
        add_done(flights, state)
        add_work_error(flights, state)
        for each in flat.leaving[state.name]:
            flights.add_waits(each)


def _can_occur(flat: FlatWorkflow, state: State, trigger: str) -> bool:
    """Whether something outside, or the passing of time, can set off transitions on this trigger here."""
    if trigger in ("done", "error") or trigger.startswith("error."):
        return False
    if trigger == "timeout":
        return flat.timeout_of(state) is not None
    return trigger != "workflow_timeout" or flat.workflow.timeouts.workflow is not None


def _add_trigger(flights: Flights, state: State, trigger: str) -> None:
    """Events, `after`, automatic transitions; M8.3: handled controls also take an instance out of a flight."""
    for each in flights.flat.candidates(state, {trigger}):
        flights.take(each, Departure(state.name))
        if trigger in _CONTROLS:
            for departure in flights.waiting_in(state):
                flights.take(each, departure)
    if trigger in _CONTROLS:
        _add_unhandled_control(flights, state, trigger)
    flights.condition_raises(state, {trigger}, Departure(state.name))


def _add_unhandled_control(flights: Flights, state: State, trigger: str) -> None:
    """M8.3: a control that finds no transition closes; a condition that raises gives an error after the flight."""
    waiting = list(flights.waiting_in(state))
    if not flights.flat.always_taken(state, {trigger}):
        label = f"{trigger} finds nothing in {state.name}"
        for departure in (Departure(state.name), *waiting):
            for inputs, workers in flights.tokens.leave(state, departure.control):
                outputs = total({_CONTROLS[trigger]: 1}, departure.workers, workers)
                flights.draft.fire(label, f"state {state.name}", inputs, outputs)
    for departure in waiting:
        flights.condition_raises(state, {trigger}, departure)


def _add_timeout(flights: Flights, state: State) -> None:
    """M6.2: a timeout that no transition takes becomes an error."""
    if flights.flat.timeout_of(state) is not None and not flights.flat.always_taken(state, {"timeout"}):
        place = flights.tokens.error_place(state, "timeout")
        flights.draft.fire(f"timeout in {state.name}", f"state {state.name}", {state.name: 1}, {place: 1})


def _add_too_long_chain(flights: Flights, state: State) -> None:
    """M2.6: where transitions that need nothing from outside form a circle, the chain may get too long."""
    label = f"the chain from {state.name} is too long"
    for inputs, workers in flights.tokens.leave(state, state.name):
        flights.draft.fire(label, f"state {state.name}", inputs, {FAILED: 1} | workers)
