"""The series that a summary is computed from, one per run, as arrays: cases, stays, attempts, pools.

Which rows they hold is SQL, kept as text so that a summary can show it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from wfsim.semantics.codes import R_EVENT_RECEIVED
from wfsim.simulation.statistics import N_BATCHES

from .questions import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from .questions import Readable
    from .runs import Run

    Ask = Callable[[str], "Mapping[str, NDArray[Any]]"]

CASES = """
SELECT d.run, d."case", c.key, d.started, d.duration, concat_ws('/', d.status, d.outcome) AS outcome, d.final_state
FROM durations d JOIN cases c ON c.run = d.run AND c."case" = d."case"
JOIN workflow_names w ON w.run = d.run AND w.workflow = d.workflow
WHERE w.number = 0 AND d.parent_case IS NULL {runs}
ORDER BY d.run, d.started, d."case"
"""
"""The root cases."""


@dataclass(frozen=True)
class RunCases:
    """The root cases of one run, or of runs taken together, in order of their start; times in microseconds.

    Attributes
    ----------
    run, case, key
        Its run, its number there, and its random key: what it draws.
    duration
        -1 while a case is open.
    outcome, final_state
        As texts; of an open case `open` and the empty text.
    """

    run: NDArray[np.int64]
    case: NDArray[np.int64]
    key: NDArray[np.int64]
    started: NDArray[np.int64]
    duration: NDArray[np.int64]
    outcome: NDArray[Any]
    final_state: NDArray[Any]

    def since(self, time: int) -> RunCases:
        """Those that started then or later."""
        return self.at(self.started >= time)

    def closed(self) -> RunCases:
        """Those that have closed."""
        return self.at(self.duration >= 0)

    def at(self, places: NDArray[Any]) -> RunCases:
        """Those at some places, in that order."""
        return RunCases(*(column[places] for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """All columns, in order."""
        return self.run, self.case, self.key, self.started, self.duration, self.outcome, self.final_state


SLAS = """
SELECT s.run, s.sla, s.within, s.share FROM slas s WHERE true {runs} ORDER BY s.sla, s.run
"""
SLA_CASES = """
SELECT d.run, d.sla, c.started, d.met FROM sla_cases d JOIN cases c ON c.run = d.run AND c."case" = d."case"
WHERE d.met IS NOT NULL {runs} ORDER BY c.started, d.run, d."case"
"""
"""Cases that are decided, in order of their start."""

EVENT_CASES = f"""
SELECT DISTINCT d.run, d."case", e.name FROM records d JOIN event_names e ON e.code = d.event
WHERE d.kind = {R_EVENT_RECEIVED} {{runs}} ORDER BY e.name
"""
"""Which cases have received which events, accepted or not; told by logs of level `full` only."""


@contextmanager
def asking_for_arrays(history: Readable) -> Iterator[Ask]:
    """Questions in one transaction, answered as one array per column."""
    with asking(history, None) as con:

        def ask(query: str) -> Mapping[str, NDArray[Any]]:
            # Of columns of an ENUM it would make something else; the views have none.
            return cast("Mapping[str, NDArray[Any]]", con.execute(query).fetchnumpy())

        yield ask


def has_business_hours(ask: Ask) -> bool:
    """Whether durations are those in business hours."""
    return bool(ask("SELECT getvariable('business_width') IS NOT NULL AS told")["told"][0])


def cases_text(runs: list[Run]) -> str:
    """The query for the root cases of some runs."""
    return CASES.format(runs=among(runs)).strip()


def cases_of(ask: Ask, runs: list[Run], together: bool) -> list[RunCases]:
    """The root cases of each run, or of all together."""
    found = ask(cases_text(runs))
    columns = (
        found["run"].astype(np.int64),
        found["case"].astype(np.int64),
        found["key"].astype(np.int64),
        found["started"].astype(np.int64),
        np.ma.filled(found["duration"].astype(np.int64), -1),
        np.ma.filled(found["outcome"], ""),
        np.ma.filled(found["final_state"], ""),
    )
    if together:
        order = np.lexsort((columns[1], columns[3]))
        return [RunCases(*(column[order] for column in columns))]
    numbers = [run.run for run in runs]
    begins, ends = (np.searchsorted(found["run"], numbers, side) for side in ("left", "right"))
    return [RunCases(*(column[low:high] for column in columns)) for low, high in zip(begins, ends)]


def among(runs: list[Run], table: str = "d") -> str:
    """The condition that a row is about one of these runs."""
    return f"AND {table}.run IN ({', '.join(str(run.run) for run in runs)})"


STAYS = """
SELECT s.run AS run, s.workflow AS workflow, s.state AS name, s.entered AS begun, s."case" AS "case",
    s.entered_seq AS seq, s.dwell AS value
