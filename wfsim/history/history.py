"""`History`: what happened, as a DuckDB file that is only read."""

from __future__ import annotations

import html
import math
import threading
import weakref
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from wfsim.arguments import as_path, expect_whole
from wfsim.errors import HistoryError, listed
from wfsim.model.functions import Python
from wfsim.model.supplying import Supplied, for_all

from . import opening
from .case import Case, find_case
from .codes import names_in
from .collecting import Collector, collector_of
from .digest import digest_of
from .failures import reading, told
from .following import Known, following, known_of
from .moments import moment_of
from .parquet import write_parquet
from .questions import MAX_ROWS, MAX_SECONDS, Parameters, Result, asking, question, too_many
from .runs import Run, runs_in
from .views import name_records, name_workflows
from .working_time import business_hours_of, clock_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date
    from types import TracebackType

    import duckdb
    import pandas as pd

    from wfsim.simulation.shifts import WorkTime

    from .event_log import EventLog, Of
    from .importing.report import Imported
    from .moments import Moment
    from .summary import Summary
    from .working_time import WorkingClock


@dataclass(frozen=True)
class Part:
    """What of a history's time is asked: from `since` on and before `until`, in microseconds, `None` for no bound.

    `clock` counts business hours; without it all time counts.
    """

    whole: History
    since: int | None = None
    until: int | None = None
    clock: WorkingClock | None = None

    def cursor(self, con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """A further connection, which sees that."""
        bounds = {"since": self.since, "until": self.until}
        return opening.cursor(con, {name: each for name, each in bounds.items() if each is not None}, self.clock)


class Source(Protocol):
    """What a history is a copy of, that goes on elsewhere."""

    def refresh(self) -> object:
        """Append what is missing."""
        ...

    def missing(self) -> int:
        """How many records that would be."""
        ...


class History:
    """What happened in one or more runs.

    Made by `open_history`, and by whoever wrote it. Questions are SQL on the views described in
    docs/history.md; a single case gives its records, its stimuli, and its state at any version.

    Parameters
    ----------
    path
        The file, or a folder of Parquet files.
    temporary
        Whether the file goes with this object.
    con
        A connection to it, from `opening`; without one the file is opened read-only.
    live
        Whether its writer is still at work, and only lends that connection.
    part
        What part of which other history's time this is.
    max_memory
        Bytes that DuckDB may use here, before it writes to a temporary folder or gives up; of a given connection
        whoever opened it has said it.
    functions
        Functions in Python, for replay of workflows that call them (M14.5).
    source
        What it is a copy of that goes on elsewhere; it is brought up to date before each question.

    Raises
    ------
    HistoryError
        If the file is missing, no history, or held by a writer.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        temporary: bool = False,
        con: duckdb.DuckDBPyConnection | None = None,
        live: bool = False,
        part: Part | None = None,
        max_memory: int = opening.MAX_MEMORY,
        functions: tuple[Supplied, ...] = (),
        source: Source | None = None,
    ) -> None:
        self.path = Path(path)
        self._source = source
        self._functions = functions
        self._part = part
        self._live = live
        self._con = opening.open_for_reading(path, max_memory) if con is None else con
        self._digest: str | None = None
        self._runs: list[Run] | None = None
        self._names: dict[str, list[str]] | None = None
        self._closed = False
        self._naming = threading.Lock()
        # Of a file that is being written the writer makes the view, again and again.
        self._has_names = self._has_workflows = live or part is not None
        self._finalizer = weakref.finalize(self, _remove, self._con, self.path if temporary else None)

    # --- questions -------------------------------------------------------------------------------

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The connection: attached read-only, without access to other files, its configuration locked.

        It takes every statement, so texts of others belong into `sql`.

        Raises
        ------
        HistoryError
            If the history is closed, or its writer is still at work: then ask through `sql`.
        """
        if self._live:
            raise HistoryError(
                f"{self.path}: a run still writes here, so its connection is not given away. Use `.sql`."
            )
        return self._asked()

    def sql(
        self,
        query: str,
        params: Parameters = None,
        *,
        max_rows: int | None = MAX_ROWS,
        max_seconds: float | None = MAX_SECONDS,
        **named: Any,
    ) -> Result:
        """Ask a question in SQL. Nothing that a query says changes the history, nor reaches another file.

        Parameters
        ----------
        query
            One SELECT (or FROM, WITH, DESCRIBE, SHOW, SUMMARIZE, and EXPLAIN of these) over the views.
        params
            Values for `?` (a list) or `$name` (a mapping). Never paste values into the text.
        named
            Values for `$name`, in place of a mapping: `sql("FROM stays WHERE state = $state", state="paid")`.
        max_rows
            An answer with more rows is refused, before it fills the memory of this process; `None`: whatever comes.
        max_seconds
            The question is stopped after that; `None`: it takes the time it takes.

        Raises
        ------
        HistoryError
            With DuckDB's message, if the query is wrong; if it is not one question; if values are given both ways; if
            a limit is reached, which may be when the answer is fetched.
        """
        import duckdb

        if named and params is not None:
            raise HistoryError(
                f"sql was given values as params, and by name ({', '.join(named)}). Give all of them in one way."
            )
        try:
            asked = question(self._asked(), query, named or params, max_rows, max_seconds)
        except duckdb.Error as error:
            raise told(error, self.path) from None
        return Result(self, asked)

    def between(self, since: Moment | None = None, until: Moment | None = None) -> History:
        """The part of this history from `since` on and before `until`, for every question and picture.

        Parameters
        ----------
        since, until
            Microseconds, a duration like `"2d"` from time 0, a text like `"2026-11-30T09:00:00Z"`, or a `datetime` with
            a time zone; `None`: from the beginning, to the end. Time 0 is when a simulation begins, and of real runs
            the beginning of 1970 (UTC).

        Returns
        -------
        History
            Its records are those of that time. Stays, attempts and cases count where they ended; of what had not ended
            before `until` it is said that it lasts. Times inside states, of pools and in buckets are those in the part.
            A single case, the digest and replay are those of the whole history. Closing either closes nothing of the
            other, but what is asked of a part needs the whole.

        Raises
        ------
        HistoryError
            If `until` is not after `since`, either is none of these, or a run kept no times (log level `aggregates`).

        Notes
        -----
        Nothing is copied: each question reads the rows of that time only, where they lie together.
        """
        low, high = moment_of(since, "since"), moment_of(until, "until")
        if low is not None and high is not None and not low < high:
            raise HistoryError(f"between({since!r}, {until!r}): nothing lies in between. Give the earlier one first.")
        self._refuse_sums("there is no part of it")
        own = self._part or Part(self)
        lows, highs = ([each for each in both if each is not None] for both in ((low, own.since), (high, own.until)))
        return self._asked_as(replace(own, since=max(lows, default=None), until=min(highs, default=None)))

    def business_hours(
        self,
        shifts: Iterable[WorkTime | Mapping[str, str]],
        *,
        time_zone: str,
        holidays: Iterable[date | str] = (),
    ) -> History:
        """This history with every duration counted in business hours only, for every question and picture.

        Parameters
        ----------
        shifts
            When work is done, as in the pools of a scenario: `[{"from": "Mon 09:00", "until": "Mon 17:00"}, …]`, or
            those of a pool, `scenario.pools["clerks"].shifts`.
        time_zone
            Of the clock that they go by, such as `"Europe/Berlin"` or `"UTC"`: with summer time they move.
        holidays
            Days without work there, from midnight to midnight: `"2026-12-25"`, or `datetime.date`.

        Returns
        -------
        History
            Its views have the same rows and columns, but what is a duration (`duration`, `dwell`, `wait`, `service` and
            what is made of them, the times that an SLA allows) is the time worked in between; in queries
            `business_time(since, until)` is that of any two times. Points in time, `occupancy` and how much of its time
            a pool was busy stay as they are, and so does a single case.

        Raises
        ------
        HistoryError
            If a shift, a day or the zone is none; if time 0 of the runs here is not the same moment; if a run kept no
            times (log level `aggregates`).

        Notes
        -----
        Exact to a microsecond. Moments are looked up by number in lists that hold the time worked until then, a year
        longer than the history in both directions: a duration costs a few nanoseconds, however long it is.
        """
        hours = business_hours_of(shifts, time_zone, holidays)
        self._refuse_sums("business hours of it cannot be counted")
        own = self._part or Part(self)
        with reading(self.path), closing(own.whole.cursor()) as con:
            return self._asked_as(replace(own, clock=clock_of(con, hours)))

    def _asked_as(self, part: Part) -> History:
        con = part.cursor(part.whole._asked())
        return History(self.path, con=con, live=self._live, part=part, functions=self._functions)

    def _refuse_sums(self, lost: str) -> None:
        if any(run.log == "aggregates" for run in self.runs):
            raise HistoryError(
                f"{self.path}: a run of log level 'aggregates' keeps sums over all its time, so {lost}. "
                "Simulate with log='transitions' or 'full'."
            )

    def df(self, *, max_rows: int | None = MAX_ROWS) -> pd.DataFrame:
        """The whole history with names, as pandas table in the order (run, case, seq).

        Raises
        ------
        HistoryError
            If there are more records than `max_rows`: a million of them take about 1.5 GB as a table.
        """
        if max_rows is not None and len(self) > max_rows:
            raise too_many(self.path, max_rows)
        return self.sql('FROM history ORDER BY run, "case", seq', max_rows=None).df()

    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        """Write everything into a folder of Parquet files, a file for each table, which `open_history` opens.

        Of a run that still writes it is what there is at this moment.

        Parameters
        ----------
        folder
            Nothing may be there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        HistoryError
            If something is there, or it cannot be written; nothing is left then. If this is a part of a history's time:
            a case is not to be replayed from a part of it.
        """
        if self._part is not None:
            raise HistoryError(
                f"{self.path}: this is only a part of the time of a history, or counts only business hours. "
                "Write the whole, and ask for the part of that."
            )
        with asking(self, None) as con:
            write_parquet(con, Path(folder))
        return Path(folder)

    def follow(self, after: Known | Literal["now"] | None = None, *, poll: float = 1.0) -> Iterator[Any]:
        """The rows of `history` as they come, while its writer goes on.

        Parameters
        ----------
        after
            `None`: all that there is, then what comes. `"now"`: only what comes. Or what is known already, as the `seq`
            of the last row read of each case, `{(run, case): seq}`, to go on where one was.
        poll
            Seconds between two looks.

        Yields
        ------
        tuple
            A row with the columns of the view as attributes: `row.case`, `row.kind`, `row.time`. Rows of a case come in
            order of `seq`, each once and as it was then (`is_last`); between cases there is no order.

        Raises
        ------
        HistoryError
            If `after` is none of these, or this is a part of a history.

        Notes
        -----
        It goes on until it is no longer asked, or the history is closed: of a run that writes in this process, and of
        the `latest` snapshot of a collector, which another process reads. A file that nobody writes any more ends it.
        DuckDB lets no other process read a file that is being written: there `collect` is the way. A look costs one
        pass over `cases`, and what is new.
        """
        if self._part is not None:
            raise HistoryError(f"{self.path}: a part of a history's time is not followed. Follow the whole.")
        if isinstance(poll, bool) or not isinstance(poll, int | float) or not 0 <= poll < math.inf:
            raise HistoryError(f"poll={poll!r}: give the seconds between two looks, as 1.0.")
        return following(self, known_of(after), poll)

    def collect(self, into: str | os.PathLike[str], *, every: str | float = "1m", keep: int = 3) -> Collector:
        """Write it into folders of Parquet again and again, for dashboards and other processes.

        Parameters
        ----------
        into
            A folder of its own: `into/000001`, `into/000002`, …, and `into/latest`, which always leads to a whole one.
        every
            How often, as `"1m"` or seconds. Where nothing is new, nothing is written.
        keep
            So many of the newest stay, for those who read them still; at least 2.

        Returns
        -------
        Collector
            At work already, in a thread of its own; `.stop()` takes the last snapshot, and so does the end of a `with`.

        Raises
        ------
        HistoryError
            If something else is in the folder, the first snapshot cannot be written, or an argument is none.

        Notes
        -----
        Each snapshot writes everything (docs/monitor.md has measured times): for millions of records take minutes.
        """
        expect_whole("keep", keep, 2)
        return collector_of(self, as_path(into, "collect"), every, keep)

    @property
    def digest(self) -> str:
        """SHA-256 over runs, cases, records and values with their names: same inputs, same digest.

        Cost: one ordered pass over the rows; remembered once the history is complete.
        """
        if self._digest is None or self._live:
            with reading(self.path):
                self._digest = digest_of(self._all_of_it().connection())
        return self._digest

    def __len__(self) -> int:
        """The number of records."""
        return int(self._all("SELECT count(*) FROM records")[0][0])

    @property
    def runs(self) -> list[Run]:
        """The runs, in order."""
        if self._runs is None or self._live:
            with reading(self.path), closing(self.cursor()) as own:
                self._runs = runs_in(own, self._functions)
        return list(self._runs)

    def _names_known(self) -> dict[str, list[str]]:
        """The names of each dimension, of a history that gets no more."""
        if self._names is None:
            self._names = names_in(self.connection())
        return self._names

    @property
    def notes(self) -> list[str]:
        """What its writer wants readers to know, for example that a run was ended early."""
        return [note for (note,) in self._all("SELECT note FROM notes ORDER BY run, rowid")]

    @property
    def counts(self) -> dict[str, int]:
        """Root cases per status and outcome over all runs: `completed/success`, `failed`, …, `open`; no children."""
        rows = self._all(
            "SELECT concat_ws('/', status, outcome) AS what, count(*) FROM durations d JOIN workflow_names w ON "
            "w.run = d.run AND w.workflow = d.workflow WHERE w.number = 0 AND d.parent_case IS NULL "
            "GROUP BY what ORDER BY what = 'open', what"
        )
        return {str(what): int(n) for what, n in rows}

    def summary(self, *, run: int | None = None, level: float = 0.95) -> Summary:
        """What this history comes to: counts, times and workload, each number with an interval.

        Parameters
        ----------
        run
            Only this run; else all of them: replications one by one, other runs with their cases taken together.
        level
            Of the intervals.

        Returns
        -------
        Summary
            Shown as tables, `.df()` as one; a number by its name is `summary["sojourn.p95"]`, times in seconds.

        Raises
        ------
        HistoryError
            For a run that is not there, or a level that is none.

        Notes
        -----
        docs/statistics.md says how, with sources. A few passes over the records, in DuckDB: a second and a half of
        processor time for each million.
        """
        from .summing import summary_of

        return summary_of(self, run, level)

    def cases(self, run: int | None = None) -> pd.DataFrame:
        """One row per case: start, closing, duration, status, outcome (the view `durations`)."""
        if run is None:
            return self.sql("FROM durations").df()
        return self.sql("FROM durations WHERE run = ?", [run]).df()

    def case(self, case: int | str, *, run: int | None = None) -> Case:
        """One case, by its number or its external id.

        Parameters
        ----------
        case
            Number, or external id.
        run
            Needed when several runs have it.

        Raises
        ------
        HistoryError
            If there is no such case, or several.
        """
        with reading(self.path):
            whole = self._all_of_it()
            known = None if whole._live else whole._names_known()
            found = find_case(whole.connection(), case, run, runs=whole.runs, names=known)
        # The connection lives as long as its history.
        found.owner = whole
        return found

    def log(self, of: Of | None = None) -> EventLog:
        """This history as an event log, to be written as XES, CSV or Parquet, or taken as a table.

        Parameters
        ----------
        of
            `"events"`: those of an imported log, as they came; `"states"`: a case's way through root states,
            one event for
            each that it enters; `"activities"`: starts and ends of attempts. Of an imported history `events`
            unless given, else `states`.

        Raises
        ------
        HistoryError
            If the history has none of these.
        """
        from .event_log import EventLog

        return EventLog(self, of)

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        with reading(self.path), closing(self.cursor()) as own:
            rows: list[tuple[Any, ...]] = own.execute(query).fetchall()
        return rows

    @property
    def imported(self) -> Imported | None:
        """What an import did to the log that this history was read from; `None` of one that was not imported."""
        from .importing.report import Imported

        told = [run.params["imported"] for run in self.runs if run.params and "imported" in run.params]
        return Imported.of(told[0]) if told else None

    @property
    def is_live(self) -> bool:
        """Whether its writer is still at work, in this process."""
        return self._live

    @property
    def is_part(self) -> bool:
        """Whether it is a part of another's time, or counts business hours."""
        return self._part is not None

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed."""
        return self._closed

    @property
    def functions(self) -> tuple[Supplied, ...]:
        """Functions in Python that were given beside it (M14.5)."""
        return self._functions

    @property
    def lag(self) -> int:
        """How many records an engine has stored since its history was asked last; the next question fetches them.

        All others have all that they ever will: 0.
        """
        source = self._all_of_it()._source
        return 0 if source is None else source.missing()

    @property
    def complete(self) -> bool:
        """Whether all that happened is here: no run was interrupted, and there was room for everything."""
        return all(run.complete for run in self.runs)

    # --- life ------------------------------------------------------------------------------------

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that this room reads with; outsiders take `con`."""
        if self._closed:
            raise HistoryError(f"{self.path}: this history has been closed. Open it again with open_history.")
        # What it is a copy of may have gone on.
        source = self._all_of_it()._source
        if source is not None:
            source.refresh()
        return self._con

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A further connection to read with, which sees what this history holds; whoever asks for it closes it."""
        con = self.connection()
        found = opening.cursor(con) if self._part is None else self._part.cursor(con)
        with self._naming, reading(self.path):
            if not self._has_workflows:
                name_workflows(found)
                self._has_workflows = True
        return found

    def of_snapshot(self, folder: Path) -> History:
        """The same history as it lies in the folder of a snapshot, to be closed by whoever asks."""
        return History(self.path, con=opening.open_for_reading(folder), functions=self._functions)

    def _all_of_it(self) -> History:
        return self if self._part is None else self._part.whole

    def _asked(self) -> duckdb.DuckDBPyConnection:
        """The connection, with the view `history` too."""
        con = self.connection()
        with self._naming, reading(self.path):
            if not self._has_names:
                name_records(con)
                self._has_names = self._has_workflows = True
        return con

    def close(self) -> None:
        """Let go of the file; a temporary one is removed."""
        if not self._closed:
            self._closed = True
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"<History {self.path}, closed>"
        counts = ", ".join(f"{n:,} {what}" for what, n in self.counts.items())
        what = "History" if self.complete else "Incomplete history"
        hours = "" if self._part is None or self._part.clock is None else "; durations in business hours"
        return f"<{what} of {listed(self._workflows(), 3)}: {len(self):,} records; cases: {counts or 'none'}{hours}>"

    def _workflows(self) -> list[str]:
        return list(dict.fromkeys(f"{run.workflow} {run.version}" for run in self.runs))

    def _repr_html_(self) -> str:
        if self._closed:
            return f"<p>{html.escape(repr(self))}</p>"
        return self.summary()._repr_html_()


def open_history(
    path: str | os.PathLike[str],
    *,
    max_memory: int = opening.MAX_MEMORY,
    functions: Mapping[str, Python] | None = None,
) -> History:
    """Open a history for reading.

    Parameters
    ----------
    path
        The file that a run was stored `into`, or the folder that `History.to_parquet` wrote.
    max_memory
        Bytes that DuckDB may use for questions to it, 2 GiB unless told otherwise; what does not fit goes to a
        temporary folder, up to 16 GiB.
    functions
        Functions in Python by name, for replay of workflows that declare them (M14.5): a file holds definitions, no
        code.

    Raises
    ------
    HistoryError
        If it is missing, no history, of another format, or held by a process that writes it.
    """
    return History(path, max_memory=max_memory, functions=for_all(functions))


def _remove(con: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    con.close()
    if path is not None:
        path.unlink(missing_ok=True)
