"""Stepping through instances by hand."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.errors import ReplayError, StartRefused, WfsimError
from wfsim.history.simulate import simulate
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import load, loads
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.snapshot import take_snapshot
from wfsim.semantics.stimulus import Stimulus
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.workflows.properties import verify
from wfsim.widgets.actions import Action
from wfsim.widgets.stepping import Stepping

ORDER = {"order_id": "o1", "total_amount": 12, "currency": "EUR", "items": ["book"]}

TICKET = """
name: ticket
version: 1.0.0
initial_state: open
variables:
  priority: {type: integer, initial: 1, minimum: 0, maximum: 9}
  answer: {type: string, optional: true}
  note: {optional: true}
events:
  raise_priority: {payload: {by: integer}}
  solve: {payload: {text: string, public: {type: boolean, optional: true}}}
  close: {}
  ping: {unhandled: discard}
  later: {unhandled: defer}
activities:
  look_up: {timeout: 1m, retry_policy: {max_attempts: 2, initial_interval: 10s, non_retryable_errors: [Gone]}}
states:
  - {name: open, timeout: 1d}
  - name: solving
    activity: {name: look_up, result_variable: answer}
  - {name: solved}
  - {name: done, is_terminal: true}
transitions:
  - from: open
    event: raise_priority
    condition: event.by + context.priority <= 9
    pre_actions: [{action_type: set_variable, parameters: {name: priority, value: "${context.priority + event.by}"}}]
  - {from: open, after: 2h}
  - {from: open, to: solving, event: solve, condition: context.priority < 5}
  - {from: solving, to: solved, event: done}
  - {from: solved, to: done, event: close}
  - {from: solved, to: done, event: later}
