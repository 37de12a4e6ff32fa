"""What commands share: where they print, their exit codes, their options, and the files that they read and write."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from wfsim.errors import WfsimError

if TYPE_CHECKING:
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.supplying import Supplied
    from wfsim.model.workflow import Workflow

FINE, VIOLATED, UNANSWERED = 0, 1, 2


class PipeClosed(Exception):
    """Whoever read the output has enough. Rich and typer by themselves would exit with the code of a violation."""


class _Printer(Console):
    """A console that leaves a closed pipe to `main`."""

    def on_broken_pipe(self) -> None:
        raise PipeClosed


out = _Printer()
err = _Printer(stderr=True)

File = Annotated[Path, typer.Argument(help="A workflow in YAML.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        "-c",
        help="Folder of the workflows that this one starts; default: those beside the file.",
        show_default=False,
    ),
]


def _duration(value: float | None) -> float | None:
    """Refuse what bounds no time; a plain lower bound would let nan pass."""
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value} is not a number of seconds, 0 or more.")
    return value


Seconds = Annotated[
    float | None, typer.Option("--max-seconds", callback=_duration, help="Stop each search after this long.")
]


def print_json(data: Any) -> None:
    try:
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise PipeClosed from None


def writable(path: Path, endings: tuple[str, ...], *inputs: Path | None) -> None:
    """Refuse to write over what was read, or a file whose ending promises something else."""
    if any(each is not None and path.resolve() == each.resolve() for each in inputs):
        raise WfsimError(f"{path} is what is read; writing there would destroy it. Choose another name.")
    if path.suffix not in endings:
        raise WfsimError(f"{path}: the name of the file to write ends in {' or '.join(endings)}.")


def load(path: Path, functions: tuple[Supplied, ...] = ()) -> Workflow:
    import wfsim as wf
    from wfsim.model.supplying import supplied

    return supplied(wf.load(path), functions)


def catalogue_of(
    file: Path, workflow: Workflow, folder: Path | None, functions: tuple[Supplied, ...] = ()
) -> Catalogue:
    """The workflows that this one starts, directly or not: of a folder, or of the file's own as far as they load."""
    import wfsim as wf
    from wfsim.model.catalogue import OTHERS
    from wfsim.model.supplying import supplied
    from wfsim.model.uses import invoked

    if folder is not None:
        return wf.Catalogue(supplied(each, functions) for each in wf.Catalogue(folder).all_versions())
    found: list[Workflow] = []
    wanted = {use.workflow for use in invoked(workflow)}
    if wanted:
        beside: dict[str, list[tuple[Path, Workflow]]] = {}
        for path in sorted(file.absolute().parent.glob("*.yaml")):
            if path.samefile(file) or path.name.endswith(OTHERS):
                continue
            try:
                other = load(path, functions)
            except WfsimError:
                # Not ours to judge: what is missing then is told where it is needed.
                continue
            beside.setdefault(other.name, []).append((path, other))
        left = sorted(wanted)
        while left:
            for path, other in beside.pop(left.pop(0), ()):
                found.append(other)
                left += [use.workflow for use in invoked(other)]
                told = f"With {other.name} {other.version} ({path.name})."
                err.print(told, style="dim", highlight=False, markup=False, soft_wrap=True)
    return wf.Catalogue([workflow, *found])
