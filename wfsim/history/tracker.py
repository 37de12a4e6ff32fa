"""What is known of a row only while it is written: time spent in a state, waiting and running times.

`CaseTrack` follows one case; `track_rows` gives its records, with what follows from the track, as flat
tuples of integers. This is the only work done per record in Python; the rest is done on arrays, once a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.semantics.codes import (
    NONE,
    R_ACTIVITY_CANCELLED,
    R_ACTIVITY_FAILED,
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ATTEMPT_TIMED_OUT,
    R_INSTANCE_CLOSED,
    R_STATE_ENTERED,
    R_STATE_LEFT,
    R_TRANSITION,
    RECORD_KINDS,
)
from wfsim.semantics.layout import RecordRow

from .paths import EMPTY, Paths

if TYPE_CHECKING:
    from collections.abc import Iterable

# Raw columns: a record's codes as they come, then what the track adds. `path` is a node of Paths.
RAW = (
    "case",
    "seq",
    "time",
    "kind",
    "cause",
    "region",
    "state",
    "to_state",
    "event",
    "event_id",
    "activity",
    "activity_id",
    "attempt",
    "error_type",
    "status",
    "outcome",
    "reason",
    "transition",
    "flight",
    "activation",
    "timer",
    "timer_id",
    "due",
    "source",
    "command",
    "undoes",
    "index",
    "message",
    "key",
    "entered_seq",
    "dwell",
    "wait",
    "service",
    "path",
)
_PLAIN, _MOVE, _WORK = range(3)
_ROLE = bytearray(len(RECORD_KINDS))
for _kind in (R_STATE_ENTERED, R_TRANSITION, R_STATE_LEFT, R_INSTANCE_CLOSED):
    _ROLE[_kind] = _MOVE
for _kind in (
    R_ACTIVITY_SCHEDULED,
    R_ACTIVITY_STARTED,
    R_ACTIVITY_SUCCEEDED,
    R_ACTIVITY_FAILED,
    R_ATTEMPT_TIMED_OUT,
    R_ACTIVITY_CANCELLED,
):
    _ROLE[_kind] = _WORK
ROLE = bytes(_ROLE)

Raw: TypeAlias = tuple[int, ...]


class CaseTrack:
    """Where one case is: its path, when each region's state was entered, which attempts are open."""

    __slots__ = ("attempts", "entered", "external_id", "key", "parent", "path", "started", "version", "workflow")

    def __init__(
        self,
        *,
        key: int = 0,
        started: int = 0,
        external_id: str | None = None,
        parent: tuple[int, int] | None = None,
        workflow: int = 0,
    ) -> None:
        self.path = EMPTY
        self.entered: dict[int, tuple[int, int]] = {}
        self.attempts: dict[int, list[int]] = {}
        self.key = key
        self.started = started
        self.external_id = external_id
        # Case and activation that started it.
        self.parent = parent
        self.workflow = workflow
        self.version = 0

    def move(self, row: RecordRow, root: int, names: list[str | None], paths: Paths) -> tuple[int, int]:
        """`seq` of the record that entered the state which this row ends, and the time there; -1 for none."""
        kind = row.kind
        region = row.region
        entered_seq = dwell = NONE
        if kind != R_STATE_ENTERED and not (kind == R_TRANSITION and row.to_state < 0):
            since = self.entered.pop(region, None)
            if since is not None:
                dwell = row.time - since[0]
                entered_seq = since[1]
        if kind == R_STATE_ENTERED or (kind == R_TRANSITION and row.to_state >= 0):
            self.entered[region] = (row.time, row.seq)
            if region == root:
                state = row.state if kind == R_STATE_ENTERED else row.to_state
                self.path = paths.extend(self.path, names[state] or "")
        return entered_seq, dwell

    def work(self, row: RecordRow) -> tuple[int, int]:
        """Time from scheduled to started, and from started to ended, of the attempt that this row tells of.

        -1 where unknown: a late or repeated report, or an attempt that never reported its start.
        """
        kind = row.kind
        if kind == R_ACTIVITY_SCHEDULED:
            self.attempts[row.activity_id] = [row.attempt, row.time, NONE]
            return NONE, NONE
        attempt = self.attempts.get(row.activity_id)
        if attempt is None or attempt[0] != row.attempt:
            return NONE, NONE
        if kind == R_ACTIVITY_STARTED:
            if attempt[2] >= 0:
                return NONE, NONE
            attempt[2] = row.time
            return row.time - attempt[1], NONE
        del self.attempts[row.activity_id]
        return NONE, row.time - attempt[2] if attempt[2] >= 0 else NONE


def track_rows(
    case: int,
    records: Iterable[RecordRow],
    track: CaseTrack,
    root: int,
    names: list[str | None],
    paths: Paths,
    into: Any,
) -> None:
    """Follow one step's records and call `into(raw)` with each; raw rows have the columns of `RAW`.

    `root` is the program row of the root region, `names` the names of program rows.
    """
    role = ROLE
    for row in records:
        kind = row.kind
        entered_seq = dwell = wait = service = NONE
        if role[kind]:
            if role[kind] == _MOVE:
                entered_seq, dwell = track.move(row, root, names, paths)
            else:
                wait, service = track.work(row)
        track.version = row.seq
        into(
            (
                case,
                row.seq,
                row.time,
                kind,
                row.cause,
                row.region,
                row.state,
                row.to_state,
                row.event,
                row.event_id,
                row.activity,
                row.activity_id,
                row.attempt,
                row.error_type,
                row.status,
                row.outcome,
                row.reason,
                row.transition,
                row.flight,
                row.activation,
                row.timer,
                row.timer_id,
                row.due,
                row.source,
                row.command,
                row.undoes,
                row.index,
                row.message,
                row.key,
                entered_seq,
                dwell,
                wait,
                service,
                track.path,
            )
        )
