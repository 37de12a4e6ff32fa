"""What opening a history costs, counted in what is asked of DuckDB, and where its views come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from wfsim.files import cache_root
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
    "activity_stats, bottlenecks, dfg, durations, history, hot_paths, outcomes, retries, stays, timeouts, variants, "
    "workflow_names"
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
    """What DuckDB has been asked in this process since the test began."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.n_connections = 0

    @property
    def views(self) -> int:
        """How many views and macros were made."""
        text = " ".join(self.queries).upper()
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


def test_who_opens_a_history_makes_no_view_but_that_with_its_names(stored: Path, asked: Asked) -> None:
    with open_history(stored):
        assert (asked.n_connections, asked.views) == (1, 1)
        assert len(asked.queries) <= 11


def test_a_run_that_nobody_asks_makes_no_view(asked: Asked) -> None:
    with wf.start(DOOR) as run:
        run.send("push")
        assert (asked.n_connections, asked.views) == (1, 0)
        assert run.history.sql("SELECT DISTINCT to_state FROM history WHERE kind = 'transition'").fetchall() == [
            ("open",)
        ]
        assert asked.views == 1


def test_a_simulation_is_written_and_read_with_one_connection(asked: Asked) -> None:
    with wf.simulate(DOOR, cases=3, seed=1) as history:
        assert history.counts
    assert (asked.n_connections, asked.views) == (1, 1)


def test_nothing_of_what_was_staged_is_left_beside_a_history() -> None:
    with wf.simulate(DOOR, cases=3, seed=1) as history:
        names = history.sql("SELECT DISTINCT database_name FROM duckdb_databases() WHERE NOT internal ORDER BY 1")
        assert [name for (name,) in names.fetchall()] == ["history", "memory", "views"]
        assert history.sql("FROM duckdb_tables() WHERE database_name = 'memory'").fetchall() == []


def _without_a_cache(cache: Path) -> None:
    cache.write_text("this is a file")


def _with_a_damaged_one(cache: Path) -> None:
    cache.mkdir()
    for known in cache_root().glob("views-*"):
        (cache / known.name).write_bytes(b"no views" * 4096)


@pytest.mark.parametrize("spoil", [_without_a_cache, _with_a_damaged_one])
def test_the_views_are_there_whatever_became_of_the_cache(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    cache = tmp_path / "cache"
    spoil(cache)
    monkeypatch.setenv("WFSIM_CACHE", str(cache))
    for _ in range(2):
        with open_history(stored) as history:
            names = history.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall()
            assert ", ".join(name for (name,) in names) == VIEWS
            assert history.sql("SELECT sum(cases) FROM hot_paths").fetchall() == [(3,)]
            assert history.sql("FROM occupancy(3600000000)").fetchall()


def test_a_damaged_file_of_views_is_made_anew(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    _with_a_damaged_one(cache)
    (damaged,) = cache.iterdir()
    monkeypatch.setenv("WFSIM_CACHE", str(cache))
    open_history(stored).close()
    assert not damaged.exists()
    open_history(stored).close()
    with duckdb.connect(str(damaged), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall() == [(11,)]


def test_no_question_changes_the_views_of_others(stored: Path) -> None:
    with open_history(stored) as history:
        with pytest.raises(duckdb.Error):
            history.con.execute("DROP VIEW views.hot_paths")
        with pytest.raises(duckdb.Error):
            history.con.execute("CREATE VIEW views.more AS SELECT 1")


def test_a_live_history_has_the_names_that_came_after_it(tmp_path: Path) -> None:
    gate = DOOR.model_copy(update={"name": "gate"})
    with Store(tmp_path / "s.duckdb") as store, store.history() as history:
        for each in (DOOR, gate):
            with wf.start(each, store=store) as run:
                run.send("push")
        assert history.sql("SELECT DISTINCT workflow FROM history ORDER BY 1").fetchall() == [("door",), ("gate",)]
