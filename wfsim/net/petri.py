"""Petri nets with weighted, read, inhibitor and reset arcs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, final

from wfsim.errors import NetError, UnknownNode
from wfsim.net._checks import check_names, checked_count, checked_tokens, plural
from wfsim.net.firing import FiringRule, Tokens, compile_rules, successor
from wfsim.net.marking import Marking, PlaceIndex, nearest

if TYPE_CHECKING:
    import networkx as nx


MAX_DRAWN = 300
"""Places and transitions up to which a notebook draws a net unasked."""


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
MarkingLike = Marking | Mapping[str, int] | Sequence[int]


@final
class PetriNet:
    """An immutable Petri net with an initial and perhaps a final marking.

    Parameters
    ----------
    name
        For messages and files.
    places, transitions
        Names in order; the order gives the dense indices. No name may occur twice, not even once as a place
        and once as a transition.
    arcs
        `Arc`, or `(source, target[, weight[, kind]])`. At most one arc of a kind between the same two nodes.
    initial_marking, final_marking
        Tokens per place; places left out hold none. The final marking is where the net is meant to end.
    labels
        Texts for human readers, per place or transition; the name where there is none.
    sources
        Where a node comes from, per place or transition, as an opaque text (`'state paid'`), so that a trace
        can be told in the terms of the model the net was made from.

    Raises
    ------
    NetError
        Duplicate names, arcs whose ends do not exist or are of one sort, weights outside 1 to 2**53, and the
        like. The text names the values and what is allowed.

    Notes
    -----
    A transition is enabled when all its arcs are content with the marking *before* firing: a normal arc wants
    its weight, a read arc too (of the same tokens: a normal and a read arc on one place do not add up), an
    inhibitor arc wants fewer than its weight, a reset arc wants nothing. Firing consumes, then resets, then
    produces; so a place that is reset and produced to holds what was produced.

    Examples
    --------
    >>> arcs = [("draft", "send"), ("send", "sent")]
    >>> net = PetriNet("mail", ["draft", "sent"], ["send"], arcs, {"draft": 1})
    >>> net
    PetriNet('mail', 2 places, 1 transition, 2 arcs, 1 token)
    >>> net.fire(net.initial_marking, "send")
    Marking(sent: 1)
    """

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
    )

    name: str
    places: tuple[str, ...]
    transitions: tuple[str, ...]
    arcs: tuple[Arc, ...]
    initial_marking: Marking
    final_marking: Marking | None
    labels: Mapping[str, str]
    sources: Mapping[str, str]
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

    def with_marking(
        self, initial_marking: MarkingLike, final_marking: MarkingLike | None = None, name: str | None = None
    ) -> PetriNet:
        """The same net with another initial marking; the final one stays unless given."""
        return PetriNet(
            self.name if name is None else name,
            self.places,
            self.transitions,
            self.arcs,
            initial_marking,
            self.final_marking if final_marking is None else final_marking,
            self.labels,
            self.sources,
        )

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

    # --- behaviour ----------------------------------------------------------------------------------------

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

    def is_enabled(self, marking: MarkingLike, transition: str) -> bool:
        """Whether `transition` can fire in `marking`."""
        return successor(self._tokens(marking), self.rules[self.transition_index(transition)]) is not None

    def enabled(self, marking: MarkingLike) -> tuple[str, ...]:
        """The transitions that can fire in `marking`, in the order of the net."""
        tokens = self._tokens(marking)
        return tuple(t for t, rule in zip(self.transitions, self.rules) if successor(tokens, rule) is not None)

    def fire(self, marking: MarkingLike, transition: str) -> Marking:
        """Return the marking after `transition` fires; `marking` is not changed.

        Raises
        ------
        NetError
            If the transition is not enabled; the text says which place holds how many of how many tokens.
        """
        tokens = self._tokens(marking)
        after = successor(tokens, self.rules[self.transition_index(transition)])
        if after is None:
            enabled = ", ".join(repr(t) for t in self.enabled(marking)) or "none, this is a deadlock"
            raise NetError(
                f"net {self.name!r}: transition {transition!r} is not enabled: "
                f"{'; '.join(self.why_not(marking, transition))}.\nEnabled: {enabled}."
            )
        return Marking(self._index, after)

    def fire_sequence(self, transitions: Iterable[str], marking: MarkingLike | None = None) -> list[Marking]:
        """Fire one after another from `marking` (default: initial); all markings passed, with the first."""
        passed = [self.initial_marking if marking is None else self.marking(marking)]
        for transition in transitions:
            passed.append(self.fire(passed[-1], transition))
        return passed

    def why_not(self, marking: MarkingLike, transition: str) -> tuple[str, ...]:
        """What keeps `transition` from firing, one text per place concerned; empty if it is enabled."""
        tokens = self._tokens(marking)
        rule = self.rules[self.transition_index(transition)]
        short = (
            f"place {self.places[p]!r} holds {tokens[p]} of {plural(weight, 'token')} needed"
            for p, weight in rule.needs
            if tokens[p] < weight
        )
        inhibited = (
            f"place {self.places[p]!r} holds {plural(tokens[p], 'token')}, where fewer than {weight} are wanted"
            for p, weight in rule.forbids
            if tokens[p] >= weight
        )
        return (*short, *inhibited)

    def _tokens(self, marking: MarkingLike) -> Tokens:
        if isinstance(marking, Marking) and marking.places is self.places:
            return marking.tokens
        return self.marking(marking).tokens

    # --- other forms --------------------------------------------------------------------------------------

    def to_networkx(self) -> nx.MultiDiGraph:
        """Bipartite directed graph; O(nodes + arcs).

        Nodes carry `bipartite` (0 place, 1 transition), `label`, `source`, and places `tokens` and
        `final_tokens` (None without a final marking); edges carry `weight` and `kind`. A multigraph, since a
        read and a normal arc may join the same nodes.
        """
        import networkx as nx

        graph = nx.MultiDiGraph(name=self.name)
        for place in self.places:
            graph.add_node(
                place,
                bipartite=0,
                label=self.label(place),
                source=self.source(place),
                tokens=self.initial_marking[place],
                final_tokens=None if self.final_marking is None else self.final_marking[place],
            )
        for transition in self.transitions:
            graph.add_node(transition, bipartite=1, label=self.label(transition), source=self.source(transition))
        for arc in self.arcs:
            graph.add_edge(arc.source, arc.target, weight=arc.weight, kind=str(arc.kind))
        return graph

    def to_dict(self) -> dict[str, Any]:
        """The net as JSON-able data; `PetriNet.from_dict` gives an equal net back."""
        return {
            "name": self.name,
            "places": list(self.places),
            "transitions": list(self.transitions),
            "arcs": [[a.source, a.target, a.weight, str(a.kind)] for a in self.arcs],
            "initial_marking": self.initial_marking.to_dict(),
            "final_marking": None if self.final_marking is None else self.final_marking.to_dict(),
            "labels": dict(self.labels),
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PetriNet:
        """The net that `to_dict` described; `NetError` on missing or unknown keys and on invalid nets."""
        required = ("name", "places", "transitions", "arcs", "initial_marking")
        allowed = (*required, "final_marking", "labels", "sources")
        for key in data:
            if key not in allowed:
                raise NetError(f"unknown key {key!r} in the description of a net.\n{nearest(key, allowed, 'Keys')}")
        missing = [key for key in required if key not in data]
        if missing:
            raise NetError(f"the description of a net lacks {', '.join(map(repr, missing))}.")
        # JSON has lists only; anything else is left for the arc check to complain about.
        arcs = [tuple(arc) if isinstance(arc, list) else arc for arc in data["arcs"]]
        return cls(**{**data, "arcs": arcs})

    def __iter__(self) -> Iterator[str]:
        """Places, then transitions."""
        return iter((*self.places, *self.transitions))

    def _key(self) -> tuple[object, ...]:
        final = None if self.final_marking is None else self.final_marking.tokens
        annotations = (tuple(self.labels.items()), tuple(self.sources.items()))
        return (
            self.name,
            self.places,
            self.transitions,
            self.arcs,
            self.initial_marking.tokens,
            final,
            annotations,
        )

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, PetriNet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[object, ...]:
        return PetriNet.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        kinds = Counter(str(a.kind) for a in self.arcs if a.kind is not ArcKind.NORMAL)
        special = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        counts = (
            plural(len(self.places), "place"),
            plural(len(self.transitions), "transition"),
            plural(len(self.arcs), "arc") + (f" ({special})" if special else ""),
            plural(self.initial_marking.total, "token"),
        )
        return f"PetriNet({self.name!r}, {', '.join(counts)})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: one line of text, and the picture unless the net is too large to be read."""
        size = len(self.places) + len(self.transitions)
        if size > MAX_DRAWN:
            hint = f"Not drawn: more than {MAX_DRAWN} nodes. wfsim.net.picture.picture(net) draws it."
            return {"text/plain": f"{self!r}\n{hint}"}
        from wfsim.net.picture import picture

        shown = picture(self)._repr_mimebundle_()
        if "image/svg+xml" in shown:
            shown["text/plain"] = repr(self)
        return shown
