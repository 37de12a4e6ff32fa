"""M7.2 in the net: messages between the workflows of one net.

A place for each event and receiver holds so many messages at most; what is sent beyond is lost. Which instance and
key a message is for, its order and its time to live are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wfsim.model.uses import declared_events
from wfsim.model.workflow import Workflow

from .changes import Change, combinations
from .place_names import Tokens
from .views import WorkflowView


@dataclass(frozen=True)
class PostOffice:
    """The messages of a net.

    Attributes
    ----------
    places
        For each receiver and event that some workflow of the net sends it, the place of messages and that of room.
    capacity
        Messages that a place holds.
    """

    places: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    starts: dict[str, list[str]] = field(default_factory=dict)
    capacity: int = 1

    def post(self, sent: tuple[tuple[str, str], ...]) -> list[Change]:
        """What becomes of messages: each lies in its place, or finds that full and is lost."""
        parts = []
        for event, workflow in sent:
            if event in self.places.get(workflow, {}):
                message, room = self.places[workflow][event]
                full = {message: self.capacity}
                parts.append([Change({room: 1}, {message: 1}), Change(full, full)])
        return combinations(parts, 2 ** len(parts)) or [Change()]

    def sent_to(self, view: WorkflowView) -> dict[str, tuple[str, str]]:
        """Events that others send to this workflow, with their places; none for a child."""
        return {} if "/" in view.prefix.rstrip("/") else self.places.get(view.workflow.name, {})

    def starting(self, view: WorkflowView) -> list[str]:
        """Places of messages that start this workflow (M7.3); without any, it starts by itself."""
        return [self.places[view.workflow.name][event][0] for event in self.starts.get(view.workflow.name, [])]

    @property
    def rooms(self) -> Tokens:
        """Room for messages, all of it free."""
        return {room: self.capacity for events in self.places.values() for _, room in events.values()}


def post_office(workflows: Iterable[Workflow], capacity: int) -> PostOffice:
    """The messages that these workflows send each other."""
    members = {workflow.name: workflow for workflow in workflows}
    office = PostOffice(capacity=capacity)
    for workflow in members.values():
        for message in (each.sends for each in workflow.operations()):
            to = None if message is None else message.addressed
            if message is None or to not in members or message.event not in declared_events(members[to]):
                continue
            events = office.places.setdefault(to, {})
            name = f"{message.event} to {to}"
            if message.event not in events and declared_events(members[to])[message.event].starts:
                office.starts.setdefault(to, []).append(message.event)
            events.setdefault(message.event, (f"message {name}", f"room for {name}"))
    return office
