"""`why_not`: the sentences people read when something does not happen."""

from __future__ import annotations

from typing import Any

import pytest

from wfsim.errors import WfsimError
from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.run import start


def activity(name: str) -> dict[str, Any]:
    return {"action_type": "activity", "name": name}


DEFINITION: dict[str, Any] = {
    "name": "order",
    "initial_state": "created",
    "variables": {
        "attempts": {"type": "integer", "initial": 0, "input": True},
        "limit": {"type": "integer", "optional": True},
        "open": {"type": "boolean", "initial": False},
    },
    "events": {
        "validate": {},
        "pay": {"payload": {"amount": "number"}},
        "retry": {},
        "check": {},
        "failed": {},
        "strange": {"unhandled": "discard"},
        "more": {"payload": {"much": {"type": "integer", "optional": True}}},
    },
    "states": [
        {"name": "created", "timeout": "2h"},
        {"name": "valid"},
        {"name": "failed", "activity": "look"},
        {"name": "paid", "is_terminal": True},
        {"name": "expired", "is_terminal": True, "outcome": "failure"},
        {"name": "island"},
    ],
    "transitions": [
        {"from": "created", "to": "valid", "event": "validate", "pre_actions": [activity("check_order")]},
        {"from": "created", "to": "expired", "event": "timeout"},
        {"from": "created", "to": "valid", "condition": "context.open"},
        {
            "from": "created",
            "to": "failed",
            "event": "retry",
            "condition": "context.attempts < 3 and context.attempts > 1",
        },
        {"from": "created", "to": "failed", "event": "check", "condition": "context.attempts < context.limit"},
        {"from": "created", "to": "paid", "event": "more", "condition": "event.much == null or event.much > 3"},
        {"from": "valid", "to": "paid", "event": "pay", "condition": "event.amount > 0.0"},
        {"from": "valid", "to": "failed", "event": "failed"},
        {"from": "failed", "to": "valid", "event": "done"},
        {"from": "failed", "to": "expired", "event": "error"},
        {"from": "failed", "to": "expired", "event": "cancel_requested"},
        {"from": "failed", "to": "paid", "after": "1h"},
        {"from": "island", "to": "paid", "event": "pay"},
    ],
    "timeouts": {"workflow": "30d"},
}


def definition(**changes: Any) -> Workflow:
    return Workflow.model_validate({**DEFINITION, **changes})


@pytest.fixture
def functions() -> dict[str, Any]:
    return {"check_order": lambda context: context.sleep("1m"), "look": lambda context: context.sleep("1m")}


