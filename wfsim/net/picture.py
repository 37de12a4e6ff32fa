"""Petri nets as pictures: circles with tokens, boxes, and a head for each kind of arc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.drawing import Edge, Node, Picture
from wfsim.net.arcs import ArcKind

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True)
class Overview:
    """A large net in short, and which circle stands for which places, which box for which net transitions."""

    picture: Picture
    circles: Mapping[str, str]
    boxes: Mapping[str, str]


def overview(net: MarkedNet, *, direction: Direction = "LR") -> Overview:
    """Draw a large net in short: places that stand for the same state are one circle, equal labels one box.

    What only moves tokens within a state, such as the attempts of its activity, is left out, and so are the log of
    what can be undone, and the kinds and weights of arcs; a dashed arc leads from a state that a net transition needs
    and leaves as it is. Nets that no workflow was made into have no sources, and nothing to fold but equal labels.
    """
    circle = {place: net.source(place) or place for place in net.places if net.source(place) != "log"}
    tokens: dict[str, int] = dict.fromkeys(circle.values(), 0)
    for place, n in net.initial_marking.items():
        if place in circle:
            tokens[circle[place]] += n
    labels: dict[str, str] = {}
    boxes: dict[str, str] = {}
    found: dict[tuple[str, str], bool] = {}
    for name in net.transitions:
        label = net.label(name)
        takes = {circle[place] for place in net.preset(name, *ArcKind) if place in circle}
        gives = {circle[place] for place in net.postset(name) if place in circle}
        if takes == gives and len(takes) <= 1:
            continue
        boxes[name] = labels.setdefault(label, f"net transition {label}")
        for one in takes:
            found[one, boxes[name]] = found.get((one, boxes[name]), False) or one not in gives
        for one in gives - takes:
            found[boxes[name], one] = True
    met = {end for edge in found for end in edge}
    nodes = [
        Node(name, name.removeprefix("state "), shape="circle", role="place", tokens=n)
        for name, n in tokens.items()
        if name in met
    ]
    nodes += [Node(box, label, shape="box", role="transition") for label, box in labels.items()]
    edges = [
        Edge(f"{source} -> {target}", source, target, style="solid" if moves else "dashed", head="arrow")
        for (source, target), moves in found.items()
    ]
    circles = {place: name for place, name in circle.items() if name in met}
    return Overview(Picture(net.name, nodes, edges, direction=direction), circles, boxes)


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
