"""Where else widgets live: Voila, Notebook 7 and marimo. What is clicked on a page is done in Python.

`make test-hosts` installs these hosts, and a missing one is an error; `docs/live_widgets.md` says what each can do.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from tests.browser.lab import jupyter_options, opened, served, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

STEPPER = """\
import wfsim as wf

stepper = wf.Stepper(wf.new("approval"), input={"requester": "ada", "amount": 250.0})
stepper"""
EDITOR = """\
editor = wf.Editor()
editor"""
ASK = """\
import ipywidgets

told = ipywidgets.Label()
ask = ipywidgets.Button(description="Ask Python")


def answer(_):
    told.value = f"PYTHON: {stepper.stepping.state['']}, {[each.name for each in editor.workflow.states]}"


ask.on_click(answer)
ipywidgets.VBox([ask, told])"""
MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import wfsim as wf

    return mo, wf


@app.cell
def _(wf):
    stepper = wf.Stepper(wf.new("approval"), input={"requester": "ada", "amount": 250.0})
    stepper
    return (stepper,)


@app.cell
def _(wf):
    editor = wf.Editor()
    editor
    return (editor,)


@app.cell
def _(mo):
    ask = mo.ui.run_button(label="Ask Python")
    ask
    return (ask,)


@app.cell
def _(ask, editor, mo, stepper):
    mo.stop(not ask.value)
    mo.md(f"PYTHON: {stepper.stepping.state['']}, {[each.name for each in editor.workflow.states]}")
    return


if __name__ == "__main__":
    app.run()
"""


def require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.fail(f"{module} is not installed. make test-hosts does it, or: pip install -e '.[hosts]'.")


def clicked_and_seen_in_python(page: Page) -> None:
    """On a page with a stepper, an editor and a button that asks Python: click on the drawings, then ask."""
    stepper, editor = page.locator(".wfsim-live").nth(0), page.locator(".wfsim-live").nth(1)
    stepper.locator("svg .n.active[data-id='state:requested']").wait_for(timeout=120_000)
    # A still picture gives way to the widget.
    assert page.locator("img[class^=wfsim-still]:visible").count() == 0
    stepper.locator("svg .e.live", has_text="approve").first.locator("text").click()
    stepper.locator("svg .n.active[data-id='state:approved']").wait_for()
    editor.get_by_role("button", name="Add state").click()
    editor.locator("svg [data-id='state:state']").wait_for()
    page.get_by_role("button", name="Ask Python").click()
    page.get_by_text("PYTHON: approved, ['start', 'state']").wait_for()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1300, "height": 1200})
    yield page
    page.close()


def test_widgets_live_in_notebook_7(browser: Browser, tmp_path: Path) -> None:
    require("notebook")
    write_notebook(tmp_path / "live.ipynb", [STEPPER, EDITOR, ASK])
    with (
        served("notebook", jupyter_options(tmp_path), tmp_path) as address,
        opened(browser, address, "live.ipynb", at="notebooks") as page,
    ):
        clicked_and_seen_in_python(page)


def test_widgets_live_in_voila(page: Page, tmp_path: Path) -> None:
    require("voila")
    write_notebook(tmp_path / "live.ipynb", [STEPPER, EDITOR, ASK])
    options = ["live.ipynb", "--no-browser", "--Voila.ip=127.0.0.1"]
    with served("voila", options, tmp_path, ready="/voila/static/require.min.js") as address:
        page.goto(address)
        clicked_and_seen_in_python(page)


def test_widgets_live_in_marimo(page: Page, tmp_path: Path) -> None:
    require("marimo")
    (tmp_path / "live.py").write_text(MARIMO)
    options = ["run", "live.py", "--headless", "--no-token", "--host=127.0.0.1"]
    with served("marimo", options, tmp_path, ready="/health") as address:
        page.goto(address)
        clicked_and_seen_in_python(page)
