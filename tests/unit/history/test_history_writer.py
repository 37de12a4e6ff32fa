"""What goes into a history file is what comes out, at every log level, and never half a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from wfsim.errors import HistoryError, WfsimError
from wfsim.history.history import open_history
from wfsim.history.paths import Paths
from wfsim.history.runs import Origin, definition_of, workflow_of
from wfsim.history.store import Store
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import records_of
from wfsim.semantics.texts import canonical

TINY: dict[str, Any] = {
    "name": "tiny",
    "initial_state": "a",
    "variables": {"n": {"type": "integer", "input": True, "optional": True}, "any": {"optional": True}},
    "events": {"go": {}, "note": {}},
    "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
    "transitions": [{"from": "a", "to": "b", "event": "go"}, {"from": "a", "event": "note"}],
}


def test_records_come_back_with_the_names_and_values_that_went_in(made: Any) -> None:
    for case, expected in made.records.items():
        assert made.history.case(case).records() == expected
    assert len(made.history) == sum(map(len, made.records.values()))


def test_the_view_history_names_every_record_and_its_payload(made: Any) -> None:
    rows = made.history.sql(
        'SELECT "case", seq, time, kind, cause_seq, region, state, to_state, event, event_id, activity, activity_id, '
        "attempt, error_type, status, outcome, payload FROM history"
    ).fetchall()
    expected = [(case, record) for case in sorted(made.records) for record in made.records[case]]
    assert len(rows) == len(expected)
    for row, (case, record) in zip(rows, expected):
        assert row[0] == case
        assert row[1:16] == (
            record.seq,
            record.time,
            record.kind,
            record.cause_seq,
            record.region,
            record.state,
            record.to_state,
            record.event,
            record.event_id,
            record.activity,
            record.activity_id,
            record.attempt,
            record.error_type,
            record.status,
            record.outcome,
        )
        assert json.loads(row[16]) == record.payload


def test_rows_lie_sorted_on_disk_though_cases_were_interleaved(made: Any) -> None:
    rows = made.history.sql('SELECT run, "case", seq FROM history.main.record_rows ORDER BY rowid').fetchall()
    assert rows == sorted(rows)


def test_the_last_row_of_each_case_is_flagged(made: Any) -> None:
    flagged = made.history.sql('SELECT "case", seq FROM records WHERE is_last ORDER BY "case"').fetchall()
    assert flagged == [(case, rows[-1].seq) for case, rows in sorted(made.records.items())]


def test_the_path_hash_leads_to_the_states_passed(made: Any) -> None:
    rows = made.history.sql("SELECT path_hash, states FROM variants").fetchall()
    paths = Paths()
    for path_hash, states in rows:
        path = 0
        for state in states:
            path = paths.extend(path, state)
        assert paths.hashes[path] == path_hash
        assert paths.states(path) == states


def test_two_paths_with_one_hash_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfsim.history.paths.hash_of", lambda prefix, state: 7)
    paths = Paths()
    paths.extend(0, "a")
    with pytest.raises(HistoryError, match=r"two paths share the hash 7: b and a"):
        paths.extend(0, "b")


def test_the_digest_does_not_depend_on_batches(make: Any) -> None:
    assert make(cases=9, batch_rows=13).history.digest == make(cases=9).history.digest


def test_the_digest_does_not_depend_on_the_order_of_codes(make: Any, tmp_path: Path) -> None:
    """In the second file other names came first, so every dimension has other codes."""
    plain = make(cases=5).history.digest
    path = tmp_path / "two.duckdb"
    workflow = Workflow.model_validate(TINY)
    HistoryWriter(path, compile_workflow(workflow)).finish().close()
    make(cases=5, into=path, existing="append").history.close()
    with duckdb.connect(str(path)) as con:
        con.execute("DELETE FROM runs WHERE run = 1")
    with open_history(path) as history:
        assert history.sql("SELECT code FROM state_names WHERE name = 'received'").fetchall() != [(0,)]
        assert history.digest == plain


CHANGED = 'UPDATE record_rows SET "values" = list_transform("values", lambda v: struct_update(v, {}))'


@pytest.fixture(scope="module")
def five(make: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The file of a history of five cases, and its digest."""
    path = tmp_path_factory.mktemp("five") / "h.duckdb"
    with make(cases=5, into=path).history as history:
        return path, history.digest


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE record_rows SET time = time + 1 WHERE "case" = 2 AND seq = 3',
        "UPDATE record_rows SET reason = 'x' WHERE \"case\" = 2 AND seq = 3",
        "UPDATE record_rows SET flight_or_attempt = NULL WHERE flight_or_attempt IS NOT NULL",
        CHANGED.format('"real" := v."real" + 1e-9'),
        CHANGED.format("tag := if(v.tag = 2, 1, v.tag)"),
        "UPDATE state_names SET name = name || '2'",
        'UPDATE record_rows SET "values" = NULL WHERE "case" = 2',
        'DELETE FROM record_rows WHERE "case" = 5',
        "UPDATE cases SET key = key + 1",
        "UPDATE workflows SET version = '1.2.1'",
    ],
)
def test_the_digest_notices_every_change(five: tuple[Path, str], tmp_path: Path, change: str) -> None:
    path, before = shutil.copy(five[0], tmp_path), five[1]
    with duckdb.connect(str(path)) as con:
        assert con.execute(change).fetchall()[0][0] > 0
    with open_history(path) as history:
        assert history.digest != before


