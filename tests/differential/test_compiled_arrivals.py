"""Arrivals from outside in the compiled calendar against those of the one in Python: every way in which they come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.differential.test_compiled_calendar import alike, compare, compiled, in_python
from tests.returning import counted_returns
from wfsim.errors import ScenarioError
from wfsim.model.catalogue import Catalogue
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation import engine, relations
from wfsim.simulation.compiled import memory, returns, tables
from wfsim.simulation.compiled.arrivals import SUPPLIED
from wfsim.simulation.compiled.run import CompiledSimulation
from wfsim.simulation.scenario import Scenario

ORDER = """\
name: order
version: 1.0.0
initial_state: packing
variables:
  id: {type: string, input: true}
  n: {type: integer, input: true, minimum: 0, initial: 1}
  weight: {type: number, input: true, optional: true}
  lines: {type: list, input: true, optional: true}
activities: {pack: {pool: packers}}
states: [{name: packing, activity: pack}, {name: packed, timeout: 10s}, {name: end, is_terminal: true}]
transitions:
  - {from: packing, event: done, to: packed}
  - {from: packed, event: timeout, to: end}
"""
CLOCK = """\
name: tidy
version: 1.0.0
initial_state: at_it
variables: {what: {type: string, input: true}, n: {type: integer, input: true, minimum: 0, initial: 3}}
activities: {tidy: {}}
states: [{name: at_it, activity: tidy}, {name: end, is_terminal: true}]
transitions: [{from: at_it, event: done, to: end}]
schedules:
  often: {every: 10s, overlap: OVERLAP, input: {what: a}}
  rarely: {every: 70s, offset: 3s, overlap: queue, input: INPUT}
