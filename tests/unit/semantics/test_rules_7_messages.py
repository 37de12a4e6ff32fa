"""M7.2, M7.3: messages as their sender and its own queue see them; keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.semantics.told import SECOND, Told, activity, set_variable, terminal, workflow
from wfsim.errors import StartRefused
from wfsim.model.elements import Correlation


def send(event: str, to: Any, **more: Any) -> dict[str, Any]:
    return {"action_type": "send", "event": event, "to": to, **more}


def sender(*actions: dict[str, Any], **more: Any) -> Told:
    return Told(
        workflow(
            ["a", "b", terminal("z")],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": list(actions)},
                {"from": "b", "to": "z", "event": "next", "condition": "event.n == 1"},
                {"from": "b", "event": "error", "to": "z"},
                {"from": "a", "event": "error"},
            ],
            variables={"n": {"type": "integer", "initial": 1}, "who": {"type": "any", "input": True, "optional": True}},
            events={"go": {}, "next": {"payload": {"n": "integer", "x": {"type": "string", "optional": True}}}},
            **more,
        ),
        who="other-7",
    )


def test_m7_2_a_message_is_recorded_and_handed_to_the_surroundings() -> None:
    it = sender(send("paid", "${context.who}", payload={"amount": "${context.n + 1}", "note": None}))
    assert it.event("go") == ["message_sent", "transition(a, b)"]
    record = it.one("message_sent")
    assert (record.event, record.state, record.region) == ("paid", "a", "")
    assert record.payload == {"to": "other-7", "message_id": 1, "payload": {"amount": 2, "note": None}}
    (effect,) = [each for each in it.effects if each.kind == "send_message"]
    assert (effect.message_id, effect.to, effect.key, effect.event) == (1, "other-7", None, "paid")
    assert effect.payload == {"amount": 2, "note": None}
    assert effect.input == {}


def test_m7_2_a_workflow_and_a_key_name_an_instance() -> None:
    it = sender(send("paid", {"workflow": "shipping", "key": "${context.n + 6}"}), send("paid", "parent"))
    it.event("go")
    first, second = [each for each in it.effects if each.kind == "send_message"]
    assert (first.message_id, first.to, first.key) == (1, "shipping", 7)
    assert (second.message_id, second.to, second.key) == (2, "parent", None)
    assert [r.payload.get("key") for r in it.records if r.kind == "message_sent"] == [7, None]


def test_m7_2_a_message_to_oneself_stands_at_the_end_of_the_own_queue() -> None:
    it = sender(send("next", "self", payload={"n": 1, "x": "said"}))
    assert it.event("go") == [
        "message_sent",
        "transition(a, b)",
        "transition(b, z)",
        "instance_closed(completed, success)",
    ]
    assert "send_message" not in it.effect_kinds()
    causes = {record.cause_seq for record in it.records}
    assert causes == {it.records[0].seq}


def test_m7_2_what_waits_already_comes_before_a_message_to_oneself() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {
                    "from": "a", "to": "b", "event": "go",
                    "pre_actions": [activity("f"), send("e", "self", payload={"n": 1})],
                },
                {"from": "b", "event": "e", "pre_actions": [set_variable("n", "${context.n * 10 + event.n}")]},
            ],
            variables={"n": {"type": "integer", "initial": 0}},
            events={"go": {}, "e": {"payload": {"n": "integer"}}},
        )
    )  # fmt: skip
    it.event("go")
    it.event("e", n=2)
    it.succeeds(1)
    assert it.variables["n"] == 21


@pytest.mark.parametrize(
    ("payload", "reason"),
    [({"n": "${context.who}"}, "payload"), ({"n": "${context.missing}"}, "payload")],
)
def test_m7_1_a_message_to_oneself_passes_the_door_like_any_event(payload: dict[str, Any], reason: str) -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "go", "pre_actions": [send("e", "self", payload=payload)]},
             {"from": "b", "event": "e"}],
            variables={"who": {"initial": "x"}, "missing": {}},
            events={"go": {}, "e": {"payload": {"n": "integer"}}},
        )
    )  # fmt: skip
    assert it.event("go") == ["message_sent", f"event_rejected(e, {reason})", "transition(a, b)"]


def test_m7_1_an_integer_sent_where_a_number_is_declared_is_one() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "event": "go", "pre_actions": [send("e", "self", payload={"n": 3})]},
             {"from": "a", "to": "b", "event": "e", "condition": "event.n == 3.0"}],
            events={"go": {}, "e": {"payload": {"n": "number"}}},
        )
    )  # fmt: skip
    assert it.event("go")[-1] == "transition(a, b)"


def test_m7_1_an_undeclared_event_to_an_instance_that_turns_out_to_be_oneself_is_rejected() -> None:
    it = Told(
        workflow(
            ["a"],
            [{"from": "a", "event": "go", "pre_actions": [send("none", "${context.who}")]}],
            variables={"who": {"initial": "self"}},
            events={"go": {}},
        )
    )
    assert it.event("go") == ["message_sent", "event_rejected(none, undeclared)", "transition(a, –)"]


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("${context.nothing}", "Expression.null"),
        ("${context.n}", "Expression.type"),
        ({"workflow": "shipping", "key": "${context.nothing}"}, "Expression.null"),
        ({"workflow": "shipping", "key": "${1 // (context.n - 1)}"}, "Expression.division"),
        ({"workflow": "${context.nothing}", "key": 1}, "Expression.null"),
    ],
)
def test_m3_4_a_receiver_that_cannot_be_told_is_a_failed_action(to: Any, error: str) -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [send("paid", to)]},
                {"from": "a", "event": "error.send", "to": "b"},
            ],
            variables={"n": {"type": "integer", "initial": 1}, "nothing": {}},
            events={"go": {}},
        )
    )
    rows = it.event("go")
    assert rows == ["transition_aborted(error)", f"error_raised(send, {error})", "transition(a, b)"]
    assert it.effects == [] or "send_message" not in it.effect_kinds()


def test_m3_3_a_payload_sees_the_flights_own_writes_and_the_event() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "go", "pre_actions": [
                set_variable("n", 5), send("paid", "x", payload={"n": "${context.n}", "k": "${event.k}"})]}],
            variables={"n": {"type": "integer", "initial": 1}},
            events={"go": {"payload": {"k": "integer"}}},
        )
    )  # fmt: skip
    it.event("go", k=8)
    assert it.one("message_sent").payload["payload"] == {"n": 5, "k": 8}


def test_m3_5_what_was_sent_before_an_abort_stays_sent() -> None:
    it = sender(send("paid", "x"), set_variable("n", "${1 // 0}"))
    assert it.event("go")[:2] == ["message_sent", "transition_aborted(error)"]
    assert "send_message" in it.effect_kinds()


def test_m7_3_a_returned_message_is_recorded_at_its_sender() -> None:
    it = sender(send("paid", "nobody"))
    it.event("go")
    rows = it.rows(it.instance.message_returned(SECOND, 1, "unknown"))
    assert rows == []
    (record,) = it.records
    assert record.kind == "message_returned"
    assert record.payload == {"message_id": 1, "reason": "unknown"}
    assert it.state == "b"


def test_m7_3_a_closed_sender_records_it_too() -> None:
    it = sender(send("paid", "nobody"))
    it.event("go")
    it.control("terminate")
    assert it.rows(it.instance.message_returned(SECOND, 1, "unknown")) == ["stimulus_ignored(late)"]


def test_m2_6_an_instance_that_tells_itself_for_ever_is_stopped() -> None:
    it = Told(
        workflow(
            ["a"],
            [{"from": "a", "event": "e", "pre_actions": [send("e", "self")]}],
            events={"e": {}},
            max_automatic=7,
        )
    )
    rows = it.event("e")
    # The first was answered to the event, then eight to its own: one more than may be.
    assert rows.count("message_sent") == 9
    assert rows[-1] == "instance_closed(failed)"
    assert it.one("instance_closed").payload["reason"] == "automatic_chain"


def keyed(key: str, **inputs: Any) -> Told:
    return Told(
        workflow(
            ["a"],
            [],
            variables={
                "order": {"type": "any", "input": True, "optional": True},
                "n": {"type": "integer", "initial": 4},
            },
            correlation=Correlation(key=key),
        ),
        **inputs,
    )


@pytest.mark.parametrize(
    ("key", "inputs", "found"),
    [("context.order", {"order": "o-1"}, "o-1"), ("context.n * 2", {}, 8), ("context.order", {"order": 0}, 0)],
)
def test_m7_2_the_key_is_computed_at_start_and_fixed(key: str, inputs: dict[str, Any], found: Any) -> None:
    it = keyed(key, **inputs)
    assert it.instance.correlation_key == found
    assert it.one("started").payload["key"] == found
    it.instance.v[0].tag = 0
    assert it.instance.correlation_key == found
    assert it.instance.copy().correlation_key == found


@pytest.mark.parametrize(
    ("key", "inputs", "text"),
    [
        ("context.order", {}, r"the key of example, context\.order, is None: nobody could find"),
        ("context.order", {"order": ["a"]}, r"is \['a'\]: nobody could find"),
        ("1 // (context.n - 4)", {}, r"cannot be computed"),
    ],
)
def test_m7_2_an_instance_whose_key_is_none_is_not_started(key: str, inputs: dict[str, Any], text: str) -> None:
    with pytest.raises(StartRefused, match=text):
        keyed(key, **inputs)
