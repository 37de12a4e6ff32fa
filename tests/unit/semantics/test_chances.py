"""Why something can or cannot happen now: the same facts for the stepper and for running workflows."""

from __future__ import annotations

from typing import Any

from wfsim.model.workflow import Workflow
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.explain import explain
from wfsim.runtime.run import start
from wfsim.semantics import chances
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.widgets.reasons import event_chance, timer_chance

SECOND = 1_000_000


def started(**definition: Any) -> Instance:
    instance = Instance(compile_workflow(Workflow.model_validate({"name": "w", **definition})))
    instance.start(0)
    return instance


def region(name: str, *transitions: dict[str, Any]) -> dict[str, Any]:
    ends = dict.fromkeys(end for each in transitions for end in (each["from"], each["to"]))
    states = [{"name": end} for end in ends]
    return {"name": name, "initial_state": states[0]["name"], "states": states, "transitions": list(transitions)}


def parallel(*regions: dict[str, Any], **more: Any) -> Instance:
    return started(
        initial_state="p",
        states=[{"name": "p", "parallel": {"regions": list(regions)}}, {"name": "q"}],
        **{"transitions": [{"from": "p", "to": "q", "event": "leave"}], **more},
    )


def worth(instance: Instance, event: str, payload: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    return [(choice.worth.value, choice.reason) for choice in chances.choices(instance, event, payload)]


CHECKED: dict[str, Any] = {
    "initial_state": "a",
    "variables": {"n": {"type": "integer", "initial": 3}, "none": {"type": "integer", "optional": True}},
    "states": [{"name": "a"}, {"name": "b"}],
}


def checked(*conditions: str | None) -> Instance:
    return started(
        **CHECKED,
        events={"e": {"payload": {"k": {"type": "integer", "optional": True}}}},
        transitions=[
            {"from": "a", "to": "b", "event": "e"} | ({} if each is None else {"condition": each})
            for each in conditions
        ],
    )


def test_a_region_looks_on_past_what_is_false_or_depends_and_no_further_than_what_holds() -> None:
    instance = checked("context.n < 3", "event.k == 1", "context.n == 3", None)
    assert worth(instance, "e") == [
        ("false", "condition `context.n < 3` is false (context.n = 3)"),
        ("depends", "its payload makes `event.k == 1` true"),
        ("holds", "condition `context.n == 3` holds (context.n = 3)"),
    ]
    assert [each for each, _ in worth(instance, "e", {"k": 1})] == ["false", "holds"]
    assert [each for each, _ in worth(instance, "e", {})] == ["false", "false", "holds"]


def test_a_condition_that_raises_ends_the_choice_and_names_the_values() -> None:
    ((found, reason),) = worth(checked("context.none > context.n", None), "e")
    assert found == "raises"
    assert reason.startswith("condition `context.none > context.n` raises Expression.null")
    assert reason.endswith(" (context.none = null, context.n = 3)")


def test_of_a_conjunction_the_first_part_that_does_not_hold_is_shown() -> None:
    assert worth(checked("context.n == 3 and event.k == 7"), "e", {"k": 6}) == [
        (
            "false",
            "condition `context.n == 3 and event.k == 7` is false, since `event.k == 7` does not hold (event.k = 6)",
        )
    ]


def test_regions_around_one_that_takes_the_event_are_not_asked_but_those_beside_it_are() -> None:
    instance = parallel(
        region("r", {"from": "a", "to": "b", "event": "e"}),
        region("s", {"from": "c", "to": "d", "event": "e"}),
        transitions=[{"from": "p", "to": "q", "event": "e"}],
    )
    names = [instance.program.name(choice.transition) for choice in chances.choices(instance, "e", {})]
    assert names == ["c → d on e", "a → b on e"]
    assert explain(instance, "e", {}, 0).reasons == [f"Transition '{name}' would be taken." for name in names]


BUSY = region("r", {"from": "a", "to": "b", "event": "x", "pre_actions": [{"action_type": "activity", "name": "f"}]})


def test_an_event_waits_behind_one_that_waits_for_a_busy_region_they_share() -> None:
    both = {"from": "b", "to": "a", "event": "both"}
    other = region("s", {"from": "c", "to": "d", "event": "alone"}, {"from": "d", "to": "c", "event": "both"})
    instance = parallel({**BUSY, "transitions": [*BUSY["transitions"], both]}, other)
    instance.event(SECOND, "x")
    busy = "region 'p/r' is busy: transition 'a → b on x' waits for activity 'f' (attempt 1, not started yet)"
    assert chances.held_event(instance, "both") == busy
    assert chances.held_event(instance, "alone") is None
    instance.event(2 * SECOND, "both")
    behind = "what came earlier waits for a busy region, and goes first"
    assert chances.held_event(instance, "alone") == behind
    assert event_chance(instance, "alone") == (False, f"{behind}.")
    why = explain(instance, "alone", None, 2 * SECOND)
    assert (why.possible, why.reasons) == (False, [f"W{behind[1:]}. The event would wait for that."])
    waits = instance.copy()
    waits.event(3 * SECOND, "alone")
    assert waits.waiting() == ["both", "alone"]


def test_a_cancelling_instance_takes_nothing_but_goes_on_compensating() -> None:
    charge = {"action_type": "activity", "name": "charge"}
    instance = started(
        initial_state="a",
        activities={
            "charge": {"compensate_with": {"activity": "refund"}},
            "refund": {"timeout": "1m"},
        },
        states=[{"name": "a"}, {"name": "b"}],
        transitions=[{"from": "a", "to": "b", "event": "go", "pre_actions": [charge]}],
    )
    instance.event(SECOND, "go")
    instance.activity_started(SECOND, 1, 1)
    instance.activity_succeeded(SECOND, 1, 1)
    instance.control(2 * SECOND, "cancel")
    assert instance.status == "cancelling"
    (undoing,) = instance.activities()
    instance.activity_started(2 * SECOND, undoing.activity_id, 1)
    assert event_chance(instance, "go") == (
        False,
        "the instance is being cancelled and only undoes what it has done.",
    )
    for name in ("go", "a"):
        why = explain(instance, name, None, 2 * SECOND)
        assert (why.possible, why.reasons) == (
            False,
            ["The run is being cancelled and only undoes what it has done. Nothing is taken any more."],
        )
    (clock,) = instance.timers()
    assert timer_chance(instance, clock) == (True, "The attempt fails with Timeout.start_to_close.")


def test_a_timer_that_does_not_run_says_why() -> None:
    definition = {
        "name": "w",
        "initial_state": "a",
        "states": [{"name": "a"}, {"name": "b"}],
        "transitions": [{"from": "a", "to": "b", "after": "1h", "condition": "context.open"}],
        "variables": {"open": {"type": "boolean", "initial": False}},
        "pause_timers": "freeze",
    }
    instance = started(**definition)
    (timer,) = instance.timers()
    assert chances.not_due(instance, timer.place) is None
    frozen = instance.copy()
    frozen.control(60 * SECOND, "pause")
    assert chances.not_due(frozen, timer.place) == "frozen by the pause with 0:59:00 left"
    instance.timer_fired(timer.due, timer.place, timer.id)
    assert chances.not_due(instance, timer.place) == "it has fired in this state"
    clock = ManualClock()
    opened = Workflow.model_validate(definition | {"variables": {"open": {"type": "boolean", "initial": True}}})
    with start(opened, clock=clock) as run:
        clock.advance("1m")
        run.pause()
        assert run.why_not("b").reasons == [
            "The run is paused: nothing moves until resume().",
            "Transition 'a → b after 1h' leads there: its timer is not running: frozen by the pause with 0:59:00 left.",
        ]


def test_a_state_waits_for_its_child_to_close() -> None:
    instance = started(
        initial_state="ship",
        states=[{"name": "ship", "invoke": {"workflow": "shipping"}}, {"name": "sent"}],
        transitions=[{"from": "ship", "to": "sent", "event": "done"}],
    )
    assert explain(instance, "sent", None, 0).reasons == [
        "Transition 'ship → sent on done' leads there, once workflow 'shipping' succeeds (running)."
    ]
