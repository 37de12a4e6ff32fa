"""The tables of a history, and how a history file is opened for writing and for reading.

One append-only, denormalised table `records` with a row per record of docs/meaning.md, small integer codes with a
dimension table each, and a side table `record_values` with the values that belong to records.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError, listed
from wfsim.semantics.codes import COMMANDS, OUTCOMES, RECORD_KINDS, STATUSES

if TYPE_CHECKING:
    import os

    import duckdb

FORMAT = 2

# Dimensions that grow with the definitions that write here; the others are fixed by the language.
DIMENSIONS = (
    "region_names",
    "state_names",
    "event_names",
    "activity_names",
    "error_type_names",
    "slot_names",
)
FIXED = {
    "kind_names": RECORD_KINDS,
    "status_names": STATUSES,
    "outcome_names": OUTCOMES,
    "command_names": COMMANDS,
}

# "case" is a reserved word of SQL, hence the quotes.
RECORD_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run", "INTEGER"),
    ('"case"', "INTEGER"),
    ("workflow", "INTEGER"),
    ("seq", "INTEGER"),
    ("time", "BIGINT"),
    ("kind", "UTINYINT"),
    ("cause_seq", "INTEGER"),
    ("region", "INTEGER"),
    ("state", "INTEGER"),
    ("to_state", "INTEGER"),
    ("event", "INTEGER"),
    ("event_id", "VARCHAR"),
    ("activity", "INTEGER"),
    ("activity_id", "INTEGER"),
    ("attempt", "INTEGER"),
    ("error_type", "INTEGER"),
    ("status", "UTINYINT"),
    ("outcome", "UTINYINT"),
    ("reason", "VARCHAR"),
    ("transition", "INTEGER"),
    ("flight", "INTEGER"),
    ("activation", "INTEGER"),
    ("timer", "INTEGER"),
    ("timer_id", "INTEGER"),
    ("due", "BIGINT"),
    ("delay", "BIGINT"),
    ("source", "VARCHAR"),
    ("command", "UTINYINT"),
    ("compensates", "INTEGER"),
    ('"index"', "INTEGER"),
    ("message_id", "INTEGER"),
    ("entered_seq", "INTEGER"),
    ("dwell", "BIGINT"),
    ("wait", "BIGINT"),
    ("service", "BIGINT"),
    ("path_hash", "UBIGINT"),
    ("is_last", "BOOLEAN"),
)
VALUE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run", "INTEGER"),
    ('"case"', "INTEGER"),
    ("seq", "INTEGER"),
    ("position", "INTEGER"),
    ("slot", "INTEGER"),
    ("tag", "UTINYINT"),
    ("whole", "BIGINT"),
    ("real", "DOUBLE"),
    ("text", "VARCHAR"),
)


KEY_SLOT = -1
"""Slot of a correlation key, which stands beside a record's named values; what an event adds unnamed has none."""


