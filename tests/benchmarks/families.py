"""Workflows that run others or write to them: records per processor-second of both engines, and their ratio."""

from __future__ import annotations

from functools import partial

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
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


def measure() -> list[Measured]:
    """The engines alone; their records are dropped."""
    models = Catalogue(wf.example(name) for name in wf.examples())
    measured = []
    for name in NAMES:
        workflow, files = wf.example(name), wf.examples()[name]
        assert files.scenario is not None
        program = compile_workflow(workflow, models.family(workflow))
        scenario = wf.load_scenario(files.scenario).changed(cases=CASES)
        records = _compiled(program, scenario)
        taken = [median(RUNS, partial(cpu_seconds, partial(run, program, scenario))) for run in (in_python, _compiled)]
        measured += [
            Measured(f"{name}, {engine}", records / seconds, "rows/s")
            for engine, seconds in zip(("in Python", "compiled"), taken)
        ]
        measured.append(Measured(f"{name}, compiled / in Python", taken[0] / taken[1], "times"))
    return measured


if __name__ == "__main__":
    from tests.benchmarks import show

    show("families", measure())
