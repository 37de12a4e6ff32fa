"""Instances in their slots: how they come, what they keep in the calendar, and how they go."""

from __future__ import annotations

from typing import Any

from wfsim.semantics.codes import NONE
from wfsim.semantics.later import njit
from wfsim.simulation.compiled.areas import give_back, set_up
from wfsim.simulation.compiled.calendar import void

_njit = njit(nogil=True, error_model="numpy")


@_njit
def free_slot(k: Any, r: Any, member: int) -> Any:
    """A slot for an instance of a member; -1 if there is no room for it."""
    s, given, slot = r.state[0], k.members[member], r.free[member]
    if slot >= 0:
        r.free[member] = r.cases[slot].next
        return slot
    full = s.n_slots >= s.slot_room or s.stays_end + given.n_regions > s.stays_room
    # Who has just come needs no block.
    full = full or s.timers_end + given.n_timers > s.timers_room or s.visits_end + given.n_names > s.visits_room
    if full or s.w_end + given.n_words > s.word_room:
        return NONE
    slot = s.n_slots
    s.n_slots += 1
    case = r.cases[slot]
    case.member, case.first_row, case.w, case.block = member, given.first_row, s.w_end, NONE
    s.w_end += given.n_words
    # There is less room for blocks.
    s.sure = 0
    case.stays, case.timers, case.visits = s.stays_end, s.timers_end, s.visits_end
    case.key_tag = NONE
    s.stays_end += given.n_regions
    s.timers_end += given.n_timers
    s.visits_end += given.n_names
    return slot


@_njit
def begin_case(k: Any, r: Any, slot: int, number: int, key: int, luck: int) -> None:
    """A fresh instance in a slot, which is open once its first step may begin."""
    s, case = r.state[0], r.cases[slot]
    given = k.members[case.member]
    set_up(k, r, slot)
    r.m[r.areas[case.member].m].key = key
    case.key, case.luck = key, luck
    case.number = number
    case.epoch += 1
    case.stream = NONE
    case.name, case.parent, case.parent_name, case.first_child = NONE, NONE, NONE, NONE
    case.depth, case.family = 0, NONE
    case.seq = 0
    case.steps = 0
    case.path = 0
    case.started = s.now
    case.first_attempt = NONE
    case.first_track = NONE
    case.first_clock = NONE
    for region in range(given.n_regions):
        stay = r.stays[case.stays + region]
        stay.entered = NONE
        stay.current = NONE
        stay.planned = 0
        stay.nth_call = 0
    for timer in range(given.n_timers):
        r.timers[case.timers + timer] = NONE
    for name in range(given.n_names):
        r.visits[case.visits + name] = 0


@_njit
def begin_output(r: Any, o: Any, member: int) -> None:
    """Nothing is put out of an instance of a member, and nothing is lacking."""
    tally = o.tally[0]
    tally.records, tally.values, tally.effects, tally.full, tally.asked = 0, 0, 0, 0, 0
    tally.question, tally.left, tally.right, tally.wanted, tally.state, tally.payload = NONE, 0, 0, 0, 0, 0
    tally.n_answers, tally.owner = r.state[0].answers, member


@_njit
def take_clock(r: Any, case: Any, which: int) -> Any:
    """The entry of the clock with this id, which is then none of the case's any more; -1 if it has none."""
    before, number = NONE, case.first_clock
    while number >= 0 and r.entries[number].b != which:
        before, number = number, r.entries[number].c
    if number >= 0:
        if before < 0:
            case.first_clock = r.entries[number].c
        else:
            r.entries[before].c = r.entries[number].c
    return number


@_njit
def drop_timer(r: Any, case: Any, which: int) -> None:
    """The entry of a timer, if it has one, is void."""
    number = r.timers[case.timers + which]
    if number >= 0:
        void(r, number)
        r.timers[case.timers + which] = NONE


@_njit
def bear(r: Any, slot: int, child: int) -> None:
    """An instance has one child more."""
    case, born = r.cases[slot], r.cases[child]
    born.parent, born.parent_name, born.born_by = slot, case.name, case.number
    born.depth, born.family = case.depth + 1, case.family
    born.before, born.after = NONE, case.first_child
    if case.first_child >= 0:
        r.cases[case.first_child].before = child
    case.first_child = child
    r.families[case.family].n_open += 1


@_njit
def part(r: Any, slot: int) -> None:
    """An instance is gone: its parent has one child less, and its children have no parent."""
    case = r.cases[slot]
    if case.parent >= 0:
        if case.before >= 0:
            r.cases[case.before].after = case.after
        else:
            r.cases[case.parent].first_child = case.after
        if case.after >= 0:
            r.cases[case.after].before = case.before
    child = case.first_child
    while child >= 0:
        r.cases[child].parent = NONE
        child = r.cases[child].after
    if case.family >= 0:
        leave_family(r, case.family)


@_njit
def leave_family(r: Any, number: int) -> None:
    """A family has one less of those who are there, or who write."""
    s, family = r.state[0], r.families[number]
    family.n_open -= 1
    if family.n_open == 0:
        family.next = s.free_family
        s.free_family = number
        s.n_families -= 1


@_njit
def vacate(r: Any, slot: int) -> None:
    """Nobody is in a slot any more, and others may come."""
    case = r.cases[slot]
    part(r, slot)
    give_back(r, case)
    r.areas[case.member].slot = NONE
    case.open = 0
    case.epoch += 1
    case.next = r.free[case.member]
    r.free[case.member] = slot


@_njit
def leave(k: Any, r: Any, slot: int) -> None:
    """A case is over: its slot is free."""
    s, case = r.state[0], r.cases[slot]
    done = r.done[s.n_cases]
    s.n_cases += 1
    done.case, done.key, done.started, done.seq, done.path = case.number, case.key, case.started, case.seq, case.path
    done.member = case.member
    while case.first_track >= 0:
        at = case.first_track
        case.first_track = r.tracks[at].next
        r.tracks[at].next = s.free_track
        s.free_track = at
        s.n_tracks -= 1
    for timer in range(k.members[case.member].n_timers):
        drop_timer(r, case, timer)
    number = case.first_clock
    while number >= 0:
        void(r, number)
        number = r.entries[number].c
    vacate(r, slot)
