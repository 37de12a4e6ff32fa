"""Alignments: the cheapest explanation of each trace, and what follows from all."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

import wfsim as wf
from tests.nets import net_of
from wfsim.conformance.behaviour import states_of
from wfsim.errors import HistoryError, NetError
from wfsim.net.arcs import Arc, ArcKind

# `A`, then `B` and `C` in any order, then `D`.
NET = net_of("small", "i>A>p A>q p>B>r q>C>s r>D s>D>o", {"i": 1}).with_marking({"i": 1}, {"o": 1})


def test_traces_that_fit_cost_nothing() -> None:
    result = wf.align([["A", "B", "C", "D"], ["A", "C", "B", "D"]], NET)
    assert (result.fitness, result.fitting, result.cost, result.precision) == (1.0, 1.0, 0, 1.0)
    assert result.deviations.empty


def test_deviations_are_told_with_position_expected_and_seen() -> None:
    result = wf.align({("A", "C", "x", "D"): 3, ("A", "B", "C", "D"): 1}, NET)
    rows = result.deviations.astype(object).where(result.deviations.notna(), None).to_numpy().tolist()
    assert len(rows) == 2
    assert [0, 3, 2, "log", "x", None, None] in rows
    assert {row[5] for row in rows if row[3] == "model"} == {"B"}
    assert result.cost == 6
    assert result.fitness == 1 - 6 / (4 * (4 + 4))
    assert result.fitting == 0.25


def test_a_net_that_allows_more_than_happens_is_less_precise() -> None:
    result = wf.align([["A", "B", "C", "D"]], NET)
    # After `A` it allows two activities, one of which nobody does.
    assert result.precision == 4 / 5


@pytest.mark.parametrize("max_markings", [1, 100])
def test_what_the_net_has_not_is_no_silent_move(max_markings: int) -> None:
    net = net_of("way around", "i>A>o i>S>o", {"i": 1}).with_marking({"i": 1}, {"o": 1})
    (variant,) = wf.align([["x"]], net, labels={"S": None}, max_markings=max_markings).variants
    assert variant.moves is not None
    assert [(move.seen, move.expected) for move in variant.moves].count(("x", None)) == 1
    assert len(variant.moves) == 2


def test_the_empty_trace_is_explained_by_the_shortest_way() -> None:
    result = wf.align([[]], NET)
    assert (result.shortest, result.cost, result.fitness) == (4, 4, 0.0)


def test_a_workflow_says_which_states_may_follow() -> None:
    order = wf.load("models/order_processing.yaml")
    good = wf.simulate(order, cases=20, seed=1)
    assert wf.align(good, order).fitness == 1.0
    skipping = ("created", "validated", "payment_pending", "payment_completed", "shipped", "delivered")
    steps = [("x", state) for state in skipping] + [("y", "created"), ("y", "cancelled")]
    table = pa.table(
        {
            "case": [case for case, _ in steps],
            "activity": [state for _, state in steps],
            "time": [f"2026-01-01T00:{k:02}Z" for k in range(len(steps))],
        }
    )
    result = wf.align(wf.read_log(table), order)
    assert result.cost == 1
    rows = result.deviating_cases()
    assert rows["external_id"].unique().tolist() == ["x"]
    assert rows["expected"].tolist() == ["inventory_allocated"]
    assert rows["position"].tolist() == [4]
    with pytest.raises(HistoryError, match="alignments are of given traces"):
        wf.align([["created"]], order).deviating_cases()


def test_many_traces_that_begin_alike_cost_what_each_does_alone() -> None:
    traces = [["A"], ["A", "B"], ["A", "B", "B", "B"], ["A", "B", "C", "D"], ["B"], ["A", "B", "C", "D", "D"], []]
    together = {each.activities: each.cost for each in wf.align(traces, NET).variants}
    assert together == {tuple(trace): wf.align([trace], NET).variants[0].cost for trace in traces}


def test_nets_that_cannot_be_aligned_with_say_why() -> None:
    with pytest.raises(NetError, match="has no final marking"):
        wf.align([["A"]], net_of("open", "i>A>o", {"i": 1}))
    with pytest.raises(NetError, match="never reaches its final marking"):
        wf.align([["A"]], NET.with_marking({"i": 1}, {"i": 2}))
    with pytest.raises(NetError, match="never reaches its final marking"):
        wf.align([["A"]], NET.with_marking({"i": 1}, {"i": 2}), max_markings=1)
    with pytest.raises(NetError, match="has no transition 'e'"):
        wf.align([["A"]], NET, labels={"e": "x"})


def test_states_of_a_workflow_are_a_net_that_ends_in_its_terminal_states() -> None:
    net = states_of(wf.load("models/order_processing.yaml"))
    assert net.final_marking is not None
    assert {net.label(name) for name in net.transitions} >= {"created", "delivered", "τ"}


def test_a_net_with_more_markings_than_are_followed_is_searched() -> None:
    traces = [["A"], ["A", "B", "B", "B"], ["A", "B", "C", "D"], ["B"], ["A", "x", "D", "D"], []]
    followed, searched = wf.align(traces, NET), wf.align(traces, NET, max_markings=1)
    assert [each.cost for each in searched.variants] == [each.cost for each in followed.variants]
    assert searched.shortest == followed.shortest == 4
    assert searched.unknown == ()


def test_an_unbounded_net_is_searched() -> None:
    # `A` makes a token each time, `B` takes one; all must be taken in the end.
    net = net_of("counter", "p>A>p A>q q>B>r r>E>q p>Z>o", {"p": 1})
    net = net.with_marking({"p": 1}, {"o": 1, "r": 2})
    result = wf.align([["A", "A", "B", "B", "Z"], ["A", "B", "Z"]], net)
    assert [each.deviations for each in result.variants] == [0, 2]


def test_resets_are_searched_too() -> None:
    # `R` empties `q`, however much `A` has put there.
    arcs = [Arc("p", "A"), Arc("A", "p"), Arc("A", "q"), Arc("p", "R"), Arc("q", "R", 1, ArcKind.RESET), Arc("R", "o")]
    net = wf.PetriNet("reset", ["p", "q", "o"], ["A", "R"], arcs, {"p": 1}, {"o": 1})
    result = wf.align([["A", "A", "R"], ["A"]], net)
    assert {each.activities: each.deviations for each in result.variants} == {("A", "A", "R"): 0, ("A",): 1}


def test_what_was_not_found_in_time_is_unknown_and_not_counted() -> None:
    traces = {("A", "B", "C", "D"): 3, ("A", "x", "D"): 1}
    for markings in (1, 100):
        late = wf.align(traces, NET, max_markings=markings, max_seconds=0)
        assert [each.moves for each in late.variants] == [None, None]
        assert late.unknown == late.variants
        assert "4 cases unknown" in repr(late)
        assert late.deviations.empty
        assert all(math.isnan(each) for each in (late.fitness, late.fitting, late.precision))


def test_a_search_that_is_stopped_tells_what_it_costs_at_least() -> None:
    hard = ("D", "C", "B", "A")
    stopped = wf.align({("A", "B", "C", "D"): 3, hard: 1}, NET, max_markings=1, max_states=5)
    (unknown,) = stopped.unknown
    assert unknown.activities == hard
    assert 0 < unknown.deviations <= wf.align([hard], NET).variants[0].deviations
    assert stopped.fitness == 1.0
    assert "1 cases unknown" in repr(stopped)


def test_steps_that_the_workflow_lacks_are_counted() -> None:
    order = wf.load("models/order_processing.yaml")
    paid = ("created", "validated", "payment_pending", "payment_completed")
    traces = {
        (*paid, "inventory_allocated", "shipped", "delivered"): 5,
        (*paid, "shipped", "delivered"): 3,
        (*paid, "fraud check", "shipped", "delivered"): 2,
        ("validated", "cancelled"): 1,
    }
    rows = wf.align(traces, order).lacking.astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [
        ["payment_completed", "shipped", 3, 3],
        ["fraud check", "shipped", 2, 2],
        ["payment_completed", "fraud check", 2, 2],
        [None, "validated", 1, 1],
    ]
    with pytest.raises(HistoryError, match="'small' is a net: what may follow depends on its marking"):
        _ = wf.align([["A"]], NET).lacking


def test_a_simulated_history_takes_no_step_that_its_workflow_lacks() -> None:
    order = wf.load("models/order_processing.yaml")
    assert wf.align(wf.simulate(order, cases=50, seed=3), order).lacking.empty


def test_the_drawing_tells_moves_of_both_and_of_one_side_alone() -> None:
    order = wf.load("models/order_processing.yaml")
    paid = ("created", "validated", "payment_pending", "payment_completed")
    done = ("shipped", "delivered")
    traces = {
        (*paid, "inventory_allocated", *done): 5,
        (*paid, *done): 3,
        (*paid, "fraud check", "inventory_allocated", *done, "delivered"): 2,
    }
    drawn = wf.align(traces, order).picture()
    nodes = {node.id: node for node in drawn.nodes}
    assert nodes["state:shipped"].lines[-1] == "10 both"
    assert nodes["state:shipped"].shade > 0
    assert nodes["state:inventory_allocated"].lines[-2:] == ("7 both", "3 model alone")
    assert nodes["state:inventory_allocated"].shade < 0
    assert nodes["state:delivered"].lines[-2:] == ("10 both", "2 log alone")
    assert nodes["unknown:fraud check"].lines == ("2 log alone",)
    lacking = {(edge.source, edge.target): edge.label for edge in drawn.edges if edge.id.startswith("lacking:")}
    assert lacking == {
        ("state:payment_completed", "state:shipped"): "3 times, no transition",
        ("state:delivered", "state:delivered"): "2 times, no transition",
    }
    (allocated,) = (edge for edge in drawn.edges if edge.target == "state:inventory_allocated")
    assert (allocated.lines[-2:], allocated.weight) == (("7 both", "3 model alone"), 10.0)


def test_the_drawing_of_a_net_tells_the_same() -> None:
    nodes = {
        node.id: node for node in wf.align({("A", "C", "x", "D"): 3, ("A", "B", "C", "D"): 1}, NET).picture().nodes
    }
    assert nodes["A"].lines == ("4 both",)
    assert nodes["B"].lines == ("1 both", "3 model alone")
    assert nodes["unknown:x"].lines == ("3 log alone",)
    assert nodes["p"].shade == 0
