"""Soundness and its parts on known nets."""

from __future__ import annotations

import json

import pytest

from tests.nets import bounded, deadlock_free, net_of, quasi_live
from wfsim.errors import DefinitionError
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import net_search
from wfsim.verification.nets.limits import Limits
from wfsim.verification.nets.reduced import nearest_deadlock
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.workflow_net import sink_places, source_places
from wfsim.verification.verdict import NetWitness, Status, Verdict

SEQUENCE = net_of("sequence", "i>A>p>B>o")
PARALLEL = net_of("parallel", "i>Split>a>X>c>Join>o Split>b>Y>d>Join")
LOOP = net_of("loop", "i>Start>w>Do>r>Again>w r>Done>o")
XOR_AND = net_of("xor_and", "i>X>a>Join>o i>Y>b>Join")
AND_XOR = net_of("and_xor", "i>Split>a>X>o Split>b>Y>o")
LIVELOCK = net_of("livelock", "i>Enter>a>Forth>b>Back>a i>Leave>o gate>Exit>o a>Exit i>Open>gate>Drop>o")
PUMP = net_of("pump", "i>Start>p>More>p More>q p>Stop>o q>Drain>o")
DEAD_END = net_of("dead_end", "i>Good>o i>Bad>trap>Never>o key>Never i>Make>key>Use>o")
PRODUCER = net_of("producer", "ready>Produce>ready Produce>buffer buffer>Consume>idle>Wait>idle", {"ready": 1})
MUTEX = net_of(
    "mutex", "n0>Enter0>c0>Leave0>n0 n1>Enter1>c1>Leave1>n1 m>Enter0 m>Enter1 Leave0>m Leave1>m"
).with_marking({"n0": 1, "n1": 1, "m": 1})


def trace_of(verdict: Verdict) -> tuple[str, ...]:
    """The firing sequence, after making sure that it replays."""
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1] == verdict.witness.marking
    return verdict.witness.firing_sequence


@pytest.mark.parametrize("net", [SEQUENCE, PARALLEL, LOOP], ids=lambda net: net.name)
@pytest.mark.parametrize("cases", [0, 1, 3])
def test_sound_workflow_nets_hold_for_any_number_of_cases(net: PetriNet, cases: int) -> None:
    verdict = soundness(net.with_marking({"i": cases}))
    assert verdict, str(verdict)
    assert verdict.witness is None
    assert verdict.property == (f"3-soundness of {net.name!r}" if cases == 3 else f"soundness of {net.name!r}")
    assert set(verdict.statistics["clauses"].values()) == {"holds"}
    assert ("one token in 'i', since the net has none" in verdict.assumptions) == (cases == 0)
    ends = f"it ends with {{'o': {max(cases, 1)}}}, as a workflow net does: no final marking is given"
    assert ends in verdict.assumptions


def test_choice_into_a_join_gets_stuck() -> None:
    verdict = soundness(XOR_AND)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("Option to complete fails: after 1 firing the net is stuck with {a: 1}.")
    assert trace_of(verdict) == ("X",)
    assert verdict.statistics["clauses"] == {
        "option to complete": "violated",
        "proper completion": "holds",
        "no dead transitions": "violated",
    }


def test_a_split_without_a_join_completes_twice() -> None:
    verdict = soundness(AND_XOR)
    assert verdict.status is Status.VIOLATED
    assert verdict.statistics["clauses"]["proper completion"] == "violated"
    assert "tokens are left in 'o'" in verdict.reason
    assert trace_of(verdict) in {("Split", "X", "Y"), ("Split", "Y", "X")}


def test_improper_completion_alone_is_named_with_its_shortest_trace() -> None:
    # What is left in b can always be dropped later, so the option to complete is kept.
    net = net_of("early", "i>Split>a>X>o Split>b>Drop")
    verdict = soundness(net.with_marking({"i": 1}, {"o": 1}))
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("Proper completion fails: after 2 firings")
    assert "left over in 'b'" in verdict.reason
    assert trace_of(verdict) == ("Split", "X")


def test_a_livelock_is_told_apart_from_a_deadlock() -> None:
    verdict = soundness(LIVELOCK)
    assert verdict.status is Status.VIOLATED
    assert "livelock" in verdict.reason
    assert "all that can still fire is 'Forth' and 'Back'" in verdict.reason
    assert trace_of(verdict) == ("Enter",)


