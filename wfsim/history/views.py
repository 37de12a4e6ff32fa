"""The questions people ask of a history, as SQL views and table macros; docs/history.md describes each.

All times and durations are integer microseconds, means and quantiles doubles. Every view keeps runs apart, and the
workflows of a run: the same name of a state or activity in two of them is two things.
Statistics over cases count closed cases only (M12); quantiles are exact.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    CANCELLED,
    COMPLETED,
    FAILED,
    FAILURE,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
    SUCCESS,
    TERMINATED,
    TIMED_OUT,
)

from .codes import names_in
from .execution_views import EXECUTIONS
from .handles import json_of
from .log_view import LOG_EVENTS
from .metadata_view import METADATA
from .model_views import CONFORMANCE
from .payloads import payload, texts
from .pool_views import ACTIVITY_POOLS, POOL_VIEWS
from .process_views import PROCESS_VIEWS
from .ranged import RANGE_VIEWS
from .schema import NAMES
from .side_tables import FOREVER
from .sla_views import SLA_VIEWS
from .working_time import CLOCK, LOCAL_TIME, RUN_BEGINS

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def name_workflows(con: duckdb.DuckDBPyConnection) -> None:
    """Keep what hardly changes and every question needs, with the runs that there are now; again when there are more.

    A question that joins these views is planned and answered in 2 ms to 5 ms less with tables in their place.
    """
    for name in KEPT_VIEWS:
        con.execute(f"CREATE OR REPLACE TABLE memory.main.{name} AS FROM views.kept.{name}")


def name_records(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `history`, with the names that there are now; again whenever there are more."""
    name_workflows(con)
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
CREATE OR REPLACE VIEW memory.main.history AS
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

DURATIONS = """
CREATE VIEW durations AS
SELECT c.run, c."case", w.workflow, c.external_id, c.parent_case, c.parent_activation, c.started, c.closed,
    business_time(c.started, c.closed) AS duration, coalesce(u.name, 'open') AS status, o.name AS outcome,
    s.name AS final_state, c.version, c.path_hash
FROM cases c
LEFT JOIN workflow_names w ON w.run = c.run AND w.number = c.workflow
LEFT JOIN status_names u ON u.code = c.status
LEFT JOIN outcome_names o ON o.code = c.outcome
LEFT JOIN state_names s ON s.code = c.final_state
ORDER BY c.run, c."case"
"""

# Names by LEFT JOIN everywhere: else DuckDB may build its hash table of the many rows in place of the few names.
STAYS = f"""
CREATE VIEW stays AS
SELECT y.run, y."case", w.workflow, g.name AS region, s.name AS state, y.entered,
    nullif(y.left_at, {FOREVER}) AS left_at, business_time(y.entered, nullif(y.left_at, {FOREVER})) AS dwell,
    y.entered_seq, y.left_seq
FROM stay_rows y
LEFT JOIN workflow_names w ON w.run = y.run AND w.number = y.workflow
LEFT JOIN region_names g ON g.code = y.region
LEFT JOIN state_names s ON s.code = y.state
"""

# One quantile_cont with a list: values are kept and selected once. By the edge, one small integer, as that takes half
# of the time that its four columns do, which are the same in all of its rows.
DFG = """
CREATE VIEW dfg AS
WITH edges AS (
    SELECT run, workflow, any_value(region) AS region, any_value(state) AS state, any_value(to_state) AS to_state,
        any_value(event) AS event, count(*) AS n, sum(dwell)::BIGINT AS total_dwell,
        quantile_cont(dwell, [0.5, 0.95]) AS q
    FROM (SELECT *, business_time(entered, left_at) AS dwell FROM stay_rows WHERE to_state IS NOT NULL)
    GROUP BY run, workflow, edge
    UNION ALL
    SELECT run, workflow, region, state, to_state, event, n, dwell, NULL FROM edge_totals
)
SELECT d.run, w.workflow, g.name AS region, s.name AS from_state, t.name AS to_state, e.name AS event, d.n,
    d.total_dwell, d.total_dwell / d.n AS mean_dwell, d.q[1] AS p50_dwell, d.q[2] AS p95_dwell
FROM edges d
LEFT JOIN workflow_names w ON w.run = d.run AND w.number = d.workflow
LEFT JOIN region_names g ON g.code = d.region
LEFT JOIN state_names s ON s.code = d.state
LEFT JOIN state_names t ON t.code = d.to_state
LEFT JOIN event_names e ON e.code = d.event
ORDER BY d.run, d.workflow, d.n DESC, region, from_state, to_state, event NULLS FIRST
"""

