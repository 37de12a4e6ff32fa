"""Nets of every kind of arc, at random: firing, forms, search and verdicts."""

from __future__ import annotations

import json
from functools import cache
from unittest import mock

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.nets import bounded, deadlock_free
from tests.random_cases import BOOLEANS, among, cases, whole
from wfsim.errors import NetError
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.incidence import incidence
from wfsim.net.marking import Marking
from wfsim.net.petri import PetriNet
from wfsim.net.pnml import from_pnml, to_pnml
from wfsim.verification.nets import net_search
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.state_space import StateSpace
from wfsim.verification.nets.unbounded import growth_is_provable
from wfsim.verification.verdict import NetWitness, Status

SETTINGS = cases(80)
ALL_KINDS = tuple(ArcKind)
PLAIN = (ArcKind.NORMAL, ArcKind.READ)


@cache
def _ends(n_places: int, n_transitions: int) -> st.SearchStrategy[list[tuple[str, str]]]:
    ends = st.tuples(among(*(f"p{i}" for i in range(n_places))), among(*(f"t{i}" for i in range(n_transitions))))
    return st.lists(ends, max_size=14)


@st.composite
def nets(draw: st.DrawFn, kinds: tuple[ArcKind, ...] = ALL_KINDS, final: bool = False) -> PetriNet:
    """Up to five places and five transitions, weights up to three."""
    places = [f"p{i}" for i in range(draw(whole(1, 5)))]
    transitions = [f"t{i}" for i in range(draw(whole(0, 5)))]
    arcs: dict[tuple[str, str, ArcKind], Arc] = {}
    if transitions:
        for place, transition in draw(_ends(len(places), len(transitions))):
            kind = draw(among(*kinds))
            weight = 1 if kind is ArcKind.RESET else draw(among(1, 1, 1, 2, 3))
            arc = Arc(place, transition, weight, kind)
            if kind is ArcKind.NORMAL and draw(BOOLEANS):
                arc = Arc(transition, place, weight)
            arcs[arc.source, arc.target, kind] = arc
    tokens = [draw(whole(int(final), 3)), *(draw(whole(0, 3)) for _ in places[1:])]
    end = draw(st.lists(whole(0, 2), min_size=len(places), max_size=len(places))) if final else None
    return PetriNet("random", places, transitions, arcs.values(), tokens, end)


def naive_fire(net: PetriNet, marking: dict[str, int], transition: str) -> dict[str, int] | None:
    """The firing rule, once more and straight from its description."""
    incoming = [arc for arc in net.arcs if arc.target == transition]
    for arc in incoming:
        if arc.kind in (ArcKind.NORMAL, ArcKind.READ) and marking[arc.source] < arc.weight:
            return None
        if arc.kind is ArcKind.INHIBITOR and marking[arc.source] >= arc.weight:
            return None
    after = dict(marking)
    for arc in incoming:
        if arc.kind is ArcKind.NORMAL:
            after[arc.source] -= arc.weight
    for arc in incoming:
        if arc.kind is ArcKind.RESET:
            after[arc.source] = 0
    for arc in net.arcs:
        if arc.source == transition:
            after[arc.target] += arc.weight
    return after


@SETTINGS
@given(nets(), st.lists(st.integers(0, 10), max_size=12))
def test_firing_agrees_with_a_naive_twin_along_random_walks(net: PetriNet, choices: list[int]) -> None:
    marking = net.initial_marking
    for choice in choices:
        expected = {t: naive_fire(net, dict(marking), t) for t in net.transitions}
        enabled = net.enabled(marking)
        assert enabled == tuple(t for t in net.transitions if expected[t] is not None)
        for t in net.transitions:
            assert (net.why_not(marking, t) == ()) == (t in enabled)
        if not enabled:
            break
        chosen = enabled[choice % len(enabled)]
        marking = net.fire(marking, chosen)
        assert dict(marking) == expected[chosen]
        assert min(marking.tokens) >= 0


@SETTINGS
@given(nets(kinds=(ArcKind.NORMAL, ArcKind.READ, ArcKind.INHIBITOR)), st.lists(st.integers(0, 10), max_size=12))
def test_the_state_equation_holds_without_reset_arcs(net: PetriNet, choices: list[int]) -> None:
    counts = np.zeros(len(net.transitions), dtype=np.int64)
    marking = net.initial_marking
    for choice in choices:
        enabled = net.enabled(marking)
        if not enabled:
            break
        chosen = enabled[choice % len(enabled)]
        marking = net.fire(marking, chosen)
        counts[net.transition_index(chosen)] += 1
    expected = np.array(net.initial_marking.tokens) + incidence(net) @ counts
    assert marking.tokens == tuple(expected.tolist())


@SETTINGS
@given(nets(final=True))
def test_a_net_survives_json(net: PetriNet) -> None:
    assert PetriNet.from_dict(json.loads(json.dumps(net.to_dict()))) == net


# Signs that XML treats specially, ids cannot hold, or that look like an escape in an id.
odd_names = st.text(alphabet="ab_x0A1- .<>&\"'\t\n\r\x01é中😀:", min_size=1, max_size=9)
texts = st.text(alphabet="ab <>&\"'\n\té中😀_x", max_size=8)


