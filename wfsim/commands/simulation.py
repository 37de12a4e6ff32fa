"""Commands that simulate: `wfsim simulate`, `sweep`, `seeds`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from wfsim.errors import WfsimError

from .histories import summarise
from .marked_functions import Modules, functions_of
from .printing import show_verdict
from .terminal import FINE, UNANSWERED, VIOLATED, AsJson, File, Folder, catalogue_of, load, out, print_json, writable

if TYPE_CHECKING:
    from wfsim.simulation.scenario import Scenario

Beside = Annotated[
    Path | None,
    typer.Option("--scenario", "-s", help="A scenario; default: <file>.scenario.yaml or a guess."),
]


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
        writable(into, (".duckdb", ".db"), file, scenario)
    given = functions_of(functions)
    workflow = load(file, given)
    history = wf.simulate(
        workflow,
        plan(file, scenario),
        catalogue=catalogue_of(file, workflow, catalogue, given),
        cases=cases,
        seed=seed,
        into=into,
        progress=sys.stderr.isatty() and not as_json,
    )
    summarise(history, as_json)
    if into is not None and not as_json:
        out.print(
            f"History: {into}. Next: wfsim report {quote(str(into))}", highlight=False, markup=False, soft_wrap=True
        )


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
    workflow = load(file, given)
    try:
        swept = wf.sweep(
            workflow,
            plan(file, scenario),
            over=dict(map(_values, over)),
            catalogue=catalogue_of(file, workflow, catalogue, given),
            replications=replications,
            into=into,
            progress=False if as_json else None,
        )
    except KeyboardInterrupt as interruption:
        raise WfsimError(str(interruption)) from None
    if as_json:
        print_json(json.loads(swept.df().to_json(orient="records")))
    else:
        out.print(Text(repr(swept)), soft_wrap=True)


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
    workflow = load(file, given)
    shares: dict[str, Any] = {
        key: values[0] if len(values) == 1 else values for key, values in map(_values, fault or [])
    }
    verdict = wf.explore_seeds(
        workflow,
        plan(file, scenario),
        never=never,
        properties=properties,
        seeds=seed or n,
        cases=cases,
        faults=shares,
        catalogue=catalogue_of(file, workflow, catalogue, given),
        workers=workers,
        progress=False if as_json else None,
    )
    if as_json:
        print_json(verdict.to_dict())
    else:
        show_verdict(out, verdict.property, verdict, "holds", traces=True)
    raise typer.Exit({"violated": VIOLATED, "error": UNANSWERED}.get(verdict.status.value, FINE))


def plan(file: Path, scenario: Path | None) -> Scenario | None:
    """The scenario that is given, or that lies beside the workflow."""
    import wfsim as wf

    beside = file.with_suffix("").with_suffix(".scenario.yaml")
    chosen = scenario if scenario is not None else beside if beside.exists() else None
    return wf.load_scenario(chosen) if chosen is not None else None


def _values(given: str) -> tuple[str, list[Any]]:
    """A key and its values, which are YAML between commas."""
    from wfsim.model import yaml_reader

    key, sign, text = given.partition("=")
    if not sign:
        raise typer.BadParameter(f"{given!r} has no values. Write <key>=<value>,<value>, as cases=100,200.")
    found: list[Any] = yaml_reader.read(f"[{text}]", f"--over {key}").data
    return key.strip(), found
