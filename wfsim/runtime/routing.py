"""Messages on their way: to the instance that they are for, to one that they start, kept, or back (M7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import StartRefused
from wfsim.semantics.draws import mix_key
from wfsim.semantics.stimulus import checked_inputs, correlation_key

from .owing import letter_of, returned
from .places import key_text

if TYPE_CHECKING:
    from wfsim.semantics.post import Letter

    from .held import Held
    from .rows import DueRow
    from .turn import Turn


def deliver(turn: Turn, held: Held | None, entry: DueRow) -> None:
    """A message reaches the instance that it is for (M7.3)."""
    letter = letter_of(entry.body)
    if held is None:
        _keep(turn, entry, letter, _own_time_to_live(turn, letter))
    elif held.instance.is_closed:
        send_back(turn, letter, "closed")
    elif turn.rows.fate(held.name, "event", letter.id) is None:
        turn.event(held, letter.event, letter.payload, letter.id, letter.sender)


def _own_time_to_live(turn: Turn, letter: Letter) -> int:
    """As the sender declares the event: of an instance that is not there nobody knows the workflow."""
    row = turn.rows.read(letter.sender)
    if row is None:
        return 0
    event = turn.families.get(row.family, turn.rows.family).programs[row.member].workflow.events.get(letter.event)
    return 0 if event is None else int(event.time_to_live)


def route(turn: Turn, entry: DueRow) -> None:
    """A message to a workflow and a key: to the instance that has it, to one that it starts, kept, or back."""
    letter = letter_of(entry.body)
    address = key_text(letter.key) or ""
    turn.rows.hold(entry.target)
    receiver = turn.rows.open_with_key(letter.to, address)
    if receiver is not None:
        _move(turn, entry, receiver, "letter", turn.now)
        return
    try:
        found = turn.newest(letter.to)
    except StartRefused as refusal:
        send_back(turn, letter, str(refusal))
        return
    if found is None:
        send_back(turn, letter, f"no workflow {letter.to!r} is known here")
        return
    workflow, catalogue = found
    event = workflow.events.get(letter.event)
    if event is None:
        send_back(turn, letter, "undeclared")
        return
    if not event.starts:
        _keep(turn, entry, letter, int(event.time_to_live))
        return
    family = turn.families.of(workflow, catalogue)
    program = family.programs[0]
    inputs = {
        name: value
        for name, value in letter.payload.items()
        if name in program.variables and program.variables[name].input and value is not None
    }
    try:
        key = correlation_key(program, checked_inputs(program, inputs))
        if key_text(key) != address:
            send_back(turn, letter, f"it would start an instance with the key {key!r}, not {letter.key!r}")
            return
        sender = turn.rows.read(letter.sender)
        seed = 0 if sender is None else turn.held(sender).instance.me.key
        turn.start(letter.id, family, 0, inputs, key=mix_key(seed, 1, letter.number))
    except StartRefused as refusal:
        send_back(turn, letter, str(refusal))
        return
    _move(turn, entry, letter.id, "letter", turn.now)


def send_back(turn: Turn, letter: Letter, reason: str) -> None:
    """Its sender is told that a message was not delivered."""
    turn.owe([returned(letter.sender, letter.number, reason, turn.now)])


def _keep(turn: Turn, entry: DueRow, letter: Letter, time_to_live: int) -> None:
    if time_to_live == 0:
        send_back(turn, letter, "no_instance")
        return
    _move(turn, entry, entry.target, "kept", entry.body["sent"] + time_to_live)


def _move(turn: Turn, entry: DueRow, target: str, kind: str, due: int) -> None:
    turn.rows.move_due(entry.number, target, kind, due)
    entry.kind = "moved"
    turn.owes = True
