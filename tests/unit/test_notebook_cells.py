"""`%wfsql` and `%%wfsql`, in a shell of IPython without a browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history.questions import Result

DOOR = wf.loads("""\
name: door
version: 1.0.0
initial_state: shut
states: [{name: shut}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: push, to: open}]
""")


@pytest.fixture(scope="module")
def history() -> Iterator[wf.History]:
    with wf.simulate(DOOR, cases=5, seed=1, progress=False) as made:
        yield made


class Notebook:
    """Runs cells and gives what they show, or what they say instead."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        self.shell = InteractiveShell(config=config, ipython_dir=str(folder))
        self.names: dict[str, Any] = self.shell.user_ns
        self.names["wf"] = wf
        self.run("%load_ext wfsim")

    def run(self, cell: str) -> Any:
        got = self.shell.run_cell(cell)
        got.raise_error()
        return got.result

    def told(self, cell: str) -> str:
        error = self.shell.run_cell(cell).error_in_exec
        assert type(error).__name__ == "UsageError", error
        return str(error)


@pytest.fixture
def notebook(tmp_path: Path, history: wf.History) -> Iterator[Notebook]:
    made = Notebook(tmp_path)
    made.names["history"] = history
    yield made
    made.shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


def rows(answer: Any) -> list[tuple[Any, ...]]:
    assert isinstance(answer, Result)
    return answer.fetchall()


def test_a_cell_asks_the_history_that_it_names(notebook: Notebook) -> None:
    assert rows(notebook.run('%%wfsql history\nSELECT count(*)\nFROM durations -- all "cases"')) == [(5,)]
    assert rows(notebook.run("%wfsql SELECT count(*) FROM durations")) == [(5,)]
    shown = notebook.run("%wfsql SELECT '<b>' AS x")._repr_html_()
    assert "&lt;b&gt;" in shown


def test_a_history_once_named_is_asked_again_and_a_single_one_need_not_be_named(
    notebook: Notebook, history: wf.History
) -> None:
    assert rows(notebook.run("%%wfsql\nSELECT count(*) FROM durations")) == [(5,)]
    with wf.simulate(DOOR, cases=2, seed=2, progress=False) as other:
        notebook.names["other"] = other
        said = notebook.told("%wfsql FROM durations")
        assert said == "Say which history is asked: %wfsql <its name>. Histories: history, other."
        assert notebook.run("%wfsql other") is None
        assert rows(notebook.run("%wfsql SELECT count(*) FROM durations")) == [(2,)]
        assert rows(notebook.run("%wfsql history SELECT count(*) FROM durations")) == [(5,)]
        assert rows(notebook.run("%%wfsql\nSELECT count(*) FROM durations")) == [(5,)]
    del notebook.names["history"]
    assert "'history', which was asked last, is no history any more" in notebook.told("%wfsql FROM durations")


def test_a_run_is_asked_like_its_history(notebook: Notebook) -> None:
    with wf.start(DOOR) as run:
        notebook.names["door"] = run
        run.send("push")
        assert rows(notebook.run("%wfsql door SELECT final_state FROM durations")) == [("open",)]


@pytest.mark.parametrize(
    "cell",
    [
        "%%wfsql history found <<\nSELECT 7 AS n",
        "%%wfsql\nfound << SELECT 7 AS n",
        "%%wfsql found<<\nSELECT 7 AS n",
        "%wfsql found << SELECT 7 AS n",
    ],
)
def test_an_answer_may_go_into_a_variable(notebook: Notebook, cell: str) -> None:
    assert notebook.run(cell) is None
    assert rows(notebook.names["found"]) == [(7,)]


def test_an_answer_is_a_table_where_one_is_wanted(notebook: Notebook) -> None:
    frame = notebook.run("%wfsql --df SELECT 7 AS n")
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"n": [7]}, dtype="int32"))
    table = notebook.run("%%wfsql history --arrow\nSELECT 7 AS n")
    assert isinstance(table, pa.Table)
    notebook.run("%wfsql found << --df SELECT 8 AS n")
    assert notebook.names["found"]["n"].tolist() == [8]