VARIANTS = """
CREATE VIEW variants AS
WITH grouped AS (
    SELECT run, workflow, path_hash, count(*) AS cases, sum(duration)::BIGINT AS total_duration,
        avg(duration) AS mean_duration, quantile_cont(duration, [0.5, 0.95]) AS q,
        min(duration) AS min_duration, max(duration) AS max_duration
    FROM (SELECT *, business_time(started, closed) AS duration FROM cases WHERE closed IS NOT NULL)
    GROUP BY run, workflow, path_hash
)
SELECT g.run, w.workflow, g.path_hash, v.states, len(v.states) AS length, g.cases,
    g.cases / sum(g.cases) OVER (PARTITION BY g.run, g.workflow) AS share, g.total_duration,
    g.mean_duration, g.q[1] AS p50_duration, g.q[2] AS p95_duration, g.min_duration, g.max_duration
FROM grouped g JOIN variants_seen v ON v.path_hash = g.path_hash
LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow
ORDER BY g.run, g.workflow, g.cases DESC, v.states
"""

_SPLIT = f"""
    count(*) FILTER (outcome = {SUCCESS}) AS success,
    count(*) FILTER (outcome = {FAILURE}) AS failure,
    count(*) FILTER (status = {FAILED}) AS failed,
    count(*) FILTER (status = {TIMED_OUT}) AS timed_out,
    count(*) FILTER (status = {CANCELLED}) AS cancelled,
    count(*) FILTER (status = {TERMINATED}) AS "terminated",
    count(*) FILTER (status = {COMPLETED} AND outcome IS NULL) AS completed
"""


def ranked_paths(cases: str, split: bool) -> str:
    """SELECT that ranks the paths of closed cases by number and by time.

    `cases` is a condition on the table of that name; without `split` they all count as one, whatever run and workflow.
    Waiting is that of a case's attempts for a worker, from its start on; null in runs that tell of none.
    """
    own = "run, workflow, " if split else ""
    partition = "PARTITION BY g.run, g.workflow" if split else ""
    return f"""
WITH waits AS (
    SELECT run, "case", sum(business_time(scheduled, scheduled + wait)) AS waited
    FROM history.main.attempt_rows WHERE wait > 0 GROUP BY run, "case"
),
taken AS (
    SELECT c.*, business_time(started, closed) AS duration, if(k.run IS NULL, NULL, coalesce(w.waited, 0)) AS waited
    FROM (SELECT * FROM cases WHERE closed IS NOT NULL AND {cases}) c
    LEFT JOIN waits w ON w.run = c.run AND w."case" = c."case"
    LEFT JOIN (SELECT DISTINCT run FROM history.main.attempt_rows WHERE wait IS NOT NULL) k ON k.run = c.run
),
grouped AS (
    SELECT {own}path_hash, count(*) AS cases, sum(duration)::BIGINT AS total_time,
        avg(duration) AS mean_time, quantile_cont(duration, [0.5, 0.95]) AS q, sum(waited)::BIGINT AS total_wait,
        avg(waited) AS mean_wait, {_SPLIT}
    FROM taken GROUP BY {own}path_hash
)
SELECT {"g.run, w.workflow, " if split else ""}
    array_to_string(v.states, ' → ') AS path, g.cases,
    g.cases / sum(g.cases) OVER ({partition}) AS share,
    g.total_time, g.total_time / nullif(sum(g.total_time) OVER ({partition}), 0) AS time_share,
    g.mean_time, g.q[1] AS p50_time, g.q[2] AS p95_time, g.total_wait, g.mean_wait, g.success, g.failure, g.failed,
    g.timed_out, g.cancelled, g."terminated", g.completed,
    row_number() OVER ({partition} ORDER BY g.cases DESC, g.total_time DESC, v.states) AS rank_by_cases,
    row_number() OVER ({partition} ORDER BY g.total_time DESC, g.cases DESC, v.states) AS rank_by_time,
    v.states, g.path_hash
FROM grouped g JOIN variants_seen v ON v.path_hash = g.path_hash
{"LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow" if split else ""}
ORDER BY {"g.run, g.workflow, " if split else ""}rank_by_cases
"""


