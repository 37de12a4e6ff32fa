"""How busy pools of workers are, as SQL views: which activity asks which pool, its attempts, what the pool came to.

Who may do the work stands in the definition or in the scenario, how many there are in the scenario only; both are kept
with the run. Attempts are records of the log level `full`, so runs of other levels have no rows here.
"""

from __future__ import annotations

_MAP = "MAP(VARCHAR, JSON)"

# The same choice as Scenario.key_of and plans.Member: the scenario's word, then the definition's.
ACTIVITY_POOLS = f"""
CREATE VIEW activity_pools AS
WITH parts AS (
    SELECT w.run, w.number, w.name, w.version, w.number = 0 AS is_root, o.name AS root,
        r.scenario::JSON->'activities' AS own, (r.scenario::JSON->'workflows')::{_MAP} AS others,
        (w.definition::JSON->'activities')::{_MAP} AS declared
    FROM workflows w JOIN runs r ON r.run = w.run JOIN workflows o ON o.run = w.run AND o.number = 0
    WHERE r.log = 'full'
),
plans AS (
    SELECT run, number, declared,
        if(is_root OR (name = root AND others[name || ' ' || version] IS NULL), own,
            coalesce(others[name || ' ' || version], others[name])->'activities')::{_MAP} AS planned
    FROM parts
),
named AS (
    SELECT run, number, declared, planned, unnest(list_distinct(list_concat(
        coalesce(map_keys(declared), []), coalesce(map_keys(planned), [])))) AS activity
    FROM plans
)
SELECT run, number, activity, coalesce(planned[activity]->>'pool', declared[activity]->>'pool') AS pool
FROM named WHERE coalesce(planned[activity]->>'pool', declared[activity]->>'pool') IS NOT NULL
ORDER BY run, number, activity
"""

POOL_ATTEMPTS = """
CREATE VIEW pool_attempts AS
WITH pooled AS (
    SELECT p.run, p.number, p.pool, a.code, a.name FROM activity_pools p JOIN activity_names a ON a.name = p.activity
)
SELECT t.run, p.pool, t."case", w.workflow, p.name AS activity, t.activity_id, t.attempt, t.scheduled,
    t.scheduled + t.wait AS started, t.ended
FROM attempt_rows t
JOIN pooled p ON p.run = t.run AND p.number = t.workflow AND p.code = t.activity
LEFT JOIN workflow_names w ON w.run = t.run AND w.number = t.workflow
WHERE t.scheduled IS NOT NULL
ORDER BY t.run, p.pool, t.scheduled, t."case", t.activity_id, t.attempt
"""

POOL_CAPACITIES = f"""
CREATE VIEW pool_capacities AS
WITH given AS (
    SELECT run, unnest(map_entries((scenario::JSON->'pools')::{_MAP})) AS entry FROM runs WHERE log = 'full'
)
SELECT run, pool, max(capacity) AS capacity
FROM (
    SELECT run, entry.key AS pool, coalesce((entry.value->>'capacity')::BIGINT,
        list_sum([coalesce((one->>'count')::BIGINT, 1) FOR one IN (entry.value->'workers')::JSON[]])) AS capacity
    FROM given
    UNION ALL
    SELECT DISTINCT run, pool, NULL FROM activity_pools
) GROUP BY run, pool ORDER BY run, pool
"""

