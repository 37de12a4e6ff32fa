"""M9, and what other rules say of compensation: the log, its order, scopes, failing and late compensators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, compensate, region, regions, set_variable, terminal, workflow

UNDO = {"f": {"compensate_with": "uf"}, "g": {"compensate_with": "ug"}, "h": {"compensate_with": "uh"}}


def three(**rest: Any) -> Told:
    """f, g and h in parallel states; f and g completed in that order, h running. Serials 1, 2, 3."""
    it = Told(
        workflow(
            [
                regions(
                    *(region(f"r{name}", [{"name": name, "activity": name}], []) for name in "fgh"),
                )
            ],
            [],
            activities={**UNDO, **{name: {} for name in ("uf", "ug", "uh")}},
            **rest,
        )
    )
    for serial in (1, 2, 3):
        it.starts(serial)
    it.succeeds(1, at=1)
    it.succeeds(2, at=2)
    return it


def test_worked_example_11() -> None:
    it = three()
    assert it.control("cancel", at=3) == [
        "status_changed(cancelling)",
        "activity_cancelled(h)",
        "state_left(h, cancelled)",
        "state_left(g, cancelled)",
        "state_left(f, cancelled)",
        "state_left(p, cancelled)",
        "compensation_started(1, 2)",
        "activity_scheduled(ug, 1)",
    ]
    assert it.records[-1].payload["compensates"] == 2
    assert it.succeeds(4, at=4) == ["activity_scheduled(uf, 1)"]
    assert it.fails(5, "Boom", at=5) == ["compensation_finished(1)", "instance_closed(failed)"]
    assert it.one("instance_closed").payload["reason"] == "Compensation.failed"


def test_worked_example_11_had_h_succeeded_late() -> None:
    it = three()
    it.control("cancel", at=3)
    assert it.succeeds(3, at=3.5) == ["stimulus_ignored(late, logged)"]
    assert it.succeeds(4, at=4) == ["activity_scheduled(uh, 1)"]
    assert it.succeeds(5, at=5) == ["activity_scheduled(uf, 1)"]
    assert it.succeeds(6, at=6) == ["compensation_finished()", "instance_closed(cancelled)"]


def test_m8_2_retry_after_cancel_resumes_compensation() -> None:
    it = three()
    it.control("cancel", at=3)
    it.succeeds(4, at=4)
    it.fails(5, "Boom", at=5)
    assert it.control("retry", at=6) == [
        "status_changed(cancelling)",
        "compensation_started(1)",
        "activity_scheduled(uf, 1)",
    ]
    assert it.succeeds(6, at=7) == ["compensation_finished()", "instance_closed(cancelled)"]


def test_m8_3_while_cancelling_events_wait_and_are_rejected_at_the_end() -> None:
    it = three(events={"e": {}})
    it.control("cancel", at=3)
    assert it.event("e", at=3.5) == []
    assert it.control("cancel", at=3.6) == ["stimulus_ignored(void)"]
    assert it.control("pause", at=3.6) == ["stimulus_ignored(void)"]
    it.succeeds(4, at=4)
    assert it.succeeds(5, at=5) == [
        "compensation_finished()",
        "event_rejected(e, closed)",
        "instance_closed(cancelled)",
    ]


def test_m8_2_terminate_stops_compensation() -> None:
    it = three()
    it.control("cancel", at=3)
    assert it.control("terminate", at=4) == ["activity_cancelled(ug)", "instance_closed(terminated)"]


def test_m8_3_cancel_without_a_log_is_cancelled_at_once() -> None:
    it = Told(workflow(["a"], []))
    assert it.control("cancel") == [
        "status_changed(cancelling)",
        "state_left(a, cancelled)",
        "instance_closed(cancelled)",
    ]


def saga(**options: Any) -> Told:
    """f, then g by events; `undo` compensates and goes to z. Serials 1, 2."""
    action = compensate(**options)
    it = Told(
        workflow(
            ["a", "b", "c", terminal("z"), terminal("lost", "failure")],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "go",
                    "pre_actions": [activity("f", parameters={"n": "${context.n}"})],
                },
                {"from": "b", "to": "c", "event": "go", "pre_actions": [activity("g")]},
                {"from": "c", "to": "z", "event": "undo", "pre_actions": [action, set_variable("n", 9)]},
                {"from": "c", "to": "lost", "event": "error"},
            ],
            activities={
                "f": {"compensate_with": "uf"},
                "g": {"compensate_with": "ug"},
                "uf": {"retry_policy": {"max_attempts": 2}},
                "ug": {},
            },
            variables={"n": {"type": "integer", "initial": 5}},
        )
    )
    it.event("go")
    it.starts(1)
    it.succeeds(1, result="r1")
    it.event("go")
    it.starts(2)
    it.succeeds(2)
    return it


def test_m9_1_compensate_runs_the_entries_newest_first_one_after_another() -> None:
    it = saga()
    assert it.event("undo", at=1) == ["transition_started", "compensation_started(1, 2)", "activity_scheduled(ug, 1)"]
    it.starts(3, at=1)
    assert it.succeeds(3, at=2) == ["activity_scheduled(uf, 1)"]
    assert it.succeeds(4, at=3) == [
        "compensation_finished()",
        "transition(c, z)",
        "instance_closed(completed, success)",
    ]
    assert it.variables["n"] == 9


def test_m9_1_a_compensator_has_the_inputs_and_the_result_of_what_it_undoes() -> None:
    it = saga()
    it.event("undo")
    it.succeeds(3)
    assert it.one("activity_scheduled").payload["input"] == {"n": 5, "result": "r1"}
    (effect,) = [each for each in it.effects if each.kind == "start_attempt"]
    assert (effect.input, effect.compensates) == ({"n": 5, "result": "r1"}, 1)


def test_m9_1_each_compensator_has_its_own_retries_with_the_same_input() -> None:
    it = saga()
    it.event("undo")
    it.succeeds(3)
    assert it.fails(4, "Net", at=1) == ["retry_scheduled(2, 1 s)"]
    assert it.fires("retry", at=2) == ["activity_scheduled(uf, 2)"]
    assert it.one("activity_scheduled").payload == {"compensates": 1, "input": {"n": 5, "result": "r1"}}


def test_m9_2_one_that_fails_stays_and_the_others_run() -> None:
    it = saga()
    it.event("undo")
    assert it.fails(3, "Boom", at=1) == ["activity_scheduled(uf, 1)"]
    assert it.succeeds(4, at=2) == [
        "compensation_finished(2)",
        "transition_aborted(error)",
        "error_raised(compensate, Compensation.failed)",
        "transition(c, lost)",
        "instance_closed(completed, failure)",
    ]
    # What could not be undone is still in the log.
    assert len(it.instance.log()) == 1


def test_m9_2_ignored_failures_go_on() -> None:
    it = saga(on_failure="ignore")
    it.event("undo")
    it.fails(3, "Boom", at=1)
    assert it.succeeds(4, at=2) == [
        "compensation_finished(2)",
        "error_raised(compensate, Compensation.failed)",
        "transition(c, z)",
        "instance_closed(completed, success)",
    ]


def test_m9_1_an_empty_log_has_nothing_to_wait_for() -> None:
    it = Told(workflow(["a", terminal("z")], [{"from": "a", "to": "z", "event": "e", "pre_actions": [compensate()]}]))
    assert it.event("e") == ["transition(a, z)", "instance_closed(completed, success)"]


@pytest.mark.parametrize(("scope", "entries"), [("p", "1, 2"), ("r1", "1"), ("y", "2"), (None, "1, 2, 3")])
def test_m9_1_a_scope_limits_compensation_to_a_state_or_region(scope: str | None, entries: str) -> None:
    it = Told(
        workflow(
            [
                regions(
                    region(
                        "r1",
                        [{"name": "x", "activity": "f"}, terminal("x2")],
                        [{"from": "x", "to": "x2", "event": "done"}],
                    ),
                    region(
                        "r2",
                        [{"name": "y", "activity": "g"}, terminal("y2")],
                        [{"from": "y", "to": "y2", "event": "done"}],
                    ),
                ),
                {"name": "q", "activity": "h"},
                terminal("z"),
            ],
            [
                {"from": "p", "to": "q", "event": "done"},
                {"from": "q", "to": "z", "event": "undo", "pre_actions": [compensate(scope)]},
            ],
            activities={**UNDO, **{name: {} for name in ("uf", "ug", "uh")}},
        )
    )
    for serial in (1, 2, 3):
        it.starts(serial)
        it.succeeds(serial)
    assert it.event("undo")[1] == f"compensation_started({entries})"


@pytest.mark.parametrize(
    ("scope", "entries"), [("p/r1", "1"), ("p/r2", "2"), ("p/r1/x", "1"), ("p/r2/x", "2"), ("/x", "3"), ("p", "1, 2")]
)
def test_m9_1_a_path_tells_regions_and_states_of_one_name_apart(scope: str, entries: str) -> None:
    inner = [
        region(name, [{"name": "x", "activity": act}, terminal("e")], [{"from": "x", "to": "e", "event": "done"}])
        for name, act in (("r1", "f"), ("r2", "g"))
    ]
    it = Told(
        workflow(
            [regions(*inner), {"name": "x", "activity": "h"}, terminal("z")],
            [
                {"from": "p", "to": "x", "event": "done"},
                {"from": "x", "to": "z", "event": "undo", "pre_actions": [compensate(scope)]},
            ],
            activities={**UNDO, **{name: {} for name in ("uf", "ug", "uh")}},
        )
    )
    for serial in (1, 2, 3):
        it.starts(serial)
        it.succeeds(serial)
    assert it.event("undo")[1] == f"compensation_started({entries})"


def test_m9_1_attempted_effects_enter_the_log_at_their_first_start() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": "f"}, "b"],
            [
                {"from": "a", "to": "b", "event": "error"},
                {"from": "b", "event": "undo", "pre_actions": [compensate()]},
            ],
            activities={"f": {"compensate_with": {"activity": "uf", "when": "attempted"}}, "uf": {}},
        )
    )
    it.starts(1)
    it.fails(1, "Boom")
    assert it.event("undo") == ["transition_started", "compensation_started(1)", "activity_scheduled(uf, 1)"]
    assert it.succeeds(2) == ["compensation_finished()", "transition(b, –)"]
    assert it.event("undo") == ["transition(b, –)"]


def test_m9_1_what_failed_for_good_without_an_effect_is_not_in_the_log() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": "f"}, "b"],
            [{"from": "a", "to": "b", "event": "error"}, {"from": "b", "event": "undo", "pre_actions": [compensate()]}],
            activities={"f": {"compensate_with": "uf"}, "uf": {}},
        )
    )
    it.starts(1)
    it.fails(1, "Boom")
    assert it.event("undo") == ["transition(b, –)"]
    assert it.succeeds(1) == ["stimulus_ignored(late)"]


def test_m5_4_a_late_success_after_a_timeout_enters_the_log() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": "f"}, "b"],
            [{"from": "a", "to": "b", "event": "error"}, {"from": "b", "event": "undo", "pre_actions": [compensate()]}],
            activities={"f": {"timeout": "5s", "compensate_with": "uf"}, "uf": {}},
        )
    )
    it.starts(1)
    assert it.fires("start_to_close", at=5)[-1] == "transition(a, b)"
    assert it.succeeds(1, at=6) == ["stimulus_ignored(late, logged)"]
    # Said twice, logged once.
    assert it.succeeds(1, at=6) == ["stimulus_ignored(late)"]
    assert it.event("undo", at=7)[1] == "compensation_started(1)"


def test_m9_1_an_entry_being_undone_is_skipped_by_others() -> None:
    it = Told(
        workflow(
            [
                {"name": "a", "activity": "f"},
                regions(
                    region("r1", ["x", "x2"], [{"from": "x", "to": "x2", "event": "e", "pre_actions": [compensate()]}]),
                    region("r2", ["y", "y2"], [{"from": "y", "to": "y2", "event": "e", "pre_actions": [compensate()]}]),
                ),
            ],
            [{"from": "a", "to": "p", "event": "done"}],
            activities={"f": {"compensate_with": "uf"}, "uf": {}},
        )
    )
    it.starts(1)
    it.succeeds(1)
    assert it.event("e") == [
        "transition_started",
        "compensation_started(1)",
        "activity_scheduled(uf, 1)",
        "transition(y, y2)",
    ]


def test_m3_5_an_aborted_compensation_leaves_its_entry_and_a_late_success_ends_it() -> None:
    def told() -> Told:
        it = Told(
            workflow(
                [
                    {"name": "a", "activity": "f"},
                    regions(region("r", ["x"], [{"from": "x", "event": "undo", "pre_actions": [compensate()]}])),
                    "q",
                ],
                [
                    {"from": "a", "to": "p", "event": "done"},
                    {"from": "p", "to": "q", "event": "stop"},
                    {"from": "q", "event": "undo", "pre_actions": [compensate()]},
                ],
                activities={"f": {"compensate_with": "uf"}, "uf": {}},
            )
        )
        it.starts(1)
        it.succeeds(1)
        it.event("undo")
        assert it.event("stop") == [
            "transition(p, q)",
            "transition_aborted(outer)",
            "activity_cancelled(uf)",
            "state_left(x, outer)",
        ]
        return it

    assert told().event("undo")[1] == "compensation_started(1)"
    late = told()
    assert late.succeeds(2) == ["stimulus_ignored(late)"]
    assert late.event("undo") == ["transition(q, –)"]


def calling(compensation: Any, child_input: dict[str, Any] | None = None, **transition: Any) -> Told:
    """A state that invokes a workflow, then one that undoes what the log holds."""
    invoke = {"workflow": "shipping", "compensate_with": compensation, "input": child_input or {}}
    return Told(
        workflow(
            [{"name": "ship", "invoke": invoke}, "b", terminal("z")],
            [
                {"from": "ship", "to": "b", "event": "done"},
                {"from": "ship", "to": "b", "event": "error"},
                {"from": "ship", "to": "b", "event": "stop"},
                {"from": "b", "to": "z", "event": "undo", "pre_actions": [compensate()]},
            ],
            activities={"recall": {"retry_policy": {"max_attempts": 2}}},
            variables={"id": {"type": "integer", "initial": 7}},
        )
    )


def child_closes(it: Told, status: str, outcome: str | None = None, result: Any = None) -> list[str]:
    return it.rows(it.instance.child_closed(0, 1, status, outcome, result))


def test_m9_1_a_completed_invoke_is_undone_with_its_inputs_and_its_result() -> None:
    it = calling("recall", {"order": "${context.id}"})
    number = it.one("child_started").activity_id
    assert number is not None
    assert child_closes(it, "completed", "success", {"parcel": "P"}) == ["transition(ship, b)"]
    assert it.event("undo") == [
        "transition_started",
        f"compensation_started({number})",
        "activity_scheduled(recall, 1)",
    ]
    scheduled = it.one("activity_scheduled")
    assert scheduled.payload == {"input": {"order": 7, "result": {"parcel": "P"}}, "compensates": number}
    # A compensator is an activity with its own number and retries.
    assert scheduled.activity_id not in (None, number)
    assert it.fails(scheduled.activity_id or 0, "Net") == ["retry_scheduled(2, 1 s)"]
    it.fires("retry", at=1)
    assert it.succeeds(scheduled.activity_id or 0, attempt=2) == [
        "compensation_finished()",
        "transition(b, z)",
        "instance_closed(completed, success)",
    ]


def test_m9_1_an_input_called_result_hides_the_result_of_the_child() -> None:
    it = calling("recall", {"result": "${context.id}"})
    child_closes(it, "completed", "success", {"parcel": "P"})
    it.event("undo")
    assert it.one("activity_scheduled").payload["input"] == {"result": 7}


@pytest.mark.parametrize(
    ("when", "ended", "logged"),
    [
        ("completed", ("completed", "failure"), False),
        ("completed", ("failed", None), False),
        ("completed", ("completed", "success"), True),
        ("attempted", ("completed", "success"), True),
        ("attempted", ("failed", None), True),
        ("attempted", None, True),
        ("completed", None, False),
    ],
)
def test_m9_1_an_invoke_enters_the_log_when_it_has_completed_or_started(
    when: str, ended: tuple[str, str | None] | None, logged: bool
) -> None:
    it = calling({"activity": "recall", "when": when})
    if ended is None:
        # Nobody waits for a child whose state has been left (M4.4): what it still does is not entered.
        it.event("stop")
        assert child_closes(it, "completed", "success", {"parcel": "P"}) == ["stimulus_ignored(late)"]
    else:
        child_closes(it, *ended)
    assert it.state == "b"
    scheduled = [row for row in it.event("undo") if row.startswith("activity_scheduled")]
    assert scheduled == ["activity_scheduled(recall, 1)"] * logged


def test_m9_1_children_and_activities_are_undone_in_the_order_of_their_ends() -> None:
    inner = [region("r1", [{"name": "x", "activity": "f"}], []), region("r2", [{"name": "y", "activity": "g"}], [])]
    call = {"name": "c", "invoke": {"workflow": "w", "compensate_with": "uh"}}
    it = Told(
        workflow([regions(*inner, region("r3", [call], []))], [], activities={**UNDO, "uf": {}, "ug": {}, "uh": {}})
    )
    (number,) = [record.activity_id for record in it.records if record.kind == "child_started"]
    (activation,) = [child.activation for child in it.instance.children()]
    it.starts(2)
    it.succeeds(2)
    it.rows(it.instance.child_closed(0, activation, "completed", "success", None))
    it.starts(1)
    it.succeeds(1)
    assert f"compensation_started(2, {number}, 1)" in it.control("cancel")
    for serial, following in ((4, "uh"), (5, "ug")):
        assert it.succeeds(serial) == [f"activity_scheduled({following}, 1)"]
    assert it.succeeds(6) == ["compensation_finished()", "instance_closed(cancelled)"]


def test_m9_3_what_settles_an_activity_changes_no_run() -> None:
    go = {"from": "a", "event": "go", "to": "b", "pre_actions": [activity("f")]}
    rest = [{"from": "b", "event": "undo", "to": "c", "pre_actions": [compensate()]}]
    seen = []
    for said in ({}, {"settled_by": ["g"]}):
        it = Told(workflow(["a", "b", terminal("c", "failure")], [go, *rest], activities={"f": said, "g": {}}))
        it.event("go")
        it.starts(1)
        it.succeeds(1)
        seen.append([*map(str, it.records), *it.event("undo")])
    # Nothing is in the log: compensate goes on without rows.
    assert seen[0] == seen[1]
    assert it.state == "c"
