"""Real runs: orders of five steps on an engine, against the same orders as plain workflows of DBOS."""

from __future__ import annotations

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from tests.benchmarks import Measured
from tests.benchmarks._engine_load import N_TIMERS, ORDER, N
from tests.postgres import serving

N_OPEN = 1_000
STEPS = 5
"""Started, paid, an attempt taken, an attempt done, shipped."""


def measure() -> list[Measured]:
    """Orders on SQLite and PostgreSQL, ours and plain DBOS in turns; what is waiting is opened again."""
    lines = []
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        for kind in ("SQLite", "PostgreSQL"):
            found: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
            for k in range(3):
                for which in found:
                    address = f"sqlite:///{folder}/{which}-{k}.db" if kind == "SQLite" else server.address()
                    found[which].append(_asked(which, address))
            ours, plain = (statistics.median(each["cpu"] for each in found[which]) for which in found)
            sent, late = (statistics.median(each[name] for each in found["ours"]) for name in ("p50", "p99"))
            address = f"sqlite:///{folder}/open.db" if kind == "SQLite" else server.address()
            reopened = _asked("reopen", address)["seconds"]
            lines += [
                Measured(f"{kind}: engine", STEPS * N / ours, "steps/s", "of processor time, without the server's"),
                Measured(f"{kind}: plain DBOS", STEPS * N / plain, "steps/s", "the same orders, each one workflow"),
                Measured(f"{kind}: engine against plain DBOS", plain / ours, "times"),
                Measured(f"{kind}: send, median", sent, "ms", f"99 %: {late:.1f} ms"),
                Measured(f"{kind}: opened again", reopened, "s", f"{N_OPEN:,} instances wait"),
            ]
            for n in (1, 2):
                address = f"sqlite:///{folder}/load-{n}.db" if kind == "SQLite" else server.address()
                lines += _loaded(f"{kind}, {n} {'worker' if n == 1 else 'workers'}", address, n)
            address = f"sqlite:///{folder}/history.db" if kind == "SQLite" else server.address()
            lines += _followed(kind, address)
    return lines


def _loaded(what: str, address: str, n: int) -> list[Measured]:
    """Orders that a process sends and others work on, and timers that are due at once."""
    found = _asked("orders", address, n, module="_engine_load")
    rung = _asked("timers", address, n, module="_engine_load")
    return [
        Measured(f"{what}: steps", STEPS * N / found["cpu"], "steps/s", "of processor time, the sender's with it"),
        Measured(f"{what}: orders", STEPS * N / found["seconds"], "steps/s", "of real time"),
        Measured(f"{what}: send, median", found["p50"], "ms", f"99 %: {found['p99']:.1f} ms"),
        Measured(
            f"{what}: timers", rung["seconds"], "s", f"{N_TIMERS:,} due at once; {rung['cpu']:.1f} s of processor time"
        ),
    ]


def _followed(kind: str, address: str) -> list[Measured]:
    """A history that is asked while orders run; what is missing is no more than was written since it was asked."""
    found = _asked("history", address, 1, module="_engine_load")
    assert found["last"] == 0, "the history lacks what was written before it was asked"
    return [
        Measured(
            f"{kind}: history pulls",
            found["pulled"],
            "records/s",
            f"meanwhile {found['written']:.0f} a second were written; at most {found['most']:.0f} were missing when it "
            f"was asked, and {found['longest']:.2f} s passed until they were there",
        )
    ]


def _asked(which: str, address: str, *more: object, module: str = "engines") -> dict[str, float]:
    """In a process of its own: there is one DBOS in a process."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", which, address, *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(address: str) -> dict[str, float]:
    """Processor seconds of all orders, and how long a send takes in milliseconds."""
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.opening import open_engine

    took = []
    with open_engine(address, [Workflow.model_validate(ORDER)], {"charge": lambda total: "paid"}) as engine:
        engine.start("order", {"total": 1}, id="warm").send("pay")
        engine.get("warm").wait("paid", timeout=60)
        began = time.process_time()
        for number in range(N):
            engine.start("order", {"total": 1}, id=f"o{number}")
        for event, then in (("pay", "paid"), ("ship", "shipped")):
            for number in range(N):
                sent = time.perf_counter()
                engine.send(f"o{number}", event)
                took.append(1e3 * (time.perf_counter() - sent))
            for number in range(N):
                engine.get(f"o{number}").wait(then, timeout=120)
        cpu = time.process_time() - began
    return {"cpu": cpu, "p50": statistics.median(took), "p99": statistics.quantiles(took, n=100)[98]}


def plain(address: str) -> dict[str, float]:
    """Processor seconds of the same orders as workflows of DBOS."""
    from dbos import DBOS, SetWorkflowID

    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS(config={"name": "plain", "system_database_url": address, "log_level": "ERROR"})

    @DBOS.step()
    def charge(total: int) -> str:
        return "paid"

    @DBOS.workflow()
    def order(total: int) -> str:
        DBOS.recv("pay", timeout_seconds=3600)
        receipt = charge(total)
        DBOS.recv("ship", timeout_seconds=3600)
        return receipt

    DBOS.launch()
    began = time.process_time()
    handles = []
    for number in range(N):
        with SetWorkflowID(f"o{number}"):
            handles.append(DBOS.start_workflow(order, 1))
    for topic in ("pay", "ship"):
        for number in range(N):
            DBOS.send(f"o{number}", "now", topic)
    for handle in handles:
        handle.get_result()
    cpu = time.process_time() - began
    DBOS.destroy()
    return {"cpu": cpu}


def reopen(address: str) -> dict[str, float]:
    """Seconds from opening an engine on many waiting instances to the first event taken."""
    from wfsim.model.workflow import Workflow
    from wfsim.runtime.opening import open_engine

    workflow = Workflow.model_validate(ORDER)
    with open_engine(address, [workflow]) as engine:
        for number in range(N_OPEN):
            engine.start("order", {"total": 1}, id=f"o{number}")
    began = time.perf_counter()
    with open_engine(address, [workflow], {"charge": lambda total: "paid"}) as engine:
        engine.send("o7", "pay")
        return {"seconds": time.perf_counter() - began}


KINDS: dict[str, Callable[[str], dict[str, float]]] = {"ours": ours, "plain": plain, "reopen": reopen}

if __name__ == "__main__":
    print(json.dumps(KINDS[sys.argv[1]](sys.argv[2])))
