"""`start` and `reopen`: a workflow run for real in this process."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from wfsim.errors import ConflictError, HistoryError, StartRefused, WfsimError, listed
from wfsim.model.catalogue import Catalogue, as_catalogue
from wfsim.model.functions import Python
from wfsim.model.uses import invoked
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.draws import mix_key
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import checked_inputs

from .clock import Clock, SystemClock
from .dispatcher import Dispatcher
from .family import load_family, load_member, root_of
from .handle import Run
from .implementations import Function, driven_with, implementations_for
from .member import Member
from .sending import checked_id
from .stores import Lease, Where, lease

if TYPE_CHECKING:
    import os

    from wfsim.history.store import StoredCase
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
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
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
        Path of a DuckDB file, made if missing; an open `Store`; `None`: in memory, gone at `close`.
    id
        What the instance is called, unique in the store; by default the workflow's name and a number.
    clock
        `SystemClock()` by default; a `ManualClock` for tests and demonstrations.
    seed
        Makes the instance's random draws (jitter of retries) repeatable.
    catalogue
        Where the workflows that it runs are found: a folder, or workflows. Needed if it runs any. They run as
        instances of their own, `<id>/<activation>`, in the versions chosen now (M4.4).

    Raises
    ------
    StartRefused
        For bad input, an id that exists, a missing catalogue, a missing function or one that does not fit; nothing
        was stored.
    CatalogueError
        If a workflow that it runs is not in the catalogue.
    HistoryError
        If the store cannot be opened or written.
    FunctionError
        If a function in Python that a definition declares was not given (M14.5); nothing was stored.

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
    program = compile_workflow(workflow, family)
    driven = driven_with(workflow, family)
    implementations_for(driven, activities)
    for each in driven:
        each.given.require()
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
        dispatcher = Dispatcher(
            name,
            store=held.store,
            clock=SystemClock() if clock is None else clock,
            exchange=held.exchange,
            activities=activities,
        )
        dispatcher.needs(driven)
        held.exchange.knows(known)
        held.exchange.opens(name, program, given, None)
        member = Member(dispatcher, name, place=place, instance=Instance(program, key=key))
        try:
            dispatcher.begin(member, lambda instance, time: instance.start(time, given))
        except BaseException as error:
            held.exchange.closes(name)
            if isinstance(error, ConflictError):
                raise StartRefused(_taken(name)) from None
            raise
    except BaseException:
        held.release()
        raise
    return Run(member, held)


def reopen(
    store: Where,
    id: str,
    activities: Mapping[str, Function] | None = None,
    clock: Clock | None = None,
    catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    functions: Mapping[str, Python] | None = None,
) -> Run:
    """Go on with an instance, and its family, where their store says they stand.

    The instances are rebuilt by replaying their histories with the definitions stored there, every record compared;
    of a long history those since its last snapshot.
    Timers that fell due meanwhile fire at once, in order of their due times. Then children that were to start are
    started, ends of children that were to be told are told, and attempts that were scheduled start. Attempts that had
    started when the process ended are carried out again: with the same number and idempotency key, without a second
    `activity_started`, their clocks running from the first one (M5.5).

    A family is driven as a whole: with the id of a child, its parent and all others go on as well, and `activities`
    has the functions of every workflow that an open one of them runs or may run. What they run, and in which version,
    the store knows; `catalogue` is only for what messages start (M7.3). `functions` are those in Python that
    definitions in the store declare (M14.5).

    Raises
    ------
    HistoryError
        If the store is missing or held by another process, or there is no such instance.
    ReplayError
        If the history does not replay: the file or the program has changed.
    StartRefused
        If a function is missing or does not fit, or this process runs the family already.
    """
    if store is None:
        raise HistoryError("reopen needs the path of a store; one in memory ends with its run.")
    held = lease(store, must_exist=True)
    try:
        name = checked_id(id)
        held.store.give(functions)
        run = held.store.case(name).run
        if run.source != "runtime":
            raise HistoryError(
                f"{id!r} was simulated, so there is nothing to go on with. Open it with wf.open_history."
            )
        place = held.store.find(name)
        assert place is not None
        root = root_of(held.store, place)
        assert root.external_id is not None
        held.claim(root.external_id)
        dispatcher = Dispatcher(
            root.external_id,
            store=held.store,
            clock=SystemClock() if clock is None else clock,
            exchange=held.exchange,
            activities=activities,
        )
        members = load_family(dispatcher, root)
        needed = {
            (each.name, each.version): each
            for member in members
            if not _is_over(member)
            for each in driven_with(member.program.workflow, dispatcher.catalogue_of(member))
        }
        if needed:
            dispatcher.needs(needed.values())
        for member in members:
            held.exchange.knows(dispatcher.catalogue_of(member))
        if catalogue is not None:
            held.exchange.knows(as_catalogue(catalogue))
        if name not in (member.name for member in members):
            # Closed, and everyone who waited for it knows.
            members.append(_settled(dispatcher, place, members))
        dispatcher.resume(members)
    except BaseException:
        held.release()
        raise
    return Run(dispatcher.members[name], held)


def _is_over(member: Member) -> bool:
    """Whether it runs nothing any more; what failed may be retried, unless a parent was told (M8.2)."""
    closed = member.instance.is_closed
    return closed and not (member.parent is None and member.instance.status in ("failed", "timed_out"))


def _settled(dispatcher: Dispatcher, place: StoredCase, members: list[Member]) -> Member:
    """A member that was left out when its family was loaded, with its parent, which was not."""
    above = dispatcher.store.parent(place)
    parent = None if above is None else next(one for one in members if one.name == above.external_id)
    return load_member(dispatcher, place, parent)


def _key(seed: int | None) -> int:
    if seed is None:
        return secrets.randbits(62)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise WfsimError(f"a seed is a whole number from 0 to 2^63 - 1, not {brief(seed)}.")
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
