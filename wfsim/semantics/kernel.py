"""One source, two speeds: the decorator of kernel functions, and the few calls that reach the surroundings.

The kernel modules (`speed.KERNEL_FILES`) import this one relatively. Imported as `wfsim.semantics.step`
they run interpreted, on lists of slotted rows. `wfsim.semantics.compiled` imports the same files a second time
under its own package name; there `kernel` compiles with numba and the functions below take their second form.
Nothing else differs between the speeds, and a test compares what they put out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol, TypeAlias, TypeVar

from .codes import INBOX, NULL
from .layout import Cell, Cells, Each, EffectRow, Held, Queued, RecordRow, Rows, ValueRow, WorkCell

COMPILED = __name__.endswith(".compiled.kernel")

Line: TypeAlias = list[int]
"""A line of words: what `codec` writes, and scratch."""
F = TypeVar("F", bound=Callable[..., Any])


class Host(Protocol):
    """Answers what integers cannot: what is in a text, list or object, and what is made of such.

    A compiled step reads what is there in tables of its own (`spread`) and asks for what has to be made.
    """

    def evaluate(self, number: int, m: Rows, v: Cells, i: int, private: int, payload: int, answer: Cell) -> None:
        """Put the value of host expression `number` into `answer`."""
        ...

    def length(self, handle: int) -> int:
        """The characters of a text, items of a list, fields of an object."""
        ...

    def element(self, items: int, index: int, answer: Cell) -> None:
        """Put an item of a list into `answer`."""
        ...

    def part(self, owner: int, name: int, answer: Cell) -> bool:
        """Put the field of an object with this name into `answer`; False if there is none."""
        ...

    def order(self, left: int, right: int) -> int:
        """-1, 0 or 1 as the left text sorts before, with or after the right one."""
        ...

    def holds(self, op: int, text: int, part: int) -> bool:
        """Whether a text has another one where `op` says."""
        ...

    def make(self, what: int, of: int, cells: Cells, answer: Cell) -> None:
        """Put into `answer` a value that is made of those in `cells`, or a fault; see `codes.MAKE_FITTED`.

        `of` is the program row whose declaration it is fitted to, the handle of a name, or of a list of names, or the
        number of a function in Python.
        """
        ...

    def results(self, ended: list[tuple[int, int, list[Cell]]], collect: int, answer: Cell) -> None:
        """Put the results of the items of a `for_each` into `answer`, as one list in item order (M4.5).

        Each is (index, ITEM_DONE or ITEM_FAILED, its three cells from `RESULT` on); with `collect` an object per item.
        """
        ...


class Output:
    """What one step puts out: records, the values that belong to them, effects."""

    __slots__ = ("effects", "host", "records", "values")

    def __init__(self, host: Host) -> None:
        self.records: list[RecordRow] = []
        self.values: list[ValueRow] = []
        self.effects: list[EffectRow] = []
        self.host = host


if not COMPILED:

    def kernel(function: F) -> F:
        """Mark a function of the kernel; at this speed it is the function itself."""
        return function

    def apart(function: F) -> F:
        """Mark one that few steps need: compiled, it is never made a part of its callers, which all steps need."""
        return function

    def _fresh(cls: type, parameters: str, keeping: str, *first: str, **given: str) -> Any:
        """A function that makes a row of parameters and what is given, else of defaults, and keeps it somewhere.

        It has a line for each field that the class itself does not have, which is less than to call the class; what it
        does `first` stands before them.
        """
        given |= {name: name for name in parameters.split(", ")}
        lines = [
            f"row.{f.name} = {given.get(f.name, repr(f.default))}"
            for f in fields(cls)
            if f.name in given or "__slots__" in vars(cls)
        ]
        text = "\n    ".join([f"def fresh({parameters}):", *first, "row = new(cls)", *lines, keeping, "return row"])
        space = {"new": object.__new__, "cls": cls}
        exec(text, space)
        return space["fresh"]

    emit: Callable[[Rows, Output, int, int], RecordRow]
    emit = _fresh(
        RecordRow,
        "m, o, i, kind",
        "o.records.append(row)",
        "me = m[i]",
        "me.seq += 1",
        seq="me.seq",
        time="me.time",
        cause="me.cause",
    )
    """The next record of this instance (M12): numbered, timed, and tied to the cause being dispatched."""
    note: Callable[[Output, int, int, Cell], ValueRow]
    note = _fresh(
        ValueRow,
        "o, seq, name, cell",
        "o.values.append(row)",
        tag="cell.tag",
        whole="cell.whole",
        real="cell.real",
    )
    """Tie a value to the record numbered `seq`."""
    note_whole: Callable[[Output, int, int, int, int], ValueRow]
    note_whole = _fresh(ValueRow, "o, seq, name, tag, whole", "o.values.append(row)")
    """Tie a boolean, integer or text to the record numbered `seq`."""
    new_effect: Callable[[Output, int], EffectRow] = _fresh(EffectRow, "o, kind", "o.effects.append(row)")
    """A fresh effect row in the output."""
    fresh_queued: Callable[[Rows, int], Queued] = _fresh(Queued, "m, k", "m[k] = row")
    """Make row `k` a fresh `Queued`."""
    fresh_held: Callable[[Rows, int], Held] = _fresh(Held, "m, k", "m[k] = row")
    """Make row `k` a fresh `Held`."""
    fresh_work: Callable[[Rows, int], WorkCell] = _fresh(WorkCell, "m, k", "m[k] = row")
    """Make row `k` a fresh `WorkCell`."""
    fresh_each: Callable[[Rows, int], Each] = _fresh(Each, "m, k", "m[k] = row")
    """Make row `k` a fresh `Each`."""

    def move_inbox(p: Rows, m: Rows, v: Cells, i: int, k: int) -> Queued:
        """Make row `k` of the instance at row `i` what is in its inbox, where no values are left."""
        row: Queued = m[i + INBOX]
        m[i + k] = row
        head = p[0]
        n = head.n_fields
        source = m[i].cells + head.inbox_cells
        target = m[i].cells + head.queue_cells + (k - head.first_queued) * n
        v[source : source + n], v[target : target + n] = v[target : target + n], v[source : source + n]
        clear_cells(v, source, source + n)
        return row

    def clear_cells(v: Cells, first: int, end: int) -> None:
        """Make the cells `[first, end)` null."""
        for cell in v[first:end]:
            # That of null is 0.
            if cell.tag:
                cell.tag = NULL
                cell.whole = 0
                cell.real = 0.0

    def bits_of(real: float) -> int:
        """The bits of a double as an integer."""
        bits: int = struct.unpack("<q", struct.pack("<d", real))[0]
        return bits

    def real_of(bits: int) -> float:
        """The double with these bits."""
        real: float = struct.unpack("<d", struct.pack("<q", bits))[0]
        return real

    def ask(p: Rows, m: Rows, v: Cells, o: Output, i: int, number: int, private: int, payload: int, at: int) -> None:
        """Let the surroundings evaluate host expression `number` into cell `at`."""
        o.host.evaluate(number, m, v, i, private, payload, v[at])

    def length_of(o: Output, handle: int) -> int:
        """The characters of a text, items of a list, fields of an object."""
        return o.host.length(handle)

    def element(v: Cells, o: Output, items: int, index: int, at: int) -> None:
        """Put an item of a list into cell `at`."""
        o.host.element(items, index, v[at])

    def part_named(v: Cells, o: Output, owner: int, name: int, at: int) -> int:
        """Put the field of an object with this name into cell `at`; 0 if there is none."""
        return 1 if o.host.part(owner, name, v[at]) else 0

    def order_of(o: Output, left: int, right: int) -> int:
        """-1, 0 or 1 as the left text sorts before, with or after the right one, by code point."""
        return o.host.order(left, right)

    def holds(o: Output, op: int, text: int, part: int) -> int:
        """1 if the text has the other one where `op` says: first, last or anywhere."""
        return 1 if o.host.holds(op, text, part) else 0

    def make(v: Cells, o: Output, what: int, of: int, first: int, n: int, at: int) -> None:
        """Let the surroundings make a value of the `n` cells from `first` on, in cell `at`."""
        o.host.make(what, of, v[first : first + n], v[at])

    def ask_results(p: Rows, m: Rows, v: Cells, o: Output, i: int, each: int, collect: int, at: int) -> None:
        """Let the surroundings make one list of the results of a `for_each`, in cell `at`."""
        head = p[0]
        ended = []
        k = m[i + each].ended
        while k >= 0:
            cells = m[i].cells + head.queue_cells + (k - head.first_queued) * head.n_fields
            ended.append((m[i + k].index, m[i + k].phase, v[cells + 1 : cells + 4]))
            k = m[i + k].next
        o.host.results(ended, collect, v[at])

    def grow(p: Rows, m: Rows, v: Cells, o: Output, i: int) -> int:
        """Add one queue row with its payload cells; returns its distance from the instance's first row."""
        m.append(Queued())
        v.extend([Cell() for _ in range(p[0].n_fields)])
        return len(m) - 1 - i

else:
    from wfsim.semantics.speed import (
        apart,
        ask,
        ask_results,
        bits_of,
        clear_cells,
        element,
        emit,
        fresh_each,
        fresh_held,
        fresh_queued,
        fresh_work,
        grow,
        holds,
        kernel,
        length_of,
        make,
        move_inbox,
        new_effect,
        note,
        note_whole,
        order_of,
        part_named,
        real_of,
    )
