"""The sizes of what stands in a picture: text blocks, node outlines, heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wfsim.drawing.boxes import Box, centred
from wfsim.drawing.text import LINE_HEIGHT, text_width, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.drawing.graph import Direction, Edge, Group, Node

TITLE_SIZE = 16.0
LABEL_SIZE = 14.0
EDGE_SIZE = 13.0
LINE_SIZE = 12.0

CIRCLE = 40
"""Diameter of a place: room for five tokens, or for a number of four characters."""
DOT = 16

_NODE_TEXT = 190.0
_EDGE_TEXT = 180.0
_GROUP_TEXT = 320.0
_LABEL_LINES = 3
_MAX_LINES = 24
_PAD_X, _PAD_Y = 14.0, 9.0
_TAG_PAD_X, _TAG_PAD_Y = 8.0, 3.0
_DOUBLE_GAP = 4.0
LOOP_REACH = 34.0
_LOOP_SLOT = 24.0
_MIN_WIDTH, _MIN_HEIGHT = 64.0, 38.0
BESIDE = 6.0
"""Distance of a text from the line or circle that it stands beside."""


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


Side = Literal["right", "left", "below"]


@dataclass(frozen=True)
class NodeContent:
    """Size of a node, and of its outline and text within, in pixels.

    `width` × `height` is the space the layout keeps free. `side` says where the text stands beside the
    outline; None when it stands inside.
    """

    width: int
    height: int
    outline: tuple[int, int]
    text: Block
    side: Side | None = None

    def outline_box(self, box: Box) -> Box:
        """The outline, when the node fills `box`."""
        width, height = self.outline
        if self.side == "right":
            return Box(box.x, box.centre[1] - height / 2, width, height)
        if self.side == "left":
            return Box(box.x + box.width - width, box.centre[1] - height / 2, width, height)
        if self.side == "below":
            return Box(box.centre[0] - width / 2, box.y, width, height)
        return centred(box.centre, width, height)

    def text_box(self, box: Box) -> Box:
        """The text, when the node fills `box`."""
        width, height = self.text.width, self.text.height
        if self.side == "right":
            return Box(box.x + self.outline[0] + BESIDE, box.centre[1] - height / 2, width, height)
        if self.side == "left":
            x = box.x + box.width - self.outline[0] - BESIDE - width
            return Box(x, box.centre[1] - height / 2, width, height)
        if self.side == "below":
            return Box(box.centre[0] - width / 2, box.y + box.height - height, width, height)
        return centred(box.centre, width, height)


def block(label: str, lines: tuple[str, ...], size: float, limit: float, rows: int = _LABEL_LINES) -> Block:
    """A label and the smaller lines below it, wrapped to `limit` pixels."""
    shown = [TextLine(text, size) for text in wrap(label, size, limit, rows)]
    for number, line in enumerate(lines):
        if number == _MAX_LINES:
            shown.append(TextLine(f"… {len(lines) - number} more", LINE_SIZE))
            break
        shown.extend(TextLine(text, LINE_SIZE) for text in wrap(line, LINE_SIZE, limit, 3))
    return Block(tuple(shown))


def node_content(node: Node, direction: Direction, loops: tuple[Block, ...] = ()) -> NodeContent:
    """Measure a node, given the texts of its loops.

    A node is as high (in sideways pictures: as wide) as the loops beside it, so that they do not reach into
    the way of its other edges; a text beside it makes way for them.
    """
    sideways = direction in ("LR", "RL")
    width = height = 0.0
    if loops:
        space = loop_space(loops, sideways=sideways)
        width, height = (space[0], 0.0) if sideways else (0.0, space[1])
    if node.shape == "dot":
        return NodeContent(max(DOT, _ceil(width)), max(DOT, _ceil(height)), (DOT, DOT), Block())
    lines = node.lines
    if node.tokens is not None and node.shape != "circle":
        lines = (f"● {short_number(node.tokens)}", *lines)
    text = block(node.label, lines, LABEL_SIZE, _NODE_TEXT)
    if node.shape == "circle":
        width, height = max(CIRCLE, width), max(CIRCLE, height)
        side: Side | None = None
        if text.lines and sideways:
            side = "below"
            width, height = max(width, text.width), CIRCLE + text.height + BESIDE
        elif text.lines:
            side = "left" if loops else "right"
            height = max(height, text.height)
            width = CIRCLE + text.width + 2 * BESIDE
        return NodeContent(_ceil(width), _ceil(height), (CIRCLE, CIRCLE), text, side)
    if node.shape == "tag":
        text = block(node.label, (), LINE_SIZE, _NODE_TEXT)
        size = (_ceil(max(width, text.width + 2 * _TAG_PAD_X)), _ceil(max(height, text.height + 2 * _TAG_PAD_Y)))
        return NodeContent(*size, size, text)
    rim = _DOUBLE_GAP if node.shape == "double" else 0.0
    outline = (
        _ceil(max(_MIN_WIDTH, width, text.width + 2 * (_PAD_X + rim))),
        _ceil(max(_MIN_HEIGHT, height, text.height + 2 * (_PAD_Y + rim))),
    )
    return NodeContent(*outline, outline, text)


def loop_space(texts: Sequence[Block], *, sideways: bool) -> tuple[float, float]:
    """Width and height of the space that loops with these texts need.

    Beside the node one stands below the other; in a sideways picture they stand above the node in a row.
    """
    slots = [loop_slot(text, sideways=sideways) for text in texts]
    if sideways:
        return sum(slots), LOOP_REACH + max(text.height for text in texts)
    return LOOP_REACH + max(text.width for text in texts), sum(slots)


def loop_slot(text: Block, *, sideways: bool) -> float:
    """Height (in sideways pictures: width) of one loop with its text."""
    return max(text.width + 2 * BESIDE if sideways else text.height + BESIDE, _LOOP_SLOT)


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
