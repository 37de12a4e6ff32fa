"""Texts and JSON values as handles: the step function sees integers, equal exactly when the values are equal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from wfsim.errors import WfsimError

from .codes import BOOLEAN, FAULT, INTEGER, KNOWN_TEXTS, LIST, NONE, NULL, NUMBER, OBJECT, STRING
from .layout import Cell

Member: TypeAlias = tuple[int, int, int, float]
"""A part of a list or object: the handle of its name, -1 in a list, then tag, whole and real of its value."""


class Texts:
    """A table of texts, lists and objects. A handle is a position in it; it only grows.

    Lists and objects are kept by their canonical JSON, so equal handles mean equal values, and `1`, `1.0` and
    `true` stay different inside them. What is in them has handles once it is read. So the table is as large as the
    different values that there were, however often they came.
    """

    def __init__(self, values: Sequence[Any] = KNOWN_TEXTS) -> None:
        self._values: list[Any] = []
        # By text, and by the JSON of lists and objects.
        self._texts: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._members: dict[int, Sequence[Member]] = {}
        self.handles(values)

    def copy(self) -> Texts:
        """A table that starts with the same handles and then grows by itself."""
        twin = Texts(())
        twin._values = self._values.copy()
        twin._texts = self._texts.copy()
        twin._others = self._others.copy()
        twin._members = self._members.copy()
        return twin

    def __len__(self) -> int:
        return len(self._values)

    def since(self, n: int) -> list[Any]:
        """What stands in the table behind the first `n`, in order."""
        return self._values[n:]

    def handle(self, value: Any) -> int:
        """The handle of a text, list or object; new ones get the next number."""
        new = len(self._values)
        if isinstance(value, str):
            handle = self._texts.setdefault(value, new)
        else:
            handle = self._others.setdefault(canonical(value), new)
        if handle == new:
            self._values.append(value)
        return handle

    def handles(self, values: Sequence[Any]) -> list[int]:
        """The handles of several, in their order; texts that are all new, as those of arrivals are, at once."""
        if set(map(type, values)) == {str} and self._texts.keys().isdisjoint(values):
            new = len(self._values)
            fresh = dict(zip(values, range(new, new + len(values))))
            if len(fresh) == len(values):
                self._texts.update(fresh)
                self._values += values
                return list(fresh.values())
        return [self.handle(value) for value in values]

    def members(self, handle: int) -> Sequence[Member]:
        """The parts of a list or object, in order; they have handles from when this is asked first."""
        members = self._members.get(handle)
        if members is None:
            members = self._members[handle] = self._members_of(self._values[handle])
        return members

    def _members_of(self, value: Any) -> Sequence[Member]:
        cell, members = Cell(), list[Member]()
        for name, part in value.items() if isinstance(value, Mapping) else ((None, part) for part in value):
            key = NONE if name is None else self.handle(name)
            self.encode(part, cell)
            members.append((key, cell.tag, cell.whole, cell.real))
        return members

    def value(self, handle: int) -> Any:
        """What a handle stands for."""
        return self._values[handle]

    def text(self, handle: int) -> str | None:
        """The text of a handle, `None` for -1."""
        return None if handle < 0 else str(self._values[handle])

    def encode(self, value: Any, cell: Cell) -> None:
        """Put a JSON value into a cell."""
        cell.whole = 0
        cell.real = 0.0
        if value is None:
            cell.tag = NULL
        elif isinstance(value, str):
            cell.tag = STRING
            cell.whole = self.handle(value)
        elif isinstance(value, bool):
            cell.tag = BOOLEAN
            cell.whole = 1 if value else 0
        elif isinstance(value, int):
            cell.tag = INTEGER
            cell.whole = value
        elif isinstance(value, float):
            cell.tag = NUMBER
            cell.real = value + 0.0
        elif isinstance(value, (list, tuple)):
            cell.tag = LIST
            cell.whole = self.handle(list(value))
        elif isinstance(value, dict):
            cell.tag = OBJECT
            cell.whole = self.handle(value)
        else:
            raise WfsimError(f"a value of type {type(value).__name__} is not JSON.")

    def decode(self, tag: int, whole: int, real: float) -> Any:
        """The JSON value of a cell; a fault is given as its error type."""
        if tag == NUMBER:
            return real
        if tag in (STRING, LIST, OBJECT, FAULT):
            return self._values[whole]
        if tag == INTEGER:
            return whole
        return None if tag == NULL else bool(whole)


def canonical(value: Any) -> str:
    """One text for each JSON value: sorted keys, no spaces."""
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
