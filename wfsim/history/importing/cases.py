"""Which events are of which case: the rows of `staged`, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.history import arrow

from .staging import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

EVENTS = 122_880
"""Events of a batch, unless one case has more."""


def list_cases(con: duckdb.DuckDBPyConnection, *, traces: bool) -> None:
    """Make `case_list`, the cases in the order in which they first come.

    Columns are `"case"` from 1, `trace`, `case_name`, `first` and `last` place, and `n` events; names of `traces` are
    in the table `called`.
    """
    cases = (
        "SELECT trace, case_name, min(place) AS first, max(place) AS last, count(*) AS n "
        f"FROM memory.main.staged WHERE {KEPT} GROUP BY trace, case_name"
    )
    if traces:
        cases = f"SELECT c.* REPLACE (n.name AS case_name) FROM ({cases}) c JOIN memory.main.called n USING (trace)"
    con.execute(f"""
CREATE TABLE memory.main.case_list AS
SELECT row_number() OVER (ORDER BY first)::INTEGER AS "case", * FROM ({cases}) ORDER BY "case"
""")


class RowsByCase:
    """The rows of `staged` that are kept, some whole cases at a time.

    Parameters
    ----------
    con
        Where the tables are.
    columns
        What to tell of each row of `staged`, called `s`, beside `"case"`, `source` (its place) and `activity` (its
        code).
    traces
        Whether the trace tells the case, else its name does.

    Notes
    -----
    Where cases come one after another, as in XES, a batch is a range of places. Else all rows are sorted once.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, columns: str, *, traces: bool) -> None:
        self.con = con
        same = "c.trace = s.trace" if traces else "c.case_name = s.case_name"
        rows = f"""
SELECT c."case", s.place AS source, a.code AS activity, {columns}
FROM memory.main.staged s
JOIN memory.main.case_list c ON {same}
JOIN memory.main.activity_codes a ON a.name = s.activity
"""
        listed = con.sql('SELECT first, last, n FROM memory.main.case_list ORDER BY "case"').to_arrow_table()
        self._first, self._last, self._n = (arrow.column_in_numpy(column) for column in listed.columns)
        if (self._first[1:] > self._last[:-1]).all():
            self._rows = f"""{rows} WHERE c."case" BETWEEN $k AND $l AND s.place BETWEEN $first AND $last"""
        else:
            con.execute(f'CREATE TABLE memory.main.sorted AS {rows} ORDER BY c."case", source')
            self._rows = 'FROM memory.main.sorted WHERE "case" BETWEEN $k AND $l AND source BETWEEN $first AND $last'

    def __iter__(self) -> Iterator[tuple[int, int, pa.Table]]:
        """The first and the last case of a batch, and its rows in the order of case and place."""
        import numpy as np

        before = np.concatenate([[0], np.cumsum(self._n)])
        k = 0
        while k < len(self._n):
            end = max(k + 1, int(np.searchsorted(before, before[k] + EVENTS, "right")) - 1)
            bounds = {
                "k": k + 1,
                "l": end,
                "first": int(self._first[k:end].min()),
                "last": int(self._last[k:end].max()),
            }
            rows = self.con.sql(self._rows, params=bounds).to_arrow_table().combine_chunks()
            yield k + 1, end, _in_order(rows)
            k = end


def _in_order(rows: pa.Table) -> pa.Table:
    import numpy as np

    case, source = arrow.column_in_numpy(rows["case"]), arrow.column_in_numpy(rows["source"])
    same = case[1:] == case[:-1]
    if ((case[1:] > case[:-1]) | (same & (source[1:] > source[:-1]))).all():
        return rows
    return rows.take(arrow.numbers(np.lexsort((source, case))))
