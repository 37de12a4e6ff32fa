"""An activity that brings its worker down, whoever carries it out, comes to an end, and what is beside it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from wfsim.model.yaml_io import loads
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.taking import DEATHS

ORDER = loads(
    """
name: order
version: 1.0.0
initial_state: drawing
variables: {type: {type: string, optional: true, output: true}}
activities:
  draw: {retry_policy: {max_attempts: 2, initial_interval: 10ms}}
  log: {}
states: [{name: drawing, activity: draw}, {name: plain, activity: log}, {name: over, is_terminal: true}]
transitions:
  - {from: drawing, to: over, event: done}
  - from: drawing
    to: plain
    event: error
    pre_actions: [{action_type: set_variable, parameters: {name: type, value: "${event.type}"}}]
  - {from: plain, to: over, event: done}
"""
)
# A read from address 0, as a faulty extension module does.
ACTIVITIES = """
import ctypes, faulthandler, pathlib
faulthandler.disable()
HERE = pathlib.Path(__file__).parent
def draw(context):
    with open(HERE / "drawn", "a") as file:
        file.write(f"{context.instance} {context.attempt} {context.idempotency_key}\\n")
    if context.instance == "deadly":
        ctypes.string_at(0)
def log():
    pass
"""


def over(engine: Engine, process: subprocess.Popen[bytes]) -> bool:
    """Whether the order is closed, once it is or the worker is dead."""
    engine.get("deadly").wait(lambda run: run.is_closed or process.poll() is not None, timeout="5m")
    return engine.get("deadly").is_closed


def test_what_kills_every_worker_fails_after_five_of_each_attempt_and_its_policy_decides(tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text(ACTIVITIES)
    database = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(database, [ORDER]) as engine:
        for name in ("deadly", "sound"):
            engine.start("order", id=name)
    deaths = 0
    for _ in range(3 * DEATHS):
        worker = [sys.executable, "-m", "wfsim.cli", "worker", "--database", database, "--activities", "drawing"]
        process = subprocess.Popen([*worker, "--concurrency", "1"], cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            with open_engine(database) as engine:
                if over(engine, process):
                    break
        finally:
            process.kill()
        deaths += process.wait() == -signal.SIGSEGV
    with open_engine(database) as engine:
        assert engine.get("deadly").outcome == engine.get("sound").outcome == "success"
        assert engine.get("deadly").variables["type"] == "Worker.lost"
        assert engine.check()
    assert deaths == 2 * DEATHS
    drawn = [line.split() for line in (tmp_path / "drawn").read_text().splitlines()]
    assert [each for each in drawn if each[0] == "deadly"] == [
        ["deadly", str(attempt), "deadly:1"] for attempt in (1, 2) for _ in range(DEATHS)
    ]
