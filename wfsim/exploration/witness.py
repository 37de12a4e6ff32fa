"""Witnesses: steps that show what a search has found, told for a reader and able to replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class WitnessStep:
    """One step of a witness: what happens, particulars of it, and what holds afterwards; all JSON-able."""

    action: str
    detail: Mapping[str, Any]
    after: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON-able data."""
        return {"action": self.action, "detail": dict(self.detail), "after": dict(self.after)}


@dataclass(frozen=True)
class Witness(ABC):
    """A sequence of steps that shows a violation, told for a reader and able to replay.

    A tagged union: each form has its `kind`, a replay on the object it is about, and further fields.

    Attributes
    ----------
    reason
        What it shows: the reason of the verdict that it belongs to.
    """

    kind: ClassVar[str]

    steps: tuple[WitnessStep, ...]
    reason: str = field(default="", kw_only=True, repr=False, compare=False)

    @abstractmethod
    def replay(self) -> Sequence[Any]:
        """Run the steps anew from the start, on the net or workflow itself.

        Returns
        -------
        sequence
            The situations passed, the first included.

        Raises
        ------
        WfsimError
            If it does not replay; then the witness is wrong.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The witness as JSON-able data, with its `kind`."""

    def __len__(self) -> int:
        return len(self.steps)

    def excerpt(self) -> tuple[list[tuple[int, WitnessStep]], int, list[tuple[int, WitnessStep]]]:
        """The steps to show, with their numbers: of a long trace the first, how many are left out, and the last."""
        numbered = list(enumerate(self.steps, start=1))
        if len(numbered) <= FIRST_SHOWN + LAST_SHOWN:
            return numbered, 0, []
        return numbered[:FIRST_SHOWN], len(numbered) - FIRST_SHOWN - LAST_SHOWN, numbered[-LAST_SHOWN:]


FIRST_SHOWN, LAST_SHOWN = 150, 50
"""Steps of a longer trace that are shown; `witness.steps` has all."""


def left_out(n: int) -> str:
    """What stands for steps that are not shown."""
    return f"… {n:,} more steps, all in witness.steps …"
