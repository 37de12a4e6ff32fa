"""Workflows with texts and lists: records per processor-second of both engines, and what a question to Python costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds
from tests.benchmarks.models import in_python
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.program import Program
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.scenario import Scenario

CASES, STEPS, RUNS = 2_000, 20_000, 3
NAMES = ("food_delivery",)


class _Counted(CompiledSimulation):
    """Counts its records, which it drops, and its questions."""

    def __init__(self, program: Program, scenario: Scenario) -> None:
        self.n_records = self.questions = 0
        super().__init__(program, scenario, sink=self._count)

    def _count(self, chunk: Chunk) -> None:
        self.n_records += len(chunk.log)

    def _answer(self) -> None:
        self.questions += 1
        super()._answer()


def _compiled(program: Program, scenario: Scenario) -> _Counted:
    simulation = _Counted(program, scenario)
    simulation.run()
    return simulation


def _least(work: Any) -> float:
    """The least of several runs: the machine may be at something else."""
    return min(cpu_seconds(work) for _ in range(RUNS))


def _counter(value: str) -> tuple[Program, Scenario]:
    """A case that counts up to `STEPS`, by an expression."""
    add = {"action_type": "set_variable", "parameters": {"name": "n", "value": value}}
    workflow = Workflow.model_validate(
        {
            "name": "counter",
            "initial_state": "counting",
            "variables": {"n": {"type": "integer", "initial": 0}},
            "events": {"next": {}},
            "states": [{"name": "counting"}, {"name": "end", "is_terminal": True}],
            "transitions": [
                {"from": "counting", "event": "next", "to": "counting", "pre_actions": [add]},
            ],
        }
    )
    told = {
        "workflow": "counter",
        "arrivals": {"at": ["0s"]},
        "cases": 1,
        "seed": 1,
        "horizon": f"{STEPS}s",
        "events": {"counting": [{"event": "next", "delay": "1s"}]},
    }
    return compile_workflow(workflow), Scenario.model_validate(told)


def measure() -> list[Measured]:
    """The engines alone; their records are dropped."""
    measured = []
    for name in NAMES:
        workflow, files = wf.example(name), wf.examples()[name]
        assert files.scenario is not None
        program = compile_workflow(workflow)
        scenario = wf.load_scenario(files.scenario).changed(cases=CASES)
        run = _compiled(program, scenario)
        records = run.n_records
        plain = _least(partial(in_python, program, scenario.changed(cases=CASES // 10))) * 10
        quick = _least(partial(_compiled, program, scenario))
        measured += [
            Measured(f"{name}, in Python", records / plain, "rows/s"),
            Measured(f"{name}, compiled", records / quick, "rows/s"),
            Measured(f"{name}, compiled / in Python", plain / quick, "times"),
            Measured(f"{name}, questions to Python", run.questions / CASES, "a case"),
        ]
    asking, alone = (_counter(value) for value in ("${min(9, 8, context.n)}", "${context.n}"))
    cost = (_least(partial(_compiled, *asking)) - _least(partial(_compiled, *alone))) / STEPS
    measured.append(Measured("a question", cost * 1e6, "µs"))
    return measured


if __name__ == "__main__":
    from tests.benchmarks import show

    show("lists", measure())
