"""Units of work: one replication at one point, run wherever there is a worker, with all that it needs in itself."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wfsim.errors import HistoryError, SimulationError
from wfsim.history.history import History
from wfsim.history.runs import workflow_of
from wfsim.history.simulate import origin_of, run_replication
from wfsim.history.summing import summary_of
from wfsim.history.writer import HistoryWriter, Log
from wfsim.model.catalogue import Catalogue
from wfsim.model.supplying import Supplied
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

Form = Literal["history", "parquet", "measures"]
"""What is kept of a unit: its history, its rows as Parquet, or nothing but its measures."""
TABLES = {"records": "FROM history", "cases": "FROM durations"}
"""The tables of a Parquet data set, and the views that they hold."""
_BATCH = 100_000


VERSION = version("wfsim")


class Stopped(Exception):
    """A unit was told to stop before its end; nothing is left of it."""


@dataclass(frozen=True)
class Unit:
    """One replication at one point, in plain data that goes to another process or machine.

    Attributes
    ----------
    point, replication
        Both from 0.
    values
        Of the point, for readers.
    workflows
        Definitions as JSON: the root, then all that it starts.
    scenario
        As JSON.
    engine, log, form
        How it is run, and what is kept.
    level
        Of the intervals of its measures, which count where it is the only replication.
    version
        Of wfsim; a worker with another one refuses.
    functions
        Functions in Python that the workflows call (M14); processes get them by pickling.
    """

    point: int
    replication: int
    values: str
    workflows: tuple[str, ...]
    scenario: str
    engine: str
    log: Log
    form: Form
    level: float = 0.95
    version: str = VERSION
    functions: tuple[Supplied, ...] = ()

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.point}-{self.replication}"

    def files(self) -> list[str]:
        """What it leaves in the folder, the proof that it is finished last."""
        kept = {
            "history": [f"histories/{self.name}.duckdb"],
            "parquet": [f"{table}/point={self.point}/replication={self.replication}/0.parquet" for table in TABLES],
            "measures": [],
        }
        return [*kept[self.form], f"measures/{self.name}.json"]


def run_unit(unit: Unit, folder: Path, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Run it, and leave its files in a folder.

    Raises
    ------
    Stopped
        If it is told to stop.
    SimulationError
        If this process has another version of wfsim.
    HistoryError
        If its files cannot be written.
    """
    if unit.version != VERSION:
        raise SimulationError(
            f"the sweep is made with wfsim {unit.version}, this worker has {VERSION}: they may draw differently. "
            "Install the same version on both sides."
        )
    workflows = [workflow_of(each, unit.functions) for each in unit.workflows]
    program = compile_workflow(workflows[0], Catalogue(workflows))
    plan = Scenario.model_validate(json.loads(unit.scenario))
    params = {"point": unit.point, "values": json.loads(unit.values)}
    origin = origin_of(plan, unit.replication, unit.engine, params)

    def told(done: float) -> None:
        if is_stopped():
            raise Stopped

    *tables, proof = unit.files()
    into = folder / tables[0] if unit.form == "history" else None
    try:
        for file in unit.files():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if into is not None:
            # What is left of an attempt whose disk was full.
            for end in ("", ".wal"):
                into.with_name(into.name + end).unlink(missing_ok=True)
        with HistoryWriter(into, program, origin=origin, log=unit.log) as writer:
            summary = run_replication(unit.engine, program, plan, unit.replication, writer, told)
            history = writer.finish(notes=summary.notes, complete=summary.complete)
        with history:
            if unit.form == "parquet":
                for table, query in zip(tables, TABLES.values()):
                    _write_parquet(history, query, folder / table)
            _write_whole(folder / proof, json.dumps(_told(history, unit.level)).encode())
    except OSError as error:
        raise HistoryError(
            f"{error.filename or folder}: cannot be written: {error.strerror or error}. If the disk is full, free some "
            "of it, or take another one."
        ) from None


def run_away(unit: Unit) -> dict[str, bytes]:
    """Run it where the folder of the sweep cannot be reached: its files by their names, with what is in them."""
    with tempfile.TemporaryDirectory(prefix="wfsim-") as name:
        run_unit(unit, Path(name))
        return {file: (Path(name) / file).read_bytes() for file in unit.files()}


def keep(unit: Unit, files: dict[str, bytes], folder: Path) -> None:
    """Leave the files of a unit that ran elsewhere in the folder of the sweep.

    Raises
    ------
    HistoryError
        If they cannot be written.
    """
    try:
        for file in unit.files():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            _write_whole(folder / file, files[file])
    except OSError as error:
        raise HistoryError(f"{error.filename or folder}: cannot be written: {error.strerror or error}.") from None


def told_of(unit: Unit, folder: Path) -> dict[str, Any]:
    """The measures of a finished unit, and what must be said of it."""
    found: dict[str, Any] = json.loads((folder / unit.files()[-1]).read_text(encoding="utf-8"))
    return found


def _told(history: History, level: float) -> dict[str, Any]:
    """The measures of its run, and what must be said of it."""
    # A state in which no time passes in one replication may take time in another.
    summary = summary_of(history, None, level, idle=True)
    measures = [
        {"key": one.key, "group": one.group, "label": one.label, "unit": one.unit}
        | {name: getattr(one.estimate, name) for name in ("value", "low", "high", "n", "method", "note")}
        for one in summary.measures
    ]
    return {"measures": measures, "notes": history.notes, "complete": history.complete, "records": len(history)}


def _write_whole(path: Path, content: bytes) -> None:
    """A file that is there as a whole or not at all."""
    passing = _passing(path)
    try:
        passing.write_bytes(content)
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)


def _write_parquet(history: History, query: str, path: Path) -> None:
    import pyarrow.parquet as parquet

    passing = _passing(path)
    reader = history.con.sql(query).to_arrow_reader(_BATCH)
    try:
        with parquet.ParquetWriter(passing, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)


def _passing(path: Path) -> Path:
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
