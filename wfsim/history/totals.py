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

from .packing import field_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from numpy.typing import NDArray

_EDGE = ("region", "state", "to_state", "event")
# Columns of an activity's totals.
_N_COLUMNS = 8
_WAITS, _SERVICES = 4, 6
_COUNTED = (R_ACTIVITY_SCHEDULED, R_ACTIVITY_SUCCEEDED, R_ACTIVITY_FAILED, R_ATTEMPT_TIMED_OUT)


class Totals:
    """Counts and sums of one workflow of a run."""

    def __init__(self) -> None:
        self._edges: dict[tuple[int, int, int, int], list[int]] = {}
        self._activities: dict[int, list[int]] = {}

    def add(self, records: Mapping[str, NDArray[Any]]) -> None:
        """Count rows, given by the columns of `batch.Columns`."""
        import numpy as np

        kind = records["kind"]
        is_move = kind == R_TRANSITION
        moves = np.flatnonzero(is_move & (records["to_state"] >= 0))
        edges, of = np.unique(np.stack([records[name][moves] for name in _EDGE]), axis=1, return_inverse=True)
        sums = np.zeros((edges.shape[1], 2), np.int64)
        dwells = field_of("dwell", kind, records.__getitem__)[moves]
        np.add.at(sums, of, np.stack([np.ones(len(moves), np.int64), dwells], axis=1))
        for edge, added in zip(edges.T.tolist(), sums.tolist()):
            _add(self._edges.setdefault(tuple(edge), [0, 0]), added)

        works = np.flatnonzero(~is_move & (records["activity"] >= 0))
        activities, of = np.unique(records["activity"][works], return_inverse=True)
        sums = np.zeros((len(activities), _N_COLUMNS), np.int64)
        for column, counted in enumerate(_COUNTED):
            np.add.at(sums[:, column], of[kind[works] == counted], 1)
        for column, name in ((_WAITS, "wait"), (_SERVICES, "service")):
            times = field_of(name, kind, records.__getitem__)[works]
            known = times >= 0
            np.add.at(sums[:, column], of[known], 1)
            np.add.at(sums[:, column + 1], of[known], times[known])
        for activity, added in zip(activities.tolist(), sums.tolist()):
            _add(self._activities.setdefault(activity, [0] * _N_COLUMNS), added)

    def store(self, con: duckdb.DuckDBPyConnection, run: int, workflow: int) -> None:
        """Write the totals."""
        edges: list[list[Any]] = [
            [run, workflow, region, state, to_state, None if event < 0 else event, *totals]
            for (region, state, to_state, event), totals in self._edges.items()
        ]
        activities: list[list[Any]] = [
            [run, workflow, activity, *totals] for activity, totals in self._activities.items()
        ]
        if edges:
            con.executemany("INSERT INTO edge_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", edges)
        if activities:
            con.executemany("INSERT INTO activity_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", activities)


def _add(sums: list[int], added: list[int]) -> None:
    sums[:] = map(int.__add__, sums, added)
