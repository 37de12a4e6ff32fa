"""Webhooks: who is told by HTTP what happens, what they were told, and what is still to be told."""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.errors import ActivityError, OptionError, UnknownWebhook, did_you_mean, listed
from wfsim.model.duration import Duration
from wfsim.model.values import brief
from wfsim.semantics.codes import RECORD_KINDS

from .http import checked_url
from .outbox import Endpoint, endpoints
from .signing import checked_secret, new_secret
from .tables import DELIVERIES, ENDPOINTS

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from datetime import timedelta

    from .core import Core
    from .permissions import Permissions
    from .sql_rows import SqlRows

MOST = 50
"""Webhooks of an engine: each costs a row for all that it is told."""

STATUSES = ("waiting", "delivered", "dead")


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A message to an endpoint; times are microseconds since 1970 UTC.

    Attributes
    ----------
    number
        The higher the later it was written.
    instance, seq, kind
        The record that it tells.
    status
        `waiting`, `delivered`, or `dead`: it was tried for as long as its endpoint wants, and is not any more.
    tries
        How often it was sent.
    due
        When it is tried next, if it waits for that.
    changed
        When it was last tried, or written.
    told
        What came of the last try.
    """

    number: int
    endpoint: str
    instance: str
    seq: int
    kind: str
    status: str
    tries: int
    created: int
    due: int
    changed: int
    told: str | None


class Webhooks:
    """Who is told what happens in an engine; `engine.webhooks`. From any thread.

    Parameters
    ----------
    permissions
        Gives what may be reached from here.
    """

    def __init__(self, core: Core, permissions: Callable[[], Permissions]) -> None:
        self._core = core
        self._permissions = permissions

    def add(
        self,
        url: str,
        *,
        workflows: Iterable[str] | None = None,
        kinds: Iterable[str] | None = None,
        events: Iterable[str] | None = None,
        secret: str | None = None,
        retry_for: Duration | timedelta | str | float = "3d",
    ) -> tuple[Endpoint, str]:
        """Tell somebody what happens from now on (in other processes within a second), and give the secret.

        Parameters
        ----------
        url
            Where to, by POST.
        workflows, kinds, events
            Only of these workflows, of records of these kinds (`instance_closed`; "Records" in docs/meaning.md), with
            these events. By default everything.
        secret
            What messages are signed with; by default a new one. It is not shown again.
        retry_for
            How long a message is tried again, until it is dead.

        Raises
        ------
        OptionError
            If this is no address that may be reached from here, there is no such kind, or there are too many webhooks.
        """
        self._check_address(url)
        chosen = _names("kinds", kinds)
        for kind in chosen or ():
            if kind not in RECORD_KINDS:
                raise OptionError(f"kinds: {brief(kind)} is no kind of record.{did_you_mean(kind, RECORD_KINDS)}")
        secret = new_secret() if secret is None else checked_secret(secret)
        found = Endpoint(
            f"wh_{secrets.token_hex(6)}",
            url,
            _names("workflows", workflows),
            chosen,
            _names("events", events),
            int(Duration.of(retry_for)),
            self._core.clock.now(),
            None,
        )
        told = {**asdict(found), **{name: _listed(getattr(found, name)) for name in ("workflows", "kinds", "events")}}
        with self._core.database.transaction() as rows:
            if len(endpoints(rows)) >= MOST:
                raise OptionError(f"there are {MOST} webhooks, and there cannot be more. Remove one first.")
            rows.connection.execute(sa.insert(ENDPOINTS), {**told, "secret": secret})
        self._core.outbox.look_again()
        return found, secret

    def _check_address(self, url: str) -> None:
        try:
            parsed = checked_url(url if isinstance(url, str) else "")
        except ActivityError as error:
            raise OptionError(f"url: {error}") from None
        permissions = self._permissions()
        if not permissions.admits_host(parsed.host):
            raise OptionError(f"url: the host {parsed.host!r} is not permitted here (wf.Permissions(hosts=…)).")
        if _is_address(parsed.host) and not permissions.admits_address(parsed.host):
            raise OptionError(
                f"url: {parsed.host} is not public, and not permitted here (wf.Permissions(networks=…), or "
                "WFSIM_NETWORKS)."
            )

    def list(self) -> builtins.list[Endpoint]:
        """Who is told, in order of their registration."""
        with self._core.database.reading() as rows:
            return endpoints(rows)

    def remove(self, id: str) -> None:
        """Tell somebody nothing any more, and forget what was still to be told.

        Raises
        ------
        UnknownWebhook
            If there is no such webhook.
        """
        with self._core.database.transaction() as rows:
            self._one(rows, id)
            rows.connection.execute(sa.delete(ENDPOINTS).where(ENDPOINTS.c.id == id))
            rows.connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.endpoint == id))
        self._core.outbox.look_again()

    def deliveries(
        self, id: str, *, status: str | None = None, limit: int = 100, after: int | None = None
    ) -> builtins.list[WebhookDelivery]:
        """What somebody was told and is to be told, the newest first.

        Parameters
        ----------
        status
            Only `waiting`, `delivered` or `dead` ones.
        limit
            At most so many.
        after
            `number` of the last one seen; those that were written before it come.

        Raises
        ------
        UnknownWebhook
            If there is no such webhook.
        """
        if status is not None and status not in STATUSES:
            raise OptionError(
                f"status: {brief(status)} is none.{did_you_mean(status, STATUSES)} They are {listed(STATUSES)}."
            )
        c = DELIVERIES.c
        asked = sa.select(*(c[name] for name in WebhookDelivery.__slots__)).where(c.endpoint == id)
        if status is not None:
            asked = asked.where(c.status == status)
        if after is not None:
            asked = asked.where(c.number < after)
        with self._core.database.reading() as rows:
            self._one(rows, id)
            found = rows.connection.execute(asked.order_by(c.number.desc()).limit(limit)).all()
        return [WebhookDelivery(*row) for row in found]

    def repeat(self, id: str, number: int | None = None) -> int:
        """Send again what is dead, as if it had just happened; how many messages that are.

        Parameters
        ----------
        number
            This message only, delivered or dead. By default all that are dead.

        Raises
        ------
        UnknownWebhook
            If there is no such webhook.
        """
        c, now = DELIVERIES.c, self._core.clock.now()
        which = (c.status == "dead") if number is None else sa.and_(c.number == number, c.status != "waiting")
        with self._core.database.transaction() as rows:
            self._one(rows, id)
            rows.connection.execute(sa.update(ENDPOINTS).where(ENDPOINTS.c.id == id).values(off=None))
            again = {"status": "waiting", "tries": 0, "created": now, "due": now, "changed": now}
            n = rows.connection.execute(sa.update(DELIVERIES).where(c.endpoint == id, which).values(again)).rowcount
        self._core.outbox.look_again()
        self._core.tell()
        return n

    def _one(self, rows: SqlRows, id: str) -> None:
        known = [each.id for each in endpoints(rows)]
        if id not in known:
            raise UnknownWebhook(
                f"there is no webhook {brief(id)}.{did_you_mean(id, known)} engine.webhooks.list() gives them."
            )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _names(what: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise OptionError(f"{what} is a list of names, not {brief(given)}.")
    found = tuple(given)
    for each in found:
        if not isinstance(each, str):
            raise OptionError(f"{what} is a list of names, and {brief(each)} is none.")
    if not found:
        raise OptionError(f"{what} is empty, so nothing would ever be told. Leave it out for all.")
    return found


def _listed(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else json.dumps(names)
