"""Every view against plain Python over the records that went in."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

import wfsim as wf
from tests.unit.history.conftest import CLAIMS
from wfsim.semantics.records import Record

CLOCKS = ("timeout", "workflow")


class Stay(NamedTuple):
    case: int
    region: str
    state: str
    entered: int
    left: int | None


class Attempt(NamedTuple):
    case: int
    activity: str
    scheduled: int
    started: int | None
    ended: int | None
    how: str | None
    error_type: str | None

    @property
    def wait(self) -> int | None:
        return None if self.started is None else self.started - self.scheduled

    @property
    def service(self) -> int | None:
        return None if self.started is None or self.ended is None else self.ended - self.started


def stays_of(records: dict[int, list[Record]]) -> list[Stay]:
    """Walk each case and note when each region's state began and ended."""
    found = []
    for case, rows in records.items():
        inside: dict[str, tuple[str, int]] = {}

        for row in rows:
            region = row.region or ""
            moves = row.kind == "transition" and row.to_state is not None
            ended = list(inside) if row.kind == "instance_closed" else [region]
            if moves or row.kind in ("state_left", "instance_closed"):
                for one in ended:
                    if one in inside:
                        found.append(Stay(case, one, *inside.pop(one), row.time))
            if moves or row.kind == "state_entered":
                inside[region] = ((row.to_state if moves else row.state) or "", row.time)
        found += [Stay(case, region, state, entered, None) for region, (state, entered) in inside.items()]
    return found


def ignored(rows: list[Record]) -> set[int]:
    return {row.cause_seq for row in rows if row.kind == "stimulus_ignored"}


