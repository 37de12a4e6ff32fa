"""`Workplace`: what one process does of an engine's work, and what it does it with."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import EngineError, StartRefused, did_you_mean, listed
from wfsim.model.statuses import OPEN

from .clock import ManualClock
from .groups import QueueLimits, pools_of
from .implementations import driven_with, implementations_for, implementations_given
from .logs import tell
from .presence import Presence
from .pump import Pump
from .queue import Queue, QueueWorker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow

    from .breaker import Breakers
    from .core import Core
    from .implementations import Function
    from .permissions import Permissions
    from .rows import InstanceRow


@dataclass
class Means:
    """What activities are carried out with in a process.

    Attributes
    ----------
    functions
        By name of the activity; `None` if others carry activities out.
    permissions
        What definitions may do outside from here.
    breakers
        Which activities are held here.
    """

    functions: dict[str, Function] | None
    permissions: Permissions
    breakers: Breakers

    def require(self, workflows: Iterable[Workflow]) -> None:
        """Raise `StartRefused` if these have an activity that cannot be carried out here."""
        implementations_for(workflows, self.functions, self.permissions)


class Workplace:
    """The part of an engine in which things happen by themselves: its threads, and its place among the workers.

    It lets happen what is due, if it has functions or is the only process there can be; it carries attempts out, if it
    has functions: from the queue that all workers share, or by itself where there is none.

    Parameters
    ----------
    worker
        What this process is called in records and lists.
    queued
        Whether attempts go through the queue of the database, if others can use that at all.
    groups
        The groups whose activities are carried out here; `None`: all. With `[]` attempts are left to others.
    concurrency
        How many attempts of a group a worker carries out at a time; `None`: what is stored.
    polling
        Seconds between two looks at what other processes have left to be done.

    Attributes
    ----------
    queue
        The queue of attempts; `None` if there is none.

    Raises
    ------
    StartRefused
        If a function does not fit the inputs of its activity.
    """

    def __init__(
        self,
        core: Core,
        worker: str,
        means: Means,
        *,
        queued: bool,
        groups: list[str] | None,
        concurrency: int | None,
        polling: float,
    ) -> None:
        self.worker = worker
        self.groups = groups
        self.means = means
        self.queue: Queue | None = None
        self._core = core
        self._pump: Pump | None = None
        self._presence: Presence | None = None
        self._running = False
        self._learned: Catalogue | None = None
        in_memory = core.database.in_memory
        works = means.functions is not None
        alone = in_memory or not queued
        if works or in_memory:
            self._pump = Pump(
                core,
                worker,
                means.permissions,
                means.breakers,
                shared=not in_memory and not isinstance(core.clock, ManualClock),
                carries=works and alone,
                polling=polling,
            )
            self._pump.carry_out(implementations_given(self._published().all_versions(), means.functions))
        if self._pump is not None and works and not in_memory:
            self._presence = Presence(core, worker)
            self._presence.serves = lambda: {"groups": groups, "activities": self.carried_out}
            self._pump.worker = self._presence.id
        # Who serves no group lets things happen, and leaves attempts to others.
        if not alone and groups != [] and self._pump is not None and self._presence is not None:
            self.queue = QueueWorker(
                core, self._pump, self._presence.id, groups=groups, concurrency=concurrency, polling=polling
            )
            self.queue.learn = self._learn
        elif not alone:
            self.queue = Queue(core)
        if self.queue is not None:
            core.carrier = self.queue
            if self._presence is not None:
                self._presence.free = self.queue.free

    def _published(self) -> Catalogue:
        with self._core.database.reading() as rows:
            return self._core.catalogue(rows)

    # --- what is carried out -----------------------------------------------------------------------

    @property
    def carried_out(self) -> list[str]:
        """The activities of published workflows that can be carried out here, as `<workflow>.<activity>`."""
        return [] if self._pump is None else self._pump.carried_out(self._published().all_versions())

    def carry_out(self, workflows: Iterable[Workflow]) -> None:
        """Carry out the activities of these workflows here, as far as their functions are known."""
        if self._pump is not None and self.means.functions is not None:
            self._pump.carry_out(implementations_given(workflows, self.means.functions))

    def serve(self, workflows: Iterable[Workflow]) -> None:
        """These have been published: their groups have queues from now on, and their activities are carried out."""
        if self.queue is not None and self._running:
            self.queue.make(pools_of(workflows))
        self.carry_out(workflows)

    def permit(self, permissions: Permissions) -> None:
        """From now on this is what definitions may do outside from here."""
        self.means.permissions = permissions
        if self._pump is not None:
            self._pump.permit(permissions)

    def know(self, catalogue: Catalogue, activities: Mapping[str, Function] | None, *, drives: bool) -> None:
        """Messages may start these workflows, and these functions carry out activities, beside what is published.

        With `drives` nobody else will: what a message starts must have all its functions here.
        """
        self._core.know(catalogue)
        if drives:
            self._core.check = self._check
        if activities is not None:
            self.means.functions = {**(self.means.functions or {}), **activities}

    def _check(self, workflow: Workflow, catalogue: Catalogue) -> None:
        driven = driven_with(workflow, catalogue.family(workflow))
        self.means.require(driven)
        for each in driven:
            each.given.require()
        self.carry_out(driven)

    def take_up(self, id: str, activities: Mapping[str, Function] | None) -> InstanceRow:
        """An instance whose open family shall be carried out here.

        Raises
        ------
        EngineError
            If there is none.
        StartRefused
            If a function of its open family is missing, or does not fit.
        """
        core = self._core
        with core.database.reading() as rows:
            row = rows.read(id)
            if row is None:
                raise core.no_instance(rows, id)
            needed: dict[tuple[str, str], Workflow] = {}
            for each in rows.relatives(row):
                family = core.families.get(each.family, rows.family)
                if each.status in OPEN or (each.parent is None and each.status in ("failed", "timed_out")):
                    for one in driven_with(family.programs[each.member].workflow, family.catalogue):
                        needed[one.name, one.version] = one
        known = {**(self.means.functions or {}), **(activities or {})}
        for one in needed.values():
            one.given.require()
        if needed:
            implementations_for(needed.values(), known, self.means.permissions)
        self.means.functions = known
        self.carry_out(needed.values())
        return row

    def _learn(self) -> None:
        """Other processes may have published what this one has functions for."""
        everything = self._published()
        if everything is not self._learned:
            self._learned = everything
            try:
                self.carry_out(everything.all_versions())
            except StartRefused as refusal:
                # Nobody else can be told: whoever published it has no functions.
                tell("functions_do_not_fit", logging.ERROR, message=str(refusal))

    # --- limits of groups --------------------------------------------------------------------------

    @property
    def queues(self) -> dict[str, QueueLimits]:
        """See `Engine.queues`."""
        return {} if self.queue is None else self.queue.limits()

    def limits(self, group: str) -> QueueLimits:
        """See `Engine.limits`."""
        return self._limits(self._queue(), group)

    def set_limits(self, group: str, limits: QueueLimits) -> None:
        """See `Engine.set_queue`."""
        queue = self._queue()
        self._limits(queue, group)
        queue.limit(group, limits)

    def _queue(self) -> Queue:
        if self.queue is None:
            raise EngineError(
                f"{self._core.database.shown} has no queue here: attempts run in this process, as many as have come. "
                "Open a file or a PostgreSQL database with wf.open_engine, and the clock of the system."
            )
        return self.queue

    @staticmethod
    def _limits(queue: Queue, group: str) -> QueueLimits:
        known = queue.limits()
        if group not in known:
            raise EngineError(
                f"no published activity has the pool {group!r}, and no worker serves it.{did_you_mean(group, known)} "
                f"Groups: {listed(known)}."
            )
        return known[group]

    # --- life --------------------------------------------------------------------------------------

    @property
    def lets_happen(self) -> bool:
        """Whether what is due happens here."""
        return self._pump is not None

    def run(self) -> None:
        """Let things happen from now on, if this process does any of the work; asking twice is harmless."""
        if self._running:
            return
        self._running = True
        if self.queue is not None:
            self.queue.prepare()
            self.queue.make(pools_of(self._published().all_versions()))
        if self._pump is None:
            return
        if self._presence is not None:
            self._presence.start()
        self._pump.start()
        if isinstance(self.queue, QueueWorker):
            self.queue.start()

    def next_due(self) -> int | None:
        """When time alone brings the next thing about, in microseconds of the clock; `None` if it brings nothing."""
        return self._core.next_due() if self._pump is None else self._pump.next_due()

    @property
    def stopped(self) -> str | None:
        """Why nothing goes on here, if so; `None` while all is well."""
        return None if self._pump is None else self._pump.stopped

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if things cannot go on here."""
        if self._pump is not None:
            self._pump.raise_if_stopped()

    def drain(self, timeout: float) -> None:
        """Take no more attempts, and wait until those at work here have ended, or for so many seconds; then `close`."""
        if isinstance(self.queue, QueueWorker) and self._running:
            self.queue.drain(timeout)

    def close(self, timeout: float) -> list[str]:
        """End what goes on; returns the activities that did not end in time."""
        left = [] if self._pump is None else self._pump.close(timeout)
        if self.queue is not None:
            self.queue.close()
        if self._presence is not None:
            self._presence.close()
        return left
