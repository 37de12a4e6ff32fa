"""What the compiled calendar asks of Python: arrivals that follow no law, names, values, and words of refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wfsim.errors import ScenarioError, StartRefused
from wfsim.model.functions import Given
from wfsim.model.values import Value
from wfsim.semantics import dtypes
from wfsim.semantics.arrays import to_array
from wfsim.semantics.codes import (
    ABSENT,
    CREATED,
    FIRST_REGION,
    INBOX,
    INTEGER,
    NONE,
    NUMBER,
    RUNNING_STATUS,
)
from wfsim.semantics.draws import PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output, real_of
from wfsim.semantics.layout import Cell
from wfsim.semantics.post import Letter, inputs_from, key_taken, message_id, unreceived
from wfsim.semantics.stimulus import checked_inputs, correlation_key
from wfsim.simulation.arriving import ArrivalStream
from wfsim.simulation.compiled import kernel
from wfsim.simulation.compiled.areas import ME, REGION
from wfsim.simulation.compiled.arrivals import BROKEN, SUPPLIED, TOO_OFTEN
from wfsim.simulation.compiled.layout import ARRIVES, COMES, FIRST_MESSAGE, RECEIVED, Run
from wfsim.simulation.compiled.memory import Memory
from wfsim.simulation.compiled.tables import given_cells
from wfsim.simulation.instances import RunSummary
from wfsim.simulation.plans import Member, Place
from wfsim.simulation.relations import Birth, endless_told, refused_inputs, refused_told

_PLACES: Any = dtypes.MEMORY.fields
_STATE = slice(_PLACES["state"][1], _PLACES["state"][1] + 4)
"""The bytes of a row in which its state lies."""


class Door(Instance):
    """What a stimulus looks like at the door of an instance: checked and put into the inbox, and no step follows."""

    __slots__ = ()

    def _run(self) -> Output:
        return Output(self.host)

    def closed(self) -> Door:
        """As an instance that has not started."""
        for k, cell in enumerate(self.program.initial_cells):
            self.v[k].tag, self.v[k].whole, self.v[k].real = cell.tag, cell.whole, cell.real
        self.me.status = CREATED
        return self

    def opened(self) -> Door:
        """As one that is running."""
        self.events_seen.clear()
        self.me.status = RUNNING_STATUS
        return self


class Seen:
    """What expressions of a scenario see of an instance that lies in its area."""

    def __init__(self, member: Member, run: Run, area: Any) -> None:
        self._member = member
        self._run = run
        self._area = area

    @property
    def variables(self) -> Mapping[str, Value]:
        """Values of all variables."""
        first, names, decode = int(self._area["v"]), self._member.program.variables, self._member.texts.decode
        cells = self._run.v[first : first + len(names)]
        rows = zip(cells["tag"].tolist(), cells["whole"].tolist(), cells["real"].tolist())
        return {name: decode(*row) for name, row in zip(names, rows)}

    @property
    def state(self) -> str:
        """Name of the root region's state."""
        program = self._member.program
        cell = self._run.m[int(self._area["m"]) + program.rows[program.head.root].slot]
        return program.name(int(cell["state"])) or ""

    @property
    def functions(self) -> Given:
        """Functions in Python that it may call."""
        return self._member.program.functions


def _cell(row: Any) -> tuple[int, int, float]:
    """What lies in a row that is like a cell."""
    return int(row["tag"]), int(row["whole"]), float(row["real"])


def state_in(member: Member, memory: Memory, case: Any) -> str:
    """The root's state of the instance of a row of `CASE`, in its block."""
    program = member.program
    first = int(case["w"]) + ME + REGION * (program.rows[program.head.root].slot - FIRST_REGION)
    state = memory.run.words[first : first + REGION].view(np.uint8)[_STATE].view(np.int32)
    return program.name(int(state[0])) or ""


