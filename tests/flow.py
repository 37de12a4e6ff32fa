"""What holds in every run whatever is random: Little's law, balance of flow, and workers that do not stand idle.

Each number is counted twice: from records, by sweeping through time, and from the views. All are whole microseconds, so
they are equal and not merely near.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.history.history import History

_IN_SYSTEM = """
SELECT run, workflow, time, if(kind = 'started', 1, -1) AS change FROM history
WHERE kind IN ('started', 'instance_closed')
"""
_DURATIONS = """
WITH horizons AS (SELECT run, max(time) AS horizon FROM records GROUP BY run)
SELECT d.run, d.workflow, sum(coalesce(d.duration, h.horizon - d.started))::BIGINT
FROM durations d JOIN horizons h USING (run) GROUP BY ALL ORDER BY ALL
"""
_ROOT_STAYS = """
WITH horizons AS (SELECT run, max(time) AS horizon FROM records GROUP BY run)
SELECT s.run, s.workflow, sum(coalesce(s.dwell, h.horizon - s.entered))::BIGINT
FROM stays s JOIN horizons h USING (run) WHERE s.region = '' GROUP BY ALL ORDER BY ALL
"""
_FLOW = """
WITH entered AS (
    SELECT run, workflow, region, if(kind = 'state_entered', state, to_state) AS state, count(*) AS n FROM history
    WHERE kind = 'state_entered' OR (kind = 'transition' AND to_state IS NOT NULL) GROUP BY ALL
),
held AS (
    SELECT run, workflow, region, state, count(left_at) AS n_left, count(*) - count(left_at) AS n_inside FROM stays
    GROUP BY ALL
)
SELECT * FROM entered FULL JOIN held USING (run, workflow, region, state)
WHERE n IS DISTINCT FROM n_left + n_inside
"""
_STARTED = """
SELECT d.run, d.workflow, count(*), count(closed), count(*) FILTER (status = 'open') FROM durations d GROUP BY ALL
"""
_ATTEMPTS = """
WITH ignored AS (SELECT run, "case", cause_seq AS seq, activity_id FROM history WHERE kind = 'stimulus_ignored')
SELECT h.run, p.pool, h.time, h."case", h.seq, h.activity_id, h.attempt, h.kind
FROM history h JOIN workflow_names w ON w.run = h.run AND w.workflow = h.workflow
JOIN activity_pools p ON p.run = h.run AND p.number = w.number AND p.activity = h.activity
ANTI JOIN ignored i ON i.run = h.run AND i."case" = h."case" AND i.seq = h.seq
    AND i.activity_id = h.activity_id
WHERE h.kind IN ('activity_scheduled', 'activity_started', 'activity_succeeded', 'activity_failed',
    'attempt_timed_out', 'activity_cancelled')
ORDER BY h.run, p.pool, h.time, h."case", h.seq
"""


def flows(history: History) -> None:
    """Little's law and balance of flow, for each workflow of each run."""
    horizons = dict(history.sql("SELECT run, max(time) FROM records GROUP BY run").fetchall())
    found = history.sql(_IN_SYSTEM, max_rows=None).df()
    areas = []
    for (run, workflow), rows in found.groupby(["run", "workflow"], sort=True):
        area, least, last = _swept(rows["time"].to_numpy(), rows["change"].to_numpy(), horizons[run])
        assert least >= 0
        areas.append((run, workflow, area, last))
    # L·T = λ·T·W: the area under the number of cases is the time that they spend, counted case by case ...
    assert [row[:3] for row in areas] == history.sql(_DURATIONS).fetchall()
    # ... and state by state, as each open case is in one root state.
    assert [row[:3] for row in areas] == history.sql(_ROOT_STAYS).fetchall()
    for run, workflow, started, closed, still in history.sql(_STARTED).fetchall():
        assert started == closed + still
        assert (run, workflow, still) in [(row[0], row[1], row[3]) for row in areas]
    assert history.sql(_FLOW).fetchall() == []


def pools(history: History) -> None:
    """Nobody waits while a worker is free, no more work than there are workers, and Little's law for each queue.

    Of pools in which workers break down, have skills, are kept by cases, or begin at a rate, it is not known who is
    free for whom.
    """
    attempts: dict[tuple[int, str], list[tuple[int, int, int]]] = {}
    places: dict[tuple[Any, ...], int] = {}
    for run, pool, time, case, _, serial, attempt, kind in history.sql(_ATTEMPTS, max_rows=None).fetchall():
        changes, who = attempts.setdefault((run, pool), []), (run, case, serial, attempt)
        before = places.get(who, 0)
        # 0: not there yet, 1: waits, 2: is served, 3: over.
        after = {"activity_scheduled": 1, "activity_started": 2}.get(kind, 3)
        if after > before and not (before == 0 and after > 1):
            changes.append((time, (after == 1) - (before == 1), (after == 2) - (before == 2)))
            places[who] = after
    horizons = dict(history.sql("SELECT run, max(time) FROM records GROUP BY run").fetchall())
    query = """
        SELECT u.run, u.pool, capacity, span, busy_time, mean_queue, max_queue,
            len(list_intersect(
                json_keys(r.scenario::JSON->'pools'->u.pool), ['breakdowns', 'rate', 'workers', 'kept'])) > 0
        FROM pool_utilisation u JOIN runs r USING (run)
    """
    for run, pool, capacity, span, busy_time, mean_queue, max_queue, stops in history.sql(query).fetchall():
        changes_of = np.array(attempts.get((run, pool), []), np.int64).reshape(-1, 3)
        times, starts = np.unique(changes_of[:, 0], return_index=True)
        if len(times) == 0:
            assert (busy_time, max_queue) == (0, 0)
            continue
        waiting = np.cumsum(np.add.reduceat(changes_of[:, 1], starts))
        busy = np.cumsum(np.add.reduceat(changes_of[:, 2], starts))
        assert waiting.min() >= 0
        assert busy.min() >= 0
        if capacity is not None:
            assert busy.max() <= capacity
            assert stops or (busy[waiting > 0] == capacity).all()
        lengths = np.diff(np.append(times, horizons[run]))
        assert int(busy @ lengths) == busy_time
        assert int(waiting @ lengths) == round((mean_queue or 0.0) * span)
        assert int(waiting.max()) == max_queue


def _swept(times: Any, changes: Any, horizon: int) -> tuple[int, int, int]:
    """The area under a count until the horizon, its least value and its last."""
    order = np.argsort(times, kind="stable")
    at, starts = np.unique(times[order], return_index=True)
    count = np.cumsum(np.add.reduceat(changes[order].astype(np.int64), starts))
    lengths = np.diff(np.append(at, horizon))
    return int(count @ lengths), int(count.min()), int(count[-1])
