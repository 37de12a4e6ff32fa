"""Costs of optimal alignments and precision of small random workflow nets, with pm4py's as a second opinion.

pm4py is AGPL-licensed: it is used in tests and benchmarks only, and no part of wfsim imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pm4py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pm4py.algo.conformance.alignments.petri_net import algorithm
from pm4py.algo.evaluation.precision.variants import align_etconformance
from pm4py.objects.log.obj import Event, EventLog, Trace
from pm4py.objects.petri_net.utils import petri_utils

import wfsim as wf
from tests import loan_log
from tests.property.test_nets import refined_workflows
from tests.random_cases import cases
from wfsim.conformance.alignment import Alignments, align
from wfsim.net.petri import PetriNet

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

LABELS = ("a", "b", "c", None)


# The six traces of the running example of van der Aalst, Process Mining (2016), table 1.1.
RUNNING_EXAMPLE = [
    "register request, examine thoroughly, check ticket, decide, reject request",
    "register request, check ticket, examine casually, decide, pay compensation",
    "register request, examine casually, check ticket, decide, reinitiate request, examine thoroughly, check ticket, "
    "decide, pay compensation",
    "register request, check ticket, examine thoroughly, decide, reject request",
    "register request, examine casually, check ticket, decide, reinitiate request, check ticket, examine casually, "
    "decide, reinitiate request, examine casually, check ticket, decide, reject request",
    "register request, examine casually, check ticket, decide, pay compensation",
]

Theirs = tuple[Any, Any, Any]


def to_pm4py(net: PetriNet, labels: dict[str, str | None]) -> Theirs:
    """The net, its initial and its final marking."""
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
    return other, start, end


def from_pm4py(theirs: Theirs) -> PetriNet:
    """The same net as ours."""
    net, start, end = theirs
    names = {node: f"n{k}" for k, node in enumerate(sorted({*net.places, *net.transitions}, key=lambda n: n.name))}
    arcs = [(names[arc.source], names[arc.target], arc.weight) for arc in net.arcs]
    markings = [{names[place]: n for place, n in marking.items()} for marking in (start, end)]
    labels = {names[each]: each.label or "τ" for each in net.transitions}
    places = [names[each] for each in net.places]
    return PetriNet("discovered", places, list(labels), arcs, *markings, labels)


def log_of(traces: Iterable[Iterable[str]]) -> EventLog:
    """A log as pm4py has it."""
    return EventLog([Trace([Event({"concept:name": activity}) for activity in trace]) for trace in traces])


def cost_by_pm4py(theirs: Theirs, trace: Iterable[str]) -> int:
    """What pm4py's optimal alignment costs: 10,000 for a move of one side, 1 for a silent one."""
    return int(algorithm.apply_trace(log_of([trace])[0], *theirs)["cost"])


def deviations_by_pm4py(theirs: Theirs, trace: Iterable[str]) -> int:
    """What it costs where moves of one side cost 1, and all others nothing."""
    events = log_of([trace])[0]
    transitions = theirs[0].transitions
    costs = {
        algorithm.Variants.VERSION_STATE_EQUATION_A_STAR.value.Parameters.PARAM_MODEL_COST_FUNCTION: {
            each: int(each.label is not None) for each in transitions
        },
        algorithm.Variants.VERSION_STATE_EQUATION_A_STAR.value.Parameters.PARAM_SYNC_COST_FUNCTION: dict.fromkeys(
            transitions, 0
        ),
        algorithm.Variants.VERSION_STATE_EQUATION_A_STAR.value.Parameters.PARAM_TRACE_COST_FUNCTION: [1] * len(events),
    }
    return int(algorithm.apply_trace(events, *theirs, parameters=costs)["cost"])


@st.composite
def questions(draw: st.DrawFn) -> tuple[PetriNet, dict[str, str | None], list[list[str]]]:
    """A sound net, whose transitions share labels or have none, and traces with activities that it does not know."""
    net = draw(refined_workflows())
    labels = {name: draw(st.sampled_from(LABELS)) for name in net.transitions}
    traces = draw(st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=5))
    return net.with_marking({"i": 1}, {"o": 1}), labels, traces


