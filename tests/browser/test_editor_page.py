"""The editor on a page of a browser: workflows drawn with the keyboard and with the mouse, without Jupyter."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import wfsim as wf
from tests.browser.harness import focused, page_with, violations
from wfsim.widgets.judging import Answer, Judge, Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

    from wfsim.widgets.versions import Version

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "\"'); alert(1)//",
    "__proto__",
    "</script><script>alert(1)</script>",
    "%%{x}%%",
]
SEVEN = """\
name: seven
initial_state: s1
states:
  - {name: s1}
  - {name: s2}
  - {name: s3}
  - {name: s4}
  - {name: s5}
  - {name: s6}
  - {name: s7}
  - {name: cancelled, is_terminal: true}
transitions:
  - {from: s1, event: go, to: s2}
  - {from: s2, event: go, to: s3}
  - {from: s3, event: go, to: s4}
  - {from: s4, event: go, to: s5}
  - {from: s5, event: go, to: s6}
  - {from: s6, event: go, to: s7}
  - {from: s1, event: cancel, to: cancelled}
  - {from: s2, event: cancel, to: cancelled}
  - {from: s3, event: cancel, to: cancelled}
  - {from: s4, event: cancel, to: cancelled}
  - {from: s5, event: cancel, to: cancelled}
  - {from: s6, event: cancel, to: cancelled}
  - {from: s7, event: cancel, to: cancelled}
