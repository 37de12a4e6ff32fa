"""The stepper as its pages see it, without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest

import wfsim as wf
from wfsim.drawing import layout
from wfsim.errors import StartRefused
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, loads
from wfsim.verification.workflows.properties import verify
from wfsim.widgets.stepper import Stepper

APPROVAL = {"requester": "Ada", "amount": 500}
ORDER = {"order_id": "o1", "total_amount": 12, "currency": "EUR", "items": ["book"]}


class Page:
    """What a page has of a stepper: the scene, patched by each answer."""

    def __init__(self, stepper: Any) -> None:
        self.stepper, self.seq, self.problem = stepper, 0, ""
        self.files: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.scene: dict[str, Any] = {}
        self.ask("hello")

    def ask(self, type: str, **fields: Any) -> dict[str, Any]:
        self.seq += 1
        version = getattr(self, "version", -1)
        # As over the comm: only JSON arrives.
        answer = self.stepper.wire.answer(
            json.loads(json.dumps({**fields, "type": type, "seq": self.seq, "version": version}))
        )
        self.sizes.append(len(json.dumps(answer)))
        self.hear(json.loads(json.dumps(answer)))
        return self.scene

    def do(self, action: str, delay: str = "", **values: str) -> dict[str, Any]:
        return self.ask("do", action=action, values=values, delay=delay)

    def hear(self, answer: dict[str, Any]) -> None:
        self.problem = answer.get("text", answer.get("problem", ""))
        if answer["type"] == "file":
            self.files.append(answer)
        if answer["type"] == "scene":
            self.scene, self.version = answer["scene"], answer["version"]
        if answer["type"] == "patch":
            assert answer["base"] == self.version
            self.version = answer["version"]
            for name, change in answer["changes"].items():
                if isinstance(change, dict) and isinstance(self.scene.get(name), dict):
                    merged = {**self.scene[name], **change}
                    change = {key: value for key, value in merged.items() if value is not None}
                self.scene = {**self.scene, name: change}

    def possible(self, rank: str = "next") -> list[str]:
        actions = [self.scene["actions"][name] for name in self.scene["order"]]
        return [one["id"] for one in actions if one["enabled"] and one["rank"] == rank]


def test_a_click_on_an_arrow_moves_the_instance_and_sends_only_what_changed() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), ORDER)
    page = Page(stepper)
    [arrow] = page.scene["actions"]["event:order_validated"]["at"]
    assert page.scene["picture"]["edges"][int(arrow.split(":")[1])]["source"] == "state:created"
    page.do("event:order_validated")
    page.do("activity:1:start")
    page.do("activity:1:succeed")
    assert stepper.stepping.state == {"": "validated"}
    assert page.scene["lit"]["state:validated"] == "active"
    assert page.scene == stepper.wire.scene()
    assert page.sizes[0] > 20_000
    assert max(page.sizes[1:]) < 8_000


def test_several_steppers_of_a_workflow_lay_it_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []

    def counted(graph: Any) -> Any:
        laid_out.append(graph.title)
        return layout.compute(graph)

    monkeypatch.setattr("wfsim.drawing.picture.compute", counted)
    workflow = load("models/order_processing.yaml").model_copy(update={"name": "laid_out"})
    for _ in range(3):
        Page(Stepper(workflow, ORDER))
    workflow._repr_mimebundle_()
    assert laid_out == ["laid_out 2.0.0"]


def test_everything_that_can_happen_says_where_it_can_be_clicked() -> None:
    page = Page(Stepper(wf.new("approval"), APPROVAL))
    edges = {edge["id"]: edge["label"] for edge in page.scene["picture"]["edges"]}
    places = {name: [edges.get(at, at) for at in one["at"]] for name, one in page.scene["actions"].items()}
    assert places["event:approve"] == ["approve"]
    assert places["timer:timeout"] == ["timeout"]
    assert places["timer:after 1"] == ["after 2d"]
    page.do("event:reject", reason="no")
    assert page.scene["actions"]["activity:1:start"]["at"] == ["state:rejected"]


def test_the_next_steps_come_first_and_a_distant_timeout_last() -> None:
    page = Page(Stepper(load("models/order_processing.yaml"), ORDER))
    assert page.possible() == ["event:order_validated", "event:order_cancelled"]
    assert page.possible("later") == ["timer:timeout", "timer:workflow"]
    assert page.scene["actions"]["timer:workflow"]["due"] == "in 60d"
    enabled = [page.scene["actions"][name]["enabled"] for name in page.scene["order"]]
    assert enabled == sorted(enabled, reverse=True)


def test_what_cannot_happen_says_why() -> None:
    page = Page(Stepper(load("models/order_processing.yaml"), ORDER))
    shipped = page.scene["actions"]["event:order_shipped"]
    assert (shipped["enabled"], shipped["at"], shipped["fields"]) == (False, [], [])
    assert shipped["reason"].startswith("No transition leaves 'created' on 'order_shipped'")
    page.do("event:order_shipped")
    assert "cannot happen now" in page.problem


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


def test_every_type_has_the_field_that_suits_it_and_what_is_typed_is_read_by_type() -> None:
    stepper = Stepper(loads(KINDS))
    page = Page(stepper)
    mode, level = page.scene["actions"]["start"]["fields"]
    assert (mode["choices"], mode["only"], level["value"]) == (["fast", "slow"], True, "2")
    page.do("start")
    fields = {one["name"]: one for one in page.scene["actions"]["event:all"]["fields"]}
    assert fields["sure"]["choices"] == ["true", "false"]
    assert [name for name, one in fields.items() if not one["required"]] == ["maybe", "more"]
    page.do("event:all", list="[1, ")
    assert "list: '[1, ' is not a list" in page.problem
    assert stepper.stepping.state == {"": "a"}
    page.do("event:all", list="[1, 2]", sure="true", maybe="")
    assert page.problem == ""
    payload = stepper.stepping.steps[-1].stimulus.payload
    assert payload == {"text": "text-1", "whole": 1, "real": 1.0, "sure": True, "list": [1, 2]}


def test_a_step_shows_which_variables_it_changed_and_from_what() -> None:
    page = Page(Stepper(wf.new("approval"), APPROVAL))
    page.do("event:reject", reason="too dear")
    assert page.scene["variables"]["reason"] == {"value": '"too dear"', "before": "null", "changed": True}
    assert not page.scene["variables"]["amount"]["changed"]


def test_a_delay_is_chosen_and_timers_count_down() -> None:
    page = Page(Stepper(load("models/order_processing.yaml"), ORDER))
    page.do("event:order_validated", delay="3h")
    assert page.scene["head"]["time"] == "3:00:00"
    rows = {row["name"]: row["value"] for row in _section(page, "Timers")}
    assert rows["workflow timeout"] == "in 59d 21h (at 60d 0:00:00)"
    page.do("activity:1:start", delay="soon")
    assert "soon" in page.problem


def test_a_timer_is_called_by_what_sets_it_off() -> None:
    timed = wf.loads("""
