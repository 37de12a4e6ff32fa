"""A process that does nothing but work for an engine, until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.errors import EngineError, WaitTimeout, did_you_mean

from .database import DatabaseError
from .groups import DEFAULT, pools_of
from .logs import LOGGER, JsonLines, tell
from .scheduled import Scheduled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType
    from typing import TextIO

    from .engine import Engine

LOOK = 1.0
"""Seconds between two looks at whether all is well."""

LAST = 5.0
"""Seconds that activities which were asked to stop have for it."""


@contextlib.contextmanager
def told_as_json(stream: TextIO) -> Iterator[None]:
    """What happens in this process is written to a stream meanwhile, a line of JSON for each event."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; a second one ends the process at once."""
    stop = threading.Event()

    def heard(number: int, frame: FrameType | None) -> None:
        tell("signal_received", signal=signal.Signals(number).name)
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def work(
    engine: Engine,
    functions: Iterable[str],
    stop: threading.Event,
    *,
    grace: float,
    patience: float,
    schedules: bool = False,
) -> None:
    """Work until `stop` is set, then finish what is in hand, or give it back; the engine is closed at the end.

    Parameters
    ----------
    functions
        The names under which functions were given: those that no activity has are told.
    grace
        Seconds in which attempts may finish; what has not by then is asked to stop, and carried out again elsewhere.
    patience
        Seconds for which the database may be away.
    schedules
        Whether published workflows are started at the times of their schedules.

    Raises
    ------
    EngineError
        If it is away for longer.
    RunStopped
        If the engine cannot go on for another reason.
    """
    scheduled = Scheduled(engine) if schedules else None
    try:
        _begun(engine, functions)
        _watch(engine, stop, patience, scheduled)
        tell("worker_stopping", grace=grace)
        if scheduled is not None:
            scheduled.close()
        engine.workplace.drain(grace)
    finally:
        try:
            engine.close(LAST)
        except WaitTimeout as error:
            tell("attempts_given_back", logging.WARNING, message=str(error))
        except DatabaseError as error:
            # Its place among the workers stays, and is taken for that of one that is gone.
            tell("database_away", logging.ERROR, message=str(error))
        tell("worker_stopped")


def _begun(engine: Engine, functions: Iterable[str]) -> None:
    known, pools = engine.workplace.carried_out, pools_of(engine.workflows.all_versions())
    tell("worker_started", database=engine.core.database.shown, worker=engine.worker, activities=known)
    for group in engine.groups or ():
        if group not in (DEFAULT, *pools):
            message = f"no published activity has the pool {group!r}.{did_you_mean(group, pools)}"
            tell("group_unknown", logging.WARNING, group=group, message=message)
    names = [each.partition(".")[2] for each in known]
    for function in functions:
        wanted = function.partition("@")[0]
        if wanted not in names and wanted not in known:
            told = f"no published workflow has an activity {wanted!r}.{did_you_mean(wanted, [*names, *known])}"
            tell("activity_unknown", logging.WARNING, function=function, message=told)


def _watch(engine: Engine, stop: threading.Event, patience: float, scheduled: Scheduled | None) -> None:
    away: float | None = None
    stuck: dict[str, str] = {}
    if scheduled is not None:
        scheduled.look()
    while not stop.wait(LOOK):
        engine.raise_if_stopped()
        problem = _away(engine)
        now = time.monotonic()
        if problem is None:
            if away is not None:
                tell("database_back", seconds=round(now - away, 1))
            away = None
            if scheduled is not None:
                scheduled.look()
        elif away is None:
            away = now
            tell("database_away", logging.ERROR, message=problem)
        elif now - away > patience:
            raise EngineError(
                f"{engine.core.database.shown} has been away for {now - away:.0f} s: {problem} Nothing that is stored "
                "is lost. Start the worker again once it is back, or let it wait for longer with --patience."
            )
        found = engine.stuck
        for name in found.keys() - stuck.keys():
            tell("instance_stuck", logging.ERROR, instance=name, message=found[name])
        stuck = found


def _away(engine: Engine) -> str | None:
    """Why the database cannot be asked, if so."""
    try:
        with engine.core.database.reading() as rows:
            rows.connection.execute(sa.select(1))
    except DatabaseError as error:
        return str(error)
    return None
