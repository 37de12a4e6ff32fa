"""Traces with their alignments: what a log and a model have in common, move by move."""

from __future__ import annotations

from dataclasses import dataclass

from .behaviour import DEVIATION


@dataclass(frozen=True)
class Move:
    """One move of an alignment.

    Attributes
    ----------
    seen
        The activity of the log, `None` if the model moves alone.
    expected
        The activity of the model, `None` if the log moves alone or the move is silent.
    transition
        The net transition, `None` if the log moves alone.
    position
        How many events of the trace come before it.
    """

    seen: str | None
    expected: str | None
    transition: str | None
    position: int

    @property
    def deviates(self) -> bool:
        """Whether log and model differ here."""
        return self.seen != self.expected


@dataclass(frozen=True)
class Variant:
    """A trace with its alignment.

    Attributes
    ----------
    activities
        Of the trace.
    cases
        How many cases have it.
    cost
        `DEVIATION` for each move of one side alone, 1 for each silent one; of an unknown one, what it costs at least.
    moves
        First first; `None` if it is unknown, as the search was stopped.
    """

    activities: tuple[str, ...]
    cases: int
    cost: int
    moves: tuple[Move, ...] | None

    @property
    def deviations(self) -> int:
        """How many moves are of one side alone; where that is unknown, at least."""
        return self.cost // DEVIATION
