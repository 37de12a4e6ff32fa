"""`RemoteWebhooks`: the webhooks of an engine that is elsewhere."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wfsim.model.duration import Duration
from wfsim.runtime.outbox import Endpoint
from wfsim.runtime.webhooks import WebhookDelivery

if TYPE_CHECKING:
    from datetime import timedelta

    from .connection import Connection


class RemoteWebhooks:
    """Who is told what happens, with the names of `engine.webhooks`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        """Tell somebody what happens from now on, and give the secret; see `Webhooks.add`."""
        names = {"workflows": workflows, "kinds": kinds, "events": events}
        body: dict[str, Any] = {
            name: each if each is None or isinstance(each, str) else builtins.list(each) for name, each in names.items()
        }
        told = self._connection.post(
            "webhooks", body={**body, "url": url, "secret": secret, "retry_for": str(Duration.of(retry_for))}
        )
        secret = str(told.pop("secret"))
        return _endpoint(told), secret

    def list(self) -> builtins.list[Endpoint]:
        """Who is told, in order of their registration."""
        return [_endpoint(each) for each in self._connection.get("webhooks")["webhooks"]]

    def remove(self, id: str) -> None:
        """Tell somebody nothing any more; see `Webhooks.remove`."""
        self._connection.delete("webhooks", id)

    def deliveries(
        self, id: str, *, status: str | None = None, limit: int = 100, after: int | None = None
    ) -> builtins.list[WebhookDelivery]:
        """What somebody was told and is to be told, the newest first; see `Webhooks.deliveries`."""
        found = self._connection.get("webhooks", id, "deliveries", status=status, limit=limit, after=after)
        return [WebhookDelivery(**each) for each in found["deliveries"]]

    def repeat(self, id: str, number: int | None = None) -> int:
        """Send again what is dead; see `Webhooks.repeat`."""
        return int(self._connection.post("webhooks", id, "repeat", body={"number": number})["repeated"])


def _endpoint(told: dict[str, Any]) -> Endpoint:
    names = {name: None if told[name] is None else tuple(told[name]) for name in ("workflows", "kinds", "events")}
    return Endpoint(**{**told, **names})
