"""Soundness of sixty parallel branches, by reduction: the first verdict of a fresh process, after import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks import Measured, median

ROOT = Path(__file__).parents[2]
RUNS = 5
FORMS = [("plain",), ("loop",), ("nested",), ("contest",), ("plain", "loop", "nested", "contest")]
FIRST = """
import time
from tests.nets import parallel
from wfsim.verification.nets.soundness import soundness
net = parallel(60, *{forms!r}, broken={broken!r})
start = time.perf_counter()
verdict = soundness(net)
print(time.perf_counter() - start)
assert str(verdict.status) == {expected!r}, verdict
"""


def _first(forms: tuple[str, ...], broken: int | None) -> float:
    code = FIRST.format(forms=forms, broken=broken, expected="holds" if broken is None else "violated")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure() -> list[Measured]:
    """Medians in milliseconds, for each form sound and with one branch broken."""
    return [
        Measured(
            f"{', '.join(forms)}{'' if broken is None else ', one broken'}",
            1_000 * median(RUNS, lambda f=forms, b=broken: _first(f, b)),  # type: ignore[misc]
            "ms",
        )
        for forms in FORMS
        for broken in (None, 17)
    ]
