"""Messages in the stepper: what was sent may come back."""

from __future__ import annotations

from tests.language import PAGE, catalogue
from wfsim.widgets.stepping import Stepping

KNOWN = catalogue(PAGE.read_text(encoding="utf-8"))


def guest() -> Stepping:
    stepping = Stepping(KNOWN.get("guest"), {"me": "g", "table": 7})
    assert stepping.do("event:choose", dish="soup")
    return stepping


def labels(stepping: Stepping) -> list[tuple[str, str, bool]]:
    return [(each.id, each.label, each.enabled) for each in stepping.possible() if each.kind == "message"]


def test_a_message_to_another_instance_may_come_back_once() -> None:
    stepping = guest()
    assert labels(stepping) == [("message:1:back", "order comes back", True)]
    (action,) = [each for each in stepping.possible() if each.kind == "message"]
    assert action.reason.startswith("Message 1 to kitchen, key 7 cannot be delivered")
    assert stepping.do("message:1:back", reason="expired")
    assert stepping.steps[-1].records[0].payload == {"message_id": 1, "reason": "expired"}
    assert labels(stepping) == []
    assert stepping.back()
    assert labels(stepping) != []


def test_a_message_to_oneself_does_not_come_back() -> None:
    stepping = guest()
    assert stepping.do("event:leave")
    assert [each[0] for each in labels(stepping)] == ["message:1:back", "message:2:back"]


def test_nothing_comes_back_to_a_closed_instance() -> None:
    stepping = guest()
    assert stepping.do("event:leave")
    assert stepping.do("event:paid")
    assert [enabled for _, _, enabled in labels(stepping)] == [False, False]
