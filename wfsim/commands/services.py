"""The commands `wfsim serve`, `keys` and `limits`: an engine behind HTTP, who may reach it, and how much."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.text import Text

from wfsim.errors import OptionError, WfsimError

from .printing import show_table
from .terminal import err, out

if TYPE_CHECKING:
    from collections.abc import Callable

    from wfsim.runtime.database import Database
    from wfsim.service.keys import Keys

Address = Annotated[
    str,
    typer.Option("--database", "-d", help="sqlite:///runs.db or postgresql://user@host/name.", show_default=False),
]

N = TypeVar("N", int, float)


def serve(
    database: Address,
    workflows: Annotated[
        Path | None, typer.Option("--workflows", "-w", help="Folder whose workflows are published.")
    ] = None,
    activities: Annotated[
        list[str] | None,
        typer.Option(help="Python module whose functions carry out activities here; may be repeated."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where it listens; others than this machine need a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8080,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second of one key.")] = 200.0,
    history: Annotated[
        Path | None,
        typer.Option(
            help="DuckDB file that keeps the history of which statistics are asked; default: in memory.",
            show_default=False,
        ),
    ] = None,
    max_open: Annotated[
        int | None, typer.Option(min=1, help="Open instances of one namespace; default: as many as one likes.")
    ] = None,
) -> None:
    """Serve an engine over HTTP, until Ctrl-C."""
    _need_extra()
    from wfsim.runtime.modules import activities_in
    from wfsim.service.limits import Limits
    from wfsim.service.serving import Server, log_to_stderr
    from wfsim.service.tenants import Tenants

    functions = activities_in(activities or ())
    limits = Limits(rate=rate, burst=max(2 * int(rate), 1), open_instances=max_open)
    tenants = Tenants(database, workflows, functions, history=history)
    try:
        server = Server(tenants, host=host, port=port, limits=limits)
        shown = tenants.default.engine.core.database.shown
        _say(f"Serving {shown} on {server.url}. Ctrl-C ends it, and loses nothing.")
        _say(f"The console, for people: {server.url}/console")
        if not tenants.keys.are_asked_for():
            _say("There is no key yet: whoever is on this machine may do everything, and nobody else anything.")
        if not functions:
            _say("Activities are left to workers: none are carried out here without --activities.")
        log_to_stderr()
        server.serve()
    finally:
        tenants.close()


def limits(
    database: Address,
    namespace: Annotated[str, typer.Option(help="Whose.")] = "default",
    rate: Annotated[
        str | None, typer.Option(help="Requests a second of one key; none: as each process was started.")
    ] = None,
    max_open: Annotated[
        str | None, typer.Option(help="Open instances; none: as each process was started.", show_default=False)
    ] = None,
) -> None:
    """Show what namespaces of a service are allowed, or set it.

    Services keep to it within seconds, without a restart.
    """
    from wfsim.runtime.database import existing
    from wfsim.service.allowances import Allowance, Allowances

    changes: dict[str, Any] = {}
    if rate is not None:
        changes["rate"] = _number("--rate", rate, float)
    if max_open is not None:
        changes["open_instances"] = _number("--max-open", max_open, int)
    known = Allowances(_shared(existing(database)))
    if changes:
        known.set(namespace, replace(known.list().get(namespace, Allowance()), **changes))
    rows = [[name, str(each)] for name, each in known.list().items()]
    if rows:
        show_table(out, "", rows, [("namespace", False), ("allowed", False)])
    else:
        _say("Nothing was set: all are as each process was started.")


def _number(option: str, text: str, kind: Callable[[str], N]) -> N | None:
    if text == "none":
        return None
    try:
        return kind(text)
    except ValueError:
        raise OptionError(f"{option} is {text!r}. Write a number, or none.") from None


keys = typer.Typer(help="Who may call a service.", no_args_is_help=True, rich_markup_mode=None)


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose it is; stands in the audit.", show_default=False)],
    database: Address,
    role: Annotated[str, typer.Option(help="viewer, operator, publisher or admin.")] = "viewer",
    namespace: Annotated[str, typer.Option(help="What it is for; made if it is new.")] = "default",
) -> None:
    """Make a key and print it; only a hash of it is stored, so it cannot be printed again."""
    from wfsim.service.keys import role_of

    found = _keys(database)
    key, text = found.add(name, role_of(role), namespace)
    _say(
        f"Key {key.id}: {key.name}, {key.role.word} of the namespace {key.namespace}. Keep it; here it is once:",
    )
    out.print(Text(text), soft_wrap=True)


@keys.command("list")
def list_keys(database: Address) -> None:
    """Print the keys that were made; not their texts, which nobody has."""
    rows = [
        [key.id, key.name, key.namespace, key.role.word, _moment(key.created), _moment(key.revoked)]
        for key in _keys(database).list()
    ]
    heads = [(each, False) for each in ("key", "name", "namespace", "role", "made", "revoked")]
    show_table(out, "", rows, heads)


@keys.command("revoke")
def revoke_key(
    id: Annotated[str, typer.Argument(help="As `wfsim keys list` shows it.", show_default=False)],
    database: Address,
) -> None:
    """Let a key open nothing any more, from the next request on."""
    key = _keys(database).revoke(id)
    _say(f"Key {key.id} ({key.name}) is revoked.")


def _keys(database: str) -> Keys:
    from wfsim.service.keys import Keys

    return Keys(_shared(database))


def _shared(database: str) -> Database:
    from wfsim.runtime.database import Database

    found = Database(database)
    if found.in_memory:
        raise WfsimError("a database in memory keeps no keys. Give sqlite:///runs.db or postgresql://user@host/name.")
    return found


def _need_extra() -> None:
    try:
        import fastapi
        import prometheus_client
        import uvicorn
    except ImportError as error:
        raise WfsimError(f"to serve, wfsim needs {error.name}: pip install 'wfsim[serve]'.") from None
    del fastapi, prometheus_client, uvicorn


def _moment(micros: int | None) -> str:
    return "" if micros is None else datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="seconds")


def _say(text: str) -> None:
    err.print(Text(text), soft_wrap=True)
