"""Cases side by side: the dotted chart [1]_ and the performance spectrum [2]_.

References
----------
.. [1] Song, van der Aalst (2007), Supporting process mining by showing events at a glance, WITS, 139–145.
.. [2] Denisov, Fahland, van der Aalst (2018), Unbiased, fine-grained description of processes performance from event
   data, BPM, LNCS 11080, 139–157.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from wfsim.arguments import expect_whole
from wfsim.model.duration import short_time

from ..look import ENDINGS, QUARTERS, SYMBOLS, bare, duration_axis, gapped, state_looks, state_order, styled
from .scene import CLOCK, nothing, one_of, scene_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_ROOT = "(SELECT code FROM region_names WHERE name = '')"
_DOTS = """
WITH numbered AS (
    SELECT *, row_number() OVER (ORDER BY {order}, run, "case") AS place, count(*) OVER () AS every
    FROM cases WHERE {where}
),
chosen AS (SELECT * FROM numbered WHERE (place - 1) % greatest(1, ceil(every / {most}))::BIGINT = 0)
SELECT s.name AS what, false AS is_end, c.place, c.run, c."case", c.external_id, greatest(y.entered, range_since()),
    c.started, c.every
FROM chosen c JOIN stay_rows y ON y.run = c.run AND y."case" = c."case" AND y.region = {root}
LEFT JOIN state_names s ON s.code = y.state
UNION ALL
SELECT coalesce(o.name, u.name), true, c.place, c.run, c."case", c.external_id, c.closed, c.started, c.every
FROM chosen c LEFT JOIN status_names u ON u.code = c.status LEFT JOIN outcome_names o ON o.code = c.outcome
WHERE c.closed IS NOT NULL
ORDER BY 2, 1, 3, 7
"""
_ORDERS = {
    "start": "started",
    "duration": "business_time(started, coalesce(closed, last_time))",
}
_LINES = """
WITH stayed AS (
    SELECT run, "case", state, to_state, entered, left_at, business_time(entered, left_at) AS dwell
    FROM stay_rows WHERE {where} AND region = {root} AND to_state IS NOT NULL
),
segments AS (
    SELECT state, to_state, count(*) AS n, quantile_cont(dwell, [0.25, 0.5, 0.75]) AS q
    FROM stayed GROUP BY state, to_state ORDER BY n DESC, state, to_state LIMIT {segments}
),
numbered AS (
    SELECT y.*, g.n, g.q, row_number() OVER (PARTITION BY y.state, y.to_state ORDER BY y.entered, y.run, y."case") AS k
    FROM stayed y JOIN segments g ON g.state = y.state AND g.to_state = y.to_state
)
SELECT a.name AS from_state, b.name AS to_state, l.n, l.q, l.entered, l.left_at,
    (l.dwell > l.q[1])::INTEGER + (l.dwell > l.q[2])::INTEGER + (l.dwell > l.q[3])::INTEGER AS quarter
