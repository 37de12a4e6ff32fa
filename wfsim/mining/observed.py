"""What a history tells of the surroundings of a workflow: when cases came, which events, how attempts went.

Each question is SQL to the history, so it can be asked again: `wfsim.mining.observed.EVENTS` and so on.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from wfsim.history.schema import quoted
from wfsim.model.uses import is_reserved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wfsim.history.history import History

    Numbers = NDArray[np.float64]

ARRIVALS = """
SELECT run, started FROM durations WHERE workflow = ? AND parent_case IS NULL ORDER BY run, started
"""
EVENTS = """
WITH told AS (
    SELECT h.run, h."case", h.region, h.state, h.event, e.time, e.seq
    FROM history h JOIN history e ON e.run = h.run AND e."case" = h."case" AND e.seq = h.cause_seq
    WHERE h.workflow = ? AND h.kind IN ('transition', 'transition_started') AND e.kind = 'event_received' GROUP BY ALL
)
SELECT s.run, s."case", s.state, s.entered_seq, s.entered, coalesce(s.left_at, z.horizon) AS until, l.event AS left_by,
    t.event, t.time
FROM stays s JOIN horizons z ON z.run = s.run
LEFT JOIN history l ON l.run = s.run AND l."case" = s."case" AND l.seq = s.left_seq AND l.kind = 'transition'
LEFT JOIN told t ON t.run = s.run AND t."case" = s."case" AND t.region = s.region AND t.state = s.state
    AND t.seq > s.entered_seq AND t.seq <= coalesce(s.left_seq, 9223372036854775807)
WHERE s.workflow = ? ORDER BY s.run, s."case", s.entered_seq, t.seq
"""
"""Each stay in a state, with the events that were taken up in it, in order."""

ATTEMPTS = """
SELECT activity, outcome, error_type, service FROM executions
WHERE workflow = ? AND started IS NOT NULL AND ended IS NOT NULL ORDER BY run, "case", scheduled_seq
"""
RESULTS = """
SELECT activity, output, count(*) AS n FROM executions
WHERE workflow = ? AND outcome = 'succeeded' AND output IS NOT NULL AND output <> 'null' GROUP BY ALL ORDER BY ALL
"""
PAYLOADS = """
SELECT event, (payload->'$.payload') AS given, count(*) AS n FROM history
WHERE workflow = ? AND kind = 'event_received' AND (payload->'$.payload') IS NOT NULL GROUP BY ALL ORDER BY ALL
"""
INPUTS = """
SELECT '' AS what, (payload->'$.input') AS given, count(*) AS n FROM history
WHERE workflow = ? AND kind = 'started' AND (payload->'$.input') IS NOT NULL GROUP BY ALL ORDER BY ALL
"""


@dataclass
class Waits:
    """What came in a state.

    Attributes
    ----------
    events
        By name, how long after the entry, or after the event before it, in microseconds.
    cut
        How long nothing had come when something else ended the stay.
    """

    events: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cut: list[float] = field(default_factory=list)


@dataclass
class Attempts:
    """How the attempts of an activity went; times in microseconds.

    Attributes
    ----------
    services
        Of those that succeeded or failed.
    cut
        Of those that were timed out or cancelled.
    errors
        Numbers by type.
    """

    services: list[float] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    n_timed_out: int = 0
    errors: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def named(query: str, workflow: str) -> str:
    """A question about a workflow, with its name in it: to be shown, and asked again."""
    return query.strip().replace("?", f"'{quoted(workflow)}'")


def arrivals_of(history: History, workflow: str) -> list[Numbers]:
    """Times at which root cases came, of each run."""
    rows = history.sql(ARRIVALS, [workflow], max_rows=None).df()
    return [group["started"].to_numpy(np.float64) for _, group in rows.groupby("run", sort=True)]


def waits_of(history: History, workflow: str) -> dict[str, Waits]:
    """By state, what came in it."""
    rows = history.sql(EVENTS, [workflow, workflow], max_rows=None).df()
    for name in ("state", "left_by", "event"):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), "")
    found: defaultdict[str, Waits] = defaultdict(Waits)
    columns = ("run", "case", "entered_seq", "state", "entered", "until", "left_by", "event", "time")
    for _, stay in groupby(zip(*(rows[name].tolist() for name in columns)), key=itemgetter(0, 1, 2)):
        events = list(stay)
        *_, state, since, until, left_by, _, _ = events[0]
        taken = [(event, time) for *_, event, time in events if event and not is_reserved(event)]
        for event, time in taken:
            found[state].events[event].append(float(time - since))
            since = time
        # Else another cause ended it first; but where the work of its transition failed, the event had come.
        by_event = bool(left_by) and (not is_reserved(left_by) or (bool(taken) and left_by.startswith("error")))
        if not by_event and until > since:
            found[state].cut.append(float(until - since))
    return dict(found)


def attempts_of(history: History, workflow: str) -> dict[str, Attempts]:
    """By activity, how its attempts went."""
    found: defaultdict[str, Attempts] = defaultdict(Attempts)
    rows = history.sql(ATTEMPTS, [workflow], max_rows=None).fetchall()
    for activity, outcome, error_type, service in rows:
        own = found[activity]
        if outcome in ("succeeded", "failed"):
            own.services.append(float(service))
        else:
            own.cut.append(float(service))
            own.n_timed_out += outcome == "timed_out"
        if outcome == "failed":
            own.errors[error_type] += 1
    return dict(found)


def values_of(history: History, query: str, workflow: str) -> dict[str, dict[str, Counter[str]]]:
    """By what they belong to and name, the values that were given, as JSON, with their numbers.

    Parameters
    ----------
    query
        `PAYLOADS` or `INPUTS`: rows of what they belong to, an object of values, and how often.
    """
    found: dict[str, dict[str, Counter[str]]] = {}
    for what, given, n in history.sql(query, [workflow], max_rows=None).fetchall():
        for name, value in json.loads(given).items():
            found.setdefault(what, {}).setdefault(name, Counter())[json.dumps(value, sort_keys=True)] += n
    return found


def results_of(history: History, workflow: str) -> dict[str, Counter[str]]:
    """By activity, the results of its attempts, as JSON, with their numbers."""
    found: dict[str, Counter[str]] = {}
    for activity, output, n in history.sql(RESULTS, [workflow], max_rows=None).fetchall():
        found.setdefault(activity, Counter())[json.dumps(json.loads(output), sort_keys=True)] += n
    return found
