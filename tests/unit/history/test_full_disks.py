"""What is left, and what is said, when a disk is full, a file is damaged, or somebody presses Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from wfsim.errors import HistoryError
from wfsim.history import sorting
from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.history.store import Store
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance

TALK: dict[str, Any] = {
    "name": "talk",
    "initial_state": "open",
    "events": {"say": {"payload": {"text": "string"}}},
    "states": [{"name": "open"}],
    "transitions": [{"from": "open", "event": "say"}],
}

# Behind this size, writing to any file fails, as on a full disk.
LIMITED = """
import random, resource, signal, sys
import wfsim as wf
from wfsim.errors import HistoryError
def fill(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
def free():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def limited(code: str, *arguments: object) -> list[str]:
    """Lines that a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_store_on_a_full_disk_tells_the_cause_and_keeps_whole_appends(tmp_path: Path) -> None:
    code = f"""
from wfsim.history.store import Store
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
program = compile_workflow(wf.Workflow.model_validate({TALK!r}))
instance = Instance(program)
with Store(sys.argv[1]) as store:
    place = store.new_case(program, "one")
    version = store.append(place, instance, instance.start(0), expected_version=0)
    fill(1_000_000)
    try:
        while True:
            text = "".join(random.choices("abcdefgh", k=20_000))
            output = instance.event(instance.time, "say", {{"text": text}})
            version = store.append(place, instance, output, expected_version=version)
    except HistoryError as error:
        print(str(error).splitlines()[0])
    print(version, len(store.history()))
    free()
"""
    path = tmp_path / "runs.duckdb"
    told, numbers = limited(code, path)
    version, n = map(int, numbers.split())
    assert f"{path}: the append failed, nothing was written: " in told
    assert "Could not write file" in told
    assert n == version > 2
    with Store(path) as store:
        assert len(store.history()) == version
        assert replay_all(store.history())


def test_a_failure_that_ends_the_transaction_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile_workflow(Workflow.model_validate(TALK))
    instance = Instance(program)

    def full(con: duckdb.DuckDBPyConnection, *_: object) -> None:
        con.execute("ROLLBACK")
        raise duckdb.TransactionException("Failed to commit: No space left on device")

    with Store(tmp_path / "runs.duckdb") as store:
        place = store.new_case(program, "one")
        output = instance.start(0)
        with monkeypatch.context() as patched:
            patched.setattr("wfsim.history.store.insert", full)
            with pytest.raises(HistoryError, match=r"nothing was written: Failed to commit: No space left"):
                store.append(place, instance, output, expected_version=0)
        assert store.append(place, instance, output, expected_version=0) == len(store.history())


def test_a_simulation_onto_a_full_disk_leaves_an_incomplete_history_that_can_be_read(tmp_path: Path) -> None:
    code = """
from wfsim.history import sorting
sorting.PORTION = 1_000
fill(1_000_000)
try:
    wf.simulate(wf.example_order, cases=1_000, into=sys.argv[1])
except HistoryError as error:
    print(str(error).replace("\\n", " "))
""".replace("wf.example_order", 'wf.load("models/order_processing.yaml"), "models/order_processing.scenario.yaml"')
    path = tmp_path / "orders.duckdb"
    (told,) = limited(code, path)
    assert f"{path}: cannot be written to its end: " in told
    assert f"What was written is in {path}, which says that it is incomplete" in told
    with open_history(path) as history:
        assert not history.complete
        assert repr(history).startswith("<Incomplete history of order_processing")
        assert history.notes[0] == sorting.UNFINISHED
        assert "incomplete" in history._repr_html_()
        assert history.sql("SELECT complete FROM runs").fetchall() == [(False,)]
        assert 0 < len(history.cases()) < 1_000
        assert replay_all(history)
    # What did not fit in any more is read from the log beside it.
    assert {file.name for file in tmp_path.iterdir()} <= {path.name, f"{path.name}.wal"}


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the third portion is written."""
    portions = []
    insert = sorting.SortedFile.insert

    def some(self: sorting.SortedFile, portion: sorting.Portion) -> Any:
        portions.append(portion)
        if len(portions) == 3:
            portion.is_read.set()
            raise KeyboardInterrupt
        return insert(self, portion)

    monkeypatch.setattr(sorting, "ROW_GROUP", 100)
    monkeypatch.setattr(sorting, "PORTION", 200)
    monkeypatch.setattr(sorting.SortedFile, "insert", some)


@pytest.mark.usefixtures("interrupted")
def test_what_was_sorted_before_ctrl_c_is_an_incomplete_history(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    with pytest.raises(KeyboardInterrupt):
        make(into=path)
    with open_history(path) as history:
        assert (history.complete, history.runs[0].complete) == (False, False)
        assert 0 < len(history.cases()) < 60
        assert replay_all(history)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_older_history_is_not_given_up_for_an_incomplete_one(
    make: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "h.duckdb"
    older = make(into=path, seed=5)
    before = older.history.digest
    older.history.close()
    request.getfixturevalue("interrupted")
    with pytest.raises(KeyboardInterrupt):
        make(into=path)
    with open_history(path) as history, open_history(f"{path}.partial") as partial:
        assert (history.digest, history.complete) == (before, True)
        assert not partial.complete


def test_a_simulation_that_is_interrupted_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    from wfsim.simulation.engine import Simulation

    happen = Simulation._happen

    def some(self: Simulation, *arguments: Any) -> None:
        if self.summary.n_started == 20:
            raise KeyboardInterrupt
        happen(self, *arguments)

    monkeypatch.setattr(Simulation, "_happen", some)
    with wf.simulate(wf.load("models/order_processing.yaml"), cases=50) as history:
        assert not history.complete
        assert replay_all(history)
    monkeypatch.undo()
    with wf.simulate(wf.load("models/order_processing.yaml"), cases=5) as history:
        assert (history.complete, sorting.UNFINISHED in history.notes) == (True, False)


def test_a_damaged_file_is_told_with_its_path(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    make(into=path).history.close()
    raw = bytearray(path.read_bytes())
    raw[20_000:] = bytes(len(raw) - 20_000)
    path.write_bytes(raw)

    def read() -> None:
        with open_history(path) as history:
            history.sql("FROM history").fetchall()

    with pytest.raises(HistoryError, match=str(path)):
        read()
