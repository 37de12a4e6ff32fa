"""The sizes of what stands in a picture: text blocks, node outlines, heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.drawing.text import LINE_HEIGHT, text_width, wrap

if TYPE_CHECKING:
    from wfsim.drawing.graph import Direction, Edge, Group, Node

TITLE_SIZE = 16.0
LABEL_SIZE = 14.0
EDGE_SIZE = 13.0
LINE_SIZE = 12.0

CIRCLE = 40
"""Diameter of a place: room for five tokens, or for a number of four characters."""
DOT = 16

_NODE_TEXT = 190.0
_EDGE_TEXT = 210.0
_GROUP_TEXT = 320.0
_LABEL_LINES = 3
_MAX_LINES = 8
_PAD_X, _PAD_Y = 14.0, 9.0
_DOUBLE_GAP = 4.0
_MIN_WIDTH, _MIN_HEIGHT = 64.0, 38.0
_BESIDE = 6.0


@dataclass(frozen=True)
class TextLine:
    """One line of text at a font size, in pixels."""

    text: str
    size: float

    @property
    def width(self) -> float:
        """Width in pixels by the metric of `wfsim.drawing.text`."""
        return text_width(self.text, self.size)


@dataclass(frozen=True)
class Block:
    """Lines of text set below each other."""

    lines: tuple[TextLine, ...] = ()

    @property
    def width(self) -> float:
        """Width of the widest line."""
        return max((line.width for line in self.lines), default=0.0)

    @property
    def height(self) -> float:
        """Height of all lines."""
        return sum(line.size * LINE_HEIGHT for line in self.lines)


@dataclass(frozen=True)
class NodeContent:
    """Size of a node, and of its outline and text within, in pixels.

    `width` × `height` is the space the layout keeps free. The outline lies centred in it, or, with a label
    beside it, at its left side (downward pictures) or top (sideways pictures).
    """

    width: int
    height: int
    outline: tuple[int, int]
    text: Block
    beside: bool = False


def block(label: str, lines: tuple[str, ...], size: float, limit: float, rows: int = _LABEL_LINES) -> Block:
    """A label and the smaller lines below it, wrapped to `limit` pixels."""
    shown = [TextLine(text, size) for text in wrap(label, size, limit, rows)]
    for number, line in enumerate(lines):
        if number == _MAX_LINES:
            shown.append(TextLine(f"… {len(lines) - number} more", LINE_SIZE))
            break
        shown.extend(TextLine(text, LINE_SIZE) for text in wrap(line, LINE_SIZE, limit, 2))
    return Block(tuple(shown))


def node_content(node: Node, direction: Direction) -> NodeContent:
    """Measure a node."""
    if node.shape == "dot":
        return NodeContent(DOT, DOT, (DOT, DOT), Block())
    lines = node.lines
    if node.tokens is not None and node.shape != "circle":
        lines = (f"● {short_number(node.tokens)}", *lines)
    text = block(node.label, lines, LABEL_SIZE, _NODE_TEXT)
    if node.shape == "circle":
        outline = (CIRCLE, CIRCLE)
        if not text.lines:
            return NodeContent(CIRCLE, CIRCLE, outline, text)
        if direction in ("TB", "BT"):
            width = CIRCLE + _ceil(text.width + 2 * _BESIDE)
            return NodeContent(width, max(CIRCLE, _ceil(text.height)), outline, text, beside=True)
        height = CIRCLE + _ceil(text.height + _BESIDE)
        return NodeContent(max(CIRCLE, _ceil(text.width)), height, outline, text, beside=True)
    rim = _DOUBLE_GAP if node.shape == "double" else 0.0
    width = _ceil(max(_MIN_WIDTH, text.width + 2 * (_PAD_X + rim)))
    height = _ceil(max(_MIN_HEIGHT, text.height + 2 * (_PAD_Y + rim)))
    return NodeContent(width, height, (width, height), text)


def edge_text(edge: Edge) -> Block:
    """Text of an edge."""
    return block(edge.label, edge.lines, EDGE_SIZE, _EDGE_TEXT)


def group_text(group: Group) -> Block:
    """Text of a group."""
    return block(group.label, (), EDGE_SIZE, _GROUP_TEXT, rows=2)


def heading(title: str, width: float) -> Block:
    """The title above a picture `width` pixels wide."""
    return block(title, (), TITLE_SIZE, max(width, 320.0), rows=2)


def short_number(count: int) -> str:
    """A count in at most four characters, rounded down: 9999, 12k, 3M."""
    if count < 10_000:
        return str(count)
    for unit in "kMGTPE":
        count //= 1000
        if count < 1000:
            return f"{count}{unit}"
    return ">Z"


def _ceil(value: float) -> int:
    # Even numbers: halves stay whole, so that Graphviz, which rounds to points, does not move anything.
    return 2 * -int(-value // 2)
