"""A laid-out picture as standalone SVG: no script, no font, no reference to anything outside.

Colours stand twice: as plain attributes for readers without style sheets (PDF converters), and as CSS
variables that follow the page, be it a browser set to dark or a Jupyter theme. The class of a part sets its two, and
what all parts have in common stands once. The picture paints its own background, because a notebook may show it where
neither is known.
"""

from __future__ import annotations

import hashlib
import json
from html import escape
from typing import TYPE_CHECKING

from wfsim.drawing.boxes import Box, Point, centred
from wfsim.drawing.content import EDGE_SIZE, LINE_SIZE, short_number
from wfsim.drawing.curve import Curve, along, end_cut, middle
from wfsim.drawing.data import to_data
from wfsim.drawing.placed import Layout, PlacedEdge, PlacedGroup, PlacedNode, PlacedText
from wfsim.drawing.roles import (
    BADGES,
    FRAME,
    INK,
    LOOKS,
    PAGE,
    SHADE_TONES,
    SHADED,
    STYLE_DASHES,
    Look,
    Tone,
    shade_name,
)
from wfsim.drawing.text import LINE_HEIGHT, clean
from wfsim.drawing.words import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing.graph import Edge, Graph, Group, Node, Role

_FONTS = "system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,DejaVu Sans,Arial,sans-serif"
# Of most texts and most lines: said once for the whole picture.
_SIZE, _WIDTH = EDGE_SIZE, Look(INK, INK).width
_WIDEST = 8.0
_THINNEST = 1.0

_BADGE = 8.0
_TOKEN_PLACES: dict[int, tuple[Point, ...]] = {
    1: ((0, 0),),
    2: ((-7, 0), (7, 0)),
    3: ((0, -7), (-7, 5), (7, 5)),
    4: ((-6.5, -6.5), (6.5, -6.5), (-6.5, 6.5), (6.5, 6.5)),
    5: ((-8, -8), (8, -8), (0, 0), (-8, 8), (8, 8)),
}


def render(
    graph: Graph,
    layout: Layout,
    highlight: Mapping[str, Role],
    weights: Mapping[str, float],
    tokens: Mapping[str, int],
) -> str:
    """The SVG text; every argument has been checked by the caller."""
    seen = json.dumps([to_data(graph, layout), dict(highlight), dict(weights), dict(tokens)], sort_keys=True)
    prefix = "wf" + hashlib.sha256(seen.encode()).hexdigest()[:12]
    heaviest = max(weights.values(), default=0.0)
    drawn = layout.drawn.graph
    said = _escape(describe(graph, highlight))
    # An arrival is lit as one of the edges is, and as heavy as all of them.
    arrivals = layout.drawn.arrivals.items()
    highlight = dict(highlight) | {
        name: highlight[edge] for name, those in arrivals for edge in reversed(those) if edge in highlight
    }
    if weights:
        weights = dict(weights) | {name: sum(weights.get(edge, 0.0) for edge in those) for name, those in arrivals}
    # What a badge on an edge must not cover.
    taken = [placed.text.box for placed in layout.edges if placed.text]
    taken += [framed.text.box for framed in layout.groups if framed.text]
    taken += [box for spot in layout.nodes for box in (spot.outline, spot.text.box)]

    frames = [
        _group(group, placed, highlight.get(group.id))
        for group, placed in sorted(
            zip(drawn.groups, layout.groups, strict=True),
            key=lambda pair: -pair[1].box.width * pair[1].box.height,
        )
    ]
    lines: list[str] = []
    marks: list[str] = []
    for edge, placed_edge in zip(drawn.edges, layout.edges, strict=True):
        width = None
        if weights:
            share = min(1.0, weights.get(edge.id, 0.0) / heaviest) if heaviest else 0.0
            width = _THINNEST + (_WIDEST - _THINNEST) * share
        line, mark = _edge(edge, placed_edge, highlight.get(edge.id), width, weights.get(edge.id), taken)
        lines.append(line)
        marks.append(mark)
    nodes = [
        _node(node, placed_node, highlight.get(node.id), tokens.get(node.id, node.tokens))
        for node, placed_node in zip(drawn.nodes, layout.nodes, strict=True)
    ]
    roles = {item.role for item in graph.items()} | set(highlight.values())
    shades = {node.shade for node in graph.nodes} | {edge.shade for edge in graph.edges}
    width_, height = _number(layout.width), _number(layout.height)
    x, y = _number(layout.x), _number(layout.y)
    corner = f' x="{x}" y="{y}"' if (layout.x, layout.y) != (0, 0) else ""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" id="{prefix}" class="wfsim-picture" role="img" '
            f'aria-labelledby="{prefix}-title {prefix}-desc" width="{width_}" height="{height}" '
            # On the element itself: a page may drop the style sheet, or count its own rules for pictures higher.
            f'viewBox="{x} {y} {width_} {height}" style="max-width:100%;height:auto" font-family="{_FONTS}" '
            f'font-size="{_number(_SIZE)}" text-anchor="middle" fill="{INK.light}" stroke-width="{_number(_WIDTH)}">',
            f'<title id="{prefix}-title">{_escape(graph.title) or "Graph"}</title>',
            f'<desc id="{prefix}-desc">{said}</desc>',
            f"<style>{_style(prefix, sorted(roles), sorted(shades - {0}))}</style>",
            f'<rect class="page"{corner} width="{width_}" height="{height}" fill="{PAGE.light}"/>',
            _text(layout.title, start=True, bold=True) if layout.title.block.lines else "",
            *frames,
            *lines,
            *marks,
            *nodes,
            "</svg>",
            "",
        ]
    )


