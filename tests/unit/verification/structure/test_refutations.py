"""Proofs that no reachable marking satisfies some inequalities: what is found, and what is not believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.nets import net_of
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.formulas import Linear
from wfsim.verification.nets.structure.farkas import Refutation, bounding_weights, greatest_sum, refuted

TOOL = net_of("tool", "free>Take>used>Give>free", {"free": 2})
BOTH = [Linear((("free", -1),), -1), Linear((("used", -1),), -2)]


def test_a_proof_is_found_checked_and_told() -> None:
    proof = refuted(TOOL, BOTH)
    assert proof == Refutation({"free": -1, "used": -1}, (1, 1), -2, -3)
    assert proof.holds_for(TOOL, BOTH)
    assert str(proof) == "no firing raises free + used, which is 2 at the start and would have to be at least 3"
    less = [Linear((("free", 1), ("used", 1)), 1)]
    found = refuted(TOOL, less)
    assert str(found) == "no firing lowers free + used, which is 2 at the start and would have to be at most 1"
    assert refuted(TOOL, [Linear((("free", -1),), -2)]) is None
    negative = refuted(TOOL, [Linear((("free", 1),), -1)])
    assert negative is not None
    assert "never below 0" in str(negative) or "at most -1" in str(negative)


@pytest.mark.parametrize(
    "wrong",
    [
        {"factors": (1, -1)},
        {"start": -1},
        {"most": -4},
        {"weights": {"free": -1}, "start": -2},
        {"weights": {"free": -1, "used": -1}, "factors": (2, 2), "most": -6, "start": -2},
        {"weights": {"free": 1, "used": 1}, "start": 2},
        {"factors": (1, 0), "most": -1},
        {"weights": {}, "start": 0},
        {"factors": (1, 2), "most": -5},
    ],
)
def test_a_proof_that_does_not_hold_is_not_believed(wrong: dict[str, object]) -> None:
    proof = refuted(TOOL, BOTH)
    assert proof is not None
    assert not replace(proof, **wrong).holds_for(TOOL, BOTH)  # type: ignore[arg-type]


def test_a_proof_is_one_for_its_net_only() -> None:
    proof = refuted(TOOL, BOTH)
    assert proof is not None
    assert not proof.holds_for(net_of("more", "free>Take>used>Give>free Give>used", {"free": 2}), BOTH)
    reset = PetriNet("reset", ["free", "used"], ["Take"], [("free", "Take"), ("used", "Take", 1, "reset")], {"free": 2})
    assert not proof.holds_for(reset, BOTH)
    assert not proof.holds_for(TOOL.with_marking({"free": 3}), BOTH)


def test_sums_and_bounds() -> None:
    assert greatest_sum(TOOL, ["free", "used"]) == 2
    assert greatest_sum(TOOL, ["used"], [Linear((("used", 1),), 1)]) == 1
    assert greatest_sum(TOOL, []) == 0
    assert bounding_weights(TOOL) == {"free": 1, "used": 1}
    growing = net_of("growing", "p>Make>p Make>q", {"p": 1})
    assert greatest_sum(growing, ["q"]) is None
    assert greatest_sum(growing, ["p"]) == 1
    assert bounding_weights(growing) is None
    weighted = PetriNet("w", ["p", "q"], ["t"], [("p", "t"), ("t", "q", 3)], {"p": 1})
    assert bounding_weights(weighted) == {"p": 3, "q": 1}
