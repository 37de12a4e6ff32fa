"""The process map where people use it: from an arrow to a case in the stepper, in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.lab import opened, run_cell, running_lab, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

CELLS = [
    "import wfsim as wf\n"
    "history = wf.simulate(wf.new('order'), cases=20, seed=3, progress=False)\n"
    "shown = wf.FlowMap(history)\n"
    "shown",
    "print('CASE', shown.flow.stepper.stepping.instance.status, shown.flow.stepper.stepping.cursor)",
]


def test_an_arrow_leads_to_its_cases_and_one_of_them_is_stepped_and_seen_in_python(
    browser: Browser, tmp_path: Path
) -> None:
    write_notebook(tmp_path / "mapped.ipynb", CELLS)
    with running_lab(tmp_path) as address, opened(browser, address, "mapped.ipynb") as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        shown = page.locator(".wfsim-live .flowmap")
        arrow = shown.locator("svg .e[data-id='transition:1']")
        arrow.wait_for(state="attached", timeout=120_000)
        arrow.press("Enter")
        case = shown.get_by_role("region", name="Cases").get_by_role("button").first
        case.click()
        opened_case = shown.get_by_role("region", name="The case")
        opened_case.get_by_role("button", name="Start", exact=True).click()
        opened_case.get_by_text("step 0 of").wait_for()
        opened_case.get_by_role("button", name="Forward").click()
        opened_case.get_by_text("step 1 of").wait_for()
        run_cell(page, 1)
        page.locator(".jp-OutputArea-output", has_text="CASE running 1").wait_for()
        assert errors == []