def _style(prefix: str, roles: list[Role], shades: list[int]) -> str:
    def colours(mode: str, page: str = "") -> str:
        """The colours for light or dark pages; `page` selects Jupyter pages, whose own colours come first."""

        def shade(tone: Tone) -> str:
            return tone.light if mode == "light" else tone.dark

        here = f"{page}#{prefix}"
        back, ink = shade(PAGE), shade(INK)
        if page:
            back, ink = f"var(--jp-layout-color0,{back})", f"var(--jp-content-font-color0,{ink})"
        rules = [f"{here}{{--wf-page:{back};--wf-ink:{ink};--wf-frame:{shade(FRAME)}}}"]
        alike: dict[tuple[str, str], list[str]] = {}
        for role in roles:
            seen = shade(LOOKS[role].line), shade(LOOKS[role].fill)
            alike.setdefault(seen, []).append(f"{here} .{role.replace('_', '-')}")
        rules += [f"{','.join(parts)}{{--wf-line:{line};--wf-in:{inside}}}" for (line, inside), parts in alike.items()]
        # Set on lines themselves, in place of what they have of their role.
        rules += [f"{here} .{shade_name(number)}{{--wf-line:{shade(SHADE_TONES[number])}}}" for number in shades]
        return "".join(rules)

    here = f"#{prefix}"
    rules = [
        colours("light"),
        f"@media (prefers-color-scheme:dark){{{colours('dark')}}}",
        # A Jupyter page declares its theme, whatever the browser prefers.
        colours("light", '[data-jp-theme-light="true"] '),
        colours("dark", '[data-jp-theme-light="false"] '),
        f"{here} text,{here} .token{{fill:var(--wf-ink)}}",
        f"{here} .page,{here} .glyph{{fill:var(--wf-page)}}",
        f"{here} .frame{{stroke:var(--wf-frame)}}",
        f"{here} .line{{stroke:var(--wf-line)}}",
        f"{here} .body{{fill:var(--wf-in)}}",
        f"{here} .solid{{fill:var(--wf-line)}}",
        # Here only: a reader that knows no order of painting would strike its texts through with it.
        f"{here} .halo{{stroke:var(--wf-page);stroke-width:4;stroke-linejoin:round;paint-order:stroke}}",
    ]
    return "\n".join(rules)


def _node(node: Node, placed: PlacedNode, lit: Role | None, tokens: int | None) -> str:
    role = lit or node.role
    look = LOOKS[role]
    tip = [node.label or node.id, *node.lines, role.replace("_", " ")]
    if tokens is not None:
        tip.append(f"{tokens:,} token{'s' if tokens != 1 else ''}")
    parts = [_tip(tip), *_outline(node, placed.outline, look)]
    if node.shape == "circle" and tokens:
        parts.append(_tokens(placed.outline, tokens))
    if placed.text.block.lines:
        parts.append(_text(placed.text, halo=node.shape == "circle"))
    # A tag has no room for one, and says what it stands for.
    if look.badge and node.shape not in ("dot", "tag"):
        box = placed.outline
        inset = box.width * 0.146 if node.shape == "circle" else 3.0
        parts.append(_badge(look, (box.x + box.width - inset, box.y + inset)))
    return _wrapped("node", role, node.id, parts)


