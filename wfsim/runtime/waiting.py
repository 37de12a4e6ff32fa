"""Waiting for what an instance shall come to: until when, and what is said if it does not come there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from wfsim.errors import WaitTimeout
from wfsim.model.duration import Duration

if TYPE_CHECKING:
    from datetime import timedelta

Timeout: TypeAlias = "Duration | timedelta | str | int | float | None"


def deadline(timeout: Timeout) -> float | None:
    """When a timeout ends that begins now, by the clock of waits; `None`: never."""
    return None if timeout is None else time.monotonic() + int(Duration.of(timeout)) / 1e6


class Wait:
    """A wait that has begun.

    Parameters
    ----------
    name
        Of the instance.
    until
        What it shall come to; see `AnyRun.wait`.
    stands
        Where it is, for an error: "it is running in 'paid', version 7."
    """

    def __init__(self, name: str, until: object, timeout: Timeout, stands: Callable[[], str]) -> None:
        self._name = name
        self._until = until
        self._timeout = None if timeout is None else Duration.of(timeout)
        self._stands = stands
        self._end = deadline(timeout)

    def left(self, is_closed: bool, most: float) -> float:
        """How long to wait for the next look, in seconds and at most so many.

        Raises
        ------
        WaitTimeout
            If there is nothing to wait for: time is up, or the instance has closed.
        """
        # A function may ask for anything, also for what still comes after closing.
        if is_closed and not callable(self._until):
            raise WaitTimeout(self._missed("and cannot any more"))
        left = most if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise WaitTimeout(self._missed(f"within {self._timeout}"))
        return min(left, most)

    def _missed(self, how: str) -> str:
        until = self._until
        wanted = (
            f"come to {until!r}" if isinstance(until, str) else "close" if until is None else "come to what was asked"
        )
        return f"{self._name!r} did not {wanted} {how}: {self._stands()}"
