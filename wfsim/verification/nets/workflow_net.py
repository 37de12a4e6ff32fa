"""Where a workflow net starts and ends, and whether it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import WfsimError
from wfsim.net.arcs import ArcKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet


class NotAWorkflowNet(WfsimError):
    """The net does not tell where it starts and ends; the text says what is in the way."""


@dataclass(frozen=True)
class Task:
    """What soundness is asked of: a net with its initial marking, the marking to end in, how many tokens."""

    net: PetriNet
    final: Marking
    cases: int
    assumptions: tuple[str, ...]


def source_places(net: PetriNet) -> tuple[str, ...]:
    """Places into which no net transition produces."""
    fed = {arc.target for arc in net.arcs}
    return tuple(place for place in net.places if place not in fed)


def sink_places(net: PetriNet) -> tuple[str, ...]:
    """Places from which no net transition takes tokens, by normal or reset arcs."""
    drained = {arc.source for arc in net.arcs if arc.kind in (ArcKind.NORMAL, ArcKind.RESET)}
    return tuple(place for place in net.places if place not in drained)


def workflow_task(net: PetriNet) -> Task:
    """Read the soundness question off a net.

    With a final marking the net is taken as it stands, from its initial marking to the final one. Without, it
    must be a workflow net [1]_: one source place, one sink place, every node on a path between them (arcs of
    all kinds count), tokens initially in the source only; K tokens there ask for K in the sink, and that this is
    where it ends is among the assumptions. A net without tokens gets one in the source.

    Raises
    ------
    NotAWorkflowNet
        Saying which places or transitions stand in the way and what to do.

    References
    ----------
    .. [1] van der Aalst (1998), Journal of Circuits, Systems and Computers 8(1), 21-66.
    """
    if net.final_marking is not None:
        if not net.initial_marking.total:
            raise NotAWorkflowNet(f"the initial marking of {net.name!r} is empty. Give it the tokens to start with.")
        ends = f"it ends in the marking given with the net: {net.final_marking.to_dict()}"
        return Task(net, net.final_marking, 1, (ends,))
    source = _only(net, source_places(net), "source", "Start from one place.")
    sink = _only(net, sink_places(net), "sink", "Join them in one final place.")
    _check_paths(net, source, sink)
    elsewhere = [place for place in net.initial_marking.support() if place != source]
    if elsewhere:
        raise NotAWorkflowNet(
            f"{net.name!r} is not a workflow net as marked: besides the source {source!r}, tokens lie in "
            f"{listed(elsewhere)} at the start.\n"
            "Give the net a final_marking that says what must lie there at the end."
        )
    cases = net.initial_marking[source] or 1
    final = net.marking({sink: cases})
    assumed = [f"it ends with {final.to_dict()}, as a workflow net does: no final marking is given"]
    if not net.initial_marking[source]:
        assumed.append(f"one token in {source!r}, since the net has none")
    return Task(net.with_marking({source: cases}), final, cases, tuple(assumed))


def _only(net: PetriNet, places: tuple[str, ...], role: str, advice: str) -> str:
    if len(places) == 1:
        return places[0]
    if not places:
        lacks = "incoming" if role == "source" else "outgoing"
        raise NotAWorkflowNet(
            f"{net.name!r} is not a workflow net: no place is a {role}, as every place has {lacks} arcs. "
            f"Add one, or give the net a final_marking."
        )
    both = "both" if len(places) == 2 else "all"
    raise NotAWorkflowNet(f"{net.name!r} is not a workflow net: {listed(places)} are {both} {role}s.\n{advice}")


def _check_paths(net: PetriNet, source: str, sink: str) -> None:
    forward: dict[str, list[str]] = {node: [] for node in net}
    backward: dict[str, list[str]] = {node: [] for node in net}
    for arc in net.arcs:
        forward[arc.source].append(arc.target)
        backward[arc.target].append(arc.source)
    after, before = _closure(forward, source), _closure(backward, sink)
    for reached, text in ((after, f"from the source {source!r}"), (before, f"to the sink {sink!r}")):
        lost = [node for node in net if node not in reached]
        if lost:
            other = "to" if reached is after else "from"
            raise NotAWorkflowNet(
                f"{net.name!r} is not a workflow net: no path leads {text} {other} {listed(lost)}.\n"
                f"Connect or remove what {'is' if len(lost) == 1 else 'are'} cut off."
            )


def _closure(edges: dict[str, list[str]], start: str) -> set[str]:
    reached, todo = {start}, [start]
    while todo:
        for node in edges[todo.pop()]:
            if node not in reached:
                reached.add(node)
                todo.append(node)
    return reached


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: 'a', 'b' and 3 more."""
    shown = [repr(name) for name in names]
    if len(shown) > 6:
        shown = [*shown[:5], f"{len(shown) - 5} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
