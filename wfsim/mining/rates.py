"""When cases come: at one rate, at rates that change over the day or the week, or with times of a family between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from wfsim.model.duration import UNITS

from .families import digits, fit_times, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .families import Numbers

HOUR, DAY, WEEK = float(UNITS["h"]), float(UNITS["d"]), float(UNITS["w"])
TOGETHER = 0.05
"""From this share of cases on that come at the same time as the one before them, cases come in batches."""
FEWEST = 20
LARGEST_BATCH = 10_000


@dataclass(frozen=True)
class Coming:
    """How cases come.

    Attributes
    ----------
    written
        As a scenario says it.
    family
        `poisson`, `rates by the hour of the day` or `of the week`, `renewal` with a family, `every`.
    n
        How many times there were.
    distance, p
        Of the times between arrivals, in expected numbers where rates change, from the exponential (or the family): as
        `families.Fitted`.
    note
        What the fit must be read with.
    """

    written: dict[str, Any]
    family: str
    n: int
    distance: float
    p: float
    note: str = ""


def fit_arrivals(times: Sequence[Numbers], begins: Sequence[float]) -> Coming:
    """How cases come, from when they came.

    Parameters
    ----------
    times
        In microseconds, rising, of each run.
    begins
        From when on each run is looked at; a period begins at time 0.

    Notes
    -----
    Rates are constant in pieces of hours. Where the pieces begin is what has the least BIC [1]_, found exactly by
    dynamic programming over the hours of the day, of the week, or none; a period is tried if it was seen twice. If no
    piece is better than one, the times between arrivals decide: exponential (then arrivals are Poisson), another
    family, or constant. That numbers expected between arrivals of changing rates are exponential is tested by rescaling
    time [2]_.

    References
    ----------
    .. [1] Jackson et al. (2005), An algorithm for optimal partitioning of data on an interval, IEEE Signal Processing
       Letters 12(2), 105–108; Schwarz (1978), Annals of Statistics 6(2), 461–464.
    .. [2] Brown et al. (2002), The time-rescaling theorem and its application to neural spike train data analysis,
       Neural Computation 14(2), 325–346.
    """
    n_all = sum(map(len, times))
    groups = [np.unique(each, return_counts=True) for each in times]
    batches = np.concatenate([counts for _, counts in groups])
    is_batched = 1 - len(batches) / n_all > TOGETHER
    moments = [each for each, _ in groups] if is_batched else list(times)
    batch = {"batch": {"size": _sizes(batches)}} if is_batched else {}
    note = f"{len(batches):,} batches of {n_all / len(batches):.3g} on average" if is_batched else ""
    gaps = np.concatenate([np.diff(each) for each in moments])
    if not len(gaps):
        return Coming(
            {"at": [time_text(float(each[0])) for each in times[:1]]}, "at", n_all, math.nan, math.nan, "one case"
        )
    spans = [(begin, float(each[-1])) for begin, each in zip(begins, moments) if len(each)]
    length = sum(end - begin for begin, end in spans)
    periods = [period for period in (DAY, WEEK) if max(end - begin for begin, end in spans) >= 2 * period]
    plain = fit_times(np.maximum(gaps, 0.0))
    if sum(map(len, moments)) >= FEWEST and plain.family != "constant":
        shapes = [_Shape.of(moments, spans, period) for period in periods]
        one = _Shape.of(moments, spans, math.inf)
        best = min([one, *shapes], key=lambda shape: shape.criterion)
        if best is not one:
            rescaled = fit_times(np.concatenate([np.diff(best.expected(each)) for each in moments]) * 1e6)
            off = rescaled.distance if rescaled.family == "exponential" else _from_exponential(best, moments)
            name = "day" if best.period == DAY else "week"
            told = f"{len(best.rates)} pieces of the {name}" + (f"; {note}" if note else "")
            if rescaled.family != "exponential":
                told += f"; between them more regular or less so than by chance ({rescaled.family})"
            p = rescaled.p if rescaled.family == "exponential" else math.nan
            return Coming({**best.written(), **batch}, f"rates by the hour of the {name}", n_all, off, p, told)
    if plain.family == "constant":
        return Coming({"every": plain.written, **batch}, "every", n_all, math.nan, math.nan, note or plain.note)
    notes = "; ".join(each for each in (plain.note, note) if each)
    if plain.family == "exponential":
        rate = {"poisson": rate_text(sum(map(len, moments)) / length)}
        return Coming({**rate, **batch}, "poisson", n_all, plain.distance, plain.p, notes)
    return Coming(
        {"renewal": plain.written, **batch}, f"renewal, {plain.family}", n_all, plain.distance, plain.p, notes
    )


def _sizes(batches: Any) -> Any:
    sizes, counts = np.unique(np.minimum(batches, LARGEST_BATCH), return_counts=True)
    if len(sizes) == 1:
        return int(sizes[0])
    return {"choice": [int(each) for each in sizes], "weights": [int(each) for each in counts]}


def rate_text(per_microsecond: float) -> str:
    """A rate as a scenario says it, with four of its digits, in a unit in which it is not much below 1."""
    for unit in ("s", "m", "h", "d"):
        if per_microsecond * UNITS[unit] >= 1:
            return f"{digits(per_microsecond * UNITS[unit]):.10g}/{unit}"
    return f"{np.format_float_positional(digits(per_microsecond * UNITS['w']), trim='-')}/w"


@dataclass(frozen=True)
class _Shape:
    """Rates over a period, constant in pieces.

    Attributes
    ----------
    ends
        Of the pieces, in microseconds of the period; the last is its length.
    rates
        In each, per microsecond.
    criterion
        BIC.
    """

    period: float
    ends: tuple[float, ...]
    rates: tuple[float, ...]
    criterion: float

    @classmethod
    def of(cls, moments: Sequence[Numbers], spans: Sequence[tuple[float, float]], period: float) -> _Shape:
        n = sum(map(len, moments))
        if math.isinf(period):
            length = sum(end - begin for begin, end in spans)
            return cls(period, (period,), (n / length,), -2 * _likelihood(n, length) + math.log(n))
        bins = round(period / HOUR)
        hours = np.concatenate([np.asarray(each % period // HOUR, np.int64) for each in moments])
        counts = np.bincount(hours, minlength=bins).astype(np.float64)
        exposure = _exposure(spans, period, bins)
        ends, value = _pieces(counts, exposure, math.log(n))
        sums = [(counts[a:b].sum(), exposure[a:b].sum()) for a, b in pairwise([0, *ends])]
        rates = tuple(float(count / length) if length else 0.0 for count, length in sums)
        return cls(period, tuple(end * HOUR for end in ends), rates, value)

    def written(self) -> dict[str, Any]:
        pieces = [
            {"until": time_text_exact(end), "rate": rate_text(rate) if rate else "0/h"}
            for end, rate in zip(self.ends, self.rates)
        ]
        return {"rates": pieces, "repeat": time_text_exact(self.period)}

    def expected(self, times: Numbers) -> Numbers:
        """How many are expected until each of some times."""
        edges = np.array([0.0, *self.ends])
        sums = np.concatenate([[0.0], np.cumsum(np.diff(edges) * np.array(self.rates))])
        whole, rest = np.divmod(times, self.period)
        return np.asarray(whole * sums[-1] + np.interp(rest, edges, sums), np.float64)


def time_text_exact(microseconds: float) -> str:
    """A time of whole hours."""
    hours = round(microseconds / HOUR)
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def _exposure(spans: Sequence[tuple[float, float]], period: float, bins: int) -> Numbers:
    """How long each hour of the period was looked at."""
    found = np.zeros(bins)
    edges = np.arange(bins + 1) * HOUR
    for begin, end in spans:
        for time, sign in ((end, 1.0), (begin, -1.0)):
            whole, rest = divmod(time, period)
            found += sign * (whole * HOUR + np.clip(rest - edges[:-1], 0.0, HOUR))
    return found


def _likelihood(count: float, length: float) -> float:
    """The greatest logarithm of the likelihood of a constant rate."""
    return count * math.log(count / length) - count if count and length else 0.0


def _pieces(counts: Numbers, exposure: Numbers, penalty: float) -> tuple[tuple[int, ...], float]:
    """The ends of the pieces with the least BIC, where a piece has a rate and an end; O(bins²)."""
    n = len(counts)
    sums, lengths = (np.concatenate([[0.0], np.cumsum(each)]) for each in (counts, exposure))
    best, came = np.zeros(n + 1), np.zeros(n + 1, np.int64)
    for end in range(1, n + 1):
        count, length = sums[end] - sums[:end], lengths[end] - lengths[:end]
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = np.where((count > 0) & (length > 0), count * np.log(count / length) - count, 0.0)
        costs = best[:end] - 2 * likelihood + 2 * penalty
        came[end] = int(np.argmin(costs))
        best[end] = costs[came[end]]
    ends = [n]
    while came[ends[-1]]:
        ends.append(int(came[ends[-1]]))
    # The last piece ends where the period does, which is no choice.
    return tuple(reversed(ends)), float(best[n] - penalty)


def _from_exponential(shape: _Shape, moments: Sequence[Numbers]) -> float:
    gaps = np.sort(np.concatenate([np.diff(shape.expected(each)) for each in moments]))
    below, n = -np.expm1(-gaps), len(gaps)
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - below), np.max(below - steps[:-1])))