@SETTINGS
@given(st.data(), nets(final=True))
def test_extended_pnml_is_read_back_to_an_equal_net(data: st.DataObject, net: PetriNet) -> None:
    old = [*net.places, *net.transitions]
    names = data.draw(st.lists(odd_names, min_size=len(old), max_size=len(old), unique=True))
    new = dict(zip(old, names))
    annotations = st.dictionaries(st.sampled_from(names), texts)
    renamed = PetriNet(
        data.draw(texts.filter(lambda text: text.strip() != "")),
        [new[p] for p in net.places],
        [new[t] for t in net.transitions],
        [Arc(new[a.source], new[a.target], a.weight, a.kind) for a in net.arcs],
        net.initial_marking.tokens,
        None if net.final_marking is None else net.final_marking.tokens,
        data.draw(annotations),
        data.draw(annotations),
    )
    text = to_pnml(renamed, extended=True)
    assert from_pnml(text) == renamed
    assert from_pnml(text.encode()) == renamed


@SETTINGS
@given(st.text(alphabet="<>/=\"' pnmletaridgoce&;\n", max_size=80))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        net = from_pnml("<pnml><net id='n'>" + text + "</net></pnml>", file="f")
    except NetError as error:
        refusal = str(error)
    else:
        refusal = "f:" if net.name else ""
    assert refusal.startswith("f:")


@SETTINGS
@given(nets())
def test_a_search_finds_exactly_the_markings_that_firing_reaches(net: PetriNet) -> None:
    space = explore(net, max_markings=150)
    graph = nx.MultiDiGraph()
    graph.add_node(net.initial_marking)
    todo = [net.initial_marking]
    while todo and len(graph) <= 200:
        marking = todo.pop()
        for transition in net.enabled(marking):
            after = net.fire(marking, transition)
            if after not in graph:
                todo.append(after)
            graph.add_edge(marking, after, transition)
    assert space.complete == (len(graph) <= 150)
    if space.complete:
        assert set(space.markings) == set(graph)
        assert space.n_edges == graph.number_of_edges()
        assert set(space.deadlocks) == {m for m in graph if graph.out_degree(m) == 0}
        assert set(space.dead_transitions) == set(net.transitions) - {t for *_, t in graph.edges(keys=True)}
        distance = nx.single_source_shortest_path_length(graph, net.initial_marking)
        assert all(len(space.trace_to(marking)) == distance[marking] for marking in graph)
    for marking in space.markings:
        assert net.fire_sequence(space.trace_to(marking))[-1] == marking
    for number in range(space.n_expanded):
        fired = [net.transitions[transition] for transition, _ in space.edges_from(number)]
        assert tuple(fired) == net.enabled(space.marking(number))


@SETTINGS
@given(nets(kinds=PLAIN))
def test_boundedness_of_plain_nets_is_decided_and_shown(net: PetriNet) -> None:
    verdict = bounded(net, max_markings=3000)
    if verdict.status is Status.VIOLATED:
        witness = verdict.witness
        assert isinstance(witness, NetWitness)
        passed = witness.replay()
        assert passed[-1].strictly_covers(passed[-1 - len(witness.repeatable)])
        again = net.fire_sequence(witness.repeatable, passed[-1])
        assert again[-1].strictly_covers(passed[-1])
    elif verdict.status is Status.HOLDS:
        assert explore(net, max_markings=3000).complete
    else:
        assert verdict.bound["markings"] == 3000
        assert not explore(net, max_markings=3000).complete


@SETTINGS
@given(nets(), st.integers(0, 4))
def test_k_boundedness_agrees_with_the_markings(net: PetriNet, k: int) -> None:
    space = explore(net, max_markings=150)
    verdict = bounded(net, k, max_markings=150)
    over = [marking for marking in space.markings if max(marking.tokens) > k]
    if over:
        assert verdict.status is Status.VIOLATED
        assert isinstance(verdict.witness, NetWitness)
        assert len(verdict.witness) == len(space.trace_to(over[0]))
        assert max(verdict.witness.replay()[-1].tokens) > k
    else:
        assert verdict.status is (Status.HOLDS if space.complete else Status.UNKNOWN)


def able_to_end(space: StateSpace, final: Marking) -> tuple[nx.MultiDiGraph, set[int]]:
    """The graph of a space, and the markings from which the final one can be reached."""
    graph = space.to_networkx()
    goal = space.number_of(final)
    return graph, set() if goal is None else {goal, *nx.ancestors(graph, goal)}


