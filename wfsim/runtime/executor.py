"""The executor: carries attempts out, synchronous functions in threads, asynchronous ones on an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import ActivityError, WfsimError
from wfsim.model.duration import Duration
from wfsim.model.values import Value, ValueType, check_value, coerce

from . import tracing
from .implementations import Implementation

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from .clock import Clock
    from .rows import Key

LONGEST_MESSAGE = 2_000
LONGEST_ERROR_TYPE = 200

MOST_THREADS = 100
"""Synchronous attempts that run at once; more wait until a worker is free."""


@dataclass(frozen=True, slots=True)
class Report:
    """An executor's word on an attempt: a result, or an error type, its message, and the wait that it asks for.

    `is_later`: its function has returned, and its result will come from outside.
    """

    key: Key
    result: Value = None
    error_type: str | None = None
    message: str | None = None
    retry_after: int | None = None
    is_later: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Returned by an activity whose result will come from outside; see `ActivityContext.later`."""

    correlation_id: str


class Attempt:
    """One attempt that is being carried out; the executor's lock guards it."""

    __slots__ = (
        "activity",
        "asleep_until",
        "beat_by",
        "cancelled",
        "deadline",
        "detail",
        "heartbeat",
        "idempotency_key",
        "index",
        "input",
        "key",
        "left_behind",
        "task",
        "thread",
        "trace",
        "workflow",
    )

    def __init__(
        self,
        key: Key,
        activity: str,
        inputs: Mapping[str, Value],
        *,
        idempotency_key: str,
        heartbeat: int | None,
        deadline: int | None,
        index: int | None,
    ) -> None:
        self.key = key
        self.activity = activity
        self.input = inputs
        self.idempotency_key = idempotency_key
        self.heartbeat = heartbeat
        self.deadline = deadline
        self.index = index
        self.beat_by: int | None = None
        self.detail: Value = None
        self.asleep_until: int | None = None
        self.cancelled = False
        self.left_behind = False
        self.task: asyncio.Task[Any] | None = None
        self.thread: threading.Thread | None = None
        self.workflow = ""
        self.trace: str | None = None

    def traced(self) -> AbstractContextManager[None]:
        """Around its function: a span of its own."""
        instance, serial, number = self.key
        told: dict[str, str | int] = {"instance": instance, "activity": self.activity}
        told |= {"activity_id": serial, "attempt": number}
        return tracing.attempt(self.trace, f"{self.workflow}.{self.activity}", told)


