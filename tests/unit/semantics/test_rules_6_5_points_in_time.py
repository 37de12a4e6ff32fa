"""M6.5: transitions at a point in time, and what is computed with timestamps and durations."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, terminal, workflow
from wfsim.model.evaluate import evaluate, fit
from wfsim.model.expressions import parse, to_text
from wfsim.model.moments import LATEST, moment
from wfsim.model.values import EvaluationFault

TEN = "1970-01-01T00:00:10Z"


def due(at: str = "${context.when}", when: Any = TEN, **more: Any) -> Told:
    return Told(
        workflow(
            ["a", "b", terminal("z")],
            [{"from": "a", "to": "z", "at": at, **more}, {"from": "a", "event": "stay"}],
            variables={"when": {"type": "timestamp", "input": True, "optional": True}},
            events={"stay": {}, "set": {"payload": {"to": "timestamp"}}},
        ),
        when=when,
    )


@pytest.mark.parametrize("when", [TEN, "1970-01-01T01:00:10+01:00", "1970-01-01T00:00:10.000000Z", 10 * SECOND])
def test_m6_5_a_transition_is_taken_at_its_time_however_that_is_written(when: Any) -> None:
    it = due(when=when)
    assert it.variables["when"] == 10 * SECOND
    assert it.due("after 1") == 10
    assert it.event("stay", 4) == ["transition(a, –)"]
    assert it.fires("after 1", 10) == ["transition(a, z)", "instance_closed(completed, success)"]


def test_m6_5_a_time_that_has_passed_is_due_at_once_in_a_later_step() -> None:
    it = Told(
        workflow(
            ["a", "b", terminal("z")],
            [{"from": "a", "to": "b", "event": "go"}, {"from": "b", "to": "z", "at": TEN}],
        )
    )
    assert it.event("go", 60) == ["transition(a, b)"]
    assert it.fires("after 1", 60)[0] == "transition(b, z)"


def test_m6_5_a_false_condition_discards_it_and_it_selects_only_its_transition() -> None:
    it = due(condition='context.when > timestamp("1971-01-01T00:00:00Z")')
    assert it.fires("after 1", 10) == ["event_discarded(after, condition)"]


@pytest.mark.parametrize(
    ("at", "when", "fault"),
    [
        ("${context.when}", None, "Expression.type"),
        ('${context.when - duration("1d")}', TEN, "Expression.range"),
        ('${context.when + duration("1d")}', LATEST, "Expression.range"),
        ('${context.when + duration("1d")}', None, "Expression.null"),
    ],
)
def test_m6_5_what_is_no_time_raises_in_the_entered_state(at: str, when: Any, fault: str) -> None:
    it = due(at, when)
    assert it.started[:2] == ["state_entered(a)", f"error_raised(a, {fault})"]


@pytest.mark.parametrize(
    ("more", "days"),
    [
        ('- duration("9000d")', -9000),
        ('- duration("1d")', -1),
        ('+ duration("1d")', 1),
        ('+ duration("36000d") * 82', 36000 * 82),
    ],
)
def test_m6_5_what_is_written_to_a_variable_is_a_time_from_1970_to_9999(more: str, days: int) -> None:
    """What the step keeps is what `fit` says of the value."""
    action = {"action_type": "set_variable", "parameters": {"name": "when", "value": f"${{context.when {more}}}"}}
    on_error = {"from": "a", "event": "error", "to": "bad"}
    it = Told(
        workflow(
            ["a", terminal("z"), terminal("bad")],
            [{"from": "a", "to": "z", "event": "e", "pre_actions": [action]}, on_error],
            variables={"when": {"type": "timestamp", "initial": 10 * SECOND}},
        )
    )
    it.event("e", 20)
    try:
        expected: Any = fit(it.instance.program.variables["when"], (10 + days * 86_400) * SECOND)
    except EvaluationFault as fault:
        expected = fault.kind
    raised = [record.error_type for record in it.records if record.kind == "error_raised"]
    assert (raised or [it.variables["when"]]) == [expected]
    assert raised == ([] if days == 1 else ["Expression.range"])


def test_m6_5_payloads_are_checked_at_the_door_and_recorded_as_integers() -> None:
    it = due()
    assert it.event("set", 0, to="tomorrow") == ["event_rejected(set, payload)"]
    it.event("set", 0, to="1970-01-01T00:00:01Z")
    assert it.records[0].payload["payload"] == {"to": SECOND}
    with pytest.raises(wf.WfsimError, match=r"'noon' is not a timestamp: a time is written 2026-11-30T09:00:00Z"):
        due(when="noon")


@pytest.mark.parametrize(
    "text",
    ["2026-11-30", "2026-11-30T09:00:00", "2026-13-30T09:00:00Z", "1969-12-31T23:59:59Z", "2026-11-30 09:00:00Z"],
)
def test_m6_5_a_time_without_its_place_on_earth_or_in_the_calendar_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('duration("2h")', 7_200 * SECOND),
        ('timestamp("1970-01-02T00:00:00Z") - duration("1d")', 0),
        ('timestamp("1970-01-02T00:00:00Z") - timestamp("1970-01-01T12:00:00Z")', 43_200 * SECOND),
        ('3 * duration("10m") + duration("30m") == duration("1h")', True),
        ('duration("90m") // duration("1h")', 1),
        ('min(timestamp("1970-01-02T00:00:00Z"), timestamp("1970-01-01T00:00:01Z"))', SECOND),
    ],
)
def test_m6_5_times_are_computed_with(text: str, value: Any) -> None:
    tree = parse(text)
    assert evaluate(tree, {}, None, "") == value
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("context.when + 3600 > context.when", r"a duration such as duration"),
        (
            'context.when * 2 == duration("1s")',
            r"subtracted, and here it is given timestamp and integer",
        ),
        ("context.when > 5", r"`>` compares values of one type"),
        ('context.when + context.when == timestamp("2026-11-30T09:00:00Z")', r"given timestamp and timestamp"),
        ('duration("2 hours") > duration("1h")', r"2 hours"),
        ('context.when > timestamp("soon")', r"a time is written 2026"),
        ("context.when > timestamp(context.when)", r"timestamp takes one text, written out"),
    ],
)
def test_m6_5_what_can_never_work_is_refused(condition: str, told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        due(condition=condition)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"at": "${5}"}, r"this is due at a timestamp, and here is an integer"),
        ({"at": "noon"}, r"'noon' is no point in time: a time is written .*, or \$\{an expression\}"),
        ({"at": TEN, "after": "1s"}, r"an event or a time \(after, at\), not both"),
        ({"after": '${duration("2h")}'}, r"a duration is a number of seconds here"),
    ],
)
def test_m6_5_a_transition_says_its_time_in_one_way(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        workflow(["a", "b"], [{"from": "a", "to": "b", **keys}])


def test_m6_5_listed_values_of_a_timestamp_are_times() -> None:
    it = Told(
        workflow(
            ["a"], [], variables={"when": {"type": "timestamp", "values": [TEN], "initial": TEN}, "n": {"type": "any"}}
        )
    )
    assert it.variables["when"] == 10 * SECOND