FROM stays s JOIN cases c ON c.run = s.run AND c."case" = s."case" JOIN cuts k ON k.run = s.run
WHERE s.dwell IS NOT NULL AND c.started >= k.cut
"""
"""Stays in states that have ended."""

REPORTS = """
SELECT r.run AS run, w.workflow AS workflow, a.name AS name, r.{begun} AS begun, r."case" AS "case",
    r.scheduled_seq AS seq, r.{value} AS value
FROM (
    SELECT * REPLACE (business_time(scheduled, scheduled + wait) AS wait), scheduled + wait AS started,
        business_time(scheduled + wait, ended) AS service FROM attempt_rows
) r
JOIN cases c ON c.run = r.run AND c."case" = r."case" JOIN cuts k ON k.run = r.run
JOIN activity_names a ON a.code = r.activity JOIN workflow_names w ON w.run = r.run AND w.number = r.workflow
WHERE r.{value} IS NOT NULL AND c.started >= k.cut
"""
"""`wait` or `service` of attempts, in the order in which they `started` or `ended`."""

WAITS = """
SELECT p.run AS run, '' AS workflow, p.pool AS name, p.scheduled AS begun, p."case" AS "case", p.activity_id AS seq,
    business_time(p.scheduled, p.started) AS value
FROM pool_attempts p JOIN cuts k ON k.run = p.run
WHERE p.started IS NOT NULL AND p.scheduled BETWEEN k.cut AND k.until
"""
"""Waits for a worker of a pool."""


def cuts_text(runs: list[Run], cuts: list[int], until: list[int]) -> str:
    """The runs with what is left out of each, as a table of SQL."""
    rows = ", ".join(f"({run.run}, {cut}, {end})" for run, cut, end in zip(runs, cuts, until))
    return f"WITH cuts(run, cut, until) AS (VALUES {rows})"


def batches_text(rows: str, cuts: str, together: bool) -> str:
    """The query for the mean of each batch of one series, or of each run of several."""
    if together:
        batch = f'ntile({N_BATCHES}) OVER (PARTITION BY workflow, name ORDER BY begun, run, "case", seq)'
    else:
        batch = "run"
    return f"""{cuts},
