"""The step of one source tree, a turn whenever asked: `python _step_turns.py MODELS NAME …`, speeds and names on stdin.

The speed `alone` is the compiled step without a calendar: what came to the instances of a simulation, or of the case
of the benchmark two_speeds, is put to it again. It is run with an earlier tree on the path too, so it uses nothing but
names that both have.
"""

import copy
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numba
import numpy as np

import wfsim as wf
from tests.benchmarks.two_speeds import definition, play
from tests.differential.compiled_instance import to_array
from wfsim.semantics import dtypes, speed
from wfsim.semantics.addresses import out as out_of
from wfsim.semantics.addresses import rows
from wfsim.semantics.codes import INBOX
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.compiled import step as compiled
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import Cell, Queued
from wfsim.semantics.program import Program
from wfsim.semantics.snapshot import add_spare_rows
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.engine import Simulation

CASES = {"python": 100, "compiled": 8_000, "alone": 50}
# More rows than a case of these workflows needs at once, so that no compiled step has to be repeated.
SPARE_ROWS = 32
AGAIN = 40
Run = Callable[[], int]

_step = compiled.step


@numba.njit
def _drive(p, ms, vs, m, v, o, boxes, payloads, bounds, n_fields, inbox_cells, again):  # type: ignore[no-untyped-def]
    records = 0
    for _ in range(again):
        for case in range(bounds.shape[0] - 1):
            m[:] = ms[case]
            v[:] = vs[case]
            for b in range(bounds[case], bounds[case + 1]):
                m[INBOX] = boxes[b]
                for f in range(n_fields):
                    v[inbox_cells + f] = payloads[b * n_fields + f]
                o.tally[0].records = 0
                o.tally[0].values = 0
                o.tally[0].effects = 0
                _step(rows(p), rows(m), rows(v), out_of(o), 0)
                records += o.tally[0].records
    return records


def main(models: Path, names: list[str]) -> None:
    """Answer each line `speed name` with the processor time of a run in microseconds, and its records."""
    programs, scenarios, alone = {}, {}, dict[str, Run]()
    for name in names:
        workflow = wf.load(models / f"{name}.yaml")
        programs[name] = compile_workflow(workflow)
        scenarios[name] = wf.load_scenario(models / f"{name}.scenario.yaml")
        CompiledSimulation(programs[name], scenarios[name].changed(seed=7, cases=100), sink=lambda chunk: False).run()
        alone[name] = _alone(programs[name], _whole("alone", programs[name], scenarios[name]))
    two_levels = compile_workflow(definition())
    alone["two_speeds"] = _alone(
        two_levels,
        lambda: sum(len(each.records) for _ in range(CASES["alone"]) for each in play(Instance(two_levels))),
    )
    print("ready", flush=True)
    for line in sys.stdin:
        kind, name = line.split()
        run = alone[name] if kind == "alone" else _whole(kind, programs[name], scenarios[name])
        start = time.process_time()
        records = run()
        print((time.process_time() - start) * 1e6, records, flush=True)


def _whole(kind: str, program: Program, scenario: wf.Scenario) -> Run:
    """A simulation."""
    scenario = scenario.changed(seed=7, cases=CASES[kind])
    found: list[int] = []

    def count(chunk: Chunk) -> bool:
        found.append(len(chunk.log))
        return False

    def run() -> int:
        found.clear()
        if kind != "compiled":
            told = lambda number, instance, output: found.append(len(output.records))  # noqa: E731
            Simulation(program, scenario, sink=told).run()
        else:
            CompiledSimulation(program, scenario, sink=count).run()
        return sum(found)

    return run


def _alone(program: Program, simulate: Run) -> Run:
    """What comes to instances put to the compiled step again; 0 records where that asks its surroundings."""
    played: dict[int, tuple[Instance, Any, Any, list[Queued], list[Cell]]] = {}
    usual = Instance._step

    def recording(instance: Instance) -> Output:
        if id(instance) not in played:
            # As the compiled one has them: clocks of activities are known by their row.
            add_spare_rows(instance, SPARE_ROWS)
            m, v = to_array(instance.m, dtypes.MEMORY), to_array(instance.v, dtypes.CELL)
            played[id(instance)] = instance, m, v, [], []
        *_, boxes, payloads = played[id(instance)]
        head = instance.program.head
        boxes.append(copy.copy(instance.m[INBOX]))
        payloads += [copy.copy(cell) for cell in instance.v[head.inbox_cells : head.inbox_cells + head.n_fields]]
        return usual(instance)

    with mock.patch.object(Instance, "_step", recording):
        records = simulate()
    _, ms, vs, boxes, payloads = zip(*played.values())
    bounds = np.cumsum([0, *map(len, boxes)])
    given: tuple[Any, ...] = (
        to_array(program.rows, dtypes.PROGRAM),
        *(_stacked(ms), _stacked(vs), ms[0].copy(), vs[0].copy(), speed.new_outputs(256)),
        to_array([box for each in boxes for box in each], dtypes.MEMORY),
        to_array([cell for each in payloads for cell in each], dtypes.CELL),
        *(bounds, program.head.n_fields, program.head.inbox_cells),
    )
    o = given[5]
    found = _drive(*given, 1)
    if o.tally[0]["question"] != -1:
        return lambda: 0
    assert o.tally[0]["full"] == 0
    assert found == records, f"{program.workflow.name}: {found} records compiled, {records} interpreted."
    return lambda: int(_drive(*given, AGAIN))


def _stacked(arrays: Sequence[Any]) -> Any:
    """As `np.stack`, but with the layout that rows have."""
    found = np.empty((len(arrays), len(arrays[0])), arrays[0].dtype)
    for row, array in zip(found, arrays):
        row[:] = array
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
