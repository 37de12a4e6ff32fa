"""Imported logs against what a few lines of plain Python make of their rows, however the work is divided."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from tests.sides import check_sides
from wfsim.history import sorting
from wfsim.history.importing import cases as cases_of_logs

TABLES = ("records", "stay_rows", "attempt_rows", "cases")


@st.composite
def logs(draw: st.DrawFn, *, lifecycle: bool = False) -> pa.Table:
    """Rows in any order of cases, with starts told in either way, times that fall, and cases that differ."""
    n = draw(st.integers(1, 25))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    moments = pa.timestamp("us", tz="UTC")
    rows: dict[str, Any] = {
        "case:concept:name": column(st.sampled_from("xyz")),
        "concept:name": column(st.sampled_from("ab")),
        "time:timestamp": pa.array(column(st.integers(100, 120)), moments),
        "org:resource": pa.array(column(st.sampled_from([None, "A", "B"])), pa.string()),
        "case:of": pa.array(column(st.sampled_from([None, "u", "u", "u", "v"])), pa.string()),
        "note": pa.array(column(st.sampled_from([None, 1, 2])), pa.int64()),
    }
    kind = "lifecycle" if lifecycle else draw(st.sampled_from(["none", "lifecycle", "starts"]))
    if kind == "lifecycle":
        rows["lifecycle:transition"] = column(
            st.sampled_from(["start", "start", "complete", "complete", "schedule", "suspend", "odd"])
        )
        rows["concept:instance"] = pa.array(column(st.sampled_from([None, None, "1"])), pa.string())
    elif kind == "starts":
        rows["start_timestamp"] = pa.array(column(st.none() | st.integers(90, 100)), moments)
    return pa.table(rows)


def told(history: wf.History) -> dict[str, list[tuple[Any, ...]]]:
    return {name: history.con.execute(f"FROM {name}").fetchall() for name in TABLES}


@cases(10)
@given(logs(), st.booleans())
def test_stays_attempts_and_closings_of_a_log_are_those_that_its_records_tell(table: pa.Table, final: bool) -> None:
    with wf.read_log(table, final=[table["concept:name"][0].as_py()] if final else None) as history:
        check_sides(history)


@cases(6)
@given(logs(), st.integers(1, 9), st.integers(1, 30))
def test_rows_do_not_depend_on_how_many_are_worked_out_or_written_at_once(
    table: pa.Table, events: int, records: int
) -> None:
    with wf.read_log(table) as history:
        whole = told(history)
    kept = cases_of_logs.EVENTS, sorting.PIECE
    cases_of_logs.EVENTS, sorting.PIECE = events, records
    try:
        with wf.read_log(table) as history:
            assert told(history) == whole
    finally:
        cases_of_logs.EVENTS, sorting.PIECE = kept


@cases(6)
@given(logs())
def test_cases_may_lie_among_one_another(table: pa.Table) -> None:
    names = table["case:concept:name"].to_pylist()
    first = sorted(range(len(names)), key=lambda row: (names.index(names[row]), row))
    with wf.read_log(table) as mixed, wf.read_log(table.take(first)) as apart:
        assert told(mixed) == told(apart)


def executions(table: pa.Table) -> list[tuple[str, str, int | None, int | None]]:
    """Case, activity, start and completion as places, first in, first out, by a list of open starts each."""
    rows = table.to_pylist()
    started = {row["concept:name"] for row in rows if row["lifecycle:transition"] in ("start", "schedule")}
    waiting: dict[Any, list[list[Any]]] = defaultdict(list)
    found: list[list[Any]] = []
    for place, row in enumerate(rows):
        case, activity, life = row["case:concept:name"], row["concept:name"], row["lifecycle:transition"]
        key = case, activity, row["concept:instance"]
        if life == "start":
            waiting[key].append([case, activity, place, None])
            found.append(waiting[key][-1])
        elif life == "complete" and activity in started:
            if waiting[key]:
                waiting[key].pop(0)[3] = place
            else:
                found.append([case, activity, None, place])
    return sorted((tuple(each) for each in found), key=str)


@cases(10)
@given(logs(lifecycle=True))
def test_starts_and_completions_are_paired_first_in_first_out(table: pa.Table) -> None:
    # Times tell events apart, so that records can be compared with rows.
    table = table.set_column(2, "time:timestamp", pa.array(range(len(table)), pa.timestamp("us", tz="UTC")))
    with wf.read_log(table) as history:
        found = history.con.execute("""
SELECT c.external_id, n.name, if(a.wait IS NULL, NULL, a.scheduled + a.wait), a.ended
FROM attempt_rows a JOIN cases c USING (run, "case") JOIN activity_names n ON n.code = a.activity
WHERE a.wait IS NOT NULL OR a.ended IS NOT NULL
""").fetchall()
    assert sorted(found, key=str) == executions(table)
