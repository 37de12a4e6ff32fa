"""Sends what webhooks are to be told: at least once, in order for each instance and endpoint, by whoever serves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import httpx
import sqlalchemy as sa

from wfsim.errors import ActivityError

from .database import DatabaseError
from .http import checked_url, retry_after
from .outgoing import CheckedTransport
from .signing import signature
from .tables import DELIVERIES, ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core import Core
    from .permissions import Permissions
    from .sql_rows import SqlRows

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("wfsim.service")

TIMEOUT = 15.0
"""Seconds in which a receiver must have answered."""

LEASE = 2 * TIMEOUT
"""Seconds after which what somebody is at is sent by another one: its process has died."""

FIRST, FACTOR, LONGEST = 5.0, 4.0, 6 * 3_600.0
"""Seconds until a message is tried again for the first time, by how much more each time, and at most; ± 10 %."""

AT_ONCE = 10
"""Messages that are on their way to one endpoint; a slow one holds up no other."""

LOOK = 0.5
"""Seconds between two looks for what is due, or was written by other processes."""


@dataclass(frozen=True, slots=True)
class _Message:
    number: int
    endpoint: str
    body: str
    tries: int
    until: int
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a try; `gone`: nobody wants it any more, `after`: seconds that were asked for."""

    told: str
    ok: bool = False
    gone: bool = False
    after: float | None = None


