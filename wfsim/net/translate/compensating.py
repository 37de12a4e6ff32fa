"""M9.1, M9.2 in the net: a compensation runs the compensators of what is in the log, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from .activities import Activities
from .changes import Change, Move, combinations, read, take
from .draft import NetDraft
from .log import Entry, Flight, Log
from .place_names import LOG, further_place, undo_prefix

MOST_ENDS = 256
"""Variants of the end of a compensation; beyond, it may end whatever is left in the log."""


@dataclass(frozen=True)
class Undoing:
    """Adds compensations to a draft."""

    draft: NetDraft
    activities: Activities
    log: Log

    def add(
        self, prefix: str, between: str, scope: str | None, source: str, flight: Flight
    ) -> tuple[list[Change], list[Change]]:
        """The compensators; at first a token lies in `between`.

        Returns the ways in which it ends: it goes on, and something could not be undone.
        """
        entries = self.log.within(scope)
        known = [*dict.fromkeys([*entries, *flight.tried])]
        # Where the flight has tried some, it goes on if it finds no other, and fails if it finds one and undoes that.
        after = further_place(prefix) if flight.tried else between
        places = list(dict.fromkeys([between, after]))
        for place in places:
            self.draft.place(place, source)
        # With several compensations at a time, whose try an entry remembers is left open.
        exact = not self.log.shared and 2 ** max(len(known), flight.n) <= MOST_ENDS
        for entry in entries:
            self._add_entry(prefix, places, entry, source, exact, again=entry not in flight.tried)
        if not exact:
            ends = [take(place) for place in places]
            return ends, ends
        well, badly = [], []
        for states in product(*(_left(entry, entry in entries) for entry in known)):
            failed = any(place == entry.tried for entry, place in zip(known, states))
            left = [
                Change({place: 1}, {entry.present: 1}) if place == entry.tried and not flight.goes_on else read(place)
                for entry, place in zip(known, states)
            ]
            if flight.tried and all(
                entry in flight.tried for entry, place in zip(known, states) if place == entry.tried
            ):
                well += combinations([[take(between)], *([each] for each in left)], 1) or []
            ways = combinations([[take(after)], *([each] for each in left)], 1) or []
            if failed:
                badly += ways
            else:
                well += ways
        return well, badly

    def _add_entry(
        self, prefix: str, places: Sequence[str], entry: Entry, source: str, exact: bool, *, again: bool
    ) -> None:
        """One compensator: it starts, undoes its entry, or fails and leaves it (M9.2).

        A token lies in the first of the places at first, in the last between two compensators.
        """
        own = undo_prefix(prefix, entry.name)
        label = f"{self.log.view.prefix}{entry.undo} for {entry.name}"
        for place in entry.places:
            self.draft.place(place, LOG)
        self.activities.add(own, entry.undo, source)

        def fire(what: str, takes: str, over: str, gives: str, after: str) -> None:
            self.draft.make(Move(Change({takes: 1, over: 1}, {gives: 1, after: 1}), f"{label} {what}", source))

        scheduled, well, badly = f"{own}.scheduled.1", f"{own}.succeeded", f"{own}.failed"
        between = places[-1]
        if self.log.may_share(entry):
            # Two may be undone at a time; what is left then is not counted.
            for place in places:
                fire("is called", place, entry.present, scheduled, entry.present)
            fire("has undone it", well, entry.present, between, entry.absent)
            fire("has undone one", well, entry.present, between, entry.present)
            fire("has undone it", well, entry.absent, between, entry.absent)
            fire("has failed", badly, entry.present, between, entry.present)
            fire("has failed", badly, entry.absent, between, entry.present)
            return
        for place in places:
            fire("is called", place, entry.present, scheduled, entry.undoing)
        fire("has undone it", well, entry.undoing, between, entry.absent)
        if entry.repeats:
            fire("has undone one", well, entry.undoing, between, entry.present)
        fire("has failed", badly, entry.undoing, between, entry.tried if exact else entry.present)
        if exact and again:
            # What a compensation that was ended meanwhile has tried is due again.
            for place in places:
                fire("is due again", place, entry.tried, place, entry.present)


def _left(entry: Entry, inside: bool) -> list[str]:
    """Where an entry may lie when a compensation ends; outside its scope some may have come anew."""
    return [entry.absent, entry.tried] if inside else [entry.absent, entry.tried, entry.present]
