"""How figures look: one palette for colour-blind eyes, times as people say them, on light and on dark pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from wfsim.model.duration import short_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import plotly.graph_objects as go

# Okabe and Ito (2008), "Color Universal Design": told apart by colour-blind eyes.
STATE_COLOURS = ("#56B4E9", "#E69F00", "#0072B2", "#CC79A7", "#F0E442")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star")
HATCHES = ("", "/", ".", "x", "-", "+")
"""Signs of states that share a colour: no colour is ever the only difference."""
# Each ending has a sign of its own, for the same reason. Cases of an imported log are completed without an outcome.
ENDINGS = {
    "success": ("✓ completed: success", "#009E73"),
    "completed": ("● completed", "#009E73"),
    "failure": ("✗ completed: failure", "#D55E00"),
    "failed": ("⚠ failed", "#D55E00"),
    "timed_out": ("⏱ timed out", "#999999"),
    "cancelled": ("⊘ cancelled", "#999999"),
    "terminated": ("■ terminated", "#000000"),
}
GREY = "#999999"
WAIT, WORK, LIMIT = "#E69F00", "#0072B2", "#D55E00"
"""Of time spent waiting, of time at work, and of what should not be passed."""
# Told apart in grey, too: quarters from quick to slow.
QUARTERS = ("#56B4E9", "#009E73", "#E69F00", "#D55E00")
FONT = 13
INK = "#808080"
BELOW = {"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0, "xanchor": "left"}
"""Where a legend stands below all that belongs to the axes."""
_GRID = "rgba(128,128,128,0.22)"
_S, _MIN, _H, _D = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
STEPS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000),
    *(_S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 30 * _S),
    *(_MIN, 2 * _MIN, 5 * _MIN, 10 * _MIN, 15 * _MIN, 30 * _MIN),
    *(_H, 2 * _H, 3 * _H, 6 * _H, 12 * _H),
    *(_D, 2 * _D, 7 * _D, 14 * _D, 30 * _D, 90 * _D, 180 * _D, 365 * _D, 730 * _D, 1825 * _D, 3650 * _D),
)
"""Lengths of time that people count in, in microseconds."""
_DECADES = (
    *(1, 10, 100, 1_000, 10_000, 100_000, _S, 10 * _S, _MIN, 10 * _MIN, _H, 6 * _H),
    *(_D, 7 * _D, 30 * _D, 365 * _D, 3650 * _D),
)


def step_of(span: float, most: int) -> int:
    """The shortest length that people count in of which at most so many fit into a span (microseconds)."""
    return next((step for step in STEPS if span / step <= most), STEPS[-1])


def bare(text: str) -> str:
    """A text of a definition as plotly shows it: it reads a subset of HTML."""
    return html.escape(text)


def state_looks(states: Sequence[str], names: Iterable[str]) -> dict[str, tuple[str, int]]:
    """The colour of each state, by its place among the states of a workflow, and how many before it have the same."""
    order = state_order(states)
    return {
        name: (STATE_COLOURS[order[name] % len(STATE_COLOURS)], order[name] // len(STATE_COLOURS))
        if name in order
        else (GREY, 0)
        for name in names
    }


def state_order(states: Sequence[str]) -> dict[str, int]:
    """The place of each state among those of a workflow."""
    return {path: k for k, path in enumerate(states)}


def faded(colour: str, opacity: float = 0.45) -> str:
    """A colour through which others can be seen."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def duration_axis(most: float, title: str, *, ticks: int = 6) -> dict[str, Any]:
    """An axis of durations in microseconds from 0 on, with ticks at whole seconds, minutes, hours or days."""
    step = step_of(max(most, 1), ticks)
    values = [k * step for k in range(int(most / step) + 2)]
    return {"title": title, "tickvals": values, "ticktext": [short_time(value) for value in values], "range": [0, most]}


def log_duration_axis(least: float, most: float, title: str) -> dict[str, Any]:
    """The same in equal ratios, for durations that differ a hundredfold."""
    values = [value for value in _DECADES if least / 10 <= value <= most * 10]
    return {"title": title, "type": "log", "tickvals": values, "ticktext": [short_time(value) for value in values]}


def styled(
    figure: go.Figure,
    title: str,
    *,
    says: str,
    query: str,
    height: int = 420,
    legend: bool = True,
    legend_below: bool = False,
    above: int | None = None,
) -> go.Figure:
    """The figure with a title, the look of the house, and in `layout.meta` what it says and the SQL that it shows.

    Transparent, with grey text: readable on light and on dark pages.

    Parameters
    ----------
    legend_below
        Or else to the right.
    above
        Pixels above the axes, for what stands there beside the title.
    """
    axis = {"gridcolor": _GRID, "linecolor": _GRID, "zeroline": False, "automargin": True}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    figure.update_layout(
        # All that is in the usual one is said here, and it is longer than most figures.
        template="none",
        title={
            "text": title,
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 16, "t": 16},
        },
        meta={"title": title, "says": says, "query": query.strip()},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": FONT},
        margin={"l": 20, "r": 20, "t": 60 if above is None else above, "b": 20},
        height=height,
        showlegend=legend,
        legend={"itemsizing": "constant", "traceorder": "normal"} | (BELOW if legend_below else {}),
        hoverlabel={"font": {"size": FONT}},
    )
    return figure


def hatch(which: int | str) -> dict[str, Any]:
    """A pattern over a colour: one of `HATCHES` by number, or by its sign."""
    shape = HATCHES[which % len(HATCHES)] if isinstance(which, int) else which
    return {"shape": shape, "fillmode": "overlay", "size": 7, "solidity": 0.18}


def gapped(values: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Pairs in a row with a gap after each: many short lines as one."""
    return [each for pair in values for each in (*pair, None)]
