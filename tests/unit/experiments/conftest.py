"""A queue at a desk, small enough to be simulated many times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.experiments.sweep_result import Sweep

DESK = {
    "name": "desk",
    "initial_state": "served",
    "activities": {"serve": {"pool": "clerks", "retry_policy": {"max_attempts": 2, "initial_interval": "1s"}}},
    "states": [
        {"name": "served", "activity": "serve", "timeout": "10m"},
        {"name": "gone", "is_terminal": True},
        {"name": "lost", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "served", "to": "gone", "event": "done"},
        {"from": "served", "to": "lost", "event": "timeout"},
        {"from": "served", "to": "lost", "event": "error"},
    ],
}
PLAN: dict[str, Any] = {
    "workflow": "desk",
    "arrivals": {"poisson": "90/h"},
    "activities": {
        "serve": {
            "duration": {"exponential": {"mean": "1m"}},
            "failures": [
                {"error_type": "Rude", "probability": 0.1},
                {"error_type": "Late", "probability": 0.1},
                {"error_type": "Lost", "probability": 0.1},
            ],
        }
    },
    "pools": {"clerks": {"capacity": 2}},
    "warm_up": "0s",
    "cases": 15,
    "replications": 2,
    "seed": 5,
}


@pytest.fixture(scope="session")
def desk() -> wf.Workflow:
    return wf.Workflow.model_validate(DESK)


@pytest.fixture(scope="session")
def plan() -> wf.Scenario:
    return wf.Scenario.model_validate(PLAN)


OVER = {"pools.clerks.capacity": [1, 3]}
"""What most sweeps of these tests go over."""


@pytest.fixture(scope="session")
def swept_at_the_desk(desk: wf.Workflow, plan: wf.Scenario) -> Sweep:
    """The sweep over `OVER` as it comes out when nothing happens to it."""
    return wf.sweep(desk, plan, over=OVER)


@pytest.fixture(scope="session")
def set_at_the_desk(desk: wf.Workflow, plan: wf.Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a data set, in a folder that tests copy before they change it."""
    folder = tmp_path_factory.mktemp("desk") / "set"
    wf.sweep(desk, plan, over=OVER, into=folder)
    return folder
