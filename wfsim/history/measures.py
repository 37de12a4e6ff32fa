"""Measures: numbers with their intervals, and the tables that show them to people.

The HTML is plain tables without styles or scripts, which a notebook shows without trust.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from wfsim.errors import visible
from wfsim.model.duration import short_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wfsim.simulation.statistics import Estimate

    Head = Sequence[tuple[str, str]]
    Row = tuple[str, str, str, str, str]

TITLES = {
    "outcomes": "Outcomes",
    "sojourn": "From start to end",
    "states": "Time in states",
    "activities": "Activities",
    "pools": "Pools",
}


@dataclass(frozen=True)
class Measure:
    """One number of a summary.

    Attributes
    ----------
    key
        What it is called in a program: `sojourn.p95`, `states.paid.time`, `pools.packers.utilisation`.
    group
        `outcomes`, `sojourn`, `states`, `activities` or `pools`.
    label
        What it is called for people.
    unit
        `s` (seconds), `share`, or empty.
    estimate
        The number.
    """

    key: str
    group: str
    label: str
    unit: str
    estimate: Estimate


def number(value: float, unit: str) -> str:
    """A value with its unit, three digits of it; a dash for none."""
    if math.isnan(value):
        return "–"
    if unit == "s":
        return ("−" if value < 0 else "") + short_time(abs(value) * 1e6)
    return f"{value:.1%}" if unit == "share" else f"{value:.3g}"


def row(measure: Measure) -> Row:
    """Label, value, interval, number of observations, note."""
    one = measure.estimate
    interval = "no interval"
    if one.low is not None and one.high is not None:
        interval = f"{number(one.low, measure.unit)} to {number(one.high, measure.unit)}"
    return measure.label, number(one.value, measure.unit), interval, f"{one.n:,}", one.note


def as_text(head: Head, level: float, measures: Sequence[Measure], remarks: Sequence[str]) -> str:
    """As lines of text, columns below each other."""
    lines = [f"{name}: {value}" for name, value in head]
    rows = [("", [_columns(level)]), *_groups(measures)]
    widths = [max(len(line[k]) for _, each in rows for line in each) for k in range(4)]
    for title, each in rows:
        lines += [title] if title else []
        for label, value, interval, n, note in each:
            line = f"  {label:<{widths[0]}}  {value:>{widths[1]}}  {interval:<{widths[2]}}  {n:>{widths[3]}}  {note}"
            lines.append(line.rstrip())
    return visible("\n".join([*lines, *remarks]))


def as_html(caption: str, head: Head, level: float, measures: Sequence[Measure], remarks: Sequence[str]) -> str:
    """As tables; everything from outside is escaped."""
    body = "".join(f'<tr><th scope="row">{_e(name)}</th><td>{_e(value)}</td></tr>' for name, value in head)
    parts = [f"<table><caption>{_e(caption)}</caption><tbody>{body}</tbody></table>"]
    heads = "".join(f'<th scope="col">{_e(each)}</th>' for each in _columns(level))
    for title, rows in _groups(measures):
        cells = "".join(
            f'<tr><th scope="row">{_e(label)}</th>{"".join(f"<td>{_e(each)}</td>" for each in rest)}</tr>'
            for label, *rest in rows
        )
        parts.append(f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>")
    parts.append(f"<ul>{''.join(f'<li>{_e(remark)}</li>' for remark in remarks)}</ul>")
    return "".join(parts)


def _columns(level: float) -> Row:
    return "", "value", f"{level * 100:.4g} % interval", "n", ""


def _groups(measures: Sequence[Measure]) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each group."""
    for group, own in groupby(measures, lambda measure: measure.group):
        yield TITLES[group], [row(measure) for measure in own]


def _e(text: str) -> str:
    return html.escape(visible(text))