def _outline(node: Node, box: Box, look: Look) -> list[str]:
    shade = SHADE_TONES.get(node.shade)
    line, width = (look.line.light, look.width) if shade is None else (shade.light, SHADED)
    body = "body line" if shade is None else f"body line {shade_name(node.shade)}"
    paint = f'fill="{look.fill.light}" stroke="{line}"{_thickness(width)}{_dashes(look.dash)}'
    if node.shape == "dot":
        paint = f'fill="{look.line.light}" stroke="{look.line.light}" stroke-width="1"'
        return [_disc(box.centre, box.width / 2 - 1, f'class="solid line" {paint}')]
    if node.shape == "circle":
        return [_disc(box.centre, box.width / 2, f'class="{body}" {paint}')]
    radius = {"box": 0.0, "tag": box.height / 2}.get(node.shape, 10.0)
    shapes = [_rectangle(box, radius, f'class="{body}" {paint}')]
    if node.shape == "double":
        inner = Box(box.x + 4, box.y + 4, box.width - 8, box.height - 8)
        shapes.append(
            _rectangle(inner, radius - 3, f'class="line" fill="none" stroke="{look.line.light}" stroke-width="1"')
        )
    return shapes


def _tokens(box: Box, count: int) -> str:
    x, y = box.centre
    if count in _TOKEN_PLACES:
        paint = f'class="token" fill="{INK.light}"'
        return "".join(_disc((x + dx, y + dy), 4, paint) for dx, dy in _TOKEN_PLACES[count])
    place = f'x="{_number(x)}" y="{_number(y + 0.36 * LINE_SIZE)}" font-size="{_number(LINE_SIZE)}"'
    return f"<text {place}>{short_number(count)}</text>"


def _edge(
    edge: Edge, placed: PlacedEdge, lit: Role | None, width: float | None, weight: float | None, taken: list[Box]
) -> tuple[str, str]:
    """The line with its head, and what lies above all lines: label and badge."""
    role = lit or edge.role
    look = LOOKS[role]
    # What kind of edge it is shows in its dashes, and stays visible when it is lit.
    dash = STYLE_DASHES[edge.style] or LOOKS[edge.role].dash or look.dash
    thick = look.width if width is None else width
    shade = SHADE_TONES.get(edge.shade)
    colour, named = (look.line, "") if shade is None else (shade, f" {shade_name(edge.shade)}")
    shaft, head = _head(edge, placed.curve, thick, colour.light, named)
    tip = [f"{edge.source} → {edge.target}", edge.label, *edge.lines, role.replace("_", " ")]
    if weight is not None:
        tip.append(f"weight {weight:,.12g}")
    line = (
        f'<path class="line{named}" d="{_path(shaft)}" fill="none" stroke="{colour.light}"'
        f"{_thickness(thick)}{_dashes(dash)}/>"
    )
    # A wide invisible line makes the tooltip easy to hit.
    reach = f'<path d="{_path(placed.curve)}" fill="none" stroke-width="12" pointer-events="stroke"/>'
    above = [_tip(tip)]
    if placed.text:
        above.append(_text(placed.text, halo=True))
    if lit and look.badge:
        spot = _badge_spot(placed.curve, taken)
        taken.append(centred(spot, 2 * _BADGE, 2 * _BADGE))
        above.append(_badge(look, spot))
    mark = _wrapped("edge-label", role, edge.id, above) if len(above) > 1 else ""
    return _wrapped("edge", role, edge.id, [_tip(tip), reach, line, head]), mark


def _head(edge: Edge, curve: Curve, thick: float, colour: str, named: str) -> tuple[Curve, str]:
    """The curve shortened to make room for its head, and the head; `named` is the class of its shade."""
    if edge.head == "none":
        return curve, ""
    length, half = 8.0 + 1.6 * thick, 3.2 + 0.9 * thick
    tip = curve[-1]
    if edge.head == "circle":
        shaft, (ux, uy) = end_cut(curve, 2 * half)
        centre = (tip[0] - ux * half, tip[1] - uy * half)
        paint = f'class="line glyph{named}" fill="{PAGE.light}" stroke="{colour}"'
        return shaft, _disc(centre, half - 0.5, paint)
    shaft, (ux, uy) = end_cut(curve, 2 * length if edge.head == "double" else length)
    if edge.head == "open":
        return curve, (
            f'<path class="line{named}" d="{_wedge(tip, (ux, uy), length, half)}" fill="none" stroke="{colour}"'
            f"{_thickness(max(1.5, thick / 2))}/>"
        )
    wedges = _wedge(tip, (ux, uy), length, half) + "Z"
    if edge.head == "double":
        wedges += _wedge((tip[0] - ux * length, tip[1] - uy * length), (ux, uy), length, half) + "Z"
    return shaft, f'<path class="solid{named}" d="{wedges}" fill="{colour}"/>'