FROM numbered l LEFT JOIN state_names a ON a.code = l.state LEFT JOIN state_names b ON b.code = l.to_state
WHERE (l.k - 1) % greatest(1, ceil(l.n / {most}))::BIGINT = 0
ORDER BY ALL
"""


def dotted_chart(
    history: History,
    *,
    order: str = "start",
    since: str = "clock",
    cases: int = 400,
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """Every case a row, every state that it entered and its closing a dot [1]_.

    Parameters
    ----------
    order
        Of the rows: by `start`, or by `duration` (of open cases: until their last record).
    since
        What the axis shows: moments on a `clock`, or the time since each case's own `start`.
    cases
        How many at most: of more every k-th is drawn, and the title says so.
    run
        Which run; of several the first if not given, with `since="start"` all.
    workflow
        The one that was run if not given, or one that it started, by name.

    Raises
    ------
    HistoryError
        If there is nothing to draw, or an argument is none of its words.

    Notes
    -----
    Reads all cases once, and the stays of those that are drawn.
    """
    import plotly.graph_objects as go

    one_of("order", order, tuple(_ORDERS))
    one_of("since", since, ("clock", "start"))
    expect_whole("cases", cases)
    by_clock = since == "clock"
    scene = scene_of(history, "dotted_chart", run=run, workflow=workflow, one_run=by_clock)
    query = _DOTS.format(where=scene.scope.where, order=_ORDERS[order], most=cases, root=_ROOT)
    rows = scene.rows(query)
    if not rows:
        raise nothing(scene, "no cases")
    looks = state_looks(scene.scope.states, [row[0] for row in rows])
    figure, places = go.Figure(), state_order(scene.scope.states)
    groups = [(is_end, what, list(dots)) for (is_end, what), dots in groupby(rows, key=lambda row: (row[1], row[0]))]
    for is_end, what, dots in sorted(groups, key=lambda each: (each[0], places.get(each[1], 0), each[1])):
        name, marker = _dot(what, is_end, looks)
        times = [row[6] - (0 if by_clock else row[7]) for row in dots]
        figure.add_scatter(
            x=scene.moments(times) if by_clock else times,
            y=[row[2] for row in dots],
            mode="markers",
            marker=marker,
            name=name,
            text=[_named(row) + ("" if by_clock else f", {short_time(time)}") for row, time in zip(dots, times)],
            hovertemplate="%{text}" + (", %{x}" if by_clock else "") + f"<extra>{name}</extra>",
        )
    every, shown = rows[0][8], len({row[2] for row in rows})
    sample = f"{shown:,} of {every:,} cases (one in {-(-every // cases)})" if shown < every else f"{every:,} cases"
    ordered = "order of their start" if order == "start" else "order of their duration, shortest below"
    latest = max(row[6] - row[7] for row in rows)
    axis = {"title": CLOCK} if by_clock else duration_axis(latest * 1.02, "time since the case began")
    figure.update_layout(xaxis=axis, yaxis={"title": f"cases, in {ordered}", "tickformat": ",d"})
    return styled(
        figure,
        f"Dotted chart{scene.told}: states entered, {sample}",
        says="A row is a case, a dot the moment at which it entered a state, its last sign how it closed. Slanted "
        "edges are steady work, vertical lines batches, gaps times at which nothing happened.",
        query=query,
        height=560,
    )


def _dot(what: str, is_end: bool, looks: dict[str, tuple[str, int]]) -> tuple[str, dict[str, Any]]:
    if is_end:
        name, colour = ENDINGS[what]
        signs = {"success": "line-ns", "completed": "line-ns", "failure": "x-thin"}
        return bare(name), {"symbol": signs.get(what, "cross-thin"), "size": 6, "line": {"width": 1.5, "color": colour}}
    colour, before = looks[what]
    return bare(what), {"color": colour, "symbol": SYMBOLS[before % len(SYMBOLS)], "size": 4.5}


def _named(row: tuple[Any, ...]) -> str:
    return f"case {row[4]}" if row[5] is None else f"case {row[4]} ({bare(row[5])})"


def performance_spectrum(
    history: History,
    *,
    segments: int = 6,
    cases: int = 150,
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """Each passage from a state to the next as a line over time, coloured by how long it took [2]_.

    Parameters
    ----------
    segments
        How many pairs of states, the most frequent ones.
    cases
        Lines a segment at most: of more every k-th is drawn, and the title says so.
    run, workflow
        As of `dotted_chart`.

    Raises
    ------
    HistoryError
        If there is nothing to draw.

    Notes
    -----
    Quarters are exact, over all passages of the segment. One pass over the stays; of those of the segments drawn a
    second one with a sort.
    """
    import plotly.graph_objects as go

    expect_whole("segments", segments)
    expect_whole("cases", cases)
    scene = scene_of(history, "performance_spectrum", run=run, workflow=workflow, one_run=True)
    query = _LINES.format(where=scene.scope.where, root=_ROOT, segments=segments, most=cases)
    rows = scene.rows(query)
    if not rows:
        raise nothing(scene, "no case went from one state to another")
    order = state_order(scene.scope.states)
    pairs = sorted({row[:2] for row in rows}, key=lambda pair: (order.get(pair[0], 0), order.get(pair[1], 0), pair))
    heights = {pair: len(pairs) - 1 - k for k, pair in enumerate(pairs)}
    figure = go.Figure()
    for quarter, (colour, told) in enumerate(zip(QUARTERS, _QUARTERS)):
        lines = [row for row in rows if row[6] == quarter]
        ends = scene.moments(time for row in lines for time in row[4:6])
        figure.add_scatter(
            x=gapped(list(zip(ends[::2], ends[1::2]))),
            y=gapped([(heights[row[:2]] + 0.82, heights[row[:2]]) for row in lines]),
            mode="lines",
            line={"color": colour, "width": 0.9},
            opacity=0.6,
            name=told,
            hoverinfo="skip",
        )
    numbers = {row[:2]: row[2:4] for row in rows}
    labels = [f"<b>{bare(a)} → {bare(b)}</b><br>{_facts(*numbers[a, b])}" for a, b in pairs]
    figure.update_layout(
        xaxis={"title": CLOCK},
        yaxis={"tickvals": [heights[pair] + 0.41 for pair in pairs], "ticktext": labels, "showgrid": False},
    )
    for height in heights.values():
        for edge in (height, height + 0.82):
            figure.add_hline(y=edge, line={"color": "rgba(128,128,128,0.5)", "width": 1})
    thinned = " (a sample of each segment)" if any(n > cases for n, _ in numbers.values()) else ""
    return styled(
        figure,
        f"Performance spectrum{scene.told}: the {len(pairs)} most frequent passages{thinned}",
        says="A line begins above when a case enters the first state and ends below when it enters the second: the "
        "flatter, the slower. Lines that run together end a batch, lines that cross overtake, a fan is a queue.",
        query=query,
        height=160 + 92 * len(pairs),
        legend_below=True,
    )


_QUARTERS = ("quickest quarter", "below the median", "above the median", "slowest quarter")


def _facts(n: int, quarters: list[float]) -> str:
    return f"{n:,} times, median {short_time(quarters[1])}"
