"""One thread at a time is at the solver: all terms are of one context of Z3, which two must not call at once.

That terms may end in any thread is said where they are made (`conditions.literals`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wfsim.verification.nets.limits import Limits, OutOfTime

_TURN = threading.RLock()


@contextmanager
def alone(limits: Limits) -> Iterator[None]:
    """The solver is this thread's, once no other one is at it.

    Raises
    ------
    OutOfTime
        If the time is over before.
    """
    left = limits.seconds_left
    if not _TURN.acquire(timeout=-1 if left is None else left):
        raise OutOfTime("another thread had the solver")
    try:
        yield
    finally:
        _TURN.release()
