"""The solver computes with nobody else at what is its own."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def alone() -> Iterator[None]:
    """Python's collector stands still meanwhile.

    It runs in whichever thread happens to allocate, and would free what the solver has left behind while the solver
    computes in another: Z3 does not bear that, and takes the process with it.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
