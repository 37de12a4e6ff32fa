"""What a history comes to as one HTML page: figures, their numbers in tables, their SQL; nothing is fetched for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.arguments import as_path, expect_whole
from wfsim.errors import HistoryError, NothingToDraw
from wfsim.history.history import History
from wfsim.markup import escaped, html_table

from . import figures
from .flows import flows
from .hot_paths import hot_paths
from .scope import Scope, scope_of
from .summary import cell

if TYPE_CHECKING:
    import os

    import plotly.graph_objects as go

    from wfsim.model.workflow import Workflow

    from .flows import Flows, Measure

Draw = Callable[..., "go.Figure"]


@dataclass(frozen=True)
class _Section:
    """A figure of the page, and the query for its numbers, with the words of `_Page.known`."""

    title: str
    draw: Draw
    table: str


_SECTIONS = (
    _Section(
        "Variants",
        figures.variants,
        "SELECT path, sum(cases)::BIGINT AS cases, sum(success)::BIGINT AS success, "
        "sum(total_time) / sum(cases) AS mean_time, sum(total_time)::BIGINT AS total_time "
        "FROM hot_paths WHERE {where} GROUP BY path ORDER BY cases DESC, path LIMIT {limit}",
    ),
    _Section(
        "Throughput times",
        figures.throughput_times,
        "SELECT status, outcome, count(*) AS cases, quantile_cont(duration, 0.5) AS p50, "
        "quantile_cont(duration, 0.9) AS p90, quantile_cont(duration, 0.95) AS p95, "
        "quantile_cont(duration, 0.99) AS p99, max(duration) AS max FROM durations "
        "WHERE {where} AND status <> 'open' GROUP BY ALL ORDER BY cases DESC, status, outcome",
    ),
    _Section(
        "Waiting and service",
        figures.waiting_and_service,
        "SELECT activity, sum(attempts)::BIGINT AS attempts, sum(failures)::BIGINT AS failures, "
        "sum(timeouts)::BIGINT AS timeouts, sum(retries)::BIGINT AS retries, sum(total_wait)::BIGINT AS total_wait, "
        "max(p95_wait) AS p95_wait, sum(total_service)::BIGINT AS total_service, max(p95_service) AS p95_service "
        "FROM activity_stats WHERE {where} GROUP BY activity "
        "ORDER BY sum(total_wait) + sum(total_service) DESC NULLS LAST, activity LIMIT {limit}",
    ),
    _Section(
        "Utilisation of pools",
        figures.pool_utilisation,
        "SELECT pool, capacity, attempts, busy_time, utilisation, mean_queue, max_queue, mean_wait, max_wait "
        "FROM pool_utilisation WHERE run = {run} ORDER BY pool",
    ),
    _Section(
        "Occupancy",
        figures.occupancy,
        "SELECT state, count(*) AS stays, count(*) FILTER (left_at IS NULL) AS lasting, "
        "sum(dwell)::BIGINT AS total_time, avg(dwell) AS mean_time, quantile_cont(dwell, 0.95) AS p95_time FROM stays "
        "WHERE {where} AND run = {run} AND region = '' GROUP BY state ORDER BY stays DESC, state",
    ),
    _Section(
        "Arrivals and completions",
        figures.arrivals_and_completions,
        "SELECT local_start AS day, started, closed, success, failure, open_at_end, p50_duration AS p50, "
        "p95_duration AS p95 FROM trend('day', 'UTC') WHERE {where} AND run = {run} ORDER BY day LIMIT {limit}",
    ),
    _Section(
        "Dotted chart",
        figures.dotted_chart,
        "SELECT state, sum(cases)::BIGINT AS cases, sum(reworked)::BIGINT AS reworked, sum(again)::BIGINT AS again, "
        "max(most) AS most FROM rework WHERE {where} GROUP BY state ORDER BY again DESC, state LIMIT {limit}",
    ),
    _Section(
        "Performance spectrum",
        figures.performance_spectrum,
        "SELECT from_state, to_state, event, n, mean_dwell AS mean, p50_dwell AS p50, p95_dwell AS p95, "
        "total_dwell AS total FROM dfg WHERE {where} AND run = {run} AND region = '' "
        "ORDER BY n DESC, from_state, to_state, event LIMIT {limit}",
    ),
)
_SLOWEST = """
SELECT run, "case", external_id, status, duration FROM durations WHERE {where} AND status <> 'open'
ORDER BY duration DESC, run, "case" LIMIT {limit}
"""
_RETRIED = """
SELECT e.run, e."case", count(*) FILTER (e.attempt > 1) AS retries, count(*) AS attempts
FROM attempt_rows e WHERE {codes} AND e.scheduled IS NOT NULL GROUP BY e.run, e."case" HAVING retries > 0
ORDER BY retries DESC, e.run, e."case" LIMIT {limit}
"""
_MAPS: tuple[tuple[str, Measure, str], ...] = (
    (
        "Process map: how often",
        "cases",
        "The workflow as it is defined, with how often each arrow was taken and each state entered; what never "
        "happened is on it, too. The wider an arrow and the stronger a colour, the more.",
    ),
    (
        "Process map: mean time",
        "time",
        "The same with the mean time in each state, and before each arrow was taken.",
    ),
)
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #57606a; --page: #ffffff; --line: #d0d7de; --link: #0550ae }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9ea7b3; --page: #14181f; --line: #3d444d; --link: #79c0ff }
}
body { margin: 0 auto; padding: 1rem 1.5rem 4rem; max-width: 68rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
a { color: var(--link) }
h1 { line-height: 1.2 }
h2 { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
nav ul { columns: 3 14rem; padding-left: 1.2rem }
.says, .told { color: var(--soft) }
.figure, .scrolled { overflow-x: auto }
.figure { min-height: 10rem }
.js-plotly-plot text:not(.bartext) { fill: var(--ink) !important }
.node-label { text-shadow: none !important }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top }
caption { padding: 0.6rem 0 }
pre { overflow-x: auto; padding: 0.8rem; border: 1px solid var(--line); font-size: 0.8rem }
summary { cursor: pointer; padding: 0.3rem 0 }
svg { max-width: 100%; height: auto }
"""
# Figures are made when they come into sight: a page of ten is there at once.
_SCRIPT = """
const make = (at) => {
  const { data, layout } = JSON.parse(document.getElementById(at.dataset.of).textContent);
  Plotly.newPlot(at, data, { ...layout, autosize: true }, { responsive: true, displaylogo: false });
};
const seen = new IntersectionObserver((all) => {
  for (const each of all) if (each.isIntersecting) { seen.unobserve(each.target); make(each.target); }
}, { rootMargin: '400px' });
document.querySelectorAll('.figure[data-of]').forEach((at) => seen.observe(at));
addEventListener('beforeprint', () => document.querySelectorAll('.figure:empty').forEach(make));
"""
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def write_report(
    history: History,
    into: str | os.PathLike[str],
    *,
    limit: int = 10,
    run: int | None = None,
    workflow: Workflow | str | None = None,
) -> Path:
    """Write what a history comes to as one HTML page.

    It has a summary with intervals, the process map by frequency and by time, all figures of `wf.figures`, the slowest
    case and the one with most retries; of each the numbers in a table, how to read it, and the SQL behind it. Plotly is
    in it, so it opens anywhere and fetches nothing (a content security policy sees to it); light or dark as the
    reader's system is.

    Parameters
    ----------
    history
        A history, or a part of it (`between`, `business_hours`).
    into
        A file whose name ends in `.html`; what is there is replaced.
    limit
        Rows of the tables at most.
    run
        Only this run. If not given, durations are of all runs together, and moments of the first.
    workflow
        The one that was run if not given, or one that it started, by name; or itself, drawn as a person has placed it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    HistoryError
        If `history` is none, there is no such run or workflow, or the file's name ends otherwise.

    Notes
    -----
    The same page for the same history. A few passes over the records in DuckDB (docs/pictures.md has measured times).
    """
    file = as_path(into, "write_report")
    expect_whole("limit", limit)
    if not isinstance(history, History):
        raise HistoryError(f"write_report takes a history, not {history!r}. wf.open_history(path) opens one.")
    if file.suffix not in (".html", ".htm"):
        raise HistoryError(f"{file}: the page to write ends in .html.")
    text = _Page(history, limit, run, workflow).text()
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)
    return file


