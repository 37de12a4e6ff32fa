"""One instance of a family: what the dispatcher knows of it, and what handles may see and ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from wfsim.errors import HistoryError
from wfsim.semantics.codes import (
    KEY_VALUE,
    R_ACTIVITY_SCHEDULED,
    R_CHILD_CLOSED,
    R_CHILD_STARTED,
    R_CHILD_STOP_REQUESTED,
    R_MESSAGE_RETURNED,
    R_MESSAGE_SENT,
)
from wfsim.semantics.post import Letter

from .view import View, view_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from wfsim.errors import ConflictError
    from wfsim.history.store import Store, StoredCase
    from wfsim.model.values import Value
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.post import Handling
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Record

    from .clock import Clock
    from .executor import Key

Apply: TypeAlias = "Callable[[Instance, int], Output]"
Answer: TypeAlias = "Callable[[Instance, Output], object]"


class Driver(Protocol):
    """What a member, and those who hold it, ask of the dispatcher that drives it."""

    clock: Clock
    store: Store
    members: dict[str, Member]
    news: threading.Condition
    changes: int
    stopped: str | None
    thread: threading.Thread

    @property
    def is_closing(self) -> bool:
        """Whether nothing is started any more."""
        ...

    def put(self, member: Member, order: int, apply: Apply, answer: Answer | None = None) -> Future[Any]:
        """Queue a stimulus; the future gives `answer(instance, output)` once it is stored."""
        ...

    def ask(self, member: Member, question: Callable[[Instance], Any]) -> Any:
        """What the question says of the instance between two steps."""
        ...

    def watch(self, watcher: Callable[[], bool]) -> None:
        """Call it now and after every append of the family, until it returns true."""
        ...

    def details(self, member: Member) -> dict[Key, Any]:
        """What running attempts said last."""
        ...

    def raise_if_stopped(self, name: str) -> None:
        """Raise `RunStopped` if nothing is dispatched any more."""
        ...

    def remind(self, sender: Member, letter: Letter, until: int) -> None:
        """Look again at a kept letter when its time to live is over."""
        ...

    def start_by(self, sender: Member, letter: Letter, handling: Handling) -> None:
        """Start the instance that a letter starts."""
        ...

    def close(self, timeout: float) -> list[str]:
        """End the threads; returns activities that did not end in time."""
        ...

    def abandon(self) -> None:
        """Let go without waiting."""
        ...


@dataclass(frozen=True, slots=True)
class Birth:
    """What a `child_started` record says: which workflow in which version, with which inputs."""

    workflow: str
    version: str | None
    inputs: Mapping[str, Value]


class Member:
    """An instance that a dispatcher drives.

    Parameters
    ----------
    name
        Its id; of a child `<parent>/<activation>` (M4.4).
    instance
        Fresh, or rebuilt by replay from `records`.
    parent, activation
        Of a child: who started it, and by which activation.

    Attributes
    ----------
    view
        The instance as it stood after the last append.
    inputs
        Inputs of activities by serial: retries are scheduled without repeating them.
    started, stopped, told
        What its records say of its children, by activation: each that it started, the policy of each that it asked
        to stop, and those whose end it has been told.
    sent, returned
        What its records say of its messages, by number: each that it sent to others, with the time, and those that
        came back.
    taking, taken, launched
        Attempts that are about to start, that have started by the records, and that run here.
    """

    def __init__(
        self,
        dispatcher: Driver,
        name: str,
        *,
        place: StoredCase,
        instance: Instance,
        records: Iterable[Record] = (),
        parent: Member | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.name = name
        self.place = place
        self.parent = parent
        self.activation = place.parent_activation
        self.taking: set[Key] = set()
        self.taken: set[Key] = set()
        self.launched: set[Key] = set()
        self._become(instance, records)

    def _become(self, instance: Instance, records: Iterable[Record]) -> None:
        self.instance = instance
        self.view: View = view_of(instance)
        self.inputs: dict[int, Mapping[str, Value]] = {}
        self.started: dict[int, Birth] = {}
        self.stopped: dict[int, str] = {}
        self.told: set[int] = set()
        self.sent: dict[int, tuple[Letter, int]] = {}
        self.returned: set[int] = set()
        for record in records:
            given = record.payload.get("input", {})
            if record.kind == "activity_scheduled" and record.activity_id is not None:
                # Later attempts do not repeat the inputs of the first.
                if given or record.activity_id not in self.inputs:
                    self.inputs[record.activity_id] = given
            elif record.kind == "child_started":
                birth = Birth(record.payload["workflow"], record.payload.get("version"), given)
                self.started[record.payload["activation"]] = birth
            elif record.kind == "child_stop_requested":
                self.stopped[record.payload["activation"]] = record.payload["policy"]
            elif record.kind == "child_closed":
                self.told.add(record.payload["activation"])
            elif record.kind == "message_sent":
                told = record.payload
                self._note_sent(
                    told["message_id"], told["to"], told.get("key"), record.event, told.get("payload", {}), record.time
                )
            elif record.kind == "message_returned":
                self.returned.add(record.payload["message_id"])

    def _note_sent(
        self, number: int, to: str, key: Value, event: str | None, payload: Mapping[str, Value], time: int
    ) -> None:
        # What is sent to oneself has arrived in the step that sent it.
        if to != "self" or key is not None:
            self.sent[number] = (Letter(self.name, number, to, key, event or "", payload), time)

    @property
    def program(self) -> Program:
        """What it runs."""
        return self.instance.program

    def child_id(self, activation: int) -> str:
        """What the child that an activation starts is called (M4.4)."""
        return f"{self.name}/{activation}"

    # --- in the dispatcher's thread --------------------------------------------------------------

    def remember(self, output: Output) -> None:
        """Take in the records of an append."""
        texts = self.instance.texts
        for record in output.records:
            if record.kind in (R_ACTIVITY_SCHEDULED, R_CHILD_STARTED):
                given = {
                    texts.text(value.name) or "": texts.decode(value.tag, value.whole, value.real)
                    for value in output.values
                    if value.seq == record.seq
                }
                if record.kind == R_ACTIVITY_SCHEDULED:
                    self.inputs[record.activity_id] = given
                else:
                    self.started[record.activation] = Birth(
                        texts.text(record.source) or "", texts.text(record.reason), given
                    )
            elif record.kind == R_CHILD_STOP_REQUESTED:
                self.stopped[record.activation] = texts.text(record.reason) or ""
            elif record.kind == R_CHILD_CLOSED:
                self.told.add(record.activation)
            elif record.kind == R_MESSAGE_SENT:
                key: Value = None
                payload: dict[str, Value] = {}
                for value in output.values:
                    if value.seq == record.seq:
                        decoded = texts.decode(value.tag, value.whole, value.real)
                        if value.name == KEY_VALUE:
                            key = decoded
                        else:
                            payload[texts.text(value.name) or ""] = decoded
                to, event = texts.text(record.source) or "", self.program.name(record.event)
                self._note_sent(record.message, to, key, event, payload, record.time)
            elif record.kind == R_MESSAGE_RETURNED:
                self.returned.add(record.message)
        self.view = view_of(self.instance)

    def reload(self, store: Store, conflict: ConflictError) -> None:
        """Rebuild the instance: somebody else has stepped it."""
        instance, records = load(store, self.name)
        if instance.version != conflict.stored:
            raise HistoryError(
                f"{self.name!r} has {instance.version} records in the store, which says it has "
                f"{conflict.stored}. The store is damaged; restore it from a copy."
            )
        place = store.find(self.name)
        assert place is not None
        self.place = place
        self._become(instance, records)

    # --- for its handles, from any thread --------------------------------------------------------

    @property
    def clock(self) -> Clock:
        """The clock of the family."""
        return self.dispatcher.clock

    @property
    def news(self) -> threading.Condition:
        """Notified after every append of the family."""
        return self.dispatcher.news

    @property
    def changes(self) -> int:
        """How many appends the family has seen here."""
        return self.dispatcher.changes

    def watch(self, watcher: Callable[[], bool]) -> None:
        """Call it now and after every append of the family, until it returns true."""
        self.dispatcher.watch(watcher)

    def put(self, order: int, apply: Apply, answer: Answer | None = None) -> Future[Any]:
        """Queue a stimulus; the future gives `answer(instance, output)` once it is stored."""
        return self.dispatcher.put(self, order, apply, answer)

    def ask(self, question: Callable[[Instance], Any]) -> Any:
        """What the question says of the instance between two steps; it must not change it."""
        return self.dispatcher.ask(self, question)

    def raise_if_stopped(self) -> None:
        """Raise `RunStopped` if nothing is dispatched any more."""
        self.dispatcher.raise_if_stopped(self.name)

    @property
    def is_idle(self) -> bool:
        """Whether nobody works on it or on its children, and no event waits."""
        view = self.view
        if view.is_closed:
            return True
        if view.activities or view.waiting or view.flights:
            return False
        inner = [self.dispatcher.members.get(self.child_id(child.activation)) for child in view.children]
        # One that is about to start, or whose end is about to be told, is still moving.
        return all(
            each is not None and each.view.version and not each.view.is_closed and each.is_idle for each in inner
        )


def load(store: Store, name: str) -> tuple[Instance, list[Record]]:
    """The instance as the store has it, by replay from its last snapshot, and all its records."""
    case = store.case(name)
    return case.replay(), case.records()
