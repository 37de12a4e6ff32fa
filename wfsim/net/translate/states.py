"""What can happen in a state: its end, timers, automatic transitions and its work; and the controls of M8."""

from __future__ import annotations

from wfsim.model.elements import Outcome

from .changes import Move, take
from .circles import states_on_circles
from .endings import Endings, work_sources
from .flights import Departure, Flights
from .place_names import CANCELLED, FAILED, TIMED_OUT
from .tokens import SETTLED, ErrorClass, Pin
from .views import StateView

_CONTROLS = {"cancel_requested": CANCELLED, "workflow_timeout": TIMED_OUT}


class States:
    """Adds the states of one instance to a draft, events from outside apart."""

    def __init__(self, flights: Flights, endings: Endings, completed: dict[Outcome, str], is_child: bool) -> None:
        self.flights = flights
        self.endings = endings
        self.tokens = flights.tokens
        self.draft = flights.draft
        self.view = flights.view
        self.completed = completed
        # Of a child its parent is told; of all others nothing would follow.
        self.runs_out = is_child and self.view.workflow.timeouts.workflow is not None

    def add(self) -> None:
        """Everything that can happen in the states, but for events and for errors that wait."""
        circling = states_on_circles(self.view, self.flights.log)
        for at in self.view.states:
            if at.state.is_terminal:
                if at.above is None:
                    goal = self.completed[at.state.outcome or Outcome.SUCCESS]
                    self.draft.fire(f"complete in {at.name}", at.source, {at.name: 1}, {goal: 1})
                continue
            leaving = dict.fromkeys(each.trigger for each in at.leaving)
            if self.runs_out and at.above is None:
                leaving.setdefault("workflow_timeout")
            for trigger in leaving:
                if trigger in _CONTROLS and self._can_occur(at, trigger):
                    self._add_control(at, trigger)
                elif trigger in ("timeout", "automatic") or at.is_timed(trigger):
                    self._add_trigger(at, trigger)
            self._add_timeout(at)
            if at in circling:
                self._add_too_long_chain(at)
            if sources := work_sources(at):
                self.endings.add_done(at)
                self.endings.add_work_error(at, sources)
        for each in self.view.transitions:
            if not each.origin.state.is_terminal:
                self.flights.add_waits(each)

    def _can_occur(self, at: StateView, trigger: str) -> bool:
        """M8.3: only the root region is offered controls."""
        by_time = self.view.workflow.timeouts.workflow is not None
        return at.above is None and (trigger != "workflow_timeout" or by_time)

    def _add_trigger(self, at: StateView, trigger: str) -> None:
        """`timeout`, `after`, automatic transitions."""
        if trigger == "timeout" and at.timeout is None:
            return
        from_outside = trigger != "automatic"
        departure = Departure(at, take(at.name), admit=SETTLED) if from_outside else Departure(at, take(at.name))
        self.flights.answer({trigger}, departure)

    def _add_control(self, at: StateView, trigger: str) -> None:
        """M8.3: a control that is taken, or a condition that raises, also in the middle of a flight.

        One that finds no transition closes the instance.
        """
        idle = Departure(at, take(at.name), admit=SETTLED)
        waiting = [
            Departure(at, flight, admit=SETTLED, busy=True)
            for flight in self.tokens.flights(at)
            if self.tokens.is_known(flight)
        ]
        for each in at.candidates({trigger}):
            for departure in (idle, *waiting):
                self.flights.take(each, departure)
        if not at.always_taken({trigger}):
            label = f"{trigger} finds nothing in {at.name}"
            goal = self.endings.closed[_CONTROLS[trigger]]
            for departure in (idle, *waiting):
                for way in self.tokens.leave(at, admit=SETTLED, busy=departure.busy):
                    self.draft.make(Move((departure.control & way).giving({goal: 1}), label, at.source))
        for departure in (idle, *waiting):
            for move in self.flights.condition_raises({trigger}, departure):
                self.draft.make(move)

    def _add_timeout(self, at: StateView) -> None:
        """M6.2: a timeout that no transition takes becomes an error."""
        if at.timeout is not None and not at.always_taken({"timeout"}):
            place = self.tokens.error_place(at, ErrorClass(at.state.name, timeout=True))
            self.draft.fire(f"timeout in {at.name}", at.source, {at.name: 1}, {place: 1})

    def _add_too_long_chain(self, at: StateView) -> None:
        """M2.6: where transitions that need nothing from outside form a circle, the chain may get too long."""
        label = f"the chain from {at.name} is too long"
        for way in self.tokens.leave_all(self.view.root, {at.region: Pin(at, take(at.name))}):
            self.draft.make(Move(way.giving({self.endings.closed[FAILED]: 1}), label, at.source))
