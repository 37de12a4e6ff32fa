"""Invariants, classes, siphons, the marking equation and coverability on nets from the literature."""

from __future__ import annotations

from math import inf

import pytest

from tests.nets import net_of, parallel
from wfsim.errors import NotCovered
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.formulas import Linear
from wfsim.verification.nets.structure import (
    classify,
    coverability,
    largest_trap,
    liveness,
    minimal_siphons,
    minimal_traps,
    place_invariants,
    transition_invariants,
)
from wfsim.verification.nets.structure.farkas import refuted
from wfsim.verification.verdict import NetWitness, Status

MUTEX = net_of(
    "mutex", "n0>Enter0>c0>Leave0>n0 n1>Enter1>c1>Leave1>n1 m>Enter0 m>Enter1 Leave0>m Leave1>m"
).with_marking({"n0": 1, "n1": 1, "m": 1})
# Readers and writers that share three permits, after Murata (1989), Proceedings of the IEEE 77(4), 541-580.
READERS = PetriNet(
    "readers and writers",
    ["idle", "reading", "writing", "permits"],
    ["start_read", "end_read", "start_write", "end_write"],
    [
        *[("idle", "start_read"), ("permits", "start_read"), ("start_read", "reading")],
        *[("reading", "end_read"), ("end_read", "idle"), ("end_read", "permits")],
        *[("idle", "start_write"), ("permits", "start_write", 3), ("start_write", "writing")],
        *[("writing", "end_write"), ("end_write", "idle"), ("end_write", "permits", 3)],
    ],
    {"idle": 3, "permits": 3},
)
PHILOSOPHERS = net_of(
    "two philosophers",
    "t0>L0>h0>R0>e0>Put0>t0 t1>L1>h1>R1>e1>Put1>t1 f0>L0 f1>R0 f1>L1 f0>R1 Put0>f0 Put0>f1 Put1>f0 Put1>f1",
).with_marking({"t0": 1, "t1": 1, "f0": 1, "f1": 1})


def test_place_invariants_of_mutual_exclusion() -> None:
    found = place_invariants(MUTEX)
    assert found.complete
    assert {frozenset(each) for each in found.vectors} == {
        frozenset({"n0", "c0"}),
        frozenset({"n1", "c1"}),
        frozenset({"m", "c0", "c1"}),
    }


def test_readers_and_writers_weigh_a_writer_like_all_readers() -> None:
    assert {tuple(each.items()) for each in place_invariants(READERS).vectors} == {
        (("idle", 1), ("reading", 1), ("writing", 1)),
        (("reading", 1), ("writing", 3), ("permits", 1)),
    }
    assert transition_invariants(READERS).vectors == (
        {"start_read": 1, "end_read": 1},
        {"start_write": 1, "end_write": 1},
    )


def test_exponentially_many_invariants_are_told_not_to_be_all() -> None:
    # A choice of one of two places at each of 14 stages: 2^14 state machines from start to end.
    flow = " ".join(f"s{k}>T{k}>s{k + 1} r{k}>T{k}>r{k + 1}" for k in range(14)) + " s14>End>s0 r14>End>r0"
    net = net_of("ladder", flow, {"s0": 1, "r0": 1})
    crossed = PetriNet("rails", net.places, net.transitions, net.arcs, {"s0": 1, "r0": 1})
    found = place_invariants(crossed, max_rows=50)
    assert not found.complete
    assert "Raise max_rows" in found.reason


def test_what_is_reset_takes_part_in_no_invariant() -> None:
    net = PetriNet("r", ["p", "q"], ["t"], [("p", "t"), ("t", "q"), ("q", "t", 1, "reset")], {"p": 1})
    assert place_invariants(net).vectors == ()
    assert transition_invariants(net).vectors == ()


def test_classes_of_known_nets() -> None:
    assert classify(net_of("ring", "p>T>q>U>p", {"p": 1})).names == (
        "ordinary",
        "state machine",
        "marked graph",
        "free choice",
        "extended free choice",
        "asymmetric choice",
    )
    assert classify(MUTEX).names == ("ordinary", "asymmetric choice")
    assert classify(READERS).names == ()
    plain = classify(parallel(3))
    assert plain.workflow_net
    assert plain.free_choice
    contest = classify(parallel(3, "contest"))
    assert (contest.workflow_net, contest.extended_free_choice, contest.asymmetric_choice) == (True, False, False)
    extended = classify(net_of("both", "p>T>r q>T p>U>r q>U", {"p": 1}))
    assert (extended.free_choice, extended.extended_free_choice) == (False, True)


