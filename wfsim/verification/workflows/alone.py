"""One thread at a time is at the solver; what others let go of meanwhile is given back when that does no harm.

All terms are of one context of Z3, which must not be called by two threads at once. Counting references is an exception
once it is told so: Python's collector runs in whichever thread happens to allocate, and objects end in any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import z3

from wfsim.verification.nets.limits import Limits, OutOfTime

z3.Z3_enable_concurrent_dec_ref(z3.main_ctx().ref())
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
