"""Commands about histories: `wfsim report` and `convert`; what they print of one is printed of a simulation too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .printing import show_table
from .terminal import AsJson, out, print_json, writable

if TYPE_CHECKING:
    from wfsim.history.history import History
    from wfsim.history.questions import Result


def report(
    file: Annotated[Path, typer.Argument(help="A history: a DuckDB file, or a folder of Parquet.", show_default=False)],
    limit: Annotated[int, typer.Option(min=1, help="Rows per table.")] = 10,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write it with figures as one HTML page instead.", show_default=False),
    ] = None,
) -> None:
    """Print what a history comes to, or write it as a page."""
    import wfsim as wf

    if output is not None:
        writable(output, (".html",), file)
    with wf.open_history(file) as history:
        if output is None:
            summarise(history, as_json, limit)
            return
        wf.write_report(history, output, limit=limit)
    if as_json:
        print_json({"written": str(output)})
    else:
        out.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, opens offline", highlight=False, soft_wrap=True)


def convert(
    file: Annotated[
        Path,
        typer.Argument(help="A history of an older format, or a folder of Parquet; it stays.", show_default=False),
    ],
    into: Annotated[Path, typer.Argument(help="The history to make; nothing may be there.", show_default=False)],
    parquet: Annotated[bool, typer.Option("--parquet", help="Make a folder of Parquet files.")] = False,
) -> None:
    """Make a history anew: of an older format, from or to Parquet."""
    import wfsim as wf

    if parquet:
        with wf.open_history(file) as history:
            history.to_parquet(into)
    with wf.open_history(into) if parquet else wf.convert_history(file, into) as history:
        out.print(f"{into}: {len(history):,} records", highlight=False)


def summarise(history: History, as_json: bool, limit: int = 5) -> None:
    from wfsim.analytics.summary import summary_queries

    tables, summary = summary_queries(history, limit), history.summary()
    if as_json:
        frames = {"summary": summary.df()} | {name: history.sql(query).df() for name, query in tables.items()}
        data = {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}
        print_json({"digest": history.digest, "notes": history.notes, **data})
        return
    # Notes follow below.
    told = replace(summary, remarks=tuple(each for each in summary.remarks if each not in history.notes))
    out.print(Text(str(told)), soft_wrap=True, highlight=False)
    for name, query in tables.items():
        # The summary has shares, with their intervals.
        shown = f"SELECT * EXCLUDE (share) FROM ({query})" if name == "outcomes" else query
        show_answer(name, history.sql(shown))
    for note in history.notes:
        out.print(Text("Note: " + note, style="yellow"), highlight=False)
    out.print(f"digest {history.digest}", style="dim", highlight=False)


def show_answer(title: str, answer: Result) -> None:
    """The answer to a query as a table, unless it is empty."""
    from wfsim.analytics.summary import cell

    # Not as a data frame: to load pandas takes longer than many a simulation.
    rows = answer.fetchall()
    if not rows:
        return
    numbers = [all(value is None or isinstance(value, (int, float)) for value in values) for values in zip(*rows)]
    shown = [[cell(column, value) for column, value in zip(answer.columns, row)] for row in rows]
    show_table(out, title, shown, list(zip(answer.columns, numbers)))
