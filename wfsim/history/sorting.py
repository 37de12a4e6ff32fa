"""A history file made of pieces, which come sorted by (run, case, seq).

Some pieces together are a transaction, and the runs are called complete in the last one: whatever ends this early, a
full disk or Ctrl-C, leaves a history of what was written until then, which says that it is incomplete.

DuckDB reads the records of these pieces as one stream, from which each of its threads takes a row group to compress it
while others are made. What follows from records is a few rows for each piece, and is inserted once, behind all of them:
less than a row group goes through DuckDB's log and is written twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wfsim.errors import HistoryError

from . import opening, schema
from .codes import Codes, Names, store_names
from .failures import roll_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from .runs import Run

ROW_GROUP = 122_880
"""Rows that DuckDB compresses together."""

PIECE = 2 * ROW_GROUP
"""Most records that are made at once where they are not made as DuckDB reads them."""

AT_A_TIME = 2
"""So many portions at most."""

PORTION = 10 * ROW_GROUP
"""Most records of a transaction. Just as many as row groups hold: at the end DuckDB would merge smaller ones."""

Existing = Literal["replace", "append", "refuse"]

UNFINISHED = "The run is incomplete: it was not written to its end, since the disk was full or somebody interrupted it."


@dataclass(frozen=True)
class Known:
    """What a file held already when the writer looked at it: names, and the last run."""

    sizes: dict[str, int]
    last_run: int


def even(n_records: int) -> int:
    """Most records of a portion, for so many that come in no more portions than they must, none of which is small."""
    groups, portions = -(-n_records // ROW_GROUP), max(1, -(-n_records // PORTION))
    return max(1, -(-groups // portions)) * ROW_GROUP


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
    """Records, none if no record is kept of some cases, and rows of other tables, by the names of these."""

    records: pa.Table | None
    rest: Mapping[str, pa.Table]


@dataclass(frozen=True)
class Portion:
    """Cases of a run, with all that belongs to them.

    Attributes
    ----------
    pieces
        Their records, row groups all but the last one, each made when DuckDB has room for it.
    variants
        Those that the file does not know.
    names
        Gives, once all pieces are made, those that the file does not know.
    before, is_read
        Set once all pieces of the portion before are made, or of this one. So pieces are made in their order, while
        the rest of those before is written.
    """

    pieces: Iterable[Piece]
    variants: pa.Table
    names: Callable[[], Names]
    before: threading.Event
    is_read: threading.Event


class SortedFile:
    """A new file, or what is `known` of an old one to write behind.

    Every method raises `duckdb.Error` if the file cannot be written; what was written until then can be read.

    Attributes
    ----------
    con
        What it is written with, from `open` on.
    """

    con: duckdb.DuckDBPyConnection

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection], path: Path, known: Known | None) -> None:
        self.path = path
        self._connect = connect
        self._known = known
        self._inserting: list[duckdb.DuckDBPyConnection] = []
        self._free: queue.SimpleQueue[duckdb.DuckDBPyConnection] = queue.SimpleQueue()
        self._is_read = threading.Event()
        self._is_read.set()

    def open(self) -> None:
        """Begin to write.

        Raises
        ------
        HistoryError
            If somebody else wrote to it since `known` was looked at.
        """
        self.con = self._connect()
        how = opening.NEW if self._known is None else ""
        self.con.execute(f"ATTACH '{schema.quoted(self.path)}' AS target {how}; USE target")
        for _ in range(AT_A_TIME):
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

    def write(self, portion: Portion) -> None:
        """Cases with all that belongs to them, or none of it."""
        self.insert(portion)()

    def portion(self, pieces: Iterable[Piece], variants: pa.Table, names: Callable[[], Names]) -> Portion:
        """One that is written behind those that were made before."""
        before, self._is_read = self._is_read, threading.Event()
        return Portion(pieces, variants, names, before, self._is_read)

    def insert(self, portion: Portion) -> Callable[[], None]:
        """Begin to write a portion; what is returned brings that to its end, after those before.

        Safe to call from several threads, beside all other methods but `finish`. It waits while as many portions are
        begun as may be.
        """
        try:
            con = self._free.get()
            con.execute("BEGIN")
            portion.before.wait()
            records = _Records(portion.pieces, portion.is_read.set)
            _insert_records(con, records)
        finally:
            portion.is_read.set()
        _insert_rest(con, records.rest)

        def end() -> None:
            # If the process dies between the two there are names and variants that nobody has, which is no harm.
            with self._whole(), _seen(self.con, arrow_variants=portion.variants):
                store_names(self.con, portion.names())
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

    def close(self) -> None:
        """Close the connection, if there is one."""
        if hasattr(self, "con"):
            self.con.close()

    def let_go(self) -> None:
        """Take back the portions that were begun, and not brought to their end."""
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


def _insert_records(con: duckdb.DuckDBPyConnection, records: _Records) -> None:
    import duckdb

    for stream in records.streams():
        with _seen(con, arrow_records=stream):
            try:
                con.execute("INSERT INTO record_rows BY NAME FROM arrow_records")
            except duckdb.Error:
                # What fails while DuckDB reads comes out of it as a text.
                if records.error is not None:
                    raise records.error from None
                raise


def _insert_rest(con: duckdb.DuckDBPyConnection, rest: Mapping[str, Sequence[pa.Table]]) -> None:
    import pyarrow as pa

    for name, tables in rest.items():
        table = pa.concat_tables(tables)
        with _seen(con, arrow_table=_in_groups(table.select(_known_in(table)))):
            con.execute(f"INSERT INTO {name} BY NAME FROM arrow_table")


class _Records:
    """The records of pieces as streams, the batches of each with the same columns; pieces are made as these are read.

    `read` is called once all are made.

    Attributes
    ----------
    rest
        What else belongs to the pieces that were made, by the name of its table.
    error
        What ended a stream while it was read.
    """

    def __init__(self, pieces: Iterable[Piece], read: Callable[[], None]) -> None:
        self.rest: dict[str, list[pa.Table]] = {}
        self.error: Exception | None = None
        self._pieces = iter(pieces)
        self._read = read
        self._next = self._make()

    def streams(self) -> Iterator[pa.RecordBatchReader]:
        """One after another; each is read to its end before the next."""
        import pyarrow as pa

        while self._next is not None:
            columns = _known_in(self._next)
            yield pa.RecordBatchReader.from_batches(self._next.select(columns).schema, self._batches(columns))

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            while self._next is not None and set(_known_in(self._next)) <= set(columns):
                batches, self._next = _in_groups(self._next.select(columns)).to_batches(), None
                while batches:
                    yield batches.pop(0)
                self._next = self._make()
        except Exception as error:
            self.error = error
            raise

    def _make(self) -> pa.Table | None:
        """The records of the next piece that has any."""
        for piece in self._pieces:
            for name, rows in piece.rest.items():
                self.rest.setdefault(name, []).append(rows)
            if piece.records is not None:
                return piece.records
        self._read()
        return None


@contextmanager
def _seen(con: duckdb.DuckDBPyConnection, **tables: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
    """Tables that queries of a connection see under these names."""
    for name, table in tables.items():
        con.register(name, table)
    try:
        yield
    except BaseException:
        # Where a transaction has failed, nothing can be unregistered before it ends.
        roll_back(con)
        raise
    finally:
        for name in tables:
            con.unregister(name)


def _in_groups(table: pa.Table) -> pa.Table:
    """The rows in batches that are row groups: DuckDB would put those of others together once more."""
    import pyarrow as pa

    return pa.Table.from_batches(table.combine_chunks().to_batches(ROW_GROUP), table.schema)


def _known_in(table: pa.Table) -> list[str]:
    """The columns in which something is known: DuckDB is quick with a column that it is not given."""
    return [name for name in table.column_names if not len(table) or table[name].null_count < len(table)]
