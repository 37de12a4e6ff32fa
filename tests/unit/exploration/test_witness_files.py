"""Witnesses are written to files and read from them, whatever the files hold."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import WfsimError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.verification.workflows.properties import verify


@functools.cache
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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON"),
        ("[]", "should be an object"),
        ("{}", "format"),
        ({"format": "other"}, "its format is 'other'"),
        ({"more": 1}, "more"),
        ({"stimuli": [{"kind": 3}]}, "stimuli.0.kind"),
        ({"stimuli": [{"kind": "start", "__class__": "x"}]}, "stimuli.0"),
        ({"stimuli": [{"kind": "jump"}], "titles": ["jump"]}, "of a kind that there is"),
        ({"titles": []}, "has a title"),
        ({"definition": "a: ["}, "<text>:2"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(text: str | dict[str, Any], why: str) -> None:
    given = text if isinstance(text, str) else json.dumps(json.loads(witnesses()[0].dumps()) | text)
    with pytest.raises(WfsimError, match=why):
        WorkflowWitness.loads(given)
