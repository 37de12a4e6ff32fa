"""The step function interpreted and compiled: a workflow with two levels of regions, retries and typed variables."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
from typing import Any

from tests.benchmarks import Measured, cpu_seconds, median
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import CHILD, INBOX
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.layout import Cell, Queued
from wfsim.semantics.snapshot import add_spare_rows

SECOND = 1_000_000
RUNS = 5
# More queued rows than a case of this workflow needs at once, so that no compiled step has to be repeated.
SPARE_ROWS = 8

LOAD = """
import time
import wfsim as wf
from tests.differential.compiled_instance import CompiledInstance
from wfsim.semantics.compile import compile_workflow
program = compile_workflow(wf.new("minimal"))
began = time.perf_counter()
CompiledInstance(program).start(0)
print(time.perf_counter() - began)
"""


def definition() -> Workflow:
    """An order: checked, paid with a retry, picked and invoiced side by side (one in two parts), shipped by a child."""

    def part(name: str, activity: str) -> dict[str, Any]:
        return {
            "name": name,
            "initial_state": "idle",
            "states": [
                {"name": "idle"},
                {"name": "working", "activity": activity},
                {"name": "end", "is_terminal": True},
            ],
            "transitions": [
                {"from": "idle", "to": "working", "event": f"go_{name}"},
                {"from": "working", "to": "end", "event": "done"},
            ],
        }

    deep = {
        "name": "invoice",
        "initial_state": "both",
        "states": [
            {"name": "both", "parallel": {"join": "any", "regions": [part("x", "f"), part("y", "g")]}},
            {"name": "end", "is_terminal": True},
        ],
        "transitions": [{"from": "both", "to": "end", "event": "done"}],
    }
    count = {"action_type": "set_variable", "parameters": {"name": "attempts", "value": "${context.attempts + 1}"}}
    return Workflow(
        name="two_levels",
        initial_state="created",
        states=[
            {"name": "created"},
            {"name": "paying", "timeout": "2h", "activity": "charge"},
            {"name": "fulfilling", "parallel": {"regions": [part("pick", "f"), deep]}},
            {"name": "shipping", "invoke": {"workflow": "parcel", "input": {"amount": "${context.amount}"}}},
            {"name": "delivered", "is_terminal": True},
            {"name": "cancelled", "is_terminal": True, "outcome": "failure"},
        ],
        transitions=[
            {
                "from": "created",
                "to": "paying",
                "event": "validated",
                "condition": "event.amount > 10 and context.attempts < 3",
                "pre_actions": [count, {"action_type": "activity", "name": "check"}],
            },
            {"from": "paying", "to": "fulfilling", "event": "done"},
            {"from": "paying", "to": "cancelled", "event": "timeout"},
            {"from": "fulfilling", "to": "shipping", "event": "done"},
            {"from": "shipping", "to": "delivered", "event": "done"},
            {"from": "fulfilling", "to": "cancelled", "event": "stop"},
        ],
        variables={
            "attempts": {"type": "integer", "initial": 0, "maximum": 5},
            "amount": {"type": "number", "optional": True},
        },
        events={"validated": {"payload": {"amount": "integer"}}, "go_pick": {}, "go_x": {}, "go_y": {}, "stop": {}},
        activities={
            name: {"timeout": "5m", "retry_policy": {"max_attempts": 3}} for name in ("charge", "check", "f", "g")
        },
    )


def play(instance: Instance) -> list[Output]:
    """One case from start to end: 20 steps, with a failed attempt, held and refused events, and a late result."""
    at = SECOND
    outputs = [
        instance.start(0),
        instance.event(at, "validated", {"amount": 20}, "e1"),
        instance.activity_started(2 * at, 1, 1),
        instance.activity_failed(3 * at, 1, 1, "Net"),
    ]
    (retry,) = [timer for timer in instance.timers() if timer.name == "retry"]
    outputs += [
        instance.timer_fired(retry.due, retry.place, retry.id),
        instance.activity_started(5 * at, 1, 2),
        instance.activity_succeeded(6 * at, 1, 2),
        instance.activity_started(7 * at, 2, 1),
        instance.event(7 * at, "go_pick", {}, "e2"),
        instance.activity_succeeded(8 * at, 2, 1),
        *(instance.event(9 * at, f"go_{name}", {}, f"e_{name}") for name in ("pick", "x", "y")),
        *(instance.activity_started(10 * at, serial, 1) for serial in (3, 4, 5)),
        *(instance.activity_succeeded(11 * at, serial, 1) for serial in (3, 4, 5)),
    ]
    (child,) = [work for work in instance.works() if work.phase == CHILD]
    outputs.append(instance.child_closed(12 * at, child.serial, "completed", "success", {"parcel": 1}))
    assert instance.status == "completed"
    return outputs


class _Recorder(Instance):
    """Keeps what lay in the inbox before each step."""

    __slots__ = ("boxes", "payloads")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.boxes: list[Queued] = []
        self.payloads: list[Cell] = []

    def _step(self) -> Output:
        head = self.program.head
        self.boxes.append(copy.copy(self.m[INBOX]))
        self.payloads += [copy.copy(cell) for cell in self.v[head.inbox_cells : head.inbox_cells + head.n_fields]]
        return super()._step()


def _interpreted(cases: int) -> tuple[float, int, int]:
    program = compile_workflow(definition())
    outputs = play(Instance(program))

    def many() -> None:
        for _ in range(cases):
            play(Instance(program))

    seconds = median(RUNS, lambda: cpu_seconds(many)) / cases
    return seconds, len(outputs), sum(len(output.records) for output in outputs)


def compiled_case(cases: int = 10_000) -> tuple[float, int]:
    """CPU seconds and records of one case, in a compiled loop over the same stimuli."""
    import numba

    from tests.differential.compiled_instance import to_array
    from wfsim.semantics import dtypes, speed
    from wfsim.semantics.addresses import out as out_of
    from wfsim.semantics.addresses import rows
    from wfsim.semantics.compiled import step as compiled

    program = compile_workflow(definition())
    head = program.head
    recorder = _Recorder(program)
    play(recorder)
    fresh = Instance(program)
    add_spare_rows(fresh, SPARE_ROWS)
    p = to_array(program.rows, dtypes.PROGRAM)
    m0, v0 = to_array(fresh.m, dtypes.MEMORY), to_array(fresh.v, dtypes.CELL)
    boxes, payloads = to_array(recorder.boxes, dtypes.MEMORY), to_array(recorder.payloads, dtypes.CELL)
    out = speed.new_outputs(64)
    n_fields, inbox_cells = head.n_fields, head.inbox_cells
    step = compiled.step

    @numba.njit
    def drive(p, m0, v0, m, v, o, boxes, payloads, cases):  # type: ignore[no-untyped-def]
        records = 0
        for _ in range(cases):
            m[:] = m0
            v[:] = v0
            for b in range(boxes.shape[0]):
                m[INBOX] = boxes[b]
                for f in range(n_fields):
                    v[inbox_cells + f] = payloads[b * n_fields + f]
                o.tally[0].records = 0
                o.tally[0].values = 0
                o.tally[0].effects = 0
                step(rows(p), rows(m), rows(v), out_of(o), 0)
                records += o.tally[0].records
        return records

    m, v = m0.copy(), v0.copy()
    n_records = drive(p, m0, v0, m, v, out, boxes, payloads, 1)
    assert out.tally[0]["full"] == 0
    assert out.tally[0]["question"] == -1
    many = lambda: drive(p, m0, v0, m, v, out, boxes, payloads, cases)  # noqa: E731
    return median(RUNS, lambda: cpu_seconds(many)) / cases, n_records


def _load(cache: str) -> float:
    environment = {**os.environ, "WFSIM_CACHE": cache}
    return float(subprocess.check_output([sys.executable, "-c", LOAD], env=environment, text=True))


def measure() -> list[Measured]:
    """Compile and load times, and the two speeds on one case."""
    with tempfile.TemporaryDirectory() as cache:
        compile_seconds = _load(cache)
        load_seconds = median(3, lambda: _load(cache))
    plain, steps, records = _interpreted(200)
    quick, same_records = compiled_case()
    assert records == same_records, f"{records} records interpreted, {same_records} compiled"
    return [
        Measured("compile, first process", compile_seconds, "s", "once per version of the sources"),
        Measured("load, later processes", load_seconds, "s"),
        Measured("steps of the case", steps, ""),
        Measured("records of the case", records, ""),
        Measured("interpreted", records / plain, "rows/s", "through the Python interface, one instance made per case"),
        Measured("interpreted", steps / plain, "steps/s"),
        Measured("compiled", records / quick, "rows/s", "in a compiled loop, memory copied once per case"),
        Measured("compiled", steps / quick, "steps/s"),
        Measured("compiled / interpreted", plain / quick, "times"),
    ]


if __name__ == "__main__":
    from tests.benchmarks import show

    show("two_speeds", measure())
