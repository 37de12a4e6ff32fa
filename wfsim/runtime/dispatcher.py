"""The dispatcher: the one thread that steps an instance, appends, and only then has effects (M11.1).

Everything that reaches an instance passes through one queue, ordered as M6.3 says. What there is to do outside,
attempts and timers, is not taken from the effects of steps but read from the instance after each append: so
going on after a crash, a conflict or a pause is the ordinary case.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfsim.errors import ConflictError, HistoryError, RunStopped
from wfsim.history.replay_case import replay_records
from wfsim.semantics.codes import R_ACTIVITY_SCHEDULED
from wfsim.semantics.kernel import Output

from .executor import Attempt, Executor, Key, Report
from .view import View, view_of

if TYPE_CHECKING:
    from wfsim.history.store import Store, StoredCase
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance, OpenActivity, Timer
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Record

    from .clock import Clock
    from .implementations import Implementation

# M6.3, and before all of them questions, which change nothing.
QUESTIONS, CONTROLS, RESULTS, EVENTS, TIMERS, WORKFLOW_TIMER = range(6)

Apply = Callable[["Instance", int], "Output"]
Answer = Callable[["Instance", "Output"], object]


@dataclass(order=True, slots=True)
class Entry:
    """Something in the queue: a stimulus (`apply`, then `answer`), or a question (`ask`)."""

    time: int
    order: int
    serial: int
    apply: Apply | None = field(default=None, compare=False)
    answer: Answer | None = field(default=None, compare=False)
    ask: Callable[[Instance], object] | None = field(default=None, compare=False)
    future: Future[Any] = field(default_factory=Future, compare=False)


class Dispatcher:
    """Owns one instance.

    Parameters
    ----------
    name
        Id of the instance.
    instance
        Fresh, or rebuilt by replay.
    inputs
        Inputs of open activities by serial: retries are scheduled without repeating them.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        place: StoredCase,
        instance: Instance,
        clock: Clock,
        functions: Mapping[str, Implementation],
        inputs: Mapping[int, Mapping[str, Value]],
    ) -> None:
        self.name = name
        self.clock = clock
        self.view: View = view_of(instance)
        self.news = threading.Condition()
        self.stopped: str | None = None
        self.cause: BaseException | None = None
        self._store = store
        self._place = place
        self._instance = instance
        self._inputs: dict[int, Mapping[str, Value]] = dict(inputs)
        self._executor = Executor(name, functions, clock, self._reported, self._wake_up)
        self._door = threading.Condition()
        self._queue: list[Entry] = []
        self._serials = 0
        self._working = False
        self._in_hand: Entry | None = None
        self._closing = False
        self._ending = False
        self._taking: set[Key] = set()
        self._taken: set[Key] = set()
        self._launched: set[Key] = set()
        self._watchers: list[Callable[[View], bool]] = []
        self.thread = threading.Thread(target=self._serve, name=f"wfsim {name}", daemon=True)

    @property
    def program(self) -> Program:
        """What the instance runs."""
        return self._instance.program

    # --- from any thread -------------------------------------------------------------------------

    def begin(self, apply: Apply) -> None:
        """Append the first step before anything else happens; then start the thread."""
        self._append(apply, self.clock.now())
        self.go_on()

    def go_on(self) -> None:
        """Start the thread; open attempts and due timers are taken up."""
        self.clock.follow(self)
        self._working = True
        self.thread.start()

    def put(self, order: int, apply: Apply, answer: Answer | None = None) -> Future[Any]:
        """Queue a stimulus; the future gives `answer(instance, output)` once it is stored."""
        return self._put(Entry(self.clock.now(), order, 0, apply, answer))

    def ask(self, question: Callable[[Instance], Any]) -> Any:
        """What the question says of the instance between two steps; it must not change it."""
        try:
            return self._put(Entry(self.clock.now(), QUESTIONS, 0, ask=question)).result()
        except RunStopped:
            if self.stopped is not None:
                # A step may have been made that could not be stored: it is not to be seen.
                raise
            # The thread has ended, or is about to: nobody steps the instance any more.
            self.thread.join()
            return question(self._instance)

    def watch(self, watcher: Callable[[View], bool]) -> None:
        """Call it with the present and every later view, until it returns true."""
        with self.news:
            if not watcher(self.view):
                self._watchers.append(watcher)

    def details(self) -> dict[Key, Value]:
        """What running attempts said last."""
        return {key: self._executor.detail(key) for key in self._executor.running()}

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if nothing is dispatched any more."""
        if self.stopped is not None:
            raise RunStopped(self.stopped) from self.cause
        if self._closing:
            raise RunStopped(f"{self.name!r} has been closed here. Go on with wf.reopen(store, {self.name!r}).")

    def close(self, timeout: float) -> list[str]:
        """End the thread and those of activities; returns activities that did not end in time.

        Nothing is started any more, running activities are asked to stop, and what they report is stored.
        """
        with self._door:
            self._closing = True
        left = self._executor.stop(timeout)
        with self._door:
            self._ending = True
            self._door.notify_all()
        if self.thread is not threading.current_thread() and self.thread.is_alive():
            self.thread.join()
        self.clock.forget(self)
        with self.news:
            self.news.notify_all()
        self._tell()
        return left

    def abandon(self) -> None:
        """Let go without waiting: nobody holds the run any more."""
        with self._door:
            self._closing = self._ending = True
            self._door.notify_all()
        self.clock.forget(self)
        self._executor.cancel_all()

    # --- for clocks moved by hand ----------------------------------------------------------------

    def next_due(self) -> int | None:
        """The next thing that time alone brings about."""
        dues = [timer.due for timer in self.view.due[:1]]
        waking = self._executor.next_due()
        return min([*dues, waking] if waking is not None else dues, default=None)

    def settle(self, patience: float) -> None:
        """Return when everything due has happened and activities have come to rest, or `patience` is over."""
        with self._door:
            # The clock may have moved: the thread looks again.
            self._door.notify_all()
            while not self._door.wait_for(self._is_settled, patience):
                if not self._is_at_rest():
                    continue
                # Only activities are still at it: time goes on without them.
                self._executor.leave_behind()

    def _is_settled(self) -> bool:
        return (
            self.stopped is not None
            or self._ending
            or (self._is_at_rest() and not self._executor.moving(self.clock.now()))
        )

    def _is_at_rest(self) -> bool:
        if self._working or self._queue:
            return False
        due = self.next_due()
        return due is None or due > self.clock.now()

    # --- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            self._look_around()
            while True:
                with self._door:
                    self._working = False
                    self._door.notify_all()
                    entry = self._next()
                    while entry is None:
                        if self._ending:
                            return
                        self._door.wait(self._pause())
                        entry = self._next()
                    self._working = True
                    self._in_hand = entry
                self._handle(entry)
        except BaseException as error:  # told to everyone who asks; going on could act on what is not stored
            self._fail(error)
        finally:
            self._turn_away()

    def _next(self) -> Entry | None:
        """The next thing to do now, in the order of M6.3; time passes only through the clock."""
        now = self.clock.now()
        self._executor.wake(now)
        first = self._queue[0] if self._queue else None
        if self._closing:
            return heapq.heappop(self._queue) if first else None
        found = self._by_time(now)
        if first is not None and (found is None or first < found):
            return heapq.heappop(self._queue)
        if found is not None:
            # It happens now, even if it was due earlier: a process may have been dead meanwhile.
            found.time = now
        return found

    def _by_time(self, now: int) -> Entry | None:
        """What time alone brings about: a missed heartbeat, or a timer."""
        found = [self._missed_heartbeat(due, key) for due, key in self._executor.overdue(now)]
        for timer in self.view.due[:1]:
            if timer.due <= now:
                order = WORKFLOW_TIMER if timer.name == "workflow" else TIMERS
                found.append(Entry(timer.due, order, 0, apply=_fire(timer)))
        return min(found, default=None)

    def _pause(self) -> float | None:
        dues = [timer.due for timer in self.view.due[:1]]
        waking = self._executor.next_due()
        dues.extend([waking] if waking is not None else [])
        return self.clock.seconds_until(min(dues)) if dues and not self._closing else None

    def _handle(self, entry: Entry) -> None:
        if entry.ask is not None:
            _resolve(entry, entry.ask, self._instance)
            return
        if entry.apply is None:
            return
        try:
            output = self._append(entry.apply, entry.time)
        except ConflictError as conflict:
            # M11.1: reload and step again. Timers and heartbeats are looked for anew.
            self._reload(conflict)
            if entry.serial:
                with self._door:
                    heapq.heappush(self._queue, entry)
            self._look_around()
            return
        self._look_around()
        if output is None:
            entry.future.set_result(None)
            return
        self._tell()
        if entry.answer is not None:
            _resolve(entry, entry.answer, self._instance, output)
        else:
            entry.future.set_result(None)

    def _append(self, apply: Apply, time: int) -> Output | None:
        """One step, one append (M11.1); `None` if there was nothing to do after all."""
        instance = self._instance
        before = instance.version
        output = apply(instance, time)
        if not output.records:
            return None
        self._store.append(self._place, instance, output, expected_version=before)
        self._remember_inputs(output)
        self.view = view_of(instance)
        return output

    def _remember_inputs(self, output: Output) -> None:
        texts = self._instance.texts
        for record in output.records:
            if record.kind == R_ACTIVITY_SCHEDULED:
                given = {
                    texts.text(value.name) or "": texts.decode(value.tag, value.whole, value.real)
                    for value in output.values
                    if value.seq == record.seq
                }
                self._inputs[record.activity_id] = given

    def _look_around(self) -> None:
        """Start the attempts that may start, and stop those that nobody waits for."""
        open_keys = {}
        for work in self.view.activities:
            open_keys[work.activity_id, work.attempt] = work
        for key in self._executor.running():
            if key not in open_keys:
                self._executor.cancel(key)
        if self.view.status not in ("running", "cancelling") or self._closing:
            return
        for key, work in open_keys.items():
            if key in self._launched or key in self._taking or work.phase == "backoff":
                continue
            if key in self._taken:
                self._launched.add(key)
                self._executor.launch(self._attempt(key, work))
            else:
                # Through the queue: what fell due before, perhaps while no process ran, comes first.
                self._taking.add(key)
                self._put(Entry(self.clock.now(), RESULTS, 0, apply=self._take(key)))

    def _take(self, key: Key) -> Apply:
        """A worker takes the attempt, if it is still wanted then: a pause lets no attempt start (M8.1)."""

        def apply(instance: Instance, time: int) -> Output:
            self._taking.discard(key)
            phases = [
                work.phase
                for work in instance.activities()
                if (work.activity_id, work.attempt) == key and work.phase != "backoff"
            ]
            if not phases or instance.status not in ("running", "cancelling") or self._closing:
                return Output(instance.host)
            self._taken.add(key)
            if phases == ["running"]:
                # A process that died had recorded its start; that is not recorded twice (M5.5).
                return Output(instance.host)
            return instance.activity_started(time, *key, "local")

        return apply

    def _attempt(self, key: Key, work: OpenActivity) -> Attempt:
        program = self._instance.program
        heartbeat = program.activities[work.activity].heartbeat
        ends = [
            timer.due
            for timer in self.view.timers
            if timer.activity_id == key[0] and timer.name in ("start_to_close", "schedule_to_close")
        ]
        # M9.1: a compensator is keyed by the entry that it undoes, whoever runs it and however often.
        serial = key[0] if work.compensates is None else f"undo:{work.compensates}"
        return Attempt(
            key,
            work.activity,
            # A copy: what the function does to it must not reach the next attempt, nor the instance.
            deepcopy(dict(self._inputs.get(key[0], {}))),
            idempotency_key=f"{self.name}:{serial}",
            heartbeat=None if heartbeat is None else int(heartbeat),
            deadline=min(ends, default=None),
        )

    def _missed_heartbeat(self, due: int, key: Key) -> Entry:
        def apply(instance: Instance, time: int) -> Output:
            return instance.activity_failed(time, *key, "Timeout.heartbeat", "no heartbeat in time")

        # Not watched any more once that is stored; a pause may keep the attempt open for long.
        return Entry(due, RESULTS, 0, apply, lambda *_: self._executor.cancel(key))

    def _reported(self, report: Report) -> None:
        def apply(instance: Instance, time: int) -> Output:
            if report.error_type is None:
                return instance.activity_succeeded(time, *report.key, report.result)
            return instance.activity_failed(time, *report.key, report.error_type, report.message)

        self._put(Entry(self.clock.now(), RESULTS, 0, apply=apply))

    def _reload(self, conflict: ConflictError) -> None:
        """Rebuild the instance: somebody else has stepped it."""
        self._instance, records = load(self._store, self.name)
        if self._instance.version != conflict.stored:
            raise HistoryError(
                f"{self.name!r} has {self._instance.version} records in the store, which says it has "
                f"{conflict.stored}. The store is damaged; restore it from a copy."
            )
        self._inputs = inputs_of(records)
        self.view = view_of(self._instance)
        self._tell()

    # --- queue and news --------------------------------------------------------------------------

    def _put(self, entry: Entry) -> Future[Any]:
        with self._door:
            if self._ending or self.stopped is not None:
                entry.future.set_exception(RunStopped(self.stopped or f"{self.name!r} has been closed here."))
                return entry.future
            self._serials += 1
            entry.serial = self._serials
            heapq.heappush(self._queue, entry)
            self._door.notify_all()
        return entry.future

    def _wake_up(self) -> None:
        with self._door:
            self._door.notify_all()

    def _tell(self) -> None:
        with self.news:
            view = self.view
            self._watchers = [watcher for watcher in self._watchers if not watcher(view)]
            self.news.notify_all()

    def _fail(self, error: BaseException) -> None:
        self.cause = error
        self.stopped = (
            f"{self.name!r} has stopped here: {type(error).__name__}: {error} Nothing that is stored is lost. "
            f"Mend the cause, close this run, and go on with wf.reopen(store, {self.name!r})."
        )
        self._executor.cancel_all()
        self._tell()

    def _turn_away(self) -> None:
        """Nobody will serve what is still queued."""
        with self._door:
            self._ending = True
            self._working = False
            left, self._queue = self._queue, []
            if self._in_hand is not None:
                left.append(self._in_hand)
            self._door.notify_all()
        for entry in left:
            if not entry.future.done():
                entry.future.set_exception(RunStopped(self.stopped or f"{self.name!r} has been closed here."))


def load(store: Store, name: str) -> tuple[Instance, list[Record]]:
    """The instance as the store has it, by replay, and its records."""
    case = store.case(name)
    records = case.records()
    return replay_records(case.run, case.program, records), records


def inputs_of(records: list[Record]) -> dict[int, Mapping[str, Value]]:
    """Inputs of all activities by serial; later attempts do not repeat those of the first."""
    found: dict[int, Mapping[str, Value]] = {}
    for record in records:
        if record.kind == "activity_scheduled" and record.activity_id is not None:
            given = record.payload.get("input", {})
            if given or record.activity_id not in found:
                found[record.activity_id] = given
    return found


def _fire(timer: Timer) -> Apply:
    return lambda instance, time: instance.timer_fired(time, timer.place, timer.id)


def _resolve(entry: Entry, say: Callable[..., object], *arguments: object) -> None:
    """Answer the future; an error belongs to the one who asked, not to the run."""
    try:
        entry.future.set_result(say(*arguments))
    except Exception as error:  # re-raised in the asking thread
        entry.future.set_exception(error)
