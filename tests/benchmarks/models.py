"""Each example, letters, traces and closed populations: records per processor-second of both engines, and ratios."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from tests.guests import crowd
from wfsim.model.catalogue import Catalogue
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.program import Program
from wfsim.simulation.compiled.run import CompiledSimulation
from wfsim.simulation.default import default_scenario
from wfsim.simulation.engine import Simulation
from wfsim.simulation.scenario import Scenario

CASES, LARGER, RUNS = 300, 10, 3
"""Cases in Python, how many times as many in compiled code, and runs of which the median counts."""


def in_python(program: Program, scenario: Scenario) -> int:
    """Simulate in Python, and drop the records; returns how many there were."""
    found: list[int] = []
    Simulation(program, scenario, sink=lambda number, instance, output: found.append(len(output.records))).run()
    return sum(found)


def _compiled(program: Program, scenario: Scenario) -> int:
    found: list[int] = []
    CompiledSimulation(program, scenario, sink=lambda chunk: found.append(len(chunk.log))).run()
    return sum(found)


def _compared(name: str, program: Program, scenario: Scenario) -> list[Measured]:
    """One of them by both engines."""
    rates = []
    for run, cases in ((in_python, CASES), (_compiled, LARGER * CASES)):
        plan = scenario.changed(cases=cases)
        records = run(program, plan)
        rates.append(records / median(RUNS, partial(cpu_seconds, partial(run, program, plan))))
    return [
        Measured(f"{name}, in Python", rates[0], "rows/s"),
        Measured(f"{name}, compiled", rates[1], "rows/s"),
        Measured(f"{name}, compiled / in Python", rates[1] / rates[0], "times"),
    ]


def _by_day(folder: Path) -> Scenario:
    """Orders as a file says: one a minute, each third with an amount of its own."""
    file = folder / "orders.csv"
    rows = (f"{60 * k},{k % 90 + 1 if k % 3 == 0 else ''}\n" for k in range(LARGER * CASES))
    file.write_text("time,total_amount\n" + "".join(rows), encoding="utf-8")
    return wf.load_scenario(wf.examples()["order_processing"].scenario).changed(arrivals={"trace": str(file)})


def measure() -> list[Measured]:
    """The engines alone; their records are dropped."""
    models = Catalogue(wf.example(name) for name in wf.examples())
    measured = []
    for name, files in wf.examples().items():
        workflow = wf.example(name)
        scenario = wf.load_scenario(files.scenario) if files.scenario else default_scenario(workflow, models)
        measured += _compared(name, compile_workflow(workflow, models.family(workflow)), scenario)
    guest, scenario, known = crowd()
    measured += _compared("letters", compile_workflow(guest, known), scenario)
    order = compile_workflow(wf.example("order_processing"))
    with TemporaryDirectory() as folder:
        traced = _by_day(Path(folder))
        measured += _compared("orders, a trace", order, traced)
    members = {"closed": {"population": 200, "think": {"exponential": {"mean": "3h"}}}}
    measured += _compared("orders, a closed population", order, traced.changed(arrivals=members))
    return measured


if __name__ == "__main__":
    from tests.benchmarks import show

    show("models", measure())
