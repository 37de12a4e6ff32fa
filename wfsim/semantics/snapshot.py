"""Instances as canonical tuples: equal exactly when they behave alike, up to numbering and time.

Two instances that differ only in how many steps they have made, in serial numbers or in clock readings have
the same snapshot; so a search visits each of them once, and can rebuild an instance from its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias

from .codes import (
    CHILD,
    DEFERRED,
    EACH,
    GROUNDED,
    IDLE,
    INTERNAL,
    ITEMS,
    NONE,
    OUTSIDE,
    PARALLEL,
    WAITING,
)
from .instance import Instance
from .layout import Each, Held, Queued, RegionCell, Rows, TimerCell, WorkCell
from .program import Program
from .rows import ITEM, append, payload_of, prepend
from .texts import Texts
from .work import log_entry

Snapshot: TypeAlias = tuple[Any, ...]

_KEPT = (
    "kind",
    "event",
    "event_id",
    "source",
    "error_type",
    "permanent",
    "reason",
    "sender",
    "region",
    "timer",
    "own",
)
_KEPT_WORK = ("phase", "activity", "attempt", "delay", "region", "unsure")
_KEPT_HELD = ("activity", "first_input", "end_input", "region", "state", "logged", "undoing")
_KEPT_EACH = ("items", "n", "state", "started", "open")
# A deadline in a rebuilt instance: it may pass at any moment, but no retry comes too late for it.
FAR = 1 << 60

_LISTS = (INTERNAL, DEFERRED, WAITING)


class Mark:
    """Where an instance stands, to put it back there: cheaper than a copy, as a step changes few rows.

    Attributes
    ----------
    instance
        The one that is put back; its lists of rows and cells stay the same lists.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._rows = []
        for row in instance.m:
            cls: Any = type(row)
            read = _fields(cls)
            self._rows.append((cls, read, read(row)))
        self._cells = [_CELL(cell) for cell in instance.v]
        self._events_seen = dict(instance.events_seen)
        self._commands_seen = set(instance.commands_seen)

    def restore(self) -> Instance:
        """Put the instance back; linear in its size, with little work for what has not changed."""
        instance = self.instance
        m, v = instance.m, instance.v
        del m[len(self._rows) :]
        del v[len(self._cells) :]
        for k, (cls, read, values) in enumerate(self._rows):
            if type(m[k]) is not cls or read(m[k]) != values:
                m[k] = cls(*values)
        for cell, kept in zip(v, self._cells):
            if _CELL(cell) != kept:
                cell.tag, cell.whole, cell.real = kept
        instance.events_seen = dict(self._events_seen)
        instance.commands_seen = set(self._commands_seen)
        return instance


_CELL = attrgetter("tag", "whole", "real")


@cache
def _fields(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in fields(cls)))


def take_snapshot(instance: Instance) -> Snapshot:
    """The canonical tuple of an instance; linear in its size."""
    program, m, v = instance.program, instance.m, instance.v
    head = program.head
    order: dict[int, int] = {}

    def number(k: int) -> int:
        """The place of a queued row among those kept; found rows are added, with what they hold."""
        if k < 0:
            return NONE
        if k not in order:
            order[k] = len(order)
        return order[k]

    regions: list[tuple[int, ...] | None] = []
    for r in range(head.first_region, head.first_region + head.n_regions):
        cell: RegionCell = m[program.rows[r].slot]
        if cell.phase == OUTSIDE:
            regions.append(None)
        else:
            # On the ground, what the last flight left behind means nothing.
            flight = (NONE, GROUNDED, 0, NONE, NONE)
            if cell.flight_phase != GROUNDED:
                flight = (cell.flight, cell.flight_phase, cell.waited, cell.action, number(cell.entry))
            regions.append((cell.phase, cell.state, *flight, cell.stuck, _joined(program, m, r)))
    works = instance.works()
    eaches = [work.held for work in works if work.phase == EACH]
    held = list(instance.log())
    held += [w.held for w in works if w.phase not in (IDLE, EACH) and w.held >= 0 and w.held not in held]
    timers: list[TimerCell] = m[head.first_timer : head.first_clock]
    lists = []
    for which in _LISTS:
        k = m[which].first
        line = []
        while k >= 0:
            line.append(number(k))
            k = m[k].next
        lists.append(tuple(line))
    entries = []
    at = 0
    while at < len(order):
        k = list(order)[at]
        row: Queued = m[k]
        alive = row.region < 0 or row.activation == m[program.rows[row.region].slot].activation
        base = payload_of(program.rows, m, 0, k)
        payload = tuple((c.tag, c.whole, c.real) for c in v[base : base + head.n_fields])
        kept = tuple(getattr(row, name) for name in _KEPT)
        entries.append((*kept, alive, number(row.origin), payload))
        at += 1
    return (
        m[0].status,
        m[0].outcome,
        tuple(regions),
        tuple(_work(w, held, eaches) if w.phase != IDLE else None for w in works),
        tuple(_each(instance, k) for k in eaches),
        tuple(_held(instance, k) for k in held),
        (m[0].undoing_all > 0, m[0].reason),
        tuple(timer.due >= 0 for timer in timers),
        tuple(lists),
        tuple(entries),
        tuple((c.tag, c.whole, c.real) for c in v[: head.inbox_cells]),
    )