timeouts: {workflow: 30d}
unhandled: reject
"""


def actions(stepping: Stepping) -> dict[str, Action]:
    return {action.id: action for action in stepping.possible()}


def only(stepping: Stepping, ending: str) -> str:
    """The id of the one action that ends so."""
    (found,) = [each for each in actions(stepping) if each.endswith(ending)]
    return found


def do(stepping: Stepping, *action_ids: str) -> None:
    for action_id in action_ids:
        full = action_id if ":" in action_id and not action_id.startswith(":") else only(stepping, action_id)
        assert stepping.do(full), stepping.problem


# --- starting ------------------------------------------------------------------------------------


def test_an_instance_that_needs_no_input_starts_by_itself() -> None:
    stepping = Stepping(loads(TICKET))
    assert (stepping.status, stepping.state, len(stepping.steps)) == ("running", {"": "open"}, 1)


def test_inputs_given_start_an_instance() -> None:
    stepping = Stepping(load("models/order_processing.yaml"), ORDER)
    assert stepping.state == {"": "created"}
    assert stepping.instance.variables["total_amount"] == 12.0


def test_without_inputs_start_asks_for_them_with_defaults_that_fit() -> None:
    stepping = Stepping(load("models/order_processing.yaml"))
    (start,) = stepping.possible()
    asked = {one.name: (one.type.value, one.required, one.only_choices) for one in start.parameters}
    assert asked["total_amount"] == ("number", True, False)
    assert asked["currency"] == ("string", True, True)
    assert (start.kind, start.enabled, stepping.status) == ("start", True, "created")
    assert stepping.do("start")
    assert stepping.status == "running"


def test_bad_input_is_told_and_nothing_starts() -> None:
    stepping = Stepping(load("models/order_processing.yaml"))
    assert not stepping.do("start", total_amount=0)
    assert "below 0.01" in stepping.problem
    assert not stepping.do("start", total_amount="much")
    assert stepping.problem == "total_amount: 'much' is not a number. Write a number: 2.5."
    assert not stepping.do("start", totl_amount=3)
    assert "Did you mean 'total_amount'?" in stepping.problem
    assert (stepping.status, stepping.steps) == ("created", [])
    with pytest.raises(StartRefused, match="needs the input 'order_id'"):
        Stepping(load("models/order_processing.yaml"), {})


def test_input_belongs_to_a_workflow() -> None:
    instance = Stepping(loads(TICKET)).instance
    with pytest.raises(WfsimError, match="together with a workflow"):
        Stepping(instance, {})


# --- what can happen -----------------------------------------------------------------------------


def test_events_say_what_they_would_do_or_why_they_cannot() -> None:
    found = actions(Stepping(loads(TICKET)))
    assert (found["event:solve"].enabled, found["event:solve"].reason) == (True, "Takes 'open → solving on solve'.")
    assert found["event:raise_priority"].reason == (
        "Takes 'open → (none) on raise_priority' if its payload makes `event.by + context.priority <= 9` true."
    )
    close = found["event:close"]
    assert (close.enabled, close.reason) == (
        False,
        "no transition leaves 'open' on 'close'; it is taken in 'solved'. It would be rejected.",
    )
    assert found["event:ping"].reason.endswith("'open' on 'ping'; no state takes it. It would be discarded.")
    assert found["event:later"].enabled
    assert found["event:later"].reason.startswith("Would be deferred: no transition")


def test_a_false_condition_is_shown_with_the_values_that_make_it_so() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:later")
    assert stepping.do("event:raise_priority", by=4)
    solve = actions(stepping)["event:solve"]
    assert not solve.enabled
    assert solve.reason == "condition `context.priority < 5` is false (context.priority = 5). It would be rejected."
    assert not stepping.do("event:solve", text="x")
    assert stepping.problem == f"solve cannot happen now: {solve.reason}"


def test_a_condition_that_cannot_be_computed_is_not_false() -> None:
    text = TICKET.replace("condition: context.priority < 5", "condition: context.note > 5")
    stepping = Stepping(loads(text))
    solve = actions(stepping)["event:solve"]
    assert solve.enabled
    assert "Raises an error (M2.5)" in solve.reason
    assert "Expression.null" in solve.reason
    do(stepping, "event:solve")
    assert stepping.status == "failed"


def test_a_busy_region_says_what_it_waits_for() -> None:
    stepping = Stepping(load("models/order_processing.yaml"), ORDER)
    do(stepping, "event:order_validated")
    found = actions(stepping)
    cancel, timeout = found["event:order_cancelled"], found["timer:timeout"]
    assert not cancel.enabled
    assert cancel.reason == timeout.reason
    assert (
        "'created → validated on order_validated' waits for activity 'validate_order' (attempt 1, not started yet)"
        in cancel.reason
    )


def test_payload_fields_come_with_type_and_default() -> None:
    stepping = Stepping(loads(TICKET))
    asked = {one.name: (one.type.value, one.required) for one in actions(stepping)["event:solve"].parameters}
    assert asked == {"text": ("string", True), "public": ("boolean", False)}
    assert stepping.do("event:solve")
    assert stepping.steps[-1].stimulus.payload == {"text": "text-1"}


def test_a_payload_that_does_not_fit_is_told_and_changes_nothing() -> None:
    stepping = Stepping(loads(TICKET))
    before = take_snapshot(stepping.instance)
    for values, said in (
        ({"by": "two"}, "by: 'two' is not an integer. Write a whole number: 3."),
        ({"by": None}, "by (integer) is needed. Write a whole number: 3."),
        ({"by": {1}}, "by: "),
        ({"bye": 1}, "raise_priority takes no 'bye'. It takes: by. Did you mean 'by'?"),
    ):
        assert not stepping.do("event:raise_priority", **values)
        assert stepping.problem.startswith(said)
    assert (take_snapshot(stepping.instance), len(stepping.steps)) == (before, 1)
    assert stepping.do("event:raise_priority", by="2")
    assert stepping.problem == ""
    assert stepping.instance.variables["priority"] == 3


def test_a_payload_for_which_no_condition_holds_is_an_event_rejected() -> None:
    stepping = Stepping(loads(TICKET))
    assert stepping.do("event:raise_priority", by=9)
    assert [record.kind for record in stepping.steps[-1].records] == ["event_received", "event_rejected"]
    assert stepping.instance.variables["priority"] == 1


def test_a_result_that_only_says_who_gets_a_message_is_asked_for() -> None:
    told = ", pre_actions: [{action_type: send, event: e, to: '${event.result}'}]}"
    text = TICKET.replace(", result_variable: answer", "").replace("event: done}", f"event: done{told}")
    stepping = Stepping(loads(text))
    do(stepping, "event:solve", "activity:1:start")
    assert [one.name for one in actions(stepping)["activity:1:succeed"].parameters] == ["result"]


def test_activities_start_then_succeed_with_a_result_that_is_asked_for() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:solve")
    found = actions(stepping)
    assert (found["activity:1:start"].enabled, found["activity:1:succeed"].enabled) == (True, False)
    assert found["activity:1:fail"].reason == "this attempt has not started yet."
    do(stepping, "activity:1:start")
    found = actions(stepping)
    assert (found["activity:1:start"].enabled, found["activity:1:succeed"].enabled) == (False, True)
    assert [one.name for one in found["activity:1:succeed"].parameters] == ["result"]
    assert stepping.do("activity:1:succeed", result="found")
    assert (stepping.state, stepping.instance.variables["answer"]) == ({"": "solved"}, "found")


def test_a_failed_attempt_waits_for_its_timer_and_is_tried_again() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:solve", "activity:1:start")
    assert actions(stepping)["activity:1:fail"].parameters[0].choices == ("Error", "Gone")
    assert stepping.do("activity:1:fail", message="no answer")
    found = actions(stepping)
    assert "next attempt" in found["activity:1:succeed"].reason
    (retry,) = [each for each in found.values() if each.label == "next attempt of look_up"]
    assert (retry.enabled, retry.due) == (True, stepping.instance.time + 10_000_000)
    do(stepping, retry.id, "activity:1:start")
    assert "Attempt 2 of 2." in actions(stepping)["activity:1:fail"].reason
    assert not stepping.do("activity:1:fail", error_type=" ")
    assert "error_type is needed" in stepping.problem
    assert stepping.do("activity:1:fail", error_type="Gone")
    assert stepping.status == "failed"


def test_a_clock_of_an_activity_can_run_out() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:solve", "activity:1:start")
    (clock,) = [each for each in stepping.possible() if each.label == "start_to_close of look_up"]
    assert clock.reason == "Due at 0:01:01. The attempt fails with Timeout.start_to_close."
    do(stepping, clock.id)
    assert [record.kind for record in stepping.steps[-1].records][1] == "attempt_timed_out"


def test_timers_jump_to_their_time_and_say_when_they_no_longer_run() -> None:
    stepping = Stepping(loads(TICKET))
    (after,) = [each for each in stepping.possible() if each.label == "after 2h in open"]
    (timeout,) = [each for each in stepping.possible() if each.label == "timeout in open"]
    assert timeout.reason == "Due at 1d 0:00:00. No transition takes it: it raises Timeout.state (M6.2)."
    do(stepping, after.id)
    assert stepping.instance.time == 2 * 3600 * 1_000_000
    gone = actions(stepping)[after.id]
    assert (gone.enabled, gone.reason) == (False, "the timer is not running: it has fired in this state.")
    assert stepping.do("event:raise_priority", by=1)
    assert stepping.instance.time == 2 * 3600 * 1_000_000 + 1_000_000
    do(stepping, timeout.id)
    assert (stepping.instance.time, stepping.status) == (24 * 3600 * 1_000_000, "timed_out")


def test_a_step_never_passes_a_timer_that_is_due() -> None:
    text = TICKET.replace("{name: open, timeout: 1d}", "{name: open, timeout: 300ms}")
    stepping = Stepping(loads(text))
    assert stepping.do("event:raise_priority", by=1)
    assert stepping.instance.time == 300_000


def test_the_operator_pauses_resumes_cancels_terminates_and_retries() -> None:
    stepping = Stepping(loads(TICKET))
    assert [a.enabled for a in stepping.possible() if a.kind == "control"] == [True, False, True, True, False]
    do(stepping, "control:pause")
    assert stepping.status == "paused"
    found = actions(stepping)
    assert found["event:solve"].reason == "the instance is paused; resume it first."
    assert found["control:pause"].reason == "the instance is paused, not running."
    assert [a.enabled for a in stepping.possible() if a.kind == "control"] == [False, True, True, True, False]
    do(stepping, "control:resume", "control:terminate")
    assert stepping.status == "terminated"
    assert not any(action.enabled for action in stepping.possible())
    stepping.jump(1)
    do(stepping, "timer:timeout", "control:retry")
    assert (stepping.status, stepping.state) == ("running", {"": "open"})


def test_frozen_timers_say_how_much_is_left() -> None:
    stepping = Stepping(loads(TICKET + "pause_timers: freeze\n"))
    do(stepping, "control:pause")
    (timeout,) = [each for each in stepping.possible() if each.label == "timeout in open"]
    assert timeout.reason == "the timer is not running: frozen by the pause with 23:59:59 left."


def test_an_ended_instance_says_how_it_ended() -> None:
    stepping = Stepping(wf.new("minimal"))
    do(stepping, "event:finish")
    assert actions(stepping)["event:finish"].reason == ("the instance has ended: completed with success in 'finished'.")


def test_the_inner_region_is_offered_an_event_first() -> None:
    stepping = Stepping(
        loads("""
