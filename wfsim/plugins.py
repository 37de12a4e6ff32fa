"""What other packages add by entry points: activities, samplers, checks.

| group | an entry point is | it gives |
|---|---|---|
| `wfsim.activities` | a function, named like the activity (`charge`, `order.charge`, `charge@2`) | what a worker carries the activity out with, if it was given no function and the definition says nothing |
| `wfsim.samplers` | a function of the parameters of a distribution | what a scenario could have written instead: a distribution in terms of those that there are |
| `wfsim.checks` | a function of a workflow | findings of lint, each `(path, message, advice)`, whose code is the name of the entry point |

Each is loaded when it is needed first.
"""  # noqa: E501

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from wfsim.errors import PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ACTIVITIES, SAMPLERS, CHECKS = "activities", "samplers", "checks"
KINDS = (ACTIVITIES, SAMPLERS, CHECKS)


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point.

    Attributes
    ----------
    kind
        `activities`, `samplers` or `checks`.
    name
        Of the entry point.
    where
        Module and function.
    packages
        The distributions that bring it, with their versions; more than one is an error.
    """

    kind: str
    name: str
    where: str
    packages: tuple[str, ...]
    _entry: EntryPoint

    def load(self) -> Callable[..., Any]:
        """The function.

        Raises
        ------
        PluginError
            If it cannot be had.
        """
        if len(self.packages) > 1:
            raise PluginError(f"{self}: {' and '.join(self.packages)} both have it. Keep one of them installed.")
        try:
            found = self._entry.load()
        except Exception as error:  # importing other people's code can fail in every way
            raise PluginError(f"{self} cannot be loaded: {type(error).__name__}: {error}.") from error
        if not callable(found):
            raise PluginError(f"{self} is {type(found).__name__}, not a function.")
        return found  # type: ignore[no-any-return]

    @property
    def problem(self) -> str | None:
        """What is wrong with it; it is loaded for that."""
        try:
            self.load()
        except PluginError as error:
            return str(error)
        return None

    def __str__(self) -> str:
        return f"{self.name!r} of wfsim.{self.kind} ({self.where}, {' and '.join(self.packages)})"


def installed(kind: str) -> dict[str, Plugin]:
    """The entry points of a kind, by name, in alphabetical order; none of them is loaded."""
    return _installed(kind, tuple(sys.path))


@lru_cache(maxsize=16)
def _installed(kind: str, path: tuple[str, ...]) -> dict[str, Plugin]:
    """Looked for once for each path: that reads the metadata of all that is installed."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=f"wfsim.{kind}"):
        found.setdefault(entry.name, []).append(entry)
    return {
        name: Plugin(kind, name, several[0].value, tuple(dict.fromkeys(map(_package, several))), several[0])
        for name, several in sorted(found.items())
    }


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
