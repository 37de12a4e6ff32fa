"""The picture itself: a graph with a title, drawn on request."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wfsim.drawing import graph, svg
from wfsim.drawing.data import to_data
from wfsim.drawing.graph import Graph, Role
from wfsim.drawing.layout import compute
from wfsim.drawing.pinning import pinned
from wfsim.drawing.still import still
from wfsim.drawing.text import clean
from wfsim.drawing.words import describe
from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing.boxes import Point
    from wfsim.drawing.placed import Layout


@dataclass(frozen=True, init=False, repr=False)
class Picture(Graph):
    """A drawing of a graph: state graph, Petri net, map of flows.

    Parameters
    ----------
    title
        Heading, and name for screen readers.
    nodes, edges, groups
        What is drawn. Order matters: the layout reads from the first node on, and the same order gives the
        same picture.
    direction
        Main direction of edges: `TB` downwards, `LR` to the right, `BT` upwards, `RL` to the left.

    Attributes
    ----------
    pins
        Where a person has put nodes; see `pinned`.

    Raises
    ------
    DrawingError
        If an identifier is used twice or unknown, or a shape, role, style or head does not exist.

    Notes
    -----
    Pictures are values; the layout is computed at the first request and kept.

    Examples
    --------
    >>> from wfsim.drawing import Edge, Node
    >>> states = [Node("open", "open"), Node("shut", "shut")]
    >>> picture = Picture("door", states, [Edge("close", "open", "shut", "close")])
    >>> picture
    Picture('door': 2 nodes, 1 edge)
    >>> picture.to_svg().startswith("<svg")
    True
    """

    pins: tuple[tuple[str, Point], ...] = ()
    _free: Picture | None = field(default=None, compare=False)

    def pinned(self, pins: Mapping[str, Point]) -> Picture:
        """The same picture with nodes where a person has put them.

        Parameters
        ----------
        pins
            Upper left corners in pixels of nodes, and of groups with all that is in them, by identifier, instead of
            those that it has now; of what is not there (any more) they mean nothing.

        Notes
        -----
        Frames grow round their nodes, edges of what was moved become straight. However often nodes are moved, the
        layout is computed once.
        """
        found = copy.copy(self)
        found.__dict__.pop("_layout", None)
        object.__setattr__(found, "_free", self._free or self)
        object.__setattr__(found, "pins", tuple(pins.items()))
        return found

    def layout(self) -> Layout:
        """Positions of everything, in pixels; computed once.

        Raises
        ------
        DrawingError
            If the picture is too large to be read; the text says what to do.
        """
        return self._layout

    @cached_property
    def _layout(self) -> Layout:
        return compute(self) if self._free is None else pinned(self._free.layout(), dict(self.pins))

    def to_svg(
        self,
        highlight: Mapping[str, Role] | None = None,
        *,
        weights: Mapping[str, float] | None = None,
        tokens: Mapping[str, int] | None = None,
    ) -> str:
        """The picture as a standalone SVG document, for light and dark pages.

        None of the arguments moves anything.

        Parameters
        ----------
        highlight
            Roles that replace those of nodes, edges and groups, by identifier: the active state, a path.
            An edge keeps its dash pattern, so that a lit timer is still a timer.
        weights
            Measures (frequencies) by edge identifier; the heaviest line is 8 pixels wide, a line of weight
            0 or without weight 1 pixel. Default: the edges' own weights, if any.
        tokens
            Tokens by node identifier, for nodes of shape `circle`, in place of the nodes' own.

        Returns
        -------
        str
            The same text for the same arguments. Its identifiers begin with a hash of the content, so that
            several pictures can stand on one page.

        Raises
        ------
        DrawingError
            If an identifier or role is unknown, a weight is negative or not finite, or the picture is too
            large.
        """
        where = f"picture {self.title!r}"
        edges = {edge.id for edge in self.edges}
        circles = {node.id for node in self.nodes if node.shape == "circle"}
        everything = [item.id for item in self.items()]
        for name, role in (highlight or {}).items():
            _require_known(f"{where}: highlight", name, everything, "a node, an edge or a group")
            graph.require_choice("role", f"{where}, highlight of {name!r}", role, Role)
        if weights is None:
            weights = {edge.id: edge.weight for edge in self.edges if edge.weight is not None}
        for name, weight in weights.items():
            _require_known(f"{where}: weights", name, sorted(edges), "an edge")
            graph.require_weight(f"{where}, edge {name!r}", weight)
        for name, count in (tokens or {}).items():
            _require_known(f"{where}: tokens", name, sorted(circles), "a node of shape 'circle'")
            graph.require_tokens(f"{where}, node {name!r}", count)
        return svg.render(self, self.layout(), highlight or {}, weights, tokens or {})

    def to_html(self) -> str:
        """The picture as an image with a description, in HTML; notebooks show it before they are trusted."""
        return still(self.to_svg(), f"{self.title}. {self.describe()}.")

    def to_dict(self) -> dict[str, Any]:
        """Nodes, edges and groups with their positions, as plain values for JSON.

        Returns
        -------
        dict
            `version`, `title`, `direction`, `x`, `y`, `width`, `height` of the page, and lists `nodes`, `edges`,
            `groups`: the fields of `Node`, `Edge`, `Group`, and
            `box` (nodes and groups);
            `outline` (nodes): the box of the shape that edges end at;
            `text`: `{x, y, width, height, lines: [{text, size}]}` or None;
            `points` (edges): cubic Bézier curve `[[x, y], …]` of 3k + 1 points, from border to border;
            `tag` (edges): None, or the tag at which an edge that is cut ends.
            `tags` are small boxes that stand for the node `of`, at a cut through `edges`, in place of the way `to` or
            `from` there: `id`, `of`, `way`, `edges`, `role`, `box`, `outline`, `text`. `arrivals` lead from a tag to
            the node: `id`, `edges`, `tag`, `target`, `role`, `style`, `head`, `points`, `text`.
            Boxes are `{x, y, width, height}` with the upper left corner, in pixels, y downwards. Positions
            are those of `to_svg`.

        Raises
        ------
        DrawingError
            If the picture is too large.
        """
        return to_data(self, self.layout())

    def describe(self, highlight: Mapping[str, Role] | None = None) -> str:
        """What the picture shows, in sentences: what there is of each kind, by name, and what is lit."""
        return describe(self, highlight or {})

    def to_text(self) -> str:
        """Nodes, edges and groups as lines for a terminal; works for pictures of any size."""
        parts = [clean(f"{self.title}: {self.summary()}")]
        names = {item.id: item.label or item.id for item in self.items()}
        for group in self.groups:
            inside = f" in {names[group.parent]}" if group.parent else ""
            parts.append(clean(f"group {names[group.id]}{inside}"))
        for node in self.nodes:
            inside = f" in {names[node.group]}" if node.group else ""
            held = "" if node.tokens is None else f", {node.tokens} token{'s' if node.tokens != 1 else ''}"
            notes = "".join(f"; {line}" for line in node.lines)
            parts.append("  " + clean(f"{names[node.id]} ({node.role.replace('_', ' ')}{held}){inside}{notes}"))
        for edge in self.edges:
            said = " ".join([edge.label, *edge.lines]).strip()
            arrow = f"--{said}-->" if said else "-->"
            weight = "" if edge.weight is None else f" (weight {edge.weight:,.12g})"
            parts.append("  " + clean(f"{names[edge.source]} {arrow} {names[edge.target]}{weight}"))
        return "\n".join(parts) + "\n"

    def __repr__(self) -> str:
        return f"Picture({clean(self.title)!r}: {self.summary()})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows, trusted or not: an image, and in words what it shows; without an image, the reason."""
        try:
            return {"text/plain": repr(self), "text/html": self.to_html()}
        except DrawingError as error:
            return {"text/plain": f"{self!r}\n{error}"}


def _require_known(where: str, name: str, known: list[str], kind: str) -> None:
    if name not in known:
        raise DrawingError(f"{where}: {name!r} is not {kind} of the picture.{graph.did_you_mean(name, known)}")
