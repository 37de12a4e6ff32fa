"""Handles of texts (`semantics.texts`) as columns: each different text is looked at once, not once a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.semantics.texts import canonical

from . import arrow

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.semantics.texts import Texts

    from .codes import Codes

Starts: TypeAlias = "list[tuple[int, Texts]]"
"""From which row on which table of texts counts, in order."""


def clean(text: str) -> str:
    """The text as DuckDB can store it: what is not Unicode (lone surrogates) becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def json_of(value: Any) -> str:
    """A value as JSON that DuckDB can store."""
    return clean(canonical(value))


def texts_of(handles: NDArray[np.int64], starts: Starts, spell: Callable[[Any], str]) -> pa.Array:
    """Handles as a dictionary-encoded column of texts, null for -1; `spell` gives the text of a handle's value."""
    import pyarrow as pa

    known: dict[str, int] = {}
    indices = _numbered(handles, starts, lambda value: known.setdefault(spell(value), len(known)))
    return pa.DictionaryArray.from_arrays(arrow.numbers(indices, indices >= 0), arrow.texts(list(known)))


def codes_of(handles: NDArray[np.int64], starts: Starts, codes: Codes, dimension: str) -> NDArray[np.int32]:
    """Handles as codes of a dimension, -1 for -1."""
    return _numbered(handles, starts, lambda value: codes.code(dimension, clean(value)))


def _numbered(handles: NDArray[np.int64], starts: Starts, number: Callable[[Any], int]) -> NDArray[np.int32]:
    import numpy as np

    found = np.full(len(handles), -1, np.int32)
    ends = [start for start, _ in starts[1:]] + [len(handles)]
    for (start, texts), end in zip(starts, ends):
        told = handles[start:end]
        if not len(told) or (last := int(told.max())) < 0:
            continue
        # A handle is a place in its table: to mark those that are used takes less time than to sort them. What has
        # none is behind them all.
        numbers = np.full(last + 2, -1, np.int32)
        numbers[told] = 0
        used = np.flatnonzero(numbers[:-1] == 0)
        numbers[-1] = -1
        numbers[used] = [number(texts.value(handle)) for handle in used.tolist()]
        numbers.take(told, out=found[start:end], mode="wrap")
    return found
