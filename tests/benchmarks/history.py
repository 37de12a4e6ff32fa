"""Simulating into a history file, against what DuckDB takes for the same rows from Arrow.

Each in a process of its own, as who simulates has no tables in memory beside, by turns. A shared machine may be twice
as slow in one minute as in the next: ratios are those of turns beside each other, of which the median is told.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa

import wfsim as wf
from tests.benchmarks import Measured
from wfsim.history.history import open_history
from wfsim.history.sorting import ROW_GROUP

ROOT = Path(__file__).parents[2]
CASES = 50_000
TURNS = 31
BATCHES = {"usual": 1_000_000, "groups": ROW_GROUP}
"""Rows of a batch that DuckDB is given: as many as it gives itself, and as suit it best."""


def _simulating(path: Path) -> Callable[[], None]:
    workflow = wf.load(ROOT / "models" / "order_processing.yaml")
    scenario = wf.load_scenario(ROOT / "models" / "order_processing.scenario.yaml")

    def simulate() -> None:
        path.unlink(missing_ok=True)
        wf.simulate(workflow, scenario, cases=CASES, engine="compiled", progress=False, into=path).close()

    return simulate


def _inserting(made: Path, path: Path, rows: int) -> Callable[[], None]:
    """All that a history holds of its cases into a new file, as DuckDB does it by itself."""
    with open_history(made) as history:
        tables = {
            name: pa.Table.from_batches(
                history.con.sql(f"FROM {name}").to_arrow_table().combine_chunks().to_batches(rows)
            )
            for name in ("records", "stay_rows", "attempt_rows", "cases", "variants_seen")
        }

    def insert() -> None:
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as con:
            for name, table in tables.items():
                con.register("arrow_table", table)
                con.execute(f"CREATE TABLE {name} AS FROM arrow_table")
                con.unregister("arrow_table")
            con.execute("CHECKPOINT")

    return insert


def main(role: str, made: Path) -> None:
    """One side: for each line on stdin a turn, and an answer of its seconds of wall and of processor time."""
    path = made.with_name(f"{role}.duckdb")
    work = _simulating(path) if role == "ours" else _inserting(made, path, BATCHES[role])
    work()
    print("ready", flush=True)
    for _ in sys.stdin:
        begun, used = time.perf_counter(), time.process_time()
        work()
        print(time.perf_counter() - begun, time.process_time() - used, flush=True)


class _Side:
    def __init__(self, role: str, made: Path, inside: ExitStack) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.history", role, str(made)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = inside.enter_context(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        inside.callback(self._process.kill)
        self._said()

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The process that measures ended: see above.")
        return line

    def turn(self) -> tuple[float, float]:
        """Seconds of wall, and of processor time."""
        assert self._process.stdin is not None
        self._process.stdin.write("now\n")
        self._process.stdin.flush()
        wall, processor = map(float, self._said().split())
        return wall, processor


def measure() -> list[Measured]:
    """Rows a second into a file, and how many times as long as DuckDB alone that takes."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as inside:
        made = Path(folder) / "made.duckdb"
        _simulating(made)()
        size = made.stat().st_size
        with open_history(made) as history:
            ((rows,),) = history.con.sql("SELECT count(*) FROM records").fetchall()
        sides = {role: _Side(role, made, inside) for role in ("ours", *BATCHES)}
        taken: dict[str, list[tuple[float, float]]] = {role: [] for role in sides}
        for turn in range(TURNS):
            order = [*sides]
            for role in order[turn % 3 :] + order[: turn % 3]:
                taken[role].append(sides[role].turn())

    def speed(role: str, which: int) -> float:
        return float(rows / statistics.median(each[which] for each in taken[role]))

    def ratio(role: str, which: int, what: str, note: str = "") -> Measured:
        found = sorted(ours[which] / alone[which] for ours, alone in zip(taken["ours"], taken[role]))
        spread = (
            f"{found[len(found) // 4]:.2f} to {found[-1 - len(found) // 4]:.2f} in the middle half of {TURNS} turns"
        )
        return Measured(what, statistics.median(found), "times", f"{note}{spread}")

    batches = f"as it gives them, {BATCHES['usual']:,} rows a batch"
    best = "which suit it best; "
    return [
        Measured("wf.simulate(into=…), wall", speed("ours", 0), "rows/s", f"{CASES:,} orders, {rows:,} rows"),
        Measured("wf.simulate(into=…), processor", speed("ours", 1), "rows/s"),
        Measured("DuckDB from Arrow, wall", speed("usual", 0), "rows/s", batches),
        Measured("DuckDB from Arrow, processor", speed("usual", 1), "rows/s"),
        ratio("usual", 0, "wf.simulate / DuckDB, wall"),
        ratio("usual", 1, "wf.simulate / DuckDB, processor"),
        ratio("groups", 0, "… from batches of a row group, wall", best),
        ratio("groups", 1, "… from batches of a row group, processor", best),
        Measured("bytes a row", size / rows, "bytes"),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1], Path(sys.argv[2]))
    else:
        from tests.benchmarks import show

        show("history", measure())
