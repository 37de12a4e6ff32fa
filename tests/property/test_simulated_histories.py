"""Random workflows under their default scenario: every case replays exactly, and a second run is the same."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wfsim as wf
from tests.strategies import workflows
from wfsim.history.replay import replay_all
from wfsim.history.simulate import simulate
from wfsim.model.workflow import Workflow

CASES = 3


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(workflows(), st.integers(0, 2**32))
def test_the_histories_of_random_scenarios_replay_exactly_and_repeat(workflow: Workflow, seed: int) -> None:
    scenario = wf.default_scenario(workflow).model_copy(update={"seed": seed})
    with simulate(workflow, scenario, cases=CASES, horizon="1d") as history:
        report = replay_all(history)
        assert report, str(report)
        assert (report.n_cases, report.n_records) == (CASES, len(history))
        assert len(history) >= CASES
        digest = history.digest
    with simulate(workflow, scenario, cases=CASES, horizon="1d") as again:
        assert again.digest == digest
