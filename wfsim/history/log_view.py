"""The events of imported logs, as they came, with their attributes: the view `log_events`."""

from __future__ import annotations

from wfsim.semantics.codes import R_ACTIVITY_STARTED, R_ACTIVITY_SUCCEEDED, R_EVENT_RECEIVED

from .payloads import SAID

CAUSES = f"({R_EVENT_RECEIVED}, {R_ACTIVITY_STARTED}, {R_ACTIVITY_SUCCEEDED})"
"""Kinds of the records that an event of a log becomes."""

# Names by a list: an event has few attributes, and a join would need rows of their own for them.
LOG_EVENTS = f"""
CREATE VIEW log_events AS
WITH told AS (
    SELECT r.run, r."case", r.workflow, r.seq, r.time, r.kind, coalesce(r.event, r.activity) AS activity, r.source,
        r.event_id, r."values", (SELECT list(name ORDER BY code) FROM slot_names) AS names
    FROM records r SEMI JOIN (SELECT run FROM runs WHERE source = 'log') u ON u.run = r.run
    WHERE r.kind IN {CAUSES}
)
SELECT t.run, t."case", w.workflow, c.external_id, t.seq, t.time, a.name AS activity,
    coalesce(list_filter(t."values", lambda v: t.names[v.slot + 1] = 'lifecycle:transition')[1]."text",
        if(t.kind = {R_ACTIVITY_STARTED}, 'start', 'complete')) AS lifecycle,
    t.source AS resource, t.event_id,
    ('{{' || array_to_string(list_transform(coalesce(t."values", []),
        lambda v: to_json(t.names[v.slot + 1]) || ':' || {SAID}), ',') || '}}')::JSON AS attributes
FROM told t
LEFT JOIN history.main.cases c ON c.run = t.run AND c."case" = t."case"
LEFT JOIN workflow_names w ON w.run = t.run AND w.number = t.workflow
LEFT JOIN activity_names a ON a.code = t.activity
ORDER BY t.run, t."case", t.seq
"""
