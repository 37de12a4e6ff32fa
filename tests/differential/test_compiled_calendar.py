"""The compiled calendar against the one in Python: the same records, values and notes, whatever happens on the way."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given

import wfsim as wf
from tests.language import catalogue, examples
from tests.random_cases import cases
from tests.scenarios import random_families, random_workflows
from wfsim.errors import ScenarioError, SimulationError
from wfsim.history.codes import CODED
from wfsim.history.packing import field_of
from wfsim.history.replay import replay_all
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import NONE, R_EVENT_REJECTED, R_STIMULUS_IGNORED
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.layout import RecordRow
from wfsim.semantics.program import Program
from wfsim.simulation import engine, relations
from wfsim.simulation.compiled import calendar, columns, memory, run
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Scenario

PAGE = Path("docs/language.md").read_text(encoding="utf-8")
TEXTS = ("event_id", "error_type", "reason", "source")
CALLED = {"cause": "cause_seq", "undoes": "compensates", "message": "message_id"}
PLAIN = ["case"] + [field.name for field in fields(RecordRow) if field.name not in TEXTS]

Log = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]


def in_python(workflow: Workflow, scenario: Scenario, known: Catalogue | None = None) -> tuple[Log, engine.RunSummary]:
    """Records, values and births as the calendar in Python makes them, and its summary."""
    records: list[tuple[Any, ...]] = []
    values: list[tuple[Any, ...]] = []
    births: list[tuple[Any, ...]] = []

    def sink(case: int, instance: Any, output: Any) -> None:
        text, name = instance.texts.text, instance.program.workflow.name
        for record in output.records:
            plain = (case if column == "case" else getattr(record, column) for column in PLAIN)
            records.append((name, *plain, *(text(getattr(record, column)) for column in TEXTS)))
        for value in output.values:
            found = instance.texts.decode(value.tag, value.whole, value.real)
            values.append((case, value.seq, value.name if value.name < 0 else text(value.name), found))

    def birth(*told: Any) -> None:
        births.append(told)

    summary = engine.Simulation(program_of(workflow, known), scenario, sink=sink, birth=birth).run()
    return (records, values, births), summary


def field_in(logged: columns.Spelled, name: str) -> np.ndarray[Any, Any]:
    """A field of records, as `RecordRow` has it."""
    found = field_of(CALLED.get(name, name), logged.kind, partial(getattr, logged))
    return np.where(found == NONE, 0, found) if name in ("attempt", "outcome", "key") else found


def compiled(
    workflow: Workflow,
    scenario: Scenario,
    known: Catalogue | None = None,
    chunk: int = run.CHUNK,
    saved_at: Path | None = None,
) -> tuple[Log, engine.RunSummary]:
    """The same by the compiled calendar, put on disk every 100 steps if `saved_at` says where."""
    records: list[tuple[Any, ...]] = []
    values: list[tuple[Any, ...]] = []
    births: list[tuple[Any, ...]] = []

    def sink(taken: Chunk) -> None:
        members = simulation.members
        names = [member.program.workflow.name for member in members]
        by_case, values_by_case = (np.argsort(rows["case"], kind="stable") for rows in (taken.log, taken.values))
        part = taken.log[by_case], taken.values[values_by_case]
        places = (order.astype(np.int32) for order in (by_case, values_by_case))
        # Rows of the program stand for themselves.
        rows_of_program = dict.fromkeys(CODED, np.arange(100_000, dtype=np.int32))
        logged, kept = columns.columns([part], *places, np.arange(len(taken.paths), dtype=np.int32), rows_of_program)
        spelled: list[list[Any]] = [field_in(logged, name).tolist() for name in PLAIN]
        of = taken.log["member"].tolist()
        for name in TEXTS:
            handles = field_in(logged, name).tolist()
            spelled.append([members[which].texts.text(handle) for which, handle in zip(of, handles)])
        records.extend(zip([names[which] for which in of], *spelled))
        reals = kept.real.view(np.float64)
        rows = zip(*(cells.tolist() for cells in (kept.record, kept.name, kept.tag, kept.whole, reals)))
        for record, name, *cell in rows:
            texts = members[of[record]].texts
            told = int(logged.case[record]), int(logged.seq[record])
            values.append((*told, name if name < 0 else texts.text(name), texts.decode(*cell)))

    def birth(*told: Any) -> None:
        births.append(told)

    def new() -> CompiledSimulation:
        return CompiledSimulation(program_of(workflow, known), scenario, sink=sink, birth=birth, chunk=chunk)

    simulation = new()
    if saved_at is not None:
        while not simulation.advance(100):
            simulation.save(saved_at)
            simulation = new()
            simulation.restore(saved_at)
    summary = simulation.run()
    return (records, values, births), summary


def program_of(workflow: Workflow, known: Catalogue | None) -> Program:
    return compile_workflow(workflow, known.family(workflow) if known else None)


def compare(workflow: Workflow, scenario: Scenario, known: Catalogue | None = None, chunk: int = run.CHUNK) -> int:
    """Both, compared; returns the number of records."""
    expected, told = in_python(workflow, scenario, known)
    found, summary = compiled(workflow, scenario, known, chunk)
    assert found == expected
    assert summary == told
    return len(expected[0])


MODELS = Catalogue(wf.example(name) for name in wf.examples())


def of_example(name: str, n: int) -> tuple[Workflow, Scenario]:
    workflow, files = wf.example(name), wf.examples()[name]
    scenario = wf.load_scenario(files.scenario) if files.scenario else default_scenario(workflow, MODELS)
    return workflow, scenario.changed(cases=n)


# --- the same ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", wf.examples())
def test_every_example_makes_the_same_records(name: str) -> None:
    workflow, scenario = of_example(name, 60)
    assert compare(workflow, scenario, MODELS) > 200


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


@pytest.mark.parametrize("example", examples(PAGE), ids=lambda example: example.workflow.name)
def test_examples_of_the_language_reference_make_the_same_records(example: Any) -> None:
    workflow, known = example.workflow, catalogue(PAGE)
    compare(workflow, default_scenario(workflow, known).changed(cases=20, horizon="30d"), known)


def test_a_timer_that_has_waited_in_vain_is_told_as_it_is() -> None:
    """It comes while an action is under way, and waits in the instance until that closes."""
    workflow = wf.loads("""\
