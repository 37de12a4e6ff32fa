"""What a history stores beside its records, against what the queries over these say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.history.side_tables import CASE_ENDS, attempt_rows, case_ends, stay_rows

if TYPE_CHECKING:
    from wfsim.history.history import History


def check_sides(history: History) -> None:
    """Stays, attempts and closings are those that the records tell of, and lie in their order."""
    con = history.con
    for name, query in (("stay_rows", stay_rows("records")), ("attempt_rows", attempt_rows("records"))):
        assert con.execute(f"FROM {name}").fetchall() == con.execute(query).fetchall(), name
    ends = ", ".join(CASE_ENDS)
    asked = f"""
SELECT c.run, c."case", coalesce(e.last_time, c.started), e.* EXCLUDE (run, "case", last_time)
FROM cases c LEFT JOIN ({case_ends("records")}) e(run, "case", {ends}) ON e.run = c.run AND e."case" = c."case"
ORDER BY c.run, c."case"
"""
    stored = f'SELECT run, "case", {ends} FROM cases'
    assert con.execute(stored).fetchall() == con.execute(asked).fetchall()
