"""The stepper as widgets, used by its buttons and fields."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import StartRefused
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, loads
from wfsim.verification.workflows.properties import verify
from wfsim.widgets.stepper import Stepper

APPROVAL = {"requester": "Ada", "amount": 500}
KINDS = """
name: kinds
initial_state: a
variables:
  mode: {type: string, input: true, values: [fast, slow]}
  level: {type: integer, input: true, initial: 2}
events:
  all:
    payload:
      text: string
      whole: integer
      real: number
      sure: boolean
      maybe: {type: boolean, optional: true}
      list: list
      more: {optional: true}
states: [{name: a}, {name: b, is_terminal: true}]
transitions: [{from: a, to: b, event: all}]
"""
VOID = {"br", "rect", "path", "circle", "input"}


class Nesting(HTMLParser):
    """Tags that are open, and every tag and text seen."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def html(stepper: Stepper) -> str:
    """All HTML that the stepper shows."""
    return "".join(
        getattr(stepper, part).value for part in ("_head", "_picture", "_problem", "_variables", "_history", "_why_not")
    )


def read(stepper: Stepper) -> Nesting:
    parser = Nesting()
    parser.feed(html(stepper))
    parser.close()
    assert parser.open == []
    return parser


def test_a_click_on_an_event_moves_the_instance() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    assert stepper.stepping.state == {"": "requested"}
    stepper.button("event:approve").click()
    assert stepper.stepping.state == {"": "approved"}
    assert "<b>approved</b>" in stepper._head.value
    assert 'class="node active" data-id="state:approved"' in stepper._picture.value


def test_fields_bring_the_payload() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    stepper.field("event:reject", "reason").value = "too dear"
    stepper.button("event:reject").click()
    assert stepper.stepping.instance.variables["reason"] == "too dear"
    assert "was null" in stepper._variables.value
    assert "wf-changed" in stepper._variables.value


def test_every_type_has_the_field_that_suits_it() -> None:
    stepper = Stepper(loads(KINDS))
    assert type(stepper.field("start", "mode")).__name__ == "Dropdown"
    stepper.button("start").click()
    kinds = {name: type(field).__name__ for name, field in stepper._rows["event:all"].fields.items()}
    assert kinds == {
        "text": "Text",
        "whole": "IntText",
        "real": "FloatText",
        "sure": "Checkbox",
        "maybe": "Dropdown",
        "list": "Text",
        "more": "Text",
    }
    stepper.field("event:all", "list").value = "[1, "
    stepper.button("event:all").click()
    assert stepper.stepping.state == {"": "a"}
    stepper.field("event:all", "list").value = "[1, 2]"
    stepper.field("event:all", "sure").value = True
    stepper.button("event:all").click()
    payload = stepper.stepping.steps[-1].stimulus.payload
    assert payload == {"text": "text-1", "whole": 1, "real": 1.0, "sure": True, "list": [1, 2]}


def test_an_error_is_shown_and_what_was_typed_stays() -> None:
    stepper = Stepper(load("models/order_processing.yaml"))
    stepper.field("start", "items").value = "book, pen"
    stepper.button("start").click()
    assert "book, pen&#x27; is not a list" in stepper._problem.value
    assert stepper._problem.layout.display is None
    assert stepper.field("start", "items").value == "book, pen"
    stepper.field("start", "items").value = '["book"]'
    stepper.button("start").click()
    assert stepper._problem.layout.display == "none"
    assert stepper.stepping.status == "running"


def test_buttons_that_cannot_be_used_say_why() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), _order())
    shipped = stepper.button("event:order_shipped")
    assert shipped.disabled
    assert shipped.tooltip.startswith("Not now: no transition leaves 'created' on 'order_shipped'")
    assert stepper.field("event:order_shipped", "shipment_id").layout.display == "none"
    validated = stepper.button("event:order_validated")
    assert (validated.disabled, validated.tooltip) == (False, "Takes 'created → validated on order_validated'.")
    # Those who cannot hover read the same below.
    assert "leaves &#x27;created&#x27;" in stepper._why_not.value


def test_activities_and_timers_have_buttons() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), _order())
    stepper.button("event:order_validated").click()
    stepper.button("activity:1:start").click()
    stepper.field("activity:1:fail", "error_type").value = "Rejected"
    stepper.button("activity:1:fail").click()
    assert stepper.stepping.state == {"": "cancelled"}
    stepper.stepping.jump(1)
    stepper.refresh()
    stepper.button("timer:timeout").click()
    assert stepper.stepping.instance.time == 86_400_000_000


def test_back_forward_and_the_slider_move_in_time() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    stepper.button("event:approve").click()
    assert (stepper._jump.max, stepper._jump.value, stepper._forward.disabled) == (2, 2, True)
    stepper._back.click()
    assert (stepper.stepping.cursor, stepper._jump.value, stepper._forward.disabled) == (1, 1, False)
    stepper._jump.value = 0
    assert (stepper.stepping.status, stepper._back.disabled) == ("created", True)
    stepper._forward.click()
    stepper._forward.click()
    assert stepper.stepping.state == {"": "approved"}
    stepper._jump.value = 1
    stepper.button("event:reject").click()
    assert (stepper._jump.max, stepper.stepping.state) == (2, {"": "rejected"})


