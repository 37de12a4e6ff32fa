"""What the compiled calendar asks of Python: letters, arrivals that follow no law, names, and values to compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wfsim.errors import StartRefused
from wfsim.model.functions import Given
from wfsim.model.values import Value
from wfsim.semantics import speed
from wfsim.semantics.arrays import rows_of, to_array
from wfsim.semantics.codes import (
    CLOSED,
    COMPLETED,
    CREATED,
    FIRST_REGION,
    INBOX,
    NONE,
    RUNNING_STATUS,
    SEND_MESSAGE,
    START_CHILD,
)
from wfsim.semantics.draws import PAYLOAD
from wfsim.semantics.draws import RESULT as RESULT_DRAW
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import Cell, EffectRow, RecordRow, ValueRow
from wfsim.semantics.post import key_taken
from wfsim.semantics.program import Program
from wfsim.semantics.records import Effect, effects_of
from wfsim.semantics.stimulus import checked_inputs, correlation_key
from wfsim.simulation.calendar import Arrives, Happening, LetterComes, Order, Overdue
from wfsim.simulation.compiled import cases, kernel
from wfsim.simulation.compiled.areas import ME, REGION
from wfsim.simulation.compiled.layout import COMES, Run
from wfsim.simulation.compiled.memory import Memory
from wfsim.simulation.instances import Case, RunSummary
from wfsim.simulation.plans import Member, Place
from wfsim.simulation.relations import FIRST_CHILD, Birth, Entered, Relations, endless_told, refused_inputs

_PLACES: Any = speed.MEMORY.fields
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


def state_in(member: Member, memory: Memory, case: Any) -> str:
    """The root's state of the instance of a row of `CASE`, in its block."""
    program = member.program
    first = int(case["w"]) + ME + REGION * (program.rows[program.head.root].slot - FIRST_REGION)
    state = memory.run.words[first : first + REGION].view(np.uint8)[_STATE].view(np.int32)
    return program.name(int(state[0])) or ""


