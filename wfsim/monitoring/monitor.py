"""`wf.monitor`: the properties of a file, held against each case of a history while it is written."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from wfsim.arguments import expect, listed_in
from wfsim.errors import DefinitionError, HistoryError
from wfsim.history.following import News, Source, together
from wfsim.history.history import History
from wfsim.markup import escaped, html_table
from wfsim.model.workflow import Workflow
from wfsim.verification.property import Property
from wfsim.verification.workflows.properties import built_in, claims_of, same_workflow
from wfsim.verification.workflows.property_files import load_properties

from .breach import Breach, moment
from .exposition import exposition, rules
from .watched_cases import Event, WatchedCases, asked_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Alert = Callable[[Breach], object]
_COLUMNS = ("property", "watched", "violated", "error", "owed", "next_due")


class Monitor:
    """Watches a history; `wf.monitor` makes it.

    Attributes
    ----------
    breaches
        What was found, in the order in which it was; each property of a case once.
    left_out
        Properties and versions that are not watched, each with the reason.
    """

    def __init__(
        self,
        history: History,
        workflow: Workflow,
        properties: list[Property],
        *,
        alerts: list[Alert],
        clock: Callable[[], int] | None,
    ) -> None:
        self.workflow = workflow
        self.breaches: list[Breach] = []
        self._left_out = {
            str(each): "it is known not to hold"
            if each.expect != "holds"
            else "it is about all runs, not about single ones"
            for each in properties
            if each.expect != "holds" or not asked_of(workflow, [each])
        }
        self.properties = [each for each in properties if str(each) not in self._left_out]
        self._source, self._news = Source(history), News()
        self._cases = WatchedCases(workflow.name, self.properties)
        self._alerts, self._clock = alerts, clock
        self._untold: deque[Breach] = deque()
        self._counts: Counter[tuple[str, str]] = Counter()
        self.looked_at = 0.0
        """When it looked last, in seconds since 1970; 0: never."""

    @property
    def left_out(self) -> dict[str, str]:
        """Properties and versions that are not watched, each with the reason."""
        return self._left_out | self._cases.left_out

    def look(self) -> list[Breach]:
        """Watch what has come since the last look, and what is due by now; tell whoever is to be told.

        Returns
        -------
        list of Breach
            What is new.

        Raises
        ------
        ReplayError
            If a run keeps too little (log level below `full`), or a case does not replay with what the history holds.

        Notes
        -----
        New steps are told again to `step`: some 50 to 200 µs each. Memory: an instance for each open case. If an alert
        raises, what it was to be told is told at the next look.
        """
        history = self._source.history
        begun = len(self.breaches)
        for group in together(self._news.changes(history)):
            for event in self._cases.look(history, group):
                self._add(event)
        if any(asked.automaton.within is not None for asked in asked_of(self.workflow, self.properties)):
            for event in self._cases.late(self._now(history)):
                self._add(event)
        self.looked_at = time.time()
        while self._untold:
            for alert in self._alerts:
                alert(self._untold[0])
            self._untold.popleft()
        return self.breaches[begun:]

    def _now(self, history: History) -> dict[int, int]:
        """What time it is in each run, in microseconds: by a clock, in a simulation that of its last record."""
        ends = dict(history.sql("SELECT run, horizon FROM horizons").fetchall())
        clock = self._clock or (lambda: time.time_ns() // 1000)
        return {
            one.run: max(clock(), ends.get(one.run, 0)) if one.source == "runtime" else ends.get(one.run, 0)
            for one in history.runs
        }

    def _add(self, event: Event) -> None:
        asked = event.group.watch.asked[event.broken.which].question
        run, program = event.group.run, event.group.program
        status = "error" if event.broken.fault else "violated"
        where = (
            f"SELECT external_id, begins FROM history.main.cases LEFT JOIN run_begins USING (run) WHERE run = {run.run}"
        )
        name, begins = self._source.history.sql(f'{where} AND "case" = {event.case}').fetchall()[0]
        breach = Breach(
            str(asked),
            status,
            event.broken.told,
            run.run,
            event.case,
            name,
            program.workflow.name,
            program.workflow.version,
            event.seq,
            event.time,
            moment(begins + event.time),
            event.broken.due,
            asked.because,
        )
        self._counts[breach.property, status] += 1
        self.breaches.append(breach)
        self._untold.append(breach)

    def follow(self, *, poll: float = 1.0) -> Iterator[Breach]:
        """Look again and again, and give what is found, until the history is closed or nobody writes it any more.

        Parameters
        ----------
        poll
            Seconds between two looks.

        Yields
        ------
        Breach
            As it is found. Errors as of `look`.
        """
        while True:
            yield from self.look()
            if not self._source.goes_on():
                return
            time.sleep(poll)
            self._source.renew()

    def df(self) -> pd.DataFrame:
        """One row per property.

        Returns
        -------
        pandas.DataFrame
            `property`, `watched` (cases), `violated`, `error`, `owed` (open cases of which something is owed), and
            `next_due` (ISO 8601; none: without a limit).
        """
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_COLUMNS))

    def metrics(self) -> str:
        """The numbers in the text format of Prometheus, for an endpoint or a textfile collector.

        Counters of violations and errors by property, cases watched, open ones, what is owed, and when it looked last.
        """
        return exposition(self.workflow, self._rows(), self._cases, self.looked_at)

    def rules(self, *, stale: str = "5m") -> str:
        """Alerting rules for Prometheus on these metrics, as YAML.

        Parameters
        ----------
        stale
            After which time without a look the monitor itself is missed.
        """
        return rules(self.workflow, stale)

    def _rows(self) -> list[tuple[str, int, int, int, int, str | None]]:
        owed: Counter[str] = Counter()
        due: dict[str, int] = {}
        begins = dict(self._source.history.sql("SELECT run, begins FROM run_begins").fetchall())
        for (run, _), watched in self._cases.open.items():
            for which, (asked, own) in enumerate(zip(watched.group.watch.asked, watched.seen)):
                if own.since is None or own.over:
                    continue
                owed[str(asked.question)] += 1
                limit = watched.group.watch.due(which, own)
                if limit is not None:
                    limit += begins[run]
                    due[str(asked.question)] = min(due.get(str(asked.question), limit), limit)
        return [
            (
                name,
                self._cases.n_seen,
                self._counts[name, "violated"],
                self._counts[name, "error"],
                owed[name],
                moment(due[name]) if name in due else None,
            )
            for name in map(str, self.properties)
        ]

    def __repr__(self) -> str:
        n, still = self._cases.n_seen, len(self._cases.open)
        broken = Counter(each.property for each in self.breaches)
        told = "; ".join(f"{count:,} × {name}" for name, count in broken.most_common()) or "nothing broken"
        return f"<Monitor of {self.workflow.name}: {n:,} cases, {still:,} open; {told}>"

    def _repr_html_(self) -> str:
        heads = [name.replace("_", " ") for name in _COLUMNS]
        rows = [["" if value is None else value for value in row] for row in self._rows()]
        title = f"{self.workflow.name}: {self._cases.n_seen:,} cases watched, {len(self._cases.open):,} open"
        table = html_table(heads, rows, numbers=range(1, 5), caption=title)
        left = "".join(f"<p>Not watched: {escaped(name)}: {escaped(why)}</p>" for name, why in self.left_out.items())
        return table + left


def monitor(
    history: History,
    workflow: Workflow,
    properties: str | Path | list[Property] | None = None,
    *,
    alerts: Alert | Iterable[Alert] = (),
    clock: Callable[[], int] | None = None,
) -> Monitor:
    """Hold properties against every case of a workflow, as its history is written.

    Each step of a case is told again to `step`, and the automata that `wf.verify` searches with read it: a property
    that a finite run refutes is told at once, with the words of a verdict; what is owed (`eventually`, `leads_to`,
    `responds`) when a case closes without it, or, with `within`, once it is due. Nothing is told twice.

    Parameters
    ----------
    history
        Of a run that writes in this process (`run.history`, `store.history()`), the `latest` snapshot of a collector,
        or any other. Its log level is `full`.
    workflow
        Whose cases are watched, those of other versions too where the properties fit them.
    properties
        A property file, or properties; by default that no case fails, none ends by a timeout that nothing handles, and
        what activities say of `compensate_with` and `settled_by`. What is not about single runs (`sound`, …), or is not
        expected to hold, is left out (`monitor.left_out`).
    alerts
        Who is told of each breach: callables, such as `print` or `wf.Webhook(url)`.
    clock
        What time it is, in microseconds since 1970, for real runs whose clock is not the machine's; of a simulation it
        is the time of its last record.

    Returns
    -------
    Monitor
        It has not looked yet: `monitor.look()` does once, `for breach in monitor.follow():` again and again.

    Raises
    ------
    DefinitionError
        As of `wf.verify`; also if nothing is left to watch.
    HistoryError
        If `history` is none, a part of one, or was imported from a log.
    """
    expect(workflow, Workflow, "monitor takes a Workflow", "wf.load(path) reads one.")
    if not isinstance(history, History):
        raise HistoryError(f"monitor takes a history, not {history!r}. A run has one: run.history.")
    if history.is_part:
        raise HistoryError(f"{history.path}: a part of a history's time is not watched. Give the whole.")
    if any(run.source == "log" for run in history.runs):
        raise HistoryError(
            f"{history.path}: was imported from a log, which no workflow can be told again. "
            "wf.align(history, workflow) says where its cases deviate."
        )
    file: str | Path | None = None
    if properties is None:
        asked = [each for each in built_in(workflow) if asked_of(workflow, [each])]
    elif isinstance(properties, list):
        asked = listed_in(properties, "monitor takes a property file, or a list", "Make each with wf.Property(…).")
        for each in asked:
            expect(each, Property, "monitor takes a list of properties", "Make each with wf.Property(name, options).")
    else:
        expect(properties, (str, os.PathLike), "monitor takes a property file, or a list", "Or None.")
        file = properties
        named, asked = load_properties(properties)
        if named is not None:
            same_workflow(properties, named, workflow)
    claims_of(workflow, asked, None if file is None else str(file))
    told = [alerts] if callable(alerts) else listed_in(alerts, "monitor takes as alerts callables", "Such as print.")
    for alert in told:
        expect(alert, Callable, "monitor takes as alerts callables", "Such as print.")  # type: ignore[arg-type]
    found = Monitor(history, workflow, asked, alerts=told, clock=clock)
    if not found.properties:
        left = "; ".join(f"{name}: {why}" for name, why in found.left_out.items()) or "the list is empty"
        raise DefinitionError(f"nothing is left to watch: {left}. Ask for a property of runs, as `- never: …`.")
    return found