"""


def drag(page: Page, what: Locator, dx: float, dy: float) -> None:
    x, y = centre(what)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def drawn(page: Page, element: str) -> Locator:
    found = page.locator(f"svg [data-id='{element}']")
    found.wait_for()
    return found


def centre(found: Locator) -> tuple[float, float]:
    box = found.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def said(page: Page, text: str) -> None:
    page.locator(".head .said", has_text=text).wait_for()


def test_a_workflow_is_drawn_with_the_keyboard_alone_and_all_of_it_is_undone(browser: Browser) -> None:
    editor = wf.Editor()
    with page_with(browser, editor) as page:
        drawn(page, "state:start").focus()
        page.keyboard.press("n")
        said(page, "Added state state.")
        assert focused(page) == "state:state"
        page.keyboard.press("F2")
        page.keyboard.type("paid")
        page.keyboard.press("Enter")
        said(page, "Renamed state to paid.")
        assert focused(page) == "state:paid"
        page.keyboard.press("c")
        said(page, "Connect paid to")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert focused(page) == "state:start"
        page.keyboard.press("Enter")
        said(page, "Connected paid to start.")
        assert focused(page) == "transition:2"
        page.keyboard.press("Enter")
        page.keyboard.type("refund")
        page.keyboard.press("Enter")
        said(page, "to refund.")
        assert [str(each) for each in editor.editing.definition.transitions] == [
            "start → paid on next",
            "paid → start on refund",
        ]
        page.keyboard.press("Delete")
        said(page, "Deleted paid → start.")
        assert focused(page) == "state:paid"
        page.keyboard.press("Control+ArrowRight")
        said(page, "Placed paid.")
        page.keyboard.press("Control+ArrowRight")
        assert focused(page) == "state:paid"
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        said(page, "Deleted paid → start.")
        page.keyboard.press("m")
        said(page, "Chosen: paid.")
        page.keyboard.press("r")
        said(page, "Put paid into parallel.")
        assert focused(page) == "state:parallel"
        page.keyboard.press("c")
        page.keyboard.press("Escape")
        said(page, "Put paid into parallel.")
        for undone in ("Deleted", "Set the trigger", "Connected", "Renamed", "Added"):
            page.keyboard.press("Control+z")
            said(page, undone)
            assert focused(page) not in ("BODY", "HTML")
        page.keyboard.press("Control+z")
        page.get_by_role("button", name="Undo", exact=True).and_(page.locator("[aria-disabled=true]")).wait_for()
        assert [state.name for state in editor.editing.definition.states] == ["start"]
        page.keyboard.press("Control+z")
        page.get_by_role("alert", name="").get_by_text("nothing to undo").wait_for()
        page.keyboard.press("Control+y")
        said(page, "Added state state.")


def test_a_workflow_is_drawn_with_the_mouse_dragged_and_undone(browser: Browser) -> None:
    editor = wf.Editor()
    with page_with(browser, editor) as page:
        page.get_by_role("button", name="Add state").click()
        drawn(page, "state:state").dblclick()
        page.get_by_label("New name of state").fill("paid")
        page.keyboard.press("Enter")
        paid = drawn(page, "state:paid")
        start = drawn(page, "state:start")
        # What has the focus is in view, and stays where it is.
        page.wait_for_function("() => document.activeElement.dataset.id === 'state:paid'")
        paid.hover()
        grip = paid.locator(".grip")
        page.mouse.move(*centre(grip))
        page.mouse.down()
        page.mouse.move(*centre(start), steps=4)
        page.mouse.up()
        said(page, "Connected paid to start.")
        x, _ = centre(drawn(page, "state:paid"))
        drag(page, drawn(page, "state:paid"), 80, 40)
        said(page, "Placed paid.")
        assert list(editor.editing.pins) == ["state:paid"]
        moved, _ = centre(drawn(page, "state:paid"))
        assert moved - x == pytest.approx(80, abs=3)
        drawn(page, "state:paid").click()
        page.get_by_label("ends here").select_option("failure")
        page.get_by_role("alert").get_by_text("terminal").or_(
            page.locator(".said", has_text="terminal")
        ).first.wait_for()
        page.get_by_label("timeout").fill("2d")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Place anew").click()
        said(page, "Placed all states anew.")
        while editor.editing.undoable:
            last = editor.editing.number
            page.get_by_role("button", name="Undo", exact=True).click()
            page.wait_for_function("(n) => !document.querySelector('.editor').matches('[aria-busy=true]')", arg=last)
        assert [state.name for state in editor.editing.definition.states] == ["start"]
        assert editor.editing.pins == {}
        assert "Undo" in focused(page)


def test_states_chosen_with_shift_are_put_into_regions_whose_frames_are_selected_and_renamed(browser: Browser) -> None:
    editor = wf.Editor()
    editor.editing.add_state("pick")
    editor.editing.add_state("bill")
    with page_with(browser, editor) as page:
        drawn(page, "state:pick").click(modifiers=["Shift"])
        drawn(page, "state:bill").click(modifiers=["Shift"])
        said(page, "Chosen: pick, bill.")
        page.get_by_role("button", name="Put into regions").click()
        drawn(page, "region:parallel/pick").click()
        page.get_by_label("name", exact=True).fill("picking")
        page.keyboard.press("Enter")
        drawn(page, "region:parallel/picking")
        page.locator(".sheet", has_text="region picking").wait_for()
        drawn(page, "state:parallel/picking/pick").click()
        page.get_by_label("stands in").select_option("workflow")
        drawn(page, "state:pick")
        assert violations(page) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(browser: Browser, name: str) -> None:
    editor = wf.Editor()
    with page_with(browser, editor) as page:
        drawn(page, "state:start").click()
        page.get_by_label("name", exact=True).fill(name)
        page.keyboard.press("Enter")
        said(page, "Renamed start to")
        assert editor.editing.definition.initial_state == name
        page.get_by_label("Declare a new event").fill(name)
        page.keyboard.press("Enter")
        said(page, "Declared event")
        for tab in ("YAML", "Mermaid"):
            page.get_by_role("button", name=tab, exact=True).click()
        page.get_by_label("Mermaid", exact=True).first.wait_for()
        page.locator(
            "section[aria-label='YAML of the workflow'], section[aria-label='The workflow for Mermaid']"
        ).first.wait_for()
        assert page.locator("svg text", has_text=name[:6]).count() > 0
        assert page.locator("img").count() == 0


def test_a_wrong_text_keeps_the_drawing_and_says_the_line_and_a_right_one_is_drawn(browser: Browser) -> None:
    editor = wf.Editor("minimal")
    with page_with(browser, editor) as page:
        page.get_by_role("button", name="YAML", exact=True).click()
        whole = page.locator("section[aria-label='YAML of the workflow']")
        area = whole.locator("textarea")
        area.wait_for()
        text = area.input_value()
        assert text == editor.editing.text
        area.fill(text.replace("to: finished", "to: nowhere"))
        page.keyboard.press("Control+Enter")
        whole.get_by_role("alert").get_by_text("nowhere").wait_for()
        assert ":11: " in whole.get_by_role("alert").inner_text()
        assert "nowhere" in area.input_value()
        assert drawn(page, "state:finished").count() == 1
        area.fill(text.replace("finished", "done_well"))
        whole.get_by_role("button", name="Apply").click()
        drawn(page, "state:done_well")
        assert whole.get_by_role("alert").count() == 0
        drawn(page, "state:done_well").press("F2")
        page.keyboard.type("over")
        page.keyboard.press("Enter")
        drawn(page, "state:over")
        page.wait_for_function(
            "() => document.querySelector('section textarea[rows=\"18\"]').value.includes('name: over')"
        )


def test_what_is_typed_while_a_refused_text_comes_back_is_kept(browser: Browser) -> None:
    with page_with(browser, wf.Editor("minimal")) as page:
        page.get_by_role("button", name="YAML", exact=True).click()
        whole = page.locator("section[aria-label='YAML of the workflow']")
        area = whole.locator("textarea")
        area.wait_for()
        # As soon as the answer is in the page, before it is painted.
        area.evaluate("""(area) => new MutationObserver((_, observer) => {
            if (!area.closest("section").querySelector("[role=alert]")?.textContent.includes("nowhere")) return;
            observer.disconnect();
            area.value = area.value.replace("nowhere", "elsewhere");
            area.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }).observe(area.closest("section"), { subtree: true, childList: true, characterData: true })""")
        area.fill(area.input_value().replace("to: finished", "to: nowhere"))
        page.keyboard.press("Control+Enter")
        whole.get_by_role("alert").get_by_text("nowhere").wait_for()
        whole.get_by_role("button", name="Apply").click()
        whole.get_by_role("alert").get_by_text("elsewhere").wait_for()
        assert "to: elsewhere" in area.input_value()


def test_names_are_completed_and_wrong_properties_told_with_their_line(browser: Browser) -> None:
    editor = wf.Editor("order")
    with page_with(browser, editor) as page:
        drawn(page, "state:shipped").click()
        area = page.get_by_label("state shipped as YAML", exact=True)
        area.wait_for()
        area.focus()
        page.keyboard.press("Control+End")
        page.keyboard.type("meta")
        page.keyboard.press("Control+Space")
        page.keyboard.type("{owner: us}\nactivity: refund_c")
        page.get_by_role("button", name="refund_card").last.wait_for()
        page.keyboard.press("Control+Space")
        page.keyboard.press("Control+Enter")
        said(page, "Changed state shipped.")
        shipped = editor.editing.definition.state("shipped")
        assert shipped.metadata == {"owner": "us"}
        assert shipped.activity is not None
        assert shipped.activity.name == "refund_card"
        page.get_by_label("state shipped as YAML", exact=True).fill("name: shipped\ntimeout: soon")
        page.keyboard.press("Control+Enter")
        page.locator(".sheet .completing").get_by_role("alert").get_by_text("state shipped:2:").wait_for()
        # The line is selected, and its key explained.
        page.wait_for_function(
            "() => document.activeElement.value.slice(document.activeElement.selectionStart) === 'timeout: soon'"
        )
        page.locator(".sheet .completing").get_by_text("timeout: How long it may be active").wait_for()
        assert page.get_by_label("state shipped as YAML", exact=True).input_value() == "name: shipped\ntimeout: soon"


def test_what_a_field_cannot_hold_is_told_below_it(browser: Browser) -> None:
    editor = wf.Editor("order")
    with page_with(browser, editor) as page:
        drawn(page, "state:shipped").click()
        page.get_by_label("timeout", exact=True).fill("soon")
        page.keyboard.press("Enter")
        page.locator(".field:has(input[aria-invalid=true]) + .problem", has_text="soon").wait_for()
        assert page.get_by_role("alert").count() == 1
        page.get_by_label("Declare a new variable").fill("total")
        page.keyboard.press("Enter")
        page.get_by_role("group", name="Declared: variable").get_by_role("alert").get_by_text("already").wait_for()
        assert page.get_by_role("alert").count() == 1
        assert violations(page) == []


def test_findings_are_marked_and_lead_to_where_they_are_and_verdicts_follow(browser: Browser) -> None:
    editor = wf.Editor("minimal")
    with page_with(browser, editor) as page:
        page.locator(".verdicts:not(.stale) .holds", has_text="states reachable").wait_for()
        page.get_by_role("button", name="Add state").click()
        lost = drawn(page, "state:state")
        page.locator(".verdicts:not(.stale) .violated", has_text="states reachable").wait_for()
        assert lost.locator(".mark").count() == 1
        assert "state-unreachable" in (lost.get_attribute("aria-label") or "")
        drawn(page, "state:waiting").click()
        page.locator(".sheet", has_text="state waiting").wait_for()
        page.locator(".wrong button", has_text="state-unreachable").click()
        page.locator(".sheet", has_text="state state").wait_for()
        page.get_by_role("button", name="Undo", exact=True).click()
        page.locator(".verdicts:not(.stale) .holds", has_text="states reachable").wait_for()


def test_a_drawing_keeps_its_width_when_verdicts_come(browser: Browser) -> None:
    editor = wf.Editor("minimal")
    editor.editing.wait()
    known = threading.Event()

    def slow(version: Version, outdated: Callable[[], bool]) -> Iterator[Judged]:
        assert known.wait(60)
        yield Judged(answers=tuple(Answer(f"question {k}", "holds", "") for k in range(9)))

    editor.editing._judge = Judge(slow)
    editor.editing.add_state("more")
    with page_with(browser, editor) as page:
        page.locator(".verdicts.stale", has_text="checking").wait_for()
        before = page.locator(".drawing").bounding_box()
        known.set()
        page.locator(".verdicts:not(.stale)", has_text="question 8").wait_for()
        assert page.locator(".drawing").bounding_box() == before


@pytest.mark.parametrize("dark", [False, True])
def test_an_editor_can_be_used_by_everybody(browser: Browser, dark: bool) -> None:
    editor = wf.Editor(wf.load("models/order_fulfilment.yaml"))
    editor.editing.add_state("lost")
    with page_with(browser, editor, dark=dark) as page:
        for element in ("state:placed", "transition:1", "region:fulfilling/goods"):
            drawn(page, element).focus()
            page.locator(".sheet", has_text=element.partition(":")[0]).wait_for()
            assert violations(page) == []
        page.get_by_role("button", name="Mermaid", exact=True).click()
        page.get_by_role("button", name="Copy as Mermaid").click()
        page.get_by_text("Copied.").or_(page.get_by_text("Selected: copy it")).first.wait_for()
        assert violations(page) == []


def test_edges_that_are_cut_end_at_tags_which_move_with_their_state(browser: Browser) -> None:
    with page_with(browser, wf.Editor(wf.loads(SEVEN))) as page:
        assert page.locator("svg .tag").count() == 8
        assert page.locator("svg .tag").first.locator("text").text_content() != ""
        tag = page.locator("svg .tag").filter(has_text="cancelled").first
        before = centre(tag)
        drag(page, drawn(page, "state:s1"), -60, 0)
        said(page, "Placed s1.")
        assert centre(tag)[0] - before[0] == pytest.approx(-60, abs=3)


def test_a_frame_grows_round_a_state_that_is_dragged_out_of_it(browser: Browser) -> None:
    editor = wf.Editor()
    editor.editing.nest([editor.editing.add_state("pick")])
    with page_with(browser, editor) as page:
        frame = page.locator("[data-group='region:parallel/pick'] > rect").first
        before = frame.bounding_box()
        state = drawn(page, "state:parallel/pick/pick")
        drag(page, state, 120, 60)
        said(page, "Placed parallel/pick/pick.")
        after, inside = frame.bounding_box(), state.bounding_box()
        assert before is not None
        assert after is not None
        assert inside is not None
        assert after["x"] == pytest.approx(before["x"] + 120, abs=3)
        assert inside["x"] + inside["width"] < after["x"] + after["width"]
        assert inside["y"] + inside["height"] < after["y"] + after["height"]


def test_a_frame_is_dragged_by_its_name_with_all_that_is_in_it(browser: Browser) -> None:
    editor = wf.Editor()
    editor.editing.nest([editor.editing.add_state("pick")])
    with page_with(browser, editor) as page:
        state = drawn(page, "state:parallel/pick/pick")
        x, y = centre(state)
        drag(page, drawn(page, "state:parallel"), 90, 30)
        said(page, "Placed parallel.")
        assert centre(state) == pytest.approx((x + 90, y + 30), abs=3)
        drawn(page, "region:parallel/pick").focus()
        page.keyboard.press("Control+ArrowRight")
        said(page, "Placed parallel/pick.")
        assert centre(state)[0] == pytest.approx(x + 106, abs=3)
        assert list(editor.editing.pins) == ["state:parallel", "region:parallel/pick"]


def test_an_end_of_a_transition_is_dragged_or_chosen_and_leads_elsewhere(browser: Browser) -> None:
    editor = wf.Editor("order")
    with page_with(browser, editor, height=1200) as page:
        page.get_by_role("button", name="Whole").click()
        drawn(page, "transition:7").focus()
        page.locator(".sheet", has_text="transition paid → refunding on cancel").wait_for()
        head = page.locator(".grip[data-end='target']")
        to, at = centre(drawn(page, "state:cancelled")), centre(head)
        drag(page, head, to[0] - at[0], to[1] - at[1])
        said(page, "Led paid → refunding from paid to cancelled.")
        assert str(editor.editing.definition.transitions[6]) == "paid → cancelled on cancel"
        page.locator(".field:has(span:text-is('from')) select").select_option("shipped")
        said(page, "Led paid → cancelled from shipped to cancelled.")
        page.locator(".field:has(span:text-is('to')) select").select_option("nowhere: nothing is left")
        said(page, "Led shipped → cancelled from shipped to (nothing).")
        assert violations(page) == []
        page.keyboard.press("Control+z")
        said(page, "to cancelled.")


def test_a_transition_that_shares_its_line_shows_the_line_and_only_it_is_led_elsewhere(browser: Browser) -> None:
    editor = wf.Editor(wf.load("models/order_fulfilment.yaml"))
    with page_with(browser, editor) as page:
        line = page.locator("svg .e", has_text="or cancel_requested").last
        line.focus()
        page.locator(".sheet", has_text="transition fulfilling").wait_for()
        page.get_by_role("group", name="Transitions on this line").get_by_role("button").last.click()
        page.locator(".sheet", has_text="on cancel_requested").wait_for()
        assert "selected" in (line.get_attribute("class") or "")
        before = [str(each) for each in editor.editing.definition.transitions]
        page.locator(".field:has(span:text-is('to')) select").select_option("shipping")
        said(page, "from fulfilling to shipping.")
        now = [str(each) for each in editor.editing.definition.transitions]
        assert [was for was, each in zip(before, now) if was != each] == ["fulfilling → review on cancel_requested"]
