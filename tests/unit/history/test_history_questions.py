"""Questions to a history: what they can reach, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wfsim.errors import HistoryError
from wfsim.history import schema
from wfsim.history.history import History, open_history
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO runs SELECT * FROM runs",
        "UPDATE record_rows SET time = 0",
        "DELETE FROM record_rows",
        "DROP TABLE record_rows",
        "CREATE TABLE t (i INTEGER)",
        "COPY records TO '/tmp/records.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; DROP TABLE record_rows",
        "PRAGMA database_list",
        "",
    ],
)
def test_only_one_question_at_a_time_is_asked(made: Any, query: str) -> None:
    with pytest.raises(HistoryError, match=r"a query to a history is one SELECT, this is"):
        made.history.sql(query)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "Cannot access file"),
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELECT * FROM read_text('/etc/passwd')", "Cannot access file"),
        ("SELECT nme FROM history", 'Referenced column "nme" not found'),
        ("SELECT FROM WHERE", "syntax error"),
        ("SELECT CAST(kind AS INTEGER) FROM history", "Could not convert string"),
        ("SELECT ?", "1"),
    ],
)
def test_a_wrong_question_gets_duckdb_s_words(made: Any, query: str, says: str) -> None:
    with pytest.raises(HistoryError, match=says):
        made.history.sql(query).fetchall()


def test_python_variables_are_not_read(made: Any) -> None:
    import pandas as pd

    secret = pd.DataFrame({"x": [1]})
    with pytest.raises(HistoryError, match=r"secret does not exist"):
        made.history.sql("FROM secret")
    assert len(secret) == 1


def test_the_connection_is_read_only_and_locked(made: Any) -> None:
    import duckdb

    for query in (
        "DELETE FROM history.records",
        "SET threads = 1",
        "SET enable_external_access = true",
        "COPY (SELECT 1) TO '/tmp/one.csv'",
    ):
        with pytest.raises(duckdb.Error):
            made.history.con.execute(query)
    assert made.history.con.execute("SELECT count(*) FROM records").fetchone() == (len(made.history),)


def test_values_go_in_as_parameters(made: Any) -> None:
    evil = "x' OR 'a' = 'a"
    assert made.history.sql("SELECT count(*) FROM durations WHERE external_id = ?", [evil]).fetchall() == [(0,)]
    found = made.history.sql('SELECT "case" FROM durations WHERE external_id = $name', {"name": "claim-3"})
    assert found.fetchall() == [(3,)]


@pytest.mark.filterwarnings("error")
def test_a_result_gives_its_whole_answer_in_every_form_again_and_again(made: Any) -> None:
    result = made.history.sql('SELECT "case", status FROM durations ORDER BY "case"')
    rows = result.fetchall()
    assert len(rows) == 60
    assert result.fetchall() == rows
    assert list(result.df().itertuples(index=False, name=None)) == rows
    assert result.arrow().to_pylist() == [{"case": case, "status": status} for case, status in rows]
    assert result.columns == ["case", "status"]
    assert "status" in repr(result)


def test_explain_and_describe_are_questions(made: Any) -> None:
    assert made.history.sql("EXPLAIN SELECT 1").fetchall()
    columns = [row[0] for row in made.history.sql("DESCRIBE history").fetchall()]
    assert columns[:6] == ["run", "case", "workflow", "seq", "time", "kind"]


def test_the_first_rows_of_a_large_history_cost_no_more_than_they_are(make: Any, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "h.duckdb"
    made = make(into=path)
    rows, last = made.history.sql('FROM history ORDER BY run, "case", seq LIMIT 5').fetchall(), len(made.records)
    made.history.close()
    with duckdb.connect(str(path)) as con:
        for table in ("record_rows", "cases"):
            more = f'SELECT t.* REPLACE ("case" + {last} * range AS "case") FROM {table} t, range(1, 150)'
            con.execute(f'INSERT INTO {table} FROM ({more}) ORDER BY run, "case"')
        (n,) = con.execute("SELECT count(*) FROM records").fetchall()[0]
    assert n > 250_000
    with open_history(path, max_memory=48 * 2**20) as history:
        assert history.sql("FROM history LIMIT 5").fetchall() == rows
        assert len(history.sql('FROM history WHERE "case" = 8888').df()) > 0
        assert history.sql("SELECT count(payload) FROM history").fetchall() == [(n,)]
        with pytest.raises(HistoryError, match=r"more than 1,000 rows.*max_rows=None"):
            history.df(max_rows=1_000)


def test_df_is_the_whole_history_in_order(made: Any) -> None:
    frame = made.history.df()
    assert len(frame) == len(made.history)
    places = list(zip(frame["run"], frame["case"], frame["seq"]))
    assert places == sorted(places)


def test_names_are_escaped_in_html() -> None:
    name = "<script>alert(1)</script>"
    workflow = Workflow.model_validate(
        {"name": name, "initial_state": name, "states": [{"name": name}], "transitions": []}
    )
    program = compile_workflow(workflow)
    writer = HistoryWriter(None, program)
    instance = Instance(program)
    writer.append(1, instance, instance.start(0), external_id="<b>")
    history = writer.finish()
    for shown in (
        history._repr_html_(),
        history.sql("FROM history")._repr_html_(),
        history.case(1)._repr_html_(),
    ):
        assert "<script>" not in shown
        assert "<b>" not in shown
        assert "script" in shown or "&lt;b&gt;" in shown


def test_a_case_is_found_by_number_or_external_id(made: Any) -> None:
    assert made.history.case("claim-7").case == 7
    assert made.history.case(7).external_id == "claim-7"
    with pytest.raises(HistoryError, match=r"there is no case 'claim-77'\. .*Did you mean 'claim-7'"):
        made.history.case("claim-77")
    with pytest.raises(HistoryError, match=r"there is no case 999\. There are 60 cases, numbered 1 to 60"):
        made.history.case(999)
    with pytest.raises(HistoryError, match=r"there is no case 1 in run 3"):
        made.history.case(1, run=3)


def test_a_missing_file_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"there is no such history"):
        open_history(tmp_path / "none.duckdb")


def test_views_are_those_of_today_whatever_a_file_holds(make: Any, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "h.duckdb"
    rows = make(cases=3, into=path).history.sql("FROM dfg").fetchall()
    with duckdb.connect(str(path)) as con:
        held = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        con.execute("CREATE VIEW dfg AS SELECT 'of long ago' AS told")
        con.execute("CREATE MACRO active_at(t) AS TABLE SELECT 'of long ago'")
    with open_history(path) as history:
        assert history.sql("FROM dfg").fetchall() == rows
        assert history.sql("FROM active_at(0)").columns[:3] == ["run", "case", "workflow"]
    assert held == [("records",)]


def test_another_format_is_refused(make: Any, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "h.duckdb"
    make(cases=2, into=path).history.close()
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE about SET format = 99")
    with pytest.raises(HistoryError, match=rf"written in format 99, this version reads {schema.FORMAT}"):
        open_history(path)


def test_a_history_is_summed_up_in_one_line(made: Any) -> None:
    shown = repr(made.history)
    assert shown.startswith(f"<History of claims 1.2.0: {len(made.history):,} records; cases: ")
    assert list(made.history.counts)[-1] == "open"


def test_a_closed_history_says_so(make: Any) -> None:
    with make(cases=2).history as history:
        assert isinstance(history, History)
    assert "closed" in repr(history)
    with pytest.raises(HistoryError, match=r"has been closed. Open it again"):
        history.sql("FROM runs")


def test_a_question_tells_how_the_views_it_names_are_made(made: Any) -> None:
    text = made.history.sql("SELECT d.n FROM dfg d JOIN variants USING (run)").query
    assert [line for line in text.splitlines() if line.startswith("CREATE")] == [
        "CREATE VIEW dfg AS",
        "CREATE VIEW variants AS",
    ]
    assert text.endswith("SELECT d.n FROM dfg d JOIN variants USING (run)")
    assert made.history.sql("from trend(?)", [1]).query.startswith("CREATE MACRO trend(bucket_us) AS TABLE")
    # What it says is what is asked: the definition is a view of the very tables.
    (one, own) = made.history.sql("FROM outcomes").query.split(";\n\n")
    assert own == "FROM outcomes"
    select = one.removeprefix("CREATE VIEW outcomes AS\n")
    assert made.history.sql(select).fetchall() == made.history.sql("FROM outcomes").fetchall()


def test_values_are_given_by_name_too(made: Any) -> None:
    query = "SELECT count(*) FROM records WHERE seq = $seq"
    asked = made.history.sql(query, {"seq": 1}).fetchall()
    assert asked[0][0] > 0
    assert made.history.sql(query, seq=1, max_rows=5).fetchall() == asked
    with pytest.raises(HistoryError, match=r"given values as params, and by name \(seq\)"):
        made.history.sql(query, {"seq": 1}, seq=1)
    with pytest.raises(HistoryError, match="seq"):
        made.history.sql(query, sec=1)