class Host:
    """Answers what the compiled calendar asks, and remembers what that takes.

    Attributes
    ----------
    memory
        Whose rows it reads and fills in.
    streams
        Arrivals from outside.
    """

    memory: Memory
    streams: list[ArrivalStream]

    def __init__(self, members: list[Member], summary: RunSummary, birth: Birth | None) -> None:
        self.members = members
        self.summary = summary
        self._birth = birth
        self._doors = [Door(member.program, texts=member.texts) for member in members]
        self._refused = ""
        # By stream and number what traces and schedules give, where Python has to look at it once more.
        self._given: dict[tuple[int, int], Mapping[str, Any]] = {}
        # By stream, what is wrong with what comes behind all that was supplied.
        self._broken: dict[int, ScenarioError] = {}

    def begin(self, memory: Memory, streams: list[ArrivalStream]) -> None:
        """Know the tables, and who comes."""
        self.memory = memory
        self.streams = streams

    def state(self) -> dict[str, Any]:
        """What it remembers between two happenings, without the tables, as JSON; see `restore`."""
        given = [(*place, dict(inputs)) for place, inputs in self._given.items()]
        return {"summary": vars(self.summary), "refused": self._refused, "given": given}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where the host of the same run was, whose tables are these."""
        vars(self.summary).update(state["summary"])
        self._refused = state["refused"]
        self._given = {(which, number): inputs for which, number, inputs in state["given"]}
        for stream, row in zip(self.streams, self.memory.run.streams):
            stream.skip(int(row["n_supplied"]))

    @property
    def now(self) -> int:
        """Microseconds."""
        return int(self.memory.state["now"])

    # --- arrivals --------------------------------------------------------------------------------

    def supply(self) -> None:
        """The next arrivals of a trace or of schedules."""
        run, which = self.memory.run, int(self.memory.state["stream"])
        stream, known, row = self.streams[which], self.memory.known.streams[which], run.streams[which]
        schedules = list(stream.schedules)
        first, cells = int(row["n_supplied"]), list[Cell]()
        times, called, bad = list[int](), list[int](), list[bool]()
        while len(times) < SUPPLIED:
            try:
                arrival = stream.take()
            except ScenarioError as broken:
                self._broken[which], row["ends"] = broken, BROKEN
                break
            if arrival is None:
                row["ends"] = 1
                break
            del stream.pending[arrival.number]
            times.append(arrival.time)
            called.append(int(known["first_schedule"]) + schedules.index(arrival.schedule) if schedules else NONE)
            given, is_bad = ([], False) if schedules else given_cells(stream, arrival.inputs)
            cells += given
            bad.append(is_bad)
            if not schedules and (is_bad or known["asks"]):
                self._given[which, arrival.number] = arrival.inputs
        n, place = len(times), first % (2 * SUPPLIED)
        rows = run.coming[int(known["first_coming"]) + place :][:n]
        rows["time"], rows["schedule"], rows["bad"] = times, called, bad
        if cells:
            at = int(known["first_given"]) + place * int(known["n_places"])
            run.given[at : at + len(cells)] = to_array(cells, dtypes.CELL)
        row["n_supplied"] = first + n

    def fails(self) -> None:
        """Arrivals cannot go on.

        Raises
        ------
        ScenarioError
            Always.
        """
        state = self.memory.state
        which = int(state["stream"])
        stream = self.streams[which]
        if state["failed"] == TOO_OFTEN:
            raise stream.too_often(int(state["holder"]))
        # Who goes on with a run that was put on disk comes upon it once more.
        if which not in self._broken:
            stream.take()
        raise self._broken[which]

    def stands_still(self) -> None:
        """A closed population comes ever again at one moment.

        Raises
        ------
        ScenarioError
            Always.
        """
        state = self.memory.state
        raise self.streams[int(state["stream"])].stands_still(int(state["n_came"]))

    def _inputs_of(self, row: Any) -> dict[str, Any]:
        """What an arrival comes with that has become the instance of a row of `CASE`."""
        which, number = int(row["stream"]), int(row["came"])
        given = self._given.pop((which, number), None)
        schedule = int(self.memory.run.now[0]["c"])
        stream = self.streams[which]
        if given is None and schedule >= 0:
            names = list(stream.schedules)
            name = names[schedule - int(self.memory.known.streams[which]["first_schedule"])]
            given = stream.member.program.workflow.schedules[name].input
        elif given is None and stream.arrivals.trace is not None:
            given = self._traced(which, number)
        return {**stream.given(number, int(row["key"])), **(given or {})}

    def _traced(self, which: int, number: int) -> dict[str, Any]:
        """What a trace gives the arrival that comes now."""
        known, member = self.memory.known.streams[which], self.streams[which].member
        n = int(known["n_places"])
        at = int(known["first_given"]) + (number - 1) % (2 * SUPPLIED) * n
        cells = zip(member.program.inputs, self.memory.run.given[at : at + n])
        return {name: member.texts.decode(*_cell(cell)) for name, cell in cells if cell["tag"] != ABSENT}

    def told(self) -> list[str]:
        """What to note of arrivals at the end."""
        told, run = [], self.memory.run
        if self.summary.n_refused:
            told.append(refused_told(self.summary.n_refused, self._refused))
        for stream, known in zip(self.streams, self.memory.known.streams):
            rows = run.schedules[int(known["first_schedule"]) : int(known["end_schedule"])]
            for scheduled, row in zip(stream.schedules.values(), rows):
                scheduled.n_skipped, scheduled.n_queued = int(row["n_skipped"]), int(row["n_queued"])
            told += stream.told()
        return told

    # --- what the calendar asks ------------------------------------------------------------------

    def tell_births(self) -> None:
        """Tell who asked for it of what others start, and of what comes from outside but not for the root, in order."""
        run, state = self.memory.run, self.memory.state
        n, state["n_births"] = int(state["n_births"]), 0
        if self._birth is not None:
            for number, parent, name, activation in run.births[:n].tolist():
                if parent < 0:
                    told = self._text(name) if name >= 0 else self.streams[NONE - 1 - name].name(activation)
                    self._birth(number, told, None, None)
                else:
                    self._birth(number, f"{self._text(name)}/{activation}", parent, activation)

    def fill(self) -> None:
        """The payload of an event or the result of an activity that it takes Python to make, or a letter to read."""
        memory = self.memory
        state, entry = memory.state, memory.run.now[0]
        row = memory.run.cases[int(state["slot"])]
        member = self.members[int(row["member"])]
        area = memory.run.areas[int(row["member"])]
        door, seen = self._doors[int(row["member"])].opened(), Seen(member, memory.run, area)
        a, b, c, d = (int(entry[name]) for name in "abcd")
        if entry["what"] == ARRIVES:
            self._fill_inputs(row)
            return
        if entry["what"] == COMES:
            program = member.program
            cell = memory.run.m[int(area["m"]) + program.rows[a].slot]
            plans = member.events[int(cell["state"])]
            name = memory.known.states["name"][int(row["first_row"]) + int(cell["state"])]
            first_name = int(memory.known.members["first_name"][int(row["member"])])
            nth = int(memory.run.visits[int(row["visits"]) + int(name) - first_name])
            place = Place(self._key_in(row, name), PAYLOAD, nth, c)
            payload = {name: plan.get(seen, place) for name, plan in plans.payloads[d].items()}
            door.event(self.now, plans.plans[d].event, payload)
        elif entry["what"] == RECEIVED:
            of = memory.run.letters[a]
            letter = self._letter(of)
            door.event(self.now, letter.event, letter.payload)
            inbox = door.m[INBOX]
            inbox.event_id, inbox.sender = FIRST_MESSAGE + int(of["message"]), int(of["sender_name"])
        else:
            work = member.works[int(state["activity"]) - int(row["first_row"])]
            place = Place(self._key_in(row, state["drawn"]), RESULT_DRAW, int(state["nth"]), b)
            result = work.result.get(seen, place) if work.result else None
            door.activity_succeeded(self.now, a, b, result)
        self._fill_in(door)
        state["phase"] = kernel.FILLED

    def _fill_inputs(self, row: Any) -> None:
        """What an arrival comes with."""
        door, inputs = self._doors[int(row["member"])].closed(), self._inputs_of(row)
        try:
            door.start(self.now, inputs)
        except StartRefused as refusal:
            raise refused_inputs(refusal, inputs) from None
        self._fill_in(door)
        self.memory.state["phase"] = kernel.PLACED

    def _key_in(self, row: Any, name: Any) -> int:
        """With what is drawn for something of a name in the instance of a row of `CASE`."""
        return int(row["luck"]) ^ int(self.memory.known.names["key"][int(name)])

    # --- names, and notes ------------------------------------------------------------------------

    def name_of(self, row: Any) -> str:
        """What the instance of a row of `CASE` is called."""
        if row["name"] >= 0:
            return self._text(int(row["name"]))
        if row["parent_name"] >= 0:
            return f"{self._text(int(row['parent_name']))}/{int(row['activation'])}"
        return self.streams[int(row["stream"])].name(int(row["came"]))

    def _text(self, name: int) -> str:
        """What a name says."""
        texts, messages = self.members[0].texts, self.memory.run.messages
        if name < FIRST_MESSAGE:
            return texts.text(name) or ""
        of = messages[name - FIRST_MESSAGE]
        if of["text"] >= 0:
            return texts.text(int(of["text"])) or ""
        return message_id(self._text(int(of["sender_name"])), int(of["number"]))

    def name(self) -> None:
        """An instance whose name others want to know."""
        row = self.memory.run.cases[int(self.memory.state["slot"])]
        row["name"] = self.members[0].texts.handle(self.name_of(row))

    def endless(self) -> None:
        """Instances start each other without end."""
        state = self.memory.state
        name = self._text(int(state["endless_name"]))
        told = endless_told(name, int(state["endless"]), int(state["endless_depth"]))
        self.summary.notes.append(told)
        self.summary.complete = False

    def refuse(self) -> None:
        """M7.2: an arrival cannot start; its number remains a gap.

        Raises
        ------
        ScenarioError
            If its inputs are bad, or it has no key.
        """
        memory = self.memory
        row, holder = memory.run.cases[int(memory.state["slot"])], int(memory.state["holder"])
        member = self.members[int(row["member"])]
        inputs = self._inputs_of(row)
        try:
            key = correlation_key(member.program, checked_inputs(member.program, inputs))
        except StartRefused as refusal:
            raise refused_inputs(refusal, inputs) from None
        other = self.name_of(memory.run.cases[holder])
        self.summary.n_refused += 1
        self._refused = self._refused or str(key_taken(member.program.workflow.name, key, other))

    # --- letters ---------------------------------------------------------------------------------

    def reason(self) -> None:
        """Why a letter that comes next cannot be delivered."""
        run, state = self.memory.run, self.memory.state
        row = run.letters[int(run.after[int(state["first_after"])]["letter"])]
        letter = self._letter(row)
        programs = {member.program.workflow.name: member.program for member in self.members}
        program = programs.get(letter.to)
        handling = unreceived(letter, None if program is None else program.workflow, self.now)
        reason = handling.reason
        if program is not None and handling.what == "start":
            try:
                inputs_from(letter, program)
            except StartRefused as refusal:
                reason = str(refusal)
        assert reason, f"{letter} may come"
        row["reason"] = self.members[0].texts.handle(reason)

    def _letter(self, row: Any) -> Letter:
        """The letter of a row of `LETTER`."""
        texts, values = self.members[0].texts, dict[str, Value]()
        at = int(row["first_value"])
        while at >= 0:
            parcel = self.memory.run.parcels[at]
            values[texts.text(int(parcel["name"])) or ""] = texts.decode(*_cell(parcel))
            at = int(parcel["next"])
        tag, whole = int(row["key_tag"]), int(row["key_whole"])
        real = float(whole) if tag == INTEGER else real_of(whole) if tag == NUMBER else 0.0
        key = None if tag < 0 else texts.decode(NUMBER if row["key_real"] else tag, whole, real)
        sender, to, event = (self._text(int(row[name])) for name in ("sender_name", "to", "event"))
        return Letter(sender, int(row["number"]), to, key, event, values)

    def spell_messages(self) -> None:
        """Put the ids of messages into the log, which it has handles for from now on."""
        run, state, texts = self.memory.run, self.memory.state, self.members[0].texts
        first, end = int(state["n_spelled"]), int(state["n_messages"])
        if end > first:
            rows, told = run.messages[first:end], list[str]()
            for name, number in zip(rows["sender_name"].tolist(), rows["number"].tolist()):
                # Who was started by a message has the name of one before.
                at = name - FIRST_MESSAGE - first
                told.append(message_id(told[at] if at >= 0 else self._text(name), number))
            rows["text"] = texts.handles(told)
            state["n_spelled"] = end
        log = run.log[: int(state["n_log"])]
        for column in ("text", "source"):
            which = np.flatnonzero(log[column] >= FIRST_MESSAGE)
            log[column][which] = run.messages["text"][log[column][which] - FIRST_MESSAGE]

    def _fill_in(self, door: Door) -> None:
        """Put what a door has made of a stimulus where the calendar finds it."""
        run, front = self.memory.run, door.program.head.inbox_cells + door.program.head.n_fields
        run.door_m[:1] = to_array([door.m[INBOX]], dtypes.MEMORY)
        run.door_v[:front] = to_array(door.v[:front], dtypes.CELL)
