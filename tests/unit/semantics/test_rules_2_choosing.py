"""M2: in which order things are dispatched, and which transitions are chosen."""

from __future__ import annotations

from typing import Any

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, workflow


def test_m2_1_condition_only_then_internal_then_deferred_then_waiting() -> None:
    # When the flight ends, in b: an automatic transition, an error to handle, a deferred and a waiting event.
    it = Told(
        workflow(
            ["a", "b", "c", "d", "e", "f", "g"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "go",
                    "pre_actions": [activity("work")],
                    "post_actions": [set_variable("n", "${1 // 0}")],
                },
                {"from": "b", "condition": "not context.seen", "pre_actions": [set_variable("seen", True)]},
                {"from": "b", "to": "c", "event": "error"},
                {"from": "c", "to": "d", "event": "early"},
                {"from": "d", "to": "e", "event": "late"},
            ],
            events={"go": {}, "early": {"unhandled": "defer"}, "late": {}},
            variables={"seen": {"type": "boolean", "initial": False}, "n": {"type": "integer", "optional": True}},
        )
    )
    assert it.event("early") == ["event_deferred"]
    it.event("go")
    assert it.event("late") == []
    assert it.succeeds(1) == [
        "transition(a, b)",
        "transition_aborted(error)",
        "transition(b, –)",
        "error_raised(b, Expression.division)",
        "transition(b, c)",
        "event_recalled(early)",
        "transition(c, d)",
        "transition(d, e)",
    ]


def test_m2_1_a_deferred_event_is_offered_before_one_that_was_held() -> None:
    it = Told(
        workflow(
            ["a", "b", "c", "d"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
                {"from": "b", "to": "c", "event": "deferred"},
                {"from": "b", "to": "d", "event": "held"},
            ],
            events={"go": {}, "deferred": {"unhandled": "defer"}, "held": {}},
        )
    )
    assert it.event("deferred") == ["event_deferred"]
    it.event("go")
    assert it.event("held") == []
    assert it.succeeds(1) == [
        "transition(a, b)",
        "event_recalled(deferred)",
        "transition(b, c)",
        "event_rejected(held, no_transition)",
    ]


def test_m2_1_deferred_events_are_offered_in_arrival_order_and_once_per_commit() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "event": "x", "condition": "context.n > 1"},
                {"from": "b", "event": "y", "pre_actions": [set_variable("n", "${context.n + 1}")]},
            ],
            unhandled="defer",
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    for name in ("x", "y", "y"):
        assert it.event(name) == ["event_deferred"]
    # x is offered in vain after each commit, without a row, until n is large enough.
    assert it.event("go") == [
        "transition(a, b)",
        "event_recalled(y)",
        "transition(b, –)",
        "event_recalled(y)",
        "transition(b, –)",
        "event_recalled(x)",
        "transition(b, –)",
    ]
    # Nothing was committed: a rejected or deferred event does not make the others be offered again.
    assert it.event("go") == ["event_deferred"]


def test_m2_1_a_deferred_event_waits_for_a_commit_not_for_a_write() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": {"name": "f", "result_variable": "n"}}],
            [{"from": "a", "event": "x", "condition": "context.n > 1"}, {"from": "a", "event": "go"}],
            events={"x": {"unhandled": "defer"}, "go": {}},
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    it.event("go")
    assert it.event("x") == ["event_deferred"]
    it.event("go")
    assert it.succeeds(1, result=5) == ["variables_set(n = 5)", "event_discarded(done, no_transition)"]
    assert it.event("go") == ["transition(a, –)", "event_recalled(x)", "transition(a, –)"]


def failing_on(event: str, name: str) -> dict[str, Any]:
    """A region b → c whose pre-action fails."""
    transition = {"from": "b", "to": "c", "event": event, "pre_actions": [set_variable("n", "${1 // 0}")]}
    return region(name, ["b", "c", "d"], [transition, {"from": "b", "to": "d", "event": "error"}])


