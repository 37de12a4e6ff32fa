"""Stays in states and attempts of activities, as rows of their own, so that most views need not read the records.

They follow from the records of whole cases, by the queries here. A simulated history, which is written once, holds them
as tables; to a file that grows append by append they are views, over the records that there are.
"""

from __future__ import annotations

from wfsim.semantics.codes import (
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_INSTANCE_CLOSED,
    R_RETRY_SCHEDULED,
    R_STATE_ENTERED,
    R_STATUS_CHANGED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
)

FOREVER = 2**63 - 1
"""`left_at` of a stay that lasts: so that all who are somewhere at a moment have left later, which zone maps tell."""

STAY_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run", "INTEGER"),
    ('"case"', "INTEGER"),
    ("workflow", "INTEGER"),
    ("region", "INTEGER"),
    ("state", "INTEGER"),
    ("to_state", "INTEGER"),
    ("event", "INTEGER"),
    ("transition", "INTEGER"),
    ("entered_seq", "INTEGER"),
    ("left_seq", "INTEGER"),
    ("entered", "BIGINT"),
    ("left_at", "BIGINT"),
    ("edge", "INTEGER"),
)
"""Of `stay_rows`: target, event, transition and edge where a transition ended the stay.

Stays of one run have the same `edge` if, and only if, they have the same region, state, target and event: DuckDB counts
by one small number in half of the time that it takes by four. Which number it is says nothing. In a view it is the four
themselves, as a struct.
"""

ATTEMPT_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run", "INTEGER"),
    ('"case"', "INTEGER"),
    ("workflow", "INTEGER"),
    ("region", "INTEGER"),
    ("state", "INTEGER"),
    ("activity", "INTEGER"),
    ("activity_id", "INTEGER"),
    ("attempt", "INTEGER"),
    ("worker", "VARCHAR"),
    ("ended_kind", "UTINYINT"),
    ("error_type", "INTEGER"),
    ("scheduled_seq", "INTEGER"),
    ("ended_seq", "INTEGER"),
    ("scheduled", "BIGINT"),
    ("wait", "BIGINT"),
    ("ended", "BIGINT"),
    ("retry_delay", "BIGINT"),
)
"""Of `attempt_rows`: `wait` until it started; `retry_delay` if a retry announced it, though it never was scheduled."""

CASE_ENDS = ("last_time", "closed", "status", "outcome", "final_state")
"""Columns of `cases` that follow from its records: all but the first are null while it is open."""

_ENDS = f"({R_ACTIVITY_SUCCEEDED}, {R_ACTIVITY_FAILED}, {R_ATTEMPT_TIMED_OUT}, {R_ACTIVITY_CANCELLED})"


def stay_rows(records: str) -> str:
    """Query for the stays that some records tell of, in the order (run, case, entered_seq).

    Where no record ends a stay, the closing does (inner regions after `failed`), or nothing yet. Edges are put on by
    `numbered`, or by `with_edges`.
    """
    return f"""
WITH left_by AS (
    SELECT run, "case", workflow, region, state, if(kind = {R_TRANSITION}, to_state, NULL) AS to_state,
        if(kind = {R_TRANSITION}, event, NULL) AS event, if(kind = {R_TRANSITION}, transition, NULL) AS transition,
        entered_seq, seq AS left_seq, time - dwell AS entered, time AS left_at
    FROM {records} WHERE dwell IS NOT NULL
),
entering AS (
    SELECT run, "case", workflow, region, if(kind = {R_TRANSITION}, to_state, state) AS state, time, seq
    FROM {records} WHERE kind = {R_STATE_ENTERED} OR (kind = {R_TRANSITION} AND to_state IS NOT NULL)
),
unfinished AS (
    SELECT e.* FROM entering e
    ANTI JOIN left_by l ON l.run = e.run AND l."case" = e."case" AND l.entered_seq = e.seq
),
closings AS (SELECT run, "case", seq, time FROM {records} WHERE kind = {R_INSTANCE_CLOSED})
FROM left_by
UNION ALL
SELECT e.run, e."case", e.workflow, e.region, e.state, NULL, NULL, NULL, e.seq, c.seq, e.time,
    coalesce(c.time, {FOREVER})
FROM unfinished e ASOF LEFT JOIN closings c ON c.run = e.run AND c."case" = e."case" AND c.seq >= e.seq
ORDER BY run, "case", entered_seq
"""


