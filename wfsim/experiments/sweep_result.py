"""`Sweep`: what came out at each point, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wfsim.analytics.compare import compare_runs
from wfsim.errors import HistoryError, OptionError, did_you_mean, listed
from wfsim.history.history import History
from wfsim.history.measures import TITLES, Measure, as_html, as_text, estimate_in, interval, number
from wfsim.simulation.statistics import Estimate, Method, nothing, over_replications, share_of

from .points import Point, keys_of, point_named

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from wfsim.analytics.comparison import Comparison

    Measures = Mapping[str, Measure]

SHOWN = ("outcomes", "sojourn", "pools", "slas")
"""Groups of measures that a table of points has."""
MOST_SHOWN = 200
"""Points in the table that is shown; `.df()` has all."""
MOST_NOTES = 5


@dataclass(frozen=True, repr=False)
class Sweep:
    """What came out at each point of a sweep; shown as a table.

    Attributes
    ----------
    workflow
        Name and version.
    points
        In their order.
    measures
        Of each point, by names as in `history.summary()`: `sojourn.p95`, `pools.packers.utilisation`.
    level
        Of all intervals.
    notes
        What its runs want readers to know.
    kept
        The history of all runs, or the folder of a Parquet data set.
    """

    workflow: str
    points: tuple[Point, ...]
    measures: tuple[Measures, ...]
    level: float
    notes: tuple[str, ...]
    kept: History | Path

    @property
    def history(self) -> History:
        """All runs, in order of points and replications; the view `sweep_points` has the values of each.

        Raises
        ------
        HistoryError
            If the sweep was written to a Parquet data set.
        """
        if isinstance(self.kept, History):
            return self.kept
        raise HistoryError(
            f"{self.kept}: the runs of this sweep are a Parquet data set. Ask DuckDB: "
            f"FROM read_parquet('{self.kept}/cases/**/*.parquet', hive_partitioning=true)."
        )

    def estimate(self, point: int | Mapping[str, Any], measure: str) -> Estimate:
        """One number with its interval, at a point given by its number or its values.

        Raises
        ------
        OptionError
            If there is no such point or measure.
        """
        found = self.measures[point_named(self.points, point).number]
        self._expect(measure)
        return estimate_in(found.values(), measure, self.level) or nothing()

    def df(self) -> pd.DataFrame:
        """One row per point.

        Returns
        -------
        pandas.DataFrame
            `point`, a column for each key, `replications`, and for each measure of outcomes, times from start to end,
            pools and SLAs three columns: `sojourn.p95`, `sojourn.p95.low`, `sojourn.p95.high`; times in seconds.
        """
        import pandas as pd

        rows = []
        for point, own in zip(self.points, self.measures):
            row: dict[str, Any] = {"point": point.number}
            row |= {key: point.values.get(key) for key in keys_of(self.points)}
            row["replications"] = point.scenario.replications
            for key in self._columns():
                estimate = estimate_in(own.values(), key, self.level) or nothing()
                row |= {key: estimate.value, f"{key}.low": estimate.low, f"{key}.high": estimate.high}
            rows.append(row)
        bounds = [f"{key}.{end}" for key in self._columns() for end in ("low", "high")]
        return pd.DataFrame(rows).astype(dict.fromkeys(bounds, float))

    def plot(self, x: str, y: str) -> go.Figure:
        """A measure over the values of a key, with intervals; a line for each combination of the other keys.

        Raises
        ------
        OptionError
            If there is no such key or measure.
        """
        import plotly.graph_objects as go

        keys = keys_of(self.points)
        if x not in keys:
            raise OptionError(f"x={x!r} is no key of this sweep.{did_you_mean(x, keys)} Keys: {listed(keys)}.")
        self._expect(y)
        lines: dict[str, list[tuple[Any, Estimate]]] = {}
        for point in self.points:
            others = ", ".join(f"{key} = {value}" for key, value in point.values.items() if key != x)
            if x in point.values:
                lines.setdefault(others, []).append((point.values[x], self.estimate(point.number, y)))
        figure = go.Figure()
        for name, found in lines.items():
            up = [math.nan if e.high is None else e.high - e.value for _, e in found]
            down = [math.nan if e.low is None else e.value - e.low for _, e in found]
            figure.add_trace(
                go.Scatter(
                    x=[value if isinstance(value, (int, float, str)) else str(value) for value, _ in found],
                    y=[estimate.value for _, estimate in found],
                    error_y={"type": "data", "array": up, "arrayminus": down, "symmetric": False},
                    mode="lines+markers",
                    name=name,
                    showlegend=bool(name),
                )
            )
        unit = self._unit(y)
        title = f"{_words(y)} ({_UNITS.get(unit, unit)})" if unit else _words(y)
        return figure.update_layout(xaxis_title=_words(x), yaxis_title=title, template="plotly_white")

    def compare(self, first: int | Mapping[str, Any], second: int | Mapping[str, Any]) -> Comparison:
        """How cases fare at two points, case by case; see `wf.compare`.

        Raises
        ------
        OptionError
            If there is no such point.
        HistoryError
            If the sweep was written to a Parquet data set.
        """
        history, runs = self.history, self.history.runs
        sides = []
        for which in (first, second):
            begin = sum(point.scenario.replications for point in self.points[: point_named(self.points, which).number])
            sides.append(runs[begin : begin + self.points[0].scenario.replications])
        return compare_runs((history, sides[0]), (history, sides[1]), level=self.level)

    def _columns(self) -> list[str]:
        every = dict.fromkeys(key for own in self.measures for key, one in own.items() if one.group in SHOWN)
        return sorted(every, key=lambda key: SHOWN.index(self._any(key).group))

    def _any(self, key: str) -> Measure:
        return next(own[key] for own in self.measures if key in own)

    def _unit(self, key: str) -> str:
        return self._any(key).unit

    def _expect(self, measure: str) -> None:
        known = dict.fromkeys(key for own in self.measures for key in own)
        if measure not in known:
            raise OptionError(
                f"there is no measure {measure!r}.{did_you_mean(measure, known)} Measures: {listed(known)}."
            )

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        shown = [key for key in self._columns() if key in ("sojourn.mean", "sojourn.p50", "sojourn.p95")]
        shown += [key for key in self._columns() if key.endswith((".utilisation", ".wait"))]
        shown += [key for key in self._columns() if self._any(key).group in ("outcomes", "slas")]
        keys = keys_of(self.points)
        rows = []
        for point, own in list(zip(self.points, self.measures))[:MOST_SHOWN]:
            cells = []
            for key in shown:
                estimate = estimate_in(own.values(), key, self.level) or nothing()
                bounds = "" if estimate.low is None else f" ({interval(estimate, self._unit(key))})"
                cells.append(number(estimate.value, self._unit(key)) + bounds)
            values = (str(point.values.get(key, "–")) for key in keys)
            rows.append((str(point.number), *values, *cells, ""))
        return ("point", *keys, *shown, ""), rows

    def _head(self) -> list[tuple[str, str]]:
        scenario = self.points[0].scenario
        return [
            ("workflow", self.workflow),
            ("points", f"{len(self.points):,}"),
            ("replications", f"{scenario.replications:,} at each, seed {scenario.seed}"),
        ]

    def _remarks(self) -> tuple[str, ...]:
        more = len(self.points) - MOST_SHOWN
        left_out = [f"{more:,} more points are in .df()."] if more > 0 else []
        more = len(self.notes) - MOST_NOTES
        left_out += [f"{more:,} more notes are in .notes."] if more > 0 else []
        return (f"In brackets: intervals of {self.level * 100:.4g} %.", *self.notes[:MOST_NOTES], *left_out)

    def __repr__(self) -> str:
        columns, rows = self._table()
        return as_text(self._head(), columns, [("", rows)], self._remarks())

    def _repr_html_(self) -> str:
        columns, rows = self._table()
        return as_html("Sweep", self._head(), columns, [("", rows)], self._remarks())


_UNITS = {"s": "seconds"}


def _words(key: str) -> str:
    """A dotted key as the title of an axis: without the name of its group where something stands behind that."""
    first, *rest = key.split(".")
    return " ".join(rest if rest and first in ("pools", "activities", "states", "outcomes", "slas") else [first, *rest])


def measures_of(told: Sequence[Mapping[str, Any]], level: float) -> dict[str, Measure]:
    """The measures of a point from those of its replications, by their names.

    Of one replication they are its own; of several the mean of each, with Student's t, as `history.summary()` has it.
    """
    every: dict[str, list[Mapping[str, Any]]] = {}
    for each in told:
        for one in each["measures"]:
            every.setdefault(one["key"], []).append(one)
    found = {}
    for key, own in every.items():
        first = own[0]
        if first["group"] in ("states", "activities") and not any(one["value"] for one in own):
            continue
        most = 1.0 if first["unit"] == "share" else math.inf
        estimate = _over(own, told, level).within(0.0, most)
        found[key] = Measure(key, first["group"], first["label"], first["unit"], estimate)
    return dict(sorted(found.items(), key=lambda item: _place(item[1])))


def _over(own: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], level: float) -> Estimate:
    """The estimate of one measure, which some replications may not have."""
    if len(told) == 1:
        one = own[0]
        return Estimate(one["value"], one["low"], one["high"], one["n"], Method(one["method"]), one["note"])
    if own[0]["group"] == "outcomes":
        return _outcome(own, told, level)
    values = np.array([one["value"] for one in own if not math.isnan(one["value"])], np.float64)
    n = sum(one["n"] for one in own)
    if not len(values):
        return replace(nothing(), note=own[0]["note"])
    if own[0]["group"] == "slas":
        return _share(values, n, level)
    found = over_replications(values, level, n)
    return replace(found, note="nobody waited") if own[0]["group"] == "pools" and not values.any() else found


def _outcome(own: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], level: float) -> Estimate:
    """The share of an outcome: 0 where cases closed, but none so."""
    closed = [next((one["n"] for one in each["measures"] if one["group"] == "outcomes"), 0) for each in told]
    key = own[0]["key"]
    of = {place: one["value"] for place, each in enumerate(told) for one in each["measures"] if one["key"] == key}
    values = np.array([of.get(place, 0.0) for place, n in enumerate(closed) if n], np.float64)
    return _share(values, sum(closed), level)


def _share(values: NDArray[np.float64], n: int, level: float) -> Estimate:
    """A share over replications, of `n` cases together; where all are alike, of these as independent cases."""
    if values.min() == values.max() and values[0] in (0.0, 1.0):
        return share_of([np.full(n, bool(values[0]), np.bool_)], level)
    return over_replications(values, level, n)


def _place(measure: Measure) -> int:
    return list(TITLES).index(measure.group)
