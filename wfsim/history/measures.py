"""Measures: numbers with their intervals, and the tables that show them to people.

The HTML is plain tables without styles or scripts, which a notebook shows without trust.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from wfsim.errors import HistoryError, visible
from wfsim.markup import escaped
from wfsim.model.duration import short_time
from wfsim.model.statuses import STATUSES
from wfsim.semantics.codes import COMPLETED, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wfsim.simulation.statistics import Estimate

    Head = Sequence[tuple[str, str]]
    Row = tuple[str, ...]

TITLES = {
    "outcomes": "Outcomes",
    "sojourn": "From start to end",
    "states": "Time in states",
    "activities": "Activities",
    "pools": "Pools",
    "slas": "SLAs",
}

# Of the statuses only those that end a case; a completed one has an outcome as well.
ENDS = {outcome: f"completed/{outcome}" for outcome in OUTCOMES[1:]} | {
    status: status for status in STATUSES[COMPLETED + 1 :]
}
"""What cases come to, and how their outcomes are called."""


@dataclass(frozen=True)
class Measure:
    """One number of a summary.

    Attributes
    ----------
    key
        What it is called in a program: `sojourn.p95`, `states.paid.time`, `pools.packers.utilisation`.
    group
        `outcomes`, `sojourn`, `states`, `activities`, `pools` or `slas`.
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


def estimate_in(measures: Iterable[Measure], key: str, level: float) -> Estimate | None:
    """The estimate of a measure, if there is one: the share of an end that no case came to is 0 of all that closed."""
    import numpy as np

    from wfsim.simulation.statistics import share_of

    measures = list(measures)
    found = next((one.estimate for one in measures if one.key == key), None)
    outcomes = [one.estimate.n for one in measures if one.group == "outcomes"]
    if found is None and outcomes and key.removeprefix("outcomes.") in ENDS.values():
        return share_of([np.zeros(outcomes[0], np.bool_)], level)
    return found


def expect_level(level: object) -> None:
    """Refuse what is no level of an interval.

    Raises
    ------
    HistoryError
        Saying what was given.
    """
    if not isinstance(level, float) or not 0.0 < level < 1.0:
        raise HistoryError(f"level={level!r}: give the level of the intervals as a number between 0 and 1, as 0.95.")


def number(value: float, unit: str) -> str:
    """A value with its unit, three digits of it; a dash for none."""
    if math.isnan(value):
        return "–"
    size = abs(value)
    if unit == "s":
        text = short_time(size * 1e6)
    else:
        text = f"{size:.1%}" if unit == "share" else f"{size:.3g}"
    return f"−{text}" if value < 0 and any(digit in text for digit in "123456789") else text


def as_text(head: Head, columns: Row, groups: Sequence[tuple[str, Sequence[Row]]], remarks: Sequence[str]) -> str:
    """As lines of text, columns below each other: labels to the left, what follows to the right, notes last."""
    lines = [f"{name}: {value}" for name, value in head]
    every = [("", [columns]), *groups]
    widths = [max(len(line[k]) for _, each in every for line in each) for k in range(len(columns))]
    for title, rows in every:
        lines += [title] if title else []
        for label, *cells, note in rows:
            shown = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:]))
            lines.append(f"  {label:<{widths[0]}}{shown}  {note}".rstrip())
    return visible("\n".join([*lines, *remarks]))


def as_html(
    caption: str, head: Head, columns: Row, groups: Sequence[tuple[str, Sequence[Row]]], remarks: Sequence[str]
) -> str:
    """As tables; everything from outside is escaped."""
    body = "".join(f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>' for name, value in head)
    parts = [f"<table><caption>{escaped(caption)}</caption><tbody>{body}</tbody></table>"]
    # A head without a word is none to those who hear the table.
    heads = "".join(f'<th scope="col">{escaped(each)}</th>' if each else "<td></td>" for each in columns)
    for title, rows in groups:
        cells = "".join(
            f'<tr><th scope="row">{escaped(label)}</th>{"".join(f"<td>{escaped(each)}</td>" for each in rest)}</tr>'
            for label, *rest in rows
        )
        parts.append(f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table>")
    parts.append(f"<ul>{''.join(f'<li>{escaped(remark)}</li>' for remark in remarks)}</ul>")
    return "".join(parts)


def columns_of(level: float) -> Row:
    """Heads of the columns of `groups_of`."""
    return "", "value", f"{level * 100:.4g} % interval", "n", ""


def groups_of(measures: Sequence[Measure]) -> list[tuple[str, list[Row]]]:
    """Title and rows of each group."""
    return [
        (TITLES[group], [_row(measure) for measure in own])
        for group, own in groupby(measures, lambda measure: measure.group)
    ]


def interval(estimate: Estimate, unit: str) -> str:
    """An interval as text, with its unit."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{number(estimate.low, unit)} to {number(estimate.high, unit)}"


def _row(measure: Measure) -> Row:
    """Label, value, interval, number of observations, note."""
    one = measure.estimate
    return measure.label, number(one.value, measure.unit), interval(one, measure.unit), f"{one.n:,}", one.note
