"""How instances and records are shown over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .bodies import ActivityBody, InstanceBody, RecordBody, Short, TimerBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Response

    from wfsim.model.values import Value
    from wfsim.runtime.handle import Run
    from wfsim.runtime.listing import Listed
    from wfsim.semantics.records import Record


def short(one: Listed) -> Short:
    """An instance in a list."""
    return Short(
        id=one.id,
        workflow=one.workflow,
        definition_version=one.version,
        status=one.status,
        state=one.state,
        outcome=one.outcome,
        parent=one.parent,
        key=one.key,
        version=one.records,
        started=one.started,
        changed=one.changed,
    )


def whole(run: Run, response: Response | None = None) -> InstanceBody:
    """An instance as it stands; its version is the answer's ETag."""
    one, view = run.shown()
    if response is not None:
        response.headers["ETag"] = f'"{view.version}"'
    return InstanceBody(
        **short(one).model_dump(),
        is_closed=view.is_closed,
        is_idle=run.is_idle,
        configuration=dict(view.configuration),
        variables=dict(view.variables),
        output=run.output,
        activities=[
            ActivityBody(**asdict(each), correlation_id=f"{run.id}:{each.activity_id}:{each.attempt}")
            for each in run.activities
        ],
        timers=[TimerBody(**asdict(each)) for each in view.due],
        waiting=list(view.waiting),
    )


def record_body(record: Record, metadata: Mapping[str, Value] | None = None) -> RecordBody:
    """A record, with what the sender of its stimulus gave beside it."""
    return RecordBody(**asdict(record), metadata=None if metadata is None else dict(metadata))