def from_snapshot(program: Program, texts: Texts, snapshot: Snapshot) -> Instance:
    """An instance with this snapshot, at time 0; numbers are given anew by position."""
    status, outcome, regions, works, eaches, held, (undoing_all, reason), timers, lists, entries, cells = snapshot
    instance = Instance(program, texts=texts)
    m, v, head = instance.m, instance.v, program.head
    me = instance.me
    me.status, me.outcome, me.reason = status, outcome, reason
    me.activations = head.n_regions + len(works)
    me.flights = head.n_regions + 1
    me.undoing_all = me.flights if undoing_all else 0
    me.serials, me.timer_ids = len(works), head.n_timers + 2 * len(works)
    for cell, (tag, whole, real) in zip(v, cells):
        cell.tag, cell.whole, cell.real = tag, whole, real
    places = [_rebuild_held(instance, len(works) + number + 1, kept) for number, kept in enumerate(held)]
    each_places = [_rebuild_each(instance, kept) for kept in eaches]
    rows = []
    for kept in entries:
        k = _new_entry(instance, Queued(holds=0))
        rows.append(k)
        row: Queued = m[k]
        for name, value in zip(_KEPT, kept):
            setattr(row, name, value)
        row.activation = row.region - head.first_region + 1 if kept[len(_KEPT)] else 0
        base = payload_of(program.rows, m, 0, k)
        for cell, (tag, whole, real) in zip(v[base : base + head.n_fields], kept[-1]):
            cell.tag, cell.whole, cell.real = tag, whole, real
    for k, kept in zip(rows, entries):
        origin = kept[-2]
        if origin >= 0:
            m[k].origin = rows[origin]
            m[rows[origin]].holds += 1
    for which, line in zip(_LISTS, lists):
        for place in line:
            append(m, 0, which, rows[place])
            m[rows[place]].holds += 1
    for k, kept_region in enumerate(regions):
        if kept_region is None:
            continue
        region: RegionCell = m[program.rows[head.first_region + k].slot]
        region.phase, region.state, region.flight, region.flight_phase = kept_region[:4]
        region.waited, region.action = kept_region[4:6]
        region.stuck = kept_region[7]
        if kept_region[8]:
            m[program.rows[head.first_region + k].work].attempt = 1
        region.activation = region.flight_number = k + 1
        if kept_region[6] >= 0:
            region.entry = rows[kept_region[6]]
            m[region.entry].holds += 1
    for k, kept_work in enumerate(works):
        if kept_work is not None:
            work: WorkCell = _new_item(instance) if k >= head.n_works else m[head.first_work + k]
            for name, value in zip(_KEPT_WORK, kept_work):
                setattr(work, name, value)
            work.serial = k + 1
            if work.phase == CHILD:
                # A child has the number of the activation that started it; those of items come behind the regions'.
                own = m[program.rows[work.region].slot].activation
                work.serial = own if k < head.n_works else head.n_regions + k + 1
            has_due, has_deadline, at_held, at_undoes, at_each, work.index = kept_work[len(_KEPT_WORK) :]
            if k >= head.n_works:
                work.each = each_places[at_each]
            elif at_each >= 0:
                work.serial = NONE
                work.held = each_places[at_each]
            if has_due:
                work.due, work.due_id = 0, head.n_timers + 2 * k + 1
            if has_deadline:
                work.deadline, work.deadline_id = FAR, head.n_timers + 2 * k + 2
            if at_held >= 0:
                work.held = places[at_held]
                m[work.held].holds += 1
            if at_undoes >= 0:
                work.undoes = places[at_undoes]
    for k, runs in enumerate(timers):
        if runs:
            timer: TimerCell = m[head.first_timer + k]
            timer.due, timer.id = 0, k + 1
    return instance


