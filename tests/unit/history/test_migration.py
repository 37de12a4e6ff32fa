"""`wf.migration`: what a new version has no counterpart for, and the stored cases that would go another way."""

from __future__ import annotations

import json
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import DefinitionError, WfsimError
from wfsim.history.migration import Migration
from wfsim.model.changes import CODES, changes

OLD = """\
name: claim
version: 1.0.0
initial_state: open
correlation: {key: "context.id"}
variables:
  id: {type: string, input: true}
  amount: {type: integer, input: true, minimum: 0, maximum: 100}
  note: {type: string, optional: true}
events:
  decide: {payload: {ok: boolean, by: {type: string, optional: true}}}
  close: {}
activities:
  pay: {timeout: 1m, compensate_with: take_back}
  take_back: {timeout: 1m}
  check: {timeout: 1m}
states:
  - {name: open, timeout: 10d}
  - name: checking
    parallel:
      regions:
        - name: papers
          initial_state: reading
          states: [{name: reading, activity: check}, {name: read, is_terminal: true}]
          transitions: [{from: reading, event: done, to: read}]
        - name: person
          initial_state: asking
          states: [{name: asking, activity: check}, {name: asked, is_terminal: true}]
          transitions: [{from: asking, event: done, to: asked}]
  - {name: parked}
  - {name: paid, is_terminal: true}
  - {name: refused, is_terminal: true, outcome: failure}
transitions:
  - from: open
    event: decide
    to: checking
    condition: event.ok
    pre_actions: [{action_type: set_variable, parameters: {name: note, value: seen}}]
  - {from: open, event: decide, to: refused}
  - {from: open, event: timeout, to: parked}
  - from: checking
    event: done
    to: paid
    pre_actions: [{action_type: activity, name: pay, parameters: {amount: "${context.amount}"}}]
  - {from: checking, event: error, to: parked}
  - {from: parked, event: close, to: refused}
"""
old = wf.loads(OLD)
DAY = 24 * 3600 * 1_000_000


def newer(*edits: tuple[str, str]) -> wf.Workflow:
    text = OLD.replace("version: 1.0.0", "version: 1.1.0")
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after)
    return wf.loads(text)


CHANGED: dict[str, tuple[list[tuple[str, str]], str]] = {
    "state-gone": (
        [
            ("  - {name: parked}\n", ""),
            ("to: parked", "to: refused"),
            ("  - {from: parked, event: close, to: refused}\n", ""),
        ],
        "state 'parked'",
    ),
    "state-terminal": (
        [
            ("{name: parked}", "{name: parked, is_terminal: true}"),
            ("  - {from: parked, event: close, to: refused}\n", ""),
        ],
        "state 'parked'",
    ),
    "region-gone": ([("name: person", "name: human")], "state 'checking'"),
    "region-new": ([("name: person", "name: human")], "state 'checking'"),
    "work-changed": (
        [("{name: reading, activity: check}", "{name: reading, activity: pay}")],
        "state 'checking/papers/reading'",
    ),
    "timer-changed": ([("timeout: 10d", "timeout: 9d")], "state 'open'"),
    "flight-changed": (
        [("{action_type: activity, name: pay, ", "{action_type: compensate}, {action_type: activity, name: pay, ")],
        "transition 'checking → paid on done'",
    ),
    "variable-gone": (
        [
            ("  note: {type: string, optional: true}\n", ""),
            ("    pre_actions: [{action_type: set_variable, parameters: {name: note, value: seen}}]\n", ""),
        ],
        "variable 'note'",
    ),
    "variable-type": (
        [("note: {type: string", "note: {type: object"), ("value: seen", "value: {}")],
        "variable 'note'",
    ),
    "variable-narrower": ([("maximum: 100", "maximum: 99")], "variable 'amount'"),
    "variable-unset": ([("variables:\n", "variables:\n  more: {type: string, input: true}\n")], "variable 'more'"),
    "event-gone": ([("  close: {}", "  shut: {}"), ("event: close", "event: shut")], "event 'close'"),
    "event-payload": ([("ok: boolean", "ok: boolean, why: string")], "event 'decide'"),
    "activity-gone": ([("activity: check", "activity: look"), ("  check:", "  look:")], "activity 'check'"),
    "activity-version": ([("  check:", "  check: {version: 2}\n  other:")], "activity 'check'"),
    "compensation-changed": ([(", compensate_with: take_back", "")], "activity 'pay'"),
    "correlation-changed": ([('"context.id"', '"context.amount"')], "correlation"),
}


