"""Soundness of nets from the literature, and its equivalence with liveness and boundedness.

A workflow net is sound exactly if it is live and bounded once its sink is connected with its source: van der
Aalst (1998), Journal of Circuits, Systems and Computers 8(1), 21-66, theorem 11.
"""

from __future__ import annotations

from random import Random

import networkx as nx
import pytest

from tests.nets import bounded, deadlock_free, net_of, quasi_live
from tests.random_cases import FUZZ
from wfsim.net.arcs import Arc
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.verdict import NetWitness, Status, Verdict

COMPLAINTS = net_of(
    "complaints",
    "i>Register>c1>Send>c3>Process>c5 c3>Time_out>c5 Register>c2>Evaluate>c4>No_processing>c6 "
    "c4>Processing_required>c7>Process_complaint>c8>Check>c9>Processing_ok>c6 c9>Processing_nok>c7 "
    "c5>Process_complaint>c5 c5>Archive>o c6>Archive",
)
FORGETFUL = net_of(
    "forgetful complaints",
    "i>Register>c1>Send>c3>Process>c5 c3>Time_out>c5 Register>c2>Evaluate>c4>No_processing>c6 "
    "c4>Processing_required>c7>Process_complaint>c8>Check>c6 c5>Process_complaint c5>Archive>o c6>Archive",
)
MILESTONE = net_of(
    "milestone", "i>Split>a>Work>m>Go_on>b Split>w>Peek>x m>Peek>m b>Too_late>b w>Too_late>x b>Join>o x>Join"
)
CRITICAL = net_of(
    "critical section",
    "i>Split>a>Take_a>c>Give_a>d Split>b>Take_b>e>Give_b>f d>Join>o f>Join Split>key>Join "
    "key>Take_a Give_a>key key>Take_b Give_b>key",
)
PAIRS = PetriNet(
    "pairs",
    ["i", "p", "q", "o"],
    ["Split", "Do", "Join"],
    [Arc("i", "Split"), Arc("Split", "p", 2), Arc("p", "Do"), Arc("Do", "q"), Arc("q", "Join", 2), Arc("Join", "o")],
    {},
)
MIXING = net_of("mixing", "i>L>l1>Jl>o L>l2>Jl i>R>r1>Jr>o R>r2>Jr i>B>l1>M>o B>r2>M")
XOR_AND = net_of("xor and", "i>X>a>Join>o i>Y>b>Join")
AND_XOR = net_of("and xor", "i>Split>a>X>o Split>b>Y>o")
EARLY = net_of("early", "i>Split>a>Finish>o Split>b>Late>o")
PUMP = net_of("pump", "i>Start>p>More>p More>q p>Stop>o q>Drain>o")
ASTRAY = net_of("astray", "i>Good>w i>Bad>w Good>k w>Try>t>Again>w t>Done>o k>Done")
ENDLESS = net_of("endless", "i>Enter>w>Try>t>Again>w t>Done>o k>Done t>Make>k k>Make")
SOUND = [COMPLAINTS, MILESTONE, CRITICAL, PAIRS, MIXING]
UNSOUND = [FORGETFUL, XOR_AND, AND_XOR, EARLY, PUMP, ASTRAY, ENDLESS]


def trace_of(verdict: Verdict) -> tuple[str, ...]:
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1] == verdict.witness.marking
    return verdict.witness.firing_sequence


def live_and_bounded(net: PetriNet) -> bool:
    """Of the net whose sink is connected with its source: straight from the definitions."""
    arcs = [*net.arcs, Arc("o", "again"), Arc("again", "i")]
    circle = PetriNet("circle", net.places, [*net.transitions, "again"], arcs, {"i": 1})
    if bounded(circle).status is Status.VIOLATED:
        return False
    space = explore(circle)
    assert space.complete
    graph = space.to_networkx()
    bottom = [c for c in nx.strongly_connected_components(graph) if not any(t not in c for _, t in graph.out_edges(c))]
    return all({t for *_, t in graph.subgraph(c).edges(data="transition")} == set(circle.transitions) for c in bottom)


@pytest.mark.parametrize("net", SOUND, ids=lambda net: net.name)
def test_sound_nets_of_the_literature_are_sound(net: PetriNet) -> None:
    verdict = soundness(net)
    assert verdict, str(verdict)
    assert live_and_bounded(net)


