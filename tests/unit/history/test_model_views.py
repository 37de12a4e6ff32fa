"""What happened beside what the definition says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import wfsim as wf

NESTED = """
name: nested
initial_state: a
variables: {k: {type: integer, initial: 0}}
events: {go: {}, stop: {}}
activities: {f: {}}
states:
  - {name: a}
  - {name: b, timeout: 1h}
  - name: p
    parallel:
      regions:
        - name: r
          initial_state: s
          states:
            - {name: s}
            - name: q
              parallel:
                regions:
                  - name: rr
                    initial_state: z
                    states: [{name: z}, {name: y, is_terminal: true}]
                    transitions: [{from: z, event: go, to: y}]
            - {name: t, is_terminal: true}
          transitions: [{from: s, event: go, to: q}, {from: q, event: done, to: t}]
  - {name: m, activity: f}
  - {name: c, is_terminal: true}
transitions:
  - {from: a, event: [go, stop], to: b}
  - {from: "*", except: b, event: stop, to: c}
  - {from: b, after: 5m, to: p}
  - {from: b, event: go}
  - {from: p, event: done, to: m}
  - {from: m, event: [done, error.f], to: c}
  - {from: b, condition: context.k > 3, to: c}
  - {from: b, event: timeout, to: c}
"""
SCENARIO = wf.Scenario.model_validate(
    {
        "events": {
            "a": [{"event": "go", "weight": 9}, {"event": "stop", "weight": 1}],
            "p/r/s": [{"event": "go"}],
            "p/r/q/rr/z": [{"event": "go"}],
        },
        "activities": {"f": {"failures": [{"error_type": "X", "probability": 0.5}]}},
    }
)
Way = tuple[str, str, str, str]


def ways(workflow: wf.Workflow) -> Iterator[Way]:
    """Of all regions, by the names that records have."""
    for steps, region in workflow.regions():
        for each in region.transitions:
            event = "after" if each.timed else each.event or "automatic"
            if each.to is not None:
                path = "/".join(steps)
                there = ["/".join((*steps, name)) for name in (each.from_, each.to)]
                yield path, there[0], "error" if event.startswith("error.") else event, there[1]


def test_every_way_of_the_definition_is_there_and_how_often_it_was_gone() -> None:
    workflow = wf.loads(NESTED)
    history = wf.simulate(workflow, SCENARIO, cases=60, seed=1)
    rows = history.sql("SELECT region, from_state, event, to_state, allowed, n FROM conformance").fetchall()
    assert all(allowed is True for *_, allowed, _ in rows)
    assert {row[:4] for row in rows} == set(ways(workflow))
    taken = Counter(
        (row[0], row[1], row[2], row[3])
        for row in history.sql("SELECT region, from_state, event, to_state, n FROM dfg").fetchall()
        for _ in range(row[4])
    )
    assert {row[:4]: row[5] for row in rows} == {way: taken[way] for way in ways(workflow)}
    assert 0 < sum(n == 0 for *_, n in rows) < len(rows)
    assert [row[5] for row in rows] == sorted((row[5] for row in rows), reverse=True)


@pytest.mark.parametrize("name", ["order_processing", "travel_booking"])
def test_a_simulated_history_goes_no_way_that_its_definition_lacks(name: str) -> None:
    workflow = wf.example(name)
    history = wf.simulate(workflow, wf.default_scenario(workflow), cases=50, seed=2)
    assert history.sql("SELECT count(*) FROM conformance WHERE allowed IS DISTINCT FROM true").fetchall() == [(0,)]


def test_a_log_has_no_definition_to_be_allowed_by(tmp_path: Path) -> None:
    rows = [("case", "activity", "time"), ("1", "a", "2026-01-01T00:00:00Z"), ("1", "b", "2026-01-01T01:00:00Z")]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(map(",".join, rows)), encoding="utf-8")
    history = wf.read_log(path, case="case", activity="activity", time="time")
    found = history.sql("SELECT from_state, to_state, allowed, n FROM conformance").fetchall()
    assert ("a", "b", None, 1) in found
    assert all(allowed is None for _, _, allowed, _ in found)
