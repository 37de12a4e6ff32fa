"""Histories joined: what each run says stays the same, whatever codes its names had."""

from __future__ import annotations

from pathlib import Path

import wfsim as wf
from wfsim.history.codes import names_in
from wfsim.history.history import History
from wfsim.history.joining import join_histories
from wfsim.history.replay import replay_all

OF_RUNS = "SELECT table_name FROM duckdb_columns() WHERE database_name = 'history' AND column_name = 'run'"


def test_runs_keep_their_rows_and_get_codes_in_common(tmp_path: Path) -> None:
    files = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    histories = [
        wf.simulate(wf.example("shipping"), cases=20, into=files[0]),
        wf.simulate(wf.new("order"), cases=20, into=files[1]),
    ]
    named = 'SELECT * EXCLUDE (run) FROM history {} ORDER BY run, "case", seq'
    values = (
        'SELECT "case", seq, name, tag, whole, text FROM record_values v LEFT JOIN slot_names s ON s.code = v.slot {}'
    )
    values += ' ORDER BY "case", seq, position'
    expected = [[each.sql(query.format("")).fetchall() for query in (named, values)] for each in histories]
    codes = [names_in(each.connection())["state_names"] for each in histories]
    for each in histories:
        each.close()
    with join_histories(files, None) as joined:
        for run in (1, 2):
            found = [joined.sql(query.format(f"WHERE run = {run}")).fetchall() for query in (named, values)]
            assert found == expected[run - 1]
        assert [run.workflow for run in joined.runs] == ["shipping", "order"]
        # The second had other codes before.
        assert names_in(joined.connection())["state_names"][: len(codes[1])] != codes[1]
        assert replay_all(joined)


def test_every_table_that_tells_of_runs_is_joined(tmp_path: Path) -> None:
    file = tmp_path / "a.duckdb"
    wf.simulate(wf.new("order"), cases=5, log="aggregates", into=file).close()
    tables = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'history'"

    def sizes(history: History) -> dict[str, int]:
        names = [name for (name,) in history.con.execute(tables).fetchall()]
        return {name: history.con.execute(f"SELECT count(*) FROM history.{name}").fetchall()[0][0] for name in names}

    with wf.open_history(file) as one, join_histories([file, file], None) as joined:
        before, after = sizes(one), sizes(joined)
        told = {name for (name,) in one.con.execute(OF_RUNS).fetchall()} - {"records"} | {"record_rows"}
    assert {"runs", "workflows", "cases", "edge_totals", "notes"} <= told
    assert {name: after[name] for name in told} == {name: 2 * before[name] for name in told}
    assert {name: after[name] for name in after.keys() - told} == {name: before[name] for name in before.keys() - told}
