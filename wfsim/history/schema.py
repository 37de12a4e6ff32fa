"""The tables of a history.

One append-only, denormalised table `record_rows` with a row per record of docs/meaning.md, the values that belong to it
included, and small integer codes with a dimension table each. Its view `records` has a column for each field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.statuses import STATUSES
from wfsim.semantics.codes import COMMANDS, OUTCOMES, RECORD_KINDS

from .packing import packed, stored_columns, unpacked
from .side_tables import ATTEMPT_COLUMNS, STAY_COLUMNS, attempt_rows, stay_rows, with_edges

if TYPE_CHECKING:
    import os

    import duckdb

FORMAT = 9

# Dimensions that grow with the definitions that write here; the others are fixed by the language.
DIMENSIONS = (
    "region_names",
    "state_names",
    "event_names",
    "activity_names",
    "error_type_names",
    "slot_names",
    "timer_names",
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
    ('"values"', 'STRUCT(slot INTEGER, tag UTINYINT, whole BIGINT, "real" DOUBLE, "text" VARCHAR)[]'),
    ("clock", "INTEGER"),
    ("key", "BIGINT"),
    ("entered_seq", "INTEGER"),
    ("dwell", "BIGINT"),
    ("wait", "BIGINT"),
    ("service", "BIGINT"),
    ("path_hash", "UBIGINT"),
    ("is_last", "BOOLEAN"),
)
"""What a step put out, then, from `clock` on, what follows from it, from the definition or from the case's course."""

STORED_COLUMNS = stored_columns(RECORD_COLUMNS)
"""The same as they lie in the file."""

NAMES = {
    "kind": "kind_names",
    "region": "region_names",
    "state": "state_names",
    "to_state": "state_names",
    "event": "event_names",
    "activity": "activity_names",
    "error_type": "error_type_names",
    "status": "status_names",
    "outcome": "outcome_names",
    "command": "command_names",
    "clock": "timer_names",
}
"""Columns of `records` that hold codes, and the dimension that has the name of each."""

CODED = NAMES | {"final_state": "state_names"}
"""The same of all tables."""

KEY_SLOT = -1
"""Slot of a correlation key, which stands beside a record's named values; what an event adds unnamed has none."""


_COMPRESSION = {
    "bitpacking": "case seq cause_seq kind state to_state event activity activity_id transition_or_activity_id "
    "compensates_or_activation timer_or_entered_seq timer_id_message_id_or_index entered_seq left_seq entered left_at "
    "edge transition scheduled_seq ended_seq scheduled ended",
    "rle": "run workflow time clock_or_error_type error_type outcome_or_command status due_or_key "
    "dwell_wait_or_service wait path_hash retry_delay",
}
"""What suits columns whatever the workflow: small numbers, and what is rarely known or is the same in many rows on end.

To find that out by itself takes DuckDB a sixth of its time (docs/decisions/payloads_and_pieces.md).
"""

_COMPRESSED = {name: how for how, names in _COMPRESSION.items() for name in names.split()}


