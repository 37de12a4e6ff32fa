"""Starts by the clock, for real: times, overlaps, what was missed, and a process that ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.stored import open_history
from wfsim.errors import WfsimError

TEXT = """\
name: copy
version: 1.0.0
initial_state: running
variables: {kind: {type: string, input: true}}
events: {finish: {}}
states: [{name: running}, {name: end, is_terminal: true}]
transitions: [{from: running, event: finish, to: end}]
schedules:
  hourly: {every: 1h, overlap: OVERLAP, missed: MISSED, input: {kind: quick}}
  night: {cron: 30 2 * * *, time_zone: Europe/Berlin, input: {kind: full}}
"""


def copy(overlap: str = "skip", missed: str = "skip") -> wf.Workflow:
    return wf.loads(TEXT.replace("OVERLAP", overlap).replace("MISSED", missed))


def hour(number: int) -> str:
    return f"copy/hourly/1970-01-01T{number:02}:00:00Z"


def ids(scheduler: Any) -> list[str]:
    return [run.id for run in scheduler.runs]


@pytest.fixture
def clock() -> wf.ManualClock:
    return wf.ManualClock(1)


def test_instances_start_at_the_times_with_the_inputs_of_the_schedule(clock: wf.ManualClock) -> None:
    with wf.run_schedules(copy("allow"), clock=clock) as scheduler:
        assert ids(scheduler) == []
        clock.advance("2h")
        # Half past two in Berlin is half past one.
        assert sorted(ids(scheduler)) == [hour(1), hour(2), "copy/night/1970-01-01T01:30:00Z"]
        assert {run.id.split("/")[1]: run.variables["kind"] for run in scheduler.runs} == {
            "hourly": "quick",
            "night": "full",
        }
        assert scheduler.next["hourly"].isoformat() == "1970-01-01T03:00:00+00:00"
        assert "hourly (every 1h), next 1970-01-01T03:00:00+00:00" in repr(scheduler)


def test_a_start_is_skipped_while_the_one_before_is_open(clock: wf.ManualClock) -> None:
    with wf.run_schedules(copy("skip"), only=["hourly"], clock=clock) as scheduler:
        clock.advance("3h")
        assert ids(scheduler) == [hour(1)]
        assert scheduler.skipped == [hour(2), hour(3)]
        scheduler.runs[0].send("finish")
        clock.advance("1h")
        assert ids(scheduler) == [hour(4)]


def test_a_queued_start_follows_when_the_one_before_has_closed(clock: wf.ManualClock) -> None:
    with wf.run_schedules(copy("queue"), only=["hourly"], clock=clock) as scheduler:
        clock.advance("3h")
        for number in (1, 2, 3):
            assert ids(scheduler) == [hour(number)]
            scheduler.runs[0].send("finish")
            clock.settle()
        assert ids(scheduler) == []
        assert scheduler.skipped == []


@pytest.mark.parametrize(
    ("missed", "expected"), [("skip", []), ("last", [hour(5)]), ("all", [hour(2), hour(3), hour(4), hour(5)])]
)
def test_times_at_which_nothing_ran_are_treated_as_declared(missed: str, expected: list[str], tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    workflow = copy("allow", missed)
    clock = wf.ManualClock(1)
    with wf.run_schedules(workflow, only=["hourly"], store=store, clock=clock) as scheduler:
        clock.advance("1h")
        scheduler.runs[0].send("finish")
    clock = wf.ManualClock(5 * 3_600_000_000 + 1)
    with wf.run_schedules(workflow, only=["hourly"], store=store, clock=clock) as scheduler:
        assert ids(scheduler) == expected
        clock.advance("1h")
        assert ids(scheduler) == [*expected, hour(6)]


def test_what_is_open_when_a_process_ends_is_taken_over(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    clock = wf.ManualClock(1)
    with wf.run_schedules(copy(), only=["hourly"], store=store, clock=clock):
        clock.advance("1h")
    clock = wf.ManualClock(2 * 3_600_000_000 - 1)
    with wf.run_schedules(copy(), only=["hourly"], store=store, clock=clock) as scheduler:
        assert ids(scheduler) == [hour(1)]
        clock.advance("1m")
        assert scheduler.skipped == [hour(2)]
        scheduler.runs[0].send("finish")
        clock.advance("1h")
        assert ids(scheduler) == [hour(3)]


def test_a_time_is_never_started_twice(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    for _ in range(2):
        clock = wf.ManualClock(1)
        with wf.run_schedules(copy("allow"), only=["hourly"], store=store, clock=clock) as scheduler:
            clock.advance("1h")
            assert ids(scheduler) == [hour(1)]
    with open_history(store) as history:
        assert len(history.cases()) == 1


def test_a_start_that_is_refused_is_told_and_the_next_one_comes(clock: wf.ManualClock) -> None:
    text = TEXT.replace("OVERLAP", "allow").replace("MISSED", "skip") + "correlation: {key: context.kind}\n"
    with wf.run_schedules(wf.loads(text), only=["hourly"], clock=clock) as scheduler:
        clock.advance("2h")
        assert ids(scheduler) == [hour(1)]
        assert list(scheduler.refused) == [hour(2)]
        assert "has an open instance with the key 'quick'" in scheduler.refused[hour(2)]
        scheduler.runs[0].send("finish")
        clock.advance("1h")
        assert ids(scheduler) == [hour(3)]


def test_schedules_that_are_not_there_are_told_with_those_that_are() -> None:
    with pytest.raises(WfsimError, match=r"no schedule 'hurly'\. Schedules: hourly, night\. Did you mean 'hourly'"):
        wf.run_schedules(copy(), only=["hurly"])
    with pytest.raises(WfsimError, match=r"minimal has no schedule\. Schedules: none"):
        wf.run_schedules(wf.new("minimal"))
