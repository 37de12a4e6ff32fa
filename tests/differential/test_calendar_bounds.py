"""The compiled calendar once more from the same source, with its rows as arrays whose bounds are checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("test_compiled_calendar.py", "test_compiled_letters.py", "test_compiled_arrivals.py")


@pytest.mark.long
def test_with_bounds_checked_nothing_is_out_of_bounds(tmp_path: Path) -> None:
    """All tests of these files that take little time; compiling takes most of it."""
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "WFSIM_CACHE": str(tmp_path)}
    env.pop("PYTEST_XDIST_WORKER", None)
    files = [f"tests/differential/{name}" for name in FILES]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-m",
        "not long and not ci",
        *files,
    ]
    run = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-5_000:] + run.stderr[-2_000:]
