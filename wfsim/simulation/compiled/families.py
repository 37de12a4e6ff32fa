"""Children: how they are conceived and stopped, and what their parents are told (M4.4), as `relations` does it.

A child lies in its slot with its inputs from the step on that starts it. Its own first step follows once all effects of
that step are carried out (`Run.after`).
"""

from __future__ import annotations

from typing import Any

from wfsim.semantics.addresses import copy_rows, rows_from
from wfsim.semantics.codes import (
    COMMANDS,
    COMPLETED,
    FAILED,
    INBOX,
    KEY_VALUE,
    MAKE_OBJECT,
    NONE,
    NULL,
    OBJECT,
    START,
    SUCCESS,
    T_TERMINATE,
)
from wfsim.semantics.later import njit
from wfsim.semantics.rows import RESULT
from wfsim.semantics.speed import keep_cell, make
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled.areas import load, store
from wfsim.simulation.compiled.calendar import push
from wfsim.simulation.compiled.cases import bear, begin_case, free_slot, vacate
from wfsim.simulation.compiled.layout import CHILD_ENDS, STOPS
from wfsim.simulation.compiled.returns import ANSWER, DONE, ENDLESS, NAME, SLOTS
from wfsim.simulation.compiled.spots import key_of

_njit = njit(nogil=True, error_model="numpy")
_apart = njit(nogil=True, error_model="numpy", apart=True)

admit: Any = None
mix_key: Any = None
"""Compiled functions of the kernel, which `roots` puts here where the calendar has to be compiled."""

_CONTROL, _RESULT = int(Order.CONTROL), int(Order.RESULT)
_CANCEL, _TERMINATE = COMMANDS.index("cancel"), COMMANDS.index("terminate")


@_njit
def found_family(k: Any, r: Any, slot: int) -> Any:
    """The family of an instance, from now on if it has had none."""
    s, case = r.state[0], r.cases[slot]
    if case.family < 0:
        case.family = s.free_family
        family = r.families[case.family]
        s.free_family = family.next
        s.n_families += 1
        family.n_open = 1
        # What comes from outside, but is not of the root, is numbered with the children.
        family.n = 1 if case.number >= k.settings[0].first_child else 0
    return r.families[case.family]


@_njit
def fill_inputs(k: Any, r: Any, o: Any, slot: int, seq: int) -> Any:
    """Put the values of a record into the variables of a fresh instance; False if the start is to be refused (M7.2)."""
    for at in range(o.tally[0].values):
        value = o.values[at]
        if value.seq == seq and value.name != KEY_VALUE and not set_input(k, r, o, slot, value, True):
            return False
    return has_inputs(k, r, slot)


@_njit
def set_input(k: Any, r: Any, o: Any, slot: int, value: Any, strict: bool) -> Any:
    """Put a value into the input that has its name; False if it does not fit, or if `strict` there is none."""
    case = r.cases[slot]
    cells, p = r.areas[case.member].v, rows_from(k.p, case.first_row)
    first, n, which = p[0].first_variable, p[0].n_variables, 0
    while which < n and not (p[first + which].input and p[first + which].name == value.name):
        which += 1
    if which == n:
        return not strict
    keep_cell(value, r.v[cells + which])
    return admit(p, r.v, o, first + which, cells + which, 1) < 0


@_njit
def has_inputs(k: Any, r: Any, slot: int) -> Any:
    """Whether a fresh instance has all inputs that it needs."""
    case = r.cases[slot]
    given, cells, p = k.members[case.member], r.areas[case.member].v, rows_from(k.p, case.first_row)
    first, n = p[0].first_variable, p[0].n_variables
    for which in range(n):
        row = p[first + which]
        if row.input and not row.optional and r.v[cells + which].tag == NULL and k.v[given.v + which].tag == NULL:
            return False
    return True


@_apart
def conceive(k: Any, r: Any, o: Any, slot: int, effect: Any) -> Any:
    """A child gets its number, and what it starts with; what is lacking first, or `DONE`."""
    s, given, case, tally = r.state[0], k.settings[0], r.cases[slot], o.tally[0]
    member = k.children[case.first_row + effect.activity]
    if case.name < 0:
        return NAME
    family = found_family(k, r, slot)
    if case.depth >= given.most_depth or family.n >= given.most_relatives:
        if not s.endless:
            s.endless, s.endless_name, s.endless_depth = family.n + 1, case.name, case.depth + 1
            return ENDLESS
        s.n_others += 1
        family.n += 1
        tell_parent(r, slot, effect.activity_id, FAILED, 0, NONE)
        return DONE
    child = free_slot(k, r, member)
    if child < 0:
        return SLOTS
    spot = r.spots[effect.seq - o.records[0].seq]
    key, luck = mix_key(case.key, 0, effect.activity_id), mix_key(key_of(k, case, spot.name), 0, spot.nth)
    begin_case(k, r, child, given.first_child + s.n_others, key, luck)
    tally.owner, tally.question = member, NONE
    fits = fill_inputs(k, r, o, child, effect.seq)
    if tally.question >= 0:
        vacate(r, child)
        load(k, r, slot)
        return ANSWER
    store(k, r, child, True)
    s.n_others += 1
    family.n += 1
    bear(r, slot, child)
    r.cases[child].activation = effect.activity_id
    row = r.after[s.end_after]
    row.slot, row.bad, row.letter = child, not fits, NONE
    s.end_after += 1
    load(k, r, slot)
    return DONE


