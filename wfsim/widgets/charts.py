"""Charts as plain values for a page and a still picture: where each mark stands, and what it says in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.drawing.text import clean
from wfsim.history.measures import interval, number
from wfsim.model.duration import UNITS, short_time

from .figures import OTHER
from .knobs import ROUND_TIMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wfsim.simulation.statistics import Estimate

    from .figures import Figures, Line

Chart = dict[str, Any]
MOST_ROWS = 12
"""So many rows a chart has; the rest is told in `history.summary()`."""
SHADES = 5
"""Shades of what is longer, more, or different; 0 is none."""
_TICKS = 5
_SOJOURN = {"mean": "mean", "p50": "half of the cases within", "p95": "95 of 100 cases within"}
_STEPS = (1, 2, 2.5, 5, 10)
_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_SHORTEST = 5e-6
"""An axis of times goes to so many seconds at least, a microsecond for each tick."""


class Run(NamedTuple):
    """Figures that are shown: at place 0 those of now, at others what is pinned."""

    place: int
    name: str
    figures: Figures


@dataclass(frozen=True)
class Axis:
    """From 0 to `top`, with round numbers on the way: their place from 0 to 1, and as text."""

    top: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        """Where a value is, from 0 to 1."""
        return round(min(max(value / self.top, 0.0), 1.0), 4)


def axis_of(most: float, unit: str) -> Axis:
    """An axis for values up to `most`: `s` is seconds, `share` ends at 1 at the latest."""
    most = most if math.isfinite(most) and most > 0.0 else 1.0
    most = max(most, _SHORTEST) if unit == "s" else most
    step = _time_step(most * 1e6 / _TICKS) / 1e6 if unit == "s" else _step(most / _TICKS)
    count = max(1, math.ceil(most / step - 1e-9))
    top = min(count * step, 1.0) if unit == "share" else count * step
    values = [k * step for k in range(count + 1) if k * step <= top * (1 + 1e-9)]
    return Axis(top, tuple((round(value / top, 4), _said(value, unit, step)) for value in values))


def charts(runs: Sequence[Run], focus: str, states: Sequence[str]) -> list[Chart]:
    """All charts of some runs, the first of which is shown in full.

    Parameters
    ----------
    focus
        A state that is followed through all runs, as the charts call it; all states of the first if there is none such.
    states
        All that the workflow has: their places say which colours they have.
    """
    return [
        _occupancy(runs, focus, states),
        _bars("sojourn", "Time from start to end of a case", "s", runs, _sojourn),
        _bars("waiting", "Waiting for a worker", "s", runs, _waiting),
        _bars("utilisation", "How busy workers are", "share", runs, _utilisation),
        _bars("outcomes", "How cases end", "share", runs, _outcomes),
    ]


def shade(part: float) -> int:
    """Which shade a part of the greatest has; what is more than nothing has at least the first."""
    return 0 if part <= 0 else min(SHADES, 1 + int(part * SHADES * 0.999))


# --- numbers with intervals ----------------------------------------------------------------------


def _sojourn(figures: Figures) -> Iterator[tuple[str, Estimate]]:
    for key, label in _SOJOURN.items():
        yield label, figures.summary[f"sojourn.{key}"]


def _waiting(figures: Figures) -> Iterator[tuple[str, Estimate]]:
    for pool in figures.pools:
        yield f"{pool}: mean", figures.summary[f"pools.{pool}.wait"]
        if pool in figures.waits_p95:
            yield f"{pool}: 95 of 100 within", figures.waits_p95[pool]


def _utilisation(figures: Figures) -> Iterator[tuple[str, Estimate]]:
    for pool in figures.pools:
        used = figures.summary.get(f"pools.{pool}.utilisation")
        if used is not None:
            yield pool, used


def _outcomes(figures: Figures) -> Iterator[tuple[str, Estimate]]:
    for measure in figures.summary.measures:
        if measure.group == "outcomes":
            yield measure.label.replace("/", ": "), measure.estimate


def _bars(
    id: str, title: str, unit: str, runs: Sequence[Run], rows: Callable[[Figures], Iterator[tuple[str, Estimate]]]
) -> Chart:
    found: dict[str, list[tuple[int, Estimate]]] = {}
    for run in runs:
        for label, estimate in rows(run.figures):
            if not math.isnan(estimate.value):
                found.setdefault(label, []).append((run.place, estimate))
    shown = dict(list(found.items())[:MOST_ROWS])
    ends = [end for marks in shown.values() for _, each in marks for end in (each.value, each.high or 0.0)]
    axis = axis_of(max(ends, default=0.0), unit)
    return {
        "id": id,
        "kind": "bars",
        "title": title,
        "ticks": [list(tick) for tick in axis.ticks],
        "rows": [
            {"label": clean(label), "marks": [_mark(axis, unit, place, each) for place, each in marks]}
            for label, marks in shown.items()
        ],
        "more": len(found) - len(shown),
    }


def _mark(axis: Axis, unit: str, place: int, estimate: Estimate) -> Chart:
    span = None
    if estimate.low is not None and estimate.high is not None:
        span = [axis.at(estimate.low), axis.at(estimate.high)]
    return {
        "run": place,
        "at": axis.at(estimate.value),
        "span": span,
        "value": number(estimate.value, unit),
        "interval": interval(estimate, unit),
        "n": f"{estimate.n:,}",
        "note": clean(estimate.note),
    }


# --- states over time ----------------------------------------------------------------------------


def _occupancy(runs: Sequence[Run], focus: str, states: Sequence[str]) -> Chart:
    first = runs[0].figures.occupancy
    known = [clean(line.name) for line in first.lines if line.name != OTHER]
    followed = focus if focus in known else ""
    if followed:
        shown = [
            (run.name, run.place, line, run.figures.occupancy.part)
            for run in runs
            for line in run.figures.occupancy.lines
            if clean(line.name) == followed
        ]
    else:
        shown = [(line.name, _colour(line.name, states), line, first.part) for line in first.lines]
    span = max(part * len(line.values) for _, _, line, part in shown) if shown else 1
    most = max((value for _, _, line, _ in shown for value in line.high or line.values), default=0.0)
    across, up = axis_of(span / 1e6, "s"), axis_of(most, "")
    return {
        "id": "occupancy",
        "kind": "lines",
        "title": f"Cases in {followed} over time" if followed else "Cases in each state over time",
        "ticks": [list(tick) for tick in up.ticks],
        "times": [list(tick) for tick in across.ticks],
        "lines": [_drawn(name, colour, line, part, across, up) for name, colour, line, part in shown],
        "top": up.top,
        "whens": [short_time((k + 0.5) * first.part) for k in range(len(first.lines[0].values))] if shown else [],
        "banded": any(line.low is not None for _, _, line, _ in shown),
        "states": known,
        "focus": followed,
    }


def _drawn(name: str, colour: int, line: Line, part: int, across: Axis, up: Axis) -> Chart:
    """A point for each part of the time, at its middle."""
    return {
        "name": clean(name),
        "colour": colour,
        "x": [across.at((k + 0.5) * part / 1e6) for k in range(len(line.values))],
        "y": [up.at(value) for value in line.values],
        "low": None if line.low is None else [up.at(value) for value in line.low],
        "high": None if line.high is None else [up.at(value) for value in line.high],
    }


def _colour(name: str, states: Sequence[str]) -> int:
    """From 1: the place of a state among all; 0 for the rest."""
    return states.index(name) + 1 if name in states else 0


# --- axes ----------------------------------------------------------------------------------------


def _step(least: float) -> float:
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * each for each in _STEPS if size * each >= least * (1 - 1e-9))


def _time_step(least: float) -> float:
    """In microseconds: one that people say, from 10 ms to two years."""
    if least < ROUND_TIMES[0] or least > ROUND_TIMES[-1]:
        unit = 1.0 if least < ROUND_TIMES[0] else float(UNITS["d"])
        return _step(least / unit) * unit
    return next(each for each in ROUND_TIMES if each >= least * (1 - 1e-9))


def _said(value: float, unit: str, step: float) -> str:
    """A tick; all times of an axis are in the largest unit that a step is at least one of."""
    if unit == "s":
        name, size = next((each for each in _UNITS if step >= each[1] * (1 - 1e-9)), _UNITS[-1])
        return "0" if value == 0.0 else f"{value / size:,.6g} {name}"
    return f"{100 * value:.3g} %" if unit == "share" else f"{value:,.6g}"
