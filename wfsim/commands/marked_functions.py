"""The option `--functions` of the command line: functions in Python that definitions declare."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wfsim.model.supplying import Supplied

Modules = Annotated[
    list[str] | None,
    typer.Option(
        "--functions",
        help="Python module whose functions marked by wf.function workflows may call; may be repeated.",
        show_default=False,
    ),
]


def functions_of(modules: list[str] | None) -> tuple[Supplied, ...]:
    """The marked functions of modules, which may lie in the current folder."""
    from wfsim.model.supplying import of_modules

    return of_modules(modules or (), os.getcwd(), "--functions")
