"""The service as a process, or as a thread of one: uvicorn, structured logs, an end that loses nothing."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from wfsim.errors import WfsimError

from .app import LOCAL, make_app

if TYPE_CHECKING:
    from types import TracebackType

    from fastapi import FastAPI

    from .limits import Limits
    from .tenants import Tenants

GRACE = 10
"""Seconds that requests may go on after the service was told to end."""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """With time, level, logger, message, and the fields of the record."""
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Let the service and its server write structured lines to the standard error stream."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("wfsim.service", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level if name.startswith("wfsim") else logging.WARNING)


class _Uvicorn(uvicorn.Server):
    """A server whose streams end when it is told to."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has come, and end."""
        app: Any = self.config.app
        app.state.stopping.set()
        for tenant in app.state.tenants.all():
            tenant.engine.core.tell()
        await super().shutdown(sockets)


class Server:
    """A service that listens; `serve` runs it here, `start` in a thread of its own.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes a free one. As long as there is no key, only loopback is allowed.

    Attributes
    ----------
    url
        Where it can be reached.

    Raises
    ------
    WfsimError
        If nobody may listen there, or, without keys, others than this machine could reach it.
    """

    def __init__(
        self, tenants: Tenants, *, host: str = "127.0.0.1", port: int = 8080, limits: Limits | None = None
    ) -> None:
        self.tenants = tenants
        if not is_loopback(host) and not tenants.keys.are_asked_for():
            raise WfsimError(
                f"there is no key, so everybody who reaches {host} could do everything. Make one first: wfsim keys add "
                "NAME --role operator; or listen on 127.0.0.1."
            )
        self.app: FastAPI = make_app(tenants, limits, (*LOCAL, host))
        self._socket = _listening(host, port)
        bound = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self.app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
                ws="none",
            )
        )
        self._thread: threading.Thread | None = None

    def serve(self) -> None:
        """Serve until the process is told to end (SIGINT, SIGTERM)."""
        self._uvicorn.run(sockets=[self._socket])

    def start(self) -> Self:
        """Serve in a thread, from when this returns."""
        # Daemonic: a program that ends without `close` ends.
        self._thread = threading.Thread(target=self.serve, name="wfsim service", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Answer what has come, and end; the namespaces are left to whoever opened them."""
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self if self._thread is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio does not see that it is TCP, and lets small answers wait for 40 ms.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        # So that whoever connects from now on is heard.
        made.listen(2_048)
    except OSError as error:
        made.close()
        raise WfsimError(f"nobody can listen on {host}:{port}: {error.strerror}. Choose another --port.") from None
    return made
