"""`run_schedules`: start instances of a workflow at the times of its schedules, for real."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from wfsim.arguments import listed_in
from wfsim.errors import StartRefused, WfsimError, did_you_mean, listed
from wfsim.model.catalogue import as_catalogue
from wfsim.model.schedule import times, told
from wfsim.model.workflow import Workflow

from .clock import Clock, SystemClock
from .engine import Engine
from .run import Where, leased, reopen, start

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from wfsim.history.history import History
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.elements import Schedule

    from .handle import Run
    from .implementations import Function

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass
class _Line:
    """One schedule: the times to come, what runs, and what waits for that to close."""

    name: str
    schedule: Schedule
    coming: Iterator[datetime]
    next: datetime
    runs: list[Run] = field(default_factory=list)
    ended: list[Run] = field(default_factory=list)
    waiting: deque[datetime] = field(default_factory=deque)

    def step(self) -> datetime:
        """The time that is due; the one after it is next."""
        due, self.next = self.next, next(self.coming)
        return due


class Scheduler:
    """Starts instances by the clock; `run_schedules` makes it.

    Attributes
    ----------
    skipped
        Ids of the instances that were not started, as the one before was open (`overlap: skip`).
    refused
        Ids of those that could not be started, with the reason: a key that is taken, a function that is missing.
    """

    def __init__(
        self,
        workflow: Workflow,
        names: Iterable[str],
        *,
        activities: Mapping[str, Function] | None,
        store: Where,
        clock: Clock,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None,
    ) -> None:
        self.workflow = workflow
        self.skipped: list[str] = []
        self.refused: dict[str, str] = {}
        self._activities = activities
        self._clock = clock
        self._catalogue = catalogue
        self._door = threading.Condition()
        self._news = False
        self._working = False
        self._closing = False
        self._failure: BaseException | None = None
        self._lease = leased(store, clock)
        try:
            if not isinstance(store, Engine):
                self.engine.workplace.know(as_catalogue(catalogue), activities, drives=True)
            self.engine.run()
            self._lines = [self._line(name, workflow.schedules[name]) for name in names]
            for line in self._lines:
                self._catch_up(line)
        except BaseException:
            self._let_go()
            raise
        clock.follow(self)
        self._thread = threading.Thread(target=self._serve, name=f"wfsim schedules of {workflow.name}", daemon=True)
        self._thread.start()

    # --- what is seen ----------------------------------------------------------------------------

    @property
    def runs(self) -> list[Run]:
        """Instances started here, or taken over, that are open."""
        return [run for line in self._lines for run in line.runs if not run.is_closed]

    @property
    def next(self) -> dict[str, datetime]:
        """The next time of each schedule, in UTC."""
        return {line.name: line.next for line in self._lines}

    @property
    def engine(self) -> Engine:
        """The engine that its instances run on."""
        return self._lease.engine

    @property
    def history(self) -> History:
        """The history of all instances of its store, brought up to date."""
        return self.engine.history

    @property
    def failure(self) -> BaseException | None:
        """What ended it, if anything did."""
        return self._failure

    def raise_if_failed(self) -> None:
        """Raise what ended it, if anything did."""
        if self._failure is not None:
            raise WfsimError(f"the schedules of {self.workflow.name} have stopped: {self._failure}") from self._failure

    def close(self) -> None:
        """Start nothing more; instances that are open stay so in the store, and are taken over next time."""
        with self._door:
            if self._closing:
                return
            self._closing = True
            self._door.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._clock.forget(self)
        self._let_go()

    def _let_go(self) -> None:
        for line in getattr(self, "_lines", ()):
            for run in (*line.runs, *line.ended):
                run.close()
        self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        lines = (f"{line.name} ({told(line.schedule)}), next {line.next.isoformat()}" for line in self._lines)
        return f"<Scheduler of {self.workflow.name!r}: {'; '.join(lines)}>"

    # --- for clocks moved by hand ----------------------------------------------------------------

    def next_due(self) -> int | None:
        """Microseconds of the next start."""
        return (
            None if self._closing or self._failure else min((_micros(line.next) for line in self._lines), default=None)
        )

    def settle(self, patience: float) -> None:
        """Return when everything due has been started, or `patience` is over."""
        with self._door:
            self._door.notify_all()
            self._door.wait_for(self.is_settled, patience)

    def is_settled(self) -> bool:
        """Whether nothing is due, and nothing waits that could start."""
        if self._closing or self._failure is not None:
            return True
        due = self.next_due()
        return not self._working and not self._news and (due is None or due > self._clock.now())

    # --- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while True:
                with self._door:
                    self._working = False
                    self._door.notify_all()
                    while not self._closing and not self._news and not self._is_due():
                        due = self.next_due()
                        self._door.wait(None if due is None else self._clock.seconds_until(due))
                    if self._closing:
                        return
                    self._working, self._news = True, False
                self._look_around()
        except BaseException as error:  # told to whoever asks: nobody waits for this thread
            with self._door:
                self._failure = error
                self._working = False
                self._door.notify_all()

    def _is_due(self) -> bool:
        due = self.next_due()
        return due is not None and due <= self._clock.now()

    def _look_around(self) -> None:
        """Start what is due, in order of time, then what waited for an instance to close."""
        now = self._clock.now()
        for line in self._lines:
            self._tidy(line)
        while True:
            line = min(self._lines, key=lambda each: each.next)
            if _micros(line.next) > now:
                break
            self._due(line, line.step())
        for line in self._lines:
            while line.waiting and not line.runs:
                self._start(line, line.waiting.popleft())

    def _tidy(self, line: _Line) -> None:
        line.ended += [run for run in line.runs if run.is_closed]
        line.runs = [run for run in line.runs if not run.is_closed]
        # Children that their parent has abandoned go on, and need its handle.
        for run in [run for run in line.ended if all(child.is_closed for child in run.children.values())]:
            line.ended.remove(run)
            run.close()

    def _due(self, line: _Line, time: datetime) -> None:
        self._tidy(line)
        if not line.runs or line.schedule.overlap == "allow":
            self._start(line, time)
        elif line.schedule.overlap == "queue":
            line.waiting.append(time)
        else:
            self.skipped.append(self._id(line, time))

    def _start(self, line: _Line, time: datetime) -> None:
        identity = self._id(line, time)
        if self.engine.exists(identity):
            # Another process has started it, before this one looked: what comes next counts from it all the same.
            self._take_over(line, identity)
            return
        try:
            run = start(
                self.workflow,
                input=line.schedule.input,
                activities=self._activities,
                store=self.engine,
                id=identity,
                clock=self._clock,
                catalogue=self._catalogue,
            )
        except StartRefused as refusal:
            self.refused[identity] = str(refusal)
            return
        self._hold(line, run)

    def _take_over(self, line: _Line, identity: str) -> None:
        if any(run.id == identity for run in line.runs):
            return
        run = reopen(self.engine, identity, self._activities, self._clock, self._catalogue)
        if run.is_closed:
            run.close()
        else:
            self._hold(line, run)

    def _hold(self, line: _Line, run: Run) -> None:
        line.runs.append(run)
        self.engine.core.watch(lambda: self._closed(run))

    def _closed(self, run: Run) -> bool:
        """Whether the run has closed; then there may be something to start."""
        if not run.is_closed:
            return False
        with self._door:
            self._news = True
            self._door.notify_all()
        return True

    # --- beginning -------------------------------------------------------------------------------

    def _line(self, name: str, schedule: Schedule) -> _Line:
        now = _moment(self._clock.now())
        coming = times(schedule, now - _MICROSECOND)
        return _Line(name, schedule, coming, next(coming))

    def _catch_up(self, line: _Line) -> None:
        """Take over what is open, and treat the times at which nothing ran as `missed` says."""
        prefix = f"{self.workflow.name}/{line.name}/"
        started = self.engine.called(prefix)
        for one in started:
            if one.is_open:
                self._take_over(line, one.id)
        if not started or line.schedule.missed == "skip":
            return
        last = max(datetime.fromisoformat(one.id.removeprefix(prefix)) for one in started)
        missed = []
        for time in times(line.schedule, last):
            if time >= line.next:
                break
            missed.append(time)
        for time in missed if line.schedule.missed == "all" else missed[-1:]:
            self._due(line, time)

    def _id(self, line: _Line, time: datetime) -> str:
        return f"{self.workflow.name}/{line.name}/{time.isoformat().replace('+00:00', 'Z')}"


def run_schedules(
    workflow: Workflow,
    *,
    only: Iterable[str] | None = None,
    activities: Mapping[str, Function] | None = None,
    store: Where = None,
    clock: Clock | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
) -> Scheduler:
    """Start instances of a workflow at the times of its schedules, until the scheduler is closed.

    Each instance is called `<workflow>/<schedule>/<time>`, so a time is never started twice, by whatever process.
    Instances that an earlier process has left open are taken over. Times at which nothing ran count from the last
    instance in the store, and `missed` says what becomes of them; what waited in a queue when a process ended counts
    as missed.

    Parameters
    ----------
    only
        Names of schedules; all by default.
    activities, store, catalogue
        As for `start`.
    clock
        `SystemClock()` by default. A `ManualClock` counts from 1970-01-01T00:00:00Z.

    Raises
    ------
    WfsimError
        If the workflow has no such schedule.
    StartRefused
        As for `start`.

    Examples
    --------
    >>> import wfsim as wf
    >>> nightly = wf.loads('''
    ... name: nightly
    ... initial_state: working
    ... activities: {work: {timeout: 1h}}
    ... states: [{name: working, activity: work}, {name: end, is_terminal: true}]
    ... transitions: [{from: working, event: done, to: end}, {from: working, event: error, to: end}]
    ... schedules: {night: {cron: 30 2 * * *}}
    ... ''')
    >>> clock = wf.ManualClock()
    >>> with run_schedules(nightly, activities={"work": lambda: None}, clock=clock) as scheduler:
    ...     clock.advance("2d")
    ...     [case for (case,) in scheduler.history.sql("SELECT external_id FROM cases").fetchall()]
    ['nightly/night/1970-01-01T02:30:00Z', 'nightly/night/1970-01-02T02:30:00Z']
    """
    if not isinstance(workflow, Workflow):
        raise WfsimError(f"schedules are those of a Workflow, not of a {type(workflow).__name__}.")
    what, advice = "run_schedules takes the names of schedules", f"There are: {listed(workflow.schedules)}."
    names = list(workflow.schedules) if only is None else listed_in(only, what, advice)
    unknown = [name for name in names if name not in workflow.schedules]
    if unknown or not names:
        missing = f"no schedule {unknown[0]!r}" if unknown else "no schedule"
        raise WfsimError(
            f"{workflow.name} has {missing}. Schedules: {listed(workflow.schedules) or 'none'}."
            + (did_you_mean(unknown[0], workflow.schedules) if unknown else "")
        )
    return Scheduler(
        workflow,
        names,
        activities=activities,
        store=store,
        clock=SystemClock() if clock is None else clock,
        catalogue=catalogue,
    )


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND
