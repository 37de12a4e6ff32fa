"""The worked examples of MEANING, verbatim: examples 1-3, 7, 8, 10, and of the nested ones 4-6."""

from __future__ import annotations

from typing import Any

from wfsim.model.workflow import Workflow
from wfsim.semantics.instance import Instance, Record, records_of
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import compile_workflow

SECOND = 1_000_000


def workflow(states: list[Any], transitions: list[dict[str, Any]], **rest: Any) -> Workflow:
    full = [{"name": state} if isinstance(state, str) else state for state in states]
    return Workflow.model_validate(
        {"name": "example", "initial_state": full[0]["name"], "states": full, "transitions": transitions, **rest}
    )


def terminal(name: str) -> dict[str, Any]:
    return {"name": name, "is_terminal": True}


def activity(name: str) -> dict[str, Any]:
    return {"action_type": "activity", "name": name}


def set_variable(name: str, value: Any) -> dict[str, Any]:
    return {"action_type": "set_variable", "parameters": {"name": name, "value": value}}


class Told:
    """An instance whose steps are told in the notation of the examples."""

    def __init__(self, definition: Workflow, start: int = 0) -> None:
        self.instance = Instance(compile_workflow(definition))
        self.instance.start(start)

    def rows(self, output: Output) -> list[str]:
        """Consequences only; the cause is what the test does."""
        return [told(record) for record in records_of(self.instance, output)[1:]]

    def event(self, name: str, at: float = 0, event_id: str | None = None, **payload: Any) -> list[str]:
        return self.rows(self.instance.event(int(at * SECOND), name, payload, event_id))

    def control(self, command: str, at: float = 0) -> list[str]:
        return self.rows(self.instance.control(int(at * SECOND), command))

    def succeeds(self, serial: int, at: float = 0, attempt: int = 1, result: Any = None) -> list[str]:
        return self.rows(self.instance.activity_succeeded(int(at * SECOND), serial, attempt, result))

    def fails(self, serial: int, error: str, at: float = 0, attempt: int = 1) -> list[str]:
        return self.rows(self.instance.activity_failed(int(at * SECOND), serial, attempt, error))

    def fires(self, name: str, at: float) -> list[str]:
        (timer,) = [timer for timer in self.instance.timers() if timer.name == name]
        assert timer.due == int(at * SECOND)
        return self.rows(self.instance.timer_fired(int(at * SECOND), timer.place, timer.id))

    def due(self, name: str) -> float | None:
        found = [timer.due for timer in self.instance.timers() if timer.name == name]
        return found[0] / SECOND if found else None


def told(record: Record) -> str:
    """A record as the examples write it."""
    reason = record.payload.get("reason")

    def short(path: str | None) -> str:
        return path.rsplit("/", 1)[-1] if path else "–"

    match record.kind:
        case "transition":
            return f"transition({short(record.state)}, {short(record.to_state)})"
        case "activity_scheduled":
            return f"activity_scheduled({record.activity}, {record.attempt})"
        case "activity_cancelled":
            return f"activity_cancelled({record.activity})"
        case "state_left":
            return f"state_left({short(record.state)}, {reason})"
        case "state_entered":
            return f"state_entered({short(record.state)})"
        case "error_raised":
            return f"error_raised({record.payload['source']}, {record.error_type})"
        case "retry_scheduled":
            return f"retry_scheduled({record.attempt}, {record.payload['delay'] / SECOND:g} s)"
        case "status_changed":
            return f"status_changed({record.status})"
        case "instance_closed":
            parts = [record.status, record.outcome]
            return f"instance_closed({', '.join(part for part in parts if part)})"
        case "stimulus_ignored" | "transition_aborted":
            return f"{record.kind}({reason})"
        case "event_recalled":
            return f"event_recalled({record.event})"
        case _:
            return record.kind


def test_example_1_a_false_condition_passes_to_the_next_transition_and_an_id_counts_once() -> None:
    it = Told(
        workflow(
            ["a", "b", "c"],
            [
                {"from": "a", "to": "b", "event": "e", "condition": "event.n > 5"},
                {"from": "a", "to": "c", "event": "e"},
            ],
        )
    )
    assert it.event("e", event_id="1", n=3) == ["transition(a, c)"]
    assert it.event("e", event_id="1", n=3) == ["stimulus_ignored(duplicate)"]


def test_example_2_a_busy_region_holds_events_and_a_pause_holds_results() -> None:
    it = Told(
        workflow(
            ["a", "b", terminal("c")],
            [
                {"from": "a", "to": "b", "event": "go", "pre_actions": [activity("check")]},
                {"from": "b", "to": "c", "event": "stop"},
            ],
        )
    )
    assert it.event("go", 0) == ["transition_started", "activity_scheduled(check, 1)"]
    assert it.event("stop", 1) == []
    assert it.control("pause", 2) == ["status_changed(paused)"]
    assert it.succeeds(1, 3) == []
    assert it.control("resume", 9) == [
        "status_changed(running)",
        "transition(a, b)",
        "transition(b, c)",
        "instance_closed(completed, success)",
    ]


