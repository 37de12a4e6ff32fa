"""Histories of ours in the form of Temporal: its SDK replays them, and refuses them once somebody has changed them."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Interceptor, Replayer, WorkflowInboundInterceptor
from temporalio.workflow import NondeterminismError

import wfsim as wf
from wfsim.errors import NotCovered
from wfsim.semantics.records import Effect
from wfsim.temporal.commands import commands_of
from wfsim.temporal.events import Events, payloads
from wfsim.temporal.workflow import DefinedWorkflow

if TYPE_CHECKING:
    from temporalio.worker import ExecuteWorkflowInput, WorkflowInterceptorClassInput

    from wfsim.history.history import History

MODELS = [name for name in sorted(wf.examples()) if name not in ("loan_application", "order_fulfilment")]
CASES = 3
IDLE = {"charge": lambda amount: "R-1", "refund": lambda amount, result=None: None}
PAYMENT = """
name: payment
version: 1.0.0
initial_state: waiting
variables: {amount: {type: number, input: true}, receipt: {type: string, optional: true, output: true}}
events: {pay: {payload: {note: {type: string, optional: true}}}, ping: {}}
activities:
  charge:
    timeout: 10s
    compensate_with: refund
    retry_policy: {max_attempts: 3, initial_interval: 1m, jitter: 0.5}
  refund: {}
states:
  - {name: waiting, timeout: 1h}
  - {name: paying, activity: {name: charge, parameters: {amount: "${context.amount}"}, result_variable: receipt}}
  - {name: undoing}
  - {name: paid, is_terminal: true}
  - {name: unpaid, is_terminal: true, outcome: failure}
transitions:
  - {from: waiting, event: pay, to: paying}
  - {from: waiting, event: ping, to: waiting}
  - {from: waiting, event: timeout, to: unpaid}
  - {from: paying, event: done, to: paid}
  - {from: paying, event: error, to: unpaid}
  - {from: paying, event: cancel_requested, to: undoing}
  - {from: undoing, after: 1s, to: unpaid, pre_actions: [{action_type: compensate}]}
