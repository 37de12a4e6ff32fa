"""What numba needs to compile the kernel modules: record types for rows, signatures, and the cache's place."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np

from wfsim.files import cache_root

from . import layout
from .addresses import copy_rows
from .bounds import CHECKED
from .codes import ABSENT, INBOX, INTEGER, MAKE_RESULTS, NULL, OP_ENDS, OP_STARTS
from .dtypes import CELL, EFFECT, MADE, MEMORY, PROGRAM, RECORD, TALLY, VALUE, VALUE_ENTRY
from .later import Later, njit

_njit = njit()

KERNEL_FILES = (
    "codes.py",
    "layout.py",
    "dtypes.py",
    "kernel.py",
    "speed.py",
    "later.py",
    "bounds.py",
    "addresses.py",
    "bare.py",
    "linking.py",
    "pipeline.py",
    "draws.py",
    "quantiles.py",
    "values.py",
    "parts.py",
    "stack.py",
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

# From here on the questions of `make` for each thing that is made, as `codes` numbers them: of the `right` cells in
# `cells`, and of `left`; host expressions have smaller numbers.
MADE_QUESTION = 1 << 40
# Of so many cells for each ended item the results of a `for_each` are made: how it has ended, then its result or error.
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
    entries: Annotated[Any, VALUE_ENTRY]
    parts: Annotated[Any, CELL]
    names: Annotated[Any, np.dtype(np.int64)]
    signs: Annotated[Any, np.dtype(np.uint8)]
    made: Annotated[Any, MADE]
    made_of: Annotated[Any, CELL]
    table: Any
    """Where these lie, and how many rows they have: what compiled functions are given."""


def no_values() -> tuple[Any, ...]:
    """Tables for steps that read no text, list or object."""
    kinds = VALUE_ENTRY, CELL, np.int64, np.uint8, MADE, CELL
    return tuple(np.zeros(1, kind) for kind in kinds)


def new_outputs(n: int, *, answers: int = 64, cells: int = 256, spread: tuple[Any, ...] | None = None) -> Outputs:
    """Room for `n` records, values and effects each, for `answers`, and for the `cells` that a question may read.

    `spread` are the tables of a `Spread`.
    """
    own = np.zeros(1, TALLY), np.zeros(n, RECORD), np.zeros(n, VALUE), np.zeros(n, EFFECT)
    own[0]["question"] = -1
    return outputs_of(*own, np.zeros(answers, CELL), np.zeros(cells, CELL), *(spread or no_values()))


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
    from .pipeline import OPTIONS

    numba: Any = untyped
    types = _types()
    signature = inspect.signature(function)
    parameters = [
        types[name] if name in types else types[str(parameter.annotation)]
        for name, parameter in signature.parameters.items()
    ]
    with collecting():
        made = numba.njit(
            [types[str(signature.return_annotation)](*parameters)], nogil=True, error_model="numpy", **OPTIONS
        )
        return made(function)


def apart(function: Callable[..., Any]) -> Any:
    """The same, but called where it is needed, and never made a part of its callers."""
    from .linking import keep_apart

    return kernel(keep_apart(function))


def room_of(name: str) -> str:
    """How many rows of an output there are, in the words of compiled code."""
    return f"o.{name}.shape[0]" if CHECKED else f"o.n_{name}"


def _blank(cls: type) -> dict[str, Any]:
    return {f.name: f.default for f in fields(cls) if f.default is not MISSING}


def _fresh(cls: type, record: np.dtype[Any], array: str, *given: str) -> Any:
    """`new_effect` and its like: the next row, with what is given and defaults; when full, a scratch row and a flag."""
    lines = [
        f"def fresh(o, {', '.join(given)}):",
        "    tally = o.tally[0]",
        f"    at = tally.{array}",
        f"    if at >= {room_of(array)}:",
        "        if tally.question < 0:",
        "            tally.full = 1",
        "        at = 0",
        "    else:",
        f"        tally.{array} = at + 1",
        f"    row = o.{array}[at]",
    ]
    fill, filling = _filling(cls, record, f"o.{array}", "at")
    lines += [*filling, *(f"    row.{name} = {name}" for name in given), "    return row"]
    space = {"fill": fill}
    exec("\n".join(lines), space)
    return _njit(space["fresh"])


def _fresh_row(cls: type) -> Any:
    """`fresh_queued` and its like: give a row of the memory the defaults of one class."""
    fill, filling = _filling(cls, MEMORY, "m", "k")
    lines = ["def fresh(m, k):", "    row = m[k]", *filling, "    return row"]
    space = {"fill": fill}
    exec("\n".join(lines), space)
    return _njit(space["fresh"])


def _filling(cls: type, record: np.dtype[Any], rows: str, at: str) -> tuple[Any, list[str]]:
    """Lines that give a row the defaults of a class, and the function that they may call."""
    if CHECKED:
        return None, [f"    row.{name} = {value!r}" for name, value in _blank(cls).items()]
    fill = Later(lambda: import_module("wfsim.semantics.bare").filler(record, _blank(cls)))
    return fill, [f"    fill({rows}, {at})"]


fresh_queued = _fresh_row(layout.Queued)
fresh_held = _fresh_row(layout.Held)
fresh_work = _fresh_row(layout.WorkCell)
fresh_each = _fresh_row(layout.Each)
_new_record = _fresh(layout.RecordRow, RECORD, "records", "kind", "seq", "time", "cause")
new_value = _fresh(layout.ValueRow, VALUE, "values", "seq", "name", "tag", "whole", "real")
new_effect = _fresh(layout.EffectRow, EFFECT, "effects", "kind")


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
def emit(m: Any, o: Any, i: int, kind: int) -> Any:
    """The next record of this instance (M12): numbered, timed, and tied to the cause being dispatched."""
    me = m[i]
    me.seq += 1
    return _new_record(o, kind, me.seq, me.time, me.cause)


@_second_form
def note(o: Any, seq: int, name: int, cell: Any) -> None:
    """Tie a value to the record numbered `seq`."""
    new_value(o, seq, name, cell.tag, cell.whole, cell.real)


@_second_form
def note_whole(o: Any, seq: int, name: int, tag: int, whole: int) -> None:
    """Tie a boolean, integer or text to the record numbered `seq`."""
    new_value(o, seq, name, tag, whole, 0.0)


@_second_form
def move_inbox(p: Any, m: Any, v: Any, i: int, k: int) -> Any:
    """Make row `k` of the instance at row `i` what is in its inbox."""
    copy_rows(m, i + k, m, i + INBOX, 1)
    head = p[0]
    source = m[i].cells + head.inbox_cells
    target = m[i].cells + head.queue_cells + (k - head.first_queued) * head.n_fields
    for f in range(head.n_fields):
        keep_cell(v[source + f], v[target + f])
    return m[i + k]


@_second_form
def clear_cells(v: Any, first: int, end: int) -> None:
    """Make the cells `[first, end)` null."""
    for k in range(first, end):
        cell = v[k]
        cell.tag = NULL
        cell.whole = 0
        cell.real = 0.0


@_second_form
def is_same(one: Any, other: Any) -> Any:
    """Whether two cells hold the same value."""
    return one.tag == other.tag and one.whole == other.whole and one.real == other.real


@_second_form
def bits_of(real: float) -> Any:
    """The bits of a double as an integer."""
    return np.float64(real).view(np.int64)


@_second_form
def real_of(bits: int) -> Any:
    """The double with these bits."""
    return np.int64(bits).view(np.float64)


def _room(array: str) -> Any:
    space: dict[str, Any] = {}
    exec(f"def room(o):\n    return {room_of(array)}", space)
    return _njit(space["room"])


n_cells, room_made, room_entries = _room("cells"), _room("made"), _room("entries")


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


# A step that lacks something goes on with what is there, which need not be the handle of a list: nothing is read then.


@_second_form
def entry_of(o: Any, handle: int) -> Any:
    """Where it is told what a handle stands for."""
    return o.entries[handle if 0 <= handle < room_entries(o) else 0]


@_second_form
def length_of(o: Any, handle: int) -> Any:
    """The characters of a text, items of a list, fields of an object."""
    return entry_of(o, handle).n


@_second_form
def element(v: Any, o: Any, items: int, index: int, at: int) -> None:
    """Put an item of a list into cell `at`."""
    entry = entry_of(o, items)
    if entry.size == 0 and 0 <= index < entry.n:
        keep_cell(o.parts[entry.first + index], v[at])


@_second_form
def part_named(v: Any, o: Any, owner: int, name: int, at: int) -> Any:
    """Put the field of an object with this name into cell `at`; 0 if there is none."""
    entry = entry_of(o, owner)
    if entry.size == 0:
        for k in range(entry.first, entry.first + entry.n):
            if o.names[k] == name:
                keep_cell(o.parts[k], v[at])
                return 1
    return 0


@_second_form
def order_of(o: Any, left: int, right: int) -> Any:
    """-1, 0 or 1 as the left text sorts before, with or after the right one: UTF-8 sorts as code points do."""
    one = entry_of(o, left)
    other = entry_of(o, right)
    for k in range(min(one.size, other.size)):
        if o.signs[one.first + k] != o.signs[other.first + k]:
            return -1 if o.signs[one.first + k] < o.signs[other.first + k] else 1
    return -1 if one.size < other.size else (1 if one.size > other.size else 0)


@_second_form
def holds(o: Any, op: int, text: int, part: int) -> Any:
    """1 if the text has the other one where `op` says: first, last or anywhere."""
    whole = entry_of(o, text)
    piece = entry_of(o, part)
    end = whole.size - piece.size
    for begin in range(end if op == OP_ENDS else 0, min(0, end) + 1 if op == OP_STARTS else end + 1):
        k = 0
        while k < piece.size and begin >= 0 and o.signs[whole.first + begin + k] == o.signs[piece.first + k]:
            k += 1
        if k == piece.size and begin >= 0:
            return 1
    return 0


@_second_form
def mixed(hashed: int, number: int) -> Any:
    """A hash of one number more."""
    together = (hashed ^ number) * 0x9E3779B97F4A7C1
    return together ^ (together >> 29)


@njit(apart=True)
def make(v: Any, o: Any, what: int, of: int, first: int, n: int, at: int) -> None:
    """Put into cell `at` what was made of the `n` cells from `first` on; if it never was, put the question.

    What is made follows from its parts, so it is kept, and found by them: the step that is repeated finds it too.
    """
    tally = o.tally[0]
    hashed = mixed(mixed(mixed(tally.owner, what), of), n)
    for k in range(first, first + n):
        hashed = mixed(mixed(mixed(hashed, v[k].tag), v[k].whole), bits_of(v[k].real))
    mask = room_made(o) - 1
    place = hashed & mask
    while o.made[place].used:
        row = o.made[place]
        if row.hash == hashed and row.owner == tally.owner and row.what == what and row.of == of and row.n == n:
            k = 0
            while k < n and is_same(o.made_of[row.first + k], v[first + k]):
                k += 1
            if k == n:
                keep_cell(o.made_of[row.first + n], v[at])
                return
        place = (place + 1) & mask
    if tally.question < 0 and tally.full == 0:
        if n > n_cells(o):
            tally.full = 1
            tally.wanted = n
            return
        tally.question = MADE_QUESTION + what
        tally.left = of
        tally.right = n
        tally.place = place
        tally.hash = hashed
        for k in range(n):
            keep_cell(v[first + k], o.cells[k])


@_second_form
def ask_results(p: Any, m: Any, v: Any, o: Any, i: int, each: int, collect: int, at: int) -> None:
    """Like `make`, of what came of all items; `collect` says whether it is told how each has ended."""
    tally = o.tally[0]
    if tally.question >= 0 or tally.full:
        return
    head = p[0]
    n = PER_ITEM * m[i + each].n
    if n > n_cells(o):
        tally.full = 1
        tally.wanted = n
        return
    k = m[i + each].ended
    while k >= 0:
        place = PER_ITEM * m[i + k].index
        cells = m[i].cells + head.queue_cells + (k - head.first_queued) * head.n_fields
        ended = o.cells[place]
        ended.tag = INTEGER
        ended.whole = m[i + k].phase
        ended.real = 0.0
        for f in range(1, PER_ITEM):
            keep_cell(v[cells + f], o.cells[place + f])
        k = m[i + k].next
    make(o.cells, o, MAKE_RESULTS, collect, 0, n, 0)
    if tally.question < 0:
        keep_cell(o.cells[0], v[at])


@njit(apart=True)
def grow(p: Any, m: Any, v: Any, o: Any, i: int) -> Any:
    """No row is free: say so in the tally, and write to the scratch row until the step is repeated with more room."""
    if o.tally[0].question < 0:
        o.tally[0].full = 1
    return p[0].first_queued
