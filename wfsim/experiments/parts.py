"""The folder of a sweep: what it is about, and what of it is finished."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.errors import HistoryError, OptionError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from .units import Form, Unit

_MANIFEST = "sweep.json"
_WHAT = {
    "version": "the version of wfsim",
    "form": "what is kept",
    "log": "the log level",
    "level": "the level of intervals",
    "replications": "the number of replications",
    "points": "the points",
    "workflows": "the workflow, or one that it starts",
    "scenarios": "the scenario",
}


class Parts:
    """A folder in which finished units wait for the others, and from which a sweep goes on after an interruption.

    Parameters
    ----------
    folder
        Made if missing.
    units
        All units of the sweep.

    Raises
    ------
    HistoryError
        If the folder holds something else, or parts of another sweep; or if it cannot be written.
    """

    def __init__(self, folder: Path, units: Sequence[Unit]) -> None:
        self.folder = folder
        self.units = units
        about = _about(units)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._expect(about)
            (folder / _MANIFEST).write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
        except OSError as error:
            raise HistoryError(f"{folder}: cannot be written: {error.strerror}. Give another folder.") from None

    def _expect(self, about: dict[str, Any]) -> None:
        """Refuse parts of another sweep: they would be taken for results of this one."""
        manifest = self.folder / _MANIFEST
        if not manifest.is_file():
            if any(self.folder.iterdir()):
                raise HistoryError(f"{self.folder}: this folder holds other things than a sweep. Give an empty one.")
            return
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        other = [what for key, what in _WHAT.items() if not isinstance(found, dict) or found.get(key) != about[key]]
        if other:
            raise HistoryError(
                f"{self.folder}: holds parts of another sweep; what differs: {', '.join(other)}. "
                "Give another place, or remove this folder if nobody needs it."
            )

    def unfinished(self) -> list[Unit]:
        """Units that are still to be run, in their order."""
        return [unit for unit in self.units if not (self.folder / unit.files()[-1]).is_file()]

    def histories(self) -> list[Path]:
        """The histories of all units, in their order."""
        return [self.folder / unit.files()[0] for unit in self.units]


def _about(units: Sequence[Unit]) -> dict[str, Any]:
    """What tells a sweep from others. The engine does not: both make the same records."""
    points = {unit.point: unit for unit in units}
    first = units[0]
    return {
        "version": first.version,
        "form": first.form,
        "log": first.log,
        "level": first.level,
        "replications": len(units) // len(points),
        "points": [json.loads(unit.values) for unit in points.values()],
        "workflows": _hash(first.workflows),
        "scenarios": _hash([unit.scenario for unit in points.values()]),
    }


def _hash(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()


def form_of(into: str | os.PathLike[str] | None) -> Form:
    """What is written to that path: a history to `….duckdb`, a Parquet data set to a folder.

    Raises
    ------
    OptionError
        If it is neither.
    """
    if into is None:
        return "history"
    path = Path(into)
    if path.suffix == ".duckdb":
        return "history"
    if path.suffix and not path.is_dir():
        raise OptionError(
            f"into={str(into)!r}: give a name that ends in .duckdb for one history, or a folder, without an ending, "
            "for a Parquet data set."
        )
    return "parquet"


def folder_of(into: str | os.PathLike[str] | None, resume: str | os.PathLike[str] | None, form: Form) -> Path | None:
    """Where parts are kept; `None`: nowhere that outlasts the call.

    Raises
    ------
    OptionError
        If two places are given.
    """
    if form == "parquet" and into is not None:
        if resume is not None:
            raise OptionError("a Parquet data set is resumed where it is: leave resume out.")
        return Path(into)
    if resume is not None:
        return Path(resume)
    return None if into is None else Path(into).with_name(Path(into).name + ".parts")
