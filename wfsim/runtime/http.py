"""Activities declared as `http`: a request, its answer as a result, and everything else as an error type (M5.7)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import httpx

from wfsim.errors import ActivityError
from wfsim.model.duration import UNITS
from wfsim.model.evaluate import evaluate, evaluate_template
from wfsim.model.expression_tree import Field
from wfsim.model.given import GIVEN_RESPONSE, INPUT, RESPONSE, SECRETS, fields_in, reads_whole
from wfsim.model.parts import as_text
from wfsim.model.values import EvaluationFault, ValueType, brief, coerce

from . import tracing
from .outgoing import CheckedTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from wfsim.model.connectors import Http
    from wfsim.model.expression_tree import Template
    from wfsim.model.values import Value

    from .permissions import Permissions
    from .secrecy import Secrets

LONGEST_WAIT = 24 * 3_600
"""Seconds of `Retry-After` that are waited at most: no server holds an activity for ever."""
EXCERPT = 300
"""So many characters of an answer that is an error are told."""
LONGEST_URL = 8_000

PART = 65_536
"""So many bytes are taken at a time."""

_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, everything evaluated."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes

    @property
    def shown(self) -> str:
        """For messages: without the query, where secrets may stand."""
        return f"{self.method} {self.url.copy_with(query=None, fragment=None)}"

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """Where it goes."""
        return self.url.scheme, self.url.host, self.url.port


async def perform(
    http: Http,
    inputs: Mapping[str, Value],
    secrets: Secrets,
    key: str,
    permissions: Permissions,
    beat: Callable[[], None],
) -> Value:
    """Send the request and give the result.

    Parameters
    ----------
    secrets
        Those that it needs.
    key
        The idempotency key, which goes with every method that has an effect.
    beat
        Called with each part of the answer that arrives.

    Raises
    ------
    ActivityError
        `Http.<status>`, or the type that the definition has for it; `Http.timeout`, `Http.connect` (no connection),
        `Http.refused` (not permitted here), `Http.broken` (the answer ended too early), `Http.size`, `Http.body`,
        `Http.url`, `Http.header`, `Http.redirect`.
    EvaluationFault
        Of an expression.
    """
    transport = CheckedTransport(permissions)
    try:
        request = request_of(http, inputs, secrets.values, key)
        async with asyncio.timeout(http.timeout / UNITS["s"]):
            return await _exchanged(transport, http, request, inputs, secrets, beat)
    except TimeoutError:
        raise ActivityError(
            "Http.timeout", f"{request.shown} was not answered in full within {http.timeout}."
        ) from None
    except httpx.TransportError as error:
        raise ActivityError(
            "Http.broken", f"{request.shown}: {type(error).__name__}: {error or 'the connection broke'}."
        ) from None
    finally:
        await transport.close()


async def _exchanged(
    transport: CheckedTransport,
    http: Http,
    request: Request,
    inputs: Mapping[str, Value],
    secrets: Secrets,
    beat: Callable[[], None],
) -> Value:
    for left in range(http.redirects, -1, -1):
        response = await transport.send(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.body), request.body
        )
        try:
            beat()
            if response.status_code in _REDIRECTS and left and "location" in response.headers:
                request = _redirected(request, response, carries_secrets=bool(http.secrets))
                continue
            error_type = http.error_of(response.status_code)
            if error_type is not None:
                told = await _told(response, secrets, beat)
                raise _failed(request, response, error_type, told)
            body = await _read(response, http.max_bytes, beat)
        finally:
            await response.aclose()
        return _result(http, request, response, body, inputs)
    raise AssertionError("the last round ends")


# The request ---------------------------------------------------------------------------------------------


def request_of(http: Http, inputs: Mapping[str, Value], secrets: Mapping[str, str], key: str) -> Request:
    """What is to be sent.

    Raises
    ------
    ActivityError
        `Http.url`, `Http.header`, `Http.body`.
    EvaluationFault
        Of an expression.
    """
    given = {INPUT: dict(inputs), SECRETS: dict(secrets)}

    def value_of(tree: Template) -> Value:
        return evaluate_template(tree, given, None, "")

    url = address(http, given)
    pairs = list(_pairs("query", {name: value_of(tree) for name, tree in http.query_trees.items()}))
    if pairs:
        url += ("&" if "?" in url else "?") + "&".join(f"{quote(a, safe='')}={quote(b, safe='')}" for a, b in pairs)
    headers = {"User-Agent": "wfsim", "Accept": "*/*"}
    if http.method not in ("GET", "HEAD"):
        # An id may hold what no header does; one that does not stays as it is.
        headers["Idempotency-Key"] = quote(key, safe="!#$&'()*+,/:;=?@[]~")
    if (trace := tracing.current()) is not None:
        headers["traceparent"] = trace
    written = {name: value_of(tree) for name, tree in http.header_trees.items()}
    for name, value in written.items():
        if value is not None:
            headers = {one: each for one, each in headers.items() if one.lower() != name.lower()}
            headers[name] = _header(name, value)
    body = b""
    if http.body_tree is not None:
        value = value_of(http.body_tree)
        said = next((each for name, each in headers.items() if name.lower() == "content-type"), None)
        if said is None:
            said = "text/plain; charset=utf-8" if isinstance(value, str) else "application/json"
            headers["Content-Type"] = said
        body = _encoded(value, said)
    # What is packed could be a thousand times as long as what arrives.
    headers["Accept-Encoding"] = "identity"
    return Request(http.method, checked_url(url), headers, body)


def address(http: Http, given: Mapping[str, Value]) -> str:
    """The address without what `query` adds; what expressions among its words come to is percent-encoded."""
    parts = http.url_parts
    if len(parts) == 1 and not isinstance(parts[0], str):
        whole = evaluate(parts[0], given, None, "")
        if not isinstance(whole, str):
            raise ActivityError("Http.url", f"the address is a text, not {brief(whole)}.")
        return whole
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        value = as_text(evaluate(part, given, None, ""))
        if "?" not in text and (not value or {".", ".."} & set(re.split(r"[/\\]", value))):
            # Whoever decodes it on the way may take it for steps.
            raise ActivityError("Http.url", f"after {text!r} comes {brief(value)}, which would be another address.")
        text += quote(value, safe="")
    if {".", ".."} & set(urlsplit(text).path.split("/")):
        raise ActivityError("Http.url", f"{text!r} has a step . or .., which would be another address.")
    return text


def checked_url(text: str) -> httpx.URL:
    """An address that requests may go to, as far as its text tells.

    Raises
    ------
    ActivityError
        `Http.url`.
    """
    shown = brief(text.partition("?")[0])
    if len(text) > LONGEST_URL or _NO_ADDRESS.search(text):
        raise ActivityError(
            "Http.url",
            f"{shown} is longer than {LONGEST_URL:,} characters, or holds a space, a \\ or a control character.",
        )
    try:
        url = httpx.URL(text).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise ActivityError("Http.url", f"{shown} is no address: {error}.") from None
    known = url.scheme in ("http", "https") and url.host and "%" not in url.host and (url.port or 1) <= 65_535
    if not known or url.userinfo:
        raise ActivityError("Http.url", f"{shown} is no address of the form https://host/path.")
    return url


def _header(name: str, value: Value) -> str:
    text = as_text(value)
    if text and not _VALUE.fullmatch(text):
        # Not shown: it may be a secret.
        raise ActivityError(
            "Http.header",
            f"the header {name} would hold a line end, a control character, a space at an end, or non-ASCII.",
        )
    return text


def _pairs(what: str, values: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, list | Mapping):
                raise ActivityError(
                    "Http.body", f"{what}: {name!r} is {brief(each)}; texts, numbers and booleans go there."
                )
            if each is not None:
                yield name, as_text(each)


def _encoded(value: Value, content_type: str) -> bytes:
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        if not isinstance(value, Mapping):
            raise ActivityError("Http.body", f"a form is an object, not {brief(value)}.")
        return "&".join(f"{quote_plus(a)}={quote_plus(b)}" for a, b in _pairs("body", value)).encode()
    if media == "application/json" or media.endswith("+json"):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if not isinstance(value, str):
        raise ActivityError("Http.body", f"a body of {media} is a text, not {brief(value)}.")
    return value.encode()


def _redirected(request: Request, response: httpx.Response, *, carries_secrets: bool) -> Request:
    url = checked_url(urljoin(str(request.url), response.headers["location"]))
    status = response.status_code
    following = Request(request.method, url, request.headers, request.body)
    if (request.url.scheme, url.scheme) == ("https", "http"):
        raise ActivityError("Http.redirect", f"{request.shown} leads to {following.shown}, which is not encrypted.")
    if carries_secrets and following.origin != request.origin:
        raise ActivityError(
            "Http.redirect", f"{request.shown} leads to {url.host}, and the secrets that it carries are not for others."
        )
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        kept = {name: each for name, each in request.headers.items() if not name.lower().startswith("content-")}
        return Request("HEAD" if request.method == "HEAD" else "GET", url, kept, b"")
    return following


# The answer ----------------------------------------------------------------------------------------------


async def _parts(response: httpx.Response, most: int, beat: Callable[[], None]) -> AsyncGenerator[bytes, None]:
    """The body in parts, unpacked; each is not much longer than `most`, however it is packed."""
    packing = response.headers.get("content-encoding", "identity").lower()
    unpack = zlib.decompressobj(wbits=47) if packing in ("gzip", "deflate", "x-gzip") else None
    if unpack is None and packing not in ("identity", ""):
        raise ActivityError("Http.body", f"the answer is packed as {brief(packing)}, though that was not asked for.")
    try:
        async for part in response.aiter_raw(PART):
            beat()
            yield part if unpack is None else unpack.decompress(part, most + 1)
    except zlib.error as error:
        raise ActivityError("Http.body", f"the answer cannot be unpacked: {error}.") from None


async def _read(response: httpx.Response, most: int, beat: Callable[[], None]) -> bytes:
    body = bytearray()
    async with contextlib.aclosing(_parts(response, most, beat)) as parts:
        async for part in parts:
            body += part
            if len(body) > most:
                raise ActivityError("Http.size", f"the answer is longer than {most:,} bytes (max_bytes).")
    return bytes(body)


async def _told(response: httpx.Response, secrets: Secrets, beat: Callable[[], None]) -> str:
    """The beginning of the text of an answer; where it cannot be had, its status says enough."""
    body, most = bytearray(), 4 * (EXCERPT + secrets.longest)
    with contextlib.suppress(ActivityError, httpx.TransportError):
        async with contextlib.aclosing(_parts(response, most, beat)) as parts:
            async for part in parts:
                body += part
                if len(body) >= most:
                    break
    text = secrets.masked(body.decode("utf-8", "replace"), cut_after=len(body) >= most)
    told = " ".join(text.split())
    return told if len(told) <= EXCERPT else told[:EXCERPT] + "…"


def _failed(request: Request, response: httpx.Response, error_type: str, told: str) -> ActivityError:
    status = response.status_code
    known = {each.value: each.phrase for each in HTTPStatus}
    text = f"{request.shown}: {status} {known.get(status, '')}".rstrip()
    said = f" It says: {told}" if told else ""
    return ActivityError(error_type, f"{text}.{said}", retry_after=retry_after(response.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait, a day at most; `None` if it does not, or not in a way that is known."""
    said = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}", said):
        return float(min(int(said), LONGEST_WAIT))
    try:
        until = parsedate_to_datetime(said)
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return min(max((until - now).total_seconds(), 0.0), float(LONGEST_WAIT))
    except (ValueError, TypeError):
        return None


