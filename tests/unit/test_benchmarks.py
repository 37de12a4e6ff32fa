"""Benchmarks that need nobody else measure something, of a few cases: what they call is nothing that users call."""

from __future__ import annotations

import math
from types import ModuleType

import pytest

from tests.benchmarks import lists, models


@pytest.mark.parametrize("benchmark", [lists, models], ids=["lists", "models"])
def test_they_measure(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("CASES", 10), ("LARGER", 2), ("STEPS", 100), ("RUNS", 1)):
        if hasattr(benchmark, name):
            monkeypatch.setattr(benchmark, name, number)
    measured = benchmark.measure()
    rates = [each.value for each in measured if each.unit in ("rows/s", "times")]
    assert len(rates) >= 3
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)
