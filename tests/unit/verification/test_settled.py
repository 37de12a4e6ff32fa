"""`settled`: what was done is undone or used on every way to a failing end."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from tests.mistakes import MODELS, correct
from wfsim.errors import DefinitionError
from wfsim.model.lint import lint
from wfsim.model.yaml_io import load, loads
from wfsim.verification.property import Property
from wfsim.verification.verdict import Status, Verdict
from wfsim.verification.workflows.properties import BUILT_IN, built_in, verify

RENTAL = """\
name: rental
initial_state: new
events: {take: {}, give_back: {}, lose: {}, forget: {}}
activities:
  hold: {timeout: 1m, compensate_with: free}
  free: {timeout: 1m, retry_policy: {max_attempts: 2}}
  use: {timeout: 1m}
states:
  - {name: new}
  - {name: held}
  - {name: back, is_terminal: true}
  - {name: lost, is_terminal: true, outcome: failure}
transitions:
  - {from: new, event: take, to: held, pre_actions: [{action_type: activity, name: hold}]}
  - {from: held, event: give_back, to: back}
  - {from: held, event: lose, to: lost, pre_actions: [{action_type: compensate, on_failure: ignore}]}
  - {from: [new, held], event: error, to: lost, pre_actions: [{action_type: compensate, on_failure: ignore}]}
"""
FORGETS = RENTAL + "  - {from: held, event: forget, to: lost}\n"


def settled(text: str, options: dict[str, object] | None = None) -> Verdict:
    return verify(loads(text), [Property("settled", options or {})])[0]


def test_what_is_undone_on_every_failing_way_is_settled() -> None:
    verdict = settled(RENTAL)
    assert (verdict.status, verdict.reason) == (Status.HOLDS, "No run refutes it.")


def test_a_way_that_forgets_to_undo_is_shown_and_plays_in_the_stepper() -> None:
    verdict = settled(FORGETS)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason == "'hold' has been done, and the run ends without 'free' after it, in state 'lost'."
    assert verdict.witness.steps[-1].action == "event forget"
    assert verdict.witness.replay()[-1].state == "lost"
    stepper = wf.Stepper(verdict.witness)
    scenes, _ = stepper.frames()
    assert stepper.jump(len(scenes) - 1)
    assert stepper.stepping.instance.state == "lost"


def test_a_run_that_fails_of_an_error_nobody_takes_is_not_settled() -> None:
    text = RENTAL.replace("from: [new, held], event: error", "from: new, event: error")
    used = text.replace(
        "event: give_back, to: back", "event: give_back, to: back, pre_actions: [{action_type: activity, name: use}]"
    )
    verdict = settled(used)
    assert verdict.status is Status.VIOLATED
    assert "status: failed" in str(verdict)


def test_an_end_with_success_has_used_what_was_done() -> None:
    assert (
        settled(RENTAL.replace("lost, is_terminal: true, outcome: failure", "lost, is_terminal: true")).status
        is Status.HOLDS
    )


def test_a_try_has_to_be_undone_where_that_is_declared() -> None:
    text = RENTAL.replace(
        "error, to: lost, pre_actions: [{action_type: compensate, on_failure: ignore}]}", "error, to: lost}"
    )
    assert settled(text).status is Status.HOLDS
    attempted = text.replace("compensate_with: free", "compensate_with: {activity: free, when: attempted}")
    verdict = settled(attempted)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("'hold' may have been done")


def test_pairs_may_be_named_in_the_question() -> None:
    text = FORGETS.replace(", compensate_with: free", "").replace(
        "{action_type: compensate,", "{action_type: activity, name: free,"
    )
    assert settled(text).status is Status.HOLDS
    assert settled(text).reason.startswith("No activity says what undoes it")
    assert settled(text, {"hold": "free"}).status is Status.VIOLATED
    used = text.replace(
        "event: forget, to: lost}",
        "event: forget, to: lost, post_actions: [{action_type: activity, name: use, on_failure: ignore}]}",
    )
    assert settled(used, {"hold": "free"}).status is Status.VIOLATED
    assert settled(used, {"hold": ["free", "use"]}).status is Status.HOLDS


def test_pairs_may_be_declared_by_the_activity() -> None:
    text = FORGETS.replace("compensate_with: free", "settled_by: [free, use]").replace(
        "{action_type: compensate,", "{action_type: activity, name: free,"
    )
    assert built_in(loads(text))[-1].name == "settled"
    verdict = settled(text)
    assert verdict.reason == "'hold' has been done, and the run ends without 'free' or 'use' after it, in state 'lost'."
    used = text.replace(
        "event: forget, to: lost}", "event: forget, to: lost, pre_actions: [{action_type: activity, name: use}]}"
    )
    assert settled(used).status is Status.HOLDS
    assert [(each.code, each.place) for each in lint(loads(text)) if each.code == "undo-forgotten"] == [
        ("undo-forgotten", "transition 6 (held → lost on forget)")
    ]
    assert "undo-forgotten" not in {each.code for each in lint(loads(used))}


def test_what_settles_an_activity_must_be_one_and_follows_its_name() -> None:
    text = RENTAL.replace("compensate_with: free", "settled_by: [free]")
    with pytest.raises(DefinitionError, match=r"activity 'hold' is settled by 'fre'.*Did you mean 'free'"):
        loads(text.replace("[free]", "[fre]"))
    editor = wf.Editor(loads(text))
    editor.editing.rename("activity:free", "give_free")
    assert editor.workflow.activities["hold"].settled_by == ("give_free",)
    assert loads(wf.dumps(loads(text))) == loads(text)


def test_several_activities_give_one_verdict_with_a_trace_for_each() -> None:
    text = FORGETS.replace("use: {timeout: 1m}", "use: {timeout: 1m, compensate_with: free}").replace(
        "name: hold}]", "name: hold}, {action_type: activity, name: use}]"
    )
    verdict = settled(text)
    assert verdict.status is Status.VIOLATED
    assert [each.witness.replay()[-1].state for each in (verdict, *verdict.further)] == ["lost", "lost"]


def test_a_name_that_is_no_activity_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(DefinitionError, match=r"activity 'fre' is not in the workflow\. Did you mean 'free'"):
        settled(RENTAL, {"hold": "fre"})
    with pytest.raises(DefinitionError, match="expected at least 1 entry"):
        settled(RENTAL, {"hold": []})


def test_it_is_asked_by_itself_where_an_activity_says_what_undoes_it() -> None:
    assert [each.name for each in built_in(loads(RENTAL))] == [*BUILT_IN, "settled"]
    assert [each.name for each in built_in(loads(RENTAL.replace(", compensate_with: free", "")))] == list(BUILT_IN)


@pytest.mark.parametrize("path", correct(), ids=lambda path: path.stem)
def test_a_correct_definition_is_never_told_to_be_unsettled(path: Path) -> None:
    # What cannot be searched to its end stays open.
    (verdict,) = verify(load(path), [Property("settled")], max_states=3_000)
    assert verdict.status in (Status.HOLDS, Status.UNKNOWN)


def test_a_model_whose_refund_is_taken_away_is_told() -> None:
    text = (MODELS / "order_fulfilment.yaml").read_text(encoding="utf-8")
    text = text.replace(
        "{from: fulfilling, event: cancel_order, to: review}", "{from: fulfilling, event: cancel_order, to: cancelled}"
    )
    verdict = settled(text)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("'charge_card' has been done, and the run ends without 'refund_card' after it")
