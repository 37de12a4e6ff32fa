"""What must be true of a history, whoever was killed while it was made."""

from __future__ import annotations

from collections import Counter

from wfsim.history.case import Case
from wfsim.semantics.records import Record


def applied(records: list[Record], kind: str) -> list[Record]:
    """Causes of that kind that were not ignored."""
    ignored = {record.cause_seq for record in records if record.kind == "stimulus_ignored"}
    return [record for record in records if record.kind == kind and record.seq not in ignored]


def check_records(records: list[Record]) -> None:
    """None is missing, and no timer has fired twice."""
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    fired = Counter(record.payload["timer_id"] for record in applied(records, "timer_fired"))
    assert set(fired.values()) <= {1}


def check_attempts(case: Case, records: list[Record], effects: Counter[tuple[str, ...]]) -> None:
    """Every attempt started once, before its function ran; every activity ended once."""
    name = case.external_id
    started = Counter((record.activity_id, record.attempt) for record in records if record.kind == "activity_started")
    assert set(started.values()) <= {1}
    undoes = {
        record.activity_id: record.payload["compensates"] for record in records if "compensates" in record.payload
    }
    known = {
        (f"{name}:undo:{undoes[serial]}" if serial in undoes else f"{name}:{serial}", str(attempt))
        for serial, attempt in started
    }
    done = {effect[:2] for effect in effects if effect[0].rsplit(":", 2 if ":undo:" in effect[0] else 1)[0] == name}
    # An asynchronous one may be cancelled before it has done anything.
    assert done <= known
    ended = Counter(record.activity_id for record in applied(records, "activity_succeeded"))
    assert set(ended.values()) <= {1}
    for record in applied(records, "activity_succeeded"):
        assert record.payload["result"] in {key for key, _ in done}


def check_children(case: Case, records: list[Record]) -> None:
    """Every child has started once and ended once; its parent knows the end once, unless it was closed by then."""
    started = [record.payload["activation"] for record in records if record.kind == "child_started"]
    told = [record.payload["activation"] for record in records if record.kind == "child_closed"]
    assert len(started) == len(set(started))
    assert len(told) == len(set(told))
    assert set(told) <= set(started)
    assert [child.external_id for child in case.children] == [f"{case.external_id}/{number}" for number in started]
    stopped = {record.payload["activation"] for record in records if record.kind == "child_stop_requested"}
    for child, activation in zip(case.children, started, strict=True):
        assert activation in told or child.records()[-1].time >= records[-1].time
        kinds = Counter(record.kind for record in child.records())
        assert (kinds["started"], kinds["instance_closed"]) == (1, 1)
        assert kinds["control_received"] <= (1 if activation in stopped else 0)
