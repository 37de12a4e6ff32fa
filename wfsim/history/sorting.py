"""A history file made of pieces, which come sorted by (run, case, seq).

Each piece is a transaction of its own, and the runs are called complete in the last one: whatever ends this early, a
full disk or Ctrl-C, leaves a history of what was written until then, which says that it is incomplete.

DuckDB inserts a piece with one thread for most of the time. So some are inserted at a time, each by a connection of its
own; only what ends them, which gives their rows their place in the file, is done in their order.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wfsim.errors import HistoryError

from . import opening, schema
from .codes import Codes, Names, store_names
from .failures import roll_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from .runs import Run
    from .sides import Recorded

_ROW_GROUP = 122_880
PIECE = 2 * _ROW_GROUP
"""Most records of a piece. Just as many as row groups of DuckDB hold: at the end it would merge smaller ones."""

Existing = Literal["replace", "append", "refuse"]

INSERTED_AT_A_TIME = 2
"""So many pieces at most: a further one takes 50 MB."""

_RECORDED = """
INSERT INTO records BY NAME FROM arrow_records;
INSERT INTO stay_rows BY NAME FROM arrow_stays;
INSERT INTO attempt_rows BY NAME FROM arrow_attempts;
"""

UNFINISHED = "The run is incomplete: it was not written to its end, since the disk was full or somebody interrupted it."


@dataclass(frozen=True)
class Known:
    """What a file held already when the writer looked at it: names, and the last run."""

    sizes: dict[str, int]
    last_run: int


def look_at(into: Path | None, existing: Existing, source: str = "simulation") -> tuple[Codes, int]:
    """What stands where a history shall be made: the codes to go on from, and the last run's number.

    Only runs of the same `source` are replaced, or added to.

    Raises
    ------
    HistoryError
        If nothing may be made there.
    """
    if existing not in ("replace", "append", "refuse"):
        raise HistoryError(f"existing={existing!r} is not known. Give 'replace', 'append' or 'refuse'.")
    if into is None:
        return Codes(), 0
    if not into.parent.is_dir():
        raise HistoryError(f"{into}: the folder {into.parent} does not exist. Make it first.")
    if not into.exists():
        return Codes(), 0
    if existing == "refuse":
        raise HistoryError(f"{into}: exists already. Give another path, or existing='replace' or 'append'.")
    con = opening.open_for_reading(into)
    try:
        others = con.execute("SELECT source, count(*) FROM runs WHERE source <> ? GROUP BY ALL ORDER BY ALL", [source])
        if (other := others.fetchone()) is not None:
            kind, n = other
            what = {"runtime": "that really happened", "log": "imported from a log", "simulation": "of a simulation"}[
                kind
            ]
            writer = {"simulation": "a simulation", "log": "an import"}[source]
            raise HistoryError(f"{into}: holds {n} runs {what}, so {writer} does not write there. Give another path.")
        if existing == "replace":
            return Codes(), 0
        last: int = con.execute("SELECT coalesce(max(run), 0) FROM runs").fetchall()[0][0]
        return Codes.stored_in(con), last
    finally:
        con.close()


@dataclass(frozen=True)
class Piece:
    """Some cases of a run, with all that belongs to them.

    Attributes
    ----------
    cases, variants
        Rows of these tables, sorted; `variants` are those that no piece has had.
    recorded
        Their records, and what follows from these; nothing if no record is kept of them.
    names
        What the file does not know yet.
    """

    cases: pa.Table
    variants: pa.Table
    recorded: Recorded | None
    names: Names


class SortedFile:
    """A new file, or what is `known` of an old one to write behind.

    Every method raises `duckdb.Error` if the file cannot be written; what was written until then can be read.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, path: Path, known: Known | None) -> None:
        self.con = con
        self.path = path
        self._known = known
        self._inserting: list[duckdb.DuckDBPyConnection] = []
        self._free: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()

    def open(self) -> None:
        """Begin to write.

        Raises
        ------
        HistoryError
            If somebody else wrote to it since `known` was looked at.
        """
        how = opening.NEW if self._known is None else ""
        self.con.execute(f"ATTACH '{schema.quoted(self.path)}' AS target {how}; USE target")
        # Pages that a checkpoint frees are not used again while somebody else writes, and each checkpoint frees some.
        self.con.execute("SET wal_autocheckpoint = '64MB'")
        for _ in range(INSERTED_AT_A_TIME):
            con = self.con.cursor()
            con.execute("USE target")
            self._inserting.append(con)
            self._free.put(con)
        with self._whole():
            if self._known is None:
                self.con.execute(schema.TABLES + schema.SIDE_TABLES + schema.FIRST_ROWS)
                return
            last = self.con.execute("SELECT coalesce(max(run), 0) FROM runs").fetchall()[0][0]
            if last != self._known.last_run or Codes.stored_in(self.con).sizes() != self._known.sizes:
                raise HistoryError(f"{self.path}: somebody else wrote to it meanwhile. Run again.")

    def begin_run(self, run: Run) -> None:
        """A run, of which nothing is written yet."""
        with self._whole():
            replace(run, complete=False).store(self.con)
            self.con.execute("INSERT INTO notes VALUES (?, ?)", [run.run, UNFINISHED])

    def write(self, piece: Piece) -> None:
        """Some cases with all that belongs to them."""
        self.insert(piece)()

    def insert(self, piece: Piece) -> Callable[[], None]:
        """Begin to write a piece; what is returned brings that to its end, after those before.

        Safe to call from several threads, beside all other methods but `finish`. It waits while as many pieces are
        begun as may be.
        """
        con, told = self._free.get(), piece.recorded
        con.execute("BEGIN")
        with _seen(con, arrow_cases=piece.cases):
            con.execute("INSERT INTO cases BY NAME FROM arrow_cases")
        if told is not None:
            records = _in_groups(_without_nulls(told.records))
            with _seen(con, arrow_records=records, arrow_stays=told.stays, arrow_attempts=told.attempts):
                con.execute(_RECORDED)

        def end() -> None:
            # If the process dies between the two there are names and variants that nobody has, which is no harm.
            with self._whole(), _seen(self.con, arrow_variants=piece.variants):
                store_names(self.con, piece.names)
                self._store_variants()
            con.execute("COMMIT")
            self._free.put(con)

        return end

    def store(self, name: str, rows: pa.Table) -> None:
        """Rows of a table that tells of a run, by the names of their columns."""
        with _seen(self.con, arrow_table=rows), self._whole():
            self.con.execute(f"INSERT INTO {name} BY NAME FROM arrow_table")

    def end_run(self, store_totals: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """What is told of a run once all of it has happened."""
        with self._whole():
            store_totals(self.con)

    def finish(self, complete: Iterable[int], notes: Iterable[tuple[int, str]], names: Names) -> None:
        """Everything is there; lets go of the file."""
        with self._whole():
            store_names(self.con, names)
            for run in complete:
                self.con.execute("UPDATE runs SET complete = true WHERE run = ?", [run])
            self.con.execute("DELETE FROM notes WHERE note = ?", [UNFINISHED])
            for note in notes:
                self.con.execute("INSERT INTO notes VALUES (?, ?)", note)
        self.let_go()
        self.con.execute("CHECKPOINT target; USE memory; DETACH target")

    def let_go(self) -> None:
        """Take back the pieces that were begun, and not brought to their end."""
        while self._inserting:
            self._inserting.pop().close()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of what is done inside, or nothing."""
        self.con.execute("BEGIN")
        try:
            yield
            self.con.execute("COMMIT")
        except BaseException:
            roll_back(self.con)
            raise

    def _store_variants(self) -> None:
        clash = self.con.execute(
            "SELECT a.path_hash FROM variants_seen a JOIN arrow_variants b "
            "ON a.path_hash = b.path_hash AND a.states <> b.states"
        ).fetchall()
        if clash:
            raise HistoryError(f"two paths share the hash {clash[0][0]}. Write this run into a file of its own.")
        self.con.execute(
            "INSERT INTO variants_seen FROM arrow_variants WHERE path_hash NOT IN (SELECT path_hash FROM variants_seen)"
        )


@contextmanager
def _seen(con: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    """Tables that queries of a connection see under these names."""
    for name, table in tables.items():
        con.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            con.unregister(name)


def _in_groups(table: pa.Table) -> pa.Table:
    """The rows in batches that are row groups: DuckDB would put those of others together once more."""
    import pyarrow as pa

    return pa.Table.from_batches(table.combine_chunks().to_batches(_ROW_GROUP), table.schema)


def _without_nulls(table: pa.Table) -> pa.Table:
    """Only the columns in which something is known: DuckDB is quick with a column that it is not given."""
    return table.select([name for name in table.column_names if not len(table) or table[name].null_count < len(table)])
