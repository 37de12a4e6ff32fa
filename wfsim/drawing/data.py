"""A laid-out graph as plain values for JSON; `Picture.to_dict` says what each means."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from wfsim.drawing.roles import BADGES, LOOKS

if TYPE_CHECKING:
    from wfsim.drawing.graph import Graph, Item
    from wfsim.drawing.placed import Layout, PlacedText

FORMAT_VERSION = 1
"""Version of the form of `Picture.to_dict`."""


def to_data(graph: Graph, layout: Layout) -> dict[str, Any]:
    """Nodes, edges and groups with their positions."""
    return {
        "version": FORMAT_VERSION,
        "title": graph.title,
        "direction": graph.direction,
        "width": layout.width,
        "height": layout.height,
        "nodes": [
            _plain(node) | {"box": asdict(at.box), "outline": asdict(at.outline), "text": _text(at.text)}
            for node, at in zip(graph.nodes, layout.nodes, strict=True)
        ],
        "edges": [
            _plain(edge) | {"points": [list(point) for point in at.curve], "text": _text(at.text)}
            for edge, at in zip(graph.edges, layout.edges, strict=True)
        ],
        "groups": [
            _plain(group) | {"box": asdict(at.box), "text": _text(at.text)}
            for group, at in zip(graph.groups, layout.groups, strict=True)
        ],
    }


def looks_data() -> dict[str, Any]:
    """How roles look: `line` and `fill` on a light and on a dark page, `width`, `dash` and the path of the `badge`."""
    return {
        role: {
            "line": [look.line.light, look.line.dark],
            "fill": [look.fill.light, look.fill.dark],
            "width": look.width,
            "dash": look.dash,
            "badge": None if look.badge is None else BADGES[look.badge],
        }
        for role, look in LOOKS.items()
    }


def _plain(item: Item) -> dict[str, Any]:
    fields = asdict(item)
    if "lines" in fields:
        fields["lines"] = list(fields["lines"])
    return fields


def _text(placed: PlacedText | None) -> dict[str, Any] | None:
    if placed is None or not placed.block.lines:
        return None
    return asdict(placed.box) | {"lines": [{"text": line.text, "size": line.size} for line in placed.block.lines]}