def test_a_deadlock_is_preferred_to_a_nearer_livelock() -> None:
    net = net_of("both", "i>Enter>a>Forth>b>Back>a b>Out>o x>Out i>S1>p>S2>q>Stuck>o y>Stuck i>Fine>o")
    verdict = soundness(net.with_marking({"i": 1}, {"o": 1}))
    assert trace_of(verdict) == ("S1", "S2")


def test_dead_transitions_have_no_trace_and_are_listed_with_the_cause() -> None:
    net = net_of("dead", "i>A>p>B>o p>Both>o r>Both p>Make>r2>Use>o r2>Far>r>Far2>o o>Loop>o2>Far3>o")
    net = PetriNet.from_dict({**net.to_dict(), "labels": {"Both": "Do both"}, "sources": {"Both": "transition 3"}})
    verdict = soundness(net.with_marking({"i": 1}, {"o": 1}))
    assert verdict.statistics["clauses"]["no dead transitions"] == "violated"
    assert verdict.statistics["dead_transitions"] == [
        {
            "transition": "Both",
            "label": "Do both",
            "source": "transition 3",
            "cause": "its places are never marked as it wants at the same time",
        }
    ]
    assert verdict.reason.startswith("No dead transitions fails: no run fires 'Both'")
    assert verdict.witness is None


def test_a_place_that_is_never_marked_is_named_as_the_cause() -> None:
    net = net_of("dead", "i>A>o i>B>o never>B")
    verdict = soundness(net.with_marking({"i": 1}, {"o": 1}))
    assert verdict.statistics["dead_transitions"][0]["cause"] == "'never' never holds a token"
    assert "'B' ('never' never holds a token)" in verdict.reason


@pytest.mark.parametrize(
    ("flow", "marking", "words"),
    [
        (
            "i>A>archived i>B>closed",
            {},
            "'archived' and 'closed' are both sinks.\nJoin them in one final place.",
        ),
        ("i>A>o j>A", {}, "'i' and 'j' are both sources"),
        ("i>A>o j>A k>A", {}, "'i', 'j' and 'k' are all sources"),
        ("a>A>b>B>a", {}, "no place is a source"),
        ("i>A>p>B>p", {}, "no place is a sink"),
        ("i>A>o p>B>q>C>p", {}, "no path leads from the source 'i' to 'p', 'q', 'B' and 'C'"),
        ("i>A>o i>B>p>C>p", {}, "no path leads to the sink 'o' from 'p', 'B' and 'C'"),
        ("i>A>p>B>o", {"i": 1, "p": 1}, "besides the source 'i', tokens lie in 'p'"),
    ],
)
def test_what_is_no_workflow_net_is_an_error_with_advice(flow: str, marking: dict[str, int], words: str) -> None:
    verdict = soundness(net_of("odd", flow, marking))
    assert verdict.status is Status.ERROR
    assert words in verdict.reason


def test_a_final_marking_replaces_the_shape_of_a_workflow_net() -> None:
    pooled = net_of("pooled", "i>Take>busy>Give>o pool>Take Give>pool")
    assert soundness(pooled.with_marking({"i": 2, "pool": 1})).status is Status.ERROR
    verdict = soundness(pooled.with_marking({"i": 2, "pool": 1}, {"o": 2, "pool": 1}))
    assert verdict
    assert "it ends in the marking given with the net: {'o': 2, 'pool': 1}" in verdict.assumptions
    lost = soundness(pooled.with_marking({"i": 2, "pool": 1}, {"o": 2}))
    assert lost.status is Status.VIOLATED
    empty = soundness(pooled.with_marking({}, {"o": 2}))
    assert empty.status is Status.ERROR
    assert "is empty" in empty.reason


def test_a_net_that_shares_too_little_gets_stuck_only_with_two_cases() -> None:
    # Each case needs both tools, and takes them in its own order.
    net = net_of("tools", "i>A1>a>A2>e>End>o i>B1>b>B2>e x>A1 y>A2 y>B1 x>B2 End>x End>y")
    assert soundness(net.with_marking({"i": 1, "x": 1, "y": 1}, {"o": 1, "x": 1, "y": 1}))
    verdict = soundness(net.with_marking({"i": 2, "x": 1, "y": 1}, {"o": 2, "x": 1, "y": 1}))
    assert sorted(trace_of(verdict)) == ["A1", "B1"]


