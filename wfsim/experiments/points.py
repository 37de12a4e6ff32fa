"""The points of a sweep: values for keys of a scenario, and the scenario at each."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import CatalogueError, OptionError, ScenarioError, did_you_mean, listed
from wfsim.model.duration import Duration
from wfsim.simulation.check import check_scenario

if TYPE_CHECKING:
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow
    from wfsim.simulation.scenario import Scenario

Over: TypeAlias = "Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]"

_OWN = {
    "seed": "All points draw the same random numbers, so that they can be compared. Give the scenario another seed.",
    "replications": "Give replications=… to the sweep: each point has as many.",
    "workflow": "A sweep is about one workflow. Sweep the other one too, and compare.",
}
MOST_POINTS = 100_000


@dataclass(frozen=True)
class Point:
    """One setting of a scenario.

    Attributes
    ----------
    number
        From 0, in the order in which they were given; of a grid the last key changes first.
    values
        By dotted key, as they would stand in a file.
    scenario
        What that comes to.
    """

    number: int
    values: Mapping[str, Any]
    scenario: Scenario

    def __str__(self) -> str:
        return told(self.number, self.values)


def told(number: int, values: Mapping[str, Any]) -> str:
    """A point in a few words."""
    given = ", ".join(f"{key} = {json.dumps(value, default=str)}" for key, value in values.items())
    return f"point {number} ({given or 'the scenario as it is'})"


def _plain(value: Any) -> Any:
    """A value as it stands in a file: durations as people write them, numbers of numpy as Python's."""
    if isinstance(value, Duration):
        return value.spelled()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value


def points_of(over: Over, scenario: Scenario, workflow: Workflow, catalogue: Catalogue) -> list[Point]:
    """All points, each checked against the workflow.

    Raises
    ------
    OptionError
        If `over` names no points, or a key that cannot be swept.
    ScenarioError
        If a key is unknown or a value does not fit, with the point.
    """
    every = list(_given(over))
    if not every:
        raise OptionError("over has no points. Give keys with their values: {'pools.packers.capacity': [2, 3, 4]}.")
    found = []
    for number, values in enumerate(every):
        try:
            plan = scenario.changed(**values)
            check_scenario(plan, workflow, catalogue)
        except (ScenarioError, CatalogueError) as error:
            raise ScenarioError(f"{told(number, values)}: {error}") from None
        found.append(Point(number, values, plan))
    return found


def _given(over: Over) -> Iterator[dict[str, Any]]:
    """The values of each point."""
    if isinstance(over, Mapping):
        over = {key: values.tolist() if hasattr(values, "tolist") else values for key, values in over.items()}
        for key, values in over.items():
            if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence) or not len(values):
                raise OptionError(f"over[{key!r}]: give a list of the values to try, not {values!r:.80}.")
        size = 1
        for values in over.values():
            size *= len(values)
        _expect_keys(over)
        if size > MOST_POINTS:
            raise OptionError(f"over has {size:,} points, more than {MOST_POINTS:,}. Give fewer values.")
        for chosen in itertools.product(*over.values()) if over else ():
            yield {key: _plain(value) for key, value in zip(over, chosen)}
        return
    if isinstance(over, (str, bytes)) or not isinstance(over, Sequence):
        raise OptionError(f"over is a mapping from keys to lists of values, or a list of points, not {over!r:.80}.")
    for point in over:
        if not isinstance(point, Mapping):
            raise OptionError(f"over: each point is a mapping from keys to values, not {point!r:.80}.")
        _expect_keys(point)
        yield {key: _plain(value) for key, value in point.items()}


def _expect_keys(values: Mapping[str, Any]) -> None:
    keys = list(values)
    for key in keys:
        if not isinstance(key, str) or not all(key.split(".")):
            raise OptionError(f"over: {key!r} is no dotted key of a scenario, as 'pools.packers.capacity' is.")
        if key in _OWN:
            raise OptionError(f"over: {key!r} cannot be swept. {_OWN[key]}")
        inside = next((other for other in keys if other != key and other.startswith(f"{key}.")), None)
        if inside is not None:
            raise OptionError(f"over: {inside!r} lies inside {key!r}. Give one of them.")


def keys_of(points: Sequence[Point]) -> list[str]:
    """All keys that some point sets, in their order."""
    return list(dict.fromkeys(key for point in points for key in point.values))


def point_named(points: Sequence[Point], which: int | Mapping[str, Any]) -> Point:
    """The point with this number, or the one that has these values.

    Raises
    ------
    OptionError
        If there is none, or more than one.
    """
    if isinstance(which, int) and not isinstance(which, bool):
        if not 0 <= which < len(points):
            raise OptionError(f"there is no point {which}. Points: 0 to {len(points) - 1}.")
        return points[which]
    if not isinstance(which, Mapping):
        raise OptionError(f"a point is its number, or a mapping from keys to values, not {which!r:.80}.")
    known = keys_of(points)
    for key in which:
        if key not in known:
            raise OptionError(f"no point has the key {key!r}.{did_you_mean(key, known)} Keys: {listed(known)}.")
    wanted = {key: _plain(value) for key, value in which.items()}
    found = [point for point in points if all(point.values.get(key) == value for key, value in wanted.items())]
    if len(found) != 1:
        what = "; ".join(map(str, found[:3])) if found else "; ".join(map(str, points[:3]))
        raise OptionError(f"{len(found)} points have {dict(which)!r}: {what}. Say which one by its values or number.")
    return found[0]
