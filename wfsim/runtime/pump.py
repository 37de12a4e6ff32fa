"""The thread of an engine that lets happen what is due, and hands attempts to the executor of this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from copy import deepcopy
from typing import TYPE_CHECKING

from wfsim.errors import RunStopped
from wfsim.model.uses import declared_activities

from .breaker import OnHold
from .core import AGAIN
from .database import DatabaseError
from .delivery import OUTAGE
from .executor import Attempt, Executor, Report
from .implementations import Implementations, Use
from .taking import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.model.elements import Activity
    from wfsim.model.workflow import Workflow

    from .breaker import Breakers
    from .core import Core
    from .implementations import Implementation
    from .permissions import Permissions
    from .rows import AttemptRow, Key
    from .sql_rows import SqlRows
    from .taking import Order


def attempt_of(order: Order) -> Attempt:
    """What an executor needs to carry an attempt out."""
    found = Attempt(
        order.key,
        order.activity,
        # A copy: what the function does to it must not reach the next attempt.
        deepcopy(dict(order.input)),
        idempotency_key=order.idempotency_key,
        heartbeat=order.heartbeat,
        deadline=order.deadline,
        index=order.index,
    )
    found.workflow, found.trace = order.workflow, order.trace
    return found


def _run_out(attempt: Attempt, now: int) -> str | None:
    """Which clock of an attempt that was taken back has run out (M5.3); `None` if it was cancelled."""
    if attempt.deadline is not None and attempt.deadline <= now:
        return "Timeout.start_to_close"
    return "Timeout.heartbeat" if attempt.beat_by is not None and attempt.beat_by <= now else None


class Pump:
    """Lets happen what is due, in one thread of this process; it follows a clock (`runtime.clock.Follower`).

    Parameters
    ----------
    name
        In the names of threads, and of the worker in records.
    permissions
        What definitions may do outside.
    breakers
        Which activities are held.
    shared
        Whether other processes may use the database, so that it must be looked at again and again.
    polling
        Seconds after which that is done.
    carries
        Whether attempts are carried out in this process, without a queue between.

    Attributes
    ----------
    stopped
        Why nothing goes on here, if so.
    worker
        What stands with the attempts that are carried out here.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        permissions: Permissions,
        breakers: Breakers,
        *,
        shared: bool,
        carries: bool,
        polling: float,
    ) -> None:
        self.name = self.worker = name
        self.stopped: str | None = None
        self.cause: BaseException | None = None
        self._core = core
        self._shared = shared
        self.implementations = Implementations(permissions)
        self.breakers = breakers
        self._carries = carries
        self._polling = polling
        self._executor = Executor(name, core.clock, self._reported, self._poke)
        self._door = threading.Condition()
        self._poked = True
        self._working = False
        self._closing = False
        self._ending = False
        self._waiting: OrderedDict[Key, AttemptRow] = OrderedDict()
        self._unknown: dict[Key, AttemptRow] = {}
        self._held: dict[Key, tuple[int, AttemptRow]] = {}
        self._launched: dict[Key, tuple[Use, Attempt]] = {}
        self._performed: dict[Key, Future[Report | None]] = {}
        self._started = False
        self.thread = threading.Thread(target=self._serve, name=f"wfsim {name}", daemon=True)

    def start(self) -> None:
        """Begin; attempts that were open are carried out again. Asking twice is harmless."""
        with self._door:
            if self._started:
                return
            self._started = True
        self._core.poke = self._changed
        if self._carries:
            self._core.carrier = self
            self.launched(self._core.queued_attempts())
        self._core.clock.follow(self)
        self.thread.start()

    def admit(self, use: Use, declared: Activity, instance: str) -> None:
        """An attempt is about to begin here.

        Raises
        ------
        Unknown
            If its activity cannot be carried out here.
        OnHold
            If its breaker is open.
        """
        # Within a transaction: it must not wait for the door, behind which somebody may wait for the database.
        if self.implementations.of(use, declared) is None:
            raise Unknown
        self.breakers.admit(use, instance, self._core.clock.now())

    def implementation(self, order: Order) -> Implementation | None:
        """What carries an attempt out, if that is known here."""
        return self.implementations.of(Use(order.workflow, order.activity, order.declared.version), order.declared)

    def carried_out(self, workflows: Iterable[Workflow]) -> list[str]:
        """The activities of workflows that can be carried out here, as `<workflow>.<activity>`."""
        return sorted(
            {
                f"{each.name}.{name}"
                for each in workflows
                for name, declared in declared_activities(each).items()
                if self.implementations.of(Use(each.name, name, declared.version), declared) is not None
            }
        )

    def perform(self, order: Order, implementation: Implementation) -> Report | None:
        """Carry an attempt out and wait for it; `None` if it was taken back.

        A worker that has stood still for so long that it was taken for dead may be handed what it is still at: then
        whoever waits now hears of that, and whoever waited before does not.
        """
        done: Future[Report | None] = Future()
        with self._door:
            before = self._performed.get(order.key)
            self._performed[order.key] = done
        if before is None:
            self._launch(order, implementation)
        else:
            before.set_result(None)
        return done.result()

    def _launch(self, order: Order, implementation: Implementation) -> None:
        attempt = attempt_of(order)
        with self._door:
            self._launched[attempt.key] = Use(order.workflow, order.activity, order.declared.version), attempt
        self._executor.launch(attempt, implementation)

    def carry_out(self, functions: Mapping[Use, Implementation]) -> None:
        """Further functions are known: attempts that have waited for them are taken."""
        with self._door:
            self.implementations.add(functions)
            self._waiting.update(self._unknown)
            self._unknown.clear()
            self._poked = True
            self._door.notify_all()

    def permit(self, permissions: Permissions) -> None:
        """This is what definitions may do outside from now on: attempts that were not permitted are looked at again."""
        with self._door:
            self.implementations.permissions = permissions
        self.carry_out({})

    # --- as carrier ----------------------------------------------------------------------------------

    def enqueue(self, rows: SqlRows, attempts: Iterable[AttemptRow]) -> None:
        """Nothing to do: they stand in their table, and `start` looks there."""

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """They are taken in turn by the thread."""
        with self._door:
            for row in attempts:
                self._waiting[row.key] = row
            self._poked = True
            self._door.notify_all()

    def taken_back(self, keys: Iterable[Key]) -> None:
        """Those that run are asked to stop."""
        for key in keys:
            with self._door:
                self._waiting.pop(key, None)
                self._unknown.pop(key, None)
                self._held.pop(key, None)
                done = self._performed.pop(key, None)
                launched = self._launched.pop(key, None)
            if launched is not None and (gone := _run_out(launched[1], self._core.clock.now())) is not None:
                self.breakers.ended(launched[0], gone, self._core.clock.now())
            self._executor.cancel(key)
            if done is not None:
                done.set_result(None)

    def _changed(self, owes: bool) -> None:
        """An instance has changed: timers may be due sooner, unless they are looked for soon anyway."""
        if owes or not self._shared:
            self._poke()

    def _poke(self) -> None:
        with self._door:
            self._poked = True
            self._door.notify_all()

    def _reported(self, report: Report) -> None:
        with self._door:
            done = self._performed.pop(report.key, None)
            launched = self._launched.pop(report.key, None)
        if launched is not None:
            self.breakers.ended(launched[0], report.error_type, self._core.clock.now())
        if done is not None:
            done.set_result(report)
            return
        try:
            self._core.report(report)
        except BaseException as error:  # told to everyone who asks; the attempt is carried out again later
            self._fail(error)

    # --- for clocks moved by hand --------------------------------------------------------------------

    def next_due(self) -> int | None:
        """The next thing that time alone brings about."""
        if self.stopped is not None or self._ending:
            return None
        with self._door:
            free = min((until for until, _ in self._held.values()), default=None)
        dues = (self._core.next_due(), self._executor.next_due(), free)
        return min((due for due in dues if due is not None), default=None)

    def settle(self, patience: float) -> None:
        """Return when everything due has happened and activities have come to rest, or `patience` is over."""
        with self._door:
            # The clock may have moved: the thread looks again.
            self._poked = True
            self._door.notify_all()
            while not self._door.wait_for(self.is_settled, patience):
                if not self._is_at_rest():
                    continue
                # Only activities are still at it: time goes on without them.
                self._executor.leave_behind()

    def is_settled(self) -> bool:
        """Whether nothing moves any more before time passes."""
        with self._door:
            return (
                self.stopped is not None
                or self._ending
                or (self._is_at_rest() and not self._executor.moving(self._core.clock.now()))
            )

    def _is_at_rest(self) -> bool:
        if self._working or self._poked or (self._waiting and self._executor.has_room()):
            return False
        due = self.next_due()
        return due is None or due > self._core.clock.now()

    # --- the thread ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while True:
                with self._door:
                    self._working = False
                    self._door.notify_all()
                    while not self._poked and not self._ending:
                        if not self._door.wait(self._pause()):
                            break
                    if self._ending:
                        return
                    self._poked = False
                    self._working = True
                try:
                    again = self._round()
                except DatabaseError:
                    if not self._shared:
                        raise
                    # Others use it too, and see to it that it comes back.
                    time.sleep(OUTAGE)
                    again = True
                if again:
                    with self._door:
                        self._poked = True
        except BaseException as error:  # told to everyone who asks
            self._fail(error)
        finally:
            with self._door:
                self._ending = True
                self._working = False
                self._door.notify_all()

    def _round(self) -> bool:
        """Let everything happen that is due now; whether there was anything."""
        now = self._core.clock.now()
        self._executor.wake(now)
        if self._closing:
            return False
        n = self._core.work_off(now)
        self._core.beat(self._executor.beats())
        n += self._core.miss_beats(now)
        self._look_for_attempts()
        with self._door:
            for key, (until, held) in list(self._held.items()):
                if until <= now:
                    del self._held[key]
                    self._waiting.setdefault(key, held)
            row = next(iter(self._waiting.values()), None)
        if row is not None and self._executor.has_room():
            n += 1
            self._take(row)
        return n > 0

    def _look_for_attempts(self) -> None:
        """Attempts that were launched by others on the same database."""
        if not self._carries or self._core.database.in_memory:
            return
        for row in self._core.queued_attempts():
            key = row.key
            with self._door:
                if key not in self._unknown and key not in self._held:
                    self._waiting.setdefault(key, row)

    def _take(self, row: AttemptRow) -> None:
        key = row.key
        try:
            order = self._core.take(key, self.worker, None, self.admit)
        except Unknown:
            with self._door:
                self._unknown[key] = self._waiting.pop(key, row)
            return
        except OnHold as held:
            with self._door:
                self._held[key] = (held.until, self._waiting.pop(key, row))
            return
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:  # kept, and told: what is wrong with one instance must not hold up the others
            now = self._core.clock.now()
            self._core.stuck[row.instance] = (now, error)
            with self._door:
                self._held[key] = (now + AGAIN, self._waiting.pop(key, row))
            return
        with self._door:
            self._waiting.pop(key, None)
        implementation = None if order is None else self.implementation(order)
        if order is not None and implementation is not None:
            self._launch(order, implementation)

    def _pause(self) -> float | None:
        if self._shared:
            return self._polling
        due = self.next_due()
        return None if due is None else self._core.clock.seconds_until(due)

    def _fail(self, error: BaseException) -> None:
        self.cause = error
        self.stopped = (
            f"the engine has stopped here: {type(error).__name__}: {error} Nothing that is stored is lost. "
            "Mend the cause, close it, and open it again."
        )
        self._executor.cancel_all()
        self._core.tell()

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if nothing goes on here any more."""
        if self.stopped is not None:
            raise RunStopped(self.stopped) from self.cause

    def close(self, timeout: float) -> list[str]:
        """End the thread and those of activities; returns activities that did not end in time.

        Nothing is started any more, running activities are asked to stop, and what they report is stored.
        """
        with self._door:
            self._closing = True
        left = self._executor.stop(timeout)
        with self._door:
            performed, self._performed = self._performed, {}
        for done in performed.values():
            done.set_result(None)
        with self._door:
            self._ending = True
            self._door.notify_all()
        if self.thread is not threading.current_thread() and self.thread.is_alive():
            self.thread.join()
        self._core.clock.forget(self)
        self._core.poke = lambda owes: None
        self._core.tell()
        return left
