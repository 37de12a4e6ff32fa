"""What the events of a log mean as records of a history, in SQL over `staged`.

docs/decisions/imported_logs.md says why.

Tables of numbers, one after another:

- `case_list`: the cases, in the order in which they first come;
- `placed`: one row for each moment that an event tells of, in its place in its case, with its part (`STEP`, …)
and which half of a row it is;
- `instances`: executions of activities of which the log tells starts;
- `entered`: the moments at which a case comes to an activity, which is its state from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.history.schema import RECORD_COLUMNS
from wfsim.semantics.codes import (
    COMPLETED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_EVENT_RECEIVED,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_STATE_ENTERED,
    R_TRANSITION,
)

from .staging import KEPT

if TYPE_CHECKING:
    import duckdb

STEP, START, COMPLETE, SCHEDULE, OTHER, LONE = range(6)
"""Parts: an event without duration, a start, its completion, a schedule, something else, a completion without start."""
_ENTERING = f"({STEP}, {START}, {LONE})"
_ENDING = f"({STEP}, {COMPLETE}, {LONE})"
_OWN = f"CASE WHEN part IN ({COMPLETE}, {OTHER}) THEN 1 ELSE 2 END"
"""Records of an event itself: its cause, and one more if the case moves or something is scheduled."""

STANDARD = (
    "assign",
    "reassign",
    "suspend",
    "resume",
    "withdraw",
    "ate_abort",
    "pi_abort",
    "abort_activity",
    "abort_case",
    "autoskip",
    "manualskip",
)
"""Transitions of the lifecycle of IEEE 1849-2016 that neither start nor complete, by which a case does not move."""


def list_cases(con: duckdb.DuckDBPyConnection, *, traces: bool) -> None:
    """Make `case_list`: `"case"` from 1, `trace`, `case_name`; names of `traces` are in the table `called`."""
    cases = (
        f"SELECT trace, case_name, min(place) AS first FROM memory.main.staged WHERE {KEPT} GROUP BY trace, case_name"
    )
    if traces:
        cases = f"SELECT trace, n.name AS case_name, first FROM ({cases}) JOIN memory.main.called n USING (trace)"
    con.execute(f"""
CREATE TABLE memory.main.case_list AS
SELECT row_number() OVER (ORDER BY first)::INTEGER AS "case", trace, case_name FROM ({cases})
""")


def place(con: duckdb.DuckDBPyConnection, *, by_time: bool, has_starts: bool, pairs: bool, traces: bool) -> None:
    """Make `placed`: one row for each moment that an event tells of.

    `"case"`, `pos` from 1, `source` (its place in the log), `half` (0: the start that the row tells of),
    `activity` (code), `own`, `time`, `part`, `instance`.

    `time` never falls in a case: it is the latest until then, where `own` is the event's.
    """
    life = "lower(s.lifecycle)"
    part = (
        f"CASE WHEN {life} = 'start' THEN {START} WHEN {life} = 'schedule' THEN {SCHEDULE} "
        f"WHEN {life} IN ({', '.join(map(repr, STANDARD))}) THEN {OTHER} "
        f"WHEN coalesce({life}, '') IN ('', 'complete') THEN {COMPLETE} ELSE {STEP} END"
        if pairs
        else str(STEP)
    )
    moments = (
        f"SELECT place AS source, 1 AS half, moment AS own, {part} AS part, * FROM memory.main.staged s WHERE {KEPT}"
    )
    if has_starts:
        moments = f"""
SELECT * REPLACE (if(start_moment IS NULL, {STEP}, {COMPLETE}) AS part) FROM ({moments})
UNION ALL BY NAME
SELECT place AS source, 0 AS half, start_moment AS own, {START} AS part, *
FROM memory.main.staged WHERE {KEPT} AND start_moment IS NOT NULL
"""
    order = "own, source, half" if by_time or has_starts else "source, half"
    same = "c.trace = m.trace" if traces else "c.case_name = m.case_name"
    instance = "source::VARCHAR" if has_starts else "instance"
    con.execute(f"""
