"""M2.3 in the net: one event reaches every region that listens, and what is inside goes first."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from .changes import NOTHING, Change, Move, read, take
from .flights import Departure, Flights
from .tokens import Admit
from .views import RegionView, StateView

MOST_READ = 24
"""Places in which a region may be found that does not take an event; with more, the net does not look."""


@dataclass(frozen=True)
class Answer:
    """What a region makes of an event: it takes it by `move`, or not, where `change` can happen."""

    change: Change = NOTHING
    move: Move | None = None


NOT_TAKEN = Answer()


def both(one: Answer, other: Answer) -> Answer:
    """The answers of two regions side by side."""
    if one.move is None or other.move is None:
        move = one.move or other.move
    else:
        move = one.move.beside(other.move)
    return Answer(one.change & other.change, move)


class Events:
    """Adds events from outside to a draft."""

    def __init__(self, flights: Flights, limit: int) -> None:
        self.flights = flights
        self.tokens = flights.tokens
        self.limit = limit

    def answers(self, event: str) -> list[Answer]:
        """Everything that the instance may make of an event."""
        return self._of_region(self.flights.view.root, event)

    def _of_region(self, region: RegionView, event: str) -> list[Answer]:
        if event not in region.heard:
            return [NOT_TAKEN]
        listens = event in region.listened
        found: list[Answer] = []
        for at in region.states.values():
            found += self._of_state(at, event, listens)
        taken = [answer for answer in found if answer.move is not None]
        if len(found) - len(taken) > MOST_READ:
            return [*taken, NOT_TAKEN]
        return found

    def _of_state(self, at: StateView, event: str, listens: bool) -> list[Answer]:
        inner = self._of_inner(at, event)
        if not listens:
            if inner != [NOT_TAKEN]:
                return inner
            # Wherever its token lies, if only in this state: it may be busy.
            controls = [each.change for each in self.tokens.controls(at) if each.kind != "error"]
            return [Answer(Change(each.takes, each.takes)) for each in controls]
        if not self.tokens.is_known(take(at.name)):
            return []
        # M2.2: a busy region holds the event.
        idle = read(at.name)
        found = [Answer(each.change & idle, each.move) for each in inner if each.move is not None]
        left_alone = [each for each in inner if each.move is None]
        departure = Departure(at, take(at.name), admit=Admit(settled=True, declines=event))
        moves = [move for each in at.candidates({event}) for move in self.flights.moves(each, departure)]
        moves += self.flights.condition_raises({event}, departure)
        for move in moves:
            # What leaves the state has looked at what is inside already.
            found += [Answer(NOTHING, move)] if move.leaves else [Answer(each.change, move) for each in left_alone]
        if not at.always_taken({event}):
            found += [Answer(each.change & idle) for each in left_alone]
        return found

    def _of_inner(self, at: StateView, event: str) -> list[Answer]:
        """What the regions inside a state make of it, together."""
        hearing = [self._of_region(region, event) for region in at.inner if event in region.heard]
        if not hearing:
            return [NOT_TAKEN]
        size = 1
        for each in hearing:
            size *= len(each)
        if size > self.limit * 16:
            # Too many to ask what each does that does not take the event.
            hearing = [[a for a in each if a.move is not None] + [NOT_TAKEN] for each in hearing]
        found: list[Answer] = []
        for combination in product(*hearing):
            together = NOT_TAKEN
            for answer in combination:
                together = both(together, answer)
            found.append(together)
        # Once they have been joined, nobody is left inside.
        joined = [f"{at.name}.ended", f"{at.name}.succeeded"]
        found += [Answer(read(place)) for place in joined if self.tokens.is_known(take(place))]
        return found
