"""Every view of runs with children, letters, ties and open cases, against plain Python over the records of each case.

It is asked of the file as it was written, of one whose rows lie in any order, and of Parquet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

import wfsim as wf
from tests.families import CHECK, ORDER, PARCEL
from tests.unit.history.test_history_views import attempts_of, ending, ignored, path_of, quantile, stays_of
from wfsim.model.catalogue import Catalogue
from wfsim.semantics.records import Record

MINUTE = 60_000_000
HOUR = 60 * MINUTE
RETRIED = {"mail": {"timeout": "1h", "retry_policy": {"max_attempts": 2, "initial_interval": "1m"}}}
FAMILY = Catalogue(wf.Workflow.model_validate(spec) for spec in (ORDER, PARCEL | {"activities": RETRIED}, CHECK))
# Whole minutes, several at a time: many things happen at the same moment. A fifth of what is mailed takes too long.
MAILED = {"duration": {"empirical": {"values": ["10m", "10m", "20m", "10m", "3d"]}}, "pool": "post"}
PLAN = wf.Scenario.model_validate(
    {
        "seed": 5,
        "replications": 2,
        "arrivals": {"at": ["0s"] * 4 + ["20m"] * 4 + ["100m"] * 6 + ["20h"] * 3},
        "inputs": {"id": {"unique": 1}, "parcels": {"choice": [["a"], ["a", "b"], ["a", "b", "c"]]}},
        "activities": {"mail": {"duration": {"empirical": {"values": ["10m", "20m", "20m"]}}, "pool": "post"}},
        "workflows": {
            "parcel": {"activities": {"mail": MAILED}},
            "check": {"events": {"look": [{"event": "seen", "delay": {"empirical": {"values": ["1h", "2h", "30h"]}}}]}},
        },
        "pools": {"post": {"capacity": 3}},
        "slas": [{"name": "shipped", "from": "shipping", "until": "shipped", "within": "4h"}],
        "horizon": "24h",
    }
)
Of = dict[tuple[int, str], dict[int, list[Record]]]


class Seen(NamedTuple):
    """A history, the records of its cases by run and workflow, and when each run ended."""

    history: wf.History
    of: Of
    horizons: dict[int, int]

    def rows(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.history.sql(query, params or None).fetchall()
        return found


class Written(NamedTuple):
    path: Path
    of: Of
    horizons: dict[int, int]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    path = tmp_path_factory.mktemp("families") / "plain.duckdb"
    of: Of = defaultdict(dict)
    with wf.simulate(FAMILY.get("order"), PLAN, catalogue=FAMILY, progress=False, into=path) as history:
        for run, number in history.sql('SELECT run, "case" FROM cases').fetchall():
            case = history.case(number, run=run)
            of[run, case.workflow.name][number] = case.records()
    horizons: dict[int, int] = defaultdict(int)
    for (run, _), cases in of.items():
        horizons[run] = max(horizons[run], *(row.time for rows in cases.values() for row in rows))
    return Written(path, dict(of), horizons)


@pytest.fixture(scope="module", params=["as written", "in any order", "in Parquet"])
def seen(request: pytest.FixtureRequest, written: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Made again, elsewhere, for tests that one worker takes from another."""
    path = written.path
    if request.param != "as written":
        with wf.open_history(path) as history:
            path = history.to_parquet(tmp_path_factory.mktemp("families") / request.param)
    if request.param == "in any order":
        path = path.with_suffix(".duckdb")
        wf.convert_history(path.with_suffix(""), path).close()
        with duckdb.connect(str(path)) as con:
            for table in ("record_rows", "stay_rows", "attempt_rows", "cases"):
                con.execute(f"CREATE TEMP TABLE held AS FROM {table} ORDER BY hash(rowid)")
                con.execute(f"DELETE FROM {table}; INSERT INTO {table} FROM held; DROP TABLE held")
    with wf.open_history(path) as history:
        yield Seen(history, written.of, written.horizons)


