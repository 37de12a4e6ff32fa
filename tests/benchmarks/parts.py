"""What the compiled engine is made of, in nanoseconds: draws, the calendar, the step, and all of it per record.

Each part alone, in a compiled loop, so what lies in the cache here may not in a run. Of the order workflow a record is
about half a step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from tests.benchmarks.step import MANY, compiled_orders
from tests.benchmarks.two_speeds import compiled_case
from wfsim.semantics.addresses import reader
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.compiled import draws, quantiles
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled import calendar
from wfsim.simulation.compiled.layout import COMES, Run
from wfsim.simulation.compiled.run import CompiledSimulation

MODELS = Path(__file__).parents[2] / "models"
RUNS = 5
CALLS = 2_000_000
DUE = (300, 10_000, 100_000)

run_at = reader(Run)
_EVENT = int(Order.EVENT)
_draw, _log, _quantile, _exp = draws.draw, quantiles.log, quantiles.normal_quantile, quantiles.exp
_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")


@_njit
def _uniform(n: int) -> Any:
    total = 0.0
    for i in range(n):
        total += _draw(12_345, 3, i, 1)
    return total


@_njit
def _exponential(n: int) -> Any:
    total = 0.0
    for i in range(n):
        total += -_log(1.0 - _draw(12_345, 3, i, 1))
    return total


@_njit
def _lognormal(n: int) -> Any:
    total = 0.0
    for i in range(n):
        total += _exp(0.5 * _quantile(_draw(12_345, 3, i, 1)))
    return total


@_njit
def _churn(run: Any, n: int) -> Any:
    """Take what is due first, and put something in after a random time; returns when the last was due."""
    r = run_at(run)
    s = r.state[0]
    time = 0
    for i in range(n):
        if s.first_from == calendar.NOWHERE:
            calendar.fetch(r)
        time = calendar.pop(r)
        s.now = time
        after = 1 + int(1e6 * _draw(12_345, 4, i, 1))
        calendar.push(r, time + after, _EVENT, COMES, 0, 0, (0, 0, 0, 0))
    return time


def _each(work: Callable[[int], object]) -> float:
    """Nanoseconds of one of many calls."""
    work(1)
    return 1e9 * median(RUNS, lambda: cpu_seconds(lambda: work(CALLS))) / CALLS


def _calendar(n_due: int) -> float:
    """Nanoseconds of taking one entry out and putting one in, at so many."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    simulation = CompiledSimulation(compile_workflow(workflow), wf.default_scenario(workflow), sink=lambda chunk: None)
    memory = simulation.memory
    for i in range(n_due):
        if memory.n_due + 64 > memory.state["heap_room"]:
            memory.more_tables()
        _fill(memory.arguments[1], i)
    return _each(lambda n: _churn(memory.arguments[1], n))


@_njit
def _fill(run: Any, i: int) -> None:
    after = 1 + int(1e6 * _draw(12_345, 5, i, 1))
    calendar.push(run_at(run), after, _EVENT, COMES, 0, 0, (0, 0, 0, 0))


def measure() -> list[Measured]:
    """Nanoseconds by part."""
    seconds, records = compiled_case()
    kept, many = compiled_orders(MANY, keeps=True)
    dropped, _ = compiled_orders(MANY, keeps=False)
    few, some = compiled_orders(300, keeps=False)
    drawn = _each(_uniform)
    return [
        Measured("uniform number", drawn, "ns", "Philox 4x32-10 by key, stream, index and attempt"),
        Measured("exponential number", _each(_exponential), "ns", "with its uniform number"),
        Measured("lognormal number", _each(_lognormal), "ns", "with its uniform number"),
        *(
            Measured(f"calendar, {n:,} due", _calendar(n) - drawn, "ns", "one out and one in, in random order")
            for n in DUE
        ),
        Measured("the step, per record", 1e9 * seconds / records, "ns", "the workflow of the benchmark two_speeds"),
        Measured("all, per record", 1e9 * few / some, "ns", "300 orders, with what a run takes to begin"),
        Measured("all, per record", 1e9 * dropped / many, "ns", f"{MANY:,} orders, the log dropped"),
        Measured(
            "keeping the log, per record",
            1e9 * (kept - dropped) / many,
            "ns",
            "memory of logs that nobody has any more, or fresh",
        ),
    ]
