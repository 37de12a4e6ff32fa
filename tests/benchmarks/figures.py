"""What figures, the report and a monitor cost on a large history, in one run."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds

MODELS = Path(__file__).parents[2] / "models"
CASES = 300_000
WATCHED = 2_000
FIGURES = (
    *("variants", "dotted_chart", "performance_spectrum", "throughput_times", "waiting_and_service"),
    *("occupancy", "arrivals_and_completions", "pool_utilisation"),
)


def measure() -> list[Measured]:
    """Processor and wall time of each figure and of the page, and of a monitor's first look by record."""
    workflow = wf.load(MODELS / "order_processing.yaml")
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.duckdb"
        with wf.simulate(workflow, scenario, cases=CASES, progress=False, into=path) as history:
            told = f"{len(history):,} records"
            # Plotly is loaded with the first.
            wf.figures.case_gantt(history, 1)
            for name in FIGURES:
                draw = getattr(wf.figures, name)
                wall = time.perf_counter()
                cpu = cpu_seconds(lambda draw=draw: draw(history))
                wall = time.perf_counter() - wall
                found.append(Measured(name, cpu, "s of processor time", f"{wall:.2f} s, {told}"))
            wall = time.perf_counter()
            cpu = cpu_seconds(lambda: history.summary())
            found.append(Measured("summary", cpu, "s of processor time", f"{time.perf_counter() - wall:.1f} s"))
            wall = time.perf_counter()
            cpu = cpu_seconds(lambda: wf.write_report(history, Path(folder) / "report.html"))
            found.append(Measured("write_report", cpu, "s of processor time", f"{time.perf_counter() - wall:.1f} s"))
        with wf.simulate(workflow, scenario, cases=WATCHED, progress=False) as history:
            monitor = wf.monitor(history, workflow, MODELS.parent / "verification" / "order_processing.yaml")
            cpu = cpu_seconds(monitor.look)
            found.append(Measured("monitor, a record", cpu / len(history) * 1e6, "µs", f"{len(history):,} records"))
            cpu = cpu_seconds(lambda: sum(1 for _ in history.follow()))
            found.append(Measured("follow, a row", cpu / len(history) * 1e6, "µs"))
            cpu = cpu_seconds(lambda: history.to_parquet(Path(folder) / "parquet"))
            found.append(Measured("a snapshot, a record", cpu / len(history) * 1e6, "µs"))
    return found


if __name__ == "__main__":
    from tests.benchmarks import show

    show("figures", measure())
