"""A net with its markings as it was written down, checked: all of a Petri net but its firing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

from wfsim.errors import NetError, UnknownNode
from wfsim.net._checks import check_names, checked_count, checked_tokens, plural
from wfsim.net.arcs import Arc, ArcKind, ArcLike
from wfsim.net.firing import FiringRule, compile_rules
from wfsim.net.marking import Marking, PlaceIndex, nearest
from wfsim.net.units import NestedUnits, check_units

MarkingLike = Marking | Mapping[str, int] | Sequence[int]


class MarkedNet:
    """Places, net transitions, arcs and markings; `PetriNet` fires, and says what the parameters mean."""

    __slots__ = (
        "_index",
        "_position",
        "arcs",
        "final_marking",
        "initial_marking",
        "labels",
        "name",
        "places",
        "rules",
        "sources",
        "transitions",
        "units",
    )

    name: str
    places: tuple[str, ...]
    transitions: tuple[str, ...]
    arcs: tuple[Arc, ...]
    initial_marking: Marking
    final_marking: Marking | None
    labels: Mapping[str, str]
    sources: Mapping[str, str]
    units: NestedUnits | None
    rules: tuple[FiringRule, ...]
    _index: PlaceIndex
    _position: Mapping[str, int]

    def __init__(
        self,
        name: str,
        places: Iterable[str],
        transitions: Iterable[str],
        arcs: Iterable[ArcLike],
        initial_marking: MarkingLike,
        final_marking: MarkingLike | None = None,
        labels: Mapping[str, str] | None = None,
        sources: Mapping[str, str] | None = None,
        units: NestedUnits | None = None,
    ) -> None:
        def put(attribute: str, value: object) -> None:
            object.__setattr__(self, attribute, value)

        if not isinstance(name, str) or not name.strip():
            raise NetError(f"a net needs a name of at least one sign, not {name!r}.")
        put("name", name.strip())
        put("places", tuple(places))
        put("transitions", tuple(transitions))
        check_names(self.name, self.places, self.transitions)
        put("_index", PlaceIndex(self.places))
        put("_position", MappingProxyType({t: i for i, t in enumerate(self.transitions)}))
        put("arcs", tuple(self._checked_arc(arc) for arc in arcs))
        self._check_duplicate_arcs()
        put("initial_marking", self._bounded(self.marking(initial_marking)))
        put("final_marking", None if final_marking is None else self._bounded(self.marking(final_marking)))
        # A label that repeats the name, or is blank, says nothing, and PNML could not tell it from none.
        put("labels", self._annotation("labels", labels, drop_names=True))
        put("sources", self._annotation("sources", sources, drop_names=False))
        check_units(self.name, units, self.places)
        put("units", units)
        put("rules", self._compiled())

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        raise AttributeError(f"a PetriNet is immutable: cannot set {attribute!r}. Build a new net.")

    def __delattr__(self, attribute: str) -> NoReturn:
        raise AttributeError(f"a PetriNet is immutable: cannot delete {attribute!r}. Build a new net.")

    # --- construction -------------------------------------------------------------------------------------

    def _checked_arc(self, given: ArcLike) -> Arc:
        if isinstance(given, Arc):
            arc = given
        elif isinstance(given, tuple | list) and 2 <= len(given) <= 4:
            arc = Arc(*given)
        else:
            raise NetError(
                f"net {self.name!r}: {given!r} is not an arc. Write (source, target[, weight[, kind]]) or Arc(...)."
            )
        what = f"net {self.name!r}: arc {arc.source!r} -> {arc.target!r}"
        for end, node in (("starts", arc.source), ("ends", arc.target)):
            if node not in self:
                raise NetError(
                    f"{what} {end} at {node!r}, which is neither a place nor a transition.\n"
                    + nearest(node, (*self.places, *self.transitions), "Nodes")
                )
        sorts = ["place" if self.is_place(node) else "transition" for node in (arc.source, arc.target)]
        if sorts[0] == sorts[1]:
            raise NetError(
                f"{what} joins two {sorts[0]}s. Arcs lead from a place to a transition or back: "
                f"put a {'transition' if sorts[0] == 'place' else 'place'} between them."
            )
        try:
            kind = ArcKind(arc.kind)
        except ValueError:
            raise NetError(
                f"{what}: {arc.kind!r} is not a kind of arc.\n{nearest(arc.kind, list(ArcKind), 'Kinds')}"
            ) from None
        if kind is not ArcKind.NORMAL and sorts[0] == "transition":
            raise NetError(f"{what} is a {kind} arc from a transition. A {kind} arc leads from a place to one.")
        weight = checked_count(arc.weight, what, "weight", 1)
        if kind is ArcKind.RESET and weight != 1:
            raise NetError(f"{what}: a reset arc has weight 1, not {weight}: it empties the place in any case.")
        return Arc(arc.source, arc.target, weight, kind)

    def _check_duplicate_arcs(self) -> None:
        counts = Counter((arc.source, arc.target, arc.kind) for arc in self.arcs)
        for (source, target, kind), n in counts.items():
            if n > 1:
                raise NetError(f"net {self.name!r}: {n} {kind} arcs {source!r} -> {target!r}. Give one arc its weight.")

    def _annotation(self, what: str, given: Mapping[str, str] | None, *, drop_names: bool) -> Mapping[str, str]:
        kept: dict[str, str] = {}
        for node, text in (given or {}).items():
            self._check_known(node, f"net {self.name!r}: {what} mention {node!r}, which")
            if not isinstance(text, str):
                raise NetError(f"net {self.name!r}: {what} of {node!r} must be a text, not {text!r}.")
            if text.strip() and not (drop_names and text.strip() == node):
                kept[node] = text.strip()
        # In the order of the net, so that equal nets are written equally.
        return MappingProxyType({n: kept[n] for n in (*self.places, *self.transitions) if n in kept})

    def _bounded(self, marking: Marking) -> Marking:
        for place, count in marking.items():
            checked_count(count, f"net {self.name!r}: marking of place {place!r}", "number of tokens", 0)
        return marking

    def _compiled(self) -> tuple[FiringRule, ...]:
        def ends(kind: ArcKind, *, from_place: bool = True) -> list[tuple[int, int, int]]:
            """`(transition, place, weight)` of the arcs of a kind."""
            return [
                (self._position[a.target], self._index.of(a.source), a.weight)
                if from_place
                else (self._position[a.source], self._index.of(a.target), a.weight)
                for a in self.arcs
                if a.kind is kind and self.is_place(a.source) is from_place
            ]

        return compile_rules(
            len(self.transitions),
            consumed=ends(ArcKind.NORMAL),
            produced=ends(ArcKind.NORMAL, from_place=False),
            read=ends(ArcKind.READ),
            inhibited=ends(ArcKind.INHIBITOR),
            reset=ends(ArcKind.RESET),
        )

    # --- structure ----------------------------------------------------------------------------------------

    def __contains__(self, node: object) -> bool:
        return node in self._index.position or node in self._position

    def is_place(self, node: str) -> bool:
        """Whether `node` is the name of a place."""
        return node in self._index.position

    def place_index(self, place: str) -> int:
        """Position of a place in `places`; `UnknownNode` if there is none of that name."""
        return self._index.of(place)

    def transition_index(self, transition: str) -> int:
        """Position of a transition in `transitions`; `UnknownNode` if there is none of that name."""
        try:
            return self._position[transition]
        except KeyError:
            raise UnknownNode(
                f"{transition!r} is not a transition of net {self.name!r}.\n"
                + nearest(transition, self.transitions, "Transitions")
            ) from None

    def _check_known(self, node: str, what: str) -> None:
        if node not in self:
            raise UnknownNode(
                f"{what} is neither a place nor a transition.\n"
                + nearest(node, (*self.places, *self.transitions), "Nodes")
            )

    def preset(self, node: str, *kinds: ArcKind) -> tuple[str, ...]:
        """Nodes with an arc of the given kinds (default: normal) to `node`, in order of arcs; O(arcs)."""
        self._check_known(node, f"net {self.name!r}: {node!r}")
        wanted = kinds or (ArcKind.NORMAL,)
        return tuple(dict.fromkeys(a.source for a in self.arcs if a.target == node and a.kind in wanted))

    def postset(self, node: str, *kinds: ArcKind) -> tuple[str, ...]:
        """Nodes with an arc of the given kinds (default: normal) from `node`, in order of arcs; O(arcs)."""
        self._check_known(node, f"net {self.name!r}: {node!r}")
        wanted = kinds or (ArcKind.NORMAL,)
        return tuple(dict.fromkeys(a.target for a in self.arcs if a.source == node and a.kind in wanted))

    @property
    def arc_kinds(self) -> frozenset[ArcKind]:
        """The kinds of arc that occur; methods declare for which they are sound."""
        return frozenset(arc.kind for arc in self.arcs)

    def label(self, node: str) -> str:
        """What to show a human reader for a place or transition: its label, else its name."""
        self._check_known(node, f"net {self.name!r}: {node!r}")
        return self.labels.get(node, node)

    def source(self, node: str) -> str | None:
        """Where a place or transition comes from, as given in `sources`."""
        self._check_known(node, f"net {self.name!r}: {node!r}")
        return self.sources.get(node)

    def marking(self, given: MarkingLike) -> Marking:
        """A marking of this net from a dict of the marked places, a sequence of all, or another marking.

        Raises
        ------
        NetError
            Unknown place, negative or non-integer count, or a sequence of the wrong length.
        """
        if isinstance(given, Marking):
            if given.places == self.places:
                return Marking(self._index, given.tokens)
            given = given.to_dict()
        if isinstance(given, Mapping):
            tokens = [0] * len(self.places)
            for place, count in given.items():
                tokens[self._index.of(place)] = checked_tokens(count, place)
            return Marking(self._index, tuple(tokens))
        if isinstance(given, str) or len(given) != len(self.places):
            raise NetError(
                f"net {self.name!r} has {plural(len(self.places), 'place')}; {given!r} is no marking of it. "
                "Give {place: tokens}, or the tokens of every place in order."
            )
        return Marking(self._index, tuple(checked_tokens(count, place) for count, place in zip(given, self.places)))

    def __iter__(self) -> Iterator[str]:
        """Places, then transitions."""
        return iter((*self.places, *self.transitions))
