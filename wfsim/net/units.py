"""Nested units: places grouped by the parts of a system that they belong to, as NUPN files tell.

A unit that says it is safe never holds two tokens: of its own places and those of units inside it, at most one on each
way down the tree is marked. Who made the net from a model of processes knows this; a search would have to find it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wfsim.errors import NetError
from wfsim.net.marking import nearest


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its own places, and the units directly inside it, by name."""

    name: str
    places: tuple[str, ...] = ()
    subunits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NestedUnits:
    """The units of a net, a tree [1]_ in which each place belongs to one unit.

    Attributes
    ----------
    root
        Name of the unit that all others lie in.
    units
        All of them, in the order of the file.
    safe
        Whether whoever made the net says that it is *unit-safe*: in no reachable marking does a place hold two tokens,
        nor are two places marked of which one's unit is the other's or lies inside it. This is a claim, not a proof.

    Raises
    ------
    NetError
        If the units are no tree, or a place belongs to two of them.

    References
    ----------
    .. [1] Garavel (2019), Nested-unit Petri nets, Journal of Logical and Algebraic Methods in Programming 104, 60-85.
    """

    root: str
    units: tuple[Unit, ...]
    safe: bool = False

    def __post_init__(self) -> None:
        by_name = {unit.name: unit for unit in self.units}
        if len(by_name) < len(self.units):
            twice = next(name for name, n in Counter(unit.name for unit in self.units).items() if n > 1)
            raise NetError(f"two units are called {twice!r}. Names must differ.")
        if self.root not in by_name:
            raise NetError(f"the root unit {self.root!r} is not a unit.\n{nearest(self.root, by_name, 'Units')}")
        inside: dict[str, str] = {}
        for unit in self.units:
            for name in unit.subunits:
                if name not in by_name:
                    raise NetError(
                        f"unit {unit.name!r} holds {name!r}, which is not a unit.\n{nearest(name, by_name, 'Units')}"
                    )
                if name in inside or name == self.root:
                    other = f"unit {inside[name]!r} too" if name in inside else "it is the root"
                    raise NetError(f"unit {unit.name!r} holds {name!r}, but {other}: units are a tree.")
                inside[name] = unit.name
        reached = {unit.name for way in self.ways() for unit in way}
        lost = [unit.name for unit in self.units if unit.name not in reached]
        if lost:
            raise NetError(f"unit {lost[0]!r} does not lie in the root unit {self.root!r}: units are a tree.")
        for place, n in Counter(place for unit in self.units for place in unit.places).items():
            if n > 1:
                raise NetError(f"place {place!r} belongs to {n} units. It can belong to one.")

    @property
    def places(self) -> tuple[str, ...]:
        """The places of all units."""
        return tuple(place for unit in self.units for place in unit.places)

    def ways(self) -> Iterator[tuple[Unit, ...]]:
        """Each way from the root down to a unit without subunits."""
        by_name = {unit.name: unit for unit in self.units}
        todo: list[tuple[Unit, ...]] = [(by_name[self.root],)]
        while todo:
            way = todo.pop()
            if not way[-1].subunits:
                yield way
            todo += [(*way, by_name[name]) for name in reversed(way[-1].subunits)]

    def exclusive(self) -> Iterator[tuple[str, ...]]:
        """Sets of places that hold at most one token together if the net is unit-safe; these say all of it."""
        for way in self.ways():
            places = tuple(place for unit in way for place in unit.places)
            if places:
                yield places

    def without_claim(self) -> NestedUnits:
        """The same tree, with nothing said about safety."""
        return NestedUnits(self.root, self.units)

    def to_dict(self) -> dict[str, Any]:
        """The units as JSON-able data; `from_dict` gives them back."""
        return {
            "root": self.root,
            "safe": self.safe,
            "units": [[unit.name, list(unit.places), list(unit.subunits)] for unit in self.units],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NestedUnits:
        """The units that `to_dict` described."""
        try:
            units = tuple(Unit(name, tuple(places), tuple(inside)) for name, places, inside in data["units"])
            return cls(data["root"], units, data["safe"])
        except (KeyError, TypeError, ValueError):
            raise NetError(
                "units are described as {'root': name, 'safe': true or false, "
                f"'units': [[name, [places], [subunits]]]}}, not as {data!r}."
            ) from None


def check_units(net: str, units: NestedUnits | None, places: Iterable[str]) -> None:
    """Refuse units that do not divide the places of a net among them."""
    if units is None:
        return
    known, divided = dict.fromkeys(places), dict.fromkeys(units.places)
    for place in divided:
        if place not in known:
            raise NetError(
                f"net {net!r}: a unit holds {place!r}, which is not a place.\n{nearest(place, known, 'Places')}"
            )
    for place in known:
        if place not in divided:
            raise NetError(f"net {net!r}: place {place!r} belongs to no unit. Each place belongs to one.")
