"""A monitor's numbers as Prometheus reads them, and rules that alert on them.

References
----------
Prometheus, exposition formats (text format 0.0.4), https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from wfsim.errors import DefinitionError, OptionError
from wfsim.model.duration import Duration

if TYPE_CHECKING:
    from wfsim.model.workflow import Workflow

    from .watched_cases import WatchedCases

Row = tuple[str, int, int, int, int, str | None]


def exposition(workflow: Workflow, rows: Sequence[Row], cases: WatchedCases, looked_at: float) -> str:
    """All metrics, each with its help and type."""
    own = {"workflow": workflow.name}
    by = [own | {"property": row[0]} for row in rows]
    due = [(labels, _seconds(row[5])) for labels, row in zip(by, rows) if row[5] is not None]
    parts = [
        _metric("violations_total", "counter", "Cases that broke a property.", zip(by, (row[2] for row in rows))),
        _metric("errors_total", "counter", "Cases of which a claim had no value.", zip(by, (row[3] for row in rows))),
        _metric("owed_cases", "gauge", "Open cases of which something is owed.", zip(by, (row[4] for row in rows))),
        _metric("next_due_timestamp_seconds", "gauge", "When the first of what is owed is due.", due),
        _metric("watched_cases_total", "counter", "Cases that were watched.", [(own, cases.n_seen)]),
        _metric("open_cases", "gauge", "Cases that are open.", [(own, len(cases.open))]),
        _metric("last_look_timestamp_seconds", "gauge", "When the monitor looked last.", [(own, looked_at)]),
    ]
    return "".join(parts)


def _metric(name: str, kind: str, says: str, samples: Iterable[tuple[dict[str, str], float]]) -> str:
    lines = [f"# HELP wfsim_{name} {says}", f"# TYPE wfsim_{name} {kind}"]
    for labels, value in samples:
        told = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
        lines.append(f"wfsim_{name}{{{told}}} {value}")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def rules(workflow: Workflow, stale: str) -> str:
    """A group of alerting rules, as YAML."""
    try:
        seconds = int(Duration.of(stale)) // 1_000_000
    except DefinitionError as error:
        raise OptionError(f"stale={stale!r}: {error}") from None
    if seconds < 1:
        raise OptionError(f"stale={stale!r}: give a second at least.")
    own = f'{{workflow="{_label(workflow.name)}"}}'
    wanted = (
        (
            "WorkflowPropertyViolated",
            # A counter that begins above 0 has no increase.
            f"increase(wfsim_violations_total{own}[5m]) > 0 or (wfsim_violations_total{own} > 0 "
            f"unless wfsim_violations_total{own} offset 5m)",
            "A case of {{ $labels.workflow }} broke {{ $labels.property }}",
        ),
        (
            "WorkflowPropertyWithoutValue",
            f"increase(wfsim_errors_total{own}[5m]) > 0 or (wfsim_errors_total{own} > 0 "
            f"unless wfsim_errors_total{own} offset 5m)",
            "A claim of {{ $labels.property }} had no value in a case of {{ $labels.workflow }}",
        ),
        (
            "WorkflowPropertyDueSoon",
            f"wfsim_next_due_timestamp_seconds{own} - time() < {seconds}",
            "{{ $labels.property }} of a case of {{ $labels.workflow }} is due soon",
        ),
        (
            "WorkflowMonitorStale",
            f"time() - wfsim_last_look_timestamp_seconds{own} > {seconds} "
            f"or absent(wfsim_last_look_timestamp_seconds{own})",
            "Nobody watches {{ $labels.workflow }}",
        ),
    )
    lines = ["groups:", f"- name: {json.dumps(f'wfsim {workflow.name}')}", "  rules:"]
    for name, expression, summary in wanted:
        lines += [
            f"  - alert: {name}",
            f"    expr: {json.dumps(expression)}",
            "    annotations:",
            f"      summary: {json.dumps(summary)}",
        ]
    return "\n".join(lines) + "\n"
