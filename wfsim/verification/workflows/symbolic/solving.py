"""Questions to the solver, within the limits of an answer."""

from __future__ import annotations

from typing import Any

import z3

from wfsim.verification.nets.limits import Limits

ASKING = 2_000
"""Units of work for a question, beside what the solver counts; it counts some four units where one is."""
_PER_UNIT = 4
MOST = 1_000_000_000
"""Units of work for a question where nothing else bounds it but a time."""


def solved(solver: z3.Solver, limits: Limits, *assumed: Any, most: int | None = None) -> z3.CheckSatResult:
    """What the solver says; `unknown` where the limits, or `most` units of work, are reached before."""
    left = limits.seconds_left
    units = min(each for each in (most, MOST, None if limits.work is None else limits.work.left) if each is not None)
    # Not all that the solver does is counted, so it gets a time as well: twice what so much work should take.
    milliseconds = [2 * units // 1_000, *([] if left is None else [int(left * 1_000)])]
    solver.set("timeout", max(1, min(milliseconds)))
    solver.set("rlimit", max(1, units) * _PER_UNIT)
    before = _count(solver)
    found = solver.check(*assumed)
    counted = (_count(solver) - before) // _PER_UNIT
    limits.spend(ASKING + (max(units, counted) if found == z3.unknown else counted))
    return found


def _count(solver: z3.Solver) -> int:
    statistics = solver.statistics()
    return int(statistics.get_key_value("rlimit count")) if "rlimit count" in statistics.keys() else 0  # noqa: SIM118
