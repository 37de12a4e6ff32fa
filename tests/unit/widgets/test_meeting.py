"""Several instances that talk, stepped by hand on one timeline."""

from __future__ import annotations

import pytest

import wfsim as wf
from tests.language import PAGE, catalogue
from tests.unit.widgets.test_stepper import Page
from wfsim.errors import StartRefused, WfsimError
from wfsim.widgets.meeting import Meeting

KNOWN = catalogue(PAGE.read_text(encoding="utf-8"))
GUEST, KITCHEN = KNOWN.get("guest"), KNOWN.get("kitchen")
TABLE = {"me": "ada", "table": 7}


def evening() -> Meeting:
    return Meeting({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE, "kitchen": {"table": 7}})


def states(meeting: Meeting) -> dict[str, str]:
    return {name: meeting.members[name].state.get("", "") for name in meeting.present}


def test_a_message_reaches_its_receiver_within_the_step_that_sends_it() -> None:
    meeting = evening()
    assert states(meeting) == {"ada": "hungry", "kitchen": "waiting"}
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert states(meeting) == {"ada": "eating", "kitchen": "cooking"}
    received = meeting.members["kitchen"].steps[-1].stimulus
    assert (received.sender, received.event, received.payload["dish"]) == ("ada", "order", "soup")
    # The bill is answered, and the answer makes the guest go.
    assert meeting.do("ada", "event:leave", {})
    assert states(meeting) == {"ada": "gone", "kitchen": "closed"}
    assert [move.title.split("(")[0] for move in meeting.moves] == ["start", "start", "event choose", "event leave"]


INN = wf.loads("""\
name: inn
version: 1.0.0
initial_state: quiet
correlation: {key: context.room}
variables: {room: {type: integer, input: true}}
events:
  book: {payload: {room: integer}, starts: true}
  note: {time_to_live: 1m}
states: [{name: quiet}, {name: empty, is_terminal: true}]
transitions:
  - {from: quiet, event: book}
  - {from: quiet, event: note}
  - {from: quiet, to: empty, condition: context.room < 0}
""")
TRAVELLER = wf.loads("""\
name: traveller
version: 1.0.0
initial_state: at_home
events: {go: {}}
states: [{name: at_home}, {name: gone, is_terminal: true}]
transitions:
  - from: at_home
    event: go
    to: gone
    post_actions:
      - {action_type: send, event: note, to: {workflow: inn, key: 7}}
      - {action_type: send, event: book, to: {workflow: inn, key: 7}, payload: {room: 7}}
      - {action_type: send, event: book, to: {workflow: inn, key: 7}, payload: {room: 7}}
""")


def test_what_was_kept_comes_before_the_message_that_starts_its_receiver_and_the_next_goes_there_too() -> None:
    meeting = Meeting({"ada": TRAVELLER, "other": INN}, {"other": {"room": 8}})
    assert meeting.do("ada", "event:go", {})
    assert meeting.present == ["ada", "other", "ada:m2"]
    came = [step.stimulus.event_id for step in meeting.members["ada:m2"].steps[1:]]
    assert came == ["ada:m1", "ada:m2", "ada:m3"]


def test_going_back_brings_all_of_them_back_and_the_post_with_them() -> None:
    meeting = evening()
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert meeting.do("ada", "event:leave", {})
    assert meeting.jump(2)
    assert states(meeting) == {"ada": "hungry", "kitchen": "waiting"}
    assert meeting.do("ada", "event:choose", {"dish": "fish"})
    assert states(meeting) == {"ada": "eating", "kitchen": "cooking"}
    assert len(meeting.moves) == 3


def test_what_was_done_before_going_back_is_kept_beside_with_all_of_them() -> None:
    meeting = evening()
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert meeting.do("ada", "event:leave", {})
    assert meeting.jump(2)
    assert meeting.do("kitchen", "control:pause", {})
    assert states(meeting) == {"ada": "hungry", "kitchen": "waiting"}
    assert [len(way) for way in meeting.ways.all] == [4, 3]
    assert meeting.take_way(0)
    assert states(meeting) == {"ada": "gone", "kitchen": "closed"}
    assert meeting.jump(3)
    assert states(meeting) == {"ada": "eating", "kitchen": "cooking"}
    # The same again is the way that it was.
    assert meeting.do("ada", "event:leave", {})
    assert len(meeting.ways.all) == 2
    assert meeting.take_way(1)
    assert meeting.members["kitchen"].status == "paused"
    assert not meeting.take_way(2)
    assert "no way 2" in meeting.problem


def test_an_instance_that_a_message_started_is_another_one_on_another_way() -> None:
    meeting = Meeting({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE})
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert meeting.jump(1)
    assert meeting.do("ada", "event:choose", {"dish": "fish"})
    started = meeting.members["ada:m1"]
    assert started.steps[-1].stimulus.payload["dish"] == "fish"
    assert meeting.take_way(0)
    assert meeting.members["ada:m1"].steps[-1].stimulus.payload["dish"] == "soup"
    assert meeting.take_way(1)
    assert meeting.members["ada:m1"] is started


