"""The command `wfsim`: design, check, draw, prove, simulate and question workflows from a terminal.

Exit codes: 0 fine, 1 something is violated or wrong in the workflow, 2 the question could not be answered.
With `--json` a command prints one JSON object and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wfsim.errors import WfsimError

if TYPE_CHECKING:
    from wfsim.history.history import History
    from wfsim.model.lint import Finding, Findings
    from wfsim.model.workflow import Workflow
    from wfsim.verify.properties import Report
    from wfsim.verify.verdict import Verdict

FINE, VIOLATED, UNANSWERED = 0, 1, 2
INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

app = typer.Typer(
    name="wfsim",
    help="Design, verify, simulate and question workflows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

File = Annotated[Path, typer.Argument(help="A workflow in YAML.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seconds = Annotated[float | None, typer.Option("--max-seconds", help="Stop each search after this long.")]

_SEVERITY = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_STATUS = {"holds": "green", "violated": "bold red", "unknown": "yellow", "error": "magenta"}
_MARK = {"holds": "✓", "violated": "✗", "unknown": "?", "error": "!"}


def main() -> NoReturn:
    """Run the command line; errors of wfsim become one clear text and exit code 2."""
    try:
        # Outside its own mode typer returns the code of `typer.Exit` instead of raising it.
        code = app(standalone_mode=False)
    except WfsimError as error:
        err.print(Text(str(error), style="red"))
        sys.exit(UNANSWERED)
    except Exception as error:
        # Typer's own usage errors know how to show themselves; anything else is a defect and must be seen whole.
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            sys.exit(UNANSWERED)
        raise
    if code == INTERRUPTED:
        err.print("Interrupted.")
        code = UNANSWERED
    sys.exit(code if isinstance(code, int) else FINE)


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")


def _load(path: Path) -> Workflow:
    import wfsim as wf

    return wf.load(path)


def _table(*columns: str, title: str | None = None) -> Table:
    return Table(*columns, title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    template: Annotated[str, typer.Option("--template", "-t", help="Which template.")] = "minimal",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a small valid workflow to start from."""
    import wfsim as wf

    if path.exists() and not force:
        raise WfsimError(f"{path} exists. Choose another name, or overwrite it with --force.")
    workflow = wf.new(template)
    wf.save(workflow, path)
    out.print(f"Wrote {path}: {workflow!r}\nNext: wfsim lint {path}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def lint(file: File, as_json: AsJson = False) -> None:
    """Find what is well formed yet wrong. Exit code 1 if there is an error or a warning."""
    import wfsim as wf

    findings = wf.lint(_load(file))
    if as_json:
        _print_json([finding.to_dict() for finding in findings])
    else:
        _show_findings(findings)
    bad = any(str(finding.severity) != "info" for finding in findings)
    raise typer.Exit(VIOLATED if bad else FINE)


def _show_findings(findings: Findings, *, short: bool = False) -> None:
    """A row per finding; `short` leaves the advice out and puts equal codes together."""
    table = _table("", "code", "where", "what" if short else "what and what to do")
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.code if short else str(len(groups)), []).append(finding)
    for group in groups.values():
        first = group[0]
        lines = ", ".join(str(each.line) for each in group[:4]) + (", …" if len(group) > 4 else "")
        where = "" if first.file is None else f"line {lines}" if short else f"{Path(first.file).name}:{lines}"
        what = Text(f"{first.place}: {first.message}")
        if short:
            if len(what) > 160:
                what = Text(what.plain[:160].rsplit(" ", 1)[0] + " …")
            if len(group) > 1:
                what.append(f" (and {len(group) - 1} more like it)", style="dim")
        else:
            what.append(" " + first.advice, style="dim")
        table.add_row(
            Text(str(first.severity), style=_SEVERITY[str(first.severity)]), Text(first.code), Text(where), what
        )
    if findings:
        out.print(table)
    n = {kind: sum(str(f.severity) == kind for f in findings) for kind in _SEVERITY}
    told = ", ".join(f"{count} {kind}{'s' if count != 1 and kind != 'info' else ''}" for kind, count in n.items())
    out.print("Nothing found." if not findings else f"{told}. Explained in docs/lint.md.", highlight=False)


