"""Snapshots: lines of `codec` as tuples, instances from them, and a mark to put an instance back to.

A search knows states by them, in Python and compiled, as both write the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias

from .codec import FOUND, HEADER, HELD_ROW, N_HELD, N_QUEUED, N_SCRATCH, REGION, ROWS, WORK, get_cells, pack, unpack
from .codes import FREE, NONE, OUTSIDE
from .instance import Instance
from .kernel import Line
from .layout import Cell, Queued
from .program import Program
from .texts import Texts

Snapshot: TypeAlias = tuple[int, ...]
"""Equal exactly for instances that behave alike, up to numbering and time."""


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
        self._filled = instance.filled

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
        instance.filled = self._filled
        return instance


_CELL = attrgetter("tag", "whole", "real")


@cache
def _fields(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in fields(cls)))


def longest_line(rows: int, cells: int) -> int:
    """More words than the line of any instance with so many rows and cells has."""
    return HEADER + (REGION + WORK) * rows + 2 * cells


def take_snapshot(instance: Instance) -> Snapshot:
    """The snapshot of an instance; linear in its size."""
    _, line, n = _packed(instance)
    return tuple(line[:n])


def _packed(instance: Instance) -> tuple[Line, Line, int]:
    """Scratch, line, and how long that is."""
    m, v = instance.m, instance.v
    scratch, line = [NONE] * (N_SCRATCH * len(m)), [0] * longest_line(len(m), len(v))
    return scratch, line, pack(instance.program.rows, m, v, 0, scratch, line)


def kept_rows(instance: Instance) -> tuple[list[int], list[int]]:
    """Rows of held inputs, and of what waits, in the order of the snapshot."""
    scratch, line, _ = _packed(instance)
    n = len(instance.m)
    held, found = HELD_ROW * n, FOUND * n
    return scratch[held : held + line[N_HELD]], scratch[found : found + line[N_QUEUED]]


def add_spare_rows(instance: Instance, n: int) -> None:
    """Free rows behind the first queued one, for an instance that has none yet."""
    if n == 0:
        return
    first = len(instance.m)
    instance.m += [Queued(next=k + 1) for k in range(first, first + n)]
    instance.m[-1].next = NONE
    instance.m[FREE].first, instance.m[FREE].length = first, n
    instance.v += [Cell() for _ in range(n * instance.program.head.n_fields)]


def from_snapshot(program: Program, texts: Texts, snapshot: Snapshot) -> Instance:
    """An instance with this snapshot, at time 0; numbers are given anew by position."""
    instance = Instance(program, texts=texts)
    add_spare_rows(instance, snapshot[ROWS])
    scratch = [NONE] * (N_SCRATCH * len(instance.m))
    unpack(program.rows, instance.m, instance.v, 0, scratch, list(snapshot))
    return instance


def region_states(program: Program, snapshot: Sequence[int]) -> list[int]:
    """For each region the state that it is in or has ended in, -1 where it is outside."""
    found = []
    at = HEADER
    for _ in range(program.head.n_regions):
        outside = snapshot[at] == OUTSIDE
        found.append(NONE if outside else snapshot[at + 1])
        at += 1 if outside else REGION
    return found


def variable_cells(program: Program, snapshot: Snapshot) -> list[tuple[int, int, float]]:
    """Tag, whole and real of each variable."""
    at = HEADER + sum(1 if state < 0 else REGION for state in region_states(program, snapshot))
    cells = [Cell() for _ in range(program.head.n_variables)]
    get_cells(cells, 0, len(cells), list(snapshot), at)
    return [(cell.tag, cell.whole, cell.real) for cell in cells]
