"""Load on an engine, each part in a process of its own: workers beside a sender, timers, a history that is asked.

`python -m tests.benchmarks._engine_load PART ADDRESS [WORKERS]` prints what was measured, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from wfsim.model.workflow import Workflow
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.pulled import OFTEN
from wfsim.runtime.tables import DUE, INSTANCES

N = 150
N_TIMERS = 10_000
LOOK = 0.02
"""Seconds between two looks at whether all is done."""

ORDER: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {"total": {"type": "integer", "input": True}, "receipt": {"type": "string", "optional": True}},
    "events": {"pay": {}, "ship": {}},
    "activities": {"charge": {}},
    "states": [
        {"name": "created", "timeout": "30d"},
        {
            "name": "charging",
            "activity": {
                "name": "charge",
                "parameters": {"total": "${context.total}"},
                "result_variable": "receipt",
            },
        },
        {"name": "paid", "timeout": "30d"},
        {"name": "shipped", "is_terminal": True},
    ],
    "transitions": [
        {"from": "created", "event": "pay", "to": "charging"},
        {"from": "charging", "event": "done", "to": "paid"},
        {"from": "paid", "event": "ship", "to": "shipped"},
    ],
}
ALARM: dict[str, Any] = {
    "name": "alarm",
    "initial_state": "waiting",
    "states": [{"name": "waiting"}, {"name": "rung", "is_terminal": True}],
    "transitions": [{"from": "waiting", "to": "rung", "after": "30d"}],
}


def published() -> list[Workflow]:
    """All that is measured."""
    return [Workflow.model_validate(each) for each in (ORDER, ALARM)]


def worker(address: str) -> dict[str, float]:
    """Works until its input ends; its processor seconds."""
    with open_engine(address, published(), {"charge": lambda total: "paid"}):
        began = time.process_time()
        print("ready", flush=True)
        sys.stdin.read()
        return {"cpu": time.process_time() - began}


@contextlib.contextmanager
def workers(address: str, n: int) -> Iterator[dict[str, float]]:
    """So many at work; `cpu` is there at the end: the processor seconds of all."""
    command = [sys.executable, "-m", __spec__.name, "worker", address]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(n)]
    found: dict[str, float] = {}
    for each in started:
        assert each.stdout is not None
        each.stdout.readline()
    yield found
    found["cpu"] = sum(json.loads(each.communicate()[0])["cpu"] for each in started)


def until(engine: Engine, state: str, n: int) -> None:
    """Wait until so many instances are in a state."""
    asked = sa.select(sa.func.count()).select_from(INSTANCES).where(INSTANCES.c.state == state)
    while True:
        with engine.core.database.reading() as rows:
            if rows.connection.execute(asked).scalar_one() == n:
                return
        time.sleep(LOOK)


def orders(address: str, n_workers: int) -> dict[str, float]:
    """Processor and real seconds of all orders, and how long a send takes in milliseconds."""
    took = []
    with workers(address, n_workers) as cost, open_engine(address, published()) as engine:
        began, cpu = time.perf_counter(), time.process_time()
        for number in range(N):
            engine.start("order", {"total": 1}, id=f"o{number}")
        for event, then in (("pay", "paid"), ("ship", "shipped")):
            for number in range(N):
                sent = time.perf_counter()
                engine.send(f"o{number}", event)
                took.append(1e3 * (time.perf_counter() - sent))
            until(engine, then, N)
        found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    found["cpu"] += cost["cpu"]
    return {**found, "p50": statistics.median(took), "p99": statistics.quantiles(took, n=100)[98]}


def timers(address: str, n_workers: int) -> dict[str, float]:
    """Real and processor seconds until all timers that are due at once have fired."""
    with workers(address, n_workers) as cost, open_engine(address, published()) as engine:
        for number in range(N_TIMERS):
            engine.start("alarm", id=f"a{number}")
        with engine.core.database.transaction() as rows:
            rows.connection.execute(sa.update(DUE).values(due=engine.core.clock.now()))
        began = time.perf_counter()
        until(engine, "rung", N_TIMERS)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "cpu": cost["cpu"]}


def history(address: str, n_workers: int) -> dict[str, float]:
    """A history that is asked again and again while orders run: how far behind it was, and how long it took."""
    lags, took = [], []
    with workers(address, n_workers), open_engine(address, published()) as engine:
        asked = engine.history

        def ask() -> None:
            lags.append(asked.lag)
            began = time.perf_counter()
            asked.sql("SELECT count(*) FROM records").fetchall()
            took.append(time.perf_counter() - began)

        began = time.perf_counter()
        for number in range(N):
            engine.start("order", {"total": 1}, id=f"o{number}")
        for event, then in (("pay", "paid"), ("ship", "shipped")):
            for number in range(N):
                engine.send(f"o{number}", event)
                if number % 15 == 0:
                    ask()
            until(engine, then, N)
        ask()
        seconds = time.perf_counter() - began
        # Once it has caught up, nothing is missing; it looks no more often than so.
        time.sleep(2 * OFTEN)
        ask()
    return {
        "written": sum(lags) / (seconds - sum(took)),
        "pulled": sum(lags) / sum(took),
        "most": max(lags),
        "longest": max(took),
        "last": lags[-1],
    }


PARTS: dict[str, Callable[[str, int], dict[str, float]]] = {"orders": orders, "timers": timers, "history": history}

if __name__ == "__main__":
    part, place, *rest = sys.argv[1:]
    print(json.dumps(worker(place) if part == "worker" else PARTS[part](place, int(rest[0]))))
