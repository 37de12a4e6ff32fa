"""The questions people ask of a history, as SQL views and table macros; docs/history.md describes each.

All times and durations are integer microseconds, means and quantiles doubles. Every view keeps runs apart, and the
workflows of a run: the same name of a state or activity in two of them is two things.
Statistics over cases count closed cases only (M12); quantiles are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_INSTANCE_CLOSED,
    R_RETRY_SCHEDULED,
    R_STATE_ENTERED,
    R_STATUS_CHANGED,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
    R_TRANSITION,
)

from .codes import names_in
from .handles import json_of
from .payloads import payload, texts
from .pool_views import POOL_VIEWS
from .schema import NAMES
from .sla_views import SLA_VIEWS

if TYPE_CHECKING:
    import duckdb

# Two versions of one workflow in one run are told apart.
WORKFLOW_NAMES = """
CREATE VIEW workflow_names AS
SELECT run, number, if(count(*) OVER (PARTITION BY run, name) > 1, name || ' ' || version, name) AS workflow
FROM workflows ORDER BY run, number
"""
_RUNS = """
SELECT run, n.workflow, w.name, w.version, source
FROM workflow_names n JOIN workflows w USING (run, number) JOIN runs USING (run) ORDER BY run, number
"""

# Names are written into the view: without a join the order of the records is known, and the first rows cost no more
# than they are. Many runs have few workflows, so what is told of these stands there once.


def name_records(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `history`, with the names that there are now; again whenever there are more."""
    names = names_in(con)
    named = {column: f"({texts(names[table])})[{column} + 1] AS {column}" for column, table in NAMES.items()}
    workflows: dict[tuple[str, str, str], int] = {}
    runs: dict[int, list[int]] = {}
    grown = False
    for run, *told, source in con.execute(_RUNS).fetchall():
        runs.setdefault(run, []).append(workflows.setdefault(tuple(told), len(workflows)))
        # A simulation lies sorted; what a store appended does not.
        grown = grown or source == "runtime"
    places = ", ".join(str(runs.get(run, [])) for run in range(1, max(runs, default=0) + 1))
    which = f"[([{places}]::INTEGER[][])[run][workflow + 1] + 1]"
    labels = texts(label for label, _, _ in workflows)
    started = (f'"workflow":{json_of(name)},"version":{json_of(version)}' for _, name, version in workflows)
    con.execute(f"""
CREATE OR REPLACE VIEW history AS
SELECT run, "case", ({labels}){which} AS workflow, seq, time, {named["kind"]}, cause_seq, {named["region"]},
    {named["state"]}, {named["to_state"]}, {named["event"]}, event_id, {named["activity"]},
    activity_id, attempt, {named["error_type"]}, {named["status"]}, {named["outcome"]},
    {payload(names, f"({texts(started)}){which}")} AS payload,
    entered_seq, dwell, wait, service, path_hash, is_last
FROM {'(FROM records ORDER BY run, "case", seq)' if grown else "records"}
""")


RECORD_VALUES = """
CREATE VIEW record_values AS
SELECT run, "case", seq, position, v.slot, v.tag, v.whole, v."real", v."text"
FROM (
    SELECT run, "case", seq, generate_subscripts("values", 1) - 1 AS position, unnest("values") AS v
    FROM records WHERE "values" IS NOT NULL
)
"""

# A retried case closes more than once; its last change of status counts.
DURATIONS = f"""
CREATE VIEW durations AS
WITH last_status AS (
    SELECT run, "case", arg_max(struct_pack(kind, time, status, outcome, state), seq) AS at
    FROM records WHERE kind IN ({R_INSTANCE_CLOSED}, {R_STATUS_CHANGED}) GROUP BY run, "case"
)
SELECT
    c.run, c."case", w.workflow, c.external_id, c.parent_case, c.parent_activation, c.started,
    if(l.at.kind = {R_INSTANCE_CLOSED}, l.at.time, NULL) AS closed,
    if(l.at.kind = {R_INSTANCE_CLOSED}, l.at.time - c.started, NULL) AS duration,
    if(l.at.kind = {R_INSTANCE_CLOSED}, u.name, 'open') AS status,
    if(l.at.kind = {R_INSTANCE_CLOSED}, o.name, NULL) AS outcome,
    if(l.at.kind = {R_INSTANCE_CLOSED}, s.name, NULL) AS final_state,
    c.version, c.path_hash
FROM cases c
JOIN workflow_names w ON w.run = c.run AND w.number = c.workflow
LEFT JOIN last_status l ON l.run = c.run AND l."case" = c."case"
LEFT JOIN status_names u ON u.code = l.at.status
LEFT JOIN outcome_names o ON o.code = l.at.outcome
LEFT JOIN state_names s ON s.code = l.at.state
ORDER BY c.run, c."case"
"""

