"""M6.6: `now`, the time of the step, in every room that evaluates expressions."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, set_variable, terminal, workflow
from wfsim.history.replay import replay_all
from wfsim.verification.workflows.properties import Property, verify

MINUTE = 'timestamp("1970-01-01T00:01:00Z")'


def asking(condition: str, **more: Any) -> wf.Workflow:
    return workflow(
        ["a", terminal("z")],
        [
            {"from": "a", "to": "z", "event": "go", "condition": condition},
            {"from": "a", "event": "note", "pre_actions": [set_variable("seen", "${now}")]},
        ],
        variables={"seen": {"type": "timestamp", "optional": True}, "list": {"type": "list", "initial": []}},
        events={"go": {}, "note": {}},
        **more,
    )


def test_m6_6_now_is_the_time_of_the_step() -> None:
    it = Told(asking(f"now >= {MINUTE}"))
    assert it.event("note", 7) == ["transition(a, –)"]
    assert it.variables["seen"] == 7 * SECOND
    assert it.event("go", 59) == ["event_rejected(go, condition)"]
    assert it.event("go", 60)[0] == "transition(a, z)"


def test_m6_6_where_python_is_asked_it_is_the_same_time() -> None:
    it = Told(asking("now in [context.seen, null]"))
    it.event("note", 7)
    assert it.event("go", 8) == ["event_rejected(go, condition)"]
    it.event("note", 9)
    assert it.event("go", 9)[0] == "transition(a, z)"


def test_m6_6_a_condition_on_now_alone_waits_for_something_to_happen() -> None:
    it = Told(
        workflow(
            ["a", terminal("z")],
            [{"from": "a", "to": "z", "condition": f"now > {MINUTE}"}, {"from": "a", "event": "poke"}],
        )
    )
    assert it.started == ["state_entered(a)"]
    assert it.event("poke", 61)[-1] == "instance_closed(completed, success)"


def two_times(first: str, second: str) -> wf.Workflow:
    return workflow(
        ["a", "b", terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "b", "event": "go", "condition": first},
            {"from": "b", "to": "z", "event": "go", "condition": second},
            {"from": "b", "to": "y", "event": "stop"},
        ],
        events={"go": {}, "stop": {}},
    )


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (f"now > {MINUTE}", f"now < {MINUTE}", "violated"),
        (f"now < {MINUTE}", f"now > {MINUTE}", "holds"),
        (f"now <= {MINUTE}", f"now == {MINUTE}", "holds"),
        (f"now > {MINUTE}", f"now == {MINUTE}", "violated"),
    ],
)
def test_m6_6_in_the_explorer_it_is_any_time_that_never_decreases(first: str, second: str, status: str) -> None:
    report = verify(two_times(first, second), [Property("states_reachable")])
    assert report[0].status == status


def test_m6_6_two_conditions_of_one_step_have_one_time() -> None:
    flow = workflow(
        ["a", terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "z", "event": "go", "condition": f"now > {MINUTE} and now < {MINUTE}"},
            {"from": "a", "to": "y", "event": "go", "condition": f"now != {MINUTE}"},
        ],
        events={"go": {}},
    )
    told = str(wf.conditions(flow))
    assert "never" in told


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_m6_6_both_simulators_know_it_and_replay_finds_it_again(engine: str) -> None:
    flow = asking(f"now >= {MINUTE}")
    plan = wf.Scenario.model_validate(
        {"workflow": "example", "arrivals": {"every": "13s"}, "events": {"a": [
            {"event": "note", "delay": {"constant": "5s"}, "weight": 1},
            {"event": "go", "delay": {"constant": "9s"}, "weight": 1},
        ]}}
    )  # fmt: skip
    history = wf.simulate(flow, plan, cases=40, seed=1, engine=engine)  # type: ignore[arg-type]
    closed = "SELECT count(*), min(time) >= 60_000_000 FROM history WHERE kind = 'instance_closed'"
    ((n, late),) = history.sql(closed).fetchall()
    assert n > 20
    assert late
    replay_all(history)


@pytest.mark.parametrize(
    ("condition", "told"),
    [("now > 5", "compares values of one type"), ("now + 5 > now", "a duration such as"), ("not now", "true or false")],
)
def test_m6_6_now_is_a_timestamp(condition: str, told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        asking(condition)


def test_m6_6_a_key_and_a_claim_cannot_read_it() -> None:
    with pytest.raises(wf.DefinitionError, match="reads now, but the key is computed at the start"):
        asking("true", correlation={"key": "now"})
    with pytest.raises(wf.DefinitionError, match="not about when"):
        wf.verify(asking("true"), [wf.Property("never", "now == null")])


# Proofs ------------------------------------------------------------------------------------------------------


def never_z(flow: wf.Workflow, claim: str = 'in("z")') -> Any:
    (verdict,) = verify(flow, [Property("never", claim)])
    if verdict.witness is not None:
        assert verdict.witness.replay()
    return verdict


def test_m6_6_a_witness_has_the_times_at_which_conditions_come_out_so() -> None:
    verdict = never_z(two_times(f"now > {MINUTE}", f"now > {MINUTE}"))
    assert verdict.status == "violated"
    times = [stimulus.time for stimulus in verdict.witness.stimuli]
    assert times == sorted(times)
    assert times[-1] > 60 * SECOND
    assert wf.simulate(verdict.witness).case(1).status == "completed"


@pytest.mark.parametrize(("timeout", "status"), [("30s", "violated"), ("2m", "holds")])
def test_m6_6_a_run_that_is_told_keeps_to_when_its_timers_are_due(timeout: str, status: str) -> None:
    flow = workflow(
        [{"name": "a", "timeout": timeout}, terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "z", "event": "timeout", "condition": f"now < {MINUTE}"},
            {"from": "a", "to": "y", "event": "timeout"},
        ],
    )
    verdict = never_z(flow)
    assert verdict.status == status


@pytest.mark.parametrize(("timeout", "status"), [("30s", "violated"), ("2m", "holds")])
def test_m6_6_nothing_ends_by_a_timeout_that_is_not_due(timeout: str, status: str) -> None:
    flow = with_timer("timeout", timeout, f"now >= {MINUTE}")
    assert verify(flow, [Property("no_unhandled_timeout")])[0].status == status


LATER = """\
name: later
initial_state: a
variables:
  since: {type: timestamp, optional: true}
  n: {type: integer, initial: 0, minimum: 0, maximum: 1000000, overflow: saturate}