def test_a_message_starts_an_instance_that_is_not_there_before() -> None:
    meeting = Meeting({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE})
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert states(meeting) == {"ada": "eating", "kitchen": "", "ada:m1": "cooking"}
    assert meeting.jump(1)
    assert list(states(meeting)) == ["ada", "kitchen"]
    assert meeting.jump(2)
    # Its key is taken, so no other can start with it.
    assert not meeting.do("kitchen", "start", {"table": 7})
    assert "has an open instance with the key 7" in meeting.problem
    assert states(meeting)["kitchen"] == ""


def test_a_message_that_nobody_takes_comes_back() -> None:
    meeting = Meeting({"ada": GUEST, "kitchen": KITCHEN}, {"ada": {"me": "bob", "table": 7}, "kitchen": {"table": 7}})
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert meeting.do("ada", "event:leave", {})
    # The kitchen answers to bob, who is not there.
    assert states(meeting) == {"ada": "paying", "kitchen": "closed"}


def test_none_of_them_is_behind_the_time_of_the_others() -> None:
    meeting = evening()
    assert meeting.do("kitchen", "control:pause", {}, pace=3_600_000_000)
    assert meeting.do("ada", "event:choose", {"dish": "soup"})
    assert meeting.members["ada"].instance.time >= 3_600_000_000


def test_playing_goes_on_until_nobody_can() -> None:
    meeting = evening()
    for _ in range(30):
        if not meeting.play():
            break
    assert meeting.stopped == "the end: nobody can go on."
    assert states(meeting)["ada"] == "gone"


def test_inputs_for_nobody_and_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(WfsimError, match="inputs for 'eve', but the instances are ada"):
        Meeting({"ada": GUEST}, {"eve": {}})
    with pytest.raises(WfsimError, match="table"):
        Meeting({"ada": GUEST}, {"ada": {"me": "ada", "table": "seven"}})
    assert issubclass(StartRefused, WfsimError)


def test_a_stepper_of_several_shows_one_at_a_time_and_the_timeline_of_all() -> None:
    stepper = wf.Stepper({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE, "kitchen": {"table": 7}})
    page = Page(stepper)
    assert [one["label"] for one in page.scene["family"]] == ["kitchen: waiting"]
    page.do("event:choose", dish="soup")
    assert page.scene["steps"]["3"]["title"] == "ada: event choose(dish='soup')"
    assert [one["label"] for one in page.scene["family"]] == ["kitchen: cooking"]
    assert page.possible() == ["event:leave"]
    page.ask("family", to="kitchen")
    assert page.scene["title"] == "kitchen (kitchen 1.0.0)"
    assert page.scene["lit"]["state:cooking"] == "active"
    page.ask("jump", to=2)
    assert page.scene["lit"]["state:waiting"] == "active"
    page.ask("next")
    assert page.scene["head"]["cursor"] == 3
    assert "kitchen" in repr(stepper)


def test_playing_stops_at_a_breakpoint_of_any_of_them() -> None:
    stepper = wf.Stepper({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE, "kitchen": {"table": 7}})
    page = Page(stepper)
    page.ask("family", to="kitchen")
    page.ask("breakpoint", at="cooking")
    assert (page.scene["breakpoints"], page.scene["marks"]) == (["cooking"], {"state:cooking": "breakpoint"})
    assert page.scene["can"]["breakpoints"]
    while not page.scene["head"]["stopped"]:
        page.ask("next")
    assert page.scene["head"]["stopped"] == "stopped at the breakpoint cooking of kitchen."
    assert stepper.stepping.state == {"": "cooking"}
    page.ask("next")
    assert page.scene["head"]["stopped"] == ""


def test_one_of_them_is_saved_as_a_test_with_the_messages_that_reached_it() -> None:
    stepper = wf.Stepper({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE, "kitchen": {"table": 7}})
    page = Page(stepper)
    page.do("event:choose", dish="soup")
    page.ask("family", to="kitchen")
    assert {each["id"] for each in page.scene["exports"]} == {"pytest", "witness"}
    answer = stepper.wire.answer({"type": "export", "seq": 99, "what": "pytest"})
    assert "sender='ada'" in answer["text"]
    space: dict[str, object] = {}
    exec(answer["text"], space)
    (test,) = (each for name, each in space.items() if name.startswith("test_"))
    assert callable(test)
    test()


def test_two_ways_of_several_stand_side_by_side() -> None:
    stepper = wf.Stepper({"ada": GUEST, "kitchen": KITCHEN}, {"ada": TABLE, "kitchen": {"table": 7}})
    page = Page(stepper)
    page.do("event:choose", dish="soup")
    page.ask("jump", to=2)
    page.do("event:choose", dish="fish")
    told = [(each["current"], each["first"], each["steps"]) for each in page.scene["branches"]]
    assert told == [
        (False, 3, ["event choose(dish='soup')"]),
        (True, 3, ["event choose(dish='fish')"]),
    ]
    assert page.scene["branches"][0]["where"] == "ada: eating; kitchen: cooking"
    assert [each["values"]["ada: me"] for each in page.scene["branches"]] == ['"ada"', '"ada"']
    page.ask("branch", to=0)
    assert page.scene["branches"][0]["current"]


def test_workflows_of_a_list_are_called_by_their_names() -> None:
    stepper = wf.Stepper([GUEST, GUEST, KITCHEN], {"guest": TABLE, "guest 2": {"me": "bob", "table": 8}})
    page = Page(stepper)
    assert [one["id"] for one in page.scene["family"]] == ["guest 2", "kitchen"]