# Where no record ends a stay, the closing does (inner regions after `failed`), or nothing yet.
STAYS = f"""
CREATE VIEW stays AS
WITH left_by AS (
    SELECT run, workflow, "case", region, state, time - dwell AS entered, time AS left_at, dwell, entered_seq,
        seq AS left_seq
    FROM records WHERE dwell IS NOT NULL
),
entering AS (
    SELECT run, workflow, "case", region, if(kind = {R_TRANSITION}, to_state, state) AS state, time, seq
    FROM records WHERE kind = {R_STATE_ENTERED} OR (kind = {R_TRANSITION} AND to_state IS NOT NULL)
),
unfinished AS (
    SELECT e.* FROM entering e
    ANTI JOIN left_by l ON l.run = e.run AND l."case" = e."case" AND l.entered_seq = e.seq
),
closings AS (SELECT run, "case", seq, time FROM records WHERE kind = {R_INSTANCE_CLOSED}),
every AS (
    SELECT * FROM left_by
    UNION ALL
    SELECT e.run, e.workflow, e."case", e.region, e.state, e.time, c.time, c.time - e.time, e.seq, c.seq
    FROM unfinished e
    ASOF LEFT JOIN closings c ON c.run = e.run AND c."case" = e."case" AND c.seq >= e.seq
)
SELECT y.run, y."case", w.workflow, g.name AS region, s.name AS state, y.entered, y.left_at, y.dwell,
    y.entered_seq, y.left_seq
FROM every y JOIN workflow_names w ON w.run = y.run AND w.number = y.workflow
JOIN region_names g ON g.code = y.region JOIN state_names s ON s.code = y.state
"""

DFG = f"""
CREATE VIEW dfg AS
WITH edges AS (
    SELECT run, workflow, region, state, to_state, event, count(*) AS n, sum(dwell)::BIGINT AS total_dwell,
        avg(dwell) AS mean_dwell, quantile_cont(dwell, 0.5) AS p50_dwell,
        quantile_cont(dwell, 0.95) AS p95_dwell
    FROM records WHERE kind = {R_TRANSITION} AND to_state IS NOT NULL
    GROUP BY run, workflow, region, state, to_state, event
    UNION ALL
    SELECT run, workflow, region, state, to_state, event, n, dwell, dwell / n, NULL, NULL FROM edge_totals
)
SELECT d.run, w.workflow, g.name AS region, s.name AS from_state, t.name AS to_state, e.name AS event, d.n,
    d.total_dwell, d.mean_dwell, d.p50_dwell, d.p95_dwell
FROM edges d
JOIN workflow_names w ON w.run = d.run AND w.number = d.workflow
JOIN region_names g ON g.code = d.region
JOIN state_names s ON s.code = d.state
JOIN state_names t ON t.code = d.to_state
LEFT JOIN event_names e ON e.code = d.event
ORDER BY d.run, d.workflow, d.n DESC, region, from_state, to_state, event NULLS FIRST
"""

VARIANTS = """
CREATE VIEW variants AS
WITH grouped AS (
    SELECT run, workflow, path_hash, count(*) AS cases, sum(duration)::BIGINT AS total_duration,
        avg(duration) AS mean_duration,
        quantile_cont(duration, 0.5) AS p50_duration, quantile_cont(duration, 0.95) AS p95_duration,
        min(duration) AS min_duration, max(duration) AS max_duration
    FROM durations WHERE status <> 'open' GROUP BY run, workflow, path_hash
)
SELECT g.run, g.workflow, g.path_hash, v.states, len(v.states) AS length, g.cases,
    g.cases / sum(g.cases) OVER (PARTITION BY g.run, g.workflow) AS share, g.total_duration,
    g.mean_duration, g.p50_duration, g.p95_duration, g.min_duration, g.max_duration
FROM grouped g JOIN variants_seen v ON v.path_hash = g.path_hash
JOIN workflow_names w ON w.run = g.run AND w.workflow = g.workflow
ORDER BY g.run, w.number, g.cases DESC, v.states
"""

_SPLIT = """
    count(*) FILTER (outcome = 'success') AS success,
    count(*) FILTER (outcome = 'failure') AS failure,
    count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status = 'timed_out') AS timed_out,
    count(*) FILTER (status = 'cancelled') AS cancelled,
    count(*) FILTER (status = 'terminated') AS "terminated"
"""