HOT_PATHS = "CREATE VIEW hot_paths AS " + ranked_paths("true", True)

# A stay counts from where it begins, and against it from where it ends; a running sum fills the buckets between.
OCCUPANCY = """
CREATE MACRO occupancy(bucket_us) AS TABLE
WITH ends AS (
    SELECT run, workflow, region, state, greatest(entered, range_since()) // bucket_width(bucket_us) AS bucket,
        count(*)::BIGINT AS change,
        (count(*) * bucket_us - sum(greatest(entered, range_since()) % bucket_us))::BIGINT AS inside
    FROM stay_rows GROUP BY ALL
    UNION ALL
    SELECT y.run, y.workflow, y.region, y.state, least(y.left_at, h.horizon) // bucket_width(bucket_us) AS bucket,
        -count(*)::BIGINT, (sum(least(y.left_at, h.horizon) % bucket_us) - count(*) * bucket_us)::BIGINT
    FROM stay_rows y LEFT JOIN horizons h ON h.run = y.run GROUP BY ALL
),
sums AS (
    SELECT run, workflow, region, state, bucket, sum(change)::BIGINT AS change, sum(inside)::BIGINT AS inside
    FROM ends GROUP BY ALL
),
running AS (
    SELECT *, (sum(change) OVER w)::BIGINT AS held, lead(bucket, 1, bucket + 1) OVER w AS next_bucket
    FROM sums WINDOW w AS (PARTITION BY run, workflow, region, state ORDER BY bucket)
),
filled AS (
    SELECT run, workflow, region, state, bucket, inside + (held - change) * bucket_us AS inside FROM running
    UNION ALL
    SELECT run, workflow, region, state, unnest(range(bucket + 1, next_bucket)) AS bucket, held * bucket_us
    FROM running WHERE next_bucket > bucket + 1 AND held > 0
)
SELECT f.run, w.workflow, g.name AS region, s.name AS state, (f.bucket * bucket_us)::BIGINT AS bucket_start,
    f.inside::BIGINT AS time_inside, f.inside / bucket_us AS mean_cases
FROM filled f
LEFT JOIN workflow_names w ON w.run = f.run AND w.number = f.workflow
LEFT JOIN region_names g ON g.code = f.region
LEFT JOIN state_names s ON s.code = f.state
WHERE f.inside > 0 ORDER BY f.run, bucket_start, w.workflow, g.name, s.name
"""