def test_an_unbounded_net_is_unsound_and_its_witness_pumps() -> None:
    verdict = soundness(PUMP)
    assert verdict.status is Status.VIOLATED
    assert verdict.reason.startswith("Boundedness fails: repeating 'More' puts ever more tokens into 'q'.")
    assert trace_of(verdict) == ("Start", "More")
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.repeatable == ("More",)
    assert verdict.bound["complete"] is False


def test_a_limit_gives_unknown_and_advice() -> None:
    verdict = soundness(SEQUENCE, max_markings=2)
    assert verdict.status is Status.UNKNOWN
    assert "Stopped after 2 markings" in verdict.reason
    assert "Raise max_markings" in verdict.reason
    assert verdict.bound["complete"] is False
    assert verdict.statistics["clauses"]["option to complete"] == "unknown"
    assert soundness(LOOP, max_seconds=0).status is Status.UNKNOWN


def test_a_deadlock_counts_although_the_search_is_cut_short() -> None:
    chain = net_of("cut", "i>Bad>stuck>Never>o lock>Never i>S1>p1>S2>p2>S3>p3>S4>p4>End>o End>lock")
    net = chain.with_marking({"i": 1}, {"o": 1})
    verdict = soundness(net, max_markings=5)
    assert not verdict.bound["complete"]
    assert verdict.status is Status.VIOLATED
    assert trace_of(verdict) == ("Bad",)


def test_lost_completion_or_silence_in_a_cut_search_proves_nothing() -> None:
    # Until the end is found nothing can complete, and End has not fired.
    assert soundness(LOOP, max_markings=3).status is Status.UNKNOWN


def test_what_a_cut_search_did_see_is_told_clause_by_clause() -> None:
    # All have fired after a few markings of eight cases, long before the rest is found.
    verdict = soundness(LOOP.with_marking({"i": 8}), max_markings=60)
    assert verdict.status is Status.UNKNOWN
    assert verdict.statistics["clauses"] == {
        "option to complete": "unknown",
        "proper completion": "unknown",
        "no dead transitions": "holds",
    }


def test_a_reset_arc_cleans_up_what_would_be_left() -> None:
    flow = "i>Split>a>Finish>o Split>b>Late>c>Later>b"
    dirty = net_of("dirty", flow).with_marking({"i": 1}, {"o": 1})
    assert soundness(dirty).status is Status.VIOLATED
    data = dirty.to_dict()
    data["arcs"] += [["b", "Finish", 1, "reset"], ["c", "Finish", 1, "reset"]]
    assert soundness(PetriNet.from_dict(data))


def test_growth_proves_nothing_with_an_inhibitor_arc() -> None:
    arcs = [("i", "S"), ("S", "p"), ("p", "M"), ("M", "p"), ("M", "q"), ("p", "E"), ("E", "o"), ("q", "D")]
    arcs += [("q", "M", 3, "inhibitor"), ("q", "E", 1, "inhibitor")]
    net = PetriNet("limited", ["i", "p", "q", "o"], ["S", "M", "E", "D"], arcs, {"i": 1}, {"o": 1})
    verdict = soundness(net)
    assert verdict, str(verdict)
    assert bounded(net).statistics["bounds"]["q"] == 3


def test_a_mutex_is_safe_and_free_of_deadlocks() -> None:
    assert bounded(MUTEX, 1)
    assert deadlock_free(MUTEX)
    assert quasi_live(MUTEX)
    assert bounded(MUTEX).statistics["bounds"] == dict.fromkeys(MUTEX.places, 1)


def test_a_producer_without_limit_is_unbounded() -> None:
    verdict = bounded(PRODUCER)
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.repeatable == ("Produce",)
    assert "'buffer'" in verdict.reason


def test_exceeding_k_is_shown_by_a_shortest_trace() -> None:
    verdict = bounded(PRODUCER, 3)
    assert trace_of(verdict) == ("Produce",) * 4
    assert bounded(PRODUCER, 3, max_markings=2).status is Status.UNKNOWN
    with pytest.raises(DefinitionError, match="expected 0 or more, found the number -1"):
        bounded(PRODUCER, -1)