def ranked_paths(cases: str, split: bool) -> str:
    """SELECT that ranks the paths of closed cases by number and by time.

    `cases` is a condition on `durations`; without `split` they all count as one, whatever run and workflow.
    """
    own = "run, workflow, " if split else ""
    partition = "PARTITION BY g.run, g.workflow" if split else ""
    return f"""
WITH grouped AS (
    SELECT {own}path_hash, count(*) AS cases, sum(duration)::BIGINT AS total_time, avg(duration) AS mean_time,
        quantile_cont(duration, 0.5) AS p50_time, quantile_cont(duration, 0.95) AS p95_time, {_SPLIT}
    FROM durations WHERE status <> 'open' AND {cases} GROUP BY {own}path_hash
)
SELECT {"g.run, g.workflow, " if split else ""}
    array_to_string(v.states, ' → ') AS path, g.cases,
    g.cases / sum(g.cases) OVER ({partition}) AS share,
    g.total_time, g.total_time / nullif(sum(g.total_time) OVER ({partition}), 0) AS time_share,
    g.mean_time, g.p50_time, g.p95_time, g.success, g.failure, g.failed, g.timed_out, g.cancelled,
    g."terminated",
    row_number() OVER ({partition} ORDER BY g.cases DESC, g.total_time DESC, v.states) AS rank_by_cases,
    row_number() OVER ({partition} ORDER BY g.total_time DESC, g.cases DESC, v.states) AS rank_by_time,
    v.states, g.path_hash
FROM grouped g JOIN variants_seen v ON v.path_hash = g.path_hash
{"JOIN workflow_names w ON w.run = g.run AND w.workflow = g.workflow" if split else ""}
ORDER BY {"g.run, w.number, " if split else ""}rank_by_cases
"""


HOT_PATHS = "CREATE VIEW hot_paths AS " + ranked_paths("true", True)

OCCUPANCY = """
CREATE MACRO occupancy(bucket_us) AS TABLE
WITH horizons AS (SELECT run, max(time) AS horizon FROM records GROUP BY run),
spans AS (
    SELECT s.run, s.workflow, s.region, s.state, s.entered, coalesce(s.left_at, h.horizon) AS left_at,
        s.entered // bucket_us AS first_bucket, coalesce(s.left_at, h.horizon) // bucket_us AS last_bucket
    FROM stays s JOIN horizons h USING (run)
),
parts AS (
    SELECT run, workflow, region, state, first_bucket AS bucket,
        if(first_bucket = last_bucket, left_at, (first_bucket + 1) * bucket_us) - entered AS inside,
        0 AS change
    FROM spans
    UNION ALL
    SELECT run, workflow, region, state, last_bucket, left_at - last_bucket * bucket_us, -1
    FROM spans WHERE last_bucket > first_bucket
    UNION ALL
    SELECT run, workflow, region, state, first_bucket + 1, 0, 1
    FROM spans WHERE last_bucket > first_bucket
),
sums AS (
    SELECT run, workflow, region, state, bucket, sum(inside) AS inside, sum(change) AS change
    FROM parts GROUP BY run, workflow, region, state, bucket
),
grid AS (
    SELECT run, workflow, region, state, unnest(range(min(bucket), max(bucket) + 1)) AS bucket
    FROM sums GROUP BY run, workflow, region, state
),
filled AS (
    SELECT run, workflow, region, state, bucket, coalesce(inside, 0)
        + bucket_us * sum(coalesce(change, 0))
            OVER (PARTITION BY run, workflow, region, state ORDER BY bucket) AS inside
    FROM grid LEFT JOIN sums USING (run, workflow, region, state, bucket)
)
SELECT run, workflow, region, state, (bucket * bucket_us)::BIGINT AS bucket_start, inside::BIGINT AS time_inside,
    inside / bucket_us AS mean_cases
FROM filled WHERE inside > 0 ORDER BY run, bucket_start, workflow, region, state
"""

