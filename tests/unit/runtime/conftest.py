"""Every test of real runs must leave no thread behind, and wait for states instead of milliseconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.postgres import address, server  # noqa: F401
from wfsim.runtime.clock import ManualClock


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + 5.0
    while left := [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]:
        assert time.monotonic() < until, f"threads left behind: {left}"
        time.sleep(0.002)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
