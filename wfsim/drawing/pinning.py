"""A layout with nodes where a person has put them: frames grow round what is in them, edges follow their ends."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from wfsim.drawing.boxes import Box, Point, around, centred
from wfsim.drawing.graph import ancestors
from wfsim.drawing.placed import Layout, PlacedEdge, PlacedGroup, PlacedNode, PlacedText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing.graph import Edge, Graph

MARGIN = 16.0
BETWEEN = 8.0
"""Between two texts of edges that lead between the same two things, in pixels."""
_ROUND = ("circle", "dot")
_BESIDE = ("dot", "tag")
"""What stands beside another node moves with it."""


class _End(NamedTuple):
    """What an edge ends at, and how it was moved; a frame that has changed was moved nowhere, yet differs."""

    outline: Box
    is_round: bool
    by: Point | None


def pinned(layout: Layout, pins: Mapping[str, Point]) -> Layout:
    """Move nodes, and frames with all that is in them, to where their pins are, by upper left corner.

    A node that has a pin itself goes by that. A pin of anything else means nothing.
    What was moved alike keeps its curves; other edges of what was moved become straight, those between the same two
    things beside each other. Linear in the size of the layout.
    """
    graph = layout.drawn.graph
    moves = _moves(layout, pins)
    if not moves:
        return layout
    nodes = tuple(_moved_node(at, moves.get(node.id)) for node, at in zip(graph.nodes, layout.nodes, strict=True))
    groups = _frames(graph, layout, nodes, moves)
    ends = {
        node.id: _End(at.outline, node.shape in _ROUND, moves.get(node.id, (0.0, 0.0)))
        for node, at in zip(graph.nodes, nodes, strict=True)
    }
    for group, before, now in zip(graph.groups, layout.groups, groups, strict=True):
        ends[group.id] = _End(now.box, False, (0.0, 0.0) if now == before else None)
    edges = _edges(graph, layout, ends)
    return _framed(layout, nodes, edges, groups)


def _moves(layout: Layout, pins: Mapping[str, Point]) -> dict[str, Point]:
    """By how much each node is moved that is."""
    graph = layout.drawn.graph
    moves: dict[str, Point] = {}
    beside: dict[str, str] = {}
    shapes = {node.id: node.shape for node in graph.nodes}
    corners = {group.id: at.box for group, at in zip(graph.groups, layout.groups, strict=True)}
    corners |= {node.id: at.box for node, at in zip(graph.nodes, layout.nodes, strict=True)}
    parents = {group.id: group.parent for group in graph.groups}
    for node in graph.nodes:
        own = [node.id] if node.shape not in _BESIDE else []
        held = next((each for each in (*own, *ancestors(node.group, parents)) if each in pins), None)
        if held is not None:
            (x, y), box = pins[held], corners[held]
            moves[node.id] = (x - box.x, y - box.y)
    for edge in graph.edges:
        for one, other in ((edge.source, edge.target), (edge.target, edge.source)):
            if shapes.get(one) in _BESIDE:
                beside.setdefault(one, other)
    return moves | {one: moves[other] for one, other in beside.items() if other in moves}


def _frames(
    graph: Graph, layout: Layout, nodes: tuple[PlacedNode, ...], moves: Mapping[str, Point]
) -> tuple[PlacedGroup, ...]:
    """The frames, as far from what is in them as they were."""
    before: dict[str, list[Box]] = defaultdict(list)
    now: dict[str, list[Box]] = defaultdict(list)
    changed: set[str] = set()
    for node, old, new in zip(graph.nodes, layout.nodes, nodes, strict=True):
        if node.group is not None:
            before[node.group].append(old.box)
            now[node.group].append(new.box)
            if node.id in moves:
                changed.add(node.group)
    frames: dict[str, PlacedGroup] = {}
    # Innermost first; groups stand outermost first.
    for group, at in reversed(list(zip(graph.groups, layout.groups, strict=True))):
        frame = _padded(at, around(before[group.id]), around(now[group.id])) if group.id in changed else at
        frames[group.id] = frame
        if group.parent is not None:
            before[group.parent].append(at.box)
            now[group.parent].append(frame.box)
            if frame != at:
                changed.add(group.parent)
    return tuple(frames[group.id] for group in graph.groups)


def _padded(frame: PlacedGroup, before: Box, now: Box) -> PlacedGroup:
    box = frame.box
    left, top = before.x - box.x, before.y - box.y
    width = now.width + box.width - before.width
    height = now.height + box.height - before.height
    grown = Box(round(now.x - left, 2), round(now.y - top, 2), round(width, 2), round(height, 2))
    if frame.text is not None:
        grown = replace(grown, width=max(grown.width, frame.text.box.width + 24))
    return PlacedGroup(grown, frame.text and _moved_text(frame.text, (grown.x - box.x, grown.y - box.y)))


def _edges(graph: Graph, layout: Layout, ends: Mapping[str, _End]) -> tuple[PlacedEdge, ...]:
    found: list[PlacedEdge | None] = []
    between: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, (edge, at) in enumerate(zip(graph.edges, layout.edges, strict=True)):
        by = ends[edge.source].by
        if by is not None and by == ends[edge.target].by:
            curve = tuple((round(x + by[0], 2), round(y + by[1], 2)) for x, y in at.curve)
            found.append(PlacedEdge(curve, at.text and _moved_text(at.text, by)))
        else:
            found.append(None)
            between[frozenset((edge.source, edge.target))].append(number)
    for numbers in between.values():
        first = graph.edges[numbers[0]]
        texts = [layout.edges[number].text for number in numbers]
        for number, offset in zip(numbers, _offsets(first, texts, ends), strict=True):
            edge = graph.edges[number]
            # All offsets are to one side of the same direction.
            side = offset if edge.source == first.source else -offset
            found[number] = _straight(ends[edge.source], ends[edge.target], layout.edges[number].text, side)
    return tuple(each for each in found if each is not None)


def _offsets(first: Edge, texts: list[PlacedText | None], ends: Mapping[str, _End]) -> list[float]:
    """How far beside the straight line each of several edges passes, so that their texts do not touch."""
    ux, uy = _direction(ends[first.source].outline.centre, ends[first.target].outline.centre)
    wide = [abs(uy) * text.box.width + abs(ux) * text.box.height if text else 0.0 for text in texts]
    apart = [(one + other) / 2 + BETWEEN for one, other in pairwise(wide)]
    at = [sum(apart[:number]) for number in range(len(texts))]
    return [each - at[-1] / 2 for each in at]


def _straight(start: _End, end: _End, text: PlacedText | None, offset: float) -> PlacedEdge:
    """A line from border to border, bent so that its middle lies `offset` beside it."""
    a, b = _border(start, end.outline.centre), _border(end, start.outline.centre)
    ux, uy = _direction(start.outline.centre, end.outline.centre)
    bent = 4 / 3 * offset

    def between(share: float, beside: float) -> Point:
        return a[0] + (b[0] - a[0]) * share - uy * beside, a[1] + (b[1] - a[1]) * share + ux * beside

    curve = (a, between(1 / 3, bent), between(2 / 3, bent), b)
    placed = None
    if text is not None:
        box = centred(between(0.5, offset), text.box.width, text.box.height)
        placed = PlacedText(Box(round(box.x, 2), round(box.y, 2), box.width, box.height), text.block)
    return PlacedEdge(tuple((round(x, 2), round(y, 2)) for x, y in curve), placed)


def _border(end: _End, to: Point) -> Point:
    """Where the line from the middle of an end to a point leaves it."""
    x, y = end.outline.centre
    dx, dy = to[0] - x, to[1] - y
    if dx == dy == 0:
        return x, y
    half_width, half_height = end.outline.width / 2, end.outline.height / 2
    if end.is_round:
        share = half_width / math.hypot(dx, dy)
    else:
        share = min(half_width / abs(dx) if dx else math.inf, half_height / abs(dy) if dy else math.inf)
    return x + dx * share, y + dy * share


def _direction(start: Point, end: Point) -> Point:
    length = math.dist(start, end)
    return ((end[0] - start[0]) / length, (end[1] - start[1]) / length) if length else (0.0, 1.0)


def _framed(
    layout: Layout,
    nodes: tuple[PlacedNode, ...],
    edges: tuple[PlacedEdge, ...],
    groups: tuple[PlacedGroup, ...],
) -> Layout:
    """All of it with its title above; what stands left of or above the origin is in the page, too."""
    boxes = [*(node.box for node in nodes), *(node.outline for node in nodes), *(group.box for group in groups)]
    boxes += [text.box for text in (*(edge.text for edge in edges), *(group.text for group in groups)) if text]
    whole = around(boxes, [point for edge in edges for point in edge.curve])
    heading = layout.title.box
    above = heading.height + 10 if layout.title.block.lines else 0.0
    x, y = round(whole.x - MARGIN, 2), round(whole.y - MARGIN - above, 2)
    return replace(
        layout,
        x=x,
        y=y,
        width=round(max(whole.width, heading.width) + 2 * MARGIN, 2),
        height=round(whole.height + above + 2 * MARGIN, 2),
        title=_moved_text(layout.title, (x - layout.x, y - layout.y)),
        nodes=nodes,
        edges=edges,
        groups=groups,
    )


def _moved_node(at: PlacedNode, by: Point | None) -> PlacedNode:
    return at if by is None else PlacedNode(_moved(at.box, by), _moved(at.outline, by), _moved_text(at.text, by))


def _moved(box: Box, by: Point) -> Box:
    return Box(round(box.x + by[0], 2), round(box.y + by[1], 2), box.width, box.height)


def _moved_text(text: PlacedText, by: Point) -> PlacedText:
    return PlacedText(_moved(text.box, by), text.block)
