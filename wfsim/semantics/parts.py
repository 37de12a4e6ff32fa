"""Texts, lists and objects in expressions (M10.5 to M10.8): what is in them, and what is made of them.

Each function works on the cells from `at` on and leaves its value, or a fault, in cell `at`. What is there is read
(`length_of`, `element`, …); a new text or list is made by the surroundings, which give it a handle (`make`).
A list that is gone through has a cell behind it with the name of a field, or -1: of each item that field is taken.
"""

from __future__ import annotations

from .codes import (
    ALL_OF,
    BOOLEAN,
    COUNT,
    FAULT,
    INTEGER,
    LIST,
    MAKE_FIELDS,
    MAKE_JOINED,
    MAKE_LOWER,
    MAKE_TEXT,
    MAKE_UPPER,
    NONE,
    NULL,
    NUMBER,
    OBJECT,
    OP_ADD,
    OP_ENDS,
    OP_HOLDS,
    OP_IN,
    OP_INDEX,
    OP_LEAST,
    OP_LENGTH,
    OP_LOWER,
    OP_MAXIMUM,
    OP_MINIMUM,
    OP_MOST,
    OP_NOT_IN,
    OP_PART,
    OP_PARTS,
    OP_PIECE,
    OP_STARTS,
    OP_TEXT,
    OP_UPPER,
    STRING,
    SUM,
    T_NO_FIELD,
    T_NO_ITEM,
    T_NULL,
    T_OVERFLOW,
    T_TYPE,
)
from .kernel import Output, apart, element, holds, kernel, length_of, make, part_named
from .layout import Cell, Cells
from .values import arithmetic, copy_cell, extreme, need_boolean, order_cells, set_null, set_whole

SIGNS_PER_STEP = 100
LONGEST_TEXT = 1_000_000


@kernel
def take_item(v: Cells, o: Output, at: int) -> None:
    """The list becomes its item at the index behind it, from the end if that is negative (M10.5)."""
    if v[at].tag == NULL or v[at + 1].tag == NULL:
        set_whole(v[at], FAULT, T_NULL)
    elif v[at].tag != LIST or v[at + 1].tag != INTEGER:
        set_whole(v[at], FAULT, T_TYPE)
    else:
        n = length_of(o, v[at].whole)
        index = v[at + 1].whole
        if index < 0:
            index += n
        if index < 0 or index >= n:
            set_whole(v[at], FAULT, T_NO_ITEM)
        else:
            element(v, o, v[at].whole, index, at)


@kernel
def take_field(v: Cells, o: Output, name: int, at: int) -> None:
    """The object becomes its field (M10.5)."""
    if v[at].tag != OBJECT:
        set_whole(v[at], FAULT, T_NULL if v[at].tag == NULL else T_TYPE)
    elif part_named(v, o, v[at].whole, name, at) == 0:
        set_whole(v[at], FAULT, T_NO_FIELD)


@kernel
def take_part(v: Cells, o: Output, name: int, at: int) -> None:
    """The object becomes its field, or the list the list of that field of each (M10.5)."""
    if v[at].tag == LIST:
        make(v, o, MAKE_FIELDS, name, at, 1, at)
    else:
        take_field(v, o, name, at)


@kernel
def take_parts(v: Cells, o: Output, name: int, at: int) -> None:
    """`value.name` as a list to go through: the cell behind it gets the field to take of each item, -1 for all of it.

    So no list of the fields is made. The cell behind that is written on.
    """
    if v[at].tag != LIST:
        take_part(v, o, name, at)
        set_whole(v[at + 1], INTEGER, NONE)
        return
    for index in range(length_of(o, v[at].whole)):
        element(v, o, v[at].whole, index, at + 2)
        take_field(v, o, name, at + 2)
        if v[at + 2].tag == FAULT:
            copy_cell(v[at + 2], v[at])
            return
    set_whole(v[at + 1], INTEGER, name)


