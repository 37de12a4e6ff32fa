"""The stepper and pictures where people use them: JupyterLab, in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.lab import opened, run_cell, running_lab, save, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLAYED = [
    """
import wfsim as wf
from wfsim.verification.workflows.properties import verify
order = wf.load({model!r})
verdict = next(each for each in verify(order) if each.witness is not None and each.witness.kind == "workflow")
order
""",
    "stepper = wf.Stepper(verdict.witness)\nstepper",
    "print('STATE', stepper.stepping.state, stepper.stepping.cursor == len(verdict.witness))",
]
MODEL = str(Path("models/published/order_processing.yaml").resolve())
MOST_BYTES = 300_000


def test_a_counterexample_is_opened_played_and_seen_in_python_and_its_notebook_shows_pictures_untrusted(
    browser: Browser, tmp_path: Path
) -> None:
    cells = [PLAYED[0].format(model=MODEL), *PLAYED[1:]]
    notebook = tmp_path / "played.ipynb"
    write_notebook(notebook, cells)
    with running_lab(tmp_path) as address:
        with opened(browser, address, notebook.name) as page:
            errors: list[str] = []
            outside: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("request", lambda asked: outside.append(asked.url))
            stepper = page.locator(".wfsim-live")
            stepper.locator("text=step 0 of").wait_for(timeout=120_000)
            # The widget stands where its picture was.
            assert page.locator("img[class^=wfsim-still]:visible").count() == 0
            stepper.get_by_label("speed").select_option("5")
            stepper.get_by_role("button", name="Play").click()
            stepper.locator(".stopped", has_text="the end").wait_for(timeout=60_000)
            run_cell(page, 2)
            page.locator(".jp-OutputArea-output", has_text="True").wait_for()
            # Letters are not commands of the notebook while the drawing has the focus.
            stepper.locator("svg [tabindex='0']").first.focus()
            for key in ("d", "d", "b"):
                page.keyboard.press(key)
            assert page.locator(".jp-CodeCell").count() == len(cells)
            # The picture of the last state follows, and is saved.
            where = "completed" if "completed" in stepper.locator("[role=status]").inner_text() else "step"
            page.locator(f"img[class^=wfsim-still][alt*='{where}']").wait_for(state="attached")
            save(page)
            assert errors == []
            assert [url for url in outside if not url.startswith((address, "data:", "blob:", "ws:"))] == []
        saved = json.loads(notebook.read_text())
        assert notebook.stat().st_size < MOST_BYTES
        # Changed by another hand, it is not trusted any more.
        saved["cells"].append({"cell_type": "markdown", "id": "other", "metadata": {}, "source": "cloned"})
        (tmp_path / "cloned.ipynb").write_text(json.dumps(saved))
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.goto(f"{address}/lab/tree/cloned.ipynb?reset")
        pictures = page.locator(".jp-OutputArea img:visible")
        pictures.nth(1).wait_for(timeout=60_000)
        widths = pictures.evaluate_all("(all) => all.map((each) => each.naturalWidth)")
        assert len(widths) == 2
        assert min(widths) > 100
        assert all("states: " in str(alt) for alt in pictures.evaluate_all("(all) => all.map((each) => each.alt)"))
        page.close()