name: late
version: 1.0.0
initial_state: asked
activities: {work: {}}
events: {go: {}}
timeouts: {workflow: 10m}
states: [{name: asked, timeout: 1m}, {name: end, is_terminal: true}]
transitions:
  - {from: asked, event: go, to: end, pre_actions: [{name: work, action_type: activity}]}
  - {from: asked, event: timeout, to: end}
""")
    plan = {"cases": 1, "events": {"asked": [{"event": "go"}]}, "activities": {"work": {"never_ends": 1.0}}}
    scenario = Scenario.model_validate(plan)
    compare(workflow, scenario)
    (records, _, _), _ = in_python(workflow, scenario)
    ignored = [record for record in records if record[2] == R_STIMULUS_IGNORED]
    assert [record[1 + PLAIN.index("timer")] >= 0 for record in ignored] == [True]


@cases(40, unchecked=[HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(random_workflows())
def test_random_workflows_under_random_scenarios_make_the_same_records(
    given: tuple[Workflow, Scenario, Catalogue | None],
) -> None:
    compare_random(*given)


@cases(40, unchecked=[HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(random_families())
def test_random_families_under_random_scenarios_make_the_same_records(
    given: tuple[Workflow, Scenario, Catalogue | None],
) -> None:
    compare_random(*given)


def alike(workflow: Workflow, scenario: Scenario, known: Catalogue | None) -> engine.RunSummary | ScenarioError:
    """Both make the same, also put on disk every 100 steps and gone on with; or refuse it with the same words."""
    try:
        expected = in_python(workflow, scenario, known)
    except ScenarioError as refused:
        with pytest.raises(ScenarioError, match=re.escape(str(refused))):
            compiled(workflow, scenario, known)
        return refused
    assert compiled(workflow, scenario, known) == expected
    with tempfile.TemporaryDirectory() as folder:
        # In chunks as small as the promise says.
        assert compiled(workflow, scenario, known, chunk=1_000, saved_at=Path(folder) / "run") == expected
    return expected[1]


def compare_random(workflow: Workflow, scenario: Scenario, known: Catalogue | None) -> None:
    """Not every value fits where it is put, and some never end."""
    with mock.patch.object(engine, "MOST_STEPS", 300), mock.patch.object(relations, "MOST_RELATIVES", 40):
        alike(workflow, scenario, known)


@pytest.mark.parametrize(
    "changes",
    [
        {"arrivals": {"closed": {"population": 7, "think": {"exponential": {"mean": "5m"}}}}},
        {
            "arrivals": {
                "rates": [{"until": "8m", "rate": "3/m"}],
                "repeat": "9m",
                "batch": {"size": {"choice": [1, 30]}},
            },
            "pools": {
                "packers": {"shifts": [{"from": "Thu 00:09", "until": "Thu 00:16", "capacity": 2}], "renege": "2h"}
            },
        },
        {
            "pools": {
                "packers": {
                    "capacity": 3,
                    "breakdowns": {
                        "every": {"exponential": {"mean": "20m"}},
                        "repair": {"exponential": {"mean": "5m"}},
                    },
                }
            }
        },
    ],
    ids=["closed", "batches and shifts", "breakdowns"],
)
def test_stopped_and_resumed_those_who_are_to_come_come(changes: dict[str, Any], tmp_path: Path) -> None:
    workflow, scenario = of_example("order_processing", 90)
    other = Scenario.model_validate(scenario.model_dump(exclude_unset=True) | changes)
    assert compiled(workflow, other, saved_at=tmp_path / "run") == in_python(workflow, other)


@pytest.mark.parametrize("name", wf.examples())
def test_stopped_put_on_disk_and_resumed_it_is_the_same(name: str, tmp_path: Path) -> None:
    workflow, scenario = of_example(name, 40)
    expected = in_python(workflow, scenario, MODELS)
    saved_at = tmp_path / "run"
    assert compiled(workflow, scenario, MODELS, chunk=1_000, saved_at=saved_at) == expected
    assert saved_at.exists()


def test_what_is_no_run_on_disk_is_refused(tmp_path: Path) -> None:
    workflow, scenario = of_example("order_processing", 40)
    simulation = CompiledSimulation(compile_workflow(workflow), scenario, sink=lambda chunk: None)
    assert not simulation.advance(100)
    whole, broken, empty = (tmp_path / name for name in ("whole", "broken", "empty"))
    simulation.save(whole)
    for path, state in ((broken, "{"), (empty, "[]")):
        with zipfile.ZipFile(whole) as read, zipfile.ZipFile(path, "w") as written:
            for name in read.namelist():
                written.writestr(name, state if name == "state.json" else read.read(name))
    for path in (broken, tmp_path / "missing", Path(__file__)):
        with pytest.raises(SimulationError, match="no run of a simulation can be read there"):
            simulation.restore(path)
    with pytest.raises(SimulationError, match="a run of another workflow"):
        simulation.restore(empty)
    other = CompiledSimulation(compile_workflow(workflow), scenario.changed(seed=99), sink=lambda chunk: None)
    with pytest.raises(SimulationError, match="a run of another workflow, scenario, replication"):
        other.restore(whole)


def test_two_at_once_are_each_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(compiled, *of_example(name, 300), MODELS) for name in ("order_processing", "release")]
        found = [future.result() for future in futures]
    assert found == [in_python(*of_example(name, 300), MODELS) for name in ("order_processing", "release")]


# --- whatever happens on the way ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["order_processing", "travel_booking"])
def test_in_small_chunks_and_from_small_tables_it_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, scenario = of_example(name, 150)
    monkeypatch.setattr(memory, "SLOTS", 1)
    monkeypatch.setattr(memory, "ENTRIES", 600)
    monkeypatch.setattr(run, "STEPS", 7)
    assert compare(workflow, scenario, chunk=1_000) > 3_000


def test_instances_get_more_rows_when_they_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow, scenario = of_example("order_processing", 60)
    monkeypatch.setattr(memory, "SPARE_ROWS", 1)
    compare(workflow, scenario)
    simulation = CompiledSimulation(compile_workflow(workflow), scenario, sink=lambda chunk: None)
    simulation.run()
    assert simulation.memory.run.areas["spare"] > 1


@pytest.mark.parametrize(
    "changes",
    [
        {"horizon": "2h"},
        {"arrivals": {"every": "10s"}, "pools": {"packers": {"capacity": 1, "discipline": "priority"}}},
        {"arrivals": {"at": ["3s", "1s", "1s"]}},
        {"arrivals": {"poisson": "1000/s"}, "pools": {"packers": {"capacity": 2}}},
        {"arrivals": {"every": "10s"}, "pools": {"packers": {"capacity": 1, "discipline": "lifo", "queue_limit": 0}}},
        {
            "arrivals": {"every": "9s"},
            "pools": {"packers": {"capacity": 2, "discipline": "deadline", "queue_limit": 5}},
        },
        {
            "arrivals": {"every": "10s"},
            "pools": {
                "packers": {"capacity": 1, "discipline": "lifo", "renege": {"uniform": {"low": 0, "high": "3m"}}}
            },
        },
        {
            "arrivals": {"poisson": "20/h"},
            "pools": {
                "packers": {
                    "shifts": [
                        {"from": f"{day} 08:00", "until": f"{day} 16:00", "capacity": 4}
                        for day in ("Mon", "Tue", "Wed", "Thu", "Fri")
                    ]
                    + [{"from": "Fri 14:00", "until": "Mon 09:00", "capacity": 1}],
                    "time_zone": "Europe/Berlin",
                    "queue_limit": 30,
                    "renege": {"exponential": {"mean": "6h"}},
                }
            },
        },
        {
            "arrivals": {"every": "9d"},
            "pools": {"packers": {"shifts": [{"from": "Mon 08:00", "until": "Mon 08:01", "capacity": 1}]}},
        },
        {"arrivals": {"renewal": {"erlang": {"shape": 3, "mean": "1m"}}, "batch": {"size": 4}}},
        {"arrivals": {"poisson": "9/m", "batch": {"size": {"choice": [1, 2, 30], "weights": [5, 3, 1]}}}},
        {"arrivals": {"rates": [{"until": "8h", "rate": "3/h"}, {"until": "9h", "rate": "4/m"}], "repeat": "24h"}},
        {"arrivals": {"rates": [{"until": "1h", "rate": "2/m"}, {"until": "2h", "rate": "0/h"}, {"rate": "1/s"}]}},
        {"arrivals": {"rates": [{"until": "1h", "rate": "1/m"}], "batch": {"size": 2}}},
        {"arrivals": {"closed": {"population": 20, "think": {"exponential": {"mean": "5m"}}}}},
        {"patience": 1},
        {"patience": 50, "seed": 3},
    ],
    ids=str,
)
def test_other_scenarios_make_the_same_records(changes: dict[str, Any]) -> None:
    workflow, scenario = of_example("order_processing", 150)
    other = Scenario.model_validate(scenario.model_dump(exclude_unset=True) | changes)
    assert compare(workflow, other) > 50


@pytest.mark.parametrize("more", [{}, {"renege": "2m"}, {"queue_limit": 0}, {"capacity": 100}])
def test_work_that_is_cancelled_in_the_step_that_asks_for_it_leaves_timers_alone(more: dict[str, Any]) -> None:
    """What the step has put into the calendar is for nothing then, and all that is still due is a timer."""
    workflow = wf.Builder("hasty").activity("look", pool="clerks").activity("check", pool="clerks")
    workflow.state("checked", initial=True, activity="check").state("begun", activity="look")
    workflow.state("waits").state("over", terminal=True)
    workflow.transition("checked", "begun", on="next").transition("begun", "waits", condition="true")
    made = workflow.transition("waits", "over", after="1h").build()
    plan = {
        "arrivals": {"poisson": "2/m"},
        "cases": 40,
        "pools": {"clerks": {"capacity": 1} | more},
        "activities": {"check": {"duration": {"exponential": {"mean": "1m"}}}, "look": {"duration": "10s"}},
        "events": {"checked": [{"event": "next", "delay": {"exponential": {"mean": "3m"}}}]},
    }
    scenario = Scenario.model_validate(plan)
    assert compare(made, scenario) > 300
    _, summary = compiled(made, scenario)
    assert (summary.n_closed, summary.notes) == (40, [])


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
        ("lognormal", {"mean": "90s", "cv": 0.4}),
        ("erlang", {"shape": 4, "mean": "90s"}),
        ("gamma", {"shape": 0.3, "mean": "90s"}),
        ("gamma", {"shape": 2_000.0, "mean": "90s"}),
        ("hyperexponential", {"means": ["1s", "9m"], "weights": [9, 1]}),
        (
            "mixture",
            {
                "of": [
                    {"weight": 1, "weibull": {"scale": "90s", "shape": 2.0}},
                    {"weight": 0, "constant": "1h"},
                    {"weight": 2, "mixture": {"of": [{"weight": 1, "gamma": {"shape": 1.5, "mean": "9s"}}]}},
                ]
            },
        ),
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
        "cases": 200,
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
    assert compare(w.build(), Scenario.model_validate(plan)) > 1_500


# --- what instances have to do with each other --------------------------------------------------------

PARENT = """\
name: parent
version: 1.0.0
initial_state: asked
variables:
  k: {type: any, input: true}
  words: {type: any, optional: true, input: true}
  found: {type: any, optional: true, output: true}
