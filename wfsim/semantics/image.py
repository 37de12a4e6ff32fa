"""An instance as plain data and back, exactly: what a store keeps so that a long history need not be replayed.

Not to be mixed up with `snapshot`, which leaves out times and serial numbers so that a search recognises states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, fields
from typing import Any

from .codes import BOOLEAN, FAULT, FREE, INBOX, INTEGER, LIST, NULL, NUMBER, OBJECT, STRING
from .instance import Instance
from .layout import Cell, Each, Held, ListCell, Me, Queued, RegionCell, TimerCell, WorkCell
from .program import Program

_ROWS: tuple[type[Any], ...] = (Me, ListCell, RegionCell, WorkCell, TimerCell, Queued, Held, Each)
_NAMES = [[field.name for field in fields(kind)] for kind in _ROWS]
_KIND = {kind: number for number, kind in enumerate(_ROWS)}
_HANDLES: dict[type[Any], tuple[str, ...]] = {
    Me: ("reason",),
    Queued: ("event_id", "source", "error_type", "reason", "sender", "refused"),
    Each: ("items",),
}
"""Fields that hold handles of texts."""
_TEXTUAL = (STRING, LIST, OBJECT, FAULT)
_NOTHING = (NULL, 0, 0.0)


def fingerprint(program: Program) -> str:
    """A hash of everything that gives an image its meaning: rows, texts, and how wfsim lays them out."""
    seen = hashlib.sha256(repr(_NAMES).encode())
    for row in program.rows:
        seen.update(f"{type(row).__name__}{astuple(row)}".encode())
    seen.update(repr(program.names).encode())
    seen.update(repr([program.texts.value(k) for k in range(len(program.texts))]).encode())
    return seen.hexdigest()


def image_of(instance: Instance) -> dict[str, Any]:
    """The whole instance as JSON, but for the ids it has seen: those are in its records.

    Cost: linear in what it holds now, not in its history.
    """
    program, m, v = instance.program, instance.m, instance.v
    base = len(program.texts)
    kept: list[Any] = []
    place: dict[int, int] = {}

    def handle(old: int) -> int:
        if old < base:
            return old
        if old not in place:
            place[old] = base + len(kept)
            kept.append(instance.texts.value(old))
        return place[old]

    free = set()
    k = m[FREE].first
    while k >= 0:
        free.add(k)
        k = m[k].next
    rows = []
    for number, row in enumerate(m):
        kind = type(row)
        if number == INBOX:
            row = Queued()
        if number in free:
            row = Queued(next=row.next)
            kind = Queued
        handles = _HANDLES.get(kind, ())
        rows.append(
            [
                _KIND[kind],
                *(
                    handle(getattr(row, name)) if name in handles else getattr(row, name)
                    for name in _NAMES[_KIND[kind]]
                ),
            ]
        )
    head = program.head
    # Nothing lasts in the inbox, on the stack of expressions and in the scratch row.
    idle = set(range(head.inbox_cells, head.inbox_cells + head.n_fields))
    idle |= set(range(head.stack_cells, head.queue_cells + head.n_fields))
    idle |= {
        cell
        for k in free
        for cell in range(
            head.queue_cells + (k - head.first_queued) * head.n_fields,
            head.queue_cells + (k - head.first_queued + 1) * head.n_fields,
        )
    }
    cells = [_cell(c, handle) if number not in idle else list(_NOTHING) for number, c in enumerate(v)]
    return {"rows": rows, "cells": cells, "texts": kept}


def _cell(cell: Cell, handle: Callable[[int], int]) -> list[Any]:
    """What counts of a cell: the rest may be left over from what it held before."""
    if cell.tag in _TEXTUAL:
        return [cell.tag, handle(cell.whole), 0.0]
    if cell.tag == NUMBER:
        return [cell.tag, 0, cell.real]
    return [cell.tag, cell.whole if cell.tag in (INTEGER, BOOLEAN) else 0, 0.0]


def from_image(program: Program, image: dict[str, Any], events: Mapping[str, int], commands: Iterable[str]) -> Instance:
    """The instance of an image, with texts of its own; what it does next is what the first would have done.

    Parameters
    ----------
    program
        With the `fingerprint` that it had.
    events, commands
        Its `events_seen` and `commands_seen`.
    """
    instance = Instance(program)
    for number, value in enumerate(image["texts"]):
        assert instance.texts.handle(value) == len(program.texts) + number
    instance.m[:] = [_ROWS[kind](*values) for kind, *values in image["rows"]]
    instance.v[:] = [Cell(tag, whole, real) for tag, whole, real in image["cells"]]
    instance.events_seen = dict(events)
    instance.commands_seen = set(commands)
    return instance
