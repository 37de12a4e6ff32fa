"""What the members of a family owe each other: a child's start, its being stopped, the telling of its end (M4.4).

Each of these is owed by a record, under an id that is a function of it, and done when another record says so. After a
crash everything owed is therefore found again in the store, and doing it twice does it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wfsim.errors import StartRefused
from wfsim.semantics.codes import (
    R_CHILD_STARTED,
    R_CHILD_STOP_REQUESTED,
    R_INSTANCE_CLOSED,
    R_MESSAGE_SENT,
    R_STARTED,
    R_STATUS_CHANGED,
)
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.draws import mix_key
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output

from .entries import CONTROLS, EVENTS, RESULTS, STARTS
from .exchange import sends
from .implementations import driven_with
from .member import Driver, Member, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.history.store import Store, StoredCase
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.post import Handling, Letter

    from .exchange import Exchange


class FamilyDriver(Driver, Protocol):
    """A dispatcher, as the rules of families need it."""

    exchange: Exchange

    def needs(self, workflows: Iterable[Workflow]) -> None:
        """Raise `StartRefused` if a function of theirs is missing."""
        ...

    def catalogue_of(self, member: Member) -> Catalogue:
        """Where the workflows that a member runs are found."""
        ...


def follow(dispatcher: FamilyDriver, member: Member, output: Output) -> None:
    """Queue what the records of an append owe."""
    exchange = dispatcher.exchange
    for record in output.records:
        if record.kind == R_CHILD_STARTED:
            _owe_start(dispatcher, member, record.activation)
        elif record.kind == R_CHILD_STOP_REQUESTED:
            _owe_stop(dispatcher, member, record.activation)
        elif record.kind == R_INSTANCE_CLOSED:
            exchange.closes(member.name)
            _owe_end(dispatcher, member)
        elif record.kind == R_STARTED:
            exchange.drives(member)
        elif record.kind == R_STATUS_CHANGED and not member.instance.is_closed:
            exchange.opens_again(member)
        elif record.kind == R_MESSAGE_SENT and record.message in member.sent:
            exchange.send(member, *member.sent[record.message])
    exchange.turned_away(member, output)


def take_up(dispatcher: FamilyDriver, member: Member) -> None:
    """Queue what a member still owes by all its records."""
    for activation in member.started:
        if activation not in member.told:
            _owe_start(dispatcher, member, activation)
    for activation in member.stopped:
        _owe_stop(dispatcher, member, activation)
    if member.instance.is_closed:
        _owe_end(dispatcher, member)
    dispatcher.exchange.settle(member)


def load_family(dispatcher: FamilyDriver, place: StoredCase) -> list[Member]:
    """The members of a stored family that have anything left to do, parents before children.

    With it go the instances that its messages have started, and theirs. Left out are closed instances that started
    nothing, send nothing, and whose parents know of their end.

    Raises
    ------
    ReplayError
        If one does not replay.
    """
    found: list[Member] = []
    _load_into(found, dispatcher, place, None)
    return found


def root_of(store: Store, place: StoredCase) -> StoredCase:
    """The case at the top of a case's family; what a message has started belongs to its sender's."""
    while (above := store.parent(place) or _origin(store, place)) is not None:
        place = above
    return place


def _origin(store: Store, place: StoredCase) -> StoredCase | None:
    """The sender of the message that started an instance, told by the instance's id."""
    sender, _, number = (place.external_id or "").rpartition(":m")
    return store.find(sender) if sender and number.isdigit() else None


def load_member(dispatcher: Driver, place: StoredCase, parent: Member | None) -> Member:
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


def _load_into(found: list[Member], dispatcher: FamilyDriver, place: StoredCase, parent: Member | None) -> None:
    store = dispatcher.store
    inner = store.children(place)
    assert place.external_id is not None
    is_known = parent is not None and place.parent_activation in parent.told
    if is_known and not inner and not sends(store.program(place)):
        return
    member = load_member(dispatcher, place, parent)
    found.append(member)
    for each in inner:
        _load_into(found, dispatcher, each, member)
    for letter, _ in member.sent.values():
        begun = store.find(letter.id)
        if begun is not None:
            _load_into(found, dispatcher, begun, None)


def _owe_start(dispatcher: FamilyDriver, parent: Member, activation: int) -> None:
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
    catalogue = dispatcher.catalogue_of(parent)
    program = compile_workflow(catalogue.get(birth.workflow, birth.version), catalogue)
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
            dispatcher.exchange.opens(name, program, birth.inputs, parent.name)
            return instance.start(time, birth.inputs, parent.name)
        except StartRefused:
            # M4.4: a child that cannot start has failed; it has no records of its own.
            del dispatcher.members[name]
            _tell(dispatcher, parent, activation, "failed", None, None)
            return Output(instance.host)

    dispatcher.put(child, STARTS, apply)


def _owe_stop(dispatcher: FamilyDriver, parent: Member, activation: int) -> None:
    child = dispatcher.members.get(parent.child_id(activation))
    if child is None:
        return
    policy = parent.stopped[activation]
    command_id = f"{parent.name}:stop:{activation}"

    def apply(instance: Instance, time: int) -> Output:
        done = not instance.version or instance.is_closed or command_id in instance.commands_seen
        if done or dispatcher.is_closing:
            return Output(instance.host)
        return instance.control(time, policy, command_id, "parent")

    dispatcher.put(child, CONTROLS, apply)


def _owe_end(dispatcher: FamilyDriver, member: Member) -> None:
    if member.parent is not None and member.activation is not None:
        closed = member.instance
        _tell(dispatcher, member.parent, member.activation, closed.status, closed.outcome, closed.output)


def _tell(
    dispatcher: FamilyDriver,
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

    dispatcher.put(parent, RESULTS, apply)


def start_by(dispatcher: FamilyDriver, sender: Member, letter: Letter, handling: Handling) -> None:
    """Start an instance for a message, and give it the message; its id is the message's, so doing it twice is harmless.

    It is an instance of its own, without a parent, driven with its sender.
    """
    name = letter.id
    if name in dispatcher.members:
        return
    workflow, catalogue = dispatcher.exchange.workflow(handling.workflow)
    family = catalogue.family(workflow)
    try:
        dispatcher.needs(driven_with(workflow, family))
    except StartRefused as refusal:
        dispatcher.exchange.send_back(sender, letter.number, str(refusal))
        return
    program = compile_workflow(workflow, family)
    member = Member(
        dispatcher,
        name,
        place=dispatcher.store.new_case(program, name),
        instance=Instance(program, key=mix_key(sender.instance.me.key, 1, letter.number)),
    )
    dispatcher.members[name] = member

    def apply(instance: Instance, time: int) -> Output:
        if instance.version or dispatcher.is_closing:
            return Output(instance.host)
        try:
            dispatcher.exchange.opens(name, program, handling.inputs, None)
            return instance.start(time, handling.inputs)
        except StartRefused:
            # Another one has taken the key meanwhile; the message is for that one.
            del dispatcher.members[name]
            dispatcher.exchange.send(sender, letter, time)
            return Output(instance.host)

    def deliver(instance: Instance, time: int) -> Output:
        if not instance.version or letter.id in instance.events_seen or dispatcher.is_closing:
            return Output(instance.host)
        return instance.event(time, letter.event, letter.payload, letter.id, letter.sender)

    dispatcher.put(member, STARTS, apply)
    dispatcher.put(member, EVENTS, deliver)
