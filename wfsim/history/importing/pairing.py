"""Starts and completions of activities that are one execution of it: first in, first out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .steps import COMPLETE, LONE, SCHEDULE, START, STEP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .steps import Moments

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]


@dataclass
class Executions:
    """Executions of activities of which the log tells starts, in the order of cases and of when each is first told of.

    Attributes
    ----------
    case, activity
        Whose, and of which activity.
    number
        Which one of the case it is, from 1.
    planned, begun, done
        The moments of its schedule, its start and its completion; -1 where the log tells none.
    anchor
        Where nothing says when it was scheduled: the moment since which it waits, -1 if since the case began; else -2.
    scheduled
        Since when it waits: its schedule, or the completion before in its case.
    """

    case: Numbers
    activity: Numbers
    number: Numbers
    planned: Numbers
    begun: Numbers
    done: Numbers
    anchor: Numbers
    scheduled: Numbers

    def __len__(self) -> int:
        return len(self.case)


AT_START, PLANNED = -1, -2
"""Anchors that are no moments."""


def no_executions() -> Executions:
    """Of a log that tells of no starts."""
    import numpy as np

    return Executions(*(np.zeros(0, np.int64) for _ in range(8)))


def pair(moments: Moments, instance: Numbers, started: Flags) -> Executions:
    """Find executions, and change the parts of those completions that have no start.

    `instance` says of each moment which execution it tells of, as far as the log does. Of an activity that starts
    nowhere in the log, as `started` tells by its code, each completion is a step.
    """
    import numpy as np

    part, case = moments.part, moments.case
    part[(part == COMPLETE) & ~started[moments.activity]] = STEP
    of = _Groups(moments, instance)
    runs = of.members(START, COMPLETE)
    part[runs.moments[(part[runs.moments] == COMPLETE) & runs.unmatched(part[runs.moments] == START)]] = LONE

    # Without those every completion has a start, and as many are before it.
    begun = of.members(START)
    done = of.members(COMPLETE)
    n = len(moments)
    done_of = np.full(n, -1)
    begun_at, which = begun.places(), done.places()
    lone = np.flatnonzero(part == LONE)
    done_of[begun.moments] = _matched(begun_at, which, done.moments)
    done_of[lone] = lone

    # A schedule is for the first run of the activity behind it that no other one is for.
    plans = of.members(SCHEDULE, START, LONE)
    planning = part[plans.moments] == SCHEDULE
    free = plans.only(planning)
    wanting = plans.only(~planning & ~plans.unmatched(planning))
    planned_of = np.full(n, -1)
    planned_of[wanting.moments] = _matched(wanting.places(), free.places(), free.moments)
    unused = np.setdiff1d(free.moments, planned_of[planned_of >= 0], assume_unique=True)

    at = np.concatenate([np.flatnonzero(moments.is_part(START, LONE)), unused])
    planned = np.concatenate([planned_of[at[: len(at) - len(unused)]], unused])
    first = np.where(planned >= 0, planned, at)
    order = np.argsort(first, kind="stable")
    at, planned = at[order], planned[order]
    is_run = part[at] != SCHEDULE
    mine = case[at]
    anchor = np.where(planned >= 0, PLANNED, _ending_before(moments)[at])
    since = np.where(anchor >= 0, moments.time[np.maximum(anchor, 0)], moments.time[moments.begins[:-1]][mine])
    return Executions(
        case=mine,
        activity=moments.activity[at],
        number=np.arange(len(at)) - np.searchsorted(mine, mine) + 1,
        planned=planned,
        begun=np.where(part[at] == START, at, -1),
        done=np.where(is_run, done_of[at], -1),
        anchor=anchor,
        scheduled=np.where(planned >= 0, moments.time[planned], since),
    )


def _ending_before(moments: Moments) -> Numbers:
    """Of each moment the last one before it, in its case, at which something was completed."""
    import numpy as np

    ending = moments.is_part(STEP, COMPLETE, LONE)
    latest = np.maximum.accumulate(np.where(ending, np.arange(len(moments)), -1))
    before = np.concatenate([[-1], latest[:-1]])
    return np.where(before >= moments.begins[:-1][moments.case], before, AT_START)


def _matched(wanted: Numbers, places: Numbers, moments: Numbers) -> Numbers:
    """The moments at some places, which rise; -1 where there is none."""
    import numpy as np

    found = np.searchsorted(places, wanted)
    there = found < len(places)
    there[there] = places[found[there]] == wanted[there]
    return np.where(there, moments[np.where(there, found, 0)] if len(moments) else -1, -1)


class _Groups:
    """Moments of one case, activity and instance belong together."""

    def __init__(self, moments: Moments, instance: Numbers) -> None:
        import numpy as np

        self._moments = moments
        some = np.flatnonzero(moments.is_part(START, COMPLETE, SCHEDULE))
        keys = (moments.case[some], moments.activity[some], instance[some])
        self._order = some[np.lexsort(keys[::-1])]
        changed = np.zeros(len(some), np.bool_)
        for key in (moments.case, moments.activity, instance):
            sorted_key = key[self._order]
            changed[1:] |= sorted_key[1:] != sorted_key[:-1]
        self._group: Numbers = np.cumsum(changed)

    def members(self, *parts: int) -> _Members:
        """Those of some parts."""
        mine: Flags = self._moments.is_part(*parts)[self._order]
        return _Members(self._order[mine], self._group[mine], len(self._moments))


@dataclass
class _Members:
    """Moments, group by group, in the order of the case within each."""

    moments: Numbers
    group: Numbers
    n: int

    def only(self, mine: Flags) -> _Members:
        """Some of them."""
        return _Members(self.moments[mine], self.group[mine], self.n)

    def places(self) -> Numbers:
        """A number for each group and place in it; they rise."""
        import numpy as np

        return self.group * (self.n + 1) + np.arange(len(self.group)) - np.searchsorted(self.group, self.group)

    def unmatched(self, opening: Flags) -> Flags:
        """Which close more than is open: those of one group open (+1) or close (-1), one after another."""
        import numpy as np

        # Each group is counted from a level below all that the one before it can reach.
        level = -self.group * (2 * self.n + 2)
        change = np.where(opening, 1, -1)
        until = np.cumsum(change)
        begins = np.searchsorted(self.group, self.group)
        opened = until - (until - change)[begins] + level
        least = np.minimum.accumulate(np.minimum(opened, level))
        before = np.concatenate([[0], least[:-1]])
        found: Flags = ~opening & (opened < np.minimum(before, level))
        return found
