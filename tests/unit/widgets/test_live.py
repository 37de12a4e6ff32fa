"""What Jupyter has of a widget, without a browser."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.widgets import live
from wfsim.widgets.bundle import made

APPROVAL = {"requester": "Ada", "amount": 500}
SOURCES = Path(__file__).parents[3] / "wfsim/widgets/frontend/src"


@pytest.fixture
def stepper() -> wf.Stepper:
    return wf.Stepper(wf.new("approval"), APPROVAL)


@pytest.fixture
def sent(stepper: wf.Stepper, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    monkeypatch.setattr(stepper.widget, "send", lambda content, buffers=None: found.append((content, buffers)))
    return found


def test_a_widget_carries_a_loader_and_little_else(stepper: wf.Stepper) -> None:
    state = stepper.widget.get_state()
    assert state["_esm"] == made("loader.js").decode()
    assert state["kind"] == "stepper"
    assert len(json.dumps(state)) < 3_000


def test_a_page_gets_the_bundle_once_it_asks_and_the_looks_of_roles_with_it(
    stepper: wf.Stepper, sent: list[tuple[Any, Any]]
) -> None:
    stepper.widget._hear(None, {"type": "bundle?"}, [])
    [(content, buffers)] = sent
    assert buffers == [made("bundle.js")]
    assert content["looks"]["active"]["line"] == ["#0072b2", "#56b4e9"]


def test_what_is_no_message_is_not_answered(stepper: wf.Stepper, sent: list[tuple[Any, Any]]) -> None:
    for message in (None, 1, "bundle?", [], {}, {"type": "."}, {"type": "do"}):
        stepper.widget._hear(None, message, [])
    assert sent == []
    stepper.widget._hear(None, {"type": "do", "seq": 1}, [])
    assert sent[0][0]["type"] == "problem"


def test_what_is_done_in_python_is_shown(stepper: wf.Stepper, sent: list[tuple[Any, Any]]) -> None:
    stepper.widget._hear(None, {"type": "hello", "seq": 1}, [])
    assert stepper.stepping.do("event:approve")
    stepper.refresh()
    assert sent[-1][0]["changes"]["lit"]["state:approved"] == "active"
    assert not stepper.load("nothing")  # type: ignore[arg-type]
    assert "there is no stepping through a str" in sent[-1][0]["problem"]


class Handle:
    """Where the still picture is shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, data: dict[str, str], raw: bool) -> None:
        self.shown.append(data["text/html"])


def test_the_picture_of_the_last_state_follows_once_things_have_settled(
    stepper: wf.Stepper, sent: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Handle()
    monkeypatch.setattr(live, "SETTLED", 0)
    monkeypatch.setattr(stepper.widget, "_handle", handle)

    async def steps() -> None:
        stepper.widget._hear(None, {"type": "hello", "seq": 1}, [])
        stepper.widget._hear(None, {"type": "next", "seq": 2}, [])
        assert handle.shown == []
        while not handle.shown:
            await asyncio.sleep(0)

    asyncio.run(steps())
    [picture] = handle.shown
    assert "active: approve, approved" in picture
    # Where nothing runs later, it follows at once.
    stepper.jump(1)
    assert "active: requested" in handle.shown[-1]


def test_marimo_is_given_the_live_widget_alone(stepper: wf.Stepper) -> None:
    assert stepper._display_() is stepper.widget


def test_built_without_the_front_end_a_widget_shows_its_picture_and_says_so(
    stepper: wf.Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> bytes:
        raise WfsimError("this installation of wfsim was built without live widgets.")

    shown: list[Any] = []
    monkeypatch.setattr(live, "made", missing)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    stepper._ipython_display_()
    [data] = shown
    assert data["text/html"].startswith("<img alt=")
    assert "built without live widgets" in data["text/html"]
    assert "built without live widgets" in data["text/plain"]
    assert "built without live widgets" in stepper._display_().data


def test_no_part_of_the_front_end_makes_markup_of_text() -> None:
    markup = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert [path.name for path in sorted(SOURCES.iterdir()) if markup.search(path.read_text())] == []
