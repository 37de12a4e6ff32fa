"""Properties of runs: each kind holds of one workflow and is violated by another, and every witness replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.verification.test_properties import GO, STOP, C, actions, workflow
from wfsim.errors import DefinitionError, ExpressionError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.verification.property import Property
from wfsim.verification.verdict import Verdict
from wfsim.verification.workflows.claims import parse_claim
from wfsim.verification.workflows.properties import verify
from wfsim.verification.workflows.property_files import load_properties

CHARGE = {"action_type": "activity", "name": "charge"}
REFUND = {"action_type": "activity", "name": "refund"}


def count(name: str, value: Any) -> dict[str, Any]:
    return {"action_type": "set_variable", "parameters": {"name": name, "value": value}}


def shop(*transitions: dict[str, Any], **keys: Any) -> wf.Workflow:
    """a → paid (charging) → sent or gone; `gone` is left only by refunding."""
    base = [
        {"from": "a", "event": "go", "to": "paid", "pre_actions": [CHARGE]},
        {"from": "a", "event": "error", "to": "never"},
        {"from": "paid", "event": "go", "to": "sent"},
        {"from": "paid", "event": "stop", "to": "gone"},
        {"from": "gone", "after": "1h", "to": "back", "pre_actions": [REFUND]},
        {"from": "gone", "event": "error", "to": "back"},
    ]
    states = ["a", "paid", "gone", *({"name": n, "is_terminal": True} for n in ("sent", "back", "never"))]
    activities = {"charge": {"retry_policy": {"max_attempts": 2}}, "refund": {"retry_policy": {"max_attempts": 1}}}
    return workflow([*base, *transitions], states, activities=activities, **keys)


def ask(flow: wf.Workflow, name: str, options: Any, **limits: Any) -> Verdict:
    (verdict,) = verify(flow, [Property(name, options)], **limits)
    if verdict.witness is not None:
        assert isinstance(verdict.witness, WorkflowWitness)
        assert len(verdict.witness.replay()) == len(verdict.witness)
    return verdict


SHOP = shop()
HOLDS: list[tuple[str, Any]] = [
    ("never", "in('sent') and not once(activity.charge.succeeded)"),
    ("never", {"of": "activity.refund.started and not once(in('gone'))"}),
    ("always", "status in ['running', 'completed']"),
    ("always", "closed == (state in ['sent', 'back', 'never'])"),
    ("absence", {"of": "activity.charge.started", "after": "entered('paid')"}),
    ("absence", {"of": "entered('sent')", "until": "entered('paid')"}),
    ("exclusive", {"states": ["paid", "gone", "sent"]}),
    ("at_most", {"activity": "charge", "times": 2}),
    ("at_most", {"of": "activity.charge.succeeded", "times": 1}),
    ("at_most", {"event": "stop", "times": 1}),
    ("at_most", {"state": "gone", "times": 1}),
    ("precedes", {"first": "activity.charge.succeeded", "then": "entered('paid')"}),
    ("eventually", {"of": "closed", "fairness": "strong"}),
    ("leads_to", {"from": "entered('gone')", "to": "entered('back')"}),
    ("responds", {"to": "activity.charge.started", "with": "activity.charge.succeeded or activity.charge.failed"}),
]


@pytest.mark.parametrize(("name", "options"), HOLDS, ids=str)
def test_each_kind_holds(name: str, options: Any) -> None:
    verdict = ask(SHOP, name, options)
    assert verdict.status == "holds", verdict
    assert "for want of a case" not in verdict.reason
    assert verdict.bound["complete"]


START = ["start()"]
PAY = [*START, "event go", "charge starts", "charge succeeds"]
VIOLATED: list[tuple[str, Any, list[str]]] = [
    ("never", "in('paid')", PAY),
    ("always", "not in('gone')", [*PAY, "event stop"]),
    ("absence", {"of": "event.go", "after": "event.go"}, [*PAY, "event go"]),
    ("absence", {"of": "event.go", "until": "in('paid')"}, [*START, "event go"]),
    ("at_most", {"activity": "charge", "times": 0}, [*START, "event go", "charge starts"]),
    ("at_most", {"event": "go", "times": 1}, [*PAY, "event go"]),
    ("precedes", {"first": "in('gone')", "then": "closed"}, [*PAY, "event go"]),
    ("eventually", "closed", START),
    ("eventually", {"of": "in('sent')", "fairness": "strong"}, []),
    ("leads_to", {"from": "in('paid')", "to": "closed"}, PAY),
    ("leads_to", {"from": "in('gone')", "to": "closed", "fairness": "none"}, [*PAY, "event stop"]),
    ("responds", {"to": "event.stop", "with": "activity.refund.succeeded"}, []),
]


@pytest.mark.parametrize(("name", "options", "trace"), VIOLATED, ids=str)
def test_each_kind_is_violated_with_a_shortest_trace(name: str, options: Any, trace: list[str]) -> None:
    verdict = ask(SHOP, name, options)
    assert verdict.status == "violated", verdict
    if trace:
        assert actions(verdict) == trace


def test_a_run_that_ends_owes_for_ever() -> None:
    verdict = ask(SHOP, "responds", {"to": "event.stop", "with": "activity.refund.succeeded"})
    assert "the run ends in state 'back' (completed)" in verdict.reason
    assert actions(verdict)[-2:] == ["refund starts", "refund fails: Error"]


def test_a_run_may_wait_for_events_but_not_for_clocks() -> None:
    verdict = ask(SHOP, "eventually", "closed")
    assert "may wait in state 'a' for ever; no clock and no work runs there, only go would lead on" in verdict.reason
    timed = workflow([GO, {"from": "a", "event": "timeout", "to": "c"}], [{"name": "a", "timeout": "1h"}, C])
    assert ask(timed, "eventually", "closed").status == "holds"
    assert ask(timed, "eventually", {"of": "closed", "fairness": "none"}).status == "violated"


def test_two_regions_are_active_at_once() -> None:
    def region(name: str) -> dict[str, Any]:
        states = [{"name": "x"}, {"name": "y"}, {"name": "z", "is_terminal": True}]
        moves = [{"from": "x", "event": "go", "to": "y"}, {"from": "y", "event": "stop", "to": "z"}]
        return {"name": name, "initial_state": "x", "states": states, "transitions": moves}

    both = {"name": "b", "parallel": {"regions": [region("r"), region("s")]}}
    flow = workflow(
        [GO | {"to": "b"}, {"from": "b", "event": "done", "to": "c"}], ["a", both, C], events={"go": {}, "stop": {}}
    )
    verdict = ask(flow, "exclusive", {"states": ["b/r/y", "b/s/y"]})
    assert actions(verdict) == ["start()", "event go", "event go"]
    assert ask(flow, "exclusive", {"states": ["b/r/x", "b/s/y"]}).status == "holds"


LOOP = [
    GO,
    STOP | {"to": "b"},
    {"from": "b", "event": "stop", "to": "a"},
]


def test_events_may_go_round_for_ever_unless_a_clock_runs_all_along() -> None:
    verdict = ask(
        workflow(LOOP, [{"name": "a", "timeout": "1h"}, {"name": "b", "timeout": "1h"}, C]), "eventually", "in('c')"
    )
    # An unhandled timeout closes the instance: an end is shown before any circle.
    assert "the run ends in state 'a' (timed_out)" in verdict.reason
    handled = [*LOOP, *({"from": x, "event": "timeout", "to": "c"} for x in "ab")]
    verdict = ask(
        workflow(handled, [{"name": "a", "timeout": "1h"}, {"name": "b", "timeout": "1h"}, C]), "eventually", "in('c')"
    )
    assert "the last 2 steps can be repeated for ever" in verdict.reason
    assert isinstance(verdict.witness, WorkflowWitness)
    assert verdict.witness.loop == 2
    assert actions(verdict) == ["start()", "event stop", "event stop"]
    # Around both states a clock runs on, however often they change.
    region = {
        "name": "r",
        "initial_state": "x",
        "states": [{"name": "x"}, {"name": "y"}],
        "transitions": [{"from": "x", "event": "go", "to": "y"}, {"from": "y", "event": "go", "to": "x"}],
    }
    around = {"name": "b", "timeout": "1h", "parallel": {"regions": [region]}}
    flow = workflow([GO | {"to": "b"}, {"from": "b", "event": "timeout", "to": "c"}], ["a", around, C])
    assert ask(flow, "leads_to", {"from": "in('b')", "to": "in('c')"}).status == "holds"


def test_a_state_entered_anew_sets_its_clock_anew() -> None:
    again = [STOP | {"to": "a"}, {"from": "a", "event": "timeout", "to": "c"}]
    verdict = ask(workflow(again, [{"name": "a", "timeout": "1h"}, C]), "eventually", "in('c')")
    assert verdict.status == "violated"
    assert actions(verdict) == ["start()", "event stop"]
    inside = [{"from": "a", "event": "stop"}, {"from": "a", "event": "timeout", "to": "c"}]
    assert ask(workflow(inside, [{"name": "a", "timeout": "1h"}, C]), "eventually", "in('c')").status == "holds"


def test_strong_fairness_lets_every_possible_event_come() -> None:
    flow = workflow(LOOP, ["a", "b", C])
    assert ask(flow, "eventually", {"of": "closed", "fairness": "strong"}).status == "holds"
    trap = workflow(
        [*LOOP, {"from": "b", "event": "go", "to": "d"}, {"from": "d", "event": "go", "to": "d"}], ["a", "b", "d", C]
    )
    verdict = ask(trap, "eventually", {"of": "closed", "fairness": "strong"})
    assert actions(verdict) == ["start()", "event stop", "event go", "event go"]
    assert verdict.witness is not None
    assert verdict.witness.to_dict()["loop"] == 1


def test_the_workflow_timer_ends_what_waits_for_ever() -> None:
    flow = workflow([GO], ["a", C], timeouts={"workflow": "30d"})
    assert ask(flow, "eventually", "closed").status == "holds"
    verdict = ask(flow, "eventually", "status == 'completed'")
    assert "is ended by the workflow timer" in verdict.reason
    assert actions(verdict) == ["start()", "timer workflow fires"]
    assert verdict.witness is not None
    assert verdict.witness.steps[-1].after["status"] == "timed_out"


COUNTING = workflow(
    [STOP | {"to": "a", "condition": "context.n < 3", "pre_actions": [count("n", "${context.n + 1}")]}, GO],
    variables={
        "n": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 9},
        "m": {"type": "integer", "optional": True},
    },
)


def test_values_are_asked_and_shown() -> None:
    assert ask(COUNTING, "always", "context.n <= 3").status == "holds"
    verdict = ask(COUNTING, "never", "context.n == 2")
    assert [step.after["context.n"] for step in verdict.witness.steps] == [0, 1, 2]  # type: ignore[union-attr]
    assert "context.n: 2" in str(verdict)


def test_constants_of_claims_cut_the_values_tried() -> None:
    flow = workflow([GO], variables={"amount": {"type": "number", "input": True, "minimum": 0.0, "maximum": 1000.0}})
    for claim in ("context.amount > 500", "context.amount < 500", "context.amount == 500"):
        assert ask(flow, "never", claim).status == "violated"
    assert ask(flow, "never", "context.amount > 1000").status == "holds"


def test_what_cannot_be_tried_in_full_is_asked_of_all_values_or_unknown_to_the_claim_alone() -> None:
    flow = workflow([GO], variables={"k": {"type": "integer", "input": True}})
    square = "context.k * context.k == 1681"
    asked = [
        Property("never", square),
        Property("leads_to", {"from": square, "to": "closed"}),
        Property("can_complete"),
    ]
    report = verify(flow, asked)
    assert [str(v.status) for v in report] == ["violated", "unknown", "holds"]
    assert report[0].witness is not None
    assert report[0].witness.replay()[-1].variables["k"] in (41, -41)


def test_values_that_claims_add_do_not_take_away_other_answers() -> None:
    variables = {name: {"type": "integer", "input": True, "minimum": 0, "maximum": 500} for name in "kl"}
    asked = [Property("never", f"context.{name} in {list(range(0, 500, 2))}") for name in "kl"]
    report = verify(workflow([GO], variables=variables), [*asked, Property("can_complete")], max_states=50)
    assert [str(v.status) for v in report] == ["violated", "violated", "holds"]


def test_a_claim_without_a_value_is_an_error_that_is_shown() -> None:
    verdict = ask(COUNTING, "never", "context.m > 3")
    assert verdict.status == "error"
    assert "Expression.null" in verdict.reason
    assert ask(COUNTING, "never", "context.m != null and context.m > 3").status == "holds"


def test_what_never_comes_up_is_told() -> None:
    verdict = ask(COUNTING, "leads_to", {"from": "context.n == 7", "to": "closed"})
    assert verdict.status == "holds"
    assert "for want of a case: `context.n == 7` is true at no moment" in verdict.reason
    assert verdict.statistics["vacuous"] is True


def test_a_limit_gives_unknown_and_never_holds() -> None:
    verdict = ask(COUNTING, "eventually", "true", max_states=1)
    assert verdict.status == "unknown"
    assert verdict.bound["complete"] is False


def test_what_a_finite_run_would_refute_is_decided_without_the_states_that_a_limit_left_out() -> None:
    verdict = ask(COUNTING, "never", "state == 'c' and state == 'a'", max_states=1)
    assert verdict.status == "holds"
    assert "k-induction" in verdict.method
    assert ask(COUNTING, "never", "state == 'c' and state == 'a'", max_states=1, max_seconds=0).status == "unknown"


# --- the language --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state = 'a'", "write `==` to compare"),
        ("charge.succeeded", "column 1: 'charge' has no fields here"),
        ("activity.charge", "say what 'charge' does: activity.charge.succeeded"),
        ("activity.charge.suceeded", "Did you mean 'succeeded'?"),
        ("in(paid)", "in takes one state by its path"),
        ("context.n + 1", "a claim"),
        ("len(state)", "a claim"),
        ("once()", "once takes one claim, not 0"),
        ("event", "say which: event.<name>"),
        ("'a'", "must be true or false"),
        ("_i('a')", "'_i' is not part of the language"),
        ("${closed}", "without ${...}"),
        ("not", "this is not a complete claim"),
    ],
)
def test_what_is_no_claim_is_refused(text: str, told: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_claim(text)
    assert told in str(caught.value)


def test_in_is_a_question_about_states_and_still_a_comparison() -> None:
    claim = parse_claim("not in('a') and state in ['b', 'c'] or 'x' not in ['y'] and once(in(\"b/r/x\"))")
    assert [type(atom).__name__ for atom in claim.atoms] == ["Active", "Once"]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("  - never: in('payd')\n", 2, "state 'payd' is not in the workflow. Did you mean 'paid'?"),
        ("  - never:\n      of: state == 'payd'\n", 3, "'payd' is none. Did you mean 'paid'?"),
        (
            "  - precedes:\n      first: event.go\n      then: context.x == 1\n",
            4,
            "variable 'x' is not in the workflow. It has no variable.",
        ),
        ("  - leads_to: {from: event.goo, to: closed}\n", 2, "event 'goo' is not in the workflow. Did you mean 'go'?"),
        ("  - at_most: {activity: chargge, times: 1}\n", 2, "Did you mean 'charge'?"),
        ("  - exclusive: {states: [paid, lost]}\n", 2, "state 'lost' is not in the workflow. There are: a, back"),
        ("  - never: status == 'done'\n", 2, "'done' is no status. There are: created, running"),
        ("  - never: state = 'a'\n", 2, "write `==` to compare"),
        ("  - at_most: {activity: charge, event: go, times: 1}\n", 2, "at_most counts one of"),
        ("  - eventually: {of: closed, fairness: weak}\n", 2, "fairness"),
        ("  - never: closed\n    allow_unknown: 3\n", 3, "allow_unknown gives a reason in words"),
    ],
)
def test_what_a_property_file_gets_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("properties:\n" + text, encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        verify(SHOP, path)
    assert f"{path}:{line}:" in str(caught.value)
    assert told in str(caught.value)


def test_wrong_objects_are_refused_as_files_are() -> None:
    with pytest.raises(DefinitionError, match=r"state 'payd' is not in the workflow"):
        verify(SHOP, [Property("never", "in('payd')")])
    with pytest.raises(DefinitionError, match=r"unknown property 'nevver'. Did you mean 'never'"):
        verify(SHOP, [Property("nevver", "closed")])


def test_a_property_file_gives_the_same_as_objects(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(
        "properties:\n  - never: in('paid')\n    expect: violated\n    because: it is paid\n", encoding="utf-8"
    )
    _, properties = load_properties(path)
    assert str(properties[0]) == "never(in('paid'))"
    assert verify(SHOP, path).ok
    assert [v.to_dict() for v in verify(SHOP, path)] == [v.to_dict() for v in verify(SHOP, properties)]


def test_how_soon_is_open_to_a_search_and_seen_by_a_campaign() -> None:
    back = {"from": "entered('gone')", "to": "entered('back')"}
    assert ask(shop(), "leads_to", back).status == "holds"
    soon = ask(shop(), "leads_to", back | {"within": "30m"})
    assert soon.status == "unknown"
    assert "whether within 30m is seen by wf.monitor and wf.explore_seeds" in soon.reason
    never = ask(shop(), "leads_to", {"from": "in('paid')", "to": "closed", "within": "1h"})
    assert never.status == "violated"
    stops = wf.Scenario(
        cases=3,
        events={"a": [{"event": "go", "delay": "1s"}], "paid": [{"event": "stop", "delay": "1s"}]},
        activities={"charge": {"duration": "1s"}, "refund": {"duration": "1s"}},
    )
    for within, status in (("30m", "violated"), ("2h", "holds")):
        asked = Property("leads_to", back | {"within": within})
        found = wf.explore_seeds(shop(), stops, properties=[asked], seeds=[1], progress=False)
        assert (found.status == "violated") is (status == "violated")
    with pytest.raises(DefinitionError, match="'soon' is not a duration"):
        ask(shop(), "eventually", {"of": "closed", "within": "soon"})
