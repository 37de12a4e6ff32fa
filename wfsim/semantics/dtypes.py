"""numpy's record types for the rows of the kernel's tables: what `layout` names, packed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import numpy as np

from . import layout

WIDE = frozenset({"time", "key", "due", "left", "deadline", "delay", "retry_after", "holds", "whole"})
"""Fields of instances and of what a step puts out that need eight bytes: times, random keys, values, and sums of bits.
All others are rows, handles, small numbers and counters of one instance."""
WIDE_IN_PROGRAMS = frozenset(
    {
        "workflow_timeout",
        "timeout",
        "after",
        "schedule_to_start",
        "start_to_close",
        "schedule_to_close",
        "heartbeat",
        "initial_interval",
        "max_interval",
        "coefficient",
        "whole",
        "lowest",
        "highest",
    }
)
"""Fields of programs that need eight bytes: durations and values. All others are rows, handles and counts within a
definition, so that a row has 128 bytes: of rows of 256, those of one workflow did not fit into the first cache."""


def union_type(
    classes: Iterable[type], is_narrow: Callable[[str], bool], shifted: bool = False, last: str = ""
) -> np.dtype[Any]:
    """One record type for rows of several classes: fields of different classes overlap, equal names agree.

    A field takes four bytes if it is narrow, else eight; a name has the same place in all classes that have it, `last`
    behind all others. Where a `shifted` row lies is a shift of its number, not a product, which takes three times as
    long: it has a power of two bytes.
    """
    place: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for cls in classes:
        for f in fields(cls):
            kinds[f.name] = "f8" if f.type == "float" else "i4" if is_narrow(f.name) else "i8"
    members = [[f.name for f in fields(cls)] for cls in classes]

    def halves(name: str) -> set[int]:
        """The fours of bytes that a field takes."""
        return {place[name], place[name] + 1} if kinds[name] != "i4" else {place[name]}

    # Those of eight bytes first, then names that occur in most classes: they are hardest to place.
    for name in sorted(kinds, key=lambda n: (n == last, kinds[n] == "i4", -sum(n in names for names in members), n)):
        others = {other for names in members if name in names for other in names if other in place}
        taken = set().union(*(halves(other) for other in others))
        size = 1 if kinds[name] == "i4" else 2
        place[name] = next(k for k in range(0, 512, size) if taken.isdisjoint(range(k, k + size)))
    end = max(max(halves(name)) for name in place) + 1
    size = 4 * (end + end % 2)
    return np.dtype(
        {
            "names": list(place),
            "formats": [kinds[name] for name in place],
            "offsets": [4 * k for k in place.values()],
            "itemsize": 1 << (size - 1).bit_length() if shifted else size,
        }
    )


def _not_wide(name: str) -> bool:
    return name not in WIDE


def _is_narrow_in_programs(name: str) -> bool:
    return name not in WIDE_IN_PROGRAMS


PROGRAM = union_type(layout.PROGRAM_ROWS, _is_narrow_in_programs, shifted=True)
PLACE = "cells"
"""The field of `Me` that is no part of its state: it says where in memory the cells of an instance lie."""
MEMORY = union_type(layout.MEMORY_ROWS, _not_wide, last=PLACE)


def words_of(cls: type) -> int:
    """How many words at the beginning of a row of an instance have all of its state that a row of this class has."""
    places: Any = MEMORY.fields
    kept = [places[f.name] for f in fields(cls) if f.name != PLACE]
    end: int = max(place + kind.itemsize for kind, place in kept)
    return -(-end // 8)


CELL = union_type([layout.Cell], lambda name: False)
RECORD = union_type([layout.RecordRow], _not_wide)
VALUE = union_type([layout.ValueRow], _not_wide)
EFFECT = union_type([layout.EffectRow], _not_wide)
TALLY = np.dtype(
    [
        (name, "i8")
        for name in (
            "records",
            "values",
            "effects",
            "full",
            "asked",
            "n_answers",
            "question",
            "left",
            "right",
            "wanted",
            "state",
            "payload",
            "owner",
            "place",
            "hash",
        )
    ]
)


VALUE_ENTRY = np.dtype([("n", "i8"), ("first", "i8"), ("size", "i8")])
"""What a handle stands for: its length in characters, items or fields; where its bytes or parts begin; how many bytes a
text takes, else 0."""
MADE = np.dtype([(name, "i8") for name in ("used", "hash", "owner", "what", "of", "n", "first")])
"""A value that was made of `n` others: these, and behind them it, are `made_of` from `first` on."""
