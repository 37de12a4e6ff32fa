"""The client's side of HTTP: asks, repeats what may be repeated, and raises what the engine would have raised."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from wfsim.errors import ServiceError, WfsimError
from wfsim.model.values import brief

from .codes import error_of

AGAIN = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Seconds between two tries; after the last one it is given up."""

LONGEST_WAIT = 10.0
"""Seconds that a service may ask to wait before the next try."""

READ = 30.0
"""Seconds in which an answer must begin, and in which a stream must say something."""


class Connection:
    """A service at an address; from any thread."""

    def __init__(self, url: str, key: str | None) -> None:
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise WfsimError(f"a service has an address such as 'http://localhost:8080', not {brief(url)}.")
        if key is not None and not (isinstance(key, str) and key.isascii() and key.isprintable()):
            raise WfsimError("a key is a text that `wfsim keys add` printed.")
        self.url = url.rstrip("/")
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers={} if key is None else {"Authorization": f"Bearer {key}"},
                timeout=httpx.Timeout(READ, connect=5.0),
                limits=httpx.Limits(max_connections=100),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise WfsimError(f"{url!r} is no address of a service: {error}") from None

    def get(self, *path: str, **query: Any) -> Any:
        """What stands at a path; query values that are `None` are left out."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", path, query=asked).json()

    def post(
        self, *path: str, body: Mapping[str, Any], expected_version: int | None = None, once: str | None = None
    ) -> Any:
        """Do something, once, however often it has to be asked.

        Parameters
        ----------
        expected_version
            The version that the instance must have.
        once
            The idempotency key; a new one by default.
        """
        headers = {"Idempotency-Key": once or uuid.uuid4().hex}
        if expected_version is not None:
            headers["If-Match"] = f'"{expected_version}"'
        try:
            content = json.dumps(body, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise WfsimError(f"what is sent is JSON: {error}.") from None
        return self._ask("POST", path, content=content, headers=headers).json()

    def delete(self, *path: str) -> None:
        """Let something be there no more, once, however often it has to be asked."""
        self._ask("DELETE", path, headers={"Idempotency-Key": uuid.uuid4().hex})

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, Any] | None = None,
        content: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = dict(headers or {})
        if content is not None:
            given["Content-Type"] = "application/json"
        for n, pause in enumerate((*AGAIN, None)):
            try:
                answer = self._client.request(method, _path(path), params=query, content=content, headers=given)
            except httpx.TransportError as error:
                if pause is None:
                    raise self._unreachable(error, n + 1) from error
                time.sleep(pause)
                continue
            if answer.is_success:
                return answer
            wanted = answer.headers.get("Retry-After", "")
            told = _error(answer)
            if pause is None or answer.status_code not in (429, 503) or getattr(told, "code", "") == "quota":
                raise told
            time.sleep(min(float(wanted) if wanted.isdigit() else pause, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def lines(self, *path: str, last: int | None, timeout: float) -> Iterator[str]:
        """The lines of a stream, until it ends, breaks or is silent for so many seconds (then `""` comes, and the end).

        Raises
        ------
        WfsimError
            What the service says instead.
        ServiceError
            `unreachable`, if it cannot be reached at all.
        """
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        allowed = httpx.Timeout(READ, connect=5.0, read=timeout)
        try:
            with self._client.stream("GET", _path(path), headers=headers, timeout=allowed) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _error(answer)
                yield from answer.iter_lines()
        except httpx.ConnectError as error:
            raise self._unreachable(error, 1) from error
        except httpx.TransportError:
            # Silence, or a break: whoever reads asks again.
            return

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _unreachable(self, error: Exception, n: int) -> ServiceError:
        return ServiceError(
            f"{self.url} cannot be reached, tried {n} {'time' if n == 1 else 'times'}: "
            f"{str(error) or type(error).__name__}. See whether the service runs, and under this address.",
            status=0,
            code="unreachable",
        )


def _path(parts: tuple[str, ...]) -> str:
    if "." in parts or ".." in parts:
        raise WfsimError("what is called '.' or '..' has no address, so a service cannot be asked for it.")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _error(answer: httpx.Response) -> WfsimError:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        found = {"detail": f"the service answered {answer.status_code} {answer.reason_phrase}, and is perhaps none."}
    return error_of(found, answer.status_code)
