"""How long things take: durations of cases, and waiting and service of activities."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.arguments import expect_whole
from wfsim.errors import HistoryError
from wfsim.model.duration import short_time

from ..look import ENDINGS, WAIT, WORK, bare, duration_axis, hatch, log_duration_axis, styled
from .scene import nothing, scene_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_WIDE = 30
"""From so many times the 5 % quantile at the 95 % one on, bins have equal ratios."""
_TIMES = """
SELECT business_time(started, closed) AS duration, coalesce(o.name, u.name) AS ending
FROM cases c LEFT JOIN status_names u ON u.code = c.status LEFT JOIN outcome_names o ON o.code = c.outcome
WHERE {where} AND closed IS NOT NULL
"""
_QUANTILES = "SELECT count(*), min(duration), max(duration), quantile_cont(duration, {wanted}::DOUBLE[]) FROM ({times})"
_BINS = """
SELECT ending, {bin} AS bin, count(*) AS cases FROM ({times}) GROUP BY ending, bin ORDER BY ending, bin
"""
_ACTIVITIES = """
WITH told AS (
    SELECT activity, business_time(scheduled, scheduled + wait) AS waited,
        business_time(scheduled + wait, ended) AS served
    FROM attempt_rows WHERE {where} AND scheduled IS NOT NULL
)
SELECT a.name AS activity, count(*) AS attempts, avg(waited) AS mean_wait, avg(served) AS mean_service,
    quantile_cont(waited, 0.95) AS p95_wait, quantile_cont(served, 0.95) AS p95_service
