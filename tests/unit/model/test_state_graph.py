"""Workflows as graphs of networkx, there and back."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given

import wfsim as wf
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.errors import DefinitionError
from wfsim.model.picture import picture

MODELS = sorted(path for path in Path("models").glob("*.yaml") if "scenario" not in path.name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_goes_there_and_back_with_its_comments(path: Path) -> None:
    workflow = wf.load(path)
    back = wf.from_networkx(workflow.to_networkx())
    assert back == workflow
    assert wf.dumps(back) == wf.dumps(workflow) == path.read_text(encoding="utf-8")


@cases(40)
@given(workflows())
def test_any_workflow_goes_there_and_back(workflow: wf.Workflow) -> None:
    assert wf.from_networkx(workflow.to_networkx()) == workflow


def test_nodes_and_edges_say_what_is_to_be_known() -> None:
    data = wf.load("models/order_processing.yaml").to_graph()
    assert json.loads(json.dumps(data)) == data
    assert (data["workflow"], data["version"]) == ("order_processing", "2.0.0")
    nodes = {node["id"]: node for node in data["nodes"]}
    assert nodes["created"] == {
        "id": "created",
        "label": "created",
        "region": "",
        "initial": True,
        "terminal": False,
        "timeout": "1d",
    }
    assert (nodes["cancelled"]["terminal"], nodes["cancelled"]["outcome"]) == (True, "failure")
    assert nodes["payment_completed"]["work"] == "allocate_inventory"
    (retry,) = [edge for edge in data["edges"] if edge.get("event") == "retry_payment" and edge["has_condition"]]
    assert (retry["source"], retry["target"], retry["condition"]) == (
        "payment_failed",
        "payment_pending",
        "state.attempt_count < 3",
    )
    pay = next(edge for edge in data["edges"] if edge.get("event") == "payment_initiated")
    assert (pay["has_actions"], pay["internal"]) == (True, False)


def test_ids_are_the_numbers_and_paths_of_records() -> None:
    workflow = wf.load("models/release.yaml")
    data = workflow.to_graph()
    drawn = {node.id for node in (*picture(workflow).nodes, *picture(workflow).groups) if node.id.startswith("state:")}
    assert {f"state:{node['id']}" for node in data["nodes"]} == drawn
    assert [edge["id"] for edge in data["edges"]] == list(range(1, len(data["edges"]) + 1))
    assert any(node["region"] for node in data["nodes"])


def test_networkx_can_ask_it() -> None:
    graph = wf.load("models/order_processing.yaml").to_networkx()
    way = nx.shortest_path(graph, "created", "delivered")
    assert way[0] == "created"
    assert way[-1] == "delivered"
    between = nx.betweenness_centrality(nx.DiGraph(graph))
    assert max(between, key=lambda name: between[name]) == "payment_completed"


@pytest.mark.parametrize("write", [nx.write_graphml, nx.write_gml])
def test_every_format_can_write_it(write: object, tmp_path: Path) -> None:
    workflow = wf.load("models/release.yaml")
    if write is nx.write_graphml:
        nx.write_graphml(workflow.to_networkx(), tmp_path / "g")
        read = nx.read_graphml(tmp_path / "g", force_multigraph=True)
    else:
        nx.write_gml(workflow.to_networkx(), tmp_path / "g")
        read = nx.read_gml(tmp_path / "g")
    assert wf.from_networkx(read) == workflow


def test_what_is_changed_in_the_graph_is_changed_in_the_workflow_and_nothing_else() -> None:
    workflow = wf.load("models/order_processing.yaml")
    graph = workflow.to_networkx()
    graph.add_node("on_hold", timeout="3d")
    graph.add_edge("validated", "on_hold", event="hold")
    graph.add_edge("on_hold", "validated", event="resume")
    graph.add_edge("on_hold", "cancelled", event="timeout")
    changed = wf.from_networkx(graph)
    assert [state.name for state in changed.states] == [*(state.name for state in workflow.states), "on_hold"]
    assert str(changed.state("on_hold").timeout) == "3d"
    assert changed.transitions[: len(workflow.transitions)] == workflow.transitions
    assert [each.event for each in changed.transitions[len(workflow.transitions) :]] == ["hold", "resume", "timeout"]
    assert set(changed.events) - set(workflow.events) == {"hold", "resume"}
    assert changed.activities == workflow.activities
    assert "# " in wf.dumps(changed)
    graph.remove_node("on_hold")
    graph.nodes["created"]["timeout"] = "2d"
    shorter = wf.from_networkx(graph)
    assert str(shorter.state("created").timeout) == "2d"
    assert shorter.transitions == workflow.transitions


def test_any_directed_graph_becomes_a_workflow() -> None:
    ways = nx.DiGraph([("draft", "review"), ("review", "published"), ("review", "draft")], name="article")
    ways.nodes["draft"]["initial"] = True
    ways.edges["draft", "review"]["event"] = "submit"
    ways.edges["review", "draft"]["label"] = "send_back"
    workflow = wf.from_networkx(ways)
    assert (workflow.name, workflow.initial_state) == ("article", "draft")
    assert [state.name for state in workflow.states if state.is_terminal] == ["published"]
    assert [(each.from_, each.event, each.to) for each in workflow.transitions] == [
        ("draft", "submit", "review"),
        ("review", "to_published", "published"),
        ("review", "send_back", "draft"),
    ]
    assert {finding.code for finding in wf.lint(workflow)} == {"event-without-policy", "state-waits-forever"}
    assert wf.from_networkx(ways, name="paper").name == "paper"


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (nx.Graph([("a", "b")]), "not directed"),
        (nx.DiGraph([("a", "b"), ("b", "a")]), r"cannot be told: none has\. Mark one"),
        (nx.DiGraph([("a", "c"), ("b", "c")]), "a, b have nothing that leads to them"),
        (nx.DiGraph(), "cannot be told"),
    ],
)
def test_a_graph_that_is_no_workflow_is_refused(graph: nx.Graph, told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        wf.from_networkx(graph)


def test_other_things_are_refused_in_a_sentence() -> None:
    with pytest.raises(TypeError, match="takes a graph of networkx"):
        wf.from_networkx({"a": "b"})  # type: ignore[arg-type]


def test_changes_inside_regions_are_refused() -> None:
    workflow = wf.load("models/release.yaml")
    graph = workflow.to_networkx()
    inner = next(node for node, region in graph.nodes(data="region") if region)
    graph.remove_node(inner)
    with pytest.raises(DefinitionError, match="inside regions differ from the definition"):
        wf.from_networkx(graph)


def test_a_state_goes_with_all_that_is_in_it() -> None:
    workflow = wf.load("models/release.yaml")
    graph = workflow.to_networkx()
    outer = next(region.split("/")[0] for _, region in graph.nodes(data="region") if region)
    before = [node for node in graph if node.split("/")[0] == outer]
    sources = {source for source, _ in graph.in_edges(outer)} - {outer}
    targets = {target for _, target in graph.out_edges(outer)} - {outer}
    graph.remove_nodes_from(before)
    for source in sources:
        for target in targets:
            graph.add_edge(source, target, event="skip")
    changed = wf.from_networkx(graph)
    assert outer not in [state.name for state in changed.states]
