"""A clock for limits of time that knows no time: it counts how often it is looked at."""

from __future__ import annotations

import pytest

from wfsim.verification.nets import limits


class Looks:
    """In place of the clock of `wfsim.verification.nets.limits`: each look at it takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n = 0
        monkeypatch.setattr(limits, "time", self)

    def monotonic(self) -> float:
        """How often it was looked at."""
        self.n += 1
        return float(self.n)
