"""Appends to a store: one version after the other, all or nothing, on disk when they return."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wfsim.errors import ConflictError, HistoryError
from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.history.store import Store, StoredCase
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.records import records_of

COUNTER: dict[str, Any] = {
    "name": "counter",
    "initial_state": "on",
    "variables": {"n": {"type": "integer", "initial": 0, "output": True}},
    "events": {"go": {}, "stop": {}},
    "activities": {"ring": {"retry_policy": {"max_attempts": 3}}},
    "states": [{"name": "on", "activity": "ring"}, {"name": "off", "is_terminal": True}],
    "transitions": [
        {
            "from": "on",
            "event": "go",
            "pre_actions": [{"action_type": "set_variable", "parameters": {"name": "n", "value": "${context.n + 1}"}}],
        },
        {"from": "on", "to": "off", "event": "stop"},
    ],
}


@pytest.fixture(name="program")
def counter() -> Program:
    return compile_workflow(Workflow.model_validate(COUNTER))


def begin(store: Store, program: Program, name: str = "one") -> tuple[StoredCase, Instance]:
    place = store.new_case(program, name)
    instance = Instance(program, key=11)
    assert store.append(place, instance, instance.start(0), expected_version=0) == instance.version
    return place, instance


def test_appends_are_there_when_the_store_is_opened_again(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    with Store(path) as store:
        place, instance = begin(store, program)
        expected = []
        for k in range(5):
            before = instance.version
            output = instance.event(k, "go", {"k": k}, f"e{k}")
            expected += records_of(instance, output)
            store.append(place, instance, output, expected_version=before)
    with Store(path) as store:
        found = store.find("one")
        assert found == StoredCase(1, 1, "one", instance.version)
        case = store.case("one")
        assert case.records()[-len(expected) :] == expected
        again = case.replay()
        assert again.variables == {"n": 5}
        assert set(again.events_seen) == {f"e{k}" for k in range(5)}
        assert store.find("two") is None


def test_an_event_id_counts_once_across_a_reopening(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    with Store(path) as store:
        place, instance = begin(store, program)
        before = instance.version
        store.append(place, instance, instance.event(1, "go", {}, "same"), expected_version=before)
    with Store(path) as store:
        instance = store.case("one").replay()
        before = instance.version
        output = instance.event(2, "go", {}, "same")
        store.append(place, instance, output, expected_version=before)
        assert [record.kind for record in records_of(instance, output)] == ["event_received", "stimulus_ignored"]
        assert store.case("one").variables == {"n": 1}


def test_a_conflict_names_both_versions_and_writes_nothing(program: Program, tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        place, instance = begin(store, program)
        other = instance.copy()
        first = instance.version
        store.append(place, instance, instance.event(1, "go"), expected_version=first)
        stored = store.history().digest
        output = other.event(1, "stop")
        with pytest.raises(ConflictError, match=rf"case 'one'.* version {first}.* holds version {first + 2}") as caught:
            store.append(place, other, output, expected_version=first)
        assert (caught.value.expected, caught.value.stored) == (first, first + 2)
        assert store.history().digest == stored
        again = store.case("one").replay()
        store.append(place, again, again.event(2, "stop"), expected_version=first + 2)
        assert store.history().counts == {"completed/success": 1}


def test_starting_twice_is_a_conflict_and_an_id_is_taken_once(program: Program, tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        place, _ = begin(store, program)
        twin = Instance(program)
        with pytest.raises(ConflictError, match=r"expected version 0, the store holds version 3"):
            store.append(place, twin, twin.start(0), expected_version=0)
        with pytest.raises(HistoryError, match=r"there is a case 'one' already"):
            store.new_case(program, "one")
        # Reserved before either was stored: the second append loses, wholly.
        first, second = store.new_case(program, "two"), store.new_case(program, "two")
        assert first.case != second.case
        one, two = Instance(program), Instance(program)
        store.append(first, one, one.start(0), expected_version=0)
        with pytest.raises(ConflictError):
            store.append(second, two, two.start(0), expected_version=0)
        assert len(store.history().cases()) == 2


def test_versions_that_do_not_fit_the_rows_are_refused(program: Program, tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        place, instance = begin(store, program)
        output = instance.event(1, "go")
        with pytest.raises(HistoryError, match=r"first record has seq 4, but the expected version is 7"):
            store.append(place, instance, output, expected_version=7)


def test_a_failed_append_leaves_the_store_as_it_was(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        place, instance = begin(store, program)
        before, version = store.history().digest, instance.version
        output = instance.event(1, "stop")

        def broken(*_: Any) -> None:
            raise duckdb.IOException("IO Error: No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("wfsim.history.store.insert", broken)
            with pytest.raises(HistoryError, match=r"nothing was written: .*No space left"):
                store.append(place, instance, output, expected_version=version)
        assert store.history().digest == before
        store.append(place, instance, output, expected_version=version)
        assert replay_all(store.history())
        assert store.history().sql("SELECT count(*), max(seq) FROM records WHERE is_last").fetchall() == [(1, 7)]


def test_the_store_and_the_writer_make_the_same_history(program: Program, tmp_path: Path) -> None:
    """Reopening between appends loses nothing of what rows know only while they are written."""
    path = tmp_path / "runs.duckdb"
    writer = HistoryWriter(None, program)
    instance = Instance(program, key=3)
    stimuli = [
        lambda: instance.start(5),
        lambda: instance.activity_started(7, 1, 1, "w"),
        lambda: instance.event(9, "go", {"a": [1]}, "x"),
        lambda: instance.activity_failed(11, 1, 1, "Net", "down"),
        lambda: instance.timer_fired(1_000_011, instance.timers()[0].place, instance.timers()[0].id),
        lambda: instance.activity_started(1_000_020, 1, 2, "w"),
        lambda: instance.activity_succeeded(1_000_050, 1, 2, {"r": None}),
        lambda: instance.event(2_000_000, "stop"),
    ]
    for stimulus in stimuli:
        before = instance.version
        output = stimulus()
        writer.append(1, instance, output, external_id="one")
        with Store(path) as store:
            place = store.find("one") or store.new_case(program, "one")
            store.append(place, instance, output, expected_version=before)
    simulated = writer.finish()
    with open_history(path) as real:
        assert real.digest == simulated.digest
        for query in (
            "SELECT * FROM history",
            "FROM hot_paths",
            "FROM activity_stats",
            "FROM retries",
            "FROM stays ORDER BY entered_seq",
            "FROM durations",
        ):
            assert real.sql(query).fetchall() == simulated.sql(query).fetchall(), query
        assert real.runs[0].source == "runtime"


def test_equal_definitions_share_a_run_and_others_get_their_own(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    with Store(path) as store:
        begin(store, program, "one")
        same = compile_workflow(Workflow.model_validate(COUNTER))
        newer = compile_workflow(Workflow.model_validate({**COUNTER, "version": "2.0.0"}))
        begin(store, same, "two")
        begin(store, newer, "three")
        found = [store.find(name) for name in ("one", "two", "three")]
        assert [(place.run, place.case) for place in found if place] == [(1, 1), (1, 2), (2, 1)]
        assert [run.version for run in store.history().runs] == ["1.0.0", "2.0.0"]
        assert replay_all(store.history())


def test_a_workflow_that_comes_after_a_question_is_named_in_the_next(program: Program, tmp_path: Path) -> None:
    asked = "SELECT external_id, workflow FROM durations ORDER BY 1"
    with Store(tmp_path / "runs.duckdb") as store:
        begin(store, program)
        history = store.history()
        assert history.sql(asked).fetchall() == [("one", "counter")]
        other = compile_workflow(Workflow.model_validate(COUNTER | {"name": "other"}))
        begin(store, other, "two")
        assert history.sql(asked).fetchall() == [("one", "counter"), ("two", "other")]


def test_threads_take_turns(program: Program, tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                place, instance = begin(store, program, name)
                for k in range(15):
                    before = instance.version
                    store.append(place, instance, instance.event(k, "go"), expected_version=before)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(f"case-{k}",)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        report = replay_all(store.history())
        assert report
        assert report.n_records == 4 * (3 + 15 * 2)


def test_a_second_process_is_told_who_holds_the_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    script = (
        "import sys\nfrom wfsim.errors import HistoryError\nfrom wfsim.history.store import Store\n"
        "from wfsim.history.history import open_history\n"
        "for opening in (Store, open_history):\n"
        "    try:\n        opening(sys.argv[1])\n"
        "    except HistoryError as error:\n        print(error)\n"
    )
    with Store(path) as store:
        begin(store, program)
        shown = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    assert len(shown) == 2
    for line in shown:
        assert "another process holds this file" in line
        assert "PID" in line
        assert "close the history or stop the run there" in line


def test_a_second_store_in_one_process_is_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    with Store(path) as store:
        begin(store, program)
        for opening in (Store, open_history):
            with pytest.raises(HistoryError, match=r"this process has the file open already"):
                opening(path)
        assert store.find("one") is not None


def test_a_live_history_answers_but_gives_no_connection(program: Program, tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        place, instance = begin(store, program)
        history = store.history()
        assert history.counts == {"open": 1}
        before, digest = instance.version, history.digest
        store.append(place, instance, instance.event(1, "stop"), expected_version=before)
        assert history.counts == {"completed/success": 1}
        assert history.digest != digest
        with pytest.raises(HistoryError, match=r"so its connection is not given away"):
            history.con  # noqa: B018
        with pytest.raises(HistoryError, match=r"one SELECT"):
            history.sql("DELETE FROM record_rows")
        with pytest.raises(HistoryError, match=r"Cannot access file"):
            history.sql("SELECT * FROM read_text('/etc/passwd')")
        history.close()
        assert store.find("one") is not None


KILLED = """
import os, random, signal, struct, sys, time
import numpy, pyarrow  # before the forks
from wfsim.history.store import Store
from wfsim.model.workflow import Workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.compile import compile_workflow

