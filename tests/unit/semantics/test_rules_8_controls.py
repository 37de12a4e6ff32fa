"""M8: pause, terminate, retry, cancel, and what closing leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow


def pausable(**rest: Any) -> Told:
    policy = {"max_attempts": 2, "initial_interval": "1s"}
    return Told(
        workflow(
            [{"name": "s", "activity": "f", "timeout": "20s"}, "t", "late"],
            [
                {"from": "s", "to": "t", "event": "done"},
                {"from": "s", "event": "e"},
                {"from": "s", "to": "late", "event": "timeout"},
            ],
            activities={"f": {"retry_policy": policy, "timeout": "30s"}},
            timeouts={"workflow": "1h"},
            **rest,
        )
    )


def test_m8_1_while_paused_nothing_is_dispatched_and_running_attempts_finish() -> None:
    it = pausable()
    it.starts(1, 1)
    assert it.control("pause", 2) == ["status_changed(paused)"]
    assert it.event("e", 3) == []
    assert it.succeeds(1, 4) == []
    assert it.control("pause", 4) == ["stimulus_ignored(void)"]
    assert it.control("resume", 9) == ["status_changed(running)", "transition(s, –)", "transition(s, t)"]
    assert it.control("resume", 9) == ["stimulus_ignored(void)"]


def test_m8_1_while_paused_no_attempt_starts() -> None:
    it = pausable()
    it.fails(1, "Net", at=1)
    it.control("pause", 1.5)
    assert it.fires("retry", 2) == []
    assert it.effects == []
    assert it.control("resume", 9) == ["status_changed(running)", "activity_scheduled(f, 2)"]


def test_m8_1_activity_clocks_never_freeze() -> None:
    it = pausable(pause_timers="freeze")
    it.control("pause", 1)
    # The report waits, but the attempt has been running since it came.
    assert it.starts(1, 3) == []
    it.control("resume", 9)
    assert it.due("start_to_close") == 33


def test_m8_1_state_timers_run_on_and_their_expiry_waits() -> None:
    it = pausable()
    it.control("pause", 5)
    assert it.due("timeout") == 20
    assert it.fires("timeout", 20) == []
    assert it.control("resume", 50) == ["status_changed(running)", "transition(s, late)", "activity_cancelled(f)"]


def test_m8_1_freeze_keeps_the_remainder_of_state_timers_only() -> None:
    it = pausable(pause_timers="freeze")
    it.starts(1, 1)
    timer = it.timer("timeout")
    it.control("pause", 5)
    assert [(e.kind, e.timer) for e in it.effects] == [("drop_timer", timer[0])]
    assert (it.due("timeout"), it.due("start_to_close"), it.due("workflow")) == (None, 31, 3600)
    it.control("resume", 105)
    assert it.due("timeout") == 120
    assert [(e.kind, e.due) for e in it.effects] == [("set_timer", 120_000_000)]
    assert (it.due("start_to_close"), it.due("workflow")) == (31, 3600)
    # A second pause freezes what is left.
    it.control("pause", 110)
    it.control("resume", 200)
    assert it.fires("timeout", 210) == ["transition(s, late)", "activity_cancelled(f)"]


def test_m8_1_a_frozen_timer_that_fires_all_the_same_is_void() -> None:
    it = pausable(pause_timers="freeze")
    timer = it.timer("timeout")
    it.control("pause", 5)
    assert it.fires_late(timer, 20) == ["stimulus_ignored(void)"]
    assert it.control("resume", 105) == ["status_changed(running)"]
    assert it.fires("timeout", 120) == ["transition(s, late)", "activity_cancelled(f)"]


def test_m8_1_a_timer_that_was_due_before_the_pause_is_not_frozen() -> None:
    it = pausable(pause_timers="freeze")
    it.control("pause", 20)
    assert it.fires("timeout", 20) == []
    assert it.control("resume", 30)[1] == "transition(s, late)"


def test_m8_2_terminate_acts_at_once_even_paused_and_past_every_handler() -> None:
    it = Told(
        workflow(
            [{"name": "s", "activity": "f", "timeout": "5s"}, "t"],
            [{"from": "s", "to": "t", "event": "cancel_requested"}, {"from": "s", "event": "e"}],
        )
    )
    it.control("pause", 1)
    it.event("e", 2, event_id="1")
    assert it.control("terminate", 3) == [
        "activity_cancelled(f)",
        "state_left(s, terminated)",
        "event_rejected(e, closed)",
        "instance_closed(terminated)",
    ]
    assert it.instance.timers() == []
    assert it.control("retry", 4) == ["stimulus_ignored(void)"]


def test_m8_2_retry_enters_every_state_of_the_kept_configuration_anew_and_ended_regions_stay_ended() -> None:
    ended = region("r1", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "end"}])
    deep = regions(region("r3", [{"name": "x", "activity": "f"}], []), name="c")
    it = Told(workflow([regions(ended, region("r2", [deep], []))], [], timeouts={"workflow": "1m"}))
    it.event("end", 1)
    assert it.fails(1, "Boom", at=2)[-1] == "instance_closed(failed)"
    assert it.control("retry", 10) == [
        "status_changed(running)",
        "state_entered(p)",
        "state_entered(c)",
        "state_entered(x)",
        "activity_scheduled(f, 1)",
    ]
    assert {record.payload.get("reason") for record in it.records if record.kind == "state_entered"} == {"retry"}
    assert it.inner == {"r1": "z", "r2": "c", "r3": "x"}
    assert [each.activity_id for each in it.instance.activities()] == [2]
    # The workflow timer starts afresh.
    assert it.due("workflow") == 70


def test_m8_2_the_event_whose_transition_failed_is_offered_first() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "e", "pre_actions": [activity("f", parameters={"n": "${event.n}"})]},
                {"from": "b", "to": "c", "event": "next"},
            ],
            events={"e": {"payload": {"n": "integer"}}, "next": {"unhandled": "defer"}},
        )
    )
    it.event("e", event_id="1", n=5)
    it.fails(1, "Boom")
    assert it.control("retry", 1) == [
        "status_changed(running)",
        "state_entered(a)",
        "transition_started",
        "activity_scheduled(f, 1)",
    ]
    assert it.one("transition_started").event_id == "1"
    assert it.one("activity_scheduled").payload["input"] == {"n": 5}
    assert it.succeeds(2, 2) == ["transition(a, b)"]


def test_m8_2_an_event_whose_condition_raised_is_offered_again_too() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "e", "condition": "event.n > context.n"}],
            variables={"n": {"type": "integer", "optional": True, "input": True}},
            events={"e": {"payload": {"n": "integer"}}},
        )
    )
    assert it.event("e", n=1) == ["error_raised(a, Expression.null)", "instance_closed(failed)"]
    assert it.control("retry") == [
        "status_changed(running)",
        "state_entered(a)",
        "error_raised(a, Expression.null)",
        "instance_closed(failed)",
    ]


def test_m8_2_what_arose_inside_is_not_offered_again() -> None:
    handler = {"from": "a", "to": "b", "event": "error.f", "pre_actions": [activity("g")]}
    it = Told(workflow([{"name": "a", "activity": "f"}, "b"], [handler]))
    it.fails(1, "Boom")
    assert it.fails(2, "Other")[-1] == "instance_closed(failed)"
    assert it.control("retry") == ["status_changed(running)", "state_entered(a)", "activity_scheduled(f, 1)"]


def test_m8_2_retry_finds_again_what_follows_from_ended_regions() -> None:
    ended = region("r", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "end"}])
    it = Told(
        workflow([regions(ended), "q"], [{"from": "p", "to": "q", "event": "done", "pre_actions": [activity("f")]}])
    )
    it.event("end")
    it.fails(1, "Boom")
    assert it.control("retry") == [
        "status_changed(running)",
        "state_entered(p)",
        "transition_started",
        "activity_scheduled(f, 1)",
    ]
    assert it.succeeds(2) == ["transition(p, q)", "state_left(z, outer)"]


def test_m8_2_retry_in_a_terminal_state_completes() -> None:
    it = Told(workflow(["a", terminal("t")], [{"from": "a", "to": "t", "event": "e", "post_actions": [activity("f")]}]))
    it.event("e")
    assert it.fails(1, "Boom")[-1] == "instance_closed(failed)"
    assert it.control("retry") == [
        "status_changed(running)",
        "state_entered(t)",
        "instance_closed(completed, success)",
    ]


def test_m8_2_retry_of_timed_out_but_of_no_other_status() -> None:
    it = Told(workflow([{"name": "s", "timeout": "5s"}, terminal("t")], [{"from": "s", "to": "t", "event": "e"}]))
    assert it.control("retry") == ["stimulus_ignored(void)"]
    assert it.fires("timeout", 5)[-1] == "instance_closed(timed_out)"
    assert it.control("retry", 6) == ["status_changed(running)", "state_entered(s)"]
    assert it.due("timeout") == 11
    it.event("e", 7)
    assert it.control("retry", 8) == ["stimulus_ignored(void)"]


def test_m8_3_cancel_without_a_handler_ends_all_activations() -> None:
    it = Told(workflow([regions(region("r", [{"name": "x", "activity": "f"}], []))], []))
    assert it.control("cancel") == [
        "status_changed(cancelling)",
        "activity_cancelled(f)",
        "state_left(x, cancelled)",
        "state_left(p, cancelled)",
        "instance_closed(cancelled)",
    ]


def handled(event: str) -> Told:
    return Told(
        workflow(
            ["a", "b", "clean"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
                {"from": "a", "to": "clean", "event": event, "pre_actions": [set_variable("n", 1)]},
            ],
            variables={"n": {"type": "integer", "initial": 0}},
            timeouts={"workflow": "1m"},
        )
    )


def test_m8_3_cancel_acts_at_once_even_paused_aborts_the_flight_and_ends_the_pause() -> None:
    it = handled("cancel_requested")
    it.event("go")
    it.control("pause", 1)
    assert it.control("cancel", 2) == [
        "status_changed(running)",
        "transition_aborted(control)",
        "activity_cancelled(f)",
        "transition(a, clean)",
    ]
    assert it.variables == {"n": 1}
    assert it.instance.status == "running"


def test_m8_3_the_workflow_timer_acts_at_once_even_paused() -> None:
    it = handled("workflow_timeout")
    it.event("go")
    it.control("pause", 1)
    assert it.fires("workflow", 60)[-1] == "transition(a, clean)"
    it = handled("cancel_requested")
    it.control("pause", 1)
    assert it.fires("workflow", 60) == ["instance_closed(timed_out)"]
    assert it.one("instance_closed").payload["reason"] == "workflow_timeout"


def test_m8_3_only_the_active_state_of_the_root_is_asked() -> None:
    inner = region("r", ["x", "y"], [{"from": "x", "to": "y", "event": "cancel_requested"}])
    it = Told(workflow([regions(inner), "q"], [{"from": "q", "event": "cancel_requested"}]))
    assert it.control("cancel")[-1] == "instance_closed(cancelled)"


def test_m8_3_the_same_command_id_twice_is_applied_once() -> None:
    it = handled("cancel_requested")
    assert it.control("pause", 1, command_id="1") == ["status_changed(paused)"]
    it.control("resume", 2)
    assert it.control("pause", 3, command_id="1") == ["stimulus_ignored(duplicate)"]


@pytest.mark.parametrize("how", ["failed", "timed_out"])
def test_m8_4_failed_and_timed_out_end_what_runs_and_keep_the_configuration(how: str) -> None:
    one = region("r1", [{"name": "x", "activity": "f", "timeout": "9s"}], [])
    two = region("r2", ["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("g")]}])
    it = Told(workflow([regions(one, two)], [], timeouts={"workflow": "1m"}))
    it.event("go")
    rows = it.fails(1, "Boom")[2:] if how == "failed" else it.fires("workflow", 60)
    ended = ["transition_aborted(closing)", "activity_cancelled(g)"]
    if how == "timed_out":
        ended.append("activity_cancelled(f)")
    assert rows[-len(ended) - 1 :] == [*ended, f"instance_closed({how})"]
    assert it.instance.timers() == []
    assert it.instance.activities() == []
    assert it.instance.configuration == {"": "p", "p/r1": "p/r1/x", "p/r2": "p/r2/a"}
    assert not [row for row in rows if row.startswith("state_left")]
