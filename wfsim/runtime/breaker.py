"""Circuit breakers: attempts of an activity that keeps failing are held, so that whoever is down can come up again.

They belong to a worker and mean nothing: an attempt that is held has not begun, and its instance's clocks run on.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import OptionError
from wfsim.model.duration import Duration, time_text
from wfsim.model.values import brief

if TYPE_CHECKING:
    from datetime import timedelta

    from .implementations import Use

ALL = "*"
"""In the place of an activity: each that has none of its own."""


class Breaker:
    """When attempts of an activity are held.

    Parameters
    ----------
    failures
        So many attempts in a row have failed.
    pause
        So long none begins then. After that one is let through: if it succeeds, all are, else another pause begins.
    errors
        Types of errors that count, or their prefixes: `Http` is `Http.503` too. By default all; others are answers,
        which end a row.

    Raises
    ------
    OptionError
        For numbers and errors that are none.
    """

    def __init__(
        self,
        failures: int = 5,
        pause: Duration | timedelta | str | int | float = "30s",
        errors: tuple[str, ...] | list[str] = (),
    ) -> None:
        if isinstance(failures, bool) or not isinstance(failures, int) or failures < 1:
            raise OptionError(f"failures is {brief(failures)}. Give a whole number from 1 on.")
        if isinstance(errors, str) or not all(isinstance(each, str) for each in errors):
            raise OptionError(f"errors is a list of error types, not {brief(errors)}.")
        self.failures = failures
        self.pause = Duration.of(pause)
        self.errors = tuple(errors)
        if self.pause <= 0:
            raise OptionError(f"pause is {self.pause}. Give a time above 0.")

    def counts(self, error_type: str) -> bool:
        """Whether an error of this type is a failure of whoever does the work."""
        return not self.errors or any(error_type == each or error_type.startswith(each + ".") for each in self.errors)

    def __repr__(self) -> str:
        errors = f", errors={list(self.errors)}" if self.errors else ""
        return f"Breaker(failures={self.failures}, pause='{self.pause}'{errors})"


class OnHold(Exception):
    """An attempt may not begin before `until`."""

    def __init__(self, until: int) -> None:
        super().__init__(until)
        self.until = until


@dataclass(slots=True)
class _State:
    """Of one activity: how many have failed in a row, the last with which error, and until when others are held."""

    failures: int = 0
    error_type: str = ""
    until: int | None = None


class Breakers:
    """The breakers of a worker; from any thread.

    Parameters
    ----------
    breakers
        By activity, as functions are given: `charge`, `order.charge`, `charge@2`; `*` for each other one.
    """

    def __init__(self, breakers: Mapping[str, Breaker] | None) -> None:
        given = {} if breakers is None else breakers
        if not isinstance(given, Mapping) or not all(isinstance(each, Breaker) for each in given.values()):
            raise OptionError(f"breakers is a mapping from activities to wf.Breaker(…), not {brief(given)}.")
        self._breakers = dict(given)
        self._lock = threading.Lock()
        self._states: dict[str, _State] = {}
        self._held: dict[str, tuple[str, int]] = {}

    def _of(self, use: Use) -> tuple[str, Breaker] | None:
        """The breaker of an activity, and under which name it counts."""
        for key in use.keys:
            if key in self._breakers:
                return key, self._breakers[key]
        return (use.activity, self._breakers[ALL]) if ALL in self._breakers else None

    def admit(self, use: Use, instance: str, now: int) -> None:
        """An attempt is about to begin.

        Raises
        ------
        OnHold
            If it may not.
        """
        found = self._of(use)
        if found is None:
            return
        key, breaker = found
        with self._lock:
            state = self._states.get(key)
            if state is None or state.until is None:
                return
            if now < state.until:
                self._held[instance] = (key, state.until)
                raise OnHold(state.until)
            # This one tries; the others wait for what comes of it, or for another pause.
            state.until = now + int(breaker.pause)
            self._held.pop(instance, None)

    def ended(self, use: Use, error_type: str | None, now: int) -> None:
        """An attempt has succeeded (`None`) or failed."""
        found = self._of(use)
        if found is None:
            return
        key, breaker = found
        with self._lock:
            if error_type is None or not breaker.counts(error_type):
                self._states.pop(key, None)
                return
            state = self._states.setdefault(key, _State())
            state.failures += 1
            state.error_type = error_type
            if state.failures >= breaker.failures:
                state.until = now + int(breaker.pause)

    def held(self, now: int) -> dict[str, str]:
        """Instances of which an attempt is held here, and why."""
        with self._lock:
            self._held = {
                instance: (key, until)
                for instance, (key, until) in self._held.items()
                if until > now and key in self._states
            }
            return {
                instance: f"activity {key!r} is held here for {time_text(until - now)}: "
                f"{self._states[key].failures} attempts in a row have failed, the last with "
                f"{self._states[key].error_type} (circuit breaker)"
                for instance, (key, until) in self._held.items()
            }
