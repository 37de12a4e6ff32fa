"""An engine that is told what came from outside in a simulation; what instances owe each other it finds by itself.

The engine is the real one on SQLite in memory: timers fire because their rows are due, attempts are taken and reported
as a worker does, and every stimulus is a transaction of its own. Children, their ends and stops, and letters happen
because an entry of the table of what is due says so; which one comes next is told, and has to be the one that is next
for its instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pytest

from tests.noted import Happened, Noted, PoolOpens, TimerDue
from wfsim.errors import CorrelationTaken
from wfsim.history.replay_case import stimulus_of
from wfsim.model.catalogue import Catalogue
from wfsim.model.functions import Python
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.core import Nobody
from wfsim.runtime.executor import Report
from wfsim.runtime.happening import happen
from wfsim.runtime.held import Held
from wfsim.runtime.opening import assembled
from wfsim.runtime.rows import DueRow, InstanceRow
from wfsim.runtime.taking import report, take
from wfsim.runtime.turn import Origin, Turn
from wfsim.semantics.records import Record
from wfsim.semantics.texts import canonical
from wfsim.simulation.calendar import (
    Arrives,
    ChildEnded,
    LetterComes,
    LetterReturns,
    Overdue,
    Stops,
)

if TYPE_CHECKING:
    from types import TracebackType

    from tests.noted import What

WORKER = "simulated"

Which = Callable[[DueRow], bool]


def as_simulated(name: str, record: Record) -> Record:
    """A record of the instance of this name as a simulation has it, where names are given to what has none there.

    An event from outside that came without an id has one of the engine's, a parent's command to stop has one (M4.4),
    and a worker took the attempt.
    """
    parent, _, activation = name.rpartition("/")
    given, payload = record.event_id, record.payload
    if given is not None and re.fullmatch(rf"{re.escape(name)}:event:\d+", given):
        given = None
    if record.kind == "control_received" and given == f"{parent}:stop:{activation}":
        given = None
    if record.kind == "activity_started" and payload.get("worker") == WORKER:
        payload = {key: value for key, value in payload.items() if key != "worker"}
    return replace(record, event_id=given, payload=payload)


def exactly(records: Iterable[Record]) -> list[tuple[Record, str]]:
    """For comparing: 1, 1.0 and true are not the same."""
    return [(record, canonical(record.payload)) for record in records]


class ToldEngine:
    """An engine of these workflows in which happens what is told, and what of that follows at once."""

    def __init__(self, workflows: Sequence[Workflow], functions: Mapping[str, Python] | None = None) -> None:
        self._engine = assembled("sqlite://", workflows, clock=ManualClock())
        self._core = self._engine.core
        self._core.families.give(functions)
        self._core.carrier = Nobody()
        self._core.told = self._hear
        self._catalogue = Catalogue(workflows)
        self._heard: list[tuple[str, list[Record]]] = []
        # Entries that have had their turn in following a step, and wait for theirs in the calendar.
        self._waiting: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close(0.0)

    def _hear(self, recorded: Sequence[tuple[InstanceRow, Sequence[Record]]]) -> None:
        for row, records in recorded:
            self._heard.append((row.id, [as_simulated(row.id, record) for record in records]))

    def records(self) -> dict[str, list[Record]]:
        """What is stored of each instance."""
        with self._core.database.reading() as rows:
            return {
                name: [as_simulated(name, record) for record in rows.records(name)] for name in rows.newest(1_000_000)
            }

    # --- what is told ------------------------------------------------------------------------------

    def tell(self, noted: Noted) -> None:
        """Let it happen as it was noted; each time the same steps of the same instances must follow, in order."""
        for happened in noted.happened:
            self._core.clock = ManualClock(happened.time)
            self._heard.clear()
            self._happen(noted, happened)
            while self._follow():
                pass
            for (ours, mine), (theirs, yours) in zip(self._heard, happened.steps, strict=False):
                assert (ours, exactly(mine)) == (theirs, exactly(yours))
            assert [name for name, _ in self._heard] == [name for name, _ in happened.steps], happened
        if noted.is_whole and noted.happened:
            self._nothing_is_left(noted.happened[-1].time)

    def _happen(self, noted: Noted, happened: Happened) -> None:
        what, steps = happened.what, happened.steps
        if isinstance(what, Arrives):
            self._arrive(happened)
        elif isinstance(what, Overdue):
            self._return_overdue()
        elif isinstance(what, PoolOpens) or not noted.has_come(what.case):
            # A child may be told to stop that could not start.
            assert not steps
        else:
            name = noted.name(what.case)
            which = awaits(what)
            if which is not None:
                self._let_happen(name, which, is_void=isinstance(what, TimerDue) and not steps)
            elif steps:
                assert steps[0][0] == name
                self._come(*steps[0])

    def _arrive(self, happened: Happened) -> None:
        for refused in happened.refused[: not happened.steps]:
            family = self._core.families.of(refused.workflow, self._catalogue)
            with pytest.raises(CorrelationTaken, match=re.escape(refused.why)), self._core.turn() as turn:
                turn.start("refused", family, 0, refused.inputs, Origin(0))
        for name, step in happened.steps[:1]:
            started = step[0].payload
            family = self._core.families.of(
                self._catalogue.get(started["workflow"], started["version"]), self._catalogue
            )
            given = stimulus_of(family.programs[0], step).payload
            with self._core.turn() as turn:
                assert turn.start(name, family, 0, given, Origin(started["seed"])) is not None

    def _come(self, name: str, step: list[Record]) -> None:
        """From outside: an event, or news of an attempt."""
        with self._core.turn() as turn:
            held = held_by(turn, name)
            given = stimulus_of(held.instance.program, step)
            key = name, given.activity_id, given.attempt
            match given.kind:
                case "event":
                    identity = f"{name}:event:{held.instance.version + 1}"
                    turn.event(held, given.event or "", given.payload, identity, is_new=True)
                case "activity_started":
                    assert take(turn, key, WORKER) is not None
                case "activity_succeeded" | "activity_failed":
                    report(turn, Report(key, given.result, given.error_type, given.message, given.retry_after))
                case other:
                    raise AssertionError(f"{other} does not come from outside")

    # --- what is due -------------------------------------------------------------------------------

    def _let_happen(self, target: str, which: Which, *, is_void: bool) -> None:
        """The entry of a target happens that is told; if the target is open, it must be the next one there."""
        with self._core.turn() as turn:
            due = turn.rows.due_of(target, turn.now)
            found = [entry for entry in due if which(entry)]
            if is_void:
                assert not found
                return
            (entry,) = found
            held = turn.hold(target)
            ahead = due[: due.index(entry)]
            if held is not None and not held.instance.is_closed:
                went = receivers(turn.rows.records(target))
                assert all(may_wait(each, entry, went) for each in ahead), (entry, ahead)
            self._take_place(turn, held, entry)

    def _return_overdue(self) -> None:
        with self._core.turn() as turn:
            for entry in sorted(self._due(turn, "kept"), key=lambda entry: (entry.due, entry.number)):
                self._take_place(turn, None, entry)

    def _follow(self) -> bool:
        """After a step come, in order, what it starts, and letters on their way; false if there is nothing more."""
        with self._core.turn() as turn:
            new = [each for each in self._due(turn, "start", "route", "letter") if each.number not in self._waiting]
            for entry in sorted(new, key=lambda entry: entry.number):
                self._waiting.add(entry.number)
                held = turn.hold(entry.target)
                if entry.kind != "letter" or held is None or held.instance.is_closed:
                    self._take_place(turn, held, entry)
                    return True
        return False

    def _due(self, turn: Turn, *kinds: str) -> list[DueRow]:
        targets = dict.fromkeys(turn.rows.due_targets(turn.now, 1_000_000))
        return [entry for target in targets for entry in turn.rows.due_of(target, turn.now) if entry.kind in kinds]

    def _take_place(self, turn: Turn, held: Held | None, entry: DueRow) -> None:
        happen(turn, held, entry)
        if entry.number not in turn.moved:
            turn.rows.drop_due([entry.number])

    def _nothing_is_left(self, time: int) -> None:
        """But what reaches nobody."""
        self._core.clock = ManualClock(time)
        with self._core.turn() as turn:
            for entry in self._due(turn, "start", "route", "letter", "kept", "timer", "told", "stop", "returned"):
                held = turn.hold(entry.target)
                assert entry.kind in ("stop", "returned"), entry
                assert held is None or held.instance.is_closed, entry


def receivers(records: Iterable[Record]) -> dict[int, tuple[object, object]]:
    """To whom each message of an instance went, by its number: the receiver and its key."""
    sent = (record.payload for record in records if record.kind == "message_sent")
    return {each["message_id"]: (each.get("to"), each.get("key")) for each in sent}


def may_wait(one: DueRow, other: DueRow, went: Mapping[int, tuple[object, object]]) -> bool:
    """Whether the first entry of an instance may come after the second, which was made later (M7.3)."""
    if one.due != other.due:
        return False
    if one.kind == other.kind == "returned":
        return went[one.body["number"]] != went[other.body["number"]]
    return {one.kind, other.kind} == {"letter", "returned"}


def awaits(what: What) -> Which | None:
    """Which entry of the table of what is due this is; none if it came from outside."""
    match what:
        case TimerDue():
            return lambda row: (row.kind, row.place, row.serial) == ("timer", what.timer, what.id)
        case ChildEnded():
            return lambda row: row.kind == "told" and row.body["activation"] == what.activation
        case Stops():
            return lambda row: row.kind == "stop"
        case LetterComes():
            letter = what.letter
            return lambda row: (
                row.kind == "letter" and (row.body["sender"], row.body["number"]) == (letter.sender, letter.number)
            )
        case LetterReturns():
            return lambda row: row.kind == "returned" and row.body["number"] == what.letter.number
    return None


def held_by(turn: Turn, name: str) -> Held:
    held = turn.hold(name)
    assert held is not None
    return held