rows_of AS ({rows}),
in_batches AS (SELECT workflow, name, {batch} AS batch, value FROM rows_of)
SELECT workflow, name, batch, count(*) AS n, avg(value) AS mean, max(value) AS most
FROM in_batches GROUP BY workflow, name, batch ORDER BY workflow, name, batch
"""


ATTEMPTS = """
SELECT d.run, d.pool, d.scheduled, d.started, d.ended FROM pool_attempts d WHERE true {runs}
ORDER BY d.run, d.pool
"""
CAPACITIES = """
SELECT d.run, d.pool, d.capacity FROM pool_capacities d WHERE true {runs}
"""
SHIFTS = """
SELECT d.run, d.pool, d.time, d.capacity FROM shift_changes d WHERE true {runs}
ORDER BY d.run, d.pool, d.time
"""


@dataclass(frozen=True)
class Shifts:
    """From when on a pool has how many workers in one run."""

    times: NDArray[np.int64]
    capacities: NDArray[np.int64]


@dataclass(frozen=True)
class Load:
    """Who uses a pool in one run: intervals of waiting and of being served, in microseconds."""

    came: NDArray[np.int64]
    left_queue: NDArray[np.int64]
    started: NDArray[np.int64]
    ended: NDArray[np.int64]

    def busy(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean number of busy workers between neighbouring times."""
        return _mean_count(self.started, self.ended, edges)

    def waiting(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean length of the queue between neighbouring times."""
        return _mean_count(self.came, self.left_queue, edges)

    def there(self, shifts: Shifts, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean number of workers between neighbouring times: those on shift, and who is at work after theirs."""
        moments = np.unique(np.concatenate([shifts.times, self.started, self.ended, edges]))
        on_shift = shifts.capacities[np.searchsorted(shifts.times, moments, "right") - 1]
        begun, over = (np.searchsorted(np.sort(each), moments, "right") for each in (self.started, self.ended))
        lengths = np.diff(moments)
        areas = np.concatenate([np.zeros(1), np.cumsum(np.maximum(on_shift, begun - over)[:-1] * lengths)])
        gaps, between = np.diff(edges), np.diff(areas[np.searchsorted(moments, edges)])
        return np.asarray(between[gaps > 0] / gaps[gaps > 0], np.float64)

    def n_between(self, begin: int, end: int) -> int:
        """How many came in a span of time."""
        return int(np.sum((self.came >= begin) & (self.came <= end)))

    def longest(self, begin: int, end: int) -> int:
        """The longest queue in a span of time; what comes and goes at one time is no queue."""
        real = (self.left_queue > self.came) & (self.left_queue > begin) & (self.came <= end)
        times = np.concatenate([np.maximum(self.came[real], begin), self.left_queue[real]])
        changes = np.concatenate([np.ones(int(real.sum()), np.int64), -np.ones(int(real.sum()), np.int64)])
        # At one time, who leaves goes first.
        order = np.lexsort((changes, times))
        return int(np.max(np.cumsum(changes[order]), initial=0))


_NOBODY = np.empty(0, np.int64)
IDLE = Load(_NOBODY, _NOBODY, _NOBODY, _NOBODY)
"""A pool that nobody has asked."""


def _mean_count(begins: NDArray[np.int64], ends: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many intervals cover a moment, on average between neighbouring edges; equal ones are no time at all."""
    covered: NDArray[np.int64] = _time_since(np.sort(begins), edges) - _time_since(np.sort(ends), edges)
    gaps = np.diff(edges)
    return np.asarray(np.diff(covered)[gaps > 0] / gaps[gaps > 0], np.float64)


def _time_since(times: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """By edge: the time since each of the earlier times, summed.

    Sums may go round beyond 64 bits; their differences, the times covered, come out right all the same.
    """
    places = np.searchsorted(times, edges)
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(times)])
    return np.asarray(places * edges - sums[places], np.int64)


def shifts_of(ask: Ask, runs: list[Run]) -> dict[tuple[int, str], Shifts]:
    """The shifts of each pool that has some in each run."""
    rows = ask(SHIFTS.format(runs=among(runs)))
    times, capacities = rows["time"].astype(np.int64), rows["capacity"].astype(np.int64)
    return {
        (int(rows["run"][own[0]]), str(rows["pool"][own[0]])): Shifts(times[own], capacities[own])
        for own in _of_pools(rows["run"], rows["pool"])
    }


def _of_pools(run: NDArray[Any], pool: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Where the rows of each pool of each run lie, which are together."""
    changes = np.flatnonzero((run[1:] != run[:-1]) | (pool[1:] != pool[:-1])) + 1
    return np.split(np.arange(len(run)), changes) if len(run) else []


def loads_of(rows: Mapping[str, NDArray[Any]], horizons: Mapping[int, int]) -> dict[tuple[int, str], Load]:
    """The load of each pool in each run, from `ATTEMPTS`; what has not ended goes on to the last record."""
    run, pool = rows["run"], rows["pool"]
    last = np.array([horizons[int(each)] for each in run], np.int64)
    came = rows["scheduled"].astype(np.int64)
    started = np.ma.filled(rows["started"].astype(np.int64), -1)
    ended = np.ma.filled(rows["ended"].astype(np.int64), -1)
    ended = np.where(ended < 0, last, ended)
    left = np.where(started < 0, ended, started)
    found = {}
    for own in _of_pools(run, pool):
        served = own[started[own] >= 0]
        found[int(run[own[0]]), str(pool[own[0]])] = Load(came[own], left[own], started[served], ended[served])
    return found
