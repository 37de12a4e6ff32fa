"""Retry policies by error, and waits that an error asks for (M5.1), at both speeds of the simulator."""

from __future__ import annotations

import pytest

import wfsim as wf
from wfsim.history.replay import replay_all

FLOW = """
name: upload
version: 1.0.0
initial_state: sending
activities:
  put:
    retry_policy:
      - {errors: [Busy], max_attempts: 5, initial_interval: 1s}
      - {errors: [Net], max_attempts: 2, initial_interval: 7s}
states: [{name: sending, activity: put}, {name: sent, is_terminal: true}]
transitions: [{from: sending, event: done, to: sent}]
unhandled: reject
"""
PLAN = {
    "workflow": "upload",
    "arrivals": {"every": "10s"},
    "activities": {
        "put": {
            "duration": {"constant": "1s"},
            "failures": [
                {"error_type": "Busy.Now", "probability": 0.4, "retry_after": "90s"},
                {"error_type": "Net", "probability": 0.2},
                {"error_type": "Disk", "probability": 0.1},
            ],
        }
    },
}
_WAITS = """
SELECT f.error_type, r.attempt, list(DISTINCT (r.payload->>'delay')::BIGINT) FROM history f
JOIN history r ON r."case" = f."case" AND r.cause_seq = f.seq AND r.kind = 'retry_scheduled'
WHERE f.kind = 'activity_failed' GROUP BY ALL ORDER BY ALL
"""


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_each_error_waits_as_its_policy_or_it_itself_says(engine: str) -> None:
    history = wf.simulate(wf.loads(FLOW), wf.Scenario.model_validate(PLAN), cases=200, engine=engine)  # type: ignore[arg-type]
    waits = history.sql(_WAITS).fetchall()
    asked = {tuple(each[2]) for each in waits if each[0] == "Busy.Now"}
    assert asked == {(90_000_000,)}
    assert {each[1] for each in waits if each[0] == "Busy.Now"} >= {2, 3, 4}
    assert [each[1:] for each in waits if each[0] == "Net"] == [(2, [7_000_000])]
    assert not [each for each in waits if each[0] == "Disk"]
    replay_all(history)


def test_both_engines_write_the_same() -> None:
    digests = {
        engine: wf.simulate(wf.loads(FLOW), wf.Scenario.model_validate(PLAN), cases=100, seed=3, engine=engine).digest  # type: ignore[arg-type]
        for engine in ("python", "compiled")
    }
    assert digests["python"] == digests["compiled"]
