"""The dispatcher: the one thread that steps a family of instances, appends, and only then has effects (M11.1).

Everything that reaches an instance passes through one queue, ordered as M6.3 says. What there is to do outside,
attempts, timers and children, is not taken from the effects of steps but from the instance and its records after each
append: so going on after a crash, a conflict or a pause is the ordinary case.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from wfsim.errors import ConflictError, RunStopped
from wfsim.semantics.kernel import Output

from .entries import QUESTIONS, RESULTS, TIMERS, WORKFLOW_TIMER, Entry
from .executor import Attempt, Executor, Key, Report
from .family import follow, start_by, take_up
from .implementations import implementations_for, use_of
from .member import Answer, Apply, Member

if TYPE_CHECKING:
    from wfsim.history.store import Store
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.pending import OpenActivity, Timer
    from wfsim.semantics.post import Handling, Letter

    from .clock import Clock
    from .exchange import Exchange
    from .implementations import Function, Implementation, Use


class Dispatcher:
    """Drives the instances of one family: a root, its children, theirs.

    Parameters
    ----------
    name
        Id of the root.
    exchange
        Carries messages to and from others.
    activities
        The functions given; which of them are needed shows when it is known what runs.

    Attributes
    ----------
    members
        The instances driven, by id; those that are closed and owe nothing may be missing after `reopen`.
    changes
        How many appends there were.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        clock: Clock,
        exchange: Exchange,
        activities: Mapping[str, Function] | None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.store = store
        self.exchange = exchange
        self.members: dict[str, Member] = {}
        self.news = threading.Condition()
        self.changes = 0
        self.stopped: str | None = None
        self.cause: BaseException | None = None
        self._activities = activities
        self._functions: dict[Use, Implementation] = {}
        self._catalogues: dict[int, Catalogue] = {}
        self._n_reminders = 0
        self._reminders: list[tuple[int, int, Member, Letter]] = []
        self._executor = Executor(name, clock, self._reported, self._wake_up)
        self._door = threading.Condition()
        self._queue: list[Entry] = []
        self._serials = 0
        self._latest = 0
        self._n_taking = 0
        self._working = False
        self._in_hand: Entry | None = None
        self._closing = False
        self._ending = False
        self._short: dict[str, Member] = {}
        self._watchers: list[Callable[[], bool]] = []
        self.thread = threading.Thread(target=self._serve, name=f"wfsim {name}", daemon=True)

    def needs(self, workflows: Iterable[Workflow]) -> None:
        """Instances of these workflows will be driven; `StartRefused` if a function of theirs is missing."""
        self._functions.update(implementations_for(workflows, self._activities))

    def catalogue_of(self, member: Member) -> Catalogue:
        """The workflows that a member's run keeps to."""
        run = member.place.run
        if run not in self._catalogues:
            self._catalogues[run] = self.store.catalogue(run)
        return self._catalogues[run]

    # --- from any thread -------------------------------------------------------------------------

    def begin(self, member: Member, apply: Apply) -> None:
        """Append a root's first step before anything else happens; then start the thread."""
        output = self._append(member, apply, self.clock.now())
        self.members[member.name] = member
        if output is not None:
            follow(self, member, output)
        self._go_on()

    def resume(self, members: list[Member]) -> None:
        """Take up a family that was loaded from its store, parents first, and start the thread."""
        self.members.update((member.name, member) for member in members)
        for member in members:
            self.exchange.drives(member)
        for member in members:
            take_up(self, member)
        self._go_on()

    def _go_on(self) -> None:
        self.clock.follow(self)
        self._working = True
        self.thread.start()

    def put(self, member: Member, order: int, apply: Apply, answer: Answer | None = None) -> Future[Any]:
        """Queue a stimulus; the future gives `answer(instance, output)` once it is stored."""
        return self._put(Entry(0, order, 0, member, apply, answer))

    def ask(self, member: Member, question: Callable[[Instance], Any]) -> Any:
        """What the question says of the instance between two steps; it must not change it."""
        try:
            return self._put(Entry(0, QUESTIONS, 0, member, ask=question)).result()
        except RunStopped:
            if self.stopped is not None:
                # A step may have been made that could not be stored: it is not to be seen.
                raise
            # The thread has ended, or is about to: nobody steps the instance any more.
            self.thread.join()
            return question(member.instance)

    def watch(self, watcher: Callable[[], bool]) -> None:
        """Call it now and after every append, until it returns true."""
        with self.news:
            if not watcher():
                self._watchers.append(watcher)

    def details(self, member: Member) -> dict[Key, Any]:
        """What the running attempts of a member said last."""
        return {key: self._executor.detail(key) for key in self._executor.running() if key[0] == member.name}

    def raise_if_stopped(self, name: str) -> None:
        """Raise `RunStopped` if nothing is dispatched any more; `name` is who asks."""
        if self.stopped is not None:
            raise RunStopped(self.stopped) from self.cause
        if self._closing:
            raise RunStopped(f"{name!r} has been closed here. Go on with wf.reopen(store, {name!r}).")

    @property
    def is_closing(self) -> bool:
        """Whether nothing is begun any more; what is owed then waits for `reopen`."""
        return self._closing

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

    def remind(self, sender: Member, letter: Letter, until: int) -> None:
        """A letter is kept until then; called in the thread, or before it starts."""
        self._n_reminders += 1
        heapq.heappush(self._reminders, (until, self._n_reminders, sender, letter))

    def start_by(self, sender: Member, letter: Letter, handling: Handling) -> None:
        """Start an instance for a letter, which is then delivered to it."""
        start_by(self, sender, letter, handling)

    def next_due(self) -> int | None:
        """The next thing that time alone brings about."""
        dues = [member.view.due[0].due for member in list(self.members.values()) if member.view.due]
        dues.extend(until for until, *_ in self._reminders[:1])
        waking = self._executor.next_due()
        return min([*dues, waking] if waking is not None else dues, default=None)

    def settle(self, patience: float) -> None:
        """Return when everything due has happened and activities have come to rest, or `patience` is over."""
        with self._door:
            # The clock may have moved: the thread looks again.
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
                or (self._is_at_rest() and not self._executor.moving(self.clock.now()))
            )

    def _is_at_rest(self) -> bool:
        if self._working or self._queue or (self._short and self._executor.has_room()):
            return False
        due = self.next_due()
        return due is None or due > self.clock.now()

    # --- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            for member in list(self.members.values()):
                self._look_around(member)
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
        if self._short and self._executor.has_room():
            short, self._short = self._short, {}
            for member in short.values():
                self._look_around(member)
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
        """What time alone brings about: a missed heartbeat, or a timer; of equals the one whose member is older."""
        found = [self._missed_heartbeat(due, key) for due, key in self._executor.overdue(now)]
        for until, _, sender, letter in self._reminders[:1]:
            if until <= now:
                found.append(Entry(until, TIMERS, 0, sender, self._expire(letter, until)))
        for member in self.members.values():
            for timer in member.view.due[:1]:
                if timer.due <= now:
                    order = WORKFLOW_TIMER if timer.name == "workflow" else TIMERS
                    found.append(Entry(timer.due, order, 0, member, _fire(timer)))
        return min(found, default=None)

    def _pause(self) -> float | None:
        due = None if self._closing else self.next_due()
        return None if due is None else self.clock.seconds_until(due)

    def _handle(self, entry: Entry) -> None:
        member = entry.member
        if entry.ask is not None:
            _resolve(entry, entry.ask, member.instance)
            return
        if entry.apply is None:
            return
        try:
            output = self._append(member, entry.apply, entry.time)
        except ConflictError as conflict:
            # M11.1: reload and step again. Timers and heartbeats are looked for anew.
            member.reload(self.store, conflict)
            take_up(self, member)
            self._tell()
            if entry.serial:
                with self._door:
                    heapq.heappush(self._queue, entry)
            self._look_around(member)
            return
        if output is not None:
            follow(self, member, output)
        self._look_around(member)
        if output is None:
            entry.future.set_result(None)
            return
        self._tell()
        if entry.answer is not None:
            _resolve(entry, entry.answer, member.instance, output)
        else:
            entry.future.set_result(None)

    def _append(self, member: Member, apply: Apply, time: int) -> Output | None:
        """One step, one append (M11.1); `None` if there was nothing to do after all."""
        before = member.instance.version
        output = apply(member.instance, time)
        if not output.records:
            return None
        self.store.append(member.place, member.instance, output, expected_version=before)
        member.remember(output)
        return output

    def _look_around(self, member: Member) -> None:
        """Start the attempts that may start, and stop those that nobody waits for."""
        open_keys: dict[Key, OpenActivity] = {}
        for work in member.view.activities:
            open_keys[member.name, work.activity_id, work.attempt] = work
        for key in self._executor.running():
            if key[0] == member.name and key not in open_keys:
                self._executor.cancel(key)
        if member.view.status not in ("running", "cancelling") or self._closing:
            return
        for key, work in open_keys.items():
            if key in member.launched or key in member.taking or work.phase == "backoff":
                continue
            implementation = self._functions[use_of(member.program.workflow, work.activity)]
            needs_room = not implementation.is_async
            if key in member.taken:
                member.launched.add(key)
                self._executor.launch(self._attempt(member, key, work), implementation)
            elif not needs_room or self._executor.has_room(self._n_taking):
                # Through the queue: what fell due before, perhaps while no process ran, comes first.
                member.taking.add(key)
                self._n_taking += needs_room
                self._put(Entry(0, RESULTS, 0, member, self._take(member, key, needs_room)))
            else:
                self._short[member.name] = member

    def _take(self, member: Member, key: Key, needs_room: bool) -> Apply:
        """A worker takes the attempt, if it is still wanted then: a pause lets no attempt start (M8.1)."""

        def apply(instance: Instance, time: int) -> Output:
            if key in member.taking:
                # Not so if the instance was reloaded and the attempt is taken for the second time.
                member.taking.discard(key)
                self._n_taking -= needs_room
            phases = [
                work.phase
                for work in instance.activities()
                if (work.activity_id, work.attempt) == key[1:] and work.phase != "backoff"
            ]
            if not phases or instance.status not in ("running", "cancelling") or self._closing:
                return Output(instance.host)
            member.taken.add(key)
            if phases == ["running"]:
                # A process that died had recorded its start; that is not recorded twice (M5.5).
                return Output(instance.host)
            return instance.activity_started(time, *key[1:], "local")

        return apply

    def _attempt(self, member: Member, key: Key, work: OpenActivity) -> Attempt:
        heartbeat = member.program.activities[work.activity].heartbeat
        ends = [
            timer.due
            for timer in member.view.timers
            if timer.activity_id == key[1] and timer.name in ("start_to_close", "schedule_to_close")
        ]
        # M9.1: a compensator is keyed by the entry that it undoes, whoever runs it and however often.
        serial = key[1] if work.compensates is None else f"undo:{work.compensates}"
        return Attempt(
            key,
            work.activity,
            # A copy: what the function does to it must not reach the next attempt, nor the instance.
            deepcopy(dict(member.inputs.get(key[1], {}))),
            idempotency_key=f"{member.name}:{serial}",
            heartbeat=None if heartbeat is None else int(heartbeat),
            deadline=min(ends, default=None),
            index=work.index,
        )

    def _missed_heartbeat(self, due: int, key: Key) -> Entry:
        def apply(instance: Instance, time: int) -> Output:
            return instance.activity_failed(time, *key[1:], "Timeout.heartbeat", "no heartbeat in time")

        # Not watched any more once that is stored; a pause may keep the attempt open for long.
        return Entry(due, RESULTS, 0, self.members[key[0]], apply, lambda *_: self._executor.cancel(key))

    def _expire(self, letter: Letter, until: int) -> Apply:
        def apply(instance: Instance, time: int) -> Output:
            heapq.heappop(self._reminders)
            if not self.exchange.expire(letter, until) or instance.is_closed:
                return Output(instance.host)
            return instance.message_returned(time, letter.number, "expired")

        return apply

    def _reported(self, report: Report) -> None:
        def apply(instance: Instance, time: int) -> Output:
            if report.error_type is None:
                return instance.activity_succeeded(time, *report.key[1:], report.result)
            return instance.activity_failed(
                time, *report.key[1:], report.error_type, report.message, report.retry_after
            )

        self._put(Entry(0, RESULTS, 0, self.members[report.key[0]], apply))

    # --- queue and news --------------------------------------------------------------------------

    def _put(self, entry: Entry) -> Future[Any]:
        with self._door:
            if self._ending or self.stopped is not None:
                entry.future.set_exception(RunStopped(self.stopped or f"{entry.member.name!r} has been closed here."))
                return entry.future
            # Never going back: what is owed earlier is queued earlier, whatever the clock does.
            entry.time = self._latest = max(self._latest, self.clock.now())
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
            self.changes += 1
            self._watchers = [watcher for watcher in self._watchers if not watcher()]
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
        for name in self.members:
            self.exchange.leaves(name)
        for entry in left:
            if not entry.future.done():
                message = self.stopped or f"{entry.member.name!r} has been closed here."
                entry.future.set_exception(RunStopped(message))


def _fire(timer: Timer) -> Apply:
    return lambda instance, time: instance.timer_fired(time, timer.place, timer.id)


def _resolve(entry: Entry, say: Callable[..., object], *arguments: object) -> None:
    """Answer the future; an error belongs to the one who asked, not to the run."""
    try:
        entry.future.set_result(say(*arguments))
    except Exception as error:  # re-raised in the asking thread
        entry.future.set_exception(error)
