"""The worked examples of docs/meaning.md, verbatim: examples 1-3, 7, 8, 10, and of the nested ones 4-6."""

from __future__ import annotations

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow


def test_example_1_a_false_condition_passes_to_the_next_transition_and_an_id_counts_once() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "e", "condition": "event.n > 5"},
                {"from": "a", "to": "c", "event": "e"},
            ],
        )
    )
    assert it.event("e", event_id="1", n=3) == ["transition(a, c)"]
    assert it.event("e", event_id="1", n=3) == ["stimulus_ignored(duplicate, taken)"]


def test_example_2_a_busy_region_holds_events_and_a_pause_holds_results() -> None:
    it = Told(
        workflow(
            ["a", "b", terminal("c")],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("check")]},
                {"from": "b", "to": "c", "event": "stop"},
            ],
        )
    )
    assert it.event("go", 0) == ["transition_started", "activity_scheduled(check, 1)"]
    assert it.event("stop", 1) == []
    assert it.control("pause", 2) == ["status_changed(paused)"]
    assert it.succeeds(1, 3) == []
    assert it.control("resume", 9) == [
        "status_changed(running)",
        "transition(a, b)",
        "transition(b, c)",
        "instance_closed(completed, success)",
    ]


def test_example_3_a_failed_pre_action_drops_writes_and_a_retry_offers_the_event_again() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "e", "pre_actions": [set_variable("n", 1), activity("f")]}],
        )
    )
    assert it.event("e") == ["transition_started", "activity_scheduled(f, 1)"]
    assert it.fails(1, "Boom") == ["transition_aborted(error)", "error_raised(f, Boom)", "instance_closed(failed)"]
    assert it.instance.variables == {"n": None}
    assert it.control("retry") == [
        "status_changed(running)",
        "state_entered(a)",
        "transition_started",
        "activity_scheduled(f, 1)",
    ]


def test_example_4_one_event_reaches_every_region_and_inner_ones_take_it_first() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "e"}]),
                    region("r2", ["c", "d"], [{"from": "c", "to": "d", "event": "e"}]),
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "e"}],
        )
    )
    assert it.event("e") == ["transition(a, b)", "transition(c, d)"]
    assert it.instance.state == "p"
    assert it.event("e") == ["transition(p, q)", "state_left(d, outer)", "state_left(b, outer)"]


def test_example_5_an_outer_transition_aborts_the_flight_inside() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]}])
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "cancel"}],
        )
    )
    assert it.event("go") == ["transition_started", "activity_scheduled(f, 1)"]
    assert it.event("cancel") == [
        "transition(p, q)",
        "transition_aborted(outer)",
        "activity_cancelled(f)",
        "state_left(a, outer)",
    ]
    assert it.succeeds(1) == ["stimulus_ignored(late)"]


def test_example_6_a_partial_join_ends_the_other_regions() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "x"}]),
                    region("r2", [{"name": "c", "activity": "g"}], []),
                    join="any",
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "done"}],
        )
    )
    assert it.event("x") == [
        "transition(a, z)",
        "activity_cancelled(g)",
        "state_left(c, join)",
        "transition(p, q)",
        "state_left(z, outer)",
    ]


def test_example_7_backoff_then_an_error_that_is_not_tried_again() -> None:
    policy = {
        "max_attempts": 3,
        "initial_interval": "1s",
        "backoff_coefficient": 2,
        "non_retryable_errors": ["Bad"],
    }
    it = Told(workflow([{"name": "s", "activity": "f"}], [], activities={"f": {"retry_policy": policy}}))
    assert it.fails(1, "Net", at=5) == ["retry_scheduled(2, 1 s)"]
    assert it.fires("retry", at=6) == ["activity_scheduled(f, 2)"]
    assert it.fails(1, "Bad.Card", at=7, attempt=2) == ["error_raised(f, Bad.Card)", "instance_closed(failed)"]


def test_example_8_a_self_transition_restarts_the_timer_and_an_internal_one_does_not() -> None:
    it = Told(
        workflow(
            [{"name": "s", "timeout": "10s"}, "ok", "late"],
            [
                {"from": "s", "to": "s", "event": "again"},
                {"from": "s", "event": "note"},
                {"from": "s", "to": "ok", "event": "pay"},
                {"from": "s", "to": "late", "event": "timeout"},
            ],
        )
    )
    assert it.event("again", 4) == ["transition(s, s)"]
    assert it.due("timeout") == 14
    assert it.event("note", 8) == ["transition(s, –)"]
    assert it.due("timeout") == 14
    assert it.event("pay", 14) == ["transition(s, ok)"]
    assert it.due("timeout") is None


def test_example_10_deferred_events_are_offered_once_per_commit_in_arrival_order() -> None:
    it = Told(
        workflow(
            ["a", "b", "c", terminal("d")],
            [
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "to": "c", "event": "y"},
                {"from": "c", "to": "d", "event": "x"},
            ],
            unhandled="defer",
        )
    )
    assert it.event("x") == ["event_deferred"]
    assert it.event("y") == ["event_deferred"]
    assert it.event("go") == [
        "transition(a, b)",
        "event_recalled(y)",
        "transition(b, c)",
        "event_recalled(x)",
        "transition(c, d)",
        "instance_closed(completed, success)",
    ]
