"""Rows behind bare pointers for those who write compiled code, and those who call it: `bare` makes them.

Importing this loads no numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .bounds import CHECKED
from .later import Later


def given(arrays: Any) -> Any:
    """What a root is called with for arrays by name: their table's address, or themselves where rows are checked."""
    return arrays if CHECKED else int(arrays.table.ctypes.data)


def reader(cls: type) -> Any:
    """For a root: what makes rows by name of what is `given`; the annotations of the class say their types."""
    return Later(lambda: import_module("wfsim.semantics.bare").reader(cls))


def _of_bare(name: str) -> Later:
    return Later(lambda: getattr(import_module("wfsim.semantics.bare"), name))


rows: Any = _of_bare("rows")
out: Any = _of_bare("out")
rows_from: Any = _of_bare("rows_from")
prefetch: Any = _of_bare("prefetch")
copy_rows: Any = _of_bare("copy_rows")
copy_words: Any = _of_bare("copy_words")
