"""Bounds of places proved from place invariants."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.benchmarks.nets_bench import fms, kanban, orders, parallel, philosophers
from tests.property.test_nets import nets
from tests.random_cases import cases
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.place_bounds import proved_bounds


def by_name(net: PetriNet, **more: int) -> dict[str, int]:
    return {net.places[place]: bound for place, bound in proved_bounds(net, **more).items()}


@cases(300)
@given(nets())
def test_no_marking_exceeds_a_proved_bound(net: PetriNet) -> None:
    seen = explore(net, max_markings=300).bounds
    for place, bound in by_name(net).items():
        assert seen[place] <= bound


@pytest.mark.parametrize("net", [kanban(2), fms(2), philosophers(5), parallel(4, 2, nested=True), orders(4, 2)])
def test_bounds_of_known_nets_are_exact(net: PetriNet) -> None:
    assert by_name(net) == explore(net).bounds


def test_weights_divide_the_bound() -> None:
    arcs = [("p", "t", 1), ("t", "q", 3), ("q", "u", 3), ("u", "p", 1)]
    assert by_name(PetriNet("weighted", ["p", "q"], ["t", "u"], arcs, {"p": 2, "q": 1})) == {"p": 2, "q": 7}


def test_a_place_that_grows_has_no_bound() -> None:
    arcs = [("p", "t"), ("t", "p"), ("t", "q")]
    assert by_name(PetriNet("leak", ["p", "q"], ["t"], arcs, {"p": 1})) == {"p": 1}


def test_what_a_reset_takes_away_does_not_spoil_a_bound() -> None:
    arcs = [("p", "t"), ("t", "q"), ("q", "u", 1, "reset"), ("p", "u"), ("u", "p")]
    assert by_name(PetriNet("reset", ["p", "q"], ["t", "u"], arcs, {"p": 3})) == {"p": 3, "q": 3}
    # What is produced into a place that is emptied counts in full.
    arcs = [("q", "u", 1, "reset"), ("u", "q", 5)]
    assert by_name(PetriNet("refilled", ["q"], ["u"], arcs, {"q": 1})) == {}


def test_without_effort_little_is_proved_but_nothing_wrong() -> None:
    net = philosophers(20)
    found = [by_name(net, effort=effort) for effort in range(0, 20_000, 500)]
    assert (len(found[0]), len(found[-1])) == (0, len(net.places))
    assert any(0 < len(bounds) < len(net.places) for bounds in found)
    assert {bound for bounds in found for bound in bounds.values()} == {1}