SCRIPT = """
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.compile import compile_workflow
workflow = Workflow.model_validate({spec!r})
program = compile_workflow(workflow)
writer = HistoryWriter(None, program)
for case in range(1, 4):
    instance = Instance(program, key=case)
    writer.append(case, instance, instance.start(case, {{"n": 1}}))
    for payload in ({{"b": {{"x": 1, "y": [2.5, None]}}, "a": True}}, {{"z": "é"}}):
        writer.append(case, instance, instance.event(case + 1, "note", payload, f"{{case}}-{{len(payload)}}"))
    writer.append(case, instance, instance.event(case + 2, "go"))
print(writer.finish().digest)
"""


def test_the_digest_is_equal_in_other_processes_with_other_hash_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    script = SCRIPT.format(spec=TINY)
    # This process has a hash seed that was drawn at its start.
    exec(script, {})
    here = capsys.readouterr().out
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    there = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout == here
    assert len(here.strip()) == 64


def test_another_seed_gives_another_digest(make: Any, made: Any) -> None:
    assert make(seed=2).history.digest != made.history.digest


def test_values_of_every_type_survive(tmp_path: Path) -> None:
    workflow = Workflow.model_validate(TINY)
    program = compile_workflow(workflow)
    writer = HistoryWriter(tmp_path / "h.duckdb", program)
    instance = Instance(program)
    payloads: list[dict[str, Any]] = [
        {"i": -(2**63), "j": 2**63 - 1, "t": True, "f": False, "none": None},
        {"x": 0.1, "y": -0.0, "z": 1e-310, "w": 1.7976931348623157e308, "one": 1.0},
        {"text": 'quote " back \\ nul \x00 line \n é 漢 🎈', "empty": ""},
        {"list": [1, 1.0, True, None, "1", {"b": 1, "a": []}], "object": {}},
        {"event": "go", "payload": {"a": 1}},
        {},
    ]
    output = instance.start(0, {"n": 2**63 - 1})
    writer.append(1, instance, output)
    expected = records_of(instance, output)
    for payload in payloads:
        output = instance.event(1, "note", payload)
        writer.append(1, instance, output)
        expected += records_of(instance, output)
    with writer.finish() as history:
        got = history.case(1).records()
        assert [canonical(asdict(record)) for record in got] == [canonical(asdict(record)) for record in expected]
        shown = history.sql("SELECT payload FROM history WHERE kind = 'event_received'").fetchall()
        for (text,), payload in zip(shown, payloads):
            assert json.loads(text).get("payload", {}) == payload
        assert history.case(1).replay().version == instance.version


def test_text_that_is_no_unicode_never_gets_into_an_instance_or_a_history() -> None:
    instance = Instance(compile_workflow(Workflow.model_validate(TINY)))
    instance.start(0)
    before = instance.version
    with pytest.raises(WfsimError, match="half a character"):
        instance.control(1, "cancel", "id-\udcff", "why")
    assert instance.version == before


def test_an_integer_beyond_64_bits_never_gets_into_an_instance_or_a_history() -> None:
    workflow = Workflow.model_validate(
        {
            **TINY,
            "states": [{"name": "a", "activity": "f"}, {"name": "b", "is_terminal": True}],
            "activities": {"f": {}},
        }
    )
    program = compile_workflow(workflow)
    writer = HistoryWriter(None, program)
    instance = Instance(program)
    writer.append(1, instance, instance.start(0))
    before = instance.version
    with pytest.raises(WfsimError, match=r"the result of activity 1 cannot be kept: .*64"):
        instance.activity_succeeded(1, 1, 1, 10**30)
    assert instance.version == before
    output = instance.activity_succeeded(1, 1, 1, 10)
    output.values[-1].whole = 10**30
    with pytest.raises(HistoryError, match=r"case 1, record 4: the integer 1000000000.* does not fit 64 bits"):
        writer.append(1, instance, output)