class Host:
    """The stage on which `Relations` plays, where the compiled calendar is the one that has the time.

    Attributes
    ----------
    memory
        Whose rows it reads and fills in.
    relations
        What it asks.

    Notes
    -----
    What it puts into the calendar lies here under a ticket, until that is due. An instance has a `Case` here once
    Python has to know it: if it writes, or others wait for its end.
    """

    memory: Memory
    relations: Relations

    def __init__(self, members: list[Member], summary: RunSummary, birth: Birth | None) -> None:
        self.members = members
        self.summary = summary
        self._birth = birth
        self._doors = [Door(member.program, texts=member.texts) for member in members]
        self._numbers = {id(member): number for number, member in enumerate(members)}
        self._happenings: dict[int, Happening] = {}
        self._tickets = 0
        self._slots: dict[int, int] = {}
        self._cases: dict[int, Case] = {}
        self._entering: Entered | None = None
        self._told: tuple[int, Output, list[Effect]] | None = None

    def begin(self, memory: Memory, relations: Relations) -> None:
        """Know the tables, and who decides."""
        self.memory = memory
        self.relations = relations

    def state(self) -> tuple[object, ...]:
        """What it remembers between two happenings, without the tables; see `restore`."""
        return self._happenings, self._tickets, self._slots, self._cases, self.relations.state()

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on where the host of the same run was."""
        self._happenings, self._tickets, self._slots, self._cases, relations = state
        self.relations.restore(relations)

    # --- the stage -------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Microseconds."""
        return int(self.memory.state["now"])

    def new_number(self) -> int:
        """Of an instance that others start."""
        self.memory.state["n_others"] += 1
        return FIRST_CHILD - 1 + int(self.memory.state["n_others"])

    def taken(self, program: Program, inputs: Mapping[str, Any]) -> str | None:
        """Why an instance of a program cannot start with these inputs, where the calendar has the keys (M7.2)."""
        if program.head.key_cell < 0:
            return None
        key = correlation_key(program, checked_inputs(program, inputs))
        cell = Cell()
        self.members[0].texts.encode(key, cell)
        holder = self.memory.holder_of(self.members[0].texts.handle(program.workflow.name), cell)
        return None if holder is None else str(key_taken(program.workflow.name, key, self.name_of(holder)))

    def put(self, time: int, order: Order, happening: Happening) -> None:
        """Let it happen at a time."""
        self._tickets += 1
        self._happenings[self._tickets] = happening
        self.memory.post(time, order, self._tickets)

    def enter(self, case: Case, inputs: Mapping[str, Any], parent: str | None) -> Instance:
        """Fill in what an instance starts with."""
        number = self._numbers[id(case.member)]
        door = self._doors[number].closed()
        door.start(self.now, inputs, parent)
        self._fill_in(door)
        state = self.memory.state
        state["member"], state["key"], state["luck"] = number, case.key, case.luck
        return door

    def announce(self, number: int, name: str, parent: int | None, activation: int | None) -> None:
        """Tell who asked for it of what others start, in order."""
        self.tell_births()
        if self._birth is not None:
            self._birth(number, name, parent, activation)

    def tell_births(self) -> None:
        """The same of the children that the calendar has let in since: what they are called, and whose they are."""
        run, state = self.memory.run, self.memory.state
        n, state["n_births"] = int(state["n_births"]), 0
        if self._birth is not None:
            text = self.members[0].texts.text
            for number, parent, name, activation in run.births[:n].tolist():
                self._birth(number, f"{text(name)}/{activation}", parent, activation)

    def _let_in(self, entered: Entered | None) -> None:
        if entered is not None:
            state, case = self.memory.state, entered.case
            state["number"], state["placed"], state["phase"] = entered.number, NONE, kernel.PLACE
            state["name"] = case.member.texts.handle(case.name)
            state["watched"] = cases.NEVER
            if self.relations.has_mail or self.relations.awaits_end(case):
                self._entering, state["watched"] = entered, cases.AT_THE_END

    def has_returned(self) -> None:
        """The calendar has returned: an instance that was let in has its slot by now, unless there was no room."""
        slot = int(self.memory.state["placed"])
        if self._entering is not None and slot >= 0:
            number, case = self._entering
            self._slots[number], self._cases[number] = slot, case
            self._entering = None

    # --- what the calendar asks ------------------------------------------------------------------

    def happens(self) -> None:
        """What Python has put into the calendar is due."""
        memory, relations = self.memory, self.relations
        what = self._happenings.pop(int(memory.run.now[0]["a"]))
        if isinstance(what, Arrives):
            self._let_in(relations.arrive(what))
        elif isinstance(what, Overdue):
            relations.overdue()
        else:
            slot = self._slots.get(what.case)
            if slot is None:
                relations.too_late(what)
            else:
                row = memory.run.cases[slot]
                door = self._doors[int(row["member"])].opened()
                relations.deliver(self._cases[what.case], door, what)
                if isinstance(what, LetterComes):
                    row["watched"] = cases.ALWAYS
                self._fill_in(door)
                memory.state["slot"], memory.state["phase"] = slot, kernel.FILLED
        self._set_follows()

    def fill(self) -> None:
        """The payload of an event, or the result of an activity, that it takes Python to make."""
        memory = self.memory
        state, entry = memory.state, memory.run.now[0]
        row = memory.run.cases[int(state["slot"])]
        member = self.members[int(row["member"])]
        area = memory.run.areas[int(row["member"])]
        door, seen = self._doors[int(row["member"])].opened(), Seen(member, memory.run, area)
        a, b, c, d = (int(entry[name]) for name in "abcd")
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
        else:
            work = member.works[int(state["activity"]) - int(row["first_row"])]
            place = Place(self._key_in(row, state["drawn"]), RESULT_DRAW, int(state["nth"]), b)
            result = work.result.get(seen, place) if work.result else None
            door.activity_succeeded(self.now, a, b, result)
        self._fill_in(door)
        state["phase"] = kernel.FILLED

    def _key_in(self, row: Any, name: Any) -> int:
        """With what is drawn for something of a name in the instance of a row of `CASE`."""
        return int(row["luck"]) ^ int(self.memory.known.names["key"][int(name)])

    def effect(self) -> None:
        """An effect that concerns other instances."""
        memory = self.memory
        state = memory.state
        slot, which = int(state["slot"]), int(state["effect"])
        number, case = self._case_in(slot)
        kind, records = memory.outputs.effects[which]["kind"], memory.outputs.records
        if case.parent or kind != CLOSED:
            output, effects = self._output(case.member)
            row, effect = output.effects[which], effects[which]
            told = row.seq - int(records[0]["seq"])
            if kind == START_CHILD:
                spot = memory.run.spots[told]
                name = int(spot["name"]) - int(memory.known.members["first_name"][self._numbers[id(case.member)]])
                self.relations.start_child(number, case, row, effect, (name, int(spot["nth"])))
            elif kind == SEND_MESSAGE:
                self.relations.send(case, effect, int(records[told]["region"]))
            else:
                self.relations.carry_out(case, row, effect)
        state["effect"] = which + 1
        self._set_follows()

    # --- names, and notes ------------------------------------------------------------------------

    def name_of(self, row: Any) -> str:
        """What the instance of a row of `CASE` is called."""
        text = self.members[0].texts.text
        if row["name"] >= 0:
            return text(int(row["name"])) or ""
        if row["parent_name"] >= 0:
            return f"{text(int(row['parent_name']))}/{int(row['activation'])}"
        return str(int(row["number"]))

    def name(self) -> None:
        """An instance whose name others want to know."""
        row = self.memory.run.cases[int(self.memory.state["slot"])]
        row["name"] = self.members[0].texts.handle(self.name_of(row))

    def endless(self) -> None:
        """Instances start each other without end."""
        state = self.memory.state
        row = self.memory.run.cases[int(state["slot"])]
        told = endless_told(self.name_of(row), int(state["endless"]), int(row["depth"]) + 1)
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
        inputs = self.relations.streams[0].given(int(row["number"]), int(row["key"]))
        try:
            key = correlation_key(member.program, checked_inputs(member.program, inputs))
        except StartRefused as refusal:
            raise refused_inputs(refusal, inputs) from None
        other = self.name_of(memory.run.cases[holder])
        self.relations.count_refused(str(key_taken(member.program.workflow.name, key, other)))

    # --- what follows a step -----------------------------------------------------------------------

    def turn(self) -> None:
        """What a step means for others, once its effects are carried out."""
        number, case = self._case_in(int(self.memory.state["slot"]))
        if self.relations.has_mail:
            output = Output(self._doors[0].host)
            outputs = self.memory.outputs
            output.records += rows_of(outputs.records[: int(outputs.tally[0]["records"])], RecordRow)
            self.relations.turn_back(case, output)
        if self._is_closed():
            self.forget(number)
            self.relations.closed(case)
        self._set_follows()

    def follow(self) -> None:
        """What follows before the next happening."""
        self._let_in(self.relations.follow())
        self._set_follows()

    def forget(self, number: int) -> None:
        """Nothing reaches an instance any more."""
        self._slots.pop(number, None)
        self._cases.pop(number, None)

    def _set_follows(self) -> None:
        self.memory.state["follows"] = len(self.relations.afterwards)

    def _is_closed(self) -> bool:
        memory = self.memory
        area = memory.run.areas[int(memory.run.cases[int(memory.state["slot"])]["member"])]
        return bool(memory.run.m[int(area["m"])]["status"] >= COMPLETED)

    # --- rows as objects -------------------------------------------------------------------------

    def _case_in(self, slot: int) -> tuple[int, Case]:
        """The instance in a slot; one that the calendar has let in by itself is known from now on."""
        row = self.memory.run.cases[slot]
        number = int(row["number"])
        if number not in self._cases:
            self._slots[number] = slot
            member, key, luck = self.members[int(row["member"])], int(row["key"]), int(row["luck"])
            self._cases[number] = Case(member, str(number), key, luck)
            row["watched"] = max(int(row["watched"]), cases.AT_THE_END)
        return number, self._cases[number]

    def _output(self, member: Member) -> tuple[Output, list[Effect]]:
        """Values and effects of the step, and its effects with names."""
        step = int(self.memory.state["n_steps"])
        if self._told is None or self._told[0] != step:
            outputs, output = self.memory.outputs, Output(self._doors[0].host)
            tally = outputs.tally[0]
            output.values += rows_of(outputs.values[: int(tally["values"])], ValueRow)
            output.effects += rows_of(outputs.effects[: int(tally["effects"])], EffectRow)
            self._told = step, output, effects_of(member, output)
        return self._told[1], self._told[2]

    def _fill_in(self, door: Door) -> None:
        """Put what a door has made of a stimulus where the calendar finds it."""
        run, front = self.memory.run, door.program.head.inbox_cells + door.program.head.n_fields
        run.door_m[:1] = to_array([door.m[INBOX]], speed.MEMORY)
        run.door_v[:front] = to_array(door.v[:front], speed.CELL)
