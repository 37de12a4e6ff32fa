"""Graphviz, run in this process: a picture's sizes go in, positions come out.

Names, labels and fonts never reach Graphviz: nodes are called n0, n1, …, and a label is an empty table as
large as our own metric says. So no text can break its input, and no machine's fonts move a node.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.drawing.boxes import Box, centred
from wfsim.drawing.content import loop_space
from wfsim.drawing.curve import crosses
from wfsim.drawing.graph import ancestors
from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from wfsim.drawing.boxes import Point
    from wfsim.drawing.content import Block, NodeContent
    from wfsim.drawing.curve import Curve
    from wfsim.drawing.graph import Edge, Graph, Group

_PORT = 'PORT="c"'

LARGE = 300
"""Nodes and edges from which on Graphviz looks less far for a better order of nodes."""

# Graphviz keeps global state.
_graphviz = threading.Lock()


@dataclass(frozen=True)
class Found:
    """What Graphviz answered, y downwards: centres of nodes and edge labels, frames, edge curves."""

    points: dict[str, Point]
    boxes: dict[str, Box]
    curves: dict[str, Curve]


class Dot:
    """Writes a picture in Graphviz's language."""

    def __init__(self, graph: Graph, sizes: list[NodeContent], texts: list[Block], labels: list[Block]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.texts = texts
        self.labels = labels
        self.node_number = {node.id: i for i, node in enumerate(graph.nodes)}
        self.group_number = {group.id: i for i, group in enumerate(graph.groups)}
        parents = {group.id: group.parent for group in graph.groups}
        self.around = {node.id: ancestors(node.group, parents) for node in graph.nodes}
        self.around.update({group.id: ancestors(group.parent, parents) for group in graph.groups})
        self.loops: dict[int, list[int]] = defaultdict(list)
        """Edges from a node to itself, by node."""
        for i, edge in enumerate(graph.edges):
            if edge.source == edge.target in self.node_number:
                self.loops[self.node_number[edge.source]].append(i)
        self.first_out = {e.source: i for i, e in reversed([*enumerate(graph.edges)]) if e.source != e.target}
        self.sideways = graph.direction in ("LR", "RL")
        self.sides: dict[tuple[int, bool], str] = {}
        """Side of a node that an edge must use, by edge number and whether its start is meant."""
        # A detour is the invisible point that the edge from a group to itself passes.
        self.detours = [i for i, e in enumerate(graph.edges) if e.source == e.target in self.group_number]

    def keep_off_loops(self, found: Found) -> bool:
        """Give edges that cross the loops of a node they end at another side; return whether there are any.

        Graphviz keeps other edges off the space of loops, but may lead those of the same node through it.
        """
        for i, edge in enumerate(self.graph.edges):
            for at_start, end, other in ((True, edge.source, edge.target), (False, edge.target, edge.source)):
                number = self.node_number.get(end)
                if edge.source == edge.target or number is None or number not in self.loops:
                    continue
                space = loop_space([self.texts[e] for e in self.loops[number]], sideways=self.sideways)
                if crosses(found.curves[f"e{i}"], centred(found.points[f"label s{number}"], *space)):
                    axis = 0 if self.sideways else 1
                    before = self.middle_of(other, found)[axis] < found.points[f"n{number}"][axis]
                    near, far = (":w", ":e") if self.sideways else (":n", ":s")
                    self.sides[i, at_start] = near if before else far
        return bool(self.sides)

    def middle_of(self, name: str, found: Found) -> Point:
        """Middle of a node or group."""
        if name in self.node_number:
            return found.points[f"n{self.node_number[name]}"]
        return found.boxes[f"cluster_g{self.group_number[name]}"].centre

    def source(self, splines: str, *, limited: bool = False) -> str:
        """The whole graph; limited, Graphviz looks less far for a better order of nodes."""
        direction = self.graph.direction
        is_large = limited or len(self.graph.nodes) + len(self.graph.edges) > LARGE
        limits = f"nslimit={0.2 if limited else 1}; nslimit1=1; mclimit={0.1 if limited else 0.3};" if is_large else ""
        return "\n".join(
            [
                f"digraph {{ rankdir={direction}; splines={splines}; compound=true; {limits}",
                "nodesep=0.3; ranksep=0.42;",
                'node [shape=box, label="", fixedsize=true]; edge [arrowhead=none];',
                *self.inside(None),
                *(self.edge(i, e) for i, e in enumerate(self.graph.edges) if e.source != e.target),
                *(self.detour(i) for i in self.detours),
                *(self.loop(number) for number in self.loops),
                "}",
            ]
        )

    def inside(self, group: str | None) -> list[str]:
        """The nodes directly in a group, then the groups in it."""
        text: list[str] = []
        own = [i for i, node in enumerate(self.graph.nodes) if node.group == group]
        # Layering breaks cycles from the first node, so that initial markers belong at the top.
        own.sort(key=lambda i: self.graph.nodes[i].shape != "dot")
        text.extend(self.node(i) for i in own)
        text.extend(
            f"d{i} [width=0.3, height=0.3];"
            for i in self.detours
            if self.graph.groups[self.group_number[self.graph.edges[i].source]].parent == group
        )
        for i, inner in enumerate(self.graph.groups):
            if inner.parent == group:
                label = _table(self.labels[i].width + 16, self.labels[i].height + 4) if self.labels[i].lines else '""'
                text.append(f"subgraph cluster_g{i} {{ label={label}; labeljust=l; margin=14;")
                text.append(f"a{i} [width=0.8, height=0.3];" if self.is_empty(inner) else "")
                text.extend([*self.inside(inner.id), *self.exit(i), "}"])
        return text

    def node(self, i: int) -> str:
        """A node of fixed size; with a label beside it, a table with the port `c` for the outline."""
        size = self.sizes[i]
        if size.side is None:
            return f"n{i} [width={size.width / 72:.5f}, height={size.height / 72:.5f}];"
        width, height = size.outline
        # The cell of the outline fills its column or row, so that edges may come from both sides.
        if size.side == "below":
            below = _cell(size.width, size.height - height)
            rows = f"<TR>{_cell(size.width, height, _PORT)}</TR><TR>{below}</TR>"
        else:
            cells = [_cell(width, size.height, _PORT), _cell(size.width - width, size.height)]
            rows = f"<TR>{''.join(cells if size.side == 'right' else cells[::-1])}</TR>"
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
        tail += self.sides.get((i, True), "")
        head += self.sides.get((i, False), "")
        cuts = (f", ltail={tail_cut}" if tail_cut else "") + (f", lhead={head_cut}" if head_cut else "")
        # The first way out of a node is the usual one; drawn straight, the main path can be seen.
        cuts += ", weight=4" if self.first_out[edge.source] == i else ""
        return f"{tail} -> {head} [id=e{i}{cuts}{label}];"

    def detour(self, i: int) -> str:
        """The edge from a group to itself, in two halves."""
        text = self.texts[i]
        label = f", label={_table(text.width + 10, text.height + 4)}" if text.lines else ""
        tail, tail_cut = self.end(self.graph.edges[i].source, outgoing=True)
        head, head_cut = self.end(self.graph.edges[i].target, outgoing=False)
        there = f"{tail} -> d{i} [id=e{i}, ltail={tail_cut}, headclip=false];"
        return f"{there} d{i} -> {head} [id=f{i}, lhead={head_cut}, tailclip=false{label}];"

    def loop(self, number: int) -> str:
        """One loop that keeps the space of all loops of a node."""
        width, height = loop_space([self.texts[i] for i in self.loops[number]], sideways=self.sideways)
        return f"n{number} -> n{number} [id=s{number}, label={_table(width, height)}];"

    def exit(self, i: int) -> list[str]:
        """The point at the lower border of a group that its outgoing edges come from."""
        group = self.graph.groups[i].id
        members = [node.id for node in self.graph.nodes if group in self.around[node.id]]
        if not members or not any(edge.source == group for edge in self.graph.edges):
            return []
        left = {e.source for e in self.graph.edges if e.source != e.target and e.target in members}
        last = [self.node_number[m] for m in members if m not in left] or [self.node_number[members[-1]]]
        return [f"b{i} [width=0.02, height=0.02];", *(f"n{m} -> b{i} [style=invis, weight=0];" for m in last)]

    def end(self, name: str, *, outgoing: bool) -> tuple[str, str]:
        """The node an edge is tied to in Graphviz, and the frame it is cut at, if any."""
        if name in self.node_number:
            i = self.node_number[name]
            return (f"n{i}:c" if self.sizes[i].side else f"n{i}"), ""
        i = self.group_number[name]
        members = [node.id for node in self.graph.nodes if name in self.around[node.id]]
        if not members:
            return f"a{self.empty_within(self.graph.groups[i])}", f"cluster_g{i}"
        if outgoing:
            return f"b{i}", f"cluster_g{i}"
        # Tied to a node at the near side of the frame, the edge does not cross the others inside.
        inner = [e for e in self.graph.edges if e.source in members and e.target in members]
        busy = {e.target for e in inner if e.source != e.target}
        free = [m for m in members if m not in busy] or members
        anchor = self.node_number[free[0]]
        return (f"n{anchor}:c" if self.sizes[anchor].side else f"n{anchor}"), f"cluster_g{i}"

    def is_empty(self, group: Group) -> bool:
        """Whether a group holds neither nodes nor groups; Graphviz drops such frames."""
        return not any(node.group == group.id for node in self.graph.nodes) and not any(
            inner.parent == group.id for inner in self.graph.groups
        )

    def empty_within(self, group: Group) -> int:
        """Number of the first empty group in a group without nodes, or of that group."""
        inner = [g for g in self.graph.groups if g.id == group.id or group.id in self.around[g.id]]
        return self.group_number[next(g.id for g in inner if self.is_empty(g))]


def _cell(width: float, height: float, more: str = "") -> str:
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{int(width)}" HEIGHT="{int(height)}" {more}></TD>'


def _table(width: float, height: float) -> str:
    cell = _cell(width + 1, height + 1)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>>'


def unrouted(dot: Dot) -> Found:
    """Run Graphviz for the places of nodes alone."""
    return _read(_run(dot.source("false", limited=True)))


def solve(dot: Dot, graph: Graph) -> Found:
    """Run Graphviz until every edge has a route that leaves the loops alone."""
    found = _route(dot, graph)
    return _route(dot, graph) if dot.keep_off_loops(found) else found


def _route(dot: Dot, graph: Graph) -> Found:
    looped = {i for own in dot.loops.values() for i in own}
    wanted = {f"e{i}" for i in range(len(graph.edges)) if i not in looped}
    wanted |= {f"f{i}" for i in dot.detours}
    missing: set[str] = set()
    # Routing around obstacles can fail on rare inputs, where Graphviz leaves edges out.
    for splines in ("true", "polyline", "line"):
        found = _read(_run(dot.source(splines)))
        missing = wanted - found.curves.keys()
        if not missing:
            return found
    names = sorted({repr(graph.edges[int(name[1:])].id) for name in missing})
    raise DrawingError(
        f"picture {graph.title!r}: Graphviz found no route for the edges {', '.join(names[:5])}. "
        "Draw fewer edges at once, or another direction."
    )


def _run(source: str) -> dict[str, Any]:
    import pygraphviz

    with _graphviz:
        graph = pygraphviz.AGraph(string=source)
        try:
            answer: dict[str, Any] = json.loads(graph.draw(format="json0", prog="dot"))
        except (OSError, ValueError) as error:
            raise DrawingError(f"Graphviz could not lay out the picture ({error}); draw a smaller part.") from error
        finally:
            graph.close()
    return answer


def _read(answer: dict[str, Any]) -> Found:
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
        if "pos" in item and "id" in item:
            curves[item["id"]] = tuple(_point(p) for p in item["pos"].split())
        if "lp" in item:
            points["label " + item["id"]] = _point(item["lp"])
    return Found(points, boxes, curves)


def _point(text: str) -> Point:
    x, y = text.split(",")[:2]
    return (float(x), -float(y))
