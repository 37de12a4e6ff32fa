"""The workflow net of a process tree, sound by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.net.petri import PetriNet

from .tree import Operator, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

SILENT = "τ"
"""Label of net transitions that no log shows."""


def net_of(tree: Tree, name: str) -> PetriNet:
    """The workflow net from place `i` to place `o` with the language of a tree [1]_; linear in its size.

    Net transitions are called like the activities. Each block is entered by one place and left by another, so the net
    is sound and safe. Silent ones are labelled τ: they begin and end what is parallel, begin and leave loops, and skip.

    References
    ----------
    .. [1] van der Aalst, Buijs, van Dongen (2012), Towards improving the representational bias of process mining,
       SIMPDA 2011, LNBIP 116, 39–54.
    """
    drawn = _Drawn(tree.activities)
    drawn.draw(tree, drawn.place("i"), drawn.place("o"))
    start, end = drawn.places[:2]
    silent = {each: SILENT for each in drawn.transitions if each not in set(tree.activities)}
    return PetriNet(name, drawn.places, drawn.transitions, drawn.arcs, {start: 1}, {end: 1}, silent)


class _Drawn:
    """Places, transitions and arcs, block by block."""

    def __init__(self, activities: Iterable[str]) -> None:
        self.places: list[str] = []
        self.transitions: list[str] = []
        self.arcs: list[tuple[str, str]] = []
        self._taken = set(activities)

    def place(self, name: str) -> str:
        self.places.append(self._fresh(name))
        return self.places[-1]

    def _fresh(self, name: str) -> str:
        while name in self._taken:
            name += "'"
        self._taken.add(name)
        return name

    def _between(self) -> str:
        return self.place(f"p{len(self.places) - 1}")

    def _step(self, name: str | None, sources: list[str], targets: list[str]) -> None:
        made = self._fresh(f"{SILENT}{len(self.transitions) + 1}") if name is None else name
        self.transitions.append(made)
        self.arcs += [(each, made) for each in sources]
        self.arcs += [(made, each) for each in targets]

    def draw(self, tree: Tree, start: str, end: str) -> None:
        match tree.operator:
            case None:
                self._step(tree.activity, [start], [end])
            case Operator.CHOICE:
                for child in tree.children:
                    self.draw(child, start, end)
            case Operator.SEQUENCE:
                inner = [self._between() for _ in tree.children[1:]]
                for child, source, target in zip(tree.children, [start, *inner], [*inner, end]):
                    self.draw(child, source, target)
            case Operator.PARALLEL:
                sides = [(self._between(), self._between()) for _ in tree.children]
                self._step(None, [start], [source for source, _ in sides])
                for child, (source, target) in zip(tree.children, sides):
                    self.draw(child, source, target)
                self._step(None, [target for _, target in sides], [end])
            case Operator.LOOP:
                body, again = tree.children
                source, target = self._between(), self._between()
                self._step(None, [start], [source])
                self.draw(body, source, target)
                self.draw(again, target, source)
                self._step(None, [target], [end])
