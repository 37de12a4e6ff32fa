"""`start` and `reopen`: a workflow run for real in this process."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wfsim.errors import ConflictError, HistoryError, NotCovered, StartRefused, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.draws import mix_key
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import checked_inputs

from .clock import Clock, SystemClock
from .dispatcher import Dispatcher, inputs_of, load
from .handle import Run
from .implementations import Function, implementations_for
from .sending import checked_id
from .stores import Lease, Where, lease

if TYPE_CHECKING:
    from wfsim.model.values import Value


def start(
    workflow: Workflow,
    *,
    input: Mapping[str, Value] | None = None,
    activities: Mapping[str, Function] | None = None,
    store: Where = None,
    id: str | None = None,
    clock: Clock | None = None,
    seed: int | None = None,
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
        like the exception's class.
    store
        Path of a DuckDB file, made if missing; an open `Store`; `None`: in memory, gone at `close`.
    id
        What the instance is called, unique in the store; by default the workflow's name and a number.
    clock
        `SystemClock()` by default; a `ManualClock` for tests and demonstrations.
    seed
        Makes the instance's random draws (jitter of retries) repeatable.

    Raises
    ------
    StartRefused
        For bad input, an id that exists, a missing function or one that does not fit; nothing was stored.
    HistoryError
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
    program = compile_workflow(workflow)
    if program.children:
        raise NotCovered(f"{workflow.name!r} invokes other workflows, which cannot be run in one process yet.")
    functions = implementations_for(workflow, activities)
    given = {} if input is None else input
    if not isinstance(given, Mapping):
        raise StartRefused(f"input is a mapping from variables to values, not {type(given).__name__}.")
    checked_inputs(program, given)
    key = _key(seed)
    name = None if id is None else checked_id(id)
    held = lease(store)
    try:
        if name is not None:
            _refuse_taken(held, name)
            place = held.store.new_case(program, name)
        else:
            place = held.store.new_case(program)
            name = _free_name(held, workflow.name, place.case)
            place = dataclasses.replace(place, external_id=name)
        held.claim(name)
        instance = Instance(program, key=key)
        dispatcher = Dispatcher(
            name,
            store=held.store,
            place=place,
            instance=instance,
            clock=SystemClock() if clock is None else clock,
            functions=functions,
            inputs={},
        )
        try:
            dispatcher.begin(lambda instance, time: instance.start(time, given))
        except ConflictError:
            raise StartRefused(_taken(name)) from None
    except BaseException:
        held.release()
        raise
    return Run(dispatcher, held)


def reopen(
    store: Where,
    id: str,
    activities: Mapping[str, Function] | None = None,
    clock: Clock | None = None,
) -> Run:
    """Go on with an instance where its store says it stands.

    The instance is rebuilt by replaying its history with the definition stored there, every record compared.
    Timers that fell due meanwhile fire at once, in order of their due times. Then attempts that were scheduled start,
    and attempts that had started when the process ended are carried out again: with the same number and
    idempotency key, without a second `activity_started`, their clocks running from the first one (M5.5).

    Raises
    ------
    HistoryError
        If the store is missing or held by another process, or there is no such instance.
    ReplayError
        If the history does not replay: the file or the program has changed.
    StartRefused
        If a function is missing or does not fit, or this process runs the instance already.
    """
    if store is None:
        raise HistoryError("reopen needs the path of a store; one in memory ends with its run.")
    held = lease(store, must_exist=True)
    try:
        held.claim(checked_id(id))
        run = held.store.case(id).run
        if run.source != "runtime":
            raise HistoryError(
                f"{id!r} was simulated, so there is nothing to go on with. Open it with wf.open_history."
            )
        instance, records = load(held.store, id)
        place = held.store.find(id)
        if place is None:
            raise HistoryError(f"there is no instance {id!r} in {held.store.path}.")
        over = instance.status in ("completed", "cancelled", "terminated")
        dispatcher = Dispatcher(
            id,
            store=held.store,
            place=place,
            instance=instance,
            clock=SystemClock() if clock is None else clock,
            functions={} if over else implementations_for(instance.program.workflow, activities),
            inputs=inputs_of(records),
        )
        dispatcher.go_on()
    except BaseException:
        held.release()
        raise
    return Run(dispatcher, held)


def _key(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(62)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise WfsimError(f"a seed is a whole number from 0 to 2^63 - 1, not {seed!r:.80}.")
    return mix_key(seed, 0, 0)


def _refuse_taken(held: Lease, name: str) -> None:
    if held.store.find(name) is not None:
        raise StartRefused(_taken(name))


def _taken(name: str) -> str:
    return f"there is an instance {name!r} already. Go on with it by wf.reopen(store, {name!r}), or choose another id."


def _free_name(held: Lease, workflow: str, number: int) -> str:
    while held.store.find(f"{workflow}-{number}") is not None:
        number += 1
    return f"{workflow}-{number}"
