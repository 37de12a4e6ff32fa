"""Functions in Python for several workflows at once, and for workflows that are made anew (M14.5)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from wfsim.errors import DefinitionError
from wfsim.model.annotated import marked
from wfsim.model.functions import Python
from wfsim.model.values import brief
from wfsim.model.workflow import Workflow


@dataclass(frozen=True)
class Supplied:
    """A Python function for whoever declares one of its name: a workflow in one version, or any."""

    name: str
    python: Python
    of: tuple[str, str] | None = None


def for_all(functions: Mapping[str, Python] | None) -> tuple[Supplied, ...]:
    """Functions by name, for every workflow that declares them.

    Raises
    ------
    DefinitionError
        If they are no mapping from names to functions.
    """
    if functions is None:
        return ()
    if not isinstance(functions, Mapping) or not all(callable(each) for each in functions.values()):
        raise DefinitionError(f"functions are given by name: {{'risk': risk}}, not {brief(functions)}.")
    return tuple(Supplied(name, python) for name, python in functions.items())


def of_modules(modules: Iterable[str], folder: str | os.PathLike[str], said: str) -> tuple[Supplied, ...]:
    """The functions of modules that `wf.function` marks; of two of one name the first counts.

    Parameters
    ----------
    folder
        Where modules may lie that are not installed.
    said
        Which option named them, for messages.

    Raises
    ------
    DefinitionError
        If a module cannot be imported, or marks none.
    """
    found: list[Supplied] = []
    for name in modules:
        sys.path.insert(0, os.fspath(folder))
        try:
            module = import_module(name)
        except ImportError as error:
            raise DefinitionError(
                f"{said} {name}: cannot be imported: {error}. Name a module as Python does: my.functions."
            ) from None
        finally:
            sys.path.remove(os.fspath(folder))
        own = marked(vars(module).items())
        if not own:
            raise DefinitionError(f"{said} {name}: no function in it is marked. Put @wf.function above each.")
        found += for_all(own)
    return tuple(found)


def supplied_by(workflows: Iterable[Workflow]) -> tuple[Supplied, ...]:
    """What workflows were given, for other objects of the same names and versions."""
    return tuple(
        Supplied(name, python, (workflow.name, workflow.version))
        for workflow in workflows
        for name, python in workflow.given.functions.items()
    )


def supplied(workflow: Workflow, functions: Iterable[Supplied]) -> Workflow:
    """The workflow with those functions that are meant for it and that it declares; of two the first counts."""
    own = (None, (workflow.name, workflow.version))
    found: dict[str, Python] = {}
    for each in functions:
        if each.of in own and each.name in workflow.functions:
            found.setdefault(each.name, each.python)
    return workflow.with_functions(**found) if found else workflow


def like(workflow: Workflow, other: Workflow) -> Workflow:
    """The workflow with the functions of another one, of those that it declares itself."""
    return supplied(workflow, for_all(other.given.functions))
