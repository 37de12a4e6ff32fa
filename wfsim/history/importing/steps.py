"""What the events of a log mean as records of a history: which moments a case has, and what each of them is.

docs/decisions/imported_logs.md says why. Everything here is of some whole cases, in arrays of one row a moment, which
come in the order of cases and, within a case, of its moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.history import arrow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

STEP, START, COMPLETE, SCHEDULE, OTHER, LONE = range(6)
"""Parts: an event without duration, a start, its completion, a schedule, something else, a completion without start."""

STANDARD = (
    "assign",
    "reassign",
    "suspend",
    "resume",
    "withdraw",
    "ate_abort",
    "pi_abort",
    "abort_activity",
    "abort_case",
    "autoskip",
    "manualskip",
)
"""Transitions of the lifecycle of IEEE 1849-2016 that neither start nor complete, by which a case does not move."""

NO_TIME = -(2**63)
"""The time of a moment that has none, and before which none is known."""

_LIFE = "lower(s.lifecycle)"
PART = (
    f"(CASE WHEN {_LIFE} = 'start' THEN {START} WHEN {_LIFE} = 'schedule' THEN {SCHEDULE} "
    f"WHEN {_LIFE} IN ({', '.join(map(repr, STANDARD))}) THEN {OTHER} "
    f"WHEN coalesce({_LIFE}, '') IN ('', 'complete') THEN {COMPLETE} ELSE {STEP} END)::TINYINT"
)
"""The part that an event of `staged`, called `s`, has by its lifecycle, in SQL."""


@dataclass
class Moments:
    """What the events of some cases tell of.

    Attributes
    ----------
    case
        Counted from 0.
    row
        Which event tells of it.
    second
        Whether this is all of the event, or its end; else it is the start that the event tells of, too.
    activity
        Codes.
    own, time
        Microseconds: the event's, and when it happens: the latest time until then, as times never fall in a case.
    part
        `STEP`, ….
    begins
        For each case the number of its first moment, and behind them the number of all.
    """

    case: Numbers
    row: Numbers
    second: Flags
    activity: Numbers
    own: Numbers
    time: Numbers
    part: Numbers
    begins: Numbers

    def __len__(self) -> int:
        return len(self.case)

    def is_part(self, *parts: int) -> Flags:
        """Which moments are one of these."""
        import numpy as np

        wanted = np.zeros(LONE + 1, np.bool_)
        wanted[list(parts)] = True
        mine: Flags = wanted[self.part]
        return mine

    @property
    def entering(self) -> Flags:
        """At which moments the case comes to an activity."""
        return self.is_part(STEP, START, LONE)

    @property
    def lifted(self) -> Flags:
        """Which happen later than the event says, as one before them does."""
        later: Flags = (self.own < self.time) & (self.own != NO_TIME)
        return later


def moments_of(rows: pa.Table, first: int, n_cases: int, *, by_time: bool) -> Moments:
    """The moments that rows of cases from `first` on tell of; of a row with `begun` these are two."""
    import numpy as np

    case = arrow.column_in_numpy(rows["case"]).astype(np.int64) - first
    activity = arrow.column_in_numpy(rows["activity"]).astype(np.int64)
    own = _known(rows["moment"], NO_TIME)
    n = len(case)
    row = np.arange(n)
    second = np.ones(n, np.bool_)
    part = (
        arrow.column_in_numpy(rows["part"]).astype(np.int64) if "part" in rows.column_names else np.zeros(n, np.int64)
    )
    has_starts = "begun" in rows.column_names
    if has_starts:
        begun = _known(rows["begun"], NO_TIME)
        starts = np.flatnonzero(begun != NO_TIME)
        part = np.where(begun == NO_TIME, STEP, COMPLETE)
        row = np.concatenate([row, starts])
        second = np.concatenate([second, np.zeros(len(starts), np.bool_)])
        part = np.concatenate([part, np.full(len(starts), START)])
        own = np.concatenate([own, begun[starts]])
        case, activity = case[row], activity[row]
    if by_time or has_starts:
        # What has no time comes last.
        order = np.lexsort((second, row, own, own == NO_TIME, case))
        case, row, activity, own, part = (each[order] for each in (case, row, activity, own, part))
        second = second[order]
    begins = np.searchsorted(case, np.arange(n_cases + 1))
    return Moments(case, row, second, activity, own, _rising(own, case, begins), part, begins)


def _known(column: pa.ChunkedArray, instead: int) -> Numbers:
    import pyarrow as pa

    if not column.null_count:
        return arrow.column_in_numpy(column)
    return arrow.column_in_numpy(column.fill_null(pa.scalar(instead, pa.int64())))


def _rising(own: Numbers, case: Numbers, begins: Numbers) -> Numbers:
    """Of each moment the latest time in its case until then."""
    import numpy as np

    falls = (own[1:] < own[:-1]) & (case[1:] == case[:-1])
    if not falls.any():
        return own
    time = own.copy()
    for each in np.unique(case[1:][falls]).tolist():
        span = slice(int(begins[each]), int(begins[each + 1]))
        np.maximum.accumulate(time[span], out=time[span])
    return time


@dataclass
class Numbered:
    """Where the records of moments are in their case.

    Attributes
    ----------
    own
        How many records an event has itself: its cause, and one more if the case moves or something is scheduled.
    base
        How many records are before its own.
    moved
        How often the case has moved by then, this moment included.
    entered
        The moments at which cases come to an activity, which is their state from then on.
    last
        Of each case, which of `entered` is the last one; -1 if none is.
    version
        How many records each case has, but for the one that closes it.
    """

    own: Numbers
    base: Numbers
    moved: Numbers
    entered: Numbers
    last: Numbers
    version: Numbers


def number(moments: Moments, anchored: Numbers, at_start: Numbers) -> Numbered:
    """Give records their numbers.

    `anchored` tells how many are scheduled behind the records of each moment, `at_start` behind the first one of each
    case.
    """
    import numpy as np

    begins, case = moments.begins, moments.case
    own = np.where(moments.is_part(COMPLETE, OTHER), 1, 2)
    until = np.cumsum(own + anchored)
    before = until - own - anchored
    base = 1 + at_start[case] + before - before[begins[:-1]][case]
    moves = moments.entering
    entered = np.flatnonzero(moves)
    moved = np.cumsum(moves)
    n_before = np.concatenate([[0], moved])[begins]
    last = np.where(n_before[1:] > n_before[:-1], n_before[1:] - 1, -1)
    ends = begins[1:] - 1
    return Numbered(own, base, moved - n_before[:-1][case], entered, last, (base + own + anchored)[ends])
