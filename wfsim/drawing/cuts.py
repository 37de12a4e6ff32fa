"""Edges that are cut: drawn to a tag that names where they lead, and there from a tag that names where they come from.

What makes a picture large and slow is edges that run along many others: a `cancel` from every state, a way back over a
hundred states. Cut, such an edge costs no more than its ends.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from wfsim.drawing.graph import Edge, Graph, Group, Node

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BUNDLE = 7
"""So many edges with one label to one target are drawn cut."""


@dataclass(frozen=True)
class Tag:
    """A node that stands for another one, `of`, at a cut through `edges`: they lead `to` it, or come `from` it."""

    id: str
    of: str
    edges: tuple[str, ...]
    way: Literal["to", "from"]


@dataclass(frozen=True)
class CutGraph:
    """What is drawn of a graph: tags are nodes of it, an edge that is cut ends at one, an arrival begins at one.

    `arrivals` says by the identifier of such an edge which edges it stands for.
    """

    graph: Graph
    tags: tuple[Tag, ...] = ()
    arrivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def bundles(graph: Graph) -> set[int]:
    """Numbers of the edges that are many with one label to one target."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, edge in enumerate(graph.edges):
        if edge.label and edge.source != edge.target:
            alike[edge.label, edge.target].append(number)
    return {number for numbers in alike.values() if len(numbers) >= BUNDLE for number in numbers}


def cut(graph: Graph, numbers: Collection[int]) -> CutGraph:
    """Cut edges of a graph, given by number; those with one label to one target arrive as one."""
    if not numbers:
        return CutGraph(graph)
    named: dict[str, Node | Group] = {node.id: node for node in graph.nodes}
    named |= {group.id: group for group in graph.groups}
    taken = {item.id for item in graph.items()}
    nodes = list(graph.nodes)
    edges: list[Edge] = []
    tags: list[Tag] = []
    arriving: dict[tuple[str, str], list[Edge]] = defaultdict(list)

    def tag(way: Literal["to", "from"], of: Node | Group, cut_here: list[Edge], text: str, at: str) -> str:
        name = _unused(f"{way} {cut_here[0].id}", taken)
        tags.append(Tag(name, of.id, tuple(edge.id for edge in cut_here), way))
        nodes.append(Node(name, text, "tag", of.role, group=_around(named[at])))
        return name

    for number, edge in enumerate(graph.edges):
        if number not in numbers:
            edges.append(edge)
            continue
        target = named[edge.target]
        edges.append(replace(edge, target=tag("to", target, [edge], target.label or target.id, edge.source)))
        arriving[edge.label, edge.target].append(edge)
    arrivals: dict[str, tuple[str, ...]] = {}
    for (label, end), those in arriving.items():
        source = named[those[0].source]
        alone = len(those) == 1
        text = (source.label or source.id) if alone else f"{len(those)} × {label}" if label else f"from {len(those)}"
        # One edge comes from a node of its own looks, many from nodes of all kinds.
        came = source if alone else replace(source, role="state")
        begin = tag("from", came, those, text, end)
        first = those[0]
        arrival = Edge(_unused(f"arrival {first.id}", taken), begin, end, label if alone else "", role=first.role)
        edges.append(replace(arrival, style=first.style, head=first.head))
        arrivals[arrival.id] = tuple(edge.id for edge in those)
    return CutGraph(Graph(graph.title, nodes, edges, graph.groups, graph.direction), tuple(tags), arrivals)


def _around(item: Node | Group) -> str | None:
    return item.group if isinstance(item, Node) else item.parent


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "′"
    taken.add(name)
    return name
