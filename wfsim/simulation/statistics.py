"""What a number from a simulation is worth: intervals over replications or batch means, quantiles, warm-up.

docs/statistics.md says what is used where, and why. Series are in the order in which their cases started.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

N_BATCHES = 20
"""Between the 10 and 30 that Schmeiser (1982) found enough and not too many."""
FEWEST = 10
"""Of one run, with fewer observations there is no interval."""
MSER_BATCH = 5


class Method(StrEnum):
    """Where an interval comes from."""

    REPLICATIONS = "replications"
    BATCHES = "batch means"
    ORDER = "order statistics"
    EXACT = "binomial"
    WELCH = "Welch"
    APART = "intervals of either side"
    BOOTSTRAP = "bootstrap"
    NONE = "none"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    value
        The estimate; NaN where there is nothing to estimate from.
    low, high
        The interval; `None` if there is not enough to say.
    n
        How many observations it is from.
    method
        Where the interval comes from.
    note
        Why there is no interval, or why it should be doubted; empty if neither.
    error, freedom
        The standard error and its degrees of freedom, where the interval is Student's and was just made; else NaN and
        0. They say no more than the interval does, so estimates are equal without them.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    method: Method
    note: str = ""
    error: float = field(default=math.nan, compare=False)
    freedom: int = field(default=0, compare=False)

    @property
    def half_width(self) -> float:
        """Half the length of the interval; NaN without one."""
        return math.nan if self.low is None or self.high is None else (self.high - self.low) / 2

    def within(self, least: float, most: float) -> Estimate:
        """The same with its interval cut to what is possible."""
        if self.low is None or self.high is None:
            return self
        return replace(self, low=max(self.low, least), high=min(self.high, most))


def student(level: float, freedom: float) -> float:
    """The two-sided quantile of Student's t."""
    return float(special.stdtrit(freedom, 0.5 + level / 2))


def over_replications(values: Numbers, level: float, n: int) -> Estimate:
    """The mean of one number per replication, with Student's t; `n` observations are behind them."""
    runs = len(values)
    if runs < 2:
        return Estimate(_mean(values), None, None, n, Method.NONE, "one replication has something to say")
    return _students(float(np.mean(values)), values, level, n, Method.REPLICATIONS)


def over_batches(means: Numbers, sizes: NDArray[np.int64], level: float) -> Estimate:
    """The mean of one run from the means of its batches, in order, which are taken for independent.

    If they are not (their lag-1 autocorrelation is above what chance gives in one of twenty), the note says so.
    """
    n, batches = int(np.sum(sizes)), len(means)
    if n == 0:
        return nothing()
    mean = float(np.average(means, weights=sizes))
    if n < FEWEST:
        return Estimate(mean, None, None, n, Method.NONE, _too_few(n))
    lag = autocorrelation(means)
    note = (
        ""
        if lag <= 1.645 / math.sqrt(batches)
        else f"batches are correlated ({lag:.2f}): the interval is likely too short"
    )
    return replace(_students(mean, means, level, n, Method.BATCHES), note=note)


def _students(mean: float, values: Numbers, level: float, n: int, method: Method) -> Estimate:
    """Student's interval of a mean from independent values."""
    freedom = len(values) - 1
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = student(level, freedom) * error
    return Estimate(mean, mean - half, mean + half, n, method, error=error, freedom=freedom)


def average_over_time(values: Numbers, level: float, n: int) -> Estimate:
    """A time average of one run from those of equal parts of its time; `n` observations are behind them."""
    if n < FEWEST:
        return Estimate(_mean(values), None, None, n, Method.NONE, _too_few(n))
    return replace(over_batches(values, np.full(len(values), n, np.int64), level), n=n)


def ratios(values: Numbers, whole: Numbers) -> Numbers:
    """Numbers whose mean is the sum of the values by that of the wholes, and whose spread is that of this ratio.

    Where the wholes are alike these are their ratios; else the ratio estimator's, to first order (Cochran 1977, 6.3).
    """
    ratio = np.sum(values) / np.sum(whole)
    return np.asarray(ratio + (values - ratio * whole) / np.mean(whole), np.float64)


def nothing() -> Estimate:
    """Where there is nothing to estimate from."""
    return Estimate(math.nan, None, None, 0, Method.NONE, "no observations")


