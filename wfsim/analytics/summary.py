"""What the command line shows of a history beside its summary: tables, and how their values are written for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wfsim.model.duration import short_time

if TYPE_CHECKING:
    from wfsim.history.history import History


def summary_queries(history: History, limit: int) -> dict[str, str]:
    """The tables by title, each as SQL on the views of the history; `limit` rows of the long ones."""
    several = history.sql("SELECT count(DISTINCT workflow) FROM workflow_names").fetchall()[0][0] > 1
    own = "workflow, " if several else ""
    return {
        "outcomes": f"SELECT {own}status, outcome, cases, share FROM outcomes",
        "hot paths": f"SELECT {own}path, cases, share, p50_time, p95_time, success, "
        f"failure + failed + timed_out AS other FROM hot_paths ORDER BY cases DESC, path LIMIT {limit}",
        "where time goes": f"SELECT {own}what, name, n, p95_wait AS p95, total_wait AS total "
        f"FROM bottlenecks ORDER BY total_wait DESC, name LIMIT {limit}",
        "activities": f"SELECT {own}activity, attempts, failures, timeouts, retries, p95_wait, p50_service, "
        f"p95_service FROM activity_stats ORDER BY total_wait + total_service DESC, activity LIMIT {limit}",
        "timeouts": f"SELECT {own}what, name, clock, n, cases FROM timeouts ORDER BY n DESC, name LIMIT {limit}",
        "retries": f"SELECT {own}activity, executions, retried, retries, recovered, total_delay "
        f"FROM retries ORDER BY retries DESC, activity LIMIT {limit}",
    }


_TIMES = re.compile(r"(^|_)(mean|p50|p95|max|total|time|wait|service|delay|p90|p99|duration)$")


def cell(column: str, value: Any) -> str:
    """A value for people: durations (microseconds inside) with a unit, shares in per cent."""
    if value is None or value != value:  # NaN
        return ""
    if _TIMES.search(column) and not isinstance(value, str):
        return short_time(float(value))
    if column == "share":
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