class ActivityContext:
    """What an activity may ask and say while it runs; its first parameter, if that is named `context`.

    Attributes
    ----------
    activity
        Its name.
    idempotency_key
        `<instance>:<activity serial>`, equal for all attempts and for attempts repeated after a crash (M5.5).
        Give it to whoever has an effect, so that doing it twice does it once.
    instance
        Id of the instance whose activity it is.
    index
        Which item of a `for_each` it is for, from 0 (M4.5); `None` if it is for none.
    attempt
        From 1.
    deadline
        Microseconds of the run's clock at which the attempt times out; `None` if it never does.
    correlation_id
        Names this attempt to whoever completes it from outside.
    """

    def __init__(self, executor: Executor, attempt: Attempt) -> None:
        self._executor = executor
        self._attempt = attempt
        self.activity = attempt.activity
        self.idempotency_key = attempt.idempotency_key
        self.instance = attempt.key[0]
        self.index = attempt.index
        self.attempt = attempt.key[2]
        self.deadline = attempt.deadline
        self.correlation_id = ":".join(map(str, attempt.key))

    def later(self) -> Later:
        """Return this to say that the result comes from outside, by `engine.complete` or `engine.fail`.

        The function has done its part then, and is not called again for this attempt, whatever becomes of its process;
        the attempt goes on until it is completed, failed, cancelled, or one of its clocks has run out.
        """
        return Later(self.correlation_id)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more; the activity should tidy up and return."""
        return self._attempt.cancelled

    def heartbeat(self, detail: Value = None) -> None:
        """Say that the work goes on (M5.3); `detail`, in JSON, is shown in `run.activities` and is in no record."""
        problem = check_value(ValueType.ANY, detail)
        if problem is not None:
            raise WfsimError(f"what a heartbeat says is JSON: {problem}.")
        self._executor.beat(self._attempt, detail)

    def sleep(self, duration: Duration | timedelta | str | int | float) -> bool:
        """Wait by the run's clock, in a synchronous activity; returns `False` early if it is cancelled."""
        woken = threading.Event()
        self._executor.sleep(self._attempt, int(Duration.of(duration)), woken.set)
        woken.wait()
        return not self._attempt.cancelled

    async def sleep_async(self, duration: Duration | timedelta | str | int | float) -> None:
        """Wait by the run's clock, in an asynchronous activity; cancellation ends it as it ends any await."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        self._executor.sleep(self._attempt, int(Duration.of(duration)), lambda: _call_in(loop, woken.set))
        await woken.wait()


class Executor:
    """Runs attempts and hands their reports on.

    Parameters
    ----------
    name
        Of the family, in the name of the event loop's thread.
    clock
        For heartbeats and sleeps.
    report
        Called from any thread, once per attempt that was not taken back before it began or by cancelling.
    changed
        Called when something happened that a waiting dispatcher must look at.

    Notes
    -----
    A thread per synchronous attempt, not a pool: a function that hangs then blocks nobody else, unless a hundred do,
    and not the end of the process.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        report: Callable[[Report], None],
        changed: Callable[[], None],
    ) -> None:
        self._name = name
        self._clock = clock
        self._report = report
        self._changed = changed
        self._lock = threading.Condition(threading.Lock())
        self._running: dict[Key, Attempt] = {}
        self._asleep: dict[Key, tuple[int, Callable[[], None]]] = {}
        self._beaten: dict[Key, Attempt] = {}
        # Cancelled or timed out, but their functions have not returned.
        self._leaving: list[Attempt] = []
        self._stopped = False
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread: threading.Thread | None = None

    # --- attempts --------------------------------------------------------------------------------

    def has_room(self, coming: int = 0) -> bool:
        """Whether an attempt more may begin, beside those that run and those that are about to."""
        with self._lock:
            running = sum(each.thread is not None for each in (*self._running.values(), *self._leaving))
        return running + coming < MOST_THREADS

    def launch(self, attempt: Attempt, implementation: Implementation) -> None:
        """Begin an attempt."""
        with self._lock:
            if self._stopped:
                return
            self._running[attempt.key] = attempt
            if attempt.heartbeat is not None:
                attempt.beat_by = self._clock.now() + attempt.heartbeat
        positional = (ActivityContext(self, attempt),) if implementation.takes_context else ()
        if implementation.is_async:
            loop = self._running_loop()
            coroutine = _outcome(implementation, positional, attempt)
            loop.call_soon_threadsafe(self._begin, loop, attempt, coroutine)
        else:
            attempt.thread = threading.Thread(
                target=self._run,
                args=(attempt, implementation, positional),
                name=f"wfsim {attempt.key[0]} {attempt.activity}#{attempt.key[1]}",
                daemon=True,
            )
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(attempt.thread)
            attempt.thread.start()

    def cancel(self, key: Key) -> None:
        """Ask an attempt to stop, and wait for nothing (M5.4)."""
        with self._lock:
            attempt = self._running.pop(key, None)
            if attempt is None:
                return
            self._take_back(attempt)

    def cancel_all(self) -> None:
        """Ask every attempt to stop, and begin none any more."""
        with self._lock:
            self._stopped = True
            for attempt in self._running.values():
                self._take_back(attempt)
            self._running.clear()

    def _take_back(self, attempt: Attempt) -> None:
        attempt.cancelled = True
        self._leaving.append(attempt)
        sleeping = self._asleep.pop(attempt.key, None)
        attempt.asleep_until = None
        if attempt.thread is None and self._loop is not None:
            # Cancellation also wakes: waking it first would let it go on as if its time had come.
            _call_in(self._loop, lambda: attempt.task is not None and attempt.task.cancel())
        elif sleeping is not None:
            sleeping[1]()

    def _run(self, attempt: Attempt, implementation: Implementation, positional: tuple[Any, ...]) -> None:
        try:
            with attempt.traced():
                result = implementation.function(*positional, **attempt.input)
        except BaseException as error:  # whatever the function raises is the attempt's failure
            self._ended(attempt, _failure(attempt.key, error))
        else:
            self._ended(attempt, succeeded(attempt.key, result))

    def _begin(self, loop: asyncio.AbstractEventLoop, attempt: Attempt, coroutine: Coroutine[Any, Any, Any]) -> None:
        attempt.task = loop.create_task(coroutine)
        attempt.task.add_done_callback(lambda task: self._task_done(attempt, task))
        if attempt.cancelled:
            attempt.task.cancel()

    def _task_done(self, attempt: Attempt, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            result, error = task.result()
            self._ended(
                attempt,
                succeeded(attempt.key, result) if error is None else _failure(attempt.key, error),
            )
        elif attempt.cancelled:
            self._ended(attempt, None)
        else:
            self._ended(attempt, _failure(attempt.key, asyncio.CancelledError("the task was cancelled")))

    def _ended(self, attempt: Attempt, report: Report | None) -> None:
        # Reported before it is struck off, so that nobody sees neither the attempt nor its report.
        if report is not None:
            self._report(report)
        with self._lock:
            if self._running.get(attempt.key) is attempt:
                del self._running[attempt.key]
            if attempt in self._leaving:
                self._leaving.remove(attempt)
            self._lock.notify_all()
        self._changed()

    # --- heartbeats and sleeps -------------------------------------------------------------------

    def beat(self, attempt: Attempt, detail: Value) -> None:
        """A heartbeat arrived."""
        with self._lock:
            attempt.detail = detail
            if attempt.heartbeat is not None:
                attempt.beat_by = self._clock.now() + attempt.heartbeat
            self._beaten[attempt.key] = attempt
        self._changed()

    def beats(self) -> list[Attempt]:
        """Attempts that gave a sign of life since this was asked last."""
        with self._lock:
            found = [attempt for key, attempt in self._beaten.items() if self._running.get(key) is attempt]
            self._beaten.clear()
        return found

    def sleep(self, attempt: Attempt, duration: int, wake: Callable[[], None]) -> None:
        """`wake` is called once the time has come, or the attempt is cancelled."""
        with self._lock:
            if attempt.cancelled:
                wake()
                return
            until = self._clock.now() + duration
            attempt.asleep_until = until
            attempt.left_behind = False
            self._asleep[attempt.key] = (until, wake)
        self._changed()

    def next_due(self) -> int | None:
        """The next heartbeat that may be missed, or the next waking."""
        with self._lock:
            dues = [each.beat_by for each in self._running.values() if each.beat_by is not None]
            dues.extend(until for until, _ in self._asleep.values())
            return min(dues, default=None)

    def wake(self, now: int) -> None:
        """Wake the activities that have slept long enough."""
        with self._lock:
            for key, (until, wake) in list(self._asleep.items()):
                if until <= now:
                    del self._asleep[key]
                    wake()
                    attempt = self._running.get(key)
                    if attempt is not None:
                        attempt.asleep_until = None

    def moving(self, now: int) -> bool:
        """Whether some activity may do something without time passing."""
        with self._lock:
            return any(
                not each.left_behind and (each.asleep_until is None or each.asleep_until <= now)
                for each in (*self._running.values(), *self._leaving)
            )

    def leave_behind(self) -> None:
        """Stop regarding as moving what moves now; until it sleeps."""
        with self._lock:
            for each in (*self._running.values(), *self._leaving):
                each.left_behind = True

    # --- life ------------------------------------------------------------------------------------

    def stop(self, timeout: float) -> list[str]:
        """Cancel everything and wait for it; returns the activities that did not end in time."""
        until = time.monotonic() + timeout
        self.cancel_all()
        with self._lock:
            self._lock.wait_for(lambda: not self._leaving, timeout)
            left = list(self._leaving)
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        if self._loop is not None and self._loop_thread is not None:
            loop = self._loop
            _call_in(loop, lambda: loop.create_task(_finish(loop)))
            self._loop_thread.join(max(until - time.monotonic(), 1.0))
        return [attempt.activity for attempt in left]

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()

            def serve() -> None:
                try:
                    loop.run_forever()
                finally:
                    loop.close()

            self._loop_thread = threading.Thread(target=serve, name=f"wfsim {self._name} loop", daemon=True)
            self._loop_thread.start()
        return self._loop


async def _outcome(
    implementation: Implementation, positional: tuple[Any, ...], attempt: Attempt
) -> tuple[Any, BaseException | None]:
    """Result or error; only cancellation passes, since asyncio has its own way with other BaseExceptions."""
    try:
        with attempt.traced():
            return await implementation.function(*positional, **attempt.input), None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # whatever the function raises is the attempt's failure
        return None, error


async def _finish(loop: asyncio.AbstractEventLoop) -> None:
    await loop.shutdown_asyncgens()
    # Threads that activities used through asyncio.to_thread.
    await loop.shutdown_default_executor()
    loop.stop()


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Call it in the loop's thread, unless the loop has ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


def succeeded(key: Key, result: object) -> Report:
    if isinstance(result, Later):
        return Report(key, is_later=True)
    reason = check_value(ValueType.ANY, result)
    if reason is None:
        return Report(key, result=coerce(ValueType.ANY, result))
    if inspect.iscoroutine(result):
        result.close()
        reason = "the function gave a coroutine; declare it with `async def`"
    return Report(
        key,
        error_type="Result.type",
        message=_bounded(
            f"the result is not JSON: {reason}. Return texts, numbers, booleans, lists, dicts or None.", LONGEST_MESSAGE
        ),
    )


def failed_outside(key: Key, error_type: str, message: str | None, retry_after: float | None) -> Report:
    """The report of somebody outside that an attempt has failed."""
    return _failure(key, ActivityError(error_type, message or "", retry_after=retry_after))


def _failure(key: Key, error: BaseException) -> Report:
    error_type = error.error_type if isinstance(error, ActivityError) else type(error).__name__
    try:
        message = str(error)
    except BaseException as worse:  # the failure must be reported, whatever its text is
        message = f"(its text cannot be had: {type(worse).__name__})"
    return Report(
        key,
        error_type=_bounded(str(error_type), LONGEST_ERROR_TYPE) or type(error).__name__,
        message=_bounded(message, LONGEST_MESSAGE),
        retry_after=error.retry_after if isinstance(error, ActivityError) else None,
    )


def _bounded(text: str, longest: int) -> str:
    # Half characters (surrogates) are no text and cannot be stored; nor can zeros, in PostgreSQL.
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    return text if len(text) <= longest else text[: longest - 1] + "…"
