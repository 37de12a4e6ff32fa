"""Snapshots of long cases: rebuilding from one and what follows equals rebuilding from the start (M11.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.semantics.codes import R_CONTROL_RECEIVED, R_EVENT_RECEIVED
from wfsim.semantics.image import fingerprint, from_image, image_of
from wfsim.semantics.texts import canonical

if TYPE_CHECKING:
    import duckdb

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.program import Program

_IDS = """
SELECT kind, event_id FROM records
WHERE run = ? AND "case" = ? AND seq <= ? AND kind IN (?, ?) AND event_id IS NOT NULL
"""
_LATEST = """
SELECT seq, image FROM snapshots
WHERE run = ? AND "case" = ? AND fingerprint = ? AND seq <= coalesce(?, 2147483647) ORDER BY seq DESC LIMIT 1
"""


@dataclass(frozen=True)
class StoredSnapshot:
    """A case as it was when record `seq` was its last."""

    seq: int
    instance: Instance


def store_snapshot(con: duckdb.DuckDBPyConnection, run: int, case: int, instance: Instance) -> None:
    """Keep the instance as it is after its last record."""
    con.execute(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)",
        [run, case, instance.version, fingerprint(instance.program), canonical(image_of(instance))],
    )


def latest_snapshot(
    con: duckdb.DuckDBPyConnection, run: int, case: int, program: Program, upto: int | None = None
) -> StoredSnapshot | None:
    """The last snapshot at or before record `upto`; one of another program or version of wfsim does not count."""
    if not con.execute('SELECT 1 FROM snapshots WHERE run = ? AND "case" = ? LIMIT 1', [run, case]).fetchall():
        return None
    rows = con.execute(_LATEST, [run, case, fingerprint(program), upto]).fetchall()
    if not rows:
        return None
    seq, image = rows[0]
    named = {R_EVENT_RECEIVED: "event", R_CONTROL_RECEIVED: "command"}
    ids = con.execute(_IDS, [run, case, seq, *named]).fetchall()
    seen = {(named[kind], event_id) for kind, event_id in ids}
    return StoredSnapshot(seq, from_image(program, json.loads(image), seen))
