"""Arrivals that are the answer to a question to a history."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError
from wfsim.history.simulate import scenario_text
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.engine import Simulation

WORKFLOW = """\
name: errand
initial_state: waiting
variables:
  who: {type: string, input: true, initial: nobody}
  size: {type: number, input: true, initial: 0}
  parts: {type: list, input: true, initial: []}
states: [{name: waiting, timeout: 1m}, {name: gone, is_terminal: true}]
transitions: [{from: waiting, event: timeout, to: gone}]
"""
STARTS = 'SELECT started FROM cases ORDER BY run, "case"'
REAL = "SELECT started / 1e6 AS time FROM cases"
INPUTS = """\
SELECT started / 1e6 AS time, payload->>'$.input.who' AS who, (payload->>'$.input.size')::DECIMAL(9, 2) AS size,
  payload->'$.input.parts' AS parts
FROM cases JOIN history USING (run, "case") WHERE kind = 'started' -- the real ones
"""


def simulated(arrivals: Any, **more: Any) -> Any:
    engine, into = more.pop("engine", "auto"), more.pop("into", None)
    scenario = wf.Scenario.model_validate({"arrivals": arrivals, **more})
    return wf.simulate(wf.loads(WORKFLOW), scenario, engine=engine, into=into)  # type: ignore[operator]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with thirty errands."""
    path = tmp_path_factory.mktemp("real") / "errands.duckdb"
    inputs = {"who": {"unique": "w"}, "size": {"choice": [1.5, 2]}, "parts": {"choice": [["a", 1], []]}}
    simulated({"poisson": "7/h"}, cases=30, inputs=inputs, into=path).close()
    return path


@pytest.fixture
def asked(real: Path) -> Callable[..., Any]:
    def ask(query: str, **more: Any) -> Any:
        return simulated({"trace": {"history": str(more.pop("history", real)), "query": query}}, **more)

    return ask


def times(history: Any) -> list[int]:
    return [started for (started,) in history.sql(STARTS).fetchall()]


def variables(history: Any, name: str) -> list[Any]:
    return [history.case(number).variables[name] for number in range(1, len(history.cases()) + 1)]


def test_what_came_to_a_history_comes_again(real: Path, asked: Callable[..., Any]) -> None:
    before, again = wf.open_history(real), asked(INPUTS)
    assert times(again) == times(before)
    assert len(set(times(again))) == 30
    for name in ("who", "size", "parts"):
        assert variables(again, name) == variables(before, name)
    assert {1.5, 2.0} == set(variables(again, "size"))


def test_both_engines_ask_the_same(asked: Callable[..., Any]) -> None:
    python, compiled = (asked(INPUTS, engine=engine) for engine in ("python", "compiled"))
    assert python.digest == compiled.digest
    assert len(python.cases()) == 30


def test_a_folder_is_asked_like_a_file(real: Path, tmp_path: Path, asked: Callable[..., Any]) -> None:
    wf.open_history(real).to_parquet(tmp_path / "folder")
    assert asked(INPUTS, history=tmp_path / "folder").digest is not None
    assert times(asked(REAL, history=tmp_path / "folder")) == times(asked(REAL))


def test_a_history_may_be_asked_for_the_one_that_replaces_it(tmp_path: Path, asked: Callable[..., Any]) -> None:
    path = tmp_path / "errands.duckdb"
    simulated({"every": "10s"}, cases=4, into=path).close()
    again = asked("SELECT started / 2e6 AS time FROM cases", history=path, into=path)
    assert times(again) == [5_000_000, 10_000_000, 15_000_000, 20_000_000]


def test_answers_are_put_in_order_and_equal_times_by_what_stands_beside_them(asked: Callable[..., Any]) -> None:
    history = asked("SELECT * FROM (VALUES ('b', 2), ('c', 1), ('a', 2), (NULL, 0)) t(who, time) ORDER BY who DESC;")
    assert times(history) == [0, 1_000_000, 2_000_000, 2_000_000]
    assert variables(history, "who") == ["nobody", "c", "a", "b"]


