"""Who does the activities: pools with their workers and working hours, from who was at work when."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from wfsim.errors import listed
from wfsim.model.duration import UNITS
from wfsim.simulation.shifts import DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.history.history import History

    from .families import Numbers

POOLS = """
SELECT run, pool, scheduled, started, ended FROM pool_attempts WHERE started IS NOT NULL AND ended IS NOT NULL
ORDER BY pool, run, started
"""
WORKERS = """
SELECT activity, worker, started, ended FROM executions
WHERE workflow = ? AND worker IS NOT NULL AND started IS NOT NULL AND ended IS NOT NULL ORDER BY started, activity
"""
SHARED = 0.5
"""Activities have a pool in common if this part of those who do them do both."""
SELDOM = 0.05
"""Who does less than this share of an activity does not belong to those who do it."""
IDLE = 0.02
"""If there was room for so little of the waiting, as many workers as were busy at most are all there were."""
PAUSE = 0.1
"""Who begins the next within this part of a mean service was not free in between."""
PRESENT = 0.25
"""Somebody works at an hour of the week if he did so in this part of the weeks in which he worked at all."""
QUARTER = UNITS["h"] // 4
"""Clocks are set by whole quarters of an hour."""
HOURS = 168
LONGEST_NAME = 60
"""Of a pool that is called like all the activities that ask it."""


_NEVER: Numbers = np.empty(0)


@dataclass(frozen=True)
class Staffed:
    """A pool.

    Attributes
    ----------
    name
        Of the pool.
    written
        As a scenario says it.
    activities
        Who asks for it; empty where the definition says so.
    n
        From how many attempts.
    idle_share
        Of the time in which somebody waited, the part in which fewer than all worked: near 0 if the number is right.
    note
        How it was found.
    free
        When somebody was there and not at work: begins and ends, in microseconds; of pools of a log.
    """

    name: str
    written: dict[str, Any]
    activities: tuple[str, ...]
    n: int
    idle_share: float
    note: str
    free: tuple[Numbers, Numbers] = field(default=(_NEVER, _NEVER), repr=False, compare=False)

    def held_up(self, asked: float, begun: float) -> float:
        """Until when something else than a worker held up what could have been begun, and was at last.

        That is the last moment at which somebody was free and did not begin it [1]_; only what comes after it is
        waiting for a worker.

        References
        ----------
        .. [1] Chapela-Campa, Dumas (2024), Enhancing business process simulation models with extraneous activity
           delays, Information Systems 122, 102346.
        """
        begins, ends = self.free
        last = int(np.searchsorted(begins, begun, "left")) - 1
        return float(asked) if last < 0 else float(max(asked, min(ends[last], begun)))


def pools_of(history: History) -> list[Staffed]:
    """The pools that attempts asked, each with as many workers as were ever busy at once."""
    rows = history.sql(POOLS, max_rows=None).df()
    found = []
    for pool, own in rows.groupby("pool", sort=True):
        runs = [
            _Served(*(each[name].to_numpy(np.float64) for name in ("scheduled", "started", "ended")))
            for _, each in own.groupby("run", sort=True)
        ]
        most = max(_most_at_once(run) for run in runs)
        waited = math.fsum(float(np.sum(run.started - run.came)) for run in runs)
        room = math.fsum(_with_room(run, most) for run in runs)
        share = room / waited if waited else 0.0
        if not waited:
            note = "nobody waited: there may be more"
        elif share <= IDLE:
            note = "all were at work whenever somebody waited"
        else:
            note = f"in {share:.0%} of the waiting not all were at work: they may come and go, break down, or be chosen"
        found.append(Staffed(str(pool), {"capacity": most}, (), len(own), share, note))
    return found


class _Served(NamedTuple):
    """Attempts that were served in a run."""

    came: Numbers
    started: Numbers
    ended: Numbers


def _most_at_once(run: _Served) -> int:
    times, counts = _busy(run)
    return int(np.max(counts)) if len(times) else 0


def _busy(run: _Served) -> tuple[Numbers, Numbers]:
    """From when on how many are at work; who ends makes room for who begins at the same time."""
    started, ended = run.started, run.ended
    lasting = ended > started
    times = np.concatenate([started[lasting], ended[lasting]])
    changes = np.concatenate([np.ones(int(lasting.sum())), -np.ones(int(lasting.sum()))])
    order = np.lexsort((changes, times))
    return times[order], np.cumsum(changes[order])


def _with_room(run: _Served, capacity: int) -> float:
    """Waiting time, of all who wait, during which fewer than `capacity` are at work."""
    times, counts = _busy(run)
    if not len(times):
        return 0.0
    lengths = np.diff(times)
    free = np.concatenate([[0.0], np.cumsum(lengths * (counts[:-1] < capacity))])

    def until(moments: Numbers) -> Numbers:
        # Before the first is at work, all are free.
        outside = np.minimum(moments - times[0], 0.0)
        place = np.clip(np.searchsorted(times, moments, "right") - 1, 0, len(times) - 1)
        rest = np.where(counts[place] < capacity, np.maximum(moments - times[place], 0.0), 0.0)
        return np.asarray(free[place] + rest + outside, np.float64)

    return float(np.sum(until(run.started) - until(run.came)))


def crews_of(history: History, workflow: str, names: Mapping[str, str], time_zone: str) -> list[Staffed]:
    """Pools of a log: activities that the same people do, with how many of them work at which hours of the week.

    Notes
    -----
    An hour of the week is one of somebody's working hours if he began, ended or did something in it in a quarter of the
    weeks in which he did anything; a single hour between two others is one, too. After Martin et al. (2020), Retrieving
    batch and resource availability from event logs, simplified: who is there without work leaves no trace, so these
    numbers are at most a little too low.
    """
    rows = history.sql(WORKERS, [workflow], max_rows=None).df()
    if rows.empty:
        return []
    people: dict[str, set[str]] = {}
    for activity, by in rows.groupby("activity", sort=True)["worker"]:
        counts = Counter(by.tolist())
        people[str(activity)] = {worker for worker, n in counts.items() if n >= SELDOM * counts.total()}
    found = []
    for activities in _alike(people):
        own = rows[rows["activity"].isin(activities)].reset_index(drop=True)
        by_hour, is_week = _working_hours(own, time_zone)
        workers = sorted(set().union(*(people[each] for each in activities)))
        every = ", ".join(names[each] for each in activities)
        several = f"{names[activities[0]]} and {len(activities) - 1} more"
        name = every if len(every) <= LONGEST_NAME or len(activities) == 1 else several
        if is_week:
            written: dict[str, Any] = {"shifts": _shifts(by_hour), "time_zone": time_zone}
            note = f"{len(workers)} people, {max(by_hour):.0f} at most at one hour: {listed(workers, 5)}"
        else:
            by_hour = [len(workers)] * HOURS
            written = {"capacity": len(workers)}
            note = f"{len(workers)} people: {listed(workers, 5)}; the log is too short to tell working hours"
        asking = tuple(names[each] for each in activities)
        free = _free(own, by_hour, time_zone)
        found.append(Staffed(name, written, asking, len(own), float("nan"), note, free))
    return found


def _free(rows: Any, by_hour: list[int], time_zone: str) -> tuple[Numbers, Numbers]:
    """When fewer were at work than there are by the hours of the week.

    Pauses between two pieces of work, shorter than a tenth of what a piece takes, are none: nobody was free then.
    """
    zone = ZoneInfo(time_zone)
    started, ended = (np.sort(rows[name].to_numpy(np.int64)) for name in ("started", "ended"))
    edges = np.arange(int(started[0]) // QUARTER, int(ended[-1]) // QUARTER + 1) * QUARTER
    there = np.array([by_hour[_hour_of_week(int(edge) // QUARTER, zone)[1]] for edge in edges])
    times = np.unique(np.concatenate([started, ended, edges]))
    busy = np.searchsorted(started, times, "right") - np.searchsorted(ended, times, "right")
    is_free = there[np.maximum(np.searchsorted(edges, times, "right") - 1, 0)] > busy
    changes = np.flatnonzero(np.diff(np.concatenate([[0], is_free[:-1].astype(np.int64), [0]])))
    begins, ends = times[changes[::2]].astype(np.float64), times[changes[1::2]].astype(np.float64)
    lasts = ends - begins >= PAUSE * float(np.mean(rows["ended"] - rows["started"]))
    return begins[lasts], ends[lasts]


def _alike(people: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of activities that mostly the same people do."""
    groups: list[list[str]] = []
    for activity in people:
        for group in groups:
            both = [people[activity] & people[each] for each in group]
            either = [people[activity] | people[each] for each in group]
            if any(len(one) >= SHARED * len(other) for one, other in zip(both, either)):
                group.append(activity)
                break
        else:
            groups.append([activity])
    return groups