ACTIVITY_STATS = f"""
CREATE VIEW activity_stats AS
WITH errors AS (
    SELECT run, workflow, activity, map_from_entries(list((x.name, n) ORDER BY x.name)) AS error_types
    FROM (
        SELECT run, workflow, activity, error_type, count(*) AS n FROM attempt_rows
        WHERE error_type IS NOT NULL GROUP BY run, workflow, activity, error_type
    ) JOIN error_type_names x ON x.code = error_type
    GROUP BY run, workflow, activity
),
numbers AS (
    SELECT run, workflow, activity, count(scheduled) AS attempts, count(waited) AS started,
        count(*) FILTER (ended_kind = {R_ACTIVITY_SUCCEEDED}) AS successes,
        count(*) FILTER (ended_kind = {R_ACTIVITY_FAILED}) AS failures,
        count(*) FILTER (ended_kind = {R_ATTEMPT_TIMED_OUT}) AS timeouts,
        count(*) FILTER (ended_kind = {R_ACTIVITY_CANCELLED}) AS cancelled,
        count(retry_delay) AS retries,
        sum(waited)::BIGINT AS total_wait, avg(waited) AS mean_wait, quantile_cont(waited, [0.5, 0.95]) AS wait,
        max(waited) AS max_wait,
        sum(served)::BIGINT AS total_service, avg(served) AS mean_service,
        quantile_cont(served, [0.5, 0.95]) AS service, max(served) AS max_service
    FROM (
        SELECT *, business_time(scheduled, scheduled + wait) AS waited, business_time(scheduled + wait, ended) AS served
        FROM attempt_rows
    )
    GROUP BY run, workflow, activity
    UNION ALL BY NAME
    SELECT run, workflow, activity, attempts, waits AS started, successes, failures, timeouts, wait AS total_wait,
        wait / nullif(waits, 0) AS mean_wait, service AS total_service,
        service / nullif(services, 0) AS mean_service
    FROM activity_totals
)
SELECT n.run, w.workflow, a.name AS activity, n.attempts, n.started, n.successes, n.failures, n.timeouts, n.cancelled,
    n.retries, n.total_wait, n.mean_wait, n.wait[1] AS p50_wait, n.wait[2] AS p95_wait, n.max_wait,
    n.total_service, n.mean_service, n.service[1] AS p50_service, n.service[2] AS p95_service, n.max_service,
    coalesce(e.error_types, MAP {{}}) AS error_types
FROM numbers n
LEFT JOIN activity_names a ON a.code = n.activity
LEFT JOIN workflow_names w ON w.run = n.run AND w.number = n.workflow
LEFT JOIN errors e ON e.run = n.run AND e.workflow = n.workflow AND e.activity = n.activity
ORDER BY n.run, n.workflow, a.name
"""

# Of an activity also how long it was worked at, and whose work it is: what a longer wait is to be read against.
BOTTLENECKS = """
CREATE VIEW bottlenecks AS
WITH inside AS (
    SELECT y.run, y.workflow, y.region, y.state, business_time(y.entered, least(y.left_at, h.horizon)) AS waited
    FROM stay_rows y LEFT JOIN horizons h ON h.run = y.run
),
begun AS (
    SELECT run, workflow, activity, business_time(scheduled, scheduled + wait) AS waited,
        business_time(scheduled + wait, ended) AS served
    FROM attempt_rows WHERE wait IS NOT NULL
),
grouped AS (
    SELECT run, workflow, 'state' AS what, region, state AS name, count(*) AS n, sum(waited)::BIGINT AS total_wait,
        avg(waited) AS mean_wait, quantile_cont(waited, 0.95) AS p95_wait, max(waited) AS max_wait,
        NULL::BIGINT AS total_service, NULL::DOUBLE AS mean_service
    FROM inside GROUP BY run, workflow, region, state
    UNION ALL
    SELECT run, workflow, 'activity', NULL, activity, count(*), sum(waited)::BIGINT, avg(waited),
        quantile_cont(waited, 0.95), max(waited), coalesce(sum(served), 0)::BIGINT, avg(served)
    FROM begun GROUP BY run, workflow, activity
)
SELECT b.run, w.workflow, b.what, g.name AS region, coalesce(s.name, a.name) AS name, p.pool, b.n, b.total_wait,
    b.mean_wait, b.p95_wait, b.max_wait, b.total_service, b.mean_service,
    b.total_wait / nullif(b.total_wait + b.total_service, 0) AS wait_share
FROM grouped b
LEFT JOIN workflow_names w ON w.run = b.run AND w.number = b.workflow
LEFT JOIN region_names g ON g.code = b.region
LEFT JOIN state_names s ON b.what = 'state' AND s.code = b.name
LEFT JOIN activity_names a ON b.what = 'activity' AND a.code = b.name
LEFT JOIN activity_pools p ON p.run = b.run AND p.number = b.workflow AND p.activity = a.name
ORDER BY b.run, b.total_wait DESC, w.workflow, b.what, g.name NULLS FIRST, name
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

# Who is retried has a second attempt, which was announced.
RETRIES = f"""
CREATE VIEW retries AS
WITH grouped AS (
    SELECT run, workflow, activity, count(*) FILTER (attempt = 1) AS executions,
        count(*) FILTER (attempt = 2 AND retry_delay IS NOT NULL) AS retried,
        count(retry_delay) AS retries, max(attempt) FILTER (scheduled IS NOT NULL) AS max_attempt,
        count(*) FILTER (attempt > 1 AND ended_kind = {R_ACTIVITY_SUCCEEDED}) AS recovered,
        coalesce(sum(retry_delay), 0)::BIGINT AS total_delay
    FROM attempt_rows GROUP BY run, workflow, activity
)
SELECT g.run, w.workflow, a.name AS activity, g.executions, g.retried, g.retries, g.max_attempt, g.recovered,
    g.total_delay
