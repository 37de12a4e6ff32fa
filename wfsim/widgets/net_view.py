"""The net of a workflow beside its drawing: where its tokens lie, and what in it a state or an arrow stands for."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from wfsim.model.picture import edge_ids
from wfsim.net.petri import MAX_DRAWN
from wfsim.net.picture import overview, picture
from wfsim.net.translate import control_places, to_net

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.semantics.instance import Instance


class NetView:
    """The drawn net of one workflow; of a large one its overview.

    Raises
    ------
    WfsimError
        If there is no net of it, or none that can be drawn.
    """

    def __init__(self, workflow: Workflow, catalogue: Catalogue | None) -> None:
        net = to_net(workflow, catalogue=catalogue)
        if len(net.places) + len(net.transitions) > MAX_DRAWN:
            short = overview(net)
            drawn, self._circles, boxes = short.picture, short.circles, short.boxes
        else:
            drawn, self._circles = picture(net), {place: place for place in net.places}
            boxes = {name: name for name in net.transitions}
        self._picture = drawn.to_dict()
        edges = edge_ids(workflow)
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for names, shown in ((net.places, self._circles), (net.transitions, boxes)):
            for name in names:
                source = net.source(name)
                if source is not None and name in shown:
                    found[_identifier(source, edges)][shown[name]] = None
        self.twins = {source: list(nodes) for source, nodes in found.items()}

    def scene(self, instance: Instance) -> dict[str, Any]:
        """The picture with the tokens of an instance, where it is lit."""
        marked = control_places(instance) if instance.status != "created" else frozenset({"start"})
        circles = [self._circles[place] for place in sorted(marked) if place in self._circles]
        return {
            "picture": self._picture,
            "tokens": {circle: circles.count(circle) for circle in circles},
            "lit": dict.fromkeys(circles, "active"),
        }


def _identifier(source: str, edges: Mapping[int, str]) -> str:
    """`state <path>` and `transition <number>` of a net, as the drawing of the workflow calls them."""
    kind, _, name = source.partition(" ")
    return edges[int(name)] if kind == "transition" else f"{kind}:{name}"
