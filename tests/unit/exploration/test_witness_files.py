"""Witnesses are written to files and read from them, whatever the files hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.verification.workflows.properties import verify


def witnesses() -> list[WorkflowWitness]:
    report = verify(wf.load("models/published/order_processing.yaml"))
    return [each.witness for each in report if isinstance(each.witness, WorkflowWitness)]


def test_every_witness_is_read_as_it_was_written() -> None:
    found = witnesses()
    assert len(found) >= 3
    for witness in found:
        again = WorkflowWitness.loads(witness.dumps())
        assert again.workflow == witness.workflow
        assert again.stimuli == witness.stimuli
        assert (again.loop, again.reason) == (witness.loop, witness.reason)
        assert [step.action for step in again.steps] == [step.action for step in witness.steps]
        assert [one.state for one in again.replay()] == [one.state for one in witness.replay()]


def test_a_witness_says_what_its_verdict_says() -> None:
    report = verify(wf.load("models/published/order_processing.yaml"))
    reasons = {each.witness.reason == each.reason for each in report if each.witness is not None}
    assert reasons == {True}


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(witnesses()[0].dumps()), **parts})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON"),
        ("[]", "should be an object"),
        ("{}", "format"),
        (changed(format="other"), "its format is 'other'"),
        (changed(more=1), "more"),
        (changed(stimuli=[{"kind": 3}]), "stimuli.0.kind"),
        (changed(stimuli=[{"kind": "start", "__class__": "x"}]), "stimuli.0"),
        (changed(stimuli=[{"kind": "jump"}], titles=["jump"]), "of a kind that there is"),
        (changed(titles=[]), "has a title"),
        (changed(definition="a: ["), "<text>:2"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(WfsimError, match=why):
        WorkflowWitness.loads(text)
