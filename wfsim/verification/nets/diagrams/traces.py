"""Firing sequences to markings that decision diagrams have found."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oxidd.bdd import BDDFunction

    from wfsim.verification.nets.diagrams.coded import CodedNet, CodedRule
    from wfsim.verification.nets.limits import Limits


class Sweeps:
    """How a set of markings was reached: what it was after each sweep over the net transitions.

    Attributes
    ----------
    coded
        The net.
    levels
        The initial marking alone, then the set after each sweep, each including the one before.
    """

    def __init__(self, coded: CodedNet) -> None:
        self.coded = coded
        self.levels: list[BDDFunction] = [coded.initial]
        self._turns = [[each for each in order if each.rule.after] for order in _both_ways(coded.bottom_first)]

    def transitions(self, sweep: int) -> Sequence[CodedRule]:
        """The net transitions that change something, in the order of that sweep, of which the first is number 1."""
        return self._turns[(sweep - 1) % 2]

    def moved(self, coded: CodedNet, markings: BDDFunction) -> tuple[Sweeps, BDDFunction]:
        """The same in another manager of the net, and some markings with it."""
        sweeps = Sweeps(coded)
        *sweeps.levels, copy = coded.copied([*self.levels, markings])
        return sweeps, copy

    @property
    def reached(self) -> BDDFunction:
        """All that was reached."""
        return self.levels[-1]


def _both_ways(rules: Sequence[CodedRule]) -> tuple[Sequence[CodedRule], Sequence[CodedRule]]:
    return rules, rules[::-1]


def shortest_trace(
    coded: CodedNet,
    wanted: Callable[[BDDFunction], BDDFunction],
    max_work: int | None,
    limits: Limits,
) -> tuple[str, ...] | None:
    """A shortest firing sequence to a wanted marking, through markings of at most one token in each place.

    Parameters
    ----------
    wanted
        Those of a set of markings that are wanted.
    max_work
        Give up when so many nodes have been looked at, by estimate.
    limits
        Give up when the time is over.

    Returns
    -------
    tuple of str or None
        None if a limit was reached.

    Raises
    ------
    OutOfNodes
        If the diagrams grow larger than allowed.

    Notes
    -----
    Breadth first, one set for each distance, then back from one to the other. Sets of one distance can be larger
    by far than that of all reachable markings.
    """
    ring = seen = coded.initial
    rings = [ring]
    work = 0
    while not (found := wanted(ring)).satisfiable():
        work += ring.node_count() * len(coded.rules)
        if max_work is not None and work > max_work:
            return None
        images = []
        for each in coded.rules:
            if limits.late:
                return None
            images.append(coded.image(ring, each))
        after = coded.union(images)
        ring = coded.do(lambda: after & ~seen)  # noqa: B023
        assert ring.satisfiable(), "nothing that is wanted can be reached"
        seen = coded.union([seen, ring])
        rings.append(ring)
    here = coded.pick(found)
    sequence = []
    for ring in reversed(rings[:-1]):
        target = coded.marking(here)
        for each in coded.rules:
            before = coded.preimage(target, each)
            before = coded.do(lambda: before & ring)  # noqa: B023
            if before.satisfiable():
                break
        sequence.append(coded.net.transitions[each.rule.transition])
        here = coded.pick(before)
    return tuple(reversed(sequence))


def chained_trace(sweeps: Sweeps, wanted: BDDFunction) -> tuple[str, ...]:
    """A firing sequence to one of the markings wanted, of which some must have been reached; perhaps not shortest.

    The marking was added by an image of what was reached before, so it has a predecessor there; and so on back to the
    start. The sets between two sweeps are made once more. So it costs at most about as much as the search.

    Raises
    ------
    OutOfNodes
        If the sets of a whole sweep together are larger than allowed.
    """
    coded, levels = sweeps.coded, sweeps.levels
    first = next(level for level in levels if coded.do(lambda: level & wanted).satisfiable())  # noqa: B023
    here = coded.pick(coded.do(lambda: first & wanted))
    sequence = []
    while not coded.holds(levels[0], here):
        sweep = bisect_left(levels, True, key=lambda level: coded.holds(level, here))  # noqa: B023
        sets, rules = [levels[sweep - 1]], []
        for each in sweeps.transitions(sweep):
            image = coded.image(sets[-1], each)
            more = coded.union([sets[-1], image])
            if more != sets[-1]:
                sets.append(more)
                rules.append(each)
            if coded.holds(more, here):
                break
        while not coded.holds(sets[0], here):
            added = bisect_left(sets, True, key=lambda each: coded.holds(each, here))  # noqa: B023
            rule, known = rules[added - 1], sets[added - 1]
            before = coded.preimage(coded.marking(here), rule)
            here = coded.pick(coded.do(lambda: before & known))  # noqa: B023
            sequence.append(coded.net.transitions[rule.rule.transition])
    return tuple(reversed(sequence))
