"""What the effects of a step leave for later: entries of the table of what is due, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.semantics.draws import mix_key
from wfsim.semantics.post import Letter

from .places import key_text, place_of
from .rows import CONTROLS, EVENTS, RESULTS, STARTS, TIMERS, WORKFLOW_TIMER, DueRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.semantics.records import Effect

    from .held import Held


def owed(held: Held, effect: Effect, now: int, children: Mapping[int, tuple[str, str | None]]) -> DueRow | None:
    """The entry that an effect leaves, if any; `children` are workflow and version by activation."""
    name = held.name
    match effect.kind:
        case "set_timer":
            is_last = held.instance.timer_name(effect.timer) == "workflow"
            rank = WORKFLOW_TIMER if is_last else TIMERS
            return DueRow(name, effect.due, rank, "timer", effect.timer, effect.timer_id)
        case "start_child":
            activation = effect.activity_id
            body = {
                "parent": name,
                "activation": activation,
                "family": held.row.family,
                "member": held.family.number_of(held.family.catalogue.get(*children[activation])),
                "input": effect.input,
                # A function of the parent, so that a start repeated is the same start.
                "key": mix_key(held.instance.me.key, 0, activation),
                "priority": held.row.priority,
            }
            return DueRow(f"{name}/{activation}", now, STARTS, "start", body=body)
        case "stop_child":
            body = {"command": effect.reason, "id": f"{name}:stop:{effect.activity_id}"}
            return DueRow(f"{name}/{effect.activity_id}", now, CONTROLS, "stop", body=body)
        case "send_message":
            return _posted(held, effect, now)
        case "closed":
            if held.row.parent is None:
                return None
            body = {
                "activation": held.row.activation,
                "status": effect.status,
                "outcome": effect.outcome,
                "output": effect.output,
            }
            return DueRow(held.row.parent, now, RESULTS, "told", body=body)
    return None


def _posted(held: Held, effect: Effect, now: int) -> DueRow:
    to, name = effect.to or "", held.name
    body = {
        "sender": name,
        "number": effect.message_id,
        "to": to,
        "key": effect.key,
        "event": effect.event,
        "payload": effect.payload,
        "sent": now,
    }
    if effect.key is not None:
        return DueRow(place_of(to, key_text(effect.key) or ""), now, EVENTS, "route", body=body)
    if to != "parent":
        return DueRow(to, now, EVENTS, "letter", body=body)
    if held.row.parent is not None:
        return DueRow(held.row.parent, now, EVENTS, "letter", body=body)
    return returned(name, effect.message_id, "it has no parent", now)


def letter_of(body: Mapping[str, Any]) -> Letter:
    """The message of an entry."""
    return Letter(body["sender"], body["number"], body["to"], body["key"], body["event"] or "", body["payload"])


def returned(sender: str, number: int, reason: str, now: int) -> DueRow:
    """A message goes back to who sent it."""
    return DueRow(sender, now, EVENTS, "returned", body={"number": number, "reason": reason})


def not_started(parent: str, activation: int, now: int) -> DueRow:
    """M4.4: a child that cannot start has failed; it has no records of its own."""
    body = {"activation": activation, "status": "failed", "outcome": None, "output": None}
    return DueRow(parent, now, RESULTS, "told", body=body)


def drops(effect: Effect, row: DueRow) -> bool:
    """Whether an effect takes back what an earlier one of its step left."""
    if row.kind != "timer":
        return False
    return effect.kind == "closed" or (
        effect.kind == "drop_timer" and (effect.timer, effect.timer_id) == (row.place, row.serial)
    )
