"""The step at both speeds against that of an earlier commit, by turns: what the language has gained since, and costs.

`python -m tests.benchmarks.before [COMMIT]`. Both run the models of the earlier commit that both simulate to about as
many records, since other numbers may be drawn now: what is compared is the time of a record. Each runs in a process of
its own, one turn each and again. What a turn takes over the turn of the other
beside it is the ratio, since a shared machine is twice as slow in one minute as in the next. Where code and memory come
to lie makes a process up to a tenth quicker than the next one of the same tree: so there are several of each, whose
medians have a median, and the earlier tree runs against itself, too, which says what a difference has to be more than.

What simulates has more to do with each case than it had, so the compiled step alone has lines of its own: what came to
the instances of a simulation is put to it again, and one more workflow, that of the benchmark two_speeds.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import Measured

ROOT = Path(__file__).parents[2]
BEFORE_LANGUAGE_II = "89871998"
NAMES = ("order_processing", "incident_response", "release", "shipping", "subscription", "travel_booking")
ALONE = ("order_processing", "incident_response", "release", "shipping", "two_speeds")
"""Others ask their surroundings at one of the commits."""
PROCESSES = 5
ALIKE = 0.1
"""By so much of their records two runs may differ."""
TURNS = {"python": 3, "compiled": 5, "alone": 7}


class _Side:
    """The process of one tree."""

    def __init__(self, tree: Path, command: list[str], cache: Path, inside: ExitStack) -> None:
        environment = {**os.environ, "PYTHONPATH": str(tree), "WFSIM_CACHE": str(cache)}
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
    jobs = {"python": NAMES, "compiled": NAMES, "alone": ALONE}
    told = compared(commit, "_step_turns.py", jobs, PROCESSES)
    return told if isinstance(told, list) else [_measured(speed, name, each) for (speed, name), each in told.items()]


def compared(
    commit: str, script: str, jobs: Mapping[str, tuple[str, ...]], processes: int
) -> dict[tuple[str, str], list[tuple[float, float]]] | list[Measured]:
    """What a script beside this file says of the time now over that then, and of that over itself, by speed and model.

    `jobs` are the models by speed. If the commit is not there, that is what was measured.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as inside:
        tree = Path(folder) / "before"
        add = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit]
        added = subprocess.run(add, capture_output=True, text=True, check=False)
        if added.returncode:
            return [Measured("not measured", math.nan, "", f"{commit} is not in this clone: {added.stderr.strip()}")]
        remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)]
        inside.callback(subprocess.run, remove, check=True)
        # Then, now, and then again.
        trees = (tree, "old"), (ROOT, "new"), (tree, "old")
        names = dict.fromkeys(name for each in jobs.values() for name in each)
        command = [sys.executable, str(Path(__file__).parent / script), str(tree / "models")]
        command += [name for name in names if (tree / "models" / f"{name}.yaml").exists()]
        ratios: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(processes):
            with ExitStack() as running:
                sides = [_Side(at, command, Path(folder) / cache, running) for at, cache in trees]
                for side in sides:
                    side.wait()
                for speed, names_of_speed in jobs.items():
                    for name in names_of_speed:
                        ratios.setdefault((speed, name), []).append(_compared(speed, name, sides))
        return ratios


def _compared(speed: str, name: str, sides: list[_Side]) -> tuple[float, float]:
    """Medians of the time of a record now, and of that then, again, over that then."""
    found = []
    for turn in range(TURNS[speed]):
        taken = [(0.0, 0)] * len(sides)
        for k in range(len(sides)):
            place = (turn + k) % len(sides)
            taken[place] = sides[place].turn(speed, name)
        (then, records), (now, records_now), (again, _) = taken
        told = f"{name}, {speed}: {records_now} records now, {records} then."
        assert records > 0, told
        assert abs(records_now / records - 1) < ALIKE, told
        found.append((now / records_now / (then / records), again / then))
    now, again = (statistics.median(each) for each in zip(*found))
    return now, again


def _measured(speed: str, name: str, found: list[tuple[float, float]]) -> Measured:
    now, again = zip(*found)
    note = f"{min(now):.2f} to {max(now):.2f}; then against itself {min(again):.2f} to {max(again):.2f}"
    what = "the compiled step alone" if speed == "alone" else speed
    return Measured(f"{name}, {what}", statistics.median(now), "× then", note)


if __name__ == "__main__":
    from tests.benchmarks import show

    show("before", measure(*sys.argv[1:2]))
