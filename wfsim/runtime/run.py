"""`start` and `reopen`: one instance, with its family, in an engine of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wfsim.errors import EngineError, StartRefused, WfsimError, listed
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.uses import invoked
from wfsim.model.workflow import Workflow

from .database import MEMORY
from .engine import Engine
from .handle import Run
from .implementations import Function, driven_with, implementations_for
from .opening import assembled
from .permissions import Permissions, checked_permissions
from .sending import checked_id
from .stimuli import begin

if TYPE_CHECKING:
    from wfsim.model.functions import Python
    from wfsim.model.values import Value

    from .clock import Clock

Where: TypeAlias = "str | os.PathLike[str] | Engine | None"


class Lease:
    """The right of one run to use the engine of a store; the last one to be released closes it."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._released = False

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self._shared.engine

    def release(self, timeout: float = 0.0) -> None:
        """It is needed no more; asking twice is harmless."""
        with _turn:
            if self._released:
                return
            self._released = True
            self._shared.leases -= 1
            if self._shared.leases:
                return
            if self._shared.key is not None:
                del _shared[self._shared.key]
        self._shared.engine.close(timeout)


@dataclass
class _Shared:
    engine: Engine
    key: tuple[int, str] | None
    leases: int = 0


_turn = threading.RLock()
_shared: dict[tuple[int, str], _Shared] = {}


def start(
    workflow: Workflow,
    *,
    input: Mapping[str, Value] | None = None,
    activities: Mapping[str, Function] | None = None,
    store: Where = None,
    id: str | None = None,
    clock: Clock | None = None,
    seed: int | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    permissions: Permissions | None = None,
) -> Run:
    """Start an instance of a workflow for real, in this process.

    The record `started` and its consequences are on disk before anything else happens.

    Parameters
    ----------
    workflow
        What to run.
    input
        Values of its input variables.
    activities
        The Python function of each activity, `def` or `async def`; called with the activity's parameters as
        keyword arguments. A first parameter named `context` gets an `ActivityContext`. What it returns must
        be JSON; what it raises is the attempt's failure, of the type `ActivityError.error_type` or else named
        like the exception's class. Its children use the same functions; `"<workflow>.<activity>"` names one for a
        single workflow.
    store
        Path of an SQLite file, made if missing, or the address of a database; `None`: in memory, gone at `close`.
    id
        What the instance is called, unique in the store; by default the workflow's name and a number.
    clock
        `SystemClock()` by default; a `ManualClock` for tests and demonstrations.
    seed
        Makes the instance's random draws (jitter of retries) repeatable.
    catalogue
        Where the workflows that it runs are found: a folder, or workflows. Needed if it runs any. They run as
        instances of their own, `<id>/<activation>`, in the versions chosen now (M4.4).
    permissions
        What activities that are declared as `http` and `command` may do; by default what the environment says. Runs of
        one process on one store share what was given last.

    Raises
    ------
    StartRefused
        For bad input, an id that exists, a missing catalogue, a missing function or one that does not fit; nothing
        was stored.
    FunctionError
        If a function in Python that a definition declares was not given (M14.5); nothing was stored.
    CatalogueError
        If a workflow that it runs is not in the catalogue.
    EngineError
        If the store cannot be opened or written.

    Examples
    --------
    >>> from wfsim.model.workflow import Workflow
    >>> door = Workflow(
    ...     name="door",
    ...     initial_state="shut",
    ...     states=[{"name": "shut"}, {"name": "open", "is_terminal": True}],
    ...     transitions=[{"from": "shut", "to": "open", "event": "push"}],
    ... )
    >>> with start(door) as run:
    ...     run.send("push"), run.state, run.status
    ('accepted', 'open', 'completed')
    """
    if not isinstance(workflow, Workflow):
        raise WfsimError(f"start needs a Workflow, not {type(workflow).__name__}. Load a file with wf.load(path).")
    runs = [] if catalogue is not None else list(dict.fromkeys(repr(use.workflow) for use in invoked(workflow)))
    if runs:
        raise StartRefused(
            f"{workflow.name} runs {listed(runs)}. Say where such workflows are found: a folder, catalogue='models', "
            "or workflows, catalogue=[…]."
        )
    known = as_catalogue(catalogue)
    family = known.family(workflow)
    implementations_for(driven_with(workflow, family), activities, checked_permissions(permissions))
    for each in driven_with(workflow, family):
        each.given.require()
    name = None if id is None else checked_id(id)
    lease = _lease(store, known, activities, clock, permissions)
    try:
        lease.engine.workplace.carry_out(driven_with(workflow, family))
        lease.engine.run()
        core = lease.engine.core
        row = begin(core, core.families.of(workflow, known), input, id=name, seed=seed)
    except BaseException:
        lease.release()
        raise
    return Run(lease.engine, row, lease)


