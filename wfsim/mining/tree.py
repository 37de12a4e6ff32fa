"""Process trees: what a net or a workflow that was found in a log consists of, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Operator(StrEnum):
    """How the children of a node go together."""

    SEQUENCE = "→"
    CHOICE = "×"
    PARALLEL = "∧"
    LOOP = "↺"


@dataclass(frozen=True)
class Tree:
    """A node of a process tree; build one with `leaf`, `sequence`, `choice`, `parallel` and `loop`, which simplify.

    Attributes
    ----------
    operator
        `None` for a leaf.
    activity
        Of a leaf; `None` for the silent one, τ, which does nothing.
    children
        Two or more; of a loop the body and what leads back to it. A loop does its body once, and any number of times
        what leads back and its body again.
    """

    operator: Operator | None
    activity: str | None = None
    children: tuple[Tree, ...] = ()

    def __post_init__(self) -> None:
        # Trees are keys wherever a language is worked out; a deep one would be hashed anew each time.
        object.__setattr__(self, "_hash", hash((self.operator, self.activity, self.children)))

    def __hash__(self) -> int:
        found: int = self._hash  # type: ignore[attr-defined]
        return found

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        return type(self), (self.operator, self.activity, self.children)

    def __str__(self) -> str:
        if self.operator is None:
            return "τ" if self.activity is None else self.activity
        return f"{self.operator}({', '.join(map(str, self.children))})"

    @property
    def activities(self) -> tuple[str, ...]:
        """Of all leaves, from left to right."""
        return tuple(node.activity for node in self.nodes() if node.activity is not None)

    def nodes(self) -> Iterator[Tree]:
        """This node and all below it, from left to right, each before its children."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def accepts(self, trace: Iterable[str]) -> bool:
        """Whether a sequence of activities is in the language of the tree.

        Notes
        -----
        By partial derivatives [1]_: after each activity the set of trees that may still follow. Trees that were met
        are remembered. Where much is parallel there may be many: as many as a net has markings.

        References
        ----------
        .. [1] Antimirov (1996), Partial derivatives of regular expressions and finite automaton constructions,
           Theoretical Computer Science 155(2), 291–319.
        """
        left = frozenset([self])
        for activity in trace:
            left = frozenset(after for tree in left for after in derivatives(tree, activity))
        return any(map(nullable, left))


TAU = Tree(None)


def leaf(activity: str) -> Tree:
    """One activity, done once."""
    return Tree(None, activity)


def sequence(children: Sequence[Tree]) -> Tree:
    """One after the other."""
    return _joined(Operator.SEQUENCE, [each for each in children if each != TAU])


def parallel(children: Sequence[Tree]) -> Tree:
    """All, in any interleaving."""
    return _joined(Operator.PARALLEL, [each for each in children if each != TAU])


def choice(children: Sequence[Tree]) -> Tree:
    """One of them."""
    flat = [part for each in children for part in (each.children if each.operator is Operator.CHOICE else (each,))]
    kept = list(dict.fromkeys(each for each in flat if each != TAU))
    if len(kept) < len(set(flat)) and not any(map(nullable, kept)):
        kept.insert(0, TAU)
    return _joined(Operator.CHOICE, kept)


def loop(body: Tree, again: Tree) -> Tree:
    """The body, and any number of times `again` with the body after it."""
    if body == again == TAU:
        return TAU
    if again == TAU and body.operator is Operator.LOOP and body.children[1] == TAU:
        return body
    if again == TAU and body.operator is Operator.CHOICE and TAU in body.children:
        return choice([TAU, loop(choice([each for each in body.children if each != TAU]), TAU)])
    if body == TAU:
        return choice([TAU, loop(again, TAU)])
    return Tree(Operator.LOOP, None, (body, again))


def _joined(operator: Operator, children: Sequence[Tree]) -> Tree:
    flat = [part for each in children for part in (each.children if each.operator is operator else (each,))]
    if len(flat) < 2:
        return flat[0] if flat else TAU
    return Tree(operator, None, tuple(flat))


@lru_cache(maxsize=100_000)
def nullable(tree: Tree) -> bool:
    """Whether nothing need be done."""
    match tree.operator:
        case None:
            return tree.activity is None
        case Operator.CHOICE:
            return any(map(nullable, tree.children))
        case Operator.LOOP:
            return nullable(tree.children[0])
        case _:
            return all(map(nullable, tree.children))


@lru_cache(maxsize=100_000)
def derivatives(tree: Tree, activity: str) -> frozenset[Tree]:
    """What may follow an activity that comes first."""
    found: set[Tree] = set()
    match tree.operator:
        case None:
            if tree.activity == activity:
                found.add(TAU)
        case Operator.CHOICE:
            for child in tree.children:
                found |= derivatives(child, activity)
        case Operator.SEQUENCE:
            for k, child in enumerate(tree.children):
                rest = tree.children[k + 1 :]
                found |= {sequence([after, *rest]) for after in derivatives(child, activity)}
                if not nullable(child):
                    break
        case Operator.PARALLEL:
            for k, child in enumerate(tree.children):
                others = tree.children[:k], tree.children[k + 1 :]
                found |= {parallel([*others[0], after, *others[1]]) for after in derivatives(child, activity)}
        case Operator.LOOP:
            body, again = tree.children
            rounds = choice([TAU, sequence([again, tree])])
            found |= {sequence([after, rounds]) for after in derivatives(body, activity)}
            if nullable(body):
                found |= {sequence([after, tree]) for after in derivatives(again, activity)}
    return frozenset(found)
