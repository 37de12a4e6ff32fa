"""Clocks of real runs: the machine's, and one that is moved by hand."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from wfsim.errors import WfsimError
from wfsim.model.duration import Duration

if TYPE_CHECKING:
    from datetime import timedelta

# Wait at most so long in one go: a machine that slept, or whose clock was set, is noticed then.
LONGEST_WAIT = 30.0


class Follower(Protocol):
    """What a clock moved by hand drives: a run."""

    def next_due(self) -> int | None:
        """Microseconds of the next thing that time alone brings about; `None` if there is none."""
        ...

    def settle(self, patience: float) -> None:
        """Return when everything due has happened and activities have come to rest."""
        ...

    def is_settled(self) -> bool:
        """Whether that is so; another follower may have sent it something since."""
        ...


class Clock(Protocol):
    """What a run asks of a clock."""

    def now(self) -> int:
        """Microseconds."""
        ...

    def seconds_until(self, due: int) -> float | None:
        """How long to wait for `due` without being told, in real seconds; `None`: until told."""
        ...

    def follow(self, follower: Follower) -> None:
        """The follower goes by this clock from now on."""
        ...

    def forget(self, follower: Follower) -> None:
        """The follower has ended."""
        ...


class SystemClock:
    """The machine's clock: microseconds since 1970-01-01 UTC.

    It may be set back while a run goes on; the times of one instance never decrease all the same (M6.1).
    """

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000

    def seconds_until(self, due: int) -> float | None:
        """Real seconds until `due`, at most half a minute."""
        return min(max(due - self.now(), 0) / 1e6, LONGEST_WAIT)

    def follow(self, follower: Follower) -> None:
        """Nothing to do: real time passes by itself."""

    def forget(self, follower: Follower) -> None:
        """Nothing to do."""


class ManualClock:
    """A clock that stands still until it is moved: for tests, demonstrations and notebooks.

    Parameters
    ----------
    start
        Its first reading, in microseconds.
    patience
        Real seconds that `advance` grants to activities that neither end nor sleep by `context.sleep`.
        One that takes longer is left behind: time moves on without it, as it would in real life.

    Examples
    --------
    >>> clock = ManualClock()
    >>> clock.advance("2h")
    >>> clock.now()
    7200000000
    """

    def __init__(self, start: int = 0, *, patience: float = 5.0) -> None:
        if isinstance(start, bool) or not isinstance(start, int) or start < 0:
            raise WfsimError(f"a clock starts at a whole number of microseconds from 0 on, not at {start!r}.")
        self._now = start
        self._patience = patience
        self._followers: list[Follower] = []
        self._moving = threading.Lock()

    def now(self) -> int:
        """Microseconds since the start of this clock's time."""
        return self._now

    def seconds_until(self, due: int) -> float | None:
        """`None`, or nothing left to wait: only `advance` makes time pass."""
        return 0.0 if due <= self._now else None

    def follow(self, follower: Follower) -> None:
        """`advance` waits for the follower from now on."""
        self._followers.append(follower)

    def forget(self, follower: Follower) -> None:
        """`advance` does not wait for the follower any more."""
        if follower in self._followers:
            self._followers.remove(follower)

    def advance(self, by: Duration | timedelta | str | int | float) -> None:
        """Let time pass; returns when all that fell due has been applied.

        Time stops at each timer on the way, until it has fired and the activities it set off have ended or
        sleep: so the same calls give the same history.

        Parameters
        ----------
        by
            `"2h"`, `"90s"`, seconds as a number, or a `timedelta`.
        """
        self.set(self._now + int(Duration.of(by)))

    def set(self, time: int) -> None:
        """Let time pass up to a reading in microseconds; like `advance`.

        Raises
        ------
        WfsimError
            If that lies in the past.
        """
        with self._moving:
            if time < self._now:
                raise WfsimError(f"the clock stands at {self._now}; it cannot go back to {time} (M6.1).")
            self._settle()
            while True:
                dues = [due for each in list(self._followers) if (due := each.next_due()) is not None]
                if not dues or min(dues) > time:
                    break
                self._now = max(self._now, min(dues))
                self._settle()
            self._now = time
            self._settle()

    def settle(self) -> None:
        """Return when all that is due has been applied and activities have ended or sleep; time stands still."""
        with self._moving:
            self._settle()

    def _settle(self) -> None:
        while not all(each.is_settled() for each in list(self._followers)):
            for each in list(self._followers):
                each.settle(self._patience)

    def __repr__(self) -> str:
        return f"<ManualClock at {Duration(self._now)}>"
