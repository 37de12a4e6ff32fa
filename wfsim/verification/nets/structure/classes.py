"""Classes of nets by their shape."""

from __future__ import annotations

from dataclasses import dataclass

from wfsim.net.arcs import ArcKind
from wfsim.net.petri import PetriNet
from wfsim.verification.nets.workflow_net import NotAWorkflowNet, workflow_task


@dataclass(frozen=True)
class NetClass:
    """To which classes a net belongs [1]_; all but `workflow_net` only where every arc is normal with weight 1.

    Attributes
    ----------
    ordinary
        Every arc is normal and has weight 1.
    state_machine
        Each transition has one place before and one after it.
    marked_graph
        Each place has one transition before and one after it.
    free_choice
        Transitions that share a place before them have only that one.
    extended_free_choice
        Transitions that share a place before them have all of them in common.
    asymmetric_choice
        Of two places that share a transition after them, one has all of the other's.
    workflow_net
        One source, one sink, everything on a path between [2]_; arcs of any kind.

    References
    ----------
    .. [1] Murata (1989), Proceedings of the IEEE 77(4), 541-580.
    .. [2] van der Aalst (1998), Journal of Circuits, Systems and Computers 8(1), 21-66.
    """

    ordinary: bool
    state_machine: bool
    marked_graph: bool
    free_choice: bool
    extended_free_choice: bool
    asymmetric_choice: bool
    workflow_net: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that it belongs to, as words."""
        return tuple(name.replace("_", " ") for name in self.__dataclass_fields__ if getattr(self, name))


def classify(net: PetriNet) -> NetClass:
    """The classes of a net; O(arcs), and quadratic in the transitions that share a place."""
    before, after, place_in, place_out = neighbours(net)
    ordinary = all(arc.kind is ArcKind.NORMAL and arc.weight == 1 for arc in net.arcs)
    conflicts = {place: sorted(after_it) for place, after_it in place_out.items() if len(after_it) > 1}
    free = all(len(before[t]) == 1 for rivals in conflicts.values() for t in rivals)
    extended = all(before[t] == before[rivals[0]] for rivals in conflicts.values() for t in rivals)
    ordered = all(
        place_out[p] <= place_out[q] or place_out[q] <= place_out[p]
        for places in before.values()
        for p in places
        for q in places
    )
    try:
        workflow_task(_unmarked(net))
        workflow = True
    except NotAWorkflowNet:
        workflow = False
    return NetClass(
        ordinary=ordinary,
        state_machine=ordinary and all(len(before[t]) == len(after[t]) == 1 for t in net.transitions),
        marked_graph=ordinary and all(len(place_in[p]) == len(place_out[p]) == 1 for p in net.places),
        free_choice=ordinary and free,
        extended_free_choice=ordinary and extended,
        asymmetric_choice=ordinary and ordered,
        workflow_net=workflow,
    )


def _unmarked(net: PetriNet) -> PetriNet:
    return PetriNet(net.name, net.places, net.transitions, net.arcs, {})


Sets = dict[str, set[str]]


def neighbours(net: PetriNet) -> tuple[Sets, Sets, Sets, Sets]:
    """Places before and after each transition, transitions before and after each place; by normal arcs."""
    before: Sets = {t: set() for t in net.transitions}
    after: Sets = {t: set() for t in net.transitions}
    place_in: Sets = {p: set() for p in net.places}
    place_out: Sets = {p: set() for p in net.places}
    for arc in net.arcs:
        if arc.kind is not ArcKind.NORMAL:
            continue
        if net.is_place(arc.source):
            before[arc.target].add(arc.source)
            place_out[arc.source].add(arc.target)
        else:
            after[arc.source].add(arc.target)
            place_in[arc.target].add(arc.source)
    return before, after, place_in, place_out
