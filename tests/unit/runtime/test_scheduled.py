"""What is published is started at the times of its schedules, by as many processes as one likes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.runtime import scheduled
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.engine import Engine
from wfsim.runtime.logs import LOGGER
from wfsim.runtime.opening import open_engine
from wfsim.runtime.scheduled import Scheduled

COPY = """
name: copy
version: 1.0.0
initial_state: running
events: {finish: {}}
states: [{name: running}, {name: end, is_terminal: true}]
transitions: [{from: running, event: finish, to: end}]
schedules: {hourly: {every: 1h, overlap: skip, missed: last}}
"""


@pytest.fixture
def clock() -> wf.ManualClock:
    return wf.ManualClock(1)


@pytest.fixture
def engine(tmp_path: Path, clock: wf.ManualClock) -> Iterator[Engine]:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [wf.loads(COPY)], clock=clock) as found:
        yield found


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level("INFO", logger=LOGGER.name)

    def events() -> list[tuple[str, Any]]:
        return [(each.getMessage(), getattr(each, "fields", {})) for each in caplog.records]

    return events


def hours(engine: Engine) -> list[str]:
    return sorted(each.id.rpartition("T")[2] for each in engine.list())


def test_the_newest_version_is_started_as_long_as_there_is_one(engine: Engine, clock: wf.ManualClock) -> None:
    starting = Scheduled(engine)
    starting.follow()
    clock.advance("1h")
    assert [(each.id, each.version) for each in engine.list()] == [("copy/hourly/1970-01-01T01:00:00Z", "1.0.0")]
    engine.send("copy/hourly/1970-01-01T01:00:00Z", "finish")
    engine.publish(wf.loads(COPY.replace("1.0.0", "1.1.0")))
    starting.follow()
    clock.advance("1h")
    assert [(each.id[-9:], each.version) for each in engine.list()] == [("02:00:00Z", "1.1.0"), ("01:00:00Z", "1.0.0")]
    engine.publish(wf.loads(COPY.replace("1.0.0", "1.2.0").partition("schedules")[0]))
    starting.follow()
    clock.advance("5h")
    assert hours(engine) == ["01:00:00Z", "02:00:00Z"]
    starting.close()


def test_an_overlap_counts_whoever_started_it(engine: Engine, clock: wf.ManualClock) -> None:
    both = [Scheduled(engine), Scheduled(engine)]
    for each in both:
        each.follow()
    clock.advance("1h")
    clock.advance("1h")
    assert hours(engine) == ["01:00:00Z"]
    engine.send("copy/hourly/1970-01-01T01:00:00Z", "finish")
    clock.advance("1h")
    assert hours(engine) == ["01:00:00Z", "03:00:00Z"]
    for each in both:
        each.close()


def test_schedules_that_the_database_has_failed_begin_again(
    engine: Engine, clock: wf.ManualClock, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    starting = Scheduled(engine)
    starting.follow()
    clock.advance("1h")
    engine.send("copy/hourly/1970-01-01T01:00:00Z", "finish")

    def away(id: str) -> bool:
        raise DatabaseError("it is away")

    monkeypatch.setattr(engine, "exists", away)
    clock.advance("1h")
    assert hours(engine) == ["01:00:00Z"]
    monkeypatch.undo()
    starting.follow()
    # `missed: last`: the one that was due meanwhile is started now.
    assert hours(engine) == ["01:00:00Z", "02:00:00Z"]
    starting.close()
    assert [event for event, _ in told() if event.startswith("schedules")] == [
        "schedules_running",
        "schedules_stopped",
        "schedules_running",
    ]


def test_a_look_that_finds_no_database_is_taken_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    starting = Scheduled(engine)

    def away(self: Engine) -> Any:
        raise DatabaseError("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "workflows", property(away))
        starting.look()
    starting.look()
    monkeypatch.setattr(scheduled, "LOOK", 1e9)
    starting.look()
    starting.close()
    assert [event for event, _ in told() if event.startswith("schedules")] == ["schedules_running"]


def test_what_cannot_be_started_is_told_once(engine: Engine, clock: wf.ManualClock, told: Any) -> None:
    text = COPY.replace("name: copy", "name: keyed\nvariables: {k: {input: true}}\ncorrelation: {key: context.k}")
    engine.publish(wf.loads(text.replace("overlap: skip", "overlap: allow, input: {k: 1}")))
    starting = Scheduled(engine)
    starting.follow()
    clock.advance("2h")
    starting.follow()
    starting.follow()
    starting.close()
    refused = [fields for event, fields in told() if event == "schedule_refused"]
    assert [each["instance"] for each in refused] == ["keyed/hourly/1970-01-01T02:00:00Z"]
    assert "key" in refused[0]["message"]


def test_a_worker_starts_what_is_published(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/runs.db"
    (tmp_path / "copy.yaml").write_text(COPY.replace("every: 1h", "every: 1s"))
    command = [sys.executable, "-m", "wfsim.cli", "worker", "--database", database, "--schedules", "--workflows", "."]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "schedules_running":
                break
        with open_engine(database) as engine:
            pause = threading.Event()
            for _ in range(3_000):
                if len(engine.list()):
                    break
                pause.wait(0.01)
            assert engine.list().instances[0].id.startswith("copy/hourly/")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