events: {leave: {}}
states:
  - name: asked
    timeout: 40s
    invoke: {workflow: child, input: {k: "${context.k}", words: "${context.words}"}, result_variable: found}
  - {name: again, invoke: {workflow: child, version: "<2.0.0", input: {k: "${context.k}"}}}
  - {name: end, is_terminal: true}
transitions:
  - {from: asked, event: done, to: again}
  - {from: asked, event: error, to: again}
  - {from: asked, event: timeout, to: again}
  - {from: asked, event: leave, to: end}
  - {from: again, event: done, to: end}
  - {from: again, event: error, to: end}
correlation: {key: context.k}
"""
CHILD = """\
name: child
version: VERSION
initial_state: busy
variables:
  k: {type: any, input: true, output: true}
  words: {type: list, items: {type: string, pattern: "[a-z]+"}, input: true, initial: [a]}
  count: {type: integer, initial: 0, output: true}
events: {go: {}}
states: [{name: busy, timeout: 70s}, {name: end, is_terminal: true}]
transitions:
  - from: busy
    event: go
    to: end
    pre_actions: [{action_type: set_variable, parameters: {name: count, value: "${context.count + 1}"}}]
correlation: {key: context.k}
"""
KIN = Catalogue(
    wf.loads(text) for text in (PARENT, CHILD.replace("VERSION", "1.0.0"), CHILD.replace("VERSION", "2.0.0"))
)


def of_kin(**changes: Any) -> Scenario:
    """Parents whose keys come again, as do those of their children."""
    go = [{"event": "go", "delay": {"exponential": {"mean": "30s"}}}]
    plan = {
        "arrivals": {"poisson": "6/m"},
        "cases": 60,
        "inputs": {"k": {"choice": [5, 5.0, True, 1, "x", "y", 2.5, -0.0, 0, 7, 8, 9, "z"]}},
        "events": {"asked": [{"event": "leave", "delay": {"exponential": {"mean": "2m"}}}]},
        "workflows": {"child": {"events": {"busy": go}}},
    }
    return Scenario.model_validate(plan | changes)


def test_keys_are_taken_alike_whatever_they_are() -> None:
    _, told = in_python(KIN.get("parent"), of_kin(), KIN)
    assert 5 < told.n_refused < 55
    assert compare(KIN.get("parent"), of_kin(), KIN) > 250


@pytest.mark.parametrize(
    "changes",
    [
        {"arrivals": {"closed": {"population": 9, "think": {"exponential": {"mean": "20s"}}}}},
        {"arrivals": {"poisson": "6/m", "batch": {"size": 3}}, "horizon": "9m"},
        {"inputs": {"k": {"unique": ["p", 1]}, "words": "x"}},
        {"inputs": {"k": {"unique": "p"}, "words": ["x", "yz"]}},
        {"inputs": {"k": {"unique": 7}, "words": {"choice": [["x"], ["Y"], None, "x", []]}}},
        {"inputs": {"k": "${1 + 1}"}},
        {"inputs": {"k": {"number": [1.0, 9.0]}}},
        {
            "workflows": {
                "child": {
                    "events": {"busy": [{"event": "go", "delay": "65s"}]},
                    "arrivals": {"poisson": "2/m"},
                    "cases": 40,
                    "inputs": {"k": {"integer": [0, 9]}},
                }
            }
        },
    ],
    ids=str,
)
def test_families_with_keys_make_the_same_records(changes: dict[str, Any], tmp_path: Path) -> None:
    scenario = of_kin(**changes)
    try:
        expected = in_python(KIN.get("parent"), scenario, KIN)
    except ScenarioError as refused:
        with pytest.raises(ScenarioError, match=re.escape(str(refused))):
            compiled(KIN.get("parent"), scenario, KIN)
        return
    assert compiled(KIN.get("parent"), scenario, KIN, chunk=1_000, saved_at=tmp_path / "run") == expected


@pytest.mark.parametrize("name", ["order_fulfilment", "loan_application", "document_request"])
def test_families_in_small_chunks_and_from_small_tables_are_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow, scenario = of_example(name, 150)
    monkeypatch.setattr(memory, "SLOTS", 1)
    monkeypatch.setattr(memory, "ENTRIES", 600)
    monkeypatch.setattr(run, "STEPS", 7)
    assert compare(workflow, scenario, MODELS, chunk=1_000) > 2_000


@pytest.mark.parametrize(
    "key",
    ["context.f", "context.g + context.f", "context.k + '-' + context.k", "lower(context.k)", "context.f * 2", "null"],
)
def test_keys_are_computed_alike(key: str) -> None:
    workflow = wf.loads(f"""\