# What of an attempt is not known yet lasts until the horizon, which is put right in the sums.
# The longest queue is looked for in buckets of time first, of some eight events each: then only in those in which it
# may have been as long as the longest at the end of one. A running sum over all events costs as much as all the rest.
# With shifts those are there who are on shift, and who is still at work after theirs.
POOL_UTILISATION = """
CREATE VIEW pool_utilisation AS
WITH spans AS (
    SELECT h.run, greatest(range_since(), if(u.source = 'simulation', 0,
        (SELECT min(c.started) FROM history.main.cases c WHERE c.run = h.run))) AS begun, h.horizon
    FROM horizons h JOIN runs u ON u.run = h.run WHERE u.log = 'full'
),
pools AS MATERIALIZED (
    SELECT run, pool, row_number() OVER (ORDER BY run, pool)::INTEGER AS which
    FROM (SELECT DISTINCT run, pool FROM activity_pools)
),
pooled AS (
    SELECT p.run, p.number, s.which, a.code
    FROM activity_pools p JOIN activity_names a ON a.name = p.activity JOIN pools s ON s.run = p.run AND s.pool = p.pool
),
taken AS MATERIALIZED (
    SELECT p.which, greatest(scheduled, range_since()) AS scheduled,
        if(wait IS NULL, NULL, greatest(scheduled + wait, range_since())) AS started, ended,
        if(wait IS NULL, ended, greatest(scheduled + wait, range_since())) AS left_queue,
        business_time(scheduled, scheduled + wait) AS waited
    FROM attempt_rows t JOIN pooled p ON p.run = t.run AND p.number = t.workflow AND p.code = t.activity
    WHERE scheduled IS NOT NULL
),
counted AS (
    SELECT which, count(*) AS attempts, count(started) AS started,
        coalesce(sum(ended - started), 0) AS busy, count(started) FILTER (ended IS NULL) AS working,
        coalesce(sum(started) FILTER (ended IS NULL), 0) AS working_since,
        coalesce(sum(left_queue - scheduled), 0) AS queued, count(*) - count(left_queue) AS waiting,
        coalesce(sum(scheduled) FILTER (left_queue IS NULL), 0) AS waiting_since,
        avg(waited) AS mean_wait, max(waited) AS max_wait
    FROM taken GROUP BY which
),
sums AS (
    SELECT s.run, s.pool, attempts, started, (busy + working * horizon - working_since)::BIGINT AS busy_time,
        (queued + waiting * horizon - waiting_since)::BIGINT AS queue_time, mean_wait, max_wait
    FROM counted c JOIN pools s ON s.which = c.which JOIN spans n ON n.run = s.run
),
shifts AS (
    SELECT p.which, c.time, c.capacity FROM shift_changes c JOIN pools p ON p.run = c.run AND p.pool = c.pool
),
levels AS (
    SELECT which, moment, sum(on_shift) AS on_shift, sum(busy) AS busy
    FROM (
        SELECT which, time AS moment, 0 AS busy,
            capacity - lag(capacity, 1, 0) OVER (PARTITION BY which ORDER BY time) AS on_shift
        FROM shifts
        UNION ALL
        SELECT t.which, unnest([t.started, coalesce(t.ended, s.horizon)]), unnest([1, -1]), 0
        FROM (FROM taken SEMI JOIN shifts USING (which) WHERE started IS NOT NULL) t
        JOIN pools p ON p.which = t.which JOIN spans s ON s.run = p.run
    ) GROUP BY which, moment
),
there AS (
    SELECT p.run, p.pool,
        sum(greatest(on_shift, busy) * greatest(0, least(coalesce(next, horizon), horizon) - greatest(moment, begun)))
            / nullif(any_value(horizon - begun), 0) AS mean
    FROM (
        SELECT which, moment, lead(moment) OVER w AS next, sum(on_shift) OVER w AS on_shift, sum(busy) OVER w AS busy
        FROM levels WINDOW w AS (PARTITION BY which ORDER BY moment)
    ) l JOIN pools p ON p.which = l.which JOIN spans s ON s.run = p.run GROUP BY p.run, p.pool
),
waiting AS (
    SELECT which, scheduled, left_queue FROM taken WHERE left_queue > scheduled OR left_queue IS NULL
),
changes AS MATERIALIZED (
    SELECT which, moment, change, moment // width AS bucket
    FROM (
        SELECT which, scheduled AS moment, 1 AS change FROM waiting
        UNION ALL
        SELECT which, left_queue, -1 FROM waiting WHERE left_queue IS NOT NULL
    )
    JOIN (
        SELECT which, (max(scheduled) - min(scheduled)) // count(*) * 4 + 1 AS width FROM waiting GROUP BY which
    ) USING (which)
),
buckets AS MATERIALIZED (
    SELECT which, bucket, came, sum(change) OVER (PARTITION BY which ORDER BY bucket) AS after,
        after - change + came AS most
    FROM (
        SELECT which, bucket, sum(change) AS change, count(*) FILTER (change = 1) AS came
        FROM changes GROUP BY which, bucket
    )
),
worst AS (
    SELECT which, bucket, most - came AS before
    FROM buckets JOIN (SELECT which, max(after) AS least FROM buckets GROUP BY which) USING (which)
    WHERE most >= least
),
queues AS (
    SELECT run, pool, max(waiting)::BIGINT AS max_queue
    FROM (
        SELECT which, before + sum(change) OVER (PARTITION BY which, bucket ORDER BY moment) AS waiting
        FROM changes JOIN worst USING (which, bucket)
    ) JOIN pools USING (which) GROUP BY run, pool
)
SELECT p.run, p.pool, p.capacity, coalesce(m.attempts, 0) AS attempts, coalesce(m.started, 0) AS started,
    s.horizon - s.begun AS span, coalesce(m.busy_time, 0) AS busy_time,
    coalesce(m.busy_time, 0) / nullif(s.horizon - s.begun, 0) AS mean_busy,
    coalesce(t.mean, p.capacity) AS mean_capacity,
    coalesce(m.busy_time, 0) / nullif(coalesce(t.mean, p.capacity) * (s.horizon - s.begun), 0) AS utilisation,
    coalesce(m.queue_time, 0) / nullif(s.horizon - s.begun, 0) AS mean_queue,
    coalesce(q.max_queue, 0) AS max_queue, m.mean_wait, m.max_wait
FROM pool_capacities p JOIN spans s ON s.run = p.run
LEFT JOIN there t ON t.run = p.run AND t.pool = p.pool
LEFT JOIN sums m ON m.run = p.run AND m.pool = p.pool
LEFT JOIN queues q ON q.run = p.run AND q.pool = p.pool
ORDER BY p.run, p.pool
"""

