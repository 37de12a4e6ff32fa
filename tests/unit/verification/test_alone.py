"""While the solver computes, Python's collector frees nothing of it in another thread."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import z3

import wfsim as wf


@pytest.mark.parametrize("name", ["order_processing", "insurance_claim"])
def test_the_collector_stands_still_whenever_the_solver_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Z3 does not bear that objects of a context are given back in one thread while it computes in another."""
    asked = []
    check = z3.Solver.check

    def noted(self: z3.Solver, *assumed: Any) -> z3.CheckSatResult:
        asked.append(gc.isenabled())
        return check(self, *assumed)

    monkeypatch.setattr(z3.Solver, "check", noted)
    assert gc.isenabled()
    wf.conditions(wf.example(name))
    wf.verify(wf.example(name), max_seconds=2)
    assert asked
    assert not any(asked)
    assert gc.isenabled()
