"""Live widgets in a browser: first paint, clicks and edits, pan and zoom of large drawings, the size of a notebook."""

from __future__ import annotations

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

import wfsim as wf
from tests.benchmarks import Measured
from tests.browser.harness import page_with
from tests.browser.lab import FLAGS, opened, require_browser, running_lab, write_notebook
from wfsim.widgets.lab import Lab
from wfsim.widgets.stepper import Stepper

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CLICKS = 40
TURNS = 10
EDITS = 20
FRAMES = 90
WARM = """
import wfsim as wf
import wfsim.widgets.live
from tests.benchmarks.widgets import grid
fifty = grid(50)
wf.picture(fifty).to_dict()
None
"""
CELLS = [WARM, "wf.Stepper(fifty)", "wf.Stepper(fifty)", "wf.Stepper(fifty)", "wf.Editor(fifty)"]

PAINTED = """async () => {
  const seen = () => document.querySelectorAll('.wfsim-live svg .n.active').length, before = seen();
  await new Promise((done) => document.addEventListener('keydown', done, { capture: true, once: true }));
  const began = performance.now();
  await new Promise((done) => {
    const watch = new MutationObserver(() => seen() !== before && (watch.disconnect(), done()));
    watch.observe(document, { subtree: true, childList: true });
  });
  await new Promise((again) => requestAnimationFrame(() => setTimeout(again)));
  return performance.now() - began;
}"""

# With a pause before, as people have it, in which the connection settles; waiting without spinning, which would take
# the processor from Python.
CLICKED = """async (root) => {
  await new Promise((again) => setTimeout(again, 100));
  const text = () => root.querySelector('.bar .quiet').textContent;
  const target = root.querySelector('.e.live') ?? root.querySelector('[data-back]'), before = text();
  const began = performance.now();
  const drawn = new Promise((done) => {
    const watch = new MutationObserver(() => text() !== before && (watch.disconnect(), done()));
    watch.observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  target.dispatchEvent(new MouseEvent('click', { bubbles: true, composed: true }));
  await drawn;
  root.getBoundingClientRect();
  return performance.now() - began;
}"""

# From a slider that is moved until the charts show figures of the new setting: they are told to be of earlier ones
# first, and drawn anew after.
TURNED = """async (key) => {
  await new Promise((again) => setTimeout(again, 1500));
  const lab = document.querySelector('.lab'), stale = () => lab.querySelector('.head .status') !== null;
  const slider = document.querySelector("[data-knob='scenario:arrivals.poisson'] input[type=range]");
  const began = performance.now();
  let turned = false;
  const drawn = new Promise((done) => {
    const watch = new MutationObserver(() => {
      if (turned && !stale()) { watch.disconnect(); done(); }
      turned ||= stale();
    });
    watch.observe(lab, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  slider.value = String(Number(slider.value) + key);
  slider.dispatchEvent(new InputEvent('input', { bubbles: true }));
  await drawn;
  lab.getBoundingClientRect();
  return performance.now() - began;
}"""

# A state is added and taken back in turn: each lays the workflow out anew and sends its drawing.
EDITED = """async ([root, button]) => {
  await new Promise((again) => setTimeout(again, 100));
  const states = () => root.querySelectorAll('svg .n').length, before = states();
  const target = [...root.querySelectorAll('.bar button')].find((each) => each.textContent === button);
  const began = performance.now();
  const drawn = new Promise((done) => {
    const watch = new MutationObserver(() => states() !== before && (watch.disconnect(), done()));
    watch.observe(root, { subtree: true, childList: true });
  });
  target.click();
  await drawn;
  root.getBoundingClientRect();
  return performance.now() - began;
}"""

MOVED = """async ([what, frames]) => {
  const svg = document.querySelector('.wfsim-live svg'), box = svg.getBoundingClientRect();
  let [x, y] = [box.x + 300, box.y + 200];
  svg.setPointerCapture = () => {};
  const fire = (type, more) => svg.dispatchEvent(new (type === 'wheel' ? WheelEvent : PointerEvent)(type,
    { bubbles: true, cancelable: true, clientX: x, clientY: y, pointerId: 1, button: 0, ...more }));
  if (what === 'pan') fire('pointerdown');
  const began = performance.now();
  for (let i = 0; i < frames; i++) {
    const there = i % 30 < 15;
    if (what === 'pan') { x += there ? 9 : -9; y += there ? -11 : 11; fire('pointermove'); }
    else fire('wheel', { ctrlKey: true, deltaY: there ? -30 : 30 });
    await new Promise((again) => requestAnimationFrame(again));
  }
  const took = performance.now() - began;
  if (what === 'pan') fire('pointerup');
  return 1000 * frames / took;
}"""


def grid(n: int) -> wf.Workflow:
    """A chain of `n` states, with ways back and ahead."""
    states: list[dict[str, Any]] = [{"name": f"state_{k}"} for k in range(n)]
    transitions = [
        {"from": f"state_{k}", "to": f"state_{k + 1}" if k + 1 < n else "end", "event": "go"} for k in range(n)
    ]
    transitions += [{"from": f"state_{k}", "to": f"state_{k - 3}", "event": "back"} for k in range(3, n, 3)]
    transitions += [{"from": f"state_{k}", "to": f"state_{k + 7}", "event": "skip"} for k in range(0, n - 7, 10)]
    states.append({"name": "end", "is_terminal": True})
    return wf.Workflow(name=f"grid{n}", initial_state="state_0", states=states, transitions=transitions)


