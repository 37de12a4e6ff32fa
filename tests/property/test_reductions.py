"""Questions asked of nets as they are, and of reduced ones: the same answers, with witnesses that replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.nets import reachable
from tests.property.test_nets import ALL_KINDS, PLAIN, nets, refined_workflows
from tests.random_cases import cases
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.clauses import reduced_soundness
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.findings import COMPLETES, NO_DEAD, PROPER
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.reachability import reduced_deadlock
from wfsim.verification.nets.reduced import Searched, nearest_deadlock
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.structure.reduction import Keep, reduce
from wfsim.verification.verdict import Status

SETTINGS = cases(80)
LIMITS = Limits(3_000)


@st.composite
def damaged_workflows(draw: st.DrawFn) -> PetriNet:
    """Sound workflow nets with some arcs added, moved or taken away, and some of another kind."""
    net = draw(refined_workflows())
    arcs = {(a.source, a.target, a.kind): a for a in net.arcs}
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            del arcs[draw(st.sampled_from(sorted(arcs)))]
        place, transition = draw(st.sampled_from(net.places)), draw(st.sampled_from(net.transitions))
        arc = Arc(place, transition, 1, draw(st.sampled_from([*ALL_KINDS, ArcKind.NORMAL, ArcKind.NORMAL])))
        if arc.kind is ArcKind.NORMAL and draw(st.booleans()):
            arc = Arc(transition, place, draw(st.sampled_from([1, 1, 2])))
        arcs[arc.source, arc.target, arc.kind] = arc
        if not arcs:
            break
    start = {"i": draw(st.sampled_from([1, 1, 1, 2]))}
    return PetriNet("damaged", net.places, net.transitions, list(arcs.values()), start, {"o": start["i"]})


@st.composite
def composed_workflows(draw: st.DrawFn) -> PetriNet:
    """Two or three small blocks side by side between a split and a join, perhaps damaged, in a loop or twice started.

    The blocks have contests over tokens, which no rule but that for parts can take away.
    """
    arcs: list[tuple[str, str]] = [("i", "Split"), ("Join", "o")]
    outer = draw(st.sampled_from(["once", "loop", "twice"]))
    if outer == "loop":
        arcs = [("i", "In"), ("In", "h"), ("h", "Split"), ("Join", "d"), ("d", "Back"), ("Back", "h"), ("d", "Out")]
        arcs += [("Out", "o")]
    elif outer == "twice":
        arcs = [("i", "First"), ("First", "h"), ("First", "g"), ("g", "Second"), ("Second", "h"), ("h", "Split")]
        arcs += [("Join", "d"), ("d", "Done"), ("Done", "o")]
    kinds: dict[tuple[str, str], ArcKind] = {}
    for k in range(draw(st.integers(2, 3))):
        flow = f"Split>p{k}>Both{k}>c{k}>Join Split>q{k}>Both{k} p{k}>One{k}>s{k}>Two{k}>c{k} q{k}>Two{k}"
        block = [pair for chain in flow.split() for pair in zip(chain.split(">"), chain.split(">")[1:])]
        for _ in range(draw(st.integers(0, 2))):
            if draw(st.booleans()):
                block.remove(draw(st.sampled_from(block)))
            place = draw(st.sampled_from([f"p{k}", f"q{k}", f"s{k}", f"c{k}"]))
            transition = draw(st.sampled_from([f"Both{k}", f"One{k}", f"Two{k}", "Split", "Join"]))
            arc = (place, transition) if draw(st.booleans()) else (transition, place)
            if arc not in block:
                block.append(arc)
                if arc[0] == place:
                    kinds[arc] = draw(st.sampled_from([ArcKind.NORMAL, ArcKind.NORMAL, *ALL_KINDS]))
        arcs += block
    nodes = list(dict.fromkeys(node for arc in arcs for node in arc))
    places = [node for node in nodes if node[0].islower()]
    given_arcs = [Arc(*arc, 1, kinds.get(arc, ArcKind.NORMAL)) for arc in arcs]
    end = {"o": 2 if outer == "twice" else 1}
    transitions = [node for node in nodes if node not in places]
    return PetriNet(
        "composed", places, transitions, given_arcs, {"i": 1}, {p: n for p, n in end.items() if p in places}
    )


any_net = st.one_of(damaged_workflows(), composed_workflows(), nets(final=True), nets(kinds=PLAIN, final=True))


def shortest_deadlock(space: StateSpace) -> int | None:
    """Length of the shortest way to a deadlock other than the final marking."""
    goal = space.number_of(space.net.final_marking or {})
    stuck = [n for n in range(space.n_expanded) if space.is_deadlock(n) and n != goal]
    return min((len(space.path_to(n)) for n in stuck), default=None)


@SETTINGS
@given(any_net)
def test_soundness_of_a_reduced_net_is_that_of_the_net(net: PetriNet) -> None:
    assert net.final_marking is not None
    space = explore(net, max_markings=3_000)
    assume(space.complete)
    whole = soundness(net, max_markings=3_000)
    outcome = reduced_soundness(net, net.final_marking, LIMITS)
    if outcome is None:
        return
    assert outcome.space.complete
    failed = {finding.clause for finding in outcome.findings}
    expected = {clause for clause, status in whole.statistics["clauses"].items() if status == "violated"}
    assert failed == expected, (str(outcome.reduction), net.to_dict())
    dead = {entry["transition"] for entry in whole.statistics.get("dead_transitions", ())}
    assert {entry["transition"] for entry in outcome.dead} == dead
    able = space.able_to_reach([n for n in [space.number_of(net.final_marking)] if n is not None])
    for finding in outcome.findings:
        if finding.clause == NO_DEAD:
            continue
        assert finding.witness is not None
        end = finding.witness.replay()[-1]
        number = space.number_of(end)
        assert number is not None
        if finding.clause == PROPER:
            assert end.strictly_covers(net.final_marking)
        if finding.clause == COMPLETES:
            assert not able[number]
            if space.is_deadlock(number) and outcome.shortest:
                assert len(finding.witness) == shortest_deadlock(space)
            # A deadlock is told where there is one.
            assert space.is_deadlock(number) or shortest_deadlock(space) is None or not outcome.shortest


@SETTINGS
@pytest.mark.parametrize("search", [reduced_deadlock, nearest_deadlock])
@given(net=any_net)
def test_deadlocks_of_a_reduced_net_are_those_of_the_net_and_as_near(
    search: Callable[..., Searched], net: PetriNet
) -> None:
    space = explore(net, max_markings=3_000)
    assume(space.complete)
    found = search(net, net.final_marking, LIMITS)
    witness = found.witness
    assert found.space.finished or witness is not None
    assert (None if witness is None else len(witness)) == shortest_deadlock(space)
    if witness is not None:
        assert space.is_deadlock(space.number_of(witness.replay()[-1]) or 0)


@cases(40)
@given(refined_workflows())
def test_workflows_grown_by_the_rules_shrink_again(net: PetriNet) -> None:
    verdict = soundness(net, max_markings=20_000)
    final = net.marking({"o": 1})
    outcome = reduced_soundness(net.with_marking({"i": 1}, {"o": 1}), final, LIMITS)
    assert verdict.status is Status.HOLDS
    if outcome is not None:
        assert outcome.findings == []
        assert outcome.space.n_markings <= 12


@SETTINGS
@given(any_net, st.data(), st.booleans())
def test_what_some_places_can_hold_is_kept(net: PetriNet, data: st.DataObject, exactly: bool) -> None:
    space = explore(net, max_markings=3_000)
    assume(space.complete)
    places = data.draw(st.lists(st.sampled_from(net.places), min_size=1, max_size=3, unique=True))
    wanted = {place: data.draw(st.integers(0, 2)) for place in places}
    possible = any(all(m[p] == n if exactly else m[p] >= n for p, n in wanted.items()) for m in space.markings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wfsim.verification.nets.net_search.direct_markings", lambda net: 1)
        verdict = reachable(net, wanted, exactly=exactly, max_markings=3_000)
    assert bool(verdict) == possible, str(verdict)
    if verdict.witness is not None:
        end = verdict.witness.replay()[-1]
        assert all(end[p] == n if exactly else end[p] >= n for p, n in wanted.items())
    assert (verdict.witness is not None) == possible
    # Which combinations the places can hold at all is the same.
    reduction = reduce(net, keep=Keep.REACHABILITY, places=places)
    small = explore(reduction.net, max_markings=3_000)
    assert {tuple(m[p] for p in places) for m in small.markings} == {
        tuple(m[p] for p in places) for m in space.markings
    }