def test_m2_1_the_first_raised_internal_event_comes_first() -> None:
    it = Told(
        workflow(
            [regions(failing_on("e", "r1"), failing_on("e", "r2"))],
            [],
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    assert it.event("e") == [
        "transition_aborted(error)",
        "transition_aborted(error)",
        "error_raised(p/r1/b, Expression.division)",
        "transition(b, d)",
        "error_raised(p/r2/b, Expression.division)",
        "transition(b, d)",
    ]


def two_regions(**rest: Any) -> Told:
    one = region(
        "r1",
        ["a", "b", "c"],
        [
            {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
            {"from": "b", "to": "c", "event": "both"},
        ],
    )
    two = region(
        "r2",
        ["k", "l", "m"],
        [{"from": "k", "to": "l", "event": "both"}, {"from": "k", "to": "m", "event": "own"}],
    )
    return Told(workflow([regions(one, two)], [{"from": "p", "event": "outer"}], **rest))


def test_m2_2_an_event_of_a_busy_region_is_held_and_other_regions_go_on() -> None:
    it = two_regions()
    it.event("go")
    assert it.instance.in_flight == {"p/r1": "a → b on go"}
    assert it.event("own") == ["transition(k, m)"]
    assert it.event("both") == []
    assert it.instance.waiting() == ["both"]
    assert it.succeeds(1) == ["transition(a, b)", "transition(b, c)"]


def test_m2_2_later_events_that_share_a_region_are_held_too() -> None:
    it = two_regions()
    it.event("go")
    assert it.event("both") == []
    # `own` concerns only r2, which is idle, but it must not overtake `both` there.
    assert it.event("own") == []
    assert it.succeeds(1) == [
        "transition(a, b)",
        "transition(b, c)",
        "transition(k, l)",
        "event_rejected(own, no_transition)",
    ]


def test_m2_2_a_held_deferred_event_is_not_overtaken_in_its_regions() -> None:
    slow = region(
        "r1", ["a", "b"], [{"from": "a", "event": "go", "pre_actions": [activity("f")]}, {"from": "b", "event": "x"}]
    )
    quick = region(
        "r2",
        ["k", "l", "m", "n"],
        [
            {"from": "k", "to": "l", "event": "next"},
            {"from": "l", "to": "m", "event": "x"},
            {"from": "l", "to": "n", "event": "y"},
        ],
    )
    it = Told(workflow([regions(slow, quick)], [], events={"x": {"unhandled": "defer"}, "go": {}, "next": {}, "y": {}}))
    assert it.event("x") == ["event_deferred"]
    it.event("go")
    # The commit in r2 makes x due for another offer, but it concerns r1 as well, which is busy.
    assert it.event("next") == ["transition(k, l)"]
    assert it.event("y") == []
    assert it.succeeds(1) == [
        "transition(a, –)",
        "event_recalled(x)",
        "transition(l, m)",
        "event_rejected(y, no_transition)",
    ]


def test_m2_2_a_busy_inner_region_does_not_hold_what_it_never_listens_to() -> None:
    it = two_regions()
    it.event("go")
    assert it.event("outer") == ["transition(p, –)"]
    assert it.instance.in_flight == {"p/r1": "a → b on go"}


def test_m2_2_timers_and_internal_events_wait_for_the_region_of_their_owner() -> None:
    it = Told(
        workflow(
            [{"name": "s", "activity": "f", "timeout": "5s"}, "late", "ok"],
            [
                {"from": "s", "event": "note", "pre_actions": [activity("g")]},
                {"from": "s", "to": "ok", "event": "done"},
                {"from": "s", "to": "late", "event": "timeout"},
            ],
        )
    )
    it.event("note", 1)
    assert it.fires("timeout", 5) == []
    assert it.succeeds(1, 6) == []
    assert it.succeeds(2, 7) == ["transition(s, –)", "transition(s, ok)", "stimulus_ignored(void)"]


def test_m2_2_results_clocks_and_controls_are_never_held() -> None:
    policy = {"max_attempts": 2, "initial_interval": "1s"}
    it = Told(
        workflow(
            ["a", "b"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
                {"from": "a", "to": "b", "event": "stop"},
            ],
            activities={"f": {"timeout": "10s", "retry_policy": policy}},
        )
    )
    it.event("go")
    assert it.event("stop") == []
    assert it.starts(1, 1) == []
    assert it.fires("start_to_close", 11) == [
        "attempt_timed_out(1, Timeout.start_to_close)",
        "retry_scheduled(2, 1 s)",
    ]
    assert it.fires("retry", 12) == ["activity_scheduled(f, 2)"]
    assert it.control("pause", 13) == ["status_changed(paused)"]


def test_m2_3_the_first_in_file_order_whose_condition_holds_is_taken() -> None:
    it = Told(
        workflow(
            ["a", "b", "c", "d"],
            [
                {"from": "b", "to": "d", "event": "e"},
                {"from": "a", "to": "b", "event": "e", "condition": "event.n > 5"},
                {"from": "a", "to": "c", "event": "e", "condition": "event.n > 1"},
                {"from": "a", "to": "d", "event": "e", "condition": "event.n > 1"},
                {"from": "a", "to": "d", "event": "e"},
            ],
        )
    )
    assert it.instance.copy().event(0, "e", {"n": 9}).records[1].to_state == it.instance.program.state_rows["b"]
    assert it.instance.copy().event(0, "e", {"n": 0}).records[1].to_state == it.instance.program.state_rows["d"]
    assert it.event("e", n=2) == ["transition(a, c)"]


def test_m2_3_an_outer_region_takes_nothing_when_one_inside_took_it() -> None:
    deep = regions(region("r3", ["x", "y"], [{"from": "x", "to": "y", "event": "e"}]), name="c")
    one = region("r1", [deep, "d"], [{"from": "c", "to": "d", "event": "e"}])
    two = region("r2", ["k", "l"], [{"from": "k", "to": "l", "event": "e"}])
    it = Told(workflow([regions(one, two), "q"], [{"from": "p", "to": "q", "event": "e"}]))
    assert it.event("e") == ["transition(x, y)", "transition(k, l)"]
    assert it.event("e") == ["transition(c, d)", "state_left(y, outer)"]
    assert it.event("e") == ["transition(p, q)", "state_left(l, outer)", "state_left(d, outer)"]


def test_m2_4_all_conditions_are_evaluated_before_any_action_and_transitions_start_in_file_order() -> None:
    def half(name: str, value: int) -> dict[str, Any]:
        return region(
            name,
            ["a", "b"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "condition": "context.n == 0",
                    "pre_actions": [set_variable("n", value)],
                }
            ],
        )

    it = Told(workflow([regions(half("r1", 1), half("r2", 2))], [], variables={"n": {"type": "integer", "initial": 0}}))
    assert it.event("e") == ["transition(a, b)", "transition(a, b)"]
    assert [record.region for record in it.records[1:]] == ["p/r1", "p/r2"]
    assert it.variables == {"n": 2}


def test_m2_5_a_condition_that_raises_is_not_false() -> None:
    it = Told(
        workflow(
            ["a", "b", "c", "d"],
            [
                {"from": "a", "to": "b", "event": "e", "condition": "event.amount > 100"},
                {"from": "a", "to": "c", "event": "e"},
                {"from": "a", "to": "d", "event": "error", "condition": "event.type == 'Expression.null'"},
            ],
        )
    )
    assert it.event("e", event_id="1") == ["error_raised(a, Expression.null)", "transition(a, d)"]
    # The event counts as taken.
    assert it.replies() == [("1", None)]


def test_m2_5_only_the_region_whose_condition_raised_chooses_nothing() -> None:
    one = region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "e", "condition": "context.n > 1"}])
    two = region("r2", ["k", "l"], [{"from": "k", "to": "l", "event": "e"}])
    it = Told(
        workflow(
            [regions(one, two), "q"],
            [{"from": "p", "event": "error"}, {"from": "p", "to": "q", "event": "e"}],
            variables={"n": {"type": "integer", "optional": True}},
        )
    )
    assert it.event("e") == [
        "transition(k, l)",
        "error_raised(p/r1/a, Expression.null)",
        "error_raised(p/r1/a, Expression.null)",
        "transition(p, –)",
    ]
    assert it.inner == {"r1": "a", "r2": "l"}


