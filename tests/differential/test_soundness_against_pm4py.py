"""Soundness of small random workflow nets, with pm4py's Woflan as a second opinion.

pm4py is AGPL-licensed: it is used in tests and benchmarks only, and no part of wfsim imports it.
"""

from __future__ import annotations

from collections import Counter

import pm4py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pm4py.algo.analysis.woflan import algorithm
from pm4py.objects.petri_net.utils import petri_utils

from tests.nets import net_of, parallel
from tests.property.test_nets import refined_workflows
from tests.random_cases import cases
from wfsim.net.arcs import Arc
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.verdict import Status

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)


def woflan(net: PetriNet) -> bool:
    """Whether pm4py finds the net sound, from one token in `i` to one in `o`."""
    other = pm4py.PetriNet(net.name)
    nodes = {name: pm4py.PetriNet.Place(name) for name in net.places}
    other.places.update(nodes.values())
    transitions = {name: pm4py.PetriNet.Transition(name, name) for name in net.transitions}
    other.transitions.update(transitions.values())
    nodes.update(transitions)
    for arc in net.arcs:
        petri_utils.add_arc_from_to(nodes[arc.source], nodes[arc.target], other, arc.weight)
    start, end = pm4py.Marking(), pm4py.Marking()
    start[nodes["i"]] = end[nodes["o"]] = 1
    return bool(
        algorithm.apply(other, start, end, parameters={"return_asap_when_not_sound": True, "print_diagnostics": False})
    )


@st.composite
def damaged(draw: st.DrawFn) -> PetriNet:
    """A sound workflow net, with up to three arcs more, and perhaps one less."""
    net = draw(refined_workflows())
    arcs = [(arc.source, arc.target) for arc in net.arcs]
    inner = [place for place in net.places if place not in ("i", "o")]
    for _ in range(draw(st.integers(0, 3)) if inner else 0):
        place, transition = draw(st.sampled_from(inner)), draw(st.sampled_from(net.transitions))
        new = (place, transition) if draw(st.booleans()) else (transition, place)
        if new not in arcs:
            arcs.append(new)
    if draw(st.integers(0, 3)) == 0:
        del arcs[draw(st.integers(0, len(arcs) - 1))]
    return PetriNet("damaged", net.places, net.transitions, [Arc(*arc) for arc in arcs], {"i": 1})


DOUBTED = net_of("doubted", "i>T0>p>T1>q>T2>r>T3>s>T4>o T0>x>T3 T2>x>T4", {"i": 1})
"""Its one run ends well, with two tokens in `x` on the way. Woflan (pm4py 2.7.23) calls such nets unsound."""


def test_a_sound_net_need_not_be_safe() -> None:
    verdict = soundness(DOUBTED)
    assert verdict
    space = explore(DOUBTED)
    assert (space.n_markings, len(space.deadlocks), space.bounds["x"]) == (6, 1, 2)


def test_both_find_the_same_nets_sound() -> None:
    seen = Counter[Status]()

    @cases(200)
    @given(damaged())
    def compare(net: PetriNet) -> None:
        verdict = soundness(net, max_markings=2_000)
        seen[verdict.status] += 1
        if verdict.status is Status.HOLDS and max(explore(net).bounds.values()) > 1:
            # See `DOUBTED`.
            return
        if verdict.status in (Status.HOLDS, Status.VIOLATED):
            assert bool(verdict) == woflan(net), str(verdict)
        elif verdict.status is Status.ERROR:
            # Not a workflow net; Woflan says that it is not sound.
            assert not woflan(net)

    compare()
    assert min(seen[Status.HOLDS], seen[Status.VIOLATED], seen[Status.ERROR]) >= 5, seen


@pytest.mark.parametrize("broken", [None, 1])
def test_both_agree_on_branches_with_loops_and_contests(broken: int | None) -> None:
    net = parallel(3, "loop", "contest", "plain", broken=broken)
    assert bool(soundness(net)) == woflan(net) == (broken is None)
