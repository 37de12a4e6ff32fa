"""Searches that keep to stubborn sets find what full ones find."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import wfsim.verification.nets.packed_space as packed_module
import wfsim.verification.nets.stubborn as stubborn_module
from tests.benchmarks.nets_bench import fms, kanban, orders, parallel, philosophers, shared_memory
from tests.differential.test_kernel_against_python import compare
from tests.nets import deadlock_free
from tests.property.test_nets import ALL_KINDS, nets
from tests.property.test_reductions import any_net
from tests.random_cases import cases
from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.firing import FiringRule, Tokens, successor
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import kernel, stubborn_search
from wfsim.verification.nets.check import check
from wfsim.verification.nets.dive import dive, shortened
from wfsim.verification.nets.explore import Engine, explore
from wfsim.verification.nets.formulas import And, Or, Plain, Temporal, linear
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.stubborn import StubbornSets, TooManyConflicts, _Effect
from wfsim.verification.nets.stubborn_search import look_for
from wfsim.verification.verdict import NetWitness, Status

SETTINGS = cases(40)
MOST = 2_000
LIMITS = Limits(MOST)


@st.composite
def contests(draw: st.DrawFn) -> PetriNet:
    """Some small processes that go forward, each with choices, which arcs of every kind make hang on one another."""
    places: list[str] = []
    arcs: dict[tuple[str, str, ArcKind], Arc] = {}
    marking = {}
    transitions: list[str] = []
    for i in range(draw(st.integers(2, 3))):
        steps = [f"p{i}_{k}" for k in range(draw(st.integers(2, 3)))]
        places += steps
        marking[steps[0]] = draw(st.sampled_from([1, 1, 2]))
        for k, step in enumerate(steps[:-1]):
            for choice in range(draw(st.integers(1, 2))):
                t = f"t{i}_{k}_{choice}"
                transitions.append(t)
                target = steps[k + 1] if choice == 0 else draw(st.sampled_from(steps))
                for arc in (Arc(step, t), Arc(t, target)):
                    arcs[arc.source, arc.target, arc.kind] = arc
    kinds = draw(st.lists(st.sampled_from(ALL_KINDS), min_size=1, max_size=3))
    # Few places, so that arcs of several kinds meet.
    shared = draw(st.lists(st.sampled_from(places), min_size=1, max_size=2))
    for _ in range(draw(st.integers(1, 6))):
        place, transition = draw(st.sampled_from(shared)), draw(st.sampled_from(transitions))
        kind = draw(st.sampled_from(kinds))
        weight = 1 if kind is ArcKind.RESET else draw(st.sampled_from([1, 1, 2]))
        arc = Arc(place, transition, weight, kind)
        if kind is ArcKind.NORMAL and draw(st.booleans()):
            arc = Arc(transition, place, weight)
        arcs[arc.source, arc.target, kind] = arc
        if kind is ArcKind.RESET and draw(st.booleans()):
            arcs[transition, place, ArcKind.NORMAL] = Arc(transition, place)
    return PetriNet("contests", places, transitions, list(arcs.values()), marking)


some_net = st.one_of(contests(), contests(), nets(), any_net)


def linear_sums(net: PetriNet) -> st.SearchStrategy[Plain]:
    def made(weights: dict[str, int], bound: int) -> Plain:
        return linear(weights.items(), bound)

    weights = st.dictionaries(st.sampled_from(net.places), st.sampled_from([-2, -1, -1, 1, 1, 2]), max_size=3)
    return st.builds(made, weights, st.integers(-4, 3))


@st.composite
def net_and_goal(draw: st.DrawFn) -> tuple[PetriNet, Plain]:
    """A net, and inequalities put together by `and` and `or`."""
    net = draw(some_net)
    parts = st.lists(linear_sums(net), min_size=1, max_size=3).map(tuple)
    inner = st.one_of(linear_sums(net), parts.map(And), parts.map(Or))
    outer = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return net, draw(st.one_of(inner, outer.map(And), outer.map(Or)))


def compare_reduced(plain: StateSpace, packed: StateSpace) -> None:
    assert (plain.engine, packed.engine) == ("python", "kernel")
    compare(plain, packed)
    assert plain.finished == packed.finished


@SETTINGS
@given(some_net)
def test_every_deadlock_is_found_and_as_near(net: PetriNet) -> None:
    full = explore(net, max_markings=MOST)
    reduced = explore(net, max_markings=MOST, stubborn=StubbornSets(net))
    assume(full.complete)
    assert reduced.finished
    assert not reduced.complete
    distance = {full.tokens[n]: len(full.path_to(n)) for n in full.deadlock_numbers()}
    found = {reduced.tokens[n]: len(reduced.path_to(n)) for n in reduced.deadlock_numbers()}
    assert found == distance
    for n in reduced.deadlock_numbers():
        assert net.fire_sequence(reduced.path_to(n))[-1].tokens == reduced.tokens[n]


@SETTINGS
@given(net_and_goal())
def test_what_is_sought_is_found_as_near_as_it_is(case: tuple[PetriNet, Plain]) -> None:
    net, wanted = case
    full, test = explore(net, max_markings=MOST), marking_test(wanted, net)
    assume(full.complete)
    nearest = next((n for n in range(full.n_markings) if test(full.tokens[n])), None)
    found = look_for(StubbornSets(net, wanted), lambda tokens: True, LIMITS)
    assert found.space.finished or found.numbers
    assert (nearest is None) == (not found.numbers)
    if nearest is not None:
        path = found.space.path_to(found.numbers[0])
        assert test(net.fire_sequence(path)[-1].tokens)
        assert len(path) == len(full.path_to(nearest))


@SETTINGS
@given(net_and_goal(), st.integers(1, 200), st.booleans())
def test_both_engines_keep_to_the_same_sets(case: tuple[PetriNet, Plain], limit: int, deadlocks: bool) -> None:
    net, wanted = case
    stubborn = StubbornSets(net) if deadlocks else StubbornSets(net, wanted)
    plain = explore(net, max_markings=limit, engine="python", stubborn=stubborn)
    packed = explore(net, max_markings=limit, engine="kernel", stubborn=stubborn)
    compare_reduced(plain, packed)


@SETTINGS
@given(net_and_goal(), st.integers(1, 200), st.integers(1, 30))
def test_a_reduced_search_goes_on_wherever_it_was_broken_off(
    case: tuple[PetriNet, Plain], limit: int, size: int
) -> None:
    net, wanted = case
    for stubborn in (StubbornSets(net), StubbornSets(net, wanted)):
        with mock.patch.object(packed_module, "SLICE", size), mock.patch.object(packed_module, "RESERVED", size):
            packed = explore(net, max_markings=limit, engine="kernel", stubborn=stubborn)
        compare_reduced(explore(net, max_markings=limit, engine="python", stubborn=stubborn), packed)


@SETTINGS
@given(net_and_goal(), st.integers(1, MOST), st.booleans(), st.booleans())
def test_a_dive_finds_what_there_is(
    case: tuple[PetriNet, Plain], limit: int, deadlocks: bool, small_slices: bool
) -> None:
    net, wanted = case
    stubborn = StubbornSets(net) if deadlocks else StubbornSets(net, wanted)
    plain = dive(stubborn, limits=Limits(max_markings=limit), engine="python")
    with (
        mock.patch.object(packed_module, "SLICE", 7 if small_slices else packed_module.SLICE),
        mock.patch.object(packed_module, "RESERVED", 1 if small_slices else packed_module.RESERVED),
    ):
        packed = dive(stubborn, limits=Limits(max_markings=limit), engine="kernel")
    assert list(plain.space.tokens) == list(packed.space.tokens)
    assert (plain.found, plain.space.finished, plain.space.reason) == (
        packed.found,
        packed.space.finished,
        packed.space.reason,
    )
    if plain.found is not None:
        path = plain.space.path_to(plain.found)
        assert path == packed.space.path_to(plain.found)
        short = shortened(net, path)
        assert len(short) <= len(path)
        assert net.fire_sequence(short)[-1].tokens == plain.space.tokens[plain.found]
        assert stubborn.sought(plain.space.tokens[plain.found])
    full = explore(net, max_markings=MOST)
    if full.complete and not plain.space.reason:
        exists = any(stubborn.sought(tokens) for tokens in full.tokens)
        assert (plain.found is not None) == exists
        assert plain.space.finished != exists


@SETTINGS
@given(net_and_goal(), st.booleans())
def test_answers_do_not_depend_on_how_the_net_is_searched(case: tuple[PetriNet, Plain], deep: bool) -> None:
    net, wanted = case
    full = explore(net, max_markings=MOST)
    assume(full.complete)
    with (
        mock.patch("wfsim.verification.nets.net_search.direct_markings", return_value=1),
        mock.patch("wfsim.verification.nets.soundness.direct_markings", return_value=1),
        mock.patch("wfsim.verification.nets.reachability._impossible", return_value=None),
        mock.patch.object(stubborn_search, "BREADTH_WORK", 0 if deep else 10**6),
        mock.patch.object(stubborn_search, "LEAST_BREADTH", 1 if deep else 1_000),
    ):
        reached = check(net, Temporal("E", "F", (wanted,)), max_markings=MOST)
        free = deadlock_free(net, max_markings=MOST)
    test = marking_test(wanted, net)
    assert bool(reached) == any(test(tokens) for tokens in full.tokens)
    if reached:
        assert isinstance(reached.witness, NetWitness)
        assert test(reached.witness.replay()[-1].tokens)
        if "perhaps" not in reached.method:
            nearest = next(n for n in range(full.n_markings) if test(full.tokens[n]))
            assert len(reached.witness) == len(full.path_to(nearest))
    final = net.final_marking
    stuck = [n for n in full.deadlock_numbers() if final is None or full.tokens[n] != final.tokens]
    assert bool(free) == (not stuck)
    if stuck:
        assert isinstance(free.witness, NetWitness)
        assert full.number_of(free.witness.replay()[-1]) in stuck
        if "perhaps" not in free.method:
            assert len(free.witness) == min(len(full.path_to(n)) for n in stuck)


EFFECTS = [
    _Effect(needs, forbids, empties, change)
    for needs in range(4)
    for forbids in (None, 1, 2, 3, 4)
    for empties in (False, True)
    for change in range(0 if empties else -needs, 4)
]


def test_relations_at_a_place_are_those_of_firing_there() -> None:
    """Every pair of effects of small weights, in every small marking of one place."""

    def rule(effect: _Effect) -> FiringRule:
        forbids = () if effect.forbids is None else ((0, effect.forbids),)
        changes = ((0, effect.change),) if effect.change else ()
        return FiringRule(
            ((0, effect.needs),) if effect.needs else (), forbids, (0,) if effect.empties else (), changes
        )

    rules = {effect: rule(effect) for effect in EFFECTS}

    def both(one: _Effect, other: _Effect, tokens: Tokens) -> Tokens | None:
        after = successor(tokens, rules[one])
        return None if after is None else successor(after, rules[other])

    markings = [(count,) for count in range(12)]
    enabled = {e: {m for m in markings if successor(m, rules[e]) is not None} for e in EFFECTS}
    for one in EFFECTS:
        for other in EFFECTS:
            together = enabled[one] & enabled[other]
            assert one.never_with(other) == (not together)
            independent = all(both(one, other, m) == both(other, one, m) is not None for m in together)
            if together:
                assert one.conflicts(other) != independent, (one, other)
        for weight in range(1, 5):
            steps = [(m[0], successor(m, rules[one])) for m in enabled[one]]
            assert one.raises_to(weight) == any(n < weight <= after[0] for n, after in steps if after)
            assert one.lowers_below(weight) == any(n >= weight > after[0] for n, after in steps if after)


@pytest.mark.parametrize(
    ("net", "most"),
    [(kanban(4), 100), (fms(4), 100), (parallel(60), 70), (shared_memory(6), 1_500), (orders(20, 4), 6_500)],
    ids=lambda value: getattr(value, "name", None),
)
def test_published_nets_shrink(net: PetriNet, most: int) -> None:
    space = explore(net, engine="kernel", stubborn=StubbornSets(net))
    assert space.finished
    assert space.n_markings <= most


def test_a_deadlock_deep_down_is_found_at_once() -> None:
    net = philosophers(60)
    verdict = deadlock_free(net, max_markings=100_000)
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert not net.enabled(verdict.witness.replay()[-1])
    assert "depth-first search with stubborn sets" in verdict.method
    assert "perhaps not shortest" in verdict.method
    assert len(verdict.witness) == 60


def test_what_only_a_reset_arc_can_bring_about_is_found() -> None:
    arcs = [Arc("p", "flush", kind=ArcKind.RESET), Arc("a", "flush"), Arc("b", "go"), Arc("go", "c")]
    net = PetriNet("flushed", ["p", "a", "b", "c"], ["flush", "go"], arcs, {"p": 3, "a": 1, "b": 2})
    for wanted, expected in ((linear([("p", 1)], 0), 1), (linear([("p", 1), ("c", -1)], -1), 2)):
        stubborn = StubbornSets(net, wanted)
        found = look_for(stubborn, lambda tokens: True, LIMITS)
        assert len(found.space.path_to(found.numbers[0])) == expected
        assert dive(stubborn).found is not None


@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_a_dive_keeps_its_limits_and_says_so(engine: Engine) -> None:
    stubborn = StubbornSets(philosophers(12), linear([("eat0", -1), ("eat1", -1)], -2))
    many = dive(stubborn, limits=Limits(max_markings=500), engine=engine)
    assert many.space.reason.startswith("Stopped after 500 markings")
    late = dive(stubborn, limits=Limits(max_seconds=0), engine=engine)
    assert late.space.reason.startswith("Stopped after 0 s")
    large = dive(stubborn, limits=Limits(max_memory=200_000), engine=engine)
    assert "limit of 200,000 bytes" in large.space.reason
    for each in (many, late, large):
        assert each.found is None
        assert not each.space.finished
        assert each.space.n_expanded == 0
        assert each.space.deadlock_numbers() == []
        last = each.space.n_markings - 1
        assert stubborn.net.fire_sequence(each.space.path_to(last))[-1] == each.space.marking(last)


def test_an_interrupted_dive_returns_what_is_known() -> None:
    # Loads the kernel, about which a plain function in its place could not be asked.
    dive(StubbornSets(philosophers(2)), engine="kernel")
    stubborn = StubbornSets(philosophers(12), linear([("eat0", -1), ("eat1", -1)], -2))
    real, calls = kernel.dive, iter([False, False, True])

    def interrupted(*arguments: object) -> int:
        outcome = real(*arguments)
        if next(calls):
            raise KeyboardInterrupt
        return int(outcome)

    with mock.patch.object(kernel, "dive", interrupted), mock.patch.object(packed_module, "SLICE", 2_000):
        packed = dive(stubborn, engine="kernel")
    assert packed.space.reason.startswith("Interrupted after ")
    with mock.patch.object(stubborn, "chosen", side_effect=KeyboardInterrupt):
        plain = dive(stubborn, engine="python")
    assert plain.space.reason.startswith("Interrupted after 1 marking")


def test_progress_of_a_dive_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    dive(StubbornSets(shared_memory(6)), limits=Limits(progress=True), engine="kernel")
    assert "markings" in capsys.readouterr().err


def test_a_reduced_space_does_not_pass_for_the_whole() -> None:
    net = parallel(6)
    space = explore(net, stubborn=StubbornSets(net))
    assert space.finished
    assert not space.complete
    assert "stubborn sets" in repr(space)
    with pytest.raises(SearchIncomplete, match="stubborn sets"):
        _ = space.dead_transitions
    with pytest.raises(SearchIncomplete, match="stubborn sets"):
        space.trace_to({"i": 7})


def test_stubborn_sets_of_another_net_are_refused() -> None:
    with pytest.raises(ValueError, match=r"stubborn sets of 'kanban-1'.*'kanban-2'"):
        explore(kanban(2), stubborn=StubbornSets(kanban(1)))


def test_nets_with_very_many_conflicts_are_searched_without() -> None:
    net = philosophers(6)
    with (
        mock.patch.object(stubborn_module, "MOST_CONFLICTS", 5),
        mock.patch("wfsim.verification.nets.soundness.direct_markings", return_value=10),
        mock.patch("wfsim.verification.nets.net_search.direct_markings", return_value=10),
    ):
        with pytest.raises(TooManyConflicts):
            StubbornSets(net)
        verdict = deadlock_free(net)
        reached = check(net, {"reachable": " and ".join(f"tokens('eat{i}') == 1" for i in (0, 2, 4))})
    assert verdict.status is Status.VIOLATED
    assert "stubborn" not in verdict.method + reached.method
    assert len(verdict.witness or ()) == 6
    assert reached


def test_sums_too_large_for_the_compiled_search_are_left_to_python() -> None:
    net = kanban(1)
    huge = StubbornSets(net, linear([("m1", -(2**62)), ("m2", -(2**62))], -(2**63)))  # type: ignore[arg-type]
    with pytest.raises(NetError, match="63 bits"):
        explore(net, engine="kernel", stubborn=huge)
    plain = explore(net, engine="python", stubborn=huge)
    assert any(huge.sought(tokens) for tokens in plain.tokens)
    assert dive(huge).found is not None