name: nested
initial_state: p
states:
  - name: p
    parallel:
      regions:
        - name: r
          initial_state: a
          states: [{name: a}, {name: b}]
          transitions: [{from: a, to: b, event: e}]
  - {name: q, is_terminal: true}
transitions: [{from: p, to: q, event: e}]
""")
    )
    assert actions(stepping)["event:e"].reason == "Takes 'a → b on e'."
    do(stepping, "event:e")
    assert stepping.state == {"": "p", "p/r": "p/r/b"}
    assert actions(stepping)["event:e"].reason == "Takes 'p → q on e'."
    assert stepping.lit()["state:p"] == stepping.lit()["state:p/r/b"] == "active"


def test_what_is_not_there_is_refused_with_the_nearest() -> None:
    stepping = Stepping(loads(TICKET))
    assert not stepping.do("event:solv")
    assert "'event:solv' is nothing that could happen now. Did you mean 'event:solve'?" in stepping.problem


# --- back and forth ------------------------------------------------------------------------------


def test_going_back_and_forth_changes_nothing_that_happened() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:solve", "activity:1:start", "activity:1:succeed")
    end = take_snapshot(stepping.instance)
    assert stepping.back()
    assert stepping.back()
    assert (stepping.cursor, stepping.state) == (2, {"": "solving"})
    assert stepping.jump(0)
    assert (stepping.status, stepping.state) == ("created", {})
    assert not stepping.back()
    assert stepping.jump(3)
    assert stepping.forward()
    assert take_snapshot(stepping.instance) == end
    assert not stepping.forward()
    assert stepping.problem == "there is no step 5: steps go from 0 to 4."
    assert not stepping.jump(-1)


def test_doing_something_after_going_back_drops_the_future() -> None:
    stepping = Stepping(loads(TICKET))
    do(stepping, "event:solve", "activity:1:start", "activity:1:succeed")
    stepping.jump(1)
    assert not stepping.do("event:close")
    assert len(stepping.steps) == 4
    assert stepping.do("event:raise_priority", by=2)
    assert (len(stepping.steps), stepping.cursor) == (2, 2)
    assert not stepping.forward()


def test_variables_say_what_the_last_step_changed() -> None:
    stepping = Stepping(loads(TICKET))
    assert stepping.do("event:raise_priority", by=2)
    shown = {each.name: (each.value, each.before, each.changed) for each in stepping.variables}
    assert shown == {"priority": (3, 1, True), "answer": (None, None, False), "note": (None, None, False)}
    stepping.back()
    assert not any(each.changed for each in stepping.variables)


def test_each_step_tells_what_it_set_free() -> None:
    stepping = Stepping(loads(TICKET))
    assert stepping.do("event:raise_priority", by=2)
    last = stepping.steps[-1]
    assert (last.title, last.instance.time) == ("event raise_priority(by=2)", 1_000_000)
    assert str(last.records[1]).split(" ", 1)[1].startswith("transition(state=open, event=raise_priority")


def test_the_way_is_lit() -> None:
    stepping = Stepping(loads(TICKET))
    assert stepping.lit() == {"state:open": "active"}
    do(stepping, "event:solve")
    assert stepping.lit() == {"state:open": "visited", "transition:3": "active", "state:solving": "active"}
    do(stepping, "activity:1:start")
    assert stepping.lit()["transition:3"] == "visited"
    assert stepping.do("activity:1:fail", error_type="Gone")
    assert stepping.lit()["state:solving"] == "problem"
    assert 'class="node problem" data-id="state:solving"' in stepping.to_svg()


def test_a_transition_in_flight_stays_lit() -> None:
    stepping = Stepping(load("models/order_processing.yaml"), ORDER)
    do(stepping, "event:order_validated", ":start")
    assert stepping.lit() == {"state:created": "active", "transition:1": "active"}


# --- what can be opened --------------------------------------------------------------------------


def test_every_witness_of_a_verification_opens_at_its_beginning_and_leads_to_its_end() -> None:
    report = verify(load("models/published/order_processing.yaml"))
    witnesses = [verdict.witness for verdict in report if verdict.witness is not None]
    opened = [Stepping(witness) for witness in witnesses if witness.kind == "workflow"]  # type: ignore[arg-type]
    assert len(opened) >= 3
    for stepping, witness in zip(opened, [each for each in witnesses if each.kind == "workflow"], strict=True):
        assert stepping.cursor == 0
        assert stepping.jump(len(witness))
        assert [step.title for step in stepping.steps] == [step.action for step in witness.steps]
        assert stepping.instance.state == witness.steps[-1].after["state"]
    timed_out = [stepping for stepping in opened if stepping.status == "timed_out"]
    assert timed_out
    assert timed_out[0].lit()["state:payment_pending"] == "problem"


def test_a_case_of_a_history_opens_and_goes_on_another_way() -> None:
    history = simulate(load("models/order_processing.yaml"), cases=30, seed=3)
    cases = [history.case(number) for number in range(1, 31)]
    case = max(cases, key=lambda each: each.version)
    stepping = Stepping(case)
    assert take_snapshot(stepping.instance) == take_snapshot(case.replay())
    assert [record for step in stepping.steps for record in step.records] == case.records()
    stepping.jump(1)
    assert stepping.do("event:order_cancelled", reason="changed my mind")
    assert stepping.state == {"": "cancelled"}


def test_a_case_that_cannot_be_replayed_is_refused() -> None:
    history = simulate(load("models/order_processing.yaml"), cases=2, seed=3, log="transitions")
    with pytest.raises(ReplayError, match="log='full'"):
        Stepping(history.case(1))


def test_an_instance_goes_on_from_where_it_is_on_a_copy() -> None:
    instance = Instance(compile_workflow(loads(TICKET)))
    instance.apply(Stimulus("start"))
    before = take_snapshot(instance)
    stepping = Stepping(instance)
    assert (stepping.cursor, stepping.state) == (0, {"": "open"})
    do(stepping, "event:solve")
    assert take_snapshot(instance) == before


def test_loading_replaces_everything_or_nothing() -> None:
    stepping = Stepping(loads(TICKET))
    assert not stepping.load("order")  # type: ignore[arg-type]
    assert stepping.problem.startswith("there is no stepping through a str. Give it a workflow, a witness")
    assert stepping.workflow.name == "ticket"
    assert stepping.load(load("models/order_processing.yaml"), ORDER)
    assert (stepping.workflow.name, stepping.cursor, stepping.problem) == ("order_processing", 1, "")
    assert "state:payment_pending" in {node.id for node in stepping.picture.nodes}


def test_verdicts_and_net_witnesses_are_refused_with_advice() -> None:
    minimal = wf.new("minimal")
    verdict = soundness(wf.to_net(minimal))
    with pytest.raises(WfsimError, match=r"wf\.Stepper\(verdict\.witness\)"):
        Stepping(verdict)  # type: ignore[arg-type]
    net = wf.to_net(minimal)
    from wfsim.verification.verdict import NetWitness

    with pytest.raises(WfsimError, match=r"wf\.TokenGame walks through it"):
        Stepping(NetWitness.of(net, []))  # type: ignore[arg-type]


def test_one_line_says_where_it_is() -> None:
    stepping = Stepping(loads(TICKET))
    assert repr(stepping) == "<Stepping through 'ticket': running in open, step 1 of 1, time 0:00:00>"


def test_an_event_whose_name_holds_a_colon_can_be_sent() -> None:
    workflow = Workflow.model_validate(
        {
            "name": "w",
            "initial_state": "a",
            "events": {"mail:sent": {"payload": {"action_id": "string", "self": "string"}}},
            "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
            "transitions": [{"from": "a", "to": "b", "event": "mail:sent"}],
        }
    )
    stepping = Stepping(workflow)
    assert stepping.do("event:mail:sent", action_id="x", self="y"), stepping.problem
    assert stepping.status == "completed"
