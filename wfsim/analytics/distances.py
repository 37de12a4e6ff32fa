"""How far two histories are apart in what has many values: edges, how long cases take and wait, when they come."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from wfsim.history.measures import number
from wfsim.history.samples import among, asking_for_arrays, cases_of
from wfsim.history.summing import are_replications
from wfsim.history.warm_up import warm_up_of
from wfsim.model.state_names import state_names
from wfsim.simulation.statistics import FEWEST, Estimate, Method, Paired

from .comparison import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from wfsim.history.history import History

    Numbers = NDArray[np.float64]

TITLE = "Distances"
REPEATS = 199
HOUR, HOURS = 3_600_000_000, 24

ENTERED = """
SELECT d.run, d."case", list(n.name ORDER BY d.entered_seq) AS states
FROM stay_rows d JOIN state_names n ON n.code = d.state WHERE true {runs} GROUP BY d.run, d."case"
"""
WORKED = """
SELECT run, "case", sum(business_time(greatest(begun, before), greatest(ended, before)))::DOUBLE AS worked
FROM (
    SELECT d.run, d."case", d.scheduled + d.wait AS begun, d.ended, coalesce(max(d.ended) OVER (
        PARTITION BY d.run, d."case" ORDER BY d.scheduled + d.wait, d.ended
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), d.scheduled + d.wait) AS before
    FROM attempt_rows d WHERE d.wait IS NOT NULL AND d.ended IS NOT NULL {runs}
)
GROUP BY run, "case"
"""
"""How long some attempt of a case was at work, those at the same time counted once."""
BEGUN = """
SELECT d.run, d.begins FROM run_begins d WHERE true {runs}
"""


@dataclass(frozen=True)
class _Side:
    """The closed root cases of a history behind its warm-up, in one order.

    Attributes
    ----------
    traces
        The states that each entered, regions interleaved.
    durations
        In seconds.
    waits
        How long nobody worked at each, in seconds; `None` where no work is told.
    hours
        The hour of the day (UTC) at which each came.
    """

    traces: list[tuple[str, ...]]
    durations: Numbers
    waits: Numbers | None
    hours: NDArray[np.int64]


def distances(first: History, second: History, level: float) -> Iterator[tuple[str, Shown, Paired]]:
    """Distances of two histories, each with an interval and with what chance alone gives.

    Edges and hours of arrival: the total variation, from 0, alike, to 1, nothing in common. Times: Wasserstein's
    distance [1]_, by how much a case's time is to be changed on average to come from one to the other.

    Notes
    -----
    Intervals are percentiles over 199 resamplings of the cases of either side, taken for independent (bootstrap [2]_).
    A distance is never 0, be the two as like as they may: what chance gives is the 95th percentile, or that of the
    level, of 199 divisions of all cases together into two such groups (permutation).

    References
    ----------
    .. [1] Vallender (1974), Calculation of the Wasserstein distance between probability distributions on the line,
       Theory of Probability and its Applications 18(4), 784–786.
    .. [2] Efron, Tibshirani (1993), An introduction to the bootstrap, chapters 13 and 15.
    """
    logs = [all(run.source == "log" for run in history.runs) for history in (first, second)]
    one, other = _side(first), _side(second)
    if logs == [True, False]:
        one, other = _in_words_of_the_log(one, other)
    if logs == [False, True]:
        other, one = _in_words_of_the_log(other, one)
    if min(len(one.durations), len(other.durations)) < FEWEST:
        return
    yield "distances.edges", Shown(TITLE, "edges", "share"), _of_edges(one, other, level)
    yield "distances.sojourn", Shown(TITLE, "from start to end", "s"), _of_times(one.durations, other.durations, level)
    if one.waits is not None and other.waits is not None:
        yield "distances.waiting", Shown(TITLE, "nobody works at it", "s"), _of_times(one.waits, other.waits, level)
    hours = [np.bincount(each.hours, minlength=HOURS) for each in (one, other)]
    yield (
        "distances.hours",
        Shown(TITLE, "arrivals by hour", "share"),
        _of_kinds(hours[0], hours[1], np.eye(HOURS), level),
    )


def queries_of(history: History) -> dict[str, str]:
    """The SQL that distances are computed from, beside that of the cases."""
    queries = {"edges": ENTERED, "waiting": WORKED, "hours": BEGUN}
    return {name: query.format(runs=among(history.runs)).strip() for name, query in queries.items()}


def _side(history: History) -> _Side:
    runs = history.runs
    together = len(runs) == 1 or not are_replications(runs)
    with asking_for_arrays(history) as ask:
        cases = cases_of(ask, runs, together)
        entered, worked, begun = (ask(query) for query in queries_of(history).values())
    kept = [each.since(cut.time).closed() for each, cut in zip(cases, warm_up_of(runs, cases).cuts)]
    run, case, started, duration = (
        np.concatenate([getattr(each, name) for each in kept]) for name in ("run", "case", "started", "duration")
    )
    states = dict(zip(_places(entered["run"], entered["case"]).tolist(), entered["states"].tolist()))
    at_work = dict(zip(_places(worked["run"], worked["case"]).tolist(), worked["worked"].tolist()))
    begins = dict(zip(begun["run"].tolist(), begun["begins"].tolist()))
    places = _places(run, case).tolist()
    moments = started + np.array([begins[each] for each in run.tolist()], np.int64)
    return _Side(
        [tuple(states.get(each, ())) for each in places],
        np.asarray(duration / 1e6, np.float64),
        (duration - np.array([at_work.get(each, 0.0) for each in places])) / 1e6 if any(at_work.values()) else None,
        moments // HOUR % HOURS,
    )


def _places(run: NDArray[Any], case: NDArray[Any]) -> NDArray[np.int64]:
    return run.astype(np.int64) << 32 | case.astype(np.int64)


def _in_words_of_the_log(log: _Side, other: _Side) -> tuple[_Side, _Side]:
    """What a log has no word for is passed over in the other history: where it waits, chooses, and ends."""
    names = state_names(sorted({state for trace in log.traces for state in trace}))
    known = {*names.values()}
    last = [tuple(state.rsplit("/", 1)[-1] for state in trace) for trace in other.traces]
    told = [tuple(state for state in trace if state in known) for trace in last]
    return replace(log, traces=[tuple(names[each] for each in trace) for trace in log.traces]), replace(
        other, traces=told
    )


def _of_edges(first: _Side, second: _Side, level: float) -> Paired:
    """Of the shares of the edges of the directly-follows graph, beginnings and ends among them."""
    variants = list(dict.fromkeys([*first.traces, *second.traces]))
    edges: dict[tuple[str, str], int] = {}
    counted = [Counter(edges.setdefault(edge, len(edges)) for edge in pairwise(("", *trace, ""))) for trace in variants]
    table = np.zeros((len(variants), len(edges)))
    for row, own in enumerate(counted):
        table[row, list(own)] = list(own.values())
    places = {trace: k for k, trace in enumerate(variants)}
    one, other = (
        np.bincount([places[trace] for trace in each.traces], minlength=len(variants)) for each in (first, second)
    )
    return _of_kinds(one, other, table, level)


def _of_kinds(first: NDArray[Any], second: NDArray[Any], table: Numbers, level: float) -> Paired:
    """Of what cases of different kinds have: numbers of cases by kind, and what one of each kind has."""
    draw = np.random.default_rng(0)
    sizes = int(first.sum()), int(second.sum())

    def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
        shares = [(each @ table) / (each @ table).sum() for each in (one, other)]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)

    def again() -> float:
        return apart(*(draw.multinomial(n, each / n) for n, each in zip(sizes, (first, second))))

    def divided() -> float:
        part = draw.multivariate_hypergeometric(first + second, sizes[0])
        return apart(part, first + second - part)

    return _told(apart(first, second), again, divided, sum(sizes), level, "share")


def _of_times(first: Numbers, second: Numbers, level: float) -> Paired:
    from scipy.stats import wasserstein_distance

    draw = np.random.default_rng(0)
    both = np.concatenate([first, second])

    def again() -> float:
        return float(wasserstein_distance(*(draw.choice(each, len(each)) for each in (first, second))))

    def divided() -> float:
        draw.shuffle(both)
        return float(wasserstein_distance(both[: len(first)], both[len(first) :]))

    return _told(float(wasserstein_distance(first, second)), again, divided, len(both), level, "s")


def _told(
    value: float, again: Callable[[], float], divided: Callable[[], float], n: int, level: float, unit: str
) -> Paired:
    tails = (1 - level) / 2
    low, high = np.quantile([again() for _ in range(REPEATS)], [tails, 1 - tails])
    chance = float(np.quantile([divided() for _ in range(REPEATS)], level))
    note = f"chance gives up to {number(chance, unit)}"
    return Paired(
        math.nan, math.nan, Estimate(value, float(low), float(high), n, Method.BOOTSTRAP, note), math.nan, math.nan
    )
