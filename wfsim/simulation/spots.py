"""Where the surroundings draw for what a case does: under its name, and how many-th it is of that name (M11.3).

Activities and stays are numbered over the whole case, so that times decide which of two parallel branches has the lower
numbers. Nothing is drawn by them: what a state does is drawn under the state's path, at how often it was entered; an
activity of a transition under its own name and its region's, at how often it was run there; what a message starts under
the names of event and region, at how often the like was sent. So a change draws the same for all that it leaves as it
was, wherever that lies.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from wfsim.semantics.codes import ACTIVITY, FOR_EACH, IDLE, INVOKE, NONE, RUN_ACTIVITY, SEND
from wfsim.semantics.program import Program

from .sampling import name_key

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.layout import RecordRow

Spot: TypeAlias = tuple[int, int]
"""Which name of its workflow, and how many-th of that name."""

APART, NUMBERS = 2_654_435_769, 2**31 - 1
"""2^32 over the golden ratio, and a mask; see `item`."""


def item(nth: int, index: int) -> int:
    """The number of an item of the list of the `nth` entry of a state, from 0, or where `index` is -1 of the entry.

    No two of them meet of one entry, nor of one index; else they are millions of items apart (multiplicative hashing:
    Knuth, The Art of Computer Programming 3, section 6.4).
    """
    return (nth + (index + 1) * APART) & NUMBERS


class Names:
    """What the surroundings of a workflow draw for.

    Attributes
    ----------
    keys
        By name what tells its draws apart. The first stands for what has ended in the step in which it began.
    runs
        By name the row of what is run under it, or -1.
    states
        By row of a state its name, if anything is drawn there.
    calls
        By row of a region and of an activity that its transitions run; or that undoes what has run in the region,
        with `True`.
    sends
        By row of the event of an action that writes to a key, whose message may start an instance.
    flights
        By row of a region, which row of an instance is the work of its transition in flight.
    """

    def __init__(self, program: Program, planned: Container[int]) -> None:
        self._program = program
        self.keys, self.runs = [0], [NONE]
        self.states: dict[int, int] = {}
        self.calls: dict[tuple[int, int, bool], int] = {}
        self.sends: dict[int, int] = {}
        self._messages: dict[str, int] = {}
        rows = program.rows
        self.flights = {row: rows[row].flight_work for row in program.region_rows.values()}
        for path, row in program.state_rows.items():
            state = rows[row]
            works = state.work in (ACTIVITY, INVOKE, FOR_EACH)
            if works or row in planned:
                self.states[row] = self._add(f"state\n{path}", state.activity)
            if works:
                self._may_undo(state.region, state.activity)
            at_ends = range(state.first_entry, state.end_entry), range(state.first_exit, state.end_exit)
            self._note_sends(state.region, chain(*at_ends))
        for row in program.transitions:
            taken = rows[row]
            blocks = range(taken.first_pre, taken.end_pre), range(taken.first_post, taken.end_post)
            for at in chain(*blocks):
                action = rows[at]
                if action.action == RUN_ACTIVITY:
                    self._call(taken.region, action.activity, "activity")
                    self._may_undo(taken.region, action.activity)
            self._note_sends(taken.region, chain(*blocks))

    def _note_sends(self, region: int, actions: Iterable[int]) -> None:
        """Which messages actions of a region may send that may start an instance."""
        program = self._program
        for at in actions:
            action = program.rows[at]
            if action.action == SEND and action.key >= 0:
                name = f"message\n{program.name(action.event)}\n{program.name(region)}"
                if name not in self._messages:
                    self._messages[name] = self._add(name, NONE)
                self.sends[action.event] = self._messages[name]

    def _add(self, name: str, runs: int) -> int:
        self.keys.append(name_key(name))
        self.runs.append(runs)
        return len(self.keys) - 1

    def _call(self, region: int, activity: int, what: str) -> None:
        place = region, activity, what == "undoing"
        if place not in self.calls:
            name = self._program.name
            self.calls[place] = self._add(f"{what}\n{name(activity)}\n{name(region)}", activity)

    def _may_undo(self, region: int, run: int) -> None:
        undo = self._program.rows[run].undo
        if undo >= 0:
            self._call(region, undo, "undoing")


class Course:
    """What a case has done so far, as far as draws depend on it.

    Attributes
    ----------
    keys, named
        What tells the draws of names apart, and the names of states, by their rows.
    counts
        By name how often it was done; of a state that it is in, how many-th time it is there.
    """

    __slots__ = ("_calls", "_names", "counts", "keys", "named")

    def __init__(self, names: Names) -> None:
        self._names = names
        self.keys, self.named = names.keys, names.states
        self.counts = [0] * len(names.keys)
        # By region, how many-th call of its name the last was that its transition in flight has made.
        self._calls: dict[int, int] = {}

    def spot(self, instance: Instance, record: RecordRow) -> Spot:
        """Where is drawn for the attempt or the child that a record of the last step tells of."""
        region, names = record.region, self._names
        flight = instance.m[names.flights[region]]
        if flight.serial != record.activity_id or flight.phase == IDLE or record.activity < 0:
            name, index = self.named.get(record.state, 0), record.index
            return name, self.counts[name] if index < 0 else item(self.counts[name], index)
        undoes = flight.undoes >= 0
        of = instance.m[flight.undoes].region if undoes else region
        name = names.calls.get((of, record.activity, undoes), 0)
        if record.attempt == 1:
            self.counts[name] += 1
            self._calls[region] = self.counts[name]
        return name, self._calls.get(region, 0)

    def sent(self, event: int) -> Spot:
        """Where is drawn for what a message may start, by the event of its effect."""
        name = self._names.sends.get(event, 0)
        if name:
            self.counts[name] += 1
        return name, self.counts[name]