@_apart
def next_child(k: Any, r: Any) -> Any:
    """The child that is next to start, with its stimulus in its area; -1 if it is refused for bad input."""
    s = r.state[0]
    row = r.after[s.first_after]
    take_after(r)
    if row.bad:
        refuse(r, row.slot)
        return NONE
    load(k, r, row.slot)
    case = r.cases[row.slot]
    at = r.areas[case.member].m + INBOX
    copy_rows(r.m, at, k.box, 0, 1)
    inbox = r.m[at]
    inbox.kind, inbox.time, inbox.sender = START, s.now, case.parent_name
    return row.slot


@_njit
def take_after(r: Any) -> None:
    """What was next to follow a step is under way."""
    s = r.state[0]
    s.first_after += 1
    if s.first_after == s.end_after:
        s.first_after, s.end_after = 0, 0


@_apart
def refuse(r: Any, slot: int) -> None:
    """M7.2: a child does not start; its parent takes that for a failure."""
    case = r.cases[slot]
    tell_parent(r, case.parent, case.activation, FAILED, 0, NONE)
    vacate(r, slot)


@_apart
def note_birth(r: Any, slot: int) -> None:
    """Somebody is told of an instance that starts: a child, or by a message, or it comes from outside."""
    s, case = r.state[0], r.cases[slot]
    birth = r.births[s.n_births]
    s.n_births += 1
    birth.number, birth.parent, birth.name = case.number, NONE, case.name
    if case.stream > 0:
        birth.name, birth.activation = NONE - 1 - case.stream, case.came
    if case.parent_name >= 0:
        birth.parent, birth.name, birth.activation = case.born_by, case.parent_name, case.activation


@_njit
def tell_parent(r: Any, parent: int, activation: int, status: int, outcome: int, result: int) -> None:
    """M6.3: how a child ended comes with the results, in a later step; nobody is told for whom it is too late."""
    if parent >= 0:
        about = (activation, status, outcome, result)
        push(r, r.state[0].now, _RESULT, CHILD_ENDS, parent, r.cases[parent].epoch, about)


@_apart
def end_child(k: Any, r: Any, o: Any, slot: int, effect: Any) -> Any:
    """A child has closed; False if its result has to be made first, as the step's output says."""
    case, tally, n = r.cases[slot], o.tally[0], 0
    if case.parent < 0:
        return True
    result, names = NONE, k.members[case.member].outputs
    if names >= 0:
        for at in range(tally.values):
            if o.values[at].seq == effect.seq:
                keep_cell(o.values[at], r.door_v[n])
                n += 1
        tally.owner, tally.question = case.member, NONE
        make(r.door_v, o, MAKE_OBJECT, names, 0, n, n)
        if tally.question >= 0:
            return False
        result = r.door_v[n].whole
    tell_parent(r, case.parent, case.activation, effect.status, effect.outcome, result)
    return True


@_apart
def stop_child(r: Any, slot: int, effect: Any) -> None:
    """A child is told to stop, if it is still there."""
    child = r.cases[slot].first_child
    while child >= 0 and r.cases[child].activation != effect.activity_id:
        child = r.cases[child].after
    if child >= 0:
        command = _TERMINATE if effect.reason == T_TERMINATE else _CANCEL
        push(r, r.state[0].now, _CONTROL, STOPS, child, r.cases[child].epoch, (command, 0, 0, 0))


@_apart
def fill_child_ended(k: Any, r: Any, entry: Any, inbox: Any, cells: int) -> None:
    """The stimulus that tells a parent how its child ended."""
    inbox.serial, inbox.command, inbox.policy = entry.a, entry.b, entry.c
    if entry.b != COMPLETED or entry.c != SUCCESS:
        inbox.error_type = k.endings[entry.b]
    if entry.d >= 0:
        result = r.v[cells + RESULT]
        result.tag, result.whole, result.real = OBJECT, entry.d, 0.0
