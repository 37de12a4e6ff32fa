"""Requests go to the address that was looked at, and to no other (M5.7 says what is asked; this is how it goes out).

A name is resolved once, its addresses are held against what the worker permits, and the connection is made to one of
these: whoever answers for the name cannot give another address between the look and the connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import lru_cache
from typing import TYPE_CHECKING

import httpx

from wfsim.errors import ActivityError

if TYPE_CHECKING:
    import ssl

    from .permissions import Permissions

# At DEBUG it tells the headers of answers, and an answer may echo a secret.
logging.getLogger("httpcore.http11").setLevel(logging.INFO)

MOST_ADDRESSES = 8
"""So many addresses of a name are tried."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the order in which the system prefers them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def permitted_addresses(permissions: Permissions, host: str, port: int) -> list[str]:
    """The addresses of a name that may be connected to.

    Raises
    ------
    ActivityError
        `Http.refused` if the host or all of its addresses may not be reached, `Http.connect` if it has none.
    """
    if not permissions.admits_host(host):
        raise ActivityError("Http.refused", f"this worker does not permit the host {host!r} (wf.Permissions(hosts=…)).")
    try:
        found = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise ActivityError("Http.connect", f"the host {host!r} is not known: {error}.") from None
    allowed = [each for each in found if permissions.admits_address(each)][:MOST_ADDRESSES]
    if not allowed:
        raise ActivityError(
            "Http.refused",
            f"the host {host!r} leads to {', '.join(found[:3])}, which is not public, and this worker does not permit "
            "its network (wf.Permissions(networks=…)).",
        )
    return allowed


class CheckedTransport:
    """Sends requests to permitted addresses only; nothing of the process's environment steers it but certificates."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions
        self._inner = httpx.AsyncHTTPTransport(verify=_certificates(), trust_env=False)

    async def send(self, request: httpx.Request, body: bytes) -> httpx.Response:
        """The answer to a request, its body still to be read.

        Raises
        ------
        ActivityError
            `Http.refused`, `Http.connect`.
        httpx.TransportError
            If the exchange breaks later.
        """
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        failed: Exception | None = None
        for address in await permitted_addresses(self._permissions, host, port):
            # The name stays in Host, in the certificate that is asked for, and in the one that must be shown.
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                content=body,
                extensions={"sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise ActivityError("Http.connect", f"{host} cannot be reached: {failed}.") from None

    async def close(self) -> None:
        """End its connections."""
        await self._inner.aclose()


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Made once, as reading all authorities takes some 20 ms; `SSL_CERT_FILE` names others."""
    return httpx.create_ssl_context()
