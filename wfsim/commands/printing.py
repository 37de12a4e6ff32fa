"""Findings, verdicts and tables as a terminal shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wfsim.errors import listed, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.model.lint import Finding, Findings
    from wfsim.verification.verdict import Verdict
    from wfsim.verification.workflows.conditions.findings import Conditions

_SEVERITY = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_STATUS = {"holds": "green", "violated": "bold red", "unknown": "yellow", "error": "magenta"}
_VALUES = re.compile(r"\((?!\))")
_MARK = {"holds": "✓", "violated": "✗", "unknown": "?", "error": "!"}


def show_conditions(out: Console, found: Conditions) -> None:
    """A line of counts, then a block for each finding about conditions, with an example of values."""
    out.print(Text(f"Conditions of {found.head()}."), soft_wrap=True)
    for each in found:
        doubt = "" if each.status.value == "violated" else "unknown "
        where = "" if each.file is None else f"{visible(each.file)}:{each.line}  "
        line = Text("  ").append(where, style="bold").append(f"{doubt}{each.kind}", style="yellow")
        out.print(line, soft_wrap=True)
        indented(out, Text(f"{each.place}: {each.told}"), 4)


def show_findings(out: Console, findings: Findings, *, short: bool = False) -> None:
    """A block per finding; `short` leaves the advice out and puts equal codes together."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code if short else str(len(groups)), []).append(finding)
    for group in groups.values():
        first = group[0]
        head = Text()
        if first.file is not None and not short:
            head.append(f"{visible(first.file)}:{first.line}", style="bold").append("  ")
        head.append(str(first.severity), style=_SEVERITY[str(first.severity)]).append(f"  {first.code}")
        if short and first.line is not None:
            head.append(f"  line{'s' if len(group) > 1 else ''} {listed((str(each.line) for each in group), 4)}")
        # A line of its own that is never broken: people and editors go to it.
        out.print(head, highlight=False, soft_wrap=True)
        what = Text(f"{first.place}: {first.message}")
        if short and len(what) > 160:
            what = Text(what.plain[:160].rsplit(" ", 1)[0] + " …")
        if short and len(group) > 1:
            what.append(f" (and {len(group) - 1} more like it)", style="dim")
        indented(out, what, 4)
        if not short:
            indented(out, Text(first.advice, style="dim"), 4)
            if first.way:
                indented(out, Text(f"Way: {'; '.join(first.way)}.", style="dim"), 4)
    n = {kind: sum(str(f.severity) == kind for f in findings) for kind in _SEVERITY}
    told = ", ".join(f"{count} {kind}{'s' if count != 1 and kind != 'info' else ''}" for kind, count in n.items())
    out.print("Nothing found." if not findings else f"{told}. Explained in docs/lint.md.", highlight=False)


def indented(out: Console, text: Text, left: int) -> None:
    """Wrapped text of which every line is indented."""
    for line in text.wrap(out, max(out.width - left, 20)):
        line.rstrip()
        out.print(Text(" " * left) + line, highlight=False, soft_wrap=True)


def show_verdict(out: Console, asked: str, verdict: Verdict, expected: str, traces: bool) -> None:
    """A verdict beside what was expected of it, with why, and the traces of all its violations."""
    status = verdict.status.value
    line = Text(f"{_MARK[status]} {status:<9}", style=_STATUS[status])
    line.append(asked, style="bold default")
    if status == expected and status != "holds":
        line.append("  as expected", style="dim")
    elif status != expected and expected != "holds":
        line.append(f"  expected: {expected}", style="bold red")
    out.print(line, soft_wrap=True)
    indented(out, Text(verdict.reason), 4)
    for each in (verdict, *verdict.further):
        if each is not verdict:
            indented(out, Text("Also: " + each.reason), 4)
        if traces:
            show_trace(out, each)


def show_trace(out: Console, verdict: Verdict) -> None:
    """The steps of a witness, a line for each; of a long one the first and the last."""
    from wfsim.exploration.witness import left_out

    if verdict.witness is None:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    first, n, last = verdict.witness.excerpt()
    for number, step in first + last:
        if n and last and number == last[0][0]:
            table.add_row("", Text(left_out(n), style="dim"), "")
        after = ", ".join(f"{key}: {value}" for key, value in step.after.items())
        table.add_row(
            Text(f"{number:>6}.", style="dim"),
            # So that a line can end before the values, and none of them is broken.
            Text(_VALUES.sub(" (", step.action, count=1), overflow="fold"),
            Text(after, style="dim", overflow="fold"),
        )
    out.print(table)


def show_table(out: Console, title: str, rows: Sequence[Sequence[str]], heads: Sequence[tuple[str, bool]]) -> None:
    """A table of text; `heads` are the columns, and whether they hold numbers, which stand to the right.

    No word is broken. Columns for which there is no room then come below, beside the first one again.
    """
    names = [name.replace("_", " ") for name, _ in heads]
    least = [
        max(
            *(len(word) for word in (*name.split(), "")),
            # A number stays beside its unit.
            *(len(word) for row in rows for word in ([row[k]] if number else row[k].split())),
        )
        for k, (name, (_, number)) in enumerate(zip(names, heads))
    ]
    parts: list[list[int]] = []
    for k in range(1, len(names)):
        # A column has a space on both sides, and one between it and the next.
        if not parts or sum(least[j] + 3 for j in (*parts[-1], k)) > out.width - 1:
            parts.append([0])
        parts[-1].append(k)
    for part in parts or [[0]]:
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        for k in part:
            width = min(least[k], max(out.width // 2, 10))
            table.add_column(
                Text(names[k]), justify="right" if heads[k][1] else "left", min_width=width, overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(row[k]) for k in part))
        out.print(table)
        title = f"{title.removesuffix(', continued')}, continued"
