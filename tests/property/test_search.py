"""The explorer on random definitions of the whole language: it does not stumble, and what it finds replays."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given

from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.model.workflow import Workflow
from wfsim.verification.workflows.space import explore_workflow
from wfsim.verification.workflows.told import witness_to


@cases(12, unchecked=[HealthCheck.filter_too_much])
@given(workflows(regions=True))
def test_the_way_to_every_state_found_replays(workflow: Workflow) -> None:
    # The search lets clocks run out at any moment, so of deadlines it may find ways that no run takes.
    assume(all(activity.schedule_to_close is None for activity in workflow.activities.values()))
    space = explore_workflow(workflow, max_states=60, max_seconds=5)
    for number in range(space.n_states):
        witness = witness_to(space, number)
        assert witness.replay()[-1].configuration == space.instance(number).configuration
