"""How much there is in an engine's database: what an operator watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

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


def open_instances(rows: SqlRows, statuses: list[str]) -> int:
    """How many instances have one of these statuses."""
    asked = sa.select(sa.func.count()).where(INSTANCES.c.status.in_(statuses))
    return rows.connection.execute(asked).scalar_one()