@app.command()
def draw(
    file: File,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="SVG or JSON file; default: text here.")] = None,
    net: Annotated[bool, typer.Option("--net", help="Draw the Petri net instead.")] = False,
) -> None:
    """Draw a workflow or its net."""
    import wfsim as wf

    workflow = _load(file)
    picture = wf.picture(wf.to_net(workflow) if net else workflow)
    if to is None:
        out.print(picture.to_text(), highlight=False, markup=False, soft_wrap=True)
        return
    text = json.dumps(picture.to_dict(), indent=2) if to.suffix == ".json" else picture.to_svg()
    to.write_text(text, encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


@app.command()
def verify(
    file: File,
    properties: Annotated[
        Path | None,
        typer.Argument(help="A property file; default: every built-in question.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    max_states: Annotated[int, typer.Option(help="Stop each search at this many states.")] = 100_000,
    max_seconds: Seconds = None,
    traces: Annotated[bool, typer.Option(help="Show the traces.")] = True,
) -> None:
    """Ask what must hold; violated properties come with a shortest trace."""
    import wfsim as wf

    report = wf.verify(_load(file), properties, max_states=max_states, max_seconds=max_seconds)
    if as_json:
        _print_json(report.to_dict())
    else:
        for asked, verdict in zip(report.properties, report):
            _show_verdict(str(asked), verdict, asked.expect, traces)
        n = sum(v.status.value == p.expect for p, v in zip(report.properties, report))
        out.print(f"{n} of {len(report)} as expected.", highlight=False)
    if report.ok:
        raise typer.Exit(FINE)
    raise typer.Exit(UNANSWERED if report.unanswered and not report.violated else VIOLATED)


def _show_verdict(asked: str, verdict: Verdict, expected: str, traces: bool) -> None:
    status = verdict.status.value
    line = Text(f"{_MARK[status]} {status:<9}", style=_STATUS[status])
    line.append(asked, style="bold default")
    if status == expected and status != "holds":
        line.append("  as expected", style="dim")
    elif status != expected and expected != "holds":
        line.append(f"  expected: {expected}", style="bold red")
    out.print(line)
    out.print(Text("  " + verdict.reason), highlight=False)
    for each in (verdict, *verdict.further):
        if each is not verdict:
            out.print(Text("  Also: " + each.reason), highlight=False)
        if traces:
            _show_trace(each)


def _show_trace(verdict: Verdict) -> None:
    if verdict.witness is None:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for number, step in enumerate(verdict.witness.steps, start=1):
        after = ", ".join(f"{key}: {value}" for key, value in step.after.items())
        table.add_row(Text(f"    {number}.", style="dim"), Text(step.action), Text(after, style="dim"))
    out.print(table)


@app.command()
def simulate(
    file: File,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", "-s", help="A scenario; default: <file>.scenario.yaml or a guess."),
    ] = None,
    cases: Annotated[int | None, typer.Option(help="How many instances.")] = None,
    seed: Annotated[int | None, typer.Option(help="Selects all random numbers.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="DuckDB file for the history; an earlier simulated one is replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run many instances through a scenario, and summarise their history."""
    import wfsim as wf

    workflow = _load(file)
    beside = file.with_suffix("").with_suffix(".scenario.yaml")
    chosen = scenario if scenario is not None else beside if beside.exists() else None
    plan = wf.load_scenario(chosen) if chosen is not None else None
    if plan is None and not as_json:
        err.print("No scenario given: using the default one (rates and times are guesses).", style="yellow")
    history = wf.simulate(
        workflow, plan, cases=cases, seed=seed, into=into, progress=sys.stderr.isatty() and not as_json
    )
    _summarise(history, as_json)
    if into is not None and not as_json:
        out.print(f"History: {into}. Next: wfsim report {into}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="A history (DuckDB file).", show_default=False)],
    limit: Annotated[int, typer.Option(help="Rows per table.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print outcomes, hot paths, bottlenecks, activities, timeouts and retries of a history."""
    import wfsim as wf

    with wf.open_history(file) as history:
        _summarise(history, as_json, limit)


def _summarise(history: History, as_json: bool, limit: int = 5) -> None:
    tables = {
        "outcomes": "SELECT status, outcome, cases, share FROM outcomes",
        "hot paths": "SELECT path, cases, share, p50_time, p95_time, success, failure + failed + timed_out AS other "
        f"FROM hot_paths ORDER BY cases DESC, path LIMIT {limit}",
        "where time goes": "SELECT what, name, n, mean_wait AS mean, p95_wait AS p95, total_wait AS total "
        f"FROM bottlenecks ORDER BY total_wait DESC, name LIMIT {limit}",
        "activities": "SELECT activity, attempts, failures, timeouts, retries, p95_wait, p50_service, p95_service "
        f"FROM activity_stats ORDER BY total_wait + total_service DESC, activity LIMIT {limit}",
        "timeouts": f"SELECT what, name, clock, n, cases FROM timeouts ORDER BY n DESC, name LIMIT {limit}",
        "retries": "SELECT activity, executions, retried, retries, recovered, total_delay "
        f"FROM retries ORDER BY retries DESC, activity LIMIT {limit}",
    }
    if as_json:
        data = {name: json.loads(history.sql(q).df().to_json(orient="records")) for name, q in tables.items()}
        _print_json({"digest": history.digest, "notes": history.notes, **data})
        return
    for name, query in tables.items():
        frame = history.sql(query).df()
        if not frame.empty:
            _show_frame(name, frame)
    for note in history.notes:
        out.print(Text("Note: " + note, style="yellow"))
    out.print(f"digest {history.digest}", style="dim", highlight=False)


def _show_frame(title: str, frame: Any) -> None:
    table = _table(title=title)
    for column in frame.columns:
        number = frame[column].dtype.kind in "iuf"
        table.add_column(str(column), justify="right" if number else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_cell(column, value)) for column, value in zip(frame.columns, row)))
    out.print(table)


_TIMES = re.compile(r"(^|_)(mean|p50|p95|max|total|time|wait|service|delay)$")


def _cell(column: str, value: Any) -> str:
    """A value for people: durations (microseconds inside) with a unit, shares in per cent."""
    from wfsim.analytics.hot_paths import short_time

    if value is None or value != value:  # NaN
        return ""
    if _TIMES.search(column) and not isinstance(value, str):
        return short_time(float(value))
    if column == "share":
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the results go.")] = Path("results"),
    models: Annotated[Path, typer.Option(help="The model library.")] = Path("models"),
    cases: Annotated[int, typer.Option(help="How many orders to simulate.")] = 10_000,
) -> None:
    """The order workflow from file to findings, proof, simulation, history, pictures and a real run."""
    import wfsim as wf
    from wfsim.demo import run_demo

    def head(title: str) -> None:
        out.print()
        out.rule(Text(title, style="bold"), align="left")

    def show_report(report: Report) -> None:
        for asked, verdict in zip(report.properties, report):
            _show_verdict(str(asked), verdict, asked.expect, traces=False)
        shown = next((v for v in report if v.status.value == "violated" and v.witness is not None), None)
        if shown is not None:
            out.print("The first trace:", style="dim")
            _show_trace(shown)

    run_demo(
        folder=folder,
        models=models,
        cases=cases,
        say=lambda text: out.print(text, highlight=False),
        head=head,
        show_findings=lambda workflow: _show_findings(wf.lint(workflow), short=True),
        show_report=show_report,
        show_table=_show_frame,
    )


if __name__ == "__main__":
    main()
