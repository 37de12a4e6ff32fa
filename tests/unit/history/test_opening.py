"""What opening a history costs, counted in what is asked of DuckDB, and where its views come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history import schema
from wfsim.history.history import open_history
from wfsim.history.store import Store
from wfsim.model.workflow import Workflow

DOOR = Workflow.model_validate(
    {
        "name": "door",
        "initial_state": "shut",
        "states": [{"name": "shut"}, {"name": "open", "is_terminal": True}],
        "transitions": [{"from": "shut", "to": "open", "event": "push"}],
    }
)
VIEWS = (
    "activity_pools, activity_stats, attempt_rows, bottlenecks, cases, conformance, dfg, durations, "
    "eventually_follows, executions, history, horizons, hot_paths, log_events, metadata, outcomes, pool_attempts, "
    "pool_capacities, pool_utilisation, record_values, records, retries, rework, run_begins, sla, sla_cases, "
    "stay_rows, stays, sweep_points, timeouts, variants, workflow_names"
)


class Heard:
    """A connection that notes what it is asked."""

    def __init__(self, con: Any, asked: list[str]) -> None:
        self._con, self._asked = con, asked

    def execute(self, query: str, *rest: Any) -> Heard:
        self._asked.append(query)
        self._con.execute(query, *rest)
        return self

    def cursor(self) -> Heard:
        return Heard(self._con.cursor(), self._asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)


class Asked:
    """What DuckDB has been asked in this process since the test began, but for what it is told to make a file of."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.n_connections = 0

    @property
    def views(self) -> int:
        """How many views and macros were made."""
        text = " ".join(query for query in self.queries if schema.TABLES not in query).upper()
        return text.count(" VIEW ") + text.count("CREATE MACRO ")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "h.duckdb"
    wf.simulate(DOOR, cases=3, seed=1, into=path).close()
    return path


@pytest.fixture
def asked(stored: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    found, connect = Asked(), duckdb.connect

    def hears(*where: Any, **settings: Any) -> Heard:
        found.n_connections += 1
        return Heard(connect(*where, **settings), found.queries)

    monkeypatch.setattr(duckdb, "connect", hears)
    return found


def test_who_opens_a_history_makes_no_view_and_who_asks_it_that_with_its_names(stored: Path, asked: Asked) -> None:
    with open_history(stored) as history:
        assert (asked.n_connections, asked.views) == (1, 0)
        assert len(asked.queries) <= 8
        assert history.sql("SELECT count(*) FROM history").fetchall() == [(len(history),)]
        history.con.execute("FROM history")
        assert asked.views == 1


def test_a_run_that_nobody_asks_makes_no_view(asked: Asked) -> None:
    with wf.start(DOOR) as run:
        run.send("push")
        assert (asked.n_connections, asked.views) == (0, 0)
        assert run.history.sql("SELECT DISTINCT to_state FROM history WHERE kind = 'transition'").fetchall() == [
            ("open",)
        ]
        assert asked.views == 1


def test_a_simulation_is_written_and_read_with_one_connection(asked: Asked) -> None:
    with wf.simulate(DOOR, cases=3, seed=1) as history:
        assert history.counts
    assert (asked.n_connections, asked.views) == (1, 0)


def test_nothing_of_what_was_staged_is_left_beside_a_history() -> None:
    with wf.simulate(DOOR, cases=3, seed=1) as history:
        names = history.sql("SELECT DISTINCT database_name FROM duckdb_databases() WHERE NOT internal ORDER BY 1")
        assert [name for (name,) in names.fetchall()] == ["history", "memory", "views"]
        tables = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'memory' ORDER BY 1"
        assert history.sql(tables).fetchall() == [("activity_pools",), ("workflow_names",)]


@pytest.fixture
def views(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the views, in a cache of its own, and damaged."""
    monkeypatch.setenv("WFSIM_CACHE", str(tmp_path / "cache"))
    open_history(stored).close()
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(b"no views" * 4096)
    return file


def has_its_views(path: Path) -> None:
    with open_history(path) as history:
        names = history.sql(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name <> 'history' ORDER BY 1"
        ).fetchall()
        assert ", ".join(name for (name,) in names) == VIEWS
        assert history.sql("SELECT sum(cases) FROM hot_paths").fetchall() == [(3,)]
        assert history.sql("FROM occupancy(3600000000)").fetchall()


def test_the_views_are_there_where_nothing_can_be_kept(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WFSIM_CACHE", str(tmp_path / "file"))
    has_its_views(stored)


def test_the_views_are_there_though_their_file_is_damaged_and_it_is_made_anew(stored: Path, views: Path) -> None:
    has_its_views(stored)
    assert not views.exists()
    has_its_views(stored)
    with duckdb.connect(str(views), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall() == [
            (len(VIEWS.split(", ")) - 1,)
        ]


def test_no_question_changes_the_views_of_others(stored: Path) -> None:
    with open_history(stored) as history:
        with pytest.raises(duckdb.Error):
            history.con.execute("DROP VIEW views.hot_paths")
        with pytest.raises(duckdb.Error):
            history.con.execute("CREATE VIEW views.more AS SELECT 1")


def test_a_live_history_has_the_names_that_came_after_it() -> None:
    gate = DOOR.model_copy(update={"name": "gate"})
    with wf.open_engine(activities={}) as store:
        history = store.history
        for each in (DOOR, gate):
            with wf.start(each, store=store) as run:
                run.send("push")
        assert history.sql("SELECT DISTINCT workflow FROM history ORDER BY 1").fetchall() == [("door",), ("gate",)]


@pytest.mark.parametrize("megabytes", [1, 4])
def test_little_memory_is_enough_to_make_a_store_or_said_to_be_too_little(megabytes: int) -> None:
    if megabytes == 1:
        with pytest.raises(HistoryError, match="cannot be opened as a history: Out of Memory"):
            Store(":memory:", max_memory=2**20)
    else:
        Store(":memory:", max_memory=megabytes * 2**20).close()


def test_a_damaged_file_is_not_said_to_be_held_by_another_process(stored: Path) -> None:
    raw = bytearray(stored.read_bytes())
    raw[4096:12288] = b"\0" * 8192
    stored.write_bytes(raw)
    with pytest.raises(HistoryError, match="cannot be opened as a history") as caught:
        open_history(stored)
    assert "another process" not in str(caught.value)


def test_what_a_history_tells_of_itself_leaves_an_answer_that_is_being_read_alone(stored: Path) -> None:
    with open_history(stored) as history:
        reading = history.connection().execute("SELECT number FROM range(3) t(number)")
        assert reading.fetchone() == (0,)
        # Of one connection a second question, by another thread for instance, would end the first one.
        assert history.runs
        assert history.counts
        assert history.summary().counts["started"]
        assert reading.fetchall() == [(1,), (2,)]
