"""What the stepper calls possible is what `step` does: on random definitions and random walks."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import records_of
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.widgets.actions import Action
from wfsim.widgets.stepper_wire import StepperWire
from wfsim.widgets.stepping import Stepping

VAIN = ("event_rejected", "event_deferred", "event_discarded", "stimulus_ignored")
picks = st.lists(st.integers(0, 10_000), max_size=12)
relaxed = cases(30)


def walk(workflow: Workflow, choices: list[int]) -> Stepping:
    stepping = Stepping(workflow)
    for choice in choices:
        enabled = [action for action in stepping.possible() if action.enabled]
        if enabled:
            action = enabled[choice % len(enabled)]
            assert stepping.do(action.id), stepping.problem
    return stepping


def sent(stepping: Stepping, action: Action, k: int) -> list[str]:
    """Kinds of the consequences when the event is sent anyway."""
    event = action.id.removeprefix("event:")
    twin = stepping.instance.copy()
    stimulus = Stimulus("event", twin.time, event=event, payload={"k": k})
    return [record.kind for record in records_of(twin, twin.apply(stimulus))[1:]]


@relaxed
@given(workflows(regions=True, children=False), picks)
def test_events_called_impossible_change_nothing_when_sent(workflow: Workflow, choices: list[int]) -> None:
    stepping = walk(workflow, choices)
    for action in stepping.possible():
        if action.kind == "event" and not action.enabled:
            for k in (-1, 0, 1, 2, 5):
                kinds = sent(stepping, action, k)
                assert kinds == [] or kinds[0] in VAIN, (action, kinds)


@relaxed
@given(workflows(regions=True, children=False), picks)
def test_events_called_possible_whatever_they_bring_are_taken(workflow: Workflow, choices: list[int]) -> None:
    stepping = walk(workflow, choices)
    for action in stepping.possible():
        if action.kind == "event" and action.enabled and " if " not in action.reason:
            kinds = sent(stepping, action, 1)
            if action.reason.startswith("Would be deferred"):
                assert kinds == ["event_deferred"]
            else:
                assert kinds[0] not in VAIN, (action, kinds)


@relaxed
@given(workflows(regions=True, children=False), picks)
def test_timers_and_activities_called_possible_are_not_ignored(workflow: Workflow, choices: list[int]) -> None:
    stepping = walk(workflow, choices)
    at = stepping.cursor
    for action in stepping.possible():
        if action.enabled and action.kind in ("timer", "activity"):
            assert stepping.do(action.id)
            kinds = [record.kind for record in stepping.steps[-1].records]
            # Later ones may be errors of what the step itself ended.
            assert kinds[1:2] != ["stimulus_ignored"], (action, kinds)
            stepping.jump(at)


@relaxed
@given(workflows(regions=True, children=False), picks)
def test_steps_taken_by_hand_replay_and_are_plain_data(workflow: Workflow, choices: list[int]) -> None:
    stepping = walk(workflow, choices)
    again = Instance(compile_workflow(workflow))
    for step in stepping.steps:
        assert records_of(again, again.apply(step.stimulus)) == list(step.records)
    assert take_snapshot(again) == take_snapshot(stepping.instance)
    scene = StepperWire(stepping).scene()
    assert json.loads(json.dumps(scene, allow_nan=False)) == scene
    assert len(scene["actions"]) == len(stepping.possible())
    times = [step.instance.time for step in stepping.steps]
    assert times == sorted(times)


typed: st.SearchStrategy[Any] = st.one_of(st.text(max_size=8), st.none(), st.integers(), st.floats(), st.binary())


@relaxed
@given(workflows(), picks, typed, st.integers(0, 50))
def test_nothing_typed_raises_or_changes_what_was(workflow: Workflow, choices: list[int], value: Any, at: int) -> None:
    stepping = walk(workflow, choices)
    asking = [action for action in stepping.possible() if action.enabled and action.parameters]
    if not asking:
        return
    action = asking[at % len(asking)]
    before, steps = take_snapshot(stepping.instance), len(stepping.steps)
    happened = stepping.do(action.id, **{action.parameters[0].name: value})
    assert happened == (stepping.problem == "")
    stepping.jump(steps)
    assert take_snapshot(stepping.instance) == before
    assert len(stepping.steps) == steps + happened
