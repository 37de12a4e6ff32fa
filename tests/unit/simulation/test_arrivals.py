"""Where instances come from: schedules of the workflow, and other workflows beside the root."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.language import PAGE, catalogue
from wfsim.errors import ScenarioError
from wfsim.history.replay import replay_all

HOUR = 3_600_000_000
NIGHTLY = """\
name: nightly
version: 1.0.0
initial_state: running
variables: {kind: {type: string, input: true, output: true}, size: {type: integer, input: true, initial: 0}}
activities: {copy: {}}
states: [{name: running, activity: copy}, {name: end, is_terminal: true}]
transitions: [{from: running, event: done, to: end}]
schedules:
  night: {cron: 30 2 * * *, time_zone: Europe/Berlin, overlap: OVERLAP, input: {kind: full}}
  hourly: {every: 1h, offset: 15m, input: {kind: quick}}
"""


def simulated(overlap: str = "skip", duration: str = "10m", **more: Any) -> Any:
    scenario: dict[str, Any] = {
        "begins": "2026-03-28T00:00:00Z",
        "arrivals": {"schedules": ["night"]},
        "horizon": "4d",
        "inputs": {"kind": "by hand", "size": {"integer": [1, 9]}},
        "activities": {"copy": {"duration": duration}},
        **more,
    }
    return wf.simulate(wf.loads(NIGHTLY.replace("OVERLAP", overlap)), wf.Scenario.model_validate(scenario))  # type: ignore[operator]


def starts(history: Any) -> list[float]:
    rows = history.sql('SELECT started FROM cases ORDER BY "case"').fetchall()
    return [started / HOUR for (started,) in rows]


def test_a_schedule_starts_instances_by_the_clock_of_its_time_zone() -> None:
    history = simulated()
    # Summer begins in the night of the 29th, and 2:30 does not exist then.
    assert starts(history) == [1.5, 25.0, 48.5, 72.5]
    assert [history.case(number).variables["kind"] for number in range(1, 5)] == ["full"] * 4
    assert {history.case(number).variables["size"] for number in range(1, 5)} <= set(range(1, 10))
    replay_all(history)


def test_several_schedules_run_side_by_side_each_with_its_inputs() -> None:
    history = simulated(arrivals={"schedules": ["night", "hourly"]}, horizon="4h")
    assert starts(history) == [0.25, 1.25, 1.5, 2.25, 3.25]
    assert [history.case(k).variables["kind"] for k in range(1, 6)] == ["quick", "quick", "full", "quick", "quick"]


def test_a_start_is_skipped_while_the_one_before_is_open() -> None:
    history = simulated("skip", "30h")
    assert starts(history) == [1.5, 48.5]
    assert "Starts of schedule 'night' while the one before was open: 2 skipped." in history.notes


def test_a_start_is_queued_until_the_one_before_has_closed() -> None:
    history = simulated("queue", "30h")
    assert starts(history) == [1.5, 31.5, 61.5, 91.5]
    assert "Starts of schedule 'night' while the one before was open: 3 queued." in history.notes


def test_starts_may_overlap() -> None:
    history = simulated("allow", "30h")
    assert starts(history) == [1.5, 25.0, 48.5, 72.5]
    assert not any("schedule" in note for note in history.notes)


def test_a_run_by_schedules_is_repeated_exactly() -> None:
    assert simulated("queue", "30h").digest == simulated("queue", "30h").digest


def test_a_schedule_that_is_not_there_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"schedule 'nigth' does not exist\. There are: night, hourly\..*'night'"):
        simulated(arrivals={"schedules": ["nigth"]})
    with pytest.raises(ScenarioError, match=r"'2026-03-28' is not a moment"):
        wf.Scenario.model_validate({}).changed(begins="2026-03-28")


def guests(**kitchen: Any) -> Any:
    known = catalogue(PAGE.read_text(encoding="utf-8"))
    scenario = {
        "arrivals": {"every": "10m"},
        "cases": 6,
        "inputs": {"me": {"unique": "g"}, "table": {"unique": 0}},
        "events": {
            "hungry": [{"event": "choose", "delay": "1m", "payload": {"dish": "soup"}}],
            "eating": [{"event": "leave", "delay": "30m"}],
        },
        "workflows": {"kitchen": kitchen} if kitchen else {},
    }
    plan = wf.Scenario.model_validate(scenario)
    return wf.simulate(known.get("guest"), plan, catalogue=known)  # type: ignore[operator]


def test_a_workflow_that_the_root_writes_to_is_started_by_its_first_message() -> None:
    history = guests()
    assert history.sql("SELECT workflow, status, cases FROM outcomes ORDER BY workflow").fetchall() == [
        ("guest", "completed", 6),
        ("kitchen", "completed", 6),
    ]
    replay_all(history)


def test_a_workflow_beside_the_root_has_arrivals_of_its_own() -> None:
    history = guests(arrivals={"every": "10m"}, cases=4, inputs={"table": {"unique": 0}})
    kinds = history.sql("SELECT external_id FROM cases WHERE workflow = 1 ORDER BY started, external_id").fetchall()
    # Four kitchens stand ready for the first tables; the others are started by the first message.
    assert sorted(name for (name,) in kinds if name.startswith("kitchen-")) == [f"kitchen-{k}" for k in range(1, 5)]
    assert sum(":m" in name for (name,) in kinds) == 2
    replay_all(history)
    assert guests(arrivals={"every": "10m"}, cases=4, inputs={"table": {"unique": 0}}).digest == history.digest


def test_arrivals_beside_a_root_that_has_come_do_not_go_on_for_ever() -> None:
    history = guests(arrivals={"poisson": "20/h"}, inputs={"table": {"unique": 1000}})
    query = "SELECT count(*), max(started) FROM cases WHERE external_id LIKE 'kitchen-%'"
    ((n_kitchens, last),) = history.sql(query).fetchall()
    assert n_kitchens > 5
    # The last guest comes after an hour.
    assert last <= HOUR


def test_inputs_without_arrivals_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"'kitchen' has inputs here, but no arrivals"):
        guests(inputs={"table": 3})


def test_without_a_scenario_a_workflow_with_schedules_starts_by_them() -> None:
    history = wf.simulate(wf.loads(NIGHTLY.replace("OVERLAP", "skip")), cases=30)  # type: ignore[operator]
    assert starts(history)[:4] == [0.25, 1.25, 1.5, 2.25]
    assert "cases start by schedule" in history.notes[0]
