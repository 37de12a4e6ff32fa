"""M5: attempts, waits between them, clocks, late results."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, activity, terminal, workflow
from wfsim.errors import ActivityError
from wfsim.semantics.draws import RETRY_JITTER, draw


def trying(policy: dict[str, Any], key: int = 0, **clocks: Any) -> Told:
    return Told(
        workflow([{"name": "s", "activity": "f"}], [], activities={"f": {"retry_policy": policy, **clocks}}), key=key
    )


def delays(it: Told, attempts: int) -> list[int]:
    """Microseconds waited after each attempt but the last."""
    found = []
    for attempt in range(1, attempts):
        now = it.instance.time // SECOND + 1
        it.fails(1, "Net", at=now, attempt=attempt)
        record = it.one("retry_scheduled")
        assert record.payload["due"] == record.time + record.payload["delay"]
        assert record.attempt == attempt + 1
        found.append(record.payload["delay"])
        place, number, due = it.timer("retry")
        assert due == record.payload["due"]
        assert it.rows(it.instance.timer_fired(due, place, number)) == [f"activity_scheduled(f, {attempt + 1})"]
    return found


@pytest.mark.parametrize("most", [1, 2, 4])
def test_m5_1_max_attempts_counts_the_first(most: int) -> None:
    it = trying({"max_attempts": most, "initial_interval": "1s"})
    delays(it, most)
    assert it.fails(1, "Net", at=1000, attempt=most) == ["error_raised(f, Net)", "instance_closed(failed)"]


def test_m5_1_waits_grow_by_the_coefficient_up_to_max_interval() -> None:
    policy = {"max_attempts": 6, "initial_interval": "1s", "backoff_coefficient": 2.0, "max_interval": "5s"}
    assert delays(trying(policy), 6) == [1_000_000, 2_000_000, 4_000_000, 5_000_000, 5_000_000]


def test_m5_1_the_longest_wait_is_a_minute_or_the_first_one_where_that_is_longer() -> None:
    assert delays(trying({"max_attempts": 3, "initial_interval": "40s"}), 3) == [40_000_000, 60_000_000]
    assert delays(trying({"max_attempts": 3, "initial_interval": "5m"}), 3) == [300_000_000, 300_000_000]


def test_m5_1_the_product_is_exact_and_rounded_down() -> None:
    coefficient = "1.123457"
    policy = {
        "max_attempts": 12,
        "initial_interval": "1234567us",
        "backoff_coefficient": coefficient,
        "max_interval": "1000d",
    }
    expected = [1_234_567]
    while len(expected) < 11:
        expected.append(int(expected[-1] * Decimal(coefficient)))
    assert delays(trying(policy), 12) == expected
    # In doubles, 100 x 1.15 is 114.99999999999999.
    policy = {"max_attempts": 3, "initial_interval": "100us", "backoff_coefficient": 1.15}
    assert delays(trying(policy), 3) == [100, 115]


def test_m5_1_without_jitter_key_waits_are_not_random_and_with_it_they_are_draws_at_serial_and_attempt() -> None:
    policy = {"max_attempts": 4, "initial_interval": "10s", "backoff_coefficient": 1.0, "jitter": 0.5}
    key = 987_654_321
    expected = [10_000_000 - int(10_000_000 * 0.5 * draw(key, RETRY_JITTER, 1, k)) for k in (1, 2, 3)]
    assert delays(trying(policy, key), 4) == expected
    assert len(set(expected)) == 3
    assert all(5_000_000 < each <= 10_000_000 for each in expected)
    assert delays(trying({**policy, "jitter": 0}, key), 4) == [10_000_000] * 3


@pytest.mark.parametrize(
    ("error", "retried"), [("Bad", False), ("Bad.Card", False), ("Badly", True), ("Worse.Bad", True), ("bad", True)]
)
def test_m5_2_types_match_whole_or_by_dotted_prefix(error: str, retried: bool) -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s", "non_retryable_errors": ["Bad"]})
    rows = it.fails(1, error, at=1)
    assert rows == (
        ["retry_scheduled(2, 1 s)"] if retried else [f"error_raised(f, {error})", "instance_closed(failed)"]
    )


def test_m5_2_the_activity_fails_with_its_last_error() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s"})
    it.fails(1, "First", at=1)
    it.fires("retry", 2)
    assert it.fails(1, "Second", at=3, attempt=2)[0] == "error_raised(f, Second)"


@pytest.mark.parametrize(("at", "retried"), [(8.9, True), (9, False), (9.5, False)])
def test_m5_2_no_attempt_starts_at_or_after_the_schedule_to_close_deadline(at: float, retried: bool) -> None:
    it = trying({"max_attempts": 5, "initial_interval": "1s"}, schedule_to_close="10s")
    assert it.fails(1, "Net", at=at)[0].startswith("retry_scheduled" if retried else "error_raised(f, Net)")


def test_m5_2_timeout_in_non_retryable_errors_means_every_clock() -> None:
    it = trying({"max_attempts": 5, "initial_interval": "1s", "non_retryable_errors": ["Timeout"]}, timeout="10s")
    it.starts(1, 0)
    assert it.fires("start_to_close", 10) == [
        "attempt_timed_out(1, Timeout.start_to_close)",
        "error_raised(f, Timeout.start_to_close)",
        "instance_closed(failed)",
    ]


def test_m5_3_start_to_close_runs_per_attempt_from_its_start_and_is_retried() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s"}, timeout="10s")
    assert it.due("start_to_close") is None
    it.starts(1, 5)
    assert it.fires("start_to_close", 15) == [
        "attempt_timed_out(1, Timeout.start_to_close)",
        "retry_scheduled(2, 1 s)",
    ]
    assert "cancel_attempt" in it.effect_kinds()
    it.fires("retry", 16)
    assert it.due("start_to_close") is None
    it.starts(1, 17, attempt=2)
    assert it.fires("start_to_close", 27)[:2] == [
        "attempt_timed_out(2, Timeout.start_to_close)",
        "error_raised(f, Timeout.start_to_close)",
    ]


def test_m5_3_a_heartbeat_timeout_is_reported_by_the_executor_and_retried() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s"}, heartbeat="5s")
    it.starts(1, 0)
    assert it.instance.timers() == []
    assert it.fails(1, "Timeout.heartbeat", at=5) == ["retry_scheduled(2, 1 s)"]


def test_m5_3_schedule_to_start_runs_per_attempt_and_is_not_retried() -> None:
    it = trying({"max_attempts": 3, "initial_interval": "1s"}, schedule_to_start="4s")
    assert it.due("schedule_to_start") == 4
    it.starts(1, 3)
    assert it.due("schedule_to_start") is None
    it.fails(1, "Net", at=5)
    it.fires("retry", 6)
    assert it.fires("schedule_to_start", 10) == [
        "attempt_timed_out(2, Timeout.schedule_to_start)",
        "error_raised(f, Timeout.schedule_to_start)",
        "instance_closed(failed)",
    ]


def test_m5_3_schedule_to_close_runs_over_all_attempts_and_waits_and_is_not_retried() -> None:
    it = trying({"max_attempts": 9, "initial_interval": "1s"}, schedule_to_close="20s")
    it.fails(1, "Net", at=5)
    it.fires("retry", 6)
    it.starts(1, 7, attempt=2)
    assert it.fires("schedule_to_close", 20) == [
        "attempt_timed_out(2, Timeout.schedule_to_close)",
        "error_raised(f, Timeout.schedule_to_close)",
        "instance_closed(failed)",
    ]


def test_m5_3_a_failed_attempt_stops_its_own_clocks() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1m"}, timeout="5s", schedule_to_close="1h")
    it.starts(1, 1)
    it.fails(1, "Net", at=2)
    assert [timer.name for timer in it.instance.timers()] == ["retry", "schedule_to_close"]


def test_m5_3_a_clock_that_expires_takes_the_attempt_from_its_executor() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s"}, schedule_to_start="4s")
    it.fires("schedule_to_start", 4)
    (effect,) = [effect for effect in it.effects if effect.kind == "cancel_attempt"]
    assert (effect.activity, effect.activity_id, effect.attempt) == ("f", 1, 1)


def test_m5_3_a_deadline_ends_with_its_activity() -> None:
    policy = {"max_attempts": 9, "initial_interval": "1m"}
    it = Told(
        workflow(
            [{"name": "s", "activity": "f"}, {"name": "t", "activity": "g"}],
            [{"from": "s", "to": "t", "event": "done"}],
            activities={"f": {"schedule_to_close": "20s"}, "g": {"retry_policy": policy}},
        )
    )
    it.succeeds(1, 5)
    assert it.fails(2, "Net", at=6) == ["retry_scheduled(2, 60 s)"]


def test_m5_3_a_result_stops_all_clocks() -> None:
    it = trying({"max_attempts": 2}, timeout="5s", schedule_to_start="4s", schedule_to_close="20s")
    it.starts(1, 1)
    assert it.succeeds(1, 2) == ["event_discarded(done, no_transition)"]
    assert it.instance.timers() == []


def test_m5_4_cancelling_asks_the_executor_and_waits_for_nothing() -> None:
    it = Told(workflow([{"name": "s", "activity": "f"}, "t"], [{"from": "s", "to": "t", "event": "go"}]))
    it.starts(1)
    assert it.event("go") == ["transition(s, t)", "activity_cancelled(f)"]
    (effect,) = [effect for effect in it.effects if effect.kind == "cancel_attempt"]
    assert (effect.activity, effect.activity_id, effect.attempt) == ("f", 1, 1)
    assert it.state == "t"
    assert it.succeeds(1, 5, result=3) == ["stimulus_ignored(late)"]


def test_m5_4_a_report_on_an_earlier_attempt_is_late() -> None:
    it = trying({"max_attempts": 2, "initial_interval": "1s"})
    it.fails(1, "Net", at=1)
    # In backoff nothing runs; after it only the second attempt does.
    assert it.succeeds(1, 1) == ["stimulus_ignored(late)"]
    assert it.succeeds(1, 1, attempt=2) == ["stimulus_ignored(late)"]
    it.fires("retry", 2)
    assert it.succeeds(1, 3, attempt=1) == ["stimulus_ignored(late)"]
    assert it.fails(1, "Net", at=3, attempt=1) == ["stimulus_ignored(late)"]
    assert it.succeeds(1, 3, attempt=2) == ["event_discarded(done, no_transition)"]


def test_m5_5_all_attempts_go_under_one_serial_and_repeat_the_same_input() -> None:
    it = Told(
        workflow(
            ["a", "b"],
            [
                {
                    "from": "a",
                    "to": "b",
                    "event": "go",
                    "pre_actions": [activity("f", parameters={"n": "${event.n}"}), activity("f")],
                }
            ],
            activities={"f": {"retry_policy": {"max_attempts": 2, "initial_interval": "1s"}}},
        )
    )
    it.event("go", n=3)
    assert [(e.activity_id, e.attempt, e.input) for e in it.effects if e.kind == "start_attempt"] == [(1, 1, {"n": 3})]
    it.fails(1, "Net", at=1)
    it.fires("retry", 2)
    assert [(e.activity_id, e.attempt) for e in it.effects if e.kind == "start_attempt"] == [(1, 2)]
    it.succeeds(1, 3, attempt=2)
    assert [(e.activity_id, e.attempt) for e in it.effects if e.kind == "start_attempt"] == [(2, 1)]


def test_m5_5_an_attempt_that_is_reported_twice_counts_once() -> None:
    it = trying({"max_attempts": 3, "initial_interval": "1s"})
    assert it.starts(1, 0) == []
    assert it.starts(1, 0) == ["stimulus_ignored(duplicate)"]
    it.fails(1, "Net", at=1)
    assert it.fails(1, "Net", at=1) == ["stimulus_ignored(late)"]


def test_m5_5_simulation_runs_each_attempt_exactly_once() -> None:
    definition = workflow(
        [{"name": "s", "activity": "f"}, terminal("t")],
        [{"from": "s", "to": "t", "event": "done"}, {"from": "s", "to": "t", "event": "error"}],
        activities={"f": {"retry_policy": {"max_attempts": 3, "initial_interval": "1s"}}},
    )
    scenario = wf.Scenario(
        workflow="example",
        arrivals={"poisson": "60/h"},
        activities={"f": {"duration": {"constant": "2s"}, "failures": [{"error_type": "Net", "probability": 0.5}]}},
    )
    history = wf.simulate(definition, scenario, cases=200, seed=3, progress=False)
    runs = history.sql(
        """
        SELECT "case", activity_id, attempt,
            count(*) FILTER (kind = 'activity_started'),
            count(*) FILTER (kind IN ('activity_succeeded', 'activity_failed'))
        FROM history WHERE attempt IS NOT NULL GROUP BY ALL
        """
    ).fetchall()
    assert {row[3:] for row in runs} == {(1, 1)}
    assert {row[2] for row in runs} == {1, 2, 3}


# Several policies ------------------------------------------------------------------------------------------

BY_ERROR = [
    {"errors": ["Quota", "Http.429"], "max_attempts": 4, "initial_interval": "10s", "backoff_coefficient": 3},
    {"errors": ["Http"], "max_attempts": 3, "initial_interval": "1s", "non_retryable_errors": ["Http.403"]},
]
REST = {"max_attempts": 2, "initial_interval": "5s"}


def retrying(*policies: dict[str, Any], **clocks: Any) -> Told:
    return Told(
        workflow(
            [{"name": "a", "activity": "f"}, terminal("b")],
            [{"from": "a", "to": "b", "event": "done"}],
            activities={"f": {"retry_policy": list(policies), **clocks}},
        )
    )


def test_m5_1_the_first_policy_for_the_error_decides_as_if_it_had_always_decided() -> None:
    it = retrying(*BY_ERROR, REST)
    assert it.fails(1, "Http.500") == ["retry_scheduled(2, 1 s)"]
    it.fires("retry", 1)
    # The second wait of the first policy, which has not waited before.
    assert it.fails(1, "Http.429", 1, attempt=2) == ["retry_scheduled(3, 30 s)"]
    it.fires("retry", 31)
    # The second policy allows three attempts, and this was the third.
    assert it.fails(1, "Http.500", 31, attempt=3)[-1] == "instance_closed(failed)"


def test_m5_1_a_longer_name_is_no_prefix_and_what_no_policy_is_for_fails() -> None:
    assert retrying(*BY_ERROR).fails(1, "Https")[-1] == "instance_closed(failed)"
    assert retrying(*BY_ERROR).fails(1, "Http.403")[-1] == "instance_closed(failed)"
    assert retrying(*BY_ERROR, REST).fails(1, "Https") == ["retry_scheduled(2, 5 s)"]


def test_m5_1_a_policy_for_the_clock_decides_when_it_expires() -> None:
    slow = {"errors": ["Timeout"], "max_attempts": 2, "initial_interval": "7s"}
    it = retrying(slow, timeout="10s")
    it.starts(1)
    assert it.fires("start_to_close", 10)[-1] == "retry_scheduled(2, 7 s)"
    it = retrying(*BY_ERROR, timeout="10s")
    it.starts(1)
    assert it.fires("start_to_close", 10)[-1] == "instance_closed(failed)"


def test_m5_1_an_error_may_ask_for_another_wait_and_is_recorded_with_it() -> None:
    it = retrying({**REST, "jitter": 0.5, "max_interval": "6s"})
    assert it.rows(it.instance.activity_failed(SECOND, 1, 1, "Busy", retry_after=90 * SECOND)) == [
        "retry_scheduled(2, 90 s)"
    ]
    cause = it.records[0]
    assert (cause.payload["delay"], cause.payload["due"]) == (90 * SECOND, 91 * SECOND)
    assert it.due("retry") == 91


def test_m5_1_a_failure_that_asks_for_a_wait_is_told_with_its_activity() -> None:
    it = retrying(REST)
    it.rows(it.instance.activity_failed(SECOND, 1, 1, "Busy", retry_after=90 * SECOND))
    (told,) = [each for each in it.records if each.kind == "activity_failed"]
    assert (told.activity, told.activity_id, told.attempt, told.payload["delay"]) == ("f", 1, 1, 90 * SECOND)


def test_m5_2_a_wait_that_is_asked_for_does_not_outlast_the_deadline() -> None:
    it = retrying(REST, schedule_to_close="60s")
    found = it.rows(it.instance.activity_failed(SECOND, 1, 1, "Busy", retry_after=59 * SECOND))
    assert found[-1] == "instance_closed(failed)"


@pytest.mark.parametrize("wait", [-1, 10**18, 1.5, True])
def test_m5_1_a_wait_that_is_none_is_refused(wait: Any) -> None:
    with pytest.raises(wf.WfsimError, match=r"retry_after is .*Give microseconds from 0"):
        retrying(REST).instance.activity_failed(0, 1, 1, "Busy", retry_after=wait)
    with pytest.raises(ValueError, match="Give seconds from 0"):
        ActivityError("Busy", retry_after=-1)


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ([REST, *BY_ERROR], r"retry policy 2 of activity 'f' never decides: policy 1 before it is for all errors"),
        ([*BY_ERROR, {**REST, "errors": ["Http.500"]}], r"retry policy 3 .*: policy 2 before it is for Http.500"),
        ([], r"at least 1 entry"),
        ([{"errors": ["X"]}], r"max_attempts' is missing"),
    ],
)
def test_m5_2_a_policy_that_can_never_decide_is_refused(policies: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        retrying(*policies)


def test_m5_6_every_attempt_names_the_version_of_its_activity() -> None:
    it = Told(
        workflow(
            [{"name": "a", "activity": "f"}, {"name": "b", "activity": "g"}],
            [{"from": "a", "to": "b", "event": "done"}],
            activities={"f": {"version": 2, "retry_policy": {"max_attempts": 2}}, "g": {}},
        )
    )
    assert it.one("activity_scheduled").payload["version"] == "2"
    it.fails(1, "Net")
    it.fires("retry", 1)
    assert it.one("activity_scheduled").payload["version"] == "2"
    it.succeeds(1, 2, attempt=2)
    assert "version" not in it.one("activity_scheduled").payload
    with pytest.raises(wf.DefinitionError, match="expected 1 or more"):
        retrying(version=0)


def test_m5_7_no_rule_knows_how_an_activity_is_carried_out() -> None:
    told = []
    for carried_out in (
        {},
        {"input": {"n": "integer"}, "http": {"url": "https://h/${input.n}", "errors": {"Busy": 503}}},
        {"input": {"n": "integer"}, "command": ["tar", "${input.n}"]},
    ):
        it = Told(
            workflow(
                [{"name": "s", "activity": {"name": "f", "parameters": {"n": 3}}}, terminal("t")],
                [{"from": "s", "to": "t", "event": "done"}],
                activities={"f": {"retry_policy": {"max_attempts": 2, "initial_interval": "1s"}, **carried_out}},
            )
        )
        rows = it.fails(1, "Http.503", at=1)
        place, number, due = it.timer("retry")
        rows += it.rows(it.instance.timer_fired(due, place, number))
        rows += it.succeeds(1, at=9, attempt=2, result="any")
        told.append((rows, it.records[0].payload.keys()))
    assert told[0] == told[1] == told[2]
    assert len(told[0][0]) > 3
