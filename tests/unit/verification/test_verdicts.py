"""Verdicts and witnesses."""

from __future__ import annotations

import dataclasses
import json

import pytest

from wfsim.errors import NetError, VerdictUnknown
from wfsim.exploration.witness import Witness
from wfsim.net.petri import PetriNet
from wfsim.verification.verdict import NetWitness, Status, Verdict


def mail() -> PetriNet:
    return PetriNet(
        "mail",
        ["draft", "sent"],
        ["send"],
        [("draft", "send"), ("send", "sent")],
        {"draft": 1},
        labels={"send": "Send <it>"},
        sources={"send": "transition 1"},
    )


def verdict(status: Status, witness: Witness | None = None) -> Verdict:
    return Verdict(
        status,
        "a <b>property</b>",
        "Because & why.",
        witness,
        {"markings": 12345, "complete": True},
        ("no <fairness>",),
        "a method",
        {"deadlocks": 1},
    )


def test_a_verdict_is_true_when_it_holds_and_false_when_violated() -> None:
    assert verdict(Status.HOLDS)
    assert not verdict(Status.VIOLATED)


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.ERROR])
def test_an_open_verdict_is_no_truth_value(status: Status) -> None:
    with pytest.raises(VerdictUnknown, match=f"{status}, neither true nor false. Because & why"):
        bool(verdict(status))


def test_statuses_are_lowercase_texts() -> None:
    assert [str(status) for status in Status] == ["holds", "violated", "unknown", "error"]
    assert Status.HOLDS == "holds"


def test_a_verdict_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict(Status.UNKNOWN).status = Status.HOLDS  # type: ignore[misc]


def test_a_witness_tells_labels_sources_and_markings() -> None:
    witness = NetWitness.of(mail(), ["send"])
    (step,) = witness.steps
    assert step.action == "Send <it>"
    assert step.detail == {"transition": "send", "source": "transition 1"}
    assert step.after == {"sent": 1}
    assert witness.marking == {"sent": 1}
    assert len(witness) == 1


def test_a_witness_replays_on_its_net() -> None:
    assert NetWitness.of(mail(), ["send"]).replay() == [{"draft": 1}, {"sent": 1}]


def test_a_wrong_witness_does_not_replay() -> None:
    witness = NetWitness.of(mail(), ["send"])
    with pytest.raises(NetError, match="not enabled"):
        dataclasses.replace(witness, firing_sequence=("send", "send")).replay()
    with pytest.raises(NetError, match="but recorded is"):
        dataclasses.replace(witness, marking=mail().initial_marking).replay()
    with pytest.raises(NetError, match="not enabled"):
        NetWitness.of(mail(), ["send", "send"])


def test_everything_in_html_is_escaped() -> None:
    html = verdict(Status.VIOLATED, NetWitness.of(mail(), ["send"]))._repr_html_()
    assert "<b>property" not in html
    assert "a &lt;b&gt;property&lt;/b&gt;" in html
    assert "Because &amp; why." in html
    assert "Send &lt;it&gt;" in html
    assert "no &lt;fairness&gt;" in html
    assert "12,345" in html


def test_the_text_shows_status_reason_trace_and_bound() -> None:
    text = str(verdict(Status.VIOLATED, NetWitness.of(mail(), ["send"])))
    assert text == (
        "violated: a <b>property</b>\n"
        "  Because & why.\n"
        "  trace of 1 step:\n"
        "    1. Send <it>  sent: 1\n"
        "  bound: markings: 12,345, complete: yes\n"
        "  method: a method\n"
        "  assumes: no <fairness>"
    )


def test_a_verdict_is_json_able() -> None:
    data = json.loads(json.dumps(verdict(Status.VIOLATED, NetWitness.of(mail(), ["send"])).to_dict()))
    assert data["status"] == "violated"
    assert data["witness"]["kind"] == "net"
    assert data["witness"]["firing_sequence"] == ["send"]
    assert data["witness"]["steps"][0]["after"] == {"sent": 1}
    assert data["statistics"] == {"deadlocks": 1}
    assert verdict(Status.HOLDS).to_dict()["witness"] is None
