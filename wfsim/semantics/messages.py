"""Messages: to oneself into the own queue, to others through the surroundings (M7.2, M7.3)."""

from __future__ import annotations

from .codes import (
    EVENT,
    FAULT,
    KEY_VALUE,
    NONE,
    NULL,
    R_EVENT_REJECTED,
    R_MESSAGE_SENT,
    SEND_MESSAGE,
    STRING,
    T_NULL,
    T_PAYLOAD,
    T_SELF,
    T_TYPE,
    T_UNDECLARED,
    WAITING,
)
from .fates import turn_away
from .kernel import Output, apart, emit, kernel, new_effect, note
from .layout import Cells, RecordRow, Rows
from .rows import append, new_queued, payload_of, release
from .stack import evaluate
from .values import admit, copy_cell


@kernel
def wrong_payload(p: Rows, v: Cells, o: Output, event: int, payload: int) -> int:
    """M7.1 at the own door: 1 if a field lacks its value or has one that does not fit."""
    for f in range(p[event].n_fields):
        if admit(p, v, o, p[event].first_field + f, payload + 1 + f, 1) >= 0:
            return 1
    return 0


@kernel
def show_sent(p: Rows, m: Rows, o: Output, i: int, r: int, a: int, to: int) -> RecordRow:
    """The `message_sent` row; its values are tied to it by the caller."""
    m[i].messages += 1
    row = emit(m, o, i, R_MESSAGE_SENT)
    row.region = r
    row.state = m[i + p[r].slot].state
    row.event = p[a].event
    row.message = m[i].messages
    row.source = to
    return row


@apart
def send(p: Rows, m: Rows, v: Cells, o: Output, i: int, r: int, a: int, private: int, payload: int) -> int:
    """Carry out the action at row `a`: -1, or the error type that one of its expressions raised."""
    action = p[a]
    k = new_queued(p, m, v, o, i)
    cells = payload_of(p, m, i, k)
    own = action.own_event
    at = evaluate(p, m, v, o, i, action.code, private, payload)
    fault = NONE
    to = v[at].whole
    if v[at].tag != STRING:
        fault = to if v[at].tag == FAULT else T_NULL if v[at].tag == NULL else T_TYPE
    if fault < 0 and action.key >= 0:
        at = evaluate(p, m, v, o, i, action.key, private, payload)
        if v[at].tag == FAULT or v[at].tag == NULL:
            fault = v[at].whole if v[at].tag == FAULT else T_NULL
        copy_cell(v[at], v[cells])
    to_self = 1 if to == T_SELF and action.key < 0 else 0
    for f in range(action.first_input, action.end_input):
        if fault < 0:
            at = evaluate(p, m, v, o, i, p[f].code, private, payload)
            if v[at].tag == FAULT:
                fault = v[at].whole
            copy_cell(v[at], v[cells + p[f].cell])
    if fault >= 0:
        release(m, i, k)
        return fault
    row = show_sent(p, m, o, i, r, a, to)
    if action.key >= 0:
        note(o, row.seq, KEY_VALUE, v[cells])
    for f in range(action.first_input, action.end_input):
        note(o, row.seq, p[f].name, v[cells + p[f].cell])
    if not to_self:
        effect = new_effect(o, SEND_MESSAGE)
        effect.id = row.message
        effect.event = action.event
        effect.to = to
        effect.seq = row.seq
        release(m, i, k)
        return NONE
    queued = m[i + k]
    queued.kind = EVENT
    queued.event = own
    # M2.6: what an instance tells itself goes by itself, and might go round for ever.
    queued.chained = 1
    if own < 0 or wrong_payload(p, v, o, own, cells):
        queued.event = action.event
        turn_away(p, m, o, i, R_EVENT_REJECTED, queued, T_UNDECLARED if own < 0 else T_PAYLOAD)
        release(m, i, k)
        return NONE
    append(m, i, WAITING, k)
    return NONE
