"""Memory for logs. What nobody has any more is written again: pages that are new to a process are cleared before."""

from __future__ import annotations

import threading
from typing import Any
from weakref import finalize

import numpy as np

MOST_KEPT = 2**27
"""Bytes that are kept for the next log while nobody has them."""
LEAST = 2**20
"""Less than that is not worth it."""

_free: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
_lock = threading.RLock()
"""Whoever has it may be interrupted by the end of an array, and so come again."""


def empty(n: int, kind: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """An array of so many records, with anything in them, like `numpy.empty`."""
    size = n * kind.itemsize
    if size < LEAST:
        return np.empty(n, kind)
    with _lock:
        fits = [each for each in _free if size <= each.nbytes <= 2 * size]
        if fits:
            best = min(fits, key=len)
            _free[:] = [each for each in _free if each is not best]
        else:
            best = np.empty(size, np.uint8)
    found = np.frombuffer(best.data, kind, n)
    # What is made of a part of this array holds it, and so its base, which nobody else has.
    finalize(found.base, _give_back, best).atexit = False
    return found


def _give_back(memory: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    with _lock:
        _free.append(memory)
        # What has lain for longest is the least likely to fit.
        while sum(map(len, _free)) > MOST_KEPT:
            del _free[0]
