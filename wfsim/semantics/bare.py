"""Rows for compiled code behind a bare pointer: no length, no owner, no reference count.

An array that is passed in a call is some eight words, and its owner's references are counted up and down, locked; where
kernel functions call each other some hundred times in a step, that was five sixths of its time. Whoever enters the
kernel holds the arrays until it returns. With `NUMBA_BOUNDSCHECK=1` rows are the arrays themselves, from the same
source, and each access is checked. Others take what they need of this from `addresses`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, get_type_hints

import numba
import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.typing import templates

from .bounds import CHECKED, LINE

# numba's own type stubs know little of these.
_numba: Any = extending
_templates: Any = templates
_cgutils: Any = cgutils
_njit: Any = numba.njit

_BYTE_POINTER = ir.IntType(8).as_pointer()
_WORD = ir.IntType(64)


def _short(of: Any) -> str:
    """Stands for what a type is made of: names of types are parts of names of functions, which are made often."""
    return blake2b(str(of).encode(), digest_size=8).hexdigest()


class RowsType(types.Type):
    """Records, or numbers, one behind another."""

    def __init__(self, record: Any) -> None:
        self.record = record
        super().__init__(name=f"Rows_{_short(record)}")


class OutType(types.Type):
    """A table of addresses of rows, by name, and behind them of their numbers."""

    def __init__(self, records: tuple[tuple[str, Any], ...]) -> None:
        self.records = records
        super().__init__(name=f"Out_{_short(records)}")


@_numba.register_model(RowsType)
@_numba.register_model(OutType)
class _Address(_numba.models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BYTE_POINTER)


@_numba.type_callable(operator.getitem)
def _type_of_row(context: Any) -> Any:
    def typed(rows: Any, index: Any) -> Any:
        if isinstance(rows, RowsType) and isinstance(index, types.Integer):
            return rows.record
        return None

    return typed


@_numba.type_callable(operator.setitem)
def _type_of_setting(context: Any) -> Any:
    def typed(rows: Any, index: Any, value: Any) -> Any:
        if isinstance(rows, RowsType) and isinstance(index, types.Integer) and isinstance(rows.record, types.Number):
            return _templates.signature(types.none, rows, types.int64, rows.record)
        return None

    return typed


def _address(context: Any, builder: Any, kind: Any, rows: Any, index: Any) -> Any:
    """Where a row lies, of the type that a value of it has in memory."""
    record = kind.record
    size = record.size if isinstance(record, types.Record) else record.bitwidth // 8
    place = builder.gep(rows, [builder.mul(index, ir.Constant(_WORD, size), flags=["nsw"])])
    if isinstance(record, types.Record):
        return builder.bitcast(place, context.get_value_type(record))
    return builder.bitcast(place, context.get_data_type(record).as_pointer())


@_numba.lower_builtin(operator.getitem, RowsType, types.Integer)
def _row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    index = context.cast(builder, arguments[1], signature.args[1], types.int64)
    place = _address(context, builder, kind, arguments[0], index)
    return place if isinstance(kind.record, types.Record) else builder.load(place)


@_numba.lower_builtin(operator.setitem, RowsType, types.Integer, types.Number)
def _set(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    rows, index, value = arguments
    builder.store(value, _address(context, builder, signature.args[0], rows, index))


@_numba.intrinsic
def _copied(context: Any, target: Any, at: Any, source: Any, first: Any, n: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, place, out_of, origin, number = arguments
        size = ir.Constant(_WORD, target.record.size)
        _cgutils.raw_memcpy(
            builder,
            builder.gep(into, [builder.mul(place, size)]),
            builder.gep(out_of, [builder.mul(origin, size)]),
            builder.mul(number, size),
            1,
        )
        return context.get_dummy_value()

    return types.none(target, types.int64, source, types.int64, types.int64), make


def _start(context: Any, builder: Any, kind: Any, rows: Any) -> tuple[Any, int]:
    """Where rows, or an array of them, begin, and how many bytes a row has."""
    if isinstance(kind, types.Array):
        rows = builder.bitcast(context.make_array(kind)(context, builder, rows).data, _BYTE_POINTER)
        kind = kind.dtype
    else:
        kind = kind.record
    return rows, kind.size if isinstance(kind, types.Record) else kind.bitwidth // 8


@_numba.intrinsic
def _copied_words(context: Any, target: Any, at: Any, source: Any, first: Any, n: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, place, out_of, origin, number = arguments
        into, step = _start(context, builder, signature.args[0], into)
        out_of, other = _start(context, builder, signature.args[2], out_of)
        _cgutils.raw_memcpy(
            builder,
            builder.gep(into, [builder.mul(place, ir.Constant(_WORD, step))]),
            builder.gep(out_of, [builder.mul(origin, ir.Constant(_WORD, other))]),
            builder.mul(number, ir.Constant(_WORD, 8)),
            1,
        )
        return context.get_dummy_value()

    return types.none(target, types.int64, source, types.int64, types.int64), make


@_numba.intrinsic
def _rows_from(context: Any, rows: Any, first: Any) -> Any:
    """The rows from a number on."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0].record
        size = kind.size if isinstance(kind, types.Record) else kind.bitwidth // 8
        return builder.gep(arguments[0], [builder.mul(arguments[1], ir.Constant(_WORD, size))])

    return rows(rows, types.int64), make