def test_example_3_a_failed_pre_action_drops_writes_and_a_retry_offers_the_event_again() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [{"from": "a", "to": "b", "event": "e", "pre_actions": [set_variable("n", 1), activity("f")]}],
        )
    )
    assert it.event("e") == ["transition_started", "activity_scheduled(f, 1)"]
    assert it.fails(1, "Boom") == ["transition_aborted(error)", "error_raised(f, Boom)", "instance_closed(failed)"]
    assert it.instance.variables == {"n": None}
    assert it.control("retry") == [
        "status_changed(running)",
        "state_entered(a)",
        "transition_started",
        "activity_scheduled(f, 1)",
    ]


def regions(*listed: dict[str, Any], join: Any = "all") -> dict[str, Any]:
    return {"name": "p", "parallel": {"join": join, "regions": list(listed)}}


def region(name: str, states: list[Any], transitions: list[dict[str, Any]]) -> dict[str, Any]:
    full = [{"name": state} if isinstance(state, str) else state for state in states]
    return {"name": name, "initial_state": full[0]["name"], "states": full, "transitions": transitions}


def test_example_4_one_event_reaches_every_region_and_inner_ones_take_it_first() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "e"}]),
                    region("r2", ["c", "d"], [{"from": "c", "to": "d", "event": "e"}]),
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "e"}],
        )
    )
    assert it.event("e") == ["transition(a, b)", "transition(c, d)"]
    assert it.instance.state == "p"
    assert it.event("e") == ["transition(p, q)", "state_left(d, outer)", "state_left(b, outer)"]


def test_example_5_an_outer_transition_aborts_the_flight_inside() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", "b"], [{"from": "a", "to": "b", "event": "go", "pre_actions": [activity("f")]}])
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "cancel"}],
        )
    )
    assert it.event("go") == ["transition_started", "activity_scheduled(f, 1)"]
    assert it.event("cancel") == [
        "transition(p, q)",
        "transition_aborted(outer)",
        "activity_cancelled(f)",
        "state_left(a, outer)",
    ]
    assert it.succeeds(1) == ["stimulus_ignored(late)"]


def test_example_6_a_partial_join_ends_the_other_regions() -> None:
    it = Told(
        workflow(
            [
                regions(
                    region("r1", ["a", terminal("z")], [{"from": "a", "to": "z", "event": "x"}]),
                    region("r2", [{"name": "c", "activity": "g"}], []),
                    join="any",
                ),
                "q",
            ],
            [{"from": "p", "to": "q", "event": "done"}],
        )
    )
    assert it.event("x") == [
        "transition(a, z)",
        "activity_cancelled(g)",
        "state_left(c, join)",
        "transition(p, q)",
        "state_left(z, outer)",
    ]


def test_example_7_backoff_then_an_error_that_is_not_tried_again() -> None:
    policy = {
        "max_attempts": 3,
        "initial_interval": "1s",
        "backoff_coefficient": 2,
        "non_retryable_errors": ["Bad"],
    }
    it = Told(workflow([{"name": "s", "activity": "f"}], [], activities={"f": {"retry_policy": policy}}))
    assert it.fails(1, "Net", at=5) == ["retry_scheduled(2, 1 s)"]
    assert it.fires("retry", at=6) == ["activity_scheduled(f, 2)"]
    assert it.fails(1, "Bad.Card", at=7, attempt=2) == ["error_raised(f, Bad.Card)", "instance_closed(failed)"]


def test_example_8_a_self_transition_restarts_the_timer_and_an_internal_one_does_not() -> None:
    it = Told(
        workflow(
            [{"name": "s", "timeout": "10s"}, "ok", "late"],
            [
                {"from": "s", "to": "s", "event": "again"},
                {"from": "s", "event": "note"},
                {"from": "s", "to": "ok", "event": "pay"},
                {"from": "s", "to": "late", "event": "timeout"},
            ],
        )
    )
    assert it.event("again", 4) == ["transition(s, s)"]
    assert it.due("timeout") == 14
    assert it.event("note", 8) == ["transition(s, –)"]
    assert it.due("timeout") == 14
    assert it.event("pay", 14) == ["transition(s, ok)"]
    assert it.due("timeout") is None


def test_example_10_deferred_events_are_offered_once_per_commit_in_arrival_order() -> None:
    it = Told(
        workflow(
            ["a", "b", "c", terminal("d")],
            [
                {"from": "a", "to": "b", "event": "go"},
                {"from": "b", "to": "c", "event": "y"},
                {"from": "c", "to": "d", "event": "x"},
            ],
            unhandled="defer",
        )
    )
    assert it.event("x") == ["event_deferred"]
    assert it.event("y") == ["event_deferred"]
    assert it.event("go") == [
        "transition(a, b)",
        "event_recalled(y)",
        "transition(b, c)",
        "event_recalled(x)",
        "transition(c, d)",
        "instance_closed(completed, success)",
    ]