def batched(values: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """Means and sizes of the batches of a series, in order; the sizes differ by one at most."""
    edges = batch_edges(len(values))
    sizes = np.diff(edges)
    if len(values) == 0:
        return np.empty(0), sizes
    return np.add.reduceat(values.astype(np.float64), edges[:-1]) / sizes, sizes


def batch_edges(n: int) -> NDArray[np.int64]:
    """Where the batches of `n` observations begin, and `n`."""
    batches = min(N_BATCHES, n)
    return np.arange(batches + 1, dtype=np.int64) * n // max(batches, 1)


def autocorrelation(values: Numbers) -> float:
    """Of neighbours (lag 1); 0 where nothing varies."""
    off = values - np.mean(values)
    spread = float(np.sum(off**2))
    return float(np.sum(off[1:] * off[:-1])) / spread if spread > 0.0 else 0.0


def share_of(hits: list[NDArray[np.bool_]], level: float) -> Estimate:
    """The share of observations that are true, one series per run.

    Where all are alike no batch differs from another, which is no certainty: then the interval is Clopper and
    Pearson's, for independent observations.
    """
    every = np.concatenate(hits) if hits else np.empty(0, np.bool_)
    n, found = len(every), int(np.sum(every))
    if n >= FEWEST and found in (0, n):
        tail = ((1 - level) / 2) ** (1 / n)
        low, high = (0.0, 1 - tail) if found == 0 else (tail, 1.0)
        return Estimate(found / n, low, high, n, Method.EXACT)
    return mean_of([each.astype(np.float64) for each in hits], level)


def mean_of(series: list[Numbers], level: float) -> Estimate:
    """The mean over series, one per run: over replications if there are several, else by batch means."""
    if len(series) == 1:
        return over_batches(*batched(series[0]), level)
    used = [each for each in series if len(each)]
    if not used:
        return nothing()
    return over_replications(np.array([np.mean(each) for each in used]), level, sum(map(len, used)))


@dataclass(frozen=True)
class Paired:
    """What pairs of observations tell of a difference, or those of either side.

    Attributes
    ----------
    first, second
        Of either side: means over the pairs; without pairs any number.
    difference
        Second minus first.
    correlation
        Of the means of replications, or of batches; NaN where one side does not vary, or nothing is paired.
    shorter
        By which part the interval is shorter than that of as many independent observations; negative if it is longer,
        NaN without intervals or pairs.
    """

    first: float
    second: float
    difference: Estimate
    correlation: float
    shorter: float


def paired(first: list[Numbers], second: list[Numbers], level: float) -> Paired:
    """The difference of means of pairs, in series of equal length, one per run [1]_.

    Over replications if there are several, else by batch means of the differences.

    References
    ----------
    .. [1] Law (2015), Simulation Modeling and Analysis, 5th edition, 10.2.1 and 11.2.
    """
    apart = [b - a for a, b in zip(first, second)]
    difference = mean_of(apart, level)
    if difference.n and not any(np.any(each) for each in apart):
        difference = replace(difference, note="no pair differs")
    one, other = _means(first), _means(second)
    means = (_mean(first[0]), _mean(second[0])) if len(first) == 1 else (_mean(one), _mean(other))
    if difference.low is None:
        return Paired(*means, difference, math.nan, math.nan)
    spread_one, spread_other = float(np.std(one, ddof=1)), float(np.std(other, ddof=1))
    varies = spread_one > 0.0 and spread_other > 0.0
    correlation = float(np.corrcoef(one, other)[0, 1]) if varies else math.nan
    unpaired = student(level, 2 * len(one) - 2) * math.hypot(spread_one, spread_other) / math.sqrt(len(one))
    shorter = 1 - difference.half_width / unpaired if unpaired > 0.0 else math.nan
    return Paired(*means, difference, correlation, shorter)


def unpaired(first: Estimate, second: Estimate, level: float) -> Paired:
    """The difference of two numbers from observations that have nothing to do with each other.

    Where both have a standard error the interval is Welch's [1]_, with Satterthwaite's degrees of freedom. Else, as for
    quantiles of one run and for shares of 0 and 1, it is made of the intervals of either side: the distances of the
    ends from the values are squared and added [2]_.

    References
    ----------
    .. [1] Welch (1947), The generalization of "Student's" problem, Biometrika 34(1–2), 28–35.
    .. [2] Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine
       27(10), 1693–1702.
    """
    apart, n = second.value - first.value, first.n + second.n
    note = "; ".join(f"{side}: {one.note}" for side, one in (("A", first), ("B", second)) if one.note)
    if first.low is None or first.high is None or second.low is None or second.high is None:
        difference = Estimate(apart, None, None, n, Method.NONE, note)
    elif first.freedom and second.freedom:
        squares = first.error**2, second.error**2
        total = math.fsum(squares)
        parts = squares[0] ** 2 / first.freedom + squares[1] ** 2 / second.freedom
        freedom = total**2 / parts if parts > 0.0 else float(first.freedom + second.freedom)
        half = student(level, freedom) * math.sqrt(total)
        difference = Estimate(apart, apart - half, apart + half, n, Method.WELCH, note, math.sqrt(total), int(freedom))
    else:
        down = math.hypot(second.value - second.low, first.high - first.value)
        up = math.hypot(second.high - second.value, first.value - first.low)
        difference = Estimate(apart, apart - down, apart + up, n, Method.APART, note)
    return Paired(first.value, second.value, difference, math.nan, math.nan)


def quantile_of(series: list[Numbers], p: float, level: float) -> Estimate:
    """A quantile over series, one per run.

    Over replications if there are several. Of one run from its order statistics, by the binomial distribution, widened
    where the cases depend on each other: by the batch means of who is below the quantile.
    """
    used = [each for each in series if len(each)]
    if not used:
        return nothing()
    if len(series) > 1:
        return over_replications(np.array([np.quantile(each, p) for each in used]), level, sum(map(len, used)))
    (values,) = used
    n, value = len(values), float(np.quantile(values, p))
    if n < FEWEST:
        return Estimate(value, None, None, n, Method.NONE, _too_few(n))
    tail = (1 - level) / 2
    below, _ = batched((values <= value).astype(np.float64))
    spread = student(level, len(below) - 1) * float(np.std(below, ddof=1)) / math.sqrt(len(below))
    # Ranks from 1.
    low = min(_binomial_quantile(tail, n, p), math.floor(n * (p - spread)))
    high = max(_binomial_quantile(1 - tail, n, p) + 1, math.ceil(n * (p + spread)) + 1)
    if low < 1 or high > n:
        needed = math.ceil(max(math.log(tail) / math.log(p), math.log(tail) / math.log(1 - p)))
        if n < needed:
            why = f"{n:,} observations; about {needed:,} are needed"
        else:
            why = "the observations depend too much on each other"
        return Estimate(value, None, None, n, Method.NONE, why)
    ordered = np.sort(values)
    return Estimate(value, float(ordered[low - 1]), float(ordered[high - 1]), n, Method.ORDER)


def _binomial_quantile(probability: float, n: int, p: float) -> int:
    """The least number of hits that is reached or undercut with this probability."""
    return max(math.ceil(float(special.bdtrik(probability, n, p)) - 1e-9), 0)


def _too_few(n: int) -> str:
    return f"{n} of the {FEWEST} observations needed"


def _means(series: list[Numbers]) -> Numbers:
    """Of the batches of one run, or of each run of several."""
    return batched(series[0])[0] if len(series) == 1 else np.array([np.mean(each) for each in series if len(each)])


def _mean(values: Numbers) -> float:
    return float(np.mean(values)) if len(values) else math.nan


@dataclass(frozen=True)
class Truncation:
    """What MSER-5 leaves out at the beginning of a series.

    Attributes
    ----------
    n
        How many observations.
    settled
        Whether the rest looks steady: not so if the best place to cut is the last that was tried, half of the series.
    """

    n: int
    settled: bool


def mser5(values: Numbers) -> Truncation:
    """How much of the beginning to leave out: what makes the interval of the rest shortest.

    Notes
    -----
    Marginal standard error rule on means of five [1]_ [2]_: the cut d minimises the sum of squares of what is left,
    divided by the square of its number; at most half is cut. Fewer than 50 observations are not judged.

    References
    ----------
    .. [1] White (1997), Simulation 69(6), 323–334.
    .. [2] Franklin and White (2008), Stationarity tests and MSER-5, Winter Simulation Conference, 541–546.
    """
    n = len(values) // MSER_BATCH
    if n < FEWEST:
        return Truncation(0, True)
    means = values[: n * MSER_BATCH].astype(np.float64).reshape(n, MSER_BATCH).mean(axis=1)
    means -= means.mean()
    left = np.arange(n, 0, -1, dtype=np.float64)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    last = n // 2
    cut = int(np.argmin(errors[: last + 1]))
    return Truncation(cut * MSER_BATCH, cut < last)
