"""From staged events to the pieces of a history file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, did_you_mean, listed
from wfsim.history import arrow
from wfsim.history.case_rows import variant_rows
from wfsim.history.codes import Codes
from wfsim.history.edges import Edges
from wfsim.history.paths import EMPTY, Paths
from wfsim.history.sorting import Piece

from . import attributes, cases, steps
from .pairing import Executions, no_executions, pair
from .records import Course, Made, Told, in_pieces
from .staging import KEPT
from .values import ORIGINAL_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from wfsim.history.sorting import SortedFile

    from .staging import Staging
    from .steps import Moments

_NAMED = ("state_names", "event_names", "activity_names")
"""An activity has one number in all of them, as a state, an event and an activity."""
_BEGINS = "lower(lifecycle) IN ('start', 'schedule')"


@dataclass(frozen=True)
class Kind:
    """What a log is like.

    Attributes
    ----------
    by_time
        Whether events of a case come by their times, else as in the log.
    has_starts
        Whether an event may say when it was started, too.
    pair
        Whether starts and completions by their lifecycle are one execution.
    traces
        Whether it is XES, where traces are cases.
    """

    by_time: bool
    has_starts: bool
    pair: bool
    traces: bool


class Making:
    """Makes records of what is staged.

    Attributes
    ----------
    slots
        Names of attributes, by the numbers that staged values have.
    n_events, n_cases
        What there is, once it is written.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, final: Sequence[str] | None) -> None:
        self.con = con
        self.codes = Codes()
        self.slots: list[str] = []
        self.n_events = self.n_cases = 0
        self._final = final

    def write(self, staging: Staging, kind: Kind, file: SortedFile) -> None:
        """Write all cases with their records, piece by piece, and count in `staging` what was done to events.

        Raises
        ------
        HistoryError
            If something is not allowed to be done.
        """
        activities = self._activities(staging)
        final = self._codes_of_final(staging, activities)
        cases.list_cases(self.con, traces=kind.traces)
        self.codes.code("region_names", "")
        for name in self.slots:
            self.codes.code("slot_names", name)
        ((self.n_events, self.n_cases),) = self.con.execute(
            "SELECT sum(n)::BIGINT, count(*) FROM memory.main.case_list"
        ).fetchall()
        batches = _Batches(self, staging, kind, activities, final)
        paths = batches.paths
        written = {EMPTY}
        for made in in_pieces(batches):
            fresh = sorted(set(made.ends.tolist()) - written)
            written.update(fresh)
            variants = variant_rows(fresh, paths)
            rest = {"cases": made.cases, "stay_rows": made.stays, "attempt_rows": made.attempts}
            file.write(file.portion([Piece(made.records, rest)], variants, self.codes.hand_over))
        batches.tell()

    def _activities(self, staging: Staging) -> list[str]:
        names = [
            name
            for (name,) in self.con.execute(
                f"SELECT activity FROM memory.main.staged WHERE {KEPT} GROUP BY activity ORDER BY min(place)"
            ).fetchall()
        ]
        if not names:
            raise HistoryError(f"{staging.source}: there are no events in it.")
        for dimension in _NAMED:
            for name in names:
                self.codes.code(dimension, name)
        import pyarrow as pa

        table = pa.table({"code": arrow.whole(list(range(len(names)))), "name": arrow.texts(names)})
        self.con.register("log_names", table)
        self.con.execute("CREATE TABLE memory.main.activity_codes AS FROM log_names")
        self.con.unregister("log_names")
        return names

    def _codes_of_final(self, staging: Staging, activities: list[str]) -> list[int] | None:
        if self._final is None:
            return None
        for each in self._final:
            if each not in activities:
                raise HistoryError(
                    f"{staging.source}: no event is the activity {each!r} (final=).{did_you_mean(each, activities)} "
                    f"Activities: {listed(activities)}."
                )
        return [activities.index(each) for each in self._final]

    def slot_of(self, name: str) -> int:
        """The number of an attribute that the import itself adds."""
        if name not in self.slots:
            self.slots.append(name)
            self.codes.code("slot_names", name)
        return self.slots.index(name)

    def drop(self) -> None:
        """Let go of all that was made on the way."""
        for (name,) in self.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'memory'"
        ).fetchall():
            self.con.execute(f'DROP TABLE memory.main."{name}"')


