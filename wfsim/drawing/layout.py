"""Where everything stands: Graphviz's layered layout, run in this process.

Graphviz sees sizes only. Names, labels and fonts never reach it: nodes are called n0, n1, …, and a label is
an empty table as large as our own metric says. So no text can break its input, and no machine's fonts move a
node.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.drawing import content
from wfsim.drawing.curve import Curve, Point, clip_to_circle
from wfsim.drawing.graph import Edge, Group, ancestors
from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from wfsim.drawing.content import Block, NodeContent
    from wfsim.drawing.picture import Picture

MAX_NODES = 400
MAX_EDGES = 1_500
MARGIN = 16.0

_PORT = 'PORT="c"'
_TALL = 'ROWSPAN="3"'
_WIDE = 'COLSPAN="3"'

# Graphviz keeps global state.
_graphviz = threading.Lock()


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; `x`, `y` is the upper left corner, y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """Middle of the rectangle."""
        return (self.x + self.width / 2, self.y + self.height / 2)


@dataclass(frozen=True)
class PlacedText:
    """Lines of text and the box they fill."""

    box: Box
    block: Block


@dataclass(frozen=True)
class PlacedNode:
    """`box` is the space of the node, `outline` the shape edges end at, inside it."""

    box: Box
    outline: Box
    text: PlacedText


@dataclass(frozen=True)
class PlacedEdge:
    """`curve` runs from border to border, without room for an arrowhead."""

    curve: Curve
    text: PlacedText | None


@dataclass(frozen=True)
class PlacedGroup:
    """Frame of a group, and its label inside at the upper left."""

    box: Box
    text: PlacedText | None


@dataclass(frozen=True)
class Layout:
    """Positions in pixels, in the order of the picture's nodes, edges and groups."""

    width: float
    height: float
    title: PlacedText
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    groups: tuple[PlacedGroup, ...]


def compute(picture: Picture) -> Layout:
    """Lay a picture out with Graphviz's `dot` algorithm [1]_.

    Raises
    ------
    DrawingError
        With more than `MAX_NODES` nodes and groups or `MAX_EDGES` edges, or if Graphviz finds no layout.

    Notes
    -----
    Deterministic: the same picture gives the same positions in every process. About 5 ms for 10 nodes, a few
    seconds near the limits.

    References
    ----------
    .. [1] Gansner, Koutsofios, North and Vo (1993), IEEE Transactions on Software Engineering 19(3), 214–230.
    """
    things = len(picture.nodes) + len(picture.groups)
    if things > MAX_NODES or len(picture.edges) > MAX_EDGES:
        raise DrawingError(
            f"picture {picture.title!r} has {things} nodes and groups and {len(picture.edges)} edges; "
            f"more than {MAX_NODES} or {MAX_EDGES} cannot be read. Draw a part of it (the neighbourhood of a "
            "node, one region), collapse groups, or list it with to_text()."
        )
    sizes = [content.node_content(node, picture.direction) for node in picture.nodes]
    texts = [content.edge_text(edge) for edge in picture.edges]
    labels = [content.group_text(group) for group in picture.groups]
    found = _solve(_Dot(picture, sizes, texts, labels), picture)
    return _place(picture, sizes, texts, labels, found)


