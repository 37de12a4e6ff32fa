"""Why the compiled calendar returns to Python, counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from wfsim.simulation.compiled import run


def counted_returns(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often it returns from now on, by `compiled.returns`."""
    asked: Counter[int] = Counter()
    ready = run.SIMULATE.ready

    def counting(*arguments: Any) -> Any:
        simulate = ready(*arguments)

        def counted(*given: Any) -> Any:
            why = simulate(*given)
            asked[int(why)] += 1
            return why

        return counted

    monkeypatch.setattr(run.SIMULATE, "ready", counting)
    return asked
