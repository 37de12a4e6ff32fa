"""A run of the compiled calendar on disk: all that changes, so that it goes on where it was, in another process too."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from wfsim.errors import SimulationError

FORMAT = 6
"""Of the file; one of another is refused."""


def save(path: str | PathLike[str], arrays: Mapping[str, Any], state: Any) -> None:
    """Write arrays, and what else changes, which is JSON."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("format", str(FORMAT))
        file.writestr("state.json", json.dumps(state))
        for name, array in arrays.items():
            file.writestr(f"arrays/{name}", np.ascontiguousarray(array).tobytes())


def load(path: str | PathLike[str], dtypes: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """What `save` has written.

    Raises
    ------
    SimulationError
        If the file is none of this version.
    """
    try:
        with zipfile.ZipFile(path) as file:
            found = file.read("format").decode()
            if found != str(FORMAT):
                raise SimulationError(f"{path}: a run on disk of format {found}; this version reads {FORMAT}.")
            arrays = {
                name: np.frombuffer(bytearray(file.read(f"arrays/{name}")), dtype) for name, dtype in dtypes.items()
            }
            return arrays, json.loads(file.read("state.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise SimulationError(f"{path}: no run of a simulation can be read there: {error}.") from None
