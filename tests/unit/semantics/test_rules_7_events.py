"""M7: events at the door, events nobody takes, and starts that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, set_variable, terminal, workflow
from wfsim.errors import StartRefused
from wfsim.model import values


def door() -> Told:
    return Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "e", "condition": "event.n > 0"}],
            events={"e": {"payload": {"n": "integer", "who": {"type": "string", "optional": True}}}},
            unhandled="defer",
        )
    )


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("nobody", {}, "undeclared"),
        ("e", {}, "payload"),
        ("e", {"n": None}, "payload"),
        ("e", {"n": "1"}, "payload"),
        ("e", {"n": 1.0}, "payload"),
        ("e", {"n": True}, "payload"),
        ("e", {"n": 2**63}, "payload"),
        ("e", {"n": 1, "who": 7}, "payload"),
        ("e", {"n": 1, "other": 1}, "payload"),
    ],
)
def test_m7_1_an_undeclared_name_or_an_ill_typed_payload_is_rejected_at_the_door(
    name: str, payload: dict[str, Any], reason: str
) -> None:
    it = door()
    rows = it.event(name, event_id="1", **payload)
    assert len(rows) == 1
    assert it.one("event_rejected").payload["reason"] == reason
    assert it.replies() == [("1", reason)]
    assert it.state == "a"


def test_m7_1_what_fits_the_declaration_comes_in() -> None:
    assert door().event("e", n=1, who=None) == ["transition(a, b)"]
    assert door().event("e", n=2**63 - 1, who="x") == ["transition(a, b)"]


def test_m7_1_the_door_rejects_at_once_even_while_the_region_is_busy() -> None:
    it = Told(workflow(["a"], [{"from": "a", "event": "e", "pre_actions": [activity("f")]}], events={"e": {}}))
    it.event("e")
    assert it.event("nobody") == ["event_rejected(undeclared)"]


def test_m7_1_an_id_seen_before_is_ignored() -> None:
    it = Told(workflow(["a", "b"], [{"from": "a", "event": "e"}]))
    assert it.event("e", event_id="1") == ["transition(a, –)"]
    assert it.replies() == [("1", None)]
    assert it.event("e", event_id="1") == ["stimulus_ignored(duplicate, taken)"]
    assert (it.replies(), it.fates()) == ([("1", "duplicate")], [("1", "taken")])
    assert it.event("e", event_id="2") == ["transition(a, –)"]
    assert it.event("e") == ["transition(a, –)"]


@pytest.mark.parametrize(("name", "payload"), [("nobody", {}), ("e", {}), ("e", {"n": "1"})])
def test_m7_1_what_is_refused_at_the_door_leaves_its_id_free(name: str, payload: dict[str, Any]) -> None:
    it = door()
    for _ in range(2):
        assert it.event(name, event_id="1", **payload)[0].startswith("event_rejected")
    assert it.event("e", event_id="1", n=1) == ["transition(a, b)"]
    assert it.event(name, event_id="1", **payload) == ["stimulus_ignored(duplicate, taken)"]


def test_m7_1_a_duplicate_is_told_what_has_become_of_the_first_by_now() -> None:
    it = Told(
        workflow(
            ["a", "b", terminal("t")],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]},
                {"from": "b", "event": "late"},
                {"from": "b", "event": "held"},
                {"from": "b", "event": "stop", "to": "t"},
            ],
            events={"drop": {"unhandled": "discard"}, "no": {"unhandled": "reject"}},
            unhandled="defer",
        )
    )

    def told() -> list[str]:
        found = []
        for number, event in enumerate(("late", "go", "held", "drop", "no")):
            (row,) = it.event(event, event_id=str(number))
            assert it.one("stimulus_ignored").payload["fate"] == it.fates()[0][1]
            found.append(row.removeprefix("stimulus_ignored(duplicate, ").removesuffix(")"))
        return found

    for number, event in ((0, "late"), (3, "drop"), (4, "no"), (1, "go"), (2, "held")):
        it.event(event, event_id=str(number))
    assert told() == ["deferred", "taken", "waiting", "discarded", "rejected"]
    it.succeeds(1)
    assert told() == ["taken", "taken", "taken", "discarded", "rejected"]
    it.event("stop")
    assert told() == ["taken", "taken", "taken", "discarded", "rejected"]


def test_m7_1_an_id_that_came_too_late_is_seen_as_rejected_after_a_retry() -> None:
    leaves = [{"from": "a", "event": "e"}, {"from": "a", "event": "x", "condition": "context.n > 0"}]
    it = Told(workflow(["a"], leaves, variables={"n": {"type": "integer"}}))
    it.event("x")
    assert it.instance.status == "failed"
    assert it.event("e", event_id="1") == ["stimulus_ignored(closed)"]
    it.control("retry", command_id="1")
    assert it.event("e", event_id="1") == ["stimulus_ignored(duplicate, rejected)"]


def nobody_takes(workflow_policy: str | None, event_policy: str | None) -> Told:
    rest: dict[str, Any] = {} if workflow_policy is None else {"unhandled": workflow_policy}
    event = {} if event_policy is None else {"unhandled": event_policy}
    return Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "to": "c", "event": "e"},
                {"from": "a", "to": "c", "event": "if", "condition": "false"},
            ],
            events={"e": event, "if": event, "go": {}},
            **rest,
        )
    )


@pytest.mark.parametrize(
    ("of_workflow", "of_event", "row"),
    [
        (None, None, "event_rejected"),
        ("discard", None, "event_discarded"),
        ("defer", None, "event_deferred"),
        ("defer", "reject", "event_rejected"),
        ("reject", "defer", "event_deferred"),
        ("reject", "discard", "event_discarded"),
    ],
)
def test_m7_1_nobody_takes_it_the_policy_of_the_event_else_of_the_workflow(
    of_workflow: str | None, of_event: str | None, row: str
) -> None:
    it = nobody_takes(of_workflow, of_event)
    it.event("e", event_id="1")
    assert it.one(row).payload["reason"] == "no_transition"
    assert (it.replies(), it.fates()) == ([("1", "no_transition")], [("1", row.removeprefix("event_"))])
    it.event("if", event_id="2")
    assert it.one(row).payload["reason"] == "condition"
    assert (it.replies(), it.fates()) == ([("2", "condition")], [("2", row.removeprefix("event_"))])
    it.event("go")
    assert it.state == ("c" if row == "event_deferred" else "b")


def test_m7_1_beyond_max_deferred_events_are_rejected() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [{"from": "a", "to": "b", "event": "go"}, {"from": "b", "event": "e"}],
            unhandled="defer",
            max_deferred=2,
        )
    )
    assert it.event("e") == ["event_deferred"]
    assert it.event("e") == ["event_deferred"]
    assert it.event("e", event_id="3") == ["event_rejected(e, max_deferred)"]
    assert it.replies() == [("3", "max_deferred")]
    assert it.event("go").count("event_recalled(e)") == 2


def test_m7_1_at_closing_what_still_waits_is_rejected() -> None:
    it = Told(
        workflow(
            ["a", terminal("t")],
            [
                {"from": "a", "to": "t", "event": "go", "pre_actions": [activity("f")]},
                {"from": "t", "to": "a", "event": "never"},
                {"from": "a", "event": "held"},
            ],
            unhandled="defer",
        )
    )
    assert it.event("never", event_id="1") == ["event_deferred"]
    it.event("go")
    assert it.event("held", event_id="2") == []
    assert it.succeeds(1) == [
        "transition(a, t)",
        "event_rejected(never, closed)",
        "event_rejected(held, closed)",
        "instance_closed(completed, success)",
    ]
    assert it.replies() == [("1", "closed"), ("2", "closed")]
    assert it.instance.waiting() == []
    assert it.event("held", event_id="2") == ["stimulus_ignored(duplicate, rejected)"]


def test_m7_1_a_closed_instance_takes_nothing() -> None:
    it = Told(workflow(["a"], [{"from": "a", "event": "e"}]))
    it.control("terminate")
    assert it.event("e", event_id="1") == ["stimulus_ignored(closed)"]
    assert it.replies() == [("1", "closed")]


INPUTS = {
    "name": {"type": "string", "input": True},
    "n": {"type": "integer", "input": True, "minimum": 1, "optional": True},
    "own": {"type": "integer", "initial": 0},
}


@pytest.mark.parametrize("inputs", [{}, {"name": 5}, {"name": "x", "n": 0}, {"name": "x", "own": 1}, {"nam": "x"}])
def test_m7_2_with_bad_input_the_start_is_refused(inputs: dict[str, Any]) -> None:
    with pytest.raises(StartRefused):
        Told(workflow(["a"], [], variables=INPUTS), **inputs)


def test_m7_2_good_input_is_in_the_variables_and_in_the_first_record() -> None:
    it = Told(
        workflow(
            ["a"],
            [{"from": "a", "event": "e", "pre_actions": [set_variable("own", 1)]}],
            variables=INPUTS,
        ),
        name="x",
        n=3,
    )
    assert it.variables == {"name": "x", "n": 3, "own": 0}
    assert it.records[0].payload["input"] == {"name": "x", "n": 3}


def test_each_value_of_an_event_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    real = values._check_json

    def check(value: Any) -> str | None:
        looked.append(value)
        return real(value)

    monkeypatch.setattr(values, "_check_json", check)
    payload = {"n": "number", "items": {"type": "list", "optional": True}}
    it = Told(
        workflow(["a", terminal("t")], [{"from": "a", "to": "t", "event": "e"}], events={"e": {"payload": payload}})
    )
    looked.clear()
    it.event("e", n=3, items=[1, 2])
    assert it.state == "t"
    assert looked == [3, [1, 2]]
