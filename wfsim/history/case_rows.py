"""What a history tells of cases beside their records, as rows of its tables `cases` and `variants_seen`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from .arrow import lists, numbers, texts
from .paths import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from .paths import Paths
    from .tracker import CaseTrack


@dataclass(frozen=True)
class Cases:
    """What cases of a run came to, as columns; `version` is the number of their records, `path` a node of `Paths`."""

    case: NDArray[np.int32]
    workflow: NDArray[np.int32]
    key: NDArray[np.int64]
    started: NDArray[np.int64]
    version: NDArray[np.int32]
    path: NDArray[np.int64]

    @classmethod
    def of(cls, tracks: Mapping[int, CaseTrack]) -> Cases:
        """Cases that were followed one by one."""
        import numpy as np

        return cls(
            np.array(list(tracks), np.int32),
            np.array([track.workflow for track in tracks.values()], np.int32),
            np.array([track.key for track in tracks.values()], np.int64),
            np.array([track.started for track in tracks.values()], np.int64),
            np.array([track.version for track in tracks.values()], np.int32),
            np.array([track.path for track in tracks.values()], np.int64),
        )

    def __len__(self) -> int:
        return len(self.case)

    def at(self, which: slice | NDArray[Any]) -> Cases:
        """Some of them."""
        return Cases(**{name: column[which] for name, column in vars(self).items()})

    def with_others(self, others: Cases) -> Cases:
        """These and others, by their numbers."""
        import numpy as np

        both = Cases(**{name: np.concatenate([column, vars(others)[name]]) for name, column in vars(self).items()})
        return both.at(np.argsort(both.case, kind="stable"))

    def portions(self, most: int) -> Iterator[slice]:
        """Cases in this order that have so many records together, or one that has more."""
        import numpy as np

        ends, begin = np.cumsum(self.version, dtype=np.int64), 0
        while begin < len(ends):
            before = ends[begin] - self.version[begin]
            end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
            yield slice(begin, end)
            begin = end


class Named(NamedTuple):
    """What cases are called, and which case and activation started those that others started."""

    ids: dict[int, str]
    parents: dict[int, tuple[int, int]]


def case_rows(run: int, cases: Cases, named: Named, lasting: Mapping[int, int], paths: Paths) -> pa.Table:
    """Some cases of a run, in that order; `lasting` are the numbers of those that have passing numbers."""
    import numpy as np
    import pyarrow as pa

    case, ids = cases.case, pa.nulls(len(cases), pa.string())
    parents = np.full((2, len(cases)), -1, np.int32)
    # Of most runs no case has any of these.
    listed = case.tolist() if named.ids or named.parents or lasting else []
    if named.ids:
        ids = texts([named.ids.get(each) for each in listed])
    if named.parents:
        for place, each in enumerate(listed):
            if each in named.parents:
                parent, activation = named.parents[each]
                parents[:, place] = lasting.get(parent, parent), activation
    if lasting:
        case = np.array([lasting.get(each, each) for each in listed], np.int32)
    return pa.table(
        {
            "run": numbers(np.full(len(cases), run, np.int32)),
            "case": numbers(case),
            "workflow": numbers(cases.workflow),
            "external_id": ids,
            "key": numbers(cases.key),
            "parent_case": numbers(parents[0], parents[0] >= 0),
            "parent_activation": numbers(parents[1], parents[1] >= 0),
            "started": numbers(cases.started),
            "version": numbers(cases.version),
            "path_hash": numbers(np.array(paths.hashes, np.uint64)[cases.path], cases.path != EMPTY),
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
