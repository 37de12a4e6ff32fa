"""What numba needs to compile the kernel modules: record types for rows, signatures, and the cache's place."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from wfsim.files import cache_root

from . import layout
from .addresses import CHECKED
from .codes import ABSENT
from .later import njit

_njit = njit()

KERNEL_FILES = (
    "codes.py",
    "layout.py",
    "kernel.py",
    "speed.py",
    "later.py",
    "addresses.py",
    "bare.py",
    "linking.py",
    "draws.py",
    "quantiles.py",
    "values.py",
    "rows.py",
    "timers.py",
    "internal.py",
    "work.py",
    "items.py",
    "fates.py",
    "messages.py",
    "performing.py",
    "activations.py",
    "compensation.py",
    "transitions.py",
    "reports.py",
    "controls.py",
    "causes.py",
    "step.py",
    "codec.py",
    "possible.py",
)


WIDE = frozenset({"time", "key", "due", "left", "deadline", "delay", "retry_after", "holds", "whole"})
"""Fields of instances and of what a step puts out that need eight bytes: times, random keys, values, and sums of bits.
All others are rows, handles, small numbers and counters of one instance."""


def union_type(classes: Iterable[type], narrow: bool = True) -> np.dtype[Any]:
    """One record type for rows of several classes: fields of different classes overlap, equal names agree.

    Every field takes eight bytes, or where rows are `narrow` four unless it is `WIDE`; a name has the same place in all
    classes that have it.
    """
    place: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for cls in classes:
        for f in fields(cls):
            kinds[f.name] = "f8" if f.type == "float" else "i4" if narrow and f.name not in WIDE else "i8"
    members = [[f.name for f in fields(cls)] for cls in classes]

    def halves(name: str) -> set[int]:
        """The fours of bytes that a field takes."""
        return {place[name], place[name] + 1} if kinds[name] != "i4" else {place[name]}

    # Those of eight bytes first, then names that occur in most classes: they are hardest to place.
    for name in sorted(kinds, key=lambda n: (kinds[n] == "i4", -sum(n in names for names in members), n)):
        others = {other for names in members if name in names for other in names if other in place}
        taken = set().union(*(halves(other) for other in others))
        size = 1 if kinds[name] == "i4" else 2
        place[name] = next(k for k in range(0, 512, size) if taken.isdisjoint(range(k, k + size)))
    end = max(max(halves(name)) for name in place) + 1
    return np.dtype(
        {
            "names": list(place),
            "formats": [kinds[name] for name in place],
            "offsets": [4 * k for k in place.values()],
            "itemsize": 4 * (end + end % 2),
        }
    )


PROGRAM = union_type(layout.PROGRAM_ROWS, narrow=False)
MEMORY = union_type(layout.MEMORY_ROWS)
CELL = union_type([layout.Cell], narrow=False)
RECORD = union_type([layout.RecordRow])
VALUE = union_type([layout.ValueRow])
EFFECT = union_type([layout.EffectRow])
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
        )
    ]
)


# Stands in the tally as the number of the question that `ask_order` puts; host expressions have smaller numbers.
ORDER_QUESTION = 1 << 40
# Likewise for `ask_length`, `ask_element` and `ask_results`.
LENGTH_QUESTION, ELEMENT_QUESTION, RESULTS_QUESTION = ORDER_QUESTION + 1, ORDER_QUESTION + 2, ORDER_QUESTION + 3
# For `ask_fit`; the value to be fitted is the one cell that it may read.
FIT_QUESTION = ORDER_QUESTION + 4
# Cells for each ended item in the question `ask_results`: whether it is one, ended how, then its result or error.
PER_ITEM = 4


class Outputs(NamedTuple):
    """Preallocated output of compiled steps; `tally` counts what is filled and says what is missing.

    A step that lacks room (`full`) or an answer (`question` >= 0) goes on with what is there and has to be repeated;
    only the first lack is told, since what follows it may not happen. With a question, `cells` holds what it may
    read as it was then: the variables, private writes over them, and if `payload` is 1 the payload's cells behind
    them; `state` is the root's state. `wanted` is how many cells a question needs, when there are fewer.
    """

    tally: Annotated[Any, TALLY]
    records: Annotated[Any, RECORD]
    values: Annotated[Any, VALUE]
    effects: Annotated[Any, EFFECT]
    answers: Annotated[Any, CELL]
    cells: Annotated[Any, CELL]
    table: Any
    """Where these lie, and how many rows they have: what compiled functions are given."""


def new_outputs(n: int, *, answers: int = 64, cells: int = 256) -> Outputs:
    """Room for `n` records, values and effects each, for `answers`, and for the `cells` that a question may read."""
    tally = np.zeros(1, TALLY)
    tally["question"] = -1
    return outputs_of(
        tally,
        np.zeros(n, RECORD),
        np.zeros(n, VALUE),
        np.zeros(n, EFFECT),
        np.zeros(answers, CELL),
        np.zeros(cells, CELL),
    )


def outputs_of(*arrays: Any) -> Outputs:
    """Output in these arrays, in the order of `Outputs`."""
    table = np.array([each.ctypes.data for each in arrays] + [len(each) for each in arrays], np.int64)
    return Outputs._make([*arrays, table])


@cache
def _types() -> dict[str, Any]:
    """numba's types of parameters: by name where they are rows, else by annotation."""
    # numba's own type stubs do not know its records.
    import numba as untyped

    from .bare import OutType, RowsType

    numba: Any = untyped
    arrays = {"p": np.zeros(1, PROGRAM), "m": np.zeros(1, MEMORY), "v": np.zeros(1, CELL), "o": new_outputs(1)}
    given = {name: numba.typeof(array) for name, array in arrays.items()}
    if not CHECKED:
        outputs = tuple((name, array.dtype) for name, array in zip(Outputs._fields[:-1], given["o"]))
        given = {name: RowsType(array.dtype) for name, array in given.items() if name != "o"} | {"o": OutType(outputs)}
    records = {"Cell": CELL, "Queued": MEMORY, "WorkCell": MEMORY}
    records |= {"RecordRow": RECORD, "ValueRow": VALUE, "EffectRow": EFFECT}
    return {
        **given,
        "int": numba.int64,
        "float": numba.float64,
        "None": numba.void,
        "Line": numba.typeof(np.zeros(1, np.int64)),
        **{name: numba.from_dtype(record) for name, record in records.items()},
    }


