"""Rows and cells as numpy records, as the compiled step reads them, and back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from . import codes, layout, speed
from .kernel import Host
from .program import Program

T = TypeVar("T")


@cache
def _form(cls: type, dtype: np.dtype[Any]) -> tuple[str, tuple[str, ...]]:
    """How a row of a class lies in a record, and its fields in that order."""
    assert dtype.fields is not None
    places = {f.name: dtype.fields[f.name] for f in fields(cls)}
    names = tuple(sorted(places, key=lambda name: places[name][1]))
    form, at = "", 0
    for name in names:
        kind, offset, *_ = places[name]
        form += f"{offset - at}x{_FORMS[kind.str[1:]]}"
        at = offset + kind.itemsize
    return form + f"{dtype.itemsize - at}x", names


@cache
def _reader(cls: type, dtype: np.dtype[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes the fields of a row in the order of its form."""
    names = _form(cls, dtype)[1]
    take = attrgetter(*names)
    return take if len(names) > 1 else lambda row: (take(row),)


@lru_cache(maxsize=1_000)
def _packer(cls: type, dtype: np.dtype[Any], n: int) -> struct.Struct:
    """Packs so many rows of a class at once."""
    return struct.Struct("<" + _form(cls, dtype)[0] * n)


@cache
def _maker(cls: type, dtype: np.dtype[Any]) -> tuple[struct.Struct, Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
    """Unpacks a row of a class, and puts its fields in the order of the class."""
    names = _form(cls, dtype)[1]
    return _packer(cls, dtype, 1), itemgetter(*(names.index(f.name) for f in fields(cls)))


_FORMS = {"i8": "q", "i4": "i", "f8": "d"}


def to_array(rows: Sequence[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Rows as records of one array."""
    packed = bytearray()
    for cls, alike in groupby(rows, type):
        some = list(map(_reader(cls, dtype), alike))
        packed += _packer(cls, dtype, len(some)).pack(*chain.from_iterable(some))
    return np.frombuffer(packed, dtype)


def from_array(array: np.ndarray[Any, Any], rows: list[Any]) -> None:
    """Write records back into the rows they came from."""
    packed, width = np.ascontiguousarray(array[: len(rows)]).tobytes(), array.dtype.itemsize
    for k, row in enumerate(rows):
        cls: Any = type(row)
        for name, value in zip(_form(cls, array.dtype)[1], _packer(cls, array.dtype, 1).unpack_from(packed, k * width)):
            setattr(row, name, value)


def rows_of(array: np.ndarray[Any, Any], cls: Callable[..., T]) -> list[T]:
    """Records as new rows of a class."""
    kind: Any = cls
    packer, ordered = _maker(kind, array.dtype)
    return [cls(*ordered(values)) for values in packer.iter_unpack(np.ascontiguousarray(array).tobytes())]


class Question(NamedTuple):
    """What a compiled step asks its host: an expression by its `number`, or one of the sorts that `speed` numbers."""

    number: int
    left: int
    right: int
    state: int
    payload: int


def question_in(tally: Any) -> Question:
    """The question that a step has put."""
    return Question(*(int(tally[name]) for name in ("question", "left", "right", "state", "payload")))


def n_asked(program: Program, question: Question) -> int:
    """How many cells a question may read."""
    if question.number < speed.MADE_QUESTION:
        return program.head.n_variables + (program.head.n_fields if question.payload else 0)
    return question.right


def answer_of(program: Program, host: Host, question: Question, cells: list[layout.Cell]) -> layout.Cell:
    """What the host answers; `cells` are all that it may read."""
    answer = layout.Cell()
    number, left, right = question.number, question.left, question.right
    if number == speed.MADE_QUESTION + codes.MAKE_RESULTS:
        n = speed.PER_ITEM
        ended = [(k, cells[n * k].whole, cells[n * k + 1 : n * (k + 1)]) for k in range(right // n)]
        host.results(ended, left, answer)
    elif number >= speed.MADE_QUESTION:
        host.make(number - speed.MADE_QUESTION, left, cells, answer)
    else:
        head = program.head
        root = program.rows[head.root].slot
        rows: list[Any] = [layout.Me(cells=0), *(layout.RegionCell() for _ in range(root))]
        rows[root].state = question.state
        payload = head.n_variables if question.payload else codes.NONE
        host.evaluate(number, rows, cells, 0, codes.NONE, payload, answer)
    return answer
