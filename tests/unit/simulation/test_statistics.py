"""Intervals, quantiles and warm-up against plain formulas, and against how often they hold what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from wfsim.simulation.statistics import (
    Method,
    average_over_time,
    mean_of,
    mser5,
    quantile_of,
    share_of,
    student,
)

Numbers = NDArray[np.float64]


def correlated(seed: int, n: int, memory: float) -> Numbers:
    """A stationary series in which each value remembers the one before: AR(1), mean 0, deviation 1."""
    draws = np.random.default_rng(seed).standard_normal(n)
    values = np.empty(n)
    values[0] = draws[0]
    for k in range(1, n):
        values[k] = memory * values[k - 1] + math.sqrt(1 - memory**2) * draws[k]
    return values


def test_the_mean_over_replications_has_students_interval() -> None:
    runs = [np.array([1.0, 3.0]), np.array([4.0]), np.array([]), np.array([5.0, 5.0, 8.0])]
    found = mean_of(runs, 0.9)
    expected = stats.ttest_1samp([2.0, 4.0, 6.0], 0.0).confidence_interval(0.9)
    assert (found.value, found.n, found.method) == (4.0, 6, Method.REPLICATIONS)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.half_width == pytest.approx(expected.high - 4.0)


def test_the_mean_of_one_run_has_the_interval_of_its_twenty_batches() -> None:
    values = np.random.default_rng(3).exponential(size=200)
    expected = stats.ttest_1samp(values.reshape(20, 10).mean(axis=1), 0.0).confidence_interval(0.95)
    found = mean_of([values], 0.95)
    assert (found.value, found.method, found.note) == (pytest.approx(values.mean()), Method.BATCHES, "")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_batches_of_unequal_size_leave_nothing_out() -> None:
    values = np.arange(53.0)
    found = mean_of([values], 0.95)
    assert (found.value, found.n) == (pytest.approx(26.0), 53)


def test_batches_that_depend_on_each_other_are_told() -> None:
    assert "batches are correlated (0.8" in mean_of([np.arange(100.0)], 0.95).note
    assert mean_of([correlated(1, 20_000, 0.5)], 0.95).note == ""


@pytest.mark.parametrize("series", [[np.arange(9.0)], [np.arange(9.0), np.array([])]])
def test_a_mean_of_too_little_has_a_reason_in_place_of_an_interval(series: list[Numbers]) -> None:
    found = mean_of(series, 0.95)
    assert (found.value, found.low, found.high, found.method) == (4.0, None, None, Method.NONE)
    assert found.note in ("9 of the 10 observations needed", "one replication has something to say")
    assert math.isnan(found.half_width)
    assert average_over_time(np.arange(20.0), 0.95, 9).low is None


@pytest.mark.parametrize("series", [[], [np.array([])], [np.array([]), np.array([])]])
def test_nothing_has_no_mean_and_no_quantile(series: list[Numbers]) -> None:
    for found in (mean_of(series, 0.95), quantile_of(series, 0.5, 0.95)):
        assert math.isnan(found.value)
        assert (found.n, found.low, found.note) == (0, None, "no observations")


@pytest.mark.parametrize("truth", [False, True])
def test_a_share_of_all_or_none_is_no_certainty(truth: bool) -> None:
    found = share_of([np.full(30, truth), np.full(20, truth)], 0.95)
    exact = stats.binomtest(50 * truth, 50).proportion_ci(0.95, "exact")
    assert (found.value, found.method) == (float(truth), Method.EXACT)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_a_quantile_of_independent_values_lies_between_the_ranks_of_the_binomial() -> None:
    values = np.random.default_rng(5).permutation(np.arange(1.0, 1001.0))
    for p in (0.5, 0.9, 0.95, 0.99):
        found = quantile_of([values], p, 0.95)
        assert found.low is not None
        assert found.high is not None
        assert found.method is Method.ORDER
        low, high = stats.binom.ppf([0.025, 0.975], 1000, p)
        # Values are their own ranks. Wider at most as chance lets the batches differ.
        assert found.low <= low
        assert found.high >= high + 1
        assert stats.binom.cdf(high, 1000, p) - stats.binom.cdf(low - 1, 1000, p) >= 0.95
        assert found.high - found.low <= 2.0 * (high + 1 - low)


def test_a_quantile_far_out_says_how_many_observations_it_needs() -> None:
    found = quantile_of([np.random.default_rng(1).random(300)], 0.99, 0.95)
    assert (found.low, found.high, found.note) == (None, None, "300 observations; about 368 are needed")
    assert 0.99**368 <= 0.025 < 0.99**367


def test_quantiles_over_replications_have_students_interval() -> None:
    found = quantile_of([np.arange(11.0), np.arange(11.0) + 2.0], 0.5, 0.95)
    assert (found.value, found.method) == (6.0, Method.REPLICATIONS)
    assert found.half_width == pytest.approx(student(0.95, 1))


def test_intervals_of_correlated_series_hold_the_truth_about_as_often_as_they_say() -> None:
    """300 series of 4,000 values, each 0.9 of the one before; seeds 0 to 299, none chosen.

    A 90 % interval that keeps its word holds the truth in 255 to 285 of 300 (99.9 % of the binomial distribution); for
    quantiles, which are widened only, more is allowed. Intervals for independent values hold it in under 150.
    """
    means = medians = naive = 0
    for seed in range(300):
        values = correlated(seed, 4_000, 0.9)
        mean, median = mean_of([values], 0.9), quantile_of([values], 0.5, 0.9)
        means += abs(mean.value) <= mean.half_width
        assert median.low is not None
        assert median.high is not None
        medians += median.low <= 0.0 <= median.high
        naive += abs(mean.value) <= 1.645 * float(np.std(values)) / math.sqrt(4_000)
    low, high = stats.binom.ppf([0.0005, 0.9995], 300, 0.9)
    assert low <= means <= high
    assert low <= medians
    assert naive < 150


def test_mser5_cuts_where_its_formula_is_least() -> None:
    values = np.random.default_rng(7).standard_normal(333)
    values[:60] += np.linspace(8.0, 0.0, 60)
    means = values[:330].reshape(66, 5).mean(axis=1)
    errors = [float(np.sum((means[d:] - means[d:].mean()) ** 2)) / (66 - d) ** 2 for d in range(34)]
    found = mser5(values)
    assert (found.n, found.settled) == (5 * int(np.argmin(errors)), True)
    assert 35 <= found.n <= 80


def test_mser5_says_when_a_series_has_not_settled_and_does_not_judge_a_short_one() -> None:
    assert mser5(np.arange(1000.0)).settled is False
    assert (mser5(np.arange(49.0)).n, mser5(np.full(1000, 3.0)).n) == (0, 0)
