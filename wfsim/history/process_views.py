"""Questions of process mining as SQL views and macros: what comes again, what follows, how it goes over time.

docs/history.md describes each. Names are put on by LEFT JOIN when everything is counted, as in `views`.
"""

from __future__ import annotations

from wfsim.semantics.codes import FAILURE, SUCCESS

# Who entered a state twice did so again once. Many cases go the same ways, so what each entered is counted once for all
# of them; a list a case costs half of what a row for each of its states does.
REWORK = """
CREATE VIEW rework AS
WITH walked AS (
    SELECT run, any_value(workflow) AS workflow, list(region << 32 | state) AS places
    FROM (SELECT run, workflow, "case", region::BIGINT AS region, state FROM stay_rows) GROUP BY run, "case"
),
ways AS (SELECT run, workflow, places, count(*) AS cases FROM walked GROUP BY run, workflow, places),
entries AS (
    SELECT run, workflow, cases, unnest(map_entries(list_aggregate(places, 'histogram'))) AS entry FROM ways
),
grouped AS (
    SELECT run, workflow, entry.key >> 32 AS region, entry.key & 4294967295 AS state, sum(cases)::BIGINT AS cases,
        coalesce(sum(cases) FILTER (entry.value > 1), 0)::BIGINT AS reworked,
        sum(cases * (entry.value - 1))::BIGINT AS again, max(entry.value)::BIGINT AS most
    FROM entries GROUP BY ALL
)
SELECT r.run, w.workflow, g.name AS region, s.name AS state, r.cases, r.reworked, r.reworked / r.cases AS share,
    r.again, r.most
FROM grouped r
LEFT JOIN workflow_names w ON w.run = r.run AND w.number = r.workflow
LEFT JOIN region_names g ON g.code = r.region
LEFT JOIN state_names s ON s.code = r.state
WHERE r.reworked > 0
ORDER BY r.run, r.workflow, r.again DESC, region, state
"""

# Asked of each path once, and counted with its cases.
EVENTUALLY_FOLLOWS = """
CREATE VIEW eventually_follows AS
WITH taken AS (
    SELECT run, workflow, path_hash, count(*) AS cases FROM cases
    WHERE closed IS NOT NULL AND path_hash IS NOT NULL GROUP BY run, workflow, path_hash
),
steps AS (
    SELECT path_hash, unnest(states) AS state, generate_subscripts(states, 1) AS place
    FROM variants_seen SEMI JOIN taken USING (path_hash)
),
pairs AS (
    SELECT a.path_hash, a.state AS from_state, b.state AS to_state, count(*) AS n
    FROM steps a JOIN steps b ON b.path_hash = a.path_hash AND b.place > a.place GROUP BY ALL
),
grouped AS (
    SELECT t.run, t.workflow, p.from_state, p.to_state, sum(t.cases)::BIGINT AS cases, sum(t.cases * p.n)::BIGINT AS n
    FROM taken t JOIN pairs p ON p.path_hash = t.path_hash GROUP BY ALL
),
closed AS (SELECT run, workflow, sum(cases) AS cases FROM taken GROUP BY run, workflow)
SELECT g.run, w.workflow, g.from_state, g.to_state, g.cases, g.cases / c.cases AS share, g.n
FROM grouped g JOIN closed c ON c.run = g.run AND c.workflow = g.workflow
LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow
ORDER BY g.run, g.workflow, g.cases DESC, g.n DESC, g.from_state, g.to_state
"""


