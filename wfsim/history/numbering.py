"""Lasting numbers for cases that others started: they do not depend on the order in which they happened to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.simulation.relations import FIRST_CHILD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tracker import CaseTrack

PROVISIONAL = FIRST_CHILD
"""From this number on, a case's number is a passing one: see `HistoryWriter.announce`."""


def final_numbers(written: range, cases: Mapping[int, CaseTrack]) -> dict[int, int]:
    """The lasting number of each case that came under a provisional one; those that are written have theirs."""
    children: dict[int, list[tuple[int, int]]] = {}
    for case, track in cases.items():
        if track.parent is not None:
            children.setdefault(track.parent[0], []).append((track.parent[1], case))
    generation = [*written, *sorted(case for case in cases if case < PROVISIONAL)]
    last = max(generation, default=0)
    others = [case for case, track in cases.items() if case >= PROVISIONAL and track.parent is None]
    generation += sorted(others, key=lambda case: cases[case].external_id or "")
    numbers: dict[int, int] = {}
    while generation:
        for case in generation:
            if case >= PROVISIONAL:
                numbers[case] = last = last + 1
        # The next generation, in the order of its parents.
        generation = [case for parent in generation for _, case in sorted(children.get(parent, ()))]
    return numbers
