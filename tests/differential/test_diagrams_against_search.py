"""Decision diagrams against the explicit search: the same markings, edges, deadlocks, bounds and shortest traces."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.diagrams import coded
from wfsim.verification.nets.diagrams import search as search_module
from wfsim.verification.nets.diagrams.coded import CodedNet
from wfsim.verification.nets.diagrams.search import NotOneSafe
from wfsim.verification.nets.diagrams.space import SymbolicSpace
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import And, Linear, Or, Plain
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.state_space import StateSpace

SETTINGS = cases(60)
KINDS = (ArcKind.NORMAL, *ArcKind)


@st.composite
def nearly_safe_nets(draw: st.DrawFn) -> PetriNet:
    """Up to seven places with one token at most, and arcs of every kind, of which some few weigh 2."""
    places = [f"p{i}" for i in range(draw(st.integers(1, 7)))]
    arcs: dict[tuple[str, str, ArcKind], Arc] = {}
    transitions = [f"t{i}" for i in range(draw(st.integers(1, 7)))]
    for transition in transitions:
        # Most net transitions move a token, so that many nets are 1-safe and yet have some markings.
        for source in draw(st.lists(st.sampled_from(places), max_size=2)):
            arcs[source, transition, ArcKind.NORMAL] = Arc(source, transition)
        for target in draw(st.lists(st.sampled_from(places), max_size=2)):
            arcs[transition, target, ArcKind.NORMAL] = Arc(transition, target, draw(st.sampled_from([1] * 9 + [2])))
    for place, transition in draw(
        st.lists(st.tuples(st.sampled_from(places), st.sampled_from(transitions)), max_size=6)
    ):
        kind = draw(st.sampled_from(KINDS))
        weight = 1 if kind is ArcKind.RESET else draw(st.sampled_from([1, 1, 1, 2]))
        arcs[place, transition, kind] = Arc(place, transition, weight, kind)
    tokens = [draw(st.integers(0, 1)) for _ in places]
    return PetriNet("nearly safe", places, transitions, arcs.values(), tokens)


@st.composite
def safe_nets(draw: st.DrawFn) -> PetriNet:
    """Places each with a complement that is empty when it is full: 1-safe in any case; tests of either."""
    n = draw(st.integers(1, 5))
    places = [f"{what}{i}" for i in range(n) for what in ("full", "empty")]
    arcs: dict[tuple[str, str, ArcKind], Arc] = {}
    transitions = [f"t{i}" for i in range(draw(st.integers(1, 7)))]
    for transition in transitions:
        for i in draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)):
            source, target = draw(st.permutations([f"full{i}", f"empty{i}"]))
            arcs[source, transition, ArcKind.NORMAL] = Arc(source, transition)
            arcs[transition, target, ArcKind.NORMAL] = Arc(transition, target)
        for place in draw(st.lists(st.sampled_from(places), max_size=2, unique=True)):
            kind = draw(st.sampled_from([ArcKind.READ, ArcKind.INHIBITOR]))
            arcs[place, transition, kind] = Arc(place, transition, 1, kind)
    full = [draw(st.booleans()) for _ in range(n)]
    tokens = {f"{'full' if each else 'empty'}{i}": 1 for i, each in enumerate(full)}
    return PetriNet("safe", places, transitions, arcs.values(), tokens)


def compare(symbolic: SymbolicSpace, explicit: StateSpace) -> None:
    """Everything that both can be asked."""
    assert symbolic.complete
    assert symbolic.reason == ""
    assert (symbolic.n_markings, symbolic.n_edges) == (explicit.n_markings, explicit.n_edges)
    assert set(symbolic.markings) == set(explicit.markings)
    assert len(symbolic.markings) == len(list(symbolic.markings)) == explicit.n_markings
    assert set(symbolic.deadlocks) == set(explicit.deadlocks)
    assert symbolic.n_deadlocks == len(explicit.deadlocks)
    assert symbolic.bounds == explicit.bounds
    assert symbolic.dead_transitions == explicit.dead_transitions


def unsafe(explicit: StateSpace) -> int | None:
    return explicit.first_above(1)


def compare_or_refuse(net: PetriNet) -> None:
    explicit = explore(net, max_markings=2_000)
    crowded = unsafe(explicit)
    if crowded is None:
        assume(explicit.complete)
        compare(explore(net, engine="diagrams"), explicit)
        return
    with pytest.raises(NotOneSafe, match="is not 1-safe: place 'p") as refused:
        explore(net, engine="diagrams")
    markings = net.fire_sequence(refused.value.firing_sequence)
    assert max(markings[-1].tokens) > 1
    assert all(max(marking.tokens) <= 1 for marking in markings[:-1])
    assert refused.value.shortest
    assert len(refused.value.firing_sequence) == len(explicit.path_to(crowded))


@SETTINGS
@given(nearly_safe_nets())
def test_random_nets_have_the_same_space_or_are_refused_with_a_shortest_proof(net: PetriNet) -> None:
    compare_or_refuse(net)


@SETTINGS
@given(safe_nets())
def test_nets_with_complements_have_the_same_space(net: PetriNet) -> None:
    compare(explore(net, engine="diagrams"), explore(net))


@SETTINGS
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.data())
def test_traces_are_as_short_as_those_of_the_search(net: PetriNet, data: st.DataObject) -> None:
    explicit = explore(net, max_markings=2_000)
    assume(explicit.complete and unsafe(explicit) is None)
    symbolic = explore(net, engine="diagrams")
    number = data.draw(st.integers(0, explicit.n_markings - 1))
    marking = explicit.marking(number)
    assert marking in symbolic
    assert marking in symbolic.markings
    shortest = symbolic.trace_to(marking)
    assert net.fire_sequence(shortest)[-1] == marking
    assert len(shortest) == len(explicit.path_to(number))
    chained = symbolic.trace_to(marking, shortest=False)
    assert net.fire_sequence(chained)[-1] == marking
    if explicit.deadlocks:
        end = net.fire_sequence(symbolic.trace_to(symbolic.deadlocks))[-1]
        assert net.enabled(end) == ()
        assert len(symbolic.trace_to(symbolic.deadlocks)) == len(explicit.path_to(explicit.deadlock_numbers()[0]))
        chained = symbolic.trace_to(symbolic.deadlocks, shortest=False)
        assert net.enabled(net.fire_sequence(chained)[-1]) == ()


@SETTINGS
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.data())
def test_markings_having_tokens_are_those_that_the_search_lists(net: PetriNet, data: st.DataObject) -> None:
    explicit = explore(net, max_markings=2_000)
    assume(explicit.complete and unsafe(explicit) is None)
    tokens = data.draw(st.dictionaries(st.sampled_from(net.places), st.integers(0, 2), max_size=3))
    symbolic = explore(net, engine="diagrams")
    at_least = {m for m in explicit.markings if all(m[p] >= count for p, count in tokens.items())}
    exactly = {m for m in explicit.markings if all(m[p] == count for p, count in tokens.items())}
    assert set(symbolic.having(tokens)) == at_least
    assert set(symbolic.having(tokens, exactly=True)) == exactly
    assert bool(symbolic.having(tokens)) is bool(at_least)


@st.composite
def formulas(draw: st.DrawFn, places: tuple[str, ...], depth: int = 2) -> Plain:
    """Conjunctions and disjunctions of weighted sums."""
    if depth and draw(st.booleans()):
        parts = tuple(draw(st.lists(formulas(places, depth - 1), max_size=3)))
        return draw(st.sampled_from([And, Or]))(parts)
    weights = draw(st.dictionaries(st.sampled_from(places), st.integers(-3, 3).filter(bool), max_size=5))
    return Linear(tuple(weights.items()), draw(st.integers(-6, 6)))


@SETTINGS
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.data())
def test_formulas_are_true_of_the_markings_that_pass_their_test(net: PetriNet, data: st.DataObject) -> None:
    explicit = explore(net, max_markings=2_000)
    assume(explicit.complete and unsafe(explicit) is None)
    formula = data.draw(formulas(net.places))
    test = marking_test(formula, net)
    found = explore(net, engine="diagrams").where(formula)
    assert set(found) == {marking for marking in explicit.markings if test(marking.tokens)}


@cases(40)
@given(st.one_of(nearly_safe_nets(), safe_nets()), st.integers(0, 10))
def test_an_unlucky_order_changes_no_answer(net: PetriNet, turn: int) -> None:
    places = list(range(len(net.places)))
    turned = tuple(places[turn % len(places) :] + places[: turn % len(places)])
    with mock.patch("wfsim.verification.nets.diagrams.search.variable_order", return_value=turned[::-1]):
        compare_or_refuse(net)


@cases(30)
@given(safe_nets())
def test_a_search_that_began_with_too_few_nodes_is_begun_anew(net: PetriNet) -> None:
    made: list[int] = []

    class Counted(CodedNet):
        def __init__(self, net: PetriNet, order: tuple[int, ...], max_nodes: int) -> None:
            made.append(max_nodes)
            super().__init__(net, order, max_nodes)

    explicit = explore(net)
    with mock.patch.object(search_module, "FIRST_NODES", 40), mock.patch.object(search_module, "CodedNet", Counted):
        symbolic = explore(net, engine="diagrams")
    assert made == [40 * coded.GROWTH**i for i in range(len(made))]
    # Room for these may lack even where the search had enough.
    last = explicit.n_markings - 1
    assert len(symbolic.trace_to(explicit.marking(last))) == len(explicit.path_to(last))
    chained = symbolic.trace_to(explicit.marking(last), shortest=False)
    assert net.fire_sequence(chained)[-1] == explicit.marking(last)
    able = explicit.able_to_reach([last])
    wanted = symbolic.having(dict(explicit.marking(last)), exactly=True)
    assert set(symbolic.able_to_reach(wanted)) == {explicit.marking(i) for i, reaches in enumerate(able) if reaches}
