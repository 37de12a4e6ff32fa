"""What a net transition does to a marking, and the ways in which several such things go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .place_names import Tokens, total

NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """What a net transition does to a marking, or a part of that.

    Attributes
    ----------
    takes, gives
        Tokens consumed and produced.
    empties
        Places emptied by reset arcs.
    without
        Places that must hold no token: inhibitor arcs.
    """

    takes: Tokens = field(default_factory=dict)
    gives: Tokens = field(default_factory=dict)
    empties: frozenset[str] = NOWHERE
    without: frozenset[str] = NOWHERE

    def __and__(self, other: Change) -> Change:
        """Both at once."""
        return Change(
            total(self.takes, other.takes),
            total(self.gives, other.gives),
            self.empties | other.empties,
            self.without | other.without,
        )

    def giving(self, *tokens: Tokens) -> Change:
        """The same, and these tokens are produced."""
        return replace(self, gives=total(self.gives, *tokens))


NOTHING = Change()


def take(*places: str) -> Change:
    """A token is consumed from each of these places."""
    return Change(total(*({place: 1} for place in places)))


def read(*places: str) -> Change:
    """A token must lie in each of these places, and stays there."""
    tokens = total(*({place: 1} for place in places))
    return Change(tokens, tokens)


@dataclass(frozen=True)
class Move:
    """A net transition to be: a change with its label and the element of the workflow that it stands for.

    Attributes
    ----------
    leaves
        Whether it ends what is inside the state, whatever that is.
    """

    change: Change
    label: str
    source: str
    leaves: bool = False

    def beside(self, other: Move) -> Move:
        """Both in one net transition, which then stands for two elements."""
        return Move(
            self.change & other.change,
            f"{self.label} and {other.label}",
            f"{self.source}{BOTH}{other.source}",
            self.leaves or other.leaves,
        )

    def under(self, change: Change) -> Move:
        """The same with a further change."""
        return replace(self, change=self.change & change)


BOTH = " and "
"""Between the elements that one net transition stands for."""


def combinations(parts: Iterable[Sequence[Change] | None], limit: int) -> list[Change] | None:
    """One change of each part, in every combination; `None` if there are more than `limit`."""
    found = [NOTHING]
    for part in parts:
        if part is None or len(found) * len(part) > limit:
            return None
        found = [one & other for one in found for other in part]
    return found
