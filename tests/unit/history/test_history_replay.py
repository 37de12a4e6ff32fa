"""Replay: the causes give every consequence again, and a change anywhere is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.work import calls
from wfsim.errors import HistoryError, ReplayError
from wfsim.history.history import open_history
from wfsim.history.replay import replay_all
from wfsim.history.writer import HistoryWriter
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance


def test_every_case_replays_exactly(made: Any) -> None:
    report = replay_all(made.history)
    assert report
    assert report.n_cases == len(made.records)
    assert report.n_records == len(made.history)
    assert str(report).endswith("replayed exactly.")


def test_replay_ends_in_the_state_that_the_records_tell(made: Any) -> None:
    for number, records in made.records.items():
        case = made.history.case(number)
        instance = case.replay()
        assert instance.version == case.version == records[-1].seq
        assert instance.status == case.status
        for kind, ids in (("event_received", set(instance.events_seen)), ("control_received", instance.commands_seen)):
            assert ids == {record.event_id for record in records if record.kind == kind and record.event_id is not None}
        rounds = sum("rounds" in record.payload.get("set", {}) for record in records)
        assert case.variables["rounds"] == rounds


def test_a_replay_does_not_copy_the_values_that_it_compares() -> None:
    workflow = Workflow.model_validate(spec(typed={"payload": {"s": "string"}}, free={}))
    program = compile_workflow(workflow)

    def work(size: int) -> int:
        writer = HistoryWriter(None, program)
        instance = Instance(program, key=1)
        writer.append(1, instance, instance.start(0, {"given": None}))
        writer.append(1, instance, instance.event(1, "free", {"x": [[]] * size}))
        with writer.finish() as history:
            return calls(history.case(1).replay)

    # What is made once is made by now.
    work(10)
    # Each item is looked at four times when the event is taken; records are compared as texts, which C writes.
    assert work(2_000) - work(1_000) <= 5 * 1_000


def test_replay_upto_takes_the_whole_step_that_holds_the_record(made: Any) -> None:
    records = made.records[3]
    causes = [record.seq for record in records if record.cause_seq == record.seq]
    case = made.history.case(3)
    for seq in range(1, records[-1].seq + 1):
        end = min([cause - 1 for cause in causes if cause > seq], default=records[-1].seq)
        assert case.replay(upto=seq).version == end


@pytest.mark.parametrize("upto", [0, -1, 9999, "x", 2.0, True])
def test_replay_upto_a_record_that_is_not_there_is_refused(made: Any, upto: Any) -> None:
    case = made.history.case(3)
    with pytest.raises(HistoryError, match=rf"upto={upto!r}: .* {case.version}\."):
        case.replay(upto=upto)


def test_stimuli_can_be_fed_to_another_instance(made: Any) -> None:
    case = made.history.case(5)
    instance = Instance(case.program, key=case.key)
    for stimulus in case.stimuli():
        instance.apply(stimulus)
    assert instance.version == case.version
    assert instance.variables == case.variables
    assert len(case.stimuli(upto=1)) == 1


@pytest.fixture(scope="module")
def twelve(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a history of twelve cases."""
    path: Path = tmp_path_factory.mktemp("twelve") / "h.duckdb"
    make(cases=12, into=path).history.close()
    return path


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("UPDATE record_rows SET due_or_key = due_or_key + 1 WHERE kind = 22", None),
        ('UPDATE record_rows SET "values" = [struct_update(v, whole := v.whole + 1) for v in "values"]', None),
        ("UPDATE record_rows SET reason = 'other' WHERE kind = 9", None),
        ("DELETE FROM record_rows WHERE seq = 2", 2),
        ("UPDATE record_rows SET to_state = state WHERE kind = 15 AND to_state IS NOT NULL", None),
    ],
)
def test_a_changed_record_is_named_with_what_was_expected(
    twelve: Path, tmp_path: Path, change: str, seq: int | None
) -> None:
    path = shutil.copy(twelve, tmp_path)
    with duckdb.connect(str(path)) as con:
        assert con.execute(change).fetchall()[0][0] > 0
    with open_history(path) as history:
        report = replay_all(history)
        assert not report
        first = report.differences[0]
        if seq is not None:
            assert first.seq == seq
        with pytest.raises(ReplayError, match=rf"record {first.seq} differs\. Expected: .* Got: ") as caught:
            history.case(first.case).replay()
        assert caught.value.seq == first.seq
        assert caught.value.expected != caught.value.got
        assert f"{len(report.differences):,} differ" in str(report)


@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_a_history_that_is_not_full_says_so(make: Any, log: str) -> None:
    history = make(cases=3, log=log).history
    for ask in (lambda: replay_all(history), history.case(1).replay, history.case(1).stimuli):
        with pytest.raises(ReplayError, match=rf"logged at level '{log}'.* Run it again with log='full'"):
            ask()


def spec(**events: Any) -> dict[str, Any]:
    return {
        "name": "door",
        "initial_state": "a",
        "variables": {"given": {"type": "string", "input": True, "optional": True, "initial": "default"}},
        "events": events,
        "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
        "transitions": [{"from": "a", "event": name} for name in events]
        + [{"from": "a", "to": "b", "event": name, "condition": "false"} for name in events],
    }


REFUSED: list[tuple[str, dict[Any, Any]]] = [
    ("typed", {"s": object()}),
    ("typed", {"s": {1, 2}}),
    ("typed", {"s": 3}),
    ("typed", {}),
    ("typed", {"s": None}),
    ("typed", {"s": "fine", "more": 1}),
    ("typed", {"event": "typed", "payload": {"s": "x"}}),
    ("free", {"x": object(), "y": "text"}),
    ("free", {"event": "free", "payload": {"x": 1}}),
    ("free", {"event": 1, "payload": 2}),
    ("free", {"x": None}),
    ("unknown", {"x": 1}),
    ("unknown", {"x": object()}),
    ("unknown\ud800", {"x": 1}),
    ("free", {"x": [[[[]]] * 50_000]}),
    ("free", {"x": "half \ud800", "y\ud800": 1}),
    ("free", {"y\ud800": 1}),
    ("free", {7: 1}),
    ("", {}),
]


def test_what_was_refused_at_the_door_is_refused_again() -> None:
    program = compile_workflow(Workflow.model_validate(spec(typed={"payload": {"s": "string"}}, free={})))
    writer = HistoryWriter(None, program)
    cases: list[tuple[str, dict[Any, Any], dict[str, Any]]] = [(*each, {"given": None}) for each in REFUSED]
    cases += [(*REFUSED[0], {}), (*REFUSED[0], {"given": "x"})]
    for case, (event, payload, given) in enumerate(cases, 1):
        instance = Instance(program, key=case)
        writer.append(case, instance, instance.start(0, given))
        for event_id in (None, "id", "id"):
            writer.append(case, instance, instance.event(1, event, payload, event_id, "sender"))
        writer.append(case, instance, instance.control(2, "terminate", "id", "enough"))
        writer.append(case, instance, instance.control(2, "terminate", "other"))
        writer.append(case, instance, instance.event(3, event, payload))
    with writer.finish() as history:
        report = replay_all(history)
        assert report, [(cases[each.case - 1], each.message) for each in report.differences]
        assert report.n_cases == len(cases)
        for case, (_, _, given) in enumerate(cases, 1):
            if given == {"given": None}:
                assert history.case(case).variables == {"given": None}
