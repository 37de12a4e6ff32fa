"""The command `wfsim`: design, check, draw, prove, simulate and question workflows from a terminal.

Exit codes: 0 fine, 1 something is violated or wrong in the workflow, 2 the question could not be answered.
With `--json` a command prints one JSON object and nothing else.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from wfsim.commands import (
    definitions,
    engines,
    histories,
    installation,
    logs,
    services,
    simulation,
    verification,
    versions,
)
from wfsim.commands.terminal import FINE, UNANSWERED, PipeClosed, err, out
from wfsim.errors import WfsimError

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""

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


def main() -> NoReturn:
    """Run the command line; errors of wfsim become one clear text and exit code 2."""
    try:
        # Outside its own mode typer returns the code of `typer.Exit` instead of raising it.
        code = app(standalone_mode=False)
    except WfsimError as error:
        err.print(Text(str(error), style="red"), soft_wrap=True)
        sys.exit(UNANSWERED)
    except PipeClosed:
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


# In this order help lists them.
for _command in (
    definitions.new,
    definitions.lint,
    definitions.schema,
    definitions.stubs,
    definitions.draw,
    verification.verify,
    verification.conditions,
    verification.check,
    simulation.simulate,
    simulation.sweep,
    simulation.seeds,
    histories.report,
    histories.convert,
    logs.import_log,
    logs.export_log,
    engines.worker,
    engines.queues,
    engines.retain,
    engines.backup,
    engines.restore,
    engines.doctor,
    services.serve,
    services.limits,
    versions.migrate,
    definitions.times,
    installation.plugins,
    installation.demo,
):
    # `import` is no name of a function.
    app.command(_command.__name__.removesuffix("_log"))(_command)
app.add_typer(services.keys, name="keys")


if __name__ == "__main__":
    main()