path, seed, spec = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
program = compile_workflow(Workflow.model_validate(spec))

def work(report):
    store = Store(path)
    place = store.find("one")
    if place is None:
        place, instance, before = store.new_case(program, "one"), Instance(program, key=1), 0
        output = instance.start(0)
    else:
        instance = store.case("one").replay()
        os.write(report, struct.pack("q", -instance.version))
        before = instance.version
        output = instance.event(instance.time + 1, "go", {"text": "x" * 50}, f"e{before}")
    while True:
        version = store.append(place, instance, output, expected_version=before)
        os.write(report, struct.pack("q", version))
        before = version
        output = instance.event(instance.time + 1, "go", {"text": "x" * 50}, f"e{before}")

delays = random.Random(seed)
acknowledged = 0
for kill in range(12):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(writing)
        finally:
            os._exit(3)
    os.close(writing)
    heard = b""
    # Every other child is killed after its second sign of life, the rest at any moment from their birth on.
    while kill % 2 and len(heard) < 16 and (piece := os.read(reading, 8)):
        heard += piece
    time.sleep(delays.random() * (0.05 if kill % 2 else 0.4))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"kill {kill}: the child ended by itself with {status}"
    while piece := os.read(reading, 65536):
        heard += piece
    os.close(reading)
    for (version,) in struct.iter_unpack("q", heard):
        # A negative number is what the child found when it opened the store.
        assert abs(version) >= acknowledged, f"kill {kill}: {acknowledged} was acknowledged, {version} found"
        acknowledged = abs(version)
print(acknowledged)
"""


def test_a_process_killed_at_any_moment_loses_nothing_it_had_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "runs.duckdb"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), "3", repr(COUNTER)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    acknowledged = int(done.stdout)
    assert acknowledged >= 3 + 2 * 6
    with Store(path) as store:
        case = store.case("one")
        # At most the append under way at the last kill is there beyond what was acknowledged.
        assert acknowledged <= case.version <= acknowledged + 2
        instance = case.replay()
        assert instance.version == case.version
        assert instance.variables["n"] == (case.version - 3) // 2
        seqs = [record.seq for record in case.records()]
        assert seqs == list(range(1, case.version + 1))
        before = instance.version
        found = store.find("one")
        assert found is not None
        store.append(found, instance, instance.event(instance.time, "stop"), expected_version=before)
    with open_history(path) as history:
        assert history.counts == {"completed/success": 1}
        assert history.sql("SELECT count(*) FROM records WHERE is_last").fetchall() == [(1,)]
