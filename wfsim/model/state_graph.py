"""A workflow as a graph of states: plain data, and as networkx knows it, there and back.

For whoever wants centrality, communities, shortest ways, another layout or a drawing of their own. What is drawn by
`wf.picture` has sizes and positions; here there are only the states, the transitions and what is to be known of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect
from wfsim.errors import DefinitionError, listed
from wfsim.model.elements import Event, State, Transition
from wfsim.model.uses import is_reserved
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import dumps, loads

if TYPE_CHECKING:
    import networkx as nx

_TRIGGERS = ("event", "after", "condition")


def to_graph(workflow: Workflow) -> dict[str, Any]:
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
            given = {key: getattr(transition, key) for key in _TRIGGERS}
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


def to_networkx(workflow: Workflow) -> nx.MultiDiGraph:
    """The state graph: nodes and edges with the fields of `to_graph` as attributes, edges keyed by `id`.

    The attribute `definition` of the graph holds the YAML text, so that `wf.from_networkx` gives the workflow back with
    all that is not in the graph. All attributes are texts, numbers and truth values, which every format of networkx can
    write.
    """
    import networkx as nx

    data = to_graph(workflow)
    graph = nx.MultiDiGraph(name=workflow.name, version=workflow.version, definition=dumps(workflow))
    for node in data["nodes"]:
        graph.add_node(node.pop("id"), **node)
    for edge in data["edges"]:
        graph.add_edge(edge.pop("source"), edge.pop("target"), key=edge["id"], transition=edge.pop("id"), **edge)
    return graph


def from_networkx(graph: nx.DiGraph, name: str | None = None) -> Workflow:
    """A workflow from a directed graph of networkx: from `to_networkx`, changed or not, or from any other.

    Parameters
    ----------
    graph
        Nodes are states; their attributes `initial`, `terminal`, `outcome`, `timeout` and `activity` count. Edges are
        transitions, by their attributes `event`, `after` and `condition`; where there is none of them the `label` is
        the event, and without one `to_<target>` is. An edge with `internal` leaves nothing. Events that are
        not declared are.
    name
        Of the workflow; default: that of the definition in the graph, else of the graph.

    Returns
    -------
    Workflow
        Of a graph from `to_networkx`, states and transitions that are still there keep all they had (actions, work,
        regions), and comments of its file stay. Other nodes are terminal if nothing leaves them, and the
        initial state is the one marked, else the only one that nothing leads to.

    Raises
    ------
    DefinitionError
        If the graph is not directed, its initial state cannot be told, states inside regions were changed, or the
        workflow would not be valid.

    Examples
    --------
    >>> import networkx as nx
    >>> ways = nx.DiGraph([("draft", "review"), ("review", "published"), ("review", "draft")], name="article")
    >>> ways.nodes["draft"]["initial"] = True
    >>> ways.edges["draft", "review"]["event"] = "submit"
    >>> from_networkx(ways).to_graph()["edges"][0]["event"]
    'submit'
    """
    import networkx as nx

    expect(graph, nx.Graph, "from_networkx takes a graph of networkx", "As workflow.to_networkx() gives one.")
    if not graph.is_directed():
        raise DefinitionError("the graph is not directed, so it does not say where transitions lead. Give a DiGraph.")
    text = graph.graph.get("definition")
    base = None if text is None else loads(str(text), "definition of the graph")
    if base is not None:
        _expect_regions(graph, base)
    nodes = {node: data for node, data in graph.nodes(data=True) if not data.get("region")}
    states = tuple(_state(graph, node, data, base) for node, data in nodes.items())
    transitions = _transitions(graph, nodes, base)
    fields = {} if base is None else {key: getattr(base, key) for key in base.model_fields_set}
    events = dict(fields.get("events", {}))
    if base is None or events:
        used = [each.event for each in transitions if each.event is not None]
        events |= {event: Event() for event in used if event not in events and not is_reserved(event)}
    fields |= {
        "name": name or (base.name if base is not None else str(graph.name or "workflow")),
        "initial_state": _initial(graph, nodes, base),
        "states": states,
        "transitions": transitions,
        "events": events,
    }
    found = Workflow(**fields)
    if base is not None:
        found._source = base._source
    return found


def _work(state: State) -> str | None:
    if state.parallel is not None:
        return "parallel"
    if state.for_each is not None:
        return f"for each {state.for_each.activity or state.for_each.workflow}"
    if state.invoke is not None:
        return state.invoke.workflow
    return None if state.activity is None else state.activity.name


def _expect_regions(graph: nx.DiGraph, base: Workflow) -> None:
    """Refuse changes of what lies inside regions: the graph does not say enough of it."""
    was = to_networkx(base)

    def inside(of: nx.DiGraph) -> set[Any]:
        nodes = {node for node, region in of.nodes(data="region") if region}
        return nodes | {edge for edge in of.edges(data="transition") if edge[0] in nodes or edge[1] in nodes}

    kept = {str(node) for node in graph.nodes}
    gone = {node for node in inside(was) if not isinstance(node, tuple) and node.split("/")[0] not in kept}
    before = {
        each
        for each in inside(was)
        if each not in gone and not (isinstance(each, tuple) and (each[0] in gone or each[1] in gone))
    }
    changed = sorted(map(str, before ^ inside(graph)))
    if changed:
        raise DefinitionError(
            f"states or transitions inside regions differ from the definition: {listed(changed, 5)}. "
            "Change them in the definition; only what lies outside regions can be changed in the graph."
        )


def _state(graph: nx.DiGraph, node: Any, data: dict[str, Any], base: Workflow | None) -> State:
    old = None if base is None else next((state for state in base.states if state.name == str(node)), None)
    given: dict[str, Any] = {key: data[key] for key in ("outcome", "timeout", "activity") if key in data}
    if old is not None:
        written: dict[str, Any] = {key: getattr(old, key) for key in old.model_fields_set}
        if "terminal" in data:
            written["is_terminal"] = bool(data["terminal"])
        # A timeout that stands in `timeouts.states` is shown at the state, and stays where it is.
        elsewhere = base is not None and str(base.timeouts.states.get(old.name)) == str(given.get("timeout"))
        if old.timeout is not None and str(old.timeout) == str(given.get("timeout")):
            given.pop("timeout")
        elif elsewhere:
            given.pop("timeout", None)
        return State(**(written | given))
    leaves = any(target != node for target in graph.successors(node))
    given |= {"name": str(node), "is_terminal": bool(data.get("terminal", not leaves))}
    return State(**given)


def _transitions(graph: nx.DiGraph, nodes: dict[Any, Any], base: Workflow | None) -> tuple[Transition, ...]:
    """Those of the definition in its order, then further ones in that of the graph."""
    known = {} if base is None else dict(enumerate(base.transitions, 1))
    kept: dict[int, Transition] = {}
    new: list[Transition] = []
    for source, target, data in graph.edges(data=True):
        if source not in nodes:
            continue
        number = data.get("transition")
        old = known.get(number)
        internal = bool(data.get("internal", False)) and source == target
        written: dict[str, Any] = {} if old is None else {key: getattr(old, key) for key in old.model_fields_set}
        written |= {"from_": str(source), "to": None if internal else str(target)}
        written |= {key: data[key] for key in _TRIGGERS if key in data and str(data[key]) != str(written.get(key))}
        if not any(written.get(key) is not None for key in _TRIGGERS):
            written["event"] = str(data.get("label") or "to_" + re.sub(r"\W+", "_", str(target)))
        made = Transition(**{("from" if key == "from_" else key): value for key, value in written.items()})
        if old is not None and number not in kept:
            kept[number] = made
        else:
            new.append(made)
    return (*(kept[number] for number in sorted(kept)), *new)


def _initial(graph: nx.DiGraph, nodes: dict[Any, Any], base: Workflow | None) -> str:
    marked = [str(node) for node, data in nodes.items() if data.get("initial")]
    first = [str(node) for node in nodes if all(source == node for source in graph.predecessors(node))]
    found = marked or first
    if len(found) == 1:
        return found[0]
    told = "are marked as initial" if marked else "have nothing that leads to them" if first else "none has"
    raise DefinitionError(
        f"the initial state cannot be told: {listed(found, 5) + ' ' if found else ''}{told}. "
        "Mark one: graph.nodes[name]['initial'] = True."
        + (f" In the definition it was {base.initial_state!r}." if base is not None else "")
    )
