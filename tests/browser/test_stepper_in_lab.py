"""The stepper where people use it: JupyterLab, in a browser."""

from __future__ import annotations

from pathlib import Path

from tests.browser.lab import opened, require_browser, running_lab, write_notebook

CELLS = [
    "import wfsim as wf\nrequest = wf.new('approval')",
    "stepper = wf.Stepper(request, input={'requester': 'Ada', 'amount': 500})\nstepper",
]


def test_a_click_on_an_event_moves_the_instance_and_the_page_shows_it(tmp_path: Path) -> None:
    chromium = require_browser()
    write_notebook(tmp_path / "steps.ipynb", CELLS)
    with running_lab(tmp_path) as address, opened(address, "steps.ipynb", chromium) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        stepper = page.locator(".wfsim-stepper")
        head = stepper.get_by_role("status")
        head.get_by_text("requested").wait_for(timeout=120_000)
        assert stepper.locator("svg .node[data-id='state:requested'].active").count() == 1
        # Nothing has failed, so there is nothing to retry, and the page says why.
        assert stepper.get_by_role("button", name="retry", exact=True).is_disabled()
        assert "not failed or timed out" in (stepper.text_content() or "")

        stepper.get_by_role("button", name="approve", exact=True).click()
        head.get_by_text("approved").wait_for(timeout=60_000)
        head.get_by_text("completed (success)").wait_for()
        stepper.locator("svg .node[data-id='state:approved'].active").wait_for()
        assert stepper.locator("svg .node[data-id='state:requested'].visited").count() == 1
        assert stepper.get_by_role("button", name="approve", exact=True).is_disabled()

        # The keyboard goes back.
        stepper.get_by_role("button", name="Back").focus()
        page.keyboard.press("Enter")
        head.get_by_text("requested").wait_for(timeout=60_000)
        picture = tmp_path / "stepper.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size > 10_000
        assert errors == []


FAMILY = [
    """
import wfsim as wf
END = {"name": "end", "is_terminal": True}
child = wf.Workflow(
    name="child",
    initial_state="at",
    states=[{"name": "at"}, END],
    transitions=[{"from": "at", "to": "end", "event": "go"}],
)
parent = wf.Workflow(
    name="parent",
    initial_state="asking",
    states=[{"name": "asking", "invoke": {"workflow": "child"}}, END],
    transitions=[{"from": "asking", "to": "end", "event": "done"}],
)
""",
    "stepper = wf.Stepper(parent, catalogue=[child])\nstepper",
]


def test_a_child_is_stepped_into_and_its_end_is_told(tmp_path: Path) -> None:
    chromium = require_browser()
    write_notebook(tmp_path / "family.ipynb", FAMILY)
    with running_lab(tmp_path) as address, opened(address, "family.ipynb", chromium) as page:
        stepper = page.locator(".wfsim-stepper")
        head = stepper.get_by_role("status")
        head.get_by_text("asking").wait_for(timeout=120_000)
        stepper.get_by_role("button", name="Step into child").click()
        stepper.locator("svg .node[data-id='state:at'].active").wait_for(timeout=60_000)
        stepper.get_by_role("button", name="go", exact=True).click()
        head.get_by_text("completed (success)").wait_for(timeout=60_000)
        stepper.get_by_role("button", name="parent ◂ child").click()
        stepper.locator("svg .node[data-id='state:asking'].active").wait_for(timeout=60_000)
        stepper.get_by_role("button", name="child ended as stepped").click()
        stepper.locator("svg .node[data-id='state:end'].active").wait_for(timeout=60_000)