class _Page:
    """One page about a workflow of a history."""

    def __init__(self, history: History, limit: int, run: int | None, workflow: Workflow | str | None) -> None:
        self.history = history
        self.asked: dict[str, Any] = {"run": run, "workflow": workflow}
        self.scope: Scope = scope_of(history, steps=False, **self.asked)
        self.limit = limit
        self.known: dict[str, object] = {
            "where": self.scope.views,
            "codes": self.scope.where,
            "run": self.scope.runs[0],
            "limit": limit,
        }
        self.flows: Flows | None = None
        self.contents: list[tuple[str, str]] = []

    def text(self) -> str:
        """The whole page."""
        parts = [self._summary(), *map(self._map, _MAPS), self._paths(), *map(self._figure, _SECTIONS), *self._cases()]
        name = escaped(f"{self.scope.name} {self.scope.version}")
        links = "".join(f'<li><a href="#{anchor}">{escaped(title)}</a></li>' for title, anchor in self.contents)
        plotly = (files("plotly") / "package_data/plotly.min.js").read_text(encoding="utf-8")
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{name}: what happened</title>\n<style>{_STYLE}</style></head>\n<body><main>\n"
            f"<h1>{name}: what happened</h1>\n{self._head()}\n"
            f'<nav aria-label="Contents"><h2>Contents</h2><ul>{links}</ul></nav>\n'
            "<noscript><p>Without scripts there are no figures; their numbers stand in the tables.</p></noscript>\n"
            + "\n".join(parts)
            + f"\n</main>\n<script>{plotly}</script>\n<script>{_SCRIPT}</script>\n</body></html>\n"
        )

    def _head(self) -> str:
        notes = "".join(f"<p><b>Note:</b> {escaped(note)}</p>" for note in self.history.notes)
        return f'<p class="told">{escaped(repr(self.history).strip("<>"))}.</p>{notes}'

    def _begin(self, title: str) -> str:
        anchor = re.sub(r"\W+", "-", title.lower()).strip("-")
        self.contents.append((title, anchor))
        return f'<section><h2 id="{anchor}">{escaped(title)}</h2>'

    def _summary(self) -> str:
        begun = self._begin("Summary")
        told = self.history.summary(run=self.asked["run"])._repr_html_()
        return f'{begun}<div class="scrolled">{told}</div></section>'

    def _map(self, wanted: tuple[str, Measure, str]) -> str:
        title, measure, says = wanted
        begun = self._begin(title)
        try:
            self.flows = self.flows or flows(self.history, **self.asked)
        except NothingToDraw as nothing:
            return f'{begun}<p class="told">{escaped(nothing)}</p></section>'
        drawn = self.flows.picture(measure).to_svg()
        return f'{begun}<p class="says">{escaped(says)}</p><div class="scrolled">{drawn}</div></section>'

    def _paths(self) -> str:
        begun = self._begin("Hot paths")
        try:
            paths = hot_paths(self.history, limit=self.limit, **self.asked)
            figure = paths.plot() if len(paths) else None
        except NothingToDraw as nothing:
            return f'{begun}<p class="told">{escaped(nothing)}</p></section>'
        if figure is None:
            return f'{begun}<p class="told">No case has closed.</p></section>'
        says = "Columns are steps; the wider a band, the more cases went there. The end says how they closed."
        figure.update_layout(height=460)
        return f"{begun}{self._drawn(figure, says, 'hot-paths')}{paths._repr_html_()}</section>"

    def _figure(self, section: _Section) -> str:
        begun = self._begin(section.title)
        asked = {
            key: value
            for key, value in self.asked.items()
            if key == "run" or section.draw is not figures.pool_utilisation
        }
        try:
            figure = section.draw(self.history, **asked)
        except NothingToDraw as nothing:
            return f'{begun}<p class="told">{escaped(nothing)}</p></section>'
        drawn = self._drawn(figure, figure.layout.meta["says"], self.contents[-1][1])
        table = self._table(section.table.format(**self.known))
        return f"{begun}{drawn}{table}{_sql(figure.layout.meta['query'])}</section>"

    def _cases(self) -> list[str]:
        return [
            self._case("The slowest case", "Closed cases by how long they took, the longest first.", _SLOWEST),
            self._case("The case with most retries", "Cases by how many attempts were made anew.", _RETRIED),
        ]

    def _case(self, title: str, says: str, query: str) -> str:
        begun = self._begin(title)
        asked = query.format(**self.known).strip()
        found = self.history.sql(asked).fetchall()
        if not found:
            return f'{begun}<p class="told">There is none.</p></section>'
        try:
            figure = figures.case_gantt(self.history, found[0][1], run=found[0][0])
        except NothingToDraw as nothing:
            return f'{begun}<p class="told">{escaped(nothing)}</p>{self._table(asked)}</section>'
        drawn = self._drawn(figure, figure.layout.meta["says"], self.contents[-1][1])
        return f'{begun}{drawn}<p class="says">{escaped(says)}</p>{self._table(asked)}{_sql(asked)}</section>'

    @staticmethod
    def _drawn(figure: go.Figure, says: str, anchor: str) -> str:
        # In a script that is only data, nothing but a closing tag could end it.
        data = figure.to_json().replace("<", "\\u003c")
        # Plotly's titles are HTML already.
        named = f'role="group" aria-label="{figure.layout.title.text}" style="height:{figure.layout.height}px"'
        return (
            f'<p class="says">{escaped(says)}</p><div class="figure" {named} data-of="data-{anchor}"></div>'
            f'<script type="application/json" id="data-{anchor}">{data}</script>'
        )

    def _table(self, query: str) -> str:
        answer = self.history.sql(query)
        rows = answer.fetchall()
        if not rows:
            return ""
        columns = answer.columns
        numbers = {k for k in range(len(columns)) if all(isinstance(row[k], int | float | None) for row in rows)}
        shown = [[cell(column, value) for column, value in zip(columns, row)] for row in rows]
        heads = [column.replace("_", " ").replace("p50", "median").replace("p95", "95 %") for column in columns]
        table = html_table(heads, shown, numbers=numbers)
        return f'<details open><summary>Numbers</summary><div class="scrolled">{table}</div></details>'


def _sql(query: str) -> str:
    return f"<details><summary>SQL</summary><pre><code>{escaped(query.strip())}</code></pre></details>"