@pytest.mark.parametrize("net", UNSOUND, ids=lambda net: net.name)
def test_unsound_nets_of_the_literature_are_not_sound(net: PetriNet) -> None:
    verdict = soundness(net)
    assert verdict.status is Status.VIOLATED
    assert not live_and_bounded(net)
    if verdict.witness is not None:
        trace_of(verdict)


def test_a_wrong_choice_before_a_loop_is_a_livelock() -> None:
    verdict = soundness(ASTRAY)
    assert verdict.reason.startswith("Option to complete fails: after 1 firing, with {w: 1}, the net goes on for ever")
    assert "all that can still fire is 'Try' and 'Again'" in verdict.reason
    assert trace_of(verdict) == ("Bad",)
    assert verdict.statistics["clauses"] == {
        "option to complete": "violated",
        "proper completion": "holds",
        "no dead transitions": "holds",
    }
    # No part of it is a deadlock, so only the way back from the end tells.
    net = ASTRAY.with_marking({"i": 1}, {"o": 1})
    assert deadlock_free(net)
    assert bounded(net, 1)
    assert quasi_live(net)


def test_a_loop_that_can_never_reach_the_end_is_a_livelock_from_the_start() -> None:
    verdict = soundness(ENDLESS)
    assert verdict.reason.startswith("Option to complete fails: at the start, with {i: 1}, the net goes on for ever")
    assert trace_of(verdict) == ()
    assert verdict.statistics["clauses"]["no dead transitions"] == "violated"
    assert {entry["transition"] for entry in verdict.statistics["dead_transitions"]} == {"Make", "Done"}
    assert deadlock_free(ENDLESS.with_marking({"i": 1}, {"o": 1}))


def test_a_livelock_is_not_claimed_by_a_search_that_was_cut() -> None:
    for limit in range(1, explore(ASTRAY.with_marking({"i": 1})).n_markings):
        assert soundness(ASTRAY, max_markings=limit).status is Status.UNKNOWN
    # With the last marking found, all are expanded.
    assert soundness(ASTRAY, max_markings=explore(ASTRAY.with_marking({"i": 1})).n_markings).status is Status.VIOLATED


def test_two_cases_may_take_each_others_tokens_though_one_is_sound() -> None:
    assert soundness(MIXING)
    verdict = soundness(MIXING.with_marking({"i": 2}))
    assert verdict.status is Status.VIOLATED
    assert sorted(trace_of(verdict)) == ["L", "M", "R"]
    assert "the net is stuck with {o: 1, l2: 1, r1: 1}" in verdict.reason


def test_a_sound_net_need_not_be_safe() -> None:
    assert soundness(PAIRS)
    assert bounded(PAIRS.with_marking({"i": 1}), 2)
    assert trace_of(bounded(PAIRS.with_marking({"i": 1}), 1)) == ("Split",)


def test_a_token_that_is_not_put_back_leaves_the_archive_waiting() -> None:
    verdict = soundness(FORGETFUL)
    assert "the net is stuck with {c6: 1}" in verdict.reason
    assert trace_of(verdict)[-1] == "Check"


def random_workflow_net(seed: int) -> PetriNet | None:
    """Up to five inner places and six transitions, if each node lies on a path from source to sink."""
    random = Random(seed)
    inner = [f"p{k}" for k in range(random.randint(1, 5))]
    transitions = [f"T{k}" for k in range(random.randint(2, 6))]
    arcs = set()
    for transition in transitions:
        for place in random.sample(["i", *inner, *inner], random.choice([1, 1, 1, 2])):
            arcs.add((place, transition))
        for place in random.sample(["o", *inner, *inner], random.choice([1, 1, 1, 2])):
            arcs.add((transition, place))
    net = PetriNet("random", ["i", *inner, "o"], transitions, sorted(arcs), {})
    return net if soundness(net, max_markings=1).status is not Status.ERROR else None


def test_soundness_is_liveness_and_boundedness_with_the_end_tied_to_the_start() -> None:
    answers = {True: 0, False: 0}
    livelocks = 0
    for seed in range(1_000 * max(FUZZ, 1)):
        net = random_workflow_net(seed)
        if net is not None:
            verdict = soundness(net)
            assert bool(verdict) == live_and_bounded(net), f"seed {seed}: {verdict}"
            answers[bool(verdict)] += 1
            livelocks += "livelock" in verdict.reason
    assert min(*answers.values(), livelocks) >= 5, (answers, livelocks)
