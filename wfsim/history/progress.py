"""How far something is that takes its time, and how long the rest takes: a bar, or a few lines where there is none."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from wfsim.model.duration import short_time

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 5.0
"""Seconds in which no line is written: what is over by then needs none."""
N_LINES = 10


class Progress:
    """Shows what part of something is done.

    In a terminal or notebook it is a bar. Elsewhere it is a line at each tenth on the error stream, once it has taken
    some seconds.

    Parameters
    ----------
    what
        Its name, as `simulate`.
    total, unit
        How much there is to do, in which unit (in the plural).
    done
        How much of it was done before, which says nothing of how long the rest takes.
    wanted
        `False`: show nothing. `True`: show it. `None`: a bar where one can be drawn, else lines.
    clock
        Gives the seconds since some moment.
    """

    def __init__(
        self,
        what: str,
        total: float,
        unit: str,
        *,
        done: float = 0.0,
        wanted: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._total, self._unit, self._clock = what, total, unit, clock
        self._wanted = wanted is not False
        self._begun = clock()
        self._before = self._done = done
        self._told = 0
        self._bar = _bar(what, total, unit, done) if self._wanted else None

    def to(self, done: float) -> None:
        """So much is done, in all."""
        self._done = done
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif self._wanted:
            self._line(done)

    def step(self) -> None:
        """One more is done."""
        self.to(self._done + 1)

    def _line(self, done: float) -> None:
        passed = self._clock() - self._begun
        tenth = int(N_LINES * done / self._total)
        if tenth <= self._told or passed < QUIET or done >= self._total or done <= self._before:
            return
        self._told = tenth
        left = short_time(round(passed * (self._total - done) / (done - self._before) * 1e6))
        print(
            f"{self._what}: {done:,.4g} of {self._total:,.6g} {self._unit}, about {left} left.",
            file=sys.stderr,
            flush=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(what: str, total: float, unit: str, done: float) -> Any:
    """A bar where one can be drawn: in a terminal, or a notebook."""
    from tqdm.asyncio import tqdm_asyncio
    from tqdm.auto import tqdm

    # In a notebook `auto` is another class.
    if tqdm is tqdm_asyncio and not sys.stderr.isatty():
        return None
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.4g} of {total:.6g} {unit} [{elapsed}, {remaining} left]"
    return tqdm(total=total, initial=done, desc=what, unit=unit, bar_format=form, mininterval=0.2)
