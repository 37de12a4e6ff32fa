"""How many of the built-in questions stay open, of random workflows that compute with what comes from outside."""

from __future__ import annotations

from collections import Counter

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds
from tests.data_workflows import data_workflow

WORKFLOWS = 40
MAX_STATES = 2_000
MAX_SECONDS = 5.0
NEVER = wf.Property("never", "context.n > 2 and context.total < 0")


def measure() -> list[Measured]:
    """The share of `unknown` among the verdicts, for each question and of all."""
    found: Counter[tuple[str, str]] = Counter()

    def ask() -> None:
        for number in range(WORKFLOWS):
            workflow = data_workflow(number)
            report = wf.verify(workflow, max_states=MAX_STATES, max_seconds=MAX_SECONDS)
            report += wf.verify(workflow, [NEVER], max_states=MAX_STATES, max_seconds=MAX_SECONDS)
            found.update((verdict.property.split(" ")[0], str(verdict.status)) for verdict in report)

    seconds = cpu_seconds(ask)
    questions = list(dict.fromkeys(name for name, _ in found))
    lines = []
    for name in [*questions, "all"]:
        counts: Counter[str] = Counter()
        for (asked, status), n in found.items():
            if name in (asked, "all"):
                counts[status] += n
        share = 100 * counts["unknown"] / counts.total()
        lines.append(Measured(name, share, "% open", ", ".join(f"{n} {each}" for each, n in sorted(counts.items()))))
    return [*lines, Measured(f"{WORKFLOWS} workflows", seconds, "s")]
