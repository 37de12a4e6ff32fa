"""Compensation and children in the explorer: everything they can come to, with witnesses that replay."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.space import explore_workflow
from wfsim.verification.workflows.told import NotReplayed, witness_to

TRIP = """
name: trip
initial_state: idle
events: {book: {}, give_up: {}}
activities: {book_flight: {compensate_with: cancel_flight}, cancel_flight: {}}
states: [{name: idle}, {name: booked}, {name: home, is_terminal: true}, {name: lost, is_terminal: true}]
transitions:
  - {from: idle, to: booked, event: book, pre_actions: [{action_type: activity, name: book_flight}]}
  - {from: booked, to: home, event: give_up, pre_actions: [{action_type: compensate}]}
  - {from: idle, to: lost, event: error}
"""


def test_a_compensation_that_fails_is_found_with_its_trace() -> None:
    (verdict,) = verify(wf.loads(TRIP), [Property("no_failure")])
    assert verdict.status == "violated"
    assert "Compensation.failed" in verdict.reason
    assert [step.action for step in verdict.witness.steps][-2:] == [
        "cancel_flight starts",
        "cancel_flight fails: Error",
    ]
    assert verdict.witness.replay()[-1].status == "failed"


def test_handled_it_is_no_failure() -> None:
    handled = TRIP + "  - {from: booked, to: lost, event: error}\n"
    assert verify(wf.loads(handled), [Property("no_failure"), Property("can_complete")]).ok


def test_a_child_may_close_in_every_way() -> None:
    workflow = wf.loads("""
name: parent
initial_state: ship
states:
  - {name: ship, invoke: {workflow: shipping}}
  - {name: shipped, is_terminal: true}
  - {name: lost, is_terminal: true}
transitions:
  - {from: ship, to: shipped, event: done}
  - {from: ship, to: lost, event: error, condition: "event.type == 'Child.cancelled'"}
""")
    space = explore_workflow(workflow)
    assert {space.instance(k).state for k in range(space.n_states)} == {"ship", "shipped", "lost"}
    (verdict,) = verify(workflow, [Property("no_failure")])
    assert verdict.status == "violated"
    assert [step.action for step in verdict.witness.steps][-1].startswith("the child of ship closes: ")
    assert verdict.witness.replay()[-1].status == "failed"


def test_a_way_that_no_clock_allows_is_refused_and_not_shown() -> None:
    """The search has no time: it tries again after a deadline that has passed by then."""
    workflow = wf.loads("""
name: late
initial_state: a
activities:
  f: {schedule_to_close: 5s, retry_policy: {max_attempts: 2, initial_interval: 10s}}
states: [{name: a, activity: f}, {name: z, is_terminal: true}]
transitions: [{from: a, to: z, event: done}]
""")
    space = explore_workflow(workflow)
    (waiting,) = [k for k in range(space.n_states) if [w.phase for w in space.instance(k).activities()] == ["backoff"]]
    with pytest.raises(NotReplayed, match="does not replay in time"):
        witness_to(space, waiting)
    asked = [Property("at_most", {"of": "activity.f.started", "times": 1}), Property("states_reachable")]
    late, reached = verify(workflow, asked)
    assert late.status == "unknown"
    assert late.reason.startswith("A violation was found, but the search lets every clock run out")
    assert late.witness is None
    assert reached
