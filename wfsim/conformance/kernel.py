"""The compiled alignment: for each trace the cheapest way through the synchronous product of it and a model [1]_.

The model is a graph of its reachable markings. For each prefix of a trace there is a row with the cost of the cheapest
way to each marking; a trace that begins like the one before it shares the rows of that beginning, so traces
come sorted.

References
----------
.. [1] Adriansyah (2014), Aligning Observed and Modeled Behavior, PhD thesis, TU Eindhoven, chapter 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.semantics.later import njit
from wfsim.semantics.roots import Root

FAR = 1 << 60
"""The cost of a marking that no way leads to."""
LOG_MOVE, MODEL_MOVE, SYNCHRONOUS = range(3)
KIND, POSITION, EDGE = range(3)
"""Columns of a move: what it is, how many events come before it, the edge of the graph (-1: none)."""
FROM, TO, ACTIVITY, COST = range(4)
"""Columns of an edge: markings, activity (-1: none that is seen), and what it costs where the log has no such event."""

_njit = njit(nogil=True)


@_njit
def _sift_up(heap: Any, costs: Any, place: Any, at: Any) -> None:
    marking = heap[at]
    while at > 0 and costs[heap[(at - 1) >> 1]] > costs[marking]:
        above = (at - 1) >> 1
        heap[at] = heap[above]
        place[heap[at]] = at
        at = above
    heap[at] = marking
    place[marking] = at


@_njit
def _sift_down(heap: Any, costs: Any, place: Any, n: Any) -> None:
    marking = heap[0]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and costs[heap[child + 1]] < costs[heap[child]]:
            child += 1
        if costs[heap[child]] >= costs[marking]:
            break
        heap[at] = heap[child]
        place[heap[at]] = at
        at = child
    heap[at] = marking
    place[marking] = at


@_njit
def _close(costs: Any, edges: Any, out_start: Any, out: Any, heap: Any, place: Any, limit: Any) -> None:
    """Follow moves of the model from all markings that have a cost, up to a limit (Dijkstra's algorithm)."""
    n = np.int64(0)
    for marking in range(costs.shape[0]):
        place[marking] = -1
        if costs[marking] <= limit:
            heap[n] = marking
            _sift_up(heap, costs, place, n)
            n += 1
        else:
            costs[marking] = FAR
    while n > 0:
        nearest = heap[0]
        n -= 1
        if n > 0:
            heap[0] = heap[n]
            place[heap[0]] = 0
            _sift_down(heap, costs, place, n)
        place[nearest] = -2
        for k in range(out_start[nearest], out_start[nearest + 1]):
            edge = edges[out[k]]
            cost = costs[nearest] + edge[COST]
            to = edge[TO]
            if cost < costs[to] and cost <= limit:
                costs[to] = cost
                if place[to] < 0:
                    heap[n] = to
                    place[to] = n
                    n += 1
                _sift_up(heap, costs, place, place[to])


@_njit
def _trace_back(
    traces: Any, start: Any, length: Any, costs: Any, edges: Any, into_start: Any, into: Any, final: Any, log_cost: Any,
    moves: Any,
) -> Any:  # fmt: skip
    """Write the moves of the cheapest way, last first; their number, or -1 if there is no room."""
    count = 0
    k = length
    marking = final
    while k > 0 or costs[k, marking] > 0 or marking != 0:
        if count == moves.shape[0]:
            return np.int64(-1)
        cost = costs[k, marking]
        found = np.int64(-1)
        kind = LOG_MOVE
        # Events that both have first, then those of the log alone, then moves of the model.
        if k > 0:
            for at in range(into_start[marking], into_start[marking + 1]):
                edge = edges[into[at]]
                # What the net has not and what is silent are both -1.
                seen = traces[start + k - 1] >= 0 and edge[ACTIVITY] == traces[start + k - 1]
                if seen and costs[k - 1, edge[FROM]] == cost:
                    found = into[at]
                    kind = SYNCHRONOUS
                    break
            if found < 0 and costs[k - 1, marking] + log_cost == cost:
                moves[count, KIND] = LOG_MOVE
                moves[count, POSITION] = k - 1
                moves[count, EDGE] = -1
                count += 1
                k -= 1
                continue
        if found < 0:
            kind = MODEL_MOVE
            for at in range(into_start[marking], into_start[marking + 1]):
                edge = edges[into[at]]
                if costs[k, edge[FROM]] + edge[COST] == cost:
                    found = into[at]
                    break
        k -= kind == SYNCHRONOUS
        moves[count, KIND] = kind
        moves[count, POSITION] = k
        moves[count, EDGE] = found
        count += 1
        marking = edges[found, FROM]
    return np.int64(count)


def align(
    traces: Any, bounds: Any, edges: Any, out_start: Any, out: Any, into_start: Any, into: Any, by_start: Any, by: Any,
    final: Any, log_cost: Any, base: Any, costs: Any, heap: Any, place: Any, moves: Any, ends: Any, results: Any,
    first: Any,
) -> Any:  # fmt: skip
    """Align sorted traces from number `first` on; the number of the first one that is not aligned, for lack of room.

    `out`, `into` and `by` list edges by where they begin, where they end, and their activity. `base` is what
    the cheapest
    way through the model costs: no alignment is dearer than that and a move of the log for each event, so what
    is, is not followed. Moves of a trace end at `ends[trace]`, its last one first; `results` has what each costs.
    """
    written = np.int64(0)
    for trace in range(first, bounds.shape[0] - 1):
        start, length = bounds[trace], bounds[trace + 1] - bounds[trace]
        limit = base + length * log_cost
        shared = np.int64(0)
        # Rows of a shorter trace may lack what this one's limit allows.
        if trace > first and bounds[trace] - bounds[trace - 1] >= length:
            before = bounds[trace - 1]
            while shared < length and traces[before + shared] == traces[start + shared]:
                shared += 1
        elif trace == first or bounds[trace] - bounds[trace - 1] < length:
            shared = np.int64(-1)
        if shared < 0:
            costs[0, :] = FAR
            costs[0, 0] = 0
            _close(costs[0], edges, out_start, out, heap, place, limit)
            shared = np.int64(0)
        for k in range(shared + 1, length + 1):
            row, above = costs[k], costs[k - 1]
            for marking in range(row.shape[0]):
                row[marking] = above[marking] + log_cost if above[marking] < FAR else FAR
            activity = traces[start + k - 1]
            if activity >= 0:
                for at in range(by_start[activity], by_start[activity + 1]):
                    edge = edges[by[at]]
                    if above[edge[FROM]] < row[edge[TO]]:
                        row[edge[TO]] = above[edge[FROM]]
            _close(row, edges, out_start, out, heap, place, limit)
        results[trace] = costs[length, final]
        count = _trace_back(traces, start, length, costs, edges, into_start, into, final, log_cost, moves[written:])
        if count < 0:
            return np.int64(trace)
        written += count
        ends[trace] = written
    return np.int64(bounds.shape[0] - 1)


ALIGN = Root(align, {})
