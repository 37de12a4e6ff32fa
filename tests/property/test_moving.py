"""M15 on random workflows: who moves to a version that says the same goes on as if nothing had been."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.random_cases import cases
from tests.strategies import choices, next_stimulus, workflows
from wfsim.history.replay_case import steps_of
from wfsim.history.retelling import Segment, called_now, retold
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_writer import to_data
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.image import image_of
from wfsim.semantics.instance import Instance
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record, records_of
from wfsim.semantics.stimulus import Stimulus

KEY = 12345
NUMBERS = ("transition", "flight", "place", "version", "timer", "timer_id")


def newer(workflow: Workflow) -> Workflow:
    """The same, but for a state and transitions first in the file: all numbers are others."""
    data: dict[str, Any] = to_data(workflow)
    first = data["initial_state"]
    data["version"] = "77.0.0"
    data["states"] = [{"name": "unreached", "timeout": "1h"}, *data["states"]]
    data["transitions"] = [
        {"from": "unreached", "event": "timeout", "to": first},
        {"from": "unreached", "to": first, "condition": "1 > 2"},
        *data.get("transitions", []),
    ]
    return Workflow.model_validate(data).with_functions(**workflow.given.functions)


def by_name(records: list[Record]) -> list[tuple[Any, ...]]:
    """What counts of records in two versions."""
    return [
        (each.seq, each.kind, each.cause_seq, each.region, each.state, each.to_state, each.event, each.activity,
         each.activity_id, each.attempt, each.error_type, each.status, each.outcome,
         {name: value for name, value in each.payload.items() if name not in NUMBERS})
        for each in records
    ]  # fmt: skip


def stepped(instance: Instance, stimulus: Stimulus) -> list[Record]:
    return records_of(instance, instance.apply(stimulus))


def lived(program: Program, picks: list[tuple[int, int]]) -> tuple[Instance, list[Record]]:
    instance = Instance(program, key=KEY)
    records = stepped(instance, Stimulus("start"))
    assert records[0].payload["seed"] == KEY
    for number, (choice, k) in enumerate(picks):
        records += stepped(instance, next_stimulus(instance, choice, k, number))
    return instance, records


@cases(40)
@given(workflows(regions=True), choices, choices)
def test_an_instance_that_moves_goes_on_with_the_same_records(
    workflow: Workflow, before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    old = compile_workflow(workflow)
    instance, records = lived(old, before)
    other = newer(workflow)
    moved = retold([Segment(old, records, {})], compile_workflow(other), {}).instance
    assert (moved.version, moved.time, moved.configuration) == (instance.version, instance.time, instance.configuration)
    # And back: what it was is what it is again.
    back = retold([Segment(old, records, {}), Segment(moved.program, [], {})], old, {}).instance
    assert image_of(back) == image_of(instance)
    for number, (choice, k) in enumerate(after, len(before)):
        stimulus = next_stimulus(instance, choice, k, number)
        if stimulus.kind == "timer":
            # Places are others: it is found by what it is called.
            called = {(each.place, each.id): (each.name, each.region, each.activity_id) for each in instance.timers()}
            name = called.get((stimulus.timer, stimulus.timer_id))
            there = [each for each in moved.timers() if (each.name, each.region, each.activity_id) == name]
            if not there:
                continue
            twin = Stimulus("timer", time=stimulus.time, timer=there[0].place, timer_id=there[0].id)
        else:
            twin = stimulus
        assert by_name(stepped(moved, twin)) == by_name(stepped(instance, stimulus))


@cases(30)
@given(workflows(regions=True), choices)
def test_records_with_new_names_are_those_of_the_renamed_version(
    workflow: Workflow, picks: list[tuple[int, int]]
) -> None:
    old = compile_workflow(workflow)
    _, records = lived(old, picks)
    names = {part for path in old.state_rows for part in path.split("/")[::2]}
    there = {name: f"{name}_then" for name in names}
    back = {new: name for name, new in there.items()}
    assert [called_now(each, [there, back]) for each in records] == records
    assert sum(len(step) for step in steps_of(records)) == len(records)
