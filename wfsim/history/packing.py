"""How records lie in a file: what no kind of record has together shares a column, and what others tell has none.

DuckDB takes as long for a column that is seldom known as for any other, and a record of any one kind knows a few. The
table is `record_rows`; `records` is a view of it with a column for each field, which takes next to no time to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.semantics.codes import (
    NONE,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_CONTROL_RECEIVED,
    R_MESSAGE_RETURNED,
    R_MESSAGE_SENT,
    R_RETRY_SCHEDULED,
    R_STARTED,
    R_STIMULUS_IGNORED,
    R_TIMER_FIRED,
    R_TRANSITION,
    R_TRANSITION_ABORTED,
    R_TRANSITION_STARTED,
    RECORD_KINDS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

_MOVES = (R_TRANSITION, R_TRANSITION_STARTED, R_TRANSITION_ABORTED)
ENDS = (R_ACTIVITY_SUCCEEDED, R_ACTIVITY_FAILED, R_ATTEMPT_TIMED_OUT, R_ACTIVITY_CANCELLED)
"""Of attempts."""
_TIMERS = (R_TIMER_FIRED, R_STIMULUS_IGNORED)
_MESSAGES = (R_MESSAGE_SENT, R_MESSAGE_RETURNED)


@dataclass(frozen=True)
class Shared:
    """A column that several fields share: each of `of_kinds` has it in records of some kinds, `other` in all others."""

    name: str
    type: str
    of_kinds: tuple[tuple[str, tuple[int, ...]], ...]
    other: str

    @property
    def fields(self) -> tuple[str, ...]:
        """All that share it."""
        return (*(field for field, _ in self.of_kinds), self.other)

    def kinds_of(self, field: str) -> tuple[int, ...]:
        """The kinds of records in which this field has it; of `other` those in which it has not."""
        named = dict(self.of_kinds)
        return named.get(field) or tuple(kind for kinds in named.values() for kind in kinds)


SHARED = (
    Shared("transition_or_activity_id", "INTEGER", (("transition", _MOVES),), "activity_id"),
    Shared("flight_or_attempt", "INTEGER", (("flight", _MOVES),), "attempt"),
    Shared("outcome_or_command", "UTINYINT", (("command", (R_CONTROL_RECEIVED,)),), "outcome"),
    Shared("clock_or_error_type", "INTEGER", (("clock", _TIMERS),), "error_type"),
    Shared("timer_or_entered_seq", "INTEGER", (("timer", _TIMERS),), "entered_seq"),
    Shared("timer_id_message_id_or_index", "INTEGER", (("timer_id", _TIMERS), ("message_id", _MESSAGES)), "index"),
    Shared("compensates_or_activation", "INTEGER", (("compensates", (R_ACTIVITY_SCHEDULED,)),), "activation"),
    Shared("due_or_key", "BIGINT", (("key", (R_STARTED,)),), "due"),
    Shared("dwell_wait_or_service", "BIGINT", (("wait", (R_ACTIVITY_STARTED,)), ("service", ENDS)), "dwell"),
)
DELAY = "delay"
"""The field that `due` tells, counted from `time` where a kind of `DELAYED` is due."""
DELAYED = (R_ACTIVITY_FAILED, R_RETRY_SCHEDULED)
ANY = frozenset(range(len(RECORD_KINDS)))
"""All kinds of records."""
_OF_FIELD = {field: shared for shared in SHARED for field in shared.fields}


def stored_columns(columns: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The columns of `record_rows`, for those of `records`; what is shared stands where its first field does."""
    found = (_stored(name, kind) for name, kind in columns if name != DELAY)
    return tuple(dict.fromkeys(found))


def _stored(name: str, kind: str) -> tuple[str, str]:
    shared = _OF_FIELD.get(name.strip('"'))
    return (name, kind) if shared is None else (shared.name, shared.type)


def unpacked(name: str) -> str:
    """The column of `records` of this name, in SQL over `record_rows`."""
    field = name.strip('"')
    if field == DELAY:
        return f"if({_is_among(DELAYED)}, {_OF_FIELD['due'].name} - time, NULL) AS {name}"
    shared = _OF_FIELD.get(field)
    if shared is None:
        return name
    given = f"NULL, {shared.name}" if field == shared.other else f"{shared.name}, NULL"
    return f"if({_is_among(shared.kinds_of(field))}, {given}) AS {name}"


def _is_among(kinds: Iterable[int]) -> str:
    """Whether a record is of these kinds, in SQL: not by IN, as DuckDB joins a list of five even if nobody asks."""
    return f"({sum(1 << kind for kind in kinds)}::UBIGINT >> kind) & 1 = 1"


def packed(columns: Iterable[tuple[str, str]]) -> str:
    """The columns of `record_rows` in their order, in SQL over rows like those of `records`."""
    found = []
    for name, _ in stored_columns(columns):
        shared = next((each for each in SHARED if each.name == name), None)
        if shared is None:
            found.append(name)
        else:
            quoted = ", ".join(f'"{field}"' for field in shared.fields)
            found.append(f"coalesce({quoted}) AS {name}")
    return ", ".join(found)


def pack(kind: NDArray[Any], column: Callable[[str], NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The shared columns of some records, where `column` gives those of fields, with `NONE` for null."""
    return {shared.name: _together(kind, shared, column) for shared in SHARED}


def _together(kind: NDArray[Any], shared: Shared, column: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
    import numpy as np

    found = column(shared.other)
    for field, kinds in shared.of_kinds:
        found = np.where(among(kind, kinds), column(field), found)
    return found


def field_of(
    name: str, kind: NDArray[Any], column: Callable[[str], NDArray[Any]], kinds: frozenset[int] = ANY
) -> NDArray[Any]:
    """A field of some records, where `column` gives the columns of `record_rows`, with `NONE` for null.

    `kinds` are those that there may be among them: a column that several fields share need not be taken apart for most.
    """
    import numpy as np

    shared = _OF_FIELD.get(name)
    if name == DELAY:
        due = column(_OF_FIELD["due"].name)
        delays: NDArray[Any] = np.where(
            among(kind, DELAYED) & (due != NONE), due - column("time"), due.dtype.type(NONE)
        )
        return delays
    if shared is None:
        return column(name)
    own = frozenset(shared.kinds_of(name))
    if name == shared.other:
        own = ANY - own
    stored = column(shared.name)
    if kinds <= own:
        return stored
    return np.where(among(kind, own & kinds), stored, stored.dtype.type(NONE))


def among(kind: NDArray[Any], kinds: Iterable[int]) -> NDArray[np.bool_]:
    """Which records are of these kinds."""
    import numpy as np

    wanted = np.zeros(len(RECORD_KINDS), np.bool_)
    wanted[list(kinds)] = True
    found: NDArray[np.bool_] = wanted.take(kind)
    return found
