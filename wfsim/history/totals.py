"""The log level `aggregates`: counts and sums per edge and per activity, instead of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.semantics.codes import (
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_TRANSITION,
)

from .tracker import RAW, Raw

if TYPE_CHECKING:
    import duckdb

    from .codes import ProgramCodes

_AT = {name: k for k, name in enumerate(RAW)}
_KIND, _DWELL, _WAIT, _SERVICE = (_AT[name] for name in ("kind", "dwell", "wait", "service"))
_REGION, _STATE, _TO, _EVENT, _ACTIVITY = (_AT[name] for name in ("region", "state", "to_state", "event", "activity"))
# Columns of an activity's totals.
_ATTEMPTS, _SUCCESSES, _FAILURES, _TIMEOUTS, _WAITS, _WAITED, _SERVICES, _SERVED = range(8)
_COUNTED = {
    R_ACTIVITY_SCHEDULED: _ATTEMPTS,
    R_ACTIVITY_SUCCEEDED: _SUCCESSES,
    R_ACTIVITY_FAILED: _FAILURES,
    R_ATTEMPT_TIMED_OUT: _TIMEOUTS,
}


class Totals:
    """Counts and sums of one workflow of a run."""

    def __init__(self) -> None:
        self._edges: dict[tuple[int, int, int, int], list[int]] = {}
        self._activities: dict[int, list[int]] = {}

    def add(self, raw: Raw) -> None:
        """Count one row."""
        kind = raw[_KIND]
        if kind == R_TRANSITION:
            if raw[_TO] >= 0:
                edge = self._edges.setdefault((raw[_REGION], raw[_STATE], raw[_TO], raw[_EVENT]), [0, 0])
                edge[0] += 1
                edge[1] += raw[_DWELL]
            return
        activity = raw[_ACTIVITY]
        if activity < 0:
            return
        totals = self._activities.setdefault(activity, [0] * 8)
        if kind in _COUNTED:
            totals[_COUNTED[kind]] += 1
        if raw[_WAIT] >= 0:
            totals[_WAITS] += 1
            totals[_WAITED] += raw[_WAIT]
        if raw[_SERVICE] >= 0:
            totals[_SERVICES] += 1
            totals[_SERVED] += raw[_SERVICE]

    def store(self, con: duckdb.DuckDBPyConnection, run: int, workflow: int, program: ProgramCodes) -> None:
        """Write the totals."""
        edges: list[list[Any]] = [
            [
                run,
                workflow,
                int(program.regions[region]),
                int(program.states[state]),
                int(program.states[to_state]),
                None if event < 0 else int(program.events[event]),
                *totals,
            ]
            for (region, state, to_state, event), totals in self._edges.items()
        ]
        activities: list[list[Any]] = [
            [run, workflow, int(program.activities[activity]), *totals] for activity, totals in self._activities.items()
        ]
        if edges:
            con.executemany("INSERT INTO edge_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", edges)
        if activities:
            con.executemany("INSERT INTO activity_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", activities)
