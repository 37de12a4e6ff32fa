"""One case as a Gantt chart: its states, and every attempt with its waiting, its work and its retries."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wfsim.errors import NothingToDraw
from wfsim.model.duration import short_time

from ..look import WAIT, bare, duration_axis, hatch, state_looks, styled
from ..scope import states_of
from .scene import one_of, scene_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from wfsim.history.history import History

_STAYS = """
SELECT region, state, entered, left_at FROM stays WHERE run = {run} AND "case" = {case} ORDER BY entered_seq
"""
_ATTEMPTS = """
SELECT activity, attempt, scheduled, started, ended, outcome, error_type, "index" FROM executions
WHERE run = {run} AND "case" = {case} AND scheduled IS NOT NULL ORDER BY scheduled_seq
"""
_LAST = 'SELECT started, last_time, closed FROM cases WHERE run = {run} AND "case" = {case}'
# By outcome: what it is called, its colour and its sign.
_ENDED = {
    "succeeded": ("✓ succeeded", "#009E73", "circle"),
    "failed": ("✗ failed", "#D55E00", "x"),
    "timed_out": ("⏱ timed out", "#CC79A7", "hourglass"),
    "cancelled": ("⊘ cancelled", "#999999", "circle-x"),
    None: ("… still runs", "#56B4E9", "triangle-right"),
}
_SMALL = 0.004
"""An attempt of less than this share of the case is a stroke; where most are, the axis counts moments instead."""
_MOST_ROWS = 60
_ROOM = 115
"""Letters that fit side by side into a figure that is not wide."""


@dataclass(frozen=True)
class _Axis:
    """Where a time lies: to scale, or at its number among the moments at which something happens."""

    start: int
    moments: Sequence[int]
    to_scale: bool

    def at(self, time: int) -> float:
        return time - self.start if self.to_scale else bisect_left(self.moments, time)

    def layout(self) -> dict[str, Any]:
        if self.to_scale:
            return duration_axis((self.moments[-1] - self.start) * 1.02 or 1, "time since the case began", ticks=8)
        every = -(-len(self.moments) // 12)
        places = list(range(0, len(self.moments), every))
        return {
            "title": "moments, one after the other: time since the case began, not to scale",
            "tickvals": places,
            "ticktext": [short_time(self.moments[k] - self.start) for k in places],
            "range": [-0.2, len(self.moments) - 0.6],
        }


def case_gantt(history: History, case: int | str, *, run: int | None = None, scale: str | None = None) -> go.Figure:
    """One case over time: its states, region by region, and each attempt of an activity with waiting and retries.

    Parameters
    ----------
    case
        Its number, or its external id.
    run
        Needed when several runs have it.
    scale
        `time`: the axis is to scale. `steps`: moments at which something happens stand side by side. If not given, it
        is to scale unless most attempts would be too short to be seen.

    Raises
    ------
    HistoryError
        If there is no such case, or several, or its log level keeps no states.

    Notes
    -----
    Reads the rows of one case.
    """
    import plotly.graph_objects as go

    if scale is not None:
        one_of("scale", scale, ("time", "steps"))
    scene_of(history, "case_gantt", steps=False)
    found = history.case(case, run=run)
    where = {"run": found.run.run, "case": found.case}
    query = _ATTEMPTS.format(**where)
    stays, attempts = history.sql(_STAYS.format(**where)).fetchall(), history.sql(query).fetchall()
    if not stays:
        raise NothingToDraw(
            f"case {case!r} has no states here: the log level {found.run.log!r} keeps none, or it lies outside of the "
            "part of the time that is asked."
        )
    start, last, _ = history.sql(_LAST.format(**where)).fetchall()[0]
    rows = [*dict.fromkeys(_region(row[0]) for row in stays), *dict.fromkeys(_activity(row) for row in attempts)]
    cut, rows = len(rows) > _MOST_ROWS, rows[:_MOST_ROWS]
    times = {start, last} | {t for row in stays for t in row[2:4] if t is not None}
    times |= {t for row in attempts for t in row[2:5] if t is not None}
    short = [row for row in attempts if (row[4] or last) - row[2] < _SMALL * (last - start)]
    to_scale = scale == "time" or (scale is None and 2 * len(short) <= len(attempts))
    axis = _Axis(start, sorted(times), to_scale)
    figure = go.Figure()
    looks = state_looks(states_of(history, found.workflow.definition), [_path(row) for row in stays])
    _draw_states(figure, [row for row in stays if _region(row[0]) in rows], axis, last, looks)
    _draw_attempts(figure, [row for row in attempts if _activity(row) in rows], axis, last)
    figure.update_layout(
        barmode="overlay",
        xaxis=axis.layout(),
        yaxis={"categoryorder": "array", "categoryarray": rows, "autorange": "reversed", "tickson": "boundaries"},
    )
    named = f"{found.case}" if found.external_id is None else f"{found.case} ({bare(found.external_id)})"
    more = f", the first {_MOST_ROWS} rows" if cut else ""
    return styled(
        figure,
        f"Case {named} of {found.workflow.name}: {found.status} after {short_time(last - start)}{more}",
        says="Above, the states of the case; below, each activity with its attempts: hatched while they wait for a "
        "worker, filled while they are worked at, with a sign at their end. A dotted line leads to the next attempt.",
        query=query,
        height=210 + 36 * len(rows),
        legend_below=True,
    )


def _region(path: str) -> str:
    return f"<b>{bare(path)}</b>" if path else "<b>state</b>"


def _activity(row: tuple[Any, ...]) -> str:
    return bare(row[0]) if row[7] is None else f"{bare(row[0])} [{row[7]}]"


def _path(row: tuple[Any, ...]) -> str:
    return str(row[1])


def _draw_states(
    figure: go.Figure, stays: list[tuple[Any, ...]], axis: _Axis, last: int, looks: dict[str, tuple[str, int]]
) -> None:
    seen: set[str] = set()
    whole = axis.at(axis.moments[-1]) - axis.at(axis.moments[0]) or 1
    for region, state, entered, left in stays:
        colour, before = looks[state]
        began, ended = axis.at(max(entered, axis.start)), axis.at(last if left is None else left)
        name = state.rpartition("/")[2]
        figure.add_bar(
            x=[max(ended - began, 1e-9)],
            base=[began],
            y=[_region(region)],
            orientation="h",
            width=0.7,
            marker={"color": colour, "pattern": hatch(before), "line": {"width": 0}},
            # Only where there is room for it.
            text=bare(name) if (ended - began) / whole * _ROOM > len(name) else "",
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": "#FFFFFF" if colour == "#0072B2" else "#000000", "size": 11},
            name=bare(state),
            legendgroup=f"state {state}",
            showlegend=state not in seen,
            hovertemplate=f"{bare(state)}: {short_time((last if left is None else left) - entered)}"
            + (", lasts" if left is None else "")
            + "<extra></extra>",
        )
        seen.add(state)


def _draw_attempts(figure: go.Figure, attempts: list[tuple[Any, ...]], axis: _Axis, last: int) -> None:
    shown: set[str] = set()

    def bar(row: tuple[Any, ...], since: int, until: int, name: str, colour: str, sign: str) -> None:
        figure.add_bar(
            x=[axis.at(until) - axis.at(since)],
            base=[axis.at(since)],
            y=[_activity(row)],
            orientation="h",
            width=0.5,
            name=name,
            legendgroup=name,
            showlegend=name not in shown,
            marker={"color": colour, "pattern": hatch(sign), "line": {"width": 0}},
            hovertemplate=f"attempt {row[1]}, {name}: {short_time(until - since)}<extra></extra>",
        )
        shown.add(name)

    before: dict[str, tuple[Any, ...]] = {}
    for row in attempts:
        _, attempt, scheduled, started, ended, outcome, error, _ = row
        over = last if ended is None else ended
        name, colour, symbol = _ENDED[outcome]
        earlier = before.get(_activity(row))
        if attempt > 1 and earlier is not None and earlier[4] is not None and earlier[1] == attempt - 1:
            figure.add_scatter(
                x=[axis.at(earlier[4]), axis.at(scheduled)],
                y=[_activity(row)] * 2,
                mode="lines",
                line={"color": "#808080", "dash": "dot", "width": 1.5},
                name="until tried again",
                legendgroup="again",
                showlegend="again" not in shown,
                hoverinfo="skip",
            )
            shown.add("again")
        if started is None:
            bar(row, scheduled, over, "waiting", WAIT, "/")
        else:
            if started > scheduled:
                bar(row, scheduled, started, "waiting", WAIT, "/")
            bar(row, started, over, name, colour, "")
        figure.add_scatter(
            x=[axis.at(over)],
            y=[_activity(row)],
            mode="markers",
            marker={"symbol": symbol, "color": colour, "size": 9},
            name=name,
            legendgroup=name,
            showlegend=name not in shown,
            text=f"attempt {attempt} {name}" + (f": {bare(error)}" if error else ""),
            hovertemplate="%{text}<extra></extra>",
        )
        shown.add(name)
        before[_activity(row)] = row
