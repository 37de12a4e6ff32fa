"""A net under construction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wfsim.errors import NetError

from ..arcs import Arc, ArcKind
from ..petri import PetriNet
from .changes import BOTH, Change, Move
from .place_names import Tokens


def nothing() -> None:
    """Go on."""


@dataclass
class NetDraft:
    """Places and net transitions, each with its source: the state, transition or pool of the workflow it stands for.

    Attributes
    ----------
    places, transitions
        From name to source, in the order of adding.
    between
        Called before each net transition that is added; it may raise to give the net up.
    """

    places: dict[str, str] = field(default_factory=dict)
    transitions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    between: Callable[[], None] = nothing
    _numbers: dict[str, int] = field(default_factory=dict)

    def place(self, name: str, source: str) -> str:
        """Add a place, unless it is there.

        Raises
        ------
        NetError
            If it stands for something else already: names of states make one name twice.
        """
        if self.places.setdefault(name, source) != source:
            raise NetError(
                f"{self.places[name]} and {source} would both have the place {name!r} in the net. Rename one of them."
            )
        return name

    def fire(self, label: str, source: str, inputs: Tokens, outputs: Tokens) -> None:
        """Add a net transition; equal labels are numbered."""
        self.make(Move(Change(inputs, outputs), label, source))

    def make(self, move: Move) -> None:
        """Add a net transition; equal labels are numbered."""
        self.between()
        name = move.label
        while name in self.transitions or name in self.places:
            self._numbers[move.label] = self._numbers.get(move.label, 1) + 1
            name = f"{move.label} #{self._numbers[move.label]}"
        self.transitions[name] = move.source
        self.labels[name] = move.label
        self.changes[name] = move.change

    def prune(self, marked: Iterable[str]) -> None:
        """Drop net transitions that no token can ever feed, but keep one where a workflow transition has no other.

        Leaving a state has a copy for each configuration of what it ends; some of those never come about
        for plain structural reasons. A workflow transition all of whose copies are unfed stays and is dead.
        `marked` are the places with tokens at the beginning.
        """
        fed, _ = self.fed(marked)
        alive = {part for name in fed for part in self.transitions[name].split(BOTH)}
        kept: dict[str, str] = {}
        for name, source in self.transitions.items():
            if name in fed:
                kept[name] = source
            elif BOTH not in source and source.startswith("transition ") and source not in alive:
                alive.add(source)
                kept[name] = source
        self.transitions = kept

    def fed(self, marked: Iterable[str]) -> tuple[set[str], set[str]]:
        """Net transitions that can fire at some time if tokens are never used up, and places they can mark."""
        waiting: dict[str, list[str]] = {}
        missing: dict[str, int] = {}
        ready = []
        for name, change in self.changes.items():
            missing[name] = len(change.takes)
            for place in change.takes:
                waiting.setdefault(place, []).append(name)
            if not change.takes:
                ready.append(name)
        reached: set[str] = set()
        todo = list(marked)
        fed: set[str] = set()
        while todo or ready:
            while todo:
                place = todo.pop()
                if place in reached:
                    continue
                reached.add(place)
                for name in waiting.get(place, ()):
                    missing[name] -= 1
                    if missing[name] == 0:
                        ready.append(name)
            while ready:
                name = ready.pop()
                fed.add(name)
                todo += self.changes[name].gives
        return fed, reached

    def finished(self, name: str, initial: Tokens, final: Tokens, ever: Iterable[str] = ()) -> PetriNet:
        """The net of what is connected, from the initial marking to the final one, as far as their places are used.

        The places `ever` stay, connected or not.
        """
        # Of a net transition that stays as proof of being dead, the places that are never marked stay too.
        reached = self.fed(initial)[1]
        arcs = [arc for each in self.transitions for arc in self._arcs(each, reached)]
        used = {*ever, *(node for arc in arcs for node in (arc.source, arc.target))}
        return PetriNet(
            name,
            [place for place in self.places if place in used],
            list(self.transitions),
            arcs,
            {place: number for place, number in initial.items() if place in used},
            {place: number for place, number in final.items() if place in used},
            labels={name: label for name, label in self.labels.items() if name in self.transitions},
            sources={
                node: source
                for node, source in (self.places | self.transitions).items()
                if node in used or node in self.transitions
            },
        )

    def _arcs(self, name: str, reached: set[str]) -> list[Arc]:
        change = self.changes[name]
        arcs = [Arc(place, name, weight) for place, weight in change.takes.items()]
        arcs += [Arc(name, place, weight) for place, weight in change.gives.items()]
        for kind, places in ((ArcKind.RESET, change.empties), (ArcKind.INHIBITOR, change.without)):
            # In the order of places, so that equal workflows give equal nets.
            arcs += [Arc(place, name, kind=kind) for place in self.places if place in places and place in reached]
        return arcs

    @property
    def has_resets(self) -> bool:
        """Whether some net transition empties places."""
        return any(self.changes[name].empties for name in self.transitions)
