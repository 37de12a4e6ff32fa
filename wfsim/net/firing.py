"""The firing rule, on tuples of integers.

Everything that fires (nets, searches, witnesses, steppers) calls `successor` or its two halves, so that an animation
cannot disagree with a proof. Names and error texts live in `wfsim.net.petri`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Tokens = tuple[int, ...]
"""A marking as plain numbers: tokens of each place, in the order of `PetriNet.places`."""


class FiringRule(NamedTuple):
    """One net transition, compiled to dense place indices.

    `needs` holds `(place, at least)`, `forbids` holds `(place, fewer than)`; both look at the marking
    before firing. Then the places of `empties` lose all tokens, and `changes` (`(place, difference)`) are
    added. For a place in `empties` the difference is what is produced there, for others produced minus
    consumed: this equals the order consume, reset, produce.
    """

    needs: tuple[tuple[int, int], ...]
    forbids: tuple[tuple[int, int], ...]
    empties: tuple[int, ...]
    changes: tuple[tuple[int, int], ...]


def can_fire(tokens: Sequence[int], rule: FiringRule) -> bool:
    """Whether the net transition is enabled; O(places it looks at)."""
    for place, weight in rule.needs:
        if tokens[place] < weight:
            return False
    return all(tokens[place] < weight for place, weight in rule.forbids) if rule.forbids else True


def fire_in(tokens: list[int], rule: FiringRule) -> None:
    """Fire an enabled net transition in place; O(places concerned)."""
    for place in rule.empties:
        tokens[place] = 0
    for place, difference in rule.changes:
        tokens[place] += difference


def successor(tokens: Tokens, rule: FiringRule) -> Tokens | None:
    """Return the marking after firing, or None if the net transition is not enabled; O(places)."""
    if not can_fire(tokens, rule):
        return None
    after = list(tokens)
    fire_in(after, rule)
    return tuple(after)


ArcEnds = list[tuple[int, int, int]]
"""Arcs of one kind as `(transition, place, weight)`."""


def compile_rules(
    n_transitions: int,
    *,
    consumed: ArcEnds,
    produced: ArcEnds,
    read: ArcEnds,
    inhibited: ArcEnds,
    reset: ArcEnds,
) -> tuple[FiringRule, ...]:
    """Firing rules from arcs, of which no two have kind, transition and place in common; O(arcs)."""
    needs: list[dict[int, int]] = [{} for _ in range(n_transitions)]
    forbids: list[dict[int, int]] = [{} for _ in range(n_transitions)]
    changes: list[dict[int, int]] = [{} for _ in range(n_transitions)]
    emptied: list[set[int]] = [set() for _ in range(n_transitions)]
    for transition, place, weight in (*consumed, *read):
        needs[transition][place] = max(weight, needs[transition].get(place, 0))
    for transition, place, weight in inhibited:
        forbids[transition][place] = weight
    for transition, place, _ in reset:
        emptied[transition].add(place)
    for transition, place, weight in produced:
        changes[transition][place] = weight
    for transition, place, weight in consumed:
        if place not in emptied[transition]:
            changes[transition][place] = changes[transition].get(place, 0) - weight
    return tuple(
        FiringRule(
            tuple(sorted(needs[t].items())),
            tuple(sorted(forbids[t].items())),
            tuple(sorted(emptied[t])),
            tuple((place, change) for place, change in sorted(changes[t].items()) if change),
        )
        for t in range(n_transitions)
    )
