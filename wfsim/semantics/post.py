"""The post office: where a message goes that one instance sends to another (M7.2, M7.3).

It decides and remembers; it has no clock and steps nothing. The surroundings tell it which instances open and
close, hand it what they send, and carry out what it answers: the simulator in simulated time, the runtime for real.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from wfsim.errors import CorrelationTaken, StartRefused

from .codes import R_EVENT_REJECTED, R_STIMULUS_IGNORED, T_CLOSED
from .stimulus import checked_inputs, correlation_key
from .texts import canonical

if TYPE_CHECKING:
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow

    from .kernel import Output
    from .program import Program
    from .texts import Texts


def message_id(sender: str, number: int) -> str:
    """The id of a message (M7.2): a function of records."""
    return f"{sender}:m{number}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message under way.

    Attributes
    ----------
    sender, number
        The instance that sent it, and its number there.
    to, key
        `parent`, the id of an instance, or a workflow and the key of an instance of it.
    """

    sender: str
    number: int
    to: str
    key: Value
    event: str
    payload: Mapping[str, Value] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The event id under which it arrives, and the id of an instance that it starts."""
        return message_id(self.sender, self.number)


@dataclass(frozen=True, slots=True)
class Handling:
    """What is to be done with a letter.

    Attributes
    ----------
    what
        `deliver` to `receiver`; `start` an instance of `workflow` with `inputs` under the id `receiver`, then deliver;
        `keep` until `until`, then ask `expires` or `overdue`; `send_back` with `reason`.
    """

    what: Literal["deliver", "start", "keep", "send_back"]
    letter: Letter
    receiver: str = ""
    workflow: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    until: int = 0
    reason: str = ""


_Place: TypeAlias = "tuple[str, str, Value]"
"""Where a key of a workflow leads, or with an empty name of a workflow the id of an instance."""


class _Kept(NamedTuple):
    """How many-th letter it is that is kept, until when, and which."""

    serial: int
    until: int
    letter: Letter


class PostOffice:
    """Knows the open instances of one surroundings, and keeps what cannot be delivered yet.

    Parameters
    ----------
    programs
        By name, the newest version of each workflow that a message may be sent to, or start.
    is_closed
        Whether an instance of this id has been there and is closed.

    Notes
    -----
    Order holds per sender and receiver: what is kept for an instance comes before everything later.
    Each call costs the same however many letters are kept, but `overdue`, which looks at all of them.
    """

    def __init__(self, programs: Mapping[str, Program], is_closed: Callable[[str], bool]) -> None:
        self._programs = programs
        self._is_closed = is_closed
        self._open: dict[str, _Place | None] = {}
        self._by_key: dict[_Place, str] = {}
        self._kept: dict[_Place, dict[str, _Kept]] = {}
        self._serial = 0

    def state(self) -> tuple[object, ...]:
        """All that it remembers; see `restore`."""
        return self._open, self._by_key, self._kept, self._serial

    def restore(self, state: tuple[Any, ...]) -> None:
        """Remember what another office of the same programs did."""
        self._open, self._by_key, self._kept, self._serial = state

    def opened(self, name: str, workflow: str, key: Value) -> list[Letter]:
        """An instance has started: what has been kept for it, in order.

        Raises
        ------
        StartRefused
            If another open instance of the workflow has this key; ask `refuse_taken` before the start.
        """
        if name in self._open:
            return []
        places = [("", name, None)]
        if key is not None:
            self.refuse_taken(workflow, key)
            places.append(_place(workflow, key))
            self._by_key[places[-1]] = name
        self._open[name] = None if key is None else places[-1]
        kept = [each for place in places for each in self._kept.pop(place, {}).values()]
        return [each.letter for each in sorted(kept)]

    def refuse_taken(self, workflow: str, key: Value) -> None:
        """Raise StartRefused if an open instance of the workflow has this key (M7.2)."""
        other = None if key is None else self._by_key.get(_place(workflow, key))
        if other is not None:
            raise key_taken(workflow, key, other)

    def closed(self, name: str) -> None:
        """An instance has closed: its key is free, and nothing reaches it any more."""
        place = self._open.pop(name, None)
        if place is not None:
            del self._by_key[place]

    def lost(self, name: str) -> None:
        """An instance is gone and has not closed: nothing reaches it any more, but its key remains taken."""
        self._open.pop(name, None)

    def send(self, letter: Letter, now: int, sender: Workflow) -> Handling:
        """What is to be done with a letter that was sent now, by an instance of `sender`; its step is over.

        A child's letter to its parent comes with the id of that.
        """
        if letter.key is None:
            return self._to_instance(letter, now, sender)
        receiver = self._by_key.get(_place(letter.to, letter.key))
        if receiver is not None:
            return Handling("deliver", letter, receiver)
        program = self._programs.get(letter.to)
        handling = unreceived(letter, None if program is None else program.workflow, now)
        if program is None or handling.what != "start":
            return self._kept_if_so(handling)
        try:
            return replace(handling, inputs=inputs_from(letter, program))
        except StartRefused as refusal:
            return Handling("send_back", letter, reason=str(refusal))

    def expires(self, letter: Letter) -> bool:
        """The time to live of a letter is over: whether it is kept still, and then it is not any more."""
        place = _place_of(letter)
        here = self._kept.get(place, {})
        found = here.pop(letter.id, None)
        if found is not None and not here:
            del self._kept[place]
        return found is not None

    def keeps(self, letter: Letter) -> bool:
        """Whether a letter is kept."""
        return letter.id in self._kept.get(_place_of(letter), {})

    def overdue(self, now: int) -> list[Letter]:
        """Letters whose time to live is over, to be sent back as `expired`; earliest first."""
        found = [each for here in self._kept.values() for each in here.values() if each.until <= now]
        found.sort(key=lambda each: (each.until, each.serial))
        return [each.letter for each in found if self.expires(each.letter)]

    def _to_instance(self, letter: Letter, now: int, sender: Workflow) -> Handling:
        receiver = letter.to
        if receiver == "parent":
            return Handling("send_back", letter, reason="it has no parent")
        if receiver in self._open:
            return Handling("deliver", letter, receiver)
        if self._is_closed(receiver):
            return Handling("send_back", letter, reason="closed")
        return self._kept_if_so(for_nobody(letter, sender, now))

    def _kept_if_so(self, handling: Handling) -> Handling:
        if handling.what == "keep":
            letter = handling.letter
            self._serial += 1
            self._kept.setdefault(_place_of(letter), {})[letter.id] = _Kept(self._serial, handling.until, letter)
        return handling


def unreceived(letter: Letter, workflow: Workflow | None, now: int) -> Handling:
    """What is to be done with a letter, sent now, to a key that no open instance has (M7.3).

    Parameters
    ----------
    workflow
        The newest version of the one that it is to, if that is known: its declaration of the event decides.

    Returns
    -------
    Handling
        To `start` an instance it needs `inputs_from` the letter.
    """
    if workflow is None:
        return Handling("send_back", letter, reason=f"no workflow {letter.to!r} is known here")
    event = workflow.events.get(letter.event)
    if event is None:
        return Handling("send_back", letter, reason="undeclared")
    if event.starts:
        return Handling("start", letter, letter.id, letter.to)
    return _kept(letter, now, int(event.time_to_live))


def for_nobody(letter: Letter, sender: Workflow, now: int) -> Handling:
    """What is to be done with a letter to an instance that has not been there; its sender's declaration decides."""
    event = sender.events.get(letter.event)
    return _kept(letter, now, 0 if event is None else int(event.time_to_live))


