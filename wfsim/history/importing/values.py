"""Attributes of events and cases, as the values of records."""

from __future__ import annotations

from wfsim.semantics.codes import BOOLEAN, INTEGER, NUMBER, STRING

KEPT_TOO = {"lifecycle": "lifecycle:transition", "instance": "concept:instance"}
"""Of what has a meaning of its own, what stays an attribute, as no column of `records` has it; and how it is called."""
ORIGINAL_TIME = "time:timestamp"
"""The attribute that keeps the time of an event which counts at another one."""
MEMBERS = ("slot", "tag", "whole", "real", "text")
MEMBER_COLUMNS = 'slot INTEGER, tag UTINYINT, whole BIGINT, "real" DOUBLE, "text" VARCHAR'
VALUES = f"STRUCT({MEMBER_COLUMNS})[]"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_REAL = ("FLOAT", "DOUBLE")


def value_of(column: str, kind: str, slot: int) -> str:
    """The value of a quoted column of that type of DuckDB, in SQL; null where it is null.

    What has no type of its own in a history is a text: dates, and numbers of more than 64 bits or that are not finite.
    """
    whole, real, text = "NULL", "NULL", "NULL"
    if kind == "BOOLEAN":
        tag, whole = BOOLEAN, f"{column}::BIGINT"
    elif kind in _WHOLE:
        tag, whole = INTEGER, column
    elif kind in _REAL or kind.startswith("DECIMAL"):
        odd = f"NOT isfinite({column}::DOUBLE)"
        said = f"if({odd}, {STRING}, {NUMBER})::UTINYINT"
        return _struct(
            column, slot, said, "NULL", f"if({odd}, NULL, {column}::DOUBLE)", f"if({odd}, {column}::VARCHAR, NULL)"
        )
    else:
        tag, text = STRING, iso(column) if kind.startswith("TIMESTAMP WITH") else f"{column}::VARCHAR"
    return _struct(column, slot, f"{tag}::UTINYINT", whole, real, text)


def _struct(column: str, slot: int, tag: str, whole: str, real: str, text: str) -> str:
    members = f'slot: {slot}, tag: {tag}, whole: {whole}::BIGINT, "real": {real}::DOUBLE, "text": {text}::VARCHAR'
    return f"if({column} IS NULL, NULL, {{{members}}})"


def iso(moment: str) -> str:
    """A TIMESTAMPTZ as text with its zone, in SQL."""
    return f"strftime({moment} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')"


def listed(values: list[str]) -> str:
    """The values that there are, as a list; null if there are none."""
    if not values:
        return f"NULL::{VALUES}"
    return f"nullif(list_filter([{', '.join(values)}], lambda v: v IS NOT NULL), [])::{VALUES}"