@pytest.mark.parametrize("moment", ["make_timestamp(started)", "make_timestamp(started)::TIMESTAMPTZ"])
def test_moments_count_from_the_earliest(real: Path, asked: Callable[..., Any], moment: str) -> None:
    before = times(wf.open_history(real))
    assert times(asked(f"SELECT {moment} AS time FROM cases")) == [time - before[0] for time in before]


def test_times_that_are_computed_are_rounded_to_microseconds(asked: Callable[..., Any]) -> None:
    assert times(asked("SELECT 2 / 3 AS time")) == [666_667]
    assert times(asked("SELECT 1.5 AS time UNION ALL SELECT sum(3)")) == [1_500_000, 3_000_000]
    days = "SELECT date '2026-01-01' + day::INTEGER AS time FROM range(2) t(day)"
    assert times(asked(days)) == [0, 86_400_000_000]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", "errands.duckdb: Parser Error: syntax error at or near"),
        ("SELECT 1 AS time FROM orders", "errands.duckdb: Catalog Error: Table with name orders does not exist"),
        (
            "SELECT started FROM cases",
            "gives no column 'time' (seconds, or a moment). Found: started.",
        ),
        ("EXPLAIN SELECT 1 AS time", "the trace's query gives no column 'time'"),
        ("SELECT 1 AS time LIMIT 0", "the answer to the trace's query: the trace is empty"),
        ("SELECT -1 AS time", "the answer to the trace's query: row 1: the duration -1 is outside 0 .. 100 years"),
        ("SELECT 1 AS time UNION SELECT 'nan'::DOUBLE", "row 2: the duration nan is not finite"),
        ("SELECT 'inf'::DOUBLE AS time", "row 1: the duration inf is not finite"),
        ("SELECT 1 AS time UNION SELECT NULL", "row 2: it has no time. Give each arrival its time"),
        ("SELECT NULL::TIMESTAMP AS time", "row 1: it has no time"),
        ("SELECT 'infinity'::TIMESTAMP AS time", "row 1: it has no time"),
        ("SELECT true AS time", "row 1: True is not a duration"),
        ("SELECT 1 AS time; SELECT 2 AS time", "a query to a history is one SELECT, this is SELECT, SELECT"),
        ("SELECT 1 AS time) LIMIT 1; --", "Parser Error"),
        (" ", "the trace's query: a query to a history is one SELECT, this is empty"),
        ("DROP TABLE cases", "a query to a history is one SELECT, this is DROP"),
        ("COPY cases TO 'out.csv'", "a query to a history is one SELECT, this is COPY"),
        ("SELECT 1 AS time, content AS who FROM read_text('/etc/hosts')", "Permission Error"),
        ("SELECT ? AS time", "Values were not provided"),
        ("SELECT 1 AS time, now() AS who", "row 1: column 'who': a value of type datetime is not JSON"),
        ("SELECT 1 AS time, 'much' AS size", "the trace gives 'much' for input 'size', which is number"),
        ("SELECT 1 AS time, 1 AS colour", "errand has no input 'colour'"),
        ("SELECT 1 AS time, (repeat('[', 9000) || repeat(']', 9000))::JSON AS parts", "which cannot be read as JSON"),
        ("SELECT range AS time FROM range(10_000_001)", "more than 10,000,000 arrivals. Add LIMIT or WHERE"),
    ],
)
def test_questions_that_give_no_arrivals_are_refused(asked: Callable[..., Any], query: str, said: str) -> None:
    with pytest.raises(ScenarioError) as told:
        asked(query)
    assert said in str(told.value)


