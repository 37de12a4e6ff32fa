"""Memory for logs and tables. What nobody has any more is written again: new pages are cleared before.

On a virtual machine the first touch of a page may take far longer than that, as its host has to find one, too.
"""

from __future__ import annotations

import mmap
import threading
from typing import Any, TypeAlias
from weakref import finalize

import numpy as np

LEAST = 2**20
"""Less than that is not worth it."""

Memory: TypeAlias = "mmap.mmap | np.ndarray[Any, np.dtype[np.uint8]]"
_CAN_LEND = hasattr(mmap, "MADV_FREE")
MOST_KEPT = 2**29 if _CAN_LEND else 2**28
"""Bytes that are kept while nobody has them. Where it can, the system takes them if it needs them."""

_free: list[Memory] = []
_lock = threading.RLock()
"""Whoever has it may be interrupted by the end of an array, and so come again."""


def empty(n: int, kind: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """An array of so many records, with anything in them, like `numpy.empty`."""
    size = n * kind.itemsize
    if size < LEAST:
        return np.empty(n, kind)
    best: Any
    with _lock:
        fits = [each for each in _free if size <= len(each) <= 2 * size]
        if fits:
            best = min(fits, key=len)
            _free[:] = [each for each in _free if each is not best]
        else:
            best = _fresh(size)
    found = np.frombuffer(memoryview(best), kind, n)
    # What is made of a part of this array holds it, and so its base, which nobody else has.
    finalize(found.base, _give_back, best).atexit = False
    return found


def _fresh(size: int) -> Memory:
    if not _CAN_LEND:
        return np.empty(size, np.uint8)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _give_back(memory: Memory) -> None:
    if isinstance(memory, mmap.mmap):
        # Until the system needs its pages they stay as they are, and are not cleared again.
        memory.madvise(mmap.MADV_FREE)
    with _lock:
        _free.append(memory)
        # What has lain for longest is the least likely to fit.
        while sum(map(len, _free)) > MOST_KEPT:
            del _free[0]
