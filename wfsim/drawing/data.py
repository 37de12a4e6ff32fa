"""A laid-out graph as plain values for JSON; `Picture.to_dict` says what each means."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from wfsim.drawing.roles import BADGES, LOOKS, SHADE_TONES, SHADED, Look, shade_name

if TYPE_CHECKING:
    from wfsim.drawing.boxes import Box
    from wfsim.drawing.graph import Graph, Item
    from wfsim.drawing.placed import Layout, PlacedEdge, PlacedNode, PlacedText

FORMAT_VERSION = 2
"""Version of the form of `Picture.to_dict`."""


def to_data(graph: Graph, layout: Layout) -> dict[str, Any]:
    """Nodes, edges and groups with their positions, and the tags at which edges are cut."""
    drawn = layout.drawn
    nodes = {node.id: at for node, at in zip(drawn.graph.nodes, layout.nodes, strict=True)}
    edges = {edge.id: at for edge, at in zip(drawn.graph.edges, layout.edges, strict=True)}
    shown = {node.id: node for node in drawn.graph.nodes}
    ends = {edge.id: edge for edge in drawn.graph.edges}
    tag_at = {tag.edges[0]: tag.id for tag in drawn.tags if tag.way == "to"}
    return {
        "version": FORMAT_VERSION,
        "title": graph.title,
        "direction": graph.direction,
        "x": layout.x,
        "y": layout.y,
        "width": layout.width,
        "height": layout.height,
        "nodes": [_plain(node) | _boxes(nodes[node.id]) for node in graph.nodes],
        "edges": [_plain(edge) | {"tag": tag_at.get(edge.id)} | _line(edges[edge.id]) for edge in graph.edges],
        "groups": [
            _plain(group) | {"box": _box(at.box), "text": _text(at.text)}
            for group, at in zip(graph.groups, layout.groups, strict=True)
        ],
        "tags": [
            {"id": tag.id, "of": tag.of, "way": tag.way, "edges": list(tag.edges), "role": shown[tag.id].role}
            | _boxes(nodes[tag.id])
            for tag in drawn.tags
        ],
        "arrivals": [
            {"id": name, "edges": list(those), "tag": ends[name].source, "target": ends[name].target}
            | {key: value for key, value in _plain(ends[name]).items() if key in ("role", "style", "head")}
            | _line(edges[name])
            for name, those in drawn.arrivals.items()
        ],
    }


def looks_data() -> dict[str, Any]:
    """How roles look, and shades by their names.

    `line` and `fill` on a light and on a dark page, `width`, `dash` and the path of the `badge`.
    """
    looks: dict[str, Look] = dict(LOOKS.items())
    looks |= {shade_name(shade): Look(tone, tone, SHADED) for shade, tone in SHADE_TONES.items()}
    return {
        role: {
            "line": [look.line.light, look.line.dark],
            "fill": [look.fill.light, look.fill.dark],
            "width": look.width,
            "dash": look.dash,
            "badge": None if look.badge is None else BADGES[look.badge],
        }
        for role, look in looks.items()
    }


def _boxes(at: PlacedNode) -> dict[str, Any]:
    return {"box": _box(at.box), "outline": _box(at.outline), "text": _text(at.text)}


def _line(at: PlacedEdge) -> dict[str, Any]:
    return {"points": [list(point) for point in at.curve], "text": _text(at.text)}


def _plain(item: Item) -> dict[str, Any]:
    # Not `asdict`, which copies all there is below as well.
    values = {each.name: getattr(item, each.name) for each in fields(item)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _box(box: Box) -> dict[str, float]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def _text(placed: PlacedText | None) -> dict[str, Any] | None:
    if placed is None or not placed.block.lines:
        return None
    return _box(placed.box) | {"lines": [{"text": line.text, "size": line.size} for line in placed.block.lines]}
