"""Random definitions and random stimuli: no crash, nothing lost, replay equals run, closing leaves nothing open."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given

from tests.random_cases import cases
from tests.strategies import choices, next_stimulus, workflows
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import DEFERRED, IDLE, INTERNAL, WAITING
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import Record, records_of, step
from wfsim.semantics.snapshot import from_snapshot, take_snapshot
from wfsim.semantics.stimulus import Stimulus

relaxed = cases(40)


def run(workflow: Workflow, picks: list[tuple[int, int]]) -> tuple[Instance, list[Stimulus], list[Record]]:
    """Drive an instance by random choices; everything it was given and everything it recorded."""
    instance = Instance(compile_workflow(workflow), key=12345)
    stimuli = [Stimulus("start")]
    records = records_of(instance, instance.apply(stimuli[0]))
    for number, (choice, k) in enumerate(picks):
        stimulus = next_stimulus(instance, choice, k, number)
        stimuli.append(stimulus)
        records += records_of(instance, instance.apply(stimulus))
    return instance, stimuli, records


@relaxed
@given(workflows(regions=True), choices)
def test_records_are_numbered_in_order_and_name_their_cause(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    _, _, records = run(workflow, picks)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert all(later.time >= earlier.time for earlier, later in pairwise(records))
    assert all(1 <= record.cause_seq <= record.seq for record in records)


@relaxed
@given(workflows(regions=True), choices)
def test_replaying_the_causes_gives_the_same_records(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, stimuli, records = run(workflow, picks)
    again = Instance(compile_workflow(workflow), key=12345)
    repeated: list[Record] = []
    for stimulus in stimuli:
        repeated += records_of(again, again.apply(stimulus))
    assert repeated == records
    assert take_snapshot(again) == take_snapshot(instance)


@relaxed
@given(workflows(regions=True), choices)
def test_no_event_is_lost_or_applied_twice(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, _, records = run(workflow, picks)
    received = Counter(r.event_id for r in records if r.kind == "event_received" and r.event_id is not None)
    waiting = Counter(
        instance.texts.text(row.event_id)
        for which in (WAITING, DEFERRED)
        for row in instance._listed(which)
        if row.event_id >= 0 and row.kind == 1
    )
    ended: Counter[str | None] = Counter()
    for record in records:
        if record.event_id is None:
            continue
        if record.kind in ("event_rejected", "event_discarded", "event_recalled"):
            ended[record.event_id] += 1
        if record.kind == "event_deferred":
            # It is answered again when it is recalled or rejected.
            ended[record.event_id] += 0
        if record.kind == "stimulus_ignored" and record.payload["reason"] in ("duplicate", "closed"):
            ended[record.event_id] += 1
    taken = {r.event_id for r in records if r.kind in ("transition", "transition_started", "transition_aborted")}
    for event_id, n in received.items():
        answers = ended[event_id] + waiting[event_id]
        # One answer for each arrival; a taken one may also be answered by its transitions or its failed condition.
        assert answers <= n
        if answers < n:
            assert n - answers == 1
            raised = any(r.kind == "error_raised" for r in records)
            assert event_id in taken or raised, f"event {event_id} has no answer"


@relaxed
@given(workflows(regions=True), choices)
def test_a_closed_instance_has_nothing_open(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, _, records = run(workflow, picks)
    closings = [r for r in records if r.kind == "instance_closed"]
    retried = [r for r in records if r.payload.get("command") == "retry"]
    assert len(closings) <= 1 + len(retried)
    if instance.is_closed:
        head = instance.program.head
        assert instance.timers() == []
        assert instance.activities() == []
        assert all(w.phase == IDLE for w in instance.m[head.first_work : head.first_work + head.n_works])
        assert instance.in_flight == {}
        assert all(instance.m[which].length == 0 for which in (WAITING, DEFERRED, INTERNAL))


@relaxed
@given(workflows(regions=True), choices)
def test_every_scheduled_attempt_ends_once_or_is_still_open(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, _, records = run(workflow, picks)
    scheduled = {r.activity_id for r in records if r.kind == "activity_scheduled"}
    cancelled = Counter(r.activity_id for r in records if r.kind == "activity_cancelled")
    assert all(n == 1 for n in cancelled.values())
    still_open = {each.activity_id for each in instance.activities()}
    assert still_open <= scheduled
    assert not still_open & set(cancelled)


@relaxed
@given(workflows(regions=True), choices)
def test_a_snapshot_behaves_like_its_instance(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, _, _ = run(workflow, picks)
    snapshot = take_snapshot(instance)
    twin = from_snapshot(instance.program, instance.texts, snapshot)
    assert take_snapshot(twin) == snapshot
    assert twin.configuration == instance.configuration
    assert twin.variables == instance.variables


@relaxed
@given(workflows(), choices)
def test_the_pure_step_leaves_the_instance_given_as_it_was(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    instance, _, _ = run(workflow, picks)
    before = take_snapshot(instance), instance.version
    twin, records, _ = step(instance.program, instance, Stimulus("event", instance.time, event="go", payload={"k": 1}))
    assert (take_snapshot(instance), instance.version) == before
    assert twin.version == before[1] + len(records)


@relaxed
@given(workflows(regions=True), choices)
def test_no_activity_is_undone_twice(workflow: Workflow, picks: list[tuple[int, int]]) -> None:
    """M9: an entry whose compensator has succeeded is gone, whoever asks for it afterwards."""
    _, _, records = run(workflow, picks)
    undoes = {r.activity_id: r.payload["compensates"] for r in records if "compensates" in r.payload}
    ignored = {r.cause_seq for r in records if r.kind == "stimulus_ignored"}
    undone: set[int] = set()
    for record in records:
        if record.kind == "activity_scheduled" and record.activity_id in undoes:
            assert undoes[record.activity_id] not in undone
        if record.kind == "activity_succeeded" and record.activity_id in undoes and record.seq not in ignored:
            undone.add(undoes[record.activity_id])
