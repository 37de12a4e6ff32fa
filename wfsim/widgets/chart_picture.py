"""Charts as one still picture, for where a page cannot be live."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .charts import Chart

COLOURS = ("#0072b2", "#b5530a", "#00795a", "#a34b83", "#7a6a00", "#6a4fb0", "#007a87", "#8a3324")
"""Of lines and runs, dark enough on white: Okabe and Ito's, where they are light by a darker one of the same hue."""
DASHES = ("", "6 3", "2 3")
_REST = "#595959", "1 3"
_WIDTH, _LEFT, _RIGHT, _ROW, _PLOT, _GAP = 720, 190, 20, 22, 180, 14
_SPAN = _WIDTH - _LEFT - _RIGHT


def picture(charts: Sequence[Chart], runs: Mapping[int, str]) -> str:
    """An SVG of charts below each other; `runs` are the names of what is shown, by place."""
    parts, y = list[str](), 0.0
    for place, name in runs.items() if len(runs) > 1 else ():
        parts.append(f'<rect x="8" y="{y + 6:.0f}" width="12" height="12" fill="{colour(place + 1)[0]}"/>')
        parts.append(f'<text x="28" y="{y + 16:.0f}">{escape(name)}</text>')
        y += 20
    for chart in charts:
        parts.append(f'<text x="8" y="{y + 18:.0f}" font-weight="bold">{escape(chart["title"])}</text>')
        top = y + 30
        drawn = _lines(chart, top) if chart["kind"] == "lines" else _bars(chart, top)
        parts += drawn
        height = _PLOT if chart["kind"] == "lines" else _ROW * max(1, len(chart["rows"]))
        y = top + height + 24 + _GAP
        if chart["kind"] == "lines":
            y += 16 * len(chart["lines"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:.0f}" width="{_WIDTH}" height="{y:.0f}" '
        f'font-family="DejaVu Sans, Arial, sans-serif" font-size="12">'
        f'<rect width="{_WIDTH}" height="{y:.0f}" fill="#fff"/>{"".join(parts)}</svg>'
    )


def colour(place: int) -> tuple[str, str]:
    """The colour and dash of a line, as `hue` of the front end has them: from 1, and 0 for the rest."""
    return (COLOURS[(place - 1) % len(COLOURS)], DASHES[(place - 1) % len(DASHES)]) if place else _REST


def _bars(chart: Chart, top: float) -> Iterator[str]:
    rows = chart["rows"]
    bottom = top + _ROW * max(1, len(rows))
    yield from _across(chart["ticks"], top, bottom)
    for k, row in enumerate(rows):
        label = escape(_cut(row["label"]))
        yield f'<text x="{_LEFT - 8}" y="{top + _ROW * k + 15:.0f}" text-anchor="end">{label}</text>'
        thick = (_ROW - 6) / len(row["marks"])
        for number, mark in enumerate(row["marks"]):
            y = top + _ROW * k + 3 + thick * number
            line, _ = colour(mark["run"] + 1)
            yield f'<rect x="{_LEFT}" y="{y:.1f}" width="{mark["at"] * _SPAN:.1f}" height="{thick:.1f}" fill="{line}"/>'
            if mark["span"]:
                low, high = (_LEFT + each * _SPAN for each in mark["span"])
                middle = y + thick / 2
                yield f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}" stroke="#000" stroke-width="2"/>'


def _lines(chart: Chart, top: float) -> Iterator[str]:
    bottom = top + _PLOT
    yield from _across(chart["times"], top, bottom)
    for at, text in chart["ticks"]:
        y = bottom - at * _PLOT
        yield f'<path d="M{_LEFT} {y:.1f}h{_SPAN}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    for number, line in enumerate(chart["lines"]):
        shade, dash = colour(line["colour"])
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        way = " ".join(f"{_LEFT + x * _SPAN:.1f},{bottom - y * _PLOT:.1f}" for x, y in zip(line["x"], line["y"]))
        yield f'<polyline points="{way}" fill="none" stroke="{shade}" stroke-width="2"{dashed}/>'
        y = bottom + 34 + 16 * number
        yield f'<path d="M{_LEFT} {y - 4:.0f}h24" stroke="{shade}" stroke-width="3"{dashed}/>'
        yield f'<text x="{_LEFT + 32}" y="{y:.0f}">{escape(line["name"])}</text>'


def _across(ticks: Sequence[tuple[float, str]], top: float, bottom: float) -> Iterator[str]:
    for at, text in ticks:
        x = _LEFT + at * _SPAN
        yield f'<path d="M{x:.1f} {top:.0f}V{bottom:.0f}" stroke="#ddd"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 15:.0f}" text-anchor="middle">{escape(text)}</text>'


def _cut(label: str, most: int = 27) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
