"""The command `wfsim`: design, check, draw, prove, simulate and question workflows from a terminal.

Exit codes: 0 fine, 1 something is violated or wrong in the workflow, 2 the question could not be answered.
With `--json` a command prints one JSON object and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from wfsim import engine_commands, log_commands, service_commands
from wfsim.errors import DefinitionError, WfsimError
from wfsim.marked_functions import Modules, functions_of
from wfsim.printing import indented, show_conditions, show_findings, show_table, show_trace, show_verdict

if TYPE_CHECKING:
    from wfsim.history.history import History
    from wfsim.history.questions import Result
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.supplying import Supplied
    from wfsim.model.workflow import Workflow
    from wfsim.simulation.scenario import Scenario
    from wfsim.verification.workflows.conditions.findings import Conditions
    from wfsim.verification.workflows.report import Report

FINE, VIOLATED, UNANSWERED = 0, 1, 2
INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
MOST_MEMORY = 2**24
"""MiB that can be allowed: 16 TiB. A number of bytes given by mistake is beyond that."""

app = typer.Typer(
    name="wfsim",
    help="Design, verify, simulate and question workflows.",
    no_args_is_help=True,
    add_completion=False,
    # The plain help fits any width and shows a flag as a flag.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


class _PipeClosed(Exception):
    """Whoever read the output has enough. Rich and typer by themselves would exit with the code of a violation."""


class _Printer(Console):
    """A console that leaves a closed pipe to `main`."""

    def on_broken_pipe(self) -> None:
        raise _PipeClosed


out = _Printer()
err = _Printer(stderr=True)

File = Annotated[Path, typer.Argument(help="A workflow in YAML.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        "-c",
        help="Folder of the workflows that this one starts; default: those beside the file.",
        show_default=False,
    ),
]

Beside = Annotated[
    Path | None,
    typer.Option("--scenario", "-s", help="A scenario; default: <file>.scenario.yaml or a guess."),
]


def _duration(value: float | None) -> float | None:
    """Refuse what bounds no time; a plain lower bound would let nan pass."""
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value} is not a number of seconds, 0 or more.")
    return value


Seconds = Annotated[
    float | None, typer.Option("--max-seconds", callback=_duration, help="Stop each search after this long.")
]


def main() -> NoReturn:
    """Run the command line; errors of wfsim become one clear text and exit code 2."""
    try:
        # Outside its own mode typer returns the code of `typer.Exit` instead of raising it.
        code = app(standalone_mode=False)
    except WfsimError as error:
        err.print(Text(str(error), style="red"), soft_wrap=True)
        sys.exit(UNANSWERED)
    except _PipeClosed:
        # What is still buffered goes nowhere, instead of into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNANSWERED)
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            # Typer's own usage errors know how to show themselves.
            error.show()
        elif isinstance(error, OSError) and error.filename is not None:
            err.print(Text(f"{error.filename}: {error.strerror}.", style="red"), soft_wrap=True)
        else:
            # A defect of wfsim must be seen whole, and must not look like a violation.
            traceback.print_exc()
        sys.exit(UNANSWERED)
    if code == INTERRUPTED:
        err.print("Interrupted.")
        code = UNANSWERED
    sys.exit(code if isinstance(code, int) else FINE)


def _version(wanted: bool) -> None:
    if wanted:
        import wfsim as wf

        out.print(f"wfsim {wf.__version__}", highlight=False)
        raise typer.Exit(FINE)


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Design, verify, simulate and question workflows."""


def _writable(path: Path, endings: tuple[str, ...], *inputs: Path | None) -> None:
    """Refuse to write over what was read, or a file whose ending promises something else."""
    if any(each is not None and path.resolve() == each.resolve() for each in inputs):
        raise WfsimError(f"{path} is what is read; writing there would destroy it. Choose another name.")
    if path.suffix not in endings:
        raise WfsimError(f"{path}: the name of the file to write ends in {' or '.join(endings)}.")


def _print_json(data: Any) -> None:
    try:
        sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise _PipeClosed from None


