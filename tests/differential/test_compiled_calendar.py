"""The compiled calendar against the one in Python: the same records, values and notes, whatever happens on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

import wfsim as wf
from tests.language import catalogue, examples
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.errors import CatalogueError, NotCovered
from wfsim.history.replay import replay_all
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation import engine
from wfsim.simulation.compiled import calendar, run
from wfsim.simulation.compiled.layout import LOG
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Scenario

PAGE = Path("docs/language.md").read_text(encoding="utf-8")
LEFT_TO_PYTHON = {"parcel", "tour", "deliveries", "kitchen", "guest", "settlement"}
"""Examples of the language reference with children, messages or schedules."""
TEXTS = ("event_id", "error_type", "reason", "source")
PLAIN = [name for name in LOG.names or () if name not in (*TEXTS, "entered_seq", "dwell", "wait", "service", "path")]

Log = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def in_python(workflow: Workflow, scenario: Scenario) -> tuple[Log, engine.RunSummary]:
    """Records and values as the calendar in Python makes them, and its summary."""
    records: list[tuple[Any, ...]] = []
    values: list[tuple[Any, ...]] = []

    def sink(case: int, instance: Any, output: Any) -> None:
        text = instance.texts.text
        for record in output.records:
            plain = (case if name == "case" else getattr(record, name) for name in PLAIN)
            records.append((*plain, *(text(getattr(record, name)) for name in TEXTS)))
        for value in output.values:
            found = instance.texts.decode(value.tag, value.whole, value.real)
            values.append((case, value.seq, value.name, found))

    return (records, values), engine.Simulation(compile_workflow(workflow), scenario, sink=sink).run()


def compiled(workflow: Workflow, scenario: Scenario, chunk: int = run.CHUNK) -> tuple[Log, engine.RunSummary]:
    """The same by the compiled calendar."""
    records: list[tuple[Any, ...]] = []
    values: list[tuple[Any, ...]] = []

    def sink(taken: Chunk) -> None:
        texts = simulation.member.texts
        columns: list[list[Any]] = [taken.log[name].tolist() for name in PLAIN]
        columns += [[texts.text(handle) for handle in taken.log[name].tolist()] for name in TEXTS]
        records.extend(zip(*columns))
        rows = zip(*(taken.values[name].tolist() for name in ("case", "seq", "name", "tag", "whole", "real")))
        values.extend((case, seq, name, texts.decode(*cell)) for case, seq, name, *cell in rows)

    simulation = CompiledSimulation(compile_workflow(workflow), scenario, sink=sink, chunk=chunk)
    return (records, values), simulation.run()


def compare(workflow: Workflow, scenario: Scenario, chunk: int = run.CHUNK) -> int:
    """Both, compared; returns the number of records."""
    expected, told = in_python(workflow, scenario)
    found, summary = compiled(workflow, scenario, chunk)
    assert found == expected
    assert summary == told
    return len(expected[0])


def covered(name: str) -> bool:
    workflow = wf.example(name)
    try:
        CompiledSimulation(compile_workflow(workflow), default_scenario(workflow), sink=lambda chunk: None)
    except (NotCovered, CatalogueError):
        return False
    return True


SINGLE = [name for name in wf.examples() if covered(name)]


def of_example(name: str, n: int) -> tuple[Workflow, Scenario]:
    workflow, files = wf.example(name), wf.examples()[name]
    scenario = wf.load_scenario(files.scenario) if files.scenario else default_scenario(workflow)
    return workflow, scenario.changed(cases=n)


# --- the same ----------------------------------------------------------------------------------------


def test_most_examples_are_covered() -> None:
    assert {"order_processing", "incident_response", "release", "shipping", "subscription", "travel_booking"} <= set(
        SINGLE
    )


@pytest.mark.parametrize("name", SINGLE)
def test_every_example_makes_the_same_records(name: str) -> None:
    workflow, scenario = of_example(name, 60)
    assert compare(workflow, scenario) > 200


@pytest.mark.parametrize("log", ["full", "transitions", "aggregates"])
@pytest.mark.parametrize("name", ["order_processing", "travel_booking"])
def test_histories_are_the_same_at_every_level(name: str, log: Any) -> None:
    workflow, scenario = of_example(name, 40)
    one, other = (
        wf.simulate(workflow, scenario, engine=engine, log=log, replications=2) for engine in ("python", "compiled")
    )
    assert one.digest == other.digest
    for query in (
        "FROM cases ORDER BY ALL",
        "FROM stays ORDER BY ALL",
        "FROM outcomes",
        "FROM hot_paths",
        "FROM history",
    ):
        if log == "full" or query == "FROM cases ORDER BY ALL":
            assert other.sql(query).fetchall() == one.sql(query).fetchall(), query
    assert list(other.sql("SELECT DISTINCT engine FROM runs").fetchall()) == [("compiled",)]


@pytest.mark.parametrize(
    "example",
    [example for example in examples(PAGE) if example.workflow.name not in LEFT_TO_PYTHON],
    ids=lambda example: example.workflow.name,
)
def test_examples_of_the_language_reference_make_the_same_records(example: Any) -> None:
    workflow = example.workflow
    compare(workflow, default_scenario(workflow, catalogue(PAGE)).changed(cases=20, horizon="30d"))


def test_of_the_language_reference_only_children_messages_and_schedules_are_left_to_python() -> None:
    left = set()
    for example in examples(PAGE):
        workflow, known = example.workflow, catalogue(PAGE)
        program = compile_workflow(workflow, known.family(workflow))
        try:
            CompiledSimulation(program, default_scenario(workflow, known), sink=lambda chunk: None)
        except NotCovered:
            left.add(workflow.name)
    assert left == LEFT_TO_PYTHON


@cases(40, unchecked=[HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(workflows(undo=True, regions=True, children=False), st.integers(0, 2**32))
def test_random_workflows_make_the_same_records(workflow: Workflow, seed: int) -> None:
    scenario = default_scenario(workflow).changed(cases=5, horizon="1h", seed=seed)
    try:
        compare(workflow, scenario)
    except (NotCovered, CatalogueError):
        assume(False)


# --- whatever happens on the way ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["order_processing", "travel_booking"])
def test_in_small_chunks_and_from_small_tables_it_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, scenario = of_example(name, 150)
    monkeypatch.setattr(run, "SLOTS", 1)
    monkeypatch.setattr(run, "ENTRIES", 600)
    monkeypatch.setattr(run, "STEPS", 7)
    assert compare(workflow, scenario, chunk=1_000) > 3_000


def test_instances_get_more_rows_when_they_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, scenario = of_example("order_processing", 60)
    again = []
    real = CompiledSimulation._more_rows
    monkeypatch.setattr(CompiledSimulation, "_more_rows", lambda self: again.append(self) or real(self))
    monkeypatch.setattr(run, "SPARE_ROWS", 1)
    compare(workflow, scenario)
    assert again


@pytest.mark.parametrize(
    "changes",
    [
        {"horizon": "2h"},
        {"arrivals": {"every": "10s"}, "pools": {"packers": {"capacity": 1, "discipline": "priority"}}},
        {"arrivals": {"at": ["3s", "1s", "1s"]}},
        {"arrivals": {"poisson": "1000/s"}, "pools": {"packers": {"capacity": 2}}},
        {"patience": 1},
        {"patience": 50, "seed": 3},
    ],
    ids=str,
)
def test_other_scenarios_make_the_same_records(changes: dict[str, Any]) -> None:
    workflow, scenario = of_example("order_processing", 300)
    other = Scenario.model_validate(scenario.model_dump(exclude_unset=True) | changes)
    assert compare(workflow, other) > 50


def test_cases_that_go_round_without_end_are_given_up_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STEPS", 500)
    w = wf.Builder("round").state("a", initial=True, timeout="1s").state("b", timeout="1s").state("c", terminal=True)
    w.transition("a", "b", on="timeout").transition("b", "a", on="timeout").event("go").transition("a", "c", on="go")
    workflow = w.build()
    scenario = Scenario.model_validate({"arrivals": {"every": "1s"}, "cases": 5})
    expected, told = in_python(workflow, scenario)
    assert compare(workflow, scenario) == len(expected[0])
    assert len(told.notes) == 5
    assert not told.complete


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("exponential", {"mean": "90s"}),
        ("uniform", {"low": "1s", "high": "3m"}),
        ("triangular", {"low": "1s", "mode": "1m", "high": "3m"}),
        ("normal", {"mean": "90s", "deviation": "60s"}),
        ("lognormal", {"median": "90s", "sigma": 1.3}),
        ("lognormal", {"median": "90d", "sigma": 10.0}),
        ("weibull", {"scale": "90s", "shape": 0.7}),
        ("empirical", {"values": ["1s", "2m", "7s"], "weights": [1, 0, 2.5]}),
    ],
)
def test_every_family_is_drawn_alike(family: str, parameters: dict[str, Any]) -> None:
    w = wf.Builder("one").variable("x", "number", input=True).variable("k", "integer", input=True)
    w.variable("word", "string", input=True).variable("many", "integer", input=True)
    w.event("go", amount="number", n="integer", kind="string").activity("f")
    w.state("a", initial=True).state("b", activity={"name": "f", "result_variable": "r"}).state("c", terminal=True)
    w.variable("r", "any").transition("a", "b", on="go").transition("b", "c", on="done")
    plan = {
        "arrivals": {"poisson": "1/s"},
        "cases": 400,
        "inputs": {
            "x": {"number": [-2.5, 7.0]},
            "k": {"integer": [-3, 9]},
            "word": {"unique": "order"},
            "many": {"unique": 100},
        },
        "events": {
            "a": [
                {
                    "event": "go",
                    "delay": {family: parameters},
                    "payload": {
                        "amount": {"lognormal": [5.0, 0.5]},
                        "n": {"choice": [1, 2, 3], "weights": [0.2, 0.3, 0.5]},
                        "kind": {"choice": {"x": 1.0, "y": 2.0}},
                    },
                }
            ]
        },
        "activities": {"f": {"duration": {family: parameters}, "result": {"integer": [1, 6]}}},
    }
    assert compare(w.build(), Scenario.model_validate(plan)) > 3_000


# --- what it does not do -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("order_fulfilment", "workflows that run others"),
        ("document_request", "messages between instances"),
    ],
)
def test_what_is_not_covered_is_named_and_left_to_python(name: str, why: str) -> None:
    workflow, scenario = of_example(name, 400)
    with pytest.raises(NotCovered, match=f"the compiled engine does not cover {why}"):
        wf.simulate(workflow, scenario, catalogue="models", engine="compiled")
    history = wf.simulate(workflow, scenario.changed(cases=310), catalogue="models")
    assert history.sql("SELECT DISTINCT engine FROM runs").fetchall() == [("python",)]


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {"order_id": "${1 + 1}", "total_amount": 5.0, "currency": "EUR", "items": []}},
        {"inputs": {"order_id": {"unique": ["a"]}, "total_amount": 5.0, "currency": "EUR", "items": []}},
        {"inputs": {"order_id": "x", "total_amount": -5.0, "currency": "EUR", "items": []}},
        {"inputs": {"order_id": "x"}},
    ],
    ids=str,
)
def test_inputs_that_it_takes_python_to_make_are_left_to_python(changes: dict[str, Any]) -> None:
    workflow, scenario = of_example("order_processing", 5)
    other = Scenario.model_validate(scenario.model_dump(exclude_unset=True) | changes)
    with pytest.raises(NotCovered):
        compiled(workflow, other)


def test_ctrl_c_keeps_what_has_happened_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, scenario = of_example("order_processing", 2_000)
    monkeypatch.setattr(run, "STEPS", 500)
    real = CompiledSimulation._pause
    paused = []

    def pause(self: CompiledSimulation) -> None:
        paused.append(self)
        real(self)
        if len(paused) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(CompiledSimulation, "_pause", pause)
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.default_int_handler)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with wf.simulate(workflow, scenario, engine="compiled") as history:
            assert not history.complete
            assert engine.INTERRUPTED in history.notes
            assert len(history) > 1_000
            assert replay_all(history)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("limit", "what"), [("MOST_MEMORY", "instances take more than"), ("MOST_ENTRIES", "are due")])
def test_a_queue_that_grows_for_ever_stops_with_the_pool_that_is_too_small(
    monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    workflow, scenario = of_example("order_processing", 20_000)
    crowded = scenario.model_dump(exclude_unset=True) | {"arrivals": {"poisson": "1/s"}}
    crowded["pools"] = {"packers": {"capacity": 2}}
    monkeypatch.setattr(run if limit == "MOST_MEMORY" else calendar, limit, 2**22 if limit == "MOST_MEMORY" else 5_000)
    with wf.simulate(workflow, Scenario.model_validate(crowded), engine="compiled") as history:
        assert not history.complete
        (note,) = (note for note in history.notes if note.startswith("The run was stopped at"))
        assert what in note
        assert "Pool 'packers' has 2 of 2 workers busy and" in note
        assert replay_all(history)
