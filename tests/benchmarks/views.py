"""What questions to a large history cost, against one grouped scan of its records, in one run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median

if TYPE_CHECKING:
    import duckdb

MODELS = Path(__file__).parents[2] / "models"
CASES = 300_000
RUNS = 5
FLOOR = "SELECT kind, count(*) FROM records GROUP BY kind"
WEEK = [{"from": f"{day} 09:00", "until": f"{day} 17:00"} for day in ("Mon", "Tue", "Wed", "Thu", "Fri")]
VIEWS = (
    *("dfg", "variants", "hot_paths", "durations", "outcomes", "activity_stats", "retries", "timeouts", "bottlenecks"),
    *("occupancy(3600000000)", "pool_utilisation", "rework", "eventually_follows", "conformance", "trend(3600000000)"),
    *("pool_load(3600000000)", "sla(86400000000)", "sla(86400000000, 'payment_pending', 'shipped')"),
)


def _medians(con: duckdb.DuckDBPyConnection, query: str) -> tuple[float, float]:
    """Median seconds of processor and of wall time of a question, with its answer."""
    processor, walls = [], []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        con.sql(query).to_arrow_table()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    return statistics.median(processor), statistics.median(walls)


def measure() -> list[Measured]:
    """Processor time of each view over that of the scan, and wall times of what people wait for."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.duckdb"
        with wf.simulate(workflow, scenario, cases=CASES, progress=False, into=path) as history:
            con, rows = history.con, len(history)
            floor, wall = _medians(con, FLOOR)
            found = [
                Measured("one grouped scan", rows / floor / 1e6, "M rows/s", f"{rows:,} records, {wall * 1e3:.0f} ms"),
                Measured("bytes a record", path.stat().st_size / rows, "bytes"),
            ]
            for view in VIEWS:
                cpu, wall = _medians(con, f"FROM {view}")
                found.append(Measured(view, cpu / floor, "scans", f"{wall * 1e3:.0f} ms"))
            last = con.execute("SELECT max(horizon) FROM horizons").fetchall()[0][0]
            case = CASES // 2
            for name, query in (
                ("FROM history LIMIT 5", "FROM history LIMIT 5"),
                ("one case", f'FROM history WHERE run = 1 AND "case" = {case}'),
                ("active_at(t)", f"FROM active_at({last // 2})"),
                ("a page of active instances", f"FROM active_instances({last // 2}, 1, {case}, 50)"),
                ("stays", "FROM stays"),
                ("executions", "SELECT count(*) FROM executions WHERE output IS NOT NULL"),
                ("executions of a case", f'FROM executions WHERE run = 1 AND "case" = {case}'),
            ):
                cpu, wall = _medians(con, query)
                found.append(Measured(name, wall * 1e3, "ms", f"{cpu / floor:.1f} scans"))
            one = median(RUNS, lambda: cpu_seconds(lambda: history.case(case).records()))
            found.append(Measured("history.case(n).records()", one * 1e3, "ms", "processor time"))
            office = history.business_hours(WEEK, time_zone="Europe/Berlin")
            for view in ("durations", "dfg", "sla"):
                cpu, wall = _medians(office.con, f"FROM {view}")
                found.append(Measured(f"{view} in business hours", cpu / floor, "scans", f"{wall * 1e3:.0f} ms"))
    return found


if __name__ == "__main__":
    from tests.benchmarks import show

    show("views", measure())
