"""`python -m wfsim.temporal order.yaml`: one instance on a server of Temporal, with a worker for it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from wfsim.errors import WfsimError

STATUS = "Replay-verified against temporalio 1.35, never run against a live server."


app = typer.Typer(add_completion=False)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="The definition.", exists=True, dir_okay=False)],
    input: Annotated[str, typer.Option(help="Inputs, as a JSON object.")] = "{}",
    activities: Annotated[
        list[str] | None, typer.Option(help="Python module whose functions carry out activities; may be repeated.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="Of the workflow there; default: <workflow>-1.")] = None,
    task_queue: Annotated[str, typer.Option(help="Where worker and workflow meet.")] = "wfsim",
) -> None:
    """Start a worker and one instance on the server at TEMPORAL_ADDRESS, and wait for its end."""
    try:
        typer.echo(_end(file, input, activities or [], id, task_queue))
    except WfsimError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _end(file: Path, given: str, modules: list[str], name: str | None, task_queue: str) -> str:
    address = os.environ.get("TEMPORAL_ADDRESS", "")
    if not address:
        raise WfsimError(
            f"TEMPORAL_ADDRESS is not set: say where the server is, such as TEMPORAL_ADDRESS=localhost:7233. {STATUS}"
        )
    try:
        inputs = json.loads(given)
    except ValueError as error:
        raise WfsimError(f"--input is not JSON: {error}.") from None
    if not isinstance(inputs, dict):
        raise WfsimError(f'--input is a JSON object, such as \'{{"order_id": "A-1"}}\', not {given}.')
    try:
        import temporalio  # noqa: F401
    except ImportError:
        raise WfsimError("Temporal's SDK is not installed: pip install 'wfsim[temporal]'.") from None
    from wfsim.model.yaml_io import load
    from wfsim.runtime.modules import activities_in

    from .worker import run_there

    workflow = load(file)
    typer.echo(STATUS, err=True)
    end = asyncio.run(
        run_there(
            workflow,
            address,
            input=inputs,
            activities=activities_in(modules),
            id=name or f"{workflow.name}-1",
            task_queue=task_queue,
        )
    )
    return json.dumps(end, indent=2)


if __name__ == "__main__":
    app()
