"""Where everything stands, in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.drawing import content, cuts
from wfsim.drawing.boxes import Box, around
from wfsim.drawing.columns import columns, count_columns
from wfsim.drawing.graph import Graph, ancestors
from wfsim.drawing.part import Part, lay_out, positions
from wfsim.drawing.pinning import MARGIN
from wfsim.drawing.placed import Layout, PlacedEdge, PlacedGroup, PlacedNode, PlacedText
from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing.cuts import CutGraph

MAX_NODES = 600
MAX_EDGES = 800
"""Those that end at tags, being many with one label to one target, do not count."""
GAP = 40.0
"""Between two columns, in pixels."""

SMALL = 150
"""So many nodes and edges are routed as they are."""

MOST_RANKS = 200
"""So many ranks all edges of a larger picture may pass together; the longest are cut until that is so."""


def compute(graph: Graph) -> Layout:
    """Lay a picture out with Graphviz's `dot` algorithm [1]_.

    Raises
    ------
    DrawingError
        With more than `MAX_NODES` nodes and groups or `MAX_EDGES` edges, or if Graphviz finds no layout.

    Notes
    -----
    Deterministic: the same picture gives the same positions in every process. About 5 ms for 10 nodes, a second for
    a chain of 600 with ways back, five where hundreds of edges lead anywhere. What would cost more, or could not be
    read, is drawn otherwise, by what is counted and never by the time: edges are cut (`wfsim.drawing.cuts`) that are
    many with one label to one target, or too long in a picture of many; a strip is folded into columns. With more than
    100 edges beyond the number of nodes, edges are straight.

    References
    ----------
    .. [1] Gansner, Koutsofios, North and Vo (1993), IEEE Transactions on Software Engineering 19(3), 214–230.
    """
    things = len(graph.nodes) + len(graph.groups)
    numbers = cuts.bundles(graph)
    routed = len(graph.edges) - len(numbers)
    if things > MAX_NODES or routed > MAX_EDGES:
        raise DrawingError(
            f"picture {graph.title!r} has {things} nodes and groups and {routed} edges; "
            f"more than {MAX_NODES} or {MAX_EDGES} cannot be read. Draw a part of it (the neighbourhood of a "
            "node, one region), collapse groups, or list it with to_text()."
        )
    drawn = cuts.cut(graph, numbers)
    if len(drawn.graph.nodes) + len(drawn.graph.edges) <= SMALL:
        part = lay_out(drawn.graph)
        found = dict(zip((node.id for node in part.graph.nodes), part.nodes, strict=True))
        found |= dict(zip((group.id for group in part.graph.groups), part.frames, strict=True))
    else:
        found = positions(drawn.graph)
        long = _too_long(graph, numbers, found)
        if long:
            numbers |= long
            drawn = cuts.cut(graph, numbers)
            found = positions(drawn.graph)
        part = None
    column = _folded(graph, numbers, found)
    if any(column.values()):
        numbers |= {i for i, edge in enumerate(graph.edges) if column[edge.source] != column[edge.target]}
        drawn = cuts.cut(graph, numbers)
        return _composed(graph, drawn, [lay_out(each) for each in _parted(drawn, column)])
    return _composed(graph, drawn, [part or lay_out(drawn.graph)])


def _too_long(graph: Graph, already: set[int], found: Mapping[str, Box]) -> set[int]:
    """The longest edges, so many that the others pass no more than `MOST_RANKS` ranks."""
    axis = 0 if graph.direction in ("LR", "RL") else 1
    places = {name: round(box.centre[axis]) for name, box in found.items()}
    rank = {place: number for number, place in enumerate(sorted(set(places.values())))}
    spans = {
        number: abs(rank[places[edge.source]] - rank[places[edge.target]])
        for number, edge in enumerate(graph.edges)
        if number not in already
    }
    passed = sum(spans.values())
    long: set[int] = set()
    for number in sorted(spans, key=lambda number: (-spans[number], number)):
        if passed <= MOST_RANKS + len(spans):
            break
        long.add(number)
        passed -= spans[number]
    return long


def _folded(graph: Graph, already: set[int], found: Mapping[str, Box]) -> dict[str, int]:
    """The column of every node and group; all 0 unless the picture is a strip."""
    sideways = graph.direction in ("LR", "RL")
    backwards = graph.direction in ("BT", "RL")
    parents = {group.id: group.parent for group in graph.groups}
    outermost = {node.id: [node.id, *ancestors(node.group, parents)][-1] for node in graph.nodes}
    outermost |= {group.id: [group.id, *ancestors(group.parent, parents)][-1] for group in graph.groups}
    whole = around(list(found.values()))
    along, across = (whole.width, whole.height) if sideways else (whole.height, whole.width)
    extents: dict[str, tuple[float, float]] = {}
    for name in dict.fromkeys(outermost.values()):
        box = found[name]
        low, high = (box.x, box.x + box.width) if sideways else (box.y, box.y + box.height)
        extents[name] = (-high, -low) if backwards else (low, high)
    ends = [
        (outermost[edge.source], outermost[edge.target])
        for number, edge in enumerate(graph.edges)
        if number not in already
    ]
    column = columns(extents, ends, count_columns(along, across))
    return {name: column[outer] for name, outer in outermost.items()}


def _parted(drawn: CutGraph, column: Mapping[str, int]) -> list[Graph]:
    """What is drawn, one graph for each column; a tag stands where its edge is."""
    whole = drawn.graph
    tags = {tag.id for tag in drawn.tags}
    at = dict(column)
    for edge in whole.edges:
        # A cut edge has one end that is no tag.
        if edge.target in tags:
            at[edge.target] = column[edge.source]
        elif edge.source in tags:
            at[edge.source] = column[edge.target]
    return [
        Graph(
            whole.title,
            [node for node in whole.nodes if at[node.id] == number],
            [edge for edge in whole.edges if at[edge.source] == number],
            [group for group in whole.groups if at[group.id] == number],
            whole.direction,
        )
        for number in range(max(at.values()) + 1)
    ]


def _composed(graph: Graph, drawn: CutGraph, parts: list[Part]) -> Layout:
    """All parts beside each other, below the title."""
    sideways = graph.direction in ("LR", "RL")
    extents = [part.extent for part in parts]
    gaps = GAP * (len(parts) - 1)
    if sideways:
        width, height = max(e.width for e in extents), sum(e.height for e in extents) + gaps
    else:
        width, height = sum(e.width for e in extents) + gaps, max(e.height for e in extents)
    heading = content.heading(graph.title, width)
    x, y = MARGIN, MARGIN + (heading.height + 10 if heading.lines else 0.0)
    top = y
    nodes: dict[str, PlacedNode] = {}
    edges: dict[str, PlacedEdge] = {}
    groups: dict[str, PlacedGroup] = {}
    for part, extent in zip(parts, extents, strict=True):
        _place(part, x - extent.x, y - extent.y, nodes, edges, groups)
        x, y = (x, y + extent.height + GAP) if sideways else (x + extent.width + GAP, y)
    return Layout(
        drawn=drawn,
        width=round(max(width, heading.width) + 2 * MARGIN, 2),
        height=round(height + top + MARGIN, 2),
        title=PlacedText(Box(MARGIN, MARGIN, round(heading.width, 2), round(heading.height, 2)), heading),
        nodes=tuple(nodes[node.id] for node in drawn.graph.nodes),
        edges=tuple(edges[edge.id] for edge in drawn.graph.edges),
        groups=tuple(groups[group.id] for group in drawn.graph.groups),
    )


def _place(
    part: Part,
    dx: float,
    dy: float,
    nodes: dict[str, PlacedNode],
    edges: dict[str, PlacedEdge],
    groups: dict[str, PlacedGroup],
) -> None:
    """Note where a part's things stand, moved by (dx, dy)."""

    def move(box: Box) -> Box:
        return Box(round(box.x + dx, 2), round(box.y + dy, 2), round(box.width, 2), round(box.height, 2))

    for node, box, outline, size in zip(part.graph.nodes, part.nodes, part.outlines, part.sizes, strict=True):
        nodes[node.id] = PlacedNode(move(box), move(outline), PlacedText(move(size.text_box(box)), size.text))
    for edge, (curve, at), text in zip(part.graph.edges, part.edges, part.texts, strict=True):
        moved = tuple((round(x + dx, 2), round(y + dy, 2)) for x, y in curve)
        edges[edge.id] = PlacedEdge(moved, PlacedText(move(at), text) if at else None)
    for number, (group, frame) in enumerate(zip(part.graph.groups, part.frames, strict=True)):
        label = part.labels[number]
        said = PlacedText(move(part.label_box(number)), label) if label.lines else None
        groups[group.id] = PlacedGroup(move(frame), said)