ACTIVITY_STATS = f"""
CREATE VIEW activity_stats AS
WITH ignored AS (SELECT run, "case", cause_seq, activity_id FROM records WHERE kind = {R_STIMULUS_IGNORED}),
rows_of AS (
    SELECT r.run, r.workflow, r.activity, r.kind, r.error_type, r.wait, r.service
    FROM records r
    ANTI JOIN ignored i ON i.run = r.run AND i."case" = r."case" AND i.cause_seq = r.seq
        AND i.activity_id = r.activity_id
    WHERE r.activity IS NOT NULL
),
errors AS (
    SELECT run, workflow, activity, map_from_entries(list((x.name, n) ORDER BY x.name)) AS error_types
    FROM (
        SELECT run, workflow, activity, error_type, count(*) AS n FROM rows_of
        WHERE kind IN ({R_ACTIVITY_FAILED}, {R_ATTEMPT_TIMED_OUT}) GROUP BY run, workflow, activity, error_type
    ) JOIN error_type_names x ON x.code = error_type
    GROUP BY run, workflow, activity
),
numbers AS (
    SELECT run, workflow, activity,
        count(*) FILTER (kind = {R_ACTIVITY_SCHEDULED}) AS attempts,
        count(*) FILTER (kind = {R_ACTIVITY_STARTED}) AS started,
        count(*) FILTER (kind = {R_ACTIVITY_SUCCEEDED}) AS successes,
        count(*) FILTER (kind = {R_ACTIVITY_FAILED}) AS failures,
        count(*) FILTER (kind = {R_ATTEMPT_TIMED_OUT}) AS timeouts,
        count(*) FILTER (kind = {R_ACTIVITY_CANCELLED}) AS cancelled,
        count(*) FILTER (kind = {R_RETRY_SCHEDULED}) AS retries,
        sum(wait)::BIGINT AS total_wait, avg(wait) AS mean_wait, quantile_cont(wait, 0.5) AS p50_wait,
        quantile_cont(wait, 0.95) AS p95_wait, max(wait) AS max_wait,
        sum(service)::BIGINT AS total_service, avg(service) AS mean_service,
        quantile_cont(service, 0.5) AS p50_service, quantile_cont(service, 0.95) AS p95_service,
        max(service) AS max_service
    FROM rows_of GROUP BY run, workflow, activity
    UNION ALL BY NAME
    SELECT run, workflow, activity, attempts, waits AS started, successes, failures, timeouts, wait AS total_wait,
        wait / nullif(waits, 0) AS mean_wait, service AS total_service,
        service / nullif(services, 0) AS mean_service
    FROM activity_totals
)
SELECT n.run, w.workflow, a.name AS activity, n.* EXCLUDE (run, workflow, activity),
    coalesce(e.error_types, MAP {{}}) AS error_types
FROM numbers n
JOIN activity_names a ON a.code = n.activity
JOIN workflow_names w ON w.run = n.run AND w.number = n.workflow
LEFT JOIN errors e ON e.run = n.run AND e.workflow = n.workflow AND e.activity = n.activity
ORDER BY n.run, n.workflow, a.name
"""

BOTTLENECKS = """
CREATE VIEW bottlenecks AS
WITH horizons AS (SELECT run, max(time) AS horizon FROM records GROUP BY run),
waiting AS (
    SELECT s.run, s.workflow, 'state' AS what, s.region, s.state AS name,
        coalesce(s.dwell, h.horizon - s.entered) AS waited
    FROM stays s JOIN horizons h USING (run)
    UNION ALL
    SELECT r.run, w.workflow, 'activity', NULL, a.name, r.wait
    FROM records r JOIN activity_names a ON a.code = r.activity
    JOIN workflow_names w ON w.run = r.run AND w.number = r.workflow WHERE r.wait IS NOT NULL
)
SELECT run, workflow, what, region, name, count(*) AS n, sum(waited)::BIGINT AS total_wait, avg(waited) AS mean_wait,
    quantile_cont(waited, 0.95) AS p95_wait, max(waited) AS max_wait
FROM waiting GROUP BY run, workflow, what, region, name
ORDER BY run, total_wait DESC, workflow, what, region NULLS FIRST, name
"""

TIMEOUTS = f"""
CREATE VIEW timeouts AS
WITH ignored AS (SELECT run, "case", cause_seq, timer_id FROM records WHERE kind = {R_STIMULUS_IGNORED}),
fired AS (
    SELECT r.run, r.workflow, r."case", if(m.name = 'workflow', 'workflow', 'state') AS what, r.region, s.name AS name,
        m.name AS clock
    FROM records r
    JOIN timer_names m ON m.code = r.clock AND m.name IN ('timeout', 'workflow')
    LEFT JOIN state_names s ON s.code = r.state
    ANTI JOIN ignored i ON i.run = r.run AND i."case" = r."case" AND i.cause_seq = r.seq AND i.timer_id = r.timer_id
    WHERE r.kind = {R_TIMER_FIRED}
    UNION ALL
    SELECT r.run, r.workflow, r."case", 'activity', r.region, a.name, x.name
    FROM records r
    JOIN activity_names a ON a.code = r.activity
    JOIN error_type_names x ON x.code = r.error_type
    WHERE r.kind = {R_ATTEMPT_TIMED_OUT}
)
SELECT f.run, w.workflow, f.what, g.name AS region, f.name, f.clock, count(*) AS n, count(DISTINCT f."case") AS cases
FROM fired f JOIN workflow_names w ON w.run = f.run AND w.number = f.workflow
LEFT JOIN region_names g ON g.code = f.region
GROUP BY f.run, w.workflow, f.what, g.name, f.name, f.clock
ORDER BY f.run, n DESC, w.workflow, f.what, g.name, f.name, f.clock
"""

