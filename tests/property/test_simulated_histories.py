"""Random workflows under their default scenario: every case replays exactly, and a second run is the same."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import workflows
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.simulate.default import default_scenario
from wfsim.simulate.engine import Simulation

CASES = 3
# An hour: a random workflow may go in circles every two seconds, and after 100,000 steps a case is given up.
HOUR = 60 * 60 * 1_000_000

Simulated = list[tuple[Workflow, int]]


def simulated(all_of_them: Simulated) -> History:
    """One history with a run for each workflow and seed: opening a history costs more than such a run."""
    first, seed = all_of_them[0]
    with HistoryWriter(None, first, compile_workflow(first), seed=seed) as writer:
        for number, (workflow, seed) in enumerate(all_of_them):
            program, scenario = compile_workflow(workflow), default_scenario(workflow)
            if number:
                writer.new_run(workflow=workflow, program=program, seed=seed)
            simulation = Simulation(
                program, scenario, seed=seed, replication=0, cases=CASES, horizon=HOUR, sink=writer.append
            )
            assert simulation.run().complete
        return writer.finish()


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.lists(st.tuples(workflows(undo=True), st.integers(0, 2**32)), min_size=4, max_size=4))
def test_the_histories_of_random_scenarios_replay_exactly_and_repeat(all_of_them: Simulated) -> None:
    with simulated(all_of_them) as history:
        report = replay_all(history)
        assert report, str(report)
        assert (report.n_cases, report.n_records) == (CASES * len(all_of_them), len(history))
        assert len(history) >= report.n_cases
        digest = history.digest
    with simulated(all_of_them) as again:
        assert again.digest == digest