def test_the_example_has_children_letters_ties_retries_and_open_cases(written: Written) -> None:
    kinds = Counter(row.kind for cases in written.of.values() for rows in cases.values() for row in rows)
    for kind in ("child_started", "child_closed", "message_sent", "retry_scheduled", "attempt_timed_out"):
        assert kinds[kind] > 0, kind
    times = Counter(row.time for cases in written.of.values() for rows in cases.values() for row in rows)
    assert max(times.values()) > 20
    for (_, workflow), cases in written.of.items():
        statuses = {ending(rows)[0] for rows in cases.values()}
        assert {"open", "completed"} <= statuses, workflow
    assert {workflow for _, workflow in written.of} == {"order", "parcel", "check"}


def test_stays_edges_and_rework_are_those_of_each_workflow(seen: Seen) -> None:
    stays, rework, edges = Counter[Any](), {}, Counter[Any]()
    for (run, workflow), cases in seen.of.items():
        entries: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        for stay in stays_of(cases):
            stays[run, workflow, *stay] += 1
            entries[stay.region, stay.state][stay.case] += 1
        for place, each in entries.items():
            if max(each.values()) > 1:
                again = [n for n in each.values() if n > 1]
                rework[run, workflow, *place] = (len(each), len(again), sum(again) - len(again), max(again))
        for rows in cases.values():
            entered: dict[str, int] = {}
            for row in rows:
                region = row.region or ""
                if row.kind == "transition" and row.to_state is not None:
                    key = (run, workflow, region, row.state, row.to_state, row.event)
                    edges[key] += 1
                    edges[(*key, "dwell")] += row.time - entered[region]
                if row.kind == "state_entered" or (row.kind == "transition" and row.to_state is not None):
                    entered[region] = row.time
    assert stays == Counter(seen.rows('SELECT run, workflow, "case", region, state, entered, left_at FROM stays'))
    found = seen.rows("SELECT run, workflow, region, state, cases, reworked, again, most FROM rework")
    assert {row[:4]: row[4:] for row in found} == rework
    got = Counter[Any]()
    for *edge, n, dwell in seen.rows(
        "SELECT run, workflow, region, from_state, to_state, event, n, total_dwell FROM dfg"
    ):
        got[tuple(edge)] += n
        got[(*edge, "dwell")] += dwell
    assert +got == +edges


def test_cases_and_their_paths_are_those_of_each_workflow(seen: Seen) -> None:
    durations, outcomes, paths = [], Counter[Any](), defaultdict[Any, list[int]](list)
    follows, pairs = Counter[Any](), Counter[Any]()
    for (run, workflow), cases in seen.of.items():
        for case, rows in cases.items():
            status, outcome, closed = ending(rows)
            durations.append((run, case, workflow, rows[0].time, closed, status, outcome, rows[-1].seq))
            outcomes[run, workflow, status, outcome] += 1
            if closed is not None:
                paths[run, workflow, path_of(rows)].append(closed - rows[0].time)
                found = Counter(combinations(path_of(rows), 2))
                pairs.update({(run, workflow, *pair): n for pair, n in found.items()})
                follows.update((run, workflow, *pair) for pair in found)
    query = 'SELECT run, "case", workflow, started, closed, status, outcome, version FROM durations'
    assert seen.rows(query) == sorted(durations)
    rows = seen.rows("SELECT run, workflow, status, outcome, cases, share FROM outcomes")
    assert {row[:4]: row[4] for row in rows} == outcomes
    of = {key: len(cases) for key, cases in seen.of.items()}
    assert all(row[5] == pytest.approx(row[4] / of[row[:2]]) for row in rows)
    closed_of = Counter[Any]()
    for (run, workflow, _), own in paths.items():
        closed_of[run, workflow] += len(own)
    for view, total in (("variants", "total_duration"), ("hot_paths", "total_time")):
        rows = seen.rows(f"SELECT run, workflow, states, cases, {total}, share FROM {view}")
        assert {(*row[:2], tuple(row[2])): row[3:] for row in rows} == {
            key: (len(own), sum(own), pytest.approx(len(own) / closed_of[key[:2]])) for key, own in paths.items()
        }
    rows = seen.rows("SELECT run, workflow, from_state, to_state, cases, n FROM eventually_follows")
    assert {row[:4]: row[4:] for row in rows} == {key: (follows[key], pairs[key]) for key in pairs}


