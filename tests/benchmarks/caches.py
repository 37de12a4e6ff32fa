"""What the caches of an engine buy: processor time with each, and without."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from unittest import mock

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from wfsim.model.workflow import Workflow
from wfsim.runtime import cache, pulled

RUNS, SENDS, OPEN, BEFORE = 3, 300, 50, 20
LARGE = 2_000
"""Texts in the list of the instance that is large."""


def _ringing() -> Workflow:
    definition = {
        "name": "ringing",
        "initial_state": "open",
        "variables": {"notes": {"type": "list", "items": {"type": "string"}, "input": True}},
        "events": {"ring": {}},
        "states": [{"name": "open"}, {"name": "end", "is_terminal": True}],
        "transitions": [{"from": "open", "event": "ring"}],
    }
    return Workflow.model_validate(definition)


def _sends(most: int) -> float:
    """Milliseconds of a send to an instance with a long list, of which so many are kept in memory."""
    with wf.open_engine("sqlite://", [_ringing()]) as engine:
        engine.core.cache = cache.Cache(most)
        run = engine.start("ringing", {"notes": [f"note {k}" for k in range(LARGE)]})
        run.send("ring")
        return 1e3 * cpu_seconds(lambda: [run.send("ring") for _ in range(SENDS)]) / SENDS


def _looks() -> tuple[float, float]:
    """Milliseconds of looking at an instance of a definition that the process has not met, and at the next one."""
    workflow = wf.example("order_processing")
    functions = {name: lambda **_: None for name in workflow.activities}
    given = {"order_id": "o", "total_amount": 5, "currency": "EUR", "items": []}
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/runs.db"
        with wf.open_engine(address, [workflow], functions, groups=()) as engine:
            for name in ("first", "next"):
                engine.start("order_processing", given, id=name)
        with wf.open_engine(address, groups=()) as engine:

            def look(name: str) -> float:
                return 1e3 * cpu_seconds(lambda: engine.get(name).variables)

            return look("first"), look("next")


def _pulled(most: int) -> float:
    """Milliseconds of bringing the history of open instances up to date, an event each after many."""
    with mock.patch.object(pulled, "KEPT", most), wf.open_engine("sqlite://", [_ringing()]) as engine:
        runs = [engine.start("ringing", {"notes": []}) for _ in range(OPEN)]
        for run in runs:
            for _ in range(BEFORE):
                run.send("ring")
        history = engine.history
        for run in runs:
            run.send("ring")
        return 1e3 * cpu_seconds(lambda: history.sql("SELECT count(*) FROM records").fetchall())


def measure() -> list[Measured]:
    """Each in turns."""

    def both(
        what: str, unit: str, without: Callable[[], float], kept: Callable[[], float], note: str
    ) -> list[Measured]:
        slow, quick = median(RUNS, without), median(RUNS, kept)
        return [Measured(f"{what}, without", slow, unit), Measured(f"{what}, with", quick, unit, note)]

    return [
        *both(
            "send to a large instance", "ms", lambda: _sends(0), lambda: _sends(cache.MOST), f"{LARGE:,} texts in it"
        ),
        *both(
            "look at an order", "ms", lambda: _looks()[0], lambda: _looks()[1], "without: its definition is compiled"
        ),
        *both(
            f"history of {OPEN} events",
            "ms",
            lambda: _pulled(0),
            lambda: _pulled(pulled.KEPT),
            f"one each of {OPEN} instances, after {BEFORE}",
        ),
    ]


if __name__ == "__main__":
    from tests.benchmarks import show

    show("caches", measure())