def sources_digest() -> str:
    """A digest of everything that compiled code depends on; a changed constant must never run old code."""
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')} {CHECKED}".encode())
    for name in KERNEL_FILES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled code is kept, by digest of the sources."""
    return cache_root() / sources_digest()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel function with the signature that its annotations say, as a part of what calls it (`roots`)."""
    # numba's own type stubs do not know these options.
    import numba as untyped

    from .linking import collecting

    numba: Any = untyped
    types = _types()
    signature = inspect.signature(function)
    parameters = [
        types[name] if name in types else types[str(parameter.annotation)]
        for name, parameter in signature.parameters.items()
    ]
    options = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    with collecting():
        return numba.njit([types[str(signature.return_annotation)](*parameters)], **options)(function)


def room_of(name: str) -> str:
    """How many rows of an output there are, in the words of compiled code."""
    return f"o.{name}.shape[0]" if CHECKED else f"o.n_{name}"


def _blank(cls: type) -> dict[str, Any]:
    return {f.name: f.default for f in fields(cls) if f.default is not MISSING}


def _fresh(cls: type, array: str, counter: str) -> Any:
    """`new_record` and its like: the next row with its defaults; when full, a scratch row and a flag."""
    lines = [
        "def fresh(o):",
        "    tally = o.tally[0]",
        f"    at = tally.{counter}",
        f"    if at >= {room_of(array)}:",
        "        if tally.question < 0:",
        "            tally.full = 1",
        "        at = 0",
        "    else:",
        f"        tally.{counter} = at + 1",
        f"    row = o.{array}[at]",
    ]
    lines += [f"    row.{name} = {value!r}" for name, value in _blank(cls).items()]
    lines += ["    return row"]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)
    return _njit(space["fresh"])


def _fresh_row(cls: type) -> Any:
    """`fresh_queued` and its like: give a row of the memory the defaults of one class."""
    lines = ["def fresh(m, k):", "    row = m[k]"]
    lines += [f"    row.{name} = {value!r}" for name, value in _blank(cls).items()]
    lines += ["    return row"]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)
    return _njit(space["fresh"])


fresh_queued = _fresh_row(layout.Queued)
fresh_held = _fresh_row(layout.Held)
fresh_work = _fresh_row(layout.WorkCell)
fresh_each = _fresh_row(layout.Each)
new_record = _fresh(layout.RecordRow, "records", "records")
new_value = _fresh(layout.ValueRow, "values", "values")
new_effect = _fresh(layout.EffectRow, "effects", "effects")


def _second_form(function: Callable[..., Any]) -> Any:
    """Compile a function of `kernel.py`'s second half; its types follow from the calls."""
    return _njit(function)


# Arguments are arrays here, so the classes that `kernel.py` names would be wrong.


