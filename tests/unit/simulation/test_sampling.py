"""Own functions against the platform's, and samples against their distributions."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import special

from tests.random_cases import cases
from wfsim.semantics import quantiles
from wfsim.simulation import sampling
from wfsim.simulation.distributions import Distribution

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
    ("law", "mean", "variance"),
    [
        (sampling.exponential(10.0), 10.0, 100.0),
        (sampling.uniform(2.0, 6.0), 4.0, 16 / 12),
        (sampling.triangular(0.0, 3.0, 9.0), 4.0, (81 + 9 - 27) / 18),
        (sampling.normal(50.0, 2.0), 50.0, 4.0),
        (sampling.lognormal(1.0, 0.5), math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)),
        (sampling.weibull(2.0, 1.0), 2.0, 4.0),
        (sampling.empirical([1.0, 5.0], [3.0, 1.0]), 2.0, 3.0),
        (sampling.gamma(3.0, 6.0), 6.0, 12.0),
        (sampling.gamma(0.5, 2.0), 2.0, 8.0),
        (sampling.mixture([sampling.exponential(1.0), sampling.exponential(9.0)], [3.0, 1.0]), 3.0, 33.0),
        (sampling.mixture([sampling.constant(1.0), sampling.uniform(4.0, 6.0)], [1.0, 1.0]), 3.0, 4 + 1 / 6),
    ],
)
def test_samples_have_the_mean_and_variance_of_their_distribution(
    law: sampling.Law, mean: float, variance: float
) -> None:
    values = [law.sample(u) for u in POINTS]
    assert statistics.fmean(values) == pytest.approx(mean, rel=2e-3)
    assert statistics.pvariance(values) == pytest.approx(variance, rel=2e-2)


@pytest.mark.parametrize("shape", [0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 7.0, 16.5, 300.0, 10_000.0])
def test_the_gamma_quantile_agrees_with_scipy(shape: float) -> None:
    factorial = quantiles.log_gamma(shape + 1.0)
    assert factorial == pytest.approx(special.gammaln(shape + 1.0), rel=1e-13, abs=2e-14)
    shares = [2.0**-53, 1e-9, 1e-3, *(k / 40 for k in range(1, 40)), 1.0 - 1e-3, 1.0 - 1e-9, 1.0 - 2.0**-53]
    for u in shares:
        exact = special.gammaincinv(shape, u) if u <= 0.5 else special.gammainccinv(shape, 1.0 - u)
        assert quantiles.gamma_quantile(shape, factorial, u) == pytest.approx(exact, rel=1e-9, abs=1e-290), u
    assert quantiles.gamma_quantile(shape, factorial, 0.0) == 0.0


@cases(200)
@given(st.floats(0.01, 10_000.0), st.floats(0.0, 1.0 - 2.0**-53))
def test_the_gamma_quantile_is_found_for_every_shape_and_share(shape: float, u: float) -> None:
    x = quantiles.gamma_quantile(shape, quantiles.log_gamma(shape + 1.0), u)
    assert special.gammainc(shape, x) == pytest.approx(u, rel=1e-9, abs=1e-12) or x < 1e-290


def test_a_mixture_draws_from_each_part_as_if_it_were_alone() -> None:
    parts = [sampling.uniform(0.0, 1.0), sampling.uniform(10.0, 11.0)]
    mixed = sampling.mixture(parts, [1.0, 3.0])
    assert [mixed.sample(u) for u in (0.0, 0.125, 0.25, 0.625)] == [0.0, 0.5, 10.0, 10.5]
    assert sampling.mixture([sampling.constant(7.0), *parts], [1.0, 0.0, 1e-40]).sample(1.0 - 2.0**-53) == 7.0


def test_a_lognormal_by_mean_and_cv_has_them() -> None:
    law = Distribution.model_validate({"lognormal": {"mean": "10s", "cv": 0.5}}).sampler()
    values = [law.sample(u) for u in POINTS]
    assert statistics.fmean(values) == pytest.approx(10e6, rel=2e-3)
    assert statistics.pstdev(values) == pytest.approx(5e6, rel=1e-2)


@pytest.mark.parametrize(
    ("family", "parameters", "told"),
    [
        ("erlang", {"shape": 1.5, "mean": "9s"}, "expected a whole number, found the number 1.5"),
        ("erlang", {"shape": 0, "mean": "9s"}, "greater than or equal to 1"),
        ("gamma", {"shape": math.nan, "mean": "9s"}, "finite number"),
        ("gamma", {"shape": 2.0, "mean": "-9s"}, "'-9s' is not a duration"),
        ("lognormal", {"mean": "9s"}, "lognormal takes median and sigma, or mean and cv, not mean"),
        ("lognormal", {"median": "9s", "cv": 1.0}, "takes median and sigma, or mean and cv, not cv, median"),
        ("hyperexponential", {"means": ["1s"], "weights": [1, 2]}, "1 means have 2 weights"),
        ("hyperexponential", {"means": ["1s", "2s"], "weights": [0, 0]}, "the means all have weight 0"),
        ("hyperexponential", {"means": ["1s"], "weights": [-1]}, "greater than or equal to 0"),
        ("mixture", {"of": []}, "at least 1 item"),
        ("mixture", {"of": [{"weight": 1}]}, r"a distribution is one of .*; found none"),
        ("mixture", {"of": [{"weight": 0, "constant": "1s"}]}, "the parts of the mixture all have weight 0"),
        ("mixture", {"of": [{"weight": math.nan, "constant": "1s"}]}, "finite number"),
    ],
)
def test_parameters_that_make_no_distribution_are_refused(family: str, parameters: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Distribution.model_validate({family: parameters})


def test_durations_are_never_negative() -> None:
    assert min(sampling.normal(1.0, 5.0).sample(u) for u in POINTS) == 0.0
