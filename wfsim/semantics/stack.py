"""Expressions (M10): a stack machine over value cells, without exceptions.

A fault is a value: tag FAULT, its error type in `whole`. `wfsim.model.evaluate` is the readable twin.
"""

from __future__ import annotations

from .codes import (
    ABSENT,
    FAULT,
    INTEGER,
    LIST,
    MAKE_CALLED,
    MAKE_JOINED,
    MAKE_LIST,
    MAKE_OBJECT,
    NONE,
    NULL,
    OP_ADD,
    OP_AND,
    OP_ASK,
    OP_BOOLEAN,
    OP_CALL,
    OP_COALESCE,
    OP_CONSTANT,
    OP_END,
    OP_FIELD,
    OP_GREATER_EQUAL,
    OP_IF,
    OP_ITEM,
    OP_JOIN,
    OP_JUMP,
    OP_LIST,
    OP_LOOP,
    OP_MAXIMUM,
    OP_MODULO,
    OP_MOST,
    OP_NEGATE,
    OP_NEXT,
    OP_NOT,
    OP_NOT_IN,
    OP_NOW,
    OP_OBJECT,
    OP_OR,
    OP_PARTS,
    OP_PIECE,
    OP_STATE,
    OP_VARIABLE,
    OP_ZERO,
    STRING,
    T_NULL,
    T_OVERFLOW,
    T_TYPE,
)
from .kernel import Output, ask, kernel, length_of, make
from .layout import Cells, Rows
from .parts import add, begin_gathering, gather, item_of, on_parts, steps_of
from .values import (
    arithmetic,
    compare,
    copy_cell,
    extreme,
    need_boolean,
    negate,
    read_literal,
    set_null,
    set_real,
    set_whole,
)

MOST_STEPS = 1_000_000

# What goes through a list has five cells: the list and the name of a field, what was found so far, the index of the
# item, and the loop around.
FOUND, PLACE, AROUND = 2, 3, 4