@_second_form
def keep_cell(source: Any, target: Any) -> None:
    """Copy a value."""
    target.tag = source.tag
    target.whole = source.whole
    target.real = source.real


@_second_form
def bits_of(real: float) -> Any:
    """The bits of a double as an integer."""
    return np.float64(real).view(np.int64)


@_second_form
def real_of(bits: int) -> Any:
    """The double with these bits."""
    return np.int64(bits).view(np.float64)


def _n_cells() -> Any:
    space: dict[str, Any] = {}
    exec(f"def n_cells(o):\n    return {room_of('cells')}", space)
    return _njit(space["n_cells"])


n_cells = _n_cells()


@_second_form
def ask(p: Any, m: Any, v: Any, o: Any, i: int, number: int, private: int, payload: int, at: int) -> None:
    """Take the next prepared answer; without one, put the first question into the output and go on with what is there.

    The caller answers, puts the instance's rows back, and repeats the step with one answer more.
    """
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        keep_cell(o.answers[tally.asked], v[at])
        tally.asked += 1
    elif tally.question < 0 and tally.full == 0:
        head = p[0]
        n = head.n_variables
        if n + head.n_fields > n_cells(o):
            tally.full = 1
            tally.wanted = n + head.n_fields
            return
        tally.question = number
        tally.state = m[i + p[head.root].slot].state
        tally.payload = 1 if payload >= 0 else 0
        for k in range(n):
            if private >= 0 and v[private + k].tag != ABSENT:
                keep_cell(v[private + k], o.cells[k])
            else:
                keep_cell(v[m[i].cells + k], o.cells[k])
        if payload >= 0:
            for k in range(head.n_fields):
                keep_cell(v[payload + k], o.cells[n + k])


@_second_form
def ask_order(o: Any, left: int, right: int) -> Any:
    """Like `ask`, for the order of two texts; the question is numbered `ORDER_QUESTION`."""
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        answer = o.answers[tally.asked].whole
        tally.asked += 1
        return answer
    if tally.question < 0 and tally.full == 0:
        tally.question = ORDER_QUESTION
        tally.left = left
        tally.right = right
    return 0


@_second_form
def ask_length(o: Any, items: int) -> Any:
    """Like `ask_order`, for the number of items of the list `left`."""
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        answer = o.answers[tally.asked].whole
        tally.asked += 1
        return answer
    if tally.question < 0 and tally.full == 0:
        tally.question = LENGTH_QUESTION
        tally.left = items
    return 0


@_second_form
def ask_element(v: Any, o: Any, items: int, index: int, at: int) -> None:
    """Like `ask`, for the item `right` of the list `left`."""
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        keep_cell(o.answers[tally.asked], v[at])
        tally.asked += 1
    elif tally.question < 0 and tally.full == 0:
        tally.question = ELEMENT_QUESTION
        tally.left = items
        tally.right = index


@_second_form
def ask_fit(v: Any, o: Any, row: int, at: int) -> None:
    """Like `ask`, for the value in `cells` as the declaration of program row `left` keeps it."""
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        keep_cell(o.answers[tally.asked], v[at])
        tally.asked += 1
    elif tally.question < 0 and tally.full == 0:
        tally.question = FIT_QUESTION
        tally.left = row
        keep_cell(v[at], o.cells[0])


@_second_form
def ask_results(p: Any, m: Any, v: Any, o: Any, i: int, each: int, collect: int, at: int) -> None:
    """Like `ask`, for the results of `left` items in `cells`; `right` says whether all are collected."""
    tally = o.tally[0]
    if tally.asked < tally.n_answers:
        keep_cell(o.answers[tally.asked], v[at])
        tally.asked += 1
    elif tally.question < 0 and tally.full == 0:
        head = p[0]
        n = m[i + each].n
        if PER_ITEM * n > n_cells(o):
            tally.full = 1
            tally.wanted = PER_ITEM * n
            return
        tally.question = RESULTS_QUESTION
        tally.left = n
        tally.right = collect
        k = m[i + each].ended
        while k >= 0:
            place = PER_ITEM * m[i + k].index
            cells = m[i].cells + head.queue_cells + (k - head.first_queued) * head.n_fields
            o.cells[place].whole = m[i + k].phase
            for f in range(1, PER_ITEM):
                keep_cell(v[cells + f], o.cells[place + f])
            k = m[i + k].next


@_second_form
def grow(p: Any, m: Any, v: Any, o: Any, i: int) -> Any:
    """No row is free: say so in the tally, and write to the scratch row until the step is repeated with more room."""
    if o.tally[0].question < 0:
        o.tally[0].full = 1
    return p[0].first_queued
