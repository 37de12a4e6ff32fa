"""M3.9: what entering and leaving a state does."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics import told
from tests.unit.semantics.told import activity, region, regions, set_variable, terminal, workflow
from wfsim.semantics.kernel import Output

VARIABLES = {
    "n": {"type": "integer", "initial": 0, "maximum": 5, "output": True},
    "log": {"type": "list", "initial": []},
}


class Told(told.Told):
    """Messages are told with their event."""

    def rows(self, output: Output) -> list[str]:
        rows = super().rows(output)
        kinds = [record.event for record in self.records[1:]]
        return [f"message_sent({event})" if row == "message_sent" else row for row, event in zip(rows, kinds)]


def send(event: str, to: str = "elsewhere") -> dict[str, Any]:
    return {"action_type": "send", "event": event, "to": to}


def add(**rest: Any) -> dict[str, Any]:
    return set_variable("n", "${context.n + 1}", **rest)


def test_m3_9_leaving_comes_after_what_ended_and_entering_before_timers_and_work() -> None:
    it = Told(
        workflow(
            [
                {"name": "a", "activity": "f", "exit_actions": [add(), send("left")]},
                {
                    "name": "b",
                    "timeout": "${context.n}",
                    "activity": {"name": "g", "parameters": {"n": "${context.n}"}},
                    "entry_actions": [set_variable("n", "${context.n * 2}")],
                },
            ],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "go",
                    "pre_actions": [add()],
                    "post_actions": [add()],
                }
            ],
            variables=VARIABLES,
        )
    )
    assert it.event("go") == [
        "transition(a, b)",
        "activity_cancelled(f)",
        "variables_set(n = 2)",
        "message_sent(left)",
        "variables_set(n = 4)",
        "activity_scheduled(g, 1)",
        "variables_set(n = 5)",
    ]
    by = [record.payload["by"] for record in it.records if record.kind == "variables_set"]
    assert by == ["exit", "entry", "post_action"]
    assert [record.state for record in it.records if record.kind == "variables_set"] == ["a", "b", "b"]
    assert it.due("timeout") == 4
    assert it.one("activity_scheduled").payload["input"] == {"n": 4}


def test_m3_9_internal_transitions_pass_nothing_and_self_transitions_both() -> None:
    it = Told(
        workflow(
            [{"name": "a", "entry_actions": [add()], "exit_actions": [send("left")]}],
            [{"from": "a", "event": "stay"}, {"from": "a", "to": "a", "event": "again"}],
            variables=VARIABLES,
        )
    )
    assert it.started == ["state_entered(a)", "variables_set(n = 1)"]
    assert it.event("stay") == ["transition(a, –)"]
    assert it.event("again") == ["transition(a, a)", "message_sent(left)", "variables_set(n = 2)"]


def both(join: str = "all") -> wf.Workflow:
    """A parallel state of two regions, every state of which says when it is entered and left."""

    def inner(name: str, first: str) -> dict[str, Any]:
        states = [
            {"name": first, "entry_actions": [send(f"{first}+")], "exit_actions": [send(f"{first}-")]},
            {**terminal(f"{first}z"), "entry_actions": [send(f"{first}z+")]},
        ]
        return region(name, states, [{"from": first, "to": f"{first}z", "event": f"end_{first}"}])

    outer = regions(inner("r", "x"), inner("q", "y"), join=join)
    return workflow(
        [{**outer, "entry_actions": [send("p+")], "exit_actions": [send("p-")]}, "c"],
        [{"from": "p", "to": "c", "event": "go"}, {"from": "p", "to": "c", "event": "done"}],
    )


def sent(it: Told) -> list[str]:
    return [str(record.event) for record in it.records if record.kind == "message_sent"]


def test_m3_9_outer_states_are_entered_first_and_left_last() -> None:
    it = Told(both())
    assert it.started == [
        "state_entered(p)",
        "message_sent(p+)",
        "state_entered(x)",
        "message_sent(x+)",
        "state_entered(y)",
        "message_sent(y+)",
    ]
    assert it.event("go") == [
        "transition(p, c)",
        "message_sent(y-)",
        "state_left(y, outer)",
        "message_sent(x-)",
        "state_left(x, outer)",
        "message_sent(p-)",
    ]


def test_m3_9_what_a_join_ends_is_left_and_terminal_states_are_entered_too() -> None:
    it = Told(both("any"))
    assert it.event("end_x")[:6] == [
        "transition(x, xz)",
        "message_sent(x-)",
        "message_sent(xz+)",
        "message_sent(y-)",
        "state_left(y, join)",
        "transition(p, c)",
    ]


@pytest.mark.parametrize(("command", "left"), [("cancel", ["y-", "x-", "p-"]), ("terminate", [])])
def test_m3_9_cancel_leaves_and_terminate_does_not(command: str, left: list[str]) -> None:
    it = Told(both())
    it.control(command)
    assert sent(it) == left
    assert it.one("instance_closed").status == ("cancelled" if command == "cancel" else "terminated")


def test_m3_9_a_failed_instance_has_left_nothing_and_retry_enters_anew() -> None:
    it = Told(
        workflow(
            [{"name": "a", "entry_actions": [add()], "exit_actions": [send("left")]}],
            [{"from": "a", "to": "a", "event": "go", "pre_actions": [activity("f")]}],
            variables=VARIABLES,
        )
    )
    it.event("go")
    it.fails(1, "Boom")
    assert sent(it) == []
    assert it.one("instance_closed").status == "failed"
    assert it.control("retry")[:3] == ["status_changed(running)", "state_entered(a)", "variables_set(n = 2)"]


def test_m3_9_a_failed_entry_action_skips_the_rest_and_raises_in_the_entered_state() -> None:
    it = Told(
        workflow(
            [
                "a",
                {
                    "name": "b",
                    "activity": "f",
                    "entry_actions": [add(), set_variable("n", "${context.n + 9}"), send("never")],
                },
                terminal("c", "failure"),
            ],
            [
                {"from": "a", "to": "b", "event": "go", "post_actions": [add()]},
                {"from": "b", "to": "c", "event": "error.b"},
            ],
            variables=VARIABLES,
        )
    )
    assert it.event("go") == [
        "transition(a, b)",
        "variables_set(n = 1)",
        "activity_scheduled(f, 1)",
        "variables_set(n = 2)",
        "error_raised(b, Expression.range)",
        "transition(b, c)",
        "activity_cancelled(f)",
        "instance_closed(completed, failure)",
    ]


def test_m3_9_a_failed_entry_action_in_a_terminal_state_climbs() -> None:
    it = Told(
        workflow(
            ["a", {**terminal("b"), "entry_actions": [set_variable("n", "${context.n + 9}")]}],
            [{"from": "a", "to": "b", "event": "go"}],
            variables=VARIABLES,
        )
    )
    assert it.event("go") == ["transition(a, b)", "error_raised(b, Expression.range)", "instance_closed(failed)"]


def test_m3_9_a_failed_exit_action_is_recorded_and_the_others_follow() -> None:
    it = Told(
        workflow(
            [{"name": "a", "exit_actions": [set_variable("n", "${context.n + 9}"), add()]}, "b"],
            [{"from": "a", "to": "b", "event": "go"}],
            variables=VARIABLES,
        )
    )
    assert it.event("go") == ["transition(a, b)", "error_raised(a, Expression.range)", "variables_set(n = 1)"]
    assert it.one("error_raised").payload["reason"] == "ignored"


def test_m3_9_telling_oneself_on_entry_counts_as_automatic() -> None:
    it = Told(
        workflow(
            [{"name": "a", "entry_actions": [send("again", "self")]}],
            [{"from": "a", "to": "a", "event": "again"}],
            events={"again": {}},
            max_automatic=5,
        )
    )
    assert it.started[-1] == "instance_closed(failed)"
    assert it.records[-1].payload["reason"] == "automatic_chain"


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"entry_actions": [activity("f")]}, r"Allowed: set_variable, send"),
        ({"exit_actions": [{"action_type": "compensate"}]}, r"Allowed: set_variable, send"),
        ({"entry_actions": [set_variable("n", "${event.k}")]}, r"there is no event here"),
        ({"exit_actions": [set_variable("m", 1)]}, r"'m', which is not"),
        ({"is_terminal": True, "exit_actions": [add()]}, r"terminal, so nothing leaves it .* Move them to entry"),
    ],
)
def test_m3_9_what_waits_or_reads_an_event_is_refused(state: dict[str, Any], why: str) -> None:
    with pytest.raises(wf.DefinitionError, match=why):
        workflow([{"name": "a", **state}], [], variables=VARIABLES)