name: keyed
version: 1.0.0
initial_state: open
variables:
  f: {{type: number, initial: 5}}
  g: {{type: number, input: true, initial: 7}}
  k: {{type: string, input: true}}
states: [{{name: open, timeout: 30s}}, {{name: end, is_terminal: true}}]
transitions: [{{from: open, event: timeout, to: end}}]
correlation: {{key: "{key}"}}
""")
    plan = {"arrivals": {"every": "7s"}, "cases": 20, "inputs": {"k": {"choice": ["a", "B", "c"]}}}
    scenario = Scenario.model_validate(plan)
    if key == "null":
        for run_with in (in_python, compiled):
            with pytest.raises(ScenarioError, match="nobody could find the instance by it"):
                run_with(workflow, scenario)
        return
    _, told = in_python(workflow, scenario)
    assert told.n_refused > 5
    compare(workflow, scenario)


def test_who_is_given_up_keeps_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STEPS", 20)
    w = wf.Builder("round", correlation={"key": "context.k"}).variable("k", "string", input=True)
    w.state("a", initial=True, timeout="1s").state("b", timeout="1s").state("c", terminal=True)
    w.transition("a", "b", on="timeout").transition("b", "a", on="timeout").event("go").transition("a", "c", on="go")
    scenario = Scenario.model_validate({"arrivals": {"every": "9s"}, "cases": 9, "inputs": {"k": "one"}})
    workflow = w.build()
    _, told = in_python(workflow, scenario)
    assert (told.n_started, told.n_refused) == (1, 8)
    assert compare(workflow, scenario) > 20


def test_many_children_at_once_and_without_end_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_RELATIVES", 50)
    monkeypatch.setattr(relations, "MOST_DEPTH", 2)
    monkeypatch.setattr(memory, "ENTRIES", 8)
    text = """\
