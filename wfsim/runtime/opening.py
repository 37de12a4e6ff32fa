"""`open_engine`: an engine of a database and of what this process has for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from wfsim.errors import EngineError
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow

from .breaker import Breaker, Breakers
from .clock import Clock, ManualClock, SystemClock
from .core import Core
from .database import MEMORY, Database
from .engine import Engine
from .groups import QueueLimits, checked_groups
from .implementations import Function
from .permissions import Permissions, checked_permissions
from .sending import checked_id
from .workplace import Means, Workplace

if TYPE_CHECKING:
    from wfsim.model.functions import Python


def open_engine(
    url: str = MEMORY,
    workflows: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    activities: Mapping[str, Function] | None = None,
    *,
    functions: Mapping[str, Python] | None = None,
    permissions: Permissions | None = None,
    breakers: Mapping[str, Breaker] | None = None,
    clock: Clock | None = None,
    worker: str | None = None,
    groups: Iterable[str] | None = None,
    concurrency: int | None = None,
    polling: float = 0.1,
) -> Engine:
    """Open an engine on a database, made if it is not there.

    Opening takes up everything that is open: timers that fell due fire, children and messages that are owed are
    started and delivered, and attempts that were scheduled or running are carried out by a worker that has their
    functions. An instance that only waits costs a row, no thread.

    Parameters
    ----------
    url
        `sqlite:///runs.db`: a file, for the processes of one machine; `postgresql://user@host/name`: for many;
        `sqlite://`: in memory, gone at `close`.
    workflows
        A folder, a catalogue or workflows; they are published here.
    activities
        The Python function of each activity, `def` or `async def`; this process is a worker then. They are called with
        the activity's parameters as keyword arguments; a first parameter named `context` gets an `ActivityContext`.
        Without, this process starts, sends and looks, and others do the work; `{}` makes it a worker for what
        definitions themselves say how to carry out.
    functions
        Functions in Python that definitions declare: the database has definitions, no code (M14.5). Those of workflows
        that were loaded with theirs are known.
    permissions
        What activities that are declared as `http` and `command` may do from here: hosts, networks, programs, secrets;
        by default what the environment says. docs/activities.md.
    breakers
        When attempts of an activity that keeps failing are held here, by name of the activity; `*` for all others.
    clock
        `SystemClock()` by default; a `ManualClock` for tests and demonstrations.
    worker
        What this process is called in records and lists; by default host and process.
    groups
        Carry out activities of these pools alone, and, as `default`, those that have none; default: all. With `()` this
        process lets happen what is due (timers, children, messages), and leaves activities to others.
    concurrency
        How many attempts of a group a worker carries out at a time, from now on, of whatever process: it is stored
        (`engine.set_queue`). By default what is stored, 100 in the beginning.
    polling
        Seconds between two looks at what other processes have left to be done.

    Raises
    ------
    EngineError
        If the database cannot be opened, or a workflow is published there with another definition.
    StartRefused
        If a function does not fit the inputs of its activity.
    """
    engine = assembled(
        url,
        workflows,
        activities,
        permissions=permissions,
        breakers=breakers,
        clock=clock,
        worker=worker,
        queued=not isinstance(clock, ManualClock),
        groups=groups,
        concurrency=concurrency,
        polling=polling,
    )
    return begun(engine, functions)


def begun(engine: Engine, functions: Mapping[str, Python] | None = None) -> Engine:
    """Let things happen in an engine that was assembled, with these functions in Python; if it cannot, it is closed."""
    try:
        engine.core.families.give(functions)
        engine.run()
    except BaseException:
        engine.close(0.0)
        raise
    return engine


def assembled(
    url: str,
    workflows: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    activities: Mapping[str, Function] | None = None,
    *,
    permissions: Permissions | None = None,
    breakers: Mapping[str, Breaker] | None = None,
    clock: Clock | None = None,
    worker: str | None = None,
    queued: bool = False,
    groups: Iterable[str] | None = None,
    concurrency: int | None = None,
    polling: float = 0.1,
) -> Engine:
    """An engine in which nothing happens by itself until `run`; see `open_engine`.

    Parameters
    ----------
    queued
        Whether attempts go through the queue of the database, which all its workers share, or are carried out by this
        process alone.
    """
    if not isinstance(url, str):
        raise EngineError(f"the address of a database is a text such as 'sqlite:///runs.db', not {brief(url)}.")
    if isinstance(polling, bool) or not isinstance(polling, int | float) or polling < 0.001:
        raise EngineError(f"polling is {brief(polling)}. Give a number from 0.001 on.")
    if concurrency is not None:
        # It says what it may be.
        QueueLimits(concurrency)
    served = None if groups is None else checked_groups(groups)
    if activities is not None and not isinstance(activities, Mapping):
        raise EngineError(f"activities is a mapping from names to functions, not {brief(activities)}.")
    for each, function in (activities or {}).items():
        if not callable(function):
            raise EngineError(f"activities: {each!r} is a function, not {brief(function)}.")
    if clock is not None and not callable(getattr(clock, "now", None)):
        raise EngineError(f"clock is a wf.ManualClock() or another clock, not {brief(clock)}.")
    published = as_catalogue(workflows)
    name = f"{socket.gethostname()}-{os.getpid()}" if worker is None else checked_id(worker, "a worker")
    means = Means(
        None if activities is None else dict(activities), checked_permissions(permissions), Breakers(breakers)
    )
    database = Database(url)
    try:
        core = Core(database, SystemClock() if clock is None else clock)
        core.publish(published.all_versions())
        return Engine(
            core,
            Workplace(core, name, means, queued=queued, groups=served, concurrency=concurrency, polling=polling),
        )
    except BaseException:
        database.close()
        raise
