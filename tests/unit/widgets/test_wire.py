"""The wire between a widget and its pages: patches say what differs, and nothing a page sends can do harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.errors import WfsimError
from wfsim.widgets.wire import LONGEST_TEXT, MOST_TEXTS, File, Request, Wire, difference

PARTS = st.dictionaries(
    st.sampled_from("abcd"),
    st.one_of(st.integers(0, 2), st.text(max_size=2), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))),
)


class Counter:
    """A scene with a number, and requests that change it."""

    def __init__(self) -> None:
        self.count, self.lit = 0, {"a": "active", "b": "visited"}
        self.wire = Wire(
            lambda: {"count": self.count, "lit": dict(self.lit), "title": "t"},
            {
                "add": Request(self.add, {"by": int, "note": str}, on_latest=True),
                "texts": Request(lambda values: "", {"values": dict}),
                "file": Request(lambda: File("a.txt", "content"), {}),
            },
        )

    def add(self, by: int, note: str) -> str:
        if by < 0:
            raise WfsimError(f"no {by} here.")
        self.count += by
        self.lit = {"a": "visited", "c": note}
        return ""


def test_the_first_answer_is_the_scene_and_later_ones_only_what_differs() -> None:
    counter = Counter()
    scene = counter.wire.answer({"type": "hello", "seq": 1})
    assert (scene["type"], scene["scene"]["count"], scene["seq"]) == ("scene", 0, 1)
    patch = counter.wire.answer({"type": "add", "seq": 2, "by": 2, "note": "active", "version": scene["version"]})
    assert patch["changes"] == {"count": 2, "lit": {"a": "visited", "b": None, "c": "active"}}
    assert (patch["base"], patch["version"]) == (scene["version"], scene["version"] + 1)


def test_a_click_on_an_old_scene_does_nothing() -> None:
    counter = Counter()
    version = counter.wire.answer({"type": "hello", "seq": 1})["version"]
    message = {"type": "add", "by": 1, "note": "", "version": version}
    counter.wire.answer({**message, "seq": 2})
    late = counter.wire.answer({**message, "seq": 3})
    assert (late["type"], late["seq"], counter.count) == ("problem", 3, 1)
    assert "older step" in late["text"]


def test_a_change_made_in_python_is_a_patch_too() -> None:
    counter = Counter()
    counter.wire.answer({"type": "hello", "seq": 1})
    counter.count = 7
    assert counter.wire.changed("look")["changes"] == {"count": 7}
    assert counter.wire.changed()["problem"] == "look"


def test_a_refusal_is_a_problem_and_a_file_a_file() -> None:
    counter = Counter()
    version = counter.wire.answer({"type": "hello", "seq": 1})["version"]
    refused = counter.wire.answer({"type": "add", "seq": 2, "by": -1, "note": "", "version": version})
    assert refused == {"type": "problem", "seq": 2, "text": "no -1 here."}
    assert counter.wire.answer({"type": "file", "seq": 3})["text"] == "content"


HOSTILE: list[Any] = [
    None,
    [],
    "hello",
    {},
    {"type": "hello"},
    {"type": "hello", "seq": "1"},
    {"type": "hello", "seq": True},
    {"type": None, "seq": 1},
    {"type": ["add"], "seq": 1},
    {"type": "__init__", "seq": 1},
    {"type": "add", "seq": 1},
    {"type": "add", "seq": 1, "by": True, "note": ""},
    {"type": "add", "seq": 1, "by": 1.5, "note": ""},
    {"type": "add", "seq": 1, "by": 1, "note": "x" * (LONGEST_TEXT + 1)},
    {"type": "texts", "seq": 1, "values": {"a": 1}},
    {"type": "texts", "seq": 1, "values": {"a": {"b": "c"}}},
    {"type": "texts", "seq": 1, "values": {str(k): "" for k in range(MOST_TEXTS + 1)}},
]


@pytest.mark.parametrize("message", HOSTILE)
def test_a_message_that_is_none_is_answered_with_a_problem_and_changes_nothing(message: Any) -> None:
    counter = Counter()
    answer = counter.wire.answer(message)
    assert answer["type"] == "problem"
    assert answer["text"]
    assert counter.count == 0


@given(PARTS, PARTS)
@cases(100)
def test_the_old_scene_with_its_changes_is_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    new = {**old, **new}
    scene = dict(old)
    for name, change in difference(old, new).items():
        if isinstance(scene.get(name), dict) and isinstance(change, dict):
            merged = {**scene[name], **change}
            scene[name] = {key: value for key, value in merged.items() if value is not None}
        else:
            scene[name] = change
    assert scene == new


STRANGE: list[dict[str, Any]] = [
    {"type": "do", "action": "event:../../x", "values": {}, "delay": ""},
    {"type": "do", "action": "event:approve", "values": {"x": "1"}, "delay": ""},
    {"type": "do", "action": "event:approve", "values": {"__class__": "1"}, "delay": ""},
    {"type": "do", "action": "event:approve", "values": {}, "delay": "-5s"},
    {"type": "do", "action": "event:approve", "values": {}, "delay": "1e400"},
    {"type": "do", "action": "event:approve", "values": {"action_id": "start"}, "delay": ""},
    {"type": "jump", "to": -1},
    {"type": "jump", "to": 10**30},
    {"type": "branch", "to": 99},
    {"type": "breakpoint", "at": "__import__('os').system('x')"},
    {"type": "breakpoint", "at": "context.nothing > 1"},
    {"type": "breakpoint", "at": "event.x > 1"},
    {"type": "breakpoint", "at": "nowhere"},
    {"type": "family", "to": "up"},
    {"type": "family", "to": "99"},
    {"type": "export", "what": "../../etc/passwd"},
]


@pytest.mark.parametrize("asked", STRANGE)
def test_a_stepper_answers_what_makes_no_sense_with_a_problem_and_stays_where_it_is(asked: dict[str, Any]) -> None:
    stepper = wf.Stepper(wf.new("approval"), {"requester": "Ada", "amount": 500})
    version = stepper.wire.answer({"type": "hello", "seq": 1})["version"]
    before = stepper.wire.scene()
    answer = stepper.wire.answer({**asked, "seq": 2, "version": version})
    assert answer.get("text") or answer["problem"]
    assert stepper.wire.scene() == before
