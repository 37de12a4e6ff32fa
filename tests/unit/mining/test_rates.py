"""When cases come: known arrivals are found again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import wfsim as wf
from wfsim.mining.rates import Coming, fit_arrivals, rate_text
from wfsim.simulation.arrivals import Arrivals

ONE = wf.loads("{name: one, version: 1.0.0, initial_state: a, states: [{name: a, is_terminal: true}]}")


def coming(arrivals: dict[str, Any], cases: int = 3_000, replications: int = 1) -> Coming:
    scenario = {"arrivals": arrivals, "cases": cases, "seed": 5, "replications": replications}
    history = wf.simulate(ONE, wf.Scenario.model_validate(scenario), engine="python", progress=False)
    rows = history.sql("SELECT run, started FROM durations ORDER BY run, started").df()
    times = [own["started"].to_numpy(np.float64) for _, own in rows.groupby("run")]
    found = fit_arrivals(times, [0.0] * len(times))
    Arrivals.model_validate(found.written)
    return found


def per_hour(rate: str) -> float:
    number, unit = rate.split("/")
    return float(number) * {"m": 60, "h": 1, "d": 1 / 24, "w": 1 / 168}[unit]


def test_one_rate_is_poisson() -> None:
    found = coming({"poisson": "12/h"})
    assert found.family == "poisson"
    assert per_hour(found.written["poisson"]) == pytest.approx(12, rel=0.06)
    assert found.distance < 0.03


def test_other_times_between_are_a_renewal() -> None:
    found = coming({"renewal": {"erlang": {"shape": 3, "mean": "10m"}}})
    assert found.family == "renewal, erlang"
    assert found.written["renewal"]["erlang"]["shape"] == 3


def test_equal_times_between_are_every() -> None:
    assert coming({"every": "30s"}, 100).written == {"every": "30s"}


def test_a_day_is_found_in_its_pieces() -> None:
    pieces = [("8h", 0), ("12h", 20), ("18h", 10), ("24h", 1)]
    found = coming({"rates": [{"until": until, "rate": f"{rate}/h"} for until, rate in pieces], "repeat": "24h"})
    assert found.family == "rates by the hour of the day"
    assert [each["until"] for each in found.written["rates"]] == ["8h", "12h", "18h", "1d"]
    assert found.written["repeat"] == "1d"
    for each, (_, rate) in zip(found.written["rates"], pieces, strict=True):
        assert per_hour(each["rate"]) == pytest.approx(rate, rel=0.2)
    assert found.p > 0.01


def test_a_week_is_found_over_several_runs() -> None:
    rates = [{"until": "5d", "rate": "4/h"}, {"until": "7d", "rate": "0.5/h"}]
    found = coming({"rates": rates, "repeat": "7d"}, 1_500, replications=2)
    assert found.family == "rates by the hour of the week"
    assert [each["until"] for each in found.written["rates"]] == ["5d", "7d"]
    assert [per_hour(each["rate"]) for each in found.written["rates"]] == pytest.approx([4, 0.5], rel=0.15)


def test_what_comes_together_is_a_batch() -> None:
    found = coming({"poisson": "12/h", "batch": {"size": {"choice": [1, 2, 5], "weights": [6, 3, 1]}}})
    assert per_hour(found.written["poisson"]) == pytest.approx(12, rel=0.12)
    size = found.written["batch"]["size"]
    assert size["choice"] == [1, 2, 5]
    assert np.array(size["weights"]) / sum(size["weights"]) == pytest.approx([0.6, 0.3, 0.1], abs=0.04)


def test_one_case_comes_when_it_came() -> None:
    assert coming({"at": ["7s"]}, 1).written == {"at": ["7s"]}


@pytest.mark.parametrize(
    ("rate", "text"), [(1 / 1e6, "1/s"), (1 / 60e6, "1/m"), (1.5 / 3_600e6, "1.5/h"), (1e-16, "0.00006048/w")]
)
def test_a_rate_is_written_in_a_unit_in_which_people_can_read_it(rate: float, text: str) -> None:
    assert rate_text(rate) == text
