"""What becomes of an event that is not taken, or is: its record, and the word to its sender (M7.1)."""

from __future__ import annotations

from .codes import (
    EVENT,
    R_EVENT_DEFERRED,
    R_EVENT_REJECTED,
    REPLY,
    T_DEFERRED,
    T_DISCARDED,
    T_REJECTED,
)
from .kernel import Output, apart, emit, kernel, new_effect
from .layout import Queued, Rows


@kernel
def reply(o: Output, event_id: int, fate: int, reason: int) -> None:
    """Tell the sender what became of an event, and why if it was not taken. Without an id nobody could be told."""
    if event_id < 0:
        return
    effect = new_effect(o, REPLY)
    effect.event_id = event_id
    effect.fate = fate
    effect.reason = reason


@apart
def turn_away(p: Rows, m: Rows, o: Output, i: int, kind: int, row: Queued, reason: int) -> None:
    """Record that an event was rejected, deferred or discarded, and why (M7.1)."""
    record = emit(m, o, i, kind)
    record.event = row.event
    record.event_id = row.event_id
    record.region = row.region
    record.reason = reason
    if row.kind != EVENT:
        return
    if kind == R_EVENT_REJECTED:
        reply(o, row.event_id, T_REJECTED, reason)
    else:
        reply(o, row.event_id, T_DEFERRED if kind == R_EVENT_DEFERRED else T_DISCARDED, reason)
