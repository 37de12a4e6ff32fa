"""Payloads of records as JSON text, made once, when a batch is written: whoever reads rows assembles nothing.

Everything is done on columns: there is no work in Python per record or value, only per different text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    BOOLEAN,
    FAULT,
    INTEGER,
    KEY_VALUE,
    LIST,
    NUMBER,
    OBJECT,
    R_STARTED,
    RECORD_KINDS,
    STRING,
)
from wfsim.semantics.records import CALLED, LISTS, VALUES_CALLED

from .handles import json_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.semantics.program import Program

    from .handles import Starts


_MANY = 10_000
"""From so many records on it pays to look at each kind by itself."""


@dataclass(frozen=True)
class ValueColumns:
    """Values of many records; those of one record stand together.

    Attributes
    ----------
    case, seq, position
        Which record, and the how manieth value of it.
    name
        Handle of what it gives a value to, or a code below 0.
    tag, whole, real
        As in `semantics.layout.Cell`.
    starts
        From which value on which table of texts counts.
    """

    case: NDArray[np.int64]
    seq: NDArray[np.int64]
    position: NDArray[np.int64]
    name: NDArray[np.int64]
    tag: NDArray[np.int64]
    whole: NDArray[np.int64]
    real: NDArray[np.float64]
    starts: Starts

    @property
    def is_text(self) -> NDArray[np.bool_]:
        """Whether `whole` is a handle."""
        import numpy as np

        return np.isin(self.tag, (STRING, LIST, OBJECT, FAULT))

    def spelled(self) -> pa.Array:
        """Each as JSON."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        is_text, is_real = self.is_text, self.tag == NUMBER
        texts = texts_of(np.where(is_text, self.whole, -1), self.starts, json_of)
        numbers = pc.if_else(is_real, pa.array(self.real).cast(pa.string()), pa.array(self.whole).cast(pa.string()))
        others = pc.if_else(self.tag == BOOLEAN, np.where(self.whole == 1, "true", "false"), "null")
        plain = pc.if_else(is_real | (self.tag == INTEGER), numbers, others)
        return pc.if_else(is_text, texts.dictionary_decode(), plain)


@dataclass(frozen=True)
class RecordColumns:
    """What is needed of many records.

    Attributes
    ----------
    case, seq, kind, key
        As in `semantics.layout.RecordRow`.
    numbers
        Whole numbers by their name in the payload, with -1 for none.
    texts
        Texts in JSON, by their name in the payload.
    called
        Handles of the texts that the kind of the record names (`records.CALLED`).
    starts
        From which record on which table of texts counts.
    """

    case: NDArray[np.int64]
    seq: NDArray[np.int64]
    kind: NDArray[np.int64]
    key: NDArray[np.int64]
    numbers: Mapping[str, NDArray[np.int64]]
    texts: Mapping[str, pa.Array]
    called: Mapping[str, NDArray[np.int64]]
    starts: Starts

    def of(self, rows: NDArray[np.int64]) -> RecordColumns:
        """Some of them, where one table of texts counts for all."""
        return replace(
            self,
            case=self.case[rows],
            seq=self.seq[rows],
            kind=self.kind[rows],
            key=self.key[rows],
            numbers={name: column[rows] for name, column in self.numbers.items()},
            texts={name: column.take(rows) for name, column in self.texts.items()},
            called={name: column[rows] for name, column in self.called.items()},
        )


def payloads_of(records: RecordColumns, values: ValueColumns, program: Program) -> pa.Array:
    """What each record says beside its columns, as `records.record_of` does: an object in JSON.

    Records of one kind have the same few members, so many are made kind by kind.
    """
    import numpy as np
    import pyarrow as pa

    inside = _values_of(records, values) if len(values.case) else None
    if len(records.case) < _MANY or len(records.starts) > 1:
        return _objects(records, inside, program)
    order = np.argsort(records.kind, kind="stable")
    ends = np.flatnonzero(np.diff(records.kind[order])) + 1
    pieces = [
        _objects(records.of(rows), None if inside is None else inside.take(pa.array(rows)), program)
        for rows in np.split(order, ends)
    ]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(pieces).take(pa.array(back))