def test_every_code_has_a_case_here() -> None:
    assert set(CHANGED) == set(CODES)


@pytest.mark.parametrize("code", CHANGED)
def test_each_change_is_found_where_it_is(code: str) -> None:
    edits, place = CHANGED[code]
    found = changes(old, newer(*edits))
    assert (code, place) in [(each.code, each.place) for each in found]


def test_another_compensator_of_a_child_is_found_at_its_state() -> None:
    def calling(**undo: str) -> wf.Workflow:
        return wf.Workflow.model_validate(
            {
                "name": "w",
                "initial_state": "a",
                "states": [{"name": "a", "invoke": {"workflow": "x", **undo}}],
                "activities": {"f": {}, "g": {}},
            }
        )

    found = changes(calling(compensate_with="f"), calling(compensate_with="g"))
    assert [(each.code, each.place) for each in found] == [("compensation-changed", "state 'a'")]
    assert changes(calling(compensate_with="f"), calling(compensate_with="f")) == []


def test_what_is_only_added_is_no_change() -> None:
    new = newer(
        ("  - {name: parked}\n", "  - {name: parked}\n  - {name: asleep}\n"),
        (
            "  - {from: parked, event: close, to: refused}\n",
            "  - {from: parked, event: close, to: asleep}\n  - {from: asleep, event: close, to: refused}\n",
        ),
        ("maximum: 100", "maximum: 200"),
        ("  close: {}", "  close: {}\n  more: {}"),
    )
    assert changes(old, new) == []
    assert changes(old, old) == []


def history_of(cases: int = 60) -> Any:
    scenario = wf.Scenario.model_validate(
        {
            "arrivals": {"every": "1h"},
            "inputs": {"id": {"unique": "claim"}, "amount": {"integer": [0, 100]}},
            "events": {
                "open": [
                    {
                        "event": "decide",
                        "delay": {"uniform": {"low": "1d", "high": "20d"}},
                        "payload": {"ok": {"choice": [True, False]}},
                    }
                ],
                "parked": [{"event": "close", "delay": "400d"}],
            },
            "activities": {"check": {"duration": "10s"}, "pay": {"duration": "10s"}},
            "horizon": "100d",
        }
    )
    return wf.simulate(old, scenario, cases=cases, seed=3)  # type: ignore[operator]


@pytest.fixture(scope="module")
def history() -> Any:
    return history_of()


def move(new: wf.Workflow, history: Any) -> Migration:
    return wf.migration(old, new, history)


def test_a_version_that_only_adds_replays_every_case(history: Any) -> None:
    # Places in the file have moved, and with them the numbers of transitions and timers.
    new = newer(
        ("states:\n", "states:\n  - {name: asleep, timeout: 1d}\n"),
        (
            "transitions:\n  - from: open\n",
            "transitions:\n  - {from: asleep, event: close, to: refused}\n"
            "  - {from: asleep, event: timeout, to: refused}\n  - from: open\n",
        ),
    )
    report = move(new, history)
    assert len(report.cases) == 60
    assert report.broken == []
    assert report.ok


def test_a_timer_that_would_have_fired_before_is_told(history: Any) -> None:
    report = move(newer(("timeout: 10d", "timeout: 9d")), history)
    assert {case.reason for case in report.broken} == {"timer timeout in open would have fired before"}
    late = {
        case.case
        for case in report.cases
        if len(records := history.case(case.case).records()) > 2 and records[2].time - records[0].time > 9 * DAY
    }
    assert {case.case for case in report.broken} == late
    assert not report.ok


