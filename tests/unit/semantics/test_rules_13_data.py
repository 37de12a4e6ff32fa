"""M13: data that belongs to states, and variables that live for one step."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow
from wfsim.errors import DefinitionError
from wfsim.model.workflow import Workflow

FAILED = {"name": "failed", "data": {"reason": "string", "attempts": {"type": "integer", "initial": 0, "minimum": 0}}}
EVENTS = {"fail": {"payload": {"reason": "string"}}, "go": {}, "again": {}, "cancel": {}}


def definition(*more: dict[str, Any], failed: dict[str, Any] | None = None, **rest: Any) -> Workflow:
    """`open → failed on fail`, which sets the reason; then what a test adds."""
    enter = {
        "from": "open",
        "event": "fail",
        "to": "failed",
        "pre_actions": [set_variable("state.reason", "${event.reason}")],
    }
    rest.setdefault("variables", {"seen": {"type": "string", "optional": True}})
    return workflow(["open", failed or FAILED, terminal("t")], [enter, *more], events=EVENTS, **rest)


def told(*more: dict[str, Any], **rest: Any) -> Told:
    """An instance in `failed`, with the reason `no money`."""
    it = Told(definition(*more, **rest))
    it.event("fail", reason="no money")
    return it


def test_m13_1_a_field_of_a_state_is_a_variable_by_its_name() -> None:
    it = told({"from": "failed", "event": "go", "to": "t"})
    assert it.variables == {"seen": None, "failed.reason": "no money", "failed.attempts": 0}
    assert it.one("transition").payload["set"] == {"failed.reason": "no money"}


def test_m13_1_conditions_and_actions_read_the_state_that_is_left() -> None:
    it = told(
        {"from": "failed", "event": "go", "to": "open", "condition": "state.reason == 'other'"},
        {
            "from": "failed",
            "event": "go",
            "to": "t",
            "condition": "state.attempts == 0",
            "pre_actions": [set_variable("seen", "${state.reason}")],
        },
    )
    assert it.event("go")[0] == "transition(failed, t)"
    assert it.variables["seen"] == "no money"


def test_m13_1_timeouts_work_and_post_actions_read_the_state_that_is_entered() -> None:
    state = FAILED | {
        "timeout": "${state.wait}",
        "activity": {"name": "f", "parameters": {"why": "${state.reason}"}, "result_variable": "state.got"},
        "data": FAILED["data"] | {"wait": {"type": "integer", "initial": 7}, "got": {"type": "any"}},
    }
    it = Told(
        workflow(
            ["open", state, terminal("t")],
            [
                {
                    "from": "open",
                    "event": "fail",
                    "to": "failed",
                    "pre_actions": [set_variable("state.reason", "${event.reason}")],
                    "post_actions": [set_variable("seen", "${state.reason}"), set_variable("state.attempts", 2)],
                },
                {"from": "failed", "event": "done", "to": "t", "condition": "state.got == 5"},
                {"from": "failed", "event": "timeout", "to": "t"},
            ],
            events=EVENTS,
            activities={"f": {}},
            variables={"seen": {"type": "string", "optional": True}},
        )
    )
    it.event("fail", reason="late")
    assert it.due("timeout") == 7
    assert it.one("activity_scheduled").payload["input"] == {"why": "late"}
    assert (it.variables["seen"], it.variables["failed.attempts"]) == ("late", 2)
    assert it.succeeds(1, result=5)[:2] == ["variables_set(failed.got = 5)", "transition(failed, t)"]


def test_m13_1_an_internal_transition_is_about_its_own_state() -> None:
    count = {
        "from": "failed",
        "event": "again",
        "pre_actions": [set_variable("state.attempts", "${state.attempts + 1}")],
        "post_actions": [set_variable("seen", "${text(state.attempts)}")],
    }
    it = told(count, {"from": "failed", "event": "go", "to": "t"})
    it.event("again")
    it.event("again")
    assert (it.variables["failed.attempts"], it.variables["seen"]) == (2, "2")


def test_m13_1_inside_a_state_the_nearest_one_around_is_meant() -> None:
    inner = region(
        "r",
        ["a", {"name": "b", "data": {"attempts": {"type": "integer", "initial": 40}}}, terminal("z")],
        [
            {
                "from": "a",
                "event": "again",
                "to": "b",
                "condition": "state.reason == 'no money' and state.attempts == 0",
                "pre_actions": [set_variable("state.reason", "${'very ' + state.reason}")],
                "post_actions": [set_variable("seen", "${state.reason + text(state.attempts)}")],
            },
            {"from": "b", "event": "go", "to": "z"},
        ],
    )
    it = told({"from": "failed", "event": "cancel", "to": "t"}, failed=FAILED | regions(inner, name="failed"))
    it.event("again")
    assert it.variables == {
        "seen": "very no money40",
        "failed.reason": "very no money",
        "failed.attempts": 0,
        "failed/r/b.attempts": 40,
    }


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"from": "open", "event": "go", "to": "t", "condition": "state.reason == 'x'"}, "It belongs to 'failed'"),
        ({"from": "failed", "event": "go", "to": "t", "condition": "state.reson == 'x'"}, "Did you mean 'reason'?"),
        (
            {"from": "failed", "event": "go", "to": "t", "post_actions": [set_variable("seen", "${state.reason}")]},
            "ends with that: keep what others need in a variable",
        ),
        (
            {"from": "failed", "event": "go", "to": "t", "pre_actions": [set_variable("state.reason", "x")]},
            "writes 'state.reason', but neither the state that is active then nor one around it has such a field",
        ),
        (
            {
                "from": "failed",
                "event": "go",
                "to": "t",
                "pre_actions": [set_variable("seen", "${state.attempts}")],
            },
            "the variable is a string, and this is an integer",
        ),
        ({"from": "failed", "event": "go", "to": "t", "condition": "context.reason == 'x'"}, "is not a variable"),
    ],
)
def test_m13_1_what_a_place_cannot_read_or_write_is_refused_with_advice(more: dict[str, Any], wrong: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(wrong)):
        definition(more)


def test_m13_1_the_key_is_computed_where_no_state_is() -> None:
    with pytest.raises(DefinitionError, match=r"the correlation key reads state\.reason, which no state"):
        definition({"from": "failed", "event": "go", "to": "t"}, correlation={"key": "state.reason"})


@pytest.mark.parametrize("key", ["input", "output", "transient"])
def test_m13_1_what_belongs_to_a_state_is_neither_given_nor_part_of_the_result(key: str) -> None:
    with pytest.raises(DefinitionError, match=f"what belongs to a state has no {key}"):
        definition(failed={"name": "failed", "data": {"reason": {"type": "string", key: True}}})


def test_m13_2_a_transition_that_enters_sets_what_has_no_initial_value() -> None:
    with pytest.raises(DefinitionError, match=r"enters 'failed' without setting its field 'reason' \(M13.2\)"):
        definition({"from": "open", "event": "go", "to": "failed"})


def test_m13_2_so_does_one_that_enters_its_own_state_anew() -> None:
    with pytest.raises(DefinitionError, match="enters 'failed' without setting its field 'reason'"):
        definition({"from": "failed", "event": "again", "to": "failed"})


def test_m13_2_a_region_begins_with_what_entry_actions_set() -> None:
    first = {"name": "a", "data": {"since": "timestamp"}}
    with pytest.raises(DefinitionError, match="begins in 'a', where nothing sets its field 'since'"):
        workflow([first, terminal("t")], [{"from": "a", "event": "go", "to": "t"}])
    entry = first | {"entry_actions": [set_variable("state.since", "${now}")]}
    it = Told(workflow([entry, terminal("t")], [{"from": "a", "event": "go", "to": "t"}]), start=3)
    assert it.variables == {"a.since": 3_000_000}


def test_m13_2_optional_fields_are_null_until_they_are_set() -> None:
    failed = {"name": "failed", "data": {"reason": "string", "who": {"type": "string", "optional": True}}}
    assert told(failed=failed).variables["failed.who"] is None


def test_m13_3_what_belongs_to_a_state_is_gone_when_it_is_left() -> None:
    back = {"from": "failed", "event": "go", "to": "open"}
    count = {"from": "failed", "event": "again", "pre_actions": [set_variable("state.attempts", 3)]}
    it = told(back, count)
    it.event("again")
    assert it.variables["failed.attempts"] == 3
    assert it.event("go") == ["transition(failed, open)"]
    assert it.variables == {"seen": None, "failed.reason": None, "failed.attempts": 0}
    it.event("fail", reason="again")
    assert it.variables == {"seen": None, "failed.reason": "again", "failed.attempts": 0}


def test_m13_3_exit_actions_still_read_it() -> None:
    failed = FAILED | {"exit_actions": [set_variable("seen", "${state.reason}")]}
    it = told({"from": "failed", "event": "go", "to": "open"}, failed=failed)
    it.event("go")
    assert (it.variables["seen"], it.variables["failed.reason"]) == ("no money", None)


def test_m13_3_a_state_that_is_entered_anew_has_what_was_set_for_the_new_stay() -> None:
    anew = {
        "from": "failed",
        "event": "again",
        "to": "failed",
        "pre_actions": [set_variable("state.reason", "${'again ' + state.reason}")],
    }
    count = {"from": "failed", "event": "go", "pre_actions": [set_variable("state.attempts", 3)]}
    it = told(anew, count)
    it.event("go")
    it.event("again")
    assert it.variables == {"seen": None, "failed.reason": "again no money", "failed.attempts": 0}


@pytest.mark.parametrize("ending", ["outer", "join", "cancel", "terminate"])
def test_m13_3_whatever_ends_a_state_ends_its_data(ending: str) -> None:
    owner = {"name": "b", "data": {"n": {"type": "integer", "initial": 1}}}
    first = region(
        "r1",
        ["a", owner],
        [
            {"from": "a", "event": "go", "to": "b", "pre_actions": [set_variable("state.n", 5)]},
        ],
    )
    second = region("r2", ["c", terminal("z")], [{"from": "c", "event": "again", "to": "z"}])
    it = Told(
        workflow(
            [regions(first, second, join="any"), "q"],
            [{"from": "p", "event": "cancel", "to": "q"}],
            events=EVENTS,
        )
    )
    it.event("go")
    assert it.variables == {"p/r1/b.n": 5}
    if ending == "outer":
        it.event("cancel")
    elif ending == "join":
        it.event("again")
    else:
        it.control(ending)
    assert it.variables == {"p/r1/b.n": 1}


def test_m13_3_a_timeout_leaves_as_an_event_does() -> None:
    it = told({"from": "failed", "event": "timeout", "to": "open"}, failed=FAILED | {"timeout": "5s"})
    it.fires("timeout", 5)
    assert it.variables["failed.reason"] is None


def test_m13_3_a_failed_instance_keeps_it_and_a_retry_goes_on_with_it() -> None:
    it = told(failed=FAILED | {"activity": {"name": "f"}}, activities={"f": {}})
    it.fails(1, "Boom")
    assert it.instance.status == "failed"
    assert it.variables["failed.reason"] == "no money"
    it.control("retry")
    assert (it.state, it.variables["failed.reason"]) == ("failed", "no money")


def test_m13_3_a_terminal_state_keeps_it() -> None:
    gone = {"name": "failed", "is_terminal": True, "data": {"reason": "string"}}
    it = told(failed=gone)
    assert it.instance.status == "completed"
    assert it.variables["failed.reason"] == "no money"


TRANSIENT = {"mark": {"type": "string", "transient": True, "optional": True}, "n": {"type": "integer", "initial": 0}}


def test_m13_4_a_transient_variable_lives_for_one_step() -> None:
    definition = workflow(
        ["a", "b", terminal("t")],
        [
            {"from": "a", "event": "go", "to": "b", "pre_actions": [set_variable("mark", "here")]},
            {"from": "b", "to": "t", "condition": "context.mark == 'here' and context.n > 0"},
            {
                "from": "b",
                "event": "again",
                "pre_actions": [set_variable("n", "${1 if context.mark == null else 2}")],
                "post_actions": [set_variable("mark", "there")],
            },
        ],
        variables=TRANSIENT,
        events=EVENTS,
    )
    it = Told(definition)
    assert it.event("go") == ["transition(a, b)"]
    assert "set" not in it.one("transition").payload
    assert it.variables == {"mark": None, "n": 0}
    assert it.event("again") == ["transition(b, –)"]
    assert it.variables == {"mark": None, "n": 1}


def test_m13_4_what_a_waiting_flight_has_set_is_gone_too() -> None:
    definition = workflow(
        ["a", terminal("t")],
        [
            {
                "from": "a",
                "event": "go",
                "to": "t",
                "pre_actions": [
                    set_variable("mark", "here"),
                    activity("f"),
                    set_variable("n", "${1 if context.mark == null else 2}"),
                ],
            },
        ],
        variables=TRANSIENT,
        events=EVENTS,
        activities={"f": {}},
    )
    it = Told(definition)
    it.event("go")
    it.succeeds(1)
    assert it.variables == {"mark": None, "n": 1}


@pytest.mark.parametrize("key", ["input", "output"])
def test_m13_4_a_transient_variable_is_neither_given_nor_part_of_the_result(key: str) -> None:
    with pytest.raises(DefinitionError, match=f"a transient variable lives for one step .*cannot be {key}"):
        workflow(["a"], [], variables={"mark": {"type": "string", "transient": True, key: True}})