def test_events_that_can_be_taken(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        why = run.why_not("validate")
        assert why.possible
        assert why.reasons == ["Transition 'created → valid on validate' would be taken."]
        assert str(why) == "'validate' can happen now:\n- Transition 'created → valid on validate' would be taken."
        assert run.version == 2
        assert run.send("validate") == "accepted"


def test_a_false_condition_shows_the_part_and_the_values_that_decide(clock: ManualClock, functions: Any) -> None:
    with start(definition(), input={"attempts": 3}, activities=functions, clock=clock) as run:
        why = run.why_not("retry")
        assert not why.possible
        assert why.reasons == [
            "Transition 'created → failed on retry' is not taken: its condition "
            "`context.attempts < 3 and context.attempts > 1` is false, since `context.attempts < 3` does not hold "
            "(context.attempts = 3)."
        ]
    with start(definition(), input={"attempts": 2}, activities=functions, clock=clock) as run:
        assert run.why_not("retry").possible


def test_a_condition_that_raises_is_no_way_through(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        why = run.why_not("check")
        assert not why.possible
        assert "`context.attempts < context.limit` raises Expression.null" in why.reasons[0]
        assert "(context.attempts = 0, context.limit = null)" in why.reasons[0]
        assert why.reasons[-1] == "The event would raise the error Expression.null."


def test_an_event_out_of_place_names_where_it_is_taken(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        assert run.why_not("pay", amount=1.0).reasons == [
            "No transition leaves 'created' on 'pay'; it is taken in 'valid', 'island'. Untaken, it is rejected."
        ]
        assert run.why_not("strange").reasons == [
            "No transition leaves 'created' on 'strange'; no state takes it. Untaken, it is discarded."
        ]


def test_a_payload_decides_where_a_condition_reads_it(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        run.send("validate")
        clock.advance("1m")
        unknown = run.why_not("pay")
        assert unknown.possible
        assert unknown.reasons == [
            "Transition 'valid → paid on pay' is taken if its payload makes `event.amount > 0.0` true.",
            "With its payload it has to bring amount (number).",
        ]
        assert not run.why_not("pay", amount=-1.0).possible
        assert run.why_not("pay", {"amount": 1.0}).possible
        turned_away = run.why_not("pay", amount="1")
        assert not turned_away.possible
        assert "turned away" in turned_away.reasons[0]


def test_an_optional_payload_leaves_it_open(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        assert run.why_not("more").possible
        assert not run.why_not("more", much=1).possible
        assert run.why_not("more", much=4).possible


def test_a_busy_region_names_the_activity_it_waits_for(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        run.send("validate")
        clock.settle()
        busy = (
            "The workflow is busy: transition 'created → valid on validate' waits for activity 'check_order' "
            "(attempt 1, running)."
        )
        why = run.why_not("validate")
        assert not why.possible
        assert why.reasons == [busy + " The event would wait for that."]
        assert run.why_not("valid") == run.why_not("valid")
        assert (run.why_not("valid").possible, run.why_not("valid").reasons) == (True, [busy])
        assert not run.why_not("expired").possible


def test_a_pause_is_named(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        run.pause()
        why = run.why_not("validate")
        assert not why.possible
        assert why.reasons[0] == "The run is paused: the event would wait until resume()."
        assert run.why_not("expired").reasons[0] == "The run is paused: nothing moves until resume()."
        assert run.send("validate") == "waiting"
        assert not run.why_not("validate").possible


def test_a_closed_run_takes_nothing_any_more(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        clock.advance("2h")
        for name in ("validate", "valid", "expired"):
            assert run.why_not(name).reasons == [
                "The run has ended: completed with failure in 'expired'. Nothing is taken any more."
            ]
            assert not run.why_not(name).possible
    with start(definition(), activities=functions, clock=clock) as run:
        run.send("check")
        assert run.status == "failed"
        assert run.why_not("valid").reasons == [
            "The run has ended: failed in 'created'. Nothing is taken any more. retry() opens it again."
        ]


def test_states_one_step_away(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        assert run.why_not("created").reasons == ["It is the active state."]
        clock.advance("30m")
        timer = run.why_not("expired")
        assert timer.possible
        assert timer.reasons == ["Transition 'created → expired on timeout' leads there: its timer is due in 1:30:00."]
        valid = run.why_not("valid")
        assert valid.possible
        assert valid.reasons == [
            "Transition 'created → valid on validate' leads there: send 'validate'.",
            "Transition 'created → valid automatic' leads there, but its condition `context.open` is false "
            "(context.open = False).",
        ]
        assert not run.why_not("failed").reasons[0].endswith("send 'failed'.")


def test_states_reached_by_work_and_timers(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, input={"attempts": 2}, clock=clock) as run:
        run.send("retry")
        clock.settle()
        assert run.why_not("valid").reasons == [
            "Transition 'failed → valid on done' leads there, once activity 'look' succeeds (attempt 1, running)."
        ]
        assert run.why_not("expired").reasons == [
            "Transition 'failed → expired on error' leads there, once activity 'look' fails (attempt 1, running).",
            "Transition 'failed → expired on cancel_requested' leads there: ask by cancel().",
        ]
        assert run.why_not("paid").reasons == [
            "Transition 'failed → paid after 1h' leads there: its timer is due in 1:00:00."
        ]


def test_states_further_away_show_the_shortest_way_or_that_there_is_none(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        run.send("validate")
        clock.advance("1m")
        assert run.why_not("expired").reasons == [
            "No transition leads from 'valid' straight to 'expired'. The shortest way has 2: "
            "valid → failed on failed; failed → expired on error."
        ]
        assert run.why_not("island").reasons == [
            "No sequence of transitions leads from 'valid' to 'island', whatever the conditions."
        ]


def test_a_name_that_is_event_and_state_is_explained_as_both(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        why = run.why_not("failed")
        assert not why.possible
        assert [reason.split(":")[0] for reason in why.reasons] == ["As an event", "As a state", "As a state"]


def test_an_unknown_name_is_helped(clock: ManualClock, functions: Any) -> None:
    with (
        start(definition(), activities=functions, clock=clock) as run,
        pytest.raises(WfsimError, match=r"'vaild' is neither an event nor a state of order\. Did you mean 'valid'\?"),
    ):
        run.why_not("vaild")


def test_an_earlier_transition_on_the_same_event_stands_in_the_way(clock: ManualClock) -> None:
    workflow = Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
            "transitions": [{"from": "a", "to": "b", "event": "e"}, {"from": "a", "to": "c", "event": "e"}],
        }
    )
    with start(workflow, clock=clock) as run:
        assert not run.why_not("c").possible
        assert run.why_not("c").reasons == ["Transition 'a → c on e' leads there, but 'a → b on e' comes before it."]


def test_inner_regions_are_explained_with_their_owner(clock: ManualClock) -> None:
    region = {
        "name": "r",
        "initial_state": "x",
        "states": [{"name": "x"}, {"name": "y", "is_terminal": True}],
        "transitions": [{"from": "x", "to": "y", "event": "e"}],
    }
    workflow = Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "states": [{"name": "a"}, {"name": "p", "parallel": {"regions": [region]}}],
            "transitions": [{"from": "a", "to": "p", "event": "go"}],
        }
    )
    with start(workflow, clock=clock) as run:
        inner = next(name for name in run._program.state_rows if name.endswith("y"))
        assert run.why_not(inner).reasons == [
            "It lies in a region of 'p' that is not active.",
            "'p': Transition 'a → p on go' leads there: send 'go'.",
        ]
        run.send("go")
        assert run.why_not(inner).possible
        assert run.why_not("e").possible


def test_explanations_show_as_html(clock: ManualClock, functions: Any) -> None:
    with start(definition(), activities=functions, clock=clock) as run:
        shown = run.why_not("retry")._repr_html_()
        assert "context.attempts &lt; 3" in shown
        assert shown.startswith("<p>&#x27;retry&#x27; cannot happen now:</p><ul>")
