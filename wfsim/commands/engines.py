"""The commands for engines: `wfsim worker`, `queues`, `doctor`, `backup`, `restore`, `retain`."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from wfsim.errors import EngineError

from .marked_functions import Modules, functions_of
from .printing import show_table
from .terminal import AsJson, out, print_json

if TYPE_CHECKING:
    from wfsim.service.measuring import WorkerMeasures

Address = Annotated[
    str,
    typer.Argument(
        help="sqlite:///runs.db or postgresql://user@host/name.", envvar="WFSIM_DATABASE", show_default=False
    ),
]


def worker(
    database: Annotated[
        str,
        typer.Option(
            help="sqlite:///runs.db or postgresql://user@host/name.", envvar="WFSIM_DATABASE", show_default=False
        ),
    ],
    activities: Annotated[
        list[str] | None,
        typer.Option(
            help="Python module whose functions carry out the activities of their names; may be repeated. Without, "
            "what definitions themselves say: http, command.",
            show_default=False,
        ),
    ] = None,
    workflows: Annotated[
        str | None, typer.Option(help="Folder of workflows to publish; default: what is published.")
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            help="Serve this pool alone (`default`: activities without one); may be repeated. Default: all.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Attempts of a group at once in a worker, stored for all; default: as it is.",
            show_default=False,
        ),
    ] = None,
    schedules: Annotated[
        bool, typer.Option("--schedules", help="Start published workflows at the times of their schedules, too.")
    ] = False,
    functions: Modules = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Where Prometheus asks what this worker did: a port of this machine, or host:port.", show_default=False
        ),
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds in which attempts may finish after SIGTERM.")] = 30.0,
    patience: Annotated[float, typer.Option(min=0, help="Seconds for which the database may be away.")] = 300.0,
) -> None:
    """Carry out the activities of an engine.

    Works until SIGTERM or SIGINT, and prints a line of JSON for each event.

    Exit code 0 after a signal, 2 if it cannot begin or go on.
    """
    from wfsim.runtime.modules import activities_in
    from wfsim.runtime.opening import assembled, begun
    from wfsim.runtime.worker import stopped_by_signals, told_as_json, work

    given = activities_in(activities or ())
    called = {each.name: each.python for each in functions_of(functions)}
    with told_as_json(sys.stdout), stopped_by_signals() as stop, contextlib.ExitStack() as beside:
        measures = None if metrics is None else beside.enter_context(_measures(metrics))
        engine = assembled(database, workflows, given, queued=True, groups=groups, concurrency=concurrency)
        if measures is not None:
            engine.core.told = measures.happened.told
        work(begun(engine, called), given, stop, grace=grace, patience=patience, schedules=schedules)


@contextlib.contextmanager
def _measures(place: str) -> Iterator[WorkerMeasures]:
    """What Prometheus may ask meanwhile."""
    from wfsim.runtime.logs import tell

    try:
        from wfsim.service.measuring import WorkerMeasures
    except ImportError as error:
        raise EngineError(f"for --metrics, wfsim needs {error.name}: pip install 'wfsim[serve]'.") from None
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise EngineError(f"{place!r} is no place to listen. Write a port, 9464, or a host and a port, 0.0.0.0:9464.")
    with contextlib.closing(WorkerMeasures(host or "127.0.0.1", int(port))) as measures:
        tell("metrics_served", address=f"http://{host or '127.0.0.1'}:{measures.port}/metrics")
        yield measures


def queues(
    database: Address,
    group: Annotated[
        str | None, typer.Argument(help="A group of workers: a pool, or default.", show_default=False)
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option(help="Attempts at once in all workers together; none: no limit; 0: begin nothing.")
    ] = None,
    per_worker: Annotated[int | None, typer.Option(min=1, help="Attempts at once in each worker.")] = None,
    rate: Annotated[str | None, typer.Option(help="Starts within a time, as 10/1m; none: no limit.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the queues of an engine, or set limits.

    Workers keep to them at once, without a restart.
    """
    from wfsim.runtime.database import existing
    from wfsim.runtime.groups import DEFAULT, number_of, rate_of
    from wfsim.runtime.opening import open_engine

    changes: dict[str, Any] = {}
    if concurrency is not None:
        changes["concurrency"] = None if concurrency == "none" else number_of(concurrency)
    if per_worker is not None:
        changes["worker_concurrency"] = per_worker
    if rate is not None:
        changes["rate"] = None if rate == "none" else rate_of(rate)
    with open_engine(existing(database)) as engine:
        if changes:
            if group is None:
                raise EngineError("which queue? Name its group: wfsim queues DATABASE default --rate 10/1m.")
            engine.set_queue(group, replace(engine.limits(group), **changes))
        depths = Counter(row.pool or DEFAULT for row in engine.core.queued_attempts())
        found = {group: engine.limits(group)} if group is not None else engine.queues
    if as_json:
        print_json({name: {**asdict(each), "queued": depths[name]} for name, each in found.items()})
    else:
        rows = [[name, f"{depths[name]:,}", str(each)] for name, each in found.items()]
        show_table(out, "", rows, [("group", False), ("queued", True), ("limits", False)])


def retain(
    database: Address,
    into: Annotated[Path, typer.Option(help="Folder of the archive.", show_default=False)],
    older_than: Annotated[str, typer.Option(help="Since when they are closed, as 90d.", show_default=False)],
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Instances in a folder.")] = 2_000,
    as_json: AsJson = False,
) -> None:
    """Let closed instances leave for an archive.

    They go to folders of Parquet, which are histories. May be interrupted; the next time finishes what was begun.
    """
    from wfsim.runtime.database import existing
    from wfsim.runtime.opening import open_engine

    with open_engine(existing(database)) as engine:
        found = engine.retain(into, older_than=older_than, batch=batch)
    if as_json:
        print_json(asdict(found))
    else:
        out.print(Text(str(found)), soft_wrap=True)


def backup(
    database: Address,
    file: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
) -> None:
    """Copy the database of an engine while it is used."""
    from wfsim.runtime.backup import back_up

    out.print(Text(str(back_up(database, file))), soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="What wfsim backup wrote.", show_default=False)],
    database: Address,
) -> None:
    """Make the database of an engine from a copy.

    An SQLite file must not be there, a PostgreSQL database must be empty.
    """
    from wfsim.runtime.backup import restore as restored

    n = restored(file, database)
    out.print(Text(f"{n:,} instances are there again."), soft_wrap=True)


def doctor(database: Address, functions: Modules = None, as_json: AsJson = False) -> None:
    """Tell what in an engine's database needs a person.

    Exit code 1 if anything does. Nothing is changed.
    """
    from wfsim.runtime.doctor import diagnose

    found = diagnose(database, {each.name: each.python for each in functions_of(functions)})
    if as_json:
        print_json(found.to_dict())
    else:
        out.print(Text(str(found)), soft_wrap=True)
    raise typer.Exit(0 if found.ok else 1)
