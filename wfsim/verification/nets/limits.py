"""How far an answer may go in markings, time and memory, and why a search has ended where it did."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum, auto

from wfsim.arguments import expect_seconds, expect_whole

DEFAULT_MEMORY = 2**31
"""Bytes that a search may take unless told otherwise."""

MAX_MARKINGS = 1_000_000
"""Markings that a search may find unless told otherwise."""


WORK_IS_DONE = "as much work is done as without max_seconds is tried"


class Ended(Enum):
    """Why a search has ended."""

    FINISHED = auto()
    """Nothing is left to be expanded."""
    STOPPED = auto()
    """Whoever asked has seen enough."""
    MARKINGS = auto()
    """There are more markings, or more work, than allowed."""
    SECONDS = auto()
    MEMORY = auto()
    INTERRUPTED = auto()
    """By the user."""


class OutOfTime(Exception):
    """The time was over before a search began; the text says what was under way."""


@dataclass
class Work:
    """What is left of the work that may be done where no time is given; a million units take about a second."""

    left: int


@dataclass(frozen=True)
class Limits:
    """Limits of one answer: all that is done for it, whatever the method, ends with the time that it has.

    Attributes
    ----------
    max_markings, max_memory
        Of each search.
    max_seconds
        For everything together, from when the limits are made; None for as long as it takes.
    progress
        Whether to show progress bars.
    deadline
        When the time is over, by `time.monotonic`.
    work
        What bounds it without a time, where that is counted: so its end is the same on every machine.
    """

    max_markings: int = MAX_MARKINGS
    max_seconds: float | None = None
    max_memory: int = DEFAULT_MEMORY
    progress: bool = False
    deadline: float | None = None
    work: Work | None = None

    def __post_init__(self) -> None:
        expect_whole("max_markings", self.max_markings)
        expect_whole("max_memory", self.max_memory, unit=" byte")
        expect_seconds("max_seconds", self.max_seconds)
        if self.max_seconds is not None and self.deadline is None:
            object.__setattr__(self, "deadline", time.monotonic() + self.max_seconds)

    def begun_anew(self) -> Limits:
        """The same with all the time again, for the next question."""
        return replace(self, deadline=None, work=None)

    def at_most(self, work: int) -> Limits:
        """The same, and where no time is given so much work."""
        return self if self.deadline is not None or self.work is not None else replace(self, work=Work(work))

    def spend(self, work: int) -> None:
        """So much work was done."""
        if self.work is not None:
            self.work.left -= work

    @property
    def told(self) -> str:
        """What ends it, once it is over."""
        return f"max_seconds={self.max_seconds:g} reached" if self.work is None else WORK_IS_DONE

    def fewer(self, markings: int) -> Limits:
        """The same with at most so many markings."""
        return replace(self, max_markings=max(1, min(markings, self.max_markings)))

    def half(self) -> Limits:
        """The same with half of the time that is left."""
        if self.deadline is None:
            return self
        now = time.monotonic()
        return replace(self, deadline=now + max(0.0, self.deadline - now) / 2)

    @property
    def late(self) -> bool:
        """Whether the time is over, or the work done."""
        if self.work is not None and self.work.left <= 0:
            return True
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def seconds_left(self) -> float | None:
        """What is left of the time."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def allow(self, *, seconds: float = 0.0, memory: int = 0) -> bool:
        """Whether there is so much of both, so that something may be begun that cannot be stopped half-way."""
        left = self.seconds_left
        return memory <= self.max_memory and (left is None or left > seconds)

    def check(self, doing: str) -> None:
        """Raise `OutOfTime` if the time is over, saying what was under way."""
        if self.late:
            raise OutOfTime(doing)


UNLIMITED = Limits()
"""As many markings and bytes as usual, and time without end."""


def amount(memory: int) -> str:
    """So many bytes, for a text."""
    mebi = 2**20
    if memory >= 10 * mebi or memory % mebi == 0:
        return f"{memory / mebi:,.0f} MiB"
    return f"{memory:,} byte{'' if memory == 1 else 's'}"
