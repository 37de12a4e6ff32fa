"""What holds in every run is looked at in every run of these tests."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest

import wfsim as wf
from tests import flow


@pytest.fixture(autouse=True)
def flows_hold_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little's law and balance of flow, wherever a history tells of every record."""
    real = wf.simulate

    @wraps(real)
    def simulate(*given: Any, **more: Any) -> wf.History:
        history = real(*given, **more)
        if all(run.log == "full" for run in history.runs):
            flow.flows(history)
        return history

    monkeypatch.setattr(wf, "simulate", simulate)
