"""The order of the places in a decision diagram, from the structure of the net.

How large a diagram is depends above all on the order of its variables, here one for each place; the best order cannot
be found in reasonable time. Two ideas are combined:

- *Depth first* from the marked places along the flow of tokens: a branch is followed to its end before the next one,
  so the places of one sequential part lie together.
- FORCE [1]_: each place moves to the mean of the centres of the net transitions that it takes part in, over and over,
  so what interacts draws closer.

FORCE improves a depth-first order mostly, but not always: of a bus that all share, or a join of many branches, depth
first is better by far. So two measures count. The sum of *spans*, from the highest place of each net transition to its
lowest, is to be least; FORCE is about these. The sum of *lifetimes*, from each place to the lowest one that shares a
net transition with it, as so long its value has to be remembered, must not exceed that of depth first. Shared memory of
10 processors is worse by spans alone (6,000 nodes where 2,000 do), 60 branches of length 3 by lifetimes alone (over a
million where 700 do).

References
----------
.. [1] Aloul, Markov, Sakallah (2003), FORCE: a fast and easy-to-implement variable-ordering heuristic, GLSVLSI,
   116-119.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.net.petri import PetriNet

ROUNDS, PATIENCE = 100, 10
"""Rounds of FORCE at most, and rounds without an improvement after which it ends."""


def variable_order(net: PetriNet) -> tuple[int, ...]:
    """Indices of the places, from the top of the diagram to its bottom; O(arcs) for each of at most 100 rounds."""
    groups = [sorted(group) for group in _groups(net) if len(group) > 1]
    order = _depth_first(net)
    best, (least, remembered) = order, _measures(groups, order)
    waited = 0
    for _ in range(ROUNDS):
        order = _drawn_together(groups, order)
        spans, lifetimes = _measures(groups, order)
        if spans < least and lifetimes <= remembered:
            best, least, waited = order, spans, 0
        else:
            waited += 1
            if waited == PATIENCE:
                break
    return tuple(best)


def _measures(groups: Sequence[Sequence[int]], order: Sequence[int]) -> tuple[int, int]:
    """The sums of spans and of lifetimes."""
    level = _levels(order)
    spans = 0
    last = list(level)
    for group in groups:
        levels = [level[place] for place in group]
        lowest = max(levels)
        spans += lowest - min(levels)
        for place in group:
            last[place] = max(last[place], lowest)
    return spans, sum(last) - sum(level)


def _groups(net: PetriNet) -> list[set[int]]:
    """For each net transition the places that it tests or changes."""
    return [
        {
            *(place for place, _ in rule.needs),
            *(place for place, _ in rule.forbids),
            *rule.empties,
            *(place for place, _ in rule.changes),
        }
        for rule in net.rules
    ]


def _levels(order: Sequence[int]) -> list[int]:
    level = [0] * len(order)
    for i, place in enumerate(order):
        level[place] = i
    return level


def _depth_first(net: PetriNet) -> list[int]:
    """The places as met by following tokens from the marked places, each way to its end; then the others."""
    after: list[dict[int, None]] = [{} for _ in net.places]
    for rule in net.rules:
        filled = [place for place, change in rule.changes if change > 0]
        for place, _ in rule.needs:
            after[place].update(dict.fromkeys(filled))
    marked = [place for place, tokens in enumerate(net.initial_marking.tokens) if tokens]
    met: dict[int, None] = {}
    for start in (*marked, *range(len(net.places))):
        todo = [start]
        while todo:
            place = todo.pop()
            if place not in met:
                met[place] = None
                todo += [other for other in reversed(after[place]) if other not in met]
    return list(met)


def _drawn_together(groups: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """One round of FORCE."""
    level = _levels(order)
    pull = [0.0] * len(order)
    degree = [0] * len(order)
    for group in groups:
        centre = sum(level[place] for place in group) / len(group)
        for place in group:
            pull[place] += centre
            degree[place] += 1
    aim = [pull[place] / degree[place] if degree[place] else level[place] for place in range(len(order))]
    return sorted(order, key=lambda place: (aim[place], level[place]))
