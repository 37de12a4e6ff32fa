"""What senders gave beside events, commands and starts of real instances: the view `metadata`."""

from __future__ import annotations

METADATA = """
CREATE VIEW metadata AS
SELECT r.run, r."case", w.workflow, c.external_id, r.seq, r.time, k.name AS kind, e.name AS event, r.event_id,
    d.name AS command, m.metadata::JSON AS metadata
FROM history.main.metadata_rows m
JOIN records r ON r.run = m.run AND r."case" = m."case" AND r.seq = m.seq
LEFT JOIN history.main.cases c ON c.run = r.run AND c."case" = r."case"
LEFT JOIN workflow_names w ON w.run = r.run AND w.number = r.workflow
LEFT JOIN kind_names k ON k.code = r.kind
LEFT JOIN event_names e ON e.code = r.event
LEFT JOIN command_names d ON d.code = r.command
ORDER BY r.run, r."case", r.seq
"""