def _place(
    picture: Picture, sizes: list[NodeContent], texts: list[Block], labels: list[Block], found: _Found
) -> Layout:
    nodes = [_centred(found.points[f"n{i}"], size.width, size.height) for i, size in enumerate(sizes)]
    outlines = [_outline(box, size, picture.direction) for box, size in zip(nodes, sizes, strict=True)]
    index = {node.id: i for i, node in enumerate(picture.nodes)}
    edges: list[tuple[Curve, Box | None]] = []
    for i, edge in enumerate(picture.edges):
        curve = found.curves[f"e{i}"]
        if f"f{i}" in found.curves:
            curve = (*curve, *found.curves[f"f{i}"][1:])
        for at_start, end in ((True, edge.source), (False, edge.target)):
            if end in index and picture.nodes[index[end]].shape in ("circle", "dot"):
                outline = outlines[index[end]]
                curve = clip_to_circle(curve, outline.centre, outline.width / 2, at_start=at_start)
        middle = found.points.get(f"l{i}")
        edges.append((curve, _centred(middle, texts[i].width, texts[i].height) if middle else None))
    frames = [found.boxes[f"cluster_g{i}"] for i in range(len(picture.groups))]
    group_labels = [Box(f.x + 12, f.y + 6, b.width, b.height) for f, b in zip(frames, labels, strict=True)]

    boxes = [*nodes, *frames, *group_labels, *(box for _, box in edges if box)]
    points = [point for curve, _ in edges for point in curve]
    left = min([box.x for box in boxes] + [x for x, _ in points], default=0.0)
    top = min([box.y for box in boxes] + [y for _, y in points], default=0.0)
    right = max([box.x + box.width for box in boxes] + [x for x, _ in points], default=0.0)
    bottom = max([box.y + box.height for box in boxes] + [y for _, y in points], default=0.0)
    heading = content.heading(picture.title, right - left)
    above = heading.height + 10 if heading.lines else 0.0
    dx, dy = MARGIN - left, MARGIN + above - top

    def move(box: Box) -> Box:
        return Box(round(box.x + dx, 2), round(box.y + dy, 2), round(box.width, 2), round(box.height, 2))

    return Layout(
        width=round(max(right - left, heading.width) + 2 * MARGIN, 2),
        height=round(bottom - top + above + 2 * MARGIN, 2),
        title=PlacedText(Box(MARGIN, MARGIN, round(heading.width, 2), round(heading.height, 2)), heading),
        nodes=tuple(
            PlacedNode(
                move(box), move(outline), PlacedText(move(_text_box(box, size, picture.direction)), size.text)
            )
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


def _centred(at: Point, width: float, height: float) -> Box:
    return Box(at[0] - width / 2, at[1] - height / 2, width, height)


def _outline(box: Box, size: NodeContent, direction: str) -> Box:
    width, height = size.outline
    if not size.beside:
        return _centred(box.centre, width, height)
    if direction in ("TB", "BT"):
        return Box(box.x, box.centre[1] - height / 2, width, height)
    return Box(box.centre[0] - width / 2, box.y, width, height)


def _text_box(box: Box, size: NodeContent, direction: str) -> Box:
    width, height = size.text.width, size.text.height
    if not size.beside:
        return _centred(box.centre, width, height)
    if direction in ("TB", "BT"):
        return Box(box.x + size.outline[0] + 6, box.centre[1] - height / 2, width, height)
    return Box(box.centre[0] - width / 2, box.y + box.height - height, width, height)


@dataclass(frozen=True)
class _Found:
    """What Graphviz answered, y downwards: centres of nodes and edge labels, frames, edge curves."""

    points: dict[str, Point]
    boxes: dict[str, Box]
    curves: dict[str, Curve]


class _Dot:
    """Writes a picture in Graphviz's language."""

    def __init__(
        self, picture: Picture, sizes: list[NodeContent], texts: list[Block], labels: list[Block]
    ) -> None:
        self.picture = picture
        self.sizes = sizes
        self.texts = texts
        self.labels = labels
        self.node_number = {node.id: i for i, node in enumerate(picture.nodes)}
        self.group_number = {group.id: i for i, group in enumerate(picture.groups)}
        parents = {group.id: group.parent for group in picture.groups}
        self.around = {node.id: ancestors(node.group, parents) for node in picture.nodes}
        self.around.update({group.id: ancestors(group.parent, parents) for group in picture.groups})
        # A detour is the invisible point that the edge from a group to itself passes.
        self.detours = [i for i, e in enumerate(picture.edges) if e.source == e.target in self.group_number]

    def source(self, splines: str) -> str:
        """The whole graph."""
        direction = self.picture.direction
        return "\n".join(
            [
                f"digraph {{ rankdir={direction}; splines={splines}; compound=true;",
                "nodesep=0.42; ranksep=0.42;",
                'node [shape=box, label="", fixedsize=true]; edge [arrowhead=none];',
                *self.inside(None),
                *(self.edge(i, edge) for i, edge in enumerate(self.picture.edges)),
                "}",
            ]
        )

    def inside(self, group: str | None) -> list[str]:
        """The nodes directly in a group, then the groups in it."""
        text: list[str] = []
        own = [i for i, node in enumerate(self.picture.nodes) if node.group == group]
        # Layering breaks cycles from the first node, so that initial markers belong at the top.
        own.sort(key=lambda i: self.picture.nodes[i].shape != "dot")
        text.extend(self.node(i) for i in own)
        text.extend(
            f"d{i} [width=0.02, height=0.02];"
            for i in self.detours
            if self.picture.groups[self.group_number[self.picture.edges[i].source]].parent == group
        )
        for i, inner in enumerate(self.picture.groups):
            if inner.parent == group:
                label = (
                    _table(self.labels[i].width + 16, self.labels[i].height + 4)
                    if self.labels[i].lines
                    else '""'
                )
                text.append(f"subgraph cluster_g{i} {{ label={label}; labeljust=l; margin=14;")
                text.append(f"a{i} [width=0.8, height=0.3];" if self.is_empty(inner) else "")
                text.extend([*self.inside(inner.id), "}"])
        return text

    def node(self, i: int) -> str:
        """A node of fixed size; with a label beside it, a table with the port `c` for the outline."""
        size = self.sizes[i]
        if not size.beside:
            return f"n{i} [width={size.width / 72:.5f}, height={size.height / 72:.5f}];"
        width, height = size.outline
        if self.picture.direction in ("TB", "BT"):
            gap = (size.height - height) // 2
            above = f"<TR>{_cell(width, gap)}{_cell(size.width - width, size.height, _TALL)}</TR>"
            rows = f"{above}<TR>{_cell(width, height, _PORT)}</TR><TR>{_cell(width, gap)}</TR>"
            if gap == 0:
                rows = f"<TR>{_cell(width, height, _PORT)}{_cell(size.width - width, size.height)}</TR>"
        else:
            gap = (size.width - width) // 2
            side = _cell(gap, height) if gap else ""
            below = _cell(size.width, size.height - height, _WIDE if gap else "")
            rows = f"<TR>{side}{_cell(width, height, _PORT)}{side}</TR><TR>{below}</TR>"
        return (
            f"n{i} [shape=plain, fixedsize=false, width=0, height=0, label="
            f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>];'
        )

    def edge(self, i: int, edge: Edge) -> str:
        """An edge; between groups, between a node of each, cut at the frames."""
        text = self.texts[i]
        label = f", label={_table(text.width + 10, text.height + 4)}" if text.lines else ""
        tail, tail_cut = self.end(edge.source, outgoing=True)
        head, head_cut = self.end(edge.target, outgoing=False)
        if i in self.detours:
            there = f"{tail} -> d{i} [id=e{i}, ltail={tail_cut}];"
            return f"{there} d{i} -> {head} [id=f{i}, lhead={head_cut}{label}];"
        cuts = (f", ltail={tail_cut}" if tail_cut else "") + (f", lhead={head_cut}" if head_cut else "")
        return f"{tail} -> {head} [id=e{i}{cuts}{label}];"

    def end(self, name: str, *, outgoing: bool) -> tuple[str, str]:
        """The node an edge is tied to in Graphviz, and the frame it is cut at, if any."""
        if name in self.node_number:
            i = self.node_number[name]
            return (f"n{i}:c" if self.sizes[i].beside else f"n{i}"), ""
        i = self.group_number[name]
        members = [node.id for node in self.picture.nodes if name in self.around[node.id]]
        if not members:
            return f"a{self.empty_within(self.picture.groups[i])}", f"cluster_g{i}"
        # Tied to a node at the near side of the frame, the edge does not cross the others inside.
        inner = [e for e in self.picture.edges if e.source in members and e.target in members]
        busy = {(e.source if outgoing else e.target) for e in inner if e.source != e.target}
        free = [m for m in members if m not in busy] or members
        anchor = self.node_number[free[-1] if outgoing else free[0]]
        return (f"n{anchor}:c" if self.sizes[anchor].beside else f"n{anchor}"), f"cluster_g{i}"

    def is_empty(self, group: Group) -> bool:
        """Whether a group holds neither nodes nor groups; Graphviz drops such frames."""
        return not any(node.group == group.id for node in self.picture.nodes) and not any(
            inner.parent == group.id for inner in self.picture.groups
        )

    def empty_within(self, group: Group) -> int:
        """Number of the first empty group in a group without nodes, or of that group."""
        inner = [g for g in self.picture.groups if g.id == group.id or group.id in self.around[g.id]]
        return self.group_number[next(g.id for g in inner if self.is_empty(g))]


def _cell(width: float, height: float, more: str = "") -> str:
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{int(width)}" HEIGHT="{int(height)}" {more}></TD>'


def _table(width: float, height: float) -> str:
    cell = _cell(width + 1, height + 1)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>>'


def _solve(dot: _Dot, picture: Picture) -> _Found:
    # Routing around obstacles can fail on rare inputs, where Graphviz leaves edges out.
    for splines in ("true", "polyline", "line"):
        found = _read(_run(dot.source(splines)))
        wanted = {f"e{i}" for i in range(len(picture.edges))} | {f"f{i}" for i in dot.detours}
        if wanted <= found.curves.keys():
            return found
    missing = [repr(edge.id) for i, edge in enumerate(picture.edges) if f"e{i}" not in found.curves]
    raise DrawingError(
        f"picture {picture.title!r}: Graphviz found no route for the edges {', '.join(missing[:5])}. "
        "Draw fewer edges at once, or another direction."
    )


def _run(source: str) -> dict[str, Any]:
    import pygraphviz

    with _graphviz:
        graph = pygraphviz.AGraph(string=source)
        try:
            answer: dict[str, Any] = json.loads(graph.draw(format="json0", prog="dot"))
        except (OSError, ValueError) as error:
            raise DrawingError(
                f"Graphviz could not lay out the picture ({error}); draw a smaller part."
            ) from error
        finally:
            graph.close()
    return answer


def _read(answer: dict[str, Any]) -> _Found:
    points: dict[str, Point] = {}
    boxes: dict[str, Box] = {}
    curves: dict[str, Curve] = {}
    for item in answer.get("objects", []):
        if "bb" in item:
            x0, y0, x1, y1 = map(float, item["bb"].split(","))
            boxes[item["name"]] = Box(x0, -y1, x1 - x0, y1 - y0)
        elif "pos" in item:
            points[item["name"]] = _point(item["pos"])
    for item in answer.get("edges", []):
        if "pos" in item:
            curves[item["id"]] = tuple(_point(p) for p in item["pos"].split())
        if "lp" in item:
            points["l" + item["id"][1:]] = _point(item["lp"])
    return _Found(points, boxes, curves)


def _point(text: str) -> Point:
    x, y = text.split(",")[:2]
    return (float(x), -float(y))
