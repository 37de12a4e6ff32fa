"""Witnesses: steps that show what a search has found, told for a reader and able to replay."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from wfsim.errors import visible
from wfsim.markup import escaped, html_table

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


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        told = [step.action for step in self.steps]
        shown = told if len(told) <= 5 else [*told[:2], "…", *told[-2:]]
        steps = f"{len(told)} step{'' if len(told) == 1 else 's'}"
        return visible(f"<{type(self).__name__} of {steps}: {' → '.join(shown)}>")

    def _repr_html_(self) -> str:
        first, n, last = self.excerpt()
        rows = [(f"{number}", step.action, facts(step.after)) for number, step in first + last]
        if n:
            rows.insert(len(first), ("", left_out(n), ""))
        return f"<p>{escaped(repr(self).split(':', 1)[0].strip('<>'))}</p>" + html_table(
            ("", "what happens", "then"), rows, numbers={0}
        )

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


def facts(told: Mapping[str, Any]) -> str:
    """Names with their values in one line."""
    return ", ".join(f"{name}: {_shown(value)}" for name, value in told.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