def _result(http: Http, request: Request, response: httpx.Response, body: bytes, inputs: Mapping[str, Value]) -> Value:
    tree = http.result_tree
    headers: dict[str, Value] = dict.fromkeys(fields_in(tree, Field(GIVEN_RESPONSE, "headers")))
    for name, value in response.headers.items():
        headers[name.lower().replace("-", "_")] = value
    answer = {"status": response.status_code, "headers": headers, "body": None}
    if "body" in fields_in(tree, GIVEN_RESPONSE) or reads_whole(tree, GIVEN_RESPONSE):
        answer["body"] = decoded(response.headers.get("content-type", ""), body, request.shown)
    given = {INPUT: dict(inputs), RESPONSE: answer}
    return evaluate_template(tree, given, None, "")


def decoded(content_type: str, body: bytes, shown: str) -> Value:
    """What a body says: JSON where its type says so, else a text; nothing is null.

    Raises
    ------
    ActivityError
        `Http.body`, if it is neither.
    """
    if not body:
        return None
    media = content_type.partition(";")[0].strip().lower()
    charset = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
    try:
        text = body.decode(charset[1] if charset else "utf-8")
        if media == "application/json" or media.endswith("+json"):
            return coerce(ValueType.ANY, json.loads(text))
        return coerce(ValueType.ANY, text)
    except (ValueError, LookupError, RecursionError, EvaluationFault) as error:
        told = error.message if isinstance(error, EvaluationFault) else f"{type(error).__name__}: {error}."
        raise ActivityError("Http.body", f"{shown}: the answer ({media or 'no type'}) cannot be read: {told}") from None
