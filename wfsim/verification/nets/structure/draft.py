"""A net that can still be changed: the form in which reduction rules work.

Places and transitions are numbers that never change their meaning; what a rule removes is gone from the tables.
Each transition remembers which firing sequence of the original net it stands for, and which original
transitions are shown to be alive by it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.net.marking import Marking

Rope = int | tuple["Rope", ...]
"""Original transitions in order, as a tree: joining two is one pair, however long they are."""


def unrolled(rope: Rope) -> Iterator[int]:
    """The original transitions of a rope, from left to right."""
    todo = [rope]
    while todo:
        part = todo.pop()
        if isinstance(part, int):
            yield part
        else:
            todo.extend(reversed(part))


def members(ropes: list[Rope]) -> set[int]:
    """The original transitions that occur in any of the ropes; parts they share are walked once."""
    found: set[int] = set()
    seen: set[int] = set()
    todo = list(ropes)
    while todo:
        part = todo.pop()
        if isinstance(part, int):
            found.add(part)
        elif id(part) not in seen:
            seen.add(id(part))
            todo.extend(part)
    return found


@dataclass(slots=True)
class Step:
    """One transition of a draft.

    `consumes` and `produces` are its normal arcs, `special` the others as (place, weight, kind). Firing it
    stands for firing `sequence` in the original net, which has `length` transitions. If it can fire, so can each
    original transition of `alive`.
    """

    consumes: dict[int, int]
    produces: dict[int, int]
    special: frozenset[tuple[int, int, ArcKind]]
    sequence: Rope
    length: int
    alive: Rope


@dataclass
class Draft:
    """A net under reduction.

    Attributes
    ----------
    steps
        The transitions left, by number; those of the original net keep their index.
    producers, consumers
        For each place left, the transitions with a normal arc to it, and from it.
    special
        Places with read, inhibitor or reset arcs: no rule touches them.
    guarded
        Those with inhibitor or reset arcs: more tokens in them may keep others from firing.
    start, final
        Tokens per place at the start and at the end.
    ends
        Whether there is an end at all.
    capped
        Places that stand for a part of the net that was examined with one token only: a search has to show that
        they hold at most one.
    watched
        Places whose tokens are asked about: they stay, and no rule may change what they hold on the way.
    rules
        How often each rule was used.
    undecided
        Original transitions that can fire if another one can, but perhaps also otherwise.
    """

    net: PetriNet
    start: dict[int, int]
    final: dict[int, int]
    ends: bool
    steps: dict[int, Step] = field(default_factory=dict)
    producers: dict[int, set[int]] = field(default_factory=dict)
    consumers: dict[int, set[int]] = field(default_factory=dict)
    special: set[int] = field(default_factory=set)
    guarded: set[int] = field(default_factory=set)
    capped: set[int] = field(default_factory=set)
    watched: set[int] = field(default_factory=set)
    rules: Counter[str] = field(default_factory=Counter)
    undecided: set[int] = field(default_factory=set)
    _next_step: int = 0
    _next_place: int = 0

    @classmethod
    def of(cls, net: PetriNet, final: Marking | None) -> Draft:
        """The net as it is; O(arcs). Without `final`, no marking is meant as the end."""
        start = {p: n for p, n in enumerate(net.initial_marking.tokens) if n}
        end = {} if final is None else {p: n for p, n in enumerate(final.tokens) if n}
        draft = cls(net, start, end, final is not None)
        for place in range(len(net.places)):
            draft.producers[place], draft.consumers[place] = set(), set()
        n = len(net.transitions)
        consumes: list[dict[int, int]] = [{} for _ in range(n)]
        produces: list[dict[int, int]] = [{} for _ in range(n)]
        special: list[set[tuple[int, int, ArcKind]]] = [set() for _ in range(n)]
        for arc in net.arcs:
            if not net.is_place(arc.source):
                produces[net.transition_index(arc.source)][net.place_index(arc.target)] = arc.weight
                continue
            place, transition = net.place_index(arc.source), net.transition_index(arc.target)
            if arc.kind is ArcKind.NORMAL:
                consumes[transition][place] = arc.weight
                continue
            special[transition].add((place, arc.weight, arc.kind))
            draft.special.add(place)
            if arc.kind is not ArcKind.READ:
                draft.guarded.add(place)
        for t in range(n):
            draft.add(Step(consumes[t], produces[t], frozenset(special[t]), t, 1, t))
        draft._next_place = len(net.places)
        return draft

    def add(self, step: Step) -> int:
        """Enter a transition; its number."""
        number = self._next_step
        self._next_step += 1
        self.steps[number] = step
        for place in step.consumes:
            self.consumers[place].add(number)
        for place in step.produces:
            self.producers[place].add(number)
        return number

    def remove(self, number: int) -> Step:
        """Take a transition out."""
        step = self.steps.pop(number)
        for place in step.consumes:
            self.consumers[place].discard(number)
        for place in step.produces:
            self.producers[place].discard(number)
        return step

    def add_place(self) -> int:
        """Enter a place without arcs and tokens; its number."""
        number = self._next_place
        self._next_place += 1
        self.producers[number], self.consumers[number] = set(), set()
        return number

    def remove_place(self, place: int) -> None:
        """Take a place out with its arcs."""
        for number in self.producers.pop(place):
            del self.steps[number].produces[place]
        for number in self.consumers.pop(place):
            del self.steps[number].consumes[place]
        self.start.pop(place, None)
        self.final.pop(place, None)
        self.capped.discard(place)

    def inner(self, place: int) -> bool:
        """Whether rules may take the place away: no tokens at either end, normal arcs only, no cap to show."""
        return (
            place not in self.special
            and place not in self.start
            and place not in self.final
            and place not in self.capped
            and place not in self.watched
        )

    def place_name(self, place: int) -> str:
        """Name in the net made from the draft."""
        return self.net.places[place] if place < len(self.net.places) else f"part {place - len(self.net.places)}"

    def to_net(self) -> tuple[PetriNet, Marking, list[int]]:
        """The net as it stands now, its final marking, and the numbers of its transitions in order."""
        places = {place: self.place_name(place) for place in sorted(self.producers)}
        # Numbers as names: those of the original could clash with each other once joined.
        numbers = sorted(self.steps)
        names = {number: f"t{number}" for number in numbers}
        clash = set(places.values()) & set(names.values())
        if clash:
            names = {number: f"reduced transition {number}" for number in numbers}
        arcs: list[Arc] = []
        for number in numbers:
            step, name = self.steps[number], names[number]
            arcs += [Arc(places[p], name, w) for p, w in sorted(step.consumes.items())]
            arcs += [Arc(name, places[p], w) for p, w in sorted(step.produces.items())]
            arcs += [Arc(places[p], name, w, kind) for p, w, kind in sorted(step.special)]
        net = PetriNet(
            self.net.name,
            list(places.values()),
            list(names.values()),
            arcs,
            {places[p]: n for p, n in self.start.items()},
            {places[p]: n for p, n in self.final.items()},
        )
        assert net.final_marking is not None
        return net, net.final_marking, numbers
