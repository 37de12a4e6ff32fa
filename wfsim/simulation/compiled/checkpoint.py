"""A run of the compiled calendar on disk: all that changes, so that it goes on where it was, in another process too."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from io import BytesIO
from os import PathLike
from typing import Any

import numpy as np

from wfsim.errors import SimulationError
from wfsim.simulation.plans import Member

FORMAT = 3
"""Of the file; one of another is refused."""
_PLAIN = {("collections", "deque"), ("builtins", "set")}
_OURS = {
    "wfsim.model.duration",
    "wfsim.semantics.post",
    "wfsim.simulation.arriving",
    "wfsim.simulation.calendar",
    "wfsim.simulation.instances",
}
"""Whose classes may be made of what is read: they hold what they are given, and do nothing."""


def save(path: str | PathLike[str], arrays: Mapping[str, Any], state: Any, members: list[Member]) -> None:
    """Write arrays and what else changes; members are named by their numbers."""
    written = BytesIO()
    _Writer(written, members).dump(state)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("format", str(FORMAT))
        file.writestr("state", written.getvalue())
        for name, array in arrays.items():
            file.writestr(f"arrays/{name}", np.ascontiguousarray(array).tobytes())


def load(path: str | PathLike[str], dtypes: Mapping[str, Any], members: list[Member]) -> tuple[dict[str, Any], Any]:
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
            return arrays, _Reader(BytesIO(file.read("state")), members).load()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise SimulationError(f"{path}: no run of a simulation can be read there: {error}.") from None


class _Writer(pickle.Pickler):
    def __init__(self, file: BytesIO, members: list[Member]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(member): number for number, member in enumerate(members)}

    def persistent_id(self, obj: Any) -> int | None:
        return self._numbers.get(id(obj))


class _Reader(pickle.Unpickler):
    """Makes nothing but what a run is made of: a file from somewhere must not run code."""

    def __init__(self, file: BytesIO, members: list[Member]) -> None:
        super().__init__(file)
        self._members = members

    def persistent_load(self, pid: int) -> Member:
        return self._members[pid]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN or (module in _OURS and "." not in name):
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} does not belong there")
