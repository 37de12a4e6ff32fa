"""`reopen`: what a new process finds and takes up; appends by others; stores that fail (M5.5, M11.1)."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.stored import open_history
from wfsim.errors import EngineError, EventRejected, RunStopped, StartRefused
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.opening import assembled
from wfsim.runtime.run import reopen, start
from wfsim.runtime.sql_rows import SqlRows

SECOND = 1_000_000


def workflow(**activity: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": {"n": {"type": "integer", "initial": 0}, "r": {"optional": True}},
            "events": {"go": {"payload": {"x": "integer"}}, "add": {}},
            "activities": {"f": activity},
            "states": [
                {"name": "a", "timeout": "1h"},
                {"name": "b", "activity": {"name": "f", "parameters": {"n": "${context.n}"}, "result_variable": "r"}},
                {"name": "c", "timeout": "1h"},
                {"name": "d", "is_terminal": True},
                {"name": "late", "timeout": "1h"},
                {"name": "too_late", "is_terminal": True, "outcome": "failure"},
            ],
            "transitions": [
                {"from": "a", "to": "b", "event": "go"},
                {
                    "from": "a",
                    "event": "add",
                    "pre_actions": [
                        {"action_type": "set_variable", "parameters": {"name": "n", "value": "${context.n + 1}"}}
                    ],
                },
                {"from": "a", "to": "late", "event": "timeout"},
                {"from": "late", "to": "too_late", "event": "timeout"},
                {"from": "b", "to": "c", "event": "done"},
                {"from": "c", "to": "d", "event": "timeout"},
            ],
        }
    )


def replays(path: Path) -> None:
    with open_history(path) as history:
        assert replay_all(history), str(replay_all(history))


def test_a_reopened_run_goes_on_where_the_store_says(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with start(workflow(), activities={"f": lambda n: n}, store=path, id="i", clock=ManualClock()) as run:
        run.send("add", event_id="e1")
        records = run.records
    clock = ManualClock(SECOND)
    with reopen(path, "i", {"f": lambda n: n * 10}, clock) as run:
        assert (run.id, run.state, run.variables["n"], run.records) == ("i", "a", 1, records)
        assert [(timer.name, timer.due) for timer in run.timers] == [("timeout", 3600 * SECOND)]
        # Ids seen before are seen still.
        assert run.send("add", event_id="e1") == "duplicate"
        run.send("go", x=1)
        clock.settle()
        assert (run.state, run.variables["r"]) == ("c", 10)
        clock.advance("1h")
        assert run.status == "completed"
    replays(path)


def test_a_run_can_be_reopened_after_its_end(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    start(workflow(), activities={"f": lambda n: n}, store=path, id="i").close()
    with reopen(path, "i", {"f": lambda n: n}) as run:
        run.terminate()
    with reopen(path, "i") as run:
        assert run.status == "terminated"
        with pytest.raises(EventRejected, match="terminated in 'a'"):
            run.send("add")


def test_reopening_needs_the_functions_again(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    start(workflow(), activities={"f": lambda n: n}, store=path, id="i").close()
    with pytest.raises(StartRefused, match="no function is given for 'f'"):
        reopen(path, "i")
    with reopen(path, "i", {"f": lambda n: n}) as run:
        assert run.state == "a"


def test_timers_that_fell_due_meanwhile_fire_at_once_and_count_from_now(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    start(workflow(), activities={"f": lambda n: n}, store=path, id="i", clock=ManualClock()).close()
    clock = ManualClock(5 * 3600 * SECOND)
    with reopen(path, "i", {"f": lambda n: n}, clock) as run:
        clock.settle()
        assert run.state == "late"
        fired = next(record for record in run.records if record.kind == "timer_fired")
        # Recorded when it happened; `due` says when it should have.
        assert (fired.time, fired.payload["due"]) == (5 * 3600 * SECOND, 3600 * SECOND)
        clock.advance("59m")
        assert run.state == "late"
        clock.advance("1m")
        assert run.state == "too_late"
    replays(path)


def dies(path: Path, body: str) -> None:
    """Run the body in a process that ends without closing anything."""
    script = f"""
    import os, sys, threading
    from pathlib import Path
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from test_reopening_runs import *
    path = Path({str(path)!r})
    {body}
    os._exit(9)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 9, done.stderr


