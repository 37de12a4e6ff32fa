"""The lab on a page of a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.browser.harness import focused, page_with, violations
from tests.tuned import claims, claims_scenario

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CAPACITY = "scenario:pools.clerks.capacity"


@pytest.fixture
def lab() -> wf.Lab:
    found = wf.Lab(claims(), claims_scenario())
    found.tuning.wait()
    return found


def settled(page: Page) -> None:
    """The figures of how the knobs stand are there, and the last of them."""
    page.locator(".lab .head", has_text="300 cases in 5 replications").wait_for()
    page.locator(".lab .head .status").wait_for(state="detached")


def utilisation(page: Page) -> str:
    return page.locator("[data-chart=utilisation] svg").text_content() or ""


def test_a_slider_is_moved_by_keyboard_and_mouse_and_the_charts_follow(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        slider = page.get_by_role("slider", name="clerks")
        assert slider.get_attribute("aria-valuetext") == "2 workers"
        before = utilisation(page)
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.locator(f"[data-knob='{CAPACITY}'].turned").wait_for()
        settled(page)
        assert lab.scenario.pools["clerks"].capacity == 3
        assert slider.get_attribute("aria-valuetext") == "3 workers"
        by_keyboard = utilisation(page)
        assert by_keyboard != before
        # Its end, by mouse.
        box = slider.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=4)
        page.mouse.up()
        page.locator(".differs", has_text="clerks: 2 workers → 10 workers").wait_for()
        settled(page)
        assert lab.scenario.pools["clerks"].capacity == 10
        assert utilisation(page) != by_keyboard
        page.get_by_role("button", name="clerks: back to 2 workers").click()
        page.locator(f"[data-knob='{CAPACITY}'].turned").wait_for(state="detached")
        assert focused(page) == "↺"
        settled(page)
        assert utilisation(page) == before


def test_a_value_is_typed_and_what_cannot_be_is_told(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        field = page.get_by_role("textbox", name="clerks, exactly")
        field.fill("17")
        field.press("Enter")
        page.locator(f"[data-knob='{CAPACITY}'].turned").wait_for()
        assert field.input_value() == "17 workers"
        field.fill("-3")
        field.press("Enter")
        page.get_by_role("alert").get_by_text("clerks: -3 workers is out of range").wait_for()
        assert field.input_value() == "17 workers"
        assert lab.scenario.pools["clerks"].capacity == 17
        # Letters are not commands of the notebook.
        field.press("d")
        field.press("Escape")
        assert field.input_value() == "17 workers"


def test_what_is_pinned_stands_beside_now_and_is_compared(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        page.get_by_role("textbox", name="Name").fill("two clerks")
        page.get_by_role("button", name="Pin this run").click()
        runs = page.get_by_role("region", name="Runs").get_by_role("listitem")
        runs.nth(1).wait_for()
        page.get_by_role("slider", name="clerks").focus()
        page.keyboard.press("End")
        settled(page)
        comparison = page.get_by_role("region", name="Comparison")
        comparison.get_by_text("▼ less").first.wait_for()
        assert comparison.get_by_role("columnheader").nth(1).inner_text() == "two clerks"
        assert page.locator("[data-chart=sojourn] .datum.run-1").count() == 3
        page.get_by_label("Follow one state").select_option("checking")
        page.locator("[data-chart=occupancy] .legend", has_text="two clerks").wait_for()
        page.get_by_role("button", name="Turn to").click()
        page.get_by_text("Everything stands as in the files.").wait_for()
        page.get_by_role("button", name="Unpin").click()
        runs.nth(1).wait_for(state="detached")
        assert lab.pinned == {}


def test_a_limit_that_is_turned_has_its_verdicts_asked_anew(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        page.get_by_text("Times and limits").click()
        page.get_by_role("slider", name="received may last").focus()
        page.keyboard.press("Home")
        settled(page)
        page.get_by_role("list", name="Verdicts", exact=True).get_by_text("sound: holds").wait_for()
        assert not lab.tuning.unjudged
        assert lab.workflow.state("received").timeout != claims().state("received").timeout


def test_an_error_of_a_setting_is_told_and_the_charts_before_stay(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        before = utilisation(page)
        page.get_by_text("Failures and retries").click()
        for error in ("Network", "Unreadable"):
            field = page.get_by_role("textbox", name=f"check fails with {error}, exactly")
            field.fill("80 %")
            field.press("Enter")
        page.get_by_role("alert").get_by_text(
            "add up to 1.6, more than 1. The charts are of earlier settings."
        ).wait_for()
        page.locator(".head .status", has_text="of earlier settings").wait_for()
        assert utilisation(page) == before
        page.get_by_role("button", name="Reset all").click()
        page.get_by_role("alert").wait_for(state="detached")


def test_a_state_in_the_drawing_is_followed_in_the_chart(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        page.get_by_role("button", name="Drawing").click()
        page.locator("svg .n[data-id='state:checking']").click()
        page.get_by_text("Cases in checking over time").wait_for()
        assert violations(page) == []
        page.get_by_role("button", name="Drawing").click()
        page.locator("svg .n[data-id='state:checking']").wait_for(state="detached")


def test_each_chart_has_a_table_with_the_same_numbers(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab) as page:
        charts = page.locator("figure.chart")
        for k in range(5):
            charts.nth(k).get_by_text("Table", exact=True).click()
        used = page.locator("[data-chart=utilisation] tbody tr").inner_text()
        value = page.locator("[data-chart=utilisation] .datum text").text_content()
        assert value is not None
        assert value.split(" ")[0] in used
        assert page.locator("[data-chart=occupancy] tbody tr").count() == 10


def test_hostile_names_are_texts_and_nothing_else(browser: Browser) -> None:
    bad = "<img src=x onerror=alert(1)>"
    pool, state = f"{bad} pool", f"{bad} state"
    workflow = wf.Workflow(
        name=bad,
        initial_state=state,
        activities={bad: {"pool": pool, "timeout": "1h"}},
        states=[{"name": state, "activity": bad}, {"name": "__proto__", "is_terminal": True}],
        transitions=[{"from": state, "to": "__proto__", "event": "done"}],
    )
    plan = {"cases": 20, "pools": {pool: {"capacity": 1}}, "activities": {bad: {"duration": "1m", "result": None}}}
    lab = wf.Lab(workflow, wf.Scenario.model_validate(plan))
    lab.tuning.wait()
    lab.tuning.pin(bad)
    with page_with(browser, lab) as page:
        page.get_by_role("slider", name=pool).focus()
        page.keyboard.press("ArrowRight")
        page.locator(".knob.turned").wait_for()
        page.get_by_label("Follow one state").select_option(state)
        page.locator("[data-chart=occupancy] .legend", has_text=bad).wait_for()
        assert page.locator(".lab img").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser: Browser, lab: wf.Lab, dark: bool) -> None:
    lab.tuning.pin("before")
    lab.tuning.turn("pools.clerks.capacity", 1)
    lab.tuning.wait()
    with page_with(browser, lab, dark=dark) as page:
        for group in ("Times and limits", "Failures and retries", "Outage"):
            page.locator("summary", has_text=group).click()
        page.get_by_role("region", name="Comparison").get_by_role("row").nth(1).wait_for()
        page.locator("figure.chart").first.get_by_text("Table", exact=True).click()
        assert violations(page) == []


def test_controls_are_large_enough_and_nothing_runs_over_on_a_narrow_page(browser: Browser, lab: wf.Lab) -> None:
    with page_with(browser, lab, width=420) as page:
        page.locator("summary", has_text="Outage").click()
        boxes = "(all) => all.map((each) => each.getBoundingClientRect()).map((box) => Math.min(box.width, box.height))"
        sizes = page.locator(".lab :is(button, select, input, summary):visible").evaluate_all(boxes)
        assert min(sizes) >= 24
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_saved_page_shows_the_last_figures_without_python(browser: Browser, lab: wf.Lab) -> None:
    text = lab.to_html()
    page = browser.new_page()
    page.set_content(text)
    page.locator("[data-chart=utilisation] .datum").wait_for()
    assert page.get_by_role("slider", name="clerks").is_disabled()
    page.close()