def test_siphons_of_the_philosophers_and_the_one_that_empties() -> None:
    siphons = minimal_siphons(PHILOSOPHERS).sets
    assert {frozenset(s) for s in siphons} == {
        frozenset({"t0", "h0", "e0"}),
        frozenset({"t1", "h1", "e1"}),
        frozenset({"f0", "h0", "e0", "e1"}),
        frozenset({"f1", "h1", "e0", "e1"}),
        frozenset({"f0", "f1", "e0", "e1"}),
    }
    # Holding a fork each, both wait: the forks are a siphon without a trap.
    assert largest_trap(PHILOSOPHERS, ("f0", "f1", "e0", "e1")) == ()


def test_traps_are_the_siphons_of_the_reversed_net() -> None:
    reverse = PetriNet(
        "reverse", MUTEX.places, MUTEX.transitions, [(a.target, a.source) for a in MUTEX.arcs], MUTEX.initial_marking
    )
    assert minimal_traps(MUTEX).sets == minimal_siphons(reverse).sets


def test_liveness_of_free_choice_nets() -> None:
    short = net_of("short", "i>Split>a>X>c>Join>o Split>b>Y>d>Join o>Again>i", {"i": 1})
    assert liveness(short)
    stuck = net_of("stuck", "i>Left>a>Join>o i>Right>b>Join o>Again>i", {"i": 1})
    verdict = liveness(stuck)
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert stuck.enabled(verdict.witness.replay()[-1]) == ()
    assert "holds no trap that is marked at the start. After 1 firing it is empty" in verdict.reason


def test_liveness_is_left_open_where_the_theorem_does_not_speak() -> None:
    mutex = liveness(MUTEX)
    assert mutex.status is Status.UNKNOWN
    assert "no reachable marking is a deadlock" in mutex.reason
    assert "is a deadlock" not in liveness(PHILOSOPHERS).reason
    assert liveness(READERS).status is Status.UNKNOWN
    with pytest.raises(NotCovered, match="weight above 1"):
        minimal_siphons(READERS)


def test_the_equation_shows_that_two_never_enter_together() -> None:
    inside = [Linear((("c0", -1),), -1), Linear((("c1", -1),), -1)]
    proof = refuted(MUTEX, inside)
    assert proof is not None
    assert proof.holds_for(MUTEX, inside)
    assert {"c0", "c1"} <= set(proof.weights)
    assert refuted(MUTEX, [inside[0], Linear((("n1", -1),), -1)]) is None


def test_coverability_names_the_place_and_the_loop() -> None:
    found = coverability(net_of("producer", "ready>Make>ready Make>store>Use>idle>Rest>idle", {"ready": 1}))
    assert found.complete
    assert found.unbounded == ("store", "idle")
    assert found.bounds["ready"] == 1
    assert [(pump.place, pump.loop, pump.lowers) for pump in found.pumps] == [
        ("store", ("Make",), ()),
        ("idle", ("Use",), ("store",)),
    ]


def test_a_place_pumped_by_another_one_is_fired_for_real() -> None:
    net = PetriNet(
        "two levels",
        ["a", "b", "c", "off"],
        ["more", "stop", "turn"],
        [
            *[("a", "more"), ("more", "a"), ("more", "b"), ("a", "stop"), ("stop", "off")],
            *[("b", "turn", 3), ("off", "turn"), ("turn", "off"), ("turn", "c")],
        ],
        {"a": 1},
    )
    found = coverability(net)
    assert found.bounds == {"a": 1, "b": inf, "c": inf, "off": 1}
    assert [(pump.place, pump.lowers) for pump in found.pumps] == [("b", ()), ("c", ("b",))]
    for pump in found.pumps:
        passed = pump.witness.replay()
        before = passed[len(passed) - 1 - len(pump.loop)]
        assert passed[-1][pump.place] > before[pump.place]


def test_coverability_is_not_asked_of_nets_it_is_wrong_for() -> None:
    net = PetriNet("r", ["p"], ["t"], [("t", "p"), ("p", "t", 2, "inhibitor")], {})
    with pytest.raises(NotCovered, match="inhibitor or reset"):
        coverability(net)
    few = coverability(parallel(10), max_nodes=20)
    assert not few.complete
    assert "Raise max_nodes" in few.reason
