"""What the shape of a net tells, against brute force and against a search."""

from __future__ import annotations

from itertools import combinations, product
from math import inf

import networkx as nx
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.nets import bounded
from tests.property.test_nets import PLAIN, nets
from tests.random_cases import cases
from wfsim.net.arcs import ArcKind
from wfsim.net.incidence import incidence
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.structure import (
    classify,
    coverability,
    largest_trap,
    liveness,
    minimal_siphons,
    place_invariants,
    transition_invariants,
)
from wfsim.verification.verdict import NetWitness, Status

SETTINGS = cases(100)
NO_RESETS = (ArcKind.NORMAL, ArcKind.NORMAL, ArcKind.READ, ArcKind.INHIBITOR)


@st.composite
def choices(draw: st.DrawFn) -> PetriNet:
    """Ordinary nets, strongly connected by luck, often free choice."""
    places, transitions = [f"p{i}" for i in range(draw(st.integers(1, 5)))], [f"t{i}" for i in range(5)]
    transitions = transitions[: draw(st.integers(1, 5))]
    arcs = set()
    for t in transitions:
        arcs |= {(p, t) for p in draw(st.lists(st.sampled_from(places), min_size=1, max_size=2))}
        arcs |= {(t, p) for p in draw(st.lists(st.sampled_from(places), min_size=1, max_size=2))}
    tokens = [draw(st.integers(0, 2)) for _ in places]
    return PetriNet("choices", places, transitions, sorted(arcs), tokens)


def supports_of_small_solutions(rows: list[list[int]], most: int = 6) -> set[frozenset[int]]:
    """Minimal supports of x in 0..most with x · rows = 0."""
    found = set()
    for x in product(range(most + 1), repeat=len(rows)):
        if any(x) and all(sum(w * row[k] for w, row in zip(x, rows)) == 0 for k in range(len(rows[0]))):
            found.add(frozenset(i for i, w in enumerate(x) if w))
    return {s for s in found if not any(other < s for other in found)}


@SETTINGS
@given(nets(kinds=NO_RESETS))
def test_place_invariants_are_exact_and_hold_in_every_marking(net: PetriNet) -> None:
    found = place_invariants(net)
    assert found.complete
    matrix = incidence(net)
    for weights in found.vectors:
        y = [weights.get(place, 0) for place in net.places]
        assert not (y @ matrix).any() if len(net.transitions) else True
    assert all(min(weights.values()) > 0 for weights in found.vectors)
    space = explore(net, max_markings=100)
    for weights in found.vectors:
        assert len({sum(w * marking[p] for p, w in weights.items()) for marking in space.markings}) == 1


@cases(40)
@given(choices())
def test_invariants_have_the_minimal_supports_that_brute_force_finds(net: PetriNet) -> None:
    assume(len(net.places) <= 4 and len(net.transitions) <= 4)
    matrix = incidence(net)
    by_place = supports_of_small_solutions(matrix.tolist())
    # Weights beyond those tried may exist, so what is found holds what is tried, and is the same where it is small.
    found = place_invariants(net).vectors
    small = {frozenset(map(net.place_index, v)) for v in found if max(v.values()) <= 6}
    assert small <= by_place
    assert by_place <= {frozenset(map(net.place_index, v)) for v in found}
    by_transition = supports_of_small_solutions(matrix.T.tolist())
    cycles = transition_invariants(net).vectors
    assert by_transition <= {frozenset(map(net.transition_index, v)) for v in cycles}
    for vector in cycles:
        x = [vector.get(t, 0) for t in net.transitions]
        assert not (matrix @ x).any()


@SETTINGS
@given(choices())
def test_siphons_and_traps_against_all_subsets(net: PetriNet) -> None:
    before = {t: set(net.preset(t)) for t in net.transitions}
    after = {t: set(net.postset(t)) for t in net.transitions}
    subsets = [frozenset(c) for n in range(1, len(net.places) + 1) for c in combinations(net.places, n)]
    siphons = [s for s in subsets if all(before[t] & s for t in net.transitions if after[t] & s)]
    traps = [s for s in subsets if all(after[t] & s for t in net.transitions if before[t] & s)]
    found = minimal_siphons(net)
    assert found.complete
    assert {frozenset(s) for s in found.sets} == {s for s in siphons if not any(o < s for o in siphons)}
    for siphon in siphons:
        inside = [trap for trap in traps if trap <= siphon]
        assert frozenset(largest_trap(net, tuple(siphon))) == frozenset().union(*inside)


@SETTINGS
@given(choices())
def test_liveness_agrees_with_the_reachability_graph(net: PetriNet) -> None:
    verdict = liveness(net)
    space = explore(net, max_markings=300)
    if isinstance(verdict.witness, NetWitness):
        verdict.witness.replay()
    if not space.complete:
        return
    if verdict.status is Status.UNKNOWN:
        assert not classify(net).extended_free_choice
        assert "is a deadlock" not in verdict.reason or not space.deadlocks
        return
    graph = space.to_networkx()
    live = True
    for transition in net.transitions:
        fires = {source for source, _, t in graph.edges(data="transition") if t == transition}
        live &= all(fires & {n, *nx.descendants(graph, n)} for n in graph)
    assert bool(verdict) == live


@SETTINGS
@given(nets(kinds=PLAIN))
def test_coverability_agrees_with_boundedness(net: PetriNet) -> None:
    found = coverability(net, max_nodes=2_000)
    assume(found.complete)
    space = explore(net, max_markings=300)
    verdict = bounded(net, max_markings=300)
    if verdict.status is not Status.UNKNOWN:
        assert bool(verdict) == (not found.unbounded)
    for place, bound in space.bounds.items():
        assert bound <= found.bounds[place]
    if space.complete:
        assert space.bounds == dict(found.bounds)
    assert {pump.place for pump in found.pumps} == set(found.unbounded)
    for pump in found.pumps:
        passed = pump.witness.replay()
        before = passed[len(passed) - 1 - len(pump.loop)]
        assert passed[-1][pump.place] > before[pump.place]
        assert all(found.bounds[p] == inf for p in pump.lowers)
        assert all(passed[-1][p] >= before[p] for p in net.places if p not in pump.lowers)
