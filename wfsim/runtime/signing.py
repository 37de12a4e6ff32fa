"""Signatures of webhooks, as the Standard Webhooks specification has them, and how a receiver checks one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import OptionError, WebhookRefused
from wfsim.model.duration import Duration
from wfsim.model.values import brief

if TYPE_CHECKING:
    from datetime import timedelta

PREFIX = "whsec_"
"""What a secret begins with; Base64 of 24 to 64 bytes follows."""

TOLERANCE = Duration.of("5m")


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """What a webhook says, when its signature is right.

    Attributes
    ----------
    id
        Of the message; the same whenever it is sent again.
    type
        `wfsim.` and the kind of the record: `wfsim.instance_closed`.
    timestamp
        When that happened, in ISO 8601.
    data
        The record, with `instance`, `workflow` and `definition_version`.
    """

    id: str
    type: str
    timestamp: str
    data: Mapping[str, Any]


def new_secret() -> str:
    """A secret that nobody has yet."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(secret: object) -> str:
    """A text that can be a secret.

    Raises
    ------
    OptionError
        If it is none; the text is not told.
    """
    _key(secret)
    return str(secret)


def signature(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The signature of a message that is sent at a time, in whole seconds since 1970 UTC."""
    signed = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance: Duration | timedelta | str | float = TOLERANCE,
    seen: Container[str] = (),
    now: float | None = None,
) -> WebhookMessage:
    """Read a webhook that an engine has sent, if it has.

    Parameters
    ----------
    body
        As it came: not parsed and written again, which would be signed otherwise.
    headers
        Those of the request; capitals do not matter.
    secret
        What `engine.webhooks.add` gave; several while one takes the place of another.
    tolerance
        How much its time may differ from now: what somebody has recorded and sends again later is refused.
    seen
        Ids of messages that were worked off. What comes again, as the answer to the first was lost or somebody has
        recorded it, is refused with the reason `seen`: answer it with 200.
    now
        Seconds since 1970 UTC; by default the time.

    Raises
    ------
    WebhookRefused
        If it is forged, too old, from the future, or seen; `reason` says which. Answer all but `seen` with 400.
    OptionError
        If a secret is none.

    Examples
    --------
    >>> secret = "whsec_" + "AAAA" * 8
    >>> body = b'{"type": "wfsim.started", "timestamp": "2026-01-01T00:00:00Z", "data": {"instance": "order-1"}}'
    >>> sent = {"webhook-id": "m1", "webhook-timestamp": "60", "webhook-signature": signature(secret, "m1", 60, body)}
    >>> verify_webhook(body, sent, secret, now=61).data["instance"]
    'order-1'
    """
    keys, raw, given = _given(body, headers, secret)
    allowed = Duration.of(tolerance)
    if not isinstance(seen, Container) or isinstance(seen, str | bytes):
        raise OptionError(f"seen is a set of ids of messages, not {brief(seen)}.")
    if now is not None and (isinstance(now, bool) or not isinstance(now, int | float)):
        raise OptionError(f"now is a number of seconds since 1970 UTC, not {brief(now)}.")
    message, stamp, signed = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message or not signed or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise WebhookRefused(
            "it has not the headers webhook-id, webhook-timestamp and webhook-signature of a webhook.", "headers"
        )
    known = {signature(each, message, int(stamp), raw) for each in keys}
    if not any(hmac.compare_digest(each.encode(), one.encode()) for each in signed.split(" ") for one in known):
        raise WebhookRefused("its signature is not that of the secret, for this body and these headers.", "signature")
    age = (time.time() if now is None else now) - int(stamp)
    if abs(age) > allowed / 1e6:
        told = f"{age:,.0f} seconds ago" if age > 0 else f"{-age:,.0f} seconds ahead of the clock here"
        raise WebhookRefused(f"it was signed {told}, and the tolerance is {allowed}.", "time")
    if message in seen:
        raise WebhookRefused(f"the message {brief(message)} was worked off before.", "seen")
    try:
        told_ = json.loads(raw)
        return WebhookMessage(message, told_["type"], told_["timestamp"], told_["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WebhookRefused("its body is not what an engine sends, though it is signed.", "body") from None


def _given(body: object, headers: object, secret: object) -> tuple[list[str], bytes, dict[str, str]]:
    if not isinstance(body, str | bytes):
        raise OptionError(f"the body of a webhook is bytes as they came, not {brief(body)}.")
    if not isinstance(headers, Mapping):
        raise OptionError(f"headers is a mapping from names to texts, not {brief(headers)}.")
    if not isinstance(secret, Iterable):
        raise OptionError("secret is a text, or several.")
    keys = [secret] if isinstance(secret, str) else list(secret)
    raw = body.encode() if isinstance(body, str) else body
    return keys, raw, {str(name).lower(): str(value) for name, value in headers.items()}


def _key(secret: object) -> bytes:
    try:
        key = base64.b64decode(str(secret).removeprefix(PREFIX), validate=True) if isinstance(secret, str) else b""
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        # The text is not told: it may be one.
        raise OptionError(f"the secret of a webhook is {PREFIX} and Base64 of 24 to 64 bytes. Leave it out to get one.")
    return key