name: many
version: 1.0.0
initial_state: a
variables: {n: {type: integer, input: true}, out: {type: list, optional: true, output: true}}
states:
  - name: a
    for_each:
      items: "${[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}"
      as: n
      workflow: many
      on_failure: HOW
      result_variable: out
  - {name: b, is_terminal: true}
transitions: [{from: a, event: done, to: b}, {from: a, event: error, to: b}]
"""
    for how in ("collect", "fail_fast"):
        workflow = wf.loads(text.replace("HOW", how))
        scenario = Scenario.model_validate({"arrivals": {"every": "1s"}, "cases": 2, "inputs": {"n": 0}})
        _, told = in_python(workflow, scenario, Catalogue([workflow]))
        assert any("goes on without end" in note for note in told.notes)
        assert compare(workflow, scenario, Catalogue([workflow])) > 400


@pytest.mark.parametrize(
    ("declared", "drawn"),
    [
        ("number", {"number": [0.0, 12.0]}),
        ("number", {"lognormal": [5.0, 0.9]}),
        ("number", {"integer": [0, 12]}),
        ("integer", {"integer": [0, 12]}),
        ("integer", {"number": [0.0, 12.0]}),
    ],
    ids=str,
)
def test_payloads_that_are_drawn_and_do_not_fit_are_turned_away_alike(declared: str, drawn: dict[str, Any]) -> None:
    workflow = wf.loads(
        f"""\