CREATE TABLE memory.main.placed AS
SELECT c."case", (row_number() OVER w)::INTEGER AS pos, m.source, m.half::TINYINT AS half, a.code AS activity, m.own,
    max(m.own) OVER w AS time, m.part::TINYINT AS part, {instance if pairs or has_starts else "NULL"} AS instance
FROM ({moments}) m
JOIN memory.main.case_list c ON {same}
JOIN memory.main.activity_codes a ON a.name = m.activity
WINDOW w AS (PARTITION BY c."case" ORDER BY {order} ROWS UNBOUNDED PRECEDING)
""")


def pair(con: duckdb.DuckDBPyConnection, *, simple: bool) -> None:
    """Make `instances`, and tell in `placed` which completions have no start.

    First in, first out: of the starts of an activity that are open, the first is completed. Of an activity that starts
    nowhere each completion is a step.
    """
    if simple:
        con.execute("""
CREATE TABLE memory.main.instances (
    "case" INTEGER, activity INTEGER, activity_id INTEGER, scheduled_pos INTEGER, begun_pos INTEGER, done_pos INTEGER,
    anchor INTEGER, scheduled BIGINT, begun BIGINT, done BIGINT
)
""")
        return
    same = 'PARTITION BY "case", activity, instance ORDER BY pos'
    con.execute(f"""
UPDATE memory.main.placed SET part = {STEP}
WHERE part = {COMPLETE} AND activity NOT IN (SELECT activity FROM memory.main.placed WHERE part IN ({START},
{SCHEDULE}))
""")
    con.execute(f"""
