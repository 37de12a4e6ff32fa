"""Notebooks as they are stored: for readers who have not run them, and for versions that tell what has changed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from tests import notebooks


def stored_notebooks() -> list[Path]:
    return sorted(notebooks.FOLDER.glob("*.ipynb"))


def test_figures_of_notebooks_show_without_trust_and_outside_of_jupyterlab() -> None:
    """Stored as data, which JupyterLab draws, and as a picture for other readers; none needs scripts to run."""
    for file in stored_notebooks():
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        kinds = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
        assert not [each for each in kinds if notebooks.FIGURE in each and notebooks.PICTURE not in each], file.name
        assert not [each for each in kinds if "<script" in json.dumps(each)], file.name


def test_stored_notebooks_are_small_and_have_been_run() -> None:
    for file in stored_notebooks():
        assert file.stat().st_size < notebooks.LARGEST, f"{file.name}: python -m tests.notebooks"
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)], file.name


def test_what_differs_from_run_to_run_is_not_stored_with_a_notebook() -> None:
    for file in stored_notebooks():
        notebook = json.loads(file.read_text(encoding="utf-8"))
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}, file.name
        for cell in notebook["cells"]:
            assert cell["metadata"] == {}, file.name
            outputs = cell.get("outputs", [])
            assert not [each for each in outputs if each.get("name") == "stderr"], file.name
            streams = [each["output_type"] == "stream" for each in outputs]
            assert not any(one and other for one, other in pairwise(streams)), f"{file.name}: pieces of one stream"
            text = json.dumps([each.get("data", {}) for each in outputs])
            assert notebooks.WIDGET not in text, file.name
            assert "wfsim-still-" not in text, file.name