unhandled: reject
"""


class _Listening(Interceptor):
    """Hears what a workflow that is replayed returns."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        results = self.results

        class Hears(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                results.append(await super().execute_workflow(input))
                return results[-1]

        return Hears


def replayed(histories: list[dict[str, Any]]) -> list[Any]:
    """What the SDK's replay of each history returns; `None` of an open workflow, or one that fails."""

    async def in_turn() -> list[Any]:
        listening = _Listening()
        replayer = Replayer(workflows=[DefinedWorkflow], interceptors=[listening])
        found = []
        for exported in histories:
            await replayer.replay_workflow(WorkflowHistory.from_json("order-1", json.dumps(exported)))
            found.append(listening.results.pop() if listening.results else None)
        return found

    return asyncio.run(in_turn())


def replay(exported: dict[str, Any]) -> Any:
    return replayed([exported])[0]


def value_of(payloads: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(payloads["payloads"][0]["data"]))


def kinds(exported: dict[str, Any]) -> list[str]:
    return [event["eventType"].removeprefix("EVENT_TYPE_") for event in exported["events"]]


def without(exported: dict[str, Any], *left_out: str) -> dict[str, Any]:
    """The history without these events, numbered anew."""
    kept = [event for event in copy.deepcopy(exported["events"]) if event["eventId"] not in left_out]
    numbers = {event["eventId"]: str(k) for k, event in enumerate(kept, 1)}
    for event in kept:
        event["eventId"] = numbers[event["eventId"]]
        for attributes in (value for key, value in event.items() if key.endswith("Attributes")):
            for key in [key for key in attributes if key.endswith("EventId")]:
                attributes[key] = numbers[attributes[key]]
    return {"events": kept}


def event_ids(exported: dict[str, Any], kind: str) -> list[str]:
    return [event["eventId"] for event in exported["events"] if event["eventType"] == f"EVENT_TYPE_{kind}"]


def simulated(name: str, cases: int = CASES) -> History:
    files = wf.examples()[name]
    return wf.simulate(wf.example(name), files.scenario, cases=cases, catalogue=files.definition.parent)


@pytest.mark.parametrize("name", MODELS)
def test_simulated_cases_replay_clean_and_come_to_the_same_end(name: str) -> None:
    history = simulated(name)
    cases = [history.case(number) for number in range(1, CASES + 1)]
    histories = [wf.to_temporal_history(case) for case in cases]
    for case, exported, result in zip(cases, histories, replayed(histories)):
        last = exported["events"][-1]
        if last["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED":
            assert result == value_of(last["workflowExecutionCompletedEventAttributes"]["result"])
            assert result["version"] <= case.version
        else:
            assert result is None


def test_a_run_of_the_engine_that_is_cancelled_replays_with_retries_timers_and_what_it_undoes(tmp_path: Path) -> None:
    clock, tried = wf.ManualClock(), []

    def charge(context: wf.ActivityContext, amount: float) -> str:
        tried.append(amount)
        if len(tried) == 1:
            raise wf.ActivityError("Bank.busy", "later", retry_after=30)
        context.sleep("1m")
        return "R-1"

    activities = {"charge": charge, "refund": lambda amount, result=None: None}
    store = str(tmp_path / "runs.db")
    with wf.start(
        wf.loads(PAYMENT), input={"amount": 3.5}, activities=activities, store=store, id="p-1", clock=clock
    ) as run:
        run.send("ping")
        run.send("pay", event_id="e-1", note="now")
        assert run.send("pay", event_id="e-1").fate == "taken"
        clock.advance("31s")
        run.cancel()
        clock.advance("2m")
        exported = wf.to_temporal_history(run.history.case("p-1"))
        assert run.state == "unpaid"
    found = kinds(exported)
    assert found.count("ACTIVITY_TASK_FAILED") == 1
    assert "WORKFLOW_EXECUTION_CANCEL_REQUESTED" in found
    assert {"TIMER_CANCELED", "TIMER_FIRED", "ACTIVITY_TASK_CANCEL_REQUESTED"} <= set(found)
    assert replay(exported)["state"] == "unpaid"


def test_an_open_case_is_an_open_workflow() -> None:
    with wf.start(wf.loads(PAYMENT), input={"amount": 1}, activities=IDLE) as run:
        run.send("ping")
        exported = wf.to_temporal_history(run.history.case(1))
    assert kinds(exported)[-3:] == ["WORKFLOW_TASK_COMPLETED", "TIMER_CANCELED", "TIMER_STARTED"]
    assert replay(exported) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pay", [7]),
        ("pay", [{}, 7]),
        ("pay", [{}, {"event_id": 7}]),
        ("pay", [{"note": "n" * 10, "nobody": 1}, {"sender": ["x"]}]),
        ("wfsim.control", ["explode"]),
        ("wfsim.control", []),
        ("wfsim.control", ["pause", {"command_id": 7}]),
        ("wfsim.started", ["x", "y"]),
        ("wfsim.started", [1, 1, 7]),
    ],
)
def test_a_signal_that_is_not_well_formed_is_dropped_and_stops_nothing(name: str, values: list[Any]) -> None:
    with wf.start(wf.loads(PAYMENT), input={"amount": 1}, activities=IDLE) as run:
        time = run.records[-1].time
        exported = wf.to_temporal_history(run.history.case(1))
    more = Events("wfsim")
    more.add(time, "WorkflowExecutionSignaled", signalName=name, input=payloads(*values))
    more.task(time)
    before = len(exported["events"])
    for event in more.to_dict()["events"]:
        event["eventId"] = str(before + int(event["eventId"]))
        for attributes in (value for key, value in event.items() if key.endswith("Attributes")):
            attributes.update(
                {key: str(before + int(attributes[key])) for key in attributes if key.endswith("EventId")}
            )
        exported["events"].append(event)
    assert replay(exported) is None


@pytest.fixture(scope="module")
def order() -> dict[str, Any]:
    history = simulated("order_processing")
    return next(
        exported
        for exported in (wf.to_temporal_history(history.case(case)) for case in range(1, CASES + 1))
        if {"TIMER_STARTED", "ACTIVITY_TASK_COMPLETED"} <= set(kinds(exported))
    )


