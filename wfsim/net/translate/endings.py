"""M4 in the net: `done` and `error` are offered to the state; errors climb, and what nobody takes closes."""

from __future__ import annotations

from .changes import Change, Move, read, take
from .flights import Departure, Flights
from .place_names import FAILED, TIMED_OUT, Tokens, total
from .tokens import ErrorClass
from .views import StateView


class Endings:
    """Adds what becomes of `done` and `error` to a draft; `closed` says where an instance goes that closes."""

    def __init__(self, flights: Flights, closed: dict[str, str]) -> None:
        self.flights = flights
        self.tokens = flights.tokens
        self.draft = flights.draft
        self.closed = closed

    # --- done ---------------------------------------------------------------------------------------------

    def add_done(self, at: StateView) -> None:
        """M4.1: the `done` of the state's work is taken, or discarded and the state stays."""
        departure = Departure(at, take(at.name), ended=f"{at.name}.succeeded")
        self.flights.answer({"done"}, departure)
        if not at.always_taken({"done"}):
            change = departure.stays().giving({at.name: 1})
            self.draft.make(Move(change, f"done is discarded in {at.name}", at.source))

    # --- errors -------------------------------------------------------------------------------------------

    def add_work_error(self, at: StateView, sources: list[str]) -> None:
        """M4.2: the error of the state's work is handled, or climbs."""
        departure = Departure(at, take(at.name), ended=f"{at.name}.failed")
        for source in sources:
            self.offer(departure, ErrorClass(source), f"{source} fails {at.name}")

    def offer(self, departure: Departure, error: ErrorClass, label: str) -> None:
        """M4.2: an error is offered to the active state; it is taken there, or climbs."""
        at = departure.at
        triggers = {"error", f"error.{error.source}"}
        self.flights.answer(triggers, departure)
        if not at.always_taken(triggers):
            self._climb(departure, error, label)

    def _climb(self, departure: Departure, error: ErrorClass, label: str) -> None:
        """M4.2: to the state around; with none, the instance closes."""
        at, above = departure.at, departure.at.above
        if above is None:
            status = TIMED_OUT if error.timeout else FAILED
            for way in self.tokens.leave(at, departure.ended, departure.below):
                self.draft.make(Move((departure.control & way).giving({self.closed[status]: 1}), label, at.source))
            return
        below = {**departure.below, at.region: departure.pin}
        stays = departure.stays()
        restored = total(stays.gives, {at.name: 1})
        self.offer(Departure(above, take(above.name), below=below, restored=restored), error, label)
        # M2.2: a busy region is offered it later.
        place = self.tokens.pending_place(above, error)
        none = self.tokens.no_pending(place)
        for flight in self.tokens.flights(above):
            busy = Change(flight.takes, flight.takes)
            if self.tokens.is_known(busy):
                change = Change(stays.takes, restored) & busy
                text = f"an error of {at.name} waits for {above.name}"
                first = Change({} if self.tokens.known is None else {none: 1}, {place: 1})
                self.draft.make(Move(change & first, text, at.source))
                self.draft.make(Move(change & read(place), text, at.source))

    def add_waiting_errors(self) -> None:
        """Errors that wait, over all states: what raises one may stand elsewhere, and handling it may raise more."""
        offered: set[str] = set()
        while waiting := [place for place in self.tokens.erring if place not in offered]:
            for place in waiting:
                offered.add(place)
                self._add_waiting_error(*self.tokens.erring[place], place)

    def _add_waiting_error(self, at: StateView, error: ErrorClass, place: str) -> None:
        """M4.2: an error that waits in the state is handled, or climbs."""
        departure = Departure(at, take(place))
        for each in at.candidates({"automatic"}):
            self.flights.take(each, Departure(at, take(place), keeps=error))
        self._add_work_ends_first(at, error, place)
        closing = TIMED_OUT if error.timeout else FAILED
        self.offer(departure, error, f"{at.name} is {closing}")

    def _add_work_ends_first(self, at: StateView, error: ErrorClass, place: str) -> None:
        """M2.1: a `done` or `error` of the state's work may have been raised before the error in `place`.

        Its transition then goes first, while the other waits: forgotten where the state is left, and offered
        after all where the transition comes back to it.
        """
        sources = work_sources(at)
        if not sources:
            return
        ends = [("succeeded", {"done"}), ("failed", {"error", *(f"error.{source}" for source in sources)})]
        for end, triggers in ends:
            departure = Departure(at, take(place), ended=f"{at.name}.{end}", keeps=error)
            for each in at.candidates(triggers):
                self.flights.take(each, departure)
            if end == "succeeded" and not at.always_taken(triggers):
                change = departure.stays().giving({place: 1})
                self.draft.make(Move(change, f"{at.name} {end} before an error", at.source))

    def add_pending(self) -> None:
        """M2.2: an error that came while the region was busy is offered once it no longer is."""
        known = self.tokens.known
        offered: set[str] = set()
        while True:
            waiting = [
                (at, error, f"{at.name}^{error.key(at)}")
                for at in self.flights.view.states
                for error in self.tokens.pending.get(at.name, [])
                if f"{at.name}^{error.key(at)}" not in offered
            ]
            if not waiting:
                return
            for at, error, place in waiting:
                offered.add(place)
                none = self.tokens.no_pending(place)
                target = self.tokens.error_place(at, error)
                source, label = at.source, f"an error that waited is offered to {at.name}"
                gone: Tokens = {none: 1} if known is not None else {}
                self.draft.make(Move(Change({place: 1, at.name: 1}, {target: 1} | gone), label, source))
                # Several may have waited in one place.
                self.draft.make(Move(Change({place: 1, at.name: 1}, {target: 1, place: 1}), label, source))


def work_sources(at: StateView) -> list[str]:
    """What the errors of the state's work are called by; empty if it has none."""
    state = at.state
    if state.activity is not None:
        return [state.activity.name]
    if state.for_each is not None:
        return list(dict.fromkeys([state.for_each.activity or state.name, state.name]))
    if state.invoke is not None or at.inner:
        return [state.name]
    return []
