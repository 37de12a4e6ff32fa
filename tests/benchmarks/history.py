"""Simulating into a history file, against what DuckDB takes for the same rows from Arrow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

import wfsim as wf
from tests.benchmarks import Measured
from wfsim.history import schema
from wfsim.history.history import open_history

MODELS = Path(__file__).parents[2] / "models"
CASES = 50_000
RUNS = 3


def _least(run: Callable[[], None]) -> tuple[float, float]:
    """Least seconds of wall and of processor time, of several runs: whatever disturbs makes it more."""
    walls, processor = [], []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    return min(walls), min(processor)


def _simulate(path: Path) -> None:
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    wf.simulate(workflow, scenario, cases=CASES, engine="compiled", progress=False, into=path).close()


def _tables(path: Path) -> dict[str, pa.Table]:
    """What a history holds of its cases."""
    with open_history(path) as history:
        con = history.con
        return {
            name: con.sql(f"FROM {name}").to_arrow_table()
            for name in ("records", "stay_rows", "attempt_rows", "cases", "variants_seen")
        }


def _insert(tables: dict[str, pa.Table], path: Path) -> None:
    """All of it into a new file."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as con:
        con.execute(schema.TABLES + schema.SIDE_TABLES)
        for name, table in tables.items():
            con.register("arrow_table", table)
            con.execute(f"INSERT INTO {name} FROM arrow_table")
            con.unregister("arrow_table")
        con.execute("CHECKPOINT")


def measure() -> list[Measured]:
    """Rows a second into a file, and how many times as long as DuckDB alone that takes."""
    with tempfile.TemporaryDirectory() as folder:
        made, inserted = Path(folder) / "made.duckdb", Path(folder) / "inserted.duckdb"
        _simulate(made)
        ours = _least(lambda: _simulate(made))
        tables = _tables(made)
        floor = _least(lambda: _insert(tables, inserted))
        rows = len(tables["records"])
        sizes = [path.stat().st_size / rows for path in (made, inserted)]
    return [
        Measured("wf.simulate(into=…), wall", rows / ours[0], "rows/s", f"{CASES:,} orders, {rows:,} rows"),
        Measured("wf.simulate(into=…), processor", rows / ours[1], "rows/s"),
        Measured("DuckDB from Arrow, wall", rows / floor[0], "rows/s", "the same tables into a new file"),
        Measured("DuckDB from Arrow, processor", rows / floor[1], "rows/s"),
        Measured("wf.simulate / DuckDB, wall", ours[0] / floor[0], "times", "least of three each"),
        Measured("wf.simulate / DuckDB, processor", ours[1] / floor[1], "times"),
        Measured("bytes a row", sizes[0], "bytes", f"{sizes[1]:.1f} as DuckDB alone writes it"),
    ]


if __name__ == "__main__":
    from tests.benchmarks import show

    show("history", measure())
