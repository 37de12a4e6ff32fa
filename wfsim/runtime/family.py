"""What the members of a family owe each other: a child's start, its being stopped, the telling of its end (M4.4).

Each of these is owed by a record, under an id that is a function of it, and done when another record says so. After a
crash everything owed is therefore found again in the store, and doing it twice does it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import StartRefused
from wfsim.semantics.codes import R_CHILD_STARTED, R_CHILD_STOP_REQUESTED, R_INSTANCE_CLOSED, STATUSES
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.draws import mix_key
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output

from .member import Member, load

if TYPE_CHECKING:
    from wfsim.history.store import Store, StoredCase
    from wfsim.model.values import Value

    from .dispatcher import Dispatcher

_CLOSED = STATUSES[STATUSES.index("completed") :]
_STARTS, _CONTROLS, _RESULTS = 1, 2, 3
"""Places in the dispatcher's order."""


def follow(dispatcher: Dispatcher, member: Member, output: Output) -> None:
    """Queue what the records of an append owe."""
    for record in output.records:
        if record.kind == R_CHILD_STARTED:
            _owe_start(dispatcher, member, record.activation)
        elif record.kind == R_CHILD_STOP_REQUESTED:
            _owe_stop(dispatcher, member, record.activation)
        elif record.kind == R_INSTANCE_CLOSED:
            _owe_end(dispatcher, member)


def take_up(dispatcher: Dispatcher, member: Member) -> None:
    """Queue what a member still owes by all its records."""
    for activation in member.started:
        if activation not in member.told:
            _owe_start(dispatcher, member, activation)
    for activation in member.stopped:
        _owe_stop(dispatcher, member, activation)
    if member.instance.is_closed:
        _owe_end(dispatcher, member)


def load_family(dispatcher: Dispatcher, place: StoredCase) -> list[Member]:
    """The members of a stored family that have anything left to do, parents before children.

    Left out are closed instances that started nothing and whose parents know of their end.

    Raises
    ------
    ReplayError
        If one does not replay.
    """
    found: list[Member] = []
    _load_into(found, dispatcher, place, None)
    return found


def root_of(store: Store, place: StoredCase) -> StoredCase:
    """The case at the top of a case's family."""
    while (above := store.parent(place)) is not None:
        place = above
    return place


def load_member(dispatcher: Dispatcher, place: StoredCase, parent: Member | None) -> Member:
    """One member from the store, by replay."""
    assert place.external_id is not None
    instance, records = load(dispatcher.store, place.external_id)
    return Member(dispatcher, place.external_id, place=place, instance=instance, records=records, parent=parent)


def members_of_children(member: Member) -> list[Member]:
    """All that a member has started, in order; those that were left out when the family was loaded are loaded now."""
    dispatcher = member.dispatcher
    found = []
    for place in dispatcher.store.children(member.place):
        assert place.external_id is not None
        if place.external_id not in dispatcher.members:
            dispatcher.members[place.external_id] = load_member(dispatcher, place, member)
        found.append(dispatcher.members[place.external_id])
    return found


def _load_into(found: list[Member], dispatcher: Dispatcher, place: StoredCase, parent: Member | None) -> None:
    store = dispatcher.store
    inner = store.children(place)
    assert place.external_id is not None
    if parent is not None and not inner and place.parent_activation in parent.told:
        # Closed, started nothing, and its parent knows.
        return
    member = load_member(dispatcher, place, parent)
    found.append(member)
    for each in inner:
        _load_into(found, dispatcher, each, member)


def _owe_start(dispatcher: Dispatcher, parent: Member, activation: int) -> None:
    name = parent.child_id(activation)
    if name in dispatcher.members:
        return
    stored = dispatcher.store.find(name)
    if stored is not None:
        # Somebody else who holds this store has started it.
        child = dispatcher.members[name] = load_member(dispatcher, stored, parent)
        take_up(dispatcher, child)
        return
    birth = parent.started[activation]
    workflow = dispatcher.catalogue.get(birth.workflow, birth.version)
    program = compile_workflow(workflow, dispatcher.catalogue)
    child = Member(
        dispatcher,
        name,
        place=dispatcher.store.new_case(program, name, parent=parent.place, activation=activation),
        # A function of records, so that a start repeated after a crash is the same start.
        instance=Instance(program, key=mix_key(parent.instance.me.key, 0, activation)),
        parent=parent,
    )
    dispatcher.members[name] = child

    def apply(instance: Instance, time: int) -> Output:
        if instance.version or dispatcher.is_closing:
            return Output(instance.host)
        try:
            return instance.start(time, birth.inputs, parent.name)
        except StartRefused:
            # M4.4: a child that cannot start has failed; it has no records of its own.
            del dispatcher.members[name]
            _tell(dispatcher, parent, activation, "failed", None, None)
            return Output(instance.host)

    dispatcher.put(child, _STARTS, apply)


def _owe_stop(dispatcher: Dispatcher, parent: Member, activation: int) -> None:
    child = dispatcher.members.get(parent.child_id(activation))
    if child is None:
        return
    policy = parent.stopped[activation]
    command_id = f"{parent.name}:stop:{activation}"

    def apply(instance: Instance, time: int) -> Output:
        done = not instance.version or instance.is_closed or ("command", command_id) in instance.seen
        if done or dispatcher.is_closing:
            return Output(instance.host)
        return instance.control(time, policy, command_id, "parent")

    dispatcher.put(child, _CONTROLS, apply)


def _owe_end(dispatcher: Dispatcher, member: Member) -> None:
    if member.parent is not None and member.activation is not None:
        closed = member.instance
        _tell(dispatcher, member.parent, member.activation, closed.status, closed.outcome, closed.output)


def _tell(
    dispatcher: Dispatcher,
    parent: Member,
    activation: int,
    status: str,
    outcome: str | None,
    result: dict[str, Value] | None,
) -> None:
    """Let the parent know, if it is open; where it does not wait any more, that is recorded and ignored (M1.2)."""

    def apply(instance: Instance, time: int) -> Output:
        if activation in parent.told or instance.is_closed or dispatcher.is_closing:
            return Output(instance.host)
        return instance.child_closed(time, activation, status, outcome, result)

    dispatcher.put(parent, _RESULTS, apply)
