"""Random process trees, and their languages worked out word by word: what `wfsim.mining` is held against."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

from hypothesis import strategies as st

from wfsim.mining.tree import TAU, Operator, Tree, choice, leaf, loop, parallel, sequence
from wfsim.model.elements import Region
from wfsim.model.workflow import Workflow
from wfsim.net.marking import Marking
from wfsim.net.petri import PetriNet

Word = tuple[str, ...]


def words(tree: Tree, longest: int) -> frozenset[Word]:
    """All words of a tree's language up to a length, by the definition of its operators."""
    match tree.operator:
        case None:
            word = () if tree.activity is None else (tree.activity,)
            return frozenset([word] if len(word) <= longest else [])
        case Operator.CHOICE:
            return frozenset().union(*(words(child, longest) for child in tree.children))
        case Operator.SEQUENCE:
            found = frozenset([()])
            for child in tree.children:
                found = _pairs(found, words(child, longest), longest)
            return found
        case Operator.PARALLEL:
            found = frozenset([()])
            for child in tree.children:
                others = words(child, longest)
                found = frozenset(
                    mixed
                    for one, other in product(found, others)
                    if len(one) + len(other) <= longest
                    for mixed in _mixed(one, other)
                )
            return found
        case Operator.LOOP:
            body, again = (words(child, longest) for child in tree.children)
            found, new = body, body
            while new:
                new = _pairs(_pairs(new, again, longest), body, longest) - found
                found |= new
            return found


def _pairs(first: frozenset[Word], second: frozenset[Word], longest: int) -> frozenset[Word]:
    return frozenset(one + other for one, other in product(first, second) if len(one) + len(other) <= longest)


def _mixed(one: Word, other: Word) -> list[Word]:
    if not one or not other:
        return [one + other]
    return [(one[0], *rest) for rest in _mixed(one[1:], other)] + [(other[0], *rest) for rest in _mixed(one, other[1:])]


@st.composite
def trees(draw: st.DrawFn, most: int = 7) -> Tree:
    """Trees in which every activity stands once."""
    names = list("abcdefghij"[: draw(st.integers(1, most))])

    def of(own: list[str]) -> Tree:
        if len(own) == 1:
            made = leaf(own[0])
            optional = draw(st.integers(0, 5))
            return choice([TAU, made]) if optional == 0 else loop(made, TAU) if optional == 1 else made
        cut = draw(st.integers(1, len(own) - 1))
        parts = [of(own[:cut]), of(own[cut:])]
        operator = draw(st.sampled_from([sequence, sequence, choice, parallel, lambda both: loop(*both)]))
        made = operator(parts)
        return choice([TAU, made]) if draw(st.integers(0, 7)) == 0 else made

    return of(names)


def net_words(net: PetriNet, longest: int) -> frozenset[Word]:
    """All words up to a length that a net fires from its initial to its final marking; τ is silent."""
    new = {(net.initial_marking, ())}
    seen: set[tuple[Marking, Word]] = set()
    while new:
        seen |= new
        after = set()
        for marking, word in new:
            for transition in net.enabled(marking):
                longer = word if net.label(transition) == "τ" else (*word, transition)
                if len(longer) <= longest:
                    after.add((net.fire(marking, transition), longer))
        new = after - seen
    return frozenset(word for marking, word in seen if marking == net.final_marking)


def workflow_words(workflow: Workflow, names: Collection[str], longest: int) -> frozenset[Word]:
    """All words up to a length of states that a case enters until it closes, regions interleaved; others are silent."""
    return _region_words(workflow, names, longest)


def _region_words(region: Workflow | Region, names: Collection[str], longest: int) -> frozenset[Word]:
    own: dict[str, frozenset[Word]] = {}
    for state in region.states:
        own[state.name] = frozenset([(state.name,) if state.name in names else ()])
        for inner in state.parallel.regions if state.parallel else ():
            others = _region_words(inner, names, longest)
            pairs = product(own[state.name], others)
            own[state.name] = frozenset(
                mixed for one, other in pairs if len(one) + len(other) <= longest for mixed in _mixed(one, other)
            )
    new = {(region.initial_state, word) for word in own[region.initial_state]}
    seen: set[tuple[str, Word]] = set()
    while new:
        seen |= new
        new = {
            (str(way.to), word + more)
            for state, word in new
            for way in region.transitions
            if way.from_ == state
            for more in own[str(way.to)]
            if len(word + more) <= longest
        } - seen
    last = {state.name for state in region.states if state.is_terminal}
    return frozenset(word for state, word in seen if state in last)
