"""Petri nets with weighted, read, inhibitor and reset arcs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, final

from wfsim.errors import NetError
from wfsim.net._checks import plural
from wfsim.net.arcs import ArcKind
from wfsim.net.firing import FiringRule, Tokens, can_fire, fire_in, successor
from wfsim.net.marked_net import MarkedNet, MarkingLike
from wfsim.net.marking import Marking, nearest
from wfsim.net.picture import picture
from wfsim.net.units import NestedUnits

if TYPE_CHECKING:
    import networkx as nx

MAX_DRAWN = 300
"""Places and transitions up to which a notebook draws a net unasked."""


@final
class PetriNet(MarkedNet):
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
    units
        The nested units that the places belong to, as NUPN files tell; each place belongs to one.

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

    __slots__ = ()

    def with_marking(
        self, initial_marking: MarkingLike, final_marking: MarkingLike | None = None, name: str | None = None
    ) -> PetriNet:
        """The same net with another initial marking; the final one stays unless given.

        That its units are safe was said of the initial marking there was, so with another one nothing is said of it.
        """
        start = self.marking(initial_marking)
        units = self.units
        if units is not None and start != self.initial_marking:
            units = units.without_claim()
        return PetriNet(
            self.name if name is None else name,
            self.places,
            self.transitions,
            self.arcs,
            start,
            self.final_marking if final_marking is None else final_marking,
            self.labels,
            self.sources,
            units,
        )

    # --- behaviour ----------------------------------------------------------------------------------------

    def is_enabled(self, marking: MarkingLike, transition: str) -> bool:
        """Whether `transition` can fire in `marking`."""
        return can_fire(self._tokens(marking), self.rules[self.transition_index(transition)])

    def enabled(self, marking: MarkingLike) -> tuple[str, ...]:
        """The transitions that can fire in `marking`, in the order of the net."""
        tokens = self._tokens(marking)
        return tuple(t for t, rule in zip(self.transitions, self.rules) if can_fire(tokens, rule))

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

    def walk(self, transitions: Iterable[str]) -> Iterator[tuple[FiringRule, list[int]]]:
        """Fire one after another from the initial marking: each rule, and the tokens after it.

        The tokens are one list that changes as the walk goes on: a long walk through a large net takes no more memory
        than one marking: O(places concerned) a firing.

        Raises
        ------
        NetError
            If a transition is not enabled, as `fire`.
        """
        tokens = list(self.initial_marking.tokens)
        for transition in transitions:
            rule = self.rules[self.transition_index(transition)]
            if not can_fire(tokens, rule):
                self.fire(Marking(self._index, tuple(tokens)), transition)
            fire_in(tokens, rule)
            yield rule, tokens

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
            "units": None if self.units is None else self.units.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PetriNet:
        """The net that `to_dict` described; `NetError` on missing or unknown keys and on invalid nets."""
        required = ("name", "places", "transitions", "arcs", "initial_marking")
        allowed = (*required, "final_marking", "labels", "sources", "units")
        for key in data:
            if key not in allowed:
                raise NetError(f"unknown key {key!r} in the description of a net.\n{nearest(key, allowed, 'Keys')}")
        missing = [key for key in required if key not in data]
        if missing:
            raise NetError(f"the description of a net lacks {', '.join(map(repr, missing))}.")
        # JSON has lists only; anything else is left for the arc check to complain about.
        arcs = [tuple(arc) if isinstance(arc, list) else arc for arc in data["arcs"]]
        units = data.get("units")
        return cls(**{**data, "arcs": arcs, "units": None if units is None else NestedUnits.from_dict(units)})

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
            self.units,
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
        shown = picture(self)._repr_mimebundle_()
        if "text/html" in shown:
            shown["text/plain"] = repr(self)
        return shown
