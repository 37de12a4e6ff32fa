"""What happened beside what the definition of a run says, as a view."""

from __future__ import annotations

# Region by region; what an event is called in records is `_event_name` of semantics/compile.py.
CONFORMANCE = """
CREATE VIEW conformance AS
WITH RECURSIVE regions AS (
    SELECT run, number, '' AS region, definition::JSON AS body FROM workflows WHERE definition <> '{}'
    UNION ALL
    SELECT run, number, concat_ws('/', nullif(region, ''), outer_state ->> 'name', inner_region ->> 'name'),
        inner_region
    FROM (
        SELECT run, number, region, outer_state, unnest(outer_state -> '$.parallel.regions[*]') AS inner_region
        FROM (SELECT run, number, region, unnest(body -> '$.states[*]') AS outer_state FROM regions)
    )
),
moves AS (
    SELECT DISTINCT run, number, region, concat_ws('/', nullif(region, ''), move ->> 'from') AS from_state,
        CASE
            WHEN move ->> 'after' IS NOT NULL OR move ->> 'at' IS NOT NULL THEN 'after'
            WHEN move ->> 'event' IS NULL THEN 'automatic'
            WHEN starts_with(move ->> 'event', 'error.') THEN 'error'
            ELSE move ->> 'event'
        END AS event,
        concat_ws('/', nullif(region, ''), move ->> 'to') AS to_state
    FROM (SELECT run, number, region, unnest(body -> '$.transitions[*]') AS move FROM regions)
    WHERE move ->> 'to' IS NOT NULL
),
defined AS (
    SELECT run, workflow, region, from_state, event, to_state, true AS here
    FROM moves JOIN workflow_names USING (run, number)
),
known AS (SELECT DISTINCT run, workflow FROM regions JOIN workflow_names USING (run, number))
SELECT run, workflow, region, from_state, event, to_state,
    if(known.run IS NULL, NULL, coalesce(here, false)) AS allowed, coalesce(n, 0) AS n
FROM defined
FULL JOIN dfg USING (run, workflow, region, from_state, event, to_state)
LEFT JOIN known USING (run, workflow)
ORDER BY run, workflow, allowed NULLS FIRST, n DESC, region, from_state, event, to_state
"""