def reopen(
    store: Where,
    id: str,
    activities: Mapping[str, Function] | None = None,
    clock: Clock | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    functions: Mapping[str, Python] | None = None,
    permissions: Permissions | None = None,
) -> Run:
    """Go on with the instances of a store, and look at one of them.

    Timers that fell due meanwhile fire at once, in order of their due times. Children that were to start are started,
    ends of children that were to be told are told, messages delivered, and attempts that were scheduled start. Attempts
    that had started when their process ended are carried out again: with the same number and idempotency key, without
    a second `activity_started`, their clocks running from the first one (M5.5).

    Parameters
    ----------
    activities
        The functions of all that the instance and its open family run or may run.
    catalogue
        Only for what messages start (M7.3): what the family runs, and in which version, the store knows.
    functions
        Functions in Python that definitions declare: the store has definitions, no code (M14.5).
    permissions
        What activities that are declared as `http` and `command` may do; by default what the environment says.

    Raises
    ------
    EngineError
        If the store is missing, or there is no such instance.
    StartRefused
        If a function is missing or does not fit.
    FunctionError
        If a function in Python that a definition of the open family declares was not given.
    """
    if store is None:
        raise EngineError("reopen needs the path of a store; one in memory ends with its run.")
    if not isinstance(store, Engine) and "://" not in os.fspath(store) and not Path(store).is_file():
        raise EngineError(f"{os.fspath(store)}: there is no such store. Give the path that the run was started with.")
    lease = _lease(store, as_catalogue(catalogue), None, clock, permissions)
    try:
        lease.engine.core.families.give(functions)
        row = lease.engine.workplace.take_up(checked_id(id), activities)
        lease.engine.run()
    except BaseException:
        lease.release()
        raise
    return Run(lease.engine, row, lease)


def leased(store: Where, clock: Clock | None) -> Lease:
    """Open the engine of a store, or share the one that this process has open."""
    with _turn:
        if isinstance(store, Engine):
            shared = _Shared(store, None, leases=1)
        elif store is None:
            shared = _Shared(assembled(MEMORY, None, {}, clock=clock, worker="local"), None)
        else:
            address = address_of(store)
            place = os.path.realpath(address.removeprefix("sqlite:///")) if "sqlite" in address else address
            # A forked process must not write through its parent's connections, hence the process id.
            key = (os.getpid(), place)
            if key not in _shared:
                _shared[key] = _Shared(assembled(address, None, {}, clock=clock, worker="local"), key)
            shared = _shared[key]
        shared.leases += 1
        return Lease(shared)


def _lease(
    store: Where,
    known: Catalogue,
    activities: Mapping[str, Function] | None,
    clock: Clock | None,
    permissions: Permissions | None,
) -> Lease:
    given = None if permissions is None else checked_permissions(permissions)
    lease = leased(store, clock)
    try:
        if given is not None:
            lease.engine.workplace.permit(given)
        lease.engine.workplace.know(known, activities, drives=not isinstance(store, Engine))
    except BaseException:
        lease.release()
        raise
    return lease


def address_of(store: str | os.PathLike[str]) -> str:
    """The address of a database that is given by it or by the path of a file."""
    text = os.fspath(store)
    return text if "://" in text else f"sqlite:///{text}"