def quantile(values: list[int], q: float) -> float:
    """Linear interpolation between the two nearest ranks."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * q
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def ending(rows: list[Record]) -> tuple[str, str | None, int | None]:
    """Status ('open' if not closed), outcome and time of closing, by the last change of status."""
    last = [row for row in rows if row.kind in ("instance_closed", "status_changed")]
    if not last or last[-1].kind == "status_changed":
        return "open", None, None
    return last[-1].status or "", last[-1].outcome, last[-1].time


def path_of(rows: list[Record]) -> tuple[str, ...]:
    found = []
    for row in rows:
        if row.region == "" and row.kind == "state_entered":
            found.append(row.state or "")
        elif row.region == "" and row.kind == "transition" and row.to_state is not None:
            found.append(row.to_state)
    return tuple(found)


def table(made: Any, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = made.history.sql(query).fetchall()
    return rows


def test_the_example_has_everything_that_the_views_speak_of(made: Any) -> None:
    kinds = Counter(row.kind for rows in made.records.values() for row in rows)
    for kind in (
        "attempt_timed_out",
        "retry_scheduled",
        "event_rejected",
        "stimulus_ignored",
        "state_left",
        "activity_cancelled",
        "error_raised",
        "status_changed",
    ):
        assert kinds[kind] > 0, kind
    endings = {ending(rows)[:2] for rows in made.records.values()}
    assert {("open", None), ("completed", "success"), ("completed", "failure"), ("failed", None)} <= endings
    assert any(status in ("cancelled", "terminated") for status, _ in endings)


def test_stays_say_how_long_each_state_was_held(made: Any) -> None:
    expected = sorted(
        (stay.case, stay.region, stay.entered, stay.state, -1 if stay.left is None else stay.left)
        for stay in stays_of(made.records)
    )
    got = sorted(table(made, 'SELECT "case", region, entered, state, coalesce(left_at, -1) FROM stays'))
    assert got == expected


def test_dfg_counts_and_times_the_edges(made: Any) -> None:
    dwells: dict[tuple[str, str, str, str | None], list[int]] = defaultdict(list)
    for rows in made.records.values():
        entered: dict[str, int] = {}
        for row in rows:
            region = row.region or ""
            if row.kind == "state_entered":
                entered[region] = row.time
            elif row.kind == "transition" and row.to_state is not None:
                dwells[region, row.state or "", row.to_state, row.event].append(row.time - entered[region])
                entered[region] = row.time
    got = {
        row[:4]: row[4:]
        for row in table(
            made,
            "SELECT region, from_state, to_state, event, n, total_dwell, mean_dwell, p50_dwell, p95_dwell FROM dfg",
        )
    }
    assert got.keys() == dwells.keys()
    for edge, values in dwells.items():
        n, total, mean, p50, p95 = got[edge]
        assert (n, total) == (len(values), sum(values))
        assert mean == pytest.approx(sum(values) / len(values), abs=1e-6)
        assert p50 == pytest.approx(quantile(values, 0.5), abs=1)
        assert p95 == pytest.approx(quantile(values, 0.95), abs=1)


def test_durations_give_start_closing_status_and_outcome_of_each_case(made: Any) -> None:
    expected = []
    for case, rows in sorted(made.records.items()):
        status, outcome, closed = ending(rows)
        start = rows[0].time
        length = None if closed is None else closed - start
        expected.append((case, f"claim-{case}", start, closed, length, status, outcome, rows[-1].seq))
    got = table(made, 'SELECT "case", external_id, started, closed, duration, status, outcome, version FROM durations')
    assert got == expected


def test_variants_and_hot_paths_group_closed_cases_by_their_root_states(made: Any) -> None:
    paths: dict[tuple[str, ...], list[tuple[int, str, str | None]]] = defaultdict(list)
    for rows in made.records.values():
        status, outcome, closed = ending(rows)
        if closed is not None:
            paths[path_of(rows)].append((closed - rows[0].time, status, outcome))
    n = sum(map(len, paths.values()))
    variants = {
        tuple(row[0]): row[1:] for row in table(made, "SELECT states, cases, share, p50_duration FROM variants")
    }
    assert variants.keys() == paths.keys()
    hot = {
        tuple(row[0]): row[1:]
        for row in table(
            made,
            "SELECT states, path, cases, total_time, p95_time, success, failure, failed, timed_out, cancelled, "
            '"terminated" FROM hot_paths',
        )
    }
    assert hot.keys() == paths.keys()
    for path, cases in paths.items():
        times = [time for time, _, _ in cases]
        assert variants[path][0] == len(cases)
        assert variants[path][1] == pytest.approx(len(cases) / n)
        assert variants[path][2] == pytest.approx(quantile(times, 0.5), abs=1)
        text, count, total, p95, *split = hot[path]
        assert (text, count, total) == (" → ".join(path), len(cases), sum(times))
        assert p95 == pytest.approx(quantile(times, 0.95), abs=1)
        outcomes = Counter(outcome if status == "completed" else status for _, status, outcome in cases)
        assert split == [
            outcomes[name] for name in ("success", "failure", "failed", "timed_out", "cancelled", "terminated")
        ]
    ranks = table(made, "SELECT cases, total_time FROM hot_paths ORDER BY rank_by_cases")
    assert ranks == sorted(ranks, key=lambda row: (-row[0], -row[1]))
    ranks = table(made, "SELECT total_time FROM hot_paths ORDER BY rank_by_time")
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("bucket", [7_000_000, 60_000_000, 10**12])
def test_occupancy_shares_every_stay_out_over_the_buckets_it_crosses(made: Any, bucket: int) -> None:
    horizon = max(row.time for rows in made.records.values() for row in rows)
    expected: Counter[tuple[str, str, int]] = Counter()
    for stay in stays_of(made.records):
        left = horizon if stay.left is None else stay.left
        at = stay.entered
        while at < left:
            until = min(left, (at // bucket + 1) * bucket)
            expected[stay.region, stay.state, at // bucket * bucket] += until - at
            at = until
    got = {
        row[:3]: row[3]
        for row in made.history.sql(
            "SELECT region, state, bucket_start, time_inside FROM occupancy(?)", [bucket]
        ).fetchall()
    }
    assert got == dict(expected)


def test_active_at_lists_the_states_held_at_a_moment(made: Any) -> None:
    times = sorted({row.time for rows in made.records.values() for row in rows})
    for t in times[:: max(1, len(times) // 12)]:
        expected = sorted(
            (stay.case, stay.region, stay.state)
            for stay in stays_of(made.records)
            if stay.entered <= t and (stay.left is None or t < stay.left)
        )
        got = made.history.sql('SELECT "case", region, state FROM active_at(?)', [t]).fetchall()
        assert sorted(got) == expected


def attempts_of(records: dict[int, list[Record]]) -> list[Attempt]:
    """Each attempt with its waiting and running time, found by looking forward from its scheduling."""
    found = []
    for case, rows in records.items():
        late = ignored(rows)
        for k, row in enumerate(rows):
            if row.kind != "activity_scheduled":
                continue
            started = ended = how = error_type = None
            for later in rows[k + 1 :]:
                if later.activity_id != row.activity_id or later.seq in late:
                    continue
                if later.kind == "activity_scheduled":
                    break
                if later.attempt != row.attempt:
                    continue
                if later.kind == "activity_started" and started is None:
                    started = later.time
                if later.kind in ("activity_succeeded", "activity_failed", "attempt_timed_out", "activity_cancelled"):
                    ended, how, error_type = later.time, later.kind, later.error_type
                    break
            found.append(Attempt(case, row.activity or "", row.time, started, ended, how, error_type))
    return found


def test_activity_stats_count_attempts_and_measure_wait_and_service(made: Any) -> None:
    attempts = attempts_of(made.records)
    waits = [attempt.wait for attempt in attempts if attempt.wait is not None]
    services = [attempt.service for attempt in attempts if attempt.service is not None]
    # Not reports: of two that are held while an instance is paused, one will be ignored.
    kinds = Counter(attempt.how for attempt in attempts)
    errors = Counter(attempt.error_type for attempt in attempts if attempt.error_type is not None)
    retries = sum(row.kind == "retry_scheduled" for rows in made.records.values() for row in rows)
    (row,) = table(
        made,
        "SELECT activity, attempts, started, successes, failures, timeouts, cancelled, retries, total_wait, max_wait, "
        "total_service, max_service, p50_wait, p95_wait, p50_service, p95_service, error_types FROM activity_stats",
    )
    assert row[:8] == (
        "check",
        len(attempts),
        len(waits),
        kinds["activity_succeeded"],
        kinds["activity_failed"],
        kinds["attempt_timed_out"],
        kinds["activity_cancelled"],
        retries,
    )
    assert row[8:12] == (sum(waits), max(waits), sum(services), max(services))
    assert row[12:16] == pytest.approx(
        [quantile(waits, 0.5), quantile(waits, 0.95), quantile(services, 0.5), quantile(services, 0.95)], abs=1
    )
    assert row[16] == dict(errors)


def test_what_a_worker_did_until_it_was_cancelled_counts_as_service(made: Any) -> None:
    began = {}
    for case, rows in made.records.items():
        late = ignored(rows)
        for row in rows:
            if row.kind == "activity_started" and row.seq not in late:
                began.setdefault((case, row.activity_id, row.attempt), row.time)
    rows = table(
        made, "SELECT \"case\", activity_id, attempt, time, service FROM history WHERE kind = 'activity_cancelled'"
    )
    services = [service for *_, service in rows if service is not None]
    assert services
    for *attempt, time, service in rows:
        assert service == (time - began[tuple(attempt)] if tuple(attempt) in began else None)


def test_bottlenecks_rank_states_and_activities_by_total_waiting(made: Any) -> None:
    horizon = max(row.time for rows in made.records.values() for row in rows)
    totals: dict[tuple[str, str | None, str], list[int]] = defaultdict(list)
    for stay in stays_of(made.records):
        totals["state", stay.region, stay.state].append((horizon if stay.left is None else stay.left) - stay.entered)
    for attempt in attempts_of(made.records):
        if attempt.wait is not None:
            totals["activity", None, attempt.activity].append(attempt.wait)
    rows = table(made, "SELECT what, region, name, n, total_wait, max_wait, mean_wait, p95_wait FROM bottlenecks")
    assert {row[:3]: row[3:6] for row in rows} == {
        key: (len(values), sum(values), max(values)) for key, values in totals.items()
    }
    for row in rows:
        values = totals[row[:3]]
        assert row[6:] == pytest.approx((sum(values) / len(values), quantile(values, 0.95)), abs=1)
    assert [row[4] for row in rows] == sorted((row[4] for row in rows), reverse=True)


def test_bottlenecks_set_waiting_against_service_and_name_the_pool(pooled: Any) -> None:
    begun = [attempt for attempt in attempts_of(pooled.records) if attempt.wait is not None]
    waited = sum(attempt.wait or 0 for attempt in begun)
    services = [attempt.service for attempt in begun if attempt.service is not None]
    assert 0 < len(services) < len(begun)
    query = "SELECT pool, n, total_wait, total_service, mean_service, wait_share FROM bottlenecks WHERE what = "
    assert table(pooled, query + "'activity'") == [
        (
            "checkers",
            len(begun),
            waited,
            sum(services),
            pytest.approx(sum(services) / len(services)),
            pytest.approx(waited / (waited + sum(services))),
        )
    ]
    assert {(row[0], *row[3:]) for row in table(pooled, query + "'state'")} == {(None, None, None, None)}


def test_hot_paths_tell_how_long_their_cases_waited_for_workers(made: Any, make: Any) -> None:
    waits: Counter[int] = Counter()
    for attempt in attempts_of(made.records):
        waits[attempt.case] += attempt.wait or 0
    expected: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for case, rows in made.records.items():
        if ending(rows)[0] != "open":
            expected[path_of(rows)].append(waits[case])
    query = "SELECT states, total_wait, mean_wait FROM hot_paths"
    rows = {tuple(row[0]): row[1:] for row in table(made, query)}
    assert rows == {path: (sum(own), pytest.approx(sum(own) / len(own))) for path, own in expected.items()}
    assert any(total > 0 for total, _ in rows.values())
    # A case that waited before a part of the time, and closed in it, waited no less.
    ends = sorted(time for rows in made.records.values() if (time := ending(rows)[2]) is not None)
    cuts = (None, ends[len(ends) // 3], ends[2 * len(ends) // 3], None)
    parts = [made.history.between(*pair).sql("SELECT total_wait FROM hot_paths") for pair in pairwise(cuts)]
    assert sum(total for part in parts for (total,) in part.fetchall()) == sum(sum(own) for own in expected.values())
    # Who keeps no attempts does not know.
    assert {row[1:] for row in table(make(cases=8, log="transitions"), query)} == {(None, None)}


def test_timeouts_count_clocks_that_ran_out_and_were_not_void(made: Any) -> None:
    expected: Counter[tuple[str, str | None, str]] = Counter()
    for rows in made.records.values():
        late = ignored(rows)
        for row in rows:
            if row.kind == "timer_fired" and row.payload["timer"] in CLOCKS and row.seq not in late:
                what = "workflow" if row.payload["timer"] == "workflow" else "state"
                expected[what, row.state, row.payload["timer"]] += 1
            if row.kind == "attempt_timed_out":
                expected["activity", row.activity, row.error_type or ""] += 1
    rows = table(made, "SELECT what, name, clock, n FROM timeouts")
    assert {row[:3]: row[3] for row in rows} == dict(expected)
    assert ("state", "received", "timeout") in expected


def made_of(rows: list[Record]) -> set[int | None]:
    """The attempts that were scheduled: others are only reported, while the instance is paused."""
    return {row.attempt for row in rows if row.kind == "activity_scheduled"}


def test_retries_tell_executions_from_attempts(made: Any) -> None:
    executions: dict[tuple[int, int], list[Record]] = defaultdict(list)
    for case, rows in made.records.items():
        late = ignored(rows)
        for row in rows:
            if row.activity is not None and row.seq not in late and row.activity_id is not None:
                executions[case, row.activity_id].append(row)
    retried = [rows for rows in executions.values() if any(row.kind == "retry_scheduled" for row in rows)]
    (got,) = table(made, "SELECT executions, retried, retries, max_attempt, recovered, total_delay FROM retries")
    every = [row for rows in executions.values() for row in rows]
    assert got == (
        len(executions),
        len(retried),
        sum(row.kind == "retry_scheduled" for row in every),
        max(row.attempt or 0 for row in every if row.kind == "activity_scheduled"),
        sum(any(row.kind == "activity_succeeded" and row.attempt in made_of(rows) for row in rows) for rows in retried),
        sum(row.payload["delay"] for row in every if row.kind == "retry_scheduled"),
    )


def test_outcomes_count_every_case_once(made: Any) -> None:
    expected = Counter(ending(rows)[:2] for rows in made.records.values())
    rows = table(made, "SELECT status, outcome, cases, share FROM outcomes")
    assert {row[:2]: row[2] for row in rows} == dict(expected)
    assert sum(row[3] for row in rows) == pytest.approx(1)
    assert sum(made.history.counts.values()) == len(made.records)


POOLED = {
    "activities": {"check": {"pool": "checkers"}},
    "pools": {"checkers": {"capacity": 2}, "spare": {"capacity": 5}},
}


@pytest.fixture(scope="module")
def pooled(make: Any) -> Any:
    """Sixty claims in random order, many of them open, whose checks ask for a pool."""
    return make(seed=5, scenario=json.dumps(POOLED))


def test_attempts_of_a_pool_are_those_of_the_activities_that_ask_for_it(pooled: Any) -> None:
    rows = table(pooled, 'SELECT "case", activity, scheduled, started, ended FROM pool_attempts')
    expected = attempts_of(pooled.records)
    assert any(attempt.ended is None for attempt in expected)
    assert any(attempt.ended is not None and attempt.started is None for attempt in expected)
    assert Counter(rows) == Counter(attempt[:5] for attempt in expected)


def test_pool_utilisation_averages_over_the_time_of_the_run(pooled: Any) -> None:
    horizon = max(row.time for rows in pooled.records.values() for row in rows)
    attempts = attempts_of(pooled.records)
    queued = [
        (each.scheduled, next(time for time in (each.started, each.ended, horizon) if time is not None))
        for each in attempts
    ]
    busy = sum((horizon if each.ended is None else each.ended) - each.started for each in attempts if each.started)
    longest = max(sum(came <= time < left for came, left in queued) for time, _ in queued)
    waits = [each.wait for each in attempts if each.wait is not None]
    checkers, spare = table(
        pooled,
        "SELECT pool, capacity, attempts, started, span, busy_time, mean_busy, utilisation, mean_queue, max_queue, "
        "mean_wait, max_wait FROM pool_utilisation",
    )
    assert checkers[:6] == ("checkers", 2, len(attempts), len(waits), horizon, busy)
    assert longest > 1
    assert checkers[6:] == pytest.approx(
        (
            busy / horizon,
            busy / horizon / 2,
            sum(left - came for came, left in queued) / horizon,
            longest,
            sum(waits) / len(waits),
            max(waits),
        )
    )
    assert spare == ("spare", 5, 0, 0, horizon, 0, 0.0, 0.0, 0.0, 0, None, None)


BURSTS = """\
name: desk
initial_state: a
activities: {f: {pool: desk}, g: {pool: back}}
states: [{name: a, activity: f}, {name: b, activity: g}, {name: c, is_terminal: true}]
transitions: [{from: a, event: done, to: b}, {from: b, event: done, to: c}]
"""


@pytest.mark.parametrize(("every", "horizon"), [("40s", None), ("55s", "2h"), ("70s", "90m")])
def test_the_longest_queue_is_that_of_any_moment(every: str, horizon: str | None) -> None:
    plan = wf.Scenario.model_validate(
        {
            "arrivals": {"at": ["0s"] * 7 + ["20m"] * 11 + [f"{k * int(every[:-1])}s" for k in range(150)]},
            "pools": {"desk": {"capacity": 1}, "back": {"capacity": 2}},
            # Whole minutes: many come and go at the same moment.
            "activities": {
                "f": {"duration": {"empirical": {"values": ["1m", "1m", "2m"]}}},
                "g": {"duration": {"exponential": {"mean": "2m"}}},
            },
        }
    )
    with wf.simulate(wf.loads(BURSTS), plan, horizon=horizon, progress=False) as history:
        for part in (history, history.between("10m", "80m"), history.between("30m", None), history.between("2m", "3m")):
            expected = {}
            for pool in ("back", "desk"):
                changes: Counter[int] = Counter()
                since = part.sql("SELECT range_since()").fetchall()[0][0]
                for came, began, ended in part.sql(
                    "SELECT scheduled, started, ended FROM pool_attempts WHERE pool = ?", [pool]
                ).fetchall():
                    left = began if began is not None else ended
                    if left is None or max(left, since) > max(came, since):
                        changes[max(came, since)] += 1
                        if left is not None:
                            changes[left] -= 1
                waiting = [sum(changes[each] for each in changes if each <= moment) for moment in changes]
                expected[pool] = max(waiting, default=0)
            assert dict(part.sql("SELECT pool, max_queue FROM pool_utilisation").fetchall()) == expected
        assert expected["desk"] > 0


def test_who_comes_with_the_last_record_waits_too() -> None:
    flow = wf.loads("""\