def test_a_timer_that_would_fire_later_is_told_with_the_difference(history: Any) -> None:
    report = move(newer(("timeout: 10d", "timeout: 11d")), history)
    assert {case.reason for case in report.broken} == {"timer timeout in open would be due 1d later"}
    assert {case.case for case in report.broken} >= {case.case for case in report.cases if case.stands == "parked"}


def test_a_condition_that_decides_otherwise_breaks_the_cases_that_met_it_and_no_others(history: Any) -> None:
    report = move(newer(("condition: event.ok", "condition: event.ok and context.amount < 50")), history)
    assert report.changes == ()
    amounts = {case.case: history.case(case.case).variables["amount"] for case in report.cases}
    decided = {
        case.case
        for case in report.cases
        if any(record.to_state == "checking" for record in history.case(case.case).records())
    }
    assert {case.case for case in report.broken} == {case for case in decided if amounts[case] >= 50}
    assert {case.reason.split(": ", 1)[0] for case in report.broken} == {"event_received(decide)"}
    assert "would not replay" in str(report)


def test_the_open_ones_stand_where_they_are(history: Any) -> None:
    report = move(newer(), history)
    assert {case.stands for case in report.cases if case.is_open} == {"parked"}
    assert all(case.stands == "" for case in report.cases if not case.is_open)
    json.dumps(report.to_dict())
    assert list(report.df().columns)[:4] == ["run", "case", "external_id", "is_open"]


def test_a_history_of_another_version_is_refused(history: Any) -> None:
    with pytest.raises(WfsimError, match=r"no case of claim 1\.1\.0 with this definition\. It holds: claim 1\.0\.0"):
        wf.migration(newer(), old, history)


def test_two_workflows_are_no_versions_of_one() -> None:
    other = wf.loads(OLD.replace("name: claim", "name: case"))
    with pytest.raises(DefinitionError, match="two workflows, not versions of one"):
        wf.migration(old, other)
    with pytest.raises(DefinitionError, match="Load it first"):
        wf.migration("claim.yaml", old)  # type: ignore[arg-type]


# Data of states, variables of one step (M13) -------------------------------------------------------------------

HELD = """\
name: held
initial_state: open
variables: {mark: {type: integer, initial: 0, transient: true}, kept: {type: integer, initial: 0}}
events: {go: {}, back: {}}
states:
  - {name: open}
  - {name: late, data: {days: {type: integer, initial: 1}}}
  - {name: over, is_terminal: true}
transitions:
  - {from: open, event: go, to: late}
  - {from: late, event: back, to: over, condition: state.days != null}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("mark: {type: integer, initial: 0, transient: true}, ", "", []),
        ("days: {type: integer, initial: 1}", "days: {type: string, initial: x}", ["variable-type"]),
        (
            "data: {days: {type: integer, initial: 1}}",
            "data: {days: {type: integer, initial: 1}, who: {type: string, optional: true}}",
            [],
        ),
        ("kept: {type: integer, initial: 0}", "kept: {type: integer, initial: 0, transient: true}", ["variable-gone"]),
    ],
)
def test_what_ends_with_its_state_or_step_is_lost_only_where_it_is_held(old: str, new: str, told: list[str]) -> None:
    text = HELD.replace(old, new)
    found = [change.code for change in changes(wf.loads(HELD), wf.loads(text))]
    assert found == told


def test_the_data_of_a_state_that_is_gone_is_told_with_the_state() -> None:
    text = (
        HELD.replace("name: late, data", "name: slow, data")
        .replace("to: late", "to: slow")
        .replace("from: late", "from: slow")
    )
    found = [change.code for change in changes(wf.loads(HELD), wf.loads(text))]
    assert "state-gone" in found
    assert not {"variable-gone", "variable-unset"} & set(found)


def test_a_case_with_data_of_states_replays_under_a_version_that_keeps_it(tmp_path: Any) -> None:
    history = wf.simulate(wf.loads(HELD), cases=5, into=str(tmp_path / "h.duckdb"))
    newer = wf.loads(HELD.replace("{name: over", "{name: unused, is_terminal: true}\n  - {name: over"))
    assert wf.migration(wf.loads(HELD), newer, history).ok
    assert history.case(1).replay().variables["late.days"] == 1
