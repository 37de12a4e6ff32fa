"""Most memory of a process that simulates ten million records into a file, and of one that asks it everything."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import Measured
from tests.benchmarks.views import CASES, MODELS, VIEWS

_PEAK = """
with open("/proc/self/status") as status:
    print(*(line.split()[1] for line in status if line.startswith("VmHWM")))
"""
_LOADED = "import wfsim as wf, numpy, numba, duckdb, pyarrow"
_SIMULATED = """
import wfsim as wf
workflow, scenario = wf.load({models} + ".yaml"), wf.load_scenario({models} + ".scenario.yaml")
wf.simulate(workflow, scenario, cases={cases}, progress=False, into={path}).close()
"""
_ASKED = """
import wfsim as wf
with wf.open_history({path}) as history:
    for view in {views}:
        history.con.sql("FROM " + view).to_arrow_table()
"""


def _peak(program: str) -> float:
    """Bytes that a process of its own holds at most."""
    done = subprocess.run([sys.executable, "-c", program + "\n" + _PEAK], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) * 1024


def measure() -> list[Measured]:
    """MB of resident memory at its peak."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.duckdb"
        names = {
            "models": repr(str(MODELS / "order_processing")),
            "path": repr(str(path)),
            "cases": CASES,
            "views": VIEWS,
        }
        parts = (
            ("Python with its libraries", _LOADED, ""),
            ("wf.simulate(into=…)", _SIMULATED.format(**names), f"{CASES:,} orders"),
            ("all views, one after another", _ASKED.format(**names), f"{len(VIEWS)} views; DuckDB may take 2 GiB"),
        )
        return [Measured(what, _peak(program) / 1e6, "MB", note) for what, program, note in parts]
