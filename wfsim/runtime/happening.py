"""What is due happens: timers fire, children start and are told of, messages arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import StartRefused

from .owing import letter_of, not_started
from .routing import deliver, route, send_back
from .turn import Origin

if TYPE_CHECKING:
    from .held import Held
    from .rows import DueRow
    from .turn import Turn


def work_off(turn: Turn, target: str, upto: int, *, wait: bool = True) -> bool:
    """Let everything happen that is due for a target by then; whether there was anything.

    Raises
    ------
    Busy
        If somebody else works on the instance, and `wait` is false.
    """
    held = turn.hold(target, wait=wait)
    entries = turn.rows.due_of(target, upto)
    for entry in entries:
        held = happen(turn, held, entry)
    turn.rows.drop_due([entry.number for entry in entries if entry.number not in turn.moved])
    return bool(entries)


def happen(turn: Turn, held: Held | None, entry: DueRow) -> Held | None:
    """Let one entry happen to its target, which is locked if it is an instance; that, as it is then."""
    body = entry.body
    if entry.kind == "start":
        return _start_child(turn, held, entry)
    if entry.kind == "route":
        route(turn, entry)
        return held
    if entry.kind == "letter":
        deliver(turn, held, entry)
        return held
    if entry.kind == "kept":
        send_back(turn, letter_of(body), "expired")
        return held
    if held is None:
        return None
    match entry.kind:
        case "timer":
            if not held.instance.is_closed and held.instance.runs_timer(entry.place, entry.serial):
                turn.step(held, lambda instance, time: instance.timer_fired(time, entry.place, entry.serial))
        case "stop":
            if not held.instance.is_closed:
                turn.control(held, body["command"], body["id"], "parent")
        case "told":
            if not held.instance.is_closed:
                turn.step(
                    held,
                    lambda instance, time: instance.child_closed(
                        time, body["activation"], body["status"], body["outcome"], body["output"]
                    ),
                )
        case "returned":
            if not held.instance.is_closed:
                turn.step(held, lambda instance, time: instance.message_returned(time, body["number"], body["reason"]))
    return held


def _start_child(turn: Turn, held: Held | None, entry: DueRow) -> Held | None:
    body = entry.body
    if held is not None:
        return held
    family = turn.families.get(body["family"], turn.rows.family)
    # Written by a version that knew no priorities, it has none.
    origin = Origin(body["key"], body["parent"], body["activation"], body.get("priority", 0))
    try:
        return turn.start(entry.target, family, body["member"], body["input"], origin)
    except StartRefused:
        turn.owe([not_started(body["parent"], body["activation"], turn.now)])
        return None