@_numba.intrinsic
def _prefetched(context: Any, rows: Any, index: Any, line: Any) -> Any:
    """Ask for a line of the cache of a row."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0].record
        size = kind.size if isinstance(kind, types.Record) else kind.bitwidth // 8
        offset = builder.add(
            builder.mul(arguments[1], ir.Constant(_WORD, size)), builder.mul(arguments[2], ir.Constant(_WORD, LINE))
        )
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [_BYTE_POINTER], kind)
        read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(ask, [builder.gep(arguments[0], [offset]), read, keep, data])
        return context.get_dummy_value()

    return types.none(rows, types.int64, types.int64), make


@_numba.intrinsic
def _rows_at(context: Any, array: Any) -> Any:
    """The rows of an array."""

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.bitcast(held.data, _BYTE_POINTER)

    return RowsType(array.dtype)(array), make


@_numba.intrinsic
def _out_at(context: Any, out: Any) -> Any:
    """The table of an `Outputs`, which holds it as its last array."""
    *arrays, _ = zip(out.fields, out.types)

    def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        table = builder.extract_value(arguments[0], len(kind.types) - 1)
        held = context.make_array(kind.types[-1])(context, builder, table)
        return builder.bitcast(held.data, _BYTE_POINTER)

    return OutType(tuple((name, array.dtype) for name, array in arrays))(out), make


def reader(cls: type) -> Any:
    """See `addresses.reader`."""
    hints = get_type_hints(cls, include_extras=True).items()
    kind = OutType(tuple((name, numba.from_dtype(hint.__metadata__[0])) for name, hint in hints if name != "table"))

    @_numba.intrinsic
    def at(context: Any, address: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], _BYTE_POINTER)

        return kind(types.int64), make

    @_njit
    def themselves(arrays: Any) -> Any:
        return arrays

    return themselves if CHECKED else at


@_numba.infer_getattr
class _Members(_templates.AttributeTemplate):
    """`o.records` are rows, `o.n_records` is how many there are."""

    key = OutType

    def generic_resolve(self, out: Any, name: str) -> Any:
        for each, record in out.records:
            if name == each:
                return RowsType(record)
            if name == f"n_{each}":
                return types.int64
        return None


@_numba.lower_getattr_generic(OutType)
def _member(context: Any, builder: Any, out: Any, table: Any, name: str) -> Any:
    names = [each for each, _ in out.records]
    place = names.index(name) if name in names else len(names) + names.index(name.removeprefix("n_"))
    words = builder.bitcast(table, _WORD.as_pointer())
    word = builder.load(builder.gep(words, [ir.Constant(_WORD, place)]))
    # The table stays as it is while a root runs, so an address need not be loaded again after each store.
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return builder.inttoptr(word, _BYTE_POINTER) if name in names else word


def filler(record: np.dtype[Any], values: Mapping[str, Any]) -> Any:
    """A function of rows and a number that gives the fields of that row these values, and what lies between any.

    Field by field that is thirty stores of a record, and some three of them are done in one by LLVM; here eight are.
    """
    example = np.zeros(1, record)
    for name, value in values.items():
        example[name] = value
    places: Mapping[str, Any] = record.fields or {}
    end = max(places[name][1] + places[name][0].itemsize for name in values)
    words = np.frombuffer(example.tobytes()[:end], np.int32).tolist()

    @_numba.intrinsic
    def filled(context: Any, rows: Any, at: Any) -> Any:
        def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.IntType(32)
            row = builder.gep(arguments[0], [builder.mul(arguments[1], ir.Constant(_WORD, record.itemsize))])
            done = 0
            while done < len(words):
                n = next(size for size in (8, 4, 2, 1) if size <= len(words) - done)
                some = ir.VectorType(number, n)
                place = builder.gep(row, [ir.Constant(_WORD, 4 * done)])
                value = ir.Constant(some, words[done : done + n])
                builder.store(value, builder.bitcast(place, some.as_pointer()), align=4)
                done += n
            return context.get_dummy_value()

        return types.none(rows, types.int64), make

    return filled


if CHECKED:

    @_njit
    def rows(array: Any) -> Any:
        """The rows of an array, for a call into the kernel; the caller holds the array until that returns."""
        return array

    @_njit
    def out(outputs: Any) -> Any:
        """The same of an `Outputs`."""
        return outputs

    @_njit
    def rows_from(rows: Any, first: int) -> Any:
        """The rows from a number on, which are then numbered from 0."""
        return rows[first:]

    @_njit
    def prefetch(rows: Any, index: int, lines: int) -> None:
        """Ask for so many lines of the cache from a row on, which will soon be needed."""

    @_njit
    def copy_rows(target: Any, at: int, source: Any, first: int, n: int) -> None:
        """Copy so many records; the two may not overlap."""
        for k in range(n):
            target[at + k] = source[first + k]

    @_njit
    def _check(array: Any, place: int, n: int) -> None:
        if place < 0 or place * array.itemsize + 8 * n > array.size * array.itemsize:
            raise IndexError("words beyond an array")

    @_njit
    def copy_words(target: Any, at: int, source: Any, first: int, n: int) -> None:
        """Copy so many words from where a row of one lies to where a row of the other does: words, or records."""
        _check(target, at, n)
        _check(source, first, n)
        _copied_words(target, at, source, first, n)

else:

    @_njit(inline="always")
    def rows(array: Any) -> Any:
        """The rows of an array, for a call into the kernel; the caller holds the array until that returns."""
        return _rows_at(array)

    @_njit(inline="always")
    def out(outputs: Any) -> Any:
        """The same of an `Outputs`."""
        return _out_at(outputs)

    @_njit(inline="always")
    def rows_from(rows: Any, first: int) -> Any:
        """The rows from a number on, which are then numbered from 0."""
        return _rows_from(rows, first)

    @_njit(inline="always")
    def prefetch(rows: Any, index: int, lines: int) -> None:
        """Ask for so many lines of the cache from a row on, which will soon be needed."""
        for line in range(lines):
            _prefetched(rows, index, line)

    @_njit(inline="always")
    def copy_rows(target: Any, at: int, source: Any, first: int, n: int) -> None:
        """Copy so many records; the two may not overlap."""
        _copied(target, at, source, first, n)

    @_njit(inline="always")
    def copy_words(target: Any, at: int, source: Any, first: int, n: int) -> None:
        """Copy so many words from where a row of one lies to where a row of the other does: words, or records."""
        _copied_words(target, at, source, first, n)
