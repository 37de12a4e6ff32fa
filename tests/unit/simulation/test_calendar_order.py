"""The compiled calendar gives back what is put into it by time, class and order of coming, as a heap does."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import wfsim as wf
from wfsim.semantics.addresses import reader
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.calendar import Order
from wfsim.simulation.compiled import calendar
from wfsim.simulation.compiled.layout import COMES, VOID, Run
from wfsim.simulation.compiled.memory import Memory
from wfsim.simulation.compiled.run import CompiledSimulation

MODEL = Path(__file__).parents[3] / "models" / "shipping.yaml"
PUT, TAKE, DROP = range(3)
CLASSES = sorted({int(order) for order in Order})
DELAYS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "soon": lambda draw, n: draw.integers(0, 50, n),
    "equal": lambda draw, n: 1_000 * draw.integers(0, 4, n),
    "far": lambda draw, n: draw.integers(1, 10**13, n),
    "mixed": lambda draw, n: np.where(draw.random(n) < 0.7, draw.exponential(1e5, n), draw.exponential(1e11, n)).astype(
        int
    ),
    "polled": lambda draw, n: 30_000_000 * (1 + draw.integers(0, 5_000, n)),
}

run_at = reader(Run)
_njit: Callable[[Callable[..., Any]], Any] = numba.njit(nogil=True, error_model="numpy")


@_njit
def _play(run: Any, kinds: Any, delays: Any, classes: Any, found: Any, numbers: Any) -> Any:
    """Put in, take out, or drop what an earlier step has put in; which came out, and when, and how many there were."""
    r = run_at(run)
    s, n = r.state[0], 0
    for step in range(len(kinds)):
        if kinds[step] == PUT:
            numbers[step] = calendar.push(r, s.now + delays[step], classes[step], COMES, step, 0, (step, 0, 0, 0))
        elif kinds[step] == DROP:
            if numbers[delays[step]] >= 0:
                calendar.void(r, numbers[delays[step]])
                numbers[delays[step]] = -1
        else:
            while calendar.n_due(s) > 0:
                if s.first_from == calendar.NOWHERE:
                    calendar.fetch(r)
                    continue
                time = calendar.pop(r)
                if r.now[0].what != VOID:
                    s.now = time
                    found[n, 0], found[n, 1] = r.now[0].a, time
                    numbers[r.now[0].a] = -1
                    n += 1
                    break
    return n


@pytest.fixture(scope="module")
def fresh() -> Callable[[], Memory]:
    workflow = wf.load(MODEL)
    program, scenario = compile_workflow(workflow), wf.default_scenario(workflow)
    return lambda: CompiledSimulation(program, scenario, sink=lambda chunk: None).memory


def _steps(draw: np.random.Generator, delays: str, n: int) -> tuple[Any, Any, Any]:
    """More is put in than taken out, then all is taken; some of it is dropped."""
    kinds = draw.choice([PUT, PUT, PUT, TAKE, TAKE, DROP], n)
    after, classes = DELAYS[delays](draw, n), draw.choice(CLASSES, n)
    drops = kinds == DROP
    after[drops] = (draw.random(drops.sum()) * np.flatnonzero(drops)).astype(int)
    rest = np.full(n, TAKE)
    nothing = np.zeros(n, int)
    return np.concatenate([kinds, rest]), np.concatenate([after, nothing]), np.concatenate([classes, nothing])


def _by_a_heap(kinds: Any, delays: Any, classes: Any) -> list[tuple[int, int]]:
    heap: list[tuple[int, int, int, int]] = []
    serials, now, dropped, found = count(), 0, set[int](), []
    for step, (kind, delay, order) in enumerate(zip(kinds.tolist(), delays.tolist(), classes.tolist())):
        if kind == PUT:
            heapq.heappush(heap, (now + delay, order, next(serials), step))
        elif kind == DROP:
            dropped.add(delay)
        else:
            while heap and heap[0][3] in dropped:
                heapq.heappop(heap)
            if heap:
                now, _, _, which = heapq.heappop(heap)
                found.append((which, now))
    return found


@pytest.mark.parametrize("delays", DELAYS)
def test_what_comes_out_comes_in_the_order_of_a_heap(delays: str, fresh: Callable[[], Memory]) -> None:
    for seed in range(12):
        draw = np.random.default_rng(seed)
        kinds, after, classes = _steps(draw, delays, 60 if seed < 6 else 4_000)
        memory = fresh()
        found = np.zeros((len(kinds), 2), np.int64)
        numbers = np.full(len(kinds), -1, np.int64)
        n = _play(memory.arguments[1], kinds, after, classes, found, numbers)
        expected = _by_a_heap(kinds, after, classes)
        assert [tuple(row) for row in found[:n].tolist()] == expected, seed
        assert memory.n_due == 0
