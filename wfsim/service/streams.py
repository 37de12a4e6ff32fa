"""Routes: records as they come, as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from wfsim.errors import ServiceError

from .door import CallerOf, Routes, Segment
from .keys import Role
from .showing import record_body

if TYPE_CHECKING:
    from starlette.types import Send

    from wfsim.runtime.engine import Engine
    from wfsim.semantics.records import Record

    from .door import Caller

routes = Routes("streams")

LOOK = 0.5
"""Seconds between two looks for what other processes have written; what this one does is seen at once."""

TOGETHER = 200
"""Records that are read at a time: as long as these are not taken, no more are read."""

QUIET = 15.0
"""Seconds after which a comment is sent, so that both ends see that the other is there."""

SSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Records, one after the other: `event: record`, `id` to come back with, `data` in JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}

LastSeen = Annotated[
    int | None, Header(alias="Last-Event-ID", ge=0, lt=2**62, description="the `id` of the last one seen")
]


@routes.at(
    "GET",
    "/instances/{id}/events",
    Role.VIEWER,
    problems={404: "No such instance"},
    response_class=StreamingResponse,
    responses=SSE,
)
async def follow_instance(
    request: Request,
    caller: CallerOf,
    id: Segment,
    last: LastSeen = None,
    after: Annotated[int, Query(ge=0, lt=2**31, description="`seq`, where there is no Last-Event-ID")] = 0,
) -> StreamingResponse:
    """The records of an instance after one, as they come; ends once it is closed. The `id` of each is its `seq`."""
    engine = caller.tenant.engine
    seen = after if last is None else last
    # An id that nobody has is told before anything is sent.
    await run_in_threadpool(engine.records, id, after=seen, limit=1)

    def read() -> tuple[list[str], bool]:
        nonlocal seen
        found = engine.records(id, after=seen, limit=TOGETHER)
        if found:
            seen = found[-1][0].seq
        one, _ = engine.get(id).shown()
        over = not one.is_open and one.records <= seen
        return [_event(record.seq, id, record) for record, _ in found], over

    return _stream(request, caller, read)


@routes.at("GET", "/events", Role.VIEWER, response_class=StreamingResponse, responses=SSE)
async def follow_all(request: Request, caller: CallerOf, last: LastSeen = None) -> StreamingResponse:
    """The records of all instances, as they come, from now on, or from a Last-Event-ID on.

    Those of one instance come in order. The `id` is a time: whoever comes back with one may get the records of some
    seconds again, and knows them by `instance` and `seq`.
    """
    from wfsim.runtime.feed import SLACK

    feed = caller.tenant.engine.feed(None if last is None else max(last - SLACK, 0))

    def read() -> tuple[list[str], bool]:
        return [_event(record.time, name, record) for name, record in feed.next()], False

    return _stream(request, caller, read)


class Stream(StreamingResponse):
    """A response whose reader must not be too slow: what is not taken in time ends it."""

    def __init__(self, content: AsyncGenerator[str], seconds: float) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._content = content
        self._seconds = seconds

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""

        async def patiently(message: Any) -> None:
            await asyncio.wait_for(send(message), self._seconds)

        try:
            with contextlib.suppress(TimeoutError):
                await super().stream_response(patiently)
        finally:
            await self._content.aclose()


def _stream(request: Request, caller: Caller, read: Callable[[], tuple[list[str], bool]]) -> Stream:
    tenant, limits = caller.tenant, caller.limits
    if tenant.streams >= limits.streams:
        raise ServiceError(
            f"{limits.streams:,} subscribers of the namespace {tenant.namespace} read here already.",
            status=429,
            code="too_many_requests",
            retry_after=5.0,
        )
    tenant.streams += 1
    events = _events(caller.tenant.engine, read, limits.stream_seconds, request.app.state.stopping)

    async def counted() -> AsyncGenerator[str]:
        try:
            async for each in events:
                yield each
        finally:
            tenant.streams -= 1

    return Stream(counted(), limits.write_seconds)


async def _events(
    engine: Engine, read: Callable[[], tuple[list[str], bool]], seconds: float, stopping: threading.Event
) -> AsyncIterator[str]:
    loop, news, over = asyncio.get_running_loop(), asyncio.Event(), False

    def watcher() -> bool:
        if not over and not loop.is_closed():
            loop.call_soon_threadsafe(news.set)
        return over

    engine.core.watch(watcher)
    end = time.monotonic() + seconds
    spoke = time.monotonic()
    try:
        yield "retry: 1000\n\n"
        while time.monotonic() < end and not stopping.is_set() and not engine.is_closed:
            news.clear()
            found, is_last = await run_in_threadpool(read)
            for each in found:
                yield each
            if is_last:
                yield "event: closed\ndata: {}\n\n"
                return
            if found:
                spoke = time.monotonic()
                continue
            if time.monotonic() > spoke + QUIET:
                spoke = time.monotonic()
                yield ": still here\n\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), LOOK)
    finally:
        over = True


def _event(number: int, instance: str, record: Record) -> str:
    told = {"instance": instance, **record_body(record).model_dump(exclude={"metadata"})}
    return f"id: {number}\nevent: record\ndata: {json.dumps(told)}\n\n"
