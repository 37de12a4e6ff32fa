"""The command `wfsim migrate`: what instances would lose to a new version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.text import Text

from wfsim.errors import OptionError

from .marked_functions import Modules, functions_of
from .terminal import FINE, VIOLATED, AsJson, Folder, catalogue_of, load, out, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.supplying import Supplied
    from wfsim.model.workflow import Workflow


def migrate(
    old: Annotated[
        Path, typer.Argument(help="The version that instances run; with --against the one to come.", show_default=False)
    ],
    new: Annotated[Path | None, typer.Argument(help="The version that is to come.", show_default=False)] = None,
    history: Annotated[
        Path | None, typer.Option(help="A history (DuckDB file) whose cases are replayed under the new version.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Database of an engine, whose instances are replayed under the new version.", show_default=False
        ),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", help="With --against: a renamed state, old=new; may be repeated.", show_default=False),
    ] = None,
    move: Annotated[bool, typer.Option("--move", help="With --against: publish it, and move open instances.")] = False,
    catalogue: Folder = None,
    functions: Modules = None,
    as_json: AsJson = False,
) -> None:
    """Tell what instances would lose to a new version. Exit code 1 if anything."""
    import wfsim as wf

    if (against is None) == (new is None):
        raise typer.BadParameter("give two files, or one file and --against DATABASE.")
    given = functions_of(functions)
    first = load(old, given)
    if against is not None:
        known = catalogue_of(old, first, catalogue, given)
        told = _replayed(against, first, known, renamed, given, move=move)
        if as_json:
            print_json(told.data)
        else:
            out.print(Text(told.text), soft_wrap=True)
        raise typer.Exit(FINE if told.ok else VIOLATED)
    assert new is not None
    second = load(new, given)
    known = catalogue_of(new, second, catalogue, given)
    if history is None:
        found = wf.migration(first, second, catalogue=known)
    else:
        with wf.open_history(history, functions={each.name: each.python for each in given}) as read:
            found = wf.migration(first, second, read, catalogue=known)
    if as_json:
        print_json(found.to_dict())
    else:
        out.print(Text(str(found)), soft_wrap=True)
    raise typer.Exit(FINE if found.ok else VIOLATED)


class _Told(NamedTuple):
    """An answer as JSON and as text, and whether all is well."""

    data: Any
    text: str
    ok: bool


def _replayed(
    database: str,
    new: Workflow,
    catalogue: Catalogue,
    renamed: list[str] | None,
    functions: Iterable[Supplied],
    *,
    move: bool,
) -> _Told:
    """A version against the instances of an engine; with `move` it is published, and open ones move that can."""
    from wfsim.runtime.database import existing
    from wfsim.runtime.moving import against as replayed
    from wfsim.runtime.opening import open_engine

    mapping = _names(renamed)
    called = {each.name: each.python for each in functions}
    with open_engine(existing(database), functions=called) as engine:
        if not move:
            found = replayed(engine.core, new, catalogue, mapping)
            data = [each.to_dict() for each in found]
            return _Told(data, "\n".join(map(str, found)), all(each.ok for each in found))
        engine.publish(catalogue)
        engine.publish(new)
        moves = engine.migrate(new.name, to=new.version, mapping=mapping, dry_run=False)
        return _Told(moves.to_dict(), str(moves), not moves.refused)


def _names(renamed: list[str] | None) -> dict[str, str]:
    """`old=new` as a mapping."""
    found = dict(each.partition("=")[::2] for each in renamed or ())
    for old, new in found.items():
        if not old or not new:
            raise OptionError(f"--map {old}={new}: write the name that a state has and the one that it gets, old=new.")
    return found