def test_attempts_are_those_of_each_workflow(seen: Seen) -> None:
    stats, retries, stuck = {}, {}, {}
    for (run, workflow), cases in seen.of.items():
        attempts = attempts_of(cases)
        if not attempts:
            continue
        waits, services = ([value for value in each if value is not None] for each in zip(*map(_spans, attempts)))
        ends = Counter(attempt.how for attempt in attempts)
        told = [row for rows in cases.values() for row in rows if row.kind == "retry_scheduled"]
        stats[run, workflow, "mail"] = (
            *(len(attempts), len(waits), ends["activity_succeeded"], ends["activity_failed"]),
            *(ends["attempt_timed_out"], ends["activity_cancelled"], len(told), sum(waits), sum(services)),
        )
        stuck[run, workflow, "mail", "post"] = (len(waits), sum(waits), sum(services))
        scheduled = ((case, row) for case, rows in cases.items() for row in rows if row.kind == "activity_scheduled")
        serials = {(case, row.activity_id) for case, row in scheduled}
        retries[run, workflow, "mail"] = (len(serials), len(told), sum(row.payload["delay"] for row in told))
    rows = seen.rows(
        "SELECT run, workflow, activity, attempts, started, successes, failures, timeouts, cancelled, retries, "
        "total_wait, total_service FROM activity_stats"
    )
    assert {row[:3]: row[3:] for row in rows} == stats
    rows = seen.rows("SELECT run, workflow, activity, executions, retries, total_delay FROM retries")
    assert {row[:3]: row[3:] for row in rows} == retries
    rows = seen.rows(
        "SELECT run, workflow, name, pool, n, total_wait, total_service FROM bottlenecks WHERE what = 'activity'"
    )
    assert {row[:4]: row[4:] for row in rows} == stuck
    assert any(waited for _, waited, _ in stuck.values())
    # All workflows of a run share its pools.
    rows = seen.rows("SELECT run, attempts, started, busy_time FROM pool_utilisation")
    expected = []
    for run, horizon in sorted(seen.horizons.items()):
        every = [each for (number, _), cases in seen.of.items() if number == run for each in attempts_of(cases)]
        begun = [each for each in every if each.started is not None]
        busy = sum((horizon if each.ended is None else each.ended) - (each.started or 0) for each in begun)
        expected.append((run, len(every), len(begun), busy))
    assert rows == expected


def _spans(attempt: Any) -> tuple[int | None, int | None]:
    return attempt.wait, attempt.service


def test_clocks_that_ran_out_are_those_of_each_workflow(seen: Seen) -> None:
    expected: Counter[Any] = Counter()
    for (run, workflow), cases in seen.of.items():
        for rows in cases.values():
            late = ignored(rows)
            for row in rows:
                if (
                    row.kind == "timer_fired"
                    and row.payload["timer"] in ("timeout", "workflow")
                    and row.seq not in late
                ):
                    expected[run, workflow, "state", row.state, row.payload["timer"]] += 1
                if row.kind == "attempt_timed_out":
                    expected[run, workflow, "activity", row.activity, row.error_type] += 1
    rows = seen.rows("SELECT run, workflow, what, name, clock, n FROM timeouts")
    assert {row[:5]: row[5] for row in rows} == expected


