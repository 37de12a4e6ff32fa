"""Net transitions that need nothing, so that each can fire at any time, as often as wanted.

With one of them a net has no deadlock, and what it fills grows without bound; neither needs a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.verification.nets.answer import Answer
from wfsim.verification.nets.formulas import Plain, alternatives
from wfsim.verification.nets.marking_tests import marking_test
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.petri import PetriNet

METHOD = "structure of the net: transitions that need nothing"
MOST_SHOWN = 10_000
"""Firings up to which a trace is made."""
MOST_ALTERNATIVES = 24
"""Sets of inequalities that are tried."""


def free_transitions(net: PetriNet) -> list[int]:
    """Net transitions that want nothing of any place, by index."""
    return [t for t, rule in enumerate(net.rules) if not rule.needs and not rule.forbids]


def filled(net: PetriNet) -> dict[int, int]:
    """For each place that one of them puts ever more tokens into, that net transition."""
    return {
        place: t
        for t in reversed(free_transitions(net))
        for place, change in net.rules[t].changes
        if change > 0 and place not in net.rules[t].empties
    }


def pumped_to(net: PetriNet, wanted: Plain) -> Answer | None:
    """That a marking of which the formula is true can be reached by firing only such transitions; None if not so.

    Of each inequality that does not hold by then the transition is fired that brings it nearest, as often as that
    takes; what this leads to is looked at. There is no trace of more than `MOST_SHOWN` firings.
    """
    free = [t for t in free_transitions(net) if not net.rules[t].empties]
    test = marking_test(wanted, net)
    for inequalities in (alternatives(wanted, MOST_ALTERNATIVES) or []) if free else []:
        tokens, fired = list(net.initial_marking.tokens), dict[int, int]()
        for each in inequalities:
            weights = {net.place_index(place): weight for place, weight in each.weights}
            over = sum(weight * tokens[place] for place, weight in weights.items()) - each.bound
            change = {t: sum(weights.get(p, 0) * n for p, n in net.rules[t].changes) for t in free}
            best = min(free, key=lambda t: (change[t], t))  # noqa: B023
            if over <= 0 or change[best] >= 0:
                continue
            times = -(over // change[best])
            fired[best] = fired.get(best, 0) + times
            for place, n in net.rules[best].changes:
                tokens[place] += times * n
        if test(tokens):
            return _reached(net, fired)
    return None


def _reached(net: PetriNet, fired: dict[int, int]) -> Answer:
    total = sum(fired.values())
    witness = None
    if total <= MOST_SHOWN:
        witness = NetWitness.of(net, [net.transitions[t] for t, times in fired.items() for _ in range(times)])
    counts = {net.transitions[t]: times for t, times in fired.items()}
    told = " and ".join(f"{name!r} {times:,} times" for name, times in counts.items())
    method = METHOD + ("" if witness is None else "; trace perhaps not shortest")
    reason = f"Firing {told} leads there, and needs no token."
    return Answer(True, reason, witness, method=method, statistics={"firing_counts": counts})
