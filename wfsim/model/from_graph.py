"""A workflow from a directed graph of networkx: one that `workflow.to_networkx()` gave, or any other."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect
from wfsim.errors import DefinitionError, listed
from wfsim.model.elements import Event, State, Transition
from wfsim.model.state_graph import TRIGGERS, to_networkx
from wfsim.model.uses import is_reserved
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads, source_of

if TYPE_CHECKING:
    import networkx as nx


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
    base = _base(graph)
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


def _base(graph: nx.DiGraph) -> Workflow | None:
    """The workflow whose definition the graph holds, with the text of its file, if it has one."""
    definition = graph.graph.get("definition")
    if definition is None:
        return None
    base = Workflow.model_validate(json.loads(str(definition)))
    text = graph.graph.get("text")
    if text is not None:
        base._source = source_of(loads(str(text), "text of the graph"))
    return base


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
        written |= {key: data[key] for key in TRIGGERS if key in data and str(data[key]) != str(written.get(key))}
        if not any(written.get(key) is not None for key in TRIGGERS):
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
