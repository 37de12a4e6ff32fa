"""While the solver computes, Python's collector frees nothing of it in another thread."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import z3

import wfsim as wf
from wfsim.verification.property import Property

SUMS = """
name: sums
initial_state: open
variables:
  total: {type: integer, initial: 0}
events:
  pay: {payload: {amount: integer}}
  close: {}
states:
  - name: open
  - {name: closed, is_terminal: true}
transitions:
  - from: open
    event: pay
    condition: event.amount > 0 and context.total + event.amount <= 100
    pre_actions:
      - {action_type: set_variable, parameters: {name: total, value: "${context.total + event.amount}"}}
  - {from: open, to: closed, event: close}
"""
"""Payments have any value, so that the solver has to be asked however fast the machine is."""


def test_the_collector_stands_still_whenever_the_solver_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Z3 does not bear that objects of a context are given back in one thread while it computes in another."""
    asked = []
    check = z3.Solver.check

    def noted(self: z3.Solver, *assumed: Any) -> z3.CheckSatResult:
        asked.append(gc.isenabled())
        return check(self, *assumed)

    monkeypatch.setattr(z3.Solver, "check", noted)
    assert gc.isenabled()
    wf.conditions(wf.example("insurance_claim"))
    of_conditions = len(asked)
    wf.verify(wf.loads(SUMS), [Property("always", "context.total <= 100")])
    assert 0 < of_conditions < len(asked)
    assert not any(asked)
    assert gc.isenabled()
