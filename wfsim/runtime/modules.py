"""Activities that a Python module has, for processes that are started by a command."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Mapping

from wfsim.errors import EngineError, listed

from .implementations import Function


def activities_in(modules: Iterable[str]) -> dict[str, Function]:
    """The functions of some modules, by name.

    A module with a mapping `ACTIVITIES` gives that, whose names may be those of docs/run.md (`order.charge@2`); another
    gives all functions that it defines and whose names do not begin with `_`.

    Raises
    ------
    EngineError
        If a module cannot be imported or has none, or two modules have one of the same name.
    """
    found: dict[str, Function] = {}
    for name in modules:
        for each, function in _functions(name).items():
            if found.setdefault(each, function) is not function:
                raise EngineError(f"two modules have an activity {each!r}, the second one is {name}.")
    return found


def _functions(name: str) -> dict[str, Function]:
    # As `python -m` has it: a module of the folder in which the command was given.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise EngineError(f"the module {name} cannot be imported: {error}. Modules here: {_here()}.") from error
    given = getattr(module, "ACTIVITIES", None)
    if isinstance(given, Mapping):
        return dict(given)
    found: dict[str, Function] = {
        each: function
        for each, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == name and not each.startswith("_")
    }
    if not found:
        raise EngineError(f"the module {name} has no function, and no mapping ACTIVITIES.")
    return found


def _here() -> str:
    return listed(sorted(each[:-3] for each in os.listdir() if each.endswith(".py"))) or "none"
