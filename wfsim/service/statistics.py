"""Routes: what the history of a namespace shows, by the views of docs/views.md."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from fastapi import Query
from pydantic import BaseModel, Field

from wfsim.errors import ServiceError, WfsimError
from wfsim.model.duration import Duration
from wfsim.runtime.sending import LONGEST_ID

from .bodies import Rows
from .door import CallerOf, Routes
from .keys import Role

if TYPE_CHECKING:
    from .door import Caller

routes = Routes("statistics")

MOST_ROWS = 10_000
SECONDS = 20.0
"""For one question."""


class Asked(BaseModel):
    """What statistics are about."""

    workflow: str | None = Field(None, max_length=LONGEST_ID, description="only of this one")
    since: str | None = Field(
        None, max_length=50, description="from then on: 2026-11-30T09:00:00Z, or microseconds since 1970"
    )
    until: str | None = Field(None, max_length=50, description="before then")


class AskedOfActivity(Asked):
    """The same, and perhaps of one activity."""

    activity: str | None = Field(None, max_length=LONGEST_ID, description="only this one")


class AskedLimited(Asked):
    """The same, and how many rows."""

    limit: int = Field(20, ge=1, le=MOST_ROWS)


class AskedByTime(Asked):
    """The same, and how long each part is."""

    bucket: str = Field("1h", max_length=20, description="15m, 1h, 1d")


AskedOf: TypeAlias = Annotated[Asked, Query()]


@routes.at("GET", "/statistics/states", Role.VIEWER)
def states(caller: CallerOf, asked: AskedOf) -> Rows:
    """How many instances are in which state of their workflow, and with which status (`open`: not closed)."""
    query = (
        "SELECT d.workflow, d.status, d.outcome, coalesce(d.final_state, s.state) AS state, count(*) AS instances "
        "FROM durations AS d LEFT JOIN stays AS s "
        """ON s.run = d.run AND s."case" = d."case" AND s.region = '' AND s.left_at IS NULL """
        "WHERE $workflow IS NULL OR d.workflow = $workflow GROUP BY ALL ORDER BY ALL LIMIT $limit"
    )
    return _rows(caller, query, asked, {})


@routes.at("GET", "/statistics/activities", Role.VIEWER)
def activities(caller: CallerOf, asked: Annotated[AskedOfActivity, Query()]) -> Rows:
    """The view `activity_stats`: attempts, failures, timeouts, retries, waiting and service times."""
    query = (
        "SELECT * EXCLUDE (run) FROM activity_stats WHERE ($workflow IS NULL OR workflow = $workflow) "
        "AND ($activity IS NULL OR activity = $activity) ORDER BY workflow, activity LIMIT $limit"
    )
    return _rows(caller, query, asked, {"activity": asked.activity})


@routes.at("GET", "/statistics/durations", Role.VIEWER)
def durations(caller: CallerOf, asked: AskedOf) -> Rows:
    """How long instances took that closed in this time, by workflow, status and outcome."""
    query = (
        "SELECT workflow, status, outcome, count(*) AS instances, avg(duration) AS mean_duration, "
        "quantile_cont(duration, 0.5) AS p50_duration, quantile_cont(duration, 0.95) AS p95_duration, "
        "min(duration) AS min_duration, max(duration) AS max_duration FROM durations "
        "WHERE closed IS NOT NULL AND ($workflow IS NULL OR workflow = $workflow) "
        "GROUP BY workflow, status, outcome ORDER BY workflow, status, outcome LIMIT $limit"
    )
    return _rows(caller, query, asked, {})


@routes.at("GET", "/statistics/trend", Role.VIEWER)
def trend(caller: CallerOf, asked: Annotated[AskedByTime, Query()]) -> Rows:
    """The view `trend`: how many started, closed and were open, the newest part first."""
    width = int(Duration.of(asked.bucket))
    if width < 1_000_000:
        raise WfsimError(f"a bucket is at least a second, not {asked.bucket}.")
    query = (
        "SELECT * EXCLUDE (run) FROM trend($bucket) WHERE $workflow IS NULL OR workflow = $workflow "
        "ORDER BY workflow, bucket_start DESC LIMIT $limit"
    )
    return _rows(caller, query, asked, {"bucket": width})


@routes.at("GET", "/statistics/hot-paths", Role.VIEWER)
def hot_paths(caller: CallerOf, asked: Annotated[AskedLimited, Query()]) -> Rows:
    """The view `hot_paths`: the ways that most instances went, and how much of the time they took."""
    return _view(caller, "hot_paths", "rank_by_cases", asked, asked.limit)


@routes.at("GET", "/statistics/bottlenecks", Role.VIEWER)
def bottlenecks(caller: CallerOf, asked: Annotated[AskedLimited, Query()]) -> Rows:
    """The view `bottlenecks`: where instances wait longest, states and activities, most first."""
    return _view(caller, "bottlenecks", "total_wait DESC", asked, asked.limit)


def _view(caller: Caller, view: str, order: str, asked: Asked, limit: int) -> Rows:
    # Names of views and orders are ours; what callers give is bound.
    query = (
        f"SELECT * EXCLUDE (run) FROM {view} WHERE $workflow IS NULL OR workflow = $workflow "
        f"ORDER BY workflow, {order} LIMIT $limit"
    )
    return _rows(caller, query, asked, {"limit": limit})


def _rows(caller: Caller, query: str, asked: Asked, values: dict[str, Any]) -> Rows:
    engine = caller.tenant.engine
    if not engine.catch_up(SECONDS):
        raise ServiceError(
            "the history lacks records of instances that have gone on since it was asked last, and is fetching them.",
            status=503,
            code="catching_up",
            retry_after=1.0,
        )
    history = engine.history
    if asked.since is not None or asked.until is not None:
        history = history.between(_moment(asked.since), _moment(asked.until))
    bound = {"workflow": asked.workflow, "limit": MOST_ROWS, **values}
    answer = history.sql(query, bound, max_rows=MOST_ROWS, max_seconds=SECONDS)
    names = answer.columns
    return Rows(
        rows=[{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in answer.fetchall()]
    )


def _moment(given: str | None) -> str | int | None:
    if given is not None and given.lstrip("-").isascii() and given.lstrip("-").isdigit() and len(given) < 20:
        return int(given)
    return given


def _plain(value: Any) -> Any:
    """As JSON: what no number is, is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