def test_a_button_stays_the_same_while_its_action_is_there() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), _order())
    button, boxes = stepper.button("event:order_cancelled"), stepper._sections["event"].children[1].children
    stepper.button("event:order_validated").click()
    assert stepper.button("event:order_cancelled") is button
    assert stepper._sections["event"].children[1].children == boxes
    assert button.disabled


def test_a_witness_opens_and_another_can_be_loaded() -> None:
    report = verify(load("models/published/order_processing.yaml"))
    first, second = [v.witness for v in report if v.witness is not None and v.witness.kind == "workflow"][:2]
    stepper = Stepper(first)  # type: ignore[arg-type]
    assert stepper.stepping.cursor == len(first)
    assert stepper.load(second)  # type: ignore[arg-type]
    assert (stepper._jump.max, stepper._jump.value) == (len(second), len(second))
    assert not stepper.load("nothing")  # type: ignore[arg-type]
    assert "there is no stepping through a str" in stepper._problem.value
    assert stepper.stepping.cursor == len(second)


def test_bad_input_is_refused_at_once() -> None:
    with pytest.raises(StartRefused):
        Stepper(wf.new("approval"), {"requester": 3})


def test_the_picture_follows_the_active_state_or_is_shown_whole() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), _order())
    follow = stepper._picture.value
    assert "wf-window" in follow
    assert "margin-top:0px" in follow
    for action in ("event:order_validated", "activity:1:start", "activity:1:succeed", "event:payment_initiated"):
        stepper.button(action).click()
    stepper.button("activity:2:start").click()
    stepper.button("activity:2:succeed").click()
    stepper.button("event:payment_completed").click()
    assert "margin-top:-" in stepper._picture.value
    stepper._view.value = "whole"
    assert "wf-whole" in stepper._picture.value


def test_text_of_a_workflow_is_never_markup() -> None:
    bad = "<img src=x onerror=alert(1)>\"'&"
    workflow = Workflow.model_validate(
        {
            "name": bad,
            "initial_state": bad,
            "variables": {"v": {"initial": f"</td>{bad}", "input": True}},
            "events": {bad: {"payload": {"p": "string"}}},
            "activities": {bad: {}},
            "states": [{"name": bad, "activity": bad, "timeout": "1h"}, {"name": f"{bad}2", "is_terminal": True}],
            "transitions": [{"from": bad, "to": f"{bad}2", "event": bad, "condition": "event.p == context.v"}],
        }
    )
    stepper = Stepper(workflow, {"v": bad})
    stepper.field(f"event:{bad}", "p").value = f"</script>{bad}"
    stepper.button(f"event:{bad}").click()
    stepper.stepping.do(f"event:{bad}", x=1)
    stepper.refresh()
    seen = read(stepper)
    assert "img" not in seen.tags
    assert "script" not in seen.tags
    assert bad in seen.text
    assert stepper.button(f"event:{bad}").description == bad


def test_all_html_is_well_formed_at_every_step() -> None:
    report = verify(load("models/published/order_processing.yaml"))
    for verdict in report:
        if verdict.witness is not None and verdict.witness.kind == "workflow":
            stepper = Stepper(verdict.witness)  # type: ignore[arg-type]
            for cursor in range(len(verdict.witness) + 1):
                stepper._jump.value = cursor
                assert f"step {cursor} of {len(verdict.witness)}" in read(stepper).text
            return
    pytest.fail("no witness to open")


def test_a_workflow_too_large_to_be_drawn_can_still_be_stepped_through() -> None:
    states = [{"name": f"s{k}"} for k in range(450)]
    large = Workflow.model_validate(
        {
            "name": "large",
            "initial_state": "s0",
            "states": states,
            "events": {"go": {}},
            "transitions": [{"from": "s0", "to": "s1", "event": "go"}],
        }
    )
    stepper = Stepper(large)
    stepper.button("event:go").click()
    assert stepper.stepping.state == {"": "s1"}
    assert "cannot be read" in stepper._picture.value
    bundle = stepper._repr_mimebundle_()
    assert "image/svg+xml" not in bundle
    assert "cannot be read" in bundle["text/plain"]


def test_places_without_widgets_show_the_picture_and_one_line() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    bundle = stepper._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(stepper)
    assert repr(stepper) == "<Stepper of 'approval': running in requested, step 1 of 1, time 0:00:00>"
    assert 'class="node active" data-id="state:requested"' in bundle["image/svg+xml"]


def _order() -> dict[str, Any]:
    return {"order_id": "o1", "total_amount": 12, "currency": "EUR", "items": ["book"]}
