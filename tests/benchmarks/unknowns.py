"""How many of the built-in questions stay open, of random workflows that compute with what comes from outside."""

from __future__ import annotations

from collections import Counter

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds
from tests.data_workflows import counted_lists, data_workflow, listed

WORKFLOWS, LISTED = 40, 15
GENERATORS = {"lists": listed, "items": counted_lists}
MAX_STATES = 2_000
MAX_SECONDS = 5.0
NEVER = wf.Property("never", "context.n > 2 and context.total < 0")


def measure() -> list[Measured]:
    """The share of `unknown` among the verdicts, for each question and of all; then where lists are gone through, and
    where it is asked what is in them.
    """
    found: Counter[tuple[str, str]] = Counter()
    of_lists: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in GENERATORS}

    def ask() -> None:
        for number in range(WORKFLOWS):
            workflow = data_workflow(number)
            report = wf.verify(workflow, max_states=MAX_STATES, max_seconds=MAX_SECONDS)
            report += wf.verify(workflow, [NEVER], max_states=MAX_STATES, max_seconds=MAX_SECONDS)
            found.update((verdict.property.split(" ")[0], str(verdict.status)) for verdict in report)
        for name, make in GENERATORS.items():
            for number in range(LISTED):
                report = wf.verify(make(number), max_states=MAX_STATES, max_seconds=MAX_SECONDS)
                of_lists[name].update((verdict.property.split(" ")[0], str(verdict.status)) for verdict in report)

    seconds = cpu_seconds(ask)
    lines = _shares(found)
    for name, counts in of_lists.items():
        lines += _shares(counts, f"{name}: ")
    return [*lines, Measured(f"{WORKFLOWS + LISTED * len(GENERATORS)} workflows", seconds, "s")]


def _shares(found: Counter[tuple[str, str]], before: str = "") -> list[Measured]:
    lines = []
    for name in [*dict.fromkeys(name for name, _ in found), "all"]:
        counts: Counter[str] = Counter()
        for (asked, status), n in found.items():
            if name in (asked, "all"):
                counts[status] += n
        told = ", ".join(f"{n} {each}" for each, n in sorted(counts.items()))
        lines.append(Measured(f"{before}{name}", 100 * counts["unknown"] / counts.total(), "% open", told))
    return lines
