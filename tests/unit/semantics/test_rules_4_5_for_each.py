"""M4.5: one activity or child for each item of a list, and worked example 12."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, region, regions, terminal, workflow
from wfsim.semantics import dtypes
from wfsim.semantics.arrays import to_array
from wfsim.semantics.snapshot import from_snapshot, take_snapshot


def each(
    items: Any = "${context.list}",
    transitions: list[dict[str, Any]] | None = None,
    given: Any = ("p", "q", "r"),
    activities: dict[str, Any] | None = None,
    **more: Any,
) -> Told:
    work = {"items": items, "as": "one", **more}
    if "workflow" not in work:
        work.setdefault("activity", "f")
    return Told(
        workflow(
            [{"name": "s", "for_each": work}, terminal("t"), "lost"],
            transitions
            or [
                {"from": "s", "to": "t", "event": "done"},
                {"from": "s", "to": "lost", "event": "error"},
                {"from": "s", "to": "lost", "event": "stop"},
                {"from": "s", "to": "s", "event": "again"},
            ],
            variables={
                "list": {"type": "any", "input": True, "optional": True},
                "out": {"type": "any", "output": True},
                "n": {"type": "integer", "initial": 5},
            },
            events={"stop": {}, "again": {}},
            activities=activities or {"f": {}},
        ),
        list=list(given) if isinstance(given, tuple) else given,
    )


def indexes(it: Told) -> list[tuple[int, Any]]:
    """Index and input of what was scheduled or started in the last step."""
    kinds = ("activity_scheduled", "child_started")
    return [(record.payload["index"], record.payload.get("input")) for record in it.records if record.kind in kinds]


def test_worked_example_12() -> None:
    it = each(max_parallel=2, result_variable="out")
    assert it.started == ["state_entered(s)", "activity_scheduled(f, 1)", "activity_scheduled(f, 1)"]
    assert indexes(it) == [(0, {"one": "p"}), (1, {"one": "q"})]
    assert it.succeeds(2, result=2) == ["activity_scheduled(f, 1)"]
    assert indexes(it) == [(2, {"one": "r"})]
    assert it.succeeds(3, result=3) == []
    assert it.succeeds(1, result=1) == [
        "variables_set(out = [1, 2, 3])",
        "transition(s, t)",
        "instance_closed(completed, success)",
    ]


def test_m4_5_without_a_limit_all_items_are_open_at_once() -> None:
    it = each()
    assert it.started == ["state_entered(s)", *["activity_scheduled(f, 1)"] * 3]
    assert [work.activity_id for work in it.instance.activities()] == [1, 2, 3]


def test_m4_5_an_empty_list_is_done_at_once_with_an_empty_list() -> None:
    it = each(given=(), result_variable="out")
    assert it.started == [
        "state_entered(s)",
        "variables_set(out = [])",
        "transition(s, t)",
        "instance_closed(completed, success)",
    ]


def test_m4_5_the_items_are_read_once() -> None:
    it = each("${[context.n, context.n + 1]}", max_parallel=1, parameters={"n": "${context.n}", "i": "${item.one}"})
    assert indexes(it) == [(0, {"n": 5, "i": 5})]
    it.instance.v[2].whole = 9
    it.succeeds(1)
    # The variable is read when the item starts; the list is the one of the entry.
    assert indexes(it) == [(1, {"n": 9, "i": 6})]


def test_m4_5_parameters_may_compute_with_the_item() -> None:
    it = each(given=(2, 3), parameters={"double": "${item.one * 2}", "said": "${[item.one, 'x']}"})
    assert indexes(it) == [(0, {"double": 4, "said": [2, "x"]}), (1, {"double": 6, "said": [3, "x"]})]


def test_m4_5_fail_fast_cancels_the_rest_last_first_and_raises_the_error_with_its_index() -> None:
    it = each(max_parallel=3, given=("p", "q", "r", "u"))
    assert it.fails(2, "Boom") == [
        "activity_cancelled(f)",
        "activity_cancelled(f)",
        "error_raised(f, Boom)",
        "transition(s, lost)",
    ]
    assert [r.activity_id for r in it.records if r.kind == "activity_cancelled"] == [3, 1]
    assert it.one("error_raised").payload["index"] == 1
    assert it.instance.activities() == []
    assert it.succeeds(1) == ["stimulus_ignored(late)"]


def test_m4_5_conditions_can_read_the_index() -> None:
    it = each(
        transitions=[
            {"from": "s", "to": "lost", "event": "error", "condition": "event.index == 1"},
            {"from": "s", "to": "t", "event": "error"},
        ]
    )
    assert it.fails(2, "Boom")[-1] == "transition(s, lost)"
    it = each(transitions=[{"from": "s", "to": "t", "event": "error.f", "condition": "event.index == 0"}])
    assert it.fails(1, "Boom")[-2] == "transition(s, t)"


def test_m4_5_collect_gives_ok_value_and_error_of_each_item() -> None:
    it = each(on_failure="collect", max_parallel=2, result_variable="out")
    assert it.fails(1, "Boom") == ["activity_scheduled(f, 1)"]
    assert it.succeeds(3, result="z") == []
    it.succeeds(2, result=None)
    assert it.variables["out"] == [
        {"ok": False, "value": None, "error": {"type": "Boom", "message": None}},
        {"ok": True, "value": None, "error": None},
        {"ok": True, "value": "z", "error": None},
    ]
    assert it.state == "t"


def test_m4_5_items_are_tried_again_each_by_itself() -> None:
    retry = {"retry_policy": {"max_attempts": 2, "initial_interval": "1s"}}
    it = each(activities={"f": retry}, result_variable="out")
    assert it.fails(2, "Net", at=1) == ["retry_scheduled(2, 1 s)"]
    it.succeeds(1, at=1, result=1)
    it.succeeds(3, at=1, result=3)
    assert it.fires("retry", at=2) == ["activity_scheduled(f, 2)"]
    assert indexes(it) == [(1, {"one": "q"})]
    it.succeeds(2, at=3, attempt=2, result=2)
    assert it.variables["out"] == [1, 2, 3]


def test_m4_5_clocks_of_items_are_their_own() -> None:
    it = each(activities={"f": {"timeout": "3s", "schedule_to_close": "1m"}}, given=("p", "q"))
    it.starts(1)
    it.starts(2, at=1)
    assert [(t.name, t.due // SECOND, t.activity_id) for t in it.instance.timers()] == [
        ("start_to_close", 3, 1),
        ("start_to_close", 4, 2),
        ("schedule_to_close", 60, 1),
        ("schedule_to_close", 60, 2),
    ]
    place, number = next((t.place, t.id) for t in it.instance.timers() if t.activity_id == 2)
    rows = it.rows(it.instance.timer_fired(4 * SECOND, place, number))
    assert rows[0] == "attempt_timed_out(1, Timeout.start_to_close)"
    assert it.one("error_raised").payload["index"] == 1


@pytest.mark.parametrize(
    ("items", "given", "error"),
    [
        ("${context.list}", None, "Expression.null"),
        ("${context.list}", "text", "Expression.type"),
        ("${[1 // context.n - 5, 1 // (context.n - 5)]}", (), "Expression.division"),
    ],
)
def test_m10_3_items_that_are_no_list_are_an_error_of_the_state(items: str, given: Any, error: str) -> None:
    it = each(items, given=given)
    assert it.started == ["state_entered(s)", f"error_raised(s, {error})", "transition(s, lost)"]


def test_m10_3_an_item_whose_inputs_raise_has_failed() -> None:
    it = each(given=(1, None, 3), parameters={"next": "${item.one + 1}"})
    assert it.started == [
        "state_entered(s)",
        "activity_scheduled(f, 1)",
        "activity_cancelled(f)",
        "error_raised(f, Expression.null)",
        "transition(s, lost)",
    ]
    it = each(given=(1, None, 3), parameters={"next": "${item.one + 1}"}, on_failure="collect", result_variable="out")
    assert it.started == ["state_entered(s)", "activity_scheduled(f, 1)", "activity_scheduled(f, 1)"]
    it.succeeds(1, result="a")
    it.succeeds(2, result="b")
    assert [one["ok"] for one in it.variables["out"]] == [True, False, True]
    assert it.variables["out"][1]["error"] == {"type": "Expression.null", "message": None}


def test_limits_that_no_list_reaches_fit_into_a_compiled_program() -> None:
    """Fields of programs that count within a definition take four bytes."""
    it = each(max_parallel=10**12, on_failure="collect", tolerated_failures=10**12)
    assert len(indexes(it)) == 3
    program = it.instance.program
    row = to_array(program.rows, dtypes.PROGRAM)[program.state_rows["s"]]
    assert (row["max_parallel"], row["tolerated"]) == (2**31 - 1, 2**31 - 1)


def test_m1_2_leaving_the_state_ends_the_open_items() -> None:
    it = each(max_parallel=2)
    it.succeeds(1)
    rows = it.event("stop")
    assert rows == ["transition(s, lost)", "activity_cancelled(f)", "activity_cancelled(f)"]
    assert it.instance.activities() == []
    assert [work.phase for work in it.instance.works()] == [0, 0]


def test_m3_6_entering_anew_reads_the_list_anew() -> None:
    it = each(max_parallel=1)
    it.succeeds(1)
    it.event("again")
    assert indexes(it) == [(0, {"one": "p"})]
    assert [work.activity_id for work in it.instance.activities()] == [3]


def test_m8_2_a_retry_starts_the_items_anew() -> None:
    it = each(transitions=[{"from": "s", "to": "t", "event": "done"}], result_variable="out")
    it.succeeds(1, result="old")
    assert it.fails(2, "Boom")[-1] == "instance_closed(failed)"
    it.control("retry")
    assert indexes(it) == [(0, {"one": "p"}), (1, {"one": "q"}), (2, {"one": "r"})]
    for serial in (4, 5, 6):
        it.succeeds(serial, result=serial)
    assert it.variables["out"] == [4, 5, 6]


def test_m4_4_children_of_items_are_named_by_activations_of_their_own() -> None:
    it = each(workflow="shipping", max_parallel=2, result_variable="out")
    assert it.started == ["state_entered(s)", "child_started", "child_started"]
    assert [(r.payload["activation"], r.payload["index"]) for r in it.records[2:]] == [(2, 0), (3, 1)]
    starts = [(e.activity, e.activity_id, e.input) for e in it.effects if e.kind == "start_child"]
    assert starts == [("shipping", 2, {"one": "p"}), ("shipping", 3, {"one": "q"})]
    rows = it.rows(it.instance.child_closed(SECOND, 3, "completed", "success", {"n": 2}))
    assert rows == ["child_started"]
    it.instance.child_closed(SECOND, 2, "completed", "success", {"n": 1})
    it.instance.child_closed(SECOND, 4, "completed", "success", None)
    assert it.variables["out"] == [{"n": 1}, {"n": 2}, None]


def test_m4_4_a_child_of_an_item_that_fails_stops_the_others() -> None:
    it = each(workflow="shipping", given=("p", "q", "r"))
    rows = it.rows(it.instance.child_closed(SECOND, 3, "timed_out"))
    assert rows == [
        "child_stop_requested",
        "child_stop_requested",
        "error_raised(s, Child.timed_out)",
        "transition(s, lost)",
    ]
    assert [e.activity_id for e in it.effects if e.kind == "stop_child"] == [4, 2]
    assert it.one("error_raised").payload["index"] == 1
    it = each(workflow="shipping", given=("p",), on_failure="collect", result_variable="out")
    it.instance.child_closed(SECOND, 2, "cancelled")
    assert it.variables["out"] == [{"ok": False, "value": None, "error": {"type": "Child.cancelled", "message": None}}]


def test_m9_1_completed_items_enter_the_log_one_by_one() -> None:
    it = each(activities={"f": {"compensate_with": "undo"}, "undo": {}}, max_parallel=2)
    it.succeeds(2, result="r2")
    it.succeeds(1, result="r1")
    rows = it.control("cancel")
    assert rows == [
        "status_changed(cancelling)",
        "activity_cancelled(f)",
        "state_left(s, cancelled)",
        "compensation_started(2, 1)",
        "activity_scheduled(undo, 1)",
    ]
    assert it.one("activity_scheduled").payload["input"] == {"one": "p", "result": "r1"}
    assert it.succeeds(3, result="late") == ["stimulus_ignored(late, logged)"]
    it.succeeds(4)
    assert it.one("activity_scheduled").payload["input"] == {"one": "r", "result": "late"}


def test_m4_5_two_regions_go_through_lists_side_by_side() -> None:
    work = {"items": ["a", "b"], "as": "x", "activity": "f", "max_parallel": 1}
    inner = [
        region(
            name, [{"name": f"{name}1", "for_each": work}, terminal(f"{name}2")],
            [{"from": f"{name}1", "to": f"{name}2", "event": "done"}],
        )
        for name in ("k", "l")
    ]  # fmt: skip
    it = Told(workflow([regions(*inner), terminal("q")], [{"from": "p", "to": "q", "event": "done"}]))
    assert [work.region for work in it.instance.activities()] == ["p/k", "p/l"]
    for serial in (2, 3, 1):
        assert it.state == "p"
        it.succeeds(serial)
    assert it.inner == {"k": "k1", "l": "l2"}
    it.succeeds(4)
    assert it.instance.status == "completed"


def test_an_instance_is_rebuilt_from_its_snapshot_with_its_items() -> None:
    it = each(max_parallel=2, result_variable="out", activities={"f": {"timeout": "3s"}})
    it.succeeds(2, result="b")
    it.starts(1)
    snapshot = take_snapshot(it.instance)
    twin = from_snapshot(it.instance.program, it.instance.texts, snapshot)
    assert take_snapshot(twin) == snapshot
    assert [(w.phase, w.attempt) for w in twin.activities()] == [("running", 1), ("scheduled", 1)]
    for work in twin.activities():
        twin.activity_succeeded(0, work.activity_id, 1, f"r{work.phase}")
    assert twin.variables["out"] == ["rrunning", "b", "rscheduled"]


@pytest.mark.parametrize(("most", "failing"), [(0, 1), (1, 2), ("34%", 2), ("33%", 1), ("66.7%", 3), ("100%", 4)])
def test_m4_5_one_failure_more_than_tolerated_ends_the_rest(most: Any, failing: int) -> None:
    it = each(on_failure="collect", tolerated_failures=most, result_variable="out")
    for serial in range(1, min(failing, 3)):
        assert it.fails(serial, "Boom") == []
    last = min(failing, 3)
    found = it.fails(last, "Bang")
    if failing > 3:
        assert found[-1] == "instance_closed(completed, success)"
        return
    assert found[: 3 - last] == ["activity_cancelled(f)"] * (3 - last)
    assert found[3 - last :] == ["error_raised(f, Bang)", "transition(s, lost)"]
    assert it.one("error_raised").payload["index"] == last - 1


def test_m4_5_what_is_tolerated_is_collected() -> None:
    it = each(on_failure="collect", tolerated_failures=1, result_variable="out")
    it.fails(2, "Boom")
    it.succeeds(1, result=1)
    it.succeeds(3, result=3)
    assert [one["ok"] for one in it.variables["out"]] == [True, False, True]


def test_m4_5_inputs_that_raise_count_as_failures() -> None:
    it = each(on_failure="collect", tolerated_failures=1, parameters={"x": "${item.one + 1}"}, given=(1, "a", "b", 2))
    assert it.started == [
        "state_entered(s)",
        "activity_scheduled(f, 1)",
        "activity_cancelled(f)",
        "error_raised(f, Expression.type)",
        "transition(s, lost)",
    ]


@pytest.mark.parametrize(
    ("work", "told"),
    [
        ({"tolerated_failures": 1}, r"goes with on_failure: collect"),
        ({"tolerated_failures": -1, "on_failure": "collect"}, r"-1 is neither how many items may fail"),
        ({"tolerated_failures": "101%", "on_failure": "collect"}, r"nor which share of them, such as 5%"),
        ({"tolerated_failures": 0.5, "on_failure": "collect"}, r"0\.5 is neither"),
    ],
)
def test_m4_5_a_tolerance_that_means_nothing_is_refused(work: dict[str, Any], told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        each(**work)
