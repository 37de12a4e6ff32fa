"""Edges as numbers: one for each region, state, next state and event of a run, however a history came to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import wfsim as wf
from tests.sides import check_edges, check_sides
from wfsim.history.edges import NONE, Edges
from wfsim.history.joining import join_histories
from wfsim.history.store import Store
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance

HOURS = [{"from": "Thu 00:00", "until": "Thu 00:04"}]
# Two transitions of one edge, one of the same states by another event, one without any, and one that leads nowhere.
FORKED = """\
name: forked
version: 1.0.0
initial_state: a
variables: {n: {type: integer, initial: 0}}
events: {go: {payload: {n: integer}}, stop: {}, ping: {}}
states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
transitions:
  - {from: a, to: b, event: go, condition: "event.n > 5"}
  - {from: a, to: b, event: go, condition: "event.n < 3"}
  - {from: a, to: b, event: stop}
  - {from: a, event: ping}
  - {from: b, to: a, condition: "context.n > 0"}
  - {from: b, to: a, event: go}
  - {from: b, to: c, event: stop}
"""


def numbers_of(rows: np.ndarray[Any, Any], most: int) -> list[int]:
    """Some rows at a time."""
    edges = Edges()
    return [n for k in range(0, len(rows), most) for n in edges.of(*rows[k : k + most].T).tolist()]


@pytest.mark.parametrize("size", [2, 7, 2**31 - 1])
def test_edges_are_numbered_as_they_are_met_however_many_at_a_time(size: int) -> None:
    draw = np.random.default_rng(size)
    known = draw.integers(0, size, (60, 4), np.int32, endpoint=size == 2**31 - 1)
    known[::3, 3] = NONE
    known[::7, 2] = NONE
    rows = known[draw.integers(0, len(known), 5_000)]
    seen: dict[tuple[int, ...], int] = {}
    expected = [NONE if row[2] == NONE else seen.setdefault(tuple(row), len(seen)) for row in rows.tolist()]
    for most in (1, 13, 5_000):
        assert numbers_of(rows[: 200 * most], most) == expected[: 200 * most]
    assert len(Edges().of(*np.zeros((4, 0), np.int32))) == 0


def test_transitions_with_other_conditions_share_an_edge(tmp_path: Path) -> None:
    program = compile_workflow(wf.loads(FORKED))
    with Store(tmp_path / "h.duckdb") as store:
        place, instance = store.new_case(program, "one"), Instance(program)
        store.append(place, instance, instance.start(0), expected_version=0)
        told = [("go", 9), ("go", 0), ("go", 0), ("ping", None), ("go", 1), ("stop", None)]
        for k, (event, n) in enumerate(told):
            before = instance.version
            output = instance.event(k + 1, event, {} if n is None else {"n": n})
            store.append(place, instance, output, expected_version=before)
        history = store.history()
        check_edges(history)
        for since, until in ((0, 3), (2, 5), (4, 100)):
            check_edges(history.between(since, until))
        (transitions, edges) = history.sql(
            "SELECT count(DISTINCT transition), count(DISTINCT edge) FROM stay_rows WHERE to_state IS NOT NULL"
        ).fetchall()[0]
        assert (transitions, edges) == (4, 3)
        folder = history.to_parquet(tmp_path / "h")
    with wf.open_history(folder) as copied:
        check_sides(copied)
        assert copied.sql("SELECT DISTINCT typeof(edge) FROM stay_rows").fetchall() == [("INTEGER",)]


def test_counting_by_the_number_is_counting_by_what_it_stands_for(made: Any, tmp_path: Path) -> None:
    history = made.history
    times = sorted(row.time for rows in made.records.values() for row in rows)
    check_sides(history)
    part = history.between(times[len(times) // 3], times[2 * len(times) // 3])
    for seen in (part, history.business_hours(HOURS, time_zone="UTC"), part.business_hours(HOURS, time_zone="UTC")):
        check_edges(seen)
    with wf.open_history(history.to_parquet(tmp_path / "h")) as copied:
        check_sides(copied)
    with wf.read_log(history.log().df()) as log:
        check_sides(log)


def test_each_run_counts_from_0_whether_it_is_added_or_joined(tmp_path: Path) -> None:
    files = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    wf.simulate(wf.example("shipping"), cases=20, replications=2, into=files[0]).close()
    wf.simulate(wf.example("travel_booking"), catalogue="models", cases=20, into=files[1]).close()
    least = "SELECT run, min(edge), max(edge) + 1 = count(DISTINCT edge) FROM stay_rows GROUP BY run ORDER BY run"
    with wf.open_history(files[0]) as history:
        check_sides(history)
        assert history.sql(least).fetchall() == [(1, 0, True), (2, 0, True)]
    with join_histories(files[1:] * 2, None) as joined:
        check_sides(joined)
        assert joined.sql(least).fetchall() == [(1, 0, True), (2, 0, True)]
        expected = joined.sql("SELECT * EXCLUDE (run) FROM dfg WHERE run = 2").fetchall()
    with wf.open_history(files[1]) as alone:
        assert alone.sql("SELECT * EXCLUDE (run) FROM dfg").fetchall() == expected


def test_a_store_that_holds_nothing_yet_is_converted_to_one_that_grows(tmp_path: Path) -> None:
    Store(tmp_path / "h.duckdb").close()
    with wf.open_history(tmp_path / "h.duckdb") as history:
        folder = history.to_parquet(tmp_path / "h")
    wf.convert_history(folder, tmp_path / "back.duckdb").close()
    with duckdb.connect(str(tmp_path / "back.duckdb")) as con:
        assert con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == [
            ("attempt_rows",),
            ("records",),
            ("stay_rows",),
        ]
