"""What a history stores beside its records, against what the queries over these say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.history.side_tables import CASE_ENDS, attempt_rows, case_ends, stay_rows

if TYPE_CHECKING:
    from wfsim.history.history import History

# Edges are one thing by the number, by what it stands for, and by both.
_EDGES = """
SELECT count(*) FILTER ((edge IS NULL) <> (to_state IS NULL)), count(DISTINCT (run, edge)),
    count(DISTINCT (run, region, state, to_state, coalesce(event, -1))),
    count(DISTINCT (run, edge, region, state, to_state, coalesce(event, -1)))
FROM (FROM stay_rows WHERE edge IS NOT NULL OR to_state IS NOT NULL)
"""
_COUNTED = """
SELECT run, workflow, region, state, to_state, event, count(*), sum(business_time(entered, left_at))::BIGINT,
    quantile_cont(business_time(entered, left_at), [0.5, 0.95])
FROM stay_rows WHERE to_state IS NOT NULL GROUP BY ALL
UNION ALL SELECT run, workflow, region, state, to_state, event, n, dwell, [NULL, NULL] FROM edge_totals
"""
_NAMED = f"""
SELECT y.run, w.workflow, g.name, s.name, t.name, e.name, y.* EXCLUDE (run, workflow, region, state, to_state, event)
FROM ({_COUNTED}) y(run, workflow, region, state, to_state, event, n, total, q)
LEFT JOIN workflow_names w ON w.run = y.run AND w.number = y.workflow
LEFT JOIN region_names g ON g.code = y.region LEFT JOIN event_names e ON e.code = y.event
LEFT JOIN state_names s ON s.code = y.state LEFT JOIN state_names t ON t.code = y.to_state
ORDER BY ALL
"""
_DFG = """
SELECT run, workflow, region, from_state, to_state, event, n, total_dwell, [p50_dwell, p95_dwell] FROM dfg ORDER BY ALL
"""


def check_sides(history: History) -> None:
    """Stays, attempts and closings are those that the records tell of, and lie in their order."""
    for name, query in (("stay_rows", stay_rows("records")), ("attempt_rows", attempt_rows("records"))):
        # What the number of an edge is means nothing.
        columns = "* EXCLUDE (edge)" if name == "stay_rows" else "*"
        assert _asked(history, f"SELECT {columns} FROM {name}") == _asked(history, query), name
    ends = ", ".join(CASE_ENDS)
    asked = f"""
SELECT c.run, c."case", coalesce(e.last_time, c.started), e.* EXCLUDE (run, "case", last_time)
FROM cases c LEFT JOIN ({case_ends("records")}) e(run, "case", {ends}) ON e.run = c.run AND e."case" = c."case"
ORDER BY c.run, c."case"
"""
    stored = f'SELECT run, "case", {ends} FROM cases'
    assert _asked(history, stored) == _asked(history, asked)
    check_edges(history)


def check_edges(history: History) -> None:
    """The number of an edge says what its region, states and event say, and counting by it comes to the same."""
    ((unlike, *numbers),) = _asked(history, _EDGES)
    assert unlike == 0
    assert len(set(numbers)) == 1, numbers
    assert _asked(history, _DFG) == _asked(history, _NAMED)


def _asked(history: History, query: str) -> list[tuple[Any, ...]]:
    return history.sql(query, max_rows=None).fetchall()
