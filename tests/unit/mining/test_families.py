"""Families of times: samples of known laws give them back, and what fits none is told."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from wfsim.mining.competing import fit_competing
from wfsim.mining.families import Cut, fit_times, time_text
from wfsim.model.duration import Duration
from wfsim.simulation.distributions import Distribution

N = 4_000
S = 1e6


def drawn(written: dict[str, Any], n: int = N, seed: int = 1) -> np.ndarray:
    """Times of a distribution of a scenario, as a simulation draws them."""
    law = Distribution.model_validate(written).sampler()
    return np.array([law.sample(u) for u in np.random.default_rng(seed).random(n)])


def parameters(written: dict[str, Any]) -> tuple[str, dict[str, float]]:
    ((family, given),) = written.items()
    return family, {key: Duration.of(each) / S if isinstance(each, str) else float(each) for key, each in given.items()}


LAWS = [
    {"exponential": {"mean": "3m"}},
    {"erlang": {"shape": 4, "mean": "90s"}},
    {"gamma": {"shape": 0.6, "mean": "10m"}},
    {"lognormal": {"median": "2m", "sigma": 0.9}},
    {"weibull": {"scale": "1h", "shape": 2.2}},
    {"normal": {"mean": "20m", "deviation": "1m"}},
    {"uniform": {"low": "1m", "high": "4m"}},
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: next(iter(law)))
def test_a_law_is_found_again_from_what_it_draws(law: dict[str, Any]) -> None:
    """Four standard errors of 4,000 draws are within 8 % of each parameter."""
    found = fit_times(drawn(law))
    assert found.family == next(iter(law))
    for key, value in parameters(law)[1].items():
        assert parameters(found.written)[1][key] == pytest.approx(value, rel=0.08)
    assert found.distance < 1.63 / math.sqrt(N)
    assert found.p > 0.01
    assert Distribution.model_validate(found.written)


@pytest.mark.parametrize("law", LAWS[:5], ids=lambda law: next(iter(law)))
def test_a_law_is_found_again_where_a_timeout_cuts_it(law: dict[str, Any]) -> None:
    times = drawn(law)
    limit = float(np.quantile(times, 0.7))
    whole, n_cut = times[times < limit], int(np.sum(times >= limit))
    found = fit_times(whole, Cut.of(np.full(n_cut, limit)))
    assert found.family == next(iter(law))
    for key, value in parameters(law)[1].items():
        assert parameters(found.written)[1][key] == pytest.approx(value, rel=0.12)
    assert (found.n, found.n_cut) == (len(whole), n_cut)
    biased = fit_times(whole)
    assert biased.written != found.written


def test_times_that_are_all_alike_are_a_constant() -> None:
    assert fit_times([5 * S] * 30).written == "5s"
    assert fit_times([0.0, 0.0]).written == "0s"


def test_few_times_are_taken_as_they_are() -> None:
    found = fit_times([S, 2 * S, 2 * S])
    assert found.written == {"empirical": {"values": ["1s", "2s"], "weights": [1, 2]}}
    assert found.note == "only 3 times"


def test_of_few_times_of_which_others_were_cut_the_exponential_counts_all() -> None:
    found = fit_times([S, 2 * S], Cut.of([7 * S]))
    assert found.written == {"exponential": {"mean": "5s"}}
    assert found.note == "only 2 times; 1 more were cut off"


def test_two_kinds_of_times_are_two_lognormal_distributions() -> None:
    both = np.concatenate([drawn(LAWS[3], 500), drawn({"lognormal": {"median": "2d", "sigma": 0.4}}, 500)])
    found = fit_times(both)
    assert found.family == "two lognormals"
    first, second = found.written["mixture"]["of"]
    assert first["weight"] == pytest.approx(0.5, abs=0.02)
    assert Duration.of(first["lognormal"]["median"]) == pytest.approx(120 * S, rel=0.15)
    assert Duration.of(second["lognormal"]["median"]) == pytest.approx(2 * 86_400 * S, rel=0.1)


def test_what_fits_no_family_is_empirical_and_says_so() -> None:
    found = fit_times(np.repeat(np.array([1.0, 60.0, 3_600.0, 86_400.0]) * S, 100))
    assert found.written == {"empirical": {"values": ["1s", "1m", "1h", "1d"], "weights": [50, 50, 50, 50]}}
    assert found.note.startswith("no family fits: ")


def test_times_of_0_are_a_part_of_a_mixture() -> None:
    found = fit_times(np.concatenate([np.zeros(1_000), drawn(LAWS[0], 3_000)]))
    zero, rest = found.written["mixture"]["of"]
    assert zero == {"weight": 0.25, "constant": "0s"}
    assert rest["weight"] == 0.75
    assert "exponential" in rest
    assert found.note == "1,000 are 0"


def test_simpler_families_are_preferred_where_others_are_no_better() -> None:
    aic = dict(fit_times(drawn(LAWS[0])).aic)
    assert aic["exponential"] <= min(aic.values()) + 2


@pytest.mark.parametrize("value", [0.0, 1.0, 999.0, 1_234_567.0, 3_600e6, 86_400e6 * 3.217, 86_400e6 * 20_000])
def test_a_time_is_written_with_four_of_its_digits(value: float) -> None:
    assert Duration.of(time_text(value)) == pytest.approx(value, rel=5e-4)


def test_events_are_weighed_as_if_none_had_been_cut_off() -> None:
    """One in five cancels, slowly; a timeout leaves out most of these."""
    pay, cancel = drawn(LAWS[3], 8_000), drawn({"exponential": {"mean": "1h"}}, 2_000, seed=2)
    limit = 15 * 60 * S
    times = {"pay": pay[pay < limit], "cancel": cancel[cancel < limit]}
    n_cut = int(np.sum(pay >= limit) + np.sum(cancel >= limit))
    naive = len(times["cancel"]) / sum(map(len, times.values()))
    found = fit_competing(times, np.full(n_cut, limit))
    assert naive < 0.06
    assert found.weights["cancel"] == pytest.approx(0.2, abs=0.05)
    assert sum(found.weights.values()) == pytest.approx(1.0)


def test_what_never_ends_is_told_from_what_takes_long() -> None:
    times, limit = drawn(LAWS[1], 3_000), 240 * S
    slow = int(np.sum(times >= limit))
    stuck = fit_competing({"": times[times < limit]}, np.full(slow + 150, limit), never=True)
    assert stuck.never == pytest.approx(150 / 3_150, abs=0.01)
    assert fit_competing({"": times[times < limit]}, np.full(slow, limit), never=True).never == 0.0
