"""Commands about wfsim itself: `wfsim plugins` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .histories import show_answer
from .printing import indented, show_findings, show_table, show_trace, show_verdict
from .terminal import FINE, VIOLATED, AsJson, out, print_json

if TYPE_CHECKING:
    from wfsim.verification.workflows.report import Report


def plugins(as_json: AsJson = False) -> None:
    """List what other packages add, and what is wrong with it. Exit code 1 if anything is."""
    from wfsim.plugins import KINDS, installed

    found = [each for kind in KINDS for each in installed(kind).values()]
    problems = {each: each.problem for each in found}
    if as_json:
        told = [
            {"kind": each.kind, "name": each.name, "where": each.where, "packages": each.packages, "problem": problem}
            for each, problem in problems.items()
        ]
        print_json(told)
    elif not found:
        out.print(f"None: no package has an entry point of {', '.join(f'wfsim.{kind}' for kind in KINDS)}.")
    else:
        rows = [
            [each.kind, each.name, each.where, " and ".join(each.packages), problem or "ok"]
            for each, problem in problems.items()
        ]
        show_table(out, "", rows, [(head, False) for head in ("adds", "name", "function", "package", "state")])
    raise typer.Exit(VIOLATED if any(problems.values()) else FINE)


def demo(
    folder: Annotated[Path, typer.Option(help="Where the results go.")] = Path("results"),
    cases: Annotated[int, typer.Option(min=1, help="How many orders to simulate.")] = 10_000,
) -> None:
    """The order workflow from file to proof, history and a real run."""
    import wfsim as wf
    from wfsim.demo import run_demo

    def head(title: str) -> None:
        out.print()
        out.rule(Text(title, style="bold"), align="left")

    def say(text: str) -> None:
        body = text.lstrip(" ")
        indented(out, Text(body), len(text) - len(body))

    def show_report(report: Report) -> None:
        for asked, verdict in zip(report.properties, report):
            show_verdict(out, str(asked), verdict, asked.expect, traces=False)
        shown = next((v for v in report if v.status.value == "violated" and v.witness is not None), None)
        if shown is not None:
            out.print("The first trace:", style="dim")
            show_trace(out, shown)

    run_demo(
        folder=folder,
        cases=cases,
        say=say,
        head=head,
        show_findings=lambda workflow: show_findings(out, wf.lint(workflow), short=True),
        show_report=show_report,
        show_table=show_answer,
    )