@pytest.mark.parametrize("max_markings", [1, 10_000], ids=["searched", "followed"])
@cases(40)
@given(question=questions())
def test_costs_are_those_of_pm4py(
    max_markings: int, question: tuple[PetriNet, dict[str, str | None], list[list[str]]]
) -> None:
    net, labels, traces = question
    theirs = to_pm4py(net, labels)
    for variant in align(traces, net, labels=labels, max_markings=max_markings).variants:
        assert variant.cost == cost_by_pm4py(theirs, variant.activities)


@pytest.mark.parametrize("max_markings", [1, 10_000], ids=["searched", "followed"])
@cases(40)
@given(question=questions())
def test_moves_are_a_run_of_the_net_and_tell_the_trace(
    max_markings: int, question: tuple[PetriNet, dict[str, str | None], list[list[str]]]
) -> None:
    net, labels, traces = question
    for variant in align(traces, net, labels=labels, max_markings=max_markings).variants:
        marking = net.initial_marking
        cost = 0
        assert variant.moves is not None
        for move in variant.moves:
            if move.transition is not None:
                marking = net.fire(marking, move.transition)
                assert labels[move.transition] == move.expected
            silent = move.seen is None and move.expected is None
            cost += 1 if silent else 10_000 * move.deviates
        assert marking == net.final_marking
        assert cost == variant.cost
        assert tuple(move.seen for move in variant.moves if move.seen is not None) == variant.activities


def runs_of(result: Alignments) -> list[list[str]]:
    """What the model does in the alignment of each case."""
    return [
        [move.expected for move in each.moves or () if move.expected is not None]
        for each in result.variants
        for _ in range(each.cases)
    ]


@cases(40)
@given(questions())
def test_precision_is_that_of_pm4py_for_the_aligned_runs(
    question: tuple[PetriNet, dict[str, str | None], list[list[str]]],
) -> None:
    """It leaves out what does not fit, so it is asked about what the cases did by their alignments.

    Without silent transitions, as of the markings that a beginning leads to pm4py takes those with the fewest silent
    moves only.
    """
    net, labels, traces = question
    labels = {name: label or "d" for name, label in labels.items()}
    result = align(traces, net, labels=labels)
    theirs = to_pm4py(net, labels)
    runs = [run for run in runs_of(result) if run]
    told = align_etconformance.apply(log_of(runs), *theirs, parameters={"show_progress_bar": False})
    assert result.precision == pytest.approx(told, abs=1e-12)


@cases(60)
@given(questions())
def test_precision_counts_what_all_runs_with_the_same_activities_can_go_on_with(
    question: tuple[PetriNet, dict[str, str | None], list[list[str]]],
) -> None:
    """With silent transitions too; every run of the net is tried."""
    net, labels, traces = question
    result = align(traces, net, labels=labels)
    runs = runs_of(result)
    done, allowed = 0, 0
    for run in runs:
        for k in range(len(run)):
            done += len({other[k] for other in runs if len(other) > k and other[:k] == run[:k]})
            allowed += len(going_on(net, labels, run[:k]))
    assert result.precision == pytest.approx(done / allowed if allowed else 1.0, abs=1e-12)


def going_on(net: PetriNet, labels: dict[str, str | None], run: list[str]) -> set[str]:
    """The activities that some run of the net has after these."""
    places = {(net.initial_marking, 0)}
    waiting = list(places)
    found = set()
    while waiting:
        marking, k = waiting.pop()
        for name in net.enabled(marking):
            label = labels[name]
            if label is not None and k == len(run):
                found.add(label)
            elif label is None or label == run[k]:
                place = (net.fire(marking, name), k + (label is not None))
                if place not in places:
                    places.add(place)
                    waiting.append(place)
    return found


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_known_logs_cost_what_pm4py_says_by_either_cost_function(noise: float) -> None:
    """The running example, and the 40 most frequent variants of the log that ships; nets of the inductive miner."""
    shipped = wf.read_log(loan_log.PAGE, final=["approved", "declined", "cancelled"])
    frequent = [
        tuple(each)
        for (each,) in shipped.sql("SELECT states FROM variants ORDER BY cases DESC, states LIMIT 40").fetchall()
    ]
    for traces in ([tuple(each.split(", ")) for each in RUNNING_EXAMPLE], frequent):
        theirs = pm4py.discover_petri_net_inductive(log_of(traces), noise_threshold=noise)
        for variant in align(traces, from_pm4py(theirs)).variants:
            assert variant.cost == cost_by_pm4py(theirs, variant.activities)
            assert variant.deviations == deviations_by_pm4py(theirs, variant.activities)