UPDATE memory.main.placed SET part = {LONE} FROM (
    SELECT "case" AS of_case, pos AS of_pos FROM (
        SELECT *, min(open) OVER ({same} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS least_open
        FROM (
            SELECT *, sum(if(part = {START}, 1, -1)) OVER ({same} ROWS UNBOUNDED PRECEDING) AS open
            FROM memory.main.placed WHERE part IN ({START}, {COMPLETE})
        )
    ) WHERE part = {COMPLETE} AND open < least(coalesce(least_open, 0), 0)
) WHERE "case" = of_case AND pos = of_pos
""")
    con.execute(f"""
CREATE TABLE memory.main.instances AS
WITH begun AS (
    SELECT *, row_number() OVER ({same}) AS nth FROM memory.main.placed WHERE part = {START}
),
done AS (SELECT *, row_number() OVER ({same}) AS nth FROM memory.main.placed WHERE part = {COMPLETE}),
runs AS (
    SELECT b."case", b.activity, b.instance, b.pos AS begun_pos, d.pos AS done_pos, b.time AS begun, d.time AS done,
        b.pos AS pos
    FROM begun b LEFT JOIN done d
    ON d."case" = b."case" AND d.activity = b.activity AND d.instance IS NOT DISTINCT FROM b.instance AND d.nth = b.nth
    UNION ALL
    SELECT "case", activity, instance, NULL, pos, NULL, time, pos FROM memory.main.placed WHERE part = {LONE}
),
plans AS (
    -- A schedule is for the first run of the activity behind it that no other one is for.
    SELECT *, row_number() OVER ({same}) AS nth
    FROM (
        SELECT *, min(open) OVER ({same} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS least_open
        FROM (
            SELECT *, sum(if(part = {SCHEDULE}, 1, -1)) OVER ({same} ROWS UNBOUNDED PRECEDING) AS open
            FROM memory.main.placed WHERE part IN ({SCHEDULE}, {START}, {LONE})
        )
    ) WHERE part = {SCHEDULE} OR open >= least(coalesce(least_open, 0), 0)
),
planned AS (
    SELECT p."case", p.activity, p.instance, p.pos AS scheduled_pos, p.time AS scheduled, r.pos AS run_pos
    FROM (SELECT *, row_number() OVER ({same}) AS k FROM plans WHERE part = {SCHEDULE}) p
    LEFT JOIN (SELECT *, row_number() OVER ({same}) AS k FROM plans WHERE part <> {SCHEDULE}) r
    ON r."case" = p."case" AND r.activity = p.activity AND r.instance IS NOT DISTINCT FROM p.instance AND r.k = p.k
),
every AS (
    SELECT r."case", r.activity, p.scheduled_pos, r.begun_pos, r.done_pos, p.scheduled, r.begun, r.done,
        coalesce(p.scheduled_pos, r.pos) AS first_pos, r.pos
    FROM runs r LEFT JOIN planned p ON p."case" = r."case" AND p.run_pos = r.pos
    UNION ALL
    SELECT "case", activity, scheduled_pos, NULL, NULL, scheduled, NULL, NULL, scheduled_pos, scheduled_pos
    FROM planned WHERE run_pos IS NULL
),
ready AS (
    SELECT "case", pos, last_value(if(part IN {_ENDING}, pos, NULL) IGNORE NULLS) OVER w AS before,
        last_value(if(part IN {_ENDING}, time, NULL) IGNORE NULLS) OVER w AS since
    FROM memory.main.placed
    WINDOW w AS (PARTITION BY "case" ORDER BY pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT e."case", e.activity, (row_number() OVER (PARTITION BY e."case" ORDER BY e.first_pos))::INTEGER AS activity_id,
    e.scheduled_pos, e.begun_pos, e.done_pos,
    if(e.scheduled_pos IS NULL, coalesce(y.before, 0), NULL)::INTEGER AS anchor,
    coalesce(e.scheduled, y.since, f.time) AS scheduled, e.begun, e.done
FROM every e
LEFT JOIN ready y ON y."case" = e."case" AND y.pos = e.pos
LEFT JOIN memory.main.placed f ON f."case" = e."case" AND f.pos = 1
""")


def number(con: duckdb.DuckDBPyConnection, final: list[int] | None) -> None:
    """Make `entered`, and give every event the number of the record before its own, in `numbered`.

    `final` are the activities that close a case; without them each is closed by its last event.
    """
    con.execute(f"""
CREATE TABLE memory.main.numbered AS
WITH anchored AS (
    SELECT "case", anchor, count(*) AS n FROM memory.main.instances WHERE anchor IS NOT NULL GROUP BY ALL
)
SELECT p.*, {_OWN} AS n_own,
    (1 + coalesce(z.n, 0) + sum({_OWN} + coalesce(a.n, 0)) OVER w - {_OWN} - coalesce(a.n, 0))::INTEGER AS base,
    coalesce(a.n, 0)::INTEGER AS n_anchored
FROM memory.main.placed p
LEFT JOIN anchored a ON a."case" = p."case" AND a.anchor = p.pos
LEFT JOIN anchored z ON z."case" = p."case" AND z.anchor = 0
WINDOW w AS (PARTITION BY p."case" ORDER BY p.pos ROWS UNBOUNDED PRECEDING)
""")
    con.execute(f"""
CREATE TABLE memory.main.entered AS
SELECT "case", pos, activity, time, base + 2 AS seq, base + 1 AS cause_seq,
    (row_number() OVER w)::INTEGER AS nth, lag(activity) OVER w AS before, lag(time) OVER w AS since,
    lag(base + 2) OVER w AS entered_seq
FROM memory.main.numbered WHERE part IN {_ENTERING}
WINDOW w AS (PARTITION BY "case" ORDER BY pos)
""")
    closes = "true" if final is None else f"coalesce(e.last IN ({', '.join(map(str, final)) or 'NULL'}), false)"
    con.execute(f"""
CREATE TABLE memory.main.whole AS
SELECT n."case", n.started, n.ended, n.last_seq, n.last_cause, e.last, e.since, e.entered_seq, {closes} AS closed,
    n.last_seq + {closes}::INTEGER AS version
FROM (
    SELECT "case", min(time) AS started, max(time) AS ended, max(base + n_own + n_anchored) AS last_seq,
        max(base + 1) AS last_cause
    FROM memory.main.numbered GROUP BY "case"
) n
LEFT JOIN (
    SELECT "case", arg_max(activity, pos) AS last, arg_max(time, pos) AS since, arg_max(seq, pos) AS entered_seq
    FROM memory.main.entered GROUP BY "case"
) e ON e."case" = n."case"
""")


_FIELDS = {
    "started": {
        "seq": "1",
        "time": "w.started",
        "kind": str(R_STARTED),
        "cause_seq": "1",
        '"values"': 'k."values"',
        "key": "0",
    },
    "cause": {
        "seq": "n.base + 1",
        "time": "n.time",
        "kind": f"CASE n.part WHEN {START} THEN {R_ACTIVITY_STARTED} WHEN {COMPLETE} THEN {R_ACTIVITY_SUCCEEDED} "
        f"WHEN {LONE} THEN {R_ACTIVITY_SUCCEEDED} ELSE {R_EVENT_RECEIVED} END",
        "cause_seq": "n.base + 1",
        "event": f"if(n.part IN ({START}, {COMPLETE}, {LONE}), NULL, n.activity)",
        "event_id": "s.id",
        "activity": f"if(n.part IN ({START}, {COMPLETE}, {LONE}), n.activity, NULL)",
        "activity_id": "i.activity_id",
        "attempt": f"if(n.part IN ({START}, {COMPLETE}, {LONE}), 1, NULL)",
        "state": f"if(n.part IN ({START}, {COMPLETE}, {LONE}), n.activity, NULL)",
        "source": "s.resource",
        '"values"': 'if(n.half = 0, NULL, s."values")',
        "wait": f"if(n.part = {START}, i.begun - i.scheduled, NULL)",
        "service": f"if(n.part = {COMPLETE}, i.done - i.begun, NULL)",
        "path_hash": "h.hash",
    },
    "move": {
        "seq": "e.seq",
        "time": "e.time",
        "kind": f"if(e.before IS NULL, {R_STATE_ENTERED}, {R_TRANSITION})",
        "cause_seq": "e.cause_seq",
        "state": "coalesce(e.before, e.activity)",
        "to_state": "if(e.before IS NULL, NULL, e.activity)",
        "entered_seq": "e.entered_seq",
        "dwell": "e.time - e.since",
        "path_hash": "h.hash",
    },
    "schedule": {
        "seq": "i.seq",
        "time": "i.scheduled",
        "kind": str(R_ACTIVITY_SCHEDULED),
        "cause_seq": "i.cause_seq",
        "state": "i.activity",
        "activity": "i.activity",
        "activity_id": "i.activity_id",
        "attempt": "1",
        "path_hash": "h.hash",
    },
    "closing": {
        "seq": "w.version",
        "time": "w.ended",
        "kind": str(R_INSTANCE_CLOSED),
        "cause_seq": "w.last_cause",
        "state": "w.last",
        "status": str(COMPLETED),
        "entered_seq": "w.entered_seq",
        "dwell": "w.ended - w.since",
        "path_hash": "h.hash",
    },
}


_TOLD_BY = {"started": "w", "cause": "n", "move": "e", "schedule": "i", "closing": "w"}
"""The table that each kind of row is made of, by its short name."""


def _row(kind: str) -> str:
    """The columns of `records`, as a SELECT has them for one kind of row."""
    said = {'"case"': f'{_TOLD_BY[kind]}."case"', **_FIELDS[kind]}
    return ", ".join(f"({said.get(name, 'NULL')})::{_TYPES[name]} AS {name}" for name in _VARYING)


_TYPES = dict(RECORD_COLUMNS)
_VARYING = [name for name in _TYPES if name == '"case"' or any(name in fields for fields in _FIELDS.values())]
"""Columns that differ from row to row: only these are sorted."""
_SAME = {"run": "1", "workflow": "0", "region": f"if(r.kind = {R_STARTED}, NULL, 0)", "is_last": "r.seq = t.version"}
_ALL = ", ".join(
    f"r.{name}" if name in _VARYING else f"({_SAME.get(name, 'NULL')})::{kind} AS {name}"
    for name, kind in RECORD_COLUMNS
)


# The path after so many moves; the one that holds at a record is that of the last move until it.
_PATH = """
    LEFT JOIN memory.main.case_paths q ON q."case" = {0}."case"
    LEFT JOIN memory.main.path_hashes h ON h.path = q.path AND h.nth = {1}"""

_MOVED = f"""
CREATE TABLE memory.main.moved AS
SELECT n.*, (count(*) FILTER (part IN {_ENTERING}) OVER w)::INTEGER AS nth
FROM memory.main.numbered n
WINDOW w AS (PARTITION BY "case" ORDER BY pos ROWS UNBOUNDED PRECEDING)
"""

_SCHEDULES = """
CREATE TABLE memory.main.schedules AS
SELECT i."case", i.activity, i.activity_id, i.scheduled, coalesce(n.nth, 0) AS nth,
    coalesce(n.base + 1, 1) AS cause_seq,
    if(i.anchor IS NULL, n.base + 2, coalesce(n.base + n.n_own, 1)
        + row_number() OVER (PARTITION BY i."case", i.anchor ORDER BY i.activity_id)) AS seq
FROM memory.main.instances i
LEFT JOIN memory.main.moved n ON n."case" = i."case" AND n.pos = coalesce(i.anchor, i.scheduled_pos)
"""


def follow(con: duckdb.DuckDBPyConnection) -> None:
    """Make `moved`, events with how often the case has moved by then, and `schedules`, with the numbers of "
    "their records."""
    con.execute(_MOVED)
    con.execute(_SCHEDULES)


def list_paths(con: duckdb.DuckDBPyConnection) -> None:
    """Make `path_list`, every sequence of activities that is a case's, and `case_paths`."""
    con.execute("""
CREATE TABLE memory.main.case_lists AS
SELECT "case", list(activity ORDER BY nth) AS states FROM memory.main.entered GROUP BY "case"
""")
    con.execute("""
CREATE TABLE memory.main.path_list AS
SELECT row_number() OVER (ORDER BY first) AS path, states
FROM (SELECT states, min("case") AS first FROM memory.main.case_lists GROUP BY states)
""")
    con.execute("""
CREATE TABLE memory.main.case_paths AS
SELECT "case", p.path, len(states)::INTEGER AS length
FROM memory.main.case_lists JOIN memory.main.path_list p USING (states)
""")


def records_between(first: int, last: int) -> str:
    """The query for the records of some cases, in their order."""
    some = f"BETWEEN {first} AND {last}"
    return f"""
SELECT {_ALL} FROM (
    SELECT {_row("started")}
    FROM memory.main.whole w LEFT JOIN memory.main.case_values k ON k."case" = w."case" WHERE w."case" {some}
    UNION ALL
    SELECT {_row("cause")}
    FROM memory.main.moved n
    JOIN memory.main.staged s ON s.place = n.source
    LEFT JOIN memory.main.instances i ON i."case" = n."case" AND
        ((n.part = {START} AND i.begun_pos = n.pos) OR (n.part IN ({COMPLETE}, {LONE}) AND i.done_pos = n.pos))
    {_PATH.format("n", f"if(n.part IN {_ENTERING}, n.nth - 1, n.nth)")}
    WHERE n."case" {some}
    UNION ALL
    SELECT {_row("move")} FROM memory.main.entered e {_PATH.format("e", "e.nth")} WHERE e."case" {some}
    UNION ALL
    SELECT {_row("schedule")}
    FROM memory.main.schedules i
    {_PATH.format("i", "i.nth")}
    WHERE i."case" {some}
    UNION ALL
    SELECT {_row("closing")}
    FROM memory.main.whole w LEFT JOIN memory.main.case_paths q ON q."case" = w."case"
    LEFT JOIN memory.main.path_hashes h ON h.path = q.path AND h.nth = q.length
    WHERE w.closed AND w."case" {some}
) r JOIN memory.main.whole t ON t."case" = r."case" ORDER BY r."case", r.seq
"""
