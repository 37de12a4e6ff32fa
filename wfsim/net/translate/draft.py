"""A net under construction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..petri import PetriNet
from .place_names import Tokens


@dataclass
class NetDraft:
    """Places and net transitions, each with its source: the state, transition or pool of the workflow it stands for.

    Attributes
    ----------
    start, final
        The places where instances begin and end.
    places, transitions
        From name to source, in the order of adding.
    """

    start: str
    final: str
    places: dict[str, str] = field(default_factory=dict)
    transitions: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    arcs: list[tuple[str, str, int]] = field(default_factory=list)

    def place(self, name: str, source: str) -> str:
        """Add a place, unless it is there."""
        self.places.setdefault(name, source)
        return name

    def fire(self, label: str, source: str, inputs: Tokens, outputs: Tokens) -> None:
        """Add a net transition; equal labels are numbered."""
        name, n = label, 1
        while name in self.transitions or name in self.places:
            n += 1
            name = f"{label} #{n}"
        self.transitions[name] = source
        self.labels[name] = label
        for place, weight in inputs.items():
            self.arcs.append((place, name, weight))
        for place, weight in outputs.items():
            self.arcs.append((name, place, weight))

    def prune(self, marked: Iterable[str]) -> None:
        """Drop net transitions that no token can ever feed, but keep one where a workflow transition has no other.

        Leaving a state has a copy for each place of its activity's token; some of those places stay empty
        for plain structural reasons. A workflow transition all of whose copies are unfed stays and is dead.
        `marked` are the places with tokens at the beginning.
        """
        fed = self._fed(set(marked))
        alive = {self.transitions[name] for name in fed}
        kept: dict[str, str] = {}
        for name, source in self.transitions.items():
            if name in fed:
                kept[name] = source
            elif source.startswith("transition ") and source not in alive:
                alive.add(source)
                kept[name] = source
        self.transitions = kept
        self.arcs = [arc for arc in self.arcs if arc[0] in kept or arc[1] in kept]

    def _fed(self, marked: set[str]) -> set[str]:
        """Net transitions that can fire at some time, if tokens are never used up."""
        inputs: dict[str, list[str]] = {name: [] for name in self.transitions}
        outputs: dict[str, list[str]] = {name: [] for name in self.transitions}
        for source, target, _ in self.arcs:
            if source in self.transitions:
                outputs[source].append(target)
            else:
                inputs[target].append(source)
        fed: set[str] = set()
        while new := [name for name in self.transitions if name not in fed and marked.issuperset(inputs[name])]:
            fed.update(new)
            marked.update(place for name in new for place in outputs[name])
        return fed

    def finished(self, name: str, instances: int, workers: Tokens) -> PetriNet:
        """The net of what is connected: `instances` go from start to final, the workers come back."""
        used = {self.start, self.final} | {name for source, target, _ in self.arcs for name in (source, target)}
        staying = {place: number for place, number in workers.items() if place in used}
        return PetriNet(
            name,
            [name for name in self.places if name in used],
            list(self.transitions),
            self.arcs,
            {self.start: instances} | staying,
            {self.final: instances} | staying,
            labels={name: label for name, label in self.labels.items() if name in self.transitions},
            sources={name: source for name, source in (self.places | self.transitions).items() if name in used},
        )
