"""Costs of optimal alignments of small random workflow nets, with pm4py's as a second opinion.

pm4py is AGPL-licensed: it is used in tests and benchmarks only, and no part of wfsim imports it.
"""

from __future__ import annotations

import pm4py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pm4py.algo.conformance.alignments.petri_net import algorithm
from pm4py.objects.log.obj import Event, Trace
from pm4py.objects.petri_net.utils import petri_utils

from tests.property.test_nets import refined_workflows
from tests.random_cases import cases
from wfsim.conformance.alignment import align
from wfsim.net.petri import PetriNet

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

LABELS = ("a", "b", "c", None)


def cost_by_pm4py(net: PetriNet, labels: dict[str, str | None], trace: list[str]) -> int:
    """What pm4py's optimal alignment costs: 10,000 for a move of one side, 1 for a silent one."""
    other = pm4py.PetriNet(net.name)
    nodes = {name: pm4py.PetriNet.Place(name) for name in net.places}
    other.places.update(nodes.values())
    transitions = {name: pm4py.PetriNet.Transition(name, labels[name]) for name in net.transitions}
    other.transitions.update(transitions.values())
    nodes.update(transitions)
    for arc in net.arcs:
        petri_utils.add_arc_from_to(nodes[arc.source], nodes[arc.target], other, arc.weight)
    start, end = pm4py.Marking(), pm4py.Marking()
    start[nodes["i"]] = end[nodes["o"]] = 1
    events = Trace([Event({"concept:name": activity}) for activity in trace])
    return int(algorithm.apply_trace(events, other, start, end)["cost"])


@st.composite
def questions(draw: st.DrawFn) -> tuple[PetriNet, dict[str, str | None], list[list[str]]]:
    """A sound net, whose transitions share labels or have none, and traces with activities that it does not know."""
    net = draw(refined_workflows())
    labels = {name: draw(st.sampled_from(LABELS)) for name in net.transitions}
    traces = draw(st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=5))
    return net.with_marking({"i": 1}, {"o": 1}), labels, traces


@cases(40)
@given(questions())
def test_costs_are_those_of_pm4py(question: tuple[PetriNet, dict[str, str | None], list[list[str]]]) -> None:
    net, labels, traces = question
    for variant in align(traces, net, labels=labels).variants:
        assert variant.cost == cost_by_pm4py(net, labels, list(variant.activities))


@cases(40)
@given(questions())
def test_moves_are_a_run_of_the_net_and_tell_the_trace(
    question: tuple[PetriNet, dict[str, str | None], list[list[str]]],
) -> None:
    net, labels, traces = question
    for variant in align(traces, net, labels=labels).variants:
        marking = net.initial_marking
        cost = 0
        for move in variant.moves:
            if move.transition is not None:
                marking = net.fire(marking, move.transition)
                assert labels[move.transition] == move.expected
            silent = move.seen is None and move.expected is None
            cost += 1 if silent else 10_000 * move.deviates
        assert marking == net.final_marking
        assert cost == variant.cost
        assert tuple(move.seen for move in variant.moves if move.seen is not None) == variant.activities