def columns_of(columns: tuple[tuple[str, str], ...]) -> str:
    """The column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}" for name, kind in columns)


TABLES = f"""
CREATE TABLE about (format INTEGER NOT NULL);
INSERT INTO about VALUES ({FORMAT});
CREATE TABLE runs (
    run INTEGER PRIMARY KEY, source VARCHAR NOT NULL, scenario VARCHAR, seed BIGINT, replication INTEGER,
    engine VARCHAR, params JSON, log VARCHAR NOT NULL
);
CREATE TABLE workflows (
    run INTEGER NOT NULL, number INTEGER NOT NULL, name VARCHAR NOT NULL, version VARCHAR NOT NULL,
    definition VARCHAR NOT NULL, model_hash VARCHAR NOT NULL, PRIMARY KEY (run, number)
);
CREATE TABLE cases (
    run INTEGER NOT NULL, "case" INTEGER NOT NULL, workflow INTEGER NOT NULL, external_id VARCHAR,
    key BIGINT NOT NULL, parent_case INTEGER, parent_activation INTEGER, started BIGINT NOT NULL,
    version INTEGER NOT NULL, path_hash UBIGINT
);
CREATE TABLE timers (
    run INTEGER NOT NULL, workflow INTEGER NOT NULL, place INTEGER NOT NULL, name VARCHAR NOT NULL
);
CREATE TABLE snapshots (
    run INTEGER NOT NULL, "case" INTEGER NOT NULL, seq INTEGER NOT NULL, fingerprint VARCHAR NOT NULL,
    image VARCHAR NOT NULL
);
CREATE TABLE variants_seen (path_hash UBIGINT PRIMARY KEY, states VARCHAR[] NOT NULL);
CREATE TABLE notes (run INTEGER NOT NULL, note VARCHAR NOT NULL);
CREATE TABLE edge_totals (
    run INTEGER, workflow INTEGER, region INTEGER, state INTEGER, to_state INTEGER, event INTEGER,
    n BIGINT, dwell BIGINT
);
CREATE TABLE activity_totals (
    run INTEGER, workflow INTEGER, activity INTEGER,
    attempts BIGINT, successes BIGINT, failures BIGINT, timeouts BIGINT, waits BIGINT, wait BIGINT,
    services BIGINT, service BIGINT
);
"""


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of an empty history, without the facts."""
    con.execute(TABLES)
    for name in DIMENSIONS:
        con.execute(f"CREATE TABLE {name} (code INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
    for name, members in FIXED.items():
        con.execute(f"CREATE TABLE {name} (code UTINYINT PRIMARY KEY, name VARCHAR NOT NULL)")
        con.execute(f"INSERT INTO {name} SELECT unnest(?), unnest(?)", [list(range(len(members))), list(members)])


def create_facts(con: duckdb.DuckDBPyConnection) -> None:
    """Make empty tables of facts."""
    con.execute(f"CREATE TABLE records ({columns_of(RECORD_COLUMNS)})")
    con.execute(f"CREATE TABLE record_values ({columns_of(VALUE_COLUMNS)})")


def open_for_writing(path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """Open or create a DuckDB file for writing.

    Raises
    ------
    HistoryError
        If it cannot be opened: held by another process, or no DuckDB file.
    """
    import duckdb

    try:
        con = duckdb.connect(str(path))
    except duckdb.Error as error:
        raise _cannot_open(path, error) from None
    return con


def open_for_reading(path: str | os.PathLike[str]) -> duckdb.DuckDBPyConnection:
    """Open a history file so that nothing asked of it can change it, or reach another file.

    The file is attached read-only to an instance of its own: several readers of one path, one of them from
    before the file was replaced, do not meet. External access is off and the configuration locked.

    Raises
    ------
    HistoryError
        If the file is missing, held by a writer, no history, or of another format.
    """
    import duckdb

    file = Path(path)
    if not file.is_file():
        raise HistoryError(f"{file}: there is no such history. Give the path that a run was stored `into`.")
    con = duckdb.connect(":memory:")
    try:
        quoted = str(file).replace("'", "''")
        con.execute(f"ATTACH '{quoted}' AS history (READ_ONLY)")
        con.execute("USE history")
        check_format(con, file)
        lock(con)
    except duckdb.Error as error:
        con.close()
        raise _cannot_open(path, error) from None
    except HistoryError:
        con.close()
        raise
    return con


def lock(con: duckdb.DuckDBPyConnection) -> None:
    """Take away what SQL could use to reach other files, Python variables, or its own limits."""
    con.execute("SET python_enable_replacements = false")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def check_format(con: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> None:
    """Raise HistoryError unless this is a history that we read."""
    tables = tables_of(con)
    if "about" not in tables or "records" not in tables:
        raise HistoryError(f"{path}: this DuckDB file is not a history. It has the tables: {listed(tables) or 'none'}.")
    (found,) = con.execute("SELECT format FROM about").fetchall()[0]
    if found != FORMAT:
        raise HistoryError(
            f"{path}: written in format {found}, this version reads {FORMAT}. "
            "Read it with the version of wfsim that wrote it."
        )


def tables_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables in the connection's own database."""
    found: list[tuple[Any, ...]] = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in found]


def _cannot_open(path: str | os.PathLike[str], error: Exception) -> HistoryError:
    text = str(error)
    if "lock" in text:
        holder = text.split("Conflicting lock is held in")[-1].split(". ")[0].strip()
        return HistoryError(
            f"{path}: another process holds this file ({holder}). One process writes at a time: "
            "close the history or stop the run there, then try again."
        )
    if "already attached" in text or "different configuration" in text or "handle conflict" in text:
        return HistoryError(
            f"{path}: this process has the file open already. Close that history or run first (`.close()`)."
        )
    return HistoryError(f"{path}: cannot be opened as a history: {text.splitlines()[0]}")
