"""Knobs: what of a scenario and of a definition can be turned, by names that people know."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from wfsim.errors import WfsimError
from wfsim.model.duration import UNITS

from .units import Choice, Count, Factor, Rate, Share, Times, rounded

if TYPE_CHECKING:
    from .units import Unit

Group: TypeAlias = Literal["arrivals", "pools", "times", "failures", "outage"]
GROUPS: Mapping[Group, str] = {
    "arrivals": "Arrivals",
    "pools": "Pools",
    "times": "Times and limits",
    "failures": "Failures and retries",
    "outage": "Outage",
}
Whose: TypeAlias = Literal["scenario", "workflow"]
Changes: TypeAlias = Mapping[Any, Any]

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 45)
_MINUTES = (1, 1.5, 2, 3, 5, 10, 15, 20, 30, 45)
_HOURS = (1, 1.5, 2, 3, 4, 6, 8, 12, 18)
_DAYS = (1, 1.5, 2, 3, 4, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365, 730)
ROUND_TIMES = tuple(
    n * UNITS[unit] for unit, all_ in (("s", _SECONDS), ("m", _MINUTES), ("h", _HOURS), ("d", _DAYS)) for n in all_
)
"""Durations that people say, in microseconds, rising."""
_SHARES = (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
_FACTORS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7.5, 10)
_PARTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2, 2.5, 3, 4)
_WIDTH = 20
"""A time may be so many times shorter and longer on a slider."""
_MOST_TURNS = 60
LONGEST = 100 * 365 * UNITS["d"]


@dataclass(frozen=True)
class Knob:
    """Something that can be turned.

    Attributes
    ----------
    where
        Where it stands: a dotted key of the scenario, or of the definition; its name, too, with `whose` before it.
    label
        For people.
    original
        As it stands in the file.
    values
        Where a slider stops, rising, the original among them.
    least, most
        What may be entered by hand.
    changes
        What a value comes to: dotted keys of the scenario with their values, or paths in the definition.
    hint
        What it means, where the label does not say it all.
    """

    whose: Whose
    where: str
    group: Group
    label: str
    unit: Unit
    original: float
    values: tuple[float, ...]
    least: float
    most: float
    changes: Callable[[float], Changes]
    hint: str = ""

    @property
    def id(self) -> str:
        """What it is called in requests."""
        return f"{self.whose}:{self.where}"

    def position(self, value: float) -> int:
        """Where on its slider a value is, or the next one to it."""
        after = bisect_left(self.values, value)
        if after == 0 or (after < len(self.values) and self.values[after] == value):
            return after
        if after == len(self.values) or value - self.values[after - 1] <= self.values[after] - value:
            return after - 1
        return after

    def at(self, position: int) -> float:
        """The value at a place of its slider; `WfsimError` if there is no such place."""
        if not 0 <= position < len(self.values):
            raise WfsimError(f"{self.label}: there is no place {position} on a slider of {len(self.values)}.")
        return self.values[position]

    def read(self, text: str) -> float:
        """A value that a person types; `WfsimError` if it is none, or out of range."""
        try:
            value = self.unit.read(text)
        except WfsimError as error:
            raise WfsimError(f"{self.label}: {error}") from None
        return self.checked(value)

    def checked(self, value: float) -> float:
        """The value, if it may be entered; else `WfsimError`."""
        if not self.least <= value <= self.most:
            low, high = self.unit.told(self.least), self.unit.told(self.most)
            raise WfsimError(f"{self.label}: {self.unit.told(value)} is out of range. Enter {low} to {high}.")
        return value


@dataclass(frozen=True)
class Place:
    """Where a knob stands, and what it is called."""

    whose: Whose
    where: str
    group: Group
    label: str
    hint: str = ""

    def changes(self, written: Callable[[float], Any]) -> Callable[[float], Changes]:
        """One value at this place."""
        return lambda value: {self.where: written(value)}


def _knob(
    place: Place, unit: Unit, original: float, values: Mapping[float, None], span: tuple[float, float], changes: Any
) -> Knob:
    return Knob(
        place.whose,
        place.where,
        place.group,
        place.label,
        unit,
        original,
        tuple(sorted(each for each in {*values, original} if span[0] <= each <= span[1])),
        *span,
        changes or place.changes(unit.written),
        place.hint,
    )


def time_knob(place: Place, original: int, changes: Callable[[float], Changes] | None = None) -> Knob:
    """A knob of a duration that is not 0."""
    near = (each for each in ROUND_TIMES if original / _WIDTH <= each <= original * _WIDTH)
    return _knob(place, Times(), original, dict.fromkeys(near), (1, LONGEST), changes)


def count_knob(
    place: Place, unit: Count, original: int, most: int, changes: Callable[[float], Changes] | None = None
) -> Knob:
    """A knob of a whole number from 1 on."""
    end = max(2 * original + 2, 10)
    step = max(1, end // _MOST_TURNS)
    near = dict.fromkeys(float(each) for each in (1, *range(step, end + 1, step)))
    return _knob(place, unit, original, near, (1, most), changes)


def share_knob(
    place: Place, original: float, most: float = 1.0, changes: Callable[[float], Changes] | None = None
) -> Knob:
    """A knob of a share."""
    return _knob(place, Share(), original, dict.fromkeys(_SHARES), (0, most), changes)


def rate_knob(place: Place, rate: str) -> Knob:
    """A knob of a rate as files write it."""
    number, per = rate.split("/")
    near = dict.fromkeys(rounded(float(number) * part) for part in _PARTS)
    return _knob(place, Rate(per), float(number), near, (float(number) / 1_000, float(number) * 1_000), None)


def factor_knob(place: Place, changes: Callable[[float], Changes]) -> Knob:
    """A knob of how many times as much."""
    return _knob(place, Factor(), 1.0, dict.fromkeys(_FACTORS), (0.001, 1_000), changes)


def choice_knob(place: Place, options: tuple[str, ...]) -> Knob:
    """A knob with a text for each place, the first as it is; what it comes to depends on others."""
    near = dict.fromkeys(map(float, range(len(options))))
    return _knob(place, Choice(options), 0.0, near, (0, len(options) - 1), _nothing)


def span_knob(place: Place, values: tuple[float, ...]) -> Knob:
    """A knob of a duration that is 0 as it is; what it comes to depends on others."""
    return _knob(place, Times(), 0.0, dict.fromkeys(values), (0, LONGEST // 2), _nothing)


def _nothing(value: float) -> Changes:
    return {}
