"""What a store knows of messages: who may be written to, and what became of a message (M7.2, M7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    R_EVENT_RECEIVED,
    R_EVENT_REJECTED,
    R_STIMULUS_IGNORED,
)

from .case import value_of
from .schema import KEY_SLOT

if TYPE_CHECKING:
    import duckdb

    from wfsim.model.values import Value

_OPEN = f"""
SELECT c.external_id, w.name, p.external_id, s.key
FROM cases c
JOIN runs u ON u.run = c.run AND u.source = 'runtime'
JOIN workflows w ON w.run = c.run AND w.number = c.workflow
LEFT JOIN cases p ON p.run = c.run AND p."case" = c.parent_case
LEFT JOIN (
    SELECT run, "case", list_filter("values", lambda v: v.slot = {KEY_SLOT})[1] AS key FROM records WHERE seq = 1
) s ON s.run = c.run AND s."case" = c."case"
WHERE c.external_id IS NOT NULL AND c.closed IS NULL
ORDER BY c.run, c."case"
"""
_FATES = f"""
SELECT event_id, kind, reason FROM records
WHERE event_id IN (SELECT unnest(?)) AND kind IN ({R_EVENT_RECEIVED}, {R_EVENT_REJECTED}, {R_STIMULUS_IGNORED})
ORDER BY run, "case", seq
"""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """An open case that can be written to.

    Attributes
    ----------
    key
        Its correlation key; `None` without one.
    parent
        Who started it; `None` for a root.
    """

    name: str
    workflow: str
    key: Value
    parent: str | None


def open_cases(con: duckdb.DuckDBPyConnection) -> list[OpenCase]:
    """All open cases of real runs, in order; linear in the number of cases."""
    return [
        OpenCase(name, workflow, None if key is None else value_of(key), parent)
        for name, workflow, parent, key in con.execute(_OPEN).fetchall()
    ]


def fates(con: duckdb.DuckDBPyConnection, event_ids: Iterable[str]) -> dict[str, str | None]:
    """Of those events that have arrived somewhere: why each was turned away for good, or `None` if it was not."""
    found: dict[str, str | None] = {}
    for event_id, kind, reason in con.execute(_FATES, [list(event_ids)]).fetchall():
        found.setdefault(event_id, None)
        if kind == R_EVENT_REJECTED or (kind == R_STIMULUS_IGNORED and reason == "closed"):
            found[event_id] = reason
    return found
