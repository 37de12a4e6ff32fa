"""One attempt, found by its correlation id: what went in, what came out, and when (the view `executions` has all)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.values import Value
    from wfsim.semantics.records import Record

    from .rows import Key

_ENDS = {
    "activity_succeeded": "succeeded",
    "activity_failed": "failed",
    "attempt_timed_out": "timed_out",
    "activity_cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An attempt of an activity; times are microseconds since 1970 UTC.

    Attributes
    ----------
    correlation_id
        What names it to whoever completes it from outside.
    idempotency_key
        Equal for all attempts of the activity.
    version
        Of the activity (M5.6); `None` if it has none.
    worker
        Who began it; `None` if nobody has.
    output
        What it gave, if it has succeeded.
    scheduled, started, ended
        The last two are `None` until that has come.
    outcome
        `succeeded`, `failed`, `timed_out`, `cancelled`; `None` if it has not ended.
    """

    correlation_id: str
    idempotency_key: str
    instance: str
    activity: str
    version: Value
    activity_id: int
    attempt: int
    state: str | None
    worker: str | None
    input: dict[str, Value]
    output: Value
    scheduled: int
    started: int | None
    ended: int | None
    outcome: str | None
    error_type: str | None
    message: str | None


def execution_in(records: Iterable[Record], key: Key) -> Execution | None:
    """An attempt, as the records of its instance tell of it; `None` if it was never scheduled."""
    name, serial, attempt = key
    known = list(records)
    late = {each.cause_seq for each in known if each.kind == "stimulus_ignored"}
    mine = [each for each in known if (each.activity_id, each.attempt) == (serial, attempt) and each.seq not in late]
    began = next((each for each in mine if each.kind == "activity_scheduled"), None)
    if began is None or began.activity is None:
        return None
    taken = next((each for each in mine if each.kind == "activity_started"), None)
    end = next((each for each in mine if each.kind in _ENDS), None)
    undoes = next(
        (each.payload["compensates"] for each in known if each.activity_id == serial and "compensates" in each.payload),
        None,
    )
    return Execution(
        correlation_id=f"{name}:{serial}:{attempt}",
        idempotency_key=f"{name}:{serial}" if undoes is None else f"{name}:undo:{undoes}",
        instance=name,
        activity=began.activity,
        version=began.payload.get("version"),
        activity_id=serial,
        attempt=attempt,
        state=began.state,
        worker=None if taken is None else taken.payload.get("worker"),
        input=began.payload.get("input", {}),
        output=end.payload.get("result") if end is not None and end.kind == "activity_succeeded" else None,
        scheduled=began.time,
        started=None if taken is None else taken.time,
        ended=None if end is None else end.time,
        outcome=None if end is None else _ENDS[end.kind],
        error_type=None if end is None else end.error_type,
        message=None if end is None else end.payload.get("message"),
    )
