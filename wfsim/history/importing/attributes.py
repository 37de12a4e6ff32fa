"""What a log says of its cases: attributes of traces, or columns that have one value for all rows of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.history import arrow
from wfsim.semantics.codes import STRING

from .values import MEMBERS, VALUES, iso

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


def of_traces(con: duckdb.DuckDBPyConnection, first: int, last: int) -> pa.Array:
    """The attributes of the traces that some cases are; null where there are none."""
    import numpy as np
    import pyarrow as pa

    found = con.sql(f"""
SELECT c."case", v.* EXCLUDE (trace, place) FROM memory.main.case_list c
JOIN memory.main.trace_values v ON v.trace = c.trace WHERE c."case" BETWEEN {first} AND {last}
ORDER BY c."case", v.place
""").to_arrow_table()
    counts = np.bincount(arrow.column_in_numpy(found["case"]) - first, minlength=last - first + 1)
    members = [found[name].combine_chunks() for name in MEMBERS]
    kind = pa.struct([(name, member.type) for name, member in zip(MEMBERS, members)])
    values = pa.Array.from_buffers(kind, len(found), [None], children=members)
    return arrow.lists(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32), values, counts > 0)


def of_rows(rows: pa.Table, first: int, n_cases: int) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The attributes of each case, as its first row with any has them; and which rows say something else."""
    import numpy as np

    told = rows["of_case"].combine_chunks()
    case = arrow.column_in_numpy(rows["case"]) - first
    known = np.flatnonzero(arrow.in_numpy(told.is_valid()))
    which, at = np.unique(case[known], return_index=True)
    of = np.full(n_cases, -1)
    of[which] = known[at]
    firsts = of[case]
    return told.take(arrow.numbers(of, of >= 0)), (firsts >= 0) & ~_same(told, np.where(firsts >= 0, firsts, 0))


def _same(told: pa.Array, which: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each list of attributes equals another one of them."""
    import numpy as np

    counts = arrow.in_numpy(told.value_lengths().fill_null(-1))
    same: NDArray[np.bool_] = counts == counts[which]
    mine = np.flatnonzero(same & (counts > 0) & (which != np.arange(len(which))))
    ours, theirs = (told.take(arrow.numbers(each)).flatten() for each in (mine, which[mine]))
    alike = np.ones(len(ours), np.bool_)
    for a, b in zip(ours.flatten(), theirs.flatten()):
        is_known, other_known = arrow.in_numpy(a.is_valid()), arrow.in_numpy(b.is_valid())
        alike &= is_known == other_known
        both = np.flatnonzero(is_known & other_known)
        if len(both):
            import pyarrow.compute as pc

            at = arrow.numbers(both)
            alike[both] &= arrow.in_numpy(pc.equal(a.take(at), b.take(at)))
    if len(mine):
        begins = np.cumsum(counts[mine]) - counts[mine]
        same[mine] = np.logical_and.reduceat(alike, begins)
    return same


_OTHER = "list_filter(coalesce(of_case, []), lambda x: NOT list_contains(coalesce(of_first, []), x))"
"""What a row says of its case and the first one does not."""


def with_own_times(con: duckdb.DuckDBPyConnection, rows: pa.Table, slot: int) -> pa.Table:
    """The same rows; those that are `lifted` have their own time among their attributes, at `slot`."""
    said = iso("make_timestamptz(moment)")
    value = f'{{slot: {slot}, tag: {STRING}::UTINYINT, whole: NULL::BIGINT, "real": NULL::DOUBLE, "text": {said}}}'
    return _changed(con, rows, "lifted", f'list_append(coalesce("values", []), {value})::{VALUES}')


def with_other(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> pa.Table:
    """The same rows; of those that are `differing`, what they say of their case is among their attributes.

    `of_first` is what its first row says.
    """
    return _changed(con, rows, "differing", f'list_concat(coalesce("values", []), {_OTHER})::{VALUES}')


def _changed(con: duckdb.DuckDBPyConnection, rows: pa.Table, where: str, values: str) -> pa.Table:
    con.register("log_rows", rows)
    changed = con.sql(f'SELECT * REPLACE (if({where}, {values}, "values") AS "values") FROM log_rows').to_arrow_table()
    con.unregister("log_rows")
    return changed
