"""Nothing that a query says changes a history, reaches anything else, or goes on for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wfsim.errors import HistoryError
from wfsim.history.history import History, open_history
from wfsim.history.store import Store
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance

WORKFLOW = Workflow.model_validate(
    {
        "name": "door",
        "initial_state": "closed",
        "events": {"push": {}},
        "states": [{"name": "closed"}, {"name": "open", "is_terminal": True}],
        "transitions": [{"from": "closed", "to": "open", "event": "push"}],
    }
)
SMALL = 64 * 2**20

WRITES = [
    "DELETE FROM {0}",
    "INSERT INTO {0} SELECT * FROM {0}",
    "UPDATE {0} SET run = 7",
    "UPDATE {0} SET run = 7 RETURNING *",
    "DELETE FROM {0} RETURNING *",
    "MERGE INTO {0} USING (SELECT 1 AS a) ON a = run WHEN MATCHED THEN DELETE",
    "TRUNCATE {0}",
    "DROP TABLE {0}",
    "DROP VIEW dfg",
    "ALTER TABLE {0} ADD COLUMN z INTEGER",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE memory.t AS SELECT 1",
    "CREATE TABLE history.t AS SELECT 1",
    "CREATE OR REPLACE VIEW dfg AS SELECT 1",
    "CREATE OR REPLACE VIEW memory.main.dfg AS SELECT 1",
    "CREATE TEMP TABLE records AS SELECT 1",
    "CREATE MACRO len(x) AS 1",
    "CREATE TEMP MACRO len(x) AS 1",
    "CREATE INDEX i ON {0} (run)",
    "CREATE SEQUENCE s",
    "CREATE SECRET (TYPE s3)",
    "COMMENT ON TABLE {0} IS 'mine'",
    "VACUUM {0}",
]
OTHERS = [
    "",
    "-- nothing",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "COMMIT; DELETE FROM record_rows",
    "SELECT 1; DELETE FROM record_rows",
    "SELECT 1; COMMIT; DELETE FROM record_rows",
    "/* SELECT */ DELETE /* 1 */ FROM records",
    "SELECT 1 /* ; */; /* */ DELETE FROM record_rows --",
    "PREPARE p AS DELETE FROM record_rows",
    "EXECUTE p",
    "DEALLOCATE p",
    "COPY records TO 'copied.csv'",
    "COPY (SELECT 1) TO 'copied.csv'",
    "COPY records FROM '/etc/passwd'",
    "COPY FROM DATABASE history TO memory",
    "EXPORT DATABASE 'copied'",
    "IMPORT DATABASE 'copied'",
    "ATTACH 'other.duckdb'",
    "ATTACH ':memory:' AS other",
    "DETACH history",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '100GB'",
    "SET GLOBAL lock_configuration = false",
    "SET enable_external_access = true",
    "SET search_path = 'memory.main'",
    "SET VARIABLE x = 1",
    "RESET memory_limit",
    "PRAGMA database_list",
    "PRAGMA memory_limit = '100GB'",
    "PRAGMA enable_external_access = true",
    "CALL pragma_version()",
    "CALL force_checkpoint()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "EXPLAIN",
    "EXPLAIN COMMIT",
    "EXPLAIN ANALYZE COMMIT",
    "EXPLAIN ANALYZE ROLLBACK",
    "EXPLAIN (ANALYZE, FORMAT json) COMMIT",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'copied.csv'",
    "EXPLAIN ANALYZE SET memory_limit = '100GB'",
    "EXPLAIN ANALYZE EXPLAIN ANALYZE DELETE FROM record_rows",
    "EXPLAIN ANALYZE PREPARE p AS DELETE FROM record_rows",
]
SELECTS = [
    "WITH d AS (DELETE FROM record_rows RETURNING *) FROM d",
    "WITH d AS (UPDATE record_rows SET time = 0 RETURNING *) SELECT count(*) FROM d",
    "WITH d AS (INSERT INTO record_rows SELECT * FROM record_rows RETURNING *) FROM d",
    "WITH d AS MATERIALIZED (DELETE FROM cases RETURNING *) SELECT 1",
    "EXPLAIN ANALYZE WITH d AS (DELETE FROM record_rows RETURNING *) FROM d",
    "EXPLAIN ANALYZE FROM (DELETE FROM record_rows RETURNING *)",
    "DESCRIBE DELETE FROM record_rows",
    "SUMMARIZE DELETE FROM record_rows RETURNING *",
    "FROM query('DELETE FROM record_rows')",
    "FROM query('DELETE FROM record_rows RETURNING *')",
    "FROM query('COMMIT; SELECT 1')",
    "FROM query_table('nothing')",
    "FROM force_checkpoint()",
    "FROM enable_logging()",
    "SELECT nextval('records')",
    "SELECT getenv('HOME')",
    "FROM '/etc/passwd'",
    "FROM read_csv('/etc/passwd')",
    "FROM read_csv_auto(['/etc/passwd'])",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/etc/passwd')",
    "FROM read_json('/etc/passwd')",
    "FROM read_json_objects('/etc/passwd')",
    "FROM read_parquet('/etc/passwd')",
    "FROM parquet_metadata('/etc/passwd')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM glob('/etc/*')",
    "FROM read_text('/tmp/*')",
    "FROM read_text('https://example.com')",
    "FROM query('FROM read_text(''/etc/passwd'')')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
    "EXPLAIN FROM read_text('/etc/passwd')",
    "DESCRIBE FROM read_text('/etc/passwd')",
    "FROM duckdb_secrets()",
    "SELECT 1 UNION (FROM read_text('/etc/passwd'))",
]
HARMLESS = [
    "SELECT 1;;",
    "SELECT ';' AS a -- ; DELETE FROM record_rows",
    "(SELECT 1)",
    "FROM query('SELECT 1')",
    "FROM query_table('records')",
    "FROM checkpoint()",
    "SELECT setseed(0.1)",
    "SELECT write_log('x')",
    "FROM duckdb_settings()",
    "EXPLAIN ANALYZE FROM dfg",
    "EXPLAIN (FORMAT json) SELECT 1;",
    "DESCRIBE records",
    "SUMMARIZE records",
    "SHOW TABLES",
]
ENDLESS = [
    "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t",
    "SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
    "SELECT count(*) FROM range(100000000) a, LATERAL (SELECT * FROM range(a.range)) b",
    "SELECT pg_sleep(1e9)",
    "EXPLAIN ANALYZE SELECT count(*) FROM range(10000000000) a, range(10000000000) b",
]
LONG = [
    "FROM range(100000000000)",
    "SELECT unnest(range(1000000)) FROM range(1000000)",
]
GREEDY = [
    "SELECT list(range ORDER BY range DESC) FROM range(1000000000)",
    "SELECT string_agg(range::VARCHAR, ',') FROM range(1000000000)",
]


@pytest.fixture(scope="module", params=["simulated", "stored", "live", "live in memory"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A history of one case, as each of those who have one give it; no question changes it, so all ask the same."""
    program = compile_workflow(WORKFLOW)
    instance = Instance(program)
    path = tmp_path_factory.mktemp("asked") / "h.duckdb"
    if request.param.startswith("live"):
        where = ":memory:" if request.param == "live in memory" else path
        with Store(where, max_memory=SMALL) as store, store.history() as found:
            store.append(store.new_case(program, "door"), instance, instance.start(0), expected_version=0)
            yield found
    else:
        with HistoryWriter(None if request.param == "simulated" else path, program) as writer:
            writer.append(1, instance, instance.start(0))
            made = writer.finish()
        with made, open_history(made.path, max_memory=SMALL) as found:
            yield found


