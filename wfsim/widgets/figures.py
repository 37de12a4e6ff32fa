"""What a history comes to in figures to be drawn: each number with its interval, and how full states were when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wfsim.history.samples import Load, among
from wfsim.history.summing import summing
from wfsim.simulation.statistics import over_replications, quantile_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from wfsim.history.history import History
    from wfsim.history.summary import Summary
    from wfsim.simulation.statistics import Estimate

LEVEL = 0.95
POINTS = 60
"""Into so many parts the time of a run is divided at most."""
MOST_STATES = 8
"""So many states have a line of their own, those with the most cases; the rest is one line."""
OTHER = "other states"
_LONG = 10.0
"""A queue that grew is told from so many who wait on."""
_LEVELS = """
SELECT d.run, if(w.number = 0, d.state, d.workflow || ': ' || d.state) AS name, d.bucket_start // {bucket} AS part,
    sum(d.mean_cases) AS value
FROM occupancy({bucket}) d JOIN workflow_names w ON w.run = d.run AND w.workflow = d.workflow
WHERE true {runs} GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True)
class Line:
    """How many cases were in a state, on average in each part of the time; the interval needs replications."""

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


@dataclass(frozen=True)
class Occupancy:
    """Cases in states over time.

    Attributes
    ----------
    part
        How long each part of the time is, in microseconds; the first begins at 0.
    lines
        Of states, those with the most cases first; of the rest together last.
    """

    part: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Figures:
    """The figures of a history of replications.

    Attributes
    ----------
    waits_p95
        By pool, in seconds: how long 95 of 100 attempts wait at most for a worker.
    growing
        Pools whose queue grew as long as cases came, in each replication, and how many waited in the last quarter.
    """

    history: History
    replications: int
    summary: Summary
    waits_p95: Mapping[str, Estimate]
    growing: Mapping[str, float]
    occupancy: Occupancy

    @property
    def cases(self) -> int:
        """How many cases started, over all replications."""
        return self.summary.counts["started"]

    @property
    def pools(self) -> list[str]:
        """The pools that there are figures of."""
        ends = ".wait"
        found = (each.key.removeprefix("pools.") for each in self.summary.measures if each.group == "pools")
        return [key.removesuffix(ends) for key in found if key.endswith(ends)]

    @property
    def warnings(self) -> list[str]:
        """What the figures must be read with before anything else."""
        found = [
            f"The queue of pool {pool} grew as long as cases came, to {waiting:,.0f} on average in the last quarter of "
            "that time. If more work comes than the workers can do, all times grow with the length of the run, and an "
            "average says nothing of the long run. Add workers, or let less come."
            for pool, waiting in self.growing.items()
        ]
        return found + [remark for remark in self.summary.remarks if "have not settled" in remark]


def figures_of(history: History) -> Figures:
    """The figures of a simulated history of log level `full`.

    Notes
    -----
    A few passes over the records, as `history.summary()`, and one more for the states.
    """
    with summing(history, None, LEVEL) as parts:
        summary = parts.summary()
        runs, cases = parts.runs, parts.cases
        cuts = [cut.time for cut in parts.cuts]
        last = max(parts.horizons.values())
        attempts = parts.attempts
        part = max(1, -(-(last + 1) // POINTS))
        levels = parts.ask(_LEVELS.format(bucket=part, runs=among(runs)))
    numbers = [run.run for run in runs]
    queues = _queues(attempts, numbers, last)
    until = [int(each.started.max(initial=0)) for each in cases]
    return Figures(
        history,
        len(runs),
        summary,
        {pool: _waits_p95(own, cuts) for pool, own in queues.items()},
        {pool: most for pool, own in queues.items() if (most := _growth(own, cuts, until)) > _LONG},
        Occupancy(part, _lines(levels, numbers, last // part + 1)),
    )


class _Queue(NamedTuple):
    """Attempts of one pool in one replication, in the order in which they asked; `served` where a worker took them."""

    came: NDArray[np.int64]
    left: NDArray[np.int64]
    served: NDArray[np.bool_]


def _queues(rows: Mapping[str, NDArray[Any]], runs: Sequence[int], last: int) -> dict[str, list[_Queue]]:
    """By pool a queue for each replication."""
    came = rows["scheduled"].astype(np.int64)
    started, ended = (np.ma.filled(rows[name].astype(np.int64), -1) for name in ("started", "ended"))
    left = np.where(started >= 0, started, np.where(ended >= 0, ended, last))
    order = np.argsort(came, kind="stable")
    found: dict[str, list[_Queue]] = {}
    for pool in dict.fromkeys(rows["pool"].tolist()):
        for run in runs:
            own = order[(rows["pool"][order] == pool) & (rows["run"][order] == run)]
            found.setdefault(str(pool), []).append(_Queue(came[own], left[own], started[own] >= 0))
    return found


def _waits_p95(queues: list[_Queue], cuts: list[int]) -> Estimate:
    series = [
        (each.left - each.came)[each.served & (each.came >= cut)].astype(np.float64) * 1e-6
        for each, cut in zip(queues, cuts)
    ]
    return quantile_of(series, 0.95, LEVEL).within(0.0, math.inf)


def _growth(queues: list[_Queue], cuts: list[int], until: list[int]) -> float:
    """How many waited in the last quarter of the time in which cases came, if it were more in each; else 0."""
    nobody = np.empty(0, np.int64)
    most = []
    for each, begin, end in zip(queues, cuts, until):
        edges = begin + (end - begin) * np.arange(5, dtype=np.int64) // 4
        waiting = Load(each.came, each.left, nobody, nobody).waiting(edges)
        if len(waiting) < 4 or not np.all(np.diff(waiting) > 0):
            return 0.0
        most.append(float(waiting[-1]))
    return sum(most) / len(most)


def _lines(rows: Mapping[str, NDArray[Any]], runs: Sequence[int], parts: int) -> tuple[Line, ...]:
    names = list(dict.fromkeys(rows["name"].tolist()))
    levels = np.zeros((len(names), len(runs), parts))
    where = {name: k for k, name in enumerate(names)}, {run: k for k, run in enumerate(runs)}
    places = [[known[each] for each in column.tolist()] for known, column in zip(where, (rows["name"], rows["run"]))]
    levels[places[0], places[1], rows["part"].astype(np.int64)] = rows["value"]
    order = np.argsort(-levels.sum(axis=(1, 2)), kind="stable").tolist()
    found = [_line(str(names[k]), levels[k]) for k in order[:MOST_STATES]]
    if rest := order[MOST_STATES:]:
        found.append(_line(OTHER, levels[rest].sum(axis=0)))
    return tuple(found)


def _line(name: str, levels: NDArray[np.float64]) -> Line:
    """A row for each replication."""
    if len(levels) == 1:
        return Line(name, tuple(levels[0].tolist()), None, None)
    every = [over_replications(column, LEVEL, len(column)).within(0.0, math.inf) for column in levels.T]
    low, high = (tuple(each.low or 0.0 for each in every), tuple(each.high or 0.0 for each in every))
    return Line(name, tuple(each.value for each in every), low, high)
