"""Starts by the clock: which times, which policies, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import wfsim as wf
from wfsim.model.elements import Schedule
from wfsim.model.schedule import times, told

TEXT = """\
name: nightly
initial_state: a
variables: {kind: {type: string, input: true}, n: {type: integer, input: true, initial: 1, maximum: 3}}
states: [{name: a}, {name: b, is_terminal: true}]
transitions: [{from: a, event: go, to: b}]
schedules:
  night: {cron: 30 2 * * *, time_zone: Europe/Berlin, overlap: queue, missed: last, input: {kind: full}}
  often: {every: 15m, offset: 5m, input: {kind: quick, n: 2}}
"""


def some(schedule: Schedule, after: datetime, n: int) -> list[str]:
    return [time.isoformat() for time in islice(times(schedule, after), n)]


def test_every_counts_from_the_epoch_whenever_anybody_looks() -> None:
    often = wf.loads(TEXT).schedules["often"]
    wanted = ["2026-03-01T10:20:00+00:00", "2026-03-01T10:35:00+00:00"]
    assert some(often, datetime(2026, 3, 1, 10, 5, tzinfo=UTC), 2) == wanted
    assert some(often, datetime(2026, 3, 1, 10, 19, 59, tzinfo=UTC), 2) == wanted
    assert some(often, datetime(2026, 3, 1, 11, 19, 59, tzinfo=ZoneInfo("Europe/Berlin")), 2) == wanted


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        # Summer time begins on 29 March 2026 at 02:00 (the clock skips 02:30) and ends on 25 October at 03:00.
        (datetime(2026, 3, 28, 0, 0, tzinfo=UTC), ["28T01:30:00", "29T01:00:00", "30T00:30:00"]),
        (datetime(2026, 10, 24, 0, 0, tzinfo=UTC), ["24T00:30:00", "25T00:30:00", "26T01:30:00"]),
    ],
)
def test_cron_is_read_in_its_time_zone_and_comes_once_a_night(after: datetime, wanted: list[str]) -> None:
    found = some(wf.loads(TEXT).schedules["night"], after, 3)
    assert [time[8:19] for time in found] == wanted


def test_schedules_are_told_in_words_and_written_back() -> None:
    workflow = wf.loads(TEXT)
    assert told(workflow.schedules["night"]) == "At 02:30 every day (Europe/Berlin)"
    assert told(workflow.schedules["often"]) == "every 15m, 5m later"
    copy = workflow.model_copy(update={"description": "x"})
    assert wf.loads(wf.dumps(copy)) == copy


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "a schedule has every"),
        ({"every": "1h", "cron": "0 * * * *"}, "one of the two"),
        ({"every": 0}, "without end"),
        ({"every": "1h", "time_zone": "Europe/Berlin"}, "the same in every time zone"),
        ({"cron": "0 * * * *", "offset": "5m"}, "an offset belongs to every"),
        ({"cron": "61 * * * *"}, r"is not a cron expression \(bad minute\)"),
        ({"cron": "0 0 0 * * *"}, "five fields are needed"),
        ({"cron": "0 0 * * *", "time_zone": "Europe/Berln"}, r"is not a time zone.*Did you mean 'Europe/Berlin'\?"),
        ({"every": "1h", "overlap": "maybe"}, "overlap"),
    ],
)
def test_a_schedule_that_means_nothing_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(wf.DefinitionError, match=said):
        Schedule(**keys)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{kind: full}",
            "{knd: full, kind: x}",
            r":7: schedule 'night' gives 'knd', which is not an input",
        ),
        ("{kind: full}", "{}", r":7: schedule 'night' does not give the input 'kind' \(string\)"),
        ("n: 2}", "n: 9}", r":8: schedule 'often' cannot give 9 for 'n'"),
        ("{kind: full}", "{kind: 7}", r":7: schedule 'night' cannot give 7 for 'kind'"),
    ],
)
def test_inputs_of_a_schedule_must_fit(old: str, new: str, said: str) -> None:
    with pytest.raises(wf.DefinitionError, match=said):
        wf.loads(TEXT.replace(old, new), "s.yaml")


def test_schedules_are_built_in_python_and_drawn_at_the_start() -> None:
    builder = wf.Builder("nightly").state("a", initial=True).state("b", terminal=True).transition("a", "b", on="go")
    workflow = builder.event("go").schedule("often", every="15m").schedule("night", cron="0 2 * * *").build()
    assert workflow.schedules["often"] == Schedule(every="15m")
    svg = wf.picture(workflow).to_svg()
    assert "every 15m" in svg
    assert "At 02:00 every day" in svg
    with pytest.raises(wf.DefinitionError, match="often"):
        builder.schedule("often", every="1h")
