"""How rows get from a simulation into their file: held, taken out sorted, written by a thread."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import wfsim as wf
from tests.sides import check_sides
from wfsim.errors import HistoryError
from wfsim.history import held, schema, side_tables, sorting, taking
from wfsim.history.background import Background, Task
from wfsim.history.history import History, open_history
from wfsim.history.replay import replay_all
from wfsim.history.sides import sides_of
from wfsim.history.sorting import SortedFile
from wfsim.history.store import Store
from wfsim.history.writer import HistoryWriter
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.compiled import run


def simulate(into: Path | None = None, **options: Any) -> History:
    return wf.simulate(
        wf.load("models/order_processing.yaml"),
        "models/order_processing.scenario.yaml",
        cases=400,
        engine="compiled",
        into=into,
        **options,
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks, row groups and transactions so small that there are many."""
    init = run.CompiledSimulation.__init__
    monkeypatch.setattr(
        run.CompiledSimulation, "__init__", lambda self, *given, **named: init(self, *given, **named, chunk=1_000)
    )
    monkeypatch.setattr(sorting, "ROW_GROUP", 200)
    monkeypatch.setattr(sorting, "PORTION", 500)


@pytest.fixture(scope="module")
def whole() -> str:
    """The digest of the history that comes in one piece."""
    with simulate() as history:
        return history.digest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are, none so far."""
    found = tmp_path / "temporary"
    found.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    return found


@pytest.mark.usefixtures("small")
def test_closed_cases_are_written_while_others_go_on(
    whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened, main = [], threading.current_thread()
    insert, finish = SortedFile.insert, HistoryWriter.finish

    def inserts(self: SortedFile, *given: Any) -> Task:
        happened.append("portion")
        assert threading.current_thread() is not main
        return insert(self, *given)

    def finishes(self: HistoryWriter, **given: Any) -> History:
        self._rows.wait()
        self._writing.wait()
        happened.append("finish")
        return finish(self, **given)

    monkeypatch.setattr(SortedFile, "insert", inserts)
    monkeypatch.setattr(HistoryWriter, "finish", finishes)
    with simulate(tmp_path / "h.duckdb") as history:
        assert history.digest == whole
        rows = history.sql('SELECT run, "case", seq FROM history.main.record_rows ORDER BY rowid').fetchall()
        assert rows == sorted(rows)
        assert history.sql("SELECT count(*) FROM records WHERE is_last").fetchall() == [(400,)]
    assert happened.index("finish") > 5
    assert [file.name for file in tmp_path.iterdir()] == ["h.duckdb"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("rows", [20, 100, 500])
def test_pieces_are_row_groups_whatever_cases_they_cut(
    rows: int, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "ROW_GROUP", rows)
    made: list[list[int]] = []

    class Told(sorting._Records):
        def __init__(self, *given: Any) -> None:
            made.append([])
            super().__init__(*given)

        def _make(self) -> Any:
            records = super()._make()
            if records is not None:
                made[-1].append(len(records))
            return records

    monkeypatch.setattr(sorting, "_Records", Told)
    with simulate(tmp_path / "h.duckdb") as history:
        assert history.digest == whole
        stored = history.sql('SELECT run, "case", seq FROM history.main.record_rows ORDER BY rowid').fetchall()
        assert stored == sorted(stored)
        check_sides(history)
    assert len(made) > 5
    assert all(n == rows for portion in made for n in portion[:-1])
    assert all(0 < portion[-1] <= rows for portion in made)
    assert sum(map(sum, made)) == len(stored)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_cases_of_which_not_all_records_are_kept_come_in_pieces_too(
    log: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def told(name: str) -> tuple[str, pd.DataFrame, pd.DataFrame]:
        with simulate(tmp_path / name, log=log) as history:
            return history.digest, history.sql("FROM dfg").df(), history.sql("FROM durations").df()

    small = told("small.duckdb")
    request.getfixturevalue("monkeypatch").undo()
    whole = told("whole.duckdb")
    assert small[0] == whole[0]
    for found, expected in zip(small[1:], whole[1:]):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.usefixtures("small")
def test_what_fails_while_duckdb_reads_comes_back_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(range(100))

    def fails(*given: Any) -> Any:
        if next(made) == 5:
            raise ZeroDivisionError("of its own")
        return sides_of(*given)

    monkeypatch.setattr(taking, "sides_of", fails)
    with pytest.raises(ZeroDivisionError, match="of its own"):
        simulate(tmp_path / "h.duckdb")
    with open_history(tmp_path / "h.duckdb") as history:
        assert not history.complete
        assert 0 < len(history.cases()) < 400
        assert replay_all(history)


def test_columns_are_compressed_as_they_are_declared(tmp_path: Path) -> None:
    columns = (*schema.STORED_COLUMNS, *side_tables.STAY_COLUMNS, *side_tables.ATTEMPT_COLUMNS)
    assert set(schema._COMPRESSED) <= {name.strip('"') for name, _ in columns}
    with simulate(tmp_path / "h.duckdb") as history:
        stored = history.con.sql(
            "SELECT DISTINCT column_name, lower(compression) FROM pragma_storage_info('history.main.record_rows') "
            "WHERE segment_type <> 'VALIDITY'"
        ).fetchall()
    # What is the same in all rows is not compressed in any way.
    found = {name: how for name, how in stored if name in schema._COMPRESSED and how != "constant"}
    declared = {name.strip('"') for name, _ in schema.STORED_COLUMNS} & set(schema._COMPRESSED)
    assert found == {name: schema._COMPRESSED[name] for name in declared - {"run", "workflow", "status"}}


def family() -> History:
    scenario = "models/loan_application.scenario.yaml"
    return wf.simulate(
        wf.load("models/loan_application.yaml"), scenario, catalogue="models", cases=100, engine="compiled"
    )


def test_children_are_numbered_behind_parents_that_were_written_before(request: pytest.FixtureRequest) -> None:
    with family() as history:
        told = history.digest
    request.getfixturevalue("small")
    written: list[int] = []
    n_pieces, make = 0, sorting._Records._make

    def makes(self: sorting._Records) -> Any:
        nonlocal n_pieces
        n_pieces += 1
        before = self.rest.get("cases", [])[:]
        made = make(self)
        for cases in self.rest["cases"][len(before) :]:
            written.extend(cases["case"].to_pylist())
        return made

    request.getfixturevalue("monkeypatch").setattr(sorting._Records, "_make", makes)
    with family() as history:
        assert history.digest == told
        children = history.sql('SELECT count(*), min("case") FROM cases WHERE parent_case IS NOT NULL').fetchall()
    assert n_pieces > 5
    assert written == list(range(1, 100 + children[0][0] + 1))
    assert children[0][1] == 101


@pytest.mark.usefixtures("small")
def test_rows_that_are_too_many_for_memory_wait_in_files_that_are_removed(
    whole: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spilled: list[Path] = []
    records = held.Held.records

    def reads(self: held.Held, *given: Any) -> Any:
        spilled.extend(folder.glob("*/*.rows*"))
        return records(self, *given)

    monkeypatch.setattr(held.Held, "records", reads)
    monkeypatch.setattr(held, "MOST", 300_000)
    with simulate(tmp_path / "h.duckdb") as history:
        assert history.digest == whole
        assert spilled
    assert list(folder.iterdir()) == []


def test_portions_at_the_end_of_a_run_are_as_many_as_they_must_be_and_none_is_small() -> None:
    group, most = sorting.ROW_GROUP, sorting.PORTION
    assert [sorting.even(n) // group for n in (0, 1, group, group + 1)] == [1, 1, 1, 2]
    assert sorting.even(most) == most
    assert sorting.even(most + 1) == 6 * group
    assert sorting.even(15 * group) == 8 * group


def test_no_room_for_what_waits_is_told_and_nothing_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "MOST", 1)

    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    path = tmp_path / "h.duckdb"
    with pytest.raises(HistoryError, match=r"h.duckdb: cannot be written to its end: .*No space left"):
        simulate(path)
    assert list(tmp_path.glob("h*")) == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("which", ["begun", "ended"])
@pytest.mark.parametrize("at", [1, 4])
def test_what_fails_in_the_thread_comes_back_to_the_caller_and_what_came_before_is_kept(
    at: int, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, begun, ended = SortedFile.insert, iter(range(1, 1_000)), []

    def fails(self: SortedFile, portion: sorting.Portion) -> Task:
        n = next(begun)

        def ends() -> None:
            ended.append(n)
            end()

        if n == at and which == "begun":
            portion.is_read.set()
            raise full
        end = insert(self, portion)
        return fail if n == at else ends

    full = duckdb.IOException("IO Error: No space left on device")

    def fail() -> None:
        raise full

    monkeypatch.setattr(SortedFile, "insert", fails)
    path = tmp_path / "h.duckdb"
    threads = threading.active_count()
    with pytest.raises(HistoryError, match=r"cannot be written to its end: IO Error: No space left on device"):
        simulate(path)
    assert threading.active_count() == threads
    assert ended == list(range(1, at)), "those before, and nothing after what failed"
    with open_history(path) as history:
        assert not history.complete
        assert (len(history.cases()) > 0) == (at > 1)
        assert len(history) == history.sql("SELECT coalesce(sum(version), 0)::BIGINT FROM cases").fetchall()[0][0]


@pytest.mark.usefixtures("small")
def test_a_simulation_that_fails_leaves_nothing_of_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: HistoryWriter, **_: object) -> None:
        self._rows.wait()
        self._writing.wait()
        assert (tmp_path / "h.duckdb.partial").exists()
        raise ZeroDivisionError

    monkeypatch.setattr(HistoryWriter, "finish", fails)
    with pytest.raises(ZeroDivisionError):
        simulate(tmp_path / "h.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_who_writes_nothing_leaves_alone_what_an_earlier_failure_has_kept(tmp_path: Path) -> None:
    kept = tmp_path / "h.duckdb.partial"
    kept.write_text("an incomplete history")
    HistoryWriter(tmp_path / "h.duckdb", compile_workflow(wf.example("order_processing"))).close()
    assert kept.read_text() == "an incomplete history"


def test_the_first_error_ends_the_thread_and_is_raised_at_each_later_call() -> None:
    done: list[int] = []

    def fails() -> None:
        raise ZeroDivisionError

    thread = Background("test", 2)
    thread.do(lambda: done.append(1))
    thread.do(fails)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            thread.wait()
        with pytest.raises(ZeroDivisionError):
            thread.do(lambda: done.append(2))
    thread.stop()
    assert done == [1]


def test_what_is_begun_goes_on_beside_others_and_ends_in_order() -> None:
    happened, second_began = list[str](), threading.Event()

    def first() -> Task:
        # Only if the second one begins meanwhile does this go on.
        assert second_began.wait(60)
        happened.append("first began")
        return lambda: happened.append("first ended")

    def second() -> Task:
        second_began.set()
        return lambda: happened.append("second ended")

    threads = Background("test", 1, 2)
    threads.begin(first)
    threads.begin(second)
    threads.do(lambda: happened.append("third"))
    threads.wait()
    threads.stop()
    assert happened == ["first began", "first ended", "second ended", "third"]


def test_what_is_dropped_after_an_error_is_the_last_of_what_was_given() -> None:
    begun, failed = list[int](), threading.Event()

    def fails() -> Task:
        failed.set()
        raise ZeroDivisionError

    def counts(n: int) -> Task:
        begun.append(n)
        return lambda: None

    threads = Background("test", 50, 2)
    threads.begin(fails)
    with suppress(ZeroDivisionError):
        for n in range(50):
            threads.begin(partial(counts, n))
    assert failed.wait(60)
    threads.stop()
    # Whoever waits for what came before waits for something that was begun.
    assert sorted(begun) == list(range(len(begun)))


@pytest.mark.parametrize("late", ["begins", "ends"])
def test_an_error_waits_for_what_came_before_and_is_the_first_in_that_order(late: str) -> None:
    done, failed = list[int](), threading.Event()

    def slow() -> Task:
        assert failed.wait(60)
        return lambda: done.append(1)

    def fails() -> Task:
        failed.set()
        if late == "begins":
            raise ZeroDivisionError

        def end() -> None:
            raise ZeroDivisionError

        return end

    threads = Background("test", 3, 2)
    threads.begin(slow)
    threads.begin(fails)
    with pytest.raises(ZeroDivisionError):
        threads.wait()
    threads.stop()
    assert done == [1]


def test_who_stops_waits_for_nothing_that_is_still_to_end() -> None:
    done, begun, go = list[int](), threading.Event(), threading.Event()

    def slow() -> Task:
        begun.set()
        assert go.wait(60)
        return lambda: done.append(1)

    threads = Background("test", 3, 2)
    threads.begin(slow)
    threads.do(lambda: done.append(2))
    assert begun.wait(60)
    stopping = threading.Thread(target=threads.stop)
    stopping.start()
    go.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert done == [1, 2][: len(done)]


def test_a_small_history_takes_little_room(tmp_path: Path) -> None:
    with simulate(tmp_path / "h.duckdb", seed=1) as history:
        n_records = len(history)
    with Store(tmp_path / "s.duckdb") as store:
        store.history()
    # Blocks of 256 KiB, one at least for every column of every table, were 9 MB.
    assert (tmp_path / "h.duckdb").stat().st_size < 3_000_000 + 40 * n_records
    assert (tmp_path / "s.duckdb").stat().st_size < 3_000_000
