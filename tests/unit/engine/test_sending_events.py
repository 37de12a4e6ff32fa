"""`send`: what becomes of an event, and what its sender is told (M7.1)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from wfsim.engine.run import start
from wfsim.errors import EventRejected, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock


def workflow(**changes: Any) -> Workflow:
    return Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "variables": {"n": {"type": "integer", "initial": 0}, "last": {"optional": True}},
            "events": {
                "add": {"payload": {"by": "integer"}},
                "note": {},
                "go": {},
                "later": {"unhandled": "defer"},
                "never_mind": {"unhandled": "discard"},
            },
            "states": [{"name": "a"}, {"name": "b"}, {"name": "c", "is_terminal": True}],
            "transitions": [
                {
                    "from": "a",
                    "event": "add",
                    "condition": "context.n < 1000 and event.by > 0",
                    "pre_actions": [
                        {
                            "action_type": "set_variable",
                            "parameters": {"name": "n", "value": "${context.n + event.by}"},
                        }
                    ],
                },
                {
                    "from": "a",
                    "event": "note",
                    "pre_actions": [
                        {"action_type": "set_variable", "parameters": {"name": "last", "value": "${event.what}"}}
                    ],
                },
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "to": "c", "event": "later"},
                {"from": "b", "to": "c", "event": "never_mind"},
            ],
            **changes,
        }
    )


def test_the_sender_is_told_what_became_of_an_event() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        assert run.send("add", by=2) == "accepted"
        assert run.send("never_mind") == "discarded"
        assert run.send("later", event_id="l") == "deferred"
        assert run.waiting == ["later"]
        assert run.send("go") == "accepted"
        # The deferred event was recalled by the same step.
        assert (run.state, run.variables["n"], run.waiting) == ("c", 2, [])


@pytest.mark.parametrize(
    ("event", "payload", "reason", "says"),
    [
        ("ad", {"by": 1}, "undeclared", r"event 'ad' is not declared.*Did you mean 'add'"),
        ("add", {}, "payload", r"lacks the field 'by' \(integer\)"),
        ("add", {"by": "1"}, "payload", "a string"),
        ("add", {"by": 1, "of": 2}, "payload", r"no field 'of'. Fields: by"),
        ("note", {"what": object()}, "payload", "not JSON"),
        ("add", {"by": -1}, "condition", r"`event.by > 0` does not hold \(event.by = -1\)"),
        ("timeout", {}, "undeclared", "not declared"),
    ],
)
def test_a_rejected_event_says_why(event: str, payload: dict[str, Any], reason: str, says: str) -> None:
    with start(workflow(), clock=ManualClock()) as run:
        version = run.version
        with pytest.raises(EventRejected, match=says) as caught:
            run.send(event, payload)
        assert (caught.value.event, caught.value.reason) == (event, reason)
        assert f"'w-1' rejected {event!r}" in str(caught.value)
        # Nothing is lost silently: the rejection is recorded.
        assert [record.kind for record in run.records[version:]] == ["event_received", "event_rejected"]


def test_an_event_out_of_place_names_the_states_that_take_it() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        run.send("go")
        with pytest.raises(EventRejected, match=r"No transition leaves 'b' on 'add'; it is taken in 'a'") as caught:
            run.send("add", by=1)
        assert caught.value.reason == "no_transition"
        run.send("later")
        with pytest.raises(EventRejected, match="completed with success in 'c'") as caught:
            run.send("add", by=1)
        assert caught.value.reason == "closed"


def test_too_many_deferred_events_are_rejected() -> None:
    with start(workflow(max_deferred=1), clock=ManualClock()) as run:
        assert run.send("later") == "deferred"
        with pytest.raises(EventRejected, match="1 events are deferred already") as caught:
            run.send("later")
        assert caught.value.reason == "max_deferred"


def test_the_same_id_counts_once() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        assert run.send("add", by=1, event_id="e1") == "accepted"
        assert run.send("add", by=1, event_id="e1") == "duplicate"
        assert run.variables["n"] == 1
        with pytest.raises(WfsimError, match="an event id is a text"):
            run.send("add", by=1, event_id="")


def test_what_is_refused_for_its_payload_can_be_sent_again_under_the_same_id() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        for _ in range(2):
            with pytest.raises(EventRejected, match="lacks the field 'by'") as caught:
                run.send("add", event_id="e1")
            assert caught.value.reason == "payload"
        assert run.send("add", by=1, event_id="e1") == "accepted"
        assert run.variables["n"] == 1


def test_a_duplicate_is_told_the_fate_of_the_first_and_a_refusal_never_reads_as_success() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        first = [run.send("add", by=1, event_id="1"), run.send("later", event_id="2")]
        first.append(run.send("never_mind", event_id="3"))
        again = [run.send("add", by=1, event_id=str(number)) for number in (1, 2, 3)]
        assert again == ["duplicate"] * 3
        assert [each.fate for each in again] == [each.fate for each in first] == ["taken", "deferred", "discarded"]
        for event, reason in (("add", "condition"), ("note", "duplicate")):
            with pytest.raises(EventRejected) as caught:
                run.send(event, event_id="4", **({"by": -1} if event == "add" else {"what": 1}))
            assert caught.value.reason == reason
        assert "an event with the id '4' came before and was rejected" in str(caught.value)
        run.send("go")
        assert run.send("later", event_id="2").fate == "taken"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def looped() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"what": nested(900)}, {"what": "a list of 1"}),
        ({"what": nested(1_000)}, {"what": "a list of 1"}),
        ({"what": nested(100_000)}, {"what": "a list of 1"}),
        ({"what": looped()}, {"what": "a list of 1"}),
        ({"what": 10**5_000}, {"what": "an integer beyond 64 bits"}),
        ({"what": "x\ud800"}, {"what": r"'x\ud800'"}),
        ({"what": "x" * 1_000_001}, {"what": f"'{'x' * 199}…'"}),
        ({"what": object()}, {"what": "a value of type object"}),
        ({"what\ud800": 1}, {r"'what\ud800'": 1}),
        ({"what": float("nan")}, {"what": "nan"}),
    ],
    ids=range(10),
)
def test_no_payload_stops_a_run(payload: dict[str, Any], kept: dict[str, Any]) -> None:
    with start(workflow(), clock=ManualClock()) as run:
        for event, reason in (("note", "payload"), ("nobody", "undeclared"), ("nobody\ud800", "undeclared")):
            with pytest.raises(EventRejected) as caught:
                run.send(event, payload)
            assert caught.value.reason == reason
            received = run.records[-2]
            assert received.payload["payload"]["payload"] == kept
        assert run.send("add", by=1) == "accepted"


@pytest.mark.parametrize("event", [nested(1_000), 10**5_000], ids=["nested", "long"])
def test_what_is_no_name_of_an_event_is_refused(event: Any) -> None:
    with start(workflow(), clock=ManualClock()) as run:
        with pytest.raises(WfsimError, match=r"sent by its name, a text, not (a list of 1|an integer beyond 64 bits)"):
            run.send(event)
        with pytest.raises(WfsimError, match="an event id is a text of"):
            run.send("add", by=1, event_id=event)
        with pytest.raises(WfsimError, match="a payload is a mapping"):
            run.send("add", event)
        assert run.send("add", by=1) == "accepted"


def test_payload_fields_may_have_any_name() -> None:
    with start(workflow(), clock=ManualClock()) as run:
        assert run.send("note", {"what": {"event_id": 1}}) == "accepted"
        assert run.send("note", event="e", payload="p", what=[1, (2,)]) == "accepted"
        assert run.variables["last"] == [1, [2]]
        with pytest.raises(WfsimError, match=r"a payload is a mapping.*event_id="):
            run.send("note", "id-1")  # type: ignore[arg-type]
        with pytest.raises(WfsimError, match="have texts as names, not 1"):
            run.send("note", {1: 2})  # type: ignore[dict-item]
        with pytest.raises(WfsimError, match="sent by its name"):
            run.send(3)  # type: ignore[arg-type]


def test_a_payload_is_copied_when_it_is_sent() -> None:
    mine = [1, {"a": [2]}]
    with start(workflow(), clock=ManualClock()) as run:
        run.send("note", what=mine)
        mine.append(3)
        mine[1]["a"].append(4)  # type: ignore[index]
        assert run.variables["last"] == [1, {"a": [2]}]
        assert run.history.case("w-1").replay().variables["last"] == [1, {"a": [2]}]


def test_events_from_many_threads_are_all_applied_once() -> None:
    told: list[str] = []
    with start(workflow(), clock=ManualClock()) as run:

        def sender(number: int) -> None:
            for k in range(10):
                # Each id is sent by two threads.
                told.append(run.send("add", by=1, event_id=f"{number // 2}-{k}"))

        threads = [threading.Thread(target=sender, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told) == ["accepted"] * 30 + ["duplicate"] * 30
        assert run.variables["n"] == 30
        case = run.history.case("w-1")
        assert case.replay().variables["n"] == 30
        assert [record.seq for record in case.records()] == list(range(1, run.version + 1))
