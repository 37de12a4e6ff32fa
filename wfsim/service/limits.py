"""What a service takes in: how large, how fast, how often; and paths in which a slash may be part of an id."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from wfsim.errors import ServiceError

from .codes import problem_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a service allows.

    Attributes
    ----------
    body
        Bytes of a request.
    body_seconds
        Until all of it has come.
    rate, burst
        Requests a second of one key in this process, and how many at once.
    streams
        Subscribers of one namespace in this process.
    stream_seconds
        After which a subscriber has to come again.
    write_seconds
        In which a subscriber has to read what it was sent.
    open_instances
        Of one namespace; `None`: as many as one likes.
    check_seconds
        For each property of a definition that is to be verified, at most.
    """

    body: int = 1_048_576
    body_seconds: float = 20.0
    rate: float = 200.0
    burst: int = 400
    streams: int = 100
    stream_seconds: float = 3_600.0
    write_seconds: float = 30.0
    open_instances: int | None = None
    check_seconds: float = 10.0


class Rates:
    """A bucket of tokens for each key; from any thread."""

    MOST = 10_000

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, limits: Limits, now: float | None = None) -> None:
        """One more request of a key, within its limits; `now` in seconds of any clock that does not go back.

        Raises
        ------
        ServiceError
            `too_many_requests`, with the seconds to wait.
        """
        now = time.monotonic() if now is None else now
        rate, burst = limits.rate, limits.burst
        with self._door:
            tokens, then = self._buckets.pop(key, (float(burst), now))
            tokens = min(float(burst), tokens + (now - then) * rate)
            self._buckets[key] = (max(tokens - 1.0, 0.0) if tokens >= 1.0 else tokens, now)
            if len(self._buckets) > self.MOST:
                self._buckets.popitem(last=False)
        if tokens < 1.0:
            raise ServiceError(
                f"this key may ask {rate:g} times a second, and {burst} times at once.",
                status=429,
                code="too_many_requests",
                retry_after=(1.0 - tokens) / rate,
            )


class Bounded:
    """Around an application: reads each request whole before it goes on, within limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await self._body(receive)
        except ServiceError as error:
            await _refuse(send, error)
            return
        if body is None:
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(_with_path(scope), replay, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """All of it; `None` if the caller has gone."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._limits.body:
                        raise ServiceError(
                            f"the body has more than {self._limits.body:,} bytes.", status=413, code="too_large"
                        )
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise ServiceError(
                f"the body had not come after {self._limits.body_seconds:g} seconds.", status=408, code="too_slow"
            ) from None


def _with_path(scope: Scope) -> Scope:
    """The scope with a path whose segments are as they were sent: `%2F` belongs to an id, and is no slash.

    What a path parameter gets has `%25` and `%2F` for `%` and `/`; `app.Segment` undoes that.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    segments = [unquote(each) for each in raw.decode("ascii", "replace").split("/")]
    return {**scope, "path": "/".join(each.replace("%", "%25").replace("/", "%2F") for each in segments)}


async def _refuse(send: Send, error: ServiceError) -> None:
    text = json.dumps(problem_of(error).to_dict()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
