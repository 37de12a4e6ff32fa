"""Breaches sent to an address: a callable for `wf.monitor(alerts=…)` that never stops the monitor."""

from __future__ import annotations

import json
import logging
import queue
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wfsim.arguments import expect_seconds, expect_whole
from wfsim.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .breach import Breach

_LOG = logging.getLogger("wfsim.monitoring")
_WAITING = 1_000
"""Breaches that wait to be sent; what comes beyond that is told as a failure."""
_AGAIN = (408, 425, 429)
"""Answers of a client's fault after which another try may do."""


class Webhook:
    """Sends each breach as JSON by POST, in a thread of its own, and tries again.

    Parameters
    ----------
    url
        Where to: `http://` or `https://`.
    headers
        Sent along, such as `{"Authorization": "Bearer …"}`.
    body
        What is sent for a breach, JSON-able; if not given `breach.to_dict()` with its text as `text`, which chats read.
    timeout
        Seconds for each try.
    attempts
        Tries of each breach. Between them it waits a second, two, four, …; an answer that another try would not change
        (400, 404) ends it.

    Attributes
    ----------
    sent
        Breaches that were taken.
    failures
        What could not be sent, in words, the last hundred; also in the log `wfsim.monitoring`.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[Breach], Any] | None = None,
        timeout: float = 5.0,
        attempts: int = 4,
    ) -> None:
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise OptionError(f"{url!r} is no address to send to. Give one that begins with https:// or http://.")
        expect_seconds("timeout", timeout)
        expect_whole("attempts", attempts)
        self.url, self.sent, self.failures = url, 0, list[str]()
        self._headers = {"Content-Type": "application/json", "User-Agent": "wfsim"} | dict(headers or {})
        self._body = body or (lambda breach: breach.to_dict() | {"text": str(breach)})
        self._timeout, self._attempts = timeout, attempts
        self._waiting: queue.Queue[Breach | None] = queue.Queue(_WAITING)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, breach: Breach) -> None:
        """Have a breach sent; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wfsim webhook", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(breach)
        except queue.Full:
            self._failed(breach, f"{_WAITING:,} others wait already")

    def close(self, wait: float = 10.0) -> None:
        """Send what waits still, for so many seconds at most; the rest is told among the failures."""
        if self._thread is None:
            return
        timer = threading.Timer(wait, self._over.set)
        timer.start()
        self._waiting.put(None)
        self._thread.join()
        timer.cancel()
        self._thread = None

    def _run(self) -> None:
        while (breach := self._waiting.get()) is not None:
            if self._over.is_set():
                self._failed(breach, "there was no time left")
                continue
            try:
                self._send(breach)
                self.sent += 1
            except (OSError, ValueError, TypeError) as error:
                self._failed(breach, str(error))

    def _send(self, breach: Breach) -> None:
        data = json.dumps(self._body(breach)).encode()
        request = urllib.request.Request(self.url, data, self._headers, method="POST")  # noqa: S310  (checked above)
        for attempt in range(1, self._attempts + 1):
            try:
                urllib.request.urlopen(request, timeout=self._timeout).close()  # noqa: S310
            except urllib.error.HTTPError as error:
                error.close()
                if attempt == self._attempts or (error.code < 500 and error.code not in _AGAIN):
                    raise
            except OSError:
                if attempt == self._attempts:
                    raise
            else:
                return
            if self._over.wait(2.0 ** (attempt - 1)):
                raise TimeoutError("there was no time left for another try")

    def _failed(self, breach: Breach, why: str) -> None:
        told = f"not sent to {self.url}: {breach}: {why}"
        self.failures = [*self.failures[-99:], told]
        _LOG.warning(told)

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} not: {self.failures[-1]}" if self.failures else ""
        return f"<Webhook {self.url}: {self.sent} sent{failed}>"
