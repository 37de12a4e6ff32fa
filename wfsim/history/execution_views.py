"""Every attempt of an activity with what went in and what came out, as an SQL view.

Narrow rows tell of times and ends (`attempt_rows`); input, result and message stand in the records that began and ended
an attempt, of the whole history: a part of its time may begin in between.
"""

from __future__ import annotations

from wfsim.semantics.codes import (
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
)

from .payloads import SAID, joined

_OUTCOMES = {
    R_ACTIVITY_SUCCEEDED: "succeeded",
    R_ACTIVITY_FAILED: "failed",
    R_ATTEMPT_TIMED_OUT: "timed_out",
    R_ACTIVITY_CANCELLED: "cancelled",
}
_OUTCOME = " ".join(f"WHEN {kind} THEN '{word}'" for kind, word in _OUTCOMES.items())
_NAMED = "slots.names[v.slot + 1] || ':' || " + SAID

EXECUTIONS = f"""
CREATE VIEW executions AS
SELECT t.run, t."case", w.workflow, c.external_id, g.name AS region, s.name AS state, a.name AS activity,
    t.activity_id, t.attempt, b."index",
    coalesce(c.external_id, t."case"::VARCHAR) || ':' || t.activity_id AS idempotency_key,
    idempotency_key || ':' || t.attempt AS correlation_id, t.worker,
    ('{{' || coalesce({joined(_NAMED, 'b."values"')}, '') || '}}')::JSON AS input,
    (list_transform(e."values", lambda v: {SAID})[1])::JSON AS output,
    t.scheduled, t.scheduled + t.wait AS started, t.ended, business_time(t.scheduled, t.scheduled + t.wait) AS wait,
    business_time(t.scheduled + t.wait, t.ended) AS service,
    CASE t.ended_kind {_OUTCOME} END AS outcome, x.name AS error_type,
    if(t.ended_kind = {R_ACTIVITY_FAILED}, e.reason, NULL) AS message, t.scheduled_seq, t.ended_seq
FROM (SELECT * FROM attempt_rows WHERE scheduled IS NOT NULL) t
LEFT JOIN (SELECT * FROM history.main.records WHERE kind = {R_ACTIVITY_SCHEDULED}) b
ON b.run = t.run AND b."case" = t."case" AND b.seq = t.scheduled_seq
LEFT JOIN (SELECT * FROM history.main.records WHERE kind IN ({R_ACTIVITY_SUCCEEDED}, {R_ACTIVITY_FAILED})) e
ON e.run = t.run AND e."case" = t."case" AND e.seq = t.ended_seq
LEFT JOIN history.main.cases c ON c.run = t.run AND c."case" = t."case"
LEFT JOIN workflow_names w ON w.run = t.run AND w.number = t.workflow
LEFT JOIN region_names g ON g.code = t.region
LEFT JOIN state_names s ON s.code = t.state
LEFT JOIN activity_names a ON a.code = t.activity
LEFT JOIN error_type_names x ON x.code = t.error_type
CROSS JOIN (SELECT list(to_json(name)::VARCHAR ORDER BY code) AS names FROM slot_names) slots
"""
