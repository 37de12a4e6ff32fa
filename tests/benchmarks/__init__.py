"""Benchmarks: medians of several runs, and ratios within one run, since machines differ.

`python -m tests.benchmarks` runs all, `python -m tests.benchmarks step` one. A module here is a benchmark if it has
a function `measure() -> list[Measured]`.
"""

from __future__ import annotations

import statistics
import textwrap
import time
from collections.abc import Callable
from typing import NamedTuple


class Measured(NamedTuple):
    """One line of the table."""

    what: str
    value: float
    unit: str
    note: str = ""


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time that the work takes, in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def median(runs: int, measure: Callable[[], float]) -> float:
    """The median of several measurements."""
    return statistics.median(measure() for _ in range(runs))


def show(title: str, lines: list[Measured]) -> None:
    """Print a table."""
    print(f"\n{title}")
    wide = max(len(line.what) for line in lines)
    for line in lines:
        number = f"{line.value:,.0f}" if line.value >= 1000 else f"{line.value:.3g}"
        notes = textwrap.wrap(line.note, 70) or [""]
        print(f"  {line.what:<{wide}}  {number:>10} {line.unit:<8} {notes[0]}".rstrip())
        for rest in notes[1:]:
            print(" " * (wide + 24) + rest)
