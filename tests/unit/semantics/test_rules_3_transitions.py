"""M3: actions, commit, flights, failure, abortion, internal and self transitions, terminal states, rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow

N = {"n": {"type": "integer", "initial": 0}}


def test_m3_1_pre_actions_then_commit_then_post_actions_in_order() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "pre_actions": [set_variable("n", 1), activity("f"), activity("g")],
                    "post_actions": [set_variable("n", "${context.n + 1}"), activity("h")],
                }
            ],
            variables=N,
        )
    )
    assert it.event("e") == ["transition_started", "activity_scheduled(f, 1)"]
    assert it.succeeds(1) == ["activity_scheduled(g, 1)"]
    assert it.succeeds(2) == ["transition(a, b)", "variables_set(n = 2)", "activity_scheduled(h, 1)"]
    assert it.succeeds(3) == []
    assert it.instance.in_flight == {}


def test_m3_1_without_waiting_actions_a_transition_is_one_append() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "e", "pre_actions": [set_variable("n", 1)], "post_actions": []}],
            variables=N,
        )
    )
    assert it.event("e") == ["transition(a, b)"]
    assert it.one("transition").payload["set"] == {"n": 1}


def test_m3_2_the_source_stays_active_until_the_commit_and_the_target_after_it() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": "w", "timeout": "1m"}, {"name": "b", "activity": "x"}],
            [{"from": "a", "to": "b", "event": "e", "pre_actions": [activity("f")], "post_actions": [activity("g")]}],
        )
    )
    it.event("e")
    assert it.state == "a"
    assert {each.activity for each in it.instance.activities()} == {"w", "f"}
    assert it.due("timeout") == 60
    assert it.succeeds(2) == [
        "transition(a, b)",
        "activity_cancelled(w)",
        "activity_scheduled(x, 1)",
        "activity_scheduled(g, 1)",
    ]
    assert it.state == "b"
    assert it.instance.in_flight == {"": "a → b on e"}
    assert it.due("timeout") is None
    # From the last waiting action on it is over: nothing is held any more.
    it.succeeds(4)
    assert it.instance.in_flight == {}


def test_m3_3_private_writes_are_seen_by_the_own_flight_only_and_published_by_the_commit() -> None:
    busy = region(
        "r1",
        ["a", "b"],
        [
            {
                "from": "a",
                "to": "b",
                "event": "e",
                "pre_actions": [set_variable("n", 5), activity("f", parameters={"n": "${context.n}"})],
            }
        ],
    )
    other = region("r2", ["c", "d"], [{"from": "c", "to": "d", "event": "look", "condition": "context.n == 0"}])
    it = Told(workflow([regions(busy, other)], [], variables=N))
    it.event("e")
    assert it.one("activity_scheduled").payload["input"] == {"n": 5}
    assert it.variables == {"n": 0}
    assert it.event("look") == ["transition(c, d)"]
    it.succeeds(1)
    assert it.one("transition").payload["set"] == {"n": 5}
    assert it.variables == {"n": 5}


def test_m3_3_an_abort_drops_private_writes() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {"from": "a", "to": "b", "event": "e", "pre_actions": [set_variable("n", 5), activity("f")]},
                {"from": "a", "event": "error"},
                {"from": "a", "to": "b", "event": "again", "pre_actions": [set_variable("n", "${context.n + 1}")]},
            ],
            variables=N,
        )
    )
    it.event("e")
    it.fails(1, "Boom")
    assert it.variables == {"n": 0}
    it.event("again")
    assert it.variables == {"n": 1}


@pytest.mark.parametrize(("first", "last"), [(1, 2), (2, 1)])
def test_m3_3_of_two_flights_the_last_commit_wins(first: int, last: int) -> None:
    def half(number: int) -> dict[str, Any]:
        pre = [set_variable("n", number * 10), activity("f")]
        return region(f"r{number}", ["a", "b"], [{"from": "a", "to": "b", "event": "e", "pre_actions": pre}])

    it = Told(workflow([regions(half(1), half(2))], [], variables=N))
    it.event("e")
    it.succeeds(first)
    it.succeeds(last)
    assert it.variables == {"n": last * 10}


def error_handlers(**rest: Any) -> Told:
    return Told(
        workflow(
            ["a", "b", "before", "after"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "pre_actions": [activity("f"), set_variable("n", 1)],
                    "post_actions": [activity("g"), set_variable("n", 2)],
                },
                {"from": "a", "to": "before", "event": "error"},
                {"from": "b", "to": "after", "event": "error"},
            ],
            variables=N,
            **rest,
        )
    )


def test_m3_4_a_failed_action_raises_error_in_the_source_before_and_in_the_target_after_the_commit() -> None:
    it = error_handlers()
    it.event("e")
    assert it.fails(1, "Boom") == ["transition_aborted(error)", "error_raised(f, Boom)", "transition(a, before)"]
    assert it.variables == {"n": 0}
    it = error_handlers()
    it.event("e")
    it.succeeds(1)
    assert it.fails(2, "Boom") == ["transition_aborted(error)", "error_raised(g, Boom)", "transition(b, after)"]
    # The commit stands; the post-action behind the failed one was skipped.
    assert it.variables == {"n": 1}


def test_m3_4_on_failure_ignore_records_and_goes_on() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "pre_actions": [
                        set_variable("n", "${1 // 0}", on_failure="ignore"),
                        activity("f", on_failure="ignore"),
                        set_variable("n", 7),
                    ],
                }
            ],
            variables=N,
        )
    )
    assert it.event("e")[0] == "error_raised(a, Expression.division)"
    assert it.one("error_raised").payload["reason"] == "ignored"
    assert it.fails(1, "Boom") == ["error_raised(f, Boom)", "transition(a, b)"]
    assert it.variables == {"n": 7}


def test_m3_4_a_result_that_does_not_fit_its_variable_fails_the_action() -> None:
    it = Told(
        workflow(
            ["a", "b", "bad"],
            [
                {"from": "a", "to": "b", "event": "e", "pre_actions": [activity("f", result_variable="n")]},
                {"from": "a", "to": "bad", "event": "error.f"},
            ],
            variables=N,
        )
    )
    it.event("e")
    assert it.succeeds(1, result="five") == [
        "transition_aborted(error)",
        "error_raised(f, Expression.type)",
        "transition(a, bad)",
    ]


def test_m3_4_a_result_that_does_not_fit_is_ignored_where_the_action_says_so() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "e",
                    "pre_actions": [activity("f", result_variable="n", on_failure="ignore"), activity("g")],
                }
            ],
            variables=N,
        )
    )
    it.event("e")
    assert it.succeeds(1, result="five") == ["error_raised(f, Expression.type)", "activity_scheduled(g, 1)"]
    assert it.succeeds(2) == ["transition(a, b)"]
    assert it.variables == {"n": 0}


def flying(join: Any = "all") -> Told:
    one = region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]}])
    two = region("r2", ["c", terminal("z")], [{"from": "c", "to": "z", "event": "end"}])
    it = Told(
        workflow(
            [regions(one, two, join=join), "q"],
            [{"from": "p", "to": "q", "event": "leave"}, {"from": "p", "to": "q", "event": "cancel_requested"}],
        )
    )
    it.event("go")
    return it


def test_m3_5_a_flight_is_aborted_by_the_commit_of_an_outer_transition() -> None:
    it = flying()
    assert it.event("leave") == [
        "transition(p, q)",
        "state_left(c, outer)",
        "transition_aborted(outer)",
        "activity_cancelled(f)",
        "state_left(a, outer)",
    ]
    assert [(e.kind, e.activity_id) for e in it.effects if e.kind == "cancel_attempt"] == [("cancel_attempt", 1)]


def test_m3_5_a_flight_is_aborted_by_a_join() -> None:
    assert flying("any").event("end") == [
        "transition(c, z)",
        "transition_aborted(join)",
        "activity_cancelled(f)",
        "state_left(a, join)",
        "event_discarded(done, no_transition)",
    ]


def test_m3_5_a_flight_is_aborted_by_closing() -> None:
    assert flying().control("terminate") == [
        "state_left(c, terminated)",
        "transition_aborted(terminated)",
        "activity_cancelled(f)",
        "state_left(a, terminated)",
        "state_left(p, terminated)",
        "instance_closed(terminated)",
    ]


def test_m3_5_a_flight_of_the_root_is_aborted_by_a_transition_on_cancel_requested() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
                {"from": "a", "to": "c", "event": "cancel_requested"},
            ],
        )
    )
    it.event("go")
    assert it.control("cancel") == ["transition_aborted(control)", "activity_cancelled(f)", "transition(a, c)"]


def stay(**transition: Any) -> Told:
    return Told(
        workflow(
            [{"name": "s", "timeout": "10s", **regions(region("r", [{"name": "x", "activity": "f"}], []), name="s")}],
            [{"from": "s", "event": "e", **transition}],
        )
    )


def test_m3_6_an_internal_transition_leaves_nothing() -> None:
    it = stay()
    assert it.event("e", 4) == ["transition(s, –)"]
    assert it.due("timeout") == 10
    assert [each.activity_id for each in it.instance.activities()] == [1]


def test_m3_6_a_self_transition_leaves_and_enters_anew() -> None:
    it = stay(to="s")
    assert it.event("e", 4) == [
        "transition(s, s)",
        "activity_cancelled(f)",
        "state_left(x, outer)",
        "state_entered(x)",
        "activity_scheduled(f, 1)",
    ]
    assert it.due("timeout") == 14
    assert [each.activity_id for each in it.instance.activities()] == [2]


def test_m3_7_a_terminal_state_ends_the_root_once_post_actions_are_done() -> None:
    it = Told(workflow(["a", terminal("t")], [{"from": "a", "to": "t", "event": "e", "post_actions": [activity("f")]}]))
    assert it.event("e") == ["transition(a, t)", "transition_started", "activity_scheduled(f, 1)"]
    assert it.instance.status == "running"
    assert it.succeeds(1) == ["instance_closed(completed, success)"]


def test_m3_7_an_initial_state_that_is_terminal_ends_at_once() -> None:
    it = Told(workflow([terminal("t")], []))
    assert it.started == ["state_entered(t)", "instance_closed(completed, success)"]


def out_of_terminal(**rest: Any) -> Told:
    """t is terminal, with a post-action under way, and with every kind of transition out of it."""
    out = [
        {"from": "t", "to": "b", "event": "e"},
        {"from": "t", "to": "b", "event": "error"},
        {"from": "t", "to": "b", "event": "cancel_requested"},
        {"from": "t", "to": "b", "after": "1s"},
        {"from": "t", "to": "b", "condition": "true"},
    ]
    it = Told(
        workflow(
            ["a", terminal("t"), "b"],
            [{"from": "a", "to": "t", "event": "e", "post_actions": [activity("f")]}, *out],
            timeouts={"states": {"t": "5s"}},
        )
    )
    it.event("e")
    return it


def test_m3_7_nothing_leaves_a_terminal_state() -> None:
    assert out_of_terminal().instance.timers() == []
    assert out_of_terminal().fails(1, "Boom") == [
        "transition_aborted(error)",
        "error_raised(f, Boom)",
        "instance_closed(failed)",
    ]
    assert out_of_terminal().control("cancel")[-1] == "instance_closed(cancelled)"
    assert out_of_terminal().event("e") == []
    it = out_of_terminal()
    assert it.succeeds(1) == ["instance_closed(completed, success)"]
    assert it.effect_kinds() == ["closed"]


def test_m3_7_nothing_leaves_the_terminal_state_of_an_inner_region() -> None:
    inner = region(
        "r1", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "e"}, {"from": "z", "to": "a", "after": "1s"}]
    )
    it = Told(workflow([regions(inner, region("r2", ["k"], []))], []))
    it.event("e")
    assert it.instance.timers() == []
    assert it.event("e") == ["event_rejected(e, no_transition)"]


def test_m3_7_a_region_ends_though_its_post_action_failed() -> None:
    inner = region("r", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "e", "post_actions": [activity("f")]}])
    it = Told(
        workflow(
            [regions(inner), "q"],
            [
                {"from": "p", "event": "error", "post_actions": [activity("g")]},
                {"from": "p", "to": "q", "event": "done"},
            ],
        )
    )
    it.event("e")
    # The error climbs to p; meanwhile the join is decided, and `done` waits for p's flight.
    assert it.fails(1, "Boom") == [
        "transition_aborted(error)",
        "error_raised(f, Boom)",
        "error_raised(f, Boom)",
        "transition(p, –)",
        "transition_started",
        "activity_scheduled(g, 1)",
    ]
    assert it.succeeds(2) == ["transition(p, q)", "state_left(z, outer)"]


def test_m3_8_rows_say_what_was_ended_then_what_was_entered_then_the_post_actions() -> None:
    def inner(name: str, work: str) -> dict[str, Any]:
        return region(name, [{"name": f"in_{name}", "activity": work}], [])

    old = regions(inner("r1", "f"), inner("r2", "g"), name="old")
    deep = regions(inner("r5", "k"), name="deep")
    new = regions(region("r3", [deep], []), inner("r4", "h"), name="new")
    it = Told(
        workflow(
            [old, new],
            [{"from": "old", "to": "new", "event": "e", "post_actions": [set_variable("n", 1)]}],
            variables=N,
        )
    )
    assert it.started == [
        "state_entered(old)",
        "state_entered(in_r1)",
        "activity_scheduled(f, 1)",
        "state_entered(in_r2)",
        "activity_scheduled(g, 1)",
    ]
    assert it.event("e") == [
        "transition(old, new)",
        "activity_cancelled(g)",
        "state_left(in_r2, outer)",
        "activity_cancelled(f)",
        "state_left(in_r1, outer)",
        "state_entered(deep)",
        "state_entered(in_r5)",
        "activity_scheduled(k, 1)",
        "state_entered(in_r4)",
        "activity_scheduled(h, 1)",
        "variables_set(n = 1)",
    ]
