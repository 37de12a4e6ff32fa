"""Pictures of the live widgets for README.md, light and dark: `python -m tests.screenshots` takes them anew."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wfsim as wf
from tests.browser.harness import page_with
from tests.browser.lab import FLAGS, require_browser
from wfsim.widgets.shown import Shown

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path("docs/images")
LARGEST = 60_000
"""Bytes of a picture at most."""
WIDTH, HEIGHT = 900, 720

# As it is drawn in notebooks/05_draw_and_step.ipynb, with what is found to be wrong there.
DRAWN = """\
name: refund
initial_state: received
variables:
  amount: {type: number, input: true, minimum: 0}
  approved: {type: boolean, initial: false, output: true}
activities:
  review: {pool: clerks, timeout: 4h, retry_policy: {max_attempts: 2}}
  pay_back: {timeout: 1m, retry_policy: {max_attempts: 3}}
states:
  - {name: received}
  - name: reviewing
    timeout: 2d
    activity: {name: review, parameters: {amount: "${context.amount}"}, result_variable: approved}
  - {name: refused, is_terminal: true, outcome: failure}
  - {name: paying, activity: pay_back}
  - {name: refunded, is_terminal: true}
transitions:
  - {from: received, to: reviewing, condition: context.amount > 50}
  - {from: received, to: paying, condition: context.amount < 50}
  - {from: reviewing, event: done, to: paying, condition: context.approved}
  - {from: reviewing, event: done, to: refused}
  - {from: paying, event: done, to: refunded}
"""
MENDED = (
    DRAWN.replace("> 50", ">= 50").replace(
        "transitions:\n", "  - {name: by_hand, is_terminal: true, outcome: failure}\ntransitions:\n"
    )
    + "  - {from: reviewing, event: timeout, to: paying}\n"
    + "  - {from: [reviewing, paying], event: error, to: by_hand}\n"
)
LOAD = wf.Scenario(
    workflow="refund",
    arrivals={"poisson": "12/h"},
    cases=2000,
    seed=5,
    inputs={"amount": {"lognormal": [90.0, 0.9]}},
    activities={
        "review": {
            "duration": {"lognormal": {"median": "10m", "sigma": 0.6}},
            "result": {"choice": [True] * 9 + [False]},
        },
        "pay_back": {"duration": {"lognormal": {"median": "2s", "sigma": 0.6}}},
    },
    pools={"clerks": {"capacity": 1}},
)


def editor() -> Shown:
    return wf.Editor(wf.loads(DRAWN))


def select(page: Page) -> None:
    page.locator("svg [data-id='state:reviewing'] text").first.click()
    page.get_by_role("textbox", name="timeout").wait_for()
    page.locator(".verdicts:not(.stale) .violated").first.wait_for()


def stepper() -> Shown:
    verdict = next(each for each in wf.verify(wf.loads(DRAWN)) if each.property == "no_unhandled_timeout")
    return wf.Stepper(verdict.witness)


def play(page: Page) -> None:
    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    page.get_by_text("step 2 of 2").wait_for()


def flow_map() -> Shown:
    return wf.FlowMap(wf.simulate(wf.loads(MENDED), LOAD, progress=False))


def settle(page: Page) -> None:
    page.locator("svg .e[data-id='transition:1']").first.wait_for()


def lab() -> Shown:
    found = wf.Lab(wf.loads(MENDED), LOAD)
    found.tuning.wait()
    found.tuning.pin("one clerk")
    found.tuning.turn("pools.clerks.capacity", 2)
    found.tuning.wait()
    return found


def compare(page: Page) -> None:
    page.get_by_role("region", name="Comparison").wait_for()


SHOTS: dict[str, tuple[Callable[[], Shown], Callable[[Page], None]]] = {
    "editor": (editor, select),
    "stepper": (stepper, play),
    "flow_map": (flow_map, settle),
    "lab": (lab, compare),
}


SHRUNK = """
async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.85);
}
"""


def taken(browser: Browser, shown: Shown, act: Callable[[Page], None], *, dark: bool) -> bytes:
    """The widget after `act`, its upper part, as WebP: a quarter of what PNG takes."""
    with page_with(browser, shown, dark=dark, width=WIDTH) as page:
        act(page)
        box = page.locator(".wfsim-live").bounding_box()
        assert box is not None
        frame: Any = box | {"height": min(box["height"], HEIGHT)}
        png = page.screenshot(clip=frame)
    page = browser.new_page()
    address: str = page.evaluate(SHRUNK, base64.b64encode(png).decode())
    page.close()
    return base64.b64decode(address.partition(",")[2])


def main() -> None:
    """Take all, and say how large each is."""
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    made = {name: (make(), act) for name, (make, act) in SHOTS.items()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_browser(), args=FLAGS)
        for name, (shown, act) in made.items():
            for theme in ("light", "dark"):
                path = FOLDER / f"{name}_{theme}.webp"
                path.write_bytes(taken(browser, shown, act, dark=theme == "dark"))
                size = path.stat().st_size
                print(f"{path}: {size / 1000:.0f} kB{', which is too large' if size >= LARGEST else ''}")
        browser.close()


if __name__ == "__main__":
    main()