# Work and waiting counted as `occupancy` counts stays: from where they begin, and against them from where they end.
POOL_LOAD = """
CREATE MACRO pool_load(bucket_us) AS TABLE
WITH pooled AS (
    SELECT p.run, p.number, p.pool, a.code FROM activity_pools p JOIN activity_names a ON a.name = p.activity
),
taken AS MATERIALIZED (
    SELECT t.run, p.pool, greatest(t.scheduled, range_since()) AS scheduled,
        greatest(least(coalesce(t.scheduled + t.wait, t.ended, h.horizon), h.horizon), range_since()) AS served,
        if(t.wait IS NULL, NULL, greatest(t.scheduled + t.wait, range_since())) AS started,
        coalesce(t.ended, h.horizon) AS ended
    FROM attempt_rows t JOIN pooled p ON p.run = t.run AND p.number = t.workflow AND p.code = t.activity
    JOIN horizons h ON h.run = t.run WHERE t.scheduled IS NOT NULL
),
spans AS (
    SELECT run, pool, 'busy' AS what, started AS since, ended AS until FROM taken WHERE started IS NOT NULL
    UNION ALL
    SELECT run, pool, 'queue', scheduled, served FROM taken WHERE served > scheduled
),
ends AS (
    SELECT run, pool, what, since // bucket_width(bucket_us) AS bucket, count(*)::BIGINT AS change,
        (count(*) * bucket_us - sum(since % bucket_us))::BIGINT AS inside
    FROM spans GROUP BY ALL
    UNION ALL
    SELECT run, pool, what, until // bucket_width(bucket_us), -count(*)::BIGINT,
        (sum(until % bucket_us) - count(*) * bucket_us)::BIGINT
    FROM spans GROUP BY ALL
),
running AS (
    SELECT run, pool, what, bucket, sum(change)::BIGINT AS change, sum(inside)::BIGINT AS inside,
        (sum(sum(change)) OVER w)::BIGINT AS held, lead(bucket, 1, bucket + 1) OVER w AS next_bucket
    FROM ends GROUP BY run, pool, what, bucket
    WINDOW w AS (PARTITION BY run, pool, what ORDER BY bucket)
),
filled AS (
    SELECT run, pool, what, bucket, inside + (held - change) * bucket_us AS inside FROM running
    UNION ALL
    SELECT run, pool, what, unnest(range(bucket + 1, next_bucket)), held * bucket_us
    FROM running WHERE next_bucket > bucket + 1 AND held > 0
)
SELECT run, pool, (bucket * bucket_us)::BIGINT AS bucket_start,
    coalesce(sum(inside) FILTER (what = 'busy'), 0)::BIGINT AS busy_time,
    coalesce(sum(inside) FILTER (what = 'queue'), 0)::BIGINT AS queue_time,
    busy_time / bucket_us AS mean_busy, queue_time / bucket_us AS mean_queue
FROM filled GROUP BY run, pool, bucket HAVING sum(inside) > 0 ORDER BY run, pool, bucket
"""

POOL_VIEWS = (POOL_ATTEMPTS, POOL_CAPACITIES, POOL_UTILISATION, POOL_LOAD)
