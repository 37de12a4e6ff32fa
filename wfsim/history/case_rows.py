"""What a history tells of cases beside their records, as rows of its tables `cases` and `variants_seen`."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from .arrow import lists, numbers, texts, whole
from .paths import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from .paths import Paths
    from .tracker import CaseTrack


def case_rows(
    run: int, cases: Sequence[int], tracks: Mapping[int, CaseTrack], lasting: Mapping[int, int], paths: Paths
) -> pa.Table:
    """Some cases of a run, in that order; `lasting` are the numbers of those that have passing numbers."""
    import numpy as np
    import pyarrow as pa

    of = [tracks[case] for case in cases]
    ends = np.array([track.path for track in of], dtype=np.int64)
    parents = [track.parent and lasting.get(track.parent[0], track.parent[0]) for track in of]
    return pa.table(
        {
            "run": numbers(np.full(len(of), run, np.int32)),
            "case": whole([lasting.get(case, case) for case in cases]),
            "workflow": whole([track.workflow for track in of]),
            "external_id": texts([track.external_id for track in of]),
            "key": numbers(np.array([track.key for track in of], np.int64)),
            "parent_case": whole(parents),
            "parent_activation": whole([track.parent and track.parent[1] for track in of]),
            "started": numbers(np.array([track.started for track in of], np.int64)),
            "version": whole([track.version for track in of]),
            "path_hash": numbers(np.array(paths.hashes, np.uint64)[ends], ends != EMPTY),
        }
    )


def variant_rows(ends: Iterable[int], paths: Paths) -> pa.Table:
    """The states of paths, given by their ends."""
    import numpy as np
    import pyarrow as pa

    listed = list(ends)
    states = [paths.states(end) for end in listed]
    bounds = np.cumsum([0, *map(len, states)]).astype(np.int32)
    return pa.table(
        {
            "path_hash": numbers(np.array([paths.hashes[end] for end in listed], np.uint64)),
            "states": lists(bounds, texts(list(chain.from_iterable(states)))),
        }
    )
