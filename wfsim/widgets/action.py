"""An action: something that a person can let happen to an instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .values import Parameter

Kind = Literal["start", "event", "activity", "child", "message", "timer", "control"]
Rank = Literal["next", "later", "operator"]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person can let happen.

    Attributes
    ----------
    id
        `start`, `event:<event>`, `timer:<name>[:<activity or region>]`,
        `activity:<serial>:start|succeed|fail`, `child:<activation>:succeed|fail|tell`, `message:<number>:back`,
        `control:<command>`.
    label, kind
        What it is, in few words, and which sort.
    parameters
        Values it asks for.
    enabled, reason
        Whether it can happen now; why not, or else what it would do.
    due
        When a timer is due, in microseconds of the instance's time.
    at
        Where it can be clicked: identifiers of `wfsim.model.picture`.
    """

    id: str
    label: str
    kind: Kind
    enabled: bool
    reason: str
    parameters: tuple[Parameter, ...] = ()
    due: int | None = None
    at: tuple[str, ...] = ()

    @property
    def rank(self) -> Rank:
        """`operator` for commands, `later` for what only passing time brings, and `next` for the rest."""
        return "operator" if self.kind == "control" else "later" if self.kind == "timer" else "next"
