"""Closed instances leave the database for an archive: folders of Parquet that `open_history` opens.

A batch is announced in the database, written beside the archive, put into it under its name, and removed from the
database, in this order: whoever is killed anywhere has lost nothing, and whoever retains next finishes it, so that
nothing is there twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.errors import EngineError, listed
from wfsim.files import sync
from wfsim.model.duration import Duration
from wfsim.model.statuses import OPEN
from wfsim.model.values import brief

from .pulled import Pulled
from .tables import AUDIT, DELIVERIES, DUE, ENDPOINTS, FOUND, INSTANCES, LEAVING, MOVES, RECORDS, REQUESTS, SEEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from wfsim.history.store import Steps

    from .core import Core
    from .queue import Queue
    from .rows import InstanceRow
    from .sql_rows import SqlRows

BATCH = 2_000
"""Instances of a folder; with their families a few more."""

MOST = 10_000

BESIDE = "engine.json"
"""What an engine keeps beside a history: moves to other versions."""


@dataclass(frozen=True)
class Retained:
    """What has left the database.

    Attributes
    ----------
    instances
        How many instances.
    folders
        Where they are now, the oldest first; each is a history.
    kept
        Instances that are old enough and stay, since they did not go as their definitions say (`engine.check`).
    queue_rows
        How many rows of finished attempts were removed from the queue.
    requests
        How many answers to requests with an idempotency key a service has forgotten.
    audit
        Where the rows of a service's audit are now, JSON lines; `None` if there were none.
    """

    instances: int
    folders: tuple[Path, ...]
    kept: tuple[str, ...]
    queue_rows: int
    requests: int
    audit: Path | None

    def __str__(self) -> str:
        told = (
            f"{self.instances:,} instances have left, {self.queue_rows:,} finished attempts were removed from the queue"
        )
        if self.requests:
            told += f", {self.requests:,} answers to requests were forgotten"
        if self.audit is not None:
            told += f", the audit of that time is in {self.audit}"
        if self.folders:
            told += f"; they are in {listed(map(str, self.folders), 3)}"
        if self.kept:
            told += f". {len(self.kept):,} stay, as they did not go as defined: {listed(self.kept, 3)}"
        return told


def retain(
    core: Core,
    queue: Queue | None,
    into: str | os.PathLike[str],
    older_than: Duration | timedelta | str | float,
    batch: int,
) -> Retained:
    """See `Engine.retain`."""
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MOST:
        raise EngineError(f"batch is {brief(batch)}. Give a whole number of instances from 1 to {MOST:,}.")
    archive = Path(into).absolute()
    before = core.clock.now() - int(Duration.of(older_than))
    try:
        archive.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"{archive}: the folder of an archive cannot be made: {error.strerror}.") from None
    n, folders, kept = 0, [], []
    with _alone(archive):
        for folder in _begun(core, archive):
            n += _finish(core, folder)
            folders.append(folder)
        last: tuple[int, str] | None = None
        while True:
            announced, last, problems = _announce(core, archive, before, batch, last)
            kept += problems
            if announced is not None:
                n += _finish(core, announced)
                folders.append(announced)
            if last is None:
                break
        audit = _move_audit(core, archive, before)
    with core.database.transaction() as rows_:
        rows_.connection.execute(
            sa.delete(DELIVERIES).where(
                DELIVERIES.c.changed < before,
                sa.or_(DELIVERIES.c.status != "waiting", DELIVERIES.c.endpoint.not_in(sa.select(ENDPOINTS.c.id))),
            )
        )
        requests = rows_.connection.execute(sa.delete(REQUESTS).where(REQUESTS.c.time < before)).rowcount
    rows = 0 if queue is None else queue.forget(datetime.fromtimestamp(before / 1e6, UTC))
    return Retained(n, tuple(each for each in folders if each.is_dir()), tuple(kept), rows, requests, audit)


@contextlib.contextmanager
def _alone(archive: Path) -> Iterator[None]:
    """One process at a time writes to an archive."""
    import fcntl

    with open(archive / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(f"{archive}: another process writes to this archive. Wait until it has ended.") from None
        yield


def _begun(core: Core, archive: Path) -> list[Path]:
    """The folders of batches that were announced, and not finished.

    Raises
    ------
    EngineError
        If one belongs to another archive.
    """
    with core.database.reading() as rows:
        found = list(
            rows.connection.execute(sa.select(LEAVING.c.folder).distinct().order_by(LEAVING.c.folder)).scalars()
        )
    for each in found:
        if Path(each).parent != archive:
            raise EngineError(
                f"{core.database.shown}: instances are on their way into {Path(each).parent}, and whoever took them "
                "there has been interrupted. Finish that first, with the same archive."
            )
    return [Path(each) for each in found]


def _announce(
    core: Core, archive: Path, before: int, batch: int, last: tuple[int, str] | None
) -> tuple[Path | None, tuple[int, str] | None, list[str]]:
    """Choose a batch and say so in the database; where to go on, and what is old enough and stays."""
    columns = INSTANCES.c
    asked = (
        sa.select(columns.time, columns.id)
        .where(columns.parent.is_(None), columns.status.not_in(OPEN), columns.time < before)
        .order_by(columns.time, columns.id)
        .limit(batch)
    )
    if last is not None:
        asked = asked.where(sa.tuple_(columns.time, columns.id) > sa.tuple_(*last))
    pulled, kept, leaving = Pulled(core), [], []
    try:
        # Nothing is locked meanwhile: `_remove` looks whether something has changed.
        with core.database.reading() as rows:
            found = rows.connection.execute(asked).all()
            for _, name in found:
                relatives = _leaving(rows, name, before)
                if relatives and pulled.steps(rows, relatives) is None:
                    kept.append(name)
                else:
                    leaving += relatives
    finally:
        pulled.close()
    after = (found[-1].time, found[-1].id) if len(found) == batch else None
    if not leaving:
        return None, after, kept
    folder = _free(archive, "until", max(row.time for row in leaving))
    told = [{"instance": row.id, "version": row.version, "folder": str(folder)} for row in leaving]
    with core.database.transaction() as rows:
        rows.connection.execute(sa.insert(LEAVING), told)
    return folder, after, kept


def _leaving(rows: SqlRows, name: str, before: int) -> list[InstanceRow]:
    """A family of instances, if all of it has been closed for long enough and nothing is owed to it."""
    root = rows.read(name)
    assert root is not None
    relatives = rows.relatives(root)
    if any(row.status in OPEN or row.time >= before for row in relatives):
        return []
    owed = sa.select(DUE.c.number).where(
        sa.or_(DUE.c.target.in_([row.id for row in relatives]), DUE.c.target.startswith(f"{name}/", autoescape=True))
    )
    return [] if rows.connection.execute(owed.limit(1)).first() is not None else relatives


def _free(archive: Path, what: str, time: int, ending: str = "") -> Path:
    """A path at which nothing is, named after the last that happened in it."""
    stem = f"{what}-{datetime.fromtimestamp(time / 1e6, UTC):%Y%m%dT%H%M%S}"
    number = 1
    while (found := archive / f"{stem}-{number}{ending}").exists():
        number += 1
    return found


def _finish(core: Core, folder: Path) -> int:
    """Write an announced batch, unless that is done, and remove it from the database; how many instances have left."""
    if not folder.is_dir():
        _write(core, folder)
    return _remove(core, folder)


def _write(core: Core, folder: Path) -> None:
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    pulled = Pulled(core)
    try:
        with core.database.reading() as rows:
            steps: list[Steps] = []
            names = _announced(rows, folder)
            for name in names:
                row = rows.read(name)
                if row is not None and row.parent is None:
                    steps += pulled.steps(rows, rows.relatives(row)) or []
            beside = _beside(rows, list(names))
        pulled.append(steps).to_parquet(partial)
    finally:
        pulled.close()
    (partial / BESIDE).write_text(json.dumps(beside, indent=1, ensure_ascii=False), encoding="utf-8")
    for file in (*partial.iterdir(), partial):
        sync(file)
    os.replace(partial, folder)
    sync(folder.parent)


def _announced(rows: SqlRows, folder: Path) -> dict[str, int]:
    asked = sa.select(LEAVING.c.instance, LEAVING.c.version).where(LEAVING.c.folder == str(folder))
    return {row.instance: row.version for row in rows.connection.execute(asked.order_by(LEAVING.c.instance))}


def _beside(rows: SqlRows, names: Sequence[str]) -> dict[str, list[dict[str, object]]]:
    moves = sa.select(MOVES).where(MOVES.c.instance.in_(names)).order_by(MOVES.c.number)
    return {
        "moves": [
            {
                "instance": row.instance,
                "seq": row.seq,
                "time": row.time,
                "from": row.definition_version,
                "to": row.to_version,
                "renamed": json.loads(row.renamed),
            }
            for row in rows.connection.execute(moves)
        ],
    }


def _remove(core: Core, folder: Path) -> int:
    """Remove what is in a folder, if it is as it was written; else the folder, as somebody has opened one again."""
    with core.database.transaction() as rows:
        names = _announced(rows, folder)
        changed = any((row := rows.lock(name)) is None or row.version != version for name, version in names.items())
        rows.connection.execute(sa.delete(LEAVING).where(LEAVING.c.folder == str(folder)))
        if not changed:
            for table, column in (
                (RECORDS, RECORDS.c.instance),
                (SEEN, SEEN.c.instance),
                (FOUND, FOUND.c.instance),
                (MOVES, MOVES.c.instance),
                (INSTANCES, INSTANCES.c.id),
            ):
                rows.connection.execute(sa.delete(table).where(column.in_(list(names))))
        else:
            # Before it can leave again.
            shutil.rmtree(folder)
    return 0 if changed else len(names)


def _move_audit(core: Core, archive: Path, before: int) -> Path | None:
    """Let old rows of the audit leave; whoever is killed before they are removed writes them again the next time."""
    partial = archive / ".audit.jsonl"
    moved: list[int] = []
    last = 0
    with partial.open("w", encoding="utf-8") as file:
        while True:
            asked = sa.select(AUDIT).where(AUDIT.c.time < before, AUDIT.c.number > (moved[-1] if moved else 0))
            with core.database.reading() as rows:
                found = rows.connection.execute(asked.order_by(AUDIT.c.number).limit(MOST)).mappings().all()
            if not found:
                break
            file.writelines(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in found)
            moved += [row["number"] for row in found]
            last = max(last, *(row["time"] for row in found), 0)
    if not moved:
        partial.unlink()
        return None
    sync(partial)
    path = _free(archive, "audit-until", last, ".jsonl")
    os.replace(partial, path)
    sync(archive)
    with core.database.transaction() as rows:
        for n in range(0, len(moved), MOST):
            rows.connection.execute(sa.delete(AUDIT).where(AUDIT.c.number.in_(moved[n : n + MOST])))
    return path
