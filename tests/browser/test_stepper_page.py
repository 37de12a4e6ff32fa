"""The stepper and the token game on a page of a browser, clicked and typed into, without Jupyter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import wfsim as wf
from tests.browser.harness import checked_page, focused, page_with, violations
from tests.language import PAGE, catalogue
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.properties import verify

if TYPE_CHECKING:
    from playwright.sync_api import Browser

APPROVAL = {"requester": "Ada", "amount": 500}
ORDER = {"order_id": "o1", "total_amount": 12, "currency": "EUR", "items": ["book"]}
HEAD = "[role=status]"


def approval() -> Any:
    return wf.Stepper(wf.new("approval"), APPROVAL)


def order() -> Any:
    return wf.Stepper(wf.load("models/order_processing.yaml"), ORDER)


def test_a_click_on_an_arrow_fires_it(browser: Browser) -> None:
    stepper = approval()
    with page_with(browser, stepper) as page:
        page.locator("svg .e.live", has_text="approve").first.locator("text").click()
        page.locator(HEAD, has_text="completed (success)").wait_for()
        assert stepper.stepping.state == {"": "approved"}
        page.locator("svg .n.active[data-id='state:approved']").wait_for()
        assert page.locator("svg .n.visited[data-id='state:requested']").count() == 1


def test_the_keyboard_walks_the_drawing_fires_and_keeps_the_focus(browser: Browser) -> None:
    stepper = approval()
    with page_with(browser, stepper) as page:
        page.locator("svg [tabindex='0']").first.focus()
        assert focused(page) == "state:requested"
        for _ in range(12):
            if focused(page) == "transition:3":
                break
            page.keyboard.press("ArrowDown" if focused(page) == "state:requested" else "ArrowRight")
        assert focused(page) == "transition:3"
        page.keyboard.press("Enter")
        page.locator(HEAD, has_text="completed").wait_for()
        assert focused(page) == "transition:3"
        assert stepper.stepping.status == "completed"


def test_a_button_at_its_end_keeps_the_focus_and_does_nothing(browser: Browser) -> None:
    stepper = approval()
    with page_with(browser, stepper) as page:
        back = page.get_by_role("button", name="Back")
        back.focus()
        page.keyboard.press("Enter")
        page.locator("text=step 0 of 1").wait_for()
        assert back.get_attribute("aria-disabled") == "true"
        page.keyboard.press("Enter")
        assert focused(page) == "Back"
        page.get_by_role("button", name="Forward").click()
        page.locator("text=step 1 of 1").wait_for()


def test_the_focus_of_an_action_that_is_gone_goes_to_the_next_one(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        page.locator("[data-action='event:order_validated']").focus()
        page.keyboard.press("Enter")
        page.locator("[data-action='activity:1:start']").wait_for()
        page.wait_for_function("document.activeElement.dataset.action === 'activity:1:start'")


def test_the_slider_has_a_name_and_jumps(browser: Browser) -> None:
    stepper = order()
    for action in ("event:order_validated", "activity:1:start", "activity:1:succeed"):
        assert stepper.stepping.do(action)
    with page_with(browser, stepper) as page:
        slider = page.get_by_role("slider", name="Step")
        assert slider.get_attribute("aria-valuetext") == "step 4 of 4: validate_order succeeds"
        slider.focus()
        page.keyboard.press("Home")
        page.locator("text=step 0 of 4").wait_for()
        page.get_by_role("button", name="2. event order_validated").click()
        page.locator("text=step 2 of 4").wait_for()
        assert stepper.stepping.cursor == 2


def test_why_not_stays_open_over_steps(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        page.locator("summary", has_text="Why not the others").click()
        page.locator("dd", has_text="No transition leaves 'created'").first.wait_for()
        page.locator("[data-action='event:order_validated']").click()
        page.locator("[data-action='activity:1:start']").wait_for()
        page.locator("details[open] summary", has_text="Why not the others").wait_for()
        assert page.locator("dd:visible").count() > 3


def test_values_and_a_delay_are_typed_and_a_wrong_one_is_explained_and_stays(browser: Browser) -> None:
    stepper = wf.Stepper(wf.load("models/order_processing.yaml"))
    with page_with(browser, stepper) as page:
        page.get_by_label("items").fill("book, pen")
        page.locator("[data-action=start]").click()
        page.get_by_role("alert").get_by_text("is not a list").wait_for()
        assert page.get_by_label("items").input_value() == "book, pen"
        page.get_by_label("items").fill('["book"]')
        page.locator("[data-action=start]").click()
        page.locator(HEAD, has_text="running").wait_for()
        assert page.get_by_role("alert").count() == 0
        page.get_by_label("takes").fill("3h")
        page.locator("[data-action='event:order_cancelled']").click()
        page.locator(HEAD, has_text="3:00:00").wait_for()


def test_a_witness_plays_from_its_beginning_to_its_end_with_its_reason_on_top(browser: Browser) -> None:
    report = verify(wf.load("models/published/order_processing.yaml"))
    verdict = next(one for one in report if one.witness is not None and one.witness.kind == "workflow")
    stepper = wf.Stepper(verdict.witness)
    with page_with(browser, stepper) as page:
        page.locator("text=step 0 of").wait_for()
        assert verdict.reason[:40] in page.locator(".why").inner_text()
        assert page.locator("svg .problem, svg .lit-problem").count() >= 1
        page.get_by_label("speed").select_option("5")
        page.get_by_role("button", name="Play").click()
        page.locator(".stopped", has_text="the end").wait_for()
        page.get_by_role("button", name="Play").wait_for()
        assert stepper.stepping.cursor == len(stepper.stepping.steps)


def test_playing_stops_at_a_breakpoint_set_by_keyboard_on_the_drawing(browser: Browser) -> None:
    stepper = order()
    with page_with(browser, stepper) as page:
        page.locator("[data-id='state:payment_pending']").focus()
        page.keyboard.press("b")
        page.locator("[data-id='state:payment_pending'] .mark").wait_for()
        page.get_by_label("speed").select_option("5")
        page.get_by_role("button", name="Play").click()
        page.locator(".stopped", has_text="breakpoint payment_pending").wait_for()
        assert stepper.stepping.state == {"": "payment_pending"}


def test_two_ways_stand_side_by_side(browser: Browser) -> None:
    with page_with(browser, approval()) as page:
        page.locator("[data-action='event:approve']").click()
        page.locator(HEAD, has_text="completed").wait_for()
        page.get_by_role("button", name="Back").click()
        page.locator("[data-action='event:reject']").click()
        page.locator(".branches").get_by_text("completed (success) in approved").wait_for()
        page.get_by_role("button", name="Go to way 1").click()
        page.locator(HEAD, has_text="approved").wait_for()


def test_the_drawing_is_zoomed_dragged_and_shown_whole(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        layer = page.locator(".drawing svg > g")

        def view() -> list[float]:
            return [float(each) for each in str(layer.get_attribute("transform"))[7:-1].split()]

        page.wait_for_function("document.querySelector('.drawing svg > g').getAttribute('transform')")
        before = view()
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_function(
            f"!document.querySelector('.drawing svg > g').getAttribute('transform').startsWith('matrix({before[0]} ')"
        )
        assert view()[0] == pytest.approx(before[0] * 1.25)
        box = page.locator(".drawing svg").bounding_box()
        assert box is not None
        x, y = box["x"] + 20, box["y"] + 20
        at = view()
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 90, y + 40, steps=5)
        page.mouse.up()
        page.wait_for_function(
            f"!document.querySelector('.drawing svg > g').getAttribute('transform').endsWith(' {at[5]})')"
        )
        assert view()[4] > at[4]
        page.get_by_role("button", name="Whole").click()
        page.wait_for_function(
            "Number(document.querySelector('.drawing svg > g').getAttribute('transform').slice(7).split(' ')[0]) < 0.6"
        )
        page.mouse.move(x, y)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
        page.wait_for_function(
            "Number(document.querySelector('.drawing svg > g').getAttribute('transform').slice(7).split(' ')[0]) > 0.6"
        )


def test_the_drawing_starts_readable_around_the_active_state_and_its_window_does_not_grow(browser: Browser) -> None:
    with page_with(browser, wf.Stepper(wf.to_net(wf.load("models/order_processing.yaml")))) as page:
        before = page.locator(".drawing svg").bounding_box()
        for fired in range(3):
            page.locator("[data-next] button").first.click()
            page.locator(f"text=step {fired + 1} of").wait_for()
        after = page.locator(".drawing svg").bounding_box()
        assert before is not None
        assert after is not None
        assert (before["width"], before["height"]) == (after["width"], after["height"])
        assert after["height"] <= 600
        active = page.locator("svg .n.active:visible").first.bounding_box()
        assert active is not None
        assert after["x"] <= active["x"] <= after["x"] + after["width"]
        assert active["height"] > 12


def test_a_search_goes_to_what_it_finds(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        page.get_by_role("searchbox").fill("refund_over")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.dataset.id === 'state:refund_overdue'")
        assert page.locator("svg .n:not(.dim)[data-id]").count() == 1


def test_the_table_says_and_does_what_the_drawing_does(browser: Browser) -> None:
    stepper = approval()
    with page_with(browser, stepper) as page:
        page.get_by_role("button", name="Table").click()
        row = page.get_by_role("row", name=re.compile("^requested"))
        assert "active" in row.inner_text()
        row.get_by_role("button", name="approve").click()
        page.locator(HEAD, has_text="completed").wait_for()
        assert violations(page) == []


def test_a_region_is_collapsed_and_opened(browser: Browser) -> None:
    stepper = wf.Stepper(wf.load("models/order_fulfilment.yaml"))
    with page_with(browser, stepper) as page:
        inside = page.locator("svg .n[data-id*='/']").count()
        assert inside > 1
        page.locator(".toggle").first.focus()
        page.keyboard.press("Enter")
        page.locator(".f.closed").first.wait_for()
        assert page.locator("svg .n[data-id*='/']").count() < inside


def test_a_neighbourhood_is_shown_and_follows_what_has_the_focus(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        drawn = page.locator("svg .n[data-id]:not(.tag)")
        everything = drawn.count()
        page.get_by_label("Show", exact=True).select_option("1 step around")
        page.wait_for_function("(n) => document.querySelectorAll('svg .n[data-id]').length < n", arg=everything)
        # What is active, unless something has the focus.
        names = {str(each) for each in drawn.evaluate_all("(all) => all.map((each) => each.dataset.id)")}
        assert names == {"state:created", "state:validated", "state:cancelled"}
        page.locator("svg [data-id='state:created']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.locator("svg [data-id='state:payment_pending']").wait_for()
        assert focused(page) == "state:validated"
        # A search finds what is not shown, and shows it.
        page.get_by_role("searchbox").fill("delivered")
        page.keyboard.press("Enter")
        page.wait_for_function("document.activeElement.dataset.id?.includes('delivered')")
        assert page.locator("svg [data-id='state:created']").count() == 0
        assert violations(page) == []
        page.get_by_label("Show", exact=True).select_option("everything")
        page.locator("svg [data-id='state:created']").wait_for(state="attached")
        assert drawn.count() == everything


def test_an_edge_that_is_cut_fires_at_its_tag_which_leads_to_where_it_goes(browser: Browser) -> None:
    chain = range(12)
    states = [{"name": f"step_{k}"} for k in chain] + [{"name": end, "is_terminal": True} for end in ("done", "off")]
    ahead = [{"from": f"step_{k}", "to": f"step_{k + 1}" if k < 11 else "done", "event": "go"} for k in chain]
    hub = [{"from": f"step_{k}", "to": "off", "event": "cancel"} for k in chain]
    workflow = wf.Workflow(name="hub", initial_state="step_0", states=states, transitions=ahead + hub)
    with page_with(browser, wf.Stepper(workflow)) as page:
        assert page.locator("svg .tag").count() == 13
        page.locator("svg .tag", has_text="off").first.click()
        assert focused(page) == "state:off"
        page.locator("svg .e.live", has_text="cancel").locator("text").click()
        page.locator("svg .n.active[data-id='state:off']").wait_for()
        assert page.locator("svg .tag.active", has_text="off").count() == 1
        assert violations(page) == []


def test_the_net_beside_follows_and_shares_the_selection(browser: Browser) -> None:
    with page_with(browser, approval()) as page:
        page.get_by_role("button", name="Net beside").click()
        net = page.locator(".drawing").nth(1)
        net.locator(".n.active[data-id='requested']").wait_for()
        page.locator(".drawing").nth(0).locator("[data-id='state:approved']").focus()
        net.locator(".n.selected[data-id='approved']").wait_for()
        page.locator("[data-action='event:approve']").click()
        net.locator(".n.active[data-id='approved']").wait_for()


def test_a_token_game_is_played_on_its_drawing(browser: Browser) -> None:
    net = wf.PetriNet("mail", ["draft", "sent"], ["send"], [("draft", "send"), ("send", "sent")], {"draft": 2})
    game = wf.Stepper(net)
    with page_with(browser, game) as page:
        assert page.locator("[data-id=draft] .token").count() == 2
        page.locator("[data-id=send]").click()
        page.locator("[data-id=sent] .token").wait_for()
        assert game.marking.to_dict() == {"draft": 1, "sent": 1}
        assert violations(page) == []


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_keeps_people_out(browser: Browser, dark: bool) -> None:
    stepper = order()
    assert stepper.stepping.do("event:order_validated")
    stepper.stepping.back()
    assert stepper.stepping.do("event:order_cancelled", reason="x")
    stepper.stepping.back()
    with page_with(browser, stepper, dark=dark) as page:
        for summary in page.locator("summary").all():
            if summary.is_visible():
                summary.click()
        assert violations(page) == []
        for button in page.locator(".wfsim-live button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24


def test_who_wants_no_motion_gets_none(browser: Browser) -> None:
    duration = "getComputedStyle(document.querySelector('.wfsim-live svg .n .body')).transitionDuration"
    with page_with(browser, approval()) as page:
        assert page.evaluate(duration) != "0s"
        page.emulate_media(reduced_motion="reduce")
        assert page.evaluate(duration) == "0s"


def test_a_step_is_announced_and_all_of_the_drawing_has_names(browser: Browser) -> None:
    with page_with(browser, order()) as page:
        assert page.locator(HEAD).get_attribute("aria-live") == "polite"
        names = page.locator("svg [data-id]").evaluate_all(
            "(all) => all.map((each) => each.getAttribute('aria-label'))"
        )
        assert all(names)
        assert any("Enter: order_validated" in each for each in names)


BAD = "<img src=x onerror=alert(1)>\"'&</script>{{x}}`${1}`"


def test_text_of_a_workflow_is_never_markup(browser: Browser) -> None:
    workflow = Workflow.model_validate(
        {
            "name": BAD,
            "initial_state": BAD,
            "variables": {"v": {"initial": "</td>" + BAD.replace("${1}", ""), "input": True}},
            "events": {BAD: {"payload": {"p": "string"}}},
            "activities": {BAD: {}},
            "states": [{"name": BAD, "activity": BAD, "timeout": "1h"}, {"name": f"{BAD}2", "is_terminal": True}],
            "transitions": [{"from": BAD, "to": f"{BAD}2", "event": BAD, "condition": "event.p == context.v"}],
        }
    )
    stepper = wf.Stepper(workflow, {"v": BAD})
    with page_with(browser, stepper) as page:
        page.get_by_label("p", exact=True).fill(BAD)
        page.locator("[data-action^='event:']").click()
        page.locator(HEAD, has_text="completed").wait_for()
        page.get_by_role("button", name="Table").click()
        assert page.locator("#at img, #at script").count() == 0
        assert BAD in page.locator(HEAD).inner_text()


def test_a_saved_page_goes_through_all_steps_without_python_or_network(browser: Browser, tmp_path: Path) -> None:
    stepper = approval()
    assert stepper.stepping.do("event:approve")
    stepper.to_html(tmp_path / "run.html")
    with checked_page(browser) as page:
        page.goto((tmp_path / "run.html").as_uri())
        page.locator(HEAD, has_text="completed (success)").wait_for()
        page.get_by_role("button", name="Back").click()
        page.locator("svg .n.active[data-id='state:requested']").wait_for()
        page.get_by_role("button", name="Play").click()
        page.locator("svg .n.active[data-id='state:approved']").wait_for()
        assert page.locator("[data-action]").count() == 0
        assert violations(page, "#wfsim") == []


def test_instances_that_talk_are_shown_one_at_a_time_on_one_timeline(browser: Browser) -> None:
    known = catalogue(PAGE.read_text(encoding="utf-8"))
    guest, kitchen = known.get("guest"), known.get("kitchen")
    inputs = {"ada": {"me": "ada", "table": 7}, "kitchen": {"table": 7}}
    stepper = wf.Stepper({"ada": guest, "kitchen": kitchen}, inputs)
    with page_with(browser, stepper) as page:
        page.locator("[data-action='event:choose']").click()
        page.get_by_role("button", name="kitchen: cooking").click()
        page.locator("svg .n.active[data-id='state:cooking']").wait_for()
        page.get_by_role("button", name="Back").click()
        page.locator("svg .n.active[data-id='state:waiting']").wait_for()
        page.get_by_role("button", name="ada: hungry").wait_for()
        assert violations(page) == []
