"""The lab where people use it: JupyterLab, in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.lab import opened, run_cell, running_lab, save, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CELLS = [
    f"""
import sys
sys.path.insert(0, {str(Path.cwd())!r})
import wfsim as wf
from tests.tuned import claims, claims_scenario
lab = wf.Lab(claims(), claims_scenario())
lab
""",
    "found = lab.history.sql('FROM cases').df()\n"
    "print('CLERKS', lab.scenario.pools['clerks'].capacity, len(found), [*lab.pinned])",
]
MOST_BYTES = 100_000


def test_a_slider_changes_the_charts_and_what_python_sees(browser: Browser, tmp_path: Path) -> None:
    notebook = tmp_path / "tuned.ipynb"
    write_notebook(notebook, CELLS)
    with running_lab(tmp_path) as address, opened(browser, address, notebook.name) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        lab = page.locator(".wfsim-live .lab")
        head = lab.locator(".head", has_text="300 cases in 5 replications")
        head.wait_for(timeout=120_000)
        # The widget stands where its picture was.
        assert page.locator("img[class^=wfsim-still]:visible").count() == 0
        chart = lab.locator("[data-chart=utilisation] svg")
        before = chart.text_content()
        lab.get_by_role("button", name="Pin this run").click()
        lab.locator(".runs li").nth(1).wait_for()
        lab.get_by_role("slider", name="clerks").focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        lab.locator(".differs", has_text="clerks: 2 workers → 5 workers").wait_for()
        lab.locator("[data-chart=sojourn] .datum.run-1").first.wait_for()
        lab.locator(".head .status").wait_for(state="detached")
        head.wait_for(timeout=120_000)
        assert chart.text_content() != before
        run_cell(page, 1)
        page.locator(".jp-OutputArea-output", has_text="CLERKS 5 300 ['as in the files']").wait_for(timeout=60_000)
        page.locator("img[class^=wfsim-still][alt*='2 workers → 5 workers']").wait_for(state="attached")
        save(page)
        assert errors == []
    assert notebook.stat().st_size < MOST_BYTES
    assert "wfsim-still" in json.dumps(json.loads(notebook.read_text()))