def test_an_attempt_that_ran_when_the_process_died_is_carried_out_again_under_its_number(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    dies(
        path,
        "run = start(workflow(), activities={'f': lambda n: threading.Event().wait()}, store=path, id='i', "
        "clock=ManualClock()); run.send('add'); run.send('go', x=1); "
        "run.wait(lambda run: run.activities and run.activities[0].phase == 'running', timeout=30)",
    )
    seen = []

    def f(context: Any, n: int) -> str:
        seen.append((context.idempotency_key, context.attempt, n))
        return "again"

    clock = ManualClock()
    with reopen(path, "i", {"f": f}, clock) as run:
        clock.settle()
        assert (run.state, run.variables["r"]) == ("c", "again")
        kinds = [record.kind for record in run.records]
        assert (kinds.count("activity_started"), kinds.count("activity_succeeded")) == (1, 1)
    assert seen == [("i:1", 1, 1)]
    replays(path)


def test_an_attempt_whose_time_ran_out_while_nobody_ran_is_not_carried_out_again(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    dies(
        path,
        "run = start(workflow(timeout='1m', retry_policy={'max_attempts': 2, 'initial_interval': '1s'}), "
        "activities={'f': lambda n: threading.Event().wait()}, store=path, id='i', clock=ManualClock()); "
        "run.send('go', x=1); "
        "run.wait(lambda run: run.activities and run.activities[0].phase == 'running', timeout=30)",
    )
    attempts = []

    def f(context: Any, n: int) -> None:
        attempts.append(context.attempt)

    clock = ManualClock(600 * SECOND)
    with reopen(path, "i", {"f": f}, clock) as run:
        clock.settle()
        assert [(work.attempt, work.phase) for work in run.activities] == [(2, "backoff")]
        clock.advance("1s")
        assert run.state == "c"
    assert attempts == [2]
    replays(path)


def test_an_attempt_that_ran_waits_for_the_end_of_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    dies(
        path,
        "run = start(workflow(), activities={'f': lambda n: threading.Event().wait()}, store=path, id='i', "
        "clock=ManualClock()); run.send('go', x=1); "
        "run.wait(lambda run: run.activities and run.activities[0].phase == 'running', timeout=30); run.pause()",
    )
    started = threading.Event()
    clock = ManualClock()
    with reopen(path, "i", {"f": lambda n: started.set()}, clock) as run:
        clock.settle()
        assert not started.is_set()
        run.resume()
        clock.settle()
        assert run.state == "c"


def test_closing_cancels_async_activities_and_reopening_repeats_them(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    calls = []

    async def f(context: Any, n: int) -> int:
        calls.append(context.attempt)
        if len(calls) == 1:
            await context.sleep_async("1h")
        return 5

    clock = ManualClock()
    run = start(workflow(), activities={"f": f}, store=path, id="i", clock=clock)
    run.send("go", x=1)
    clock.settle()
    run.close()
    assert run.records[-1].kind == "activity_started"
    with reopen(path, "i", {"f": f}, clock) as run:
        clock.settle()
        assert run.state == "c"
    assert calls == [1, 1]


def test_closing_waits_for_synchronous_activities_and_stores_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    clock = ManualClock()

    def f(context: Any, n: int) -> str:
        assert not context.sleep("1h")
        return "tidied"

    run = start(workflow(), activities={"f": f}, store=path, id="i", clock=clock)
    run.send("go", x=1)
    clock.settle()
    run.close()
    assert (run.state, run.variables["r"]) == ("c", "tidied")
    replays(path)


def test_what_another_engine_on_the_store_does_is_seen_and_gone_on_with(tmp_path: Path) -> None:
    path, clock = tmp_path / "s.db", ManualClock()
    with (
        start(workflow(), activities={"f": lambda n: n}, id="i", clock=clock, store=path) as run,
        assembled(f"sqlite:///{path}", clock=clock, worker="other") as other,
    ):
        other.send("i", "add", event_id="theirs")
        assert run.send("add", event_id="mine") == "accepted"
        assert run.variables["n"] == 2
        other.send("i", "add", event_id="shared")
        assert run.send("add", event_id="shared") == "duplicate"
        assert run.variables["n"] == 3
        # An activity that it scheduled is carried out here.
        other.send("i", "go", x=1)
        with pytest.raises(EventRejected, match="No transition leaves"):
            run.send("add")
        clock.settle()
        assert (run.state, run.variables["r"]) == ("c", 3)
        assert other.get("i").state == "c"
        assert run.history.case("i").replay().state == "c"


def test_a_timer_of_an_instance_that_another_engine_has_stepped_fires_once(tmp_path: Path) -> None:
    path, clock = tmp_path / "s.db", ManualClock()
    with (
        start(workflow(), activities={"f": lambda n: n}, id="i", clock=clock, store=path) as run,
        assembled(f"sqlite:///{path}", clock=clock, worker="other") as other,
    ):
        other.send("i", "add")
        clock.advance("1h")
        assert (run.state, run.variables["n"]) == ("late", 1)


def test_time_of_an_instance_does_not_go_back_with_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    late = ManualClock(1800 * SECOND)
    start(workflow(timeout="1m"), activities={"f": lambda n: n}, store=path, id="i", clock=late).close()
    deadlines = []
    clock = ManualClock()
    with reopen(path, "i", {"f": lambda context, n: deadlines.append(context.deadline)}, clock) as run:
        run.send("go", x=1)
        clock.settle()
        assert {record.time for record in run.records} == {1800 * SECOND}
    assert deadlines == [1860 * SECOND]
    replays(path)


def test_a_closed_run_can_be_reopened_while_others_use_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with start(workflow(), activities={"f": lambda n: n}, store=path, id="other"):
        start(workflow(), activities={"f": lambda n: n}, store=path, id="i").close()
        with reopen(path, "i", {"f": lambda n: n}) as run:
            assert run.send("add") == "accepted"


def test_what_cannot_be_written_has_not_happened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with start(workflow(), activities={"f": lambda n: n}, store=path, id="i", clock=ManualClock()) as run:
        run.send("add")

        def full(*_: Any, **__: Any) -> None:
            raise OSError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(SqlRows, "append", full)
            with pytest.raises(EngineError, match=r"the disk is full Nothing of this was stored"):
                run.send("add", event_id="a")
        assert (run.variables["n"], run.version) == (1, 4)
        assert run.send("add", event_id="a") == "accepted"
    replays(path)


def test_a_thread_that_cannot_write_stops_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path, clock = tmp_path / "s.db", ManualClock()
    run = start(workflow(), activities={"f": lambda n: n}, store=path, id="i", clock=clock)

    def full(*_: Any, **__: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqlRows, "append", full)
        clock.advance("1h")
    assert run.status == "stopped"
    for question in (run.pause, lambda: run.send("add"), lambda: run.wait("d", timeout=10)):
        with pytest.raises(RunStopped, match="the disk is full") as caught:
            question()
        assert isinstance(caught.value.__cause__, EngineError)
    run.close()
    with reopen(path, "i", {"f": lambda n: n}, clock) as run:
        clock.settle()
        assert run.state == "late"
    replays(path)