"""
TEXT = "${'o' + '1'}"
PLAN: dict[str, Any] = {
    "cases": 60,
    "inputs": {"id": {"unique": "o"}, "n": {"integer": [0, 9]}},
    "activities": {"pack": {"duration": {"exponential": {"mean": "50s"}}}},
    "pools": {"packers": {"capacity": 2}},
}


def same(text: str, plan: dict[str, Any], known: Catalogue | None = None) -> engine.RunSummary:
    """Both make the same, or refuse it, which is raised."""
    told = alike(wf.loads(text), Scenario.model_validate(plan), known)
    if isinstance(told, ScenarioError):
        raise told
    return told


WAYS: dict[str, dict[str, Any]] = {
    "poisson": {"poisson": "3/m"},
    "batches": {"every": "1m", "batch": {"size": {"choice": [1, 7]}}},
    "rates": {"rates": [{"until": "5m", "rate": "9/m"}, {"until": "6m", "rate": "1/h"}]},
    "at": {"at": [f"{7 * k % 300}s" for k in range(70)]},
    "closed": {"closed": {"population": 9, "think": {"exponential": {"mean": "2m"}}}},
    "one of them": {"closed": {"population": 90, "think": "0s"}},
}


@pytest.mark.parametrize("inputs", ["drawn", "computed", "lists"])
@pytest.mark.parametrize("way", WAYS)
def test_each_way_with_inputs_of_every_sort_is_the_same(way: str, inputs: str) -> None:
    """What is computed, and of a closed population texts of their own, Python makes."""
    given = PLAN["inputs"]
    if inputs != "drawn":
        given = {"id": TEXT, "n": 3} if inputs == "computed" else given | {"lines": {"unique": ["a", "b"]}}
    told = same(ORDER, PLAN | {"arrivals": WAYS[way], "inputs": given})
    assert told.n_started > 40


def trace(tmp_path: Path, rows: list[str], head: str = "time,n,weight") -> dict[str, Any]:
    file = tmp_path / "trace.csv"
    file.write_text("\n".join([head, *rows]), encoding="utf-8")
    return {"trace": str(file)}


@pytest.mark.parametrize(
    "inputs", [PLAN["inputs"], {"id": TEXT}, {"id": {"choice": ["a", "b"]}, "n": 7, "weight": 2.5}], ids=str
)
@pytest.mark.parametrize("cases", [60, None])
def test_a_trace_that_is_longer_than_what_is_supplied_at_once(
    inputs: dict[str, Any], cases: int | None, tmp_path: Path
) -> None:
    """Of the inputs some rows give none, and what a row gives counts."""
    rows = [f"{20 * k},{k % 5 if k % 3 else ''},{k / 4 if k % 2 else ''}" for k in range(2 * SUPPLIED + 77)]
    plan = PLAN | {"arrivals": trace(tmp_path, rows), "inputs": inputs, "cases": cases}
    assert same(ORDER, plan).n_started == (cases or len(rows))


@pytest.mark.parametrize(
    ("row", "head", "told"),
    [
        ("50,-1,2", "time,n,weight", "-1 is below 0"),
        ("50,x,2", "time,n,weight", "the trace gives 'x' for input 'n'"),
        ("50,1,2", "time,n,wait", "has no input 'wait'"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, SUPPLIED - 1, SUPPLIED, SUPPLIED + 1, SUPPLIED + 30])
def test_what_is_wrong_in_a_trace_shows_when_it_comes(
    row: str, head: str, told: str, place: int, tmp_path: Path
) -> None:
    """What had happened until then is handed on, by both the same."""
    rows = [f"{k / 20},1," for k in range(place)] + [row, "60,1,2"]
    workflow = wf.loads(ORDER)
    scenario = Scenario.model_validate(PLAN | {"cases": None, "arrivals": trace(tmp_path, rows, head)})
    happened: list[Counter[str]] = []
    for how in ("python", "compiled"):
        found: Counter[str] = Counter()
        if how == "python":
            simulation: Any = engine.Simulation(
                compile_workflow(workflow),
                scenario,
                sink=lambda case, instance, output, found=found: found.update(records=len(output.records)),
            )
        else:
            simulation = CompiledSimulation(
                compile_workflow(workflow),
                scenario,
                sink=lambda chunk, found=found: found.update(records=len(chunk.log)),
            )
        with pytest.raises(ScenarioError, match=told):
            simulation.run()
        happened.append(found)
    assert happened[0] == happened[1]
    assert (happened[0]["records"] > 0) == (place > 0)


def test_of_two_traces_that_break_each_has_its_own_error_also_when_put_on_disk(tmp_path: Path) -> None:
    """Both are supplied ahead, the later one last."""
    known = Catalogue([wf.loads(ROOT), wf.loads(ORDER), wf.loads(OTHER)])
    plan: dict[str, Any] = {"horizon": "1h", "inputs": {"n": {"unique": 1}}, "pools": {"packers": {"capacity": 3}}}
    plan["arrivals"] = {"every": "5s"}
    plan["workflows"] = {
        name: {
            "arrivals": trace(folder, [f"{second * k},1," for k in range(4)] + [f"{5 * second},{name},"]),
            "inputs": {"id": "x"},
        }
        for name, second in (("order", 9), ("other", 20))
        if (folder := tmp_path / name).mkdir() is None
    }
    scenario = Scenario.model_validate(plan)
    for how in ({}, {"saved_at": tmp_path / "run"}):
        with pytest.raises(ScenarioError, match="gives 'order' for input 'n'"):
            compiled(known.get("root"), scenario, known, **how)
    with pytest.raises(ScenarioError, match="gives 'order' for input 'n'"):
        in_python(known.get("root"), scenario, known)


def test_an_input_that_neither_the_trace_nor_the_scenario_gives_is_missed_alike(tmp_path: Path) -> None:
    for rows in (["1,a", "2,"], ["1,", "2,a"]):
        with pytest.raises(ScenarioError, match="needs the input 'id'"):
            same(ORDER, PLAN | {"inputs": {}, "arrivals": trace(tmp_path, rows, "time,id")})
    plan = PLAN | {"inputs": {}, "arrivals": trace(tmp_path, ["1,a", "2,b"], "time,id")}
    assert same(ORDER, plan).n_started == 2


# --- schedules ---------------------------------------------------------------------------------------


def by_the_clock(**changes: Any) -> dict[str, Any]:
    return {
        "arrivals": {"schedules": ["often", "rarely"]},
        "cases": 60,
        "activities": {"tidy": {"duration": {"choice": ["2s", "45s", "2m"], "weights": [3, 1, 1]}}},
        **changes,
    }


@pytest.mark.parametrize("changes", [{}, {"cases": None, "horizon": "30m"}, {"inputs": {"n": "${1 + 1}"}}], ids=str)
@pytest.mark.parametrize("overlap", ["allow", "skip", "queue"])
def test_schedules_start_skip_and_queue_alike(overlap: str, changes: dict[str, Any]) -> None:
    text = CLOCK.replace("OVERLAP", overlap).replace("INPUT", "{what: b, n: 4}")
    plan = by_the_clock(**changes)
    plan["activities"] = {"tidy": {"duration": {"empirical": {"values": ["2s", "45s", "2m"], "weights": [3, 1, 1]}}}}
    told = same(text, plan)
    assert any("skipped" in note or "queued" in note for note in told.notes)


def test_a_schedule_that_gives_what_can_be_no_input_is_refused_alike() -> None:
    for given in ("{what: b, n: -4}", "{n: 2}"):
        text = CLOCK.replace("OVERLAP", "skip").replace("INPUT", given)
        plan = by_the_clock()
        plan["activities"] = {"tidy": {"duration": "2s"}}
        with pytest.raises((ScenarioError, wf.DefinitionError)):
            same(text, plan)


def test_after_one_that_is_given_up_a_schedule_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_STEPS", 20)
    text = CLOCK.replace("OVERLAP", "skip").replace("INPUT", "{what: b}")
    text = text.replace("event: done, to: end}", "event: done, to: at_it}, {from: at_it, event: error, to: end}")
    plan = by_the_clock(cases=None, horizon="10m")
    plan["activities"] = {"tidy": {"duration": "2s"}}
    told = same(text, plan)
    assert sum("was given up" in note for note in told.notes) == 2
    assert told.n_started == 2


# --- several at once ---------------------------------------------------------------------------------

OTHER = ORDER.replace("name: order", "name: other").replace("packing", "looking")
ROOT = """\
name: root
version: 1.0.0
initial_state: a
correlation: {key: context.n}
variables: {n: {type: integer, input: true}}
events: {go: {}}
states: [{name: a, timeout: 40s}, {name: b, invoke: {workflow: order, input: {id: x}}}, {name: z, is_terminal: true}]
transitions:
  - {from: a, event: timeout, to: b}
  - {from: b, event: done, to: z}
  - from: b
    event: go
    pre_actions: [{action_type: send, event: go, to: {workflow: other, key: 1}}]
