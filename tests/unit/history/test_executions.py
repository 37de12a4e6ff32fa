"""Every attempt with what went in and came out: against plain Python over the records that went in."""

from __future__ import annotations

import json
from typing import Any

import wfsim as wf
from tests.unit.history.test_history_views import ignored
from wfsim.runtime.executor import ActivityContext
from wfsim.semantics.records import Record

ENDS = {
    "activity_succeeded": "succeeded",
    "activity_failed": "failed",
    "attempt_timed_out": "timed_out",
    "activity_cancelled": "cancelled",
}
QUERY = """
SELECT "case", activity_id, attempt, external_id, idempotency_key, activity, state, worker, input, output, scheduled,
    started, ended, outcome, error_type, message, scheduled_seq, ended_seq FROM executions
"""


def attempts_of(case: int, rows: list[Record]) -> dict[tuple[int, int, int], list[Any]]:
    """Each attempt as a row of the view, found by looking forward from its scheduling."""
    found, late = {}, ignored(rows)
    for k, row in enumerate(rows):
        if row.kind != "activity_scheduled":
            continue
        assert row.activity_id is not None
        assert row.attempt is not None
        mine = [
            each
            for each in rows[k:]
            if (each.activity_id, each.attempt) == (row.activity_id, row.attempt) and each.seq not in late
        ]
        began = next((each for each in mine if each.kind == "activity_started"), None)
        end = next((each for each in mine if each.kind in ENDS), None)
        if began is not None and end is not None and began.seq > end.seq:
            began = None
        found[case, row.activity_id, row.attempt] = [
            f"claim-{case}",
            f"claim-{case}:{row.activity_id}",
            row.activity,
            row.state,
            began and began.payload.get("worker"),
            row.payload.get("input", {}),
            end.payload["result"] if end and end.kind == "activity_succeeded" else "none",
            row.time,
            began and began.time,
            end and end.time,
            end and ENDS[end.kind],
            end and end.error_type,
            end.payload.get("message") if end and end.kind == "activity_failed" else None,
            row.seq,
            end and end.seq,
        ]
    return found


def rows_of(history: wf.History) -> dict[tuple[int, int, int], list[Any]]:
    found = {}
    for case, activity_id, attempt, *rest in history.sql(QUERY).fetchall():
        rest[5] = json.loads(rest[5])
        rest[6] = "none" if rest[6] is None else json.loads(rest[6])
        found[case, activity_id, attempt] = rest
    return found


def test_every_attempt_is_there_once_with_its_input_result_times_and_end(made: Any) -> None:
    expected = {}
    for case, rows in made.records.items():
        expected |= attempts_of(case, rows)
    got = rows_of(made.history)
    assert got == expected
    assert {row[10] for row in got.values()} == {*ENDS.values(), None}
    keys = [key for (*key,) in made.history.sql('SELECT "case", activity_id, attempt FROM executions').fetchall()]
    assert keys == sorted(keys)


def test_waiting_and_service_are_the_times_between(made: Any) -> None:
    rows = made.history.sql("SELECT scheduled, started, ended, wait, service FROM executions").fetchall()
    for scheduled, started, ended, wait, service in rows:
        assert wait == (None if started is None else started - scheduled)
        assert service == (None if started is None or ended is None else ended - started)


def test_in_a_part_of_the_time_an_attempt_keeps_its_input_and_what_comes_later_is_not_told(made: Any) -> None:
    whole = rows_of(made.history)
    ends = sorted(row[9] for row in whole.values() if row[9] is not None)
    since, until = ends[len(ends) // 3], ends[2 * len(ends) // 3]
    got = rows_of(made.history.between(since, until))
    expected = {}
    for key, row in whole.items():
        if row[7] >= until or (row[9] is not None and row[9] < since):
            continue
        began = row[8] is not None and row[8] < until
        if not began:
            row = [*row[:4], None, *row[5:8], None, *row[9:]]
        if row[9] is None or row[9] >= until:
            row = [*row[:6], "none", *row[7:9], *[None] * 4, row[13], None]
        expected[key] = row
    assert got == expected
    assert any(row[7] < since for row in got.values())
    assert any(row[10] is None and whole[key][10] is not None for key, row in got.items())


def test_inputs_are_objects_by_name_and_results_any_value() -> None:
    spec = {
        "name": "w",
        "initial_state": "s",
        "variables": {"text": {"type": "string", "input": True}, "got": {"optional": True}},
        "states": [
            {
                "name": "s",
                "activity": {
                    "name": "act",
                    "parameters": {"a": "${context.text}", "b": [1, {"c": None}]},
                    "result_variable": "got",
                },
            },
            {"name": "end", "is_terminal": True},
        ],
        "transitions": [{"from": "s", "to": "end", "event": "done"}],
    }
    workflow = wf.Workflow.model_validate(spec)
    nasty = 'é"\\\n</script>\u2028'
    for result in (None, nasty, {"k": [nasty, 2.5, True, [None]]}):
        run = wf.start(
            workflow, id="one", activities={"act": lambda a, b, result=result: result}, input={"text": nasty}
        )
        with run:
            run.wait()
            assert [
                (json.loads(given), json.loads(got))
                for given, got in run.history.sql("SELECT input, output FROM executions").fetchall()
            ] == [({"a": nasty, "b": [1, {"c": None}]}, result)]


def test_an_attempt_is_found_by_the_id_that_it_gave_away() -> None:
    """What `context.correlation_id` was, for whoever completes it from outside."""
    given: list[str] = []

    def ask(context: ActivityContext) -> Any:
        given.append(context.correlation_id)
        return context.later()

    workflow = wf.loads("""\
name: office
version: 1.0.0
initial_state: asked
activities: {ask: {retry_policy: {max_attempts: 2, initial_interval: 1s}}}
states: [{name: asked, activity: ask}, {name: told, is_terminal: true}]
transitions: [{from: asked, event: done, to: told}]
""")
    query = "SELECT attempt, outcome, idempotency_key FROM executions WHERE correlation_id = ?"
    clock = wf.ManualClock()
    with wf.open_engine("sqlite://", [workflow], {"ask": ask}, clock=clock) as engine:
        engine.start("office", id="a:1")
        clock.advance("1s")
        engine.fail(given[0], "Busy")
        clock.advance("2s")
        engine.complete(given[1], "yes")
        assert [engine.history.sql(query, [each]).fetchall() for each in given] == [
            [(1, "failed", "a:1:1")],
            [(2, "succeeded", "a:1:1")],
        ]
