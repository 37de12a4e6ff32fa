"""M4: work, `done` and `error`, errors that climb, joins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow


def with_work(*transitions: dict[str, Any], **state: Any) -> Told:
    return Told(
        workflow(
            [{"name": "s", "activity": {"name": "f", "result_variable": "n"}, **state}, "big", "small", "bad"],
            [*transitions, {"from": "s", "event": "note", "pre_actions": [activity("g")]}],
            variables={"n": {"type": "integer", "optional": True}},
        )
    )


def test_m4_1_work_starts_on_entry_after_timers_are_set() -> None:
    it = with_work(timeout="1m")
    assert it.started == ["state_entered(s)", "activity_scheduled(f, 1)"]
    assert it.effect_kinds() == ["set_timer", "start_attempt"]


def test_m4_1_the_result_is_written_when_done_is_dispatched_before_conditions() -> None:
    it = with_work(
        {"from": "s", "to": "small", "event": "done", "condition": "context.n < 5"},
        {"from": "s", "to": "big", "event": "done", "condition": "context.n == event.result"},
    )
    it.event("note")
    # The region is busy, so `done` waits, and so does its write.
    assert it.succeeds(1, result=7) == []
    assert it.variables == {"n": None}
    assert it.succeeds(2) == ["transition(s, –)", "variables_set(n = 7)", "transition(s, big)"]


def test_m4_1_anything_but_success_raises_error_with_source_type_and_message() -> None:
    condition = "event.source == 'f' and event.type == 'Card.Declined' and event.message == 'no money'"
    it = with_work({"from": "s", "to": "bad", "event": "error", "condition": condition})
    it.rows(it.instance.activity_failed(0, 1, 1, "Card.Declined", "no money"))
    assert it.one("error_raised").payload == {"source": "f", "message": "no money"}
    assert it.state == "bad"


def test_m4_1_unhandled_done_is_discarded_and_the_state_stays() -> None:
    it = with_work({"from": "s", "to": "big", "event": "done", "condition": "context.n > 100"})
    assert it.succeeds(1, result=7) == ["variables_set(n = 7)", "event_discarded(done, condition)"]
    assert (it.state, it.instance.status) == ("s", "running")


def test_m4_1_a_result_that_does_not_fit_is_an_error() -> None:
    it = with_work({"from": "s", "to": "big", "event": "done"}, {"from": "s", "to": "bad", "event": "error.f"})
    assert it.succeeds(1, result="many") == ["error_raised(f, Expression.type)", "transition(s, bad)"]
    assert it.variables == {"n": None}


def climbing(*outer: dict[str, Any], middle: tuple[dict[str, Any], ...] = ()) -> Told:
    """s holds m holds x, whose activity f may fail."""
    deep = regions(region("inner", [{"name": "x", "activity": "f"}], []), name="m")
    top = regions(region("outer", [deep, "saved"], list(middle)), name="s")
    return Told(workflow([top, "out"], list(outer)))


def test_m4_2_an_error_climbs_from_state_to_enclosing_state() -> None:
    it = climbing(
        {"from": "s", "to": "out", "event": "error"}, middle=({"from": "m", "to": "saved", "event": "error"},)
    )
    assert it.fails(1, "Boom") == [
        "error_raised(f, Boom)",
        "error_raised(f, Boom)",
        "transition(m, saved)",
        "state_left(x, outer)",
    ]
    assert [r.state for r in it.records if r.kind == "error_raised"] == ["s/outer/m/inner/x", "s/outer/m"]
    it = climbing({"from": "s", "to": "out", "event": "error"})
    assert it.fails(1, "Boom")[:4] == ["error_raised(f, Boom)"] * 3 + ["transition(s, out)"]


def test_m4_2_error_with_a_source_takes_only_errors_of_that_source() -> None:
    two = {"name": "s", "activity": "f"}
    it = Told(
        workflow(
            [two, "from_f", "other"],
            [
                {"from": "s", "event": "go", "pre_actions": [activity("g")]},
                {"from": "s", "to": "from_f", "event": "error.f"},
                {"from": "s", "to": "other", "event": "error"},
            ],
        )
    )
    twin = it.instance.copy()
    assert it.fails(1, "Boom")[-1] == "transition(s, from_f)"
    it.instance = twin
    it.event("go")
    assert it.fails(2, "Boom") == [
        "transition_aborted(error)",
        "error_raised(g, Boom)",
        "transition(s, other)",
        "activity_cancelled(f)",
    ]


def test_m4_2_a_climbing_error_keeps_its_source() -> None:
    it = climbing({"from": "s", "to": "out", "event": "error.f", "condition": "event.type == 'Boom'"})
    assert it.fails(1, "Boom")[3] == "transition(s, out)"


def test_m4_2_an_error_climbs_to_the_end_before_the_next_one_is_offered() -> None:
    def failing(name: str) -> dict[str, Any]:
        return region(name, ["b"], [{"from": "b", "event": "e", "pre_actions": [set_variable("n", "${1 // 0}")]}])

    it = Told(
        workflow(
            [regions(failing("r1"), failing("r2"))],
            [{"from": "p", "event": "error"}],
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    rows = it.event("e")[2:]
    assert rows == [
        "error_raised(p/r1/b, Expression.division)",
        "error_raised(p/r1/b, Expression.division)",
        "transition(p, –)",
        "error_raised(p/r2/b, Expression.division)",
        "error_raised(p/r2/b, Expression.division)",
        "transition(p, –)",
    ]


def test_m4_2_unhandled_at_the_root_the_instance_is_failed() -> None:
    it = climbing({"from": "s", "to": "out", "event": "error", "condition": "event.type == 'Other'"})
    assert it.fails(1, "Boom") == ["error_raised(f, Boom)"] * 3 + ["instance_closed(failed)"]
    assert it.one("instance_closed").payload["reason"] == "Boom"


def test_m4_2_unhandled_timeout_of_a_state_is_timed_out() -> None:
    it = Told(workflow([{"name": "s", "timeout": "5s"}], []))
    assert it.fires("timeout", 5) == ["error_raised(s, Timeout.state)", "instance_closed(timed_out)"]


def parallel(join: Any, *outcomes: str) -> Told:
    listed = [
        region(
            f"r{k}",
            ["a", terminal("ok"), terminal("bad", "failure")],
            [{"from": "a", "to": "ok", "event": f"ok{k}"}, {"from": "a", "to": "bad", "event": f"bad{k}"}],
        )
        for k in range(1, 4)
    ]
    it = Told(
        workflow(
            [regions(*listed, join=join), "joined", "broken"],
            [{"from": "p", "to": "joined", "event": "done"}, {"from": "p", "to": "broken", "event": "error.p"}],
        )
    )
    for each in outcomes:
        it.event(each)
    return it


def test_m4_3_regions_are_entered_in_file_order() -> None:
    it = parallel("all")
    assert it.started == ["state_entered(p)"] + ["state_entered(a)"] * 3
    assert [record.region for record in it.records[2:]] == ["p/r1", "p/r2", "p/r3"]


@pytest.mark.parametrize(
    ("join", "outcomes", "state"),
    [
        ("all", ("ok1", "ok2"), "p"),
        ("all", ("ok1", "ok2", "ok3"), "joined"),
        ("any", ("ok2",), "joined"),
        (2, ("ok1",), "p"),
        (2, ("ok1", "ok3"), "joined"),
        (2, ("bad1",), "p"),
        (2, ("bad1", "ok2", "ok3"), "joined"),
        (2, ("bad1", "bad2"), "broken"),
        ("all", ("ok1", "bad2"), "broken"),
        ("any", ("bad1", "bad2"), "p"),
        ("any", ("bad1", "bad2", "bad3"), "broken"),
    ],
)
def test_m4_3_enough_successes_raise_done_and_too_few_possible_raise_error(
    join: Any, outcomes: tuple[str, ...], state: str
) -> None:
    it = parallel(join, *outcomes)
    assert it.state == state
    if state == "broken":
        assert it.one("error_raised").error_type == "Join.impossible"


def test_m4_3_the_others_are_ended_when_the_join_is_reached() -> None:
    it = parallel(2, "ok1")
    assert it.event("ok3") == [
        "transition(a, ok)",
        "state_left(a, join)",
        "transition(p, joined)",
        "state_left(ok, outer)",
        "state_left(ok, outer)",
    ]


def test_m4_3_done_of_a_join_has_no_result() -> None:
    ends = region("r", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "e", "condition": "event.k == 5"}])
    it = Told(
        workflow(
            [regions(ends), "none", "some"],
            [
                {"from": "p", "to": "none", "event": "done", "condition": "event.result == null"},
                {"from": "p", "to": "some", "event": "done"},
            ],
            events={"e": {"payload": {"k": "integer"}}},
        )
    )
    # A payload that lay where the result of `done` would lie must not shine through.
    it.event("e", k=4)
    it.event("e", k=5)
    assert it.state == "none"


def test_m4_3_a_join_is_decided_once() -> None:
    halves = [
        region(
            f"r{k}",
            ["a", terminal("bad", "failure"), terminal("ok")],
            [{"from": "a", "to": "bad", "event": f"bad{k}"}, {"from": "a", "to": "ok", "event": f"ok{k}"}],
        )
        for k in (1, 2, 3)
    ]
    it = Told(workflow([regions(*halves)], [{"from": "p", "event": "error"}]))
    assert it.event("bad1") == ["transition(a, bad)", "error_raised(p, Join.impossible)", "transition(p, –)"]
    assert it.event("bad2") == ["transition(a, bad)"]
    assert it.event("ok3") == ["transition(a, ok)"]


def test_m4_3_an_error_of_a_region_that_the_join_has_left_is_void() -> None:
    fails = region(
        "r1", ["b", "c"], [{"from": "b", "to": "c", "event": "e", "pre_actions": [set_variable("n", "${1 // 0}")]}]
    )
    ends = region("r2", ["a", terminal("x")], [{"from": "a", "to": "x", "event": "e"}])
    it = Told(
        workflow(
            [regions(fails, ends, join=1), "q"],
            [{"from": "p", "to": "q", "event": "done"}],
            variables={"n": {"type": "integer", "initial": 0}},
        )
    )
    assert it.event("e") == [
        "transition_aborted(error)",
        "transition(a, x)",
        "state_left(b, join)",
        "stimulus_ignored(void)",
        "transition(p, q)",
        "state_left(x, outer)",
    ]