def counting(limit: int, **rest: Any) -> dict[str, Any]:
    return {
        "from": "a",
        "condition": f"context.n < {limit}",
        "pre_actions": [set_variable("n", "${context.n + 1}")],
        **rest,
    }


def test_m2_6_condition_only_transitions_run_in_idle_regions_without_an_event() -> None:
    integer = {"n": {"type": "integer", "initial": 0}}
    it = Told(workflow(["a", "b"], [counting(3), {"from": "a", "to": "b", "condition": "true"}], variables=integer))
    assert it.started == [
        "state_entered(a)",
        "transition(a, –)",
        "transition(a, –)",
        "transition(a, –)",
        "transition(a, b)",
    ]
    assert it.records[-1].event is None
    assert it.variables == {"n": 3}


def test_m2_6_a_busy_region_takes_no_condition_only_transition() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f"), set_variable("n", 1)]},
                {"from": "a", "to": "c", "condition": "context.n == 2"},
                {"from": "a", "event": "never"},
            ],
            variables={"n": {"type": "integer", "initial": 0, "input": True}},
        )
    )
    it.event("go")
    it.instance.v[list(it.instance.program.variables).index("n")].whole = 2
    assert it.event("never") == []
    assert it.succeeds(1) == ["transition(a, b)", "event_rejected(never, no_transition)"]


