"""Events of Temporal, in the JSON that its command line and SDKs read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfsim.model.values import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLAGS = {"coreUsedFlags": [1, 2, 3], "sdkName": "temporal-python"}
"""Without the first, the SDK takes an activity of another type, or under another id, for the same."""


class Events:
    """A history that grows; ids are numbers from 1.

    Attributes
    ----------
    queue
        Name of the task queue.
    """

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._events: list[dict[str, Any]] = []
        self._task = 0

    def add(self, time: int, kind: str, **attributes: Any) -> int:
        """An event of a kind, such as `TimerStarted`, at a time in microseconds; returns its id."""
        number = len(self._events) + 1
        self._events.append(
            {
                "eventId": str(number),
                "eventTime": (_EPOCH + timedelta(microseconds=time))
                .isoformat(timespec="microseconds")
                .replace("+00:00", "Z"),
                "eventType": f"EVENT_TYPE_{_upper(kind)}",
                f"{kind[0].lower()}{kind[1:]}EventAttributes": attributes,
            }
        )
        return number

    def command(self, time: int, kind: str, **attributes: Any) -> int:
        """An event that a command of the last workflow task has led to."""
        return self.add(time, kind, workflowTaskCompletedEventId=str(self._task), **attributes)

    def task(self, time: int) -> None:
        """A workflow task, in which the workflow hears of what came before it."""
        scheduled = self.add(
            time, "WorkflowTaskScheduled", taskQueue={"name": self.queue}, startToCloseTimeout="10s", attempt=1
        )
        started = self.add(time, "WorkflowTaskStarted", scheduledEventId=str(scheduled))
        self._task = self.add(
            time,
            "WorkflowTaskCompleted",
            scheduledEventId=str(scheduled),
            startedEventId=str(started),
            sdkMetadata=_FLAGS,
        )

    def to_dict(self) -> dict[str, Any]:
        """`{"events": […]}`."""
        return {"events": self._events}


def payloads(*values: Value) -> dict[str, Any]:
    """Values as arguments or results."""
    return {"payloads": [_payload(value) for value in values]}


def _payload(value: Value) -> dict[str, Any]:
    if value is None:
        return {"metadata": {"encoding": _base64(b"binary/null")}}
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return {"metadata": {"encoding": _base64(b"json/plain")}, "data": _base64(data)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _upper(kind: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in kind).lstrip("_")
