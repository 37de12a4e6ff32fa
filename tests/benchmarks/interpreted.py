"""The simulator in Python against that of before its calendar was compiled, by turns: how many times as fast it is.

1,000 cases each, of which all records are made and dropped. What is drawn has changed since, so the time of a record is
compared; there are as many but for a hundredth or so.
"""

from __future__ import annotations

import statistics

from tests.benchmarks import Measured, before

BEFORE = "1a1cd857"
"""The last commit before the issue that asked for twice as much."""
NAMES = ("order_processing", "release", "shipping")
"""Of others the meaning has changed since, by a few records at least."""
PROCESSES = 3


def measure() -> list[Measured]:
    """Times as fast as then, of processor time per model."""
    told = before.compared(BEFORE, "_python_turns.py", {"python": NAMES}, PROCESSES)
    return told if isinstance(told, list) else [_measured(name, found) for (_, name), found in told.items()]


def _measured(name: str, found: list[tuple[float, float]]) -> Measured:
    fast = sorted(1 / now for now, _ in found)
    again = sorted(1 / then for _, then in found)
    note = f"{fast[0]:.2f} to {fast[-1]:.2f}; then against itself {again[0]:.2f} to {again[-1]:.2f}"
    return Measured(name, statistics.median(fast), "times as fast", note)


if __name__ == "__main__":
    from tests.benchmarks import show

    show("interpreted", measure())
