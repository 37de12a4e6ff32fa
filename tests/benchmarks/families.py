"""Workflows that run others or write to them, and arrivals: records per processor-second of both engines, ratios."""

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
from wfsim.simulation.engine import Simulation
from wfsim.simulation.scenario import Scenario

CASES, RUNS = 1_000, 3
NAMES = ("order_fulfilment", "document_request", "loan_application")


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
    records = _compiled(program, scenario)
    taken = [median(RUNS, partial(cpu_seconds, partial(run, program, scenario))) for run in (in_python, _compiled)]
    return [
        Measured(f"{name}, in Python", records / taken[0], "rows/s"),
        Measured(f"{name}, compiled", records / taken[1], "rows/s"),
        Measured(f"{name}, compiled / in Python", taken[0] / taken[1], "times"),
    ]


def _by_day(folder: Path) -> Scenario:
    """Orders as a file says: one a minute, each third with an amount of its own."""
    file = folder / "orders.csv"
    rows = (f"{60 * k},{k % 90 + 1 if k % 3 == 0 else ''}\n" for k in range(CASES))
    file.write_text("time,total_amount\n" + "".join(rows), encoding="utf-8")
    return wf.load_scenario(wf.examples()["order_processing"].scenario).changed(arrivals={"trace": str(file)})


def measure() -> list[Measured]:
    """The engines alone; their records are dropped."""
    models = Catalogue(wf.example(name) for name in wf.examples())
    measured = []
    for name in NAMES:
        workflow, files = wf.example(name), wf.examples()[name]
        assert files.scenario is not None
        program = compile_workflow(workflow, models.family(workflow))
        measured += _compared(name, program, wf.load_scenario(files.scenario).changed(cases=CASES))
    guest, scenario, known = crowd(CASES)
    measured += _compared("letters", compile_workflow(guest, known), scenario)
    order = compile_workflow(wf.example("order_processing"))
    with TemporaryDirectory() as folder:
        traced = _by_day(Path(folder)).changed(cases=CASES)
        measured += _compared("orders, a trace", order, traced)
    members = {"closed": {"population": 200, "think": {"exponential": {"mean": "3h"}}}}
    measured += _compared("orders, a closed population", order, traced.changed(arrivals=members))
    return measured


if __name__ == "__main__":
    from tests.benchmarks import show

    show("families", measure())