def stages(n: int, size: int) -> wf.Workflow:
    """A chain of `n` states, each with a region of `size` states inside."""
    states: list[dict[str, Any]] = []
    for k in range(n):
        inner = [f"step_{k}_{j}" for j in range(size)]
        region = {
            "name": f"stage_{k}_steps",
            "initial_state": inner[0],
            "states": [{"name": name, "is_terminal": name == inner[-1]} for name in inner],
            "transitions": [{"from": a, "to": b, "event": "go"} for a, b in pairwise(inner)],
        }
        states.append({"name": f"stage_{k}", "parallel": {"join": "all", "regions": [region]}})
    states.append({"name": "end", "is_terminal": True})
    transitions = [
        {"from": f"stage_{k}", "to": f"stage_{k + 1}" if k + 1 < n else "end", "event": "done"} for k in range(n)
    ]
    return wf.Workflow(name="stages", initial_state="stage_0", states=states, transitions=transitions)


def measure() -> list[Measured]:
    """Wall time in the browser, as people see it; a shared machine makes it worse."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=FLAGS)
        found = [*_in_lab(browser), *_large(browser), *_tuned(browser)]
        browser.close()
    return found


def _in_lab(browser: Browser) -> list[Measured]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_notebook(folder / "fifty.ipynb", CELLS)
        with running_lab(folder) as address, opened(browser, address, "fifty.ipynb", run=False) as page:
            _run(page, 0)
            paints = [_painted(page, number) for number in (1, 2, 3)]
            root = page.locator(".wfsim-live").first.element_handle()
            clicks = [page.evaluate(CLICKED, root) for _ in range(CLICKS)]
            page.locator(".jp-CodeCell .jp-InputArea-editor").first.click()
            page.keyboard.press("Control+s")
            page.locator(".jp-mod-dirty").first.wait_for(state="detached")
            size = (folder / "fifty.ipynb").stat().st_size
            _run(page, 4)
            editor = page.locator(".wfsim-live .editor")
            editor.locator("svg .n").first.wait_for(state="attached")
            buttons = ["Add state", "Undo"] * (EDITS // 2)
            edits = [page.evaluate(EDITED, [editor.element_handle(), button]) for button in buttons]
    return [
        Measured("first paint of 50 states, first widget of the page", paints[0], "ms"),
        Measured("first paint of 50 states, later widgets", max(paints[1:]), "ms"),
        Measured("click to drawn, median", median(clicks), "ms"),
        Measured("edit of 50 states to drawn, median", median(edits), "ms"),
        Measured("notebook with 3 steppers", size / 1000, "KB"),
    ]


def _large(browser: Browser) -> list[Measured]:
    found = []
    stepper = Stepper(grid(300))
    scene = len(json.dumps(stepper.wire.scene()))
    found.append(Measured("scene of 300 states", scene / 1000, "KB"))
    with page_with(browser, stepper) as page:
        found += _moved(page, "300 states, readable")
        page.get_by_role("button", name="Whole").click()
        found += _moved(page, "300 states, whole")
    with page_with(browser, Stepper(grid(500))) as page:
        page.get_by_role("button", name="Whole").click()
        found += _moved(page, "500 states, whole")
    with page_with(browser, Stepper(stages(10, 50))) as page:
        for k in range(10):
            page.locator(".f:not(.closed) .toggle").first.press("Enter")
            page.wait_for_function("(n) => document.querySelectorAll('.f.closed').length === n", arg=k + 1)
        found += _moved(page, "500 states, collapsed")
    return found


def _moved(page: Page, what: str) -> list[Measured]:
    return [Measured(f"{how} {what}", page.evaluate(MOVED, [how, FRAMES]), "frames/s") for how in ("pan", "zoom")]


def _tuned(browser: Browser) -> list[Measured]:
    """With more cases each time: every setting is a new one, and the one before still at work."""
    lab = Lab(wf.load("models/order_processing.yaml"), "models/order_processing.scenario.yaml")
    lab.tuning.wait()
    with page_with(browser, lab) as page:
        turns = [page.evaluate(TURNED, 1) for _ in range(TURNS)]
    return [
        Measured("slider to chart, order workflow, median", median(turns), "ms"),
        Measured("slider to chart, order workflow, least", min(turns), "ms"),
    ]


def _run(page: Page, number: int) -> None:
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(number).click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "(n) => /\\[\\d+\\]/.test(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')[n].textContent)",
        arg=number,
        timeout=120_000,
    )


def _painted(page: Page, number: int) -> float:
    page.locator(".jp-CodeCell .jp-InputArea-editor").nth(number).click()
    page.evaluate(f"() => {{ window.painted = ({PAINTED})(); }}")
    page.keyboard.press("Control+Enter")
    found: float = page.evaluate("window.painted")
    return found
