"""M5: attempts, waits between them, clocks, late results."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import wfsim as wf
from tests.unit.semantics.told import SECOND, Told, activity, terminal, workflow
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