def test_an_activity_of_another_name_is_refused(order: dict[str, Any]) -> None:
    changed = copy.deepcopy(order)
    number = event_ids(changed, "ACTIVITY_TASK_SCHEDULED")[0]
    changed["events"][int(number) - 1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "give_it_away"
    with pytest.raises(NondeterminismError, match="give_it_away"):
        replay(changed)


def test_an_activity_under_another_id_is_refused(order: dict[str, Any]) -> None:
    changed = copy.deepcopy(order)
    number = event_ids(changed, "ACTIVITY_TASK_SCHEDULED")[0]
    changed["events"][int(number) - 1]["activityTaskScheduledEventAttributes"]["activityId"] = "1.2"
    with pytest.raises(NondeterminismError):
        replay(changed)


def test_a_timer_that_is_missing_is_refused(order: dict[str, Any]) -> None:
    first = event_ids(order, "TIMER_STARTED")[-1]
    ended = [
        event["eventId"]
        for event in order["events"]
        for key, attributes in event.items()
        if key.startswith("timer") and attributes.get("startedEventId") == first
    ]
    with pytest.raises(NondeterminismError):
        replay(without(order, first, *ended))


def test_a_signal_of_another_name_leads_elsewhere_and_is_refused(order: dict[str, Any]) -> None:
    changed = copy.deepcopy(order)
    signals = [
        event["workflowExecutionSignaledEventAttributes"]
        for event in changed["events"]
        if event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"
    ]
    next(each for each in signals if "." not in each["signalName"])["signalName"] = "order_lost"
    with pytest.raises(NondeterminismError):
        replay(changed)


def test_a_result_that_is_no_value_of_ours_fails_its_attempt_as_the_engine_would_have_it() -> None:
    activities = IDLE | {"charge": lambda amount: 2**70}
    with wf.start(wf.loads(PAYMENT), input={"amount": 1}, activities=activities, clock=wf.ManualClock()) as run:
        run.send("pay")
        run.wait(lambda now: now.records[-1].kind == "retry_scheduled", timeout="30s")
        exported = wf.to_temporal_history(run.history.case(1))
    (number,) = event_ids(exported, "ACTIVITY_TASK_FAILED")
    event = exported["events"][int(number) - 1]
    attributes = event.pop("activityTaskFailedEventAttributes")
    kept = {key: attributes[key] for key in ("scheduledEventId", "startedEventId")}
    event["eventType"] = "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"
    event["activityTaskCompletedEventAttributes"] = {**kept, "result": payloads(2**70)}
    assert replay(exported) is None


def test_another_definition_is_refused(order: dict[str, Any]) -> None:
    changed = copy.deepcopy(order)
    (payload,) = changed["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    given = json.loads(base64.b64decode(payload["data"]))
    definition = json.loads(given["definition"])
    del definition["timeouts"]
    given["definition"] = json.dumps(definition)
    payload["data"] = base64.b64encode(json.dumps(given).encode()).decode()
    with pytest.raises(NondeterminismError):
        replay(changed)


@pytest.mark.parametrize(
    ("name", "why"),
    [("order_fulfilment", "'shipping' as a child"), ("loan_application", "'document_request' as a child")],
)
def test_what_needs_other_instances_is_not_covered_and_says_so(name: str, why: str) -> None:
    with pytest.raises(NotCovered, match=why):
        wf.to_temporal_history(simulated(name, 1).case(1))


def test_an_attempt_that_reports_twice_is_not_covered() -> None:
    scenario = wf.Scenario.model_validate(
        {
            "inputs": {"amount": 1.0},
            "events": {"waiting": [{"event": "pay", "delay": "1s"}]},
            "activities": {"charge": {"duration": "1s", "twice": 1.0, "result": "R"}},
        }
    )
    workflow = wf.loads(PAYMENT.replace("- {from: paying, event: done, to: paid}", "- {from: paying, event: done}"))
    history = wf.simulate(workflow, scenario, cases=1)
    with pytest.raises(NotCovered, match="reports again"):
        wf.to_temporal_history(history.case(1))


def test_what_begins_and_ends_in_one_step_is_no_command_and_cancelling_comes_last() -> None:
    timer, gone = Effect("set_timer", timer=1, timer_id=1, due=9), Effect("set_timer", timer=2, timer_id=2, due=9)
    old, new = Effect("cancel_attempt", activity_id=1, attempt=1), Effect("start_attempt", activity_id=2, attempt=1)
    passing = Effect("start_attempt", activity_id=3, attempt=1)
    effects = [old, gone, timer, passing, Effect("drop_timer", timer=2, timer_id=2), new]
    effects.append(Effect("cancel_attempt", activity_id=3, attempt=1))
    assert commands_of(effects) == [timer, new, old]
    assert commands_of([*effects, Effect("closed", status="completed")]) == []
