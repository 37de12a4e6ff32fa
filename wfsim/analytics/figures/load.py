"""How much there is to do over time: cases in states, cases that come and go, pools of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.model.duration import short_time

from ..look import ENDINGS, INK, LIMIT, WAIT, WORK, bare, faded, hatch, state_looks, state_order, styled
from ..scope import literal
from .scene import CLOCK, Scene, nothing, scene_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_BUCKETS = 150
_INSIDE = """
SELECT state, bucket_start, mean_cases FROM occupancy({width}) WHERE {where} AND region = {region}
ORDER BY state, bucket_start
"""
_TREND = """
SELECT bucket_start, started, success, closed - success AS otherwise, open_at_end, closed FROM trend({width})
WHERE {where} ORDER BY bucket_start
"""
_POOLS = """
SELECT u.pool, u.capacity, u.mean_capacity, u.utilisation, u.mean_wait, u.attempts FROM pool_utilisation u
WHERE u.run = {run} ORDER BY u.pool
"""
_LOAD = """
SELECT pool, bucket_start, mean_busy, mean_queue FROM pool_load({width}) WHERE run = {run} ORDER BY pool, bucket_start
"""
_SHIFTS = "SELECT time, capacity FROM shift_changes WHERE run = {run} AND pool = {pool} ORDER BY time"


def occupancy(
    history: History,
    *,
    bucket: str | float | None = None,
    region: str = "",
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """How many cases are in each state over time, on average within each bucket of it.

    Parameters
    ----------
    bucket
        Its width, as `"1h"` or seconds; if not given, about a hundred fit.
    region
        Of which region the states are: the root, or the path of another.
    run, workflow
        Which run (of several the first if not given), and which workflow (the one that was run).

    Raises
    ------
    HistoryError
        If there is nothing to draw, or a bucket is no length of time, or too short.

    Notes
    -----
    One pass over the stays (the macro `occupancy`).
    """
    import plotly.graph_objects as go

    scene = scene_of(history, "occupancy", run=run, workflow=workflow, one_run=True)
    width = scene.bucket(bucket, _BUCKETS)
    query = _INSIDE.format(width=width, where=scene.scope.views, region=literal(region))
    found: dict[str, dict[int, float]] = {}
    for state, start, mean in scene.rows(query):
        found.setdefault(state, {})[start] = mean
    if not found:
        raise nothing(scene, f"no case was in a state of the region {region!r}")
    starts = sorted({start for each in found.values() for start in each})
    grid = range(starts[0], starts[-1] + width, width)
    looks, order = state_looks(scene.scope.states, found), state_order(scene.scope.states)
    figure = go.Figure()
    for state in sorted(found, key=lambda each: (order.get(each, 0), each)):
        colour, before = looks[state]
        figure.add_bar(
            x=scene.moments(start + width // 2 for start in grid),
            width=width / 1000,
            y=[found[state].get(start, 0) for start in grid],
            name=bare(state),
            marker={"color": colour, "pattern": hatch(before), "line": {"width": 0}},
            hovertemplate="%{x}: %{y:,.1f} cases<extra>" + bare(state) + "</extra>",
        )
    where = "" if not region else f" in {region}"
    figure.update_layout(barmode="stack", bargap=0, xaxis={"title": CLOCK}, yaxis={"title": "cases"})
    return styled(
        figure,
        f"Occupancy{scene.told}{where}: cases in each state, mean of each {short_time(width)}",
        says="How many cases were in each state, one above the other. A band that widens is a state in which cases "
        "gather; all together are the cases that were open.",
        query=query,
    )


def arrivals_and_completions(
    history: History,
    *,
    bucket: str | float | None = None,
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """How many cases start and close in each bucket of time, and how many are open when it ends.

    Parameters
    ----------
    bucket, run, workflow
        As of `occupancy`.

    Raises
    ------
    HistoryError
        As of `occupancy`.

    Notes
    -----
    One pass over the cases (the macro `trend`).
    """
    from plotly.subplots import make_subplots

    scene = scene_of(history, "arrivals_and_completions", run=run, workflow=workflow, steps=False, one_run=True)
    width = scene.bucket(bucket, _BUCKETS)
    query = _TREND.format(width=width, where=scene.scope.views)
    rows = scene.rows(query)
    if not rows:
        raise nothing(scene, "no case began or closed")
    x = scene.moments(row[0] + width // 2 for row in rows)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    shown = [("started", [row[1] for row in rows], WORK, ""),
             (ENDINGS["success"][0], [-row[2] for row in rows], ENDINGS["success"][1], ""),
             ("closed otherwise", [-row[3] for row in rows], LIMIT, "/")]  # fmt: skip
    if scene.scope.is_log:
        # Nobody has said how they ended.
        shown[1:] = [(ENDINGS["completed"][0], [-row[5] for row in rows], ENDINGS["completed"][1], "")]
    for name, values, colour, sign in shown:
        figure.add_bar(
            x=x,
            width=width / 1000,
            y=values,
            customdata=[abs(value) for value in values],
            name=name,
            marker={"color": colour, "pattern": hatch(sign), "line": {"width": 0}},
            hovertemplate="%{x}: %{customdata:,}<extra>" + name + "</extra>",
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=scene.moments(row[0] + width for row in rows),
        y=[row[4] for row in rows],
        name="open at its end",
        mode="lines",
        line={"color": INK, "width": 2, "shape": "vh"},
        fill="tozeroy",
        fillcolor=faded(INK, 0.25),
        hovertemplate="%{x}: %{y:,} open<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_layout(
        barmode="relative",
        bargap=0,
        xaxis2={"title": CLOCK},
        yaxis={"title": "closed | started", "tickformat": ",d"},
        yaxis2={"title": "open cases", "tickformat": ",d", "rangemode": "tozero"},
    )
    styled(
        figure,
        f"Arrivals and completions{scene.told}: cases in each {short_time(width)}",
        says="Above the line how many cases started, below it how many closed; grey, how many were open. Where that "
        "rises, more came than went.",
        query=query,
        height=500,
        legend_below=True,
    )
    figure.update_layout(yaxis_zeroline=True, yaxis_zerolinecolor=INK)
    return figure


def pool_utilisation(history: History, *, bucket: str | float | None = None, run: int | None = None) -> go.Figure:
    """How many workers of each pool are busy over time, how many there are, and how many attempts wait for one.

    Parameters
    ----------
    bucket
        As of `occupancy`.
    run
        Which run; of several the first if not given. All workflows of a run share its pools.

    Raises
    ------
    HistoryError
        If no activity asks for a pool, or the log level keeps no attempts.

    Notes
    -----
    Two passes over the attempts (`pool_utilisation` and the macro `pool_load`).
    """
    from plotly.subplots import make_subplots

    scene = scene_of(history, "pool_utilisation", run=run, steps=False, one_run=True)
    number = scene.scope.runs[0]
    pools = [row for row in scene.rows(_POOLS.format(run=number)) if row[5]]
    if not pools:
        raise nothing(scene, "no activity asked for a worker of a pool, or the log level keeps no attempts")
    width = scene.bucket(bucket, _BUCKETS)
    query = _LOAD.format(width=width, run=number)
    load: dict[str, list[tuple[int, float, float]]] = {}
    for pool, *rest in scene.rows(query):
        load.setdefault(pool, []).append(tuple(rest))
    figure = make_subplots(
        rows=len(pools), cols=1, shared_xaxes=True, vertical_spacing=min(0.12, 0.3 / len(pools)),
        subplot_titles=[_told_pool(*row) for row in pools],
    )  # fmt: skip
    for k, (pool, capacity, *_) in enumerate(pools, 1):
        known = {start: (busy, queue) for start, busy, queue in load[pool]}
        grid = range(min(known), max(known) + width, width)
        x = scene.moments(start + width // 2 for start in grid)
        busy, queue = zip(*(known.get(start, (0.0, 0.0)) for start in grid))
        first = k == 1
        figure.add_bar(x=x, y=busy, width=width / 1000, name="busy workers", legendgroup="busy", showlegend=first,
                       marker={"color": WORK, "line": {"width": 0}}, row=k, col=1)  # fmt: skip
        figure.add_scatter(x=x, y=queue, name="waiting attempts", legendgroup="queue", showlegend=first,
                           mode="lines", line={"color": WAIT, "width": 1.5, "shape": "hvh"}, fill="tozeroy",
                           fillcolor=faded(WAIT, 0.25), row=k, col=1)  # fmt: skip
        steps = (
            [(grid[0], capacity), (grid[-1] + width, capacity)] if capacity is not None else _shifts(scene, pool, grid)
        )
        if steps:
            figure.add_scatter(x=scene.moments(time for time, _ in steps), y=[many for _, many in steps],
                               name="workers there", legendgroup="there", showlegend=first, mode="lines",
                               line={"color": LIMIT, "width": 1.5, "dash": "dash", "shape": "hv"},
                               row=k, col=1)  # fmt: skip
    figure.update_layout(bargap=0)
    figure.update_xaxes(title=CLOCK, row=len(pools), col=1)
    # All of the run: that is what the utilisation is about.
    figure.update_xaxes(range=scene.moments(scene.span()))
    run_told = "" if len(history.runs) == 1 else f", run {number} of {len(history.runs)}"
    return styled(
        figure,
        f"Utilisation of pools{run_told}: mean of each {short_time(width)}",
        says="How many workers of each pool were at work, below the dashed line of how many were there; orange is how "
        "many attempts waited for one. A pool that is busy up to the line makes cases wait.",
        query=query,
        height=180 + 190 * len(pools),
        legend_below=True,
        above=80,
    )


def _told_pool(
    pool: str, capacity: int | None, mean: float | None, utilisation: float | None, wait: float | None, attempts: int
) -> str:
    workers = (
        f"{capacity:,} workers" if capacity is not None else "by shifts" if mean is not None else "capacity not known"
    )
    used = f", utilisation {utilisation:.1%}" if utilisation is not None else ""
    return f"<b>{bare(pool)}</b> ({workers}{used}, {attempts:,} attempts, mean wait {short_time(wait or 0)})"


def _shifts(scene: Scene, pool: str, grid: range) -> list[tuple[int, int]]:
    """From when on how many workers are there, as far as the picture goes."""
    rows = scene.rows(_SHIFTS.format(run=scene.scope.runs[0], pool=literal(pool)))
    end = grid[-1] + grid.step
    inside = [(max(time, grid[0]), many) for k, (time, many) in enumerate(rows)
              if time < end and (k + 1 == len(rows) or rows[k + 1][0] > grid[0])]  # fmt: skip
    return [*inside, (end, inside[-1][1])] if inside else []
