"""Arrow's arrays of numbers and of texts.

`pyarrow.array` loads pandas to see whether it is given a series, which takes a quarter of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Rows of a table, and those of its columns that lie in numpy too, there with -1 for null."""

    table: pa.Table
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.table)

    def slice(self, begin: int, n: int | None = None) -> Rows:
        """Some of them, which are not copied."""
        end = None if n is None else begin + n
        return Rows(self.table.slice(begin, n), {name: column[begin:end] for name, column in self.columns.items()})


def numbers(values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers, or truth values, null where they are not known; numbers are not copied."""
    import numpy as np
    import pyarrow as pa

    nulls = None if known is None or known.all() else _bits(known)
    kind = pa.from_numpy_dtype(values.dtype)
    data = _bits(values) if values.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, len(values), [nulls, data])


def whole(values: Sequence[int | None]) -> pa.Array:
    """Integers of 32 bits, null where there is none."""
    import numpy as np

    known = np.array([value is not None for value in values], np.bool_)
    return numbers(np.array([value or 0 for value in values], np.int32), known)


def texts(values: Sequence[str | None]) -> pa.Array:
    """Texts, null where there is none; together they have less than 2 GiB."""
    import numpy as np
    import pyarrow as pa

    encoded = [(value or "").encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)])
    assert ends[-1] < 2**31
    known = np.array([value is not None for value in values], np.bool_)
    nulls = None if known.all() else _bits(known)
    buffers = [nulls, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


def lists(ends: NDArray[np.int32], values: pa.Array, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Lists of values, null where not known; each ends where the next begins, and `ends` begins with 0."""
    import pyarrow as pa

    nulls = None if known is None or known.all() else _bits(known)
    return pa.Array.from_buffers(pa.list_(values.type), len(ends) - 1, [nulls, pa.py_buffer(ends)], children=[values])


def column(values: Sequence[Any]) -> pa.Array:
    """Texts, or else numbers, null where there is none."""
    import numpy as np

    if all(value is None or isinstance(value, str) for value in values):
        return texts(values)
    known = np.array([value is not None for value in values], np.bool_)
    return numbers(np.array([0 if value is None else value for value in values]), known)


def in_numpy(array: pa.Array) -> NDArray[Any]:
    """Numbers or truth values, of which all are known; numbers are not copied. Its own method loads pandas, too."""
    import numpy as np
    import pyarrow as pa

    data, n_before = array.buffers()[1], array.offset
    if pa.types.is_boolean(array.type):
        return _flags(data, n_before, len(array))
    return np.frombuffer(data, array.type.to_pandas_dtype())[n_before : n_before + len(array)]


def column_in_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers of a table, of which all are known; not copied if they lie together."""
    import numpy as np

    chunks = [in_numpy(chunk) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, column.type.to_pandas_dtype()), *chunks])


def known(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which of a table's values are known, that is not null."""
    import numpy as np

    def of(chunk: pa.Array) -> NDArray[np.bool_]:
        bits, begin = chunk.buffers()[0], chunk.offset
        if bits is None:
            return np.ones(len(chunk), np.bool_)
        return _flags(bits, begin, len(chunk))

    chunks = [of(chunk) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.zeros(0, np.bool_), *chunks])


def numbers_and_known(column: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Numbers of a table, with anything where they are not known, and which are; `None` if all are.

    Unsigned ones get wider, so that some number below 0 may stand for what is not known.
    """
    import numpy as np

    found = column_in_numpy(column)
    if np.issubdtype(found.dtype, np.unsignedinteger):
        found = found.astype(np.int16 if found.itemsize == 1 else np.int64)
    return found, known(column) if column.null_count else None


def _flags(bits: pa.Buffer, begin: int, n: int) -> NDArray[np.bool_]:
    import numpy as np

    flags = np.unpackbits(np.frombuffer(bits, np.uint8)[begin // 8 : (begin + n + 7) // 8], bitorder="little")
    return flags[begin % 8 : begin % 8 + n].view(np.bool_)


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    import numpy as np
    import pyarrow as pa

    return pa.py_buffer(np.packbits(flags, bitorder="little"))