@SETTINGS
@given(nets(final=True))
def test_soundness_agrees_with_its_definition(net: PetriNet) -> None:
    assert net.final_marking is not None
    space = explore(net, max_markings=150)
    if not space.complete:
        return
    graph, able = able_to_end(space, net.final_marking)
    clauses = {
        "option to complete": len(able) == space.n_markings,
        "proper completion": not any(m.strictly_covers(net.final_marking) for m in space.markings),
        "no dead transitions": {t for *_, t in graph.edges(data="transition")} == set(net.transitions),
    }
    verdict = soundness(net, max_markings=150)
    assert bool(verdict) == all(clauses.values())
    assert verdict.statistics["clauses"] == {c: "holds" if h else "violated" for c, h in clauses.items()}
    if not clauses["option to complete"]:
        assert isinstance(verdict.witness, NetWitness)
        assert space.number_of(verdict.witness.replay()[-1]) not in able
    elif not clauses["proper completion"]:
        assert isinstance(verdict.witness, NetWitness)
        assert verdict.witness.replay()[-1].strictly_covers(net.final_marking)


@SETTINGS
@given(nets(final=True))
def test_weak_and_relaxed_soundness_agree_with_their_definitions(net: PetriNet) -> None:
    assert net.final_marking is not None
    space = explore(net, max_markings=150)
    if not space.complete:
        return
    graph, able = able_to_end(space, net.final_marking)
    completes = len(able) == space.n_markings
    proper = not any(m.strictly_covers(net.final_marking) for m in space.markings)
    weak = soundness(net, kind="weak", max_markings=150)
    assert bool(weak) == (completes and proper)
    assert set(weak.statistics["clauses"]) == {"option to complete", "proper completion"}
    useful = {t for _, target, t in graph.edges(data="transition") if target in able}
    relaxed = soundness(net, kind="relaxed", max_markings=150)
    assert bool(relaxed) == (useful == set(net.transitions))
    assert set(relaxed.statistics["never_on_a_way_to_the_end"]) == set(net.transitions) - useful


@SETTINGS
@given(nets(final=True), st.integers(1, 40))
def test_a_cut_search_never_contradicts_a_full_one(net: PetriNet, limit: int) -> None:
    if not explore(net, max_markings=400).complete:
        return
    for question in (soundness, deadlock_free, bounded):
        with mock.patch.object(net_search, "WALK_TRIES", 500):
            full, cut = question(net, max_markings=400), question(net, max_markings=limit)
        assert cut.status in (full.status, Status.UNKNOWN)
        if cut.status is Status.UNKNOWN:
            assert not cut.bound["complete"]


@SETTINGS
@given(nets(kinds=PLAIN, final=True))
def test_an_unbounded_plain_net_is_never_sound(net: PetriNet) -> None:
    assert growth_is_provable(net)
    if bounded(net, max_markings=500).status is Status.VIOLATED:
        assert soundness(net, max_markings=500).status is Status.VIOLATED


@st.composite
def refined_workflows(draw: st.DrawFn) -> PetriNet:
    """Workflow nets grown from one transition by rules that keep soundness."""
    places, transitions = ["i", "o"], ["T0"]
    arcs = {("i", "T0"), ("T0", "o")}
    for step in range(1, draw(st.integers(0, 7)) + 1):
        rule = draw(st.sampled_from(["sequence", "choice", "parallel", "loop"]))
        inner = [place for place in places if place not in ("i", "o")]
        if rule in ("parallel", "loop") and inner:
            place = draw(st.sampled_from(inner))
            if rule == "loop":
                transitions.append(f"T{step}")
                arcs |= {(place, f"T{step}"), (f"T{step}", place)}
            else:
                places.append(f"p{step}")
                arcs |= {(a, f"p{step}") for a, b in arcs if b == place}
                arcs |= {(f"p{step}", b) for a, b in arcs if a == place}
            continue
        transition = draw(st.sampled_from(transitions))
        transitions.append(f"T{step}")
        if rule == "choice":
            arcs |= {(a, f"T{step}") for a, b in arcs if b == transition}
            arcs |= {(f"T{step}", b) for a, b in arcs if a == transition}
        else:
            places.append(f"p{step}")
            moved = {(a, b) for a, b in arcs if a == transition}
            arcs = (arcs - moved) | {(f"T{step}", b) for _, b in moved}
            arcs |= {(transition, f"p{step}"), (f"p{step}", f"T{step}")}
    return PetriNet("refined", places, transitions, sorted(arcs), {"i": draw(st.integers(1, 2))})


@SETTINGS
@given(refined_workflows())
def test_refinement_keeps_workflow_nets_sound(net: PetriNet) -> None:
    verdict = soundness(net)
    assert verdict, str(verdict)
    assert deadlock_free(net.with_marking(net.initial_marking, {"o": net.initial_marking["i"]}))
    assert bounded(net)


@SETTINGS
@given(refined_workflows(), st.data())
def test_a_leak_makes_a_sound_workflow_net_unsound(net: PetriNet, data: st.DataObject) -> None:
    # Every transition of a sound net can fire; so with one more output its token will be left over.
    leaking = data.draw(st.sampled_from(net.transitions))
    arcs = [*net.arcs, Arc(leaking, "leak")]
    leaky = PetriNet("leaky", [*net.places, "leak"], net.transitions, arcs, net.initial_marking.to_dict())
    final = {"o": net.initial_marking["i"]}
    verdict = soundness(leaky.with_marking(net.initial_marking, final))
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1]["leak"] > 0
