"""Petri nets as pictures: circles with tokens, boxes, and a head for each kind of arc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.drawing import Edge, Node, Picture
from wfsim.net.arcs import ArcKind

if TYPE_CHECKING:
    from wfsim.drawing import Direction, Head
    from wfsim.net.arcs import Arc
    from wfsim.net.marked_net import MarkedNet, MarkingLike

HEADS: dict[ArcKind, Head] = {
    ArcKind.NORMAL: "arrow",
    ArcKind.READ: "none",
    ArcKind.INHIBITOR: "circle",
    ArcKind.RESET: "double",
}


def picture(net: MarkedNet, marking: MarkingLike | None = None, *, direction: Direction = "LR") -> Picture:
    """Draw a net.

    Parameters
    ----------
    marking
        Tokens to show instead of those of the initial marking.
    direction
        Main direction of the arcs, as in `Picture`.

    Returns
    -------
    Picture
        Places are circles with their tokens, net transitions boxes, all with their labels. Read arcs are
        dashed without a head, inhibitor arcs end in a circle, reset arcs in a double arrow; weights above 1
        stand at the arc. Identifiers of nodes are names; `arc_ids` gives those of arcs.
    """
    shown = net.initial_marking if marking is None else net.marking(marking)
    nodes = [
        Node(
            place,
            net.label(place),
            shape="circle",
            role="place",
            lines=_ending(net, place),
            tokens=shown[place],
        )
        for place in net.places
    ]
    nodes += [Node(name, net.label(name), shape="box", role="transition") for name in net.transitions]
    edges = [
        Edge(
            identifier,
            arc.source,
            arc.target,
            str(arc.weight) if arc.weight > 1 else "",
            style="dashed" if arc.kind is ArcKind.READ else "solid",
            head=HEADS[arc.kind],
        )
        for arc, identifier in arc_ids(net).items()
    ]
    return Picture(net.name, nodes, edges, direction=direction)


def arc_ids(net: MarkedNet) -> dict[Arc, str]:
    """Identifiers of arcs in the picture: `'p -> t'`, with the kind behind unless normal, all different."""
    taken = set(net)
    identifiers: dict[Arc, str] = {}
    for arc in net.arcs:
        name = f"{arc.source} -> {arc.target}" + ("" if arc.kind is ArcKind.NORMAL else f" ({arc.kind})")
        while name in taken:
            name += "'"
        taken.add(name)
        identifiers[arc] = name
    return identifiers


def _ending(net: MarkedNet, place: str) -> tuple[str, ...]:
    wanted = 0 if net.final_marking is None else net.final_marking[place]
    return (f"final: {wanted}",) if wanted else ()
