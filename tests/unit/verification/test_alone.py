"""One thread at a time is at the solver, and what others let go of meanwhile is given back without harm."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import z3

import wfsim as wf
from wfsim.verification.nets.limits import Limits, OutOfTime
from wfsim.verification.property import Property
from wfsim.verification.workflows import alone as room
from wfsim.verification.workflows.alone import alone

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


@contextmanager
def another_has_the_solver() -> Iterator[None]:
    has, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with alone(Limits()):
            has.set()
            may_go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    has.wait()
    try:
        yield
    finally:
        may_go.set()
        thread.join()


@pytest.mark.parametrize(
    "name", [None, *(pytest.param(each, marks=pytest.mark.long) for each in ("insurance_claim", "incident_response"))]
)
def test_no_term_is_made_and_nothing_is_asked_but_by_whose_turn_it_is(
    name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call of Z3 goes by its context, so that is where it is seen who calls."""
    calls = [0, 0]
    reference = z3.Context.ref

    def noted(self: z3.Context) -> Any:
        # Ends of objects may come at any time.
        if sys._getframe(1).f_code.co_name != "__del__":
            calls[room._TURN._is_owned()] += 1  # type: ignore[attr-defined]
        return reference(self)

    workflow = wf.loads(SUMS) if name is None else wf.example(name)
    monkeypatch.setattr(z3.Context, "ref", noted)
    wf.conditions(workflow)
    wf.verify(workflow, max_states=200)
    if name is None:
        wf.verify(workflow, [Property("always", "context.total <= 100")])
    assert calls[True] > 0
    assert calls[False] == 0


def test_who_has_no_time_to_wait_for_the_solver_says_so() -> None:
    workflow = wf.loads(SUMS)
    with another_has_the_solver():
        with pytest.raises(OutOfTime, match="another thread had the solver"), alone(Limits(max_seconds=0.01)):
            pass
        (verdict,) = wf.verify(workflow, [Property("always", "context.total <= 100")], max_seconds=0.05)
        assert (verdict.status, "another thread had the solver" in verdict.reason) == ("unknown", True)
        (left,) = wf.conditions(wf.example("insurance_claim"), max_seconds=0.05)
        assert (left.status, "max_seconds=0.05 was over" in left.told) == ("unknown", True)
    (verdict,) = wf.verify(workflow, [Property("always", "context.total <= 100")])
    assert verdict.status == "holds"


# Without a word to Z3 that references are counted down elsewhere, this takes the process with it within a second.
FREED_ELSEWHERE = """
import queue, threading, z3
import wfsim.verification.workflows.conditions.literals
left = queue.Queue(20)
def let_go():
    while left.get() is not None:
        pass
thread = threading.Thread(target=let_go)
thread.start()
for round in range(150):
    terms = [z3.Int(f"x{round % 7}_{k}") for k in range(30)]
    facts = [terms[k] + terms[k + 1] * 3 > terms[k * 7 % 30] - round for k in range(29)]
    solver = z3.Solver()
    solver.add(*facts)
    solver.set("rlimit", 20_000)
    solver.check()
    left.put((terms, facts, solver))
    del terms, facts, solver
left.put(None)
thread.join()
print("whole")
"""


def test_terms_may_end_in_any_thread_while_the_solver_works() -> None:
    done = subprocess.run([sys.executable, "-c", FREED_ELSEWHERE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


def test_two_threads_prove_at_once_what_one_proves() -> None:
    workflow, asked = (
        wf.loads(SUMS),
        [Property("always", "context.total <= 100"), Property("never", "context.total == 7")],
    )
    found: list[list[str]] = []

    def prove() -> None:
        found.append([each.status for each in wf.verify(workflow, asked)])

    threads = [threading.Thread(target=prove) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["holds", "violated"]] * 3
