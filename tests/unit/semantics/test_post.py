"""M7.2, M7.3: where messages go."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import StartRefused
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.post import Handling, Letter, PostOffice, turned_away

COURIER = """\
name: courier
version: 1.0.0
initial_state: a
correlation: {key: "context.parcel"}
variables:
  parcel: {type: string, input: true}
  weight: {type: number, input: true, optional: true}
events:
  order: {payload: {parcel: string, weight: number, note: {type: string, optional: true}}, starts: true}
  hurry: {time_to_live: 10s}
  forget: {}
states: [{name: a}, {name: z, is_terminal: true}]
transitions:
  - {from: a, event: order}
  - {from: a, event: hurry, to: z}
  - {from: a, event: forget, condition: context.weight != null}
"""
SHOP = """\
name: shop
version: 1.0.0
initial_state: a
events: {ping: {time_to_live: 5s}, pong: {}}
states: [{name: a}, {name: z, is_terminal: true}]
transitions: [{from: a, event: ping, to: z}]
"""
SECOND = 1_000_000
shop = wf.loads(SHOP)


@pytest.fixture
def closed() -> set[str]:
    return set()


@pytest.fixture
def office(closed: set[str]) -> PostOffice:
    programs = {each.name: compile_workflow(each) for each in (wf.loads(COURIER), shop)}
    return PostOffice(programs, closed.__contains__)


def letter(event: str, to: str = "courier", key: Any = "P1", number: int = 1, **payload: Any) -> Letter:
    return Letter("shop-1", number, to, key, event, payload)


def send(office: PostOffice, what: Letter, now: int = 0) -> Handling:
    return office.send(what, now, shop)


def test_a_key_names_the_open_instance_that_has_it(office: PostOffice) -> None:
    office.opened("c-1", "courier", "P1")
    office.opened("c-2", "courier", "P2")
    assert send(office, letter("forget", key="P2")).receiver == "c-2"
    handling = send(office, letter("forget"))
    assert (handling.what, handling.receiver, handling.letter.id) == ("deliver", "c-1", "shop-1:m1")


def test_a_key_is_taken_once_among_open_instances_and_free_after_closing(office: PostOffice) -> None:
    office.opened("c-1", "courier", "P1")
    with pytest.raises(StartRefused, match="'P1' already: 'c-1'"):
        office.opened("c-2", "courier", "P1")
    office.opened("other", "shop", "P1")
    office.closed("c-1")
    office.opened("c-2", "courier", "P1")
    assert send(office, letter("forget")).receiver == "c-2"


def test_whole_numbers_and_doubles_are_one_key_and_booleans_another(office: PostOffice) -> None:
    office.opened("c-1", "courier", 1)
    assert send(office, letter("forget", key=1.0)).what == "deliver"
    assert send(office, letter("forget", key=True)).what == "send_back"


def test_without_an_instance_an_event_that_starts_one_starts_it_with_the_inputs_it_carries(office: PostOffice) -> None:
    handling = send(office, letter("order", parcel="P1", weight=2.5, note=None))
    assert (handling.what, handling.workflow, handling.receiver) == ("start", "courier", "shop-1:m1")
    assert handling.inputs == {"parcel": "P1", "weight": 2.5}


def test_an_instance_that_would_have_another_key_or_bad_inputs_is_not_started(office: PostOffice) -> None:
    wrong = send(office, letter("order", parcel="P2", weight=1.0))
    assert (wrong.what, wrong.reason) == ("send_back", "it would start an instance with the key 'P2', not 'P1'")
    assert "needs the input 'parcel'" in send(office, letter("order", weight=1.0)).reason


def test_without_an_instance_a_message_is_kept_for_its_time_to_live_then_sent_back(office: PostOffice) -> None:
    handling = send(office, letter("hurry"), now=SECOND)
    assert (handling.what, handling.until) == ("keep", 11 * SECOND)
    assert office.keeps(handling.letter)
    assert office.overdue(11 * SECOND - 1) == []
    assert office.overdue(11 * SECOND) == [handling.letter]
    assert not office.keeps(handling.letter)
    assert not office.expires(handling.letter)
    assert office.opened("c-1", "courier", "P1") == []


def test_of_each_letter_that_is_kept_the_time_ends_by_itself(office: PostOffice) -> None:
    first, second = (send(office, letter("hurry", number=number), now=0).letter for number in (1, 2))
    assert office.expires(first)
    assert (office.keeps(first), office.keeps(second)) == (False, True)
    assert office.opened("c-1", "courier", "P1") == [second]
    assert not office.expires(second)


def test_nobody_has_a_list_or_an_object_as_a_key(office: PostOffice) -> None:
    for number, key in enumerate((["P1"], {"a": 1})):
        sent = letter("hurry", key=key, number=number)
        assert send(office, sent).what == "keep"
        assert office.keeps(sent)
    assert office.opened("c-1", "courier", "P1") == []


def test_who_is_lost_keeps_its_key_and_gets_nothing_by_its_name(office: PostOffice) -> None:
    office.opened("c-1", "courier", "P1")
    office.lost("c-1")
    assert send(office, letter("hurry")).receiver == "c-1"
    with pytest.raises(StartRefused, match="has an open instance with the key"):
        office.refuse_taken("courier", "P1")


def test_what_was_kept_is_delivered_in_order_when_the_instance_opens(office: PostOffice) -> None:
    for number in (1, 2, 3):
        send(office, letter("hurry", number=number), now=number)
    assert [each.number for each in office.overdue(10 * SECOND + 1)] == [1]
    assert [each.number for each in office.opened("c-1", "courier", "P1")] == [2, 3]
    assert office.overdue(99 * SECOND) == []


def test_without_a_time_to_live_a_message_goes_back_at_once(office: PostOffice) -> None:
    assert send(office, letter("forget")).reason == "no_instance"
    assert send(office, letter("unheard")).reason == "undeclared"
    assert send(office, letter("forget", to="curier")).reason == "no workflow 'curier' is known here"


def test_an_id_names_an_open_instance_and_a_closed_one_gets_nothing(office: PostOffice, closed: set[str]) -> None:
    assert send(office, letter("pong", "c-1", None)).reason == "no_instance"
    assert send(office, letter("ping", "c-1", None)).until == 5 * SECOND
    assert [each.event for each in office.opened("c-1", "courier", "P1")] == ["ping"]
    assert send(office, letter("ping", "c-1", None)).what == "deliver"
    office.closed("c-1")
    closed.add("c-1")
    assert send(office, letter("ping", "c-1", None)).reason == "closed"


def test_who_has_no_parent_gets_its_message_to_it_back(office: PostOffice) -> None:
    assert send(office, letter("ping", "parent", None)).reason == "it has no parent"


def test_only_what_was_turned_away_for_good_goes_back() -> None:
    instance = Instance(compile_workflow(wf.loads(COURIER)))
    instance.start(0, {"parcel": "P1"})
    fates = [
        turned_away(instance.texts, instance.event(1, "order", {"parcel": "P1", "weight": 1.0}, "a:m1")),
        turned_away(instance.texts, instance.event(1, "forget", {}, "a:m2")),
        turned_away(instance.texts, instance.event(1, "forget", {}, "a:m2")),
        turned_away(instance.texts, instance.event(1, "unheard", {}, "a:m3")),
        turned_away(instance.texts, instance.event(1, "hurry", {}, "a:m4")),
        turned_away(instance.texts, instance.event(1, "order", {"parcel": "P1", "weight": 1.0}, "a:m5")),
    ]
    assert fates == [{}, {"a:m2": "condition"}, {}, {"a:m3": "undeclared"}, {}, {"a:m5": "closed"}]
