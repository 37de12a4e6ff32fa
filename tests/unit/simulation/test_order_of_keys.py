"""The order of keys means nothing in a definition or a scenario: not to a draw, a digest or a verdict."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from wfsim.model.workflow import Workflow

MODELS = sorted(wf.examples())


def reversed_keys(value: Any) -> Any:
    """The same with the keys of every mapping in reverse; lists keep their order, which has a meaning."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(each) for each in value] if isinstance(value, (list, tuple)) else value


def turned(workflow: Workflow) -> Workflow:
    return Workflow.model_validate(reversed_keys(workflow.model_dump(mode="json", exclude_unset=True)))


@pytest.mark.parametrize("name", MODELS)
def test_turned_round_a_model_and_its_scenario_give_the_same_history(name: str) -> None:
    files, workflow = wf.examples()[name], wf.example(name)
    catalogue = files.definition.parent
    scenario = wf.load_scenario(files.scenario) if files.scenario else wf.default_scenario(workflow, catalogue)
    other = wf.Scenario.model_validate(reversed_keys(scenario.model_dump(exclude_unset=True)))
    assert list(other.inputs) == list(reversed(scenario.inputs))
    digest = wf.simulate(workflow, scenario, cases=10, catalogue=catalogue).digest
    assert wf.simulate(turned(workflow), other, cases=10, catalogue=catalogue).digest == digest


def test_choices_in_another_order_are_drawn_alike() -> None:
    def digest(*kinds: str) -> str:
        inputs = {"order_id": "O-1", "address": {"choice": dict.fromkeys(kinds, 1.0)}}
        scenario = wf.Scenario.model_validate({"inputs": inputs})
        return wf.simulate(wf.example("shipping"), scenario, cases=20).digest

    assert digest("north", "south", "west") == digest("west", "south", "north")
    assert digest("north", "south", "west") != digest("north", "south", "east")


@pytest.mark.parametrize("name", ["shipping", "published/order_processing"])
def test_turned_round_a_model_has_the_same_findings_and_verdicts(name: str) -> None:
    files, workflow = wf.examples()[name], wf.example(name)
    other = turned(workflow)
    assert {(one.code, one.place) for one in wf.lint(other)} == {(one.code, one.place) for one in wf.lint(workflow)}
    assert [str(one.status) for one in wf.verify(other, files.properties)] == [
        str(one.status) for one in wf.verify(workflow, files.properties)
    ]