class _Batches:
    """Cases, some at a time, and what was done to their events."""

    def __init__(
        self, making: Making, staging: Staging, kind: Kind, activities: list[str], final: list[int] | None
    ) -> None:
        self._making, self._staging, self._kind, self._activities, self._final = (
            making,
            staging,
            kind,
            activities,
            final,
        )
        self.paths = Paths()
        self._edges = Edges()
        self._known: dict[bytes, tuple[NDArray[np.uint64], int]] = {}
        self._pairs = kind.pair and not kind.has_starts and bool(staging.found(f"{KEPT} AND {_BEGINS}")[0])
        self._started = self._starting()
        staged = making.con.sql("FROM memory.main.staged LIMIT 0")
        self._of_cases = "of_case" in staged.columns
        self._found = {name: _Tally() for name in _COUNTED}

    def _starting(self) -> NDArray[np.bool_]:
        """Of each activity whether the log tells of a start or a schedule of it."""
        import numpy as np

        started = np.zeros(len(self._activities), np.bool_)
        if self._pairs or self._kind.has_starts:
            where = "start_moment IS NOT NULL" if self._kind.has_starts else _BEGINS
            codes = self._making.con.execute(
                "SELECT DISTINCT code FROM memory.main.staged JOIN memory.main.activity_codes ON name = activity "
                f"WHERE {where}"
            ).fetchall()
            started[[code for (code,) in codes]] = True
        return started

    def __iter__(self) -> Iterator[Made]:
        kind, con = self._kind, self._making.con
        columns = ["s.moment", "s.resource", "s.id", 's."values"']
        columns += ["s.start_moment AS begun"] if kind.has_starts else []
        columns += [f"{steps.PART} AS part", "s.instance"] if self._pairs else []
        columns += ["s.of_case"] if self._of_cases else []
        for first, last, rows in cases.RowsByCase(con, ", ".join(columns), traces=kind.traces):
            moments = steps.moments_of(rows, first, last - first + 1, by_time=kind.by_time)
            executions = self._executions(rows, moments)
            self._count(rows, moments, executions)
            course = Course(moments, executions, first, self._final)
            yield course.made(self._told(rows, moments, first, last), *self._hashes(course), self._edges)

    def _executions(self, rows: pa.Table, moments: Moments) -> Executions:
        if self._kind.has_starts:
            return pair(moments, moments.row, self._started)
        if not self._pairs:
            return no_executions()
        import pyarrow as pa

        codes = rows["instance"].combine_chunks().dictionary_encode().indices.fill_null(pa.scalar(-1, pa.int32()))
        return pair(moments, arrow.in_numpy(codes)[moments.row], self._started)

    def _hashes(self, course: Course) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The hash of its case's path after each entering, and the path of each case as a number."""
        import numpy as np

        hashes: list[NDArray[np.uint64]] = []
        ends: list[int] = []
        for states in course.states():
            key = states.tobytes()
            if key not in self._known:
                nodes = [EMPTY]
                for state in states.tolist():
                    nodes.append(self.paths.extend(nodes[-1], self._activities[state]))
                self._known[key] = np.array([self.paths.hashes[node] for node in nodes[1:]], np.uint64), nodes[-1]
            of_path, end = self._known[key]
            hashes.append(of_path)
            ends.append(end)
        return np.concatenate(hashes), np.array(ends, np.int64)

    def _told(self, rows: pa.Table, moments: Moments, first: int, last: int) -> Told:
        import numpy as np

        con = self._making.con
        names = con.sql(
            f'SELECT case_name FROM memory.main.case_list WHERE "case" BETWEEN {first} AND {last} ORDER BY "case"'
        ).to_arrow_table()["case_name"]
        lifted = np.zeros(len(rows), np.bool_)
        lifted[moments.row[moments.lifted]] = True
        if lifted.any():
            slot = self._making.slot_of(ORIGINAL_TIME)
            rows = attributes.with_own_times(con, rows.append_column("lifted", arrow.numbers(lifted)), slot)
        if self._kind.traces:
            of_cases = attributes.of_traces(con, first, last)
        elif self._of_cases:
            of_cases, differing = attributes.of_rows(rows, first, last - first + 1)
            if differing.any():
                self._found["differing_attributes"].add(rows, np.flatnonzero(differing))
                case = arrow.column_in_numpy(rows["case"]) - first
                rows = rows.append_column("differing", arrow.numbers(differing))
                rows = attributes.with_other(con, rows.append_column("of_first", of_cases.take(arrow.numbers(case))))
        else:
            of_cases = None
        ids, resources, values = (rows[name].combine_chunks() for name in ("id", "resource", "values"))
        return Told(ids, resources, values, names.combine_chunks(), of_cases)

    # --- what was done ---------------------------------------------------------------------------

    def _count(self, rows: pa.Table, moments: Moments, executions: Executions) -> None:
        import numpy as np

        open_ones = executions.begun[(executions.begun >= 0) & (executions.done < 0)]
        for name, which in (
            ("untimed", np.flatnonzero(moments.time == steps.NO_TIME)),
            ("lift_time", np.flatnonzero(moments.lifted)),
            ("not_started", np.flatnonzero(moments.is_part(steps.LONE))),
            ("not_completed", open_ones),
            ("no_steps", np.flatnonzero(moments.is_part(steps.OTHER))),
        ):
            self._found[name].add(rows, moments.row[which])

    def tell(self) -> None:
        """Tell of what was found in the cases that there were.

        Raises
        ------
        HistoryError
            If the first event of a case has no time, or times fall and may not.
        """
        staging, found = self._staging, self._found
        untimed, lifted = found["untimed"], found["lift_time"]
        if untimed.count:
            staging.refuse(
                f"{untimed.count:,} events have no time, nor has one before them in their case",
                untimed.first,
                ("drop_untimed",),
                "Fill them in.",
            )
        if lifted.count and "lift_time" not in staging.allowed:
            staging.refuse(
                f"{lifted.count:,} events are earlier than the one before them in their case",
                lifted.first,
                ("lift_time",),
                "Say that they come by their times: order='time'.",
            )
        paired = ("not_started", "not_completed", "no_steps") if self._pairs else ()
        for name in ("lift_time", *paired, "differing_attributes"):
            staging.note(name, found[name].count, found[name].first)


_COUNTED = ("untimed", "lift_time", "not_started", "not_completed", "no_steps", "differing_attributes")
_FIRST = 5


@dataclass
class _Tally:
    """How many events, and the places of the first of them."""

    count: int = 0
    first: tuple[int, ...] = field(default=())

    def add(self, rows: pa.Table, which: NDArray[np.int64]) -> None:
        """Count some rows."""
        import numpy as np

        if len(which):
            places = np.sort(arrow.column_in_numpy(rows["source"])[which])[:_FIRST].tolist()
            self.count += len(which)
            self.first = tuple(sorted([*self.first, *places])[:_FIRST])