def _objects(records: RecordColumns, inside: pa.Array | None, program: Program) -> pa.Array:
    """The same, of few; `inside` are the members that hold their values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    members = [_named(name, _whole(numbers)) for name, numbers in records.numbers.items() if (numbers >= 0).any()]
    members += [_named(name, texts) for name, texts in records.texts.items() if texts.null_count < len(texts)]
    for name, handles in records.called.items():
        if (handles >= 0).any():
            called = CALLED[name]
            names = pa.array([json_of(called.get(kind, name)) for kind in range(len(RECORD_KINDS))]).take(records.kind)
            texts = texts_of(handles, records.starts, json_of).dictionary_decode()
            members.append(pc.binary_join_element_wise(names, texts, ":"))
    is_start = records.kind == R_STARTED
    if is_start.any():
        workflow = program.workflow
        told = f'"workflow":{json_of(workflow.name)},"version":{json_of(workflow.version)},"seed"'
        seeds = pc.binary_join_element_wise(told, pa.array(records.key).cast(pa.string()), ":")
        members.append(pc.if_else(is_start, seeds, None))
    if inside is not None and inside.null_count < len(inside):
        members.append(inside)
    return pc.binary_join_element_wise("{", _together(members, len(records.case)), "}", "")


def _named(name: str, texts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(json_of(name), texts, ":")


def _together(members: Sequence[pa.Array], n: int) -> pa.Array:
    """Those that are not null, with commas between them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Something in front: Arrow leaves out rows that are null throughout.
    joined = pc.binary_join_element_wise(pa.repeat("", n), *members, ",", null_handling="skip")
    return pc.utf8_slice_codeunits(joined, 1)


def _whole(numbers: NDArray[np.int64]) -> pa.Array:
    import pyarrow as pa

    return pa.array(numbers, mask=numbers < 0).cast(pa.string())


def _values_of(records: RecordColumns, values: ValueColumns) -> pa.Array:
    """The members that hold the values of each record; null for none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    here, there = records.case << 32 | records.seq, values.case << 32 | values.seq
    is_first = np.diff(there, prepend=there[0] - 1) != 0
    first, group = np.flatnonzero(is_first), np.cumsum(is_first) - 1
    order = np.argsort(here)
    record = order[np.searchsorted(here, there[first], sorter=order)]
    kind = records.kind[record]
    is_list = np.isin(kind, LISTS)

    said, is_key = values.spelled(), values.name == KEY_VALUE
    names = texts_of(np.where(is_key, -1, values.name), values.starts, json_of).dictionary_decode()
    # Without a name, an object's members stand among the others.
    bare = pc.if_else(values.name < 0, pc.utf8_slice_codeunits(said, 1, -1), said)
    has_name = (values.name >= 0) & ~is_list[group]
    pieces = pc.if_else(has_name, pc.binary_join_element_wise(names, said, ":"), bare)
    inside = _joined(pieces, group, ~is_key & np.asarray(pc.not_equal(pieces, "")), len(first))
    opened = pc.if_else(is_list, pc.binary_join_element_wise(names.take(first), "[", ":"), pa.array(_OPENED).take(kind))
    closed = pc.if_else(is_list, "]", pc.if_else(pc.equal(opened, ""), "", "}"))
    whole = pc.binary_join_element_wise(opened, inside, closed, "")
    if is_key.any():
        keys = _joined(_named("key", said), group, is_key, len(first))
        whole = _together([keys, whole], len(first))
    back = np.full(len(here), -1)
    back[record] = np.arange(len(record))
    return pc.if_else(pc.equal(whole, ""), None, whole).take(pa.array(back, mask=back < 0))


def _joined(pieces: pa.Array, group: NDArray[np.int64], kept: NDArray[np.bool_], n_groups: int) -> pa.Array:
    """The kept pieces of each group with commas between them; null for none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = np.bincount(group[kept], minlength=n_groups)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, pieces.filter(pa.array(kept))), ",")
    return pc.if_else(counts == 0, None, joined)


_OPENED = [f'"{VALUES_CALLED[kind]}":{{' if kind in VALUES_CALLED else "" for kind in range(len(RECORD_KINDS))]