name: timed
version: 1.0.0
initial_state: a
states: [{name: a, timeout: 3h}, {name: z, is_terminal: true}]
transitions:
  - {from: a, event: timeout, to: z}
  - {from: a, after: 2h, to: z}
  - {from: a, at: "1970-01-01T01:00:00Z", to: z}
unhandled: reject
""")
    stepper = Stepper(timed)
    page = Page(stepper)
    page.do("start")
    assert [row["name"] for row in _section(page, "Timers")] == [
        "at 1970-01-01T01:00:00Z in a",
        "after 2h in a",
        "timeout in a",
    ]
    page.do("timer:after 2")
    assert stepper.stepping.steps[-1].title == "timer at 1970-01-01T01:00:00Z in a fires"


def test_attempts_mail_and_items_are_told() -> None:
    page = Page(Stepper(load("models/order_processing.yaml"), ORDER))
    page.do("event:order_validated")
    assert _section(page, "Activities and items") == [
        {"name": "validate_order #1", "value": "attempt 1 of 3, scheduled."}
    ]
    mailing = Workflow(
        name="mailing",
        initial_state="a",
        events={"later": {"unhandled": "defer"}, "go": {}},
        states=[{"name": "a"}, {"name": "b", "for_each": {"items": "${[1, 2]}", "as": "one", "activity": "mail"}}],
        activities={"mail": {}},
        variables={"one": {}},
        transitions=[{"from": "a", "to": "b", "event": "go"}, {"from": "b", "to": "a", "event": "later"}],
    )
    page = Page(Stepper(mailing))
    page.do("event:later")
    assert _section(page, "Mailbox") == [{"name": "1.", "value": "later"}]
    page.ask("jump", to=1)
    page.do("event:go")
    assert [row["value"] for row in _section(page, "Activities and items")] == [
        "attempt 1 of 1, scheduled. For item 0: 1.",
        "attempt 1 of 1, scheduled. For item 1: 2.",
    ]


def test_back_forward_and_jump_move_in_time() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    page = Page(stepper)
    page.do("event:approve")
    page.ask("jump", to=1)
    assert (page.scene["head"]["cursor"], page.scene["head"]["length"]) == (1, 2)
    assert page.scene["lit"]["state:requested"] == "active"
    page.ask("jump", to=0)
    assert page.scene["head"]["status"] == "created"
    page.ask("jump", to=9)
    assert "there is no step 9" in page.problem


def test_what_was_done_before_going_back_is_kept_beside_the_other_way() -> None:
    page = Page(Stepper(wf.new("approval"), APPROVAL))
    page.do("event:approve")
    page.ask("jump", to=1)
    page.do("event:reject", reason="no")
    first, second = page.scene["branches"]
    assert (first["steps"], first["where"], first["current"]) == (
        ["event approve"],
        "completed (success) in approved",
        False,
    )
    assert (second["first"], second["values"]["reason"], second["current"]) == (2, '"no"', True)
    page.ask("branch", to=0)
    assert page.scene["head"]["where"] == "approved"
    page.ask("jump", to=1)
    page.do("event:reject", reason="no")
    assert len(page.scene["branches"]) == 2
    assert page.scene["head"]["where"] == "rejected"


def test_playing_goes_the_likely_way_and_stops_at_the_end() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), ORDER)
    page = Page(stepper)
    for _ in range(50):
        page.ask("next")
        if page.scene["head"]["stopped"]:
            break
    assert page.scene["head"]["stopped"] == "the end: the instance is completed."
    assert stepper.stepping.instance.is_closed


def test_playing_stops_where_what_happened_ends_and_then_goes_on_by_itself() -> None:
    page = Page(Stepper(load("models/order_processing.yaml"), ORDER))
    page.do("event:order_validated")
    page.ask("jump", to=0)
    page.ask("next")
    assert page.scene["head"]["stopped"] == ""
    page.ask("next")
    assert page.scene["head"]["stopped"].startswith("the end of what happened")
    page.ask("next")
    assert (page.scene["head"]["stopped"], page.scene["head"]["length"]) == ("", 3)


def test_playing_stops_at_a_state_and_where_a_condition_comes_true() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), ORDER)
    page = Page(stepper)
    page.ask("breakpoint", at="payment_pending")
    page.ask("breakpoint", at="context.payment_id != null")
    assert page.scene["marks"] == {"state:payment_pending": "breakpoint"}
    stops = []
    for _ in range(50):
        page.ask("next")
        if page.scene["head"]["stopped"]:
            stops.append(page.scene["head"]["stopped"])
        if stepper.stepping.instance.is_closed:
            break
    assert stops[0] == "stopped at the breakpoint payment_pending."
    assert stops[1] == "stopped at the breakpoint context.payment_id != null."
    page.ask("breakpoint", at="payment_pending")
    assert page.scene["breakpoints"] == ["context.payment_id != null"]


def test_a_witness_starts_at_its_beginning_with_its_reason_and_its_failing_arrow_lit() -> None:
    report = verify(load("models/published/order_processing.yaml"))
    verdict = next(one for one in report if one.witness is not None and one.witness.kind == "workflow")
    page = Page(Stepper(verdict.witness))  # type: ignore[arg-type]
    assert (page.scene["head"]["cursor"], page.scene["head"]["length"]) == (0, len(verdict.witness))  # type: ignore[arg-type]
    assert page.scene["why"] == verdict.reason
    assert "problem" in page.scene["lit"].values()
    for _ in range(page.scene["head"]["length"]):
        page.ask("next")
    assert page.scene["head"]["stopped"].startswith("the end")
    assert "problem" in page.scene["lit"].values()


def test_another_witness_can_be_loaded_and_what_cannot_leaves_all_as_it_was() -> None:
    report = verify(load("models/published/order_processing.yaml"))
    first, second = [v.witness for v in report if v.witness is not None and v.witness.kind == "workflow"][:2]
    stepper = Stepper(first)  # type: ignore[arg-type]
    page = Page(stepper)
    assert stepper.load(second)  # type: ignore[arg-type]
    assert not stepper.load("nothing")  # type: ignore[arg-type]
    page.ask("hello")
    assert page.scene["head"]["length"] == len(second)
    assert "there is no stepping through a str" in stepper.stepping.problem


def test_bad_input_is_refused_at_once() -> None:
    with pytest.raises(StartRefused):
        Stepper(wf.new("approval"), {"requester": 3})


def test_the_steps_are_saved_as_a_test_that_passes() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), ORDER)
    page = Page(stepper)
    for action in ("event:order_validated", "activity:1:start", "activity:1:succeed"):
        page.do(action)
    page.ask("export", what="pytest")
    [file] = page.files
    assert file["name"] == "test_order_processing_validated.py"
    space: dict[str, Any] = {}
    exec(compile(file["text"], file["name"], "exec"), space)
    space["test_order_processing_validated"]()
    broken = file["text"].replace("{'': 'validated'}", "{'': 'elsewhere'}")
    exec(compile(broken, file["name"], "exec"), space)
    with pytest.raises(AssertionError):
        space["test_order_processing_validated"]()


def test_the_steps_are_saved_as_a_witness_that_opens_again() -> None:
    stepper = Stepper(load("models/order_processing.yaml"), ORDER)
    page = Page(stepper)
    page.do("event:order_validated")
    page.ask("export", what="witness")
    witness = WorkflowWitness.loads(page.files[0]["text"])
    again = Stepper(witness)
    again.jump(2)
    assert again.stepping.state == stepper.stepping.state
    assert again.stepping.instance.variables == stepper.stepping.instance.variables


def test_a_saved_page_holds_all_steps_and_asks_for_nothing_from_elsewhere() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    stepper.stepping.do("event:approve")
    page = stepper.to_html()
    recording = json.loads(page.split('id="wfsim-recording">')[1].split("</script>")[0])
    assert [len(recording["steps"]), recording["at"]] == [2, 2]
    assert recording["steps"][1]["lit"]["state:approved"] == "active"
    assert not any(recording["scene"]["can"].values())
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page
    assert stepper.stepping.cursor == 2


BAD = "<img src=x onerror=alert(1)>\"'&</script>"


def test_text_of_a_workflow_ends_no_element_of_a_saved_page() -> None:
    workflow = Workflow.model_validate(
        {
            "name": BAD,
            "initial_state": BAD,
            "states": [{"name": BAD}, {"name": f"{BAD}2", "is_terminal": True}],
            "transitions": [{"from": BAD, "to": f"{BAD}2", "event": BAD}],
        }
    )
    stepper = Stepper(workflow)
    stepper.stepping.do(f"event:{BAD}")
    page = stepper.to_html()
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert "<img src=x" not in stepper._repr_mimebundle_()["text/html"].partition(">")[2]


def test_a_workflow_too_large_to_be_drawn_can_still_be_stepped_through() -> None:
    large = Workflow.model_validate(
        {
            "name": "large",
            "initial_state": "s0",
            "states": [{"name": f"s{k}"} for k in range(650)],
            "events": {"go": {}},
            "transitions": [{"from": "s0", "to": "s1", "event": "go"}],
        }
    )
    stepper = Stepper(large)
    page = Page(stepper)
    page.do("event:go")
    assert stepper.stepping.state == {"": "s1"}
    assert page.scene["picture"] is None
    assert "cannot be read" in page.scene["too_large"]


def test_places_without_widgets_show_a_picture_that_says_where_it_stands() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    bundle = stepper._repr_mimebundle_()
    assert bundle["text/plain"] == repr(stepper)
    assert repr(stepper) == "<Stepper of 'approval': running in requested, step 1 of 1, time 0:00:00>"
    assert bundle["text/html"].startswith("<img alt=")
    assert "active: requested" in bundle["text/html"]


def test_children_are_stepped_into_and_their_end_told() -> None:
    end = {"name": "end", "is_terminal": True}
    child = wf.Workflow(
        name="child",
        initial_state="at",
        states=[{"name": "at"}, end],
        transitions=[{"from": "at", "to": "end", "event": "go"}],
    )
    parent = wf.Workflow(
        name="parent",
        initial_state="asking",
        states=[{"name": "asking", "invoke": {"workflow": "child"}}, end],
        transitions=[{"from": "asking", "to": "end", "event": "done"}],
    )
    stepper = Stepper(parent, catalogue=[child])
    page = Page(stepper)
    assert page.scene["family"] == [{"id": "1", "label": "Step into child"}]
    page.ask("family", to="1")
    assert page.scene["title"].startswith("child")
    page.do("event:go")
    page.ask("family", to="up")
    page.do("child:1:tell")
    assert page.scene["head"]["status"] == "completed (success)"


def test_the_net_beside_holds_a_token_where_the_instance_is() -> None:
    stepper = Stepper(wf.new("approval"), APPROVAL)
    page = Page(stepper)
    assert page.scene["net"] is None
    page.ask("net", shown=True)
    assert page.scene["net"]["tokens"] == {"requested": 1}
    assert page.scene["twins"]["state:requested"][0] == "requested"
    page.do("event:approve")
    assert page.scene["net"]["tokens"] == {"approved": 1}
    page.ask("net", shown=False)
    assert page.scene["net"] is None


def _section(page: Page, title: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = next(one["rows"] for one in page.scene["sections"] if one["title"] == title)
    return rows
