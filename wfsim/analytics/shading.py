"""Colours of a process map: how much of a measure there is at each arrow and state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.drawing.graph import SHADES

if TYPE_CHECKING:
    from collections.abc import Mapping


def shades(values: Mapping[str, float]) -> dict[str, int]:
    """The shade of each value, as a part of the greatest; what is more than nothing has at least the first."""
    most = max(values.values(), default=0.0)
    return {name: min(SHADES, 1 + int(value / most * SHADES * 0.999)) for name, value in values.items() if value > 0}


def differences(here: Mapping[str, float], there: Mapping[str, float]) -> dict[str, int]:
    """Shades of how much more (or less, negative) there is here than there."""
    gaps = {name: here.get(name, 0.0) - there.get(name, 0.0) for name in sorted(here.keys() | there.keys())}
    found = shades({name: abs(gap) for name, gap in gaps.items()})
    return {name: shade if gaps[name] > 0 else -shade for name, shade in found.items()}
