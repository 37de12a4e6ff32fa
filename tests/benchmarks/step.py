"""Importing wfsim, and the order workflow simulated, against models of its flow in SimPy and cimba in the same run."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from tests.benchmarks.simpy_order import LEFT_OUT, OrderModel
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.engine import Simulation

MODELS = Path(__file__).parents[2] / "models"
CASES, MANY = 2_000, 50_000
RUNS = 5

FIRST_RUN = """
import time
import wfsim as wf
wf.simulate(wf.example("order_processing"), cases=1_000, engine="compiled", progress=False).close()
print(time.process_time())
"""


def _engine() -> tuple[float, int]:
    """CPU seconds and records of the engine alone, its records counted and dropped."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    program = compile_workflow(workflow)
    found = []

    def run() -> None:
        count = 0

        def sink(number: int, instance: Instance, output: Output) -> None:
            nonlocal count
            count += len(output.records)

        Simulation(program, scenario.changed(seed=7, cases=CASES), sink=sink).run()
        found.append(count)

    seconds = median(RUNS, lambda: cpu_seconds(run))
    assert len(set(found)) == 1
    return seconds, found[0]


def compiled_orders(cases: int, *, keeps: bool, runs: int = RUNS) -> tuple[float, int]:
    """CPU seconds and records of the compiled engine, all its records kept in memory, or dropped."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    program = compile_workflow(workflow)
    found = []

    def run() -> None:
        kept: list[Chunk] = []
        count = 0

        def sink(chunk: Chunk) -> bool:
            nonlocal count
            count += len(chunk.log)
            if keeps:
                kept.append(chunk)
            return keeps

        CompiledSimulation(program, scenario.changed(seed=7, cases=cases), sink=sink).run()
        found.append(count)

    run()
    seconds = median(runs, lambda: cpu_seconds(run))
    assert len(set(found)) == 1
    return seconds, found[0]


def _whole(engine: Literal["compiled", "python"], cases: int) -> float:
    """CPU seconds of `wf.simulate` with its history in a file."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")

    def run() -> None:
        wf.simulate(workflow, scenario, cases=cases, progress=False, engine=engine).close()

    return median(3, lambda: cpu_seconds(run))


def _against_simpy() -> float:
    """How many times as long SimPy takes for the same orders: the median of turns, one beside the other.

    In a turn the quicker one runs as often as all else here: what disturbs for half a second is all of one of its runs.
    """
    ratios = []
    for _ in range(RUNS):
        simpy, _ = _simpy(MANY, runs=1)
        ratios.append(simpy / compiled_orders(MANY, keeps=True)[0])
    return statistics.median(ratios)


def _simpy(cases: int, runs: int = 3) -> tuple[float, int]:
    found = []

    def run() -> None:
        model = OrderModel(seed=7, cases=cases)
        model.run()
        found.append(len(model.rows))

    seconds = median(runs, lambda: cpu_seconds(run))
    assert len(set(found)) == 1
    return seconds, found[0]


def _cimba(cases: int) -> tuple[float, int]:
    """CPU seconds and rows of the same orders in cimba, which compiles in a run before."""
    command = [sys.executable, "-m", "tests.benchmarks._cimba_order", str(cases), str(RUNS)]
    seconds, rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), int(rows)


def _against_cimba(quick: float) -> list[Measured]:
    """Orders against those of cimba, where it is installed."""
    if importlib.util.find_spec("cimba") is None:
        return []
    seconds, rows = _cimba(MANY)
    what = f"{MANY:,} orders each, all rows kept until the end; it leaves out what the SimPy model does"
    return [
        Measured("cimba", rows / seconds, "rows/s", f"{rows / MANY:.1f} rows each, numbers in six arrays"),
        Measured("compiled / cimba, orders/s", seconds / quick, "times", what),
    ]


def _import_seconds(statement: str) -> float:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        return time.perf_counter() - start

    return median(RUNS, once)


def _first_run() -> float:
    """CPU seconds of a fresh process that makes one compiled run; all that is kept on the machine is there."""
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}

        def once() -> float:
            return float(subprocess.check_output([sys.executable, "-c", FIRST_RUN], env=environment, text=True))

        once()
        return median(RUNS, once)


def measure() -> list[Measured]:
    """Import time, the first run of a process, and rows per second against SimPy."""
    bare = _import_seconds("pass")
    imported = _import_seconds("import wfsim")
    seconds, records = _engine()
    quick, many = compiled_orders(MANY, keeps=True)
    whole = {engine: _whole(engine, cases) for engine, cases in (("python", CASES), ("compiled", MANY))}
    simpy_seconds, simpy_rows = _simpy(CASES)
    return [
        Measured("import wfsim", 1000 * (imported - bare), "ms", "beyond an empty interpreter"),
        Measured("first run, warm cache", _first_run(), "s", "a fresh process: import, 1,000 orders compiled, history"),
        Measured("in Python, alone", records / seconds, "rows/s", f"{CASES:,} orders, {records / CASES:.1f} rows each"),
        Measured("in Python, wf.simulate", records / whole["python"], "rows/s", "history in DuckDB"),
        Measured("compiled, alone", many / quick, "rows/s", f"{MANY:,} orders, the whole log kept in memory"),
        Measured("compiled, wf.simulate", many / whole["compiled"], "rows/s", "history in DuckDB"),
        Measured(
            "SimPy", simpy_rows / simpy_seconds, "rows/s", f"{simpy_rows / CASES:.1f} rows each, tuples in a list"
        ),
        Measured("in Python / SimPy, orders/s", simpy_seconds / seconds, "times", f"SimPy leaves out: {LEFT_OUT}"),
        Measured(
            "compiled / SimPy, orders/s", _against_simpy(), "times", f"{MANY:,} orders each, all rows kept, by turns"
        ),
        *_against_cimba(quick),
        Measured("compiled / in Python, orders/s", MANY / quick / (CASES / seconds), "times"),
    ]


if __name__ == "__main__":
    from tests.benchmarks import show

    show("step", measure())