@kernel
def evaluate(p: Rows, m: Rows, v: Cells, o: Output, i: int, code: int, private: int, payload: int) -> int:
    """Evaluate the expression at program row `code`; returns the index of the cell that holds its value.

    `private` are the flight's own writes (M3.3), `payload` the event's fields; -1 for none.
    """
    cells = m[i].cells
    base: int = cells + p[0].stack_cells
    top: int = base - 1
    loop = NONE
    steps = 0
    at = code
    while True:
        row = p[at]
        op = row.op
        if op == OP_END:
            return top
        at += 1
        if op == OP_CONSTANT:
            top += 1
            cell = v[top]
            cell.tag = row.tag
            cell.whole = row.whole
            cell.real = row.real
            continue
        if op == OP_VARIABLE:
            top += 1
            cell = v[top]
            hidden = private >= 0 and v[private + row.a].tag != ABSENT
            known = v[(private if hidden else cells) + row.a]
            cell.tag = known.tag
            cell.whole = known.whole
            cell.real = known.real
            continue
        if op == OP_FIELD:
            top += 1
            if payload >= 0:
                copy_cell(v[payload + row.a], v[top])
            else:
                set_null(v[top])
            continue
        if OP_ADD <= op <= OP_MAXIMUM:
            top -= 1
            if row.a > 0:
                read_literal(v[top], v[top + 1], row.a)
            if op > OP_GREATER_EQUAL:
                extreme(op, o, v[top], v[top + 1])
            elif op > OP_MODULO:
                compare(op, o, v[top], v[top + 1])
            elif op > OP_ADD:
                arithmetic(op, v[top], v[top + 1])
            else:
                if loop >= 0:
                    steps -= steps_of(v, o, op, row.a, top)
                add(v, o, top)
        elif op == OP_JUMP:
            at = row.a
            continue
        elif op == OP_NOW:
            top += 1
            set_whole(v[top], INTEGER, m[i].time)
            continue
        elif op == OP_ASK:
            top += 1
            ask(p, m, v, o, i, row.a, private, payload, top)
        elif op == OP_NOT:
            if need_boolean(v[top]):
                v[top].whole = 1 - v[top].whole
        elif op == OP_NEGATE:
            negate(v[top])
        elif op == OP_BOOLEAN:
            need_boolean(v[top])
        elif op == OP_AND or op == OP_OR:
            if need_boolean(v[top]):
                if (v[top].whole == 1) == (op == OP_OR):
                    at = row.a
                else:
                    top -= 1
                    continue
        elif op == OP_IF:
            if need_boolean(v[top]):
                if v[top].whole == 0:
                    at = row.a
                top -= 1
                continue
        elif op <= OP_PIECE:
            if op <= OP_MOST:
                top -= 2 if op <= OP_NOT_IN else 1
            if loop >= 0:
                steps -= steps_of(v, o, op, row.a, top)
            on_parts(v, o, op, row.a, top)
            if op == OP_PARTS and v[top].tag != FAULT:
                top += 1
        elif op <= OP_OBJECT:
            top -= row.a - 1
            what = MAKE_JOINED if op == OP_JOIN else MAKE_LIST if op == OP_LIST else MAKE_OBJECT
            make(v, o, what, row.whole, top, row.a, top)
        elif op == OP_ITEM:
            top += 1
            item_of(v, o, loop, v[loop + PLACE].whole, top)
        elif op == OP_LOOP:
            top -= 1
            if v[top].tag != LIST:
                set_whole(v[top], FAULT, T_NULL if v[top].tag == NULL else T_TYPE)
            elif length_of(o, v[top].whole) == 0:
                begin_gathering(row.whole, v[top])
                at = row.a
            else:
                if loop < 0:
                    steps = MOST_STEPS
                begin_gathering(row.whole, v[top + FOUND])
                set_whole(v[top + PLACE], INTEGER, 0)
                set_whole(v[top + AROUND], INTEGER, loop)
                loop = top
                top += AROUND
                steps -= row.size
        elif op == OP_NEXT:
            place = v[loop + PLACE].whole
            decided = gather(row.whole, 1 if place == 0 else 0, v[loop + FOUND], v[top])
            top = loop + AROUND
            if decided or v[loop + FOUND].tag == FAULT or place + 1 >= length_of(o, v[loop].whole):
                top = loop
                loop = v[top + AROUND].whole
                copy_cell(v[top + FOUND], v[top])
            else:
                v[loop + PLACE].whole = place + 1
                steps -= row.size
                at = row.a
        elif op == OP_COALESCE:
            if v[top].tag == NULL:
                top -= 1
            else:
                at = row.a
            continue
        elif op == OP_STATE:
            top += 1
            state = m[i + p[p[0].root].slot].state
            set_whole(v[top], STRING, p[state].name if state >= 0 else row.whole)
        elif op == OP_CALL:
            top -= row.a - 1
            make(v, o, MAKE_CALLED, row.whole, top, row.a, top)
        elif op == OP_ZERO and v[top].tag == INTEGER and v[top].whole == 0:
            set_real(v[top], 0.0)
        if steps < 0:
            set_whole(v[top], FAULT, T_OVERFLOW)
        if v[top].tag == FAULT:
            copy_cell(v[top], v[base])
            return base


@kernel
def look_up(p: Rows, m: Rows, v: Cells, o: Output, i: int, code: int, private: int, payload: int) -> int:
    """As `evaluate`, for callers that only read the value: that of a variable alone is where it lies."""
    row = p[code]
    if row.op != OP_VARIABLE or p[code + 1].op != OP_END:
        return evaluate(p, m, v, o, i, code, private, payload)
    hidden = private >= 0 and v[private + row.a].tag != ABSENT
    at: int = (private if hidden else m[i].cells) + row.a
    return at
