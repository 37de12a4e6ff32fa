"""A part of a history's time: every view against plain Python over the records of that time."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests import views_page
from tests.unit.history.test_history_views import POOLED, attempts_of, ending, stays_of
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.semantics.records import Record


@pytest.fixture(scope="module")
def part(made: Any) -> tuple[History, int, int]:
    times = sorted(row.time for rows in made.records.values() for row in rows)
    since, until = times[len(times) // 3], times[2 * len(times) // 3]
    return made.history.between(since, until), since, until


def asked(history: History, query: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = history.sql(query).fetchall()
    return found


def test_records_are_those_of_the_time(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    expected = [(case, row.seq) for case, rows in made.records.items() for row in rows if since <= row.time < until]
    assert asked(history, 'SELECT "case", seq FROM history ORDER BY ALL') == sorted(expected)
    assert len(history) == len(expected) < len(made.history)


def test_stays_count_where_they_ended_and_what_had_not_ended_lasts(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    expected = []
    for stay in stays_of(made.records):
        left = None if stay.left is None or stay.left >= until else stay.left
        if stay.entered < until and (left is None or left >= since):
            expected.append((stay.case, stay.region, stay.state, stay.entered, left))
    assert any(left is None for *_, left in expected)
    assert Counter(asked(history, 'SELECT "case", region, state, entered, left_at FROM stays')) == Counter(expected)


_EDGES = "SELECT region, from_state, to_state, event, n, total_dwell FROM dfg"


def test_edges_are_those_of_transitions_of_the_time(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    expected: Counter[tuple[Any, ...]] = Counter()
    for rows in made.records.values():
        for row in rows:
            if row.kind == "transition" and row.to_state is not None and since <= row.time < until:
                expected[row.region or "", row.state, row.to_state, row.event] += 1
    found = {tuple(edge): n for *edge, n, _ in asked(history, _EDGES)}
    assert found == dict(expected)


def test_cases_are_those_that_closed_in_the_time_or_later(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    expected = []
    for case, rows in sorted(made.records.items()):
        status, outcome, closed = ending(rows)
        if rows[0].time >= until or (closed is not None and closed < since):
            continue
        is_open = closed is None or closed >= until
        expected.append((case, "open", None, None) if is_open else (case, status, outcome, closed))
    assert asked(history, 'SELECT "case", status, outcome, closed FROM durations') == expected
    closed = [each for each in expected if each[1] != "open"]
    assert closed
    assert sum(n for (n,) in asked(history, "SELECT cases FROM variants")) == len(closed)
    assert sum(n for (n,) in asked(history, "SELECT cases FROM hot_paths")) == len(closed)
    assert history.counts.get("open", 0) == len(expected) - len(closed)


def test_attempts_count_where_they_ended(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    ends, waits = Counter[Any](), 0
    for attempt in attempts_of(made.records):
        ended = None if attempt.ended is None or attempt.ended >= until else attempt.ended
        if attempt.scheduled < until and (ended is None or ended >= since):
            ends[None if ended is None else attempt.how] += 1
            waits += attempt.started is not None and attempt.started < until
    ((attempts, started, successes, failures, timeouts, cancelled),) = asked(
        history, "SELECT attempts, started, successes, failures, timeouts, cancelled FROM activity_stats"
    )
    assert (attempts, started) == (sum(ends.values()), waits)
    kinds = ("activity_succeeded", "activity_failed", "attempt_timed_out", "activity_cancelled")
    assert (successes, failures, timeouts, cancelled) == tuple(ends[kind] for kind in kinds)


@pytest.mark.parametrize("bucket", [7_000_000, 10**12])
def test_buckets_hold_the_time_in_the_part_only(made: Any, part: tuple[History, int, int], bucket: int) -> None:
    history, since, until = part
    horizon = min(until, max(row.time for rows in made.records.values() for row in rows))
    expected: Counter[tuple[str, str, int]] = Counter()
    for stay in stays_of(made.records):
        at, left = max(stay.entered, since), min(horizon, horizon if stay.left is None else stay.left)
        while at < left:
            end = min(left, (at // bucket + 1) * bucket)
            expected[stay.region, stay.state, at // bucket * bucket] += end - at
            at = end
    rows = history.sql("SELECT region, state, bucket_start, time_inside FROM occupancy(?)", [bucket]).fetchall()
    assert {row[:3]: row[3] for row in rows} == dict(expected)


def test_the_parts_together_are_the_whole(made: Any, part: tuple[History, int, int]) -> None:
    _, since, until = part
    cuts = (None, since, until, None)
    parts = [made.history.between(low, high) for low, high in pairwise(cuts)]
    assert sum(len(each) for each in parts) == len(made.history)
    edges: Counter[Any] = Counter()
    for each in parts:
        edges.update({tuple(edge): n for *edge, n, _ in asked(each, _EDGES)})
    assert edges == {tuple(edge): n for *edge, n, _ in asked(made.history, _EDGES)}
    assert made.history.between().digest == parts[0].digest == made.history.digest


def test_a_case_is_replayed_as_a_whole(made: Any, part: tuple[History, int, int]) -> None:
    history, since, _ = part
    case = next(case for case, rows in made.records.items() if rows[0].time < since <= rows[-1].time)
    assert len(history.case(case).records()) == len(made.records[case])
    assert history.case(case).replay().version == made.records[case][-1].seq


def test_a_part_of_a_part_is_in_both(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    middle = (since + until) // 2
    assert len(history.between(None, middle)) == len(made.history.between(since, middle))
    assert len(history.between(0, middle)) == len(made.history.between(since, middle))


def test_a_part_of_a_run_that_goes_on_grows_with_it() -> None:
    clock = wf.ManualClock()
    with wf.start(_door(), clock=clock) as run:
        part = run.history.between(None, None)
        before = len(part)
        run.send("push")
        assert len(part) == len(run.history) > before


def _door() -> wf.Workflow:
    return wf.Workflow.model_validate(
        {
            "name": "door",
            "initial_state": "shut",
            "states": [{"name": "shut"}, {"name": "open", "is_terminal": True}],
            "transitions": [{"from": "shut", "to": "open", "event": "push"}],
        }
    )


def test_times_are_given_in_many_ways(made: Any) -> None:
    history = made.history
    assert len(history.between("0s", "1m")) == len(history.between(0, 60_000_000))
    start = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert len(history.between(start)) == len(history.between(60_000_000)) == len(history.between("1970-01-01T00:01Z"))


@pytest.mark.parametrize("wrong", ["soon", True, 2.5, datetime(2026, 1, 1), 2**63, "2026-01-01T00:00"])  # noqa: DTZ001
def test_what_is_no_time_is_told(made: Any, wrong: Any) -> None:
    with pytest.raises(HistoryError, match=r"since=.* is no point in time"):
        made.history.between(wrong)


def test_nothing_lies_between_a_time_and_itself(made: Any) -> None:
    with pytest.raises(HistoryError, match="nothing lies in between"):
        made.history.between(5, 5)


def test_sums_have_no_parts(make: Any) -> None:
    with pytest.raises(HistoryError, match="keeps sums over all its time"):
        make(cases=4, log="aggregates").history.between(5)


def test_pictures_and_paths_are_those_of_the_part(tmp_path: Path) -> None:
    history = wf.simulate(wf.new("order"), cases=60, seed=3, progress=False, into=tmp_path / "h.duckdb")
    ((middle,),) = history.sql("SELECT quantile_disc(closed, 0.5) FROM durations").fetchall()
    early = history.between(None, middle)
    n = len(early.sql("FROM durations WHERE status <> 'open'").fetchall())
    assert 0 < n < 60
    assert wf.hot_paths(early)._table["cases"].sum() == n
    assert early.summary().counts["closed"] == n


def test_pools_are_as_busy_as_they_were_in_the_part(make: Any) -> None:
    pooled = make(seed=5, scenario=json.dumps(POOLED))
    times = sorted(row.time for rows in pooled.records.values() for row in rows)
    since, until = times[len(times) // 3], times[2 * len(times) // 3]
    busy = queued = 0
    for attempt in attempts_of(pooled.records):
        ended = until if attempt.ended is None else min(attempt.ended, until)
        left = ended if attempt.started is None else min(attempt.started, until)
        queued += max(0, left - max(attempt.scheduled, since))
        busy += 0 if attempt.started is None else max(0, ended - max(attempt.started, since))
    rows = pooled.history.between(since, until).sql(
        "SELECT span, busy_time, mean_busy, utilisation, mean_queue FROM pool_utilisation WHERE pool = 'checkers'"
    )
    span = until - since
    assert busy > 0
    assert queued > 0
    assert rows.fetchall()[0] == pytest.approx((span, busy, busy / span, busy / span / 2, queued / span))


MINUTE = 60_000_000
# What lasts at the end of a part goes on to that end, and at the end of a history to its last record: these views are
# asked below and above.
LASTING = {"horizons", "occupancy", "pool_utilisation", "pool_load", "bottlenecks"}
ASKED = (
    *("active_at({t})", "state_distribution({t})", "active_instances({t}, 0, 0, 50)", "trend(60000000)"),
    *("trend('day', 'Europe/Berlin')", "sla(600000000)", "sla_cases(600000000)"),
    "sla_cases(600000000, 'received', 'checked')",
    "(FROM bottlenecks WHERE what = 'activity')",
)


def has_failed_for_now(rows: list[Record], until: int) -> bool:
    before = [row for row in rows if row.time < until and row.kind in ("instance_closed", "status_changed")]
    closed = bool(before) and before[-1].kind == "instance_closed"
    return closed and ending(rows)[2] != before[-1].time


def test_until_a_moment_each_view_says_what_it_said_then(make: Any) -> None:
    """The same cases, of which nothing was written from that moment on."""
    slas = [{"name": "soon", "until": "checked", "within": "10m"}, {"name": "all", "within": "1h"}]
    scenario = json.dumps(POOLED | {"slas": slas})
    whole = make(seed=5, scenario=scenario)
    times = sorted(row.time for rows in whole.records.values() for row in rows)
    # Who had failed, and is retried later, has not ended: the views do not know what was thought of him then.
    times = [time for time in times if not any(has_failed_for_now(rows, time) for rows in whole.records.values())]
    for until in (times[len(times) // 5], times[len(times) // 2]):
        then, part = make(seed=5, scenario=scenario, until=until).history, whole.history.between(None, until)
        names = {section.asked for section in views_page.SECTIONS if "(" not in section.asked}
        assert len(names) > 20
        for view in (*sorted(names - LASTING), *(each.format(t=until - MINUTE) for each in ASKED)):
            columns = part.sql(f"FROM {view}").columns
            told = ", ".join(f'"{name}"' for name in columns if (view, name) not in OF_THE_WHOLE)
            found, expected = (
                Counter(map(str, each.sql(f"SELECT {told} FROM {view}").fetchall())) for each in (part, then)
            )
            assert found == expected, view


# Of the whole case; and a retry counts with the attempt that it announces.
OF_THE_WHOLE = {
    ("history", "is_last"),
    ("durations", "version"),
    ("durations", "path_hash"),
    ("activity_stats", "retries"),
    *(("retries", name) for name in ("retried", "retries", "total_delay")),
    ("record_values", "slot"),  # numbered as names come
}


def test_what_lasts_goes_on_to_the_end_of_the_part(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    expected: Counter[tuple[str, str]] = Counter()
    for stay in stays_of(made.records):
        left = until if stay.left is None or stay.left >= until else stay.left
        if stay.entered < until and left >= since:
            expected[stay.region, stay.state] += left - stay.entered
    rows = asked(history, "SELECT region, name, total_wait FROM bottlenecks WHERE what = 'state'")
    assert {row[:2]: row[2] for row in rows} == dict(expected)
    assert asked(history, "SELECT horizon FROM horizons") == [(until,)]


def test_nobody_is_anywhere_at_a_moment_outside_the_part(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    for macro in ("active_at({t})", "state_distribution({t})", "active_instances({t}, 0, 0, 50)"):
        for t in (since, until - 1):
            inside = asked(history, f"FROM {macro.format(t=t)} ORDER BY ALL")
            assert inside == asked(made.history, f"FROM {macro.format(t=t)} ORDER BY ALL") != []
        for t in (since - 1, until):
            assert asked(history, f"FROM {macro.format(t=t)}") == []
            assert asked(made.history, f"FROM {macro.format(t=t)}") != []


def test_what_ended_in_the_parts_is_what_ended(made: Any, part: tuple[History, int, int]) -> None:
    """Of views that count what is over, the parts add up to the whole."""
    _, since, until = part
    for view, key, counted in (
        ("eventually_follows", "from_state, to_state", "n"),
        ("outcomes", "status, outcome", "cases"),
        ("variants", "states", "cases"),
        ("activity_stats", "activity", "successes + failures + timeouts + cancelled"),
    ):
        query = f"SELECT {key}, {counted} FROM {view}"
        whole, sums = ({}, Counter[Any]())
        for *name, n in asked(made.history, query):
            whole[str(name)] = n
        for low, high in pairwise((None, since, until, None)):
            for *name, n in asked(made.history.between(low, high), query):
                sums[str(name)] += n
        assert {name: n for name, n in sums.items() if "'open'" not in name} == {
            name: n for name, n in whole.items() if "'open'" not in name
        }, view


def test_rework_of_a_part_counts_stays_that_ended_in_it_or_last(made: Any, part: tuple[History, int, int]) -> None:
    history, since, until = part
    entries: dict[tuple[str, str], Counter[int]] = {}
    for stay in stays_of(made.records):
        if stay.entered < until and (stay.left is None or stay.left >= since):
            entries.setdefault((stay.region, stay.state), Counter())[stay.case] += 1
    expected = {
        place: (len(each), sum(n > 1 for n in each.values()), max(each.values()))
        for place, each in entries.items()
        if max(each.values()) > 1
    }
    rows = asked(history, "SELECT region, state, cases, reworked, most FROM rework")
    assert {row[:2]: row[2:] for row in rows} == expected
    assert expected
