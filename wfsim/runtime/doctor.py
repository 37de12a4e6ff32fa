"""What an operator should know of an engine's database, and what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from wfsim.errors import EngineError, WfsimError, listed
from wfsim.history.runs import workflow_of
from wfsim.model.duration import Duration
from wfsim.model.statuses import OPEN

from .backup import opened
from .clock import SystemClock
from .core import Core
from .database import Database, DatabaseError, existing
from .groups import DEFAULT
from .happening import work_off
from .presence import LEASE
from .rows import Busy
from .tables import ATTEMPTS, DEFINITIONS, DELIVERIES, DUE, ENDPOINTS, INSTANCES, LEAVING
from .taking import DEATHS, take
from .upgrading import NEWEST, stored_version
from .webhooks import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.model.functions import Python

    from .rows import AttemptRow
    from .sql_rows import SqlRows

LATE = 60_000_000
"""Microseconds after which what is due should have happened: an engine tries what is stuck once a minute."""

DEADLY = 2
"""Workers that have died at an attempt before it is told of: one may die of anything."""

MOST = 20
"""Instances that are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    about
        `database`, `schema`, `definitions`, `instances`, `timers`, `stuck`, `workers`, `attempts`, `deadly`,
        `heartbeats`, `queue`, `archive` or `webhooks`.
    ok
        Whether it can be left alone.
    message, advice
        What there is, and what to do.
    figures
        The same as numbers and names.
    """

    about: str
    ok: bool
    message: str
    advice: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.about}: {self.message}" + (f" → {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Diagnosis:
    """All that was found; `ok` if nothing needs a person."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all of it can be left alone."""
        return all(each.ok for each in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"ok": self.ok, "findings": [asdict(each) for each in self.findings]}

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def diagnose(url: str, functions: Mapping[str, Python] | None = None) -> Diagnosis:
    """Look at the database of an engine; nothing is changed, its tables are not brought up to date.

    Parameters
    ----------
    url
        Its address.
    functions
        Functions in Python that definitions declare: without, what needs them looks stuck.

    Raises
    ------
    EngineError
        If it cannot be read, or has no engine.
    """
    existing(url)
    with opened(url) as (engine, shown), engine.connect() as connection:
        version = stored_version(connection)
        if version is None:
            raise EngineError(f"{shown} has no tables of an engine. Give the address that workers are given.")
        about = "SQLite" if engine.dialect.name == "sqlite" else "PostgreSQL"
        told = ".".join(map(str, connection.dialect.server_version_info or ()))
    found = [
        Finding("database", True, f"{shown}, {about} {told}", figures={"address": shown, "server": f"{about} {told}"})
    ]
    found.append(_schema(version))
    if version == NEWEST:
        database = Database(url)
        try:
            core = Core(database, SystemClock())
            core.families.give(functions)
            with database.reading() as rows:
                found += _looked_at(core, rows)
            found += _stuck(core)
        finally:
            database.close()
    return Diagnosis(tuple(found))


def _schema(version: str) -> Finding:
    figures = {"version": version, "known": NEWEST}
    if version == NEWEST:
        return Finding("schema", True, f"version {version}", figures=figures)
    if version.isdigit() and int(version) < int(NEWEST):
        return Finding(
            "schema",
            False,
            f"version {version}, and this wfsim has {NEWEST}",
            "make a backup (wfsim backup), end the workers of the older wfsim, and start one of this: it brings the "
            "tables up to date. The rest is looked at then",
            figures,
        )
    return Finding(
        "schema",
        False,
        f"version {version}, which is newer than this wfsim knows ({NEWEST})",
        "ask with the wfsim that the workers have",
        figures,
    )


def _looked_at(core: Core, rows: SqlRows) -> Iterator[Finding]:
    now = core.clock.now()
    alive, gone = _workers(rows)
    yield _definitions(rows)
    n_open, finding = _instances(rows)
    yield finding
    yield _present(alive, gone, n_open)
    yield from _attempts(rows, alive)
    yield _timers(rows, now, alive)
    yield _heartbeats(rows, now)
    yield _archive(rows)
    yield _webhooks(rows)


def _definitions(rows: SqlRows) -> Finding:
    asked = sa.select(DEFINITIONS.c.name, DEFINITIONS.c.version, DEFINITIONS.c.definition).where(
        DEFINITIONS.c.published.is_not(None)
    )
    names, broken = [], {}
    for name, version, text in rows.connection.execute(asked.order_by(DEFINITIONS.c.name)):
        names.append(name)
        try:
            workflow_of(text)
        except (WfsimError, ValueError) as error:
            broken[f"{name} {version}"] = str(error)
    figures = {"published": len(names), "workflows": len(set(names)), "unreadable": broken}
    if broken:
        first, why = next(iter(broken.items()))
        return Finding(
            "definitions",
            False,
            f"{len(broken):,} of {len(names):,} cannot be read, first {first}: {why}",
            "go on with the wfsim that published them",
            figures,
        )
    return Finding("definitions", True, f"{len(names):,} published, of {len(set(names)):,} workflows", figures=figures)


