"""Dotted keys of a scenario: `pools.packers.capacity`, `activities.charge.outages.0.until`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfsim.errors import ScenarioError


def _steps(data: Mapping[str, Any], key: str) -> list[str]:
    """The parts of a dotted key: where the scenario has a key with dots in it, that is one part."""
    parts, found, at = key.split("."), list[str](), 0
    here: Any = data
    while at < len(parts):
        names = here if isinstance(here, Mapping) else ()
        end = next((end for end in range(len(parts), at, -1) if ".".join(parts[at:end]) in names), at + 1)
        found.append(".".join(parts[at:end]))
        here = here.get(found[-1]) if isinstance(here, Mapping) else _item(here, found[-1])
        at = end
    return found


def _item(here: Any, step: str) -> Any:
    return here[int(step)] if isinstance(here, list) and step.isdecimal() and int(step) < len(here) else None


def put(data: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where a dotted key leads; a number in it counts in a list, from 0.

    Raises
    ------
    ScenarioError
        If it leads nowhere.
    """
    if not all(key.split(".")):
        raise ScenarioError(f"{key!r} is no dotted key of a scenario, as 'pools.packers.capacity' is.")
    here: Any = data
    *way, last = _steps(data, key)
    for step in way:
        if isinstance(here, dict):
            here = here.setdefault(step, {})
        else:
            here = here[_index(here, step, key)]
        if not isinstance(here, (dict, list)):
            raise ScenarioError(f"{key!r}: {step!r} has the value {here!r:.60}, so nothing lies below it.")
    if isinstance(here, dict):
        here[last] = value
    else:
        here[_index(here, last, key)] = value


def _index(here: list[Any], step: str, key: str) -> int:
    if not step.isdecimal() or int(step) >= len(here):
        raise ScenarioError(f"{key!r}: there is no entry {step!r} in a list of {len(here)}. Entries count from 0.")
    return int(step)
