"""Messages on their way: to the instance that they are for, to one that they start, kept, or back (M7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import StartRefused
from wfsim.semantics.draws import mix_key
from wfsim.semantics.post import Handling, for_nobody, inputs_from, unreceived

from .owing import letter_of, returned
from .places import key_text
from .turn import Origin

if TYPE_CHECKING:
    from wfsim.semantics.post import Letter

    from .held import Held
    from .programs import Family
    from .rows import DueRow
    from .turn import Turn


def deliver(turn: Turn, held: Held | None, entry: DueRow) -> None:
    """A message reaches the instance that it is for (M7.3)."""
    letter = letter_of(entry.body)
    if held is None:
        _carry_out(turn, entry, _for_nobody(turn, entry, letter))
    elif held.instance.is_closed:
        send_back(turn, letter, "closed")
    elif turn.rows.fate(held.name, "event", letter.id) is None:
        turn.event(held, letter.event, letter.payload, letter.id, letter.sender)


def _for_nobody(turn: Turn, entry: DueRow, letter: Letter) -> Handling:
    row = turn.rows.read(letter.sender)
    if row is None:
        return Handling("send_back", letter, reason="no_instance")
    sender = turn.families.get(row.family, turn.rows.family).programs[row.member].workflow
    return for_nobody(letter, sender, entry.body["sent"])


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
        handling = unreceived(letter, None if found is None else found[0], entry.body["sent"])
        if found is not None and handling.what == "start":
            _start(turn, letter, turn.families.of(*found))
    except StartRefused as refusal:
        handling = Handling("send_back", letter, reason=str(refusal))
    _carry_out(turn, entry, handling)


def _start(turn: Turn, letter: Letter, family: Family) -> None:
    inputs = inputs_from(letter, family.programs[0])
    sender = turn.rows.read(letter.sender)
    seed = 0 if sender is None else turn.held(sender).instance.me.key
    turn.start(letter.id, family, 0, inputs, Origin(mix_key(seed, 1, letter.number)))


def _carry_out(turn: Turn, entry: DueRow, handling: Handling) -> None:
    match handling.what:
        case "start":
            # It is there; the letter is its first.
            _move(turn, entry, handling.receiver, "letter", turn.now)
        case "keep":
            _move(turn, entry, entry.target, "kept", handling.until)
        case _:
            send_back(turn, handling.letter, handling.reason)


def send_back(turn: Turn, letter: Letter, reason: str) -> None:
    """Its sender is told that a message was not delivered."""
    turn.owe([returned(letter.sender, letter.number, reason, turn.now)])


def _move(turn: Turn, entry: DueRow, target: str, kind: str, due: int) -> None:
    turn.rows.move_due(entry.number, target, kind, due)
    turn.moved.add(entry.number)
    turn.owes = True
