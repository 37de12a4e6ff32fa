"""What a picture shows: nodes, edges and nested groups, each with a role that decides its looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Shape = Literal["rounded", "circle", "box", "dot", "double", "tag"]
"""`rounded`: state, `circle`: place, `box`: net transition, `dot`: initial marker, `double`: terminal, `tag`: small, a
name that stands for another node."""

Role = Literal[
    "state",
    "initial",
    "terminal_success",
    "terminal_failure",
    "active",
    "visited",
    "problem",
    "place",
    "transition",
    "timer",
    "error",
    "automatic",
    "event",
]
"""What a node, edge or group means; `wfsim.drawing.roles` gives each its looks."""

LineStyle = Literal["solid", "dashed", "dotted"]
Head = Literal["arrow", "open", "double", "circle", "none"]
"""`arrow`: ordinary, `double`: reset arc, `circle`: inhibitor arc, `none`: read arc, `open`: other."""

Direction = Literal["TB", "LR", "BT", "RL"]

SHADES = 5
"""So many shades there are of more, and as many of less."""


@dataclass(frozen=True)
class Node:
    """A node of a picture.

    Parameters
    ----------
    id
        Unique among nodes, edges and groups of the picture.
    label
        Main text; wrapped, and shortened when very long. A `dot` shows it as a tooltip, a `circle` beside it.
    shape, role
        See `Shape` and `Role`.
    lines
        Secondary text below the label, smaller, one entry per line.
    tokens
        Tokens to draw, zero or more; None for a node that holds none.
    group
        Identifier of the innermost group around the node.
    shade
        How much of something there is, from 0 to `SHADES`, or how much less, down to minus that: colour and width of
        the border.
    """

    id: str
    label: str
    shape: Shape = "rounded"
    role: Role = "state"
    lines: tuple[str, ...] = ()
    tokens: int | None = None
    group: str | None = None
    shade: int = 0


@dataclass(frozen=True)
class Edge:
    """A directed edge between nodes or groups.

    Parameters
    ----------
    id
        Unique among nodes, edges and groups of the picture.
    source, target
        Identifiers of nodes or groups. An edge of a group starts or ends at its border; it may lead from a
        group to the same group, but not to something inside or around it.
    label, lines
        Main text and smaller lines below it, for guards and actions.
    style
        `solid` leaves the dash pattern to the role.
    head
        See `Head`.
    weight
        Non-negative measure (a frequency) shown as the width of the line; None for the ordinary width.
    role
        See `Role`.
    shade
        As of a node: the colour of the line.
    """

    id: str
    source: str
    target: str
    label: str = ""
    lines: tuple[str, ...] = ()
    style: LineStyle = "solid"
    head: Head = "arrow"
    weight: float | None = None
    role: Role = "event"
    shade: int = 0


@dataclass(frozen=True)
class Group:
    """A frame around nodes (a composite state, a region); `parent` is the frame around this one."""

    id: str
    label: str
    parent: str | None = None
    role: Role = "state"


Item = Node | Edge | Group


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' Did you mean …?' for the nearest known name, or nothing."""
    near = get_close_matches(name[:200], list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def require_choice(kind: str, of: str, value: object, literal: object) -> None:
    """Raise unless `value` is one of the strings of a Literal type."""
    choices = get_args(literal)
    if value not in choices:
        raise DrawingError(
            f"{of}: {kind} {value!r} is not one of {', '.join(choices)}.{did_you_mean(str(value), choices)}"
        )


def require_weight(of: str, weight: float) -> None:
    """Raise unless a weight can be drawn as a width."""
    if not math.isfinite(weight) or weight < 0:
        raise DrawingError(f"{of}: weight {weight!r} cannot be drawn; give a finite number, zero or more.")


def require_tokens(of: str, tokens: int) -> None:
    """Raise unless `tokens` counts something."""
    if tokens < 0:
        raise DrawingError(f"{of}: {tokens} tokens cannot be drawn; give zero or more.")


def require_shade(of: str, shade: int) -> None:
    """Raise unless there is such a shade."""
    if not -SHADES <= shade <= SHADES:
        raise DrawingError(f"{of}: there is no shade {shade}; shades go from -{SHADES} to {SHADES}.")


def ancestors(group: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """The groups around something whose innermost group is `group`, innermost first."""
    chain: list[str] = []
    while group is not None:
        if group in chain:
            raise DrawingError(
                f"groups {' in '.join(repr(g) for g in [*chain, group])}: a group cannot lie in itself; "
                "give one of them another parent."
            )
        chain.append(group)
        group = parents[group]
    return chain


def check(title: str, nodes: tuple[Node, ...], edges: tuple[Edge, ...], groups: tuple[Group, ...]) -> None:
    """Raise `DrawingError` unless every identifier is unique and known and every choice is allowed."""
    where = f"picture {title!r}"
    seen: set[str] = set()
    items: list[Item] = [*nodes, *edges, *groups]
    for item in items:
        if item.id in seen:
            raise DrawingError(
                f"{where}: the identifier {item.id!r} is used twice; nodes, edges and groups share "
                "one set of identifiers, so prefix one of them."
            )
        seen.add(item.id)
        require_choice("role", f"{where}, {item.id!r}", item.role, Role)
    parents = {group.id: group.parent for group in groups}
    frames = [(node.id, node.group, "group") for node in nodes]
    frames += [(group.id, group.parent, "parent") for group in groups]
    for child, parent, kind in frames:
        if parent is not None and parent not in parents:
            raise DrawingError(
                f"{where}: {child!r} has the {kind} {parent!r}, which is not a group of the picture."
                f"{did_you_mean(parent, parents)}"
            )
    around = {node.id: ancestors(node.group, parents) for node in nodes}
    around.update({group.id: ancestors(group.parent, parents) for group in groups})
    for node in nodes:
        require_choice("shape", f"{where}, node {node.id!r}", node.shape, Shape)
        require_shade(f"{where}, node {node.id!r}", node.shade)
        if node.tokens is not None:
            require_tokens(f"{where}, node {node.id!r}", node.tokens)
    for edge in edges:
        of = f"{where}, edge {edge.id!r}"
        require_choice("style", of, edge.style, LineStyle)
        require_choice("head", of, edge.head, Head)
        require_shade(of, edge.shade)
        if edge.weight is not None:
            require_weight(of, edge.weight)
        for end, name in (("source", edge.source), ("target", edge.target)):
            if name not in around:
                raise DrawingError(
                    f"{of}: the {end} {name!r} is neither a node nor a group.{did_you_mean(name, around)}"
                )
        if edge.source in around[edge.target] or edge.target in around[edge.source]:
            raise DrawingError(
                f"{of} leads between {edge.source!r} and {edge.target!r}, one of which lies inside the other;"
                " an edge of a group ends outside it or at the group itself."
            )


@dataclass(frozen=True)
class Graph:
    """What is drawn, without the drawing; `Picture` adds that, and says what the fields mean."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    direction: Direction = "TB"

    def __init__(
        self,
        title: str,
        nodes: Iterable[Node],
        edges: Iterable[Edge] = (),
        groups: Iterable[Group] = (),
        direction: Direction = "TB",
    ) -> None:
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "nodes", tuple(nodes))
        object.__setattr__(self, "edges", tuple(edges))
        object.__setattr__(self, "groups", tuple(groups))
        object.__setattr__(self, "direction", direction)
        require_choice("direction", f"picture {title!r}", direction, Direction)
        check(self.title, self.nodes, self.edges, self.groups)

    def items(self) -> list[Item]:
        """Nodes, then edges, then groups."""
        return [*self.nodes, *self.edges, *self.groups]

    def summary(self) -> str:
        """How many nodes, edges and groups there are."""
        counts = [(len(self.nodes), "node"), (len(self.edges), "edge")]
        if self.groups:
            counts.append((len(self.groups), "group"))
        return ", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts)
