"""`read_log`: an event log of another system as a history."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wfsim.arguments import as_path, listed_in
from wfsim.errors import HistoryError, OptionError, did_you_mean, listed
from wfsim.history import opening
from wfsim.history.failures import cannot_write
from wfsim.history.history import History
from wfsim.history.runs import imported_run
from wfsim.history.sorting import SortedFile, look_at

from .making import Kind, Making
from .report import REPAIRS, Imported
from .staging import STAGED, Staging
from .tables import ALL, CASE_PREFIX, Table, form_of
from .traces import stage_xes, xes_keys
from .values import KEPT_TOO

if TYPE_CHECKING:
    import duckdb

Order = Literal["file", "time"]
ALLOWED = ("lift_time", "utc")


def read_log(
    source: Any,
    *,
    into: str | os.PathLike[str] | None = None,
    case: str | None = None,
    activity: str | None = None,
    time: str | None = None,
    start: str | None = None,
    resource: str | None = None,
    lifecycle: str | None = None,
    instance: str | None = None,
    event_id: str | None = None,
    case_columns: Collection[str] = (),
    order: Order = "file",
    pair: bool = True,
    final: Collection[str] | None = None,
    time_zone: str | None = None,
    time_format: str | None = None,
    repair: str | Collection[str] = ALLOWED,
    name: str | None = None,
) -> History:
    """Read an event log: what really happened, as a history that every view, map and question works on.

    Parameters
    ----------
    source
        The path of a file: `.xes`, `.csv`, `.tsv`, `.parquet`, each of the first three also packed (`.gz`); or
        a DataFrame, an Arrow table, or anything that yields Arrow tables, one row an event.
    into
        The file to make; without it the history is in a temporary file that goes with the result. An imported history
        there is replaced; another one is not.
    case, activity, time
        The columns (of XES: keys of events) that say which case it is, what was done, and when it was
        completed. Without them the names of XES and usual ones are looked for; `case` of XES is a key of traces.
    start
        When it was started, where one row tells of both.
    resource, lifecycle, instance, event_id
        Who did it; `start`, `complete` or another transition of the lifecycle; which execution of the activity it is;
        what tells events apart.
    case_columns
        Further columns that are attributes of the case; those called `case:…` are.
    order
        In a case, events come as in the log (`file`), or by their times, those of one time as in the log (`time`).
    pair
        Whether a start and a completion of an activity are one execution; else each event is a step.
    final
        Activities that close a case when they are its last; without them every case is closed by its last event.
    time_zone
        Of times that are written without one, as `"Europe/Berlin"`; without it they are read as UTC, which is counted.
    time_format
        How times are written, as of `strptime`; `"s"`, `"ms"` or `"us"` for numbers since 1970.
    repair
        Names of repairs that are allowed, each counted in `history.imported`: docs/import.md has them.
    name
        What the process is called; the name of the file unless given.

    Returns
    -------
    History
        An activity is a state, which a case enters when the activity starts (or is completed, if nobody tells of the
        start) and leaves for the next one; an activity with starts is an activity too, with waiting and service times.
        `history.imported` tells what was done to the log.

    Raises
    ------
    HistoryError
        If the log cannot be read, or something in it is wrong that no allowed repair mends: with rows or lines, and
        what to do. Nothing is at `into` then.

    Notes
    -----
    docs/import.md says what is read as what. XES is read as a stream; events wait in DuckDB, which puts into a
    temporary folder what does not fit into 2 GiB. Speed: see docs/import.md.
    """
    import duckdb

    allowed = _repairs(repair)
    finals = None if final is None else _names(final, "final")
    of_cases = _names(case_columns, "case_columns")
    if order not in ("file", "time"):
        raise OptionError(f"order={order!r} is not known. Give 'file' or 'time'.")
    _check_zone(time_zone)
    told = dict(zip(ALL, (case, activity, time, start, resource, lifecycle, instance, event_id)))
    is_path = isinstance(source, str | os.PathLike)
    path = as_path(source, "read_log") if is_path else None
    if path is not None and not path.is_file():
        raise HistoryError(f"{path}: there is no such file. Give the path of an event log.")
    target = None if into is None else as_path(into, "read_log")
    look_at(target, "replace", "log")
    con = opening.connect()
    try:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(STAGED)
        made = Making(con, finals)
        if path is not None and form_of(path) is None:
            _expect_xes(path)
            staging = Staging(con, str(path), "event", allowed)
            keys = xes_keys(told)
            log = stage_xes(staging, path, keys, time_zone, time_format, made)
            form, about, types = "xes", log.about, log.types()
        else:
            table = Table(con, source if path is None else path)
            keys = table.columns(told)
            of_case = [name for name in table.types if name.startswith(CASE_PREFIX) or name in of_cases]
            _expect_columns(table, of_cases)
            renamed = {column: KEPT_TOO.get(what, column) for what, column in keys.items()}
            renamed |= {column: column.removeprefix(CASE_PREFIX) for column in of_case}
            names = [renamed.get(column, column) for column in table.types]
            made.slots.extend(dict.fromkeys(names))
            staging = Staging(con, table.name, "row", allowed)
            slots = {column: made.slots.index(name) for column, name in zip(table.types, names)}
            table.stage(keys, [each for each in of_case if each not in keys.values()], slots, time_zone, time_format)
            form, about, types = "table", dict[str, str](), dict[str, str]()
        staging.check(has_ids="event_id" in keys, has_starts="start" in keys, time_zone=time_zone)
        kind = Kind(
            by_time=order == "time",
            has_starts="start" in keys,
            pair=pair and "lifecycle" in keys,
            traces=form == "xes",
        )

        def write(file: SortedFile) -> Imported:
            made.write(staging, kind, file)
            return Imported(
                staging.source, form, made.n_events, made.n_cases, keys, types, about, tuple(staging.repairs)
            )

        called = name or (path.name.split(".")[0] if path is not None else "log")
        return _written(con, target, called, made, write)
    except duckdb.Error as error:
        con.close()
        raise cannot_write(error, target or "the imported log", None) from None
    except BaseException:
        con.close()
        raise


def _written(
    con: duckdb.DuckDBPyConnection,
    target: Path | None,
    name: str,
    made: Making,
    write: Callable[[SortedFile], Imported],
) -> History:
    """Write everything beside `target`, let it take that place, and open it."""
    partial = (
        Path(tempfile.gettempdir()) / f"wfsim-{uuid.uuid4().hex}.duckdb"
        if target is None
        else target.with_name(target.name + ".partial")
    )
    opening.remove(partial)
    file = SortedFile(lambda: con, partial, None)
    try:
        file.open()
        # What was done to the log is known once all of it is written; nobody sees the file before.
        imported = write(file)
        file.begin_run(imported_run(name, json.loads(json.dumps(imported.to_dict()))))
        notes = [(1, f"{each.count:,}: {each.what}") for each in imported.repairs]
        file.finish([1], notes, made.codes.hand_over())
        made.drop()
    except BaseException:
        file.let_go()
        with suppress(OSError):
            opening.remove(partial)
        raise
    if target is not None:
        os.replace(partial, target)
    written = target or partial
    return History(written, temporary=target is None, con=opening.open_within(con, written))


def _names(given: str | Collection[str], option: str) -> list[str]:
    if isinstance(given, str):
        return [given]
    return listed_in(given, f"read_log({option}=…) takes names", "Give one text, or a list of them.")


def _repairs(repair: str | Collection[str]) -> frozenset[str]:
    names = _names(repair, "repair")
    for each in names:
        if each not in REPAIRS:
            raise OptionError(f"repair={each!r} is not known.{did_you_mean(each, REPAIRS)} Repairs: {listed(REPAIRS)}.")
    return frozenset(names)


def _check_zone(time_zone: str | None) -> None:
    if time_zone is None:
        return
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError, TypeError):
        raise OptionError(f"time_zone={time_zone!r} is not known. Give a name such as 'Europe/Berlin'.") from None


def _expect_xes(path: Path) -> None:
    ends = "".join(path.suffixes[-2:]).lower()
    if not ends.endswith((".xes", ".xes.gz", ".xml", ".xml.gz")):
        raise HistoryError(
            f"{path}: which kind of log is this? Its name should end with .xes, .csv, .tsv or .parquet (.gz "
            f"behind that if "
            "it is packed). Rename it, or give a DataFrame."
        )


def _expect_columns(table: Table, columns: Iterable[str]) -> None:
    for each in columns:
        if each not in table.types:
            raise HistoryError(
                f"{table.name}: there is no column {each!r} (case_columns=).{did_you_mean(each, table.types)} "
                f"Columns: {listed(table.types, 30)}."
            )
