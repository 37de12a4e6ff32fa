"""M/M/1 at 75 % load: customers per processor-second, against SimPy, salabim and cimba in the same run.

wfsim makes all records of every customer, and drops them; the others keep a mean. salabim and cimba are installed by
`pip install wfsim[bench]`; what is not there is not measured.
"""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import simpy

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.compiled.run import CompiledSimulation

MEAN, SERVICE = 4.0, 3.0
RUNS = 5
MANY = 1_000_000


def _wfsim() -> Callable[[int], None]:
    w = wf.Builder("queue").activity("serve", pool="clerks")
    w.state("served", initial=True, activity="serve").state("gone", terminal=True)
    program = compile_workflow(w.transition("served", "gone", on="done").build())
    plan = {
        "arrivals": {"poisson": "15/m"},
        "pools": {"clerks": {"capacity": 1}},
        "activities": {"serve": {"duration": {"exponential": {"mean": f"{SERVICE:g}s"}}}},
    }

    def run(customers: int) -> None:
        scenario = wf.Scenario.model_validate({**plan, "cases": customers})
        CompiledSimulation(program, scenario, sink=lambda chunk: None).run()

    return run


def _simpy(customers: int) -> None:
    env, chance = simpy.Environment(), random.Random(1)
    clerk = simpy.Resource(env, 1)
    waits = []

    def customer() -> simpy.events.ProcessGenerator:
        begun = env.now
        with clerk.request() as request:
            yield request
            waits.append(env.now - begun)
            yield env.timeout(chance.expovariate(1.0 / SERVICE))

    def arrivals() -> simpy.events.ProcessGenerator:
        for _ in range(customers):
            yield env.timeout(chance.expovariate(1.0 / MEAN))
            env.process(customer())

    env.process(arrivals())
    env.run()
    assert len(waits) == customers


def _salabim(customers: int) -> None:
    import salabim

    salabim.yieldless(False)
    chance = random.Random(1)
    env = salabim.Environment(trace=False, random_seed=1)
    clerk = salabim.Resource("clerk", 1)

    class Customer(salabim.Component):
        def process(self):
            yield self.request(clerk)
            yield self.hold(chance.expovariate(1.0 / SERVICE))
            self.release()

    class Arrivals(salabim.Component):
        def process(self):
            for _ in range(customers):
                yield self.hold(chance.expovariate(1.0 / MEAN))
                Customer()

    Arrivals()
    env.run()


def _cimba(customers: int) -> float:
    """Seconds, measured in a process of its own: its compiler and ours do not go together in one."""
    command = [sys.executable, "-m", "tests.benchmarks._cimba_queue", str(customers), str(RUNS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure() -> list[Measured]:
    """Customers per second, and ratios."""
    rivals: dict[str, tuple[Callable[[int], None], int]] = {"wfsim": (_wfsim(), 200_000), "SimPy": (_simpy, 20_000)}
    if importlib.util.find_spec("salabim"):
        rivals["salabim"] = _salabim, 5_000
    found = {}
    for name, (run, customers) in rivals.items():
        run(1_000)
        found[name] = customers / median(RUNS, partial(cpu_seconds, partial(run, customers)))
    if importlib.util.find_spec("cimba"):
        found["cimba"] = MANY / _cimba(MANY)
    measured = [Measured(name, rate, "customers/s", "M/M/1, 75 % load") for name, rate in found.items()]
    for name in ("SimPy", "salabim", "cimba"):
        if name in found:
            measured.append(Measured(f"wfsim / {name}", found["wfsim"] / found[name], "times"))
        else:
            measured.append(
                Measured(f"wfsim / {name}", float("nan"), "times", f"not measured: {name} is not installed")
            )
    return measured


if __name__ == "__main__":
    from tests.benchmarks import show

    show("queues", measure())
