"""How instances and records are shown over HTTP."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from .bodies import ActivityBody, Graph, InstanceBody, RecordBody, Short, TimerBody

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


def moved_at(run: Run) -> int:
    """`seq` of the last record before an instance moved to the version that it runs; 0 if it never has.

    Numbers of transitions until then are those of another version.
    """
    return max((move.seq for move in run.moves), default=0)


def graph_of(run: Run) -> Graph:
    """States and transitions of an instance's workflow, with where it is and how often it came that way."""
    data = run.workflow.to_graph()
    _, view = run.shown()
    active = set(view.configuration.values())
    visits = Counter(
        entered
        for record in run.records
        if record.kind in ("state_entered", "transition")
        for entered in [record.state if record.kind == "state_entered" else record.to_state]
        if entered is not None
    )
    since = moved_at(run)
    taken = Counter(
        record.payload["transition"] for record in run.records if record.kind == "transition" and record.seq > since
    )
    for node in data["nodes"]:
        node |= {"active": node["id"] in active, "visits": visits[node["id"]]}
    for edge in data["edges"]:
        edge |= {"taken": taken[edge["id"]]}
    return Graph.model_validate(data)
