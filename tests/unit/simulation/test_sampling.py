"""Own functions against the platform's, and samples against their distributions."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from wfsim.semantics import quantiles
from wfsim.simulation import sampling

POINTS = [(k + 0.5) / 20_000 for k in range(20_000)]


@cases(100)
@given(st.floats(min_value=1e-300, max_value=1e300))
def test_log_agrees_with_the_platform_to_the_last_bits(x: float) -> None:
    assert quantiles.log(x) == pytest.approx(math.log(x), rel=5e-16, abs=1e-16)


@cases(100)
@given(st.floats(min_value=-600, max_value=600))
def test_exp_agrees_with_the_platform_to_the_last_bits(x: float) -> None:
    assert quantiles.exp(x) == pytest.approx(math.exp(x), rel=5e-16)


def test_the_normal_quantile_agrees_with_the_library() -> None:
    exact = statistics.NormalDist()
    assert max(abs(quantiles.normal_quantile(u) - exact.inv_cdf(u)) for u in POINTS) < 1e-13


def test_golden_bits_are_the_same_on_every_machine() -> None:
    assert quantiles.log(3.0).hex() == "0x1.193ea7aad030bp+0"
    assert quantiles.exp(1.0).hex() == "0x1.5bf0a8b14576ap+1"


@pytest.mark.parametrize(
    ("sampler", "mean", "variance"),
    [
        (sampling.exponential(10.0), 10.0, 100.0),
        (sampling.uniform(2.0, 6.0), 4.0, 16 / 12),
        (sampling.triangular(0.0, 3.0, 9.0), 4.0, (81 + 9 - 27) / 18),
        (sampling.normal(50.0, 2.0), 50.0, 4.0),
        (sampling.lognormal(1.0, 0.5), math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)),
        (sampling.weibull(2.0, 1.0), 2.0, 4.0),
        (sampling.empirical([1.0, 5.0], [3.0, 1.0]), 2.0, 3.0),
    ],
)
def test_samples_have_the_mean_and_variance_of_their_distribution(
    sampler: sampling.Sampler, mean: float, variance: float
) -> None:
    values = [sampler(u) for u in POINTS]
    assert statistics.fmean(values) == pytest.approx(mean, rel=2e-3)
    assert statistics.pvariance(values) == pytest.approx(variance, rel=2e-2)


def test_durations_are_never_negative() -> None:
    assert min(sampling.normal(1.0, 5.0)(u) for u in POINTS) == 0.0