class Courier:
    """Sends messages from a thread of its own, from `start` to `close`.

    Parameters
    ----------
    permissions
        What may be reached, asked before each message.
    """

    def __init__(self, core: Core, permissions: Callable[[], Permissions]) -> None:
        self._core, self._permissions = core, permissions
        self._over = threading.Event()
        self._at: Counter[str] = Counter()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="wfsim webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Let what is on its way be answered, as long as a receiver may take, and end."""
        self._over.set()
        self._core.tell()
        if self._thread.is_alive():
            self._thread.join()

    async def _serve(self) -> None:
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def watcher() -> bool:
            if (self._core.outbox.is_needed or self._over.is_set()) and not loop.is_closed():
                loop.call_soon_threadsafe(news.set)
            return self._over.is_set()

        self._core.watch(watcher)
        async with asyncio.TaskGroup() as tasks:
            while not self._over.is_set():
                news.clear()
                for each in await self._asked(self._claim) or ():
                    self._at[each.endpoint] += 1
                    tasks.create_task(self._deliver(each, news))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), LOOK)

    def _claim(self) -> list[_Message]:
        """What is due and whose turn it is, for this process alone for a while."""
        now = self._core.clock.now()
        waits = sa.select(DELIVERIES.c.endpoint).where(DELIVERIES.c.status == "waiting", DELIVERIES.c.due <= now)
        with self._core.database.reading() as rows:
            ready = [
                each
                for each in rows.connection.execute(
                    sa.select(ENDPOINTS).where(ENDPOINTS.c.off.is_(None), ENDPOINTS.c.id.in_(waits))
                )
                if self._at[each.id] < AT_ONCE
            ]
        if not ready:
            return []
        found: list[_Message] = []
        with self._core.database.transaction() as rows:
            for each in ready:
                for row in _heads(rows, each.id, now, AT_ONCE - self._at[each.id]):
                    until = row.created + each.retry_for
                    found.append(_Message(row.number, each.id, row.body, row.tries + 1, until, each.url, each.secret))
            if found:
                mine = sa.update(DELIVERIES).where(DELIVERIES.c.number.in_([each.number for each in found]))
                lease = now + int(LEASE * 1e6)
                rows.connection.execute(mine.values(due=lease, changed=now, tries=DELIVERIES.c.tries + 1))
        return found

    async def _deliver(self, message: _Message, news: asyncio.Event) -> None:
        outcome = await self._send(message)
        # If that cannot be stored, its lease runs out, and it is sent again.
        await self._asked(self._settle, message, outcome)
        self._at[message.endpoint] -= 1
        news.set()

    async def _asked(self, ask: Callable[P, R], *args: P.args, **options: P.kwargs) -> R | None:
        """What the database says; `None` if it cannot be used just now, or the program is about to end."""
        try:
            return await asyncio.to_thread(ask, *args, **options)
        except DatabaseError as error:
            log.warning("webhooks wait for the database", extra={"fields": {"error": str(error)}})
            return None
        except RuntimeError:
            # A program that ends without `close` has no threads any more.
            if threading.main_thread().is_alive():
                raise
            self._over.set()
            return None

    async def _send(self, message: _Message) -> _Outcome:
        transport = CheckedTransport(self._permissions())
        body = message.body.encode()
        # Whoever gets it holds this against its own clock, so it is the time of the world.
        stamp = int(time.time())
        identity = f"msg_{message.endpoint}_{message.number}"
        headers = {
            "User-Agent": "wfsim",
            "Content-Type": "application/json",
            "Webhook-Id": identity,
            "Webhook-Timestamp": str(stamp),
            "Webhook-Signature": signature(message.secret, identity, stamp, body),
        }
        try:
            async with asyncio.timeout(TIMEOUT):
                url = checked_url(message.url)
                answer = await transport.send(httpx.Request("POST", url, headers=headers, content=body), body)
                # What it says beside its status is not read.
                await answer.aclose()
        except TimeoutError:
            return _Outcome(f"no answer within {TIMEOUT:g} seconds")
        except ActivityError as error:
            return _Outcome(str(error))
        except httpx.TransportError as error:
            return _Outcome(f"{type(error).__name__}: {error or 'the connection broke'}")
        finally:
            await transport.close()
        status = answer.status_code
        return _Outcome(
            f"answered {status}", 200 <= status < 300, gone=status == 410, after=retry_after(answer.headers)
        )

    def _settle(self, message: _Message, outcome: _Outcome) -> None:
        now, c = self._core.clock.now(), DELIVERIES.c
        mine = sa.update(DELIVERIES).where(c.number == message.number, c.status == "waiting")
        with self._core.database.transaction() as rows:
            ask = rows.connection.execute
            if outcome.ok:
                ask(mine.values(status="delivered", changed=now, told=outcome.told))
                return
            # What another one has taken over meanwhile is its own to tell.
            mine = mine.where(c.tries == message.tries)
            if outcome.gone:
                ask(sa.update(ENDPOINTS).where(ENDPOINTS.c.id == message.endpoint).values(off="it answered 410 Gone"))
                left = sa.update(DELIVERIES).where(c.endpoint == message.endpoint, c.status == "waiting")
                ask(left.values(status="dead", changed=now, told=outcome.told))
                return
            wait = outcome.after
            if wait is None:
                wait = min(FIRST * FACTOR ** min(message.tries - 1, 20), LONGEST) * random.uniform(0.9, 1.1)
            due = now + int(wait * 1e6)
            status = "waiting" if due <= message.until else "dead"
            ask(mine.values(status=status, changed=now, due=due, told=outcome.told))
        if status == "dead":
            told = {"endpoint": message.endpoint, "number": message.number, "tries": message.tries}
            log.warning("a webhook is dead", extra={"fields": {**told, "message": outcome.told}})


def _heads(rows: SqlRows, endpoint: str, now: int, most: int) -> list[sa.Row[Any]]:
    """What is due of an endpoint and has no earlier message of its instance before it, locked."""
    one, earlier = DELIVERIES.alias("one"), DELIVERIES.alias("earlier")
    before = sa.exists().where(
        earlier.c.endpoint == one.c.endpoint,
        earlier.c.instance == one.c.instance,
        earlier.c.status == "waiting",
        earlier.c.number < one.c.number,
    )
    asked = (
        sa.select(one.c.number, one.c.body, one.c.tries, one.c.created)
        .where(one.c.endpoint == endpoint, one.c.status == "waiting", one.c.due <= now, ~before)
        .order_by(one.c.number)
        .limit(most)
    )
    if not rows.is_sqlite:
        asked = asked.with_for_update(skip_locked=True, of=one)
    return list(rows.connection.execute(asked))
