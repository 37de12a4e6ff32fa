"""The search over a workflow's states: edges a second in Python and compiled, and what starting costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks import Measured, cpu_seconds, median
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load
from wfsim.verification.workflows.space import Engine, WorkflowSpace, explore_workflow

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("travel_booking", "incident_response", "order_fulfilment")
# Python gets as far as this, so that the benchmark ends; compiled the whole space is searched.
MOST = 4_000
RUNS = 3

LOAD = """
import time
import wfsim.verification.workflows.compiled_space
from tests.benchmarks.spaces import wide
from wfsim.verification.workflows.space import explore_workflow
t = time.perf_counter()
explore_workflow(wide(1), engine="compiled")
print(time.perf_counter() - t)
"""


def wide(fields: int) -> Workflow:
    """An event with many fields that a condition looks at: two to the power of `fields` payloads in each state."""
    names = [f"b{k}" for k in range(fields)]
    count = {"action_type": "set_variable", "parameters": {"name": "n", "value": "${context.n + 1}"}}
    go = {
        "from": "a",
        "event": "e",
        "condition": " and ".join(f"event.{name}" for name in names) + " and context.n < 20",
    }
    return Workflow.model_validate(
        {
            "name": "wide",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
            "variables": {"n": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 30}},
            "events": {"e": {"payload": dict.fromkeys(names, "boolean")}},
            "transitions": [go | {"pre_actions": [count]}, {"from": "a", "event": "e"}],
        }
    )


def _rate(flow: Workflow, engine: Engine, max_states: int) -> tuple[float, WorkflowSpace]:
    spaces: list[WorkflowSpace] = []
    seconds = median(
        RUNS, lambda: cpu_seconds(lambda: spaces.append(explore_workflow(flow, max_states=max_states, engine=engine)))
    )
    return spaces[-1].n_edges / seconds, spaces[-1]


def measure() -> list[Measured]:
    """Both speeds on models of the repository and on an event with many payloads."""
    explore_workflow(wide(1), engine="compiled")
    load_seconds = median(3, lambda: float(subprocess.check_output([sys.executable, "-c", LOAD], text=True)))
    lines = [Measured("load, later processes", load_seconds, "s", "once in each process that uses it")]
    for name, flow in [*((name, load(MODELS / f"{name}.yaml")) for name in NAMES), ("2,048 payloads", wide(11))]:
        plain, _ = _rate(flow, "python", MOST)
        quick, space = _rate(flow, "compiled", 1_000_000)
        assert space.complete
        size = f"{space.n_states:,} states, {space.n_edges:,} edges; Python up to {MOST:,} states"
        lines += [
            Measured(f"{name}, Python", plain, "edges/s"),
            Measured(f"{name}, compiled", quick, "edges/s", size),
            Measured(f"{name}, compiled / Python", quick / plain, "times"),
        ]
    return lines
