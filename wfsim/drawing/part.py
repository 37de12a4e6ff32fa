"""A graph, or one column of it, laid out on its own, in the coordinates of Graphviz."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.drawing import content, loops
from wfsim.drawing.boxes import Box, around, centred
from wfsim.drawing.curve import Curve, clip_to_circle, crosses, smooth
from wfsim.drawing.dot import Dot, Found, solve, unrouted

if TYPE_CHECKING:
    from wfsim.drawing.content import Block, NodeContent
    from wfsim.drawing.graph import Graph


@dataclass(frozen=True)
class Part:
    """Boxes of nodes, outlines within them, curves and text boxes of edges, frames of groups; in the graph's order."""

    graph: Graph
    sizes: list[NodeContent]
    texts: list[Block]
    labels: list[Block]
    nodes: list[Box]
    outlines: list[Box]
    edges: list[tuple[Curve, Box | None]]
    frames: list[Box]

    def label_box(self, number: int) -> Box:
        """Where the label of a group stands: inside, at the upper left."""
        frame, label = self.frames[number], self.labels[number]
        return Box(frame.x + 12, frame.y + 6, label.width, label.height)

    @property
    def extent(self) -> Box:
        """What everything together fills."""
        boxes = [*self.nodes, *self.frames, *(self.label_box(i) for i in range(len(self.frames)))]
        boxes += [box for _, box in self.edges if box]
        return around(boxes, [point for curve, _ in self.edges for point in curve])


def measured(graph: Graph) -> Dot:
    """A graph with the sizes of what stands in it, as Graphviz gets it."""
    texts = [content.edge_text(edge) for edge in graph.edges]
    looping: dict[str, list[Block]] = defaultdict(list)
    for edge, text in zip(graph.edges, texts, strict=True):
        if edge.source == edge.target:
            looping[edge.source].append(text)
    sizes = [content.node_content(node, graph.direction, tuple(looping[node.id])) for node in graph.nodes]
    return Dot(graph, sizes, texts, [content.group_text(group) for group in graph.groups])


def positions(graph: Graph) -> dict[str, Box]:
    """Where nodes and groups come to stand, without a way for any edge, which takes most of the time."""
    dot = measured(graph)
    found = unrouted(dot)
    boxes = {
        node.id: centred(found.points[f"n{i}"], size.width, size.height)
        for i, (node, size) in enumerate(zip(graph.nodes, dot.sizes, strict=True))
    }
    return boxes | {group.id: found.boxes[f"cluster_g{i}"] for i, group in enumerate(graph.groups)}


def lay_out(graph: Graph) -> Part:
    """Lay a graph out with Graphviz's `dot` algorithm; `wfsim.drawing.layout` says what that costs."""
    dot = measured(graph)
    found = solve(dot, graph)
    nodes = [centred(found.points[f"n{i}"], size.width, size.height) for i, size in enumerate(dot.sizes)]
    outlines = [size.outline_box(box) for box, size in zip(nodes, dot.sizes, strict=True)]
    edges = _edges(graph, outlines, dot, found)
    frames = [found.boxes[f"cluster_g{i}"] for i in range(len(graph.groups))]
    return Part(graph, dot.sizes, dot.texts, dot.labels, nodes, outlines, edges, frames)


def _edges(graph: Graph, outlines: list[Box], dot: Dot, found: Found) -> list[tuple[Curve, Box | None]]:
    """Curve and text box of each edge, in the coordinates of Graphviz."""
    texts = dot.texts
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
        if rounded == curve or not any(
            crosses(rounded, outline) and not crosses(curve, outline) for outline in _near(rounded, outlines)
        ):
            curve = rounded
        for at_start, end in ((True, edge.source), (False, edge.target)):
            at_node = dot.node_number.get(end)
            if at_node is not None and graph.nodes[at_node].shape in ("circle", "dot"):
                outline = outlines[at_node]
                curve = clip_to_circle(curve, outline.centre, outline.width / 2, at_start=at_start)
        at = found.points.get(f"label e{i}") or found.points.get(f"label f{i}")
        drawn[i] = (curve, centred(at, texts[i].width, texts[i].height) if at else None)
    return [drawn[i] if texts[i].lines else (drawn[i][0], None) for i in range(len(graph.edges))]


def _near(curve: Curve, outlines: list[Box]) -> list[Box]:
    """The boxes that a curve may touch."""
    hull = around([], curve)
    right, bottom = hull.x + hull.width, hull.y + hull.height
    return [
        box
        for box in outlines
        if box.x < right and box.y < bottom and box.x + box.width > hull.x and box.y + box.height > hull.y
    ]
