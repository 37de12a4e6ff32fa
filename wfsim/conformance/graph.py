"""Optimal alignments of many traces at once, over all reachable markings, by the compiled kernel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError
from wfsim.semantics.announcing import announce_compiling

from . import kernel
from .behaviour import DEVIATION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

_MOVES = 1 << 20
_CELLS = 1 << 28
_CALL = 1 << 26
"""About how much is done in one call: markings by events, some seconds."""


class Graph:
    """Reachable markings as the kernel reads them.

    Parameters
    ----------
    edges, n, final
        From `behaviour.edges_of`.
    n_activities
        How many there are.

    Attributes
    ----------
    shortest
        What the cheapest way through the model costs.
    """

    def __init__(self, edges: Numbers, n: int, final: int, n_activities: int) -> None:
        import numpy as np

        edges = edges.copy()
        silent = edges[:, kernel.ACTIVITY] < 0
        # One further for moves of the log alone, whose edge is -1.
        self._transitions: Numbers = np.append(edges[:, kernel.COST], -1)
        edges[:, kernel.COST] = np.where(silent, 1, DEVIATION)
        self._edges: Numbers = np.ascontiguousarray(edges)
        self._n = n
        self._final = final
        self._out_start, self._out = _grouped(edges[:, kernel.FROM], n)
        self._into_start, self._into = _grouped(edges[:, kernel.TO], n)
        seen = np.flatnonzero(~silent)
        self._by_start, by = _grouped(edges[seen, kernel.ACTIVITY], n_activities)
        self._by: Numbers = seen[by]
        self.shortest = DEVIATION * (n + 1)
        # The empty trace: nothing but moves of the model.
        ((_, self.shortest),) = self.align([[]], float("inf"))

    def align(self, traces: Sequence[Sequence[int]], until: float) -> list[tuple[Numbers, int]]:
        """The steps of each trace, first first, and what they cost; fewer than there are traces if the time was up.

        A row for each: kind of move, events before it, net transition (-1: none).

        Parameters
        ----------
        traces
            Those that begin alike together, longer ones first.
        until
            When to stop, on the clock of `time.monotonic`.
        """
        import numpy as np

        lengths = np.array([len(each) for each in traces], np.int64)
        bounds: Numbers = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat: Numbers = np.array([activity for each in traces for activity in each] or [0], np.int64)
        longest = int(lengths.max(initial=0))
        if (longest + 1) * self._n > _CELLS:
            raise HistoryError(
                f"a trace of {longest:,} events and a net of {self._n:,} markings need more than {8 * _CELLS:,} bytes "
                "to align. Leave out the longest traces, or lower max_markings."
            )
        room = [np.zeros((longest + 1, self._n), np.int64), *(np.zeros(self._n, np.int64) for _ in range(2))]
        results, ends = np.zeros(len(traces), np.int64), np.zeros(len(traces), np.int64)
        moves = np.zeros((min(_MOVES, 4 * len(flat) + 2 * self._n), 3), np.int64)
        told: list[tuple[Numbers, int]] = []
        while len(told) < len(traces) and time.monotonic() < until:
            first = len(told)
            last = int(np.searchsorted(bounds, bounds[first] + _CALL // self._n, side="right"))
            upto = bounds[: max(last, first + 2)]
            given = (
                *(flat, upto, self._edges, self._out_start, self._out, self._into_start, self._into),
                *(self._by_start, self._by, self._final, DEVIATION, self.shortest, *room, moves, ends, results, first),
            )
            done = int(kernel.ALIGN.ready(given, _announce)(*given))
            begin = 0
            written = moves[: ends[done - 1] if done > first else 0].copy()
            written[:, kernel.EDGE] = self._transitions[written[:, kernel.EDGE]]
            for trace in range(first, done):
                end = int(ends[trace])
                told.append((written[begin:end][::-1], int(results[trace])))
                begin = end
            if done == first:
                moves = np.zeros((2 * len(moves), 3), np.int64)
        return told


def _grouped(keys: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Rows by key: where those of each key begin, and the rows."""
    import numpy as np

    order = np.argsort(keys, kind="stable").astype(np.int64)
    start = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n))]).astype(np.int64)
    return start, order


def _announce() -> None:
    announce_compiling("the search for alignments", "some seconds")
