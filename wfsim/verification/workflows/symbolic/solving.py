"""Questions to the solver, within the limits of an answer."""

from __future__ import annotations

from typing import Any

import z3

from wfsim.verification.nets.limits import Limits

ASKING = 2_000
"""Units of work for a question, beside what the solver counts; it counts some four units where one is."""
_PER_UNIT = 4


def solved(solver: z3.Solver, limits: Limits, *assumed: Any, most: int | None = None) -> z3.CheckSatResult:
    """What the solver says; `unknown` where the limits, or `most` units of work, are reached before."""
    left = limits.seconds_left
    units = [each for each in (most, None if limits.work is None else limits.work.left) if each is not None]
    solver.set("timeout", 2**32 - 1 if left is None else max(1, int(left * 1000)))
    solver.set("rlimit", max(1, min(units)) * _PER_UNIT if units else 0)
    before = _count(solver)
    found = solver.check(*assumed)
    limits.spend(ASKING + (_count(solver) - before) // _PER_UNIT)
    return found


def _count(solver: z3.Solver) -> int:
    statistics = solver.statistics()
    return int(statistics.get_key_value("rlimit count")) if "rlimit count" in statistics.keys() else 0  # noqa: SIM118
