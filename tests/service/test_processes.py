"""`wfsim serve` as a process: it starts, is asked, is killed and comes back, and ends when it is told to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import wfsim as wf
from tests.postgres import serving as postgres
from tests.service.served import charge_later, order, serving
from wfsim.errors import ServiceError
from wfsim.service.keys import Role


class Process:
    """A `wfsim serve` that listens."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "wfsim.cli", "serve", "-d", f"sqlite:///{folder}/runs.db", *arguments]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), str(folder)])}
        self.process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"on (http://\S+)\.", line):
                self.url = found[1]
                break
        # So that it is never stopped by a full pipe.
        self._reading = threading.Thread(target=lambda: self.said.extend(self.process.stderr or ()), daemon=True)
        self._reading.start()

    def end(self, number: int) -> int:
        """Send it a signal; how it ended."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._reading.join()
        return code


@contextlib.contextmanager
def process(folder: Path, *arguments: str) -> Iterator[Process]:
    """A process that is gone at the end."""
    found = Process(folder, *arguments)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.end(signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    wf.save(order(), tmp_path / "models" / "order.yaml")
    (tmp_path / "my_work.py").write_text("def charge(total):\n    return f'receipt for {total}'\n")
    return tmp_path


def test_an_order_runs_on_it_with_the_functions_of_a_module(folder: Path) -> None:
    with process(folder, "--workflows", "models", "--activities", "my_work", "--port", "0") as served:
        with wf.connect(served.url) as engine:
            run = engine.start("order", {"total": 3}, id="o")
            run.send("pay", amount=3)
            assert run.wait(timeout="60s") == "shipped"
            assert run.output == {"receipt": "receipt for 3"}
        assert httpx.get(f"{served.url}/ready").json() == {"status": "ok", "detail": None}
        # A stream does not hold it up.
        with httpx.stream("GET", f"{served.url}/v1/events") as stream:
            assert stream.status_code == 200
            assert served.end(signal.SIGTERM) in (0, -signal.SIGTERM)
        assert any("There is no key yet" in line for line in served.said)
        lines = [json.loads(line) for line in served.said if line.startswith("{")]
        answered = [each for each in lines if each["message"] == "answered"]
        assert {"request", "method", "path", "status", "seconds", "namespace", "key", "time"} <= set(answered[0])
        assert not [each for each in lines if each["level"] in ("error", "warning")]


def test_a_client_repeats_what_it_is_not_sure_of_and_it_is_done_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the process takes to come back.
    monkeypatch.setattr("wfsim.service.connection.AGAIN", (0.2,) * 1_000)
    with process(folder, "--workflows", "models", "--port", "0") as first:
        port = first.url.rpartition(":")[2]
        engine = wf.connect(first.url)
        run = engine.start("order", {"total": 3}, id="o")
        first.end(signal.SIGKILL)
    answers: list[str] = []
    sending = threading.Thread(target=lambda: answers.append(str(run.send("ring"))))
    sending.start()
    with process(folder, "--port", port) as second:
        sending.join()
        assert answers == ["accepted"]
        assert [each.kind for each in run.records].count("event_received") == 1
        second.end(signal.SIGTERM)
    engine.close()


def test_what_cannot_be_reached_is_told_after_some_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfsim.service.connection.AGAIN", (0.001, 0.001))
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9 cannot be reached, tried 3 times") as unreachable:
        wf.connect("http://127.0.0.1:9")
    assert unreachable.value.code == "unreachable"


def test_an_answer_that_is_lost_on_its_way_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = []

    def lose_first(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        answer = pass_on(self, request)
        if request.method == "POST" and len(lost) < 2:
            lost.append(request.headers["Idempotency-Key"])
            answer.close()
            raise httpx.ReadError("the cable was cut")
        return answer

    pass_on = httpx.HTTPTransport.handle_request
    with serving() as server, wf.connect(server.url) as engine:
        run = engine.start("order", {"total": 3}, id="o")
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lose_first)
        assert run.send("ring") == "accepted"
        assert len(set(lost)) == 1
        assert [each.kind for each in run.records].count("event_received") == 1


def test_namespaces_on_postgresql_are_databases_of_their_own() -> None:
    with postgres() as cluster:
        address = cluster.address()
        with serving(address, activities={}) as server:
            keys = {name: server.tenants.keys.add(name, Role.ADMIN, name)[1] for name in ("acme", "other")}
            for name, key in keys.items():
                with wf.connect(server.url, key=key) as engine:
                    engine.publish(order())
                    engine.start("order", {"total": 3}, id="o", metadata={"of": name})
                    assert [each.id for each in engine.list()] == ["o"]
        # Opened again, time passes in all of them before anybody has called; and a worker takes from its own.
        with serving(address, activities={}) as server:
            assert {tenant.namespace for tenant in server.tenants.all()} == {"default", "acme", "other"}
            with wf.connect(server.url, key=keys["acme"]) as engine:
                engine.get("o").send("pay", amount=3)
                with wf.open_engine(f"{address}_acme", activities={"charge": charge_later}, polling=0.02):
                    engine.get("o").wait(lambda run: run.activities[0].phase == "running", timeout="60s")
                assert engine.complete(engine.get("o").correlation_ids[0], "r") == "accepted"
            with wf.connect(server.url, key=keys["other"]) as engine:
                assert engine.get("o").state == "created"