name: desk
initial_state: a
activities: {f: {timeout: 1h, pool: desk}}
states: [{name: a, activity: f}, {name: b, is_terminal: true}]
transitions: [{from: a, event: done, to: b}]
""")
    pools = {"pools": {"desk": {"capacity": 1}}, "activities": {"f": {"duration": "1m"}}}
    plan = wf.Scenario.model_validate({"arrivals": {"at": ["0s", "5s"]}, "horizon": "6s"} | pools)
    history = wf.simulate(flow, plan, progress=False)
    assert history.sql("SELECT max_queue, attempts FROM pool_utilisation").fetchall() == [(1, 2)]


def test_a_pool_that_only_the_definition_names_has_no_capacity_and_no_utilisation(make: Any) -> None:
    spec = CLAIMS | {"activities": {"check": CLAIMS["activities"]["check"] | {"pool": "desk"}}}
    rows = table(make(cases=8, spec=spec), "SELECT pool, capacity, utilisation, attempts > 0 FROM pool_utilisation")
    assert rows == [("desk", None, None, True)]


def test_attempts_that_were_not_kept_are_no_empty_pool(make: Any) -> None:
    kept = make(cases=8, scenario=json.dumps(POOLED), log="transitions")
    assert table(kept, "FROM pool_utilisation") == []


@pytest.mark.parametrize("engine", ["python", "compiled"])
def test_a_timeout_counts_though_what_follows_from_it_is_ignored(engine: Any) -> None:
    """Each try to handle the failure fails itself, until the instance has had enough and ignores the last."""
    workflow = wf.loads("""\
name: desk
version: 1.0.0
initial_state: waits
max_automatic: 3
variables: {n: {type: integer, optional: true}}
states: [{name: waits, timeout: 1m}, {name: end, is_terminal: true}]
transitions:
  - from: waits
    event: timeout
    to: end
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
  - from: waits
    event: error
    to: end
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}]
""")
    plan = wf.Scenario.model_validate({"arrivals": {"at": ["0s"]}})
    history = wf.simulate(workflow, plan, engine=engine, progress=False)
    assert history.sql("SELECT count(*) FROM history WHERE kind = 'stimulus_ignored'").fetchall() == [(1,)]
    assert history.sql("SELECT name, clock, n FROM timeouts").fetchall() == [("waits", "timeout", 1)]
