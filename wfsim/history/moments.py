"""Points on the time of a history, as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from wfsim.errors import DefinitionError, HistoryError
from wfsim.model.duration import Duration
from wfsim.model.moments import moment

if TYPE_CHECKING:
    import duckdb

Moment: TypeAlias = "int | str | datetime"
Variables: TypeAlias = "dict[str, int | list[int]]"
"""What a connection is told of time: which part of it, and when it counts."""

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**62


def moment_of(value: object, name: str) -> int | None:
    """Microseconds since time 0 of what stands for a point in time; `None` stays.

    Raises
    ------
    HistoryError
        If it is none; `name` is the argument's.
    """
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return (value - _START) // timedelta(microseconds=1)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST:
        return value
    if isinstance(value, str):
        try:
            return moment(value) if "T" in value else int(Duration.of(value))
        except (ValueError, DefinitionError):
            pass
    raise HistoryError(
        f"{name}={value!r} is no point in time. Give whole microseconds, a duration from time 0 such as '2d', "
        "a text such as '2026-11-30T09:00:00Z', or a datetime with a time zone."
    )


def set_variables(con: duckdb.DuckDBPyConnection, variables: Variables) -> None:
    """Tell a connection."""
    for name, value in variables.items():
        con.execute(f"SET VARIABLE {name} = ?::BIGINT{'[]' if isinstance(value, list) else ''}", [value])