def _trend(bucket: str, grid: str, start: str) -> str:
    """Query for a trend: the bucket of a `{moment}` in microseconds, all of them from `first` to `last`, their begins.

    Cases that start count for their bucket, and those that close against it; a running sum has who is open at its end.
    """
    return f"""
WITH began AS (
    SELECT run, workflow, {bucket.format(moment="started")} AS bucket, count(*) AS started
    FROM cases LEFT JOIN run_begins USING (run) WHERE started >= range_since() GROUP BY ALL
),
before AS (SELECT run, workflow, count(*) AS open FROM cases WHERE started < range_since() GROUP BY run, workflow),
ended AS (
    SELECT run, workflow, {bucket.format(moment="closed")} AS bucket, count(*) AS closed,
        count(*) FILTER (outcome = {SUCCESS}) AS success, count(*) FILTER (outcome = {FAILURE}) AS failure,
        avg(duration) AS mean_duration, quantile_cont(duration, [0.5, 0.95]) AS q
    FROM (SELECT *, business_time(started, closed) AS duration FROM cases WHERE closed IS NOT NULL)
    LEFT JOIN run_begins USING (run) GROUP BY ALL
),
grid AS (
    SELECT run, workflow, unnest({grid}) AS bucket
    FROM (
        SELECT run, workflow, min(first) AS first, max(last) AS last
        FROM (
            SELECT run, workflow, min(bucket) AS first, max(bucket) AS last FROM began GROUP BY run, workflow
            UNION ALL
            SELECT run, workflow, min(bucket), max(bucket) FROM ended GROUP BY run, workflow
        ) GROUP BY run, workflow
    )
)
SELECT g.run, w.workflow, {start}, coalesce(b.started, 0) AS started,
    coalesce(e.closed, 0) AS closed, coalesce(e.success, 0) AS success, coalesce(e.failure, 0) AS failure,
    (coalesce(o.open, 0) + sum(coalesce(b.started, 0) - coalesce(e.closed, 0))
        OVER (PARTITION BY g.run, g.workflow ORDER BY g.bucket))::BIGINT AS open_at_end,
    e.mean_duration, e.q[1] AS p50_duration, e.q[2] AS p95_duration
FROM grid g
LEFT JOIN began b ON b.run = g.run AND b.workflow = g.workflow AND b.bucket = g.bucket
LEFT JOIN ended e ON e.run = g.run AND e.workflow = g.workflow AND e.bucket = g.bucket
LEFT JOIN before o ON o.run = g.run AND o.workflow = g.workflow
LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow
LEFT JOIN run_begins z ON z.run = g.run
ORDER BY g.run, g.workflow, g.bucket
"""


# Days and longer: an hour that the clock shows twice would be one.
_UNITS = ("day", "week", "month", "quarter", "year")
_UNIT = (
    f"if(unit IN {_UNITS}, unit, "
    f"error('trend by ' || unit || ': with a time zone give one of {', '.join(_UNITS)}; without one, microseconds'))"
)
_STEPS = " ".join(f"WHEN '{unit}' THEN INTERVAL 1 {unit.upper()}" for unit in _UNITS)
_BY_TIME = _trend(
    "{moment} // bucket_width(bucket_us)", "range(first, last + 1)", "(g.bucket * bucket_us)::BIGINT AS bucket_start"
)
_BY_CLOCK = _trend(
    f"date_trunc({_UNIT}, clock_at({{moment}} + begins, zone))",
    f"generate_series(first, last, CASE unit {_STEPS} END)",
    "(epoch_us(timezone(zone, g.bucket::TIMESTAMP)) - z.begins)::BIGINT AS bucket_start, g.bucket::DATE AS local_start",
)
TREND = f"CREATE MACRO trend(bucket_us) AS TABLE ({_BY_TIME}), (unit, zone) AS TABLE ({_BY_CLOCK})"

STATE_DISTRIBUTION = """
CREATE MACRO state_distribution(t) AS TABLE
WITH there AS (
    SELECT run, workflow, region, state, count(*) AS cases FROM history.main.stay_rows
    WHERE entered <= t AND left_at > t AND in_range(t) GROUP BY run, workflow, region, state
)
SELECT d.run, w.workflow, g.name AS region, s.name AS state, d.cases,
    d.cases / sum(d.cases) OVER (PARTITION BY d.run, d.workflow, d.region) AS share
FROM there d
LEFT JOIN workflow_names w ON w.run = d.run AND w.number = d.workflow
LEFT JOIN region_names g ON g.code = d.region
LEFT JOIN state_names s ON s.code = d.state
ORDER BY d.run, d.workflow, region, d.cases DESC, state
"""

# By the key of the last row seen, never by how many rows to skip: a page costs the same wherever it lies.
ACTIVE_INSTANCES = """
CREATE MACRO active_instances(t, after_run, after_case, page) AS TABLE
WITH keys AS (
    SELECT run, "case", workflow, external_id, started FROM history.main.cases
    WHERE started <= t AND coalesce(closed > t, true) AND in_range(t)
        AND (run > after_run OR (run = after_run AND "case" > after_case))
    ORDER BY run, "case" LIMIT page
)
SELECT k.run, k."case", any_value(w.workflow) AS workflow, any_value(k.external_id) AS external_id,
    any_value(k.started) AS started, list(s.name ORDER BY y.entered_seq) AS states, max(y.entered) AS since
FROM keys k
LEFT JOIN history.main.stay_rows y ON y.run = k.run AND y."case" = k."case" AND y.entered <= t AND y.left_at > t
LEFT JOIN workflow_names w ON w.run = k.run AND w.number = k.workflow
LEFT JOIN state_names s ON s.code = y.state
GROUP BY k.run, k."case" ORDER BY k.run, k."case"
"""

PROCESS_VIEWS = (REWORK, EVENTUALLY_FOLLOWS, TREND, STATE_DISTRIBUTION, ACTIVE_INSTANCES)