def test_m2_6_more_automatic_transitions_than_max_automatic_fail_the_instance() -> None:
    integer = {"n": {"type": "integer", "initial": 0}}
    just = Told(workflow(["a"], [counting(100)], variables=integer))
    assert (just.instance.status, just.variables["n"]) == ("running", 100)
    beyond = Told(workflow(["a"], [counting(101)], variables=integer))
    assert beyond.started[-1] == "instance_closed(failed)"
    assert beyond.one("instance_closed").payload["reason"] == "automatic_chain"
    assert beyond.variables["n"] == 100
    fewer = Told(workflow(["a"], [counting(8)], variables=integer, max_automatic=7))
    assert fewer.one("instance_closed").payload["reason"] == "automatic_chain"
    assert fewer.variables["n"] == 7


def test_m2_6_the_count_starts_anew_with_each_step() -> None:
    it = Told(
        workflow(
            ["a"],
            [
                {"from": "a", "event": "e", "pre_actions": [set_variable("n", 0)]},
                counting(7),
            ],
            variables={"n": {"type": "integer", "initial": 0}},
            max_automatic=7,
        )
    )
    assert len(it.event("e")) == 8
    assert it.instance.status == "running"


def test_m2_6_errors_that_answer_errors_count_too() -> None:
    it = Told(
        workflow(
            ["a"],
            [
                {"from": "a", "event": "e", "pre_actions": [set_variable("n", "${1 // 0}")]},
                {"from": "a", "event": "error", "pre_actions": [set_variable("n", "${1 // 0}")]},
            ],
            variables={"n": {"type": "integer", "initial": 0}},
            max_automatic=5,
        )
    )
    rows = it.event("e")
    # The first error answers an event; the five after it answer errors, and one more is too much.
    assert rows.count("error_raised(a, Expression.division)") == 7
    assert rows[-1] == "instance_closed(failed)"
    assert it.one("instance_closed").payload["reason"] == "automatic_chain"
