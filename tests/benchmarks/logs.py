"""Event logs: how many events a second are read, imported and written, against pm4py where it is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds
from wfsim.history.importing.xes import XesLog, events_of

MODELS = Path(__file__).parents[2] / "models"
CASES = 30_000
KEYS = {"concept:name": "activity", "time:timestamp": "time", "org:resource": "resource"}


def measure() -> list[Measured]:
    """Events a second of processor time, of the orders' way through their states."""
    with tempfile.TemporaryDirectory() as folder:
        xes, csv = Path(folder) / "log.xes.gz", Path(folder) / "log.csv"
        with wf.simulate(wf.load(MODELS / "order_processing.yaml"), cases=CASES, seed=1) as history:
            log = history.log()
            n = len(log)
            written = cpu_seconds(lambda: log.to_xes(xes))
            log.to_csv(csv)
        read = cpu_seconds(lambda: list(events_of(xes, KEYS, XesLog())))
        imported = cpu_seconds(lambda: wf.read_log(xes).close())
        table = cpu_seconds(lambda: wf.read_log(csv).close())
        found = [
            Measured("XES, read", n / read, "events/s"),
            Measured("XES, imported", n / imported, "events/s"),
            Measured("XES, written", n / written, "events/s"),
            Measured("CSV, imported", n / table, "events/s"),
        ]
        try:
            import pm4py
        except ImportError:
            return found
        theirs = cpu_seconds(lambda: pm4py.read_xes(str(xes)))
        return [*found, Measured("XES, pm4py's time over ours", theirs / imported, "times")]
