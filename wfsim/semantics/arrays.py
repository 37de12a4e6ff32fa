"""Rows and cells as numpy records, as the compiled step reads them, and back."""

from __future__ import annotations

import struct
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import codes, layout, speed
from .kernel import Host
from .program import Program


@cache
def _places(cls: type, dtype: np.dtype[Any]) -> list[tuple[str, int, bool]]:
    """For each field of a row class its name, its place in eights of bytes, and whether it is a double."""
    assert dtype.fields is not None
    return [(f.name, dtype.fields[f.name][1] // 8, f.type == "float") for f in fields(cls)]


def to_array(rows: list[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Rows as records of one array."""
    width = dtype.itemsize // 8
    words = []
    for row in rows:
        line = [0] * width
        cls: Any = type(row)
        for name, place, real in _places(cls, dtype):
            value = getattr(row, name)
            line[place] = struct.unpack("<q", struct.pack("<d", value))[0] if real else value
        words.append(line)
    return np.array(words, np.int64).reshape(len(rows), width).view(dtype)[:, 0]


def from_array(array: np.ndarray[Any, Any], rows: list[Any]) -> None:
    """Write records back into the rows they came from."""
    width = array.dtype.itemsize // 8
    words = np.ascontiguousarray(array[: len(rows)]).view(np.int64).reshape(len(rows), width).tolist()
    for line, row in zip(words, rows):
        cls: Any = type(row)
        for name, place, real in _places(cls, array.dtype):
            value = line[place]
            setattr(row, name, struct.unpack("<d", struct.pack("<q", value))[0] if real else value)


class Question(NamedTuple):
    """What a compiled step asks its host: an expression by its `number`, or one of the sorts that `speed` numbers."""

    number: int
    left: int
    right: int
    state: int
    payload: int


def n_asked(program: Program, question: Question) -> int:
    """How many cells a question may read."""
    if question.number < speed.ORDER_QUESTION:
        return program.head.n_variables + (program.head.n_fields if question.payload else 0)
    return speed.PER_ITEM * question.left if question.number == speed.RESULTS_QUESTION else 0


def answer_of(program: Program, host: Host, question: Question, cells: list[layout.Cell]) -> layout.Cell:
    """What the host answers; `cells` are all that it may read."""
    answer = layout.Cell()
    number, left, right = question.number, question.left, question.right
    if number == speed.ORDER_QUESTION:
        return layout.Cell(codes.INTEGER, host.order(left, right))
    if number == speed.LENGTH_QUESTION:
        return layout.Cell(codes.INTEGER, host.length(left))
    if number == speed.ELEMENT_QUESTION:
        host.element(left, right, answer)
    elif number == speed.RESULTS_QUESTION:
        n = speed.PER_ITEM
        ended = [(k, cells[n * k].whole, cells[n * k + 1 : n * (k + 1)]) for k in range(left)]
        host.results(ended, right, answer)
    else:
        head = program.head
        root = program.rows[head.root].slot
        rows: list[Any] = [layout.Me(cells=0), *(layout.RegionCell() for _ in range(root))]
        rows[root].state = question.state
        payload = head.n_variables if question.payload else codes.NONE
        host.evaluate(number, rows, cells, 0, codes.NONE, payload, answer)
    return answer
