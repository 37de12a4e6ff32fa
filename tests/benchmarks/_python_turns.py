"""The calendar in Python of one source tree, a turn whenever asked: `python _python_turns.py MODELS NAME …`.

It answers each line `speed name` on stdin, whatever the speed. It is run with a tree from before the calendar was
compiled on the path, too, where the simulator had another name and took what a scenario says by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import wfsim as wf
from wfsim.semantics.compile import compile_workflow

CASES = 1_000


def _run_of(workflow: Any, scenario: Any) -> Callable[[], int]:
    """A simulation, of which all records are made and dropped; returns how many."""
    program = compile_workflow(workflow)
    found: list[int] = []

    def sink(number: int, instance: Any, output: Any) -> None:
        found.append(len(output.records))

    def run() -> int:
        found.clear()
        try:
            engine: Any = import_module("wfsim.simulation.engine")
        except ModuleNotFoundError:
            engine = import_module("wfsim.simulate.engine")
            engine.Simulation(program, scenario, seed=7, replication=0, cases=CASES, horizon=None, sink=sink).run()
        else:
            engine.Simulation(program, scenario.changed(seed=7, cases=CASES), sink=sink).run()
        return sum(found)

    return run


def main(models: Path, names: list[str]) -> None:
    """Answer with the processor time of a run in microseconds, and its records."""
    runs = {
        name: _run_of(wf.load(models / f"{name}.yaml"), wf.load_scenario(models / f"{name}.scenario.yaml"))
        for name in names
    }
    for run in runs.values():
        run()
    print("ready", flush=True)
    for line in sys.stdin:
        run = runs[line.split()[1]]
        start = time.process_time()
        records = run()
        print((time.process_time() - start) * 1e6, records, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
