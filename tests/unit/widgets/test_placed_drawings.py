"""States that a person has put somewhere stand there in every drawing of their workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.widgets.editing import Editing

if TYPE_CHECKING:
    from pathlib import Path

AT = (333.0, -44.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A workflow, edited and saved with its layout."""
    file = tmp_path / "order.yaml"
    wf.save(wf.new("approval"), file)
    editing = Editing(wf.load(file))
    editing.pin("state:requested", *AT)
    editing.save()
    return file


def where(picture: dict[str, Any], element: str = "state:requested") -> tuple[float, float]:
    box = next(node["box"] for node in picture["nodes"] if node["id"] == element)
    return box["x"], box["y"]


def test_pictures_of_a_loaded_workflow_use_the_layout_beside_its_file(file: Path) -> None:
    workflow = wf.load(file)
    assert where(wf.picture(workflow).to_dict()) == AT
    assert where(wf.picture(workflow, direction="LR").to_dict()) != AT
    assert wf.picture(workflow) != wf.picture(wf.loads(file.read_text()))
    assert f'viewBox="{wf.picture(workflow).layout().x:g} ' in wf.picture(workflow).to_svg()
    shown = workflow._repr_mimebundle_()["text/html"]
    assert shown != wf.loads(file.read_text())._repr_mimebundle_()["text/html"]


def test_a_stepper_and_its_still_picture_use_it(file: Path) -> None:
    stepper = wf.Stepper(wf.load(file))
    assert where(stepper.wire.scene()["picture"]) == AT
    assert stepper.seen()[0] == wf.picture(wf.load(file)).to_svg(stepper.stepping.lit())


def test_what_was_drawn_and_not_saved_is_placed_as_in_the_editor(file: Path) -> None:
    editor = wf.Editor(wf.load(file))
    editor.editing.pin("state:requested", 7, 8)
    assert where(wf.picture(editor.workflow).to_dict()) == (7, 8)
    assert where(wf.Stepper(editor.workflow).wire.scene()["picture"]) == (7, 8)
    editor.editing.unpin()
    assert where(wf.picture(editor.workflow).to_dict()) not in (AT, (7, 8))
    # In the file nothing has changed.
    assert where(wf.picture(wf.load(file)).to_dict()) == AT


def test_an_editor_leaves_a_still_picture_with_the_states_where_they_are(file: Path) -> None:
    editor = wf.Editor(wf.load(file))
    assert editor.seen()[0] == wf.picture(wf.load(file)).to_svg()
    assert editor.to_html().count(f'"x": {AT[0]}') > 0


def test_maps_and_cases_of_a_history_are_placed_as_the_workflow_that_is_given(file: Path) -> None:
    workflow = wf.load(file)
    history = wf.simulate(workflow, cases=5, seed=1, progress=False)
    assert where(wf.FlowMap(history).wire.scene()["picture"]) != AT
    placed = wf.FlowMap(history, workflow=workflow)
    assert where(placed.wire.scene()["picture"]) == AT
    assert where(wf.hot_paths(history, workflow=workflow).map().to_dict()) == AT
    placed.wire.answer({"type": "open", "seq": 1, "run": 1, "case": 1})
    assert placed.flow.stepper is not None
    assert where(placed.flow.stepper.scene()["picture"]) == AT
    case = wf.Stepper(history.case(1), catalogue=[workflow])
    assert where(case.wire.scene()["picture"]) == AT
    other = workflow.model_copy(update={"description": "another"})
    with pytest.raises(HistoryError, match=r"not what was run.*workflow='approval'"):
        wf.FlowMap(history, workflow=other)


def test_a_layout_that_cannot_be_read_is_told_in_place_of_the_picture(file: Path) -> None:
    workflow = wf.load(file)
    file.with_name("order.yaml.layout.json").write_text("{")
    with pytest.raises(wf.WfsimError, match="Delete the file"):
        wf.picture(workflow)
    assert "Delete the file" in workflow._repr_mimebundle_()["text/plain"]
    with pytest.raises(wf.WfsimError, match="Delete the file"):
        wf.Stepper(workflow)


def test_a_frame_takes_along_what_has_been_put_somewhere_in_it() -> None:
    editing = Editing()
    editing.nest([editing.add_state("pick")])
    inner, frame = "state:parallel/pick/pick", "state:parallel"
    editing.pin(inner, 300, 300)
    before = {each["id"]: each["box"] for each in editing.picture.to_dict()["groups"]}[frame]
    editing.pin(frame, before["x"] + 50, before["y"] + 20)
    assert editing.pins[inner] == (350, 320)
    assert where(editing.picture.to_dict(), inner) == (350, 320)
    after = {each["id"]: each["box"] for each in editing.picture.to_dict()["groups"]}[frame]
    assert (after["x"], after["y"]) == (before["x"] + 50, before["y"] + 20)
    editing.undo()
    assert editing.pins == {inner: (300, 300)}
