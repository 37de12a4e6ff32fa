"""Records of imported cases, and what a history holds beside them: their stays, attempts and closings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wfsim.history import arrow, sorting
from wfsim.history.edges import NONE
from wfsim.history.packing import SHARED, pack
from wfsim.history.schema import STORED_COLUMNS
from wfsim.history.side_tables import ATTEMPT_COLUMNS, FOREVER, STAY_COLUMNS
from wfsim.semantics.codes import (
    COMPLETED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_EVENT_RECEIVED,
    R_INSTANCE_CLOSED,
    R_STARTED,
    R_STATE_ENTERED,
    R_TRANSITION,
)

from .pairing import AT_START, PLANNED
from .steps import COMPLETE, LONE, START, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.history.edges import Edges

    from .pairing import Executions
    from .steps import Moments

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_CASE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run", "INTEGER"),
    ('"case"', "INTEGER"),
    ("workflow", "INTEGER"),
    ("external_id", "VARCHAR"),
    ("key", "BIGINT"),
    ("parent_case", "INTEGER"),
    ("parent_activation", "INTEGER"),
    ("started", "BIGINT"),
    ("version", "INTEGER"),
    ("path_hash", "UBIGINT"),
    ("last_time", "BIGINT"),
    ("closed", "BIGINT"),
    ("status", "UTINYINT"),
    ("outcome", "UTINYINT"),
    ("final_state", "INTEGER"),
)


@dataclass(frozen=True)
class Told:
    """What the log tells of each event and case of a batch, beside numbers.

    Attributes
    ----------
    ids, resources, values
        One for each row; `values` are lists of attributes.
    names, case_values
        One for each case; null if the log tells nothing of cases.
    """

    ids: pa.Array
    resources: pa.Array
    values: pa.Array
    names: pa.Array
    case_values: pa.Array | None


class Course:
    """How some cases went: everything that their records are made of.

    Parameters
    ----------
    moments, executions
        What happened.
    first
        The number of the first of these cases.
    final
        Activities that close a case if they are its last; without them each is closed by its last event.
    """

    def __init__(self, moments: Moments, executions: Executions, first: int, final: list[int] | None) -> None:
        import numpy as np

        self.moments, self.executions, self.first = moments, executions, first
        self.n = len(moments.begins) - 1
        anchor = executions.anchor
        anchored = np.bincount(anchor[anchor >= 0], minlength=len(moments))
        at_start = np.bincount(executions.case[anchor == AT_START], minlength=self.n)
        numbered = self.numbered = number(moments, anchored, at_start)
        entered = numbered.entered
        self.last = np.where(numbered.last >= 0, entered[numbered.last] if len(entered) else -1, -1)
        last_activity = np.where(self.last >= 0, moments.activity[self.last], -1)
        self.closed = np.ones(self.n, np.bool_) if final is None else np.isin(last_activity, final)
        self.version = numbered.version + self.closed
        self.begins = np.cumsum(self.version) - self.version

    def states(self) -> Iterator[NDArray[np.int32]]:
        """Of each case the activities that it comes to, in their order."""
        import numpy as np

        entered = self.numbered.entered
        activity = self.moments.activity[entered].astype(np.int32)
        bounds = np.searchsorted(self.moments.case[entered], np.arange(self.n + 1)).tolist()
        for begin, end in pairwise(bounds):
            yield activity[begin:end]

    def made(self, told: Told, hashes: NDArray[np.uint64], ends: Numbers, edges: Edges) -> Made:
        """All tables; `hashes` are of the paths after each entering, `ends` are the paths of the cases, as numbers."""
        stays, attempts = self._stays(edges), self._attempts(told)
        return Made(self._cases(told.names, hashes), ends, self._records(told, hashes), stays, attempts)

    def _records(self, told: Told, hashes: NDArray[np.uint64]) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        moments, numbered = self.moments, self.numbered
        rows = _Rows(int(self.version.sum()))
        case, part, time, activity = moments.case, moments.part, moments.time, moments.activity
        started = self.begins
        rows.put(started, {"seq": 1, "time": time[moments.begins[:-1]], "kind": R_STARTED, "cause_seq": 1, "key": 0})

        cause = self.begins[case] + numbered.base
        seq = numbered.base + 1
        runs = moments.is_part(START, COMPLETE, LONE)
        kinds = np.full(LONE + 1, R_EVENT_RECEIVED)
        kinds[[START, COMPLETE, LONE]] = R_ACTIVITY_STARTED, R_ACTIVITY_SUCCEEDED, R_ACTIVITY_SUCCEEDED
        rows.put(cause, {"seq": seq, "time": time, "kind": kinds[part], "cause_seq": seq, "region": 0})
        rows.put(cause[~runs], {"event": activity[~runs]})
        rows.put(cause[runs], {"activity": activity[runs], "state": activity[runs], "attempt": 1})
        executions = self.executions
        begun, done = executions.begun >= 0, executions.done >= 0
        started_at, done_at = executions.begun[begun], executions.done[done]
        rows.put(
            cause[started_at],
            {"activity_id": executions.number[begun], "wait": time[started_at] - executions.scheduled[begun]},
        )
        rows.put(cause[done_at], {"activity_id": executions.number[done]})
        both = begun & done
        served = executions.done[both]
        rows.put(cause[served], {"service": time[served] - time[executions.begun[both]]})
        # The path that holds at a record is that of the last move until it.
        moves = moments.entering
        moved = np.cumsum(moves) - 1
        self._hash(rows, cause, moved - moves, numbered.moved - moves, hashes)

        entered = numbered.entered
        move = cause[entered] + 1
        later = np.flatnonzero(numbered.moved[entered] > 1)
        before, after = entered[later - 1], entered[later]
        rows.put(
            move,
            {
                "seq": seq[entered] + 1,
                "time": time[entered],
                "kind": R_STATE_ENTERED,
                "cause_seq": seq[entered],
                "region": 0,
                "state": activity[entered],
                "path_hash": hashes,
            },
        )
        rows.put(
            move[later],
            {
                "kind": R_TRANSITION,
                "state": activity[before],
                "to_state": activity[after],
                "entered_seq": seq[before] + 1,
                "dwell": time[after] - time[before],
            },
        )

        if len(executions):
            at = np.where(executions.planned >= 0, executions.planned, executions.anchor)
            there = at >= 0
            at = np.maximum(at, 0)
            scheduled = self.begins[executions.case] + self._scheduled_seq - 1
            rows.put(
                scheduled,
                {
                    "seq": self._scheduled_seq,
                    "time": executions.scheduled,
                    "kind": R_ACTIVITY_SCHEDULED,
                    "cause_seq": np.where(there, seq[at], 1),
                    "region": 0,
                    "state": executions.activity,
                    "activity": executions.activity,
                    "activity_id": executions.number,
                    "attempt": 1,
                },
            )
            self._hash(rows, scheduled, moved[at], np.where(there, numbered.moved[at], 0), hashes)

        ends = moments.begins[1:] - 1
        closing = np.flatnonzero(self.closed)
        at = self.begins[closing] + self.version[closing] - 1
        rows.put(
            at,
            {
                "seq": self.version[closing],
                "time": time[ends[closing]],
                "kind": R_INSTANCE_CLOSED,
                "cause_seq": seq[ends[closing]],
                "region": 0,
                "status": COMPLETED,
            },
        )
        stayed = self.last[closing] >= 0
        last = self.last[closing][stayed]
        rows.put(
            at[stayed],
            {
                "state": activity[last],
                "entered_seq": seq[last] + 1,
                "dwell": time[ends[closing]][stayed] - time[last],
                "path_hash": hashes[numbered.last[closing][stayed]],
            },
        )

        whole = moments.second
        of_event = np.full(len(rows), -1)
        of_event[cause] = moments.row
        of_value = np.full(len(rows), -1)
        of_value[cause[whole]] = moments.row[whole]
        values = told.values
        if told.case_values is not None:
            of_value[started] = len(values) + np.arange(self.n)
            values = pa.concat_arrays([values, told.case_values])
        is_last = np.zeros(len(rows), np.bool_)
        is_last[self.begins + self.version - 1] = True
        more = {
            "run": _repeated(1, len(rows)),
            "case": arrow.numbers(np.repeat(np.arange(self.n, dtype=np.int32) + self.first, self.version)),
            "workflow": _repeated(0, len(rows)),
            **_taken("event_id", told.ids, of_event),
            **_taken("source", told.resources, of_event),
            **_taken("values", values, of_value),
            "is_last": arrow.numbers(is_last),
        }
        rows.pack()
        return rows.table(STORED_COLUMNS, more)

    def _hash(self, rows: _Rows, at: Numbers, which: Numbers, moved: Numbers, hashes: NDArray[np.uint64]) -> None:
        """Give records the hash of the path after some entering, if the case has moved by then."""
        has = moved > 0
        rows.put(at[has], {"path_hash": hashes[which[has]]})

    @property
    def _scheduled_seq(self) -> Numbers:
        """The numbers of the records that schedule executions."""
        import numpy as np

        executions, numbered = self.executions, self.numbered
        anchor = executions.anchor
        behind = np.where(anchor == AT_START, len(self.moments) + executions.case, anchor)
        order = np.argsort(behind, kind="stable")
        nth = np.empty(len(anchor), np.int64)
        nth[order] = np.arange(len(anchor)) - np.searchsorted(behind[order], behind[order])
        at = np.maximum(anchor, 0)
        first = np.where(anchor == AT_START, 1, numbered.base[at] + numbered.own[at])
        return np.where(anchor == PLANNED, numbered.base[executions.planned] + 2, first + nth + 1)

    def _stays(self, edges: Edges) -> pa.Table:
        """A stay for each entering, until the next one, the closing, or for ever."""
        import numpy as np

        moments, numbered = self.moments, self.numbered
        entered = numbered.entered
        rows = _Rows(len(entered))
        case, seq = moments.case[entered], numbered.base[entered] + 2
        rows.put(
            np.arange(len(entered)),
            {
                "case": case + self.first,
                "state": moments.activity[entered],
                "entered_seq": seq,
                "entered": moments.time[entered],
                "left_at": FOREVER,
            },
        )
        followed = np.flatnonzero(case[1:] == case[:-1])
        state, to_state = moments.activity[entered[followed]], moments.activity[entered[followed + 1]]
        rows.put(
            followed,
            {
                "to_state": to_state,
                "edge": edges.of(np.zeros_like(state), state, to_state, np.full_like(state, NONE)),
                "left_seq": seq[followed + 1],
                "left_at": moments.time[entered[followed + 1]],
            },
        )
        closing = np.flatnonzero(self.closed & (numbered.last >= 0))
        rows.put(
            numbered.last[closing],
            {"left_seq": self.version[closing], "left_at": moments.time[moments.begins[1:][closing] - 1]},
        )
        return rows.table(STAY_COLUMNS, rows.same({"run": 1, "workflow": 0, "region": 0}))

    def _attempts(self, told: Told) -> pa.Table:
        """Each execution is the one attempt of its activity."""
        import numpy as np

        moments, executions = self.moments, self.executions
        n = len(executions)
        rows = _Rows(n)
        if not n:
            return rows.table(ATTEMPT_COLUMNS, rows.same({"run": 1, "case": self.first}))
        rows.put(
            np.arange(n),
            {
                "case": executions.case + self.first,
                "state": executions.activity,
                "activity": executions.activity,
                "activity_id": executions.number,
                "scheduled_seq": self._scheduled_seq,
                "scheduled": executions.scheduled,
            },
        )
        begun, done = np.flatnonzero(executions.begun >= 0), np.flatnonzero(executions.done >= 0)
        started, ended = executions.begun[begun], executions.done[done]
        rows.put(begun, {"wait": moments.time[started] - executions.scheduled[begun]})
        rows.put(
            done,
            {
                "ended_kind": R_ACTIVITY_SUCCEEDED,
                "ended_seq": self.numbered.base[ended] + 1,
                "ended": moments.time[ended],
            },
        )
        worker = np.full(n, -1)
        worker[begun] = moments.row[started]
        same = rows.same({"run": 1, "workflow": 0, "region": 0, "attempt": 1})
        return rows.table(ATTEMPT_COLUMNS, {**same, **_taken("worker", told.resources, worker)})

    def _cases(self, names: pa.Array, hashes: NDArray[np.uint64]) -> pa.Table:
        import numpy as np

        moments = self.moments
        rows = _Rows(self.n)
        ended = moments.time[moments.begins[1:] - 1]
        rows.put(
            np.arange(self.n),
            {
                "case": np.arange(self.n) + self.first,
                "key": 0,
                "started": moments.time[moments.begins[:-1]],
                "version": self.version,
                "last_time": ended,
            },
        )
        moved = np.flatnonzero(self.last >= 0)
        rows.put(moved, {"path_hash": hashes[self.numbered.last[moved]]})
        closed = np.flatnonzero(self.closed)
        rows.put(closed, {"closed": ended[closed], "status": COMPLETED})
        known = np.flatnonzero(self.closed & (self.last >= 0))
        rows.put(known, {"final_state": moments.activity[self.last[known]]})
        return rows.table(_CASE_COLUMNS, {**rows.same({"run": 1, "workflow": 0}), "external_id": names})


@dataclass(frozen=True)
class Made:
    """Some cases of a history: rows of its tables, in their order; `ends` are the paths of the cases, as numbers."""

    cases: pa.Table
    ends: Numbers
    records: pa.Table
    stays: pa.Table
    attempts: pa.Table

    def split(self, most: int) -> tuple[Made, Made | None]:
        """The first cases, with no more records than that unless it is one, and the others."""
        import numpy as np

        until = np.cumsum(arrow.column_in_numpy(self.cases["version"]), dtype=np.int64)
        k = max(1, int(np.searchsorted(until, most, "right")))
        if k == len(until):
            return self, None
        last = arrow.column_in_numpy(self.cases["case"])[k - 1]
        cuts = [k, int(until[k - 1])]
        cuts += [int(np.searchsorted(arrow.column_in_numpy(each["case"]), last, "right")) for each in self._sides]
        tables = (self.cases, self.records, *self._sides)
        cases, records, stays, attempts = (each.slice(0, cut) for each, cut in zip(tables, cuts))
        rest = [each.slice(cut) for each, cut in zip(tables, cuts)]
        return (
            Made(cases, self.ends[:k], records, stays, attempts),
            Made(rest[0], self.ends[k:], rest[1], rest[2], rest[3]),
        )

    @property
    def _sides(self) -> tuple[pa.Table, pa.Table]:
        return self.stays, self.attempts

    def and_then(self, other: Made) -> Made:
        """These cases and those behind them."""
        import numpy as np
        import pyarrow as pa

        tables = zip((self.cases, self.records, *self._sides), (other.cases, other.records, *other._sides))
        cases, records, stays, attempts = (pa.concat_tables(pair, promote_options="default") for pair in tables)
        return Made(cases, np.concatenate([self.ends, other.ends]), records, stays, attempts)


def in_pieces(batches: Iterable[Made]) -> Iterator[Made]:
    """The same cases, in as many at a time as a piece of a file takes."""
    waiting: Made | None = None
    for made in batches:
        waiting = made if waiting is None else waiting.and_then(made)
        while waiting is not None and len(waiting.records) > sorting.PIECE:
            first, rest = waiting.split(sorting.PIECE)
            yield first
            waiting = rest
    if waiting is not None:
        yield waiting


class _Rows:
    """Columns of a table that is put together from rows of several kinds; null where nothing was put."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._columns: dict[str, tuple[NDArray[Any], Flags]] = {}

    def __len__(self) -> int:
        return self._n

    def put(self, at: Numbers, fields: Mapping[str, int | NDArray[Any]]) -> None:
        """Fill columns of some rows."""
        import numpy as np

        for name, values in fields.items():
            if name not in self._columns:
                dtype = values.dtype if isinstance(values, np.ndarray) and values.dtype == np.uint64 else np.int64
                self._columns[name] = np.zeros(self._n, dtype), np.zeros(self._n, np.bool_)
            column, known = self._columns[name]
            column[at] = values
            known[at] = True

    def same(self, fields: Mapping[str, int]) -> dict[str, pa.Array]:
        """Columns that have one value in all rows."""
        return {name: _repeated(value, self._n) for name, value in fields.items()}

    def pack(self) -> None:
        """Put fields of records that share a column into that."""
        import numpy as np

        nothing = np.zeros(self._n, np.int64), np.zeros(self._n, np.bool_)
        kind = self._columns["kind"][0]
        values = pack(kind, lambda name: self._columns.get(name, nothing)[0])
        known = pack(kind, lambda name: self._columns.get(name, nothing)[1])
        for each in SHARED:
            for field in each.fields:
                self._columns.pop(field, None)
            self._columns[each.name] = values[each.name], known[each.name]

    def table(self, columns: tuple[tuple[str, str], ...], more: Mapping[str, pa.Array]) -> pa.Table:
        """All of it, in the order and with the types of those columns; those that nothing was put into are left out."""
        import pyarrow as pa

        types = {
            "INTEGER": pa.int32(),
            "BIGINT": pa.int64(),
            "UTINYINT": pa.uint8(),
            "UBIGINT": pa.uint64(),
            "VARCHAR": pa.string(),
        }
        made: dict[str, pa.Array] = {}
        for quoted, kind in columns:
            name = quoted.strip('"')
            if name in more:
                made[name] = more[name]
            elif name in self._columns:
                values, known = self._columns[name]
                made[name] = arrow.numbers(values.astype(types[kind].to_pandas_dtype(), copy=False), known)
        return pa.table(made)


def _repeated(value: int, n: int) -> pa.Array:
    import numpy as np

    return arrow.numbers(np.full(n, value, np.int32))


def _taken(name: str, values: pa.Array, which: Numbers) -> dict[str, pa.Array]:
    """A column of some of the values, null where that is -1; none if all values are null."""
    if values.null_count == len(values):
        return {}
    return {name: values.take(arrow.numbers(which, which >= 0))}