def _working_hours(rows: Any, time_zone: str) -> tuple[list[int], bool]:
    """How many work at each hour of the week, and whether enough weeks were seen to say so."""
    zone = ZoneInfo(time_zone)
    quarters: defaultdict[str, set[int]] = defaultdict(set)
    for worker, started, ended in zip(rows["worker"].tolist(), rows["started"].tolist(), rows["ended"].tolist()):
        quarters[worker].update(range(started // QUARTER, max(ended - 1, started) // QUARTER + 1))
    places = {quarter: _hour_of_week(quarter, zone) for quarter in set[int]().union(*quarters.values())}
    worked = {worker: {places[quarter] for quarter in own} for worker, own in quarters.items()}
    weeks = {week for hours in worked.values() for week, _ in hours}
    found = [0] * HOURS
    for hours in worked.values():
        n_weeks = len({week for week, _ in hours})
        often = Counter(hour for _, hour in hours)
        own = [often[hour] >= PRESENT * n_weeks and often[hour] > 0 for hour in range(HOURS)]
        for hour in range(HOURS):
            found[hour] += own[hour] or (own[hour - 1] and own[(hour + 1) % HOURS])
    return found, len(weeks) >= 2 and any(found)


def _hour_of_week(quarter: int, zone: ZoneInfo) -> tuple[int, int]:
    """Week and hour of the week in which a quarter of an hour since 1970 lies, by a clock."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=quarter * QUARTER)).astimezone(zone)
    # 1970 began on a Thursday.
    week, day = divmod(local.date().toordinal() - date(1970, 1, 1).toordinal() + 3, 7)
    return week, 24 * day + local.hour


def _shifts(by_hour: list[int]) -> list[dict[str, Any]]:
    """Hours of the week with as many workers as the ones before them are one shift."""
    edges = [0, *(hour for hour in range(1, HOURS) if by_hour[hour] != by_hour[hour - 1]), HOURS]
    return [
        {"from": _time(begin), "until": _time(end, is_end=True), "capacity": by_hour[begin]}
        for begin, end in pairwise(edges)
        if by_hour[begin]
    ]


def _time(hour: int, *, is_end: bool = False) -> str:
    day, rest = divmod(hour, 24)
    return f"{DAYS[day - 1]} 24:00" if is_end and rest == 0 else f"{DAYS[day % 7]} {rest:02}:00"


def pool_by_activity(pools: Iterable[Staffed]) -> dict[str, Staffed]:
    """The pool that each activity asks, where the definition does not say so."""
    return {activity: pool for pool in pools for activity in pool.activities}