@apart
def item_of(v: Cells, o: Output, items: int, index: int, at: int) -> None:
    """Cell `at` becomes what there is to go through at an index of the list in cell `items`."""
    element(v, o, v[items].whole, index, at)
    if v[items + 1].whole >= 0:
        part_named(v, o, v[at].whole, v[items + 1].whole, at)


@kernel
def take_length(v: Cells, o: Output, at: int) -> None:
    """The value becomes its length."""
    tag = v[at].tag
    if tag == STRING or tag == LIST or tag == OBJECT:
        set_whole(v[at], INTEGER, length_of(o, v[at].whole))
    else:
        set_whole(v[at], FAULT, T_NULL if tag == NULL else T_TYPE)


@kernel
def matches(o: Output, left: Cell, right: Cell) -> int:
    """1 if `==` is true of both; values of different kinds do not match."""
    if left.tag == NULL or right.tag == NULL or (left.tag == right.tag and left.tag != NUMBER):
        return 1 if left.tag == right.tag and left.whole == right.whole else 0
    return 1 if order_cells(o, left, right) == 0 else 0


@kernel
def look_in(v: Cells, o: Output, op: int, at: int) -> None:
    """The value becomes whether it is in the list behind it."""
    if v[at + 1].tag != LIST:
        set_whole(v[at], FAULT, T_NULL if v[at + 1].tag == NULL else T_TYPE)
        return
    found = 0
    for index in range(length_of(o, v[at + 1].whole)):
        item_of(v, o, at + 1, index, at + 3)
        if matches(o, v[at], v[at + 3]):
            found = 1
            break
    set_whole(v[at], BOOLEAN, found if op == OP_IN else 1 - found)


@kernel
def extreme_of(v: Cells, o: Output, op: int, at: int) -> None:
    """The list becomes its smallest or largest item (M10.7)."""
    if v[at].tag != LIST:
        set_whole(v[at], FAULT, T_NULL if v[at].tag == NULL else T_TYPE)
        return
    n = length_of(o, v[at].whole)
    for index in range(n):
        item_of(v, o, at, index, at + 2)
        if v[at + 2].tag == NULL:
            set_whole(v[at], FAULT, T_NULL)
            return
    set_null(v[at + 2])
    for index in range(n):
        item_of(v, o, at, index, at + 3)
        if index == 0:
            copy_cell(v[at + 3], v[at + 2])
        # Even one item alone is of a kind that has an order.
        extreme(OP_MINIMUM if op == OP_LEAST else OP_MAXIMUM, o, v[at + 2], v[at + 3])
        if v[at + 2].tag == FAULT:
            break
    copy_cell(v[at + 2], v[at])


@kernel
def on_text(v: Cells, o: Output, op: int, at: int) -> None:
    """`text`, `lower` and `upper` (M10.6, M10.8)."""
    tag = v[at].tag
    if tag == NULL:
        set_whole(v[at], FAULT, T_NULL)
    elif op == OP_TEXT:
        if tag == LIST or tag == OBJECT:
            set_whole(v[at], FAULT, T_TYPE)
        elif tag != STRING:
            make(v, o, MAKE_TEXT, 0, at, 1, at)
    elif tag != STRING:
        set_whole(v[at], FAULT, T_TYPE)
    else:
        make(v, o, MAKE_LOWER if op == OP_LOWER else MAKE_UPPER, 0, at, 1, at)


@kernel
def on_texts(v: Cells, o: Output, op: int, at: int) -> None:
    """`startswith`, `endswith` and `contains` of a text and the one behind it (M10.8)."""
    if v[at].tag == NULL or v[at + 1].tag == NULL:
        set_whole(v[at], FAULT, T_NULL)
    elif v[at].tag != STRING or v[at + 1].tag != STRING:
        set_whole(v[at], FAULT, T_TYPE)
    else:
        set_whole(v[at], BOOLEAN, holds(o, op, v[at].whole, v[at + 1].whole))


@kernel
def length_together(v: Cells, o: Output, first: int, n: int) -> int:
    """Characters of all the texts among `n` cells."""
    length = 0
    for k in range(first, first + n):
        if v[k].tag == STRING:
            length += length_of(o, v[k].whole)
    return length


