"""Searching nets: markings per second and bytes, against SNAKES and pm4py in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import snakes.nets as sn

from tests.benchmarks import Measured, cpu_seconds, median
from tests.benchmarks.nets_bench import KNOWN, fms, kanban, orders, parallel, philosophers, shared_memory
from wfsim.net.petri import PetriNet
from wfsim.net.snakes_bridge import to_snakes
from wfsim.verification.nets.explore import explore

ROOT = Path(__file__).parents[2]
RUNS = 5

GROWTH = """
import json, os, sys
from tests.benchmarks import nets_bench
from wfsim.verification.nets.explore import explore
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
net = getattr(nets_bench, sys.argv[1])(int(sys.argv[2]))
# The same functions, so that loading them is not counted.
warm = explore(nets_bench.kanban(2), engine="kernel")
before = resident()
space = explore(net)
print(json.dumps((resident() - before) / space.n_markings))
"""

FIRST_SEARCH = """
import json, time
from tests.benchmarks.nets_bench import kanban
from wfsim.verification.nets.explore import explore
start = time.perf_counter()
explore(kanban(1), engine="kernel")
print(json.dumps(time.perf_counter() - start))
"""

FIRST_VERDICT = """
import wfsim as wf
verdict = wf.soundness(wf.load("models/order_processing.yaml"))
assert verdict, verdict
print("true")
"""


def _fresh(code: str, *arguments: str, **environment: str) -> float:
    """Run code in a process of its own; what it prints last."""
    # What a parent process has set about caches would decide where the compiled code is sought.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def _children() -> float:
    """Processor time of the child processes so far."""
    times = os.times()
    return times.children_user + times.children_system


def _cold() -> tuple[float, float]:
    """Seconds, and processor seconds, from starting a process to its first verdict."""
    start, work = time.perf_counter(), _children()
    _fresh(FIRST_VERDICT)
    return time.perf_counter() - start, _children() - work


def _rate(net: PetriNet, **options: str) -> float:
    """Markings per processor second of the call that people make, with the known result; the kernel is loaded."""

    def once() -> None:
        space = explore(net, max_markings=10**7, **options)  # type: ignore[arg-type]
        assert space.complete
        if net.name in KNOWN:
            assert (space.n_markings, space.n_edges) == KNOWN[net.name]
        found.append(space.n_markings)

    found: list[int] = []
    seconds = median(RUNS, lambda: cpu_seconds(once))
    return found[0] / seconds


def _snakes(net: PetriNet) -> float:
    graph = sn.StateGraph(to_snakes(net))
    seconds = cpu_seconds(graph.build)
    assert len(graph) == KNOWN[net.name][0]
    return len(graph) / seconds


def _pm4py(net: PetriNet) -> float:
    from pm4py.objects.petri_net.obj import Marking
    from pm4py.objects.petri_net.obj import PetriNet as Other
    from pm4py.objects.petri_net.utils import petri_utils, reachability_graph

    other = Other(net.name)
    places = {name: Other.Place(name) for name in net.places}
    transitions = {name: Other.Transition(name, name) for name in net.transitions}
    other.places.update(places.values())
    other.transitions.update(transitions.values())
    nodes = {**places, **transitions}
    for arc in net.arcs:
        petri_utils.add_arc_from_to(nodes[arc.source], nodes[arc.target], other, arc.weight)
    start = Marking({places[name]: count for name, count in net.initial_marking.to_dict().items()})
    found: list[int] = []

    def build() -> None:
        found.append(len(reachability_graph.construct_reachability_graph(other, start).states))

    seconds = cpu_seconds(build)
    assert found == [KNOWN[net.name][0]]
    return found[0] / seconds


def measure() -> list[Measured]:
    """The lines of the table."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        compiling = _fresh(FIRST_SEARCH, NUMBA_CACHE_DIR=folder)
        kept = _fresh(FIRST_SEARCH, NUMBA_CACHE_DIR=folder)
    lines.append(Measured("first compiled search on a machine", compiling, "s", "compiles the kernel, once"))
    lines.append(Measured("first compiled search in a process", kept, "s", "loads numba and the compiled code"))

    walls, works = zip(*(_cold() for _ in range(RUNS)))
    about = "soundness of order_processing"
    lines.append(Measured("first verdict of a fresh process", statistics.median(walls), "s", about))
    lines.append(Measured("  of this, processor time", statistics.median(works), "s"))
    # Loaded once, as it is in any session that has listed a net of some size.
    explore(kanban(1), engine="kernel")
    for net, family, n in ((kanban(4), "kanban", 4), (fms(4), "fms", 4)):
        rate = _rate(net)
        space = explore(net)
        counted = f"{space.n_markings:,} markings, {space.n_edges:,} edges, with predecessors"
        lines.append(Measured(net.name, rate, "mark./s", counted))
        lines.append(Measured(f"{net.name}, arrays", space.memory / space.n_markings, "bytes", "per marking"))
        if Path("/proc/self/statm").exists():
            grown = _fresh(GROWTH, family, str(n))
            lines.append(Measured(f"{net.name}, growth of the process", grown, "bytes", "per marking, resident"))
    for net in (
        philosophers(10),
        shared_memory(8),
        parallel(16),
        parallel(5, 3, looped=True, nested=True),
        orders(60, 5),
    ):
        lines.append(Measured(net.name, _rate(net), "mark./s"))
    net = kanban(2)
    kernel, python = _rate(net), _rate(net, engine="python")
    lines.append(Measured("kanban-2", kernel, "mark./s", "compiled"))
    lines.append(Measured("kanban-2 in Python", python, "mark./s", f"compiled / Python: {kernel / python:,.0f}"))
    snakes = _snakes(net)
    lines.append(Measured("kanban-2 in SNAKES", snakes, "mark./s", f"compiled / SNAKES: {kernel / snakes:,.0f}"))
    pm4py = _pm4py(net)
    lines.append(Measured("kanban-2 in pm4py", pm4py, "mark./s", f"compiled / pm4py: {kernel / pm4py:,.0f}"))
    return lines
