"""The variants explorer: which ways cases go, state by state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.arguments import expect_whole
from wfsim.history.views import ranked_paths
from wfsim.model.duration import short_time

from ..look import bare, hatch, state_looks, state_order, styled
from .scene import nothing, one_of, scene_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_RANKED = """
SELECT states, cases, share, p50_time, success, sum(cases) OVER () AS every, count(*) OVER () AS variants
FROM ({ranked}) ORDER BY rank_by_{by} LIMIT {most}
"""
_LONGEST = 24
"""States of a variant that are drawn."""


def variants(
    history: History,
    *,
    limit: int = 15,
    by: str = "cases",
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> go.Figure:
    """The ways that closed cases went most, each a row of the states that they passed.

    Parameters
    ----------
    limit
        Rows at most.
    by
        Which first: those of most `cases`, or of most `time` together.
    run, workflow
        Which run (all of them if not given), and which workflow (the one that was run).

    Raises
    ------
    HistoryError
        If no case has closed, or an argument is none of its words.

    Notes
    -----
    One grouping over the cases.
    """
    import plotly.graph_objects as go

    expect_whole("limit", limit)
    one_of("by", by, ("cases", "time"))
    scene = scene_of(history, "variants", run=run, workflow=workflow)
    query = _RANKED.format(ranked=ranked_paths(scene.scope.where, split=False), by=by, most=limit)
    rows = scene.rows(query)
    if not rows:
        raise nothing(scene, "no case has closed")
    cells: dict[str, list[tuple[int, int]]] = {}
    for place, (states, *_) in enumerate(rows):
        for step, state in enumerate(states[:_LONGEST]):
            cells.setdefault(state, []).append((step, place))
    looks, order = state_looks(scene.scope.states, cells), state_order(scene.scope.states)
    figure = go.Figure()
    labels = [
        f"{cases:,} ({share:.1%}), {short_time(median)}" + (" …" if len(states) > _LONGEST else "")
        for states, cases, share, median, *_ in rows
    ]
    for state in sorted(cells, key=lambda each: (order.get(each, 0), each)):
        colour, before = looks[state]
        figure.add_bar(
            x=[0.94] * len(cells[state]),
            base=[step for step, _ in cells[state]],
            y=[place for _, place in cells[state]],
            orientation="h",
            width=0.76,
            name=bare(state),
            marker={"color": colour, "pattern": hatch(before), "line": {"width": 0}},
            text=[f"variant {place + 1}: {labels[place]}" for _, place in cells[state]],
            textposition="none",
            hovertemplate="%{text}<extra>" + bare(state) + "</extra>",
        )
    steps = max(step for each in cells.values() for step, _ in each) + 1
    shown, every, n = sum(row[1] for row in rows), rows[0][5], rows[0][6]
    figure.update_layout(
        barmode="overlay",
        xaxis={"title": "state by state", "tickvals": [k + 0.47 for k in range(steps)],
               "ticktext": [str(k + 1) for k in range(steps)], "showgrid": False, "range": [0, steps]},
        yaxis={"tickvals": list(range(len(rows))), "ticktext": labels, "autorange": "reversed", "showgrid": False},
    )  # fmt: skip
    ranked = "most cases" if by == "cases" else "most time"
    told = f"{len(rows)} of {int(n):,} with {ranked}, {shown / every:.0%} of {int(every):,} closed cases"
    return styled(
        figure,
        f"Variants{scene.told}: the {told}",
        says="A row is a way through the states, with the number of closed cases that went it, their share, and their "
        "median time. Colours that come again in a row are states entered again.",
        query=query,
        height=130 + 28 * len(rows) + 6 * len(cells),
    )