FROM told t LEFT JOIN activity_names a ON a.code = t.activity GROUP BY a.name
ORDER BY coalesce(mean_wait, 0) + coalesce(mean_service, 0) DESC, activity LIMIT {most}
"""


@dataclass(frozen=True)
class _Bins:
    """Bins of one width: of durations, or of their logarithms to base 10."""

    width: float
    is_log: bool

    @property
    def sql(self) -> str:
        """The number of the bin of a `duration`."""
        value = "log10(greatest(duration, 1))" if self.is_log else "duration"
        return f"floor({value} / {self.width!r})::BIGINT"

    def edge(self, number: int) -> float:
        """Where it begins, in microseconds."""
        return float(10 ** (number * self.width)) if self.is_log else number * self.width


def throughput_times(
    history: History,
    *,
    percentiles: Sequence[float] = (50, 90, 95, 99),
    bins: int = 40,
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """How long closed cases took, as a histogram by how they closed, with percentiles.

    Parameters
    ----------
    percentiles
        In per cent, exact, over all closed cases together.
    bins
        About so many. Where durations differ widely they are of equal ratios, and the axis is logarithmic.
    run, workflow
        Which run (all of them if not given), and which workflow (the one that was run).

    Raises
    ------
    HistoryError
        If no case has closed, or a percentile is none.

    Notes
    -----
    Two passes over the cases.
    """
    import plotly.graph_objects as go

    expect_whole("bins", bins)
    if not percentiles or not all(isinstance(each, int | float) and 0 <= each <= 100 for each in percentiles):
        raise HistoryError(f"percentiles={percentiles!r}: give numbers from 0 to 100, as (50, 95).")
    scene = scene_of(history, "throughput_times", run=run, workflow=workflow, steps=False)
    times = _TIMES.format(where=scene.scope.where)
    wanted = [0.05, 0.5, 0.95, *(each / 100 for each in percentiles)]
    n, least, most, found = scene.rows(_QUANTILES.format(wanted=wanted, times=times))[0]
    if not n:
        raise nothing(scene, "no case has closed")
    low, median, high, *values = found
    is_log = least > 0 and high > _WIDE * low
    binned = _Bins(math.log10(most / least) / bins if is_log else max(1.0, math.ceil(most / bins)), is_log)
    query = _BINS.format(bin=binned.sql, times=times)
    counted: dict[str, dict[int, int]] = {}
    for ending, place, cases in scene.rows(query):
        counted.setdefault(ending, {})[place] = cases
    figure = go.Figure()
    for ending in (each for each in ENDINGS if each in counted):
        label, colour = ENDINGS[ending]
        places = sorted(counted[ending])
        figure.add_bar(
            x=[(binned.edge(k) + binned.edge(k + 1)) / 2 for k in places],
            width=[binned.edge(k + 1) - binned.edge(k) for k in places],
            y=[counted[ending][k] for k in places],
            name=label,
            marker={
                "color": colour,
                "pattern": hatch("" if ending in ("success", "completed") else "/"),
                "line": {"width": 0},
            },
            text=[f"{short_time(binned.edge(k))} to {short_time(binned.edge(k + 1))}" for k in places],
            textposition="none",
            hovertemplate="%{text}: %{y:,} cases<extra>" + label + "</extra>",
        )
    _mark(figure, list(zip(percentiles, values)), is_log)
    axis = (
        log_duration_axis(least, most, "from start to closing")
        if is_log
        else duration_axis(most, "from start to closing")
    )
    figure.update_layout(barmode="stack", bargap=0, xaxis=axis, yaxis={"title": "cases", "tickformat": ",d"})
    return styled(
        figure,
        f"Throughput times{scene.told}: {n:,} closed cases, median {short_time(median)}",
        says="A bar is the number of cases that took so long, by how they closed. So many per cent of all closed "
        "cases took no longer than a dotted line says. A second hump is another kind of case.",
        query=query,
        height=480,
        legend_below=True,
        above=125,
    )


def _mark(figure: go.Figure, marks: list[tuple[float, float]], is_log: bool) -> None:
    """Percentiles as lines; labels in steps, so that near ones do not cover each other."""
    for k, (percent, value) in enumerate(marks):
        place = math.log10(max(value, 1)) if is_log else value
        figure.add_vline(x=value, line={"color": "#808080", "dash": "dot", "width": 1.5})
        figure.add_annotation(
            x=place,
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=15 * (k % 4),
            xanchor="right",
            text=f"{percent:g} %: {short_time(value)}",
            showarrow=False,
            font={"size": 11},
        )


def waiting_and_service(
    history: History, *, limit: int = 20, run: int | None = None, workflow: Workflow | str | None = None
) -> go.Figure:
    """How long attempts of each activity wait for a worker, and how long they are worked at, on average.

    Parameters
    ----------
    limit
        Activities at most, those with most of both.
    run, workflow
        As of `throughput_times`.

    Raises
    ------
    HistoryError
        If nothing was attempted, or the log level keeps no attempts.

    Notes
    -----
    One pass over the attempts.
    """
    import plotly.graph_objects as go

    expect_whole("limit", limit)
    scene = scene_of(history, "waiting_and_service", run=run, workflow=workflow, steps=False)
    query = _ACTIVITIES.format(where=scene.scope.where, most=limit)
    rows = scene.rows(query)
    if not rows:
        raise nothing(scene, "no activity was attempted, or the log level keeps none")
    rows.reverse()
    names = [bare(row[0]) for row in rows]
    figure = go.Figure()
    for place, name, colour, sign in ((2, "waiting", WAIT, "/"), (3, "service", WORK, "")):
        values = [row[place] or 0 for row in rows]
        figure.add_bar(
            x=values,
            y=names,
            orientation="h",
            name=name,
            marker={"color": colour, "pattern": hatch(sign), "line": {"width": 0}},
            text=[f"{short_time(value)}, 95 %: {short_time(row[place + 2] or 0)}" for value, row in zip(values, rows)],
            textposition="none",
            hovertemplate="%{y}: %{text}<extra>mean " + name + "</extra>",
        )
    sums = [(row[2] or 0) + (row[3] or 0) for row in rows]
    for name, whole, row in zip(names, sums, rows):
        figure.add_annotation(
            x=whole, y=name, text=f"{short_time(whole)} × {row[1]:,}", showarrow=False, xanchor="left", xshift=4
        )
    figure.update_layout(barmode="stack", xaxis=duration_axis(max(sums) * 1.25 or 1, "mean of an attempt"))
    return styled(
        figure,
        f"Waiting and service{scene.told}: mean of an attempt, by activity",
        says="How long an attempt waits from when it is scheduled until it starts, and how long it then takes; behind "
        "the bar both together, and how many attempts there were. Long waiting beside short service lacks workers.",
        query=query,
        height=130 + 30 * len(rows),
    )
