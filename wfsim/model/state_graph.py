"""A workflow as a graph of states: plain data, and as networkx knows it.

For whoever wants centrality, communities, shortest ways, another layout or a drawing of their own. What is drawn by
`wf.picture` has sizes and positions; here there are only the states, the transitions and what is to be known of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

    from wfsim.model.definition import Definition
    from wfsim.model.elements import State

TRIGGERS = ("event", "after", "at", "condition")


def to_graph(workflow: Definition) -> dict[str, Any]:
    """States and transitions as plain values for JSON.

    Returns
    -------
    dict
        `workflow`, `version`, and lists `nodes` and `edges`. A node has `id` (its path: `fulfil/pick/packed` inside a
        region), `label` (its name), `region` (path of its region, empty for the root), `initial`, `terminal`, and where
        there is one `outcome`, `timeout`, `work` (what it does: an activity, workflow, or `parallel`). An edge has `id`
        (the number of the transition, as in records), `source`, `target`, `label` (its trigger), `internal` (nothing is
        left), `has_condition`, `has_actions`, and where there is one `event`, `after`, `condition`. An internal
        transition leads from its state to the same state.

    Notes
    -----
    Linear in the size of the definition; nothing is laid out.
    """
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for path, region in workflow.regions():
        inside = "/".join(path)
        for state in region.states:
            timeout = workflow.timeouts.states.get(state.name) if not path else None
            there = {
                "outcome": None if state.outcome is None else state.outcome.value,
                "timeout": state.timeout if state.timeout is not None else timeout,
                "work": _work(state),
            }
            nodes.append(
                {
                    "id": "/".join((*path, state.name)),
                    "label": state.name,
                    "region": inside,
                    "initial": state.name == region.initial_state,
                    "terminal": state.is_terminal,
                }
                | {key: str(value) for key, value in there.items() if value is not None}
            )
        for transition in region.transitions:
            target = transition.from_ if transition.to is None else transition.to
            given = {key: getattr(transition, key) for key in TRIGGERS}
            edges.append(
                {
                    "id": len(edges) + 1,
                    "source": "/".join((*path, transition.from_)),
                    "target": "/".join((*path, target)),
                    "label": transition.trigger.removeprefix("on "),
                    "internal": transition.to is None,
                    "has_condition": transition.condition is not None,
                    "has_actions": bool(transition.actions),
                }
                | {key: str(value) for key, value in given.items() if value is not None}
            )
    return {"workflow": workflow.name, "version": workflow.version, "nodes": nodes, "edges": edges}


def to_networkx(workflow: Definition, **attributes: str) -> nx.MultiDiGraph:
    """The state graph: nodes and edges with the fields of `to_graph` as attributes, edges keyed by `id`.

    `attributes` are further ones of the graph. All are texts, numbers and truth values, which every format of networkx
    can write.
    """
    import networkx as nx

    data = to_graph(workflow)
    graph = nx.MultiDiGraph(name=workflow.name, version=workflow.version, **attributes)
    for node in data["nodes"]:
        graph.add_node(node.pop("id"), **node)
    for edge in data["edges"]:
        graph.add_edge(edge.pop("source"), edge.pop("target"), key=edge["id"], transition=edge.pop("id"), **edge)
    return graph


def _work(state: State) -> str | None:
    if state.parallel is not None:
        return "parallel"
    if state.for_each is not None:
        return f"for each {state.for_each.activity or state.for_each.workflow}"
    if state.invoke is not None:
        return state.invoke.workflow
    return None if state.activity is None else state.activity.name
