"""Process maps: what flowed through a workflow, counted anew from its records."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

import wfsim as wf
from wfsim.analytics.flows import flows
from wfsim.errors import HistoryError
from wfsim.model.picture import edge_ids

CASES = 60


@pytest.fixture(scope="module")
def history() -> wf.History:
    workflow = wf.load("models/incident_response.yaml")
    return wf.simulate(workflow, "models/incident_response.scenario.yaml", cases=CASES, progress=False)


def test_counts_and_times_are_those_of_the_records(history: wf.History) -> None:
    taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
    stayed: dict[str, list[tuple[int, int]]] = defaultdict(list)
    retried: dict[str, int] = defaultdict(int)
    for number in range(1, CASES + 1):
        since: dict[str, tuple[str, int]] = {}
        for record in history.case(number).records():
            place, moves = record.region or "", record.kind == "transition" and record.to_state is not None
            if record.kind == "transition":
                taken[record.payload["transition"]].append((number, record.time - since[place][1] if moves else 0))
            if record.kind == "retry_scheduled":
                retried[str(record.state)] += 1
            if (moves or record.kind == "state_left") and place in since:
                state, entered = since.pop(place)
                stayed[state].append((number, record.time - entered))
            if moves or record.kind == "state_entered":
                since[place] = (str(record.to_state if moves else record.state), record.time)
        for state, _ in since.values():
            stayed[state].append((number, -1))
    found = flows(history)
    assert (found.cases, found.left_out) == (CASES, 0)
    assert {number: flow.n for number, flow in found.edges.items()} == {k: len(v) for k, v in taken.items()}
    for number, flow in found.edges.items():
        assert flow.cases == len({case for case, _ in taken[number]})
        assert flow.total == sum(dwell for _, dwell in taken[number])
        assert flow.mean == pytest.approx(flow.total / flow.n)
    assert {path: flow.retries for path, flow in found.states.items() if flow.retries} == dict(retried)
    assert {path: flow.n for path, flow in found.states.items()} == {path: len(each) for path, each in stayed.items()}
    for path, stays in stayed.items():
        assert found.states[path].cases == len({case for case, _ in stays})
        if all(dwell >= 0 for _, dwell in stays):
            assert found.states[path].total == sum(dwell for _, dwell in stays)


def test_the_widths_of_a_map_are_the_counts(history: wf.History) -> None:
    found = flows(history)
    drawn = wf.hot_paths(history).map()
    ids = edge_ids(found.workflow)
    widths: dict[str, float] = defaultdict(float)
    for number, name in ids.items():
        widths[name] += found.edges[number].n if number in found.edges else 0
    assert {edge.id: edge.weight for edge in drawn.edges if edge.weight is not None} == widths
    assert f"how often, {CASES} cases (widest arrow: " in drawn.title
    never = [edge for edge in drawn.edges if edge.weight == 0]
    assert never
    assert all(edge.lines == ("never",) for edge in never)


def test_a_map_without_a_notebook_has_colours_and_says_what_they_mean(history: wf.History) -> None:
    found = flows(history)
    drawn = found.picture("time")
    longest = max(found.states, key=lambda path: found.states[path].mean)
    told = {node.id: node.shade for node in drawn.nodes}
    assert told[f"state:{longest}"] == 5
    assert 'class="body line more-5"' in drawn.to_svg()
    assert "strongest colour: " in drawn.title
    same = found.picture(against=found)
    assert {each.shade for each in (*same.nodes, *same.edges)} == {0}
    assert "orange: a smaller one" in same.title


@pytest.mark.parametrize("measure", ["cases", "time", "waiting", "retries", "timeouts"])
def test_every_measure_is_drawn(history: wf.History, measure: Any) -> None:
    drawn = wf.hot_paths(history).map(measure)
    assert drawn.to_svg().startswith("<svg")
    values = flows(history).node_values(measure)
    shown = {node.id.removeprefix("state:"): node.lines for node in drawn.nodes if node.id.startswith("state:")}
    assert all(bool(shown[path]) for path, value in values.items() if value and path in shown)


def test_only_the_most_frequent_variants_are_looked_at(history: wf.History) -> None:
    every, some = flows(history), flows(history, share=0.5)
    assert 0 < some.shown < len(some.variants) == len(every.variants)
    assert some.cases == sum(variant.cases for variant in some.variants[: some.shown])
    assert some.cases + some.left_out == every.cases
    assert [variant.cases for variant in every.variants] == sorted((v.cases for v in every.variants), reverse=True)
    assert all(some.edges[number].n <= every.edges[number].n for number in some.edges)


def test_an_edge_and_a_state_lead_to_their_cases(history: wf.History) -> None:
    found = flows(history, share=0.8)
    number, flow = next(iter(found.edges.items()))
    rows = history.sql(found.edge_query(number)).fetchall()
    assert len(rows) == flow.n
    assert len({row[:2] for row in rows}) == flow.cases
    for path, state in found.states.items():
        assert len(history.sql(found.state_query(path)).fetchall()) == state.n


def test_children_have_maps_of_their_own() -> None:
    workflow = wf.load("models/order_fulfilment.yaml")
    plan = wf.load_scenario("models/order_fulfilment.scenario.yaml")
    history = wf.simulate(workflow, plan, cases=5, catalogue="models", progress=False)
    shipping = flows(history, workflow="shipping")
    assert shipping.workflow.name == "shipping"
    assert (
        0 < shipping.cases == history.sql("SELECT count(*) FROM durations WHERE workflow = 'shipping'").fetchall()[0][0]
    )
    assert flows(history).workflow == workflow
    with pytest.raises(HistoryError, match="Did you mean 'shipping'"):
        flows(history, workflow="shiping")


def test_what_cannot_be_drawn_is_told(history: wf.History) -> None:
    with pytest.raises(HistoryError, match="measure='costs' is none of cases, time"):
        wf.hot_paths(history).map("costs")  # type: ignore[arg-type]
    with pytest.raises(HistoryError, match="give a number above 0 and at most 1"):
        flows(history, share=0)
    with pytest.raises(HistoryError, match="there is no run 7"):
        flows(history, run=7)
    workflow = wf.load("models/order_processing.yaml")
    few = wf.simulate(workflow, "models/order_processing.scenario.yaml", cases=5, log="aggregates", progress=False)
    with pytest.raises(HistoryError, match="keeps no transitions"):
        flows(few)