def columns_of(columns: tuple[tuple[str, str], ...]) -> str:
    """The column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}{_compressed(name)}" for name, kind in columns)


def _compressed(name: str) -> str:
    how = _COMPRESSED.get(name.strip('"'))
    return f" USING COMPRESSION {how}" if how else ""


def names_of(columns: tuple[tuple[str, str], ...]) -> str:
    """The names of columns, as a list in SQL."""
    return ", ".join(name for name, _ in columns)


def insert_records(rows: str) -> str:
    """Statement that writes rows, a query in SQL with the columns of `records`."""
    return f"INSERT INTO record_rows SELECT {packed(RECORD_COLUMNS)} FROM ({rows})"


def quoted(text: str | os.PathLike[str]) -> str:
    """A text, or a path, as it stands between the quotes of an SQL text."""
    return str(text).replace("'", "''")


TABLES = f"""
CREATE TABLE about (format INTEGER NOT NULL);
CREATE TABLE runs (
    run INTEGER PRIMARY KEY, source VARCHAR NOT NULL, scenario VARCHAR, seed BIGINT, replication INTEGER,
    engine VARCHAR, params JSON, log VARCHAR NOT NULL, complete BOOLEAN NOT NULL
);
CREATE TABLE workflows (
    run INTEGER NOT NULL, number INTEGER NOT NULL, name VARCHAR NOT NULL, version VARCHAR NOT NULL,
    definition VARCHAR NOT NULL, model_hash VARCHAR NOT NULL, PRIMARY KEY (run, number)
);
CREATE TABLE cases (
    run INTEGER NOT NULL, "case" INTEGER NOT NULL, workflow INTEGER NOT NULL, external_id VARCHAR,
    key BIGINT NOT NULL, parent_case INTEGER, parent_activation INTEGER, started BIGINT NOT NULL,
    version INTEGER NOT NULL, path_hash UBIGINT,
    last_time BIGINT NOT NULL, closed BIGINT, status UTINYINT, outcome UTINYINT, final_state INTEGER
);
CREATE TABLE snapshots (
    run INTEGER NOT NULL, "case" INTEGER NOT NULL, seq INTEGER NOT NULL, fingerprint VARCHAR NOT NULL,
    image VARCHAR NOT NULL
);
CREATE TABLE metadata_rows (
    run INTEGER NOT NULL, "case" INTEGER NOT NULL, seq INTEGER NOT NULL, metadata VARCHAR NOT NULL
);
CREATE TABLE variants_seen (path_hash UBIGINT PRIMARY KEY, states VARCHAR[] NOT NULL);
CREATE TABLE shift_changes (
    run INTEGER NOT NULL, pool VARCHAR NOT NULL, time BIGINT NOT NULL, capacity BIGINT NOT NULL
);
CREATE TABLE slas (
    run INTEGER NOT NULL, sla VARCHAR NOT NULL, within BIGINT NOT NULL, from_state VARCHAR, until_state VARCHAR,
    share DOUBLE
);
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
CREATE TABLE record_rows ({columns_of(STORED_COLUMNS)});
CREATE VIEW records AS SELECT {", ".join(unpacked(name) for name, _ in RECORD_COLUMNS)} FROM record_rows;
"""
TABLES += "".join(f"CREATE TABLE {name} (code INTEGER PRIMARY KEY, name VARCHAR NOT NULL);" for name in DIMENSIONS)
TABLES += "".join(f"CREATE TABLE {name} (code UTINYINT PRIMARY KEY, name VARCHAR NOT NULL);" for name in FIXED)

SIDE_TABLES = f"""
CREATE TABLE stay_rows ({columns_of(STAY_COLUMNS)});
CREATE TABLE attempt_rows ({columns_of(ATTEMPT_COLUMNS)});
"""
"""Beside `TABLES`, of what is written once, case by case as a whole."""

SIDE_VIEWS = f"""
CREATE VIEW stay_rows ({names_of(STAY_COLUMNS)}) AS {with_edges(stay_rows("records"))};
CREATE VIEW attempt_rows ({names_of(ATTEMPT_COLUMNS)}) AS {attempt_rows("records")};
"""
"""In their place, where records are still added to cases."""

FIRST_ROWS = f"INSERT INTO about VALUES ({FORMAT});" + "".join(
    f"INSERT INTO {name} VALUES {', '.join(str(pair) for pair in enumerate(members))};"
    for name, members in FIXED.items()
)
"""What every history says: its format, and the names that the language fixes."""

INDEXES = """
CREATE UNIQUE INDEX records_place ON record_rows (run, "case", seq);
CREATE UNIQUE INDEX cases_place ON cases (run, "case");
CREATE UNIQUE INDEX cases_external ON cases (external_id);
CREATE UNIQUE INDEX snapshots_place ON snapshots (run, "case", seq);
CREATE UNIQUE INDEX metadata_place ON metadata_rows (run, "case", seq);
"""
"""What a file has that grows append by append; a simulated history lies sorted instead."""


def grows(con: duckdb.DuckDBPyConnection, database: str) -> bool:
    """Whether a history has real runs, or none yet, so that more is added to it."""
    told = con.execute(f"SELECT coalesce(bool_or(source = 'runtime'), true) FROM {database}.runs").fetchall()
    return told == [(True,)]
