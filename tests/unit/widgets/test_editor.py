"""The editor as its pages and its notebook see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.errors import DefinitionError
from wfsim.widgets.properties import MODELS, meanings

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>"


class Page:
    """What a page does: it asks, and puts together what it is answered."""

    def __init__(self, editor: wf.Editor) -> None:
        self.editor, self.seq = editor, 1
        self.scene: dict[str, Any] = editor.wire.answer({"type": "hello", "seq": 1})["scene"]
        self.problem = ""

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        self.seq += 1
        answer = self.editor.wire.answer({"type": kind, "seq": self.seq, **fields})
        if answer["type"] == "patch":
            for name, change in answer["changes"].items():
                both = isinstance(change, dict) and isinstance(self.scene[name], dict)
                self.scene[name] = self.scene[name] | change if both else change
            self.problem = answer["problem"]
        elif answer["type"] == "problem":
            self.problem = answer["text"]
        return answer

    def edit(self, operation: str, **values: str) -> dict[str, Any]:
        return self.ask("edit", operation=operation, values=values, number=self.scene["head"]["number"])


def test_a_page_draws_a_workflow_and_takes_it_back() -> None:
    editor = wf.Editor()
    page = Page(editor)
    page.edit("add_state", after="state:start")
    assert page.scene["sheet"]["id"] == "state:state"
    page.edit("rename", element="state:state", name="paid")
    page.edit("set_terminal", state="state:paid", outcome="success")
    assert [node["id"] for node in page.scene["picture"]["nodes"]] == ["initial:", "state:start", "state:paid"]
    assert page.scene["sheet"]["outcome"] == "success"
    assert page.scene["head"]["said"] == "made paid terminal (success)"
    editor.editing.wait()
    page.ask("look")
    assert (page.scene["head"]["stale"], page.scene["head"]["judging"]) == (False, False)
    assert {each["status"] for each in page.scene["verdicts"]} == {"holds"}
    for _ in range(3):
        page.ask("undo")
    assert editor.editing.definition.states[0].name == "start"
    page.ask("undo")
    assert "nothing to undo" in page.problem
    page.ask("redo")
    assert (page.problem, page.scene["sheet"]["id"]) == ("", "state:state")


def test_an_old_page_does_nothing_to_a_transition_that_is_counted_otherwise_now() -> None:
    page = Page(editor := wf.Editor("order"))
    old = page.scene["head"]["number"]
    page.edit("delete", element="transition:1")
    before = editor.editing.definition
    page.ask("edit", operation="delete", values={"element": "transition:1"}, number=old)
    assert "older drawing" in page.problem
    page.ask("properties", element="transition:1", text="from: paid\nevent: go", number=old)
    assert "older drawing" in page.problem
    assert editor.editing.definition is before


def test_the_side_panel_says_what_is_selected_and_what_its_keys_mean() -> None:
    page = Page(wf.Editor("order"))
    page.ask("select", element="transition:1")
    sheet = page.scene["sheet"]
    assert (sheet["event"], sheet["condition"]) == ("pay", "event.amount >= context.total")
    assert [each["id"] for each in sheet["also"]] == ["transition:1"]
    assert (sheet["source"], sheet["target"], sheet["line"]) == ("state:created", "state:paid", "transition:1")
    assert sheet["ends"][:2] == ["state:created", "state:paid"]
    assert "condition" in {each["key"] for each in sheet["keys"]}
    page.ask("select", element="state:paid")
    assert (page.scene["sheet"]["activity"], page.scene["sheet"]["within"]) == ("pack", "workflow")
    page.ask("properties", element="state:paid", text="name: paid\ncolour: red", number=page.scene["head"]["number"])
    assert page.problem.startswith("state paid:2: ")
    page.ask("select", element="state:nowhere")
    assert "there is no state 'nowhere'" in page.problem
    page.edit("delete", element="state:paid")
    assert page.scene["sheet"]["id"] == "state:created"


def test_the_texts_are_shown_while_somebody_looks_and_a_wrong_one_keeps_the_drawing() -> None:
    editor = wf.Editor("minimal")
    page = Page(editor)
    assert not page.scene["text"]
    page.ask("tab", tab="yaml")
    assert page.scene["text"]["yaml"].startswith("# The smallest useful workflow")
    wrong = page.scene["text"]["yaml"].replace("to: finished", "to: nowhere")
    page.ask("text", text=wrong)
    assert "nowhere" in page.scene["text"]["problem"]
    assert page.scene["text"]["yaml"] == wrong
    page.edit("rename", element="state:waiting", name="open")
    assert "initial_state: open" in page.scene["text"]["yaml"]
    page.ask("text", text=page.scene["text"]["yaml"].replace("waits for", "waits long for"))
    assert editor.editing.said == "changed the text"
    page.ask("tab", tab="mermaid")
    assert page.scene["mermaid"].startswith("stateDiagram-v2")
    page.ask("tab", tab="other")
    assert "no tab" in page.problem


def test_what_is_wrong_is_marked_where_it_is_drawn() -> None:
    editor = wf.Editor("minimal")
    page = Page(editor)
    page.edit("add_state", name="lost")
    page.edit("set_trigger", transition="transition:1", event="finish", condition="context.n > 0")
    editor.editing.wait()
    page.ask("look")
    assert "state-unreachable" in page.scene["marks"]["state:lost"]
    assert "violated: states_reachable" in page.scene["marks"]["state:lost"]
    page.edit("declare", kind="variable", name="m")
    assert "context.n" in page.scene["marks"]["transition:1"]
    assert page.scene["missing"][0]["id"] == "transition:1"


def test_a_page_saves_to_the_file_that_was_loaded_and_downloads_what_has_none(tmp_path: Path) -> None:
    answer = Page(wf.Editor("minimal")).ask("save")
    assert (answer["type"], answer["name"]) == ("file", "minimal.yaml")
    assert wf.loads(answer["text"]) == wf.new("minimal")
    file = tmp_path / "w.yaml"
    wf.save(wf.new("minimal"), file)
    page = Page(wf.Editor(wf.load(file)))
    page.edit("rename", element="state:waiting", name="open")
    page.ask("pin", element="state:open", x=5, y=6)
    drawn = {node["id"]: (node["box"]["x"], node["box"]["y"]) for node in page.scene["picture"]["nodes"]}
    assert (page.scene["placed"], drawn["state:open"]) == (True, (5.0, 6.0))
    assert page.ask("save")["type"] == "patch"
    assert wf.load(file).initial_state == "open"
    page.ask("unpin")
    assert (tmp_path / "w.yaml.layout.json").exists()
    page.edit("declare", kind="variable", name="m")
    page.ask("properties", element="variable:m", text="type: integer\nminimum: 3\nmaximum: 2", number=4)
    page.ask("save")
    assert "minimum" in page.problem
    assert wf.load(file).variables == {}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "edit", "operation": "__class__", "values": {}, "number": 0}, "is no edit"),
        ({"type": "edit", "operation": "delete", "values": {}, "number": 0}, "must be given"),
        ({"type": "edit", "operation": "delete", "values": {"draft": "x"}, "number": 0}, "must be given"),
        (
            {"type": "edit", "operation": "rename", "values": {"element": HOSTILE, "name": "x"}, "number": 0},
            "there is no",
        ),
        ({"type": "edit", "operation": "delete", "values": {"element": "workflow"}, "number": 0}, "is no state or"),
        ({"type": "edit", "operation": "delete", "values": {"element": 3}, "number": 0}, "no dict"),
        ({"type": "edit", "operation": "delete", "values": {"element": "x"}, "number": True}, "no int"),
        ({"type": "pin", "element": "state:waiting", "x": 10**30, "y": 0}, "no place"),
        ({"type": "pin", "element": "transition:1", "x": 0, "y": 0}, "is no state"),
        ({"type": "select", "element": ""}, "there is no"),
        ({"type": "select", "element": None}, "no str"),
        ({"type": "text", "text": "a" * 100_001}, "no str"),
        ({"type": "save", "path": "/etc/passwd"}, ""),
    ],
)
def test_nothing_a_page_sends_does_harm(message: dict[str, Any], told: str) -> None:
    editor = wf.Editor("minimal")
    before = editor.editing.definition
    answer = editor.wire.answer({"seq": 1, **message})
    if told:
        assert answer["type"] == "problem"
        assert told in answer["text"]
    assert editor.editing.definition is before


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.just("state:waiting"))


@cases(60)
@given(
    st.sampled_from(["edit", "properties", "select", "pin", "text", "tab", "undo", "redo", "save", "x"]),
    st.dictionaries(
        st.sampled_from(["operation", "element", "text", "x", "y", "tab", "number", "values"]),
        st.one_of(VALUES, st.dictionaries(st.sampled_from(["element", "state", "name", "states"]), VALUES)),
    ),
)
def test_any_message_is_answered(kind: str, fields: dict[str, Any]) -> None:
    editor = wf.Editor("minimal")
    answer = editor.wire.answer({**fields, "type": kind, "seq": 3})
    assert answer["type"] in ("patch", "problem", "file")
    json.dumps(answer)
    assert wf.picture(editor.editing.definition).title


def test_waiting_for_verdicts_takes_no_problem_away() -> None:
    page = Page(wf.Editor("minimal"))
    page.edit("rename", element="state:waiting", name="finished")
    assert "two states" in page.problem
    page.problem = ""
    page.ask("look")
    assert "two states" in page.problem
    page.ask("select", element="state:waiting")
    assert page.problem == ""


def test_every_key_of_the_language_is_explained() -> None:
    for kind in MODELS:
        unexplained = [key for key, means in meanings(kind).items() if not means.endswith(".")]
        assert unexplained == [], f"{kind}: say what they mean in wfsim/model/key_notes.py"


def test_an_editor_says_what_it_holds_and_gives_the_workflow_or_what_is_missing() -> None:
    editor = wf.Editor("minimal")
    assert repr(editor) == "<Editor of 'minimal': 2 states, 1 transition>"
    assert editor.workflow == wf.new("minimal")
    editor.editing.set_trigger("transition:1", event="finish", condition="context.n > 1 and event.x")
    editor.editing.declare("variable", "m")
    with pytest.raises(DefinitionError, match=r"context\.n"):
        _ = editor.workflow
    picture, told = editor.seen()
    assert picture.startswith("<svg")
    assert "waiting" in told


def test_a_page_of_an_editor_shows_the_drawing_and_edits_nothing() -> None:
    page = wf.Editor("minimal").to_html()
    recording = json.loads(page.partition('id="wfsim-recording">')[2].partition("</script>")[0])
    assert recording["scene"]["can"] == {"edit": False}
    assert recording["kind"] == "editor"
