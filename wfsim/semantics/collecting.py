"""Python looks for circles less often, where many objects are made that stay, and none of them goes round in one."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 100_000, 20, 50

_lock = threading.Lock()
_n_inside = 0
_usual = RARELY


@contextmanager
def rarely_collected() -> Iterator[None]:
    """While this lasts, in any thread: to look through them as often as usual takes a tenth of the time and more."""
    global _n_inside, _usual
    with _lock:
        _n_inside += 1
        if _n_inside == 1:
            _usual = gc.get_threshold()
            gc.set_threshold(*RARELY)
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                gc.set_threshold(*_usual)
