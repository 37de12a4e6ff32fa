"""Retries, timeouts, heartbeats and cancelling, on a clock moved by hand (M5)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from wfsim.errors import ActivityError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.handle import Run
from wfsim.runtime.run import start

SECOND = 1_000_000


def working(**activity: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "working",
            "initial_state": "s",
            "variables": {"r": {"optional": True}},
            "activities": {"f": activity},
            "states": [
                {"name": "s", "activity": {"name": "f", "result_variable": "r"}},
                {"name": "ok", "is_terminal": True},
                {"name": "off", "is_terminal": True, "outcome": "failure"},
            ],
            "transitions": [{"from": "s", "to": "ok", "event": "done"}, {"from": "s", "to": "off", "event": "stop"}],
        }
    )


def told(run: Run, *kinds: str) -> list[tuple[float, str, int | None]]:
    return [(record.time / SECOND, record.kind, record.attempt) for record in run.records if record.kind in kinds]


def test_retries_wait_by_the_backoff_and_keep_their_input_and_key(clock: ManualClock) -> None:
    seen = []

    def f(context: Any) -> int:
        seen.append((clock.now() / SECOND, context.attempt, context.idempotency_key))
        if context.attempt < 4:
            raise OSError("down")
        return 7

    policy = {"max_attempts": 5, "initial_interval": "1s", "backoff_coefficient": 3, "max_interval": "5s"}
    with start(working(retry_policy=policy), activities={"f": f}, id="w", clock=clock) as run:
        clock.settle()
        assert [(work.attempt, work.phase) for work in run.activities] == [(2, "backoff")]
        clock.advance("8999999us")
        assert run.state == "s"
        clock.advance("1us")
        assert run.state == "ok"
    assert seen == [(0, 1, "w:1"), (1, 2, "w:1"), (4, 3, "w:1"), (9, 4, "w:1")]
    assert told(run, "retry_scheduled") == [
        (0, "retry_scheduled", 2),
        (1, "retry_scheduled", 3),
        (4, "retry_scheduled", 4),
    ]


def test_one_long_advance_stops_at_every_timer_on_the_way() -> None:
    histories = []
    for steps in (["1h"], ["30m", "30m"], ["1s"] * 4 + ["1h"]):
        clock = ManualClock()

        def f() -> None:
            raise OSError("down")

        policy = {"max_attempts": 4, "initial_interval": "1s", "jitter": 0.5}
        with start(working(retry_policy=policy), activities={"f": f}, clock=clock, seed=3) as run:
            for step in steps:
                clock.advance(step)
            assert run.status == "failed"
            histories.append([str(record) + str(record.time) for record in run.records])
    assert histories[0] == histories[1] == histories[2]


def test_an_error_type_that_is_not_retried_ends_the_activity(clock: ManualClock) -> None:
    def f() -> None:
        raise ActivityError("Bad.Card")

    policy = {"max_attempts": 9, "non_retryable_errors": ["Bad"]}
    with start(working(retry_policy=policy), activities={"f": f}, clock=clock) as run:
        run.wait("failed", timeout=10)
        assert [record.attempt for record in run.records if record.kind == "activity_scheduled"] == [1]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_attempt_that_takes_too_long_is_cancelled_and_tried_again(kind: str, clock: ManualClock) -> None:
    slept: list[object] = []

    def sync(context: Any) -> str:
        slept.append(context.sleep("2h" if context.attempt == 1 else "10s"))
        return "late" if context.cancelled else "fine"

    async def asynchronous(context: Any) -> str:
        try:
            await context.sleep_async("2h" if context.attempt == 1 else "10s")
        except asyncio.CancelledError:
            slept.append(False)
            raise
        slept.append(True)
        return "fine"

    function = {"sync": sync, "async": asynchronous}[kind]
    policy = {"max_attempts": 2, "initial_interval": "1s"}
    with start(working(timeout="1m", retry_policy=policy), activities={"f": function}, clock=clock) as run:
        clock.advance("1h")
        assert (run.state, run.variables["r"]) == ("ok", "fine")
    assert told(run, "attempt_timed_out", "activity_started") == [
        (0, "activity_started", 1),
        (60, "attempt_timed_out", 1),
        (61, "activity_started", 2),
    ]
    assert sorted(slept, key=str) == [False, True]


def test_schedule_to_close_ends_all_attempts(clock: ManualClock) -> None:
    def f(context: Any) -> None:
        context.sleep("40s")
        raise OSError("down")

    policy = {"max_attempts": 10, "initial_interval": "1s"}
    with start(working(schedule_to_close="1m", retry_policy=policy), activities={"f": f}, clock=clock) as run:
        clock.advance("10m")
        assert run.status == "failed"
        (closed,) = [record for record in run.records if record.kind == "instance_closed"]
        assert (closed.time, closed.payload["reason"]) == (60 * SECOND, "Timeout.schedule_to_close")
        # The function woke up and failed, too late to count.
        assert [record.kind for record in run.records[-2:]] == ["activity_failed", "stimulus_ignored"]


def test_a_missing_heartbeat_fails_the_attempt(clock: ManualClock) -> None:
    def f(context: Any) -> str:
        if context.attempt == 1:
            context.heartbeat({"done": 10})
            context.sleep("10m")
            return "late"
        for done in range(10):
            context.sleep("50s")
            context.heartbeat(done)
        return "fine"

    policy = {"max_attempts": 2, "initial_interval": "1s"}
    with start(working(heartbeat="1m", retry_policy=policy), activities={"f": f}, clock=clock) as run:
        clock.settle()
        assert [work.detail for work in run.activities] == [{"done": 10}]
        clock.advance("5m")
        assert [work.detail for work in run.activities] == [3]
        clock.advance("5m")
        assert (run.state, run.variables["r"]) == ("ok", "fine")
        failed = [record for record in run.records if record.kind == "activity_failed"]
        assert [(record.time, record.error_type) for record in failed] == [(60 * SECOND, "Timeout.heartbeat")]


def test_a_heartbeat_missed_in_a_pause_is_reported_once(clock: ManualClock) -> None:
    policy = {"max_attempts": 2, "initial_interval": "1s"}
    with start(
        working(heartbeat="1m", retry_policy=policy),
        activities={"f": lambda context: context.sleep("10m" if context.attempt == 1 else 0)},
        clock=clock,
    ) as run:
        clock.settle()
        run.pause()
        clock.advance("5m")
        assert [record.error_type for record in run.records if record.kind == "activity_failed"] == [
            "Timeout.heartbeat"
        ]
        run.resume()
        clock.advance("1s")
        assert run.state == "ok"


def test_heartbeats_can_be_declared_not_to_be_retried(clock: ManualClock) -> None:
    policy = {"max_attempts": 5, "non_retryable_errors": ["Timeout"]}
    with start(
        working(heartbeat="1s", retry_policy=policy),
        activities={"f": lambda context: context.sleep("1h")},
        clock=clock,
    ) as run:
        clock.advance("2s")
        assert run.status == "failed"


def test_a_function_that_hangs_does_not_hold_the_clock() -> None:
    clock = ManualClock(patience=0.02)
    hangs = threading.Event()

    def f() -> None:
        hangs.wait()

    with start(working(timeout="1m"), activities={"f": f}, clock=clock) as run:
        clock.advance("2m")
        assert run.status == "failed"
        hangs.set()
        run.wait(lambda run: run.records[-1].kind == "stimulus_ignored", timeout=10)
        assert run.records[-1].payload["reason"] == "late"


def test_a_function_left_behind_is_waited_for_again_once_it_sleeps() -> None:
    clock = ManualClock(patience=0.3)
    hangs = threading.Event()

    def f(context: Any) -> None:
        hangs.wait()
        context.sleep("1m")
        time.sleep(0.05)

    with start(working(), activities={"f": f}, clock=clock) as run:
        clock.advance("1s")
        hangs.set()
        while run._engine.next_due() is None:
            time.sleep(0.001)
        clock.advance("1m")
        assert run.state == "ok"


def test_leaving_the_state_cancels_its_activity_and_ignores_a_late_result(clock: ManualClock) -> None:
    seen = threading.Event()

    def f(context: Any) -> str:
        context.sleep("1h")
        assert context.cancelled
        seen.set()
        return "too late"

    with start(working(), activities={"f": f}, clock=clock) as run:
        clock.settle()
        assert run.send("stop") == "accepted"
        clock.settle()
        assert seen.is_set()
        assert [record.kind for record in run.records[-2:]] == ["activity_succeeded", "stimulus_ignored"]
        assert run.variables["r"] is None


def test_a_cancelled_async_activity_leaves_no_record(clock: ManualClock) -> None:
    began, ended = threading.Event(), threading.Event()

    async def f(context: Any) -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            assert context.cancelled
            ended.set()

    with start(working(), activities={"f": f}, clock=ManualClock(patience=0.01)) as run:
        assert began.wait(10)
        run.send("stop")
        assert ended.wait(10)
        assert run.records[-1].kind == "instance_closed"


def test_a_state_timer_fires_on_the_clock(clock: ManualClock) -> None:
    workflow = Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b", "timeout": "1h"}, {"name": "c", "is_terminal": True}],
            "transitions": [
                {"from": "a", "to": "b", "after": "1h"},
                {"from": "b", "to": "c", "event": "timeout"},
            ],
            "timeouts": {"workflow": "2h"},
        }
    )
    with start(workflow, clock=clock) as run:
        assert [(timer.name, timer.due // SECOND) for timer in run.timers] == [("after 1", 3600), ("workflow", 7200)]
        clock.advance("2h")
        # M6.3: the state's timer and the workflow's are due together; the workflow's comes last.
        assert (run.state, run.status) == ("c", "completed")


def test_real_time_fires_timers_by_itself() -> None:
    workflow = Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [{"name": "a", "timeout": "0.05s"}, {"name": "b", "is_terminal": True}],
            "transitions": [{"from": "a", "to": "b", "event": "timeout"}],
        }
    )
    with start(workflow) as run:
        assert run.wait(timeout=10) == "b"
        (fired,) = [record for record in run.records if record.kind == "timer_fired"]
        assert fired.time >= fired.payload["due"]


def test_real_heartbeats_are_watched() -> None:
    def f(context: Any) -> None:
        context.heartbeat()
        context.sleep("1h")

    with start(working(heartbeat="0.05s"), activities={"f": f}) as run:
        run.wait("failed", timeout=10)
        (closed,) = [record for record in run.records if record.kind == "instance_closed"]
        assert closed.payload["reason"] == "Timeout.heartbeat"
