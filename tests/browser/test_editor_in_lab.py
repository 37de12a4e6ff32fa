"""The editor where people use it: JupyterLab, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wfsim as wf
from tests.browser.lab import opened, run_cell, running_lab, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

CELLS = [
    "import wfsim as wf\neditor = wf.Editor(wf.load('order.yaml'))\neditor",
    "print('STATES', [state.name for state in editor.workflow.states])",
]


def test_a_workflow_is_edited_its_verdict_changes_and_it_is_saved_with_its_comments(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "order.yaml"
    wf.save(wf.new("minimal"), file)
    write_notebook(tmp_path / "edited.ipynb", CELLS)
    with running_lab(tmp_path) as address, opened(browser, address, "edited.ipynb") as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        editor = page.locator(".wfsim-live .editor")
        editor.locator(".verdicts:not(.stale) .holds", has_text="states reachable").wait_for(timeout=120_000)
        editor.get_by_role("button", name="Add state").click()
        lost = editor.locator("svg [data-id='state:state']")
        lost.wait_for()
        editor.locator(".verdicts:not(.stale) .violated", has_text="states reachable").wait_for(timeout=60_000)
        # Letters are commands of the editor, not of the notebook.
        lost.focus()
        page.keyboard.press("F2")
        page.keyboard.type("reopened")
        page.keyboard.press("Enter")
        renamed = editor.locator("svg [data-id='state:reopened']")
        renamed.wait_for()
        editor.locator("svg [data-id='state:waiting']").focus()
        page.keyboard.press("c")
        renamed.click()
        editor.locator(".said", has_text="Connected waiting to reopened.").wait_for()
        renamed.click()
        editor.get_by_label("ends here").select_option("failure")
        editor.locator(".verdicts:not(.stale) .holds", has_text="states reachable").wait_for(timeout=60_000)
        editor.locator(".verdicts:not(.stale) .holds", has_text="sound:").wait_for(timeout=60_000)
        x, y = (box := renamed.bounding_box() or {"x": 0, "y": 0})["x"] + 10, box["y"] + 10
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 50, y + 10, steps=4)
        page.mouse.up()
        editor.locator(".said", has_text="Placed reopened.").wait_for()
        editor.get_by_role("button", name="Save").click()
        run_cell(page, 1)
        page.locator(".jp-OutputArea-output", has_text="STATES ['waiting', 'finished', 'reopened']").wait_for()
        page.locator("img[class^=wfsim-still][alt*='reopened']").wait_for(state="attached")
        assert page.locator(".jp-CodeCell").count() == len(CELLS)
        assert errors == []
    text = file.read_text()
    assert "# Nobody waits for ever" in text
    assert wf.load(file).state("reopened").outcome == "failure"
    assert "state:reopened" in (tmp_path / "order.yaml.layout.json").read_text()