def test_unboundedness_with_a_reset_arc_is_left_open() -> None:
    data = PRODUCER.to_dict()
    data["arcs"].append(["idle", "Produce", 1, "reset"])
    verdict = bounded(PetriNet.from_dict(data), max_markings=100)
    assert verdict.status is Status.UNKNOWN
    assert "growth on a path proves nothing" in verdict.reason


def test_the_final_marking_is_no_deadlock() -> None:
    assert deadlock_free(SEQUENCE.with_marking({"i": 2}, {"o": 2}))
    assert deadlock_free(SEQUENCE.with_marking({"p": 1}, {"o": 1}))
    verdict = deadlock_free(SEQUENCE.with_marking({"p": 1}))
    assert verdict.status is Status.VIOLATED
    assert "no final marking is known, so every deadlock counts" in verdict.assumptions
    assert trace_of(verdict) == ("B",)


def test_the_nearest_deadlock_is_shown() -> None:
    verdict = deadlock_free(DEAD_END.with_marking({"i": 1}, {"o": 1}))
    assert trace_of(verdict) == ("Bad",)


def test_deadlock_freedom_of_an_unbounded_net_stays_open() -> None:
    assert deadlock_free(PRODUCER, max_markings=200).status is Status.UNKNOWN


def test_dead_transitions_are_known_once_all_have_fired_even_if_unbounded() -> None:
    verdict = quasi_live(PUMP.with_marking({"i": 1}))
    assert verdict
    assert verdict.bound["complete"] is False


def test_a_transition_not_fired_in_a_cut_search_is_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quasi_live(SEQUENCE.with_marking({"i": 1}), max_markings=2).method.endswith("then random walks")
    monkeypatch.setattr(net_search, "WALK_TRIES", 0)
    verdict = quasi_live(SEQUENCE.with_marking({"i": 1}), max_markings=2)
    assert verdict.status is Status.UNKNOWN
    assert "Not fired so far: 'B'." in verdict.reason


def test_a_net_without_tokens_says_so() -> None:
    verdict = quasi_live(SEQUENCE)
    assert verdict.status is Status.VIOLATED
    assert "no place holds a token at the start, as the net is marked" in verdict.assumptions
    assert [entry["transition"] for entry in verdict.statistics["dead_transitions"]] == ["A", "B"]


def test_every_verdict_names_method_bound_and_assumption() -> None:
    for verdict in (soundness(XOR_AND), deadlock_free(MUTEX), quasi_live(MUTEX)):
        assert verdict.method == "explicit breadth-first search"
        assert verdict.bound["markings"] > 0
        assert "no fairness" in verdict.assumptions[0]
        json.dumps(verdict.to_dict())


def test_read_arcs_do_not_make_a_sink_and_reset_arcs_drain_one() -> None:
    arcs = [("i", "A"), ("A", "o"), ("o", "B", 1, "read"), ("x", "B", 1, "reset"), ("i", "B")]
    net = PetriNet("n", ["i", "o", "x"], ["A", "B"], arcs, {})
    assert source_places(net) == ("i", "x")
    assert sink_places(net) == ("o",)


def test_a_trace_to_the_first_deadlock_that_is_met_is_called_shortest_where_firings_count_once() -> None:
    embrace = net_of("embrace", "a>TakeR>a1>TakeS>ad r>TakeR s>TakeS TakeS>r TakeS>s b>GetS>b1>GetR>bd s>GetS r>GetR")
    met = nearest_deadlock(embrace.with_marking({"a": 1, "b": 1, "r": 1, "s": 1}), None, Limits())
    assert not met.space.finished
    assert met.witness is not None
    assert met.method.endswith("; trace shortest")
    assert "reduced" not in met.statistics


def test_a_trace_of_a_reduced_net_that_was_searched_whole_is_called_shortest() -> None:
    met = nearest_deadlock(net_of("chain", "p>T>q>U>r>V>s", {"p": 1}), None, Limits())
    assert met.space.finished
    assert met.reduction.rules
    assert met.method.endswith(", shortest")
    assert met.statistics["reduced"] == met.reduction.to_dict()


def test_where_there_is_no_trace_the_method_tells_of_none() -> None:
    met = nearest_deadlock(net_of("round", "p>T>q>U>p", {"p": 1}), None, Limits())
    assert met.witness is None
    assert "trace" not in met.method
