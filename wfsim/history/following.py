"""What is new in a history while somebody writes it: which cases went on, and their rows."""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.errors import HistoryError

from .opening import open_for_reading

if TYPE_CHECKING:
    import numpy as np

    from .history import History

Known = Mapping[tuple[int, int], int]
"""By run and case the `seq` of the last record that somebody has read."""
_VERSIONS = """
SELECT (run::BIGINT << 32) | "case" AS place, version, workflow FROM cases ORDER BY place
"""
_TOGETHER = 500
"""Cases that are read with one query."""
_APART = 64
"""Cases between two that went on, which are rather passed over than read for nothing."""


class Change(NamedTuple):
    """A case with records behind `after`, the last one that is known, up to its `version`."""

    run: int
    case: int
    workflow: int
    after: int
    version: int


class News:
    """Which cases have gone on since the last look.

    Parameters
    ----------
    known
        What has been read before.
    """

    def __init__(self, known: Known | None = None) -> None:
        import numpy as np

        given = sorted((run << 32 | case, seq) for (run, case), seq in (known or {}).items())
        self._places: np.ndarray[Any, Any] = np.array([place for place, _ in given], dtype=np.int64)
        self._versions: np.ndarray[Any, Any] = np.array([seq for _, seq in given], dtype=np.int64)

    def changes(self, history: History) -> list[Change]:
        """The cases that have records which are not known, in order of run and case; they count as known then.

        Cost: one pass over `cases`, some nanoseconds each.
        """
        import numpy as np

        told = history.sql(_VERSIONS, max_rows=None).arrow()
        places, versions, workflows = (told.column(k).to_numpy().astype(np.int64) for k in range(3))
        before = np.zeros(len(places), dtype=np.int64)
        if len(self._places):
            at = np.minimum(np.searchsorted(self._places, places), len(self._places) - 1)
            same = self._places[at] == places
            before[same] = self._versions[at[same]]
        self._places, self._versions = places, versions
        new = np.flatnonzero(versions > before)
        columns = (places[new] >> 32, places[new] & 0xFFFFFFFF, workflows[new], before[new], versions[new])
        return [Change(*row) for row in zip(*(column.tolist() for column in columns))]


def together(changes: list[Change]) -> Iterator[list[Change]]:
    """The changes in groups that lie close to each other, each of one run."""
    group: list[Change] = []
    for each in changes:
        near = group and each.run == group[-1].run and each.case - group[-1].case <= _APART
        if group and not (near and len(group) < _TOGETHER):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def rows_of(history: History, changes: list[Change]) -> Iterator[Any]:
    """The rows of `history` that are new in some cases, each a named tuple; of a case in order of `seq`."""
    made: type[Any] | None = None
    for group in together(changes):
        where = f'run = {group[0].run} AND "case" BETWEEN {group[0].case} AND {group[-1].case}'
        least = min(each.after for each in group)
        answer = history.sql(f'FROM history WHERE {where} AND seq > {least} ORDER BY "case", seq', max_rows=None)
        # Names of columns are names in Python, too: a class is a word only where `match` begins.
        made = made or namedtuple("Row", answer.columns)  # noqa: PYI024
        bounds = {each.case: each for each in group}
        case, seq = answer.columns.index("case"), answer.columns.index("seq")
        for row in answer.fetchall():
            bound = bounds.get(row[case])
            if bound is not None and bound.after < row[seq] <= bound.version:
                yield made(*row)


def following(history: History, after: Known | str | None, poll: float) -> Iterator[Any]:
    """What `History.follow` says."""
    news = News(None if isinstance(after, str) else after)
    if isinstance(after, str):
        news.changes(history)
    source = Source(history)
    try:
        while True:
            yield from rows_of(source.history, news.changes(source.history))
            if not source.goes_on():
                return
            time.sleep(poll)
            source.renew()
    finally:
        source.close()


class Source:
    """A history to look at again and again: a live one as it is, of a collected one the latest snapshot."""

    def __init__(self, history: History) -> None:
        self.given = self.history = history
        self._target = _target(history.path)

    def goes_on(self) -> bool:
        """Whether there may be more some day: its writer is at work, or its path leads to the latest snapshot."""
        return not self.given.is_closed and (self.given.is_live or self._target is not None)

    def renew(self) -> None:
        """Go over to the latest snapshot, if there is a new one."""
        target = _target(self.given.path)
        if self._target is None or target is None or target == self._target or self.given.is_closed:
            return
        from .history import History

        renewed = History(self.given.path, con=open_for_reading(target), functions=self.given.functions)
        self.close()
        self.history, self._target = renewed, target

    def close(self) -> None:
        """Close what was opened here."""
        if self.history is not self.given:
            self.history.close()


def _target(path: Path) -> Path | None:
    """Where a path leads that a collector moves on; `None` for every other path."""
    return path.resolve() if path.is_symlink() else None


def known_of(after: object) -> Known | str | None:
    """What `follow` is told of what is known.

    Raises
    ------
    HistoryError
        If it is none of that.
    """
    if after is None or after == "now":
        return after
    whole = isinstance(after, Mapping) and all(
        isinstance(key, tuple) and len(key) == 2 and all(isinstance(each, int) for each in (*key, seq))
        for key, seq in after.items()
    )
    if not whole:
        raise HistoryError(
            f"follow(after={after!r}): give None for all rows, 'now' for those that are to come, or of each case the "
            "seq of the last row that you have: {(run, case): seq}."
        )
    return after  # type: ignore[return-value]
