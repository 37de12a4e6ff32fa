"""The parts of a summary, each computed from its series; docs/statistics.md says how."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from wfsim.errors import HistoryError
from wfsim.model.duration import short_time
from wfsim.simulation.statistics import (
    Estimate,
    average_over_time,
    batch_edges,
    mean_of,
    nothing,
    over_batches,
    over_replications,
    quantile_of,
    ratios,
    share_of,
)

from . import samples
from .measures import Measure, expect_level, number
from .runs import runs_in
from .summary import Summary
from .warm_up import warm_up_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .questions import Readable
    from .runs import Run

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
MICRO = 1e-6
"""Seconds in a microsecond."""


def summary_of(history: Readable, run: int | None, level: float, *, idle: bool = False) -> Summary:
    """The summary of a history, or of one of its runs; `idle`: with states and activities that take no time.

    Raises
    ------
    HistoryError
        For a run that is not there, or a level that is none.
    """
    with summing(history, run, level, idle=idle) as parts:
        return parts.summary()


@contextmanager
def summing(history: Readable, run: int | None, level: float, *, idle: bool = False) -> Iterator[Summing]:
    """What the summary is computed from, for whoever needs that too; parameters and errors are those of `summary_of`.

    All of it is asked in one transaction, which ends with the block.
    """
    expect_level(level)
    with samples.asking_for_arrays(history) as ask:
        with closing(history.cursor()) as own:
            every = runs_in(own)
        runs = [one for one in every if run is None or one.run == run]
        if not runs:
            raise HistoryError(f"there is no run {run!r}. Runs: {', '.join(str(one.run) for one in every) or 'none'}.")
        yield Summing(ask, runs, level, idle)


def are_replications(runs: list[Run]) -> bool:
    """Whether runs differ in nothing but their random numbers."""
    like = {(run.source, run.workflow, run.model_hash, run.scenario, run.seed) for run in runs}
    return len(like) == 1 and len({run.replication for run in runs}) == len(runs) and runs[0].source == "simulation"


class Summing:
    """The parts of a summary, and what they are computed from.

    Attributes
    ----------
    cases
        The root cases of each run; of all together, if they are `together`: judged by batch means, as one series.
    cuts
        What is left out of each of these as warm-up.
    horizons
        By run: the time of its last record.
    """

    def __init__(self, ask: samples.Ask, runs: list[Run], level: float, idle: bool) -> None:
        self.ask = ask
        self.runs = runs
        self.level = level
        self.idle = idle
        self.together = len(runs) == 1 or not are_replications(runs)
        self.cases = samples.cases_of(ask, runs, self.together)
        warm_up = warm_up_of(runs, self.cases)
        self.cuts, self.remarks = warm_up.cuts, warm_up.remarks
        self.kept = [cases.since(cut.time) for cases, cut in zip(self.cases, self.cuts)]
        self.horizons = self._horizons()
        self.until = self._last_arrivals()
        self.query: dict[str, str] = {"cases": samples.cases_text(runs)}

    @cached_property
    def attempts(self) -> Mapping[str, NDArray[Any]]:
        """The attempts that asked for a worker of a pool, as `samples.ATTEMPTS` tells."""
        return self.ask(samples.ATTEMPTS.format(runs=samples.among(self.runs)))

    def summary(self) -> Summary:
        """All parts."""
        several = len({run.workflow for run in self.runs}) > 1 or any(len(run.workflows) > 1 for run in self.runs)
        measures = [*self._outcomes(), *self._sojourn(), *self._states(several), *self._activities(several)]
        measures += [*self._pools(), *self._slas()]
        # No time, share or number is below 0, and no share above 1.
        measures = [
            replace(one, estimate=one.estimate.within(0.0, 1.0 if one.unit == "share" else math.inf))
            for one in measures
        ]
        head = (
            ("workflow", ", ".join(dict.fromkeys(f"{run.workflow} {run.version}" for run in self.runs))),
            ("source", ", ".join(dict.fromkeys(run.source for run in self.runs))),
            ("runs", f"{len(self.runs):,}"),
            ("records", f"{self._records():,}"),
            *(() if all(run.complete for run in self.runs) else (("incomplete", "not all that happened is here"),)),
        )
        counted = ("Durations count business hours only.",) if samples.has_business_hours(self.ask) else ()
        remarks = (self._method(), *counted, *self.remarks, *self._notes())
        return Summary(head, self.level, self._counts(), tuple(measures), remarks, self.query)

    def _records(self) -> int:
        return int(self.ask(f"SELECT count(*) AS n FROM records r WHERE true {samples.among(self.runs, 'r')}")["n"][0])

    def _notes(self) -> list[str]:
        query = f"SELECT note FROM notes d WHERE true {samples.among(self.runs)} ORDER BY run, rowid"
        return [str(note) for note in self.ask(query)["note"]]

    def _method(self) -> str:
        text = f"Intervals of {self.level * 100:.4g} %, by Student's t "
        if not self.together:
            return text + f"over {len(self.runs)} replications."
        if len(self.runs) > 1:
            text = "The runs are no replications of one another: their cases are taken together. " + text
        return text + "over batches of cases in order of starting."

    def _horizons(self) -> dict[int, int]:
        rows = self.ask("SELECT run, horizon AS last FROM horizons")
        return {int(run): int(last) for run, last in zip(rows["run"], rows["last"])}

    # --- cases -----------------------------------------------------------------------------------

    def _counts(self) -> dict[str, int]:
        closed = [cases.closed() for cases in self.cases]
        n_started, n_closed = (sum(len(cases.case) for cases in each) for each in (self.cases, closed))
        outcomes = Counter(value for cases in closed for value in cases.outcome.tolist())
        states = Counter(f"in {value}" for cases in closed for value in cases.final_state.tolist())
        counts = {"started": n_started, "closed": n_closed, "open": n_started - n_closed}
        return counts | dict(sorted(outcomes.items())) | dict(sorted(states.items()))

    def _outcomes(self) -> Iterator[Measure]:
        closed = [cases.closed() for cases in self.kept]
        for outcome in sorted({value for cases in closed for value in cases.outcome.tolist()}):
            hits = [np.asarray(cases.outcome == outcome, np.bool_) for cases in closed]
            yield Measure(f"outcomes.{outcome}", "outcomes", outcome, "share", share_of(hits, self.level))

    def _sojourn(self) -> Iterator[Measure]:
        closed = [cases.closed() for cases in self.kept]
        series = [np.asarray(cases.duration * MICRO, np.float64) for cases in closed]
        mean = mean_of(series, self.level)
        n_open = sum(len(cases.case) for cases in self.kept) - sum(map(len, series))
        if n_open:
            self.remarks.append(
                f"Sojourn times are those of closed cases; {n_open:,} are still open, likely long ones."
            )
        yield Measure("sojourn.mean", "sojourn", "mean", "s", mean)
        for name, p in QUANTILES.items():
            yield Measure(f"sojourn.{name}", "sojourn", name, "s", quantile_of(series, p, self.level))

    # --- states and activities -------------------------------------------------------------------

    def _groups(self, title: str, rows: str, *, idle: bool) -> Iterator[tuple[str, str, Estimate]]:
        """Workflow, name and mean of each group of rows; those without any time only if `idle`."""
        cuts = self.cuts * len(self.runs) if self.together else self.cuts
        query = samples.batches_text(
            rows, samples.cuts_text(self.runs, [cut.time for cut in cuts], self.until), self.together
        )
        self.query[title] = query.strip()
        found = self.ask(query)
        places = range(len(found["n"]))
        for (workflow, name), group in groupby(places, lambda k: (str(found["workflow"][k]), str(found["name"][k]))):
            own = list(group)
            sizes, means = found["n"][own].astype(np.int64), found["mean"][own].astype(np.float64) * MICRO
            if idle or found["most"][own].max() > 0:
                if self.together:
                    yield workflow, name, over_batches(means, sizes, self.level)
                else:
                    yield workflow, name, over_replications(means, self.level, int(sizes.sum()))

    def _states(self, several: bool) -> Iterator[Measure]:
        for workflow, name, estimate in self._groups("states", samples.STAYS, idle=self.idle):
            key, label = self._named(workflow, several, f"states.{name}.time", name)
            yield Measure(key, "states", label, "s", estimate)

    def _activities(self, several: bool) -> Iterator[Measure]:
        found = {}
        for column, begun in (("wait", "started"), ("service", "ended")):
            rows = samples.REPORTS.format(value=column, begun=begun)
            for workflow, name, estimate in self._groups(f"activities.{column}", rows, idle=self.idle):
                key, label = self._named(workflow, several, f"activities.{name}.{column}", f"{name} {column}")
                found[workflow, name, column] = Measure(key, "activities", label, "s", estimate)
        yield from (found[each] for each in sorted(found, key=lambda each: (each[0], each[1], each[2] == "service")))

    def _named(self, workflow: str, several: bool, key: str, label: str) -> tuple[str, str]:
        """Key and label, with the workflow before them if it is not the root and there are several."""
        if not several or workflow == self.runs[0].workflow:
            return key, label
        return f"{workflow}.{key}", f"{workflow}: {label}"

    # --- pools -----------------------------------------------------------------------------------

    def _last_arrivals(self) -> list[int]:
        """When the last root case of each run started: later, the system only runs empty."""
        until = [int(cases.started.max(initial=0)) for cases in self.cases]
        self.fed = all(end > cut.time for end, cut in zip(until, self.cuts))
        if self.fed:
            return until * len(self.runs) if self.together else until
        return [self.horizons.get(run.run, 0) for run in self.runs]

    def _pools(self) -> Iterator[Measure]:
        rows = self.ask(samples.CAPACITIES.format(runs=samples.among(self.runs)))
        self.query["pools"] = "FROM pool_utilisation"
        capacities = dict(zip(rows["pool"].tolist(), np.ma.filled(rows["capacity"].astype(np.int64), 0).tolist()))
        if not capacities:
            return
        if self.together and len(self.runs) > 1:
            self.remarks.append("Pools are told of one run, or of replications: history.summary(run=…).")
            return
        begin = "the end of the warm-up" if self.runs[0].source == "simulation" else "the first record"
        end = "the last case started" if self.fed else "the last record, as all cases started at once"
        self.remarks.append(f"Pools: averages over the time from {begin} until {end}.")
        loads, shifts = samples.loads_of(self.attempts, self.horizons), samples.shifts_of(self.ask, self.runs)
        waits = {name: estimate for _, name, estimate in self._groups("pool waits", samples.WAITS, idle=True)}
        for name, capacity in sorted(capacities.items()):
            own = [loads.get((run.run, name), samples.IDLE) for run in self.runs]
            yield from self._pool(name, capacity, own, [shifts.get((run.run, name)) for run in self.runs])
            wait = waits.get(name, replace(nothing(), note="nobody came"))
            if wait.value == 0.0:
                wait = replace(wait, note="nobody waited")
            yield Measure(f"pools.{name}.wait", "pools", f"{name} wait", "s", wait)

    def _pool(
        self, name: str, capacity: int, loads: list[samples.Load], shifts: list[samples.Shifts | None]
    ) -> Iterator[Measure]:
        edges = [
            cut.time + (batch_edges(end - cut.time) if self.together else np.array([0, end - cut.time]))
            for cut, end in zip(self.cuts, self.until)
        ]
        n = sum(load.n_between(cut.time, end) for load, cut, end in zip(loads, self.cuts, self.until))
        longest = max(load.longest(cut.time, end) for load, cut, end in zip(loads, self.cuts, self.until))
        busy = np.concatenate([load.busy(times) for load, times in zip(loads, edges)])
        waiting = np.concatenate([load.waiting(times) for load, times in zip(loads, edges)])
        there = np.concatenate(
            [
                np.full(int(np.sum(np.diff(times) > 0)), capacity, np.float64)
                if shift is None
                else load.there(shift, times)
                for load, times, shift in zip(loads, edges, shifts)
            ]
        )
        has_workers = np.sum(there) > 0.0
        for what, values, unit in (
            ("utilisation", ratios(busy, there) if has_workers else busy, "share"),
            ("busy", busy, ""),
            ("queue", waiting, ""),
        ):
            if what == "utilisation" and not has_workers:
                continue
            if self.together:
                estimate = average_over_time(values, self.level, n)
            else:
                estimate = over_replications(values, self.level, n)
            yield Measure(f"pools.{name}.{what}", "pools", f"{name} {what}", unit, estimate)
        outside = sum(len(load.came) for load in loads) - n
        told = f"; {outside:,} of {n + outside:,} attempts came before or after that time" if outside else ""
        known = capacity or ("by shifts" if has_workers else "not known, so no utilisation")
        self.remarks.append(f"Pool {name}: capacity {known}, longest queue {longest:,}{told}.")

    # --- service level agreements ----------------------------------------------------------------

    def _slas(self) -> Iterator[Measure]:
        given = self.ask(samples.SLAS.format(runs=samples.among(self.runs, "s")))
        if not len(given["sla"]):
            return
        found = self.ask(samples.SLA_CASES.format(runs=samples.among(self.runs)))
        self.query["slas"] = "FROM sla"
        cuts = self.cuts * len(self.runs) if self.together else self.cuts
        since = {run.run: cut.time for run, cut in zip(self.runs, cuts)}
        kept = found["started"] >= np.array([since[int(run)] for run in found["run"]], np.int64)
        for name in dict.fromkeys(given["sla"].tolist()):
            own = kept & (found["sla"] == name)
            runs = [own] if self.together else [own & (found["run"] == run.run) for run in self.runs]
            estimate = share_of([found["met"][one].astype(np.bool_) for one in runs], self.level)
            first = given["sla"].tolist().index(name)
            within, target = short_time(float(given["within"][first])), np.ma.filled(given["share"], math.nan)[first]
            yield Measure(f"slas.{name}.share", "slas", f"{name} within {within}", "share", estimate)
            if not math.isnan(target):
                self.remarks.append(
                    f"SLA {name}: {number(target, 'share')} are to be in time, which {_is_kept(estimate, target)}."
                )


def _is_kept(estimate: Estimate, target: float) -> str:
    """Whether a share reaches its target, as far as its interval tells."""
    if estimate.low is None or estimate.high is None:
        return "cannot be told without an interval"
    if estimate.low >= target:
        return "is kept"
    return "is not kept" if estimate.high < target else "cannot be told: the interval holds it"
