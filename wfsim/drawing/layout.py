"""Where everything stands, in pixels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from wfsim.drawing import content, loops
from wfsim.drawing.boxes import Box, centred
from wfsim.drawing.curve import Curve, clip_to_circle, crosses, smooth
from wfsim.drawing.dot import Dot, Found, solve
from wfsim.drawing.placed import Layout, PlacedEdge, PlacedGroup, PlacedNode, PlacedText
from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from wfsim.drawing.content import Block, NodeContent
    from wfsim.drawing.graph import Graph

MAX_NODES = 400
MAX_EDGES = 800
MARGIN = 16.0


def compute(graph: Graph) -> Layout:
    """Lay a picture out with Graphviz's `dot` algorithm [1]_.

    Raises
    ------
    DrawingError
        With more than `MAX_NODES` nodes and groups or `MAX_EDGES` edges, or if Graphviz finds no layout.

    Notes
    -----
    Deterministic: the same picture gives the same positions in every process. About 5 ms for 10 nodes,
    seconds near the limits. With more than 100 edges beyond the number of nodes, edges are straight.

    References
    ----------
    .. [1] Gansner, Koutsofios, North and Vo (1993), IEEE Transactions on Software Engineering 19(3), 214–230.
    """
    things = len(graph.nodes) + len(graph.groups)
    if things > MAX_NODES or len(graph.edges) > MAX_EDGES:
        raise DrawingError(
            f"picture {graph.title!r} has {things} nodes and groups and {len(graph.edges)} edges; "
            f"more than {MAX_NODES} or {MAX_EDGES} cannot be read. Draw a part of it (the neighbourhood of a "
            "node, one region), collapse groups, or list it with to_text()."
        )
    texts = [content.edge_text(edge) for edge in graph.edges]
    looping: dict[str, list[Block]] = defaultdict(list)
    for edge, text in zip(graph.edges, texts, strict=True):
        if edge.source == edge.target:
            looping[edge.source].append(text)
    sizes = [content.node_content(node, graph.direction, tuple(looping[node.id])) for node in graph.nodes]
    labels = [content.group_text(group) for group in graph.groups]
    dot = Dot(graph, sizes, texts, labels)
    return _place(graph, sizes, texts, labels, dot, solve(dot, graph))


def _place(
    graph: Graph,
    sizes: list[NodeContent],
    texts: list[Block],
    labels: list[Block],
    dot: Dot,
    found: Found,
) -> Layout:
    nodes = [centred(found.points[f"n{i}"], size.width, size.height) for i, size in enumerate(sizes)]
    outlines = [size.outline_box(box) for box, size in zip(nodes, sizes, strict=True)]
    edges = _edges(graph, texts, outlines, dot, found)
    frames = [found.boxes[f"cluster_g{i}"] for i in range(len(graph.groups))]
    group_labels = [Box(f.x + 12, f.y + 6, b.width, b.height) for f, b in zip(frames, labels, strict=True)]

    boxes = [*nodes, *frames, *group_labels, *(box for _, box in edges if box)]
    points = [point for curve, _ in edges for point in curve]
    left = min([box.x for box in boxes] + [x for x, _ in points], default=0.0)
    top = min([box.y for box in boxes] + [y for _, y in points], default=0.0)
    right = max([box.x + box.width for box in boxes] + [x for x, _ in points], default=0.0)
    bottom = max([box.y + box.height for box in boxes] + [y for _, y in points], default=0.0)
    heading = content.heading(graph.title, right - left)
    above = heading.height + 10 if heading.lines else 0.0
    dx, dy = MARGIN - left, MARGIN + above - top

    def move(box: Box) -> Box:
        return Box(round(box.x + dx, 2), round(box.y + dy, 2), round(box.width, 2), round(box.height, 2))

    return Layout(
        width=round(max(right - left, heading.width) + 2 * MARGIN, 2),
        height=round(bottom - top + above + 2 * MARGIN, 2),
        title=PlacedText(Box(MARGIN, MARGIN, round(heading.width, 2), round(heading.height, 2)), heading),
        nodes=tuple(
            PlacedNode(move(box), move(outline), PlacedText(move(size.text_box(box)), size.text))
            for box, outline, size in zip(nodes, outlines, sizes, strict=True)
        ),
        edges=tuple(
            PlacedEdge(
                tuple((round(x + dx, 2), round(y + dy, 2)) for x, y in curve),
                PlacedText(move(box), text) if box else None,
            )
            for (curve, box), text in zip(edges, texts, strict=True)
        ),
        groups=tuple(
            PlacedGroup(move(frame), PlacedText(move(box), label) if label.lines else None)
            for frame, box, label in zip(frames, group_labels, labels, strict=True)
        ),
    )


def _edges(
    graph: Graph, texts: list[Block], outlines: list[Box], dot: Dot, found: Found
) -> list[tuple[Curve, Box | None]]:
    """Curve and text box of each edge, in the coordinates of Graphviz."""
    drawn: dict[int, tuple[Curve, Box | None]] = {}
    sideways = graph.direction in ("LR", "RL")
    for number, own in dot.loops.items():
        shape = graph.nodes[number].shape
        middle = found.points[f"label s{number}"]
        of_loops = [texts[i] for i in own]
        placed = loops.place(of_loops, outlines[number], shape, middle, sideways=sideways)
        drawn |= {i: (loop.curve, loop.text) for i, loop in zip(own, placed, strict=True)}
    for i, edge in enumerate(graph.edges):
        if i in drawn:
            continue
        curve = found.curves[f"e{i}"]
        if f"f{i}" in found.curves:
            curve = (*curve, *found.curves[f"f{i}"][1:])
        rounded = smooth(curve)
        # Graphviz routes around nodes; a rounded corner must not lead back into one.
        if not any(crosses(rounded, outline) and not crosses(curve, outline) for outline in outlines):
            curve = rounded
        for at_start, end in ((True, edge.source), (False, edge.target)):
            at_node = dot.node_number.get(end)
            if at_node is not None and graph.nodes[at_node].shape in ("circle", "dot"):
                outline = outlines[at_node]
                curve = clip_to_circle(curve, outline.centre, outline.width / 2, at_start=at_start)
        at = found.points.get(f"label e{i}") or found.points.get(f"label f{i}")
        drawn[i] = (curve, centred(at, texts[i].width, texts[i].height) if at else None)
    return [drawn[i] if texts[i].lines else (drawn[i][0], None) for i in range(len(graph.edges))]
