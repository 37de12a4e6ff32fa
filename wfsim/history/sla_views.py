"""How well the service level agreements of a scenario were kept, as SQL views."""

from __future__ import annotations

# In a run in which cases are open, who was due after its end is not decided, closed or not: otherwise the quick ones of
# the last cases would count and the slow ones not.
SLA_CASES = """
CREATE VIEW sla_cases AS
WITH roots AS (
    SELECT d.run, d."case", d.started, d.closed FROM durations d
    JOIN workflow_names w ON w.run = d.run AND w.workflow = d.workflow
    WHERE w.number = 0 AND d.parent_case IS NULL
),
asked AS (
    SELECT s.* FROM slas s JOIN runs r ON r.run = s.run
    WHERE r.log <> 'aggregates' OR (s.from_state IS NULL AND s.until_state IS NULL)
),
spans AS (
    SELECT r.run, any_value(h.horizon) AS horizon, bool_or(r.closed IS NULL) AS has_open
    FROM roots r LEFT JOIN horizons h ON h.run = r.run GROUP BY r.run
),
entries AS (
    SELECT y.run, y."case", y.state, y.entered FROM stays y
    SEMI JOIN asked a ON a.run = y.run AND (a.from_state = y.state OR a.until_state = y.state)
),
begun AS (
    SELECT a.run, a.sla, a.until_state, r."case", r.closed, a.within,
        if(a.from_state IS NULL, r.started, min(e.entered)) AS begun
    FROM asked a JOIN roots r ON r.run = a.run
    LEFT JOIN entries e ON e.run = a.run AND e."case" = r."case" AND e.state = a.from_state
    GROUP BY a.run, a.sla, a.until_state, a.from_state, r."case", r.started, r.closed, a.within
),
ended AS (
    SELECT b.run, b.sla, b."case", b.begun, b.within, if(b.until_state IS NULL, b.closed, min(e.entered)) AS ended
    FROM begun b LEFT JOIN entries e
    ON e.run = b.run AND e."case" = b."case" AND e.state = b.until_state AND e.entered >= b.begun
    WHERE b.begun IS NOT NULL
    GROUP BY b.run, b.sla, b."case", b.begun, b.within, b.until_state, b.closed
)
SELECT e.run, e.sla, e."case", e.begun, business_due(e.begun, e.within) AS due, e.ended,
    if(s.has_open AND business_time(e.begun, s.horizon) < e.within, NULL,
        coalesce(business_time(e.begun, e.ended) <= e.within, false)) AS met
FROM ended e JOIN spans s ON s.run = e.run
ORDER BY e.run, e.sla, e."case"
"""

SLA = """
CREATE VIEW sla AS
SELECT s.run, s.sla, s.within, s.share AS target, count(c."case") AS cases, count(*) FILTER (c.met) AS met,
    count(*) FILTER (NOT c.met) AS missed, count(c."case") - count(c.met) AS undecided,
    avg(c.met::INTEGER) AS share
FROM slas s LEFT JOIN sla_cases c ON c.run = s.run AND c.sla = s.sla
GROUP BY s.run, s.sla, s.within, s.share ORDER BY s.run, s.sla
"""

SLA_VIEWS = (SLA_CASES, SLA)
