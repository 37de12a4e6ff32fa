"""What follows from the records of whole cases, worked out in arrays: the rows of the queries in `side_tables`.

In memory, where the records have just been made, this takes a quarter of the time that the queries do.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from wfsim.semantics.codes import (
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_INSTANCE_CLOSED,
    R_RETRY_SCHEDULED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_STATUS_CHANGED,
    R_STIMULUS_IGNORED,
    R_TRANSITION,
)

from . import arrow
from .batch import places
from .edges import NONE
from .packing import ANY, ENDS, among, field_of
from .side_tables import FOREVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from .edges import Edges

    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]

_FEW = 2**15
"""Serials and attempts below this fit into one number with their case."""
_LEAVING = (R_STATE_LEFT, R_TRANSITION, R_INSTANCE_CLOSED)
_ATTEMPTS = (R_ACTIVITY_SCHEDULED, R_RETRY_SCHEDULED, R_ACTIVITY_STARTED, *ENDS)
# Whole numbers, of no record below 0.
_WHOLE = frozenset(
    "kind seq time workflow cause_seq region state to_state event transition entered_seq dwell "
    "activity activity_id attempt error_type delay status outcome".split()
)


def sides_of(rows: Told, edges: Edges) -> dict[str, pa.Table]:
    """Rows of `stay_rows` and `attempt_rows` that follow from records of whole cases of one run, by (case, seq).

    `edges` are those of the run, of which there may be more then. A column that is not there is null in all rows.
    """
    return {"stay_rows": _stays(rows, edges), "attempt_rows": _attempts(rows)}


def ended(cases: pa.Table, rows: Told | None) -> pa.Table:
    """Cases of one run, by their numbers, with the columns `side_tables.CASE_ENDS`, which follow from their records.

    A case that was retried closes more than once: its last change of status counts.
    """
    import numpy as np

    last_time = arrow.column_in_numpy(cases["started"]).copy()
    found = {name: np.full(len(cases), NONE, np.int64) for name in ("time", "status", "outcome", "state")}
    if rows is not None:
        ends = np.flatnonzero(rows.is_last)
        place = np.searchsorted(arrow.column_in_numpy(cases["case"]), rows.cases[ends])
        last_time[place] = rows.some(ends)["time"]
        changes = rows.among(R_INSTANCE_CLOSED, R_STATUS_CHANGED)
        final = changes.where(np.append(np.diff(changes.cases) != 0, True)[: len(changes)])
        closed = final.where(final.kind == R_INSTANCE_CLOSED)
        place = np.searchsorted(arrow.column_in_numpy(cases["case"]), closed.cases)
        for name, column in found.items():
            column[place] = closed[name]
    added = {
        "last_time": last_time,
        "closed": found["time"],
        "status": found["status"].astype(np.int16),
        "outcome": found["outcome"].astype(np.int16),
        "final_state": found["state"].astype(np.int32),
    }
    for name, column in added.items():
        known = None if name == "last_time" else column != NONE
        cases = cases.append_column(name, arrow.numbers(column, known))
    return cases


class Told:
    """The columns of records that the rest follows from, of some of them at a time, with `NONE` for null."""

    def __init__(self, records: arrow.Rows) -> None:
        import numpy as np

        table = self._table = records.table
        self.source: pa.ChunkedArray = table["source"]
        self._columns: dict[str, tuple[NDArray[Any], Flags | None]] = {
            name: (column, None) for name, column in records.columns.items()
        }
        self.run = arrow.column_in_numpy(table["run"])[:1]
        self.cases: NDArray[np.int32] = arrow.column_in_numpy(table["case"])
        self.seq: NDArray[np.int32] = arrow.column_in_numpy(table["seq"])
        self.kind: NDArray[np.uint8] = arrow.column_in_numpy(table["kind"])
        self.is_last: Flags = np.append(np.diff(self.cases) != 0, True)[: len(self.cases)]

    def some(self, places: Places) -> Some:
        """Those in some places, of any kinds."""
        return Some(self, places)

    def stored(self, name: str, places: Places) -> NDArray[Any]:
        """A column of `record_rows` of some records."""
        import numpy as np

        if name not in self._columns:
            self._columns[name] = arrow.numbers_and_known(self._table[name])
        numbers, known = self._columns[name]
        found = numbers[places]
        if found.itemsize == 1:
            # As wide wherever they come from.
            found = found.astype(np.int16)
        return found if known is None else np.where(known[places], found, found.dtype.type(NONE))

    def among(self, *kinds: int) -> Some:
        """Those that are of these kinds."""
        import numpy as np

        return Some(self, np.flatnonzero(among(self.kind, kinds)), frozenset(kinds))

    def table(self, at: Places, columns: Mapping[str, NDArray[Any]]) -> pa.Table:
        """Rows that have run and case of some records, and these columns, in which `NONE` is null."""
        import numpy as np
        import pyarrow as pa

        arrays = {
            "run": arrow.numbers(np.repeat(self.run, len(at))),
            "case": arrow.numbers(self.cases[at]),
            "workflow": arrow.numbers(self.stored("workflow", at)),
        }
        return pa.table(arrays | {name: arrow.numbers(column, column != NONE) for name, column in columns.items()})


class Some:
    """Some records, of certain kinds, and their fields by name: whole numbers, in no record below 0.

    What is read of them is read once.
    """

    def __init__(self, told: Told, places: Places, kinds: frozenset[int] = ANY) -> None:
        self.places = places
        self._told = told
        self._kinds = kinds
        self._found: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def kind(self) -> NDArray[np.uint8]:
        """The kind of each."""
        return self._told.kind[self.places]

    @cached_property
    def cases(self) -> NDArray[np.int32]:
        """The case of each."""
        return self._told.cases[self.places]

    def __getitem__(self, name: str) -> NDArray[Any]:
        assert name in _WHOLE, name
        if name not in self._found:
            self._found[name] = field_of(
                name, self.kind, lambda stored: self._told.stored(stored, self.places), self._kinds
            )
        return self._found[name]

    def where(self, which: Flags | Places) -> Some:
        """Some of them, told by a mask or by their places among them."""
        return Some(self._told, self.places[which], self._kinds)


def _stays(rows: Told, edges: Edges) -> pa.Table:
    """As `side_tables.stay_rows` has them."""
    import numpy as np

    entering, leaving = rows.among(R_STATE_ENTERED, R_TRANSITION), rows.among(*_LEAVING)
    enters = entering.places[(entering.kind == R_STATE_ENTERED) | (entering["to_state"] != NONE)]
    leaves = leaving.where(leaving["dwell"] != NONE)
    ended = np.zeros(len(rows.kind), np.bool_)
    ended[_begins(rows, leaves)] = True
    unfinished = rows.some(enters[~ended[enters]])
    closings = np.append(rows.among(R_INSTANCE_CLOSED).places, len(rows.cases))
    closing = closings[np.searchsorted(closings, unfinished.places)]
    # Of the same case, and not of one behind it.
    is_closed = np.append(rows.cases, NONE)[closing] == unfinished.cases
    closed = rows.some(closing[is_closed])

    moved = leaves.kind == R_TRANSITION
    left_seq = np.full(len(unfinished), NONE, np.int32)
    left_at = np.full(len(unfinished), FOREVER, np.int64)
    left_seq[is_closed], left_at[is_closed] = closed["seq"], closed["time"]
    nowhere = np.full(len(unfinished), NONE, np.int32)

    def of_moves(name: str) -> NDArray[np.int32]:
        return np.concatenate([np.where(moved, leaves[name], np.int32(NONE)), nowhere])

    def of_all(name: str) -> NDArray[Any]:
        return np.concatenate([leaves[name], unfinished[name]])

    state = np.where(unfinished.kind == R_TRANSITION, unfinished["to_state"], unfinished["state"])
    at = np.concatenate([leaves.places, unfinished.places])
    entered_seq = np.concatenate([leaves["entered_seq"], unfinished["seq"]])
    columns = {
        "region": of_all("region"),
        "state": np.concatenate([leaves["state"], state]),
        "to_state": of_moves("to_state"),
        "event": of_moves("event"),
        "transition": of_moves("transition"),
        "entered_seq": entered_seq,
        "left_seq": np.concatenate([leaves["seq"], left_seq]),
        "entered": np.concatenate([leaves["time"] - leaves["dwell"], unfinished["time"]]),
        "left_at": np.concatenate([leaves["time"], left_at]),
    }
    order = np.argsort(places(rows.cases[at], entered_seq), kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    columns["edge"] = edges.of(columns["region"], columns["state"], columns["to_state"], columns["event"])
    return rows.table(at[order], columns)


def _begins(rows: Told, leaves: Some) -> Places:
    """The records with which stays began that some records end, as far as they are there."""
    import numpy as np

    seq, begun = rows.seq, leaves["entered_seq"]
    # At log level `full` all records of a case are there, so that their numbers say where they lie.
    found: Places = np.maximum(leaves.places - (leaves["seq"] - begun), 0)
    if (seq[found] == begun).all() and (rows.cases[found] == leaves.cases).all():
        return found
    # By search, as rows come in order; `isin` would sort them, and load what masks arrays.
    entered, left = places(rows.cases, seq), places(leaves.cases, begun)
    found = np.minimum(np.searchsorted(entered, left), len(entered) - 1)
    there: Places = found[entered[found] == left]
    return there


def _attempts(rows: Told) -> pa.Table:
    """As `side_tables.attempt_rows` has them."""
    import numpy as np

    told = rows.among(*_ATTEMPTS)
    ignored = rows.among(R_STIMULUS_IGNORED)
    ignored = ignored.where(ignored["activity_id"] != NONE)
    if len(ignored):
        causes = rows.some(np.searchsorted(places(rows.cases, rows.seq), places(ignored.cases, ignored["cause_seq"])))
        causes = causes.where(causes["activity_id"] == ignored["activity_id"])
        told = told.where(~np.isin(told.places, causes.places))
    if (order := _by_attempt(told)) is not None:
        told = told.where(order)
    kind, fields = told.kind, (told.cases, told["activity_id"], told["attempt"])
    begins = np.flatnonzero(
        np.append(True, np.logical_or.reduce([np.diff(field) != 0 for field in fields]))[: len(told)]
    )
    group = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(told))))

    def first(flags: Flags) -> Places:
        """Of each attempt the place among `told` of the first record of those, or `NONE`."""
        found = np.full(len(begins), NONE, np.int64)
        those = np.flatnonzero(flags)[::-1]
        found[group[those]] = those
        return found

    def of(name: str, at: Places) -> NDArray[Any]:
        column = told[name]
        return np.where(at == NONE, column.dtype.type(NONE), column[at])

    def first_known(name: str) -> NDArray[Any]:
        at_begin = told[name][begins]
        return at_begin if (at_begin != NONE).all() else of(name, first(told[name] != NONE))

    starts, ends = kind == R_ACTIVITY_STARTED, among(kind, ENDS)
    scheduled = first(kind == R_ACTIVITY_SCHEDULED)
    is_made = scheduled != NONE
    started = np.where(is_made, first(starts), NONE)
    ended = np.where(is_made, first(ends), NONE)
    failed = np.where(is_made, first(ends & (told["error_type"] != NONE)), NONE)
    columns = {
        "region": first_known("region"),
        "state": first_known("state"),
        "activity": first_known("activity"),
        "activity_id": fields[1][begins],
        "attempt": fields[2][begins],
        "ended_kind": of("kind", ended),
        "error_type": of("error_type", failed),
        "scheduled_seq": of("seq", scheduled),
        "ended_seq": of("seq", ended),
        "scheduled": of("time", scheduled),
        "wait": np.where(started == NONE, NONE, of("time", started) - of("time", scheduled)),
        "ended": of("time", ended),
        "retry_delay": of("delay", first((kind == R_RETRY_SCHEDULED) & (told["delay"] != NONE))),
    }
    kept = np.flatnonzero(is_made | (columns["retry_delay"] != NONE))
    table = rows.table(told.places[begins][kept], {name: column[kept] for name, column in columns.items()})
    source = rows.source
    if source.null_count == len(source):
        import pyarrow as pa

        # Arrow would load all of its functions for that, which takes as long as simulating a thousand orders.
        return table.append_column("worker", pa.nulls(len(kept), source.type))
    worked = np.where(is_made, first(starts & arrow.known(source)[told.places]), NONE)[kept]
    return table.append_column("worker", source.take(arrow.numbers(told.places[worked], worked != NONE)))


def _by_attempt(told: Some) -> Places | None:
    """What puts some records in the order of their attempts, and those of one in their own; `None` if they are."""
    import numpy as np

    fields = told.cases, told["activity_id"], told["attempt"]
    if not len(told) or max(fields[1].max(), fields[2].max()) >= _FEW or np.ptp(fields[0]) >= 2**31 // _FEW:
        return np.lexsort(fields[::-1])
    # By one number: what has nearly that order is sorted in a fifth of the time.
    place = fields[0].astype(np.int64) - fields[0][0]
    number = (place * _FEW + fields[1]) * _FEW + fields[2]
    return None if (number[1:] >= number[:-1]).all() else np.argsort(number, kind="stable")