def _kept(letter: Letter, now: int, time_to_live: int) -> Handling:
    if time_to_live == 0:
        return Handling("send_back", letter, reason="no_instance")
    return Handling("keep", letter, until=now + time_to_live)


def inputs_from(letter: Letter, program: Program) -> dict[str, Value]:
    """The inputs of an instance that a letter starts: the fields of its payload that are named like them (M7.3).

    Raises
    ------
    StartRefused
        If they are none, or the instance would have another key than the letter is to.
    """
    inputs = {
        name: value
        for name, value in letter.payload.items()
        if name in program.variables and program.variables[name].input and value is not None
    }
    key = correlation_key(program, checked_inputs(program, inputs))
    if _place(letter.to, key) != _place(letter.to, letter.key):
        raise StartRefused(f"it would start an instance with the key {key!r}, not {letter.key!r}")
    return inputs


def key_taken(workflow: str, key: Value, other: str) -> CorrelationTaken:
    """The error of a start with the key of an open instance (M7.2)."""
    return CorrelationTaken(
        f"{workflow} has an open instance with the key {key!r} already: {other!r}. "
        "Send it an event, or wait until it has closed."
    )


def _place(workflow: str, key: Value) -> _Place:
    """Where a key leads; 5 and 5.0 are one key, as for `==` (M10.1), and 1 and true are two.

    Nobody has a list or an object as its key, but one may write to it.
    """
    if isinstance(key, (list, tuple, Mapping)):
        return (workflow, "json", canonical(key))
    return (workflow, "boolean" if isinstance(key, bool) else "", key)


def _place_of(letter: Letter) -> _Place:
    """Where it is kept."""
    return ("", letter.to, None) if letter.key is None else _place(letter.to, letter.key)


def turned_away(texts: Texts, output: Output) -> dict[str, str]:
    """Ids of the events that this step has turned away for good, with the reason: letters among them go back."""
    text = texts.text
    return {
        text(row.event_id) or "": text(row.reason) or ""
        for row in output.records
        if row.event_id >= 0
        and (row.kind == R_EVENT_REJECTED or (row.kind == R_STIMULUS_IGNORED and row.reason == T_CLOSED))
    }
