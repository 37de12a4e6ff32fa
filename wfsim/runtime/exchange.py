"""Messages between the instances that this process drives in one store (M7.2, M7.3).

What is to be done with a message says the post office; here it is done. A message is owed by the record of its sender,
and settled by the record of its arrival or of its return, so after a crash it is found again like everything owed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wfsim.errors import StartRefused
from wfsim.model.catalogue import Catalogue
from wfsim.semantics.codes import SEND
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import ActionRow
from wfsim.semantics.post import Letter, PostOffice, turned_away
from wfsim.semantics.stimulus import checked_inputs, correlation_key

from .entries import EVENTS

if TYPE_CHECKING:
    from concurrent.futures import Future

    from wfsim.history.store import Store
    from wfsim.model.values import Value
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance
    from wfsim.semantics.program import Program

    from .member import Member


def sends(program: Program) -> bool:
    """Whether its instances send messages."""
    return any(isinstance(row, ActionRow) and row.action == SEND for row in program.rows)


class Exchange:
    """Hands messages from member to member, of whatever family, and knows which keys are taken.

    Parameters
    ----------
    store
        Where all these instances are kept. Only from the first message or key on it is asked who is open.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.RLock()
        self._driven: dict[str, Member] = {}
        self._parked: dict[str, dict[str, Letter]] = {}
        self._expired: set[str] = set()
        self._known = _Known()
        self._office: PostOffice | None = None

    # --- who is there ----------------------------------------------------------------------------

    def knows(self, catalogue: Catalogue) -> None:
        """Messages may be sent to these workflows, and start them."""
        with self._turn:
            self._known.add(catalogue)

    def workflow(self, name: str) -> tuple[Workflow, Catalogue]:
        """The newest known version of a workflow, and the catalogue it is from."""
        with self._turn:
            return self._known.workflows[name]

    def opens(self, name: str, program: Program, inputs: Mapping[str, Value], parent: str | None) -> None:
        """An instance is about to start: its key is taken from now on.

        Raises
        ------
        StartRefused
            If another open instance of its workflow in this store has that key (M7.2), or the inputs are wrong.
        """
        key = correlation_key(program, checked_inputs(program, inputs))
        with self._turn:
            if key is not None or self._office is not None:
                kept = self._post().opened(name, program.workflow.name, key, parent)
                self._parked.setdefault(name, {}).update((letter.id, letter) for letter in kept)

    def opens_again(self, member: Member) -> None:
        """A closed instance was retried; if its key has been taken meanwhile, nobody finds it by that."""
        instance = member.instance
        parent = None if member.parent is None else member.parent.name
        with self._turn:
            if self._office is None:
                return
            workflow = instance.program.workflow.name
            try:
                kept = self._office.opened(member.name, workflow, instance.correlation_key, parent)
            except StartRefused:
                kept = self._office.opened(member.name, workflow, None, parent)
        for letter in kept:
            self._deliver(member, letter)

    def drives(self, member: Member) -> None:
        """A member is driven here from now on: what has been waiting for it is delivered."""
        with self._turn:
            self._driven[member.name] = member
            waiting = self._parked.pop(member.name, {})
        for letter in waiting.values():
            self._deliver(member, letter)

    def leaves(self, name: str) -> None:
        """An instance is not driven here any more; it may still be open in the store."""
        with self._turn:
            self._driven.pop(name, None)

    def closes(self, name: str) -> None:
        """An instance has closed, or did not start after all: its key is free, and nothing reaches it any more."""
        with self._turn:
            if self._office is not None:
                self._office.closed(name)

    # --- letters ---------------------------------------------------------------------------------

    def send(self, sender: Member, letter: Letter, now: int) -> None:
        """Do what is to be done with a letter; in the thread of its sender."""
        if letter.to == "parent" and letter.key is None and sender.parent is not None:
            # The post office forgets the parents of those that have closed, and this one may have.
            letter = replace(letter, to=sender.parent.name)
        with self._turn:
            handling = self._post().send(letter, now, sender.program.workflow)
            receiver = self._driven.get(handling.receiver)
            if handling.what == "deliver" and receiver is None:
                # It is open, but nobody drives it here; it waits for its `reopen`.
                self._parked.setdefault(handling.receiver, {})[letter.id] = letter
                return
        if handling.what == "deliver" and receiver is not None:
            self._deliver(receiver, letter)
        elif handling.what == "keep":
            sender.dispatcher.remind(sender, letter, handling.until)
        elif handling.what == "start":
            sender.dispatcher.start_by(sender, letter, handling)
        else:
            self.send_back(sender, letter.number, handling.reason)

    def send_back(self, sender: Member, number: int, reason: str) -> None:
        """Let the sender know, if it is open, that a letter of its could not be delivered."""

        def apply(instance: Instance, time: int) -> Output:
            if number in sender.returned or instance.is_closed or sender.dispatcher.is_closing:
                return Output(instance.host)
            return instance.message_returned(time, number, reason)

        sender.put(EVENTS, apply)

    def turned_away(self, receiver: Member, output: Output) -> None:
        """What a step of a receiver has turned away for good goes back."""
        for identity, reason in turned_away(receiver.instance.texts, output).items():
            name, _, number = identity.rpartition(":m")
            with self._turn:
                sender = self._driven.get(name)
            if sender is not None and number.isdigit() and int(number) in sender.sent:
                self.send_back(sender, int(number), reason)

    def expire(self, letter: Letter, until: int) -> bool:
        """Whether nobody has come for a letter by the end of its time to live; it is kept no longer."""
        with self._turn:
            self._expired.update(each.id for each in self._post().overdue(until))
            is_over = letter.id in self._expired
            self._expired.discard(letter.id)
        return is_over

    def settle(self, sender: Member) -> None:
        """Send what a member has sent and nobody has got, and send back what was turned away."""
        open_letters = {
            each.id: (each, time) for each, time in sender.sent.values() if each.number not in sender.returned
        }
        if not open_letters:
            return
        found = self._store.fates(open_letters)
        for identity, (letter, time) in open_letters.items():
            reason = found.get(identity)
            if identity not in found:
                self.send(sender, letter, time)
            elif reason is not None:
                self.send_back(sender, letter.number, reason)

    def _deliver(self, receiver: Member, letter: Letter) -> None:
        def apply(instance: Instance, time: int) -> Output:
            if letter.id in instance.events_seen:
                return Output(instance.host)
            if receiver.dispatcher.is_closing:
                park()
                return Output(instance.host)
            if instance.is_closed:
                with self._turn:
                    sender = self._driven.get(letter.sender)
                if sender is not None:
                    self.send_back(sender, letter.number, "closed")
                return Output(instance.host)
            return instance.event(time, letter.event, letter.payload, letter.id, letter.sender)

        def park(done: Future[object] | None = None) -> None:
            if done is None or done.exception() is not None:
                with self._turn:
                    self._parked.setdefault(receiver.name, {})[letter.id] = letter

        receiver.put(EVENTS, apply).add_done_callback(park)

    def _post(self) -> PostOffice:
        if self._office is None:
            self._office = PostOffice(self._known, lambda name: self._store.find(name) is not None)
            for one in self._store.open_cases():
                self._office.opened(one.name, one.workflow, one.key, one.parent)
        return self._office


class _Known(Mapping[str, "Program"]):
    """The newest version of each workflow heard of, compiled when it is first asked for."""

    def __init__(self) -> None:
        self.workflows: dict[str, tuple[Workflow, Catalogue]] = {}
        self._programs: dict[str, Program] = {}

    def add(self, catalogue: Catalogue) -> None:
        for workflow in catalogue:
            known = self.workflows.get(workflow.name)
            if known is None or Catalogue([known[0], workflow]).get(workflow.name) is not known[0]:
                self.workflows[workflow.name] = (workflow, catalogue)
                self._programs.pop(workflow.name, None)

    def __getitem__(self, name: str) -> Program:
        if name not in self._programs:
            self._programs[name] = compile_workflow(self.workflows[name][0])
        return self._programs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.workflows)

    def __len__(self) -> int:
        return len(self.workflows)