def test_steps_out_of_order_are_refused() -> None:
    workflow = Workflow.model_validate(TINY)
    program = compile_workflow(workflow)
    writer = HistoryWriter(None, program)
    instance = Instance(program)
    start = instance.start(0)
    note = instance.event(1, "note")
    with pytest.raises(HistoryError, match=r"case 1: its first row is event_received, not started"):
        writer.append(1, instance, note)
    writer.append(1, instance, start)
    writer.append(1, instance, note)
    with pytest.raises(HistoryError, match=r"expected a cause with seq 5, got event_received with seq 3"):
        writer.append(1, instance, note)


# --- files ------------------------------------------------------------------------------------------


def test_nothing_is_seen_at_the_path_before_finish(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    workflow = Workflow.model_validate(TINY)
    program = compile_workflow(workflow)
    with HistoryWriter(path, program) as writer:
        instance = Instance(program)
        writer.append(1, instance, instance.start(0))
    assert list(tmp_path.iterdir()) == []


def test_a_simulated_history_is_replaced_while_the_old_one_is_still_open(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    old = make(cases=3, into=path).history
    before = old.digest
    new = make(cases=4, into=path).history
    assert len(new.cases()) == 4
    assert len(old.cases()) == 3
    assert old.digest == before
    assert [one.name for one in tmp_path.iterdir()] == ["h.duckdb"]


def test_append_adds_runs_and_refuse_refuses(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "h.duckdb"
    make(cases=3, into=path).history.close()
    both = make(cases=4, seed=2, into=path, existing="append").history
    assert [run.run for run in both.runs] == [1, 2]
    assert [run.seed for run in both.runs] == [1, 2]
    assert len(both.cases(1)) == 3
    assert len(both.cases(2)) == 4
    with pytest.raises(HistoryError, match=r"case 2 occurs in the runs 1, 2\. Say which: case\(2, run=1\)"):
        both.case(2)
    assert both.case(4).run.run == 2
    with pytest.raises(HistoryError, match=r"exists already"):
        make(cases=3, into=path, existing="refuse")


def test_replications_are_runs_of_one_file() -> None:
    workflow = Workflow.model_validate(TINY)
    program = compile_workflow(workflow)
    origin = Origin(seed=5, scenario='{"arrivals": []}', params={"cases": 1})
    writer = HistoryWriter(None, program, origin=origin)
    for replication in range(3):
        if replication:
            assert writer.new_run(replace(origin, replication=replication)) == replication + 1
        instance = Instance(program, key=replication)
        writer.append(1, instance, instance.start(replication))
    history = writer.finish()
    assert [(run.run, run.seed, run.replication, run.params) for run in history.runs] == [
        (k + 1, 5, k, {"cases": 1}) for k in range(3)
    ]
    assert history.case(1, run=3).records()[0].time == 2


def test_a_simulation_never_replaces_real_runs_nor_foreign_files(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "real.duckdb"
    program = compile_workflow(Workflow.model_validate(TINY))
    with Store(path) as store:
        instance = Instance(program)
        store.append(store.new_case(program, "x"), instance, instance.start(0), expected_version=0)
    with pytest.raises(HistoryError, match=r"1 runs that really happened"):
        make(into=path)
    foreign = tmp_path / "foreign.duckdb"
    with duckdb.connect(str(foreign)) as con:
        con.execute("CREATE TABLE precious (i INTEGER)")
    with pytest.raises(HistoryError, match=r"is not a history. It has the tables: precious"):
        make(into=foreign)
    text = tmp_path / "notes.txt"
    text.write_text("my notes, which are long enough to be no database " * 100)
    with pytest.raises(HistoryError, match=r"cannot be opened as a history"):
        make(into=text)
    assert text.read_text().startswith("my notes")
    with pytest.raises(HistoryError, match=r"the folder .* does not exist"):
        make(into=tmp_path / "no" / "h.duckdb")


def test_a_history_without_path_leaves_no_file(make: Any) -> None:
    history = make(cases=2).history
    path = history.path
    assert path.exists()
    history.close()
    assert not path.exists()
    with pytest.raises(HistoryError, match=r"has been closed"):
        history.digest  # noqa: B018


def test_answers_keep_a_temporary_history_alive(make: Any) -> None:
    result = make(cases=2).history.sql("SELECT count(*) FROM cases")
    case = make(cases=2).history.case(1)
    assert result.fetchall() == [(2,)]
    assert case.records()[0].kind == "started"


# --- log levels -------------------------------------------------------------------------------------


def test_transitions_keep_moves_and_the_same_statistics(make: Any, made: Any) -> None:
    some = make(log="transitions").history
    kinds = {kind for (kind,) in some.sql("SELECT DISTINCT kind FROM history").fetchall()}
    assert kinds == {"started", "state_entered", "state_left", "transition", "status_changed", "instance_closed"}
    # Who waited for whom is told by attempts only.
    without = "(SELECT * EXCLUDE (total_wait, mean_wait) FROM hot_paths)"
    for view in ("dfg", "variants", without, "outcomes"):
        assert some.sql(f"FROM {view}").fetchall() == made.history.sql(f"FROM {view}").fetchall(), view


def test_aggregates_keep_sums_per_edge_and_activity_and_the_closings(make: Any, made: Any) -> None:
    sums = make(log="aggregates").history
    assert len(sums) < len(made.history) / 10
    for query in (
        "SELECT from_state, to_state, event, n, total_dwell, mean_dwell FROM dfg "
        "ORDER BY region, from_state, to_state, event",
        "SELECT activity, attempts, started, total_wait, mean_wait, total_service, mean_service FROM activity_stats",
        "FROM outcomes",
        "SELECT states, cases, p50_duration FROM variants",
    ):
        assert sums.sql(query).fetchall() == made.history.sql(query).fetchall(), query


def test_notes_of_the_writer_reach_the_reader() -> None:
    workflow = Workflow.model_validate(TINY)
    program = compile_workflow(workflow)
    writer = HistoryWriter(None, program)
    instance = Instance(program)
    writer.append(1, instance, instance.start(0))
    history = writer.finish(notes=["ended early", "<b>"])
    assert history.notes == ["ended early", "<b>"]
    assert "ended early" in history._repr_html_()
    assert "<b>" not in history._repr_html_()


def test_an_unknown_log_level_is_refused(make: Any) -> None:
    with pytest.raises(HistoryError, match=r"'some' is not a log level. Levels: full, transitions, aggregates"):
        make(log="some")


def test_the_stored_definition_is_the_workflow(made: Any) -> None:
    run = made.history.runs[0]
    assert workflow_of(run.definition) == made.workflow
    assert definition_of(workflow_of(run.definition)) == run.definition
    assert (run.workflow, run.version, run.source, run.log) == ("claims", "1.2.0", "simulation", "full")


@pytest.mark.parametrize("name", ["order_processing", "order_fulfilment", "travel_booking"])
def test_payloads_in_sql_say_what_the_records_of_cases_say(name: str) -> None:
    with wf.simulate(wf.example(name), catalogue="models", cases=20) as history:
        shown = history.sql('SELECT "case", seq, payload FROM history').fetchall()
        told = {(k, one.seq): one.payload for k in history.cases()["case"] for one in history.case(k).records()}
    assert {(case, seq): json.loads(payload) for case, seq, payload in shown} == told
    assert len(told) > 100


@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_both_engines_keep_the_same_of_what_a_level_keeps(log: Any) -> None:
    order, scenario = wf.example("order_processing"), "models/order_processing.scenario.yaml"
    with (
        wf.simulate(order, scenario, cases=60, engine="python") as full,
        wf.simulate(order, scenario, cases=60, engine="python", log=log) as python,
        wf.simulate(order, scenario, cases=60, engine="compiled", log=log) as compiled,
    ):
        kinds = [kind for (kind,) in python.sql("SELECT DISTINCT kind FROM history").fetchall()]
        kept = full.sql("SELECT * EXCLUDE is_last FROM history WHERE kind IN (SELECT unnest(?))", [kinds]).fetchall()
        for other in (python, compiled):
            assert other.sql("SELECT * EXCLUDE is_last FROM history").fetchall() == kept
        for view in ("dfg", "activity_stats"):
            assert python.sql(f"FROM {view}").fetchall() == compiled.sql(f"FROM {view}").fetchall()
        edges = "SELECT from_state, to_state, event, n, total_dwell FROM dfg ORDER BY ALL"
        assert python.sql(edges).fetchall() == full.sql(edges).fetchall()