@kernel
def add_piece(v: Cells, o: Output, n: int, at: int) -> None:
    """Whether the `n` pieces up to cell `at` can be put together: a fault in `at` if not (M10.6)."""
    before = v[at - 1].tag
    if before == NULL or v[at].tag == NULL:
        set_whole(v[at], FAULT, T_NULL)
    elif before != STRING or v[at].tag != STRING:
        set_whole(v[at], FAULT, T_TYPE)
    elif length_together(v, o, at - n + 1, n) > LONGEST_TEXT:
        set_whole(v[at], FAULT, T_OVERFLOW)


@kernel
def add(v: Cells, o: Output, at: int) -> None:
    """`+` of the value and the one behind it: numbers are added, two texts put together."""
    if v[at].tag == STRING and v[at + 1].tag == STRING:
        if length_together(v, o, at, 2) > LONGEST_TEXT:
            set_whole(v[at], FAULT, T_OVERFLOW)
        else:
            make(v, o, MAKE_JOINED, 0, at, 2, at)
    else:
        arithmetic(OP_ADD, v[at], v[at + 1])


@apart
def on_parts(v: Cells, o: Output, op: int, a: int, at: int) -> None:
    """What an operation on texts, lists and objects makes of cell `at` and those behind it; `a` is its number."""
    if op <= OP_NOT_IN:
        look_in(v, o, op, at)
    elif op == OP_INDEX:
        take_item(v, o, at)
    elif op <= OP_HOLDS:
        on_texts(v, o, op, at)
    elif op == OP_PART:
        take_part(v, o, a, at)
    elif op == OP_PARTS:
        take_parts(v, o, a, at)
    elif op == OP_LENGTH:
        take_length(v, o, at)
    elif op == OP_LEAST or op == OP_MOST:
        extreme_of(v, o, op, at)
    elif op <= OP_UPPER:
        on_text(v, o, op, at)
    else:
        add_piece(v, o, a, at)


@apart
def steps_of(v: Cells, o: Output, op: int, a: int, at: int) -> int:
    """How many steps an operation takes inside of a function that goes through a list (M10.7)."""
    if op == OP_IN or op == OP_NOT_IN:
        return length_of(o, v[at + 1].whole) if v[at + 1].tag == LIST else 0
    if op == OP_PART or op == OP_PARTS:
        return length_of(o, v[at].whole) if v[at].tag == LIST else 0
    if op == OP_STARTS or op == OP_ENDS or op == OP_HOLDS:
        return length_together(v, o, at, 2) // SIGNS_PER_STEP
    if op == OP_TEXT or op == OP_LOWER or op == OP_UPPER or op == OP_ADD:
        return length_together(v, o, at, 1) // SIGNS_PER_STEP
    if op == OP_PIECE:
        return length_together(v, o, at - a + 1, a - 1) // SIGNS_PER_STEP
    return 0


@apart
def gather(function: int, is_first: int, found: Cell, value: Cell) -> int:
    """Take the value for one item into what was found so far: 1 if that decides it (M10.7)."""
    if function == SUM:
        if value.tag != INTEGER and value.tag != NUMBER:
            set_whole(found, FAULT, T_NULL if value.tag == NULL else T_TYPE)
        elif is_first:
            copy_cell(value, found)
        else:
            arithmetic(OP_ADD, found, value)
        return 0
    if need_boolean(value) == 0:
        copy_cell(value, found)
        return 0
    if function == COUNT:
        found.whole += value.whole
        return 0
    if value.whole == found.whole:
        return 0
    found.whole = value.whole
    return 1


@apart
def begin_gathering(function: int, found: Cell) -> None:
    """What a function comes to for a list with nothing in it."""
    if function == SUM or function == COUNT:
        set_whole(found, INTEGER, 0)
    else:
        set_whole(found, BOOLEAN, 1 if function == ALL_OF else 0)
