"""Questions about random nets, against plain definitions on their reachability graphs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from tests.property.test_nets import nets
from tests.random_cases import cases
from wfsim.net.petri import PetriNet
from wfsim.net.units import NestedUnits, Unit
from wfsim.verification.nets import net_search, reachability
from wfsim.verification.nets.check import check
from wfsim.verification.nets.contest import UpperBound
from wfsim.verification.nets.ctl import Labelling
from wfsim.verification.nets.explore import explore, searched
from wfsim.verification.nets.formulas import (
    And,
    CanFire,
    Constant,
    Deadlock,
    Formula,
    Linear,
    Not,
    Or,
    Temporal,
    about_one_marking,
    alternatives,
    plain,
)
from wfsim.verification.nets.many_markings import where
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.reachability import find
from wfsim.verification.nets.simplify import Simplifier
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.structure.farkas import bounding_weights, greatest_sum, refuted
from wfsim.verification.verdict import NetWitness, Status, Verdict

SETTINGS = cases(30, unchecked=[HealthCheck.filter_too_much])
MOST = 60
"""Markings of nets that are asked everything."""


@cache
def _linears(places: tuple[str, ...]) -> st.SearchStrategy[Linear]:
    weight = st.tuples(st.sampled_from(places), st.sampled_from([-2, -1, 1, 1, 2]))
    weights = st.lists(weight, min_size=1, max_size=3)
    sums = weights.map(lambda pairs: tuple(dict(pairs).items()))
    return st.builds(Linear, sums, st.integers(-3, 4))


def linears(net: PetriNet) -> st.SearchStrategy[Linear]:
    return _linears(net.places)


@cache
def _claims(places: tuple[str, ...], transitions: tuple[str, ...]) -> st.SearchStrategy[Formula]:
    atoms: list[st.SearchStrategy[Formula]] = [_linears(places), st.just(Deadlock()), st.booleans().map(Constant)]
    if transitions:
        several = st.lists(st.sampled_from(transitions), min_size=1, max_size=2)
        atoms.append(several.map(lambda names: CanFire(tuple(names))))
    return st.recursive(st.one_of(*atoms), lambda inner: joined(inner), max_leaves=4)


def claims(net: PetriNet) -> st.SearchStrategy[Formula]:
    return _claims(net.places, net.transitions)


def joined(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(inner.map(Not), several.map(And), several.map(Or))


@cache
def _formulas(places: tuple[str, ...], transitions: tuple[str, ...]) -> st.SearchStrategy[Formula]:
    def more(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        quantifier = st.sampled_from(["A", "E"])
        one = st.builds(Temporal, quantifier, st.sampled_from(["X", "F", "G"]), st.tuples(inner))
        return st.one_of(one, st.builds(Temporal, quantifier, st.just("U"), st.tuples(inner, inner)), joined(inner))

    return st.recursive(_claims(places, transitions), more, max_leaves=5)


def formulas(net: PetriNet) -> st.SearchStrategy[Formula]:
    return _formulas(net.places, net.transitions)


class Graph:
    """A complete space as plain Python, and formulas by the fixpoints that define them."""

    def __init__(self, space: StateSpace) -> None:
        self.net = space.net
        self.markings = [space.marking(k) for k in range(space.n_markings)]
        self.after = [sorted({target for _, target in space.edges_from(k)}) for k in range(space.n_markings)]

    def true(self, formula: Formula) -> set[int]:
        every = set(range(len(self.markings)))
        match formula:
            case Constant(value):
                return every if value else set()
            case Linear(weights, bound):
                return {k for k in every if sum(w * self.markings[k][p] for p, w in weights) <= bound}
            case CanFire(names):
                return {k for k in every if any(self.net.is_enabled(self.markings[k], t) for t in names)}
            case Deadlock():
                return {k for k in every if not self.net.enabled(self.markings[k])}
            case Not(f):
                return every - self.true(f)
            case And(operands):
                return every.intersection(*map(self.true, operands))
            case Or(operands):
                return set().union(*map(self.true, operands))
            case Temporal(quantifier, operator, operands):
                return self.temporal(quantifier == "A", operator, [self.true(f) for f in operands])

    def temporal(self, each: bool, operator: str, sets: list[set[int]]) -> set[int]:
        every, last = set(range(len(self.markings))), sets[-1]

        def next_in(goal: set[int]) -> set[int]:
            if each:
                return {k for k in every if all(n in goal for n in self.after[k])}
            return {k for k in every if any(n in goal for n in self.after[k])}

        ends = {k for k in every if not self.after[k]}
        if operator == "X":
            return next_in(last)
        if operator == "G":
            found = last
            while (smaller := last & (next_in(found) | ends) & found) != found:
                found = smaller
            return found
        through = sets[0] if operator == "U" else every
        found = last
        # Of a deadlock everything is true after it, but nothing ever comes.
        while (larger := found | (through & (next_in(found) - ends))) != found:
            found = larger
        return found


def small(net: PetriNet) -> StateSpace:
    space = explore(net, max_markings=MOST)
    assume(space.complete)
    return space


def other_ways(patch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    """Make small nets take the ways of large ones: no direct search, the compiled search."""
    if data.draw(st.booleans()):
        patch.setattr(net_search, "direct_markings", lambda net: 1)
    if data.draw(st.booleans()):
        compiled = partial(searched, engine="kernel")
        patch.setattr(net_search, "searched", compiled)
        patch.setattr(reachability, "searched", compiled)


def shows(verdict: Verdict, net: PetriNet) -> Iterator[NetWitness]:
    if verdict.witness is not None:
        assert isinstance(verdict.witness, NetWitness)
        assert verdict.witness.net is net
        verdict.witness.replay()
        yield verdict.witness


@SETTINGS
@given(st.data())
def test_labelling_agrees_with_the_fixpoints_that_define_ctl(data: st.DataObject) -> None:
    net = data.draw(nets())
    space, formula = small(net), data.draw(formulas(net))
    expected = Graph(space).true(formula)
    for engine in ("python", "kernel"):
        labels = Labelling(explore(net, engine=engine))
        assert {k for k, true in enumerate(labels.sure(formula, True)) if true} == expected
        assert {k for k, false in enumerate(labels.sure(formula, False)) if not false} == expected
    verdict = check(net, formula)
    assert bool(verdict) is (0 in expected)
    for witness in shows(verdict, net):
        if witness.repeatable:
            assert witness.replay()[-1 - len(witness.repeatable)] == witness.marking


@cases(20, unchecked=[HealthCheck.filter_too_much])
@given(st.data())
def test_a_part_of_a_space_is_sure_only_of_what_the_whole_says(data: st.DataObject) -> None:
    net = data.draw(nets())
    space, formula = small(net), data.draw(formulas(net))
    assume(space.n_markings > 1)
    part = explore(net, max_markings=data.draw(st.integers(1, space.n_markings - 1)))
    whole, labels = Labelling(space), Labelling(part)
    for value in (True, False):
        sure = labels.sure(formula, value)
        assert not (sure & ~whole.sure(formula, value)[: part.n_markings]).any()
    if about_one_marking(formula):
        assert (labels.sure(formula, True) | labels.sure(formula, False)).all()


@SETTINGS
@given(st.data())
def test_traces_of_single_operators_show_what_they_should(data: st.DataObject) -> None:
    net = data.draw(nets())
    space = small(net)
    f, g = data.draw(claims(net)), data.draw(claims(net))
    graph = Graph(space)
    labels = Labelling(space)
    at = data.draw(st.integers(0, space.n_markings - 1))
    true_f, true_g = graph.true(f), graph.true(g)
    for operator, operands in (("X", (f,)), ("F", (f,)), ("G", (f,)), ("U", (f, g))):
        for formula, value in (
            (Temporal("E", operator, operands), True),  # type: ignore[arg-type]
            (Temporal("A", operator, operands), False),  # type: ignore[arg-type]
        ):
            if bool(labels.sure(formula, True)[at]) is not value:
                continue
            steps, loop = labels.shown(formula, value, at) or pytest.fail("there is a path")
            passed = [at]
            for step in steps:
                marking = net.fire(space.marking(passed[-1]), net.transitions[step])
                passed.append(space.number_of(marking) or 0)
            endless = bool(loop) or not graph.after[passed[-1]]
            assert not loop or passed[-1 - loop] == passed[-1]
            in_f = [k in true_f for k in passed]
            in_g = [k in true_g for k in passed]
            if operator == "X":
                assert len(steps) == 1
                assert in_f[-1] is value
            elif operator == ("F" if value else "G"):
                assert in_f[-1] is value
            elif operator == ("G" if value else "F"):
                assert endless
                assert all(in_f) if value else not any(in_f)
            elif value:
                assert in_g[-1]
                assert all(in_f[:-1])
            else:
                assert not any(in_g)
                assert endless or not in_f[-1]


@SETTINGS
@given(st.data())
def test_one_marking_and_many_are_asked_alike(data: st.DataObject) -> None:
    net = data.draw(nets())
    formula = data.draw(claims(net))
    space, packed = small(net), explore(net, engine="kernel")
    simple = plain(formula, net)
    expected = Graph(space).true(formula)
    test = marking_test(simple, net)
    assert {k for k in range(space.n_markings) if test(space.tokens[k])} == expected
    for each in (space, packed):
        assert {k for k, true in enumerate(where(simple, each)) if true} == expected
    negated = where(plain(formula, net, negated=True), packed)
    assert {k for k, true in enumerate(negated) if not true} == expected
    choices = alternatives(simple, 50)
    if choices is not None:
        found = Or(tuple(And(each) for each in choices))
        assert Graph(space).true(found) == expected


@SETTINGS
@given(st.data())
def test_whether_a_claim_can_be_reached(data: st.DataObject) -> None:
    net = data.draw(nets())
    formula = data.draw(claims(net))
    space = small(net)
    expected = Graph(space).true(formula)
    with pytest.MonkeyPatch.context() as patch:
        other_ways(patch, data)
        answer = find(NetSearch(net), formula)
    assert answer.found is bool(expected)
    assert (answer.witness is not None) is bool(expected)
    if answer.witness is not None:
        number = space.number_of(answer.witness.replay()[-1])
        assert number in expected
        if "perhaps" not in answer.method:
            assert len(answer.witness) == len(space.path_to(min(expected)))


@SETTINGS
@given(st.data())
def test_at_its_limits_a_search_says_nothing_wrong(data: st.DataObject) -> None:
    net = data.draw(nets())
    formula = data.draw(formulas(net))
    expected = 0 in Graph(small(net)).true(formula)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(net_search, "WALK_TRIES", 500)
        verdict = check(net, formula, max_markings=data.draw(st.integers(1, 5)))
    if verdict.status in (Status.HOLDS, Status.VIOLATED):
        assert bool(verdict) is expected
    else:
        assert verdict.status is Status.UNKNOWN
        assert "Raise max_markings" in verdict.reason
    list(shows(verdict, net))


@SETTINGS
@given(st.data())
def test_what_the_marking_equation_rules_out_is_never_reached(data: st.DataObject) -> None:
    net = data.draw(nets())
    space = small(net)
    graph = Graph(space)
    inequalities = data.draw(st.lists(linears(net), min_size=1, max_size=3))
    proof = refuted(net, inequalities)
    if proof is not None:
        assert proof.holds_for(net, inequalities)
        assert not graph.true(And(tuple(inequalities)))
        assert "would have to be" in str(proof)
    places = data.draw(st.lists(st.sampled_from(net.places), min_size=1, max_size=2, unique=True))
    limit = greatest_sum(net, places)
    assert limit is None or limit >= max(sum(marking[p] for p in places) for marking in graph.markings)
    weights = bounding_weights(net)
    if weights is not None:
        total = sum(weights[p] * net.initial_marking[p] for p in net.places)
        assert all(sum(weights[p] * marking[p] for p in net.places) <= total for marking in graph.markings)
    formula = data.draw(formulas(net))
    assert graph.true(Simplifier(NetSearch(net))(formula)) == graph.true(formula)


@cases(20, unchecked=[HealthCheck.filter_too_much])
@given(st.data())
def test_questions_with_a_name_against_their_definitions(data: st.DataObject) -> None:
    net = data.draw(nets())
    split = data.draw(st.integers(0, len(net.places)))
    root = Unit("root", net.places[:split], ("inner",))
    units = NestedUnits("root", (root, Unit("inner", net.places[split:])), safe=True)
    net = PetriNet(net.name, net.places, net.transitions, net.arcs, net.initial_marking, units=units)
    space = small(net)
    graph = Graph(space)
    count = range(space.n_markings)
    reach = [graph.true(Temporal("E", "F", (CanFire((t,)),))) for t in net.transitions]
    most = max(max(marking.tokens) for marking in graph.markings)
    expected = {
        "one_safe": most <= 1,
        "bounded": True,
        "quasi_live": all(0 in each for each in reach),
        "live": all(each == set(count) for each in reach),
        "reversible": len(graph.temporal(False, "F", [{0}])) == space.n_markings,
        "stable": any(len({marking[p] for marking in graph.markings}) == 1 for p in net.places),
        "unit_safe": max(marking.total for marking in graph.markings) <= 1,
    }
    places = tuple(data.draw(st.lists(st.sampled_from(net.places), min_size=1, max_size=3, unique=True)))
    with pytest.MonkeyPatch.context() as patch:
        other_ways(patch, data)
        verdicts = {name: check(net, name) for name in expected}
        bounded = check(net, {"bounded": most})
        below = check(net, {"bounded": most - 1}) if most else None
        bound = check(net, UpperBound(places))
    assert {name: bool(verdict) for name, verdict in verdicts.items()} == expected
    assert bool(bounded)
    if below is not None:
        assert not below
        (witness,) = shows(below, net)
        assert max(witness.marking.tokens) == most
    assert bound.status is Status.HOLDS
    assert bound.statistics["upper_bound"] == max(sum(m[p] for p in places) for m in graph.markings)
    (witness,) = shows(bound, net)
    assert sum(witness.marking[p] for p in places) == bound.statistics["upper_bound"]
    if "perhaps" not in bound.method:
        totals = [sum(marking[p] for p in places) for marking in graph.markings]
        assert len(witness) == len(space.path_to(totals.index(max(totals))))
    for name in ("one_safe", "live", "reversible", "unit_safe"):
        for witness in shows(verdicts[name], net):
            number = space.number_of(witness.marking)
            assert number is not None
            assert {
                "one_safe": max(witness.marking.tokens) > 1,
                "live": "siphon" in verdicts[name].reason or any(number not in each for each in reach),
                "reversible": number not in graph.temporal(False, "F", [{0}]),
                "unit_safe": witness.marking.total > 1,
            }[name]
        assert (verdicts[name].witness is None) is expected[name] or "siphon" in verdicts[name].reason
