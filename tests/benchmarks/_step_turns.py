"""The step of one source tree, a turn whenever asked: `python _step_turns.py MODELS NAME …`, speeds and names on stdin.

The speed `alone` is the compiled step without a calendar, and takes the workflow of the benchmark two_speeds.
It is run with an earlier tree on the path too, so it uses nothing but names that both have.
"""

import sys
import time
from pathlib import Path

import wfsim as wf
from tests.benchmarks.two_speeds import compiled_case
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.program import Program
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.engine import Simulation

CASES = {"python": 100, "compiled": 8_000}


def main(models: Path, names: list[str]) -> None:
    """Answer each line `speed name` with the processor time of a run in microseconds, and its records."""
    programs, scenarios = {}, {}
    for name in names:
        workflow = wf.load(models / f"{name}.yaml")
        programs[name] = compile_workflow(workflow)
        scenarios[name] = wf.load_scenario(models / f"{name}.scenario.yaml")
        CompiledSimulation(programs[name], scenarios[name].changed(seed=7, cases=100), sink=lambda chunk: False).run()
    print("ready", flush=True)
    for line in sys.stdin:
        speed, name = line.split()
        if speed == "alone":
            seconds, records = compiled_case()
            print(seconds * 1e6, records, flush=True)
            continue
        start = time.process_time()
        records = _records(speed, programs[name], scenarios[name].changed(seed=7, cases=CASES[speed]))
        print((time.process_time() - start) * 1e6, records, flush=True)


def _records(speed: str, program: Program, scenario: wf.Scenario) -> int:
    """Run, and count."""
    found: list[int] = []

    def count(chunk: Chunk) -> bool:
        found.append(len(chunk.log))
        return False

    if speed == "python":
        Simulation(program, scenario, sink=lambda number, instance, output: found.append(len(output.records))).run()
    else:
        CompiledSimulation(program, scenario, sink=count).run()
    return sum(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
