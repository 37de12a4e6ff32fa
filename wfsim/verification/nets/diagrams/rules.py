"""What firing means while no place holds more than one token.

Of a marking of a 1-safe net only which places are marked has to be known. An input arc, or a read arc, of a weight
above 1 is never content there, an inhibitor arc of such a weight always is; so both leave the exact rule intact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.net.firing import FiringRule
    from wfsim.net.petri import PetriNet


class SafeRule(NamedTuple):
    """The firing rule of one net transition for markings of at most one token in each place.

    It is enabled where the places of `guard` are marked (True) or not (False). If then `room`, the places that get a
    token beside any that they hold, are all unmarked, firing gives the places of `after` the values told there. Else,
    or if `overflows`, a place would hold more than one token.
    """

    transition: int
    guard: Mapping[int, bool]
    room: tuple[int, ...]
    after: Mapping[int, bool]
    overflows: bool


def safe_rules(net: PetriNet) -> tuple[SafeRule, ...]:
    """Rules of the net transitions that some marking of at most one token in each place enables; O(arcs)."""
    rules = (_safe_rule(transition, rule) for transition, rule in enumerate(net.rules))
    return tuple(rule for rule in rules if rule is not None)


def _safe_rule(transition: int, rule: FiringRule) -> SafeRule | None:
    if any(weight > 1 for _, weight in rule.needs):
        return None
    guard = {place: True for place, _ in rule.needs}
    for place, weight in rule.forbids:
        if weight == 1:
            if place in guard:
                return None
            guard[place] = False
    after = dict.fromkeys(rule.empties, False)
    room = []
    overflows = False
    for place, change in rule.changes:
        # Of a place that is emptied, the change is what it holds afterwards.
        held = 0 if place in after else int(guard.get(place, False))
        overflows = overflows or held + change > 1
        if change > 0 and place not in after and place not in guard:
            room.append(place)
        after[place] = held + change > 0
    return SafeRule(transition, guard, tuple(room), after, overflows)
