"""Lasting numbers for cases that others started: they do not depend on the order in which they happened to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.simulation.relations import FIRST_CHILD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .case_rows import Named

PROVISIONAL = FIRST_CHILD
"""From this number on, a case's number is a passing one: see `HistoryWriter.announce`."""


def final_numbers(last: int, cases: Sequence[int], named: Named) -> dict[int, int]:
    """The lasting numbers of the cases that came under provisional ones; the numbers of all others go up to `last`."""
    children: dict[int, list[tuple[int, int]]] = {}
    others = []
    for case in cases:
        if case in named.parents:
            parent, activation = named.parents[case]
            children.setdefault(parent, []).append((activation, case))
        else:
            others.append(case)
    generation = sorted(parent for parent in children if parent < PROVISIONAL)
    generation += sorted(others, key=lambda case: named.ids.get(case, ""))
    numbers: dict[int, int] = {}
    while generation:
        for case in generation:
            if case >= PROVISIONAL:
                numbers[case] = last = last + 1
        # The next generation, in the order of its parents.
        generation = [case for parent in generation for _, case in sorted(children.get(parent, ()))]
    return numbers
