"""Snapshots of long cases: rebuilding from one and what follows equals rebuilding from the start (M11.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    R_CONTROL_RECEIVED,
    R_EVENT_DISCARDED,
    R_EVENT_RECEIVED,
    R_EVENT_REJECTED,
    R_STIMULUS_IGNORED,
    T_DISCARDED,
    T_REJECTED,
    T_TAKEN,
)
from wfsim.semantics.image import fingerprint, from_image, image_of
from wfsim.semantics.texts import canonical

if TYPE_CHECKING:
    import duckdb

    from wfsim.semantics.instance import Instance
    from wfsim.semantics.program import Program

_IDS = f"""
SELECT c.kind, c.event_id, r.kind, r.reason
FROM records c
LEFT JOIN records r ON r.run = c.run AND r."case" = c."case" AND r.cause_seq = c.seq AND r.event_id = c.event_id
    AND r.seq <= $upto AND r.kind IN ({R_EVENT_REJECTED}, {R_EVENT_DISCARDED}, {R_STIMULUS_IGNORED})
WHERE c.run = $run AND c."case" = $case AND c.seq <= $upto AND c.event_id IS NOT NULL
    AND c.kind IN ({R_EVENT_RECEIVED}, {R_CONTROL_RECEIVED})
ORDER BY c.seq
"""
_FATES = {R_EVENT_REJECTED: T_REJECTED, R_STIMULUS_IGNORED: T_REJECTED, R_EVENT_DISCARDED: T_DISCARDED}
# M7.1: what is refused at the door leaves no id behind, and a duplicate does not change the fate of the first.
_COUNT_NOT = ("undeclared", "payload", "duplicate")
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
    events: dict[str, int] = {}
    commands: set[str] = set()
    for cause, event_id, kind, reason in con.execute(_IDS, {"run": run, "case": case, "upto": seq}).fetchall():
        if cause == R_CONTROL_RECEIVED:
            commands.add(event_id)
        elif reason not in _COUNT_NOT:
            events[event_id] = _FATES.get(kind, T_TAKEN)
    return StoredSnapshot(seq, from_image(program, json.loads(image), events, commands))
