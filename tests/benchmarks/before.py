"""The step at both speeds against that of an earlier commit, by turns: what the language has gained since, and costs.

`python -m tests.benchmarks.before [COMMIT]`. Both run the models of the earlier commit that both simulate to the same
number of records, each in a process of its own, one turn each and again. What a turn takes over the turn of the other
beside it is the ratio, since a shared machine is twice as slow in one minute as in the next; the table has its median.
What simulates has more to do with each case than it had, so the compiled step alone has lines of its own: the workflow
of the benchmark two_speeds, with a child, two levels of regions and retries.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import Measured

ROOT = Path(__file__).parents[2]
BEFORE_LANGUAGE_II = "89871998"
NAMES = ("order_processing", "incident_response", "release", "shipping", "subscription", "travel_booking")
TURNS = {"python": 15, "compiled": 31, "alone": 9}


class _Side:
    """The process of one tree."""

    def __init__(self, tree: Path, models: Path, cache: Path, inside: ExitStack) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree), "WFSIM_CACHE": str(cache)}
        command = [sys.executable, str(Path(__file__).parent / "_step_turns.py"), str(models), *NAMES]
        self._process = inside.enter_context(
            subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        )
        inside.callback(self._process.kill)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asks, self._says = self._process.stdin, self._process.stdout

    def wait(self) -> None:
        """Until everything is compiled."""
        while (line := self._says.readline()) and line != "ready\n":
            pass
        if not line:
            raise RuntimeError("The process that measures ended: see above.")

    def turn(self, speed: str, name: str) -> tuple[float, int]:
        """Microseconds and records of one run."""
        self._asks.write(f"{speed} {name}\n")
        self._asks.flush()
        taken, records = self._says.readline().split()
        return float(taken), int(records)


def measure(commit: str = BEFORE_LANGUAGE_II) -> list[Measured]:
    """Ratios of processor time per model and speed, now over then."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as inside:
        tree = Path(folder) / "before"
        add = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit]
        added = subprocess.run(add, capture_output=True, text=True, check=False)
        if added.returncode:
            return [Measured("not measured", math.nan, "", f"{commit} is not in this clone: {added.stderr.strip()}")]
        remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)]
        inside.callback(subprocess.run, remove, check=True)
        sides = [
            _Side(at, tree / "models", Path(folder) / cache, inside) for at, cache in ((tree, "old"), (ROOT, "new"))
        ]
        for side in sides:
            side.wait()
        compared = [_compared(speed, name, *sides) for speed in ("python", "compiled") for name in NAMES]
        return [*compared, _compared("alone", "two_speeds", *sides)]


def _compared(speed: str, name: str, then: _Side, now: _Side) -> Measured:
    ratios, pace = [], []
    for turn in range(TURNS[speed]):
        order = (then, now) if turn % 2 else (now, then)
        first, second = (side.turn(speed, name) for side in order)
        (old, rows), (new, rows_now) = (first, second) if turn % 2 else (second, first)
        assert rows_now == rows, f"{name}: {rows_now} records now, {rows} then."
        ratios.append(new / old)
        pace.append(new / rows)
    quarters = statistics.quantiles(ratios)
    note = f"{statistics.median(pace):.3g} µs a record now; quartiles {quarters[0]:.2f} to {quarters[2]:.2f}"
    what = "the compiled step alone" if speed == "alone" else f"{name}, {speed}"
    return Measured(what, statistics.median(ratios), "× then", note)


if __name__ == "__main__":
    from tests.benchmarks import show

    show("before", measure(*sys.argv[1:2]))
