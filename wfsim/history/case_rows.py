"""What a history tells of cases beside their records, as rows of its tables `cases` and `variants_seen`."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from .paths import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from .paths import Paths
    from .tracker import CaseTrack


def case_rows(
    run: int, cases: Sequence[int], tracks: Mapping[int, CaseTrack], numbers: Mapping[int, int], paths: Paths
) -> pa.Table:
    """Some cases of a run, in that order; `numbers` are the lasting ones of those that have passing numbers."""
    import numpy as np
    import pyarrow as pa

    of = [tracks[case] for case in cases]
    ends = np.array([track.path for track in of], dtype=np.int64)
    parents = [track.parent and numbers.get(track.parent[0], track.parent[0]) for track in of]
    return pa.table(
        {
            "run": pa.array(np.full(len(of), run, np.int32)),
            "case": pa.array([numbers.get(case, case) for case in cases], type=pa.int32()),
            "workflow": pa.array([track.workflow for track in of], type=pa.int32()),
            "external_id": pa.array([track.external_id for track in of], type=pa.string()),
            "key": pa.array(array("q", [track.key for track in of])),
            "parent_case": pa.array(parents, type=pa.int32()),
            "parent_activation": pa.array([track.parent and track.parent[1] for track in of], type=pa.int32()),
            "started": pa.array(array("q", [track.started for track in of])),
            "version": pa.array([track.version for track in of], type=pa.int32()),
            "path_hash": pa.array(np.array(paths.hashes, np.uint64)[ends], mask=ends == EMPTY),
        }
    )


def variant_rows(ends: Iterable[int], paths: Paths) -> pa.Table:
    """The states of paths, given by their ends."""
    import pyarrow as pa

    listed = list(ends)
    return pa.table(
        {
            "path_hash": pa.array([paths.hashes[end] for end in listed], type=pa.uint64()),
            "states": pa.array([paths.states(end) for end in listed], type=pa.list_(pa.string())),
        }
    )
