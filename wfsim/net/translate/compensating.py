"""M9.1, M9.2 in the net: a compensation runs the compensators of what is in the log, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from .activities import Activities
from .changes import Change, Move, combinations, read, take
from .draft import NetDraft
from .log import Entry, Log
from .place_names import LOG, undo_prefix

MOST_ENDS = 256
"""Variants of the end of a compensation; beyond, it may end whatever is left in the log."""


@dataclass(frozen=True)
class Undoing:
    """Adds compensations to a draft."""

    draft: NetDraft
    activities: Activities
    log: Log

    def add(self, prefix: str, between: str, scope: str | None, source: str) -> tuple[list[Change], list[Change]]:
        """The compensators; between two of them, and at first, a token lies in `between`.

        Returns the ways in which it ends: everything undone, and something that could not be.
        """
        entries = self.log.within(scope)
        self.draft.place(between, source)
        # With several compensations at a time, whose try an entry remembers is left open.
        exact = not self.log.shared and 2 ** len(entries) <= MOST_ENDS
        for entry in entries:
            self._add_entry(prefix, between, entry, source, exact)
        if not exact:
            return [take(between)], [take(between)]
        well = [take(between) & read(*(entry.absent for entry in entries))]
        badly = []
        for failed in product([False, True], repeat=len(entries)):
            if any(failed):
                ends = [
                    Change({entry.tried: 1}, {entry.present: 1}) if bad else read(entry.absent)
                    for entry, bad in zip(entries, failed)
                ]
                badly += combinations([[take(between)], *([end] for end in ends)], 1) or []
        return well, badly

    def _add_entry(self, prefix: str, between: str, entry: Entry, source: str, exact: bool) -> None:
        """One compensator: it starts, undoes its entry, or fails and leaves it (M9.2)."""
        own = undo_prefix(prefix, entry.name)
        label = f"{self.log.view.prefix}{entry.undo} for {entry.name}"
        for place in entry.places:
            self.draft.place(place, LOG)
        self.activities.add(own, entry.undo, source)

        def fire(what: str, takes: str, over: str, gives: str, after: str) -> None:
            self.draft.make(Move(Change({takes: 1, over: 1}, {gives: 1, after: 1}), f"{label} {what}", source))

        scheduled, well, badly = f"{own}.scheduled.1", f"{own}.succeeded", f"{own}.failed"
        if self.log.may_share(entry):
            # Two may be undone at a time; what is left then is not counted.
            fire("is called", between, entry.present, scheduled, entry.present)
            fire("has undone it", well, entry.present, between, entry.absent)
            fire("has undone one", well, entry.present, between, entry.present)
            fire("has undone it", well, entry.absent, between, entry.absent)
            fire("has failed", badly, entry.present, between, entry.present)
            fire("has failed", badly, entry.absent, between, entry.present)
            return
        fire("is called", between, entry.present, scheduled, entry.undoing)
        fire("has undone it", well, entry.undoing, between, entry.absent)
        if entry.repeats:
            fire("has undone one", well, entry.undoing, between, entry.present)
        fire("has failed", badly, entry.undoing, between, entry.tried if exact else entry.present)
        if exact:
            # What a compensation that was ended meanwhile has tried is due again.
            fire("is due again", between, entry.tried, between, entry.present)
