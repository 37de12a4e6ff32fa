"""Markings: how many tokens lie in each place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from wfsim.errors import UnknownNode

if TYPE_CHECKING:
    from wfsim.net.firing import Tokens


class PlaceIndex:
    """The places of a net in their order, with the position of each; shared by all markings of the net."""

    __slots__ = ("names", "position")

    def __init__(self, names: Iterable[str]) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self.position: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(self.names)})

    def of(self, name: str) -> int:
        """Position of a place; `UnknownNode` with the nearest names otherwise."""
        try:
            return self.position[name]
        except KeyError:
            raise UnknownNode(f"{name!r} is not a place of the net.\n{nearest(name, self.names)}") from None


class Marking(Mapping[str, int]):
    """Tokens per place, immutable and hashable; read like a dict of every place of the net.

    Two markings are equal when they mark the same places alike; a marking also equals a plain dict that names
    at least the places with tokens. `marking.tokens` is the tuple underneath, in the order of the places.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> net = PetriNet("n", ["p", "q"], ["t"], [("p", "t"), ("t", "q")], {"p": 2})
    >>> net.initial_marking
    Marking(p: 2)
    >>> net.initial_marking["q"], net.initial_marking.support(), net.initial_marking == {"p": 2}
    (0, ('p',), True)
    """

    __slots__ = ("_index", "tokens")

    def __init__(self, index: PlaceIndex, tokens: Tokens) -> None:
        self._index = index
        self.tokens = tokens

    @property
    def places(self) -> tuple[str, ...]:
        """Every place of the net, in its order."""
        return self._index.names

    def __getitem__(self, place: str) -> int:
        return self.tokens[self._index.of(place)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index.names)

    def __len__(self) -> int:
        return len(self._index.names)

    def __contains__(self, place: object) -> bool:
        return place in self._index.position

    def support(self) -> tuple[str, ...]:
        """The places that hold at least one token, in the order of the net."""
        return tuple(name for name, count in zip(self._index.names, self.tokens) if count)

    def to_dict(self) -> dict[str, int]:
        """Tokens of the places that hold any: `{place: tokens}`."""
        return {name: count for name, count in zip(self._index.names, self.tokens) if count}

    @property
    def total(self) -> int:
        """Number of tokens in all places together."""
        return sum(self.tokens)

    def covers(self, other: Marking) -> bool:
        """Whether every place holds at least as many tokens as in `other`."""
        return covers(self.tokens, other.tokens)

    def strictly_covers(self, other: Marking) -> bool:
        """Whether this covers `other` and differs from it."""
        return self.tokens != other.tokens and self.covers(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Marking):
            return self.tokens == other.tokens and self._index.names == other._index.names
        if isinstance(other, Mapping):
            return set(self.support()) <= set(other) and all(
                self.tokens[self._index.position[name]] == count if name in self._index.position else False
                for name, count in other.items()
            )
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}: {count}" for name, count in self.to_dict().items())
        return f"Marking({inside})" if inside else "Marking(empty)"

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self._index.names, self.tokens)


def _restore(names: tuple[str, ...], tokens: Tokens) -> Marking:
    return Marking(PlaceIndex(names), tokens)


def covers(larger: Tokens, smaller: Tokens) -> bool:
    """Whether every entry of `larger` is at least that of `smaller`; both of one length."""
    return all(a >= b for a, b in zip(larger, smaller))


def nearest(name: str, candidates: Iterable[str], kind: str = "Places") -> str:
    """What to tell a reader who mistyped `name`: the candidates (at most twelve) and the nearest one."""
    known = [str(candidate) for candidate in candidates]
    shown = ", ".join(repr(c) for c in known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    guess = difflib.get_close_matches(str(name), known, n=1)
    return f"{kind}: {shown or 'none'}." + (f" Did you mean {guess[0]!r}?" if guess else "")
