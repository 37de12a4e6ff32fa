"""Scenario files: what is read, what is refused and how."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from wfsim.simulate.scenario import check_scenario, default_scenario


def write(folder: Path, text: str) -> Path:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_scenario_fits_its_workflow() -> None:
    scenario = wf.load_scenario("models/order_processing.scenario.yaml")
    check_scenario(scenario, wf.load("models/order_processing.yaml"))
    assert scenario.cases == 10_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("arivals: {every: 1s}", r"s.yaml:1: .*arivals.*arrivals"),
        ("arrivals: {poisson: often}", r"s.yaml:1: .*often.*120/h"),
        ("arrivals: {every: 1s, poisson: 1/s}", r"arrivals are one of"),
        ("arrivals: {every: 0s}", r"every: 0s would start everything at once"),
        ("seed: -1", r"s.yaml:1: .*seed"),
        ("cases: many", r"s.yaml:1: .*cases.*many"),
        ("activities:\n  f:\n    duration: {exponential: {mean: fast}}", r"s.yaml:3: .*fast"),
        ("activities:\n  f: {failures: [{error_type: E, probability: 0.9}], never_ends: 0.2}", r"add up to 1.1"),
        ("a: 1\na: 2", r"s.yaml:2: .*'a'"),
        ("inputs: {x: '${9**9}'}", r"s.yaml:1"),
    ],
)
def test_a_bad_scenario_is_refused_with_its_place_and_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(wf.errors.ScenarioError, match=said):
        wf.load_scenario(write(tmp_path, text))


def test_a_missing_file_is_told() -> None:
    with pytest.raises(wf.errors.ScenarioError, match=r"nowhere.yaml: cannot be read"):
        wf.load_scenario("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("events: {creatd: [{event: order_validated}]}", r"state 'creatd' does not exist.*Did you mean 'created'"),
        ("events: {created: [{event: order_valid}]}", r"event 'order_valid' does not exist.*order_validated"),
        ("activities: {pack: {}}", r"activity 'pack' does not exist.*pack_order"),
        ("activities: {pack_order: {pool: crew}}", r"pool 'crew' does not exist"),
        ("inputs: {order: 1}", r"input 'order' does not exist.*order_id"),
        ("workflow: other", r"is for workflow 'other'"),
    ],
)
def test_names_the_workflow_does_not_have_are_refused(tmp_path: Path, text: str, said: str) -> None:
    scenario = wf.load_scenario(write(tmp_path, text))
    with pytest.raises(wf.errors.ScenarioError, match=said):
        wf.simulate(wf.load("models/order_processing.yaml"), scenario, cases=1)


def test_a_trace_starts_cases_at_its_times_with_its_inputs(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time,order_id,total_amount\n0,A,10\n2.5,B,20.5\n", encoding="utf-8")
    path = write(
        tmp_path, "arrivals: {trace: trace.csv}\ncases: 9\ninputs: {currency: EUR, items: [x], total_amount: 1.0}"
    )
    history = wf.simulate(wf.load("models/order_processing.yaml"), wf.load_scenario(path))
    started = [history.case(k).records()[0] for k in (1, 2)]
    assert [record.time for record in started] == [0, 2_500_000]
    assert [record.payload["input"]["total_amount"] for record in started] == [10.0, 20.5]
    assert len(history.cases()) == 2


def test_a_trace_that_goes_back_in_time_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("time\n5\n1\n", encoding="utf-8")
    inputs = "{currency: EUR, items: [x], total_amount: 1.0, order_id: a}"
    path = write(tmp_path, f"arrivals: {{trace: trace.csv}}\ninputs: {inputs}")
    with pytest.raises(wf.errors.ScenarioError, match="must not go back"):
        wf.simulate(wf.load("models/order_processing.yaml"), wf.load_scenario(path))


def test_missing_inputs_are_named() -> None:
    with pytest.raises(wf.errors.ScenarioError, match="needs the input 'order_id'"):
        wf.simulate(wf.load("models/order_processing.yaml"), wf.Scenario())


@pytest.mark.parametrize("template", ["minimal", "approval", "order", "retry"])
def test_the_default_scenario_fits_every_template(template: str) -> None:
    workflow = wf.new(template)
    scenario = default_scenario(workflow)
    check_scenario(scenario, workflow)
    history = wf.simulate(workflow, cases=30)
    assert sum(history.counts.values()) == 30