def _joined(program: Program, m: Rows, r: int) -> int:
    """1 if the regions inside region `r`'s active state have been joined, or can no longer be (M4.3)."""
    row = program.rows[r]
    if program.rows[m[row.slot].state].work != PARALLEL:
        return 0
    return 1 if m[row.work].attempt == 1 else 0


def _work(work: WorkCell, held: list[int], eaches: list[int]) -> tuple[int, ...]:
    """An open work; a `for_each` and its items name which one, by position."""
    each = work.held if work.phase == EACH else work.each
    return (
        *(getattr(work, name) for name in _KEPT_WORK),
        work.due >= 0,
        work.deadline >= 0,
        held.index(work.held) if work.held >= 0 and work.phase != EACH else NONE,
        held.index(work.undoes) if work.undoes >= 0 else NONE,
        eaches.index(each) if each >= 0 else NONE,
        work.index,
    )


def _each(instance: Instance, k: int) -> tuple[Any, ...]:
    """A `for_each` under way, with what came of the items that have ended."""
    program, m, v = instance.program, instance.m, instance.v
    row: Each = m[k]
    ended = []
    at = row.ended
    while at >= 0:
        base = payload_of(program.rows, m, 0, at) + ITEM
        ended.append((m[at].index, m[at].phase, tuple((c.tag, c.whole, c.real) for c in v[base : base + 3])))
        at = m[at].next
    return (*(getattr(row, name) for name in _KEPT_EACH), tuple(sorted(ended, reverse=True)))


def _rebuild_each(instance: Instance, kept: tuple[Any, ...]) -> int:
    k = _new_entry(instance, Each(holds=1))
    m, row = instance.m, instance.m[k]
    for name, value in zip(_KEPT_EACH, kept):
        setattr(row, name, value)
    for index, phase, cells in kept[-1]:
        at = _new_entry(instance, WorkCell(phase=phase, each=k, index=index, holds=1, next=row.ended))
        row.ended = at
        base = payload_of(instance.program.rows, m, 0, at) + ITEM
        for cell, (tag, whole, real) in zip(instance.v[base:], cells):
            cell.tag, cell.whole, cell.real = tag, whole, real
    return k


def _new_item(instance: Instance) -> WorkCell:
    """The work of an open item, in the list where the newest is first."""
    row = WorkCell(holds=1)
    prepend(instance.m, 0, ITEMS, _new_entry(instance, row))
    return row


def _held(instance: Instance, k: int) -> tuple[Any, ...]:
    """Held inputs or a log entry; who tried it in vain is a region's flight, or the cancelling instance."""
    program, m, v = instance.program, instance.m, instance.v
    row: Held = m[k]
    tried = NONE
    if row.tried >= 0:
        cells = [m[r.slot] for r in program.rows[program.head.first_region :][: program.head.n_regions]]
        flying = [cell.flight_number if cell.flight_phase != GROUNDED else NONE for cell in cells]
        numbers = [*flying, m[0].undoing_all]
        tried = numbers.index(row.tried) if row.tried in numbers else NONE
    base = payload_of(program.rows, m, 0, k)
    values = tuple((c.tag, c.whole, c.real) for c in v[base : base + program.head.n_fields])
    return (*(getattr(row, name) for name in _KEPT_HELD), tried, values)


def _rebuild_held(instance: Instance, number: int, kept: tuple[Any, ...]) -> int:
    k = _new_entry(instance, Held())
    row: Held = instance.m[k]
    for name, value in zip(_KEPT_HELD, kept):
        setattr(row, name, value)
    row.serial = number
    # Flights are numbered by region, that of the cancelling instance comes behind them.
    row.tried = kept[-2] + 1 if kept[-2] >= 0 else NONE
    base = payload_of(instance.program.rows, instance.m, 0, k)
    for cell, (tag, whole, real) in zip(instance.v[base:], kept[-1]):
        cell.tag, cell.whole, cell.real = tag, whole, real
    if row.logged == 1:
        # One that is undone (2) has left the log; its activity may still hold it.
        row.logged = 0
        log_entry(instance.m, 0, k)
    return k


def _new_entry(instance: Instance, row: Queued | Held | Each | WorkCell) -> int:
    m, v = instance.m, instance.v
    m.append(row)
    v.extend(type(v[0])() for _ in range(instance.program.head.n_fields))
    return len(m) - 1
