"""Witnesses in workflow terms: they replay, end where they say, and are as short as can be."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.exploration.witness import WitnessStep
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.verification.verdict import NetWitness, Verdict
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.told import witness_to

SPACE_QUESTIONS = ("transitions_live", "can_complete", "no_failure", "no_unhandled_timeout")


@cache
def published() -> wf.Workflow:
    return wf.load("models/published/order_processing.yaml")


@cache
def verdicts(name: str) -> tuple[Verdict, ...]:
    (verdict,) = verify(published(), [Property(name)])
    return (verdict, *verdict.further)


def witness(name: str, text: str = "") -> WorkflowWitness:
    found = next(v.witness for v in verdicts(name) if text in v.reason.rpartition("The first: ")[2])
    assert isinstance(found, WorkflowWitness)
    return found


@pytest.mark.parametrize("name", SPACE_QUESTIONS)
def test_every_witness_of_the_published_model_replays_to_where_it_says(name: str) -> None:
    for verdict in verdicts(name):
        assert isinstance(verdict.witness, WorkflowWitness)
        passed = verdict.witness.replay()
        assert len(passed) == len(verdict.witness) == len(verdict.witness.stimuli)
        told = verdict.witness.steps[-1].after
        assert passed[-1].state == told["state"]
        assert passed[-1].status == told.get("status", "running")
        assert f"'{told['state']}'" in verdict.reason or name == "transitions_live"


def test_times_never_go_back_and_each_record_is_told() -> None:
    for verdict in verdicts("no_unhandled_timeout"):
        assert verdict.witness is not None
        times = [step.detail["time"] for step in verdict.witness.steps]
        assert times == sorted(times)
    last = witness("no_unhandled_timeout", "payment_pending").steps[-1]
    assert any("instance_closed" in row for row in last.detail["rows"])


def test_the_way_to_a_lost_payment_is_as_short_as_can_be() -> None:
    # Two activities, each scheduled by an event and then started and succeeding, and the failed payment.
    assert [step.action.split("(")[0] for step in witness("can_complete").steps] == [
        "start",
        "event order_validated",
        "validate_order starts",
        "validate_order succeeds",
        "event payment_initiated",
        "initiate_payment starts",
        "initiate_payment succeeds",
        "event payment_failed",
    ]


def test_no_shorter_way_leads_there() -> None:
    space = wf.explore_workflow(published())
    lost = witness("can_complete").replay()[-1]
    depth = {0: 1}
    for source in range(space.n_states):
        for edge in space.edges[source]:
            depth[edge.target] = min(depth.get(edge.target, 10**6), depth[source] + 1)
    there = [k for k in range(space.n_states) if space.instance(k).state == lost.state]
    assert min(depth[k] for k in there) == len(witness("can_complete"))


def test_a_dead_transition_is_shown_with_what_happens_instead() -> None:
    steps = witness("transitions_live", "transition 19").steps
    assert [step.action.split("(")[0] for step in steps] == ["start", "event order_cancelled", "event refund_processed"]
    assert steps[-1].after == {"state": "cancelled", "status": "completed"}
    assert any("stimulus_ignored" in row or "event_rejected" in row for row in steps[-1].detail["rows"])


def test_a_witness_that_tells_another_state_does_not_replay() -> None:
    real = witness("can_complete")
    false = WitnessStep(real.steps[1].action, real.steps[1].detail, {"state": "shipped"})
    tampered = dataclasses.replace(real, steps=(real.steps[0], false, *real.steps[2:]))
    with pytest.raises(WfsimError, match="does not replay at 'event order_validated'"):
        tampered.replay()


def test_a_witness_without_one_of_its_stimuli_does_not_replay() -> None:
    real = witness("can_complete")
    tampered = dataclasses.replace(
        real, stimuli=real.stimuli[:1] + real.stimuli[2:], steps=real.steps[:1] + real.steps[2:]
    )
    with pytest.raises(WfsimError, match="does not replay"):
        tampered.replay()


def test_a_witness_does_not_replay_on_a_repaired_workflow() -> None:
    real = witness("no_unhandled_timeout", "payment_pending")
    data = published().model_dump(by_alias=True, exclude_none=True)
    data["transitions"] += ({"from": "payment_pending", "event": "timeout", "to": "cancelled"},)
    with pytest.raises(WfsimError, match="does not replay at 'timer timeout in payment_pending fires'"):
        dataclasses.replace(real, workflow=wf.Workflow.model_validate(data)).replay()


def test_a_witness_is_json() -> None:
    data = json.loads(json.dumps(witness("can_complete").to_dict()))
    assert (data["kind"], data["workflow"], data["version"]) == ("workflow", "order_processing", "1.0.0")
    assert data["steps"][-1]["after"] == {"state": "payment_failed"}


def test_a_witness_leads_to_any_state_of_the_space() -> None:
    space = wf.explore_workflow(wf.load("models/order_processing.yaml"))
    for number in range(0, space.n_states, 7):
        told = witness_to(space, number)
        assert told.replay()[-1].state == space.instance(number).state


def test_soundness_has_a_witness_on_the_net() -> None:
    stuck = wf.loads(
        "name: w\ninitial_state: a\nevents: {go: {}, stop: {}}\n"
        "states: [{name: a}, {name: b}, {name: c, is_terminal: true}]\n"
        "transitions:\n- {from: a, event: go, to: c}\n- {from: a, event: stop, to: b}\n"
    )
    (verdict,) = verify(stuck, [Property("sound")])
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1].to_dict() == {"b": 1}
