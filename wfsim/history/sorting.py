"""Staged rows, in the order in which they came, into a history file sorted by (run, case, seq), piece by piece.

Each piece is a transaction of its own, and the runs are called complete in the last one: whatever ends this early, a
full disk or Ctrl-C, leaves a history of what was written until then, which says that it is incomplete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError

from . import schema
from .codes import Codes
from .failures import roll_back

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_PIECE = 1_000_000
"""Records of a piece; sorting so many takes about 200 MB."""

UNFINISHED = "The run is incomplete: it was not written to its end, since the disk was full or somebody interrupted it."

RENUMBERED = 'CREATE TABLE memory.renumbered (run INTEGER, "case" INTEGER, number INTEGER);'
"""Cases that have had passing numbers, with their lasting ones. No table of a history: not in `staged`."""

# Where a record's case has a passing number, it gets its lasting one.
_RENUMBERED = (
    '(SELECT t.* REPLACE (coalesce(n.number, t."case") AS "case") FROM staged.{name} t '
    'LEFT JOIN memory.renumbered n ON n.run = t.run AND n."case" = t."case")'
)


@dataclass(frozen=True)
class Known:
    """What a file held already when the writer looked at it: names, and the last run."""

    sizes: dict[str, int]
    last_run: int


def write_sorted(con: duckdb.DuckDBPyConnection, target: Path, codes: Codes, known: Known | None) -> None:
    """Write all that is in the database `staged` of `con` to a new file, or behind what is `known` of an old one.

    Raises
    ------
    duckdb.Error
        If the file cannot be written; what was written until then can be read.
    HistoryError
        If somebody else wrote to the file meanwhile.
    """
    con.execute(f"ATTACH '{schema.quoted(target)}' AS target")
    con.execute("USE target")
    try:
        con.execute("BEGIN")
        if known is None:
            con.execute(f"COPY FROM DATABASE staged TO target (SCHEMA); {schema.FIRST_ROWS}")
        else:
            _check_unchanged(con, target, known)
        codes.store(con)
        _write_runs(con)
        con.execute("COMMIT")
        facts = _facts(con)
        for run, first, last in _pieces(con):
            con.execute("BEGIN")
            _write_cases(con, facts, run, first, last)
            con.execute("COMMIT")
        con.execute("BEGIN")
        con.execute(
            "UPDATE target.runs SET complete = true WHERE run IN (SELECT s.run FROM staged.runs s WHERE s.complete)"
        )
        con.execute("DELETE FROM target.notes WHERE note = ?", [UNFINISHED])
        con.execute("COMMIT")
        con.execute("CHECKPOINT target")
    except BaseException:
        roll_back(con)
        raise
    finally:
        con.execute("USE staged; DETACH target")


def _check_unchanged(con: duckdb.DuckDBPyConnection, target: Path, known: Known) -> None:
    last = con.execute("SELECT coalesce(max(run), 0) FROM target.runs").fetchall()[0][0]
    if last != known.last_run or Codes.stored_in(con).sizes() != known.sizes:
        raise HistoryError(f"{target}: somebody else wrote to it meanwhile. Run again.")


def _write_runs(con: duckdb.DuckDBPyConnection) -> None:
    """All but names, cases and facts."""
    con.execute("INSERT INTO target.runs SELECT * REPLACE (false AS complete) FROM staged.runs")
    con.execute("INSERT INTO target.notes SELECT run, ? FROM staged.runs", [UNFINISHED])
    for name in ("workflows", "timers", "shift_changes", "slas", "notes", "edge_totals", "activity_totals"):
        con.execute(f"INSERT INTO target.{name} SELECT * FROM staged.{name}")
    clash = con.execute(
        "SELECT a.path_hash FROM target.variants_seen a JOIN staged.variants_seen b "
        "ON a.path_hash = b.path_hash AND a.states <> b.states"
    ).fetchall()
    if clash:
        raise HistoryError(f"two paths share the hash {clash[0][0]}. Write this run into a file of its own.")
    con.execute(
        "INSERT INTO target.variants_seen SELECT * FROM staged.variants_seen v "
        "WHERE v.path_hash NOT IN (SELECT path_hash FROM target.variants_seen) ORDER BY path_hash"
    )


def _pieces(con: duckdb.DuckDBPyConnection) -> list[tuple[int, int, int]]:
    """Runs with the first and last case of each piece, in order."""
    found: list[tuple[int, int, int]] = con.execute(
        """
        WITH sums AS (
            SELECT run, "case", sum(version) OVER (PARTITION BY run ORDER BY "case") // ? AS piece FROM staged.cases
        )
        SELECT run, min("case"), max("case") FROM sums GROUP BY run, piece ORDER BY run, piece
        """,
        [_PIECE],
    ).fetchall()
    return found


def _facts(con: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """What to read the staged records and values from."""
    some = con.execute("SELECT 1 FROM memory.renumbered LIMIT 1").fetchall()
    source = _RENUMBERED if some else "staged.{name}"
    return source.format(name="records"), source.format(name="record_values")


def _write_cases(con: duckdb.DuckDBPyConnection, facts: tuple[str, str], run: int, first: int, last: int) -> None:
    """Some cases, with all that belongs to them."""
    where = 'run = $run AND "case" BETWEEN $first AND $last'
    place = {"run": run, "first": first, "last": last}
    con.execute(f'INSERT INTO target.cases SELECT * FROM staged.cases WHERE {where} ORDER BY "case"', place)
    records, values = facts
    # The last stored row of each case: at log levels below full not always the case's last version.
    columns = ", ".join("r." + column for column, _ in schema.RECORD_COLUMNS[:-1])
    con.execute(
        f"""
        INSERT INTO target.records
        SELECT {columns}, r.seq = last.seq
        FROM (FROM {records} WHERE {where}) r
        JOIN (SELECT "case", max(seq) AS seq FROM {records} WHERE {where} GROUP BY "case") last USING ("case")
        ORDER BY r."case", r.seq
        """,
        place,
    )
    con.execute(f'INSERT INTO target.record_values FROM {values} WHERE {where} ORDER BY "case", seq, position', place)