def numbered(stays: str) -> str:
    """Query for stays with their edges, in their order, for a table: small integers, which each run counts from 0."""
    rank = "dense_rank() OVER (PARTITION BY run ORDER BY to_state IS NULL, region, state, to_state, event) - 1"
    number = f"if(to_state IS NULL, NULL, {rank})::INTEGER"
    return f'SELECT *, {number} AS edge FROM ({stays}) ORDER BY run, "case", entered_seq'


def with_edges(stays: str) -> str:
    """Query for stays with their edges, for a view: the four codes as one, as that needs to know of no other stay."""
    # Behind all else, so that what sorts stays does not take it along.
    return f"SELECT *, if(to_state IS NULL, NULL, struct_pack(region, state, to_state, event)) AS edge FROM ({stays})"


def case_ends(records: str) -> str:
    """Query for the columns `CASE_ENDS` of each case that some records tell of, behind its run and number.

    A case that was retried closes more than once: its last change of status counts.
    """
    last = f"FILTER (kind IN ({R_INSTANCE_CLOSED}, {R_STATUS_CHANGED}))"
    told = ("time", "status", "outcome", "state")
    closing = ", ".join(f"if(e.ending.kind = {R_INSTANCE_CLOSED}, e.ending.{name}, NULL)" for name in told)
    return f"""
SELECT e.run, e."case", e.last_time, {closing}
FROM (
    SELECT run, "case", max(time) AS last_time,
        arg_max(struct_pack(kind, time, status, outcome, state), seq) {last} AS ending
    FROM {records} GROUP BY run, "case"
) e
"""


def attempt_rows(records: str) -> str:
    """Query for the attempts that some records tell of, in the order (run, case, activity_id, attempt).

    What was ignored, since it came late or twice, tells of none. Nor do reports of attempts that were not made, which
    wait while an instance is paused until they are ignored.
    """
    scheduled, retried = f"kind = {R_ACTIVITY_SCHEDULED}", f"kind = {R_RETRY_SCHEDULED}"
    started, ended = f"kind = {R_ACTIVITY_STARTED}", f"kind IN {_ENDS}"
    reported = ("worker", "ended_kind", "error_type", "ended_seq", "wait", "ended")
    of_made = ", ".join(f"if(scheduled_seq IS NULL, NULL, {name}) AS {name}" for name in reported)
    return f"""
WITH ignored AS (
    SELECT run, "case", cause_seq, activity_id FROM {records}
    WHERE kind = {R_STIMULUS_IGNORED} AND activity_id IS NOT NULL
),
told AS (
    SELECT r.* FROM {records} r
    ANTI JOIN ignored i
    ON i.run = r.run AND i."case" = r."case" AND i.cause_seq = r.seq AND i.activity_id = r.activity_id
    WHERE {scheduled} OR {retried} OR {started} OR {ended}
),
every AS (
    SELECT run, "case", any_value(workflow) AS workflow, any_value(region) AS region, any_value(state) AS state,
        any_value(activity) AS activity, activity_id, attempt,
        any_value(source) FILTER ({started}) AS worker,
        arg_min(kind, seq) FILTER ({ended}) AS ended_kind,
        arg_min(error_type, seq) FILTER ({ended}) AS error_type,
        min(seq) FILTER ({scheduled}) AS scheduled_seq,
        min(seq) FILTER ({ended}) AS ended_seq,
        min(time) FILTER ({scheduled}) AS scheduled,
        min(time) FILTER ({started}) - scheduled AS wait,
        min(time) FILTER ({ended}) AS ended,
        any_value(delay) FILTER ({retried}) AS retry_delay
    FROM told GROUP BY run, "case", activity_id, attempt
)
SELECT * REPLACE ({of_made}) FROM every WHERE scheduled_seq IS NOT NULL OR retry_delay IS NOT NULL
ORDER BY run, "case", activity_id, attempt
"""
