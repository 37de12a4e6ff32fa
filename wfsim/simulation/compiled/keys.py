"""Correlation keys of open instances, and who has which (M7.2): a table of places, and from each a list of slots."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import rows_from
from wfsim.semantics.codes import FAULT, INTEGER, LIST, NONE, NULL, NUMBER, OBJECT
from wfsim.semantics.later import njit
from wfsim.semantics.speed import bits_of, keep_cell

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

evaluate: Any = None
"""A compiled function of the kernel, which `roots` puts here where the calendar has to be compiled."""

_BEYOND = 2.0**63


@_njit
def key_place(name: int, tag: int, whole: int) -> Any:
    """Where a key of a workflow is looked for first, before it is cut to the size of the table."""
    return (whole ^ (whole >> 32)) * 1_000_003 + tag * 7_919 + name


@_njit
def numbers_of(cell: Any) -> Any:
    """Two numbers for a value, the same for those that are one key: 5 and 5.0 are."""
    tag, whole = cell.tag, cell.whole
    if tag == NUMBER:
        if -_BEYOND <= cell.real < _BEYOND and cell.real == int(cell.real):
            tag, whole = INTEGER, int(cell.real)
        else:
            whole = bits_of(cell.real)
    return tag, whole


@_njit
def place_of(k: Any, r: Any, case: Any) -> Any:
    """Where the key of a case is looked for."""
    return key_place(k.members[case.member].name, case.key_tag, case.key_whole) & (r.state[0].key_places - 1)


@_njit
def holder_of(k: Any, r: Any, name: int, tag: int, whole: int) -> Any:
    """Who has a key of the workflow of this name, or -1."""
    at = r.keys[key_place(name, tag, whole) & (r.state[0].key_places - 1)]
    while at >= 0:
        other = r.cases[at]
        is_same = other.key_whole == whole and other.key_tag == tag
        if is_same and k.members[other.member].name == name:
            return at
        at = other.key_next
    return NONE


@_apart
def take_key(k: Any, r: Any, slot: int) -> None:
    """Let a case be found by its key."""
    place = place_of(k, r, r.cases[slot])
    r.cases[slot].key_next = r.keys[place]
    r.keys[place] = slot


@_njit
def free_key(k: Any, r: Any, slot: int) -> None:
    """Nobody has the key of a case any more, if it has one."""
    case = r.cases[slot]
    if case.key_tag < 0:
        return
    place = place_of(k, r, case)
    before, at = NONE, r.keys[place]
    while at != slot:
        before, at = at, r.cases[at].key_next
    if before < 0:
        r.keys[place] = case.key_next
    else:
        r.cases[before].key_next = case.key_next
    case.key_tag = NONE


@_apart
def link_keys(k: Any, r: Any) -> None:
    """Put all keys where they are looked for, in a table of another size."""
    s = r.state[0]
    s.linked = s.key_places
    for slot in range(s.n_slots):
        if r.cases[slot].key_tag >= 0:
            take_key(k, r, slot)


@_apart
def ask_for_key(k: Any, r: Any, o: Any, slot: int) -> Any:
    """Compute the key of an instance that lies in its area: whether it is one, and nobody has it.

    Where that puts a question, it is asked again.
    """
    s, case = r.state[0], r.cases[slot]
    p, i = rows_from(k.p, case.first_row), r.areas[case.member].m
    cell = r.v[evaluate(p, r.m, r.v, o, i, k.members[case.member].key_code, NONE, NONE)]
    s.holder = NONE
    if o.tally[0].question >= 0 or cell.tag == NULL or cell.tag == FAULT or cell.tag == LIST or cell.tag == OBJECT:
        return False
    case.key_tag, case.key_whole = numbers_of(cell)
    s.holder = holder_of(k, r, k.members[case.member].name, case.key_tag, case.key_whole)
    if s.holder >= 0:
        case.key_tag = NONE
        return False
    keep_cell(cell, r.v[r.areas[case.member].v + p[0].key_cell])
    return True
