"""What comes again, what follows, how it goes over time: against plain Python over the records that went in."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import pytest

from tests.unit.history.test_history_views import POOLED, ending, path_of, quantile, stays_of
from wfsim.errors import HistoryError

MINUTE = 60_000_000


@pytest.fixture(scope="module")
def pooled(make: Any) -> Any:
    return make(cases=8, scenario=json.dumps(POOLED))


def table(made: Any, query: str, params: Any = None) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = made.history.sql(query, params).fetchall()
    return rows


def test_rework_counts_states_that_a_case_entered_again(made: Any) -> None:
    entries = Counter((stay.region, stay.state, stay.case) for stay in stays_of(made.records))
    grouped: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (region, state, _), n in entries.items():
        grouped[region, state].append(n)
    expected = {
        place: (len(each), sum(n > 1 for n in each), sum(each) - len(each), max(each))
        for place, each in grouped.items()
        if max(each) > 1
    }
    rows = table(made, "SELECT region, state, cases, reworked, again, most, share FROM rework")
    assert {row[:2]: row[2:6] for row in rows} == expected
    assert all(row[6] == row[3] / row[2] for row in rows)
    assert [row[4] for row in rows] == sorted((row[4] for row in rows), reverse=True)


def test_eventually_follows_counts_cases_and_pairs_of_closed_cases(made: Any) -> None:
    cases, pairs, closed = Counter[Any](), Counter[Any](), 0
    for rows in made.records.values():
        if ending(rows)[0] == "open":
            continue
        closed += 1
        found = Counter(combinations(path_of(rows), 2))
        pairs.update(found)
        cases.update(found.keys())
    got = table(made, "SELECT from_state, to_state, cases, n, share FROM eventually_follows")
    assert {row[:2]: row[2:4] for row in got} == {pair: (cases[pair], pairs[pair]) for pair in pairs}
    assert all(row[4] == pytest.approx(row[2] / closed) for row in got)
    # Once round is twice there: the pair counts in each case once, and as often as it is there.
    assert any(row[3] > row[2] for row in got)


@pytest.mark.parametrize("bucket", [5 * MINUTE, 37 * MINUTE])
def test_trend_has_a_row_for_each_bucket_from_the_first_start_to_the_last_closing(made: Any, bucket: int) -> None:
    started, ends, durations = Counter[int](), Counter[tuple[int, str | None]](), defaultdict[int, list[int]](list)
    for rows in made.records.values():
        started[rows[0].time // bucket] += 1
        status, outcome, closed = ending(rows)
        if closed is not None:
            ends[closed // bucket, outcome if status == "completed" else None] += 1
            durations[closed // bucket].append(closed - rows[0].time)
    buckets = range(min(started), max(*started, *durations) + 1)
    rows = table(
        made,
        "SELECT bucket_start, started, closed, success, failure, open_at_end, p50_duration, p95_duration FROM trend(?)",
        [bucket],
    )
    assert [row[0] for row in rows] == [k * bucket for k in buckets]
    still = 0
    for k, row in zip(buckets, rows, strict=True):
        closed_here = len(durations[k])
        still += started[k] - closed_here
        assert row[1:6] == (started[k], closed_here, ends[k, "success"], ends[k, "failure"], still)
        if closed_here:
            assert row[6:] == pytest.approx((quantile(durations[k], 0.5), quantile(durations[k], 0.95)), abs=1)
        else:
            assert row[6:] == (None, None)


@pytest.mark.parametrize("macro", ["trend", "occupancy", "pool_load"])
@pytest.mark.parametrize("width", [0, -60_000_000])
def test_a_bucket_that_is_none_is_told(pooled: Any, macro: str, width: int) -> None:
    with pytest.raises(HistoryError, match="a bucket of time is more than 0 microseconds, not"):
        table(pooled, f"FROM {macro}(?)", [width])


def test_a_trend_of_a_part_begins_with_who_was_there(made: Any) -> None:
    middle = 10 * MINUTE
    whole = table(made, "SELECT bucket_start, open_at_end FROM trend(?)", [MINUTE])
    part = made.history.between(middle, None).sql("SELECT bucket_start, open_at_end FROM trend(?)", [MINUTE]).fetchall()
    assert part
    assert part == [row for row in whole if row[0] >= part[0][0]]


def test_the_distribution_of_states_is_who_is_where(made: Any) -> None:
    times = sorted({row.time for rows in made.records.values() for row in rows})
    for t in times[:: max(1, len(times) // 8)]:
        there = Counter(
            (stay.region, stay.state)
            for stay in stays_of(made.records)
            if stay.entered <= t and (stay.left is None or t < stay.left)
        )
        rows = table(made, "SELECT region, state, cases, share FROM state_distribution(?)", [t])
        assert {row[:2]: row[2] for row in rows} == dict(there)
        for region in {region for region, _ in there}:
            assert sum(row[3] for row in rows if row[0] == region) == pytest.approx(1)


def test_pages_of_active_instances_are_all_of_them_once_and_in_order(made: Any) -> None:
    times = sorted({row.time for rows in made.records.values() for row in rows})
    t = times[len(times) // 2]
    expected = {}
    for case, rows in made.records.items():
        closed = ending(rows)[2]
        if rows[0].time <= t and (closed is None or closed > t):
            expected[case] = sorted(
                stay.state
                for stay in stays_of({case: rows})
                if stay.entered <= t and (stay.left is None or t < stay.left)
            )
    assert len(expected) > 10
    found: dict[int, list[str]] = {}
    last = 0
    while page := table(made, 'SELECT "case", external_id, states, since FROM active_instances(?, 1, ?, 7)', [t, last]):
        assert len(page) == min(7, len(expected) - len(found))
        for case, name, states, since in page:
            assert name == f"claim-{case}"
            assert since is None or since <= t
            found[case] = sorted(state for state in states if state is not None)
            last = case
    assert list(found) == sorted(expected)
    assert found == expected


def test_runs_and_workflows_are_kept_apart(make: Any) -> None:
    first, second = make(cases=6), make(cases=9, seed=2)
    assert table(first, "SELECT sum(started) FROM trend(60000000)") == [(6,)]
    assert table(second, "SELECT sum(started) FROM trend(60000000)") == [(9,)]