FROM grouped g
LEFT JOIN activity_names a ON a.code = g.activity
LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow
ORDER BY g.run, g.retries DESC, w.workflow, a.name
"""

ACTIVE_AT = """
CREATE MACRO active_at(t) AS TABLE
SELECT y.run, y."case", w.workflow, c.external_id, g.name AS region, s.name AS state, y.entered
FROM (SELECT * FROM history.main.stay_rows WHERE entered <= t AND left_at > t AND in_range(t)) y
LEFT JOIN history.main.cases c ON c.run = y.run AND c."case" = y."case"
LEFT JOIN workflow_names w ON w.run = y.run AND w.number = y.workflow
LEFT JOIN region_names g ON g.code = y.region
LEFT JOIN state_names s ON s.code = y.state
ORDER BY y.run, y."case", g.name, s.name
"""

OUTCOMES = """
CREATE VIEW outcomes AS
WITH grouped AS (
    SELECT run, workflow, status, outcome, count(*) AS cases FROM cases GROUP BY run, workflow, status, outcome
)
SELECT g.run, w.workflow, coalesce(u.name, 'open') AS status, o.name AS outcome, g.cases,
    g.cases / sum(g.cases) OVER (PARTITION BY g.run, g.workflow) AS share
FROM grouped g
LEFT JOIN workflow_names w ON w.run = g.run AND w.number = g.workflow
LEFT JOIN status_names u ON u.code = g.status
LEFT JOIN outcome_names o ON o.code = g.outcome
ORDER BY g.run, g.workflow, status, outcome NULLS FIRST
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

_MADE = re.compile(r"\s*CREATE (?:VIEW|MACRO) (\w+)\b")


def definitions(names: Iterable[str]) -> list[str]:
    """How those views and macros among some names are made, in SQL."""
    wanted = set(names)
    found = ((_MADE.match(text), text.strip()) for text in VIEWS)
    return [text for made, text in found if made is not None and made[1] in wanted]


KEPT_VIEWS = {"workflow_names": WORKFLOW_NAMES, "activity_pools": ACTIVITY_POOLS}
"""Those that a table takes the place of, see `name_workflows`: in a schema behind all others."""
VIEWS = (
    *CLOCK,
    *KEPT_VIEWS.values(),
    RUN_BEGINS,
    *LOCAL_TIME,
    *RANGE_VIEWS,
    RECORD_VALUES,
    DURATIONS,
    STAYS,
    DFG,
    VARIANTS,
    HOT_PATHS,
    OCCUPANCY,
    ACTIVITY_STATS,
    *POOL_VIEWS,
    BOTTLENECKS,
    TIMEOUTS,
    RETRIES,
    EXECUTIONS,
    ACTIVE_AT,
    OUTCOMES,
    SWEEP_POINTS,
    LOG_EVENTS,
    CONFORMANCE,
    METADATA,
    *PROCESS_VIEWS,
    *SLA_VIEWS,
)
