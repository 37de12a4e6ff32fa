"""What is published is started at the times of its schedules: `wfsim worker --schedules`."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError

from .database import DatabaseError
from .logs import tell
from .schedules import Scheduler, run_schedules

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

    from .engine import Engine

LOOK = 10.0
"""Seconds between two looks at what is published."""


class Scheduled:
    """The schedules of all published workflows, each in its newest version; several processes may have them.

    Nothing happens but by `look`, which is called again and again: what has been published since takes the place of
    what was before, and a scheduler that the database has failed begins again, as after any time at which nothing ran.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[str, Scheduler] = {}
        self._told: set[str] = set()
        self._next = 0.0

    def look(self) -> None:
        """Look at what is published, if the last look is some time ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LOOK
            try:
                self.follow()
            except DatabaseError:
                # Whoever looks at the database tells so, and waits.
                self._next = 0.0

    def follow(self) -> None:
        """Have those schedules run that are published now, and no others."""
        newest = {each.name: each for each in self._engine.workflows if each.schedules}
        for name, scheduler in list(self._running.items()):
            self._tell_refused(scheduler)
            failure = scheduler.failure
            if failure is not None:
                tell("schedules_stopped", logging.ERROR, workflow=name, message=str(failure))
            if failure is not None or newest.get(name) != scheduler.workflow:
                scheduler.close()
                del self._running[name]
        for name in newest.keys() - self._running.keys():
            self._begin(newest[name])

    def _begin(self, workflow: Workflow) -> None:
        engine = self._engine
        try:
            scheduler = run_schedules(workflow, store=engine, clock=engine.core.clock, catalogue=engine.workflows)
        except WfsimError as error:
            # It is tried again at the next look.
            tell("schedules_stopped", logging.ERROR, workflow=workflow.name, message=str(error))
            return
        self._running[workflow.name] = scheduler
        coming = {line: moment.isoformat() for line, moment in scheduler.next.items()}
        tell("schedules_running", workflow=workflow.name, version=workflow.version, next=coming)

    def _tell_refused(self, scheduler: Scheduler) -> None:
        for name, reason in list(scheduler.refused.items()):
            if name not in self._told:
                self._told.add(name)
                tell("schedule_refused", logging.WARNING, instance=name, message=reason)

    def close(self) -> None:
        """Start nothing more."""
        for scheduler in self._running.values():
            self._tell_refused(scheduler)
            scheduler.close()
        self._running.clear()
