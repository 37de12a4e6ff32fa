"""`wait`, `wait_async`, `close`, and runs that nobody holds any more."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from wfsim.engine.run import start
from wfsim.errors import WaitTimeout, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock


def workflow(**changes: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [
                {"name": "a", "timeout": "2h"},
                {"name": "b", "activity": "f"},
                {"name": "c", "is_terminal": True},
            ],
            "transitions": [
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "to": "c", "event": "done"},
                {"from": "a", "to": "c", "event": "skip"},
            ],
            **changes,
        }
    )


def test_wait_blocks_until_a_state_a_status_or_the_end() -> None:
    gate = threading.Event()
    with start(workflow(), activities={"f": gate.wait}) as run:
        assert run.wait("a") == "a"
        assert run.wait("running") == "a"
        assert run.wait("idle") == "a"
        run.send("go")
        assert run.wait("b", timeout=10) == "b"
        threading.Timer(0.02, gate.set).start()
        assert run.wait(timeout="10s") == "c"
        assert run.wait("completed") == "c"
        assert run.wait(lambda run: run.version > 3) == "c"


def test_a_timeout_says_where_the_run_stands() -> None:
    gate = threading.Event()
    with start(workflow(), activities={"f": gate.wait}, clock=ManualClock()) as run:
        with pytest.raises(
            WaitTimeout,
            match=r"'w-1' did not come to 'c' within 10ms: it is running in 'a', version 2\. "
            r"Next timer: 'timeout' in 2h\. Ask run\.why_not\('c'\)",
        ):
            run.wait("c", timeout="10ms")
        run.send("go")
        with pytest.raises(TimeoutError, match=r"did not close within 50ms.*Open activities: f \(attempt 1"):
            run.wait(timeout=0.05)
        gate.set()


def test_what_cannot_come_any_more_is_not_waited_for() -> None:
    with start(workflow(), activities={"f": print}) as run:
        run.send("skip")
        with pytest.raises(WaitTimeout, match="did not come to 'b' and cannot any more: it is completed in 'c'"):
            run.wait("b")


def test_waiting_for_an_unknown_name_is_helped() -> None:
    with start(workflow(), activities={"f": print}) as run:
        with pytest.raises(WfsimError, match=r"neither a state of w nor a status\. Did you mean 'completed'"):
            run.wait("complete")
        with pytest.raises(WfsimError, match="is not a duration"):
            run.wait("c", timeout="soon")


def test_a_condition_may_ask_and_send() -> None:
    asked: list[str] = []

    def condition(run: Any) -> bool:
        if not asked:
            asked.append(run.send("skip"))
        return bool(run.status == "completed")

    with start(workflow(), activities={"f": print}) as run:
        assert run.wait(condition, timeout=10) == "c"
    assert asked == ["accepted"]


def test_waiting_on_an_event_loop() -> None:
    gate = threading.Event()

    async def main() -> None:
        with start(workflow(), activities={"f": gate.wait}) as run:
            with pytest.raises(WaitTimeout, match="within 20ms"):
                await run.wait_async("b", timeout=0.02)
            waiting = asyncio.create_task(run.wait_async(timeout=10))
            await asyncio.sleep(0)
            run.send("go")
            assert await run.wait_async("b", timeout=10) == "b"
            gate.set()
            assert await waiting == "c"
            with pytest.raises(WaitTimeout, match="cannot any more"):
                await run.wait_async("a")

    asyncio.run(main())


def test_an_abandoned_wait_on_a_loop_that_ended_does_no_harm() -> None:
    with start(workflow(), activities={"f": print}) as run:

        async def main() -> None:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(run.wait_async("c"), 0.01)

        asyncio.run(main())
        assert run.send("skip") == "accepted"
        assert run.status == "completed"


def test_closing_tells_of_activities_that_do_not_end() -> None:
    gate = threading.Event()
    run = start(workflow(), activities={"f": gate.wait})
    run.send("go")
    run.wait(lambda run: run.activities[0].phase == "running", timeout=10)
    with pytest.raises(WaitTimeout, match=r"after 0\.02 s these activities still run in their threads: f"):
        run.close(timeout=0.02)
    assert run.records[-1].kind == "activity_started"
    gate.set()


def test_closing_lets_others_stop_waiting() -> None:
    run = start(workflow(), activities={"f": print})
    failures: list[BaseException] = []

    def waits() -> None:
        try:
            run.wait("c")
        except WfsimError as error:
            failures.append(error)

    thread = threading.Thread(target=waits)
    thread.start()
    run.close()
    thread.join(10)
    assert "closed here" in str(failures[0])


def test_a_run_that_nobody_holds_ends_its_threads() -> None:
    start(workflow(), activities={"f": print})
    gc.collect()
    until = time.monotonic() + 5
    while any(thread.name.startswith("wfsim") for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.005)


def test_one_clock_drives_several_runs() -> None:
    clock = ManualClock()
    definition = workflow(
        states=[{"name": "a", "timeout": "1h"}, {"name": "c", "is_terminal": True}],
        transitions=[{"from": "a", "to": "c", "event": "timeout"}],
    )
    with start(definition, clock=clock) as first:
        clock.advance("30m")
        with start(definition, clock=clock) as second:
            clock.advance("30m")
            assert (first.status, second.status) == ("completed", "running")
            clock.advance("30m")
            assert second.records[-1].time == 5_400_000_000
    clock.advance("1h")