name: asked
version: 1.0.0
initial_state: a
variables: {{x: {{type: {declared}, optional: true}}}}
events: {{go: {{payload: {{x: {{type: {declared}, minimum: 1, maximum: 9}}, y: {{type: any, optional: true}}}}}}}}
states: [{{name: a}}, {{name: b, is_terminal: true}}]
transitions:
  - {{from: a, event: go, to: b, pre_actions: [{{action_type: set_variable, parameters: PUT}}]}}
""".replace("PUT", "{name: x, value: '${event.x}'}")
    )
    coming = {"event": "go", "delay": "5s", "payload": {"y": "z", "x": drawn}}
    plan = {"cases": 100, "patience": 3, "events": {"a": [coming]}}
    scenario = Scenario.model_validate(plan)
    compare(workflow, scenario)
    (records, _, _), _ = in_python(workflow, scenario)
    n_rejected = sum(record[2] == R_EVENT_REJECTED for record in records)
    assert n_rejected > 10
    # No number with a fraction is an integer.
    assert (n_rejected < len(records) / 4) == ("integer" in drawn or declared == "number")


def test_numbers_that_are_drawn_and_do_not_fit_are_refused_alike() -> None:
    w = wf.Builder("one").variable("x", "number", input=True, minimum=1.0, maximum=9.0).state("a", initial=True)
    w.state("b", terminal=True).transition("a", "b", after="1s")
    for drawn in ({"number": [0.0, 9.0]}, {"lognormal": [5.0, 0.9]}, {"integer": [1, 30]}):
        plan = {"arrivals": {"every": "1s"}, "cases": 200, "inputs": {"x": drawn}}
        scenario = Scenario.model_validate(plan)
        with pytest.raises(ScenarioError) as told:
            in_python(w.build(), scenario)
        with pytest.raises(ScenarioError, match=re.escape(str(told.value))):
            compiled(w.build(), scenario)


# --- what it asks of Python --------------------------------------------------------------------------


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
def test_inputs_that_are_refused_are_refused_alike(changes: dict[str, Any]) -> None:
    workflow, scenario = of_example("order_processing", 5)
    other = Scenario.model_validate(scenario.model_dump(exclude_unset=True) | changes)
    with pytest.raises(ScenarioError) as told:
        in_python(workflow, other)
    with pytest.raises(ScenarioError, match=re.escape(str(told.value))):
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
    monkeypatch.setattr(
        memory if limit == "MOST_MEMORY" else calendar, limit, 2**20 if limit == "MOST_MEMORY" else 1_000
    )
    with wf.simulate(workflow, Scenario.model_validate(crowded), engine="compiled") as history:
        assert not history.complete
        (note,) = (note for note in history.notes if note.startswith("The run was stopped at"))
        assert what in note
        assert "Pool 'packers' has 2 of 2 workers busy and" in note
        assert replay_all(history)
