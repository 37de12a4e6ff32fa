"""Our nets against SNAKES: the same enabled transitions, markings and reachability graphs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import snakes.nets as sn
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.net.snakes_bridge import from_snakes, to_snakes
from wfsim.verification.nets.explore import explore

if TYPE_CHECKING:
    from wfsim.verification.nets.state_space import StateSpace

SETTINGS = cases(80)


@st.composite
def nets(draw: st.DrawFn) -> PetriNet:
    """Up to four places and four transitions, every kind of arc, weights up to three."""
    places = [f"p{i}" for i in range(draw(st.integers(1, 4)))]
    transitions = [f"t{i}" for i in range(draw(st.integers(1, 4)))]
    ends = st.tuples(st.sampled_from(places), st.sampled_from(transitions), st.sampled_from(ArcKind), st.booleans())
    arcs: dict[tuple[str, str, ArcKind], Arc] = {}
    for place, transition, kind, back in draw(st.lists(ends, max_size=12)):
        weight = 1 if kind is ArcKind.RESET else draw(st.integers(1, 3))
        arc = Arc(place, transition, weight, kind)
        if kind is ArcKind.NORMAL and back:
            arc = Arc(transition, place, weight)
        arcs[arc.source, arc.target, kind] = arc
    tokens = draw(st.lists(st.integers(0, 3), min_size=len(places), max_size=len(places)))
    return PetriNet("random", places, transitions, arcs.values(), tokens)


def philosophers(n: int) -> PetriNet:
    """Each thinks, takes the left fork, then the right one, eats, and puts both back at once."""
    places, transitions, arcs, marking = [], [], [], {}
    for i in range(n):
        right = (i + 1) % n
        places += [f"think{i}", f"hold{i}", f"eat{i}", f"fork{i}"]
        transitions += [f"left{i}", f"right{i}", f"done{i}"]
        marking |= {f"think{i}": 1, f"fork{i}": 1}
        arcs += [
            (f"think{i}", f"left{i}"),
            (f"fork{i}", f"left{i}"),
            (f"left{i}", f"hold{i}"),
            (f"hold{i}", f"right{i}"),
            (f"fork{right}", f"right{i}"),
            (f"right{i}", f"eat{i}"),
            (f"eat{i}", f"done{i}"),
            (f"done{i}", f"think{i}"),
            (f"done{i}", f"fork{i}"),
            (f"done{i}", f"fork{right}"),
        ]
    return PetriNet("philosophers", places, transitions, arcs, marking)


def snakes_marking(net: sn.PetriNet) -> dict[str, int]:
    return {place: len(tokens) for place, tokens in net.get_marking().items()}


def edges_of(
    space: StateSpace,
) -> Counter[tuple[frozenset[tuple[str, int]], str, frozenset[tuple[str, int]]]]:
    return Counter(
        (frozenset(before.to_dict().items()), transition, frozenset(after.to_dict().items()))
        for before, transition, after in space.edges()
    )


def compare_graphs(net: PetriNet, space: StateSpace) -> None:
    """Let SNAKES build its graph of the same net and compare markings and edges."""
    graph = sn.StateGraph(to_snakes(net))
    graph.build()
    named = {
        state: frozenset((place, len(tokens)) for place, tokens in graph[state].items()) for state in range(len(graph))
    }
    assert set(named.values()) == {frozenset(marking.to_dict().items()) for marking in space.markings}
    edges = Counter(
        (named[state], transition.name, named[after])
        for state in range(len(graph))
        for after, transition, _ in graph.successors(state)
    )
    assert edges == edges_of(space)


@SETTINGS
@given(nets(), st.lists(st.integers(0, 10), max_size=10))
def test_snakes_enables_and_fires_the_same_along_random_walks(net: PetriNet, choices: list[int]) -> None:
    other = to_snakes(net)
    marking = net.initial_marking
    for choice in choices:
        modes = {transition.name: transition.modes() for transition in other.transition()}
        enabled = net.enabled(marking)
        assert {name for name, found in modes.items() if found} == set(enabled)
        if not enabled or marking.total > 60:
            break
        chosen = enabled[choice % len(enabled)]
        other.transition(chosen).fire(modes[chosen][0])
        marking = net.fire(marking, chosen)
        assert snakes_marking(other) == marking.to_dict()


@SETTINGS
@given(nets())
def test_snakes_builds_the_same_reachability_graph(net: PetriNet) -> None:
    space = explore(net, max_markings=60)
    if space.complete:
        compare_graphs(net, space)
    else:
        # Where the graph is infinite or large, at least the edges known must be edges of SNAKES too.
        other = to_snakes(net)
        for number in range(0, space.n_expanded, 10):
            for transition, target in space.edges_from(number):
                moved = to_snakes(net.with_marking(space.marking(number)))
                chosen = moved.transition(net.transitions[transition])
                chosen.fire(chosen.modes()[0])
                assert snakes_marking(moved) == space.marking(target).to_dict()
        assert snakes_marking(other) == space.markings[0].to_dict()


@SETTINGS
@given(nets())
def test_a_net_that_went_through_snakes_behaves_the_same(net: PetriNet) -> None:
    back = from_snakes(to_snakes(net))
    assert (back.places, back.transitions) == (net.places, net.transitions)
    here, there = explore(net, max_markings=60), explore(back, max_markings=60)
    assert here.complete == there.complete
    assert here.tokens == there.tokens
    assert edges_of(here) == edges_of(there)


@pytest.mark.parametrize(("n", "markings"), [(2, 6), (3, 14), (4, 34)])
def test_philosophers_have_the_known_number_of_markings(n: int, markings: int) -> None:
    net = philosophers(n)
    space = explore(net)
    assert space.n_markings == markings
    assert [d.to_dict() for d in space.deadlocks] == [{f"hold{i}": 1 for i in range(n)}]
    compare_graphs(net, space)
