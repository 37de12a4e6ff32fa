"""Where a person has put states in the drawing: kept beside the definition, in a file of its own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from wfsim.errors import DrawingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Pins: TypeAlias = "dict[str, tuple[float, float]]"
"""Upper left corner in pixels, by the identifier of a state."""

FARTHEST = 100_000.0
_VERSION = 1


def layout_file(definition: Path) -> Path:
    """The file beside a definition."""
    return definition.with_name(definition.name + ".layout.json")


def place(x: float, y: float) -> tuple[float, float]:
    """A place in the drawing; `DrawingError` if it is none."""
    if not (math.isfinite(x) and math.isfinite(y) and max(abs(x), abs(y)) <= FARTHEST):
        raise DrawingError(f"({x:g}, {y:g}) is no place in a drawing: at most {FARTHEST:,.0f} pixels away.")
    return round(x, 1), round(y, 1)


def kept(pins: Mapping[str, tuple[float, float]], elements: Iterable[str]) -> Pins:
    """The pins of what there is."""
    known = set(elements)
    return {element: at for element, at in pins.items() if element in known}


def read_pins(definition: Path) -> Pins:
    """The pins beside a definition; none if there is no file.

    Raises
    ------
    DrawingError
        If the file says something else.
    """
    file = layout_file(definition)
    if not file.is_file():
        return {}
    try:
        said: Any = json.loads(file.read_text(encoding="utf-8"))
        if said["version"] != _VERSION:
            raise KeyError("version")
        return {str(name): place(float(x), float(y)) for name, (x, y) in said["pins"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, DrawingError) as error:
        raise DrawingError(
            f"{file}: these are no positions of states ({error}). Delete the file: states are then placed anew."
        ) from None


def write_pins(definition: Path, pins: Mapping[str, tuple[float, float]]) -> None:
    """Write the pins beside a definition; without any there is no file."""
    file = layout_file(definition)
    if not pins:
        file.unlink(missing_ok=True)
        return
    said = {"version": _VERSION, "pins": {name: list(at) for name, at in sorted(pins.items())}}
    try:
        file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise DrawingError(f"{file}: cannot be written: {error.strerror or error}.") from None
