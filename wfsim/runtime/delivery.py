"""Attempts that a queue hands out: taken, carried out, reported, whatever the database does meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wfsim.model.duration import UNITS

from . import core, tracing
from .breaker import OnHold
from .database import DatabaseError
from .logs import tell
from .taking import Unknown

if TYPE_CHECKING:
    from wfsim.model.elements import Activity

    from .core import Core
    from .executor import Report
    from .implementations import Use
    from .rows import AttemptRow, Key
    from .taking import Order

T = TypeVar("T")

ELSEWHERE = 1.0
"""Seconds after which an attempt whose function is not known here is offered again."""

OUTAGE = 0.5
"""Seconds after which is tried again what the database has refused."""


class Hands(Protocol):
    """What a worker gives to its deliveries."""

    def admit(self, use: Use, declared: Activity, instance: str) -> None:
        """Raise `Unknown` or `OnHold` if an attempt cannot be carried out here, or not now."""
        ...

    def carry_out(self, order: Order) -> Report | None:
        """Carry an attempt out and wait for it; `None` if it was taken back."""
        ...

    def learn(self) -> None:
        """An attempt came whose function is not known here: its definition may have been published since."""
        ...

    def enqueue(self, rows: Any, attempts: Iterable[AttemptRow], delay: float) -> None:
        """Within a transaction: attempts are offered again, so many seconds later at the soonest."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait so long; true if the worker ends meanwhile."""
        ...


class Delivery:
    """What a worker does with an attempt that it is handed; from any thread.

    Parameters
    ----------
    worker
        This start of the worker.
    least
        Seconds after which an attempt is offered again at the soonest.
    """

    def __init__(self, core: Core, worker: str, hands: Hands, *, least: float) -> None:
        self._core = core
        self._worker = worker
        self._hands = hands
        self._least = least

    def deliver(self, key: Key, tries: int) -> None:
        """Take an attempt, carry it out, and report what came of it.

        Raises
        ------
        DatabaseError
            If the database is away, and the worker ends.
        """
        try:
            self._deliver(key, tries)
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:  # kept, and told: it is tried again, and the others go on
            self._core.stuck[key[0]] = (self._core.clock.now(), error)
            self._put_back(key, tries, core.AGAIN / UNITS["s"])

    def _deliver(self, key: Key, tries: int) -> None:
        name, serial, attempt = key
        order = self._take(key, tries)
        if order is None:
            return
        told: dict[str, Any] = {"instance": name, "activity": order.activity, "activity_id": serial, "attempt": attempt}
        told |= tracing.ids(order.trace)
        tell("attempt_started", **told)
        report = self._hands.carry_out(order)
        if report is None:
            tell("attempt_taken_back", **told)
            return
        self._insist(lambda again: self._core.report(report))
        if report.error_type is None:
            tell("attempt_succeeded", **told)
        else:
            tell("attempt_failed", logging.WARNING, **told, error_type=report.error_type, message=report.message)

    def _take(self, key: Key, tries: int) -> Order | None:
        wait = ELSEWHERE
        for last in (False, True):
            try:
                return self._insist(
                    lambda again: self._core.take(key, self._worker, tries, self._hands.admit, again=again)
                )
            except Unknown:
                if not last:
                    self._hands.learn()
            except OnHold as error:
                wait = (error.until - self._core.clock.now()) / UNITS["s"]
                break
        self._put_back(key, tries, max(wait, self._least))
        return None

    def _put_back(self, key: Key, tries: int, delay: float) -> None:
        self._insist(
            lambda again: self._core.put_back(
                key, tries, lambda rows, attempts: self._hands.enqueue(rows, attempts, delay), self._worker
            )
        )

    def _insist(self, call: Callable[[bool], T]) -> T:
        """Do it, again and again while the database is away; it is told whether it may have been done before.

        Nobody else would: the queue takes what has failed for ended, and this worker is alive.
        """
        again = False
        while True:
            try:
                return call(again)
            except DatabaseError:
                if self._hands.wait(OUTAGE):
                    raise
                again = True