@pytest.fixture
def history(opened: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """It, asked in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return opened


def untouched(history: History, files: set[str]) -> None:
    (limit,) = history.sql("SELECT current_setting('memory_limit')").fetchall()
    assert limit == ("64.0 MiB",)
    assert len(history.df()) == len(history) == 2
    assert history.sql("FROM dfg").columns[:2] == ["run", "workflow"]
    assert {path.name for path in Path().iterdir()} == files


def test_what_is_no_single_question_is_refused(history: History) -> None:
    before, files = history.digest, {path.name for path in Path().iterdir()}
    whole = [query.format(table) for query in WRITES for table in ("records", "history.records")]
    for query in OTHERS + whole + [f"EXPLAIN ANALYZE {query}" for query in whole]:
        with pytest.raises(HistoryError):
            history.sql(query)
    untouched(history, files)
    assert history.digest == before


def test_a_question_that_would_write_or_read_elsewhere_is_refused(history: History) -> None:
    before, files = history.digest, {path.name for path in Path().iterdir()}
    for query in SELECTS:
        with pytest.raises(HistoryError):
            history.sql(query).fetchall()
    untouched(history, files)
    assert history.digest == before


def test_questions_with_effects_elsewhere_have_none_here(history: History) -> None:
    before, files = history.digest, {path.name for path in Path().iterdir()}
    for query in HARMLESS:
        assert history.sql(query).fetchall() is not None
    untouched(history, files)
    assert history.digest == before


@pytest.mark.parametrize("query", ENDLESS)
def test_a_question_without_end_is_stopped(history: History, query: str) -> None:
    for form in ("fetchall", "arrow"):
        with pytest.raises(HistoryError, match=r"took longer than 0\.05 s and was stopped.*max_seconds="):
            getattr(history.sql(query, max_seconds=0.05), form)()
    assert len(history) == 2


@pytest.mark.parametrize("query", LONG)
def test_an_answer_with_very_many_rows_is_refused_with_advice(history: History, query: str) -> None:
    result = history.sql(query, max_rows=1_000)
    for form in (result.df, result.fetchall, result.arrow):
        with pytest.raises(HistoryError, match=r"more than 1,000 rows.*LIMIT.*max_rows=None"):
            form()
    assert len(history.sql(f"SELECT * FROM ({query}) LIMIT 1000", max_rows=1_000).df()) == 1_000


@pytest.mark.parametrize("query", GREEDY)
def test_a_question_that_needs_too_much_memory_is_told_how_to_have_more(history: History, query: str) -> None:
    result = history.sql(query)
    for form in (result.fetchall, result.arrow):
        with pytest.raises(HistoryError, match=r"needs more memory than this history may use(.|\n)*max_memory="):
            form()
    assert len(history) == 2


def test_a_store_is_written_to_after_every_kind_of_failed_question(tmp_path: Path) -> None:
    program = compile_workflow(WORKFLOW)
    instance = Instance(program)
    with Store(tmp_path / "h.duckdb") as store, store.history() as history:
        place = store.new_case(program, "door")
        version = store.append(place, instance, instance.start(0), expected_version=0)
        for query in (*ENDLESS[:1], *SELECTS[:3], "SELECT 1 / 0 FROM nothing", "SELECT error('mine')"):
            with pytest.raises(HistoryError):
                history.sql(query, max_seconds=0.05).fetchall()
        assert store.append(place, instance, instance.event(1, "push"), expected_version=version) == len(history)


@pytest.mark.parametrize(
    ("name", "limit"), [("max_rows", 0), ("max_rows", -1), ("max_seconds", 0), ("max_seconds", -1)]
)
def test_limits_are_above_zero(history: History, name: str, limit: int) -> None:
    with pytest.raises(HistoryError, match=f"{name}={limit}: give a number above 0, or None"):
        history.sql("SELECT 1", **{name: limit})


@pytest.mark.parametrize("limit", [0, True, "1GB", 1.5])
def test_a_limit_of_memory_is_a_number_of_bytes(tmp_path: Path, limit: object) -> None:
    with pytest.raises(HistoryError, match=r"max_memory=.*bytes"):
        Store(tmp_path / "h.duckdb", max_memory=limit)  # type: ignore[arg-type]
