"""Nets and limits that break naive checkers: an answer, or `unknown` with advice; no crash, hang or wrong answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.nets import net_of, parallel
from wfsim.net.petri import PetriNet
from wfsim.verify.explore import explore
from wfsim.verify.reachability import reachable
from wfsim.verify.soundness import bounded, dead_transitions, deadlock_free, soundness
from wfsim.verify.structure import coverability, minimal_siphons, place_invariants
from wfsim.verify.verdict import NetWitness, Status

HUGE = 10**9


def chain(n: int, start: int = 1) -> PetriNet:
    """A sequence of so many places."""
    arcs = [arc for k in range(n - 1) for arc in ((f"p{k}", f"t{k}"), (f"t{k}", f"p{k + 1}"))]
    return PetriNet("chain", [f"p{k}" for k in range(n)], [f"t{k}" for k in range(n - 1)], arcs, {"p0": start})


# --- size --------------------------------------------------------------------------------------------


def test_thirty_thousand_places_are_answered_or_left_open() -> None:
    net = chain(30_000)
    assert soundness(net)
    found = reachable(net, {"p29999": 1})
    assert found
    assert found.witness is not None
    assert len(found.witness) == 29_999
    text = str(found)
    assert "… 29,799 more steps, all in witness.steps …" in text
    assert len(text.splitlines()) < 250
    assert len(found._repr_html_()) < 100_000
    began = time.monotonic()
    space = explore(net, max_seconds=1)
    assert not space.complete
    assert "Stopped after 1 s" in space.reason
    assert time.monotonic() - began < 30


def test_a_split_into_a_thousand_branches_is_decided() -> None:
    assert soundness(parallel(1_000))


# --- weights and tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_arc_weights_and_tokens_of_a_thousand_million_are_counted_exactly(engine: Any) -> None:
    net = PetriNet("heavy", ["a", "b"], ["t"], [("a", "t", HUGE), ("t", "b", HUGE)], {"a": 2 * HUGE + 1})
    space = explore(net, engine=engine)
    assert space.complete
    assert [marking.to_dict() for marking in space.markings] == [
        {"a": 2 * HUGE + 1},
        {"a": HUGE + 1, "b": HUGE},
        {"a": 1, "b": 2 * HUGE},
    ]
    assert reachable(net, {"b": 2 * HUGE})
    assert reachable(net, {"b": 2 * HUGE + 1}).status is Status.VIOLATED
    assert place_invariants(net).vectors == ({"a": 1, "b": 1},)
    assert bounded(net, 2 * HUGE + 1)


def test_a_source_that_doubles_its_tokens_never_wraps() -> None:
    net = PetriNet("doubling", ["a"], ["t"], [("a", "t"), ("t", "a", HUGE)], {"a": 1})
    verdict = bounded(net)
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1]["a"] >= HUGE
    for engine in ("python", "kernel"):
        space = explore(net, max_markings=50, engine=engine)  # type: ignore[arg-type]
        assert [m["a"] for m in space.markings] == [1 + k * (HUGE - 1) for k in range(50)]


# --- without end --------------------------------------------------------------------------------------

PRODUCER = net_of("producer", "idle>Make>idle Make>store store>Take>hand hand>Put>store", {"idle": 1})


@pytest.mark.parametrize("ask", [deadlock_free, soundness, dead_transitions])
def test_an_unbounded_net_is_answered_or_left_open_with_advice(ask: Any) -> None:
    verdict = ask(PRODUCER, max_markings=2_000)
    if verdict.status is Status.UNKNOWN:
        assert "Raise max_markings" in verdict.reason
        assert "max_markings=2,000" in verdict.reason or "2,000" in verdict.reason
        assert verdict.bound["complete"] is False
    else:
        assert verdict.status is not Status.VIOLATED or verdict.witness is None or verdict.witness.replay()


def test_what_an_unbounded_net_can_grow_is_named() -> None:
    found = coverability(PRODUCER)
    assert found.unbounded == ("store", "hand")


# --- siphons and others -------------------------------------------------------------------------------


def test_too_many_siphons_are_told_and_never_called_all() -> None:
    found = minimal_siphons(parallel(16, "nested"), max_nodes=50)
    assert not found.complete