def _wedge(tip: Point, along: Point, length: float, half: float) -> str:
    (x, y), (ux, uy) = tip, along
    bx, by = x - ux * length, y - uy * length
    corners = ((bx - uy * half, by + ux * half), (x, y), (bx + uy * half, by - ux * half))
    return "M" + "L".join(_pair(corner) for corner in corners)


def _group(group: Group, placed: PlacedGroup, lit: Role | None) -> str:
    tip = [group.label or group.id]
    if lit:
        look = LOOKS[lit]
        tip.append(lit.replace("_", " "))
        paint = f'class="line" fill="none" stroke="{look.line.light}"{_thickness(look.width)}'
    else:
        paint = f'class="frame" fill="none" stroke="{FRAME.light}" stroke-width="1.25"'
    parts = [_tip(tip), _rectangle(placed.box, 12, paint + _dashes(LOOKS[lit].dash if lit else "3 3"))]
    if placed.text:
        parts.append(_text(placed.text, halo=True, start=True, bold=True))
    if lit and LOOKS[lit].badge:
        parts.append(_badge(LOOKS[lit], (placed.box.x + placed.box.width - 3, placed.box.y + 3)))
    return _wrapped("group", lit or group.role, group.id, parts)


def _badge_spot(curve: Curve, taken: list[Box]) -> Point:
    """Where the badge of an edge stands: on its line, near the middle, where it covers nothing; else the middle."""

    def free(point: Point) -> bool:
        x, y = point
        return not any(
            box.x - _BADGE < x < box.x + box.width + _BADGE and box.y - _BADGE < y < box.y + box.height + _BADGE
            for box in taken
        )

    return next((point for point in along(curve, 48) if free(point)), middle(curve))


def _badge(look: Look, at: Point) -> str:
    if look.badge is None:
        return ""
    disc = _disc((0, 0), _BADGE, f'class="solid" fill="{look.line.light}"')
    return (
        f'<g transform="translate({_number(at[0])} {_number(at[1])})">{disc}'
        f'<path class="glyph" d="{BADGES[look.badge]}" fill="{PAGE.light}"/></g>'
    )


def _text(placed: PlacedText, *, halo: bool = False, start: bool = False, bold: bool = False) -> str:
    """Lines of text; the halo keeps them readable where a line passes below."""
    x = placed.box.x if start else placed.box.centre[0]
    y = placed.box.y
    spans: list[str] = []
    for line in placed.block.lines:
        size = f' font-size="{_number(line.size)}"' if line.size != _SIZE else ""
        spans.append(f'<tspan x="{_number(x)}" y="{_number(y + 0.98 * line.size)}"{size}>{_escape(line.text)}</tspan>')
        y += line.size * LINE_HEIGHT
    around = ' class="halo"' if halo else ""
    anchor = ' text-anchor="start"' if start else ""
    weight = ' font-weight="600"' if bold else ""
    return f"<text{around}{anchor}{weight}>{''.join(spans)}</text>"


def _wrapped(kind: str, role: Role, name: str, parts: list[str]) -> str:
    return f'<g class="{kind} {role.replace("_", "-")}" data-id="{_escape(name)}">{"".join(parts)}</g>'


def _tip(lines: list[str]) -> str:
    return f"<title>{'&#10;'.join(_escape(line) for line in lines if line)}</title>"


def _disc(centre: Point, radius: float, attributes: str) -> str:
    return f'<circle cx="{_number(centre[0])}" cy="{_number(centre[1])}" r="{_number(radius)}" {attributes}/>'


def _rectangle(box: Box, radius: float, attributes: str) -> str:
    return (
        f'<rect x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" '
        f'height="{_number(box.height)}" rx="{_number(radius)}" {attributes}/>'
    )


def _thickness(width: float) -> str:
    return f' stroke-width="{_number(width)}"' if width != _WIDTH else ""


def _dashes(pattern: str) -> str:
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def _path(curve: Curve) -> str:
    return f"M{_pair(curve[0])}C{' '.join(_pair(point) for point in curve[1:])}"


def _pair(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _escape(text: str) -> str:
    return escape(clean(text), quote=True)