def _load(path: Path, functions: tuple[Supplied, ...] = ()) -> Workflow:
    import wfsim as wf
    from wfsim.model.supplying import supplied

    return supplied(wf.load(path), functions)


def _catalogue(file: Path, workflow: Workflow, folder: Path | None, functions: tuple[Supplied, ...] = ()) -> Catalogue:
    """The workflows that this one starts, directly or not: of a folder, or of the file's own as far as they load."""
    import wfsim as wf
    from wfsim.model.catalogue import OTHERS
    from wfsim.model.supplying import supplied
    from wfsim.model.uses import invoked

    if folder is not None:
        return wf.Catalogue(supplied(each, functions) for each in wf.Catalogue(folder).all_versions())
    found: list[Workflow] = []
    wanted = {use.workflow for use in invoked(workflow)}
    if wanted:
        beside: dict[str, list[tuple[Path, Workflow]]] = {}
        for path in sorted(file.absolute().parent.glob("*.yaml")):
            if path.samefile(file) or path.name.endswith(OTHERS):
                continue
            try:
                other = _load(path, functions)
            except WfsimError:
                # Not ours to judge: what is missing then is told where it is needed.
                continue
            beside.setdefault(other.name, []).append((path, other))
        left = sorted(wanted)
        while left:
            for path, other in beside.pop(left.pop(0), ()):
                found.append(other)
                left += [use.workflow for use in invoked(other)]
                told = f"With {other.name} {other.version} ({path.name})."
                err.print(told, style="dim", highlight=False, markup=False, soft_wrap=True)
    return wf.Catalogue([workflow, *found])


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    template: Annotated[str, typer.Option("--template", "-t", help="Which template.")] = "minimal",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a small valid workflow to start from."""
    import wfsim as wf

    _writable(path, (".yaml", ".yml"))
    if path.exists() and not force:
        raise WfsimError(f"{path} exists. Choose another name, or overwrite it with --force.")
    workflow = wf.new(template)
    wf.save(workflow, path)
    out.print(
        f"Wrote {path}: {workflow!r}\nNext: wfsim lint {quote(str(path))}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def lint(
    file: File,
    catalogue: Folder = None,
    as_json: AsJson = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", "-i", help="A code to leave out; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """Find what is well formed yet wrong. Exit code 1 if there is an error or a warning."""
    import wfsim as wf

    workflow = _load(file)
    others = _others(workflow, _catalogue(file, workflow, catalogue))
    findings = wf.lint(workflow, catalogue=others, ignore=ignore or ())
    if as_json:
        _print_json([finding.to_dict() for finding in findings])
    else:
        show_findings(out, findings)
    bad = any(str(finding.severity) != "info" for finding in findings)
    raise typer.Exit(VIOLATED if bad else FINE)


@app.command()
def schema(
    to: Annotated[Path | None, typer.Option("--to", "-o", help="JSON file; default: print it.")] = None,
) -> None:
    """Write the JSON Schema of the language, for editors."""
    import wfsim as wf

    if to is None:
        _print_json(wf.json_schema())
        return
    _writable(to, (".json",))
    to.write_text(json.dumps(wf.json_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


@app.command()
def stubs(
    file: File,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Python file; default: print it.")] = None,
) -> None:
    """Write the names of a workflow as types of Python."""
    from wfsim.model.stubs import stubs as as_module

    text = as_module(_load(file))
    if to is None:
        out.file.write(text)
        return
    _writable(to, (".py",), file)
    to.write_text(text, encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


def _others(workflow: Workflow, catalogue: Catalogue) -> list[Workflow]:
    return [one for one in catalogue.all_versions() if one != workflow]


@app.command()
def draw(
    file: File,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="SVG or JSON file; default: text here.")] = None,
    net: Annotated[bool, typer.Option("--net", help="Draw the Petri net instead.")] = False,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", "-c", help="With --net: show the nets of what it starts, too.")
    ] = None,
) -> None:
    """Draw a workflow or its net."""
    import wfsim as wf

    if to is not None:
        _writable(to, (".svg", ".json"), file)
    workflow = _load(file)
    # Without a catalogue each open child is one place, which is easier to look at.
    picture = wf.picture(wf.to_net(workflow, catalogue=catalogue) if net else workflow)
    if to is None:
        out.print(picture.to_text(), highlight=False, markup=False, soft_wrap=True)
        return
    text = json.dumps(picture.to_dict(), indent=2) if to.suffix == ".json" else picture.to_svg()
    to.write_text(text, encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


@app.command()
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
        workflow = _load(file, given)
        known = _catalogue(file, workflow, catalogue, given)
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
        _print_json(plain[0] if len(plain) == 1 else plain)
    if all(report.ok for _, report in reports):
        raise typer.Exit(FINE)
    wrong = any(report.violated for _, report in reports)
    raise typer.Exit(VIOLATED if wrong else UNANSWERED)


@app.command()
def conditions(file: File, functions: Modules = None, as_json: AsJson = False, max_seconds: Seconds = None) -> None:
    """Find values that fall between conditions, or into two of them. Exit code 1 if there are any."""
    import wfsim as wf
    from wfsim.verification.verdict import Status

    found = wf.conditions(_load(file, functions_of(functions)), max_seconds=max_seconds)
    if as_json:
        _print_json(found.to_dict())
    else:
        show_conditions(out, found)
    statuses = {finding.status for finding in found}
    raise typer.Exit(VIOLATED if Status.VIOLATED in statuses else UNANSWERED if statuses else FINE)


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


@app.command()
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
        _print_json([verdict.to_dict() for verdict in verdicts])
    else:
        for verdict in verdicts:
            show_verdict(out, verdict.property, verdict, "holds", traces)
        n = sum(verdict.status.value == "holds" for verdict in verdicts)
        out.print(f"{n} of {len(verdicts)} hold.", highlight=False)
    raise typer.Exit({True: FINE, False: VIOLATED, None: UNANSWERED}[all_hold(verdicts)])


@app.command()
def simulate(
    file: File,
    scenario: Beside = None,
    catalogue: Folder = None,
    functions: Modules = None,
    cases: Annotated[int | None, typer.Option(min=1, help="How many instances.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Selects all random numbers.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="DuckDB file for the history; an earlier simulated one is replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run many instances through a scenario, and sum them up."""
    import wfsim as wf

    if into is not None:
        _writable(into, (".duckdb", ".db"), file, scenario)
    given = functions_of(functions)
    workflow = _load(file, given)
    history = wf.simulate(
        workflow,
        _plan(file, scenario),
        catalogue=_catalogue(file, workflow, catalogue, given),
        cases=cases,
        seed=seed,
        into=into,
        progress=sys.stderr.isatty() and not as_json,
    )
    _summarise(history, as_json)
    if into is not None and not as_json:
        out.print(
            f"History: {into}. Next: wfsim report {quote(str(into))}", highlight=False, markup=False, soft_wrap=True
        )


