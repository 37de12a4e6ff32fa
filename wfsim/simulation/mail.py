"""Messages between simulated instances: what the post office decides, carried out in simulated time (M7.2, M7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wfsim.errors import StartRefused
from wfsim.model.expression_tree import TemplateLiteral
from wfsim.semantics.codes import SEND
from wfsim.semantics.layout import ActionRow
from wfsim.semantics.post import Handling, Letter, PostOffice, turned_away
from wfsim.semantics.stimulus import checked_inputs, correlation_key

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.kernel import Output
    from wfsim.semantics.program import Program
    from wfsim.semantics.records import Effect

    from .instances import Case
    from .plans import Member


def writes(program: Program) -> bool:
    """Whether instances send messages."""
    return any(isinstance(row, ActionRow) and row.action == SEND for row in program.rows)


def writes_by_id(program: Program) -> bool:
    """Whether instances send messages to others by their ids, or may do so."""
    sent = (operation.sends for operation in program.workflow.operations())
    return any(
        each is not None
        and each.key is None
        and not (isinstance(each.receiver, TemplateLiteral) and each.receiver.value in ("self", "parent"))
        for each in sent
    )


def uses_mail(program: Program) -> bool:
    """Whether instances send messages, or are found by a key."""
    return writes(program) or program.head.key_cell >= 0


def letter_of(sender: Case, effect: Effect) -> Letter:
    """The message of an effect; one to the parent is to the instance that this is."""
    to = sender.parent_name if effect.to == "parent" and effect.key is None else None
    return Letter(
        sender.name, effect.message_id, to or effect.to or "", effect.key, effect.event or "", dict(effect.payload)
    )


class Mail:
    """The letters of one simulation, and the instances that they reach, by name.

    Parameters
    ----------
    members
        The workflows of the family; of several versions of one, the last counts for messages that start an instance.
    """

    def __init__(self, members: list[Member]) -> None:
        self.members: dict[str, Member] = {member.program.workflow.name: member for member in members}
        self._numbers: dict[str, int] = {}
        self._closed: set[str] = set()
        self._delivered: dict[str, dict[str, Letter]] = {}
        programs = {name: member.program for name, member in self.members.items()}
        self._office = PostOffice(programs, self._closed.__contains__)

    def taken(self, program: Program, inputs: Mapping[str, Any]) -> str | None:
        """Why an instance with these inputs cannot start now: an open one has its key (M7.2).

        Raises
        ------
        StartRefused
            If the inputs are wrong, or give no key.
        """
        if program.head.key_cell < 0:
            return None
        key = correlation_key(program, checked_inputs(program, inputs))
        try:
            self._office.refuse_taken(program.workflow.name, key)
        except StartRefused as refusal:
            return str(refusal)
        return None

    def opened(self, name: str, number: int, instance: Instance) -> list[Letter]:
        """An instance has started: what was kept for it, in order."""
        self._numbers[name] = number
        workflow = instance.program.workflow.name
        return self._office.opened(name, workflow, instance.correlation_key)

    def closed(self, name: str) -> None:
        """An instance has closed."""
        self._office.closed(name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._closed.add(name)
        self._numbers.pop(name, None)
        self._delivered.pop(name, None)

    def number(self, name: str) -> int:
        """Number of an open instance; 0 if there is none of that name."""
        return self._numbers.get(name, 0)

    def send(self, letter: Letter, now: int, program: Program) -> Handling:
        """What is to be done with a letter of an instance of this program, as things stand now."""
        return self._office.send(letter, now, program.workflow)

    def lost(self, name: str) -> None:
        """An instance is given up: it is gone, and its key remains taken."""
        self._office.lost(name)
        self._forget(name)

    def expires(self, letter: Letter) -> bool:
        """The time to live of a letter is over: whether nobody has come for it."""
        return self._office.expires(letter)

    def keeps(self, letter: Letter) -> bool:
        """Whether nobody has come for a letter yet."""
        return self._office.keeps(letter)

    def hand_over(self, receiver: str, letter: Letter) -> None:
        """The letter is with its receiver now; it goes back if it is turned away one day."""
        self._delivered.setdefault(receiver, {})[letter.id] = letter

    def returned(self, receiver: str, member: Member, output: Output) -> list[tuple[Letter, str]]:
        """Letters that this step of their receiver has turned away, with the reason."""
        waiting = self._delivered.get(receiver)
        if not waiting:
            return []
        back = []
        for identity, reason in turned_away(member.texts, output).items():
            letter = waiting.pop(identity, None)
            if letter is not None:
                back.append((letter, reason))
        return back
