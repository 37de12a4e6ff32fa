"""Commands about a workflow itself: `wfsim new`, `lint`, `schema`, `stubs`, `draw`, `times`."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from wfsim.errors import WfsimError

from .printing import show_findings, show_table
from .terminal import FINE, VIOLATED, AsJson, File, Folder, catalogue_of, load, out, print_json, writable

if TYPE_CHECKING:
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow


def new(
    path: Annotated[Path, typer.Argument(help="File to write.", show_default=False)],
    template: Annotated[str, typer.Option("--template", "-t", help="Which template.")] = "minimal",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a small valid workflow to start from."""
    import wfsim as wf

    writable(path, (".yaml", ".yml"))
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

    workflow = load(file)
    others = _others(workflow, catalogue_of(file, workflow, catalogue))
    findings = wf.lint(workflow, catalogue=others, ignore=ignore or ())
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        show_findings(out, findings)
    bad = any(str(finding.severity) != "info" for finding in findings)
    raise typer.Exit(VIOLATED if bad else FINE)


def _others(workflow: Workflow, catalogue: Catalogue) -> list[Workflow]:
    return [one for one in catalogue.all_versions() if one != workflow]


def schema(
    to: Annotated[Path | None, typer.Option("--to", "-o", help="JSON file; default: print it.")] = None,
) -> None:
    """Write the JSON Schema of the language, for editors."""
    import wfsim as wf

    if to is None:
        print_json(wf.json_schema())
        return
    writable(to, (".json",))
    to.write_text(json.dumps(wf.json_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


def stubs(
    file: File,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Python file; default: print it.")] = None,
) -> None:
    """Write the names of a workflow as types of Python."""
    from wfsim.model.stubs import stubs as as_module

    text = as_module(load(file))
    if to is None:
        out.file.write(text)
        return
    writable(to, (".py",), file)
    to.write_text(text, encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


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
        writable(to, (".svg", ".json"), file)
    workflow = load(file)
    # Without a catalogue each open child is one place, which is easier to look at.
    picture = wf.picture(wf.to_net(workflow, catalogue=catalogue) if net else workflow)
    if to is None:
        out.print(picture.to_text(), highlight=False, markup=False, soft_wrap=True)
        return
    text = json.dumps(picture.to_dict(), indent=2) if to.suffix == ".json" else picture.to_svg()
    to.write_text(text, encoding="utf-8")
    out.print(f"Wrote {to}.", highlight=False, markup=False, soft_wrap=True)


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

    workflow = load(file)
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
        print_json({name: [time.isoformat() for time in each] for name, each in found.items()})
        return
    rows = [
        [f"{name}: {told(workflow.schedules[name])}" if k == 0 else "", f"{time:%a %Y-%m-%d %H:%M:%S %Z}"]
        for name, each in found.items()
        for k, time in enumerate(each)
    ]
    show_table(out, "", rows, [("schedule", False), ("starts", False)])
