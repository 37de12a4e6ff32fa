"""The engine is told what came from outside in a simulation, at the times at which it came: it writes the same records.

Of a family each instance does so, parents, children and whoever they write to; what these owe each other the engine
finds by itself. The stepper, which walks through each simulated case, has the same records too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import wfsim as wf
from tests.language import Example, catalogue, examples
from tests.noted import Noted, noted
from tests.random_cases import cases
from tests.simulated_engine.workflows import CATALOGUE, GUEST
from tests.strategies import PYTHON, families, families_with_letters, workflows
from tests.told_engine import ToldEngine, exactly
from wfsim.model.catalogue import Catalogue
from wfsim.model.functions import Python
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Scenario
from wfsim.widgets.stepping import Stepping

MODELS = Catalogue(wf.example(name) for name in wf.examples())
PAGE = Path("docs/language.md").read_text(encoding="utf-8")


def compare(
    workflow: Workflow,
    scenario: Scenario,
    known: Catalogue,
    functions: Mapping[str, Python] | None = None,
    *,
    most: int = 3_000,
    most_steps: int = 500,
) -> Noted:
    """All four, compared: the simulation, its history, the stepper, an engine; returns what happened."""
    program = compile_workflow(workflow, known.family(workflow))
    found, history = noted(program, scenario, most=most, most_steps=most_steps)
    expected = found.records()
    with history:
        if found.is_whole:
            assert expected.keys() == set(history_names(history))
        for name, theirs in expected.items():
            case = history.case(int(name) if name.isdecimal() else name)
            records = case.records()
            assert exactly(records[: len(theirs)]) == exactly(theirs)
            assert exactly(record for step in Stepping(case).steps for record in step.records) == exactly(records)
    with ToldEngine(found.workflows, functions) as engine:
        engine.tell(found)
        stored = engine.records()
    assert stored.keys() == expected.keys()
    for name, theirs in expected.items():
        assert exactly(stored[name]) == exactly(theirs)
    return found


def history_names(history: wf.History) -> list[str]:
    """What its instances are called."""
    rows = history.sql('SELECT coalesce(external_id, "case"::VARCHAR) FROM cases').fetchall()
    return [name for (name,) in rows]


def counted(found: Noted) -> Counter[str]:
    """How many records of each kind there are."""
    return Counter(record.kind for records in found.records().values() for record in records)


@cases(8, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(workflows(undo=True, children=False), st.integers(0, 2**32))
def test_an_engine_that_is_told_what_was_simulated_writes_the_same_records(workflow: Workflow, seed: int) -> None:
    scenario = default_scenario(workflow).changed(seed=seed, cases=3, horizon="1h")
    compare(workflow, scenario, Catalogue([workflow]), PYTHON)


@pytest.mark.parametrize("name", wf.examples())
def test_the_models_that_ship_do_so_too(name: str) -> None:
    workflow, files = wf.example(name), wf.examples()[name]
    scenario = wf.load_scenario(files.scenario) if files.scenario else default_scenario(workflow, MODELS)
    compare(workflow, scenario.changed(cases=8, seed=5), MODELS)


@pytest.mark.parametrize(
    ("name", "child"), [("order_fulfilment", "shipping"), ("loan_application", "document_request")]
)
def test_models_with_children_have_them_in_an_engine_too(name: str, child: str) -> None:
    workflow = wf.example(name)
    found = compare(workflow, wf.load_scenario(wf.examples()[name].scenario).changed(cases=5, seed=3), MODELS)
    started = [records[0].payload for records in found.records().values()]
    assert {each["workflow"] for each in started if each.get("parent")} == {child}
    assert counted(found)["child_closed"] > 3


@pytest.mark.parametrize("example", examples(PAGE), ids=lambda example: example.workflow.name)
def test_examples_of_the_language_reference_do_so_too(example: Example) -> None:
    workflow, known = example.workflow, catalogue(PAGE)
    scenario = default_scenario(workflow, known).changed(cases=5, horizon="30d")
    compare(workflow, scenario, known)


def small(known: Catalogue, seed: int) -> Scenario:
    """Five overlap, and their keys come again."""
    scenario = default_scenario(known.get("random"), known)
    arrivals = {"every": "20s"}
    return scenario.changed(seed=seed, cases=5, horizon="10m", arrivals=arrivals)


@cases(8, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(families(), st.integers(0, 2**32))
def test_an_engine_starts_the_same_children_of_random_families(known: Catalogue, seed: int) -> None:
    compare(known.get("random"), small(known, seed), known, PYTHON, most=200, most_steps=100)


@cases(16, unchecked=[HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(families_with_letters(), st.integers(0, 2**32))
def test_an_engine_delivers_the_same_letters_of_random_families(known: Catalogue, seed: int) -> None:
    scenario = small(known, seed)
    scenario = scenario.changed(inputs=scenario.inputs | {"n": {"integer": [0, 3]}})
    compare(known.get("random"), scenario, known, PYTHON, most=200, most_steps=100)


GUESTS = {
    "cases": 12,
    "arrivals": {"poisson": "20/m"},
    # They say any number: answers reach others, who are there, have left, or have not come.
    "inputs": {
        "me": {"choice": [str(number) for number in range(1, 13)]},
        "table": {"integer": [1, 3]},
        "other": {"integer": [1, 3]},
    },
    "events": {
        "hungry": [{"event": "choose", "delay": {"exponential": {"mean": "10s"}}, "payload": {"dish": "soup"}}],
        "eating": [
            {"event": "choose", "delay": {"exponential": {"mean": "10s"}}, "payload": {"dish": "cake"}},
            {"event": "leave", "delay": {"exponential": {"mean": "10s"}}},
        ],
    },
    "activities": {"look_around": {"duration": "3s"}},
    "workflows": {
        "kitchen": {
            "activities": {"cook": {"duration": "3s", "failures": [{"error_type": "Burnt", "probability": 0.1}]}}
        }
    },
}


@pytest.mark.parametrize("seed", range(2))
def test_who_is_started_by_letters_waits_for_them_and_answers_does_so_too(seed: int) -> None:
    """Guests order at tables, which opens a kitchen for each; letters are kept, deferred, answered and come back."""
    found = compare(GUEST, Scenario.model_validate(GUESTS | {"seed": seed}), CATALOGUE)
    names = found.records()
    assert sum(":m" in name for name in names) >= 3
    assert counted(found)["message_returned"] > 0
    assert counted(found)["event_deferred"] > 0
    guests = [record for name, records in names.items() if name.isdecimal() for record in records]
    assert any(record.kind == "event_received" and ":m" in record.payload.get("sender", "") for record in guests)
