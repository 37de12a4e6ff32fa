"""Simulating into a history file, against what DuckDB takes for the same rows from Arrow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

import wfsim as wf
from tests.benchmarks import Measured
from wfsim.history.history import open_history
from wfsim.history.sorting import ROW_GROUP

MODELS = Path(__file__).parents[2] / "models"
CASES = 50_000
TURNS = 7
USUAL = 1_000_000


def _by_turns(runs: Sequence[Callable[[], None]]) -> list[tuple[float, float]]:
    """Least seconds of wall and of processor time of each, in turns: whatever disturbs makes it more."""
    walls: list[list[float]] = [[] for _ in runs]
    processor: list[list[float]] = [[] for _ in runs]
    for _ in range(TURNS):
        for run, wall, cpu in zip(runs, walls, processor):
            begun, used = time.perf_counter(), time.process_time()
            run()
            wall.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - used)
    return [(min(wall), min(cpu)) for wall, cpu in zip(walls, processor)]


@cache
def _orders() -> tuple[wf.Workflow, wf.Scenario]:
    return wf.load(MODELS / "order_processing.yaml"), wf.load_scenario(MODELS / "order_processing.scenario.yaml")


def _simulate(path: Path) -> None:
    workflow, scenario = _orders()
    path.unlink(missing_ok=True)
    wf.simulate(workflow, scenario, cases=CASES, engine="compiled", progress=False, into=path).close()


def _tables(path: Path) -> dict[str, pa.Table]:
    """What a history holds of its cases, each table in one chunk."""
    with open_history(path) as history:
        con = history.con
        return {
            name: con.sql(f"FROM {name}").to_arrow_table().combine_chunks()
            for name in ("records", "stay_rows", "attempt_rows", "cases", "variants_seen")
        }


def _insert(tables: dict[str, pa.Table], path: Path) -> None:
    """All of it into a new file, as DuckDB does it by itself."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as con:
        for name, table in tables.items():
            con.register("arrow_table", table)
            con.execute(f"CREATE TABLE {name} AS FROM arrow_table")
            con.unregister("arrow_table")
        con.execute("CHECKPOINT")


def _in_batches(tables: dict[str, pa.Table], rows: int) -> dict[str, pa.Table]:
    return {name: pa.Table.from_batches(table.to_batches(rows), table.schema) for name, table in tables.items()}


def measure() -> list[Measured]:
    """Rows a second into a file, and how many times as long as DuckDB alone that takes."""
    with tempfile.TemporaryDirectory() as folder:
        made, inserted = Path(folder) / "made.duckdb", Path(folder) / "inserted.duckdb"
        _simulate(made)
        tables = _tables(made)
        rows, size = len(tables["records"]), made.stat().st_size
        usual, best = _in_batches(tables, USUAL), _in_batches(tables, ROW_GROUP)
        runs: tuple[Callable[[], None], ...] = (
            lambda: _simulate(made),
            lambda: _insert(usual, inserted),
            lambda: _insert(best, inserted),
        )
        ours, alone, groups = _by_turns(runs)
    return [
        Measured("wf.simulate(into=…), wall", rows / ours[0], "rows/s", f"{CASES:,} orders, {rows:,} rows"),
        Measured("wf.simulate(into=…), processor", rows / ours[1], "rows/s"),
        Measured("DuckDB from Arrow, wall", rows / alone[0], "rows/s", f"as it gives them, {USUAL:,} rows a batch"),
        Measured("DuckDB from Arrow, processor", rows / alone[1], "rows/s"),
        Measured("wf.simulate / DuckDB, wall", ours[0] / alone[0], "times", f"least of {TURNS} turns each"),
        Measured("wf.simulate / DuckDB, processor", ours[1] / alone[1], "times"),
        Measured("… from batches of a row group, wall", ours[0] / groups[0], "times", "which suit it best"),
        Measured("… from batches of a row group, processor", ours[1] / groups[1], "times"),
        Measured("bytes a row", size / rows, "bytes"),
    ]


if __name__ == "__main__":
    from tests.benchmarks import show

    show("history", measure())