@pytest.mark.parametrize("place", [":limit", "{{limit}}", "{{ limit }}", "$limit"])
def test_parameters_are_values_of_variables_and_bound(notebook: Notebook, place: str) -> None:
    for value in (3, "x'; DROP TABLE cases --", None, [1, 2], 2.5, datetime(2026, 1, 1, tzinfo=UTC)):
        notebook.names["limit"] = value
        assert rows(notebook.run(f"%%wfsql\nSELECT {place} AS x")) == [(value,)]
        assert rows(notebook.run(f"%wfsql SELECT {place} AS x")) == [(value,)]


def test_what_only_looks_like_a_parameter_is_left(notebook: Notebook) -> None:
    notebook.names.update(a=1, b=2, name="door")
    text = """
    SELECT ':a {{a}} $a' AS ":b", [10, 20, 30][1:b], '5'::INTEGER, {'k':3}.k, $$ :a $$ -- :a {{nobody}}
    , /* :nobody */ :a + :b, n.workflow = :name FROM workflow_names n
    """
    # A colon in brackets is SQL's.
    assert "Referenced column" in notebook.told(f"%%wfsql\n{text}")
    found = rows(notebook.run(f"%%wfsql\n{text.replace('1:b', '1:$b')}"))
    assert found == [(":a {{a}} $a", [10, 20], 5, 3, " :a ", 3, True)]


def test_names_inside_a_function_are_parameters_too(notebook: Notebook) -> None:
    notebook.run("def ask(least):\n    return get_ipython().run_line_magic('wfsql', 'SELECT :least AS x')")
    notebook.names["get_ipython"] = lambda: notebook.shell
    assert rows(notebook.run("ask(12)")) == [(12,)]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%wfsql", "There is no question. Write SQL: %wfsql FROM dfg LIMIT 5"),
        ("%%wfsql histry\nFROM dfg", "'histry' is no history. Histories: history. Did you mean 'history'?"),
        ("%wfsql --dff FROM dfg", "There is no option --dff. Options: --df, --arrow, --pl, --rows, --seconds."),
        ("%wfsql --df --arrow FROM dfg", "An answer has one form; --df and --arrow are two."),
        ("%wfsql --rows many FROM dfg", "--rows needs a whole number: --rows 1000"),
        ("%wfsql SELECT :limt", "There is no variable 'limt' to take the parameter from. Did you mean 'limit'?"),
        ("%wfsql SELECT {{limit + 1}}", "{{limit + 1}} is no variable. Compute it in Python before"),
        ("%wfsql FROM dfgg", "Table with name dfgg does not exist"),
        ("%wfsql DROP TABLE cases", "a query to a history is one SELECT, this is DROP"),
        ("%wfsql --df --rows 3 FROM durations", "the answer has more than 3 rows"),
    ],
)
def test_errors_are_short(notebook: Notebook, cell: str, said: str) -> None:
    notebook.names["limit"] = 3
    got = notebook.told(cell)
    assert said in got
    assert len(got.splitlines()) < 10


def test_limits_are_those_of_sql(notebook: Notebook) -> None:
    assert len(notebook.run("%wfsql --rows 5 --seconds 100 --df FROM durations")) == 5
    assert "took longer than 1 s" in notebook.told(
        "%wfsql --df --seconds 1 SELECT count(*) FROM range(100000000) a, range(10000000) b WHERE a.range = b.range + 1"
    )


def test_without_a_history_it_is_said_how_to_open_one(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    assert notebook.told("%wfsql FROM dfg").endswith("There is none yet: history = wf.open_history(path).")
    notebook.shell.restore_sys_module_state()
    InteractiveShell.clear_instance()


def test_polars_is_asked_for_where_it_is_missing(history: wf.History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(HistoryError, match=r"polars is not installed.*\.df\(\) or \.arrow\(\)"):
        history.sql("SELECT 1").pl()
    stand_in = ModuleType("polars")
    stand_in.from_arrow = lambda table: ("polars", table.to_pylist())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "polars", stand_in)
    assert history.sql("SELECT 7 AS n").pl() == ("polars", [{"n": 7}])
