"""Commands that prove: `wfsim verify` and `conditions` ask workflows, `check` asks Petri nets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from wfsim.errors import DefinitionError

from .marked_functions import Modules, functions_of
from .printing import indented, show_conditions, show_verdict
from .terminal import FINE, UNANSWERED, VIOLATED, AsJson, File, Folder, Seconds, catalogue_of, load, out, print_json

if TYPE_CHECKING:
    from wfsim.verification.workflows.conditions.findings import Conditions
    from wfsim.verification.workflows.report import Report

MOST_MEMORY = 2**24
"""MiB that can be allowed: 16 TiB. A number of bytes given by mistake is beyond that."""


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="A workflow, and perhaps a property file about it; or property files and folders of such, which name "
            "their workflows. A workflow alone is asked every built-in question.",
            show_default=False,
        ),
    ],
    catalogue: Folder = None,
    functions: Modules = None,
    as_json: AsJson = False,
    max_states: Annotated[int, typer.Option(min=1, help="Stop each search at this many states.")] = 100_000,
    max_seconds: Seconds = None,
    traces: Annotated[bool, typer.Option(help="Show the traces.")] = True,
    junit: Annotated[
        Path | None, typer.Option(help="Also write the verdicts to this file as JUnit XML.", show_default=False)
    ] = None,
) -> None:
    """Ask what must hold; violations come with a shortest trace.

    A workflow alone is asked about its conditions as well (as `wfsim conditions` does), which decides nothing here: the
    order of the file may be meant, and so may nothing being taken.
    """
    import wfsim as wf
    from wfsim.verification.workflows.report import as_expected
    from wfsim.verification.workflows.report import junit as as_junit

    asked, given = _asked(files), functions_of(functions)
    reports: list[tuple[str | None, Report]] = []
    beside: Conditions | None = None
    for file, properties in asked:
        workflow = load(file, given)
        known = catalogue_of(file, workflow, catalogue, given)
        report = wf.verify(workflow, properties, max_states=max_states, max_seconds=max_seconds, catalogue=known)
        reports.append((None if properties is None else str(properties), report))
        if properties is None:
            beside = wf.conditions(workflow, max_seconds=max_seconds)
        if as_json:
            continue
        if len(asked) > 1:
            out.print(Text(str(properties), style="bold"), soft_wrap=True)
        for one, verdict in zip(report.properties, report):
            show_verdict(out, str(one), verdict, one.expect, traces)
            if verdict.status.value == "unknown" and one.allow_unknown:
                indented(out, Text(f"Allowed to stay open: {one.allow_unknown}"), 4)
        n = sum(map(as_expected, report.properties, report))
        out.print(f"{n} of {len(report)} as expected.", highlight=False)
        if beside is not None:
            show_conditions(out, beside)
    if junit is not None:
        junit.write_text(as_junit(reports), encoding="utf-8")
    if as_json:
        plain = [report.to_dict() for _, report in reports]
        if beside is not None:
            plain[0]["conditions"] = beside.to_dict()
        print_json(plain[0] if len(plain) == 1 else plain)
    if all(report.ok for _, report in reports):
        raise typer.Exit(FINE)
    wrong = any(report.violated for _, report in reports)
    raise typer.Exit(VIOLATED if wrong else UNANSWERED)


def _asked(files: list[Path]) -> list[tuple[Path, Path | None]]:
    """Workflows with what is asked of them: a workflow and its property file, or property files alone.

    Raises
    ------
    DefinitionError
        For files that do not go together, and a folder without property files.
    """
    from wfsim.verification.workflows.property_files import is_property_file, load_properties, workflow_of

    first = files[0]
    if len(files) <= 2 and first.is_file() and not is_property_file(first):
        return [(first, files[1] if len(files) == 2 else None)]
    found: list[Path] = []
    for file in files:
        inside = [path for path in sorted(file.rglob("*")) if path.is_file()] if file.is_dir() else [file]
        about = [path for path in inside if not path.is_file() or is_property_file(path)]
        if not about:
            kind = "there is no property file in this folder" if file.is_dir() else "this is no property file"
            raise DefinitionError(
                f"{file}: {kind}. Give one workflow, with a property file if you like, or property files alone: YAML "
                "with the keys 'workflow' and 'properties'."
            )
        found += about
    return [(workflow_of(path, load_properties(path)[0]), path) for path in found]


def conditions(file: File, functions: Modules = None, as_json: AsJson = False, max_seconds: Seconds = None) -> None:
    """Find values that fall between conditions, or into two of them. Exit code 1 if there are any."""
    import wfsim as wf
    from wfsim.verification.verdict import Status

    found = wf.conditions(load(file, functions_of(functions)), max_seconds=max_seconds)
    if as_json:
        print_json(found.to_dict())
    else:
        show_conditions(out, found)
    statuses = {finding.status for finding in found}
    raise typer.Exit(VIOLATED if Status.VIOLATED in statuses else UNANSWERED if statuses else FINE)


def check(
    net: Annotated[Path, typer.Argument(help="A Petri net in PNML.", show_default=False)],
    properties: Annotated[
        Path | None, typer.Argument(help="Formulas in the Model Checking Contest's XML.", show_default=False)
    ] = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(help="live, bounded: 3, 'never: tokens(\"p\") > 1', …; several times.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    max_markings: Annotated[int, typer.Option(min=1, help="Stop each search at this many markings.")] = 1_000_000,
    max_seconds: Seconds = None,
    max_memory: Annotated[
        int, typer.Option(min=1, max=MOST_MEMORY, help="Stop each search before it takes more memory, in MiB.")
    ] = 2_048,
    trust_units: Annotated[
        bool, typer.Option("--trust-units", help="Believe the file where it says that nested units are safe.")
    ] = False,
    traces: Annotated[bool, typer.Option(help="Show the traces.")] = True,
) -> None:
    """Ask a Petri net; by default every question with a name."""
    from wfsim.verification.nets.limits import Limits
    from wfsim.verification.nets.net_files import all_hold, check_file

    limits = Limits(max_markings, max_seconds, max_memory * 2**20)
    verdicts = check_file(net, properties, ask or [], limits, trust_units=trust_units)
    if as_json:
        print_json([verdict.to_dict() for verdict in verdicts])
    else:
        for verdict in verdicts:
            show_verdict(out, verdict.property, verdict, "holds", traces)
        n = sum(verdict.status.value == "holds" for verdict in verdicts)
        out.print(f"{n} of {len(verdicts)} hold.", highlight=False)
    raise typer.Exit({True: FINE, False: VIOLATED, None: UNANSWERED}[all_hold(verdicts)])
