"""The commands `wfsim import` and `wfsim export`: event logs of other systems in, histories as event logs out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from wfsim.errors import OptionError

from .terminal import out

Column = Annotated[str | None, typer.Option(help="The column, or the key of XES, that says it.", show_default=False)]


def import_log(
    log: Annotated[
        Path, typer.Argument(help="An event log: .xes, .csv, .tsv (also .gz) or .parquet.", show_default=False)
    ],
    into: Annotated[Path, typer.Argument(help="The history to make.", show_default=False)],
    case: Column = None,
    activity: Column = None,
    time: Column = None,
    start: Column = None,
    resource: Column = None,
    lifecycle: Column = None,
    event_id: Column = None,
    order: Annotated[str, typer.Option(help="Order in a case: file, or time.")] = "file",
    time_zone: Annotated[str | None, typer.Option(help="Of times without one, as Europe/Berlin.")] = None,
    time_format: Annotated[str | None, typer.Option(help="As of strptime; s, ms or us for numbers.")] = None,
    repair: Annotated[
        list[str] | None, typer.Option(help="A repair that is allowed; may be given several times.")
    ] = None,
) -> None:
    """Make a history of an event log."""
    import wfsim as wf
    from wfsim.history.importing.reading import ALLOWED

    chosen: Any = {"order": order, "time_zone": time_zone, "time_format": time_format}
    columns: dict[str, Any] = {
        "case": case,
        "activity": activity,
        "time": time,
        "start": start,
        "event_id": event_id,
    }
    columns |= {"resource": resource, "lifecycle": lifecycle}
    with wf.read_log(log, into=into, repair=(*ALLOWED, *(repair or ())), **columns, **chosen) as history:
        imported = history.imported
        assert imported is not None
        out.print(Text(f"{into}: {imported.events:,} events, {imported.cases:,} cases"), soft_wrap=True)
        for each in imported.repairs:
            out.print(Text(f"{each.name}: {each.count:,} {each.what}", style="yellow"), soft_wrap=True)


def export_log(
    file: Annotated[Path, typer.Argument(help="A history.", show_default=False)],
    log: Annotated[
        Path, typer.Argument(help="The log to write: .xes, .csv (also .gz) or .parquet.", show_default=False)
    ],
    of: Annotated[
        str | None, typer.Option(help="events, states or activities; events of an imported history, else states.")
    ] = None,
) -> None:
    """Write a history as an event log."""
    import wfsim as wf

    kind: Any = of
    with wf.open_history(file) as history:
        told = history.log(kind)
        ends = log.name.lower().removesuffix(".gz")
        for end, write in ((".xes", told.to_xes), (".csv", told.to_csv), (".parquet", told.to_parquet)):
            if ends.endswith(end):
                write(log)
                out.print(Text(f"{log}: {len(told):,} events"), soft_wrap=True)
                return
    raise OptionError(f"{log}: its name should end with .xes, .csv or .parquet; .gz may follow the first two.")
