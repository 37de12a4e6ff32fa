"""An instance from its image does what the first would have done."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from tests.strategies import choices, next_stimulus, workflows
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.image import fingerprint, from_image, image_of
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import effects_of, records_of
from wfsim.semantics.snapshot import Mark
from wfsim.semantics.stimulus import Stimulus

relaxed = cases(30)


@relaxed
@given(workflows(regions=True), choices, st.data())
def test_it_goes_on_from_anywhere_with_the_same_records_and_effects(
    workflow: Workflow, picks: list[tuple[int, int]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(picks)))
    instance = Instance(compile_workflow(workflow), key=12345)
    instance.apply(Stimulus("start"))
    for number, (choice, k) in enumerate(picks[:at]):
        instance.apply(next_stimulus(instance, choice, k, number))
    program = compile_workflow(workflow)
    assert fingerprint(program) == fingerprint(instance.program)
    twin = from_image(program, json.loads(json.dumps(image_of(instance))), instance.events_seen, instance.commands_seen)
    for number, (choice, k) in enumerate(picks[at:], at):
        stimulus = next_stimulus(instance, choice, k, number)
        first, second = instance.apply(stimulus), twin.apply(stimulus)
        assert records_of(twin, second) == records_of(instance, first)
        assert effects_of(twin, second) == effects_of(instance, first)
    assert twin.variables == instance.variables
    assert image_of(twin) == image_of(instance)


@relaxed
@given(workflows(regions=True), choices, st.data())
def test_an_instance_is_put_back_to_where_it_was(
    workflow: Workflow, picks: list[tuple[int, int]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(picks)))
    instance = Instance(compile_workflow(workflow), key=12345)
    instance.apply(Stimulus("start"))
    for number, (choice, k) in enumerate(picks[:at]):
        instance.apply(next_stimulus(instance, choice, k, number))
    before, mark = image_of(instance), Mark(instance)
    twin = instance.copy()
    for number, (choice, k) in enumerate(picks[at:], at):
        instance.apply(next_stimulus(instance, choice, k, number))
    assert mark.restore() is instance
    assert (instance.m, instance.v) == (twin.m, twin.v)
    assert (instance.events_seen, instance.commands_seen) == (twin.events_seen, twin.commands_seen)
    assert image_of(instance) == before
    for number, (choice, k) in enumerate(picks[at:], at):
        stimulus = next_stimulus(instance, choice, k, number)
        first, second = instance.apply(stimulus), twin.apply(stimulus)
        assert records_of(twin, second) == records_of(instance, first)


ASKS = wf.loads("""\
name: asks
initial_state: asked
variables: {told: {type: string, optional: true}}
events: {answer: {payload: {text: {type: string, optional: true}}}}
activities: {ask: {}}
states: [{name: asked}, {name: asking, activity: {name: ask, result_variable: told}}, {name: end, is_terminal: true}]
transitions:
  - {from: asked, event: answer, to: asking}
  - {from: asking, event: done, to: end}
  - {from: asking, event: answer, to: asked}
""")


def test_what_came_before_it_was_marked_does_not_come_again() -> None:
    instance = Instance(compile_workflow(ASKS))
    instance.start(0)
    instance.event(1, "answer", {"text": "first"})
    # Of no activity that there is, so it is ignored.
    instance.activity_succeeded(2, 99, 1, "second")
    mark = Mark(instance)
    instance.activity_started(3, 1, 1)
    instance.activity_started(4, 1, 1)
    mark.restore().activity_succeeded(5, 1, 1)
    assert instance.variables == {"told": None}


def test_an_image_has_no_result_that_nobody_has_kept() -> None:
    instance = Instance(compile_workflow(ASKS))
    instance.start(0)
    instance.event(1, "answer")
    started = image_of(instance)
    instance.activity_started(2, 1, 1)
    instance.event(3, "answer")
    instance.event(4, "answer")
    # Late: it is looked at, and ignored.
    output = instance.activity_succeeded(5, 1, 1, "secret")
    assert [record.kind for record in records_of(instance, output)] == ["activity_succeeded", "stimulus_ignored"]
    assert "secret" not in json.dumps(image_of(instance))
    assert image_of(instance)["texts"] == started["texts"]


@relaxed
@given(workflows(), workflows())
def test_definitions_with_other_names_in_them_have_other_fingerprints(one: Workflow, other: Workflow) -> None:
    if one == other:
        return
    prints = [fingerprint(compile_workflow(each)) for each in (one, other)]
    assert (prints[0] == prints[1]) <= (
        compile_workflow(one).names == compile_workflow(other).names and one.name == other.name
    )
