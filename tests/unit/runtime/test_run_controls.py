"""Pause, resume, cancel, terminate, retry (M8), and the worked examples 2 and 3 of docs/meaning.md run for real."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from wfsim.errors import WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.core import Core
from wfsim.runtime.handle import Run
from wfsim.runtime.run import start

SECOND = 1_000_000


def activity(name: str) -> dict[str, Any]:
    return {"action_type": "activity", "name": name}


def workflow(states: list[Any], transitions: list[dict[str, Any]], **rest: Any) -> Workflow:
    full = [{"name": state} if isinstance(state, str) else state for state in states]
    return Workflow.model_validate(
        {"name": "example", "initial_state": full[0]["name"], "states": full, "transitions": transitions, **rest}
    )


def since(run: Run, version: int) -> list[str]:
    return [record.kind for record in run.records if record.seq > version]


def test_example_2_a_busy_region_holds_events_and_a_pause_holds_results(clock: ManualClock) -> None:
    definition = workflow(
        ["a", "b", {"name": "c", "is_terminal": True}],
        [
            {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("check")]},
            {"from": "b", "to": "c", "event": "stop"},
        ],
    )
    with start(definition, activities={"check": lambda context: context.sleep("3s")}, clock=clock) as run:
        assert run.send("go") == "accepted"
        clock.advance("1s")
        assert run.send("stop") == "waiting"
        assert run.waiting == ["stop"]
        clock.advance("1s")
        assert run.pause("look at it") == "accepted"
        assert run.status == "paused"
        clock.advance("1s")
        assert (run.records[-1].kind, run.records[-1].time) == ("activity_succeeded", 3 * SECOND)
        clock.advance("6s")
        version = run.version
        assert run.resume() == "accepted"
        assert since(run, version) == [
            "control_received",
            "status_changed",
            "transition",
            "transition",
            "instance_closed",
        ]
        assert (run.state, run.outcome, run.records[-1].time) == ("c", "success", 9 * SECOND)


def test_example_3_a_failed_pre_action_drops_writes_and_a_retry_offers_the_event_again(clock: ManualClock) -> None:
    definition = workflow(
        ["a", "b"],
        [
            {
                "from": "a",
                "to": "b",
                "event": "e",
                "pre_actions": [
                    {"action_type": "set_variable", "parameters": {"name": "n", "value": 1}},
                    activity("f"),
                ],
            }
        ],
    )
    keys = []

    def f(context: Any) -> None:
        keys.append(context.idempotency_key)
        if len(keys) == 1:
            raise ValueError("Boom")

    with start(definition, activities={"f": f}, id="i", clock=clock) as run:
        assert run.send("e") == "accepted"
        clock.settle()
        assert [record.kind for record in run.records[-3:]] == ["transition_aborted", "error_raised", "instance_closed"]
        assert (run.status, run.variables) == ("failed", {"n": None})
        version = run.version
        assert run.retry() == "accepted"
        assert since(run, version)[:5] == [
            "control_received",
            "status_changed",
            "state_entered",
            "transition_started",
            "activity_scheduled",
        ]
        clock.settle()
        assert (run.state, run.status, run.variables) == ("b", "running", {"n": 1})
    assert keys == ["i:1", "i:2"]


def test_no_attempt_starts_while_paused(clock: ManualClock) -> None:
    started = []
    definition = workflow([{"name": "a", "activity": "f"}], [{"from": "a", "to": "a", "event": "again"}])

    def f(context: Any) -> None:
        started.append(context.idempotency_key)
        if len(started) == 1:
            raise OSError("down")

    policy = {"retry_policy": {"max_attempts": 2, "initial_interval": "1s"}}
    with start(definition.model_copy(), activities={"f": f}, id="x", clock=clock) as run:
        clock.settle()
        assert run.status == "failed"
    started.clear()
    definition = workflow([{"name": "a", "activity": "f"}], [], activities={"f": policy})
    with start(definition, activities={"f": f}, id="y", clock=clock) as run:
        clock.settle()
        run.pause()
        clock.advance("1m")
        assert started == ["y:1"]
        run.resume()
        clock.settle()
        assert started == ["y:1", "y:1"]


def test_an_attempt_scheduled_just_before_a_pause_starts_after_it() -> None:
    # The pause is queued while the first activity still runs, so it is handled right after the second is scheduled.
    clock = ManualClock(patience=0.01)
    release, started = threading.Event(), threading.Event()
    definition = workflow(
        ["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f"), activity("g")]}]
    )
    with start(definition, activities={"f": release.wait, "g": started.set}, clock=clock) as run:
        run.send("go")
        run.wait(lambda run: run.activities[0].phase == "running", timeout=10)
        run.pause()
        release.set()
        run.wait(lambda run: run.records[-1].kind == "activity_succeeded", timeout=10)
        assert not started.is_set()
        run.resume()
        assert run.wait("b", timeout=10) == "b"
        assert started.is_set()


def test_a_pause_that_overtakes_the_start_of_an_attempt_holds_it(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = workflow(["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]}])
    started = threading.Event()
    with start(definition, activities={"f": started.set}, clock=clock) as run:
        take = Core.take

        def pausing(core: Core, *arguments: Any) -> Any:
            # The attempt is scheduled and a worker comes for it; a pause is quicker.
            run.pause()
            return take(core, *arguments)

        monkeypatch.setattr(Core, "take", pausing)
        run.send("go")
        clock.settle()
        assert (run.status, [work.phase for work in run.activities]) == ("paused", ["scheduled"])
        assert not started.is_set()
        assert "activity_started" not in [record.kind for record in run.records]
        monkeypatch.undo()
        run.resume()
        clock.settle()
        assert run.state == "b"


def test_a_state_timer_waits_for_the_end_of_a_pause(clock: ManualClock) -> None:
    definition = workflow([{"name": "a", "timeout": "1h"}, "late"], [{"from": "a", "to": "late", "event": "timeout"}])
    with start(definition, clock=clock) as run:
        run.pause()
        clock.advance("3h")
        assert (run.state, run.timers) == ("a", [])
        assert [record.kind for record in run.records].count("timer_fired") == 1
        run.resume()
        assert run.state == "late"


def test_frozen_timers_keep_their_remainder(clock: ManualClock) -> None:
    definition = workflow(
        [{"name": "a", "timeout": "1h"}, "late"],
        [{"from": "a", "to": "late", "event": "timeout"}],
        pause_timers="freeze",
    )
    with start(definition, clock=clock) as run:
        clock.advance("30m")
        run.pause()
        clock.advance("5h")
        run.resume()
        clock.advance("29m")
        assert run.state == "a"
        clock.advance("1m")
        assert run.state == "late"


def test_cancel_is_answered_by_the_workflow_or_ends_it(clock: ManualClock) -> None:
    tidy = workflow(
        ["a", {"name": "tidied", "is_terminal": True}], [{"from": "a", "to": "tidied", "event": "cancel_requested"}]
    )
    with start(tidy, clock=clock) as run:
        assert run.cancel("not needed") == "accepted"
        assert (run.state, run.status) == ("tidied", "completed")
    plain = workflow([{"name": "a", "activity": "f"}], [])
    with start(plain, activities={"f": lambda context: context.sleep("1h")}, clock=clock) as run:
        clock.settle()
        assert run.cancel() == "accepted"
        assert (run.status, run.outcome, run.activities) == ("cancelled", None, [])


def test_terminate_ends_at_once_even_in_a_pause(clock: ManualClock) -> None:
    with start(workflow(["a"], []), clock=clock) as run:
        run.pause()
        assert run.terminate("enough") == "accepted"
        assert run.status == "terminated"
        assert run.records[-1].payload["reason"] == "enough"
        assert run.terminate() == "ignored"


def test_commands_with_an_id_count_once(clock: ManualClock) -> None:
    with start(workflow(["a"], []), clock=clock) as run:
        assert run.pause(command_id="c1") == "accepted"
        assert run.resume(command_id="c2") == "accepted"
        assert run.pause(command_id="c1") == "duplicate"
        assert run.status == "running"
        assert run.resume() == "ignored"
        assert run.retry(command_id="c3") == "ignored"


def test_commands_are_checked_at_the_door(clock: ManualClock) -> None:
    with start(workflow(["a"], []), clock=clock) as run:
        with pytest.raises(WfsimError, match=r"'pasue' is not a command\. Did you mean 'pause'\?"):
            run.control("pasue")
        with pytest.raises(WfsimError, match="the reason of a command is a text"):
            run.pause(3)  # type: ignore[arg-type]
        with pytest.raises(WfsimError, match="a command id is a text"):
            run.pause(command_id="")
        assert run.version == 2


def test_the_workflow_timer_counts_through_a_pause_and_can_be_tried_again(clock: ManualClock) -> None:
    with start(workflow(["a"], [], timeouts={"workflow": "1h"}), clock=clock) as run:
        run.pause()
        clock.advance("1h")
        assert run.status == "timed_out"
        assert run.retry() == "accepted"
        assert run.status == "running"
        clock.advance("1h")
        assert run.status == "timed_out"
