"""Weak and relaxed soundness, beside the classical one."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from wfsim.verification.property import Property

MEETING = """\
name: meeting
initial_state: both
variables: {early: {type: boolean, input: true}}
events: {a: {}, b: {}, give_up: {}}
states: [{name: both}, {name: waiting}, {name: end, is_terminal: true}]
transitions:
  - {from: both, event: a, to: waiting}
  - {from: waiting, event: b, to: end}
"""
STUCK = MEETING + "  - {from: both, event: give_up, to: lost}\n"
STUCK = STUCK.replace("{name: waiting},", "{name: waiting}, {name: lost},")
DEAD = MEETING + "  - {from: end, event: give_up, to: waiting}\n"


def statuses(text: str) -> dict[str, str]:
    net = wf.to_net(wf.loads(text))
    return {kind: str(wf.soundness(net, kind=kind).status) for kind in ("classical", "weak", "relaxed")}  # type: ignore[arg-type]


def test_a_sound_workflow_is_sound_in_every_sense() -> None:
    assert statuses(MEETING) == {"classical": "holds", "weak": "holds", "relaxed": "holds"}


def test_a_dead_transition_leaves_a_workflow_weakly_sound() -> None:
    assert statuses(DEAD) == {"classical": "violated", "weak": "holds", "relaxed": "violated"}
    verdict = wf.soundness(wf.loads(DEAD), kind="relaxed")
    assert verdict.reason.startswith("No run that ends with {final: 1} fires 't3: end → waiting on give_up'.")


def test_a_dead_end_that_nothing_useful_leads_to_is_neither_weak_nor_relaxed() -> None:
    assert statuses(STUCK) == {"classical": "violated", "weak": "violated", "relaxed": "violated"}
    weak = wf.soundness(wf.loads(STUCK), kind="weak")
    assert weak.property == "weak soundness of 'meeting'"
    assert weak.witness is not None
    assert weak.witness.replay()[-1].to_dict() == {"lost": 1}


def test_two_choices_that_need_not_agree_are_relaxed_sound_only() -> None:
    arcs = [("start", "split"), ("split", "p"), ("split", "q")]
    for k in (1, 2):
        arcs += [("p", f"left {k}"), (f"left {k}", f"p{k}"), ("q", f"right {k}"), (f"right {k}", f"q{k}")]
        arcs += [(f"p{k}", f"join {k}"), (f"q{k}", f"join {k}"), (f"join {k}", "end")]
    net = wf.PetriNet(
        "choices",
        places=["start", "p", "q", "p1", "p2", "q1", "q2", "end"],
        transitions=["split", *(f"{side} {k}" for side in ("left", "right", "join") for k in (1, 2))],
        arcs=[(source, target, 1) for source, target in arcs],
        initial_marking={"start": 1},
        final_marking={"end": 1},
    )
    found = {kind: str(wf.soundness(net, kind=kind).status) for kind in ("classical", "weak", "relaxed")}  # type: ignore[arg-type]
    assert found == {"classical": "violated", "weak": "violated", "relaxed": "holds"}


def test_a_search_cut_short_leaves_the_question_open() -> None:
    net = wf.to_net(wf.loads(MEETING), instances=3)
    assert str(wf.soundness(net, kind="relaxed", max_markings=2).status) == "unknown"


def test_a_property_file_names_the_kind() -> None:
    workflow = wf.loads(DEAD)
    report = wf.verify(workflow, [Property("sound", {"kind": kind}) for kind in ("weak", "classical")])  # type: ignore[operator]
    assert [str(verdict.status) for verdict in report] == ["holds", "violated"]


def test_an_unknown_kind_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no soundness of kind 'lazy'\. Kinds: classical, weak, relaxed"):
        wf.soundness(wf.loads(MEETING), kind="lazy")  # type: ignore[arg-type]
