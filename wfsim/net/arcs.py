"""Arcs of Petri nets and their kinds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ArcKind(StrEnum):
    """What an arc does when its net transition fires."""

    NORMAL = "normal"
    """Consumes (place to transition) or produces (transition to place) `weight` tokens."""
    READ = "read"
    """Wants at least `weight` tokens in the place and leaves them there."""
    INHIBITOR = "inhibitor"
    """Wants fewer than `weight` tokens in the place."""
    RESET = "reset"
    """Empties the place, however many tokens it holds."""


@dataclass(frozen=True, slots=True)
class Arc:
    """An arc between a place and a net transition; kinds but `normal` lead from a place to a transition."""

    source: str
    target: str
    weight: int = 1
    kind: ArcKind = ArcKind.NORMAL


ArcLike = Arc | tuple[str, str] | tuple[str, str, int] | tuple[str, str, int, ArcKind | str]
