"""From staged events to the pieces of a history file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, did_you_mean, listed
from wfsim.history import arrow, sorting
from wfsim.history.case_rows import variant_rows
from wfsim.history.codes import Codes
from wfsim.history.paths import EMPTY, Paths
from wfsim.history.sorting import Piece
from wfsim.semantics.codes import STRING

from . import steps
from .staging import KEPT
from .values import ORIGINAL_TIME, VALUES, iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from wfsim.history.sorting import SortedFile

    from .staging import Staging

_NAMED = ("state_names", "event_names", "activity_names")
"""An activity has one number in all of them, as a state, an event and an activity."""


class Making:
    """Makes records of what is staged.

    Attributes
    ----------
    slots
        Names of attributes, by the numbers that staged values have.
    n_events, n_cases
        What there is, once it is made.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, final: Sequence[str] | None) -> None:
        self.con = con
        self.codes = Codes()
        self.slots: list[str] = []
        self.n_events = self.n_cases = 0
        self._final = final
        self._paths = Paths()

    # --- tables ----------------------------------------------------------------------------------

    def make(self, staging: Staging, *, by_time: bool, has_starts: bool, pair: bool, traces: bool) -> None:
        """Work everything out."""
        con = self.con
        activities = self._activities(staging)
        steps.list_cases(con, traces=traces)
        pairs = (
            pair and not has_starts and bool(staging.found(f"{KEPT} AND lower(lifecycle) IN ('start', 'schedule')")[0])
        )
        steps.place(con, by_time=by_time, has_starts=has_starts, pairs=pairs, traces=traces)
        self._check_times(staging)
        steps.pair(con, simple=not (pairs or has_starts))
        if pairs:
            self._count_pairs(staging)
        steps.number(con, self._final_codes(staging, activities))
        self._case_values(staging)
        steps.list_paths(con)
        self._hash_paths(activities)
        steps.follow(con)
        self.codes.code("region_names", "")
        for name in self.slots:
            self.codes.code("slot_names", name)
        ((self.n_events,),) = con.execute(f"SELECT count(*) FROM memory.main.staged WHERE {KEPT}").fetchall()
        ((self.n_cases,),) = con.execute("SELECT count(*) FROM memory.main.whole").fetchall()

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

    def _final_codes(self, staging: Staging, activities: list[str]) -> list[int] | None:
        if self._final is None:
            return None
        for each in self._final:
            if each not in activities:
                raise HistoryError(
                    f"{staging.source}: no event is the activity {each!r} (final=).{did_you_mean(each, activities)} "
                    f"Activities: {listed(activities)}."
                )
        return [activities.index(each) for each in self._final]

    def _check_times(self, staging: Staging) -> None:
        """Tell of times that fall, and keep them as attributes; refuse cases whose first event has none."""
        con = self.con
        query = "SELECT count(*), min(source, 5) FROM memory.main.placed WHERE "
        ((count, first),) = con.execute(query + "time IS NULL").fetchall()
        if count:
            staging.refuse(
                f"{count:,} events have no time, nor has one before them in their case",
                tuple(first),
                ("drop_untimed",),
                "Fill them in.",
            )
        ((count, first),) = con.execute(query + "own < time").fetchall()
        if not count:
            return
        if "lift_time" not in staging.allowed:
            staging.refuse(
                f"{count:,} events are earlier than the one before them in their case",
                tuple(first),
                ("lift_time",),
                "Say that they come by their times: order='time'.",
            )
        staging.note("lift_time", count, tuple(first))
        if ORIGINAL_TIME not in self.slots:
            self.slots.append(ORIGINAL_TIME)
        slot = self.slots.index(ORIGINAL_TIME)
        said = iso("make_timestamptz(moment)")
        value = f'{{slot: {slot}, tag: {STRING}::UTINYINT, whole: NULL::BIGINT, "real": NULL::DOUBLE, "text": {said}}}'
        con.execute(f"""
UPDATE memory.main.staged SET "values" = list_append(coalesce("values", []), {value})::{VALUES}
WHERE place IN (SELECT source FROM memory.main.placed WHERE own < time)
""")

    def _count_pairs(self, staging: Staging) -> None:
        def count(name: str, query: str) -> None:
            ((n, first),) = self.con.execute(query).fetchall()
            staging.note(name, n, tuple(first or ()))

        placed = "SELECT count(*), min(source, 5) FROM memory.main.placed p "
        count("not_started", placed + f"WHERE part = {steps.LONE}")
        count(
            "not_completed",
            placed + f'JOIN memory.main.instances i ON i."case" = p."case" AND i.begun_pos = p.pos '
            f"WHERE part = {steps.START} AND i.done_pos IS NULL",
        )
        count("no_steps", placed + f"WHERE part = {steps.OTHER}")

    def _case_values(self, staging: Staging) -> None:
        """Make `case_values`: the attributes of each case, of its first event where every event has them."""
        con = self.con
        tables = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if "row_values" in tables:
            con.execute("""
CREATE TABLE memory.main.case_values AS
SELECT p."case", arg_min(v.of_case, p.source) AS "values"
FROM memory.main.placed p JOIN memory.main.row_values v ON v.place = p.source GROUP BY p."case"
""")
            self._keep_differing(staging)
        elif "trace_values" in tables:
            con.execute(f"""
CREATE TABLE memory.main.case_values AS
SELECT c."case", list({{slot: v.slot, tag: v.tag, whole: v.whole, "real": v."real", "text": v."text"}} ORDER BY v.place
    )::{VALUES} AS "values"
FROM memory.main.case_list c JOIN memory.main.trace_values v ON v.trace = c.trace GROUP BY c."case"
""")
        else:
            con.execute(f'CREATE TABLE memory.main.case_values ("case" INTEGER, "values" {VALUES})')

    def _keep_differing(self, staging: Staging) -> None:
        """What an event says of its case and its first one does not stays with the event."""
        differing = """
FROM memory.main.placed p
JOIN memory.main.row_values v ON v.place = p.source
JOIN memory.main.case_values c ON c."case" = p."case"
WHERE v.of_case IS DISTINCT FROM c."values"
"""
        other = 'list_filter(coalesce(v.of_case, []), lambda x: NOT list_contains(coalesce(c."values", []), x))'
        ((count, first),) = self.con.execute(f"SELECT count(*), min(p.source, 5) {differing}").fetchall()
        if count:
            staging.note("differing_attributes", count, tuple(first))
            self.con.execute(f"""
UPDATE memory.main.staged SET "values" = list_concat(coalesce("values", []), d.other)::{VALUES}
FROM (SELECT DISTINCT p.source, {other} AS other {differing}) d WHERE staged.place = d.source
""")

    def _hash_paths(self, activities: list[str]) -> None:
        """Make `path_hashes`: of each path the hash after so many moves."""
        import numpy as np
        import pyarrow as pa

        paths = self._paths
        self._ends: dict[int, int] = {}
        numbers: list[int] = []
        nodes: list[int] = []
        lengths: list[int] = []
        for path, states in self.con.execute("SELECT path, states FROM memory.main.path_list ORDER BY path").fetchall():
            node = EMPTY
            for state in states:
                node = paths.extend(node, activities[state])
                nodes.append(node)
            self._ends[path] = node
            numbers.append(path)
            lengths.append(len(states))
        counted = np.array(lengths, np.int64)
        before = np.cumsum(counted) - counted
        table = pa.table(
            {
                "path": arrow.numbers(np.repeat(np.array(numbers, np.int64), counted)),
                "nth": arrow.numbers((np.arange(counted.sum()) - np.repeat(before, counted) + 1).astype(np.int32)),
                "hash": arrow.numbers(np.array(paths.hashes, np.uint64)[np.array(nodes, np.int64)]),
            }
        )
        self.con.register("log_paths", table)
        self.con.execute("CREATE TABLE memory.main.path_hashes AS FROM log_paths")
        self.con.unregister("log_paths")

    # --- the file --------------------------------------------------------------------------------

    def write(self, file: SortedFile) -> None:
        """Write all cases with their records, piece by piece."""
        written = {EMPTY}
        names = self.codes.hand_over()
        for first, last in self._pieces():
            cases = self.con.sql(_CASES.format(first, last)).to_arrow_table()
            ends = {
                self._ends[path]
                for (path,) in self.con.execute(
                    f'SELECT DISTINCT path FROM memory.main.case_paths WHERE "case" BETWEEN {first} AND {last}'
                ).fetchall()
            }
            fresh = sorted(ends - written)
            written.update(fresh)
            records = self.con.sql(steps.records_between(first, last)).to_arrow_table()
            file.write(Piece(cases, variant_rows(fresh, self._paths), names), records)
            names = {}

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """The first and the last case of each piece."""
        import numpy as np

        versions = np.array(
            self.con.execute('SELECT version FROM memory.main.whole ORDER BY "case"').fetchall(), np.int64
        )[:, 0]
        first, n = 1, 0
        for case, version in enumerate(versions.tolist(), start=1):
            if n and n + version > sorting.PIECE:
                yield first, case - 1
                first, n = case, 0
            n += version
        yield first, len(versions)

    def drop(self) -> None:
        """Let go of all that was made on the way."""
        for (name,) in self.con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'memory'"
        ).fetchall():
            self.con.execute(f'DROP TABLE memory.main."{name}"')


_CASES = """
SELECT 1::INTEGER AS run, w."case", 0::INTEGER AS workflow, c.case_name AS external_id, 0::BIGINT AS "key",
    NULL::INTEGER AS parent_case, NULL::INTEGER AS parent_activation, w.started, w.version::INTEGER AS version,
    h.hash AS path_hash
FROM memory.main.whole w
JOIN memory.main.case_list c ON c."case" = w."case"
LEFT JOIN memory.main.case_paths q ON q."case" = w."case"
LEFT JOIN memory.main.path_hashes h ON h.path = q.path AND h.nth = q.length
WHERE w."case" BETWEEN {} AND {} ORDER BY w."case"
"""