events: {go: {payload: {k: {type: integer, minimum: 0, maximum: 1000}}}, back: {}}
states: [{name: a}, {name: b}, {name: c}, {name: z, is_terminal: true}]
transitions:
  - from: a
    event: go
    to: b
    pre_actions:
      - {action_type: set_variable, parameters: {name: since, value: "${now}"}}
      - {action_type: set_variable, parameters: {name: n, value: "${event.k * 3}"}}
  - {from: b, event: back, to: c, condition: CONDITION}
  - {from: [b, c], event: go, to: z}
"""


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        # Computed with: candidate values leave it open.
        ('now - context.since > duration("1h") and context.n == 21', "violated"),
        ('now - context.since > duration("1h") and context.n == 22', "holds"),
        ('now - context.since < duration("0s")', "holds"),
        ("now < context.since", "holds"),
        ('now + duration("1s") > context.since', "violated"),
    ],
)
def test_m6_6_to_the_solver_it_is_any_time_that_never_decreases(condition: str, status: str) -> None:
    verdict = never_z(wf.loads(LATER.replace("CONDITION", condition)), 'in("c")')
    assert verdict.status == status, verdict
    if status == "violated":
        times = [stimulus.time for stimulus in verdict.witness.stimuli]
        assert times == sorted(times)


def test_m6_6_a_deadline_that_has_passed_is_never_met_again() -> None:
    text = LATER.replace("CONDITION", f"context.n == 21 and now > {MINUTE}")
    text = text.replace(
        "{from: [b, c], event: go, to: z}", f"{{from: [b, c], event: go, to: z, condition: 'now < {MINUTE}'}}"
    )
    (verdict,) = verify(wf.loads(text), [Property("can_complete")])
    assert verdict.status == "violated"
    assert "once enough time has passed" in verdict.reason
    assert verdict.witness.replay()


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('now - context.since < duration("1h")', "violated"),
        ('now - context.since < duration("1h") or now - context.since > duration("2h")', "holds"),
        ('now - context.since >= duration("1h")', "holds"),
    ],
)
def test_m6_6_what_can_complete_can_do_so_however_long_it_has_waited(condition: str, status: str) -> None:
    text = LATER.replace("event: back, to: c, condition: CONDITION", f"event: back, to: c, condition: '{condition}'")
    (verdict,) = verify(wf.loads(text.replace("from: [b, c], event: go", "from: c, event: go")), [CAN_COMPLETE])
    assert verdict.status == status, verdict
    if status == "violated":
        assert verdict.witness.replay()[-1].state == "b"


CAN_COMPLETE = Property("can_complete")
TIMERS = [("timeout", "2m"), ("after", "2m"), ("after", "${context.n}"), ("at", "${context.then}")]


def with_timer(kind: str, when: str, condition: str) -> wf.Workflow:
    """From a to z by a timer that is due when two minutes have passed, under a condition, and to y by an event."""
    state: dict[str, Any] = {"name": "a"} | ({"timeout": when} if kind == "timeout" else {})
    timed = {"event": "timeout"} if kind == "timeout" else {kind: when}
    return workflow(
        [state, terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "z", "condition": condition, **timed},
            {"from": "a", "event": "note"},
            {"from": "a", "to": "y", "event": "go", "condition": f"now < {MINUTE}"},
        ],
        variables={"then": {"type": "timestamp", "initial": 120 * SECOND}, "n": {"type": "integer", "initial": 120}},
        events={"go": {}, "note": {}},
    )


@pytest.mark.parametrize("question", ["states_reachable", "transitions_live"])
@pytest.mark.parametrize(("kind", "when"), TIMERS)
def test_m6_6_no_proof_rests_on_a_timer_that_is_not_due(kind: str, when: str, question: str) -> None:
    (verdict,) = verify(with_timer(kind, when, f"now < {MINUTE}"), [Property(question)])
    assert verdict.status == "violated", verdict
    assert "reaches z." in verdict.reason or "No run takes transition 1 " in verdict.reason
    (verdict,) = verify(with_timer(kind, when, f"now > {MINUTE}"), [Property(question)])
    assert verdict.status == "holds", verdict


@pytest.mark.parametrize(("kind", "when"), TIMERS)
def test_m6_6_nothing_completes_by_a_timer_that_is_not_due(kind: str, when: str) -> None:
    (verdict,) = verify(with_timer(kind, when, f"now < {MINUTE}"), [CAN_COMPLETE])
    assert verdict.status == "violated", verdict
    verdict.witness.replay()
    (verdict,) = verify(with_timer(kind, when, f"now > {MINUTE}"), [CAN_COMPLETE])
    assert verdict.status == "holds", verdict


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("operator", "status"), [("<", "violated"), (">", "holds")])
def test_m6_6_no_proof_rests_on_a_clock_of_work_that_is_not_due(operator: str, status: str, each: bool) -> None:
    """Items of a list have clocks of their own, and it is not followed when these are due."""
    work = {"for_each": {"items": [1], "as": "i", "activity": "f"}} if each else {"activity": "f"}
    timed = f"event.type == 'Timeout.start_to_close' and now {operator} {MINUTE}"
    flow = workflow(
        [{"name": "a", **work}, terminal("z"), terminal("y")],
        [{"from": "a", "to": "y", "event": "done"}, {"from": "a", "to": "z", "event": "error", "condition": timed}],
        activities={"f": {"timeout": "2m"}},
    )
    (verdict,) = verify(flow, [Property("states_reachable")])
    assert verdict.status == ("unknown" if each and status == "violated" else status), verdict


def test_m6_6_where_it_is_not_followed_when_timers_are_due_nothing_is_proved_by_them() -> None:
    flow = workflow(
        [{"name": "a", "timeout": "2m"}, {"name": "b", "invoke": {"workflow": "child"}}, terminal("z"), terminal("y")],
        [
            {"from": "a", "to": "b", "event": "timeout", "condition": f"now < {MINUTE}"},
            {"from": "a", "to": "b", "event": "go"},
            {"from": "b", "to": "z", "event": "done"},
            {"from": "b", "to": "y", "event": "error"},
        ],
        events={"go": {}},
    )
    (verdict,) = verify(flow, [Property("transitions_live")])
    assert verdict.status == "unknown"
    assert "transition 1 (a → b on timeout) taken by a way on which a timer runs out before it is due" in verdict.reason
    assert "runs another workflow" in verdict.reason


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("${context.since}", "holds"),
        ('${context.since - duration("1d")}', "violated"),
        ('${context.since + duration("36000d") * context.n}', "violated"),
        ('${now + duration("1d")}', "holds"),
    ],
)
def test_m6_5_whether_a_time_that_is_computed_is_one_is_known_for_all_values(at: str, status: str) -> None:
    text = LATER.replace("event: back, to: c, condition: CONDITION", f"at: '{at}', to: c")
    (verdict,) = verify(wf.loads(text), [Property("no_failure")])
    assert verdict.status == status, verdict
    if status == "violated":
        assert "Expression.range" in verdict.reason or "Expression.overflow" in verdict.reason
        assert verdict.witness.replay()