"""


@pytest.mark.parametrize("limits", [{"cases": 40}, {"cases": 40, "horizon": "15m"}, {"horizon": "15m"}], ids=str)
@pytest.mark.parametrize("own", [None, 7])
def test_several_workflows_with_arrivals_of_their_own_are_the_same(
    limits: dict[str, Any], own: int | None, tmp_path: Path
) -> None:
    rows = [f"{9 * k},{k}," for k in range(90)]
    known = Catalogue([wf.loads(ROOT), wf.loads(ORDER), wf.loads(OTHER)])
    for arrivals in (WAYS["closed"], WAYS["batches"], trace(tmp_path, rows)):
        plan = {
            "arrivals": {"poisson": "4/m"},
            "inputs": {"n": {"integer": [0, 30]}},
            "pools": {"packers": {"capacity": 3}},
            "workflows": {
                "order": {"arrivals": arrivals, "inputs": {"id": {"unique": "o"}}, "activities": PLAN["activities"]},
                "other": {
                    "arrivals": {"every": "11s"},
                    "inputs": {"id": TEXT, "n": {"unique": 4}},
                    "activities": PLAN["activities"],
                },
            },
            **limits,
        }
        if own is not None:
            plan["workflows"]["order"]["cases"] = own
        told = same(ROOT, plan, known)
        assert told.n_refused > 0
        assert told.n_children > 50


def test_from_small_tables_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "ENTRIES", 8)
    monkeypatch.setattr(memory, "SLOTS", 1)
    for way in ("one of them", "batches"):
        same(ORDER, PLAN | {"arrivals": WAYS[way], "cases": 300})
    text = CLOCK.replace("OVERLAP", "queue").replace("INPUT", "{what: b}")
    plan = by_the_clock(cases=None, horizon="30m")
    plan["activities"] = {"tidy": {"duration": "2m"}}
    same(text, plan)


# --- what cannot go on -------------------------------------------------------------------------------


def test_a_population_that_comes_ever_again_at_one_moment_is_refused_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_AT_ONCE", 50)
    idle = {"closed": {"population": 3, "think": "0s"}}
    text = ORDER.replace("timeout: 10s", "timeout: 0s")
    plan = PLAN | {"arrivals": idle, "cases": None, "horizon": "1h", "activities": {"pack": {"duration": "0s"}}}
    with pytest.raises(ScenarioError, match="so time does not pass"):
        same(text, plan)


def test_members_are_refused_whose_key_is_taken_and_think_again() -> None:
    text = ORDER.replace("initial_state", "correlation: {key: context.n}\ninitial_state")
    told = same(text, PLAN | {"arrivals": WAYS["closed"]})
    assert told.n_refused > 5


# --- what it asks of Python --------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["closed", "batches", "trace"])
def test_arrivals_take_no_python(way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """But for room, for texts, and for some hundred of a trace at once."""
    asked = counted_returns(monkeypatch)
    rows = [f"{k},1," for k in range(3_000)]
    arrivals = trace(tmp_path, rows) if way == "trace" else WAYS[way]
    given = PLAN["inputs"] if way != "closed" else {"id": "x", "n": {"integer": [0, 9]}}
    plan = PLAN | {"arrivals": arrivals, "cases": 2_000, "inputs": given, "pools": {"packers": {"capacity": 90}}}
    summary = CompiledSimulation(
        compile_workflow(wf.loads(ORDER)), Scenario.model_validate(plan), sink=lambda chunk: None
    ).run()
    assert summary.n_closed == 2_000
    assert asked[returns.FILL] == 0
    assert asked.total() < 40


def test_what_a_trace_gives_can_be_a_key(tmp_path: Path) -> None:
    text = ORDER.replace("initial_state", "correlation: {key: context.id}\ninitial_state")
    rows = [f"{9 * k},{'ab'[k % 2]}" for k in range(60)]
    scenario = Scenario.model_validate(PLAN | {"arrivals": trace(tmp_path, rows, "time,id")})
    _, told = in_python(wf.loads(text), scenario)
    assert told.n_refused > 10
    compare(wf.loads(text), scenario)


def test_a_member_of_a_population_comes_as_often_as_can_be_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, relations, tables):
        monkeypatch.setattr(module, "FIRST_CHILD", 40)
    with pytest.raises(ScenarioError, match="population of 9 has come 5 times, and no more can be numbered"):
        same(ORDER, PLAN | {"arrivals": WAYS["closed"]})
