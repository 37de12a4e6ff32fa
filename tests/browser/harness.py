"""A page without Jupyter: the real loader and bundle, a model in place of anywidget's, the real Python behind it."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wfsim.drawing.data import looks_data
from wfsim.widgets.bundle import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

    from wfsim.widgets.shown import Shown

ADDRESS = "http://wfsim.test/"
AXE = Path(__file__).parents[2] / "wfsim/widgets/frontend/node_modules/axe-core/axe.min.js"
PAGE = """<!doctype html><html lang="en"><head><title>harness</title><meta name="color-scheme" content="light dark">
</head><body><main><h1>harness</h1><div id="at"></div></main>
<script type="module">
const heard = new Set();
window.model = {
  get: () => window.KIND,
  on: (_, call) => heard.add(call),
  off: (_, call) => heard.delete(call),
  async send(message) {
    const { answer, buffer } = JSON.parse(await window.toPython(JSON.stringify(message)));
    const buffers = buffer ? [new DataView(Uint8Array.from(atob(buffer), (c) => c.charCodeAt(0)).buffer)] : [];
    if (answer) for (const call of [...heard]) call(answer, buffers);
  },
};
const loader = (await import("/loader.js")).default;
window.unmount = await loader.render({ model: window.model, el: document.getElementById("at") });
</script></body></html>"""


@contextlib.contextmanager
def page_with(
    browser: Browser, shown: Shown, *, dark: bool = False, width: int = 1300, height: int = 1000
) -> Iterator[Page]:
    """A widget on a page that reaches nothing but this process; what goes wrong on it fails the test at its end."""

    def to_python(text: str) -> str:
        message = json.loads(text)
        if message["type"] == "bundle?":
            code = base64.b64encode(made("bundle.js")).decode()
            return json.dumps({"answer": {"type": "bundle", "looks": looks_data()}, "buffer": code})
        return json.dumps({"answer": shown.wire.answer(message) if "seq" in message else None})

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(ADDRESS)
        if path == "":
            route.fulfill(body=PAGE, content_type="text/html")
        elif path == "loader.js":
            route.fulfill(body=made("loader.js"), content_type="text/javascript")
        else:
            route.abort()

    with checked_page(browser, dark=dark, width=width, height=height) as page:
        page.expose_function("toPython", to_python)
        page.add_init_script(f"window.KIND = {json.dumps(shown.kind)}")
        page.route("**/*", serve)
        page.goto(ADDRESS)
        page.locator(".wfsim-live .head").wait_for()
        yield page


@contextlib.contextmanager
def checked_page(
    browser: Browser, *, dark: bool = False, width: int = 1300, height: int = 1000, dropped: str = "favicon"
) -> Iterator[Page]:
    """A page of a browser; errors, dialogs and refused requests fail the test, but those to what holds `dropped`."""
    wrong: list[Any] = []
    scheme: Any = "dark" if dark else "light"
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("requestfailed", lambda request: wrong.append(f"asked for {request.url}"))
    try:
        yield page
    finally:
        page.close()
    assert [each for each in wrong if "favicon" not in each and dropped not in each] == []


def violations(page: Page, inside: str = "#at") -> list[str]:
    """What axe-core finds in the widget, targets smaller than 24 pixels too: rule, first element, what is wrong."""
    if not AXE.is_file():
        pytest.fail("axe-core is missing: run `make frontend` once.")
    page.evaluate(AXE.read_text())
    found = page.evaluate("(inside) => axe.run(inside, { rules: { 'target-size': { enabled: true } } })", inside)
    first = [(each["id"], each["nodes"][0]) for each in found["violations"]]
    return [f"{rule}: {node['html'][:200]} | {node['failureSummary'][:200]}" for rule, node in first]


def focused(page: Page) -> str:
    """What has the focus: an identifier of the drawing, the text of a button, or the name of an element."""
    script = "() => { const e = document.activeElement; return e.dataset.id ?? (e.innerText || e.tagName); }"
    text: str = page.evaluate(script)
    return text
