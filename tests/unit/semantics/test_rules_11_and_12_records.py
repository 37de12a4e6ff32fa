"""M11 and M12: appends, replay, determinism, and what results say."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.semantics.told import Told, activity, region, regions, set_variable, terminal, workflow
from wfsim.errors import StartRefused, WfsimError
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import N_CAUSES, RECORD_KINDS
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import Record, effects_of, records_of
from wfsim.semantics.speed import KERNEL_FILES
from wfsim.semantics.stimulus import Stimulus

POLICY = {"max_attempts": 3, "initial_interval": "1s", "jitter": 1}


def definition() -> Workflow:
    return workflow(
        ["a", {"name": "s", "activity": "f", "timeout": "1m"}, terminal("t")],
        [
            {
                "from": "a",
                "to": "s",
                "event": "go",
                "pre_actions": [set_variable("n", "${event.k + 1}"), activity("g")],
            },
            {"from": "s", "to": "t", "event": "done"},
        ],
        variables={"n": {"type": "integer", "initial": 0, "output": True}, "m": {"type": "string", "initial": "x"}},
        events={"go": {"payload": {"k": "integer"}}},
        activities={"f": {"retry_policy": POLICY, "timeout": "10s"}, "g": {}},
        unhandled="defer",
    )


STIMULI = (
    Stimulus("start", 0),
    Stimulus("event", 1_000_000, event="go", payload={"k": 4}, event_id="go1"),
    Stimulus("event", 1_000_000, event="go", payload={"k": 4}, event_id="go2"),
    Stimulus("activity_started", 2_000_000, activity_id=1, attempt=1),
    Stimulus("activity_succeeded", 3_000_000, activity_id=1, attempt=1),
    Stimulus("activity_started", 4_000_000, activity_id=2, attempt=1),
    Stimulus("activity_failed", 5_000_000, activity_id=2, attempt=1, error_type="Net"),
)


def played(key: int, stimuli: tuple[Stimulus, ...] = STIMULI) -> tuple[Instance, list[list[Record]]]:
    instance = Instance(compile_workflow(definition()), key=key)
    return instance, [records_of(instance, instance.apply(stimulus)) for stimulus in stimuli]


def test_m11_1_one_step_is_one_append_of_one_cause_and_its_consequences() -> None:
    _, appends = played(7)
    version = 0
    for records in appends:
        kinds = [RECORD_KINDS.index(record.kind) for record in records]
        assert kinds[0] < N_CAUSES
        assert all(kind >= N_CAUSES for kind in kinds[1:])
        assert [record.seq for record in records] == list(range(version + 1, version + 1 + len(records)))
        version += len(records)


def test_m11_1_a_consequence_names_the_cause_being_dispatched_perhaps_of_an_earlier_append() -> None:
    _, appends = played(7)
    held = appends[2][0]
    assert held.event_id == "go2"
    assert len(appends[2]) == 1
    # The flight ends with the result; only then is the second event dispatched, under its own cause.
    by_cause = {record.kind: record.cause_seq for record in appends[4]}
    assert by_cause["transition"] == appends[4][0].seq
    assert by_cause["event_deferred"] == held.seq


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


UNFIT = [nested(40), nested(1_000), nested(100_000), "\ud800", 10**5_000]


@pytest.mark.parametrize("value", UNFIT, ids=range(len(UNFIT)))
def test_m7_2_an_input_that_is_no_value_refuses_the_start(value: Any) -> None:
    definition = workflow(["a"], [], variables={"x": {"input": True}})
    with pytest.raises(StartRefused, match=r"input 'x' of example: (the value is|a string|an integer)"):
        Instance(compile_workflow(definition)).start(0, {"x": value})


def test_m11_1_a_refused_stimulus_changes_nothing() -> None:
    instance, _ = played(7)
    before = (instance.version, instance.variables, instance.timers(), instance.activities())
    for bad in (
        Stimulus("nonsense"),
        Stimulus("control", command="explode"),
        Stimulus("timer", timer=1),
        Stimulus("activity_succeeded", activity_id=2, attempt=1, result=object()),
        *(Stimulus("activity_succeeded", activity_id=2, attempt=1, result=value) for value in UNFIT),
        *(Stimulus("child_closed", activity_id=2, status="completed", payload={"x": value}) for value in UNFIT),
        Stimulus("child_closed", activity_id=2, status="completed", payload={"x\ud800": 1}),
        Stimulus("activity_failed", activity_id=2, error_type="Net\ud800"),
        Stimulus("activity_failed", activity_id=2, error_type="Net", message="half \ud800"),
        Stimulus("activity_started", activity_id=2, worker="w\ud800"),
        Stimulus("event", event="go", payload={"k": 4}, event_id="\ud800"),
        Stimulus("event", event="go", payload={"k": 4}, sender="\ud800"),
        Stimulus("control", command="cancel", command_id="\ud800"),
        Stimulus("control", command="cancel", reason="\ud800"),
        Stimulus("message_returned", message_id=1, reason="\ud800"),
    ):
        with pytest.raises(WfsimError):
            instance.apply(bad)
    assert (instance.version, instance.variables, instance.timers(), instance.activities()) == before


def test_m11_1_ids_in_effects_are_functions_of_records() -> None:
    first, second = (Instance(compile_workflow(definition()), key=7) for _ in range(2))
    for stimulus in STIMULI:
        assert effects_of(first, first.apply(stimulus)) == effects_of(second, second.apply(stimulus))
    timer_ids = [timer.id for timer in first.timers()]
    assert len(set(timer_ids)) == len(timer_ids)


def test_m11_2_replaying_the_causes_gives_every_consequence_again() -> None:
    instance, appends = played(7)
    again, repeated = played(7)
    assert repeated == appends
    assert again.m == instance.m
    assert again.v == instance.v


def test_m11_2_replay_makes_draws_again_and_notices_another_seed() -> None:
    first, other = played(7)[1], played(8)[1]
    # They agree on all but the key in `started` and the wait drawn for the retry.
    assert other[1:6] == first[1:6]
    assert other[6][0] == first[6][0]
    assert other[6][1].payload["delay"] != first[6][1].payload["delay"]


def test_m11_3_the_kernel_reads_no_clock_environment_or_unordered_collection() -> None:
    import wfsim.semantics

    folder = Path(wfsim.semantics.__file__).parent
    for name in ("draws.py", "values.py", "work.py", "activations.py", "transitions.py", "step.py"):
        assert name in KERNEL_FILES
        tree = ast.parse((folder / name).read_text())
        imported = {
            node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0
        } | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert imported == {"__future__"}, f"{name} imports {imported}"
        collections = [n for n in ast.walk(tree) if isinstance(n, ast.Set | ast.Dict | ast.SetComp | ast.DictComp)]
        assert collections == []
        assert not {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & {"set", "dict", "hash", "id", "open"}


def test_m11_3_another_process_with_another_hash_seed_records_the_same() -> None:
    code = (
        "from tests.unit.semantics.test_rules_11_and_12_records import played\n"
        "print([str(record) for records in played(7)[1] for record in records])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # This process has a hash seed that was drawn at its start.
    assert told.strip() == str([str(record) for records in played(7)[1] for record in records])
    assert "retry_scheduled" in told


def test_m11_3_production_stores_its_seed_in_started() -> None:
    _, appends = played(123)
    assert appends[0][0].kind == "started"
    assert appends[0][0].payload["seed"] == 123


def test_m12_instance_closed_carries_status_outcome_final_state_reason_and_output() -> None:
    it = Told(definition())
    it.event("go", 1, k=4)
    it.succeeds(1, 2)
    it.succeeds(2, 3)
    closed = it.one("instance_closed")
    assert (closed.status, closed.outcome, closed.state) == ("completed", "success", "t")
    (effect,) = [effect for effect in it.effects if effect.kind == "closed"]
    assert (effect.status, effect.outcome) == ("completed", "success")
    assert closed.payload["output"] == {"n": 5}
    it = Told(definition())
    it.rows(it.instance.control(5, "terminate", None, "no more"))
    closed = it.one("instance_closed")
    assert (closed.status, closed.outcome, closed.state) == ("terminated", None, "a")
    assert closed.payload["reason"] == "no more"
    (effect,) = [effect for effect in it.effects if effect.kind == "closed"]
    assert (effect.status, effect.outcome) == ("terminated", None)
    assert where(closed) == ("instance_closed", "", "a")
    it = Told(definition())
    it.control("pause", 1)
    assert where(it.one("status_changed")) == ("status_changed", "", "a")


def test_m12_records_say_where_what_and_which_attempt() -> None:
    _, appends = played(7)
    scheduled = next(r for records in appends for r in records if r.kind == "activity_scheduled" and r.activity == "f")
    assert (scheduled.state, scheduled.activity_id, scheduled.attempt) == ("s", 2, 1)
    started, failed = appends[5][0], appends[6][0]
    assert (started.activity, started.activity_id, started.attempt, started.state) == ("f", 2, 1, "s")
    assert (failed.activity, failed.error_type) == ("f", "Net")
    transition = next(r for records in appends for r in records if r.kind == "transition")
    assert (transition.state, transition.to_state, transition.event, transition.event_id) == ("a", "s", "go", "go1")
    assert transition.payload["set"] == {"n": 5}


def inner() -> Told:
    """Region p/r busy with f, region p/q with a timer and an activity g that has clocks."""
    busy = region(
        "r",
        ["a", "b"],
        [
            {
                "from": "a",
                "to": "b",
                "event": "go",
                "pre_actions": [activity("f")],
                "post_actions": [set_variable("n", 1)],
            }
        ],
    )
    other = region("q", [{"name": "c", "timeout": "1m", "activity": {"name": "g", "parameters": {"n": 2}}}], [])
    return Told(
        workflow(
            [regions(busy, other), "x"],
            [{"from": "p", "event": "error"}, {"from": "p", "to": "x", "event": "leave"}],
            variables={"n": {"type": "integer", "initial": 0}},
            activities={"f": {}, "g": {"timeout": "10s", "retry_policy": {"max_attempts": 2}}},
        )
    )


def where(record: Record) -> tuple[str | None, str | None, str | None]:
    return record.kind, record.region, record.state


def test_m12_causes_carry_what_arrived() -> None:
    it = inner()
    assert where(it.records[0]) == ("started", "", None)
    _, appends = played(7)
    assert appends[1][0].payload == {"payload": {"k": 4}}
    assert (it.records[0].payload["workflow"], it.records[0].payload["version"]) == ("example", "1.0.0")
    it.rows(it.instance.event(1, "go", {"k": 5, "who": "me"}, "id1", "sender1"))
    received = it.records[0]
    assert (received.kind, received.event, received.event_id) == ("event_received", "go", "id1")
    assert received.payload == {"sender": "sender1", "payload": {"k": 5, "who": "me"}}
    it.rows(it.instance.activity_started(2, 1, 1, "worker1"))
    assert where(it.records[0]) == ("activity_started", "p/q", "p/q/c")
    assert (it.records[0].activity, it.records[0].activity_id, it.records[0].attempt) == ("g", 1, 1)
    assert it.records[0].payload["worker"] == "worker1"
    place, number, due = it.timer("start_to_close")
    it.rows(it.instance.timer_fired(due, place, number))
    fired = it.records[0]
    assert fired.kind == "timer_fired"
    assert fired.payload == {"timer": "start_to_close", "place": place, "timer_id": number, "due": due}
    it.fires("retry", (due + 1_000_000) / 1_000_000)
    it.rows(it.instance.activity_failed(due, 1, 2, "Net", "no answer"))
    failed = it.records[0]
    assert (failed.kind, failed.activity, failed.attempt, failed.error_type) == ("activity_failed", "g", 2, "Net")
    assert failed.payload["message"] == "no answer"
    it.succeeds(2, 60, result=[1, "x"])
    succeeded = it.records[0]
    assert where(succeeded) == ("activity_succeeded", "p/r", "p/r/a")
    assert (succeeded.activity, succeeded.payload["result"]) == ("f", [1, "x"])
    place, number, due = it.timer("timeout")
    it.rows(it.instance.timer_fired(due, place, number))
    assert where(it.records[0]) == ("timer_fired", "p/q", "p/q/c")
    it.rows(it.instance.control(due, "pause", "c1", "lunch"))
    control = it.records[0]
    assert (control.kind, control.event_id) == ("control_received", "c1")
    assert control.payload == {"command": "pause", "reason": "lunch"}
    it.event("nobody", 100, extra=1)
    assert it.records[0].payload["payload"] == {"event": "nobody", "payload": {"extra": 1}}


def test_m12_consequences_name_region_and_state_and_what_they_are_about() -> None:
    it = inner()
    assert [where(record) for record in it.records[1:]] == [
        ("state_entered", "", "p"),
        ("state_entered", "p/r", "p/r/a"),
        ("state_entered", "p/q", "p/q/c"),
        ("activity_scheduled", "p/q", "p/q/c"),
    ]
    assert [record.payload["activation"] for record in it.records[1:4]] == [1, 2, 3]
    (effect,) = [effect for effect in it.effects if effect.kind == "start_attempt"]
    assert (effect.activity, effect.activity_id, effect.attempt, effect.input) == ("g", 1, 1, {"n": 2})
    it.event("go", 1, event_id="id1")
    started, scheduled = it.records[1:]
    assert where(started) == ("transition_started", "p/r", "p/r/a")
    assert (started.to_state, started.event, started.event_id) == ("p/r/b", "go", "id1")
    assert (scheduled.activity, scheduled.activity_id) == ("f", 2)
    it.succeeds(2, 2)
    committed, written = it.records[1:]
    assert where(committed) == ("transition", "p/r", "p/r/a")
    assert committed.payload == {**started.payload, "activation": 4}
    assert where(written) == ("variables_set", "p/r", "p/r/b")
    assert written.payload["set"] == {"n": 1}
    it.starts(1, 3)
    it.fires("start_to_close", 13)
    expired, retried = it.records[1:]
    assert where(expired) == ("attempt_timed_out", "p/q", "p/q/c")
    assert (expired.activity, expired.activity_id, expired.attempt) == ("g", 1, 1)
    assert where(retried) == ("retry_scheduled", "p/q", "p/q/c")
    assert (retried.activity, retried.activity_id, retried.attempt) == ("g", 1, 2)
    it.event("go", 14, event_id="id2")
    assert (it.one("event_rejected").event, it.one("event_rejected").event_id) == ("go", "id2")
    it.event("leave", 15, event_id="id3")
    cancelled = it.one("activity_cancelled")
    assert where(cancelled) == ("activity_cancelled", "p/q", "p/q/c")
    assert (cancelled.activity, cancelled.activity_id, cancelled.attempt) == ("g", 1, 2)
    assert cancelled.payload["reason"] == "outer"
    left = [record for record in it.records if record.kind == "state_left"]
    assert [(record.region, record.payload["activation"]) for record in left] == [("p/q", 3), ("p/r", 4)]


def test_m12_flights_and_what_becomes_of_them_have_one_number() -> None:
    it = inner()
    it.event("go", 1)
    started = it.one("transition_started")
    it.event("leave", 2)
    aborted = it.one("transition_aborted")
    assert where(aborted) == ("transition_aborted", "p/r", "p/r/a")
    assert aborted.payload == {**started.payload, "reason": "outer"}
    assert it.one("transition").payload["flight"] == started.payload["flight"] + 1
    assert it.instance.in_flight == {}


def test_m12_what_is_rejected_at_closing_names_its_own_cause() -> None:
    it = inner()
    it.event("go", 1)
    it.event("go", 2, event_id="held")
    received = it.records[0].seq
    it.control("terminate", 3)
    rejected = it.one("event_rejected")
    assert (rejected.event_id, rejected.cause_seq) == ("held", received)
    assert it.one("instance_closed").cause_seq == it.records[0].seq


def test_m12_errors_say_where_they_are_offered() -> None:
    it = inner()
    it.fails(1, "Net", 1)
    it.fires("retry", 2)
    it.rows(it.instance.activity_failed(3_000_000, 1, 2, "Net", "no answer"))
    errors = [record for record in it.records if record.kind == "error_raised"]
    assert [where(record)[1:] for record in errors] == [("p/q", "p/q/c"), ("", "p")]
    assert {(r.error_type, r.payload["source"], r.payload["message"]) for r in errors} == {("Net", "g", "no answer")}


def test_m12_what_is_ignored_says_what_it_named() -> None:
    it = inner()
    timer = it.timer("timeout")
    it.event("leave", 1)
    it.succeeds(1, 2)
    ignored = it.one("stimulus_ignored")
    assert (ignored.activity_id, ignored.attempt, ignored.payload["reason"]) == (1, 1, "late")
    it.fires_late(timer, 60)
    assert it.one("stimulus_ignored").payload["place"] == timer[0]
    it.event("leave", 61, event_id="x")
    it.event("leave", 62, event_id="x")
    assert (it.one("stimulus_ignored").event, it.one("stimulus_ignored").event_id) == ("leave", "x")