def test_what_is_no_history_is_refused(tmp_path: Path, asked: Callable[..., Any]) -> None:
    (tmp_path / "text.duckdb").write_text("no")
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        ("missing.duckdb", "missing.duckdb: there is no such history"),
        ("text.duckdb", "text.duckdb: cannot be opened as a history"),
        ("pipe", "pipe: the history cannot be read: it is a device or a pipe"),
        ("", "this folder is no history"),
    ):
        with pytest.raises(ScenarioError) as told:
            asked(REAL, history=tmp_path / name)
        assert said in str(told.value)


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("{history: h.duckdb}", "the key 'query' is missing"),
        ("{query: SELECT 1 AS time}", "the key 'history' is missing"),
        ("{history: h.duckdb, query: ''}", "query: the text '' does not fit"),
        ("{history: '', query: FROM cases}", "history: the text '' does not fit"),
        ("{history: [h], query: FROM cases}", "history: expected a text"),
        ("{history: h.duckdb, query: 3}", "query: expected a text"),
        ("{history: h.duckdb, querry: FROM cases}", "'querry' is not a key of a trace query. .* Did you mean 'query'?"),
        ("{history: ../h.duckdb, query: FROM cases}", r"the history '\.\./h\.duckdb' lies outside the folder"),
        ("{history: /h.duckdb, query: FROM cases}", r"the history '/h\.duckdb' lies outside the folder"),
        ("{history: link.duckdb, query: FROM cases}", r"the history 'link\.duckdb' lies outside the folder"),
        ("[a.csv]", "trace: expected a text"),
        ("null", "arrivals are one of .*; found none"),
    ],
)
def test_a_question_is_read_as_strictly_as_all_of_a_scenario(tmp_path: Path, trace: str, said: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.duckdb").symlink_to(tmp_path / "h.duckdb")
    file = folder / "s.yaml"
    file.write_text(f"arrivals: {{trace: {trace}}}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"s\.yaml:1: .*{said}"):
        wf.load_scenario(file)


def test_a_history_lies_below_the_scenario_that_asks_it_and_is_kept_with_its_runs(real: Path) -> None:
    file = real.parent / "s.yaml"
    trace = f"{{history: errands.duckdb, query: {json.dumps(REAL)}}}"
    file.write_text(f"arrivals: {{trace: {trace}}}\nworkflows: {{errand 1: {{arrivals: {{trace: {trace}}}}}}}\n")
    scenario = wf.load_scenario(file)
    written = {"history": str(real), "query": REAL}
    kept = json.loads(scenario_text(scenario))
    assert kept["arrivals"] == kept["workflows"]["errand 1"]["arrivals"] == {"trace": written}
    assert wf.Scenario.model_validate(kept) == scenario
    assert scenario.changed(cases=3).arrivals == scenario.arrivals
    assert "errands.duckdb" in repr(scenario)
    assert "\n" not in repr(scenario.changed(**{"arrivals.trace.query": INPUTS}))
    history = wf.simulate(wf.loads(WORKFLOW), wf.Scenario.model_validate({"arrivals": kept["arrivals"]}))  # type: ignore[operator]
    ((text,),) = history.sql("SELECT scenario FROM runs").fetchall()
    assert json.loads(text)["arrivals"] == {"trace": written}


def test_seeds_are_explored_with_what_came(real: Path) -> None:
    scenario = wf.Scenario.model_validate({"arrivals": {"trace": {"history": str(real), "query": INPUTS}}})
    found = wf.explore_seeds(wf.loads(WORKFLOW), scenario, never="context.size > 0", seeds=2)  # type: ignore[operator]
    assert found.status == "violated"


def test_a_calendar_without_who_asks_says_so() -> None:
    plan = {"arrivals": {"trace": {"history": "h.duckdb", "query": REAL}}, "cases": 5}
    simulation = Simulation(
        compile_workflow(wf.loads(WORKFLOW)), wf.Scenario.model_validate(plan), sink=lambda *given: None
    )
    with pytest.raises(ScenarioError, match=r"h\.duckdb: no history can be asked here"):
        simulation.run()