def _plan(file: Path, scenario: Path | None) -> Scenario | None:
    """The scenario that is given, or that lies beside the workflow."""
    import wfsim as wf

    beside = file.with_suffix("").with_suffix(".scenario.yaml")
    chosen = scenario if scenario is not None else beside if beside.exists() else None
    return wf.load_scenario(chosen) if chosen is not None else None


@app.command()
def sweep(
    file: File,
    over: Annotated[
        list[str],
        typer.Option(help="pools.packers.capacity=2,3,4: a key of the scenario, and values; several times."),
    ],
    scenario: Beside = None,
    catalogue: Folder = None,
    functions: Modules = None,
    replications: Annotated[int | None, typer.Option(min=1, help="At each point.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="….duckdb for a history, or a folder for a Parquet data set; goes on there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate at many points of the scenario. All draw the same random numbers; each number has its interval."""
    import wfsim as wf

    given = functions_of(functions)
    workflow = _load(file, given)
    try:
        swept = wf.sweep(
            workflow,
            _plan(file, scenario),
            over=dict(map(_values, over)),
            catalogue=_catalogue(file, workflow, catalogue, given),
            replications=replications,
            into=into,
            progress=False if as_json else None,
        )
    except KeyboardInterrupt as interruption:
        raise WfsimError(str(interruption)) from None
    if as_json:
        _print_json(json.loads(swept.df().to_json(orient="records")))
    else:
        out.print(Text(repr(swept)), soft_wrap=True)


def _values(given: str) -> tuple[str, list[Any]]:
    """A key and its values, which are YAML between commas."""
    from wfsim.model import yaml_reader

    key, sign, text = given.partition("=")
    if not sign:
        raise typer.BadParameter(f"{given!r} has no values. Write <key>=<value>,<value>, as cases=100,200.")
    found: list[Any] = yaml_reader.read(f"[{text}]", f"--over {key}").data
    return key.strip(), found


@app.command()
def seeds(
    file: File,
    properties: Annotated[Path | None, typer.Argument(help="A property file.", show_default=False)] = None,
    never: Annotated[str | None, typer.Option(help="Or a claim that must never be true.", show_default=False)] = None,
    scenario: Beside = None,
    catalogue: Folder = None,
    functions: Modules = None,
    seed: Annotated[list[int] | None, typer.Option(help="This one; several times.", show_default=False)] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many seeds, from 1 on.")] = 10_000,
    cases: Annotated[int, typer.Option(min=1, help="How many instances in each run.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="duplicates=0.1: a fault and its share; several times.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many processes try them.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Look for a seed whose run breaks a property. Exit code 1 if there is one, with the shortest history found."""
    import wfsim as wf

    given = functions_of(functions)
    workflow = _load(file, given)
    shares: dict[str, Any] = {
        key: values[0] if len(values) == 1 else values for key, values in map(_values, fault or [])
    }
    verdict = wf.explore_seeds(
        workflow,
        _plan(file, scenario),
        never=never,
        properties=properties,
        seeds=seed or n,
        cases=cases,
        faults=shares,
        catalogue=_catalogue(file, workflow, catalogue, given),
        workers=workers,
        progress=False if as_json else None,
    )
    if as_json:
        _print_json(verdict.to_dict())
    else:
        show_verdict(out, verdict.property, verdict, "holds", traces=True)
    raise typer.Exit({"violated": VIOLATED, "error": UNANSWERED}.get(verdict.status.value, FINE))


@app.command()
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
        _writable(output, (".html",), file)
    with wf.open_history(file) as history:
        if output is None:
            _summarise(history, as_json, limit)
            return
        wf.write_report(history, output, limit=limit)
    if as_json:
        _print_json({"written": str(output)})
    else:
        out.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, opens offline", highlight=False, soft_wrap=True)


@app.command()
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


log_commands.add_to(app, out)
engine_commands.add_to(app, out, _print_json)
service_commands.add_to(app, out, err)


def _summarise(history: History, as_json: bool, limit: int = 5) -> None:
    from wfsim.analytics.summary import summary_queries

    tables, summary = summary_queries(history, limit), history.summary()
    if as_json:
        frames = {"summary": summary.df()} | {name: history.sql(query).df() for name, query in tables.items()}
        data = {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}
        _print_json({"digest": history.digest, "notes": history.notes, **data})
        return
    # Notes follow below.
    told = replace(summary, remarks=tuple(each for each in summary.remarks if each not in history.notes))
    out.print(Text(str(told)), soft_wrap=True, highlight=False)
    for name, query in tables.items():
        # The summary has shares, with their intervals.
        shown = f"SELECT * EXCLUDE (share) FROM ({query})" if name == "outcomes" else query
        _show_answer(name, history.sql(shown))
    for note in history.notes:
        out.print(Text("Note: " + note, style="yellow"), highlight=False)
    out.print(f"digest {history.digest}", style="dim", highlight=False)


def _show_answer(title: str, answer: Result) -> None:
    """The answer to a query as a table, unless it is empty."""
    from wfsim.analytics.summary import cell

    # Not as a data frame: to load pandas takes longer than many a simulation.
    rows = answer.fetchall()
    if not rows:
        return
    numbers = [all(value is None or isinstance(value, (int, float)) for value in values) for values in zip(*rows)]
    shown = [[cell(column, value) for column, value in zip(answer.columns, row)] for row in rows]
    show_table(out, title, shown, list(zip(answer.columns, numbers)))


@app.command()
def migrate(
    old: Annotated[
        Path, typer.Argument(help="The version that instances run; with --against the one to come.", show_default=False)
    ],
    new: Annotated[Path | None, typer.Argument(help="The version that is to come.", show_default=False)] = None,
    history: Annotated[
        Path | None, typer.Option(help="A history (DuckDB file) whose cases are replayed under the new version.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Database of an engine, whose instances are replayed under the new version.", show_default=False
        ),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", help="With --against: a renamed state, old=new; may be repeated.", show_default=False),
    ] = None,
    move: Annotated[bool, typer.Option("--move", help="With --against: publish it, and move open instances.")] = False,
    catalogue: Folder = None,
    functions: Modules = None,
    as_json: AsJson = False,
) -> None:
    """Tell what instances would lose to a new version. Exit code 1 if anything."""
    import wfsim as wf

    if (against is None) == (new is None):
        raise typer.BadParameter("give two files, or one file and --against DATABASE.")
    given = functions_of(functions)
    first = _load(old, given)
    if against is not None:
        known = _catalogue(old, first, catalogue, given)
        told = engine_commands.against(against, first, known, renamed, given, move=move)
        if as_json:
            _print_json(told.data)
        else:
            out.print(Text(told.text), soft_wrap=True)
        raise typer.Exit(FINE if told.ok else VIOLATED)
    assert new is not None
    second = _load(new, given)
    known = _catalogue(new, second, catalogue, given)
    if history is None:
        found = wf.migration(first, second, catalogue=known)
    else:
        with wf.open_history(history, functions={each.name: each.python for each in given}) as read:
            found = wf.migration(first, second, read, catalogue=known)
    if as_json:
        _print_json(found.to_dict())
    else:
        out.print(Text(str(found)), soft_wrap=True)
    raise typer.Exit(FINE if found.ok else VIOLATED)


@app.command()
def times(
    file: File,
    n: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many of each schedule.")] = 5,
    after: Annotated[
        str | None, typer.Option(help="Later than this moment, 2026-03-29T00:00:00+01:00; default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the next starts of a workflow by its schedules."""
    from datetime import UTC, datetime
    from itertools import islice
    from zoneinfo import ZoneInfo

    from wfsim.model.schedule import times as all_times
    from wfsim.model.schedule import told

    workflow = _load(file)
    try:
        moment = datetime.now(UTC) if after is None else datetime.fromisoformat(after)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"{after!r} is not a moment. Write date, time and zone: 2026-03-29T00:00:00+01:00.")
    if not workflow.schedules:
        raise WfsimError(f"{file}: {workflow.name} has no schedules, so nothing starts it by the clock.")
    found = {
        name: [time.astimezone(ZoneInfo(schedule.time_zone)) for time in islice(all_times(schedule, moment), n)]
        for name, schedule in workflow.schedules.items()
    }
    if as_json:
        _print_json({name: [time.isoformat() for time in each] for name, each in found.items()})
        return
    rows = [
        [f"{name}: {told(workflow.schedules[name])}" if k == 0 else "", f"{time:%a %Y-%m-%d %H:%M:%S %Z}"]
        for name, each in found.items()
        for k, time in enumerate(each)
    ]
    show_table(out, "", rows, [("schedule", False), ("starts", False)])


@app.command()
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
        _print_json(told)
    elif not found:
        out.print(f"None: no package has an entry point of {', '.join(f'wfsim.{kind}' for kind in KINDS)}.")
    else:
        rows = [
            [each.kind, each.name, each.where, " and ".join(each.packages), problem or "ok"]
            for each, problem in problems.items()
        ]
        show_table(out, "", rows, [(head, False) for head in ("adds", "name", "function", "package", "state")])
    raise typer.Exit(VIOLATED if any(problems.values()) else FINE)


@app.command()
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
        show_table=_show_answer,
    )


if __name__ == "__main__":
    main()