@pytest.mark.parametrize("bucket", [25 * MINUTE, 7 * HOUR])
def test_buckets_of_time_hold_what_lay_in_them(seen: Seen, bucket: int) -> None:
    inside: Counter[Any] = Counter()
    trend: dict[Any, list[Any]] = {}
    for (run, workflow), cases in seen.of.items():
        for stay in stays_of(cases):
            at, left = stay.entered, seen.horizons[run] if stay.left is None else stay.left
            while at < left:
                until = min(left, (at // bucket + 1) * bucket)
                inside[run, workflow, stay.region, stay.state, at // bucket * bucket] += until - at
                at = until
        starts = Counter(rows[0].time // bucket for rows in cases.values())
        ends = defaultdict[int, list[int]](list)
        for rows in cases.values():
            if (closed := ending(rows)[2]) is not None:
                ends[closed // bucket].append(closed - rows[0].time)
        still = 0
        for k in range(min(starts), max(*starts, *ends) + 1):
            still += starts[k] - len(ends[k])
            middle = pytest.approx(quantile(ends[k], 0.5), abs=1) if ends[k] else None
            trend[run, workflow, k * bucket] = [starts[k], len(ends[k]), still, middle]
    rows = seen.rows("SELECT run, workflow, region, state, bucket_start, time_inside FROM occupancy(?)", bucket)
    assert {row[:5]: row[5] for row in rows} == inside
    rows = seen.rows(
        "SELECT run, workflow, bucket_start, started, closed, open_at_end, p50_duration FROM trend(?)", bucket
    )
    assert {row[:3]: list(row[3:]) for row in rows} == trend


def test_who_is_where_at_a_moment_is_told_of_each_workflow(seen: Seen) -> None:
    for t in (0, 20 * MINUTE, 100 * MINUTE, 130 * MINUTE, 21 * HOUR):
        there, opened = [], {}
        for (run, workflow), cases in seen.of.items():
            stays = [each for each in stays_of(cases) if each.entered <= t and (each.left is None or t < each.left)]
            there += [(run, each.case, workflow, each.region, each.state) for each in stays]
            for case, rows in cases.items():
                closed = ending(rows)[2]
                if rows[0].time <= t and (closed is None or t < closed):
                    opened[run, case] = (workflow, sorted(each.state for each in stays if each.case == case))
        rows = seen.rows('SELECT run, "case", workflow, region, state FROM active_at(?)', t)
        assert sorted(rows) == sorted(there)
        rows = seen.rows("SELECT run, workflow, region, state, cases FROM state_distribution(?)", t)
        assert {row[:4]: row[4] for row in rows} == Counter((run, *rest) for run, _, *rest in there)
        found, after = {}, (0, 0)
        while page := seen.rows('SELECT run, "case", workflow, states FROM active_instances(?, ?, ?, 5)', t, *after):
            found |= {row[:2]: (row[2], sorted(filter(None, row[3]))) for row in page}
            after = page[-1][:2]
        assert found == opened
        assert list(found) == sorted(opened)


def in_time(cases: dict[int, list[Record]], horizon: int, within: int, since: str | None, until: str | None) -> Any:
    """For each case that an SLA is about: when it began, when it was over, and whether that was in time."""
    found = {}
    has_open = any(ending(rows)[2] is None for rows in cases.values())
    for case, rows in cases.items():
        stays = stays_of({case: rows})
        begun = rows[0].time if since is None else min((s.entered for s in stays if s.state == since), default=None)
        if begun is None:
            continue
        reached = [s.entered for s in stays if s.state == until and s.entered >= begun]
        ended = ending(rows)[2] if until is None else min(reached, default=None)
        if has_open and horizon - begun < within:
            found[case] = (begun, ended, None)
        else:
            found[case] = (begun, ended, ended is not None and ended - begun <= within)
    return found


@pytest.mark.parametrize(
    ("within", "since", "until"),
    [
        (4 * HOUR, "shipping", "shipped"),
        (5 * HOUR, None, None),
        (30 * MINUTE, None, "shipping"),
        (4 * HOUR, "paying", None),
    ],
)
def test_any_sla_is_asked_of_root_cases(seen: Seen, within: int, since: str | None, until: str | None) -> None:
    rows = {}
    counts = []
    for run, horizon in sorted(seen.horizons.items()):
        own = in_time(seen.of[run, "order"], horizon, within, since, until)
        rows |= {(run, case): told for case, told in own.items()}
        met = [told[2] for told in own.values()]
        decided = [each for each in met if each is not None]
        share = pytest.approx(sum(decided) / len(decided)) if decided else None
        counts.append((run, len(met), met.count(True), met.count(False), met.count(None), share))
    assert len({told for *_, told in rows.values()}) > 1
    asked = "sla_cases(?, ?, ?)", within, since, until
    query = 'SELECT run, "case", begun, ended, met, due FROM '
    found = seen.rows(query + asked[0], *asked[1:])
    assert {row[:2]: row[2:5] for row in found} == rows
    assert all(row[5] == row[2] + within for row in found)
    assert seen.rows("SELECT run, cases, met, missed, undecided, share FROM sla(?, ?, ?)", *asked[1:]) == counts
    if since is None and until is None:
        assert seen.rows("SELECT run, cases, met, missed, undecided, share FROM sla(?)", within) == counts
    if since == "shipping":
        assert seen.rows("SELECT run, cases, met, missed, undecided, share FROM sla") == counts
        assert {row[:2]: row[2:5] for row in seen.rows(query + "sla_cases")} == rows