RETRIES = f"""
CREATE VIEW retries AS
WITH ignored AS (SELECT run, "case", cause_seq, activity_id FROM records WHERE kind = {R_STIMULUS_IGNORED}),
executions AS (
    SELECT r.run, min(r.workflow) AS workflow, r."case", r.activity_id, min(r.activity) AS activity,
        max(r.attempt) FILTER (r.kind = {R_ACTIVITY_SCHEDULED}) AS attempts,
        count(*) FILTER (r.kind = {R_RETRY_SCHEDULED}) AS retries,
        coalesce(sum(r.delay) FILTER (r.kind = {R_RETRY_SCHEDULED}), 0) AS delay,
        bool_or(r.kind = {R_ACTIVITY_SUCCEEDED}) AS succeeded
    FROM records r
    ANTI JOIN ignored i ON i.run = r.run AND i."case" = r."case" AND i.cause_seq = r.seq
        AND i.activity_id = r.activity_id
    WHERE r.kind IN ({R_ACTIVITY_SCHEDULED}, {R_RETRY_SCHEDULED}, {R_ACTIVITY_SUCCEEDED})
        AND r.activity IS NOT NULL
    GROUP BY r.run, r."case", r.activity_id
)
SELECT e.run, w.workflow, a.name AS activity, count(*) AS executions, count(*) FILTER (e.retries > 0) AS retried,
    sum(e.retries)::BIGINT AS retries, max(e.attempts) AS max_attempt,
    count(*) FILTER (e.retries > 0 AND e.succeeded) AS recovered, sum(e.delay)::BIGINT AS total_delay
FROM executions e JOIN activity_names a ON a.code = e.activity
JOIN workflow_names w ON w.run = e.run AND w.number = e.workflow
GROUP BY e.run, w.workflow, a.name ORDER BY e.run, retries DESC, w.workflow, a.name
"""

ACTIVE_AT = """
CREATE MACRO active_at(t) AS TABLE
SELECT s.run, s."case", s.workflow, c.external_id, s.region, s.state, s.entered
FROM stays s JOIN cases c ON c.run = s.run AND c."case" = s."case"
WHERE s.entered <= t AND (s.left_at > t OR s.left_at IS NULL)
ORDER BY s.run, s."case", s.region, s.state
"""

OUTCOMES = """
CREATE VIEW outcomes AS
SELECT d.run, d.workflow, d.status, d.outcome, count(*) AS cases,
    count(*) / sum(count(*)) OVER (PARTITION BY d.run, d.workflow) AS share
FROM durations d JOIN workflow_names w ON w.run = d.run AND w.workflow = d.workflow
GROUP BY d.run, w.number, d.workflow, d.status, d.outcome
ORDER BY d.run, w.number, d.status, d.outcome NULLS FIRST
"""

SWEEP_POINTS = """
CREATE VIEW sweep_points AS
WITH told AS (
    SELECT run, replication, (params->>'$.point')::INTEGER AS point, params->'$.values' AS given FROM runs
    WHERE params->>'$.point' IS NOT NULL
)
SELECT run, replication, point, key, given->>('$."' || key || '"') AS value, TRY_CAST(value AS DOUBLE) AS number
FROM (SELECT *, unnest(json_keys(given)) AS key FROM told) ORDER BY run, key
"""

VIEWS = (
    WORKFLOW_NAMES,
    RECORD_VALUES,
    DURATIONS,
    STAYS,
    DFG,
    VARIANTS,
    HOT_PATHS,
    OCCUPANCY,
    ACTIVITY_STATS,
    BOTTLENECKS,
    TIMEOUTS,
    RETRIES,
    ACTIVE_AT,
    OUTCOMES,
    SWEEP_POINTS,
    *POOL_VIEWS,
    *SLA_VIEWS,
)
