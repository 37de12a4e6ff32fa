"""How much there is in an engine's database: what an operator watches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from .groups import DEFAULT
from .tables import ATTEMPTS, DUE, INSTANCES, WORKERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .sql_rows import SqlRows


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of what is stored; `lag` and `due` are about the engine's clock, in microseconds.

    Attributes
    ----------
    instances
        By workflow and status.
    attempts
        Open ones by workflow, activity and phase: `backoff`, `held`, `queued`, `running`.
    due
        How many timers, messages and starts of children wait for their time.
    overdue
        How many of those should have happened by now.
    lag
        How long the oldest of these has been overdue; 0 if none is.
    workers
        How many there are.
    """

    instances: Mapping[tuple[str, str], int]
    attempts: Mapping[tuple[str, str, str], int]
    due: int
    overdue: int
    lag: int
    workers: int


def figures(rows: SqlRows, now: int) -> Figures:
    """Count; linear in the number of instances."""
    ask = rows.connection.execute
    count = sa.func.count()
    per_status = ask(
        sa.select(INSTANCES.c.workflow, INSTANCES.c.status, count).group_by(INSTANCES.c.workflow, INSTANCES.c.status)
    )
    phase = (ATTEMPTS.c.workflow, ATTEMPTS.c.activity, ATTEMPTS.c.phase)
    per_phase = ask(sa.select(*phase, count).group_by(*phase))
    overdue, oldest = ask(sa.select(count, sa.func.min(DUE.c.due)).where(DUE.c.due <= now)).one()
    return Figures(
        instances={(workflow, status): n for workflow, status, n in per_status},
        attempts={(workflow, activity, stands): n for workflow, activity, stands, n in per_phase},
        due=ask(sa.select(count).select_from(DUE)).scalar_one(),
        overdue=overdue,
        lag=0 if oldest is None else now - oldest,
        workers=ask(sa.select(count).select_from(WORKERS)).scalar_one(),
    )


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works for a database.

    Attributes
    ----------
    host, process
        Where it is; `None` if it has not said so.
    groups
        Whose activities it carries out; `None`: those of all.
    activities
        What it has functions for, as `<workflow>.<activity>`.
    attempts
        How many it carries out just now.
    started
        Microseconds since 1970 UTC.
    silent
        Microseconds since its last sign of life.
    is_gone
        Whether that is so long ago that others take over what it was at.
    """

    id: str
    host: str | None
    process: int | None
    groups: tuple[str, ...] | None
    activities: tuple[str, ...]
    attempts: int
    started: int
    silent: int
    is_gone: bool


def workers(rows: SqlRows, lease: int) -> list[Worker]:
    """Those that work, and those that are gone and nobody has noticed yet; `lease` in microseconds."""
    now = rows.server_time()
    at_work = sa.select(ATTEMPTS.c.worker, sa.func.count()).where(ATTEMPTS.c.phase == "running")
    busy: dict[str | None, int] = dict(map(tuple, rows.connection.execute(at_work.group_by(ATTEMPTS.c.worker))))
    return [
        Worker(
            row.id,
            row.told.get("host"),
            row.told.get("process"),
            None if (groups := row.told.get("groups")) is None else tuple(groups),
            tuple(row.told.get("activities", ())),
            busy.get(row.id, 0),
            row.started,
            max(now - row.beat, 0),
            now - row.beat > lease,
        )
        for row in rows.workers()
    ]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Attempts of a group: those that wait for a worker, are carried out, and are held or wait for another try."""

    group: str
    queued: int
    running: int
    later: int


def backlog(rows: SqlRows) -> list[Backlog]:
    """Of each group that has any, in order of their names."""
    phase = (ATTEMPTS.c.pool, ATTEMPTS.c.phase)
    found: dict[str, Counter[str]] = {}
    for pool, stands, n in rows.connection.execute(sa.select(*phase, sa.func.count()).group_by(*phase)):
        found.setdefault(pool or DEFAULT, Counter())[stands] += n
    return [Backlog(group, n["queued"], n["running"], n["backoff"] + n["held"]) for group, n in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class Due:
    """Something that happens by itself.

    Attributes
    ----------
    target
        The instance that it happens to; or where a message looks for one.
    kind
        `timer`, `start` or `stop` (of a child), `told` (a child has closed), `letter`, `route`, `kept`, `returned`
        (messages), `beat` (a heartbeat).
    due
        Microseconds since 1970 UTC.
    overdue
        Whether it should have happened.
    """

    number: int
    target: str
    kind: str
    due: int
    overdue: bool


def dues(rows: SqlRows, now: int, limit: int) -> list[Due]:
    """What happens next, in order."""
    c = DUE.c
    asked = sa.select(c.number, c.target, c.kind, c.due).order_by(c.due, c.rank, c.number).limit(limit)
    return [Due(number, target, kind, due, due <= now) for number, target, kind, due in rows.connection.execute(asked)]


def open_instances(rows: SqlRows, statuses: list[str]) -> int:
    """How many instances have one of these statuses."""
    asked = sa.select(sa.func.count()).where(INSTANCES.c.status.in_(statuses))
    return rows.connection.execute(asked).scalar_one()
