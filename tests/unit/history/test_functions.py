"""M14.5: functions in Python beside a history: whoever replays has to be given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wfsim.errors import FunctionError, ReplayError
from wfsim.experiments.sweep import sweep
from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.history.simulate import simulate
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, loads
from wfsim.simulation.scenario import Scenario

TEXT = """
name: order
initial_state: new
functions:
  risk: {input: {amount: number, country: string}, result: {type: number, minimum: 0, maximum: 10}}
variables:
  amount: {type: number, input: true, minimum: 0}
  country: {type: string, input: true, values: [DE, FR]}
  score: {type: number, initial: 0, output: true}
activities: {look: {input: {score: number}}}
states:
  - {name: new, activity: {name: look, parameters: {score: "${functions.risk(context.amount, context.country)}"}}}
  - {name: kept, is_terminal: true}
  - {name: lost, is_terminal: true, outcome: failure}
transitions:
  - from: new
    event: done
    to: lost
    condition: functions.risk(context.amount, context.country) > 5
  - from: new
    event: done
    to: kept
    pre_actions:
      - action_type: set_variable
        parameters: {name: score, value: "${functions.risk(context.amount, context.country) + 1}"}
timeouts: {workflow: 30d}
"""
SCENARIO = {
    "arrivals": {"poisson": "1/h"},
    "inputs": {"amount": {"integer": [0, 9]}, "country": {"choice": ["DE", "FR"]}},
    "activities": {"look": {"duration": "5m"}},
}


def risk(amount: float, country: str) -> float:
    return min(10.0, amount if country == "DE" else amount * 2)


def plan(**more: Any) -> Scenario:
    return Scenario.model_validate({**SCENARIO, **more})


def order() -> Workflow:
    return loads(TEXT, functions={"risk": risk})


def test_both_engines_make_the_same_history_and_ask_each_list_of_arguments_twice() -> None:
    digests, asked = [], []

    def told(amount: float, country: str) -> float:
        asked.append((amount, country))
        return risk(amount, country)

    for engine in ("python", "compiled"):
        asked.clear()
        with simulate(loads(TEXT, functions={"risk": told}), plan(), cases=300, seed=1, engine=engine) as history:
            digests.append(history.digest)
            assert history.counts["completed/failure"] > 50
            assert history.counts["completed/success"] > 50
        assert len(asked) == 2 * len(set(asked)) == 40
    assert digests[0] == digests[1]


def test_a_history_is_replayed_with_what_its_writer_had_or_what_is_given(tmp_path: Path) -> None:
    file = tmp_path / "orders.duckdb"
    with simulate(order(), plan(), cases=20, seed=2, into=file) as history:
        assert not replay_all(history).differences
        assert history.case(3).replay().status == "completed"
        assert not replay_all(history.between("1h")).differences
    with open_history(file, functions={"risk": risk}) as history:
        assert not replay_all(history).differences
        (run,) = history.runs
        assert "def risk" not in run.definition
    with open_history(file) as history, pytest.raises(FunctionError, match=r"without functions\.risk"):
        replay_all(history)


def test_another_function_is_found_out_by_replay(tmp_path: Path) -> None:
    file = tmp_path / "orders.duckdb"
    simulate(order(), plan(), cases=20, seed=2, into=file).close()
    with open_history(file, functions={"risk": lambda amount, country: 1.0}) as history:
        report = replay_all(history)
        assert len(report.differences) > 10
        with pytest.raises(ReplayError):
            history.case(report.differences[0].case).replay()


def test_a_function_that_is_none_of_its_arguments_ends_the_run(tmp_path: Path) -> None:
    number = iter(range(1_000))
    given = loads(TEXT, functions={"risk": lambda amount, country: float(next(number) % 7)})
    for engine in ("python", "compiled"):
        with pytest.raises(FunctionError, match="is not a function of its arguments"):
            simulate(given, plan(), cases=20, seed=2, engine=engine, into=tmp_path / f"{engine}.duckdb")


@pytest.mark.parametrize("backend", ["threads", "loky"])
def test_processes_have_the_functions_too(backend: Any) -> None:
    result = sweep(order(), plan(cases=20), over={"arrivals.poisson": ["1/h", "2/h"]}, backend=backend)
    assert len(result.points) == 2


def test_a_catalogue_gives_functions_to_all_that_declare_them(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(TEXT)
    parent = """
name: parent
initial_state: a
variables: {amount: {type: number, input: true}}
states:
  - {name: a, invoke: {workflow: order, input: {amount: "${context.amount}", country: DE}}}
  - {name: b, is_terminal: true}
transitions: [{from: a, event: done, to: b}, {from: a, event: error, to: b}]
"""
    (tmp_path / "parent.yaml").write_text(parent)
    catalogue = Catalogue(tmp_path, functions={"risk": risk})
    assert catalogue.get("order").given.missing == ()
    scenario = {
        "arrivals": {"every": "1h"},
        "inputs": {"amount": 3.0},
        "workflows": {"order": {"activities": SCENARIO["activities"]}},
    }
    with simulate(load(tmp_path / "parent.yaml"), Scenario.model_validate(scenario), catalogue=catalogue, cases=3) as h:
        assert not replay_all(h).differences
        assert len(h.sql("FROM cases").fetchall()) == 6


def test_expressions_of_a_scenario_may_call_them() -> None:
    activities = {"look": {"duration": "5m", "result": "${functions.risk(context.amount, 'FR')}"}}
    text = TEXT.replace("activities: {look: {", "activities: {look: {result: number, ")
    given = loads(text, functions={"risk": risk})
    with simulate(given, plan(activities=activities), cases=5) as history:
        results = {record.payload["result"] for record in history.case(1).records() if "result" in record.payload}
        (start,) = [record for record in history.case(1).records() if record.kind == "started"]
        assert results == {risk(start.payload["input"]["amount"], "FR")}
