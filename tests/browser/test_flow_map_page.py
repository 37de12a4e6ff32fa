"""The process map on a page of a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.browser.harness import page_with, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def history() -> wf.History:
    workflow = wf.load("models/order_processing.yaml")
    return wf.simulate(workflow, "models/order_processing.scenario.yaml", cases=60, progress=False)


def test_an_arrow_is_clicked_and_one_of_its_cases_opens_in_the_stepper(browser: Browser, history: wf.History) -> None:
    shown = wf.FlowMap(history)
    with page_with(browser, shown, height=1400) as page:
        page.locator("svg .e[data-id='transition:5'] text").click()
        cases = page.get_by_role("region", name="Cases").get_by_role("button")
        cases.first.wait_for()
        cases.first.click()
        opened = page.get_by_role("region", name="The case")
        opened.locator("[role=status]", has_text="order_processing").wait_for()
        assert shown.flow.stepper is not None
        stepping = shown.flow.stepper.stepping
        before = stepping.cursor
        opened.get_by_role("slider").first.focus()
        page.keyboard.press("End" if before == 0 else "Home")
        opened.get_by_text(f"step {len(stepping.steps) if before == 0 else 0} of").wait_for()
        assert stepping.cursor != before
        page.get_by_role("button", name="Close the case").click()
        opened.wait_for(state="detached")


def test_measures_and_the_share_of_paths_are_chosen_by_keyboard(browser: Browser, history: wf.History) -> None:
    shown = wf.FlowMap(history)
    with page_with(browser, shown) as page:
        page.get_by_role("button", name="mean time", exact=True).focus()
        page.keyboard.press("Enter")
        page.locator("[role=status]", has_text="mean time; 60 cases").wait_for()
        page.locator("input[type=range]").focus()
        for _ in range(3):
            page.keyboard.press("PageDown")
        page.locator("[role=status]", has_text=" of 60, ").wait_for()
        assert shown.flow.share < 1


def test_a_path_is_chosen_by_keyboard_and_all_else_stands_back(browser: Browser) -> None:
    # Of many paths the list scrolls, and is reached by keyboard.
    many = wf.simulate(wf.load("models/order_processing.yaml"), cases=300, progress=False)
    with page_with(browser, wf.FlowMap(many)) as page:
        paths = page.get_by_role("region", name="Paths").get_by_role("button")
        assert paths.count() > 8
        paths.nth(1).focus()
        page.keyboard.press("Enter")
        page.get_by_role("region", name="Cases").get_by_text("path 2:").wait_for()
        back = page.locator("svg .n.dim[data-id]").count()
        assert 0 < back < page.locator("svg .n[data-id]").count()
        assert "visited" in (page.locator("svg [data-id='state:created']").get_attribute("aria-label") or "")
        assert violations(page) == []
        paths.nth(1).press("Enter")
        page.locator("svg .dim").first.wait_for(state="detached")


def test_a_comparison_has_both_halves_of_its_scale(browser: Browser, history: wf.History) -> None:
    with page_with(browser, wf.FlowMap(history, history)) as page:
        assert page.locator(".scale i").count() == 10


def test_hostile_names_are_names(browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)>"
    text = wf.dumps(wf.new("minimal")).replace("waiting", f'"{name}"')
    history = wf.simulate(wf.loads(text), cases=3, progress=False)
    with page_with(browser, wf.FlowMap(history)) as page:
        page.get_by_role("region", name="Paths").get_by_role("button").first.click()
        page.get_by_role("region", name="Cases").get_by_text("path 1: <img").wait_for()
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser: Browser, history: wf.History, dark: bool) -> None:
    with page_with(browser, wf.FlowMap(history), dark=dark) as page:
        page.locator("svg .e[data-id='transition:5'] text").click()
        page.get_by_role("region", name="Cases").wait_for()
        assert violations(page) == []