def _instances(rows: SqlRows) -> tuple[int, Finding]:
    counted = sa.select(INSTANCES.c.status, sa.func.count()).group_by(INSTANCES.c.status).order_by(INSTANCES.c.status)
    found: dict[str, int] = {row[0]: row[1] for row in rows.connection.execute(counted)}
    n_open = sum(n for status, n in found.items() if status in OPEN)
    told = ", ".join(f"{n:,} {status}" for status, n in found.items()) or "none"
    return n_open, Finding("instances", True, told, figures=found)


def _workers(rows: SqlRows) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What those say that give signs of life, and the names of the others."""
    limit = rows.server_time() - 2 * LEASE * 1e6
    alive, gone = {}, []
    for row in rows.workers():
        if row.beat >= limit:
            alive[row.id] = dict(row.told)
        else:
            gone.append(row.id)
    return alive, gone


def _present(alive: dict[str, dict[str, Any]], gone: Sequence[str], n_open: int) -> Finding:
    names = [each.partition("#")[0] for each in alive]
    figures = {"alive": names, "gone": [each.partition("#")[0] for each in gone]}
    told = f"{len(alive):,} at work" + (f": {listed(names)}" if names else "")
    if gone:
        told += f"; {len(gone):,} gone without a word ({listed(figures['gone'], 3)})"
    if not alive and n_open:
        return Finding(
            "workers",
            False,
            f"{told}, and {n_open:,} instances are open",
            "start one: wfsim worker --database … --activities my.module",
            figures,
        )
    if gone:
        told += ", whose attempts the others take over" if alive else ""
    return Finding("workers", True, told, figures=figures)


def _attempts(rows: SqlRows, alive: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    open_ones = rows.open_attempts("queued", "running", "backoff", "held")
    orphans = [
        f"{row.instance}:{row.serial}" for row in open_ones if row.phase == "running" and _is_orphan(row.worker, alive)
    ]
    running = sum(row.phase == "running" for row in open_ones)
    figures = {"open": len(open_ones), "running": running, "of_workers_that_are_gone": orphans}
    if orphans and not alive:
        yield Finding(
            "attempts",
            False,
            f"{running:,} running, {len(orphans):,} of them with workers that are gone ({listed(orphans, 3)})",
            "start a worker: it takes them over, under the same keys",
            figures,
        )
    else:
        taken = f", {len(orphans):,} about to be taken over" if orphans else ""
        yield Finding("attempts", True, f"{len(open_ones):,} open, {running:,} running{taken}", figures=figures)
    if deadly := [row for row in open_ones if row.lost >= DEADLY]:
        yield _deadly(deadly)
    yield _queue([row for row in open_ones if row.phase == "queued"], alive)


def _deadly(rows: Sequence[AttemptRow]) -> Finding:
    deaths = {f"{row.instance}:{row.serial}": row.lost for row in rows}
    shown = [f"{row.workflow}.{row.activity} of {row.instance} ({row.lost:,})" for row in rows]
    return Finding(
        "deadly",
        False,
        f"workers died time and again while they carried out {listed(shown, 3)}",
        f"see what they say last, and what memory they take; after {DEATHS} deaths an attempt fails with Worker.lost",
        {"deaths": deaths},
    )


def _is_orphan(worker: str | None, alive: dict[str, dict[str, Any]]) -> bool:
    """An attempt without a worker is completed from outside."""
    return worker is not None and worker not in alive


def _queue(waiting: Sequence[Any], alive: dict[str, dict[str, Any]]) -> Finding:
    depth = Counter(row.pool or DEFAULT for row in waiting)
    served = [set(told.get("groups") or depth) for told in alive.values()]
    alone = sorted(group for group in depth if not any(group in groups for groups in served))
    known = {name for told in alive.values() for name in told.get("activities", ())}
    unknown = sorted({f"{row.workflow}.{row.activity}" for row in waiting} - known)
    told = ", ".join(f"{n:,} wait for {group}" for group, n in sorted(depth.items())) or "nobody waits"
    figures = {"waiting": dict(sorted(depth.items())), "unserved": alone, "unknown": unknown}
    if alone:
        return Finding(
            "queue",
            False,
            f"{told}; no worker serves {listed(alone)}",
            "start one for it: wfsim worker --groups " + " --groups ".join(alone) + " …",
            figures,
        )
    if unknown:
        return Finding(
            "queue",
            False,
            f"{told}; no worker has functions for {listed(unknown, 5)}",
            "start one whose modules have them: wfsim worker --activities my.module …",
            figures,
        )
    return Finding("queue", True, told, figures=figures)


def _timers(rows: SqlRows, now: int, alive: dict[str, dict[str, Any]]) -> Finding:
    n = rows.connection.execute(sa.select(sa.func.count()).select_from(DUE)).scalar_one()
    late, first = rows.connection.execute(
        sa.select(sa.func.count(), sa.func.min(DUE.c.due)).where(DUE.c.due < now - LATE)
    ).one()
    figures = {"set": n, "overdue": late, "latest_by": 0 if first is None else now - first}
    if late:
        return Finding(
            "timers",
            False,
            f"{late:,} of {n:,} should have happened, the first {Duration((now - first) // 1_000_000 * 1_000_000)} ago",
            "see what is stuck below" if alive else "start a worker, or whatever opens the engine with activities",
            figures,
        )
    return Finding("timers", True, f"{n:,} to come, none overdue", figures=figures)


def _heartbeats(rows: SqlRows, now: int) -> Finding:
    missed = list(
        rows.connection.execute(
            sa.select(ATTEMPTS.c.instance).where(ATTEMPTS.c.beat_by < now - LATE).order_by(ATTEMPTS.c.instance)
        ).scalars()
    )
    figures = {"missed": missed}
    if missed:
        return Finding(
            "heartbeats",
            False,
            f"{len(missed):,} missed and not noticed: {listed(missed, 3)}",
            "start a worker",
            figures,
        )
    return Finding("heartbeats", True, "none missed", figures=figures)


def _archive(rows: SqlRows) -> Finding:
    counted = sa.select(LEAVING.c.folder, sa.func.count()).group_by(LEAVING.c.folder).order_by(LEAVING.c.folder)
    found: dict[str, int] = {row[0]: row[1] for row in rows.connection.execute(counted)}
    if found:
        first = next(iter(found))
        return Finding(
            "archive",
            False,
            f"{sum(found.values()):,} instances are on their way to {listed(found)}",
            f"if nobody is at it: wfsim retain DATABASE --into {first.rpartition('/')[0]} --older-than … finishes it",
            {"leaving": found},
        )
    return Finding("archive", True, "nothing is on its way", figures={"leaving": {}})


def _webhooks(rows: SqlRows) -> Finding:
    counted = (
        sa.select(ENDPOINTS.c.id, ENDPOINTS.c.off, DELIVERIES.c.status, sa.func.count(DELIVERIES.c.number))
        .outerjoin(DELIVERIES, DELIVERIES.c.endpoint == ENDPOINTS.c.id)
        .group_by(ENDPOINTS.c.id, ENDPOINTS.c.off, DELIVERIES.c.status)
        .order_by(ENDPOINTS.c.id)
    )
    found = rows.connection.execute(counted).all()
    n = {status: sum(row[3] for row in found if row.status == status) for status in STATUSES}
    dead = sorted({row.id for row in found if row.status == "dead" or row.off is not None})
    off = {row.id: row.off for row in found if row.off is not None}
    told = f"{len({row.id for row in found}):,} registered, {n['waiting']:,} messages to be sent"
    if dead:
        return Finding(
            "webhooks",
            False,
            f"{told}, {n['dead']:,} dead, of {listed(dead, 3)}",
            f"see engine.webhooks.deliveries({dead[0]!r}, status='dead'), mend the receiver, and repeat them: "
            f"engine.webhooks.repeat({dead[0]!r})",
            {**n, "off": off},
        )
    return Finding("webhooks", True, told, figures={**n, "off": off})


class _Undone(Exception):
    """It would happen; nothing of it is kept."""


def _stuck(core: Core) -> Iterator[Finding]:
    """What is overdue is tried, and undone; so is what has attempts that nobody has taken, or missed, for as long."""
    now = core.clock.now()
    overdue = sa.select(DUE.c.target).where(DUE.c.due < now - LATE).order_by(DUE.c.due, DUE.c.number)
    waiting = (
        sa.select(ATTEMPTS.c.instance)
        .join(INSTANCES, INSTANCES.c.id == ATTEMPTS.c.instance)
        .where((ATTEMPTS.c.phase == "queued") | (ATTEMPTS.c.beat_by < now - LATE), INSTANCES.c.time < now - LATE)
        .order_by(INSTANCES.c.time)
    )
    with core.database.reading() as rows:
        targets = [
            name
            for asked in (overdue, waiting)
            for name in list(dict.fromkeys(rows.connection.execute(asked.limit(10 * MOST)).scalars()))[:MOST]
        ]
    found: dict[str, str] = {}
    for target in dict.fromkeys(targets):
        try:
            with core.turn() as turn:
                work_off(turn, target, now, wait=False)
                for row in turn.rows.attempts(target):
                    take(turn, row.key, "doctor")
                raise _Undone
        except (_Undone, Busy):
            continue
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:  # told: it is what holds this one up
            found[target] = f"{type(error).__name__}: {error}"
    if found:
        first, why = next(iter(found.items()))
        yield Finding(
            "stuck",
            False,
            f"{len(found):,} instances cannot go on, first {first}: {why}",
            "mend the cause, or give it up: engine.control(id, 'terminate'); the others go on meanwhile",
            {"instances": found},
        )
    else:
        yield Finding("stuck", True, "none", figures={"instances": {}})
