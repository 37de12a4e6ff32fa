"""What namespaces are allowed: changed while services run, beside what their processes were started with."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wfsim.errors import OptionError
from wfsim.model.values import brief
from wfsim.runtime.tables import ALLOWANCES

from .keys import checked_namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.runtime.database import Database

    from .limits import Limits

FRESH = 5.0
"""Seconds for which a process relies on what it has read."""

MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Allowance:
    """Of one namespace; `None`: as the process was started.

    Attributes
    ----------
    rate
        Requests a second of one key in a process; twice as many at once.
    open_instances
        How many there may be.
    """

    rate: float | None = None
    open_instances: int | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not _is_between(self.rate, 0.1, 1e6, whole=False):
            raise OptionError(f"rate is {brief(self.rate)}. Give requests a second, from 0.1 to 1,000,000.")
        if self.open_instances is not None and not _is_between(self.open_instances, 0, MOST, whole=True):
            raise OptionError(f"open_instances is {brief(self.open_instances)}. Give a whole number from 0 on.")

    def __str__(self) -> str:
        told = [] if self.rate is None else [f"{self.rate:g} requests a second of a key"]
        told += [] if self.open_instances is None else [f"{self.open_instances:,} open instances"]
        return ", ".join(told) or "as the service was started"


class Allowances:
    """What stands in a database; from any thread.

    Parameters
    ----------
    database
        That of the default namespace, whatever namespace it is about.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._door = threading.Lock()
        self._read: tuple[float, Mapping[str, Allowance]] = (float("-inf"), {})

    def list(self) -> dict[str, Allowance]:
        """Of each namespace of which something was said."""
        with self._database.reading() as rows:
            found = rows.connection.execute(sa.select(ALLOWANCES).order_by(ALLOWANCES.c.namespace)).all()
        return {row.namespace: Allowance(row.rate, row.open_instances) for row in found}

    def set(self, namespace: str, allowance: Allowance) -> None:
        """All processes keep to it within some seconds."""
        values = {"namespace": checked_namespace(namespace), "rate": allowance.rate}
        values["open_instances"] = allowance.open_instances
        with self._database.transaction() as rows:
            insert: Any = (sqlite if rows.is_sqlite else postgresql).insert(ALLOWANCES).values(values)
            rows.connection.execute(insert.on_conflict_do_update(index_elements=["namespace"], set_=values))

    def of(self, namespace: str, limits: Limits) -> Limits:
        """The limits of a namespace in a process that was started with these."""
        with self._door:
            since, known = self._read
        if time.monotonic() >= since + FRESH:
            known = self.list()
            with self._door:
                self._read = (time.monotonic(), known)
        found = known.get(namespace, Allowance())
        if found.rate is not None:
            limits = replace(limits, rate=found.rate, burst=max(2 * int(found.rate), 1))
        return limits if found.open_instances is None else replace(limits, open_instances=found.open_instances)


def _is_between(value: object, least: float, most: float, *, whole: bool) -> bool:
    kind: Any = int if whole else int | float
    return not isinstance(value, bool) and isinstance(value, kind) and least <= value <= most
