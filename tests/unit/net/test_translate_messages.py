"""Workflows that send each other messages in one net: rules 7.1 to 7.3."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.net.translated import C, after, workflow
from wfsim.errors import NetError
from wfsim.net.translate import to_net


def send(event: str, to: str, **more: Any) -> dict[str, Any]:
    return {"action_type": "send", "event": event, "to": {"workflow": to, "key": "k"}, **more}


def named(name: str, flow: wf.Workflow) -> wf.Workflow:
    return flow.model_copy(update={"name": name})


PICK = "message pick_up to courier"
HANDED = "order/t1: packing → waiting on packed"
ORDER = named(
    "order",
    workflow(
        [
            {"from": "packing", "event": "packed", "to": "waiting", "post_actions": [send("pick_up", "courier")]},
            {"from": "waiting", "event": "arrived", "to": "c"},
        ],
        ["packing", "waiting", C],
        events={"packed": {}, "arrived": {}},
    ),
)


def courier(**keys: Any) -> wf.Workflow:
    return named(
        "courier",
        workflow(
            [
                {"from": "idle", "event": "pick_up", "to": "driving"},
                {"from": "driving", "event": "there", "to": "c", "pre_actions": [send("arrived", "order")]},
            ],
            ["idle", "driving", C],
            **{"events": {"pick_up": {"starts": True}, "there": {}}, **keys},
        ),
    )


def test_a_message_lies_in_its_place_until_it_is_taken() -> None:
    net = to_net([ORDER, courier()])
    sent = ("order/start", HANDED)
    assert after(net, *sent) == {frozenset({"order/waiting", PICK, "courier/start", "room for arrived to order"})}
    taken = (*sent, "courier/start", "courier/t1: idle → driving on pick_up")
    assert {
        frozenset({"order/waiting", "courier/driving", "room for pick_up to courier", "room for arrived to order"})
    } == (after(net, *taken))


def test_what_others_send_comes_from_nobody_else() -> None:
    net = to_net([ORDER, courier(events={"pick_up": {}, "there": {}})])
    assert after(net, "courier/start", "courier/t1: idle → driving on pick_up") == set()
    # An event that none of them sends still comes from outside.
    assert after(net, "order/start", HANDED) != set()


def test_two_workflows_that_wait_for_each_other_rightly_are_sound_together() -> None:
    # The courier is started by the message, so nothing can be lost.
    assert wf.soundness([ORDER, courier()])
    assert wf.soundness(ORDER)


def test_a_message_that_comes_too_early_is_turned_away_and_the_wait_never_ends() -> None:
    late = named(
        "courier",
        workflow(
            [
                {"from": "off", "event": "shift", "to": "idle"},
                {"from": "idle", "event": "pick_up", "to": "c", "pre_actions": [send("arrived", "order")]},
            ],
            ["off", "idle", C],
            events={"pick_up": {}, "shift": {}},
        ),
    )
    verdict = wf.soundness([ORDER, late])
    assert not verdict
    assert verdict.witness is not None
    assert any("turned away" in step.action or "comes back" in step.action for step in verdict.witness.steps)
    assert any("come from nobody else" in each for each in verdict.assumptions)


def test_a_deferred_message_waits_for_its_receiver() -> None:
    late = named(
        "courier",
        workflow(
            [
                {"from": "off", "event": "shift", "to": "idle"},
                {"from": "idle", "event": "pick_up", "to": "c", "pre_actions": [send("arrived", "order")]},
            ],
            ["off", "idle", C],
            events={"pick_up": {"unhandled": "defer", "starts": True}, "shift": {}},
        ),
    )
    net = to_net([ORDER, late])
    early = ("order/start", HANDED, "courier/start")
    assert not any("is turned away" in name for name in net.transitions if PICK in name)
    assert after(net, *early, "courier/t1: off → idle on shift", "courier/t2: idle → c on pick_up")
    assert wf.soundness(net)


def test_two_workflows_that_both_wait_first_never_end() -> None:
    ping = named(
        "ping",
        workflow(
            [{"from": "a", "event": "pong", "to": "c", "post_actions": [send("ping", "pong")]}], events={"pong": {}}
        ),
    )
    pong = named(
        "pong",
        workflow(
            [{"from": "a", "event": "ping", "to": "c", "post_actions": [send("pong", "ping")]}], events={"ping": {}}
        ),
    )
    verdict = wf.soundness([ping, pong])
    assert not verdict
    assert verdict.witness is not None
    assert {step.action for step in verdict.witness.steps} == {"ping/start", "pong/start"}


def test_no_more_messages_are_on_their_way_than_there_is_room_for() -> None:
    chatty = named(
        "chatty",
        workflow(
            [
                {"from": "a", "event": "go", "post_actions": [send("news", "reader")]},
                {"from": "a", "event": "stop", "to": "c"},
            ],
        ),
    )
    reader = named(
        "reader",
        workflow(
            [{"from": "a", "event": "news"}, {"from": "a", "event": "stop", "to": "c"}],
            events={"news": {}, "stop": {}},
        ),
    )
    for room in (1, 3):
        net = to_net([chatty, reader], messages=room)
        bounds = wf.explore(net).bounds
        assert bounds["message news to reader"] == bounds["room for news to reader"] == room
        assert wf.soundness(net)


def test_a_message_to_a_closed_instance_comes_back() -> None:
    net = to_net([ORDER, courier(events={"pick_up": {}, "there": {}})])
    assert any(name.startswith(f"{PICK} comes back") for name in net.transitions)
    assert net.final_marking is not None
    assert net.final_marking["room for pick_up to courier"] == 1


def test_messages_to_others_and_to_oneself_need_no_places() -> None:
    talks = workflow(
        [
            {
                "from": "a",
                "event": "go",
                "to": "c",
                "post_actions": [
                    send("news", "somebody"),
                    {"action_type": "send", "event": "go", "to": "self"},
                    {"action_type": "send", "event": "x", "to": "${context.n}", "on_failure": "ignore"},
                ],
            }
        ],
        variables={"n": {"type": "string", "optional": True}},
    )
    net = to_net(talks)
    assert set(net.places) == {"start", "a", "c", "final"}
    assert wf.soundness(net)


def test_a_message_that_cannot_be_sent_fails_its_transition() -> None:
    unsure = {"action_type": "send", "event": "x", "to": "${context.n}"}
    net = to_net(
        workflow(
            [{"from": "a", "event": "go", "to": "c", "pre_actions": [unsure]}],
            variables={"n": {"type": "string", "optional": True}},
        )
    )
    assert after(net, "start", "t1: a → c on go is aborted") == {frozenset({"a!error"})}


def test_an_instance_that_tells_itself_for_ever_fails() -> None:
    again = {"from": "a", "event": "go", "post_actions": [{"action_type": "send", "event": "go", "to": "self"}]}
    net = to_net(workflow([again, {"from": "a", "event": "stop", "to": "c"}]))
    assert after(net, "start", "the chain from a is too long") == {frozenset({"closed as failed"})}


@pytest.mark.parametrize(
    ("workflows", "keys", "text"),
    [
        ([], {}, "there is no workflow"),
        ([ORDER, ORDER], {}, "several workflows are called 'order'"),
        ([ORDER, courier()], {"instances": 2}, "one instance of each"),
        ([ORDER, courier()], {"messages": 0}, "messages=0"),
        ([ORDER], {"items": -1}, "0 or more items"),
    ],
)
def test_what_makes_no_net_is_refused(workflows: list[wf.Workflow], keys: dict[str, Any], text: str) -> None:
    with pytest.raises(NetError, match=text):
        to_net(workflows, **keys)


@pytest.mark.parametrize("key", ["entry_actions", "exit_actions"])
def test_m3_9_what_a_state_sends_on_entry_and_on_leaving_reaches_its_receiver(key: str) -> None:
    states = ["packing", {"name": "waiting", key: [send("pick_up", "courier")]}, C]
    ways = [
        {"from": "packing", "event": "packed", "to": "waiting"},
        {"from": "waiting", "event": "arrived", "to": "c"},
    ]
    order = named("order", workflow(ways, states, events={"packed": {}, "arrived": {}}))
    mail = courier(events={"pick_up": {}, "there": {}})
    net = to_net([order, mail])
    space = wf.explore(net)
    assert space.complete
    assert any(marking["courier/driving"] for marking in space.markings)
    assert "order/waiting sends pick_up to courier" in net
