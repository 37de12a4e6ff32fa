"""Compiled passes over all markings or edges of a space. They call nothing else that is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from wfsim.verification.nets.arrays import compiled


@compiled()
def maxima(words: Any, n: Any, tables: Any, most: Any) -> None:
    """The most tokens of each place in the first n markings; words that do not change are looked at once."""
    for number in range(n):
        for w in range(words.shape[1]):
            word = words[number, w]
            if number > 0 and word == words[number - 1, w]:
                continue
            for i in range(tables.lies_start[w], tables.lies_start[w + 1]):
                p = tables.lies_place[i]
                tokens = (word >> tables.field_shift[p]) & tables.field_mask[p]
                if tokens > most[p]:
                    most[p] = tokens


@compiled()
def backwards(start: Any, target_of: Any, n_expanded: Any, todo: Any, n_todo: Any, reached: Any) -> None:
    """Mark what leads to the markings in `todo`, of which the first `n_todo` are marked already; O(edges)."""
    n = reached.shape[0]
    free = np.zeros(n + 1, np.int64)
    n_edges = start[n_expanded]
    for e in range(n_edges):
        free[target_of[e] + 1] += 1
    for i in range(n):
        free[i + 1] += free[i]
    sources = np.empty(n_edges, np.uint32)
    for source in range(n_expanded):
        for e in range(start[source], start[source + 1]):
            sources[free[target_of[e]]] = source
            free[target_of[e]] += 1
    # Now the sources of marking i end at free[i], where those of i + 1 begin.
    while n_todo > 0:
        n_todo -= 1
        number = np.int64(todo[n_todo])
        for e in range(free[number - 1] if number > 0 else 0, free[number]):
            before = sources[e]
            if not reached[before]:
                reached[before] = 1
                todo[n_todo] = before
                n_todo += 1
