"""Values of declared types in a scenario: looked at before a run, and let in or refused alike by both engines."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError

ORDER = """\
name: order
initial_state: open
types:
  line: {sku: {type: string, pattern: "A-[0-9]+"}, amount: {type: number, minimum: 0}}
variables:
  lines: {type: list, items: line, input: true}
  total: {type: number, initial: 0, output: true}
events:
  pay: {payload: {how: {type: integer, values: [1, 3]}}}
activities:
  pack: {timeout: 1h, result: {boxes: {type: integer, minimum: 1}}}
states:
  - {name: open, timeout: 1h}
  - {name: packing, activity: pack}
  - {name: sent, is_terminal: true}
  - {name: failed, is_terminal: true, outcome: failure}
transitions:
  - from: open
    event: pay
    to: packing
    pre_actions:
      - {action_type: set_variable, parameters: {name: total, value: "${sum(context.lines, item.amount * 2)}"}}
  - {from: open, event: timeout, to: failed}
  - {from: packing, event: done, condition: event.result.boxes > 1, to: sent}
  - {from: packing, event: done, to: sent}
  - {from: packing, event: error, to: failed}
timeouts: {workflow: 30d}
unhandled: reject
"""
LINES = [{"sku": "A-1", "amount": 2}, {"sku": "A-2", "amount": 0.5}]


def scenario(**more: Any) -> wf.Scenario:
    plan: dict[str, Any] = {
        "arrivals": {"every": "1m"},
        "cases": 40,
        "inputs": {"lines": LINES},
        "events": {"open": [{"event": "pay", "delay": "5m", "payload": {"how": {"integer": [1, 3]}}}]},
        "activities": {"pack": {"duration": "1m", "result": {"boxes": 2}}},
    }
    return wf.Scenario.model_validate(plan | more)


def test_what_does_not_fit_is_refused_at_the_door_by_both_engines_alike() -> None:
    """Two of three values of `how` are let in; the third is between these, so the ends do not show it."""
    workflow = wf.loads(ORDER)
    histories = [wf.simulate(workflow, scenario(), seed=3, engine=engine) for engine in ("python", "compiled")]
    assert histories[0].digest == histories[1].digest
    rejected = histories[0].sql("SELECT count(*) FROM history WHERE kind = 'event_rejected'").fetchall()
    assert rejected[0][0] > 3
    assert histories[0].counts["completed/success"] == 40


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"inputs": {"lines": [{"sku": "B", "amount": 1}]}}, "is not of the pattern"),
        ({"inputs": {"lines": [{"sku": "A-1"}]}}, r"\[0\].amount is missing"),
        ({"activities": {"pack": {"result": {"boxes": 0}}}}, "boxes: 0 is below 1"),
        ({"activities": {"pack": {"duration": "1m"}}}, "the result of activity 'pack' .* is missing"),
    ],
)
def test_a_value_that_never_fits_is_told_before_the_run(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        wf.simulate(wf.loads(ORDER), scenario(**more))


def test_the_default_scenario_gives_what_fits() -> None:
    history = wf.simulate(wf.loads(ORDER), cases=300)
    [(turned_away, failed, late)] = history.sql(
        "SELECT count(*) FILTER (kind = 'event_rejected'), count(*) FILTER (kind IN ('activity_failed', "
        "'error_raised')), count(*) FILTER (to_state = 'failed' AND event = 'timeout') FROM history"
    ).fetchall()
    assert (turned_away, failed) == (0, 0)
    # An hour is waited for what the default scenario lets come after some minutes mostly.
    assert history.counts == {"completed/success": 300 - late, "completed/failure": late}
    assert 0 < late < 20
