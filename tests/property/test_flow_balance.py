"""Little's law, balance of flow and honest pools in random workflows under random scenarios."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import wfsim as wf
from tests import flow
from tests.random_cases import cases
from tests.scenarios import random_workflows
from wfsim.errors import ScenarioError
from wfsim.history.runs import Origin
from wfsim.history.writer import HistoryWriter
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation import engine, relations
from wfsim.simulation.engine import Simulation
from wfsim.simulation.scenario import Scenario

# As many as share one history: making that costs more than such a run.
SOME = 4
Simulated = tuple[Workflow, Scenario, Catalogue | None]


MODELS = Catalogue("models")


def origin_of(scenario: Scenario) -> Origin:
    return Origin(seed=scenario.seed, scenario=json.dumps(scenario.model_dump(mode="json", exclude_unset=True)))


@cases(5, unchecked=[HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(st.lists(random_workflows(), min_size=SOME, max_size=SOME))
def test_littles_law_and_balance_of_flow_hold_in_every_run(all_of_them: list[Simulated]) -> None:
    programs = [compile_workflow(workflow, known) for workflow, _, known in all_of_them]
    complete = True
    with (
        mock.patch.object(engine, "MOST_STEPS", 300),
        mock.patch.object(relations, "MOST_RELATIVES", 40),
        HistoryWriter(None, programs[0], origin=origin_of(all_of_them[0][1])) as writer,
    ):
        for number, (program, (_, scenario, _)) in enumerate(zip(programs, all_of_them)):
            if number:
                writer.new_run(origin_of(scenario), program)
            simulation = Simulation(program, scenario, sink=writer.append, birth=writer.announce)
            try:
                complete &= simulation.run().complete
            except ScenarioError:
                # Not every value fits where it is put; what happened until then is balanced, too.
                complete = False
        history = writer.finish()
    with history:
        flow.flows(history)
        # Of a case that was given up nobody records that its workers go.
        if complete:
            flow.pools(history)


@pytest.mark.parametrize("name", [file.name.split(".")[0] for file in sorted(Path("models").glob("*.scenario.yaml"))])
@pytest.mark.parametrize("capacity", [1, 3])
def test_littles_law_and_honest_pools_hold_in_the_models_that_ship(name: str, capacity: int) -> None:
    workflow = wf.example(name)
    scenario = wf.load_scenario(f"models/{name}.scenario.yaml")
    pools = {pool: plan.model_dump() | {"capacity": capacity} for pool, plan in scenario.pools.items()}
    with wf.simulate(workflow, scenario.changed(pools=pools), catalogue=MODELS, cases=30, replications=2) as history:
        flow.flows(history)
        flow.pools(history)
