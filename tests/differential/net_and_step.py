"""What a net and the explorer reach, told in the same words: control states between two steps."""

from __future__ import annotations

import re

from hypothesis import assume

from wfsim.model.workflow import Workflow
from wfsim.net.marking import Marking
from wfsim.net.petri import PetriNet
from wfsim.net.translate import FINAL, START
from wfsim.net.translate.instance_places import control_places, log_places
from wfsim.verification.nets.explore import explore
from wfsim.verification.workflows.space import explore_workflow

LOG = ("log ", "no log ", "tried ", "undoing ")
# Places that are left within the same step.
PASSING = re.compile(
    r"t\d+\.(pre|post)\d+\.(.*\.)?(succeeded|failed)|.*\.item\.(succeeded|failed)|.*\.(called|completed|undoing)|.*!.*"
)
CANCELLING = re.compile(r"cancelling(\..*\.(succeeded|failed))?")


class TooLarge(Exception):
    """The space does not fit the limits; a model must fit, a random workflow is passed over."""


def reached_by_net(net: PetriNet, *, log: bool = False, max_markings: int = 20_000) -> set[frozenset[str]]:
    """Control states of the net between two steps: without those that `step` passes within one."""
    space = explore(net, max_markings=max_markings)
    if not space.complete:
        raise TooLarge(space.reason)
    found = set()
    for marking in space.markings:
        places = set(marking.support())
        if _passing(places) or _can_join(net, marking):
            continue
        over = any(f"complete in {place}" in net or place.startswith("closed as ") for place in places)
        found.add(frozenset(_told(place) for place in places if _is_control(place, log and not over)))
    return found


def _told(place: str) -> str:
    """In the log of an instance stands what is being undone, too."""
    for word in ("tried ", "undoing "):
        if place.startswith(word):
            return f"log {place.removeprefix(word)}"
    return place


def _passing(places: set[str]) -> bool:
    if places & {START, FINAL} or any(PASSING.fullmatch(place) or CANCELLING.fullmatch(place) for place in places):
        return True
    if any(place.startswith("forgets ") for place in places):
        return True
    waiting = [place.rsplit(".", 1)[0] for place in places if place.endswith((".succeeded", ".failed"))]
    waiting += [place.split("^")[0] for place in places if "^" in place and not place.startswith("no ")]
    return any(state in places for state in waiting)


def _can_join(net: PetriNet, marking: Marking) -> bool:
    if not any(place.endswith(".joining") for place in marking.support()):
        return False
    return any(net.label(name).endswith(("is joined", "no longer be joined")) for name in net.enabled(marking))


def _is_control(place: str, log: bool) -> bool:
    if place.startswith(LOG):
        return log and place.startswith(("log ", "tried ", "undoing "))
    return not place.startswith(("pool ", "no ")) and "^" not in place


def reached_by_step(
    workflow: Workflow,
    *,
    erase_conditions: bool,
    log: bool = False,
    max_states: int = 100_000,
    max_seconds: float | None = None,
) -> set[frozenset[str]]:
    """Control states of the explorer.

    Chains of automatic transitions have exponentially many outcomes when every condition may come out either way, so
    they are cut short then; what they reach, shorter ones in several steps reach as well.
    """
    short = workflow.model_copy(update={"max_automatic": 2})
    space = explore_workflow(short, erase_conditions=erase_conditions, max_states=max_states, max_seconds=max_seconds)
    if not space.complete:
        raise TooLarge(space.reason)
    found = set()
    for k in range(space.n_states):
        instance = space.instance(k)
        found.add(control_places(instance) | (log_places(instance) if log else frozenset()))
    return found


def small_enough(
    net: PetriNet, workflow: Workflow, *, erase_conditions: bool, log: bool = False
) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
    """What the net and `step` reach, for random workflows: the few whose space is too large are passed over."""
    try:
        by_net = reached_by_net(net, log=log)
        by_step = reached_by_step(workflow, erase_conditions=erase_conditions, log=log, max_states=3_000, max_seconds=2)
    except TooLarge:
        assume(False)
        raise
    return by_net, by_step


def names(states: set[frozenset[str]]) -> list[list[str]]:
    """In one order."""
    return sorted(sorted(each) for each in states)
