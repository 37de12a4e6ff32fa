"""Workers killed with SIGKILL, and the database with them: nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Server, serving
from tests.runtime_kill.kill_child import N_ITEMS, ORDER
from tests.runtime_kill.killer import KILLS, applied, chosen_seed
from wfsim.errors import EngineError
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine

N_ORDERS = 8
PLAN = [(f"item-{k}", "add_item") for k in range(N_ITEMS)] + [("submit", "submit"), ("ship", "ship")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


class Workers:
    """Two workers; one that is killed is replaced."""

    def __init__(self, address: str, folder: Path, chosen: random.Random) -> None:
        self._command = [sys.executable, "-m", "tests.runtime_kill.kill_worker", address, str(folder)]
        self._chosen = chosen
        self.running = [self._start(), self._start()]

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)

    def kill_one(self) -> None:
        """Once it is at work, and some moments later."""
        worker = self.running.pop(0)
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(self._chosen.random() * 0.6)
        worker.kill()
        worker.wait()
        worker.stdout.close()
        self.running.append(self._start())

    def end(self) -> None:
        """Kill all."""
        for worker in self.running:
            worker.kill()
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()


def send(engine: Engine, name: str, event_id: str, event: str) -> None:
    """As a client does that is not sure whether it was heard: until there is an answer."""
    while True:
        try:
            assert engine.send(name, event, event_id=event_id) in ("accepted", "waiting", "duplicate")
        except EngineError:
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_lose_nothing_and_repeat_nothing(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chosen = random.Random(chosen_seed())
    server: Server | None = None
    if kind == "sqlite":
        address = f"sqlite:///{tmp_path}/runs.db"
    else:
        server = request.getfixturevalue("server")
        address = server.address()
    with open_engine(address, [ORDER]) as engine:
        workers = Workers(address, tmp_path, chosen)
        try:
            names = [f"o-{number}" for number in range(N_ORDERS)]
            for name in names:
                engine.start("order", id=name)
            for k, (event_id, event) in enumerate(PLAN):
                for name in names:
                    if event == "ship":
                        engine.get(name).wait("paid", timeout="120s")
                    send(engine, name, event_id, event)
                if k < KILLS:
                    workers.kill_one()
                if server is not None and k == len(PLAN) // 2:
                    server.stop()
                    server.start()
            for _ in range(KILLS - len(PLAN)):
                workers.kill_one()
            for name in names:
                engine.get(name).wait(timeout="120s")
        finally:
            workers.end()
        report = engine.check()
        assert report, str(report)
        effects = {tuple(line.split()) for line in (tmp_path / "effects").read_text().splitlines()}
        expected: set[tuple[str, ...]] = set()
        for name in names:
            run = engine.get(name)
            assert (run.status, run.state, run.variables["items"]) == ("completed", "delivered", N_ITEMS)
            records = run.records
            assert [record.event_id for record in applied(records, "event_received")] == [each for each, _ in PLAN]
            done = Counter(record.activity_id for record in applied(records, "activity_succeeded"))
            assert set(done.values()) == {1}
            started = Counter(
                (record.activity_id, record.attempt) for record in records if record.kind == "activity_started"
            )
            assert set(started.values()) == {1}
            expected |= {(f"{name}:{serial}", str(attempt)) for serial, attempt in started}
        # What was done more than once was done under the same key.
        assert effects == expected
